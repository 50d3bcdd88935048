/*
 * content/catalog, what source calls when something is to be asked for: ask,
 * and store what came, in one transaction.
 *
 * The rules of what a failure may take away (src/model/README.md, 8): a single
 * 404 takes nothing that is there, but for what it is about when its list lacks
 * it too.
 */
#include "content/catalog_private.h"

/* The errno and sentence of a failure, remembered as the answer. */
static int put_negative(struct ctx *ctx, struct catalog *c, const char *key,
			int r)
{
	return answer_put_failure(
		ctx, c->config.cache, key, r,
		bitbucket_unknown_ms(c->config.bitbucket, ctx));
}

/* ---- workspaces ---- */

static bool ws_list_has(const struct catalog_ws_list *list,
			const struct catalog_ws *w)
{
	for (size_t i = 0; i < list->n_items; i++) {
		const struct catalog_ws *other = &list->items[i];

		if (!strcmp(other->slug, w->slug) ||
		    (*w->uuid && !strcmp(other->uuid, w->uuid)))
			return true;
	}
	return false;
}

/* Whether one that the list lacks answers 403 or 404 itself. 1, 0, -EINTR. */
static int is_workspace_gone(struct ctx *ctx, struct catalog *c,
			     const struct catalog_ws *w)
{
	cleanup(bitbucket_reply_done) struct bitbucket_reply reply = {0};
	cleanup(free) char *path =
		bitbucket_workspace_path(*w->uuid ? w->uuid : w->slug);
	int r = bitbucket_get(ctx, c->config.bitbucket, path, NULL, &reply);

	if (r == -EINTR)
		return r;
	return r < 0 && answer_is_gone(reply.status);
}

/* Those of the old list that the new one lacks and that are still there. */
static int keep_workspaces(struct ctx *ctx, struct catalog *c,
			   const struct cache_entry *old,
			   struct catalog_ws_list *list)
{
	cleanup(catalog_ws_list_done) struct catalog_ws_list before = {0};
	unsigned n_asked = 0;

	if (!old || !old->body ||
	    catalog_decode_workspaces(blob_data(old->body), blob_len(old->body),
				      &before))
		return 0;
	for (size_t i = 0; i < before.n_items; i++) {
		const struct catalog_ws *w = &before.items[i];
		int gone = 0;

		if (ws_list_has(list, w))
			continue;
		if (n_asked++ < MOST_ASKED)
			gone = is_workspace_gone(ctx, c, w);
		if (gone < 0)
			return gone;
		if (gone)
			catalog_say(c, ENOENT, w->name,
				    "The workspace %s is no longer one of the "
				    "account's.",
				    w->slug);
		else
			catalog_ws_add(list, w->slug, w->uuid);
	}
	return 0;
}

int catalog_fetch_workspaces(struct ctx *ctx, void *arg,
			     const struct cache_entry *old)
{
	struct catalog *c = ((struct fetch *)arg)->catalog;
	cleanup(bitbucket_workspaces_done) struct bitbucket_workspaces all = {
		0};
	cleanup(catalog_ws_list_done) struct catalog_ws_list list = {0};
	cleanup(buf_done) struct buf text = BUF_INIT(0);
	int r = bitbucket_list_workspaces(ctx, c->config.bitbucket, &all);

	if (r < 0)
		return r;
	for (size_t i = 0; i < all.n_items; i++) {
		const struct catalog_ws w = {.slug = all.items[i].slug,
					     .uuid = all.items[i].uuid};

		if (!ws_list_has(&list, &w))
			catalog_ws_add(&list, w.slug, w.uuid);
	}
	r = keep_workspaces(ctx, c, old, &list);
	if (r < 0)
		return r;
	r = catalog_encode_workspaces(&list, &text);
	if (r < 0)
		return r;
	return answer_put(ctx, c->config.cache,
			  &(struct cache_put){
				  .key = KEY_WORKSPACES,
				  .body = text.data,
				  .n_body = text.len,
				  .ttl_ms = c->config.ttl_workspaces_ms,
			  },
			  1);
}

/* The second witness: what a workspace that is gone would answer as well. */
static bool are_repositories_gone(struct ctx *ctx, struct catalog *c,
				  const char *slug)
{
	cleanup(bitbucket_reply_done) struct bitbucket_reply reply = {0};
	cleanup(buf_done) struct buf path = BUF_INIT(0);

	buf_puts(&path, "/repositories/");
	text_percent_encode(&path, slug, "");
	buf_puts(&path, "?pagelen=1");
	return bitbucket_get(ctx, c->config.bitbucket, path.data, NULL,
			     &reply) < 0 &&
	       answer_is_gone(reply.status);
}

int catalog_fetch_workspace(struct ctx *ctx, void *arg,
			    const struct cache_entry *old)
{
	struct fetch *f = arg;
	struct catalog *c = f->catalog;
	cleanup(bitbucket_reply_done) struct bitbucket_reply reply = {0};
	cleanup(bitbucket_workspace_done) struct bitbucket_workspace w = {0};
	cleanup(json_free) struct json *json = NULL;
	cleanup(free) char *path = bitbucket_workspace_path(f->slug);
	cleanup(free) char *key = xasprintf("workspace/%s", f->slug);
	int r = bitbucket_get(ctx, c->config.bitbucket, path, NULL, &reply);

	/* Of an unknown one a 403 is an error, perhaps of the moment. One that
	 * is there does not go for a single refusal: with it would go all that
	 * is below it. */
	if (r < 0 && old && old->body && answer_is_gone(reply.status)) {
		char sentence[sizeof(ctx->sentence)];
		bool gone;

		memcpy(sentence, ctx->sentence, sizeof(sentence));
		gone = are_repositories_gone(ctx, c, f->slug);
		ctx_fail(ctx, r, "%s", sentence);
		return gone ? put_negative(ctx, c, key, r) : r;
	}
	if (r == -ENOENT)
		return put_negative(ctx, c, key, r);
	if (r < 0)
		return r;
	r = bitbucket_parse(ctx, &reply, path, &json);
	if (r < 0)
		return r;
	if (bitbucket_read_workspace(json, &w))
		return ctx_fail(ctx, -EIO,
				"Bitbucket's answer to %s is no workspace.",
				path);
	/* The service knows it by its former name, too; here it has one. */
	if (strcmp(w.slug, f->slug)) {
		ctx_fail(ctx, -ENOENT, "The workspace %s is %s by now.",
			 f->slug, w.slug);
		return put_negative(ctx, c, key, -ENOENT);
	}
	return answer_put(ctx, c->config.cache,
			  &(struct cache_put){
				  .key = key,
				  .body = w.uuid,
				  .n_body = strlen(w.uuid),
				  .ttl_ms = c->config.ttl_workspaces_ms,
			  },
			  1);
}

/* ---- repositories ---- */

/* A repository's document and the alias of its slug. */
void catalog_batch_repository(struct answer_batch *b, const struct catalog *c,
			      const struct workspace_ref *workspace,
			      const char *key_uuid,
			      const struct bitbucket_repository *r,
			      const char *etag)
{
	int64_t ttl = c->config.ttl_repositories_ms;

	answer_batch_add(b, xasprintf("repo/%s", key_uuid), r->json, r->n_json,
			 etag, ttl);
	answer_batch_add(b, catalog_alias_key(workspace, r->slug), key_uuid,
			 strlen(key_uuid), NULL, ttl);
}

int catalog_fetch_repository(struct ctx *ctx, void *arg,
			     const struct cache_entry *old)
{
	struct fetch *f = arg;
	struct catalog *c = f->catalog;
	cleanup(bitbucket_repository_done) struct bitbucket_repository got = {
		0};
	cleanup(answer_batch_done) struct answer_batch batch = {0};
	cleanup(free) char *key = catalog_alias_key(f->workspace, f->slug);
	cleanup(free) char *listing = catalog_listing_key(f->workspace);
	/* What is known by name alone is asked for by names. */
	int r = bitbucket_get_repository(ctx, c->config.bitbucket,
					 f->workspace->slug, f->slug, &got);

	if (r == -ENOENT && !(old && old->body))
		return put_negative(ctx, c, key, r);
	if (r < 0)
		return r;
	if (catalog_is_other(f->workspace->uuid, got.workspace_uuid)) {
		(void)cache_expire(c->config.cache, KEY_WORKSPACES);
		return ctx_fail(
			ctx, -EIO,
			"The name %s is another workspace's by now; the "
			"list of workspaces is asked for again.",
			f->workspace->slug);
	}
	catalog_batch_repository(&batch, c, f->workspace, got.uuid, &got, NULL);
	if (old && old->body &&
	    catalog_is_other(blob_data(old->body), got.uuid))
		answer_walk_next(c->config.cache, listing);
	r = answer_put(ctx, c->config.cache, batch.puts, batch.n);
	if (r < 0 || !strcmp(got.slug, f->slug))
		return r;
	/* The service knows it by its former name, too; here it has one. */
	ctx_fail(ctx, -ENOENT, "%s/%s is %s/%s by now.", f->workspace->slug,
		 f->slug, f->workspace->slug, got.slug);
	return put_negative(ctx, c, key, -ENOENT);
}

/* ---- documents ---- */

/* Renamed: whoever looks next learns it from the listing. But not from one that
 * knows it: a directory with the old name (a shell may stand in it) would have
 * all of the listing walked each time its document runs out, and "name-until"
 * say of the old name that it was listed after it was given up. */
static void note_new_slug(struct catalog *c, const struct workspace_ref *w,
			  const struct catalog_repository *known)
{
	cleanup(free) char *key = catalog_listing_key(w);
	cleanup(free) char *alias = catalog_alias_key(w, known->slug);
	cleanup(cache_entry_free) struct cache_entry *list =
		answer_peek(c->config.cache, key);
	cleanup(cache_entry_free) struct cache_entry *name =
		answer_peek(c->config.cache, alias);
	cleanup(catalog_listing_unref) struct listing *l = NULL;
	bool listed = false;

	/* By now it may be another one's. */
	if (name && name->body &&
	    !catalog_is_other(known->uuid, blob_data(name->body)))
		(void)cache_remove(c->config.cache, alias);
	if (!list || !list->body || catalog_listing_of(c, key, list, &l) < 0)
		return;
	for (size_t i = 0; i < l->n_items && !listed; i++)
		listed = !strcmp(l->items[i].slug, known->slug) &&
			 !strcmp(l->items[i].uuid, known->uuid);
	if (!listed)
		return;
	catalog_note_renamed(c, key, known->uuid);
	answer_walk_next(c->config.cache, key);
}

int catalog_fetch_document(struct ctx *ctx, void *arg,
			   const struct cache_entry *old)
{
	struct fetch *f = arg;
	struct catalog *c = f->catalog;
	const struct catalog_repository *known = f->repository;
	cleanup(catalog_workspace_ref_done) struct workspace_ref w = {0};
	cleanup(bitbucket_reply_done) struct bitbucket_reply reply = {0};
	cleanup(bitbucket_repository_done) struct bitbucket_repository got = {
		0};
	cleanup(json_free) struct json *json = NULL;
	cleanup(answer_batch_done) struct answer_batch batch = {0};
	cleanup(free) char *path = NULL, *listing = NULL;
	int r;

	catalog_resolve_for(c, f->name, known, &w);
	path = bitbucket_repository_path(w.key, catalog_is_uuid(known->uuid)
							? known->uuid
							: known->slug);
	listing = catalog_listing_key(&w);
	r = bitbucket_get(ctx, c->config.bitbucket, path,
			  old && old->body ? old->etag : NULL, &reply);
	if (r < 0)
		return r;
	if (reply.not_modified)
		return answer_touch(ctx, c->config.cache, known->key,
				    c->config.ttl_repositories_ms);
	r = bitbucket_parse(ctx, &reply, path, &json);
	if (r < 0)
		return r;
	if (bitbucket_read_repository(json, &got))
		return ctx_fail(ctx, -EIO,
				"Bitbucket's answer to %s is no repository.",
				path);
	/* Never under the uuid of the one that was meant. */
	if (catalog_is_other(known->uuid, got.uuid)) {
		answer_walk_next(c->config.cache, listing);
		return ctx_fail(ctx, -EIO,
				"Bitbucket's answer to %s is about another "
				"repository, %s; the listing is asked for "
				"again.",
				path, got.uuid);
	}
	/* Under the key that was asked for, whatever it calls itself now. */
	catalog_batch_repository(&batch, c, &w, known->uuid, &got, reply.etag);
	r = answer_put(ctx, c->config.cache, batch.puts, batch.n);
	if (r < 0 || !strcmp(got.slug, known->slug))
		return r;
	note_new_slug(c, &w, known);
	return 0;
}

int catalog_fetch_user(struct ctx *ctx, void *arg,
		       const struct cache_entry *old)
{
	struct catalog *c = ((struct fetch *)arg)->catalog;

	return answer_fetch_user(ctx, c->config.bitbucket, c->config.cache,
				 old);
}
