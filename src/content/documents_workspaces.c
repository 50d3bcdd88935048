/*
 * content/documents, the root: the account's workspaces, the configured ones,
 * and those that somebody entered by name. Which workspace a name means.
 */
#include "content/documents_private.h"

#include "base/text.h"

#include <strings.h>

#define ENTERED_MOST 1000
#define ROOT "workspaces"
#define TTL_MS (resource_workspaces.ttl_s * 1000)
#define LINES ((struct collection_lines){.row = &resource_workspaces})

struct scope *documents_root_scope(void)
{
	return scope_new(ROOT, "", "", "", "");
}

static char *alias_key(const char *slug)
{
	return mem_asprintf("workspace/%s", slug);
}

/* The uuid that `workspace/<slug>` tells; NULL when it is none, "" when the
 * workspace is there and has none. */
static char *alias_uuid(struct documents *d, const char *slug)
{
	cleanup(free) char *key = alias_key(slug);
	cleanup(cache_entry_free) struct cache_entry *e =
		answer_peek(d->config.cache, key);

	return e && e->body ? mem_strdup(blob_data(e->body)) : NULL;
}

/* The account's list; empty when this credential has none. */
static int account_list(struct ctx *ctx, struct documents *d,
			enum read_through_mode mode, struct collection **ret,
			struct answer_age *ret_age)
{
	cleanup(scope_unref) struct scope *root = NULL;

	if (!documents_has_user(d)) {
		*ret_age = (struct answer_age){.left_ms = TTL_MS};
		return collection_decode(&resource_workspaces, "[]", 2, ret);
	}
	root = documents_root_scope();
	return documents_collection_stored(ctx, d, &resource_workspaces, root,
					   mode, ret, ret_age);
}

/* ---- what a name means ---- */

struct scope *documents_listing_scope(struct documents *d, const char *name)
{
	struct answer_age age;
	cleanup(collection_unref) struct collection *known =
		documents_has_user(d)
			? documents_known(d, &resource_workspaces, ROOT, &age)
			: NULL;
	const struct collection_item *item =
		known ? collection_find(known, name) : NULL;
	cleanup(free) char *uuid = NULL, *key = NULL;
	const char *slug = item ? item->slug : name, *id;

	uuid = item && *item->id ? mem_strdup(item->id) : alias_uuid(d, slug);
	id = uuid && *uuid ? uuid : slug;
	if (id == uuid)
		bitbucket_name_workspace(d->config.bitbucket, uuid, slug);
	key = documents_listing_key(id);
	return scope_new(key, name, slug, id, "");
}

/* ---- by name ---- */

static bool is_configured(const struct documents *d, const char *slug)
{
	for (size_t i = 0; d->workspaces[i]; i++)
		if (!strcmp(d->workspaces[i], slug))
			return true;
	return false;
}

/* Remembers that somebody was there; the mount lists it from now on. */
static void enter(struct documents *d, const char *slug)
{
	bool known = false;

	mutex_lock(&d->lock);
	for (size_t i = 0; !known && i < d->n_entered; i++)
		known = !strcmp(d->entered[i], slug);
	if (!known && d->n_entered < ENTERED_MOST) {
		d->entered = mem_realloc(
			d->entered, (d->n_entered + 1) * sizeof(*d->entered));
		d->entered[d->n_entered++] = mem_strdup(slug);
	}
	mutex_unlock(&d->lock);
}

static void leave(struct documents *d, const char *slug)
{
	mutex_lock(&d->lock);
	for (size_t i = 0; i < d->n_entered; i++) {
		if (!strcmp(d->entered[i], slug)) {
			free(d->entered[i]);
			d->entered[i] = d->entered[--d->n_entered];
			break;
		}
	}
	mutex_unlock(&d->lock);
}

/* By its former name, too, it is one directory. */
static bool is_among(const struct collection *list, const char *slug,
		     const char *uuid)
{
	for (size_t i = 0; i < list->n_items; i++)
		if (!strcmp(list->items[i].slug, slug) ||
		    (uuid && *uuid && !strcasecmp(list->items[i].id, uuid)))
			return true;
	return false;
}

/* The second witness: what a workspace that is gone would answer as well. */
static bool are_repositories_gone(struct ctx *ctx, struct documents *d,
				  const char *slug)
{
	cleanup(bitbucket_reply_done) struct bitbucket_reply reply = {0};
	cleanup(buf_done) struct buf path = BUF_INIT(0);

	buf_puts(&path, "/repositories/");
	text_percent_encode(&path, slug, "");
	buf_puts(&path, "?pagelen=1");
	return bitbucket_get(ctx, d->config.bitbucket, path.data, NULL,
			     &reply) < 0 &&
	       answer_is_gone(reply.status);
}

static int fetch_by_name(struct ctx *ctx, void *arg,
			 const struct cache_entry *old)
{
	const struct documents_fetch *f = arg;
	struct documents *d = f->documents;
	cleanup(bitbucket_reply_done) struct bitbucket_reply reply = {0};
	cleanup(bitbucket_workspace_done) struct bitbucket_workspace w = {0};
	cleanup(json_free) struct json *json = NULL;
	cleanup(free) char *path = bitbucket_workspace_path(f->id);
	cleanup(free) char *key = alias_key(f->id);
	int r = bitbucket_get(ctx, d->config.bitbucket, path, NULL, &reply);

	/* Of an unknown one a 403 is an error, perhaps of the moment. One that
	 * is there does not go for a single refusal: with it would go all that
	 * is below it. */
	if (r < 0 && old && old->body && answer_is_gone(reply.status)) {
		char sentence[sizeof(ctx->sentence)];
		bool gone;

		memcpy(sentence, ctx->sentence, sizeof(sentence));
		gone = are_repositories_gone(ctx, d, f->id);
		ctx_fail(ctx, r, "%s", sentence);
		return gone ? documents_put_unknown(ctx, d, key, r) : r;
	}
	if (r == -ENOENT)
		return documents_put_unknown(ctx, d, key, r);
	if (r >= 0)
		r = bitbucket_parse(ctx, &reply, path, &json);
	if (r < 0)
		return r;
	if (bitbucket_read_workspace(json, &w))
		return ctx_fail(ctx, -EIO,
				"Bitbucket's answer to %s is no workspace.",
				path);
	/* The service knows it by its former name, too; here it has one. */
	if (strcmp(w.slug, f->id)) {
		ctx_fail(ctx, -ENOENT, "The workspace %s is %s by now.", f->id,
			 w.slug);
		return documents_put_unknown(ctx, d, key, -ENOENT);
	}
	return answer_put(ctx, d->config.cache,
			  &(struct cache_put){
				  .key = key,
				  .body = w.uuid,
				  .n_body = strlen(w.uuid),
				  .ttl_ms = TTL_MS,
			  },
			  1);
}

/* One that no list has: asked for by its name. */
static int by_name(struct ctx *ctx, struct documents *d, const char *name,
		   struct answer_age *ret_age)
{
	cleanup(free) char *key = alias_key(name);
	cleanup(cache_entry_free) struct cache_entry *e = NULL;
	struct documents_fetch f = {.documents = d, .id = name};
	bool stale = false;
	int r = read_through_get(ctx, d->config.source, key, READ_THROUGH,
				 fetch_by_name, &f, &e, &stale);

	if (r < 0)
		return r;
	*ret_age = answer_age_of(e, stale);
	if (!e->body) {
		leave(d, name);
		return answer_failed(ctx, e);
	}
	enter(d, name);
	return 0;
}

int documents_find_workspace(struct ctx *ctx, struct documents *d,
			     const char *name, struct answer_age *ret_age)
{
	cleanup(collection_unref) struct collection *list = NULL;
	cleanup(free) char *uuid = NULL;
	struct answer_age age = {.left_ms = UNKNOWN_NAME_MS};
	bool legal = text_is_workspace_id(name);
	int r = account_list(ctx, d, legal ? READ_THROUGH : READ_CACHED, &list,
			     &age);

	if (r == -EINTR)
		return r;
	if (r == 0 && collection_find(list, name)) {
		*ret_age = age;
		return 0;
	}
	if (is_configured(d, name)) {
		uuid = alias_uuid(d, name);
		if (!list || !is_among(list, name, uuid)) {
			*ret_age = age;
			return 0;
		}
	}
	if (!legal)
		return documents_unknown(ctx, name, ret_age, age.left_ms,
					 age.stale);
	/* Also when the list could not be had (a missing scope): the one
	 * request says more than the list's failure does. */
	return by_name(ctx, d, name, ret_age);
}

/* ---- all of them ---- */

static bool has(const struct collection_lines *lines, const char *slug,
		const char *uuid)
{
	for (size_t i = 0; i < lines->n; i++)
		if (!strcmp(lines->lines[i].slug, slug) ||
		    (*uuid && !strcasecmp(lines->lines[i].uuid, uuid)))
			return true;
	return false;
}

static void add_line(struct collection_lines *lines, const char *slug,
		     const char *uuid)
{
	if (!has(lines, slug, uuid))
		collection_lines_add(lines, slug, uuid, NULL, 0);
}

/* The configured ones and those entered, by their names alone. */
static void names_of_others(struct documents *d, struct collection_lines *ret)
{
	for (size_t i = 0; d->workspaces[i]; i++)
		add_line(ret, d->workspaces[i], "");
	mutex_lock(&d->lock);
	for (size_t i = 0; i < d->n_entered; i++)
		add_line(ret, d->entered[i], "");
	mutex_unlock(&d->lock);
}

/* *list with those that it lacks. Encoded once for all of them: once for each,
 * a thousand took a second at every look at the root. */
static int add_others(struct documents *d, struct collection **list)
{
	cleanup(collection_lines_done) struct collection_lines lines = LINES;
	cleanup(collection_lines_done) struct collection_lines others = LINES;
	cleanup(buf_done) struct buf text = BUF_INIT(0);
	struct collection *longer = NULL;
	size_t n_listed = (*list)->n_items;
	int r;

	for (size_t i = 0; i < n_listed; i++)
		collection_lines_add(&lines, (*list)->items[i].slug,
				     (*list)->items[i].id, NULL, 0);
	names_of_others(d, &others);
	for (size_t i = 0; i < others.n; i++) {
		const char *slug = others.lines[i].slug;
		cleanup(free) char *uuid = alias_uuid(d, slug);

		add_line(&lines, slug, uuid ? uuid : "");
	}
	if (lines.n == n_listed)
		return 0;
	r = collection_lines_encode(&lines, NULL, NULL, &text);
	if (r == 0)
		r = collection_decode(&resource_workspaces, text.data, text.len,
				      &longer);
	if (r < 0)
		return r;
	collection_unref(*list);
	*list = longer;
	return 0;
}

int documents_workspaces(struct ctx *ctx, struct documents *d,
			 enum read_through_mode mode, struct collection **ret,
			 struct answer_age *ret_age)
{
	int r = account_list(ctx, d, mode, ret, ret_age);

	return r < 0 ? r : add_others(d, ret);
}

/* ---- asking ---- */

/* Whether one that the list lacks answers 403 or 404 itself. 1, 0, -EINTR. */
static int is_gone(struct ctx *ctx, struct documents *d,
		   const struct collection_item *w)
{
	cleanup(bitbucket_reply_done) struct bitbucket_reply reply = {0};
	cleanup(free) char *path =
		bitbucket_workspace_path(*w->id ? w->id : w->slug);
	int r = bitbucket_get(ctx, d->config.bitbucket, path, NULL, &reply);

	if (r == -EINTR)
		return r;
	return r < 0 && answer_is_gone(reply.status);
}

/* Those of the old list that the new one lacks and that are still there. */
static int keep_vanished(struct ctx *ctx, struct documents *d,
			 const struct collection *before, bool complete,
			 struct collection_lines *lines)
{
	unsigned n_asked = complete ? 0 : MOST_ASKED;

	for (size_t i = 0; i < before->n_items; i++) {
		const struct collection_item *w = &before->items[i];
		int gone = 0;

		if (has(lines, w->slug, w->id))
			continue;
		if (n_asked++ < MOST_ASKED)
			gone = is_gone(ctx, d, w);
		if (gone < 0)
			return gone;
		if (gone)
			documents_say(d, ENOENT, w->name,
				      "The workspace %s is no longer one of "
				      "the account's.",
				      w->slug);
		else
			collection_lines_add(lines, w->slug, w->id, NULL, 0);
	}
	return 0;
}

/* An item is a membership; its workspace is a member of it. */
static int take_workspace(void *lines, const struct json *item)
{
	const struct json *workspace = json_at(item, "workspace");
	cleanup(bitbucket_workspace_done) struct bitbucket_workspace w = {0};

	if (!bitbucket_read_workspace(workspace ? workspace : item, &w))
		add_line(lines, w.slug, w.uuid);
	return 0;
}

int documents_fetch_workspaces(struct ctx *ctx, void *arg,
			       const struct cache_entry *old)
{
	struct documents *d = ((struct documents_fetch *)arg)->documents;
	cleanup(documents_pages_done) struct documents_pages pages;
	cleanup(answer_batch_done) struct answer_batch batch = {0};
	cleanup(collection_lines_done) struct collection_lines lines = LINES;
	cleanup(collection_unref) struct collection *before = NULL;
	cleanup(buf_done) struct buf text = BUF_INIT(0);
	const char *endpoint = resource_workspaces.endpoint;
	struct bitbucket_known known = documents_known_list(d, endpoint, ROOT);
	struct bitbucket_list list = {
		.path = endpoint,
		.id = "workspace.uuid",
		.each = take_workspace,
		.arg = &lines,
		.known = &known,
		.kept = &pages.kept,
	};
	bool more;
	int r;

	documents_pages_init(&pages, d, ROOT, DOCUMENTS_PAGES_YOUNG_MS);
	r = bitbucket_list(ctx, d->config.bitbucket, &list, &more);
	documents_pages_end(&pages, r);
	if (r < 0)
		return r;
	documents_learn_list(d, endpoint, ROOT, &known);
	documents_say_list(d, "", list.came, &known);
	if (old && old->body &&
	    !collection_decode(&resource_workspaces, blob_data(old->body),
			       blob_len(old->body), &before))
		r = keep_vanished(ctx, d, before,
				  documents_is_complete(list.came), &lines);
	if (r == 0)
		r = collection_lines_encode(&lines, NULL, NULL, &text);
	if (r < 0)
		return r;
	answer_batch_add(&batch, mem_strdup(ROOT), text.data, text.len, NULL,
			 TTL_MS);
	documents_pages_drop(ROOT, &batch);
	r = answer_put(ctx, d->config.cache, batch.puts, batch.n);
	if (r == 0) {
		names_of_others(d, &lines);
		documents_tell_workspaces(d, &lines);
	}
	return r;
}
