/*
 * content/documents, a collection is fetched: page by page, or what was changed
 * since (documents_update.c); documents_collect.c makes its files of the items.
 */
#include "content/documents_collecting.h"

static int take_item(void *arg, const struct json *item)
{
	return documents_collect_item(arg, item);
}
static enum bitbucket_paging paging_of(const struct resource *row)
{
	switch (row->paging) {
	case RESOURCE_NEXT:
		break;
	case RESOURCE_NUMBERED:
		return BITBUCKET_NUMBERED;
	case RESOURCE_NEWEST:
		return BITBUCKET_NEWEST;
	case RESOURCE_WHOLE:
		return BITBUCKET_WHOLE;
	case RESOURCE_PARTS:
		check(!"a list");
	}
	return BITBUCKET_NEXT;
}

static int fetch_parts(struct ctx *ctx, struct documents_fetch *f,
		       const struct cache_entry *old, struct collecting *c)
{
	struct documents *d = f->documents;
	cleanup(bitbucket_reply_done) struct bitbucket_reply reply = {0};
	cleanup(free) char *path = NULL;
	int r = documents_path(ctx, d, f->row->endpoint, f->scope, &path);

	if (r < 0)
		return r;
	r = bitbucket_get_as(ctx, d->config.bitbucket, path, BITBUCKET_PARTS,
			     NULL, &reply);
	if (r < 0)
		return documents_refused(ctx, d, f->scope->key, old, r,
					 reply.status);
	r = multipart_each(reply.content_type,
			   reply.body.data ? reply.body.data : "",
			   reply.body.len, documents_collect_part, c);
	if (r < 0)
		return ctx_fail(ctx, -EIO,
				"Bitbucket's answer to %s is not the files "
				"that were asked for.",
				path);
	return documents_collecting_store_names(ctx, c, false);
}

/* What was here and is in another state now: its document is outdated. Of a
 * history the oldest go without that. */
static void expire_gone(const struct collecting *c,
			const struct cache_entry *old)
{
	cleanup(collection_unref) struct collection *before = NULL;
	const struct resource *row = c->row;

	if (!row->items || !row->items->where || row->is_history || !old ||
	    !old->body ||
	    collection_decode(row, blob_data(old->body), old->n_body, &before))
		return;
	for (size_t i = 0; i < before->n_items; i++) {
		const struct collection_item *item = &before->items[i];
		cleanup(free) char *key =
			scope_item_key(row, c->scope, item->id);
		struct taken *t;

		HASH_FIND(hh, c->taken, item->name, strlen(item->name), t);
		if (!t)
			(void)cache_expire(c->documents->config.cache, key);
	}
}

static void learn(const struct documents_fetch *f,
		  const struct bitbucket_list *list)
{
	cleanup(free) char *place = documents_place(f->documents, f->scope);

	documents_learn_list(f->documents, f->row->endpoint, f->scope->key,
			     list->known);
	documents_say_list(f->documents, place, list->came, list->known);
}

/* What is beyond the room of the indexes is not asked for. */
static int walk(struct ctx *ctx, struct documents *d,
		struct bitbucket_list *list, struct collecting *c, bool *more)
{
	int r = bitbucket_list(ctx, d->config.bitbucket, list, more);

	if (!c->is_full)
		return r;
	*more = true;
	return 0;
}

static void say_full(const struct documents_fetch *f,
		     const struct collecting *c)
{
	cleanup(free) char *place = documents_place(f->documents, f->scope);

	documents_say(f->documents, EFBIG, place,
		      "The list is too long for an index of %zu MiB: the first "
		      "%zu are shown.",
		      c->index.json.max / MIB, c->n_items);
}

static void was_walked(const struct documents_fetch *f,
		       const struct cache_entry *old,
		       const struct bitbucket_list *list,
		       struct documents_pages *pages,
		       const struct collecting *c)
{
	/* What there was no room for is not gone. */
	if (c->is_full) {
		say_full(f, c);
	} else {
		learn(f, list);
		expire_gone(c, old);
	}
	if (f->row->is_dated && !c->is_cut)
		answer_was_walked(f->documents->config.cache, f->scope->key,
				  documents_pages_since_ms(pages));
}

/* A list that cannot be followed to its end takes nothing away of one that
 * could; but of one that was cut, too, it is the news. */
static bool is_worse_than_before(const struct collecting *c,
				 const struct cache_entry *old)
{
	cleanup(collection_unref) struct collection *before = NULL;

	return c->is_cut && old && old->body &&
	       !collection_decode(c->row, blob_data(old->body), old->n_body,
				  &before) &&
	       !before->is_cut;
}

static void say_kept(const struct documents_fetch *f)
{
	cleanup(free) char *place = documents_place(f->documents, f->scope);

	documents_say(f->documents, EBADMSG, place,
		      "Bitbucket's list goes on at another host or in circles; "
		      "that is not followed, and what was listed before is "
		      "shown.");
}

/* All pages have come. */
static int store_walked(struct ctx *ctx, const struct documents_fetch *f,
			const struct cache_entry *old, struct collecting *c,
			const struct bitbucket_list *list,
			struct documents_pages *pages, bool more)
{
	int64_t ttl_ms = f->row->ttl_s * 1000;
	int r;

	c->is_cut = list->came == BITBUCKET_CAME_CUT;
	/* What has ended is final, but not what came of it. */
	if (c->is_cut && c->ttl_ms > ttl_ms)
		c->ttl_ms = ttl_ms;
	if (is_worse_than_before(c, old)) {
		say_kept(f);
		return answer_touch(ctx, f->documents->config.cache,
				    f->scope->key, c->ttl_ms);
	}
	r = documents_collecting_store(ctx, c, more);
	if (r == 0)
		was_walked(f, old, list, pages, c);
	return r;
}

/* The pages of where the row's endpoint would redirect, else its own. */
static int walk_row(struct ctx *ctx, const struct documents_fetch *f,
		    const struct cache_entry *old, const char *path,
		    struct bitbucket_list *list, struct collecting *c,
		    bool *more)
{
	struct documents *d = f->documents;
	int64_t left_ms = 0;
	cleanup(free) char *direct = documents_direct(ctx, f, old, &left_ms);
	int r;

	list->path = direct ? direct : path;
	r = walk(ctx, d, list, c, more);
	if (direct && r < 0 && !c->n_items &&
	    documents_direct_failed(ctx, list->status)) {
		list->path = path;
		r = walk(ctx, d, list, c, more);
	} else if (direct && c->ttl_ms > left_ms) {
		c->ttl_ms = left_ms;
	}
	list->path = NULL;
	if (r < 0 && documents_is_nothing(f->row, list->status) && !c->n_items)
		r = 0;
	return r;
}

static int fetch_pages(struct ctx *ctx, struct documents_fetch *f,
		       const struct cache_entry *old, struct collecting *c)
{
	struct documents *d = f->documents;
	struct bitbucket_known known =
		documents_known_list(d, f->row->endpoint, f->scope->key);
	cleanup(documents_pages_done) struct documents_pages pages;
	struct bitbucket_list list = {
		.paging = paging_of(f->row),
		.q = f->row->q,
		.id = f->row->id      ? f->row->id
		      : f->row->items ? f->row->items->id_path
				      : "uuid",
		.most = f->row->is_history ? d->config.history : 0,
		.patient = f->row->is_computed,
		.each = take_item,
		.arg = c,
		.known = &known,
		.kept = &pages.kept,
	};
	cleanup(free) char *path = NULL;
	bool more = false;
	int r;

	documents_pages_init(
		&pages, d, f->scope->key,
		documents_pages_age_ms(f, f->row->paging == RESOURCE_NEWEST));
	r = documents_path(ctx, d, f->row->endpoint, f->scope, &path);
	if (r < 0)
		return r;
	r = documents_update(ctx, f, path, old, c, &more);
	if (r < 0)
		return r;
	if (r == 0) {
		r = documents_collecting_store(ctx, c, more);
		if (r == 0)
			answer_has_changes(d->config.cache, f->scope->key);
		return r;
	}
	r = walk_row(ctx, f, old, path, &list, c, &more);
	documents_pages_end(&pages, r);
	if (r < 0)
		return documents_pages_refused(ctx, &pages, old, r,
					       list.status);
	return store_walked(ctx, f, old, c, &list, &pages, more);
}

/* What is below an item that has ended has ended, too. */
static int64_t ttl_of(const struct documents_fetch *f)
{
	cleanup(free) char *above =
		mem_dup0(f->scope->key,
			 strlen(f->scope->key) - strlen(f->row->name) - 1);
	cleanup(cache_entry_free) struct cache_entry *e = NULL;
	cleanup(json_free) struct json *json = NULL;

	if (f->row->is_final_below)
		e = answer_peek(f->documents->config.cache, above);
	json = answer_json(e);
	return json && f->row->is_final_below(json) ? FINAL_MS
						    : f->row->ttl_s * 1000;
}

int documents_fetch_collection(struct ctx *ctx, void *arg,
			       const struct cache_entry *old)
{
	struct documents_fetch *f = arg;
	struct collecting c;
	int r;

	documents_collecting_init(&c, f->documents, f->row, f->scope);
	c.ttl_ms = ttl_of(f);
	r = f->row->paging == RESOURCE_PARTS ? fetch_parts(ctx, f, old, &c)
					     : fetch_pages(ctx, f, old, &c);
	documents_collecting_end(&c);
	if (r >= 0)
		documents_changed_items(f, old);
	return r;
}
