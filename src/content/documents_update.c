/*
 * content/documents, a dated collection brought up to date: one request for
 * what was changed since the newest change that is stored, whatever its state
 * now, instead of all pages. The rest is rebuilt from the stored items.
 *
 * Now and then all of it is walked, for what was deleted tells nobody, nor does
 * what was changed behind a walk:
 * 1. A walks: item 5, of 10:00, is on page 1.
 * 2. Item 5 is changed at 10:01, item 9 at 10:02.
 * 3. Page 2 has item 9, of 10:02: the newest change that is stored.
 * 4. B asks for what was changed since 10:02: item 5 stays as of 10:00.
 */
#include "content/documents_private.h"

#include "base/clock.h"
#include "base/map.h"
#include "base/text.h"

#define WALK_EVERY_MS (INT64_C(6) * 3600 * 1000)
#define MOST_CHANGED 150 /* more, and the pages are as cheap */

struct entry {
	UT_hash_handle hh;
	char *id;
	int64_t created_ms;
	size_t index; /* in the order that it had */
	char *text;   /* of a changed one; NULL: as it is stored */
	size_t n_text;
	bool elsewhere; /* of another collection now */
};

struct update {
	struct documents_fetch *fetch;
	struct entry *by_id;
	struct entry **entries;
	size_t n, size;
	char *since; /* the newest updated_on */
	int64_t since_ms;
};

static void update_done(struct update *u)
{
	HASH_CLEAR(hh, u->by_id);
	for (size_t i = 0; i < u->n; i++) {
		free(u->entries[i]->id);
		free(u->entries[i]->text);
		free(u->entries[i]);
	}
	free(u->entries);
	free(u->since);
}
DEFINE_CLEANUP_DONE(struct update, update_done);

static struct entry *entry_of(struct update *u, const char *id)
{
	struct entry *e;

	HASH_FIND_STR(u->by_id, id, e);
	if (e)
		return e;
	e = mem_calloc(1, sizeof(*e));
	e->id = mem_strdup(id);
	e->index = u->n;
	mem_grow(u->entries, u->n, u->size);
	u->entries[u->n++] = e;
	HASH_ADD_KEYPTR(hh, u->by_id, e->id, strlen(e->id), e);
	return e;
}

/* ---- what is stored ---- */

static int stored_item(const struct update *u, const char *id,
		       struct json **ret_item)
{
	const struct documents_fetch *f = u->fetch;
	cleanup(free) char *key = scope_item_key(f->row, f->scope, id);
	cleanup(cache_entry_free) struct cache_entry *e = NULL;

	e = answer_peek(f->documents->config.cache, key);
	*ret_item = answer_json(e);
	return *ret_item ? 0 : -ENOENT;
}

/* False: it cannot be gone on from. */
static bool read_stored(struct update *u, const struct cache_entry *old,
			bool *ret_more)
{
	cleanup(json_free) struct json *top = answer_json(old);

	if (!top)
		return false;
	*ret_more = json_bool(top, "more", false);
	JSON_EACH (i, json_at(top, "items")) {
		cleanup(json_free) struct json *item = NULL;
		const char *id = json_str(i, "id");
		int64_t updated_ms;
		struct entry *e;

		if (!id || stored_item(u, id, &item) < 0)
			return false;
		e = entry_of(u, id);
		e->created_ms = resource_time(item, "created_on");
		updated_ms = resource_time(item, "updated_on");
		if (!e->created_ms || !updated_ms)
			return false;
		if (!u->since || updated_ms > u->since_ms) {
			free(u->since);
			u->since = mem_strdup(json_str(item, "updated_on"));
			u->since_ms = updated_ms;
		}
	}
	return u->since != NULL;
}

/* ---- what was changed ---- */

static int take_changed(void *arg, const struct json *item)
{
	struct update *u = arg;
	const struct resource *row = u->fetch->row;
	const struct resource_column column = {"", row->items->id_path, NULL};
	const char *here = row->is_beside ? row->name : "";
	cleanup(buf_done) struct buf id = BUF_INIT(64 * KIB);
	cleanup(buf_done) struct buf text = BUF_INIT(0);
	struct entry *e;

	resource_value(&column, item, &id);
	if (!id.len || json_compact(item, &text) < 0)
		return 0;
	e = entry_of(u, id.data);
	e->created_ms = resource_time(item, "created_on");
	e->elsewhere = strcmp(row->items->where(item), here) != 0;
	free(e->text);
	e->text = buf_steal(&text, &e->n_text);
	return 0;
}

static int newest_first(const void *a, const void *b)
{
	const struct entry *x = *(struct entry *const *)a;
	const struct entry *y = *(struct entry *const *)b;

	if (x->created_ms != y->created_ms)
		return x->created_ms < y->created_ms ? 1 : -1;
	return x->index < y->index ? -1 : 1;
}

/* ---- both ---- */

static int emit(const struct update *u, const struct entry *e,
		struct collecting *c)
{
	cleanup(json_free) struct json *item = NULL;
	int r = e->text ? json_parse(e->text, e->n_text, &item)
			: stored_item(u, e->id, &item);

	if (r < 0)
		return r;
	if (!e->elsewhere)
		return documents_collect_item(c, item);
	documents_collect_other(c, item);
	return 0;
}

static int emit_all(struct update *u, struct collecting *c, bool *more)
{
	const struct documents_fetch *f = u->fetch;
	size_t most = f->row->is_history ? f->documents->config.history
					 : SIZE_MAX;
	size_t n = 0;
	int r = 0;

	qsort(u->entries, u->n, sizeof(struct entry *), newest_first);
	for (size_t i = 0; i < u->n && r == 0; i++) {
		const struct entry *e = u->entries[i];

		if (!e->elsewhere && n == most) {
			*more = true;
			continue;
		}
		n += !e->elsewhere;
		r = emit(u, e, c);
		/* No room for it; what is elsewhere needs none. */
		if (r == -EFBIG) {
			*more = true;
			r = 0;
		}
	}
	return r;
}

/* ---- what any dated list has ---- */

bool documents_may_update(const struct documents_fetch *f,
			  const struct cache_entry *old, int64_t every_ms)
{
	return !f->anew && old && old->body &&
	       !answer_walk_is_due(f->documents->config.cache, f->scope->key,
				   every_ms);
}

int documents_list_changed(struct ctx *ctx, const struct documents_fetch *f,
			   const char *path, const char *since,
			   struct bitbucket_list *list)
{
	struct documents *d = f->documents;
	cleanup(free) char *key = mem_asprintf("%s?updated_on", f->scope->key);
	cleanup(buf_done) struct buf changes = BUF_INIT(0);
	struct bitbucket_known known =
		documents_known_list(d, f->row->endpoint, key);
	bool too_many = false;
	int r;

	buf_printf(&changes, "%s%csort=-updated_on&q=updated_on%%3E%%3D", path,
		   strchr(path, '?') ? '&' : '?');
	text_percent_encode(&changes, since, "");
	list->path = changes.data;
	list->known = &known;
	r = bitbucket_list(ctx, d->config.bitbucket, list, &too_many);
	list->path = NULL;
	if (r == 0)
		documents_learn_list(d, f->row->endpoint, key, &known);
	list->known = NULL;
	/* Cut off, it may lack a change that nobody asks for again. */
	return r == 0 && (too_many || list->came == BITBUCKET_CAME_CUT) ? 1 : r;
}

/* ---- */

int documents_update(struct ctx *ctx, struct documents_fetch *f,
		     const char *path, const struct cache_entry *old,
		     struct collecting *c, bool *ret_more)
{
	cleanup(update_done) struct update u = {.fetch = f};
	struct bitbucket_list list = {
		.paging = BITBUCKET_NEXT,
		.most = MOST_CHANGED,
		.each = take_changed,
		.arg = &u,
	};
	char since[24];
	bool more = false;
	int64_t since_ms;
	int r;

	if (!f->row->is_dated || !documents_may_update(f, old, WALK_EVERY_MS) ||
	    !read_stored(&u, old, &more))
		return 1;
	list.id = f->row->items->id_path;
	since_ms = answer_changes_since_ms(f->documents->config.cache,
					   f->scope->key, u.since_ms);
	clock_format_iso8601(since_ms, since);
	r = documents_list_changed(
		ctx, f, path, since_ms < u.since_ms ? since : u.since, &list);
	if (r != 0)
		return r;
	if (emit_all(&u, c, &more) < 0)
		return ctx_fail(ctx, -EIO,
				"What is stored of %s changed while it was "
				"brought up to date.",
				path);
	*ret_more = more;
	return 0;
}
