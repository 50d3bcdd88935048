/*
 * remote/catalog, what source calls when something is to be asked for: ask, and
 * store what came, in one transaction.
 *
 * The rules of what a failure may take away (layout rule 8): a single 404 takes
 * nothing that is there, but for what it is about when its list lacks it too.
 */
#include "catalog_private.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"

#define TTL_USER_MS (INT64_C(24) * 3600 * 1000)

static int put(struct ctx *ctx, struct catalog *c, const struct cache_put *puts,
	       size_t n)
{
	int r = cache_put(c->config.cache, puts, n, NULL);

	if (r < 0)
		return ctx_fail(ctx, r, "The cache cannot be written: %s.",
				strerror(-r));
	return 0;
}

/* The errno and sentence of a failure, remembered as the answer. */
static int put_negative(struct ctx *ctx, struct catalog *c, const char *key,
			int r)
{
	const struct cache_put negative = {
		.key = key,
		.negative = -r,
		.note = ctx->sentence,
		.ttl_ms = c->config.ttl_unknown_ms,
	};

	return put(ctx, c, &negative, 1);
}

static bool is_gone(long status)
{
	return status == 403 || status == 404 || status == 410;
}

static const char *body_of(const struct bitbucket_reply *reply)
{
	return reply->body.data ? reply->body.data : "";
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
	cleanup(free) char *path = bitbucket_workspace_path(w->slug);
	int r = bitbucket_get(ctx, c->config.bitbucket, path, NULL, &reply);

	if (r == -EINTR)
		return r;
	return r < 0 && is_gone(reply.status);
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
	return put(ctx, c,
		   &(struct cache_put){
			   .key = KEY_WORKSPACES,
			   .body = text.data,
			   .n_body = text.len,
			   .ttl_ms = c->config.ttl_workspaces_ms,
		   },
		   1);
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

	/* Of one that is there, its own 403 is its end; of an unknown one it is
	 * an error, perhaps of the moment. */
	if (r == -ENOENT ||
	    (r < 0 && old && old->body && is_gone(reply.status)))
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
	return put(ctx, c,
		   &(struct cache_put){
			   .key = key,
			   .body = w.uuid,
			   .n_body = strlen(w.uuid),
			   .ttl_ms = c->config.ttl_workspaces_ms,
		   },
		   1);
}

/* ---- repositories ---- */

/* Things to be stored together; keys are freed at the end. */
struct batch {
	struct cache_put *puts;
	size_t n, size;
};

static void batch_done(struct batch *b)
{
	for (size_t i = 0; i < b->n; i++)
		free((char *)(uintptr_t)b->puts[i].key);
	free(b->puts);
}
DEFINE_CLEANUP_DONE(struct batch, batch_done);

/* key is the batch's from now on; body is borrowed. */
static void batch_add(struct batch *b, char *key, const void *body,
		      size_t n_body, const char *etag, int64_t ttl_ms)
{
	if (b->n == b->size) {
		b->size = b->size ? b->size * 2 : 16;
		b->puts = xrealloc(b->puts, b->size * sizeof(*b->puts));
	}
	b->puts[b->n++] = (struct cache_put){
		.key = key,
		.body = body,
		.n_body = n_body,
		.etag = etag,
		.ttl_ms = ttl_ms,
	};
}

/* A repository's document and the alias of its slug. */
static void batch_repository(struct batch *b, const struct catalog *c,
			     const struct workspace_ref *workspace,
			     const char *key_uuid,
			     const struct bitbucket_repository *r,
			     const char *etag)
{
	int64_t ttl = c->config.ttl_repositories_ms;

	batch_add(b, xasprintf("repo/%s", key_uuid), r->json, r->n_json, etag,
		  ttl);
	batch_add(b, catalog_alias_key(workspace, r->slug), key_uuid,
		  strlen(key_uuid), NULL, ttl);
}

struct member {
	const char *key; /* a uuid, or a slug */
	UT_hash_handle hh;
};

/* Two sets of what the new listing has. */
struct members {
	struct member *uuids, *slugs;
	struct member *places;
	size_t n;
};

static void members_done(struct members *m)
{
	HASH_CLEAR(hh, m->uuids);
	HASH_CLEAR(hh, m->slugs);
	free(m->places);
}
DEFINE_CLEANUP_DONE(struct members, members_done);

static struct member *member_of(struct member *set, const char *key)
{
	struct member *found;

	HASH_FIND_STR(set, key, found);
	return found;
}

static void members_add(struct members *m, struct member **set, const char *key)
{
	struct member *place = &m->places[m->n];

	if (member_of(*set, key))
		return;
	m->n++;
	place->key = key;
	HASH_ADD_KEYPTR(hh, *set, place->key, strlen(place->key), place);
}

static void members_of(const struct bitbucket_repositories *all,
		       struct members *ret)
{
	ret->places = xcalloc(2 * all->n_items + 1, sizeof(*ret->places));
	for (size_t i = 0; i < all->n_items; i++) {
		members_add(ret, &ret->uuids, all->items[i].uuid);
		members_add(ret, &ret->slugs, all->items[i].slug);
	}
}

/* What becomes of one that the new listing lacks. */
enum fate {
	FATE_STAYS, /* unchanged, or as *ret says */
	FATE_GOES,
};

/* A fate, or -EINTR; *more becomes false when it is of no use to go on asking.
 * ret->slug is set when it was seen. */
static int ask_fate(struct ctx *ctx, struct catalog *c,
		    const struct workspace_ref *workspace,
		    const struct catalog_repository *old, bool *more,
		    struct bitbucket_repository *ret)
{
	cleanup(bitbucket_reply_done) struct bitbucket_reply reply = {0};
	cleanup(json_free) struct json *json = NULL;
	cleanup(free) char *path = bitbucket_repository_path(
		workspace->slug,
		catalog_is_uuid(old->uuid) ? old->uuid : old->slug);
	int r = bitbucket_get(ctx, c->config.bitbucket, path, NULL, &reply);

	if (r == -EINTR)
		return r;
	if (r < 0 && is_gone(reply.status))
		return FATE_GOES;
	if (r < 0) {
		*more = false;
		return FATE_STAYS;
	}
	if (json_parse(body_of(&reply), reply.body.len, &json) ||
	    bitbucket_read_repository(json, ret))
		return FATE_STAYS;
	/* Renamed, or moved to another workspace. */
	if (strcmp(ret->slug, old->slug) ||
	    (*ret->workspace && strcmp(ret->workspace, workspace->slug)))
		return FATE_GOES;
	return FATE_STAYS;
}

/* A listing being stored. */
struct storing {
	struct catalog *catalog;
	const struct workspace_ref *workspace;
	struct listing *listing;
	struct batch batch;
	/* Seen when asked for itself; their JSON is borrowed by the batch. */
	struct bitbucket_repository seen[MOST_ASKED];
	unsigned n_seen;
	char *removed[2 * MOST_ASKED + 1]; /* keys; the rest expires anyway */
	unsigned n_removed;
};

static void storing_done(struct storing *s)
{
	listing_unref(s->listing);
	batch_done(&s->batch);
	for (unsigned i = 0; i < s->n_seen; i++)
		bitbucket_repository_done(&s->seen[i]);
	for (unsigned i = 0; i < s->n_removed; i++)
		free(s->removed[i]);
}
DEFINE_CLEANUP_DONE(struct storing, storing_done);

static void remove_later(struct storing *s, char *key)
{
	if (s->n_removed < ARRAY_SIZE(s->removed))
		s->removed[s->n_removed++] = key;
	else
		free(key);
}

static int store_missing(struct ctx *ctx, struct storing *s,
			 const struct catalog_repository *old, bool *more)
{
	struct bitbucket_repository *seen = NULL;
	int fate = FATE_STAYS;

	if (*more && s->n_seen < MOST_ASKED) {
		seen = &s->seen[s->n_seen++];
		fate = ask_fate(ctx, s->catalog, s->workspace, old, more, seen);
		if (fate < 0)
			return fate;
	}
	if (fate == FATE_GOES) {
		cleanup(free) char *path =
			xasprintf("%s/%s", s->workspace->name, old->name);

		remove_later(s, catalog_alias_key(s->workspace, old->slug));
		if (!seen->slug)
			remove_later(s, xstrdup(old->key));
		catalog_say(s->catalog, ENOENT, path,
			    "The repository %s/%s is no longer there.",
			    s->workspace->slug, old->slug);
		return 0;
	}
	listing_add(s->listing, old->slug, old->uuid, old->updated_ms);
	/* Asked for and there: its document is news. */
	if (seen && seen->json)
		batch_repository(&s->batch, s->catalog, s->workspace, old->uuid,
				 seen, NULL);
	return 0;
}

/* Those of the old listing that the new one lacks. */
static int store_old(struct ctx *ctx, struct storing *s,
		     const struct listing *before, const struct members *now)
{
	bool more = true;

	for (size_t i = 0; i < before->n_items; i++) {
		const struct catalog_repository *old = &before->items[i];
		bool name_taken = member_of(now->slugs, old->slug);
		int r;

		if (member_of(now->uuids, old->uuid)) {
			/* Renamed: the old name means nothing any more. */
			if (!name_taken)
				remove_later(s, catalog_alias_key(s->workspace,
								  old->slug));
			continue;
		}
		/* Deleted and made again: the name is the new one's. */
		if (name_taken)
			continue;
		r = store_missing(ctx, s, old, &more);
		if (r < 0)
			return r;
	}
	return 0;
}

static void say_left_out(void *arg, const struct catalog_repository *r)
{
	struct storing *s = arg;

	catalog_say(s->catalog, EEXIST, s->workspace->name,
		    "The repository %s (%s) of the workspace %s is left out: "
		    "another one has the same file name.",
		    r->slug, r->uuid, s->workspace->slug);
}

int catalog_fetch_listing(struct ctx *ctx, void *arg,
			  const struct cache_entry *old)
{
	struct fetch *f = arg;
	struct catalog *c = f->catalog;
	cleanup(bitbucket_repositories_done) struct bitbucket_repositories all =
		{0};
	cleanup(listing_unref) struct listing *before = NULL;
	cleanup(members_done) struct members now = {0};
	cleanup(buf_done) struct buf text = BUF_INIT(0);
	cleanup(storing_done) struct storing s = {.catalog = c,
						  .workspace = f->workspace};
	int r = bitbucket_list_repositories(ctx, c->config.bitbucket,
					    f->workspace->slug, &all);

	if (r < 0)
		return r;
	if (all.n_odd)
		catalog_say(c, EBADMSG, f->workspace->name,
			    "%zu objects in the listing of %s name no "
			    "repository and are left out.",
			    all.n_odd, f->workspace->slug);
	if (old && old->body &&
	    catalog_decode_listing(blob_data(old->body), blob_len(old->body),
				   &before))
		before = NULL;
	s.listing = listing_new(all.n_items + (before ? before->n_items : 0));
	for (size_t i = 0; i < all.n_items; i++) {
		const struct bitbucket_repository *item = &all.items[i];

		listing_add(s.listing, item->slug, item->uuid,
			    item->updated_ms);
		batch_repository(&s.batch, c, f->workspace, item->uuid, item,
				 NULL);
	}
	members_of(&all, &now);
	if (before)
		r = store_old(ctx, &s, before, &now);
	if (r < 0)
		return r;
	listing_sort(s.listing, say_left_out, &s);
	r = catalog_encode_listing(s.listing, &text);
	if (r < 0)
		return r;
	batch_add(&s.batch, catalog_listing_key(f->workspace), text.data,
		  text.len, NULL, c->config.ttl_repositories_ms);
	r = put(ctx, c, s.batch.puts, s.batch.n);
	for (unsigned i = 0; r == 0 && i < s.n_removed; i++)
		(void)cache_remove(c->config.cache, s.removed[i]);
	return r;
}

int catalog_fetch_repository(struct ctx *ctx, void *arg,
			     const struct cache_entry *old)
{
	struct fetch *f = arg;
	struct catalog *c = f->catalog;
	cleanup(bitbucket_repository_done) struct bitbucket_repository got = {
		0};
	cleanup(batch_done) struct batch batch = {0};
	cleanup(free) char *key = catalog_alias_key(f->workspace, f->slug);
	int r = bitbucket_get_repository(ctx, c->config.bitbucket,
					 f->workspace->slug, f->slug, &got);

	if (r == -ENOENT && !(old && old->body))
		return put_negative(ctx, c, key, r);
	if (r < 0)
		return r;
	batch_repository(&batch, c, f->workspace, got.uuid, &got, NULL);
	r = put(ctx, c, batch.puts, batch.n);
	if (r < 0 || !strcmp(got.slug, f->slug))
		return r;
	/* The service knows it by its former name, too; here it has one. */
	ctx_fail(ctx, -ENOENT, "%s/%s is %s/%s by now.", f->workspace->slug,
		 f->slug, f->workspace->slug, got.slug);
	return put_negative(ctx, c, key, -ENOENT);
}

/* ---- documents ---- */

static int touch(struct ctx *ctx, struct catalog *c, const char *key,
		 int64_t ttl_ms)
{
	int r = cache_touch(c->config.cache, key, ttl_ms);

	if (r < 0)
		return ctx_fail(ctx, r, "The cache cannot be written: %s.",
				strerror(-r));
	return 0;
}

int catalog_fetch_document(struct ctx *ctx, void *arg,
			   const struct cache_entry *old)
{
	struct fetch *f = arg;
	struct catalog *c = f->catalog;
	const struct catalog_repository *known = f->repository;
	cleanup(bitbucket_reply_done) struct bitbucket_reply reply = {0};
	cleanup(bitbucket_repository_done) struct bitbucket_repository got = {
		0};
	cleanup(json_free) struct json *json = NULL;
	cleanup(batch_done) struct batch batch = {0};
	cleanup(free) char *path = bitbucket_repository_path(
		f->workspace->slug,
		catalog_is_uuid(known->uuid) ? known->uuid : known->slug);
	cleanup(free) char *listing = NULL, *alias = NULL;
	int r = bitbucket_get(ctx, c->config.bitbucket, path,
			      old && old->body ? old->etag : NULL, &reply);

	if (r < 0)
		return r;
	if (reply.not_modified)
		return touch(ctx, c, known->key, c->config.ttl_repositories_ms);
	r = bitbucket_parse(ctx, &reply, path, &json);
	if (r < 0)
		return r;
	if (bitbucket_read_repository(json, &got))
		return ctx_fail(ctx, -EIO,
				"Bitbucket's answer to %s is no repository.",
				path);
	/* Under the key that was asked for, whatever it calls itself now. */
	batch_repository(&batch, c, f->workspace, known->uuid, &got,
			 reply.etag);
	r = put(ctx, c, batch.puts, batch.n);
	if (r < 0 || !strcmp(got.slug, known->slug))
		return r;
	/* Renamed: whoever looks next learns it from the listing. */
	listing = catalog_listing_key(f->workspace);
	alias = catalog_alias_key(f->workspace, known->slug);
	(void)cache_remove(c->config.cache, alias);
	(void)cache_expire(c->config.cache, listing);
	return 0;
}

int catalog_fetch_user(struct ctx *ctx, void *arg,
		       const struct cache_entry *old)
{
	struct catalog *c = ((struct fetch *)arg)->catalog;
	cleanup(bitbucket_reply_done) struct bitbucket_reply reply = {0};
	cleanup(json_free) struct json *json = NULL;
	int r = bitbucket_get(ctx, c->config.bitbucket, "/user",
			      old && old->body ? old->etag : NULL, &reply);

	if (r < 0)
		return r;
	if (reply.not_modified)
		return touch(ctx, c, KEY_USER, TTL_USER_MS);
	r = bitbucket_parse(ctx, &reply, "/user", &json);
	if (r < 0)
		return r;
	if (!json_is_object(json))
		return ctx_fail(ctx, -EIO,
				"Bitbucket's answer to /user is no account.");
	return put(ctx, c,
		   &(struct cache_put){
			   .key = KEY_USER,
			   .body = body_of(&reply),
			   .n_body = reply.body.len,
			   .etag = reply.etag,
			   .ttl_ms = TTL_USER_MS,
		   },
		   1);
}
