/*
 * content/documents: which repository a name means. Repositories and workspaces
 * are kept by their uuids, so that a rename fetches nothing again and a
 * re-created slug does not show old content.
 *
 * Keys: repositories/<workspace> a listing; slug/<workspace>/<slug> the uuid of
 * that name; repo/<uuid> the document; workspace/<slug> a workspace's uuid.
 * <workspace> is its uuid, or its slug where nobody told the uuid. A repository
 * without a uuid has "name:<workspace>/<slug>" in its place.
 *
 * The rules of what a failure may take away (src/model/README.md, 8): a single
 * 404 takes nothing that is there, but for what it is about when its list lacks
 * it too.
 */
#include "content/documents_private.h"

#include "base/text.h"

#include <strings.h>

bool documents_is_uuid(const char *id)
{
	return id[0] == '{';
}

bool documents_is_other(const char *expected, const char *got)
{
	return documents_is_uuid(expected) && documents_is_uuid(got) &&
	       strcasecmp(expected, got) != 0;
}

char *documents_listing_key(const char *workspace_id)
{
	return mem_asprintf("repositories/%s", workspace_id);
}

char *documents_alias_key(const struct scope *workspace, const char *slug)
{
	return mem_asprintf("slug/%s/%s", workspace->workspace_id, slug);
}

int documents_unknown(struct ctx *ctx, const char *name, struct answer_age *age,
		      int64_t left_ms, bool stale)
{
	*age = (struct answer_age){.left_ms = left_ms, .stale = stale};
	return ctx_fail(ctx, -ENOENT, "There is no %s.", name);
}

int documents_put_unknown(struct ctx *ctx, struct documents *d, const char *key,
			  int r)
{
	return answer_put_failure(
		ctx, d->config.cache, key, r,
		bitbucket_unknown_ms(d->config.bitbucket, ctx));
}

int documents_other_workspace(struct ctx *ctx, struct documents *d,
			      const struct scope *workspace)
{
	(void)cache_expire(d->config.cache, "workspaces");
	return ctx_fail(ctx, -EIO,
			"The name %s is another workspace's by now; the "
			"list of workspaces is asked for again.",
			workspace->slug);
}

void documents_batch_repository(struct answer_batch *b,
				const struct scope *workspace,
				const char *key_uuid,
				const struct bitbucket_repository *r,
				const char *etag)
{
	answer_batch_add(
		b, scope_item_key(&resource_repositories, workspace, key_uuid),
		r->json, r->n_json, etag, REPOSITORIES_MS);
	answer_batch_time(b, r->updated_ms);
	answer_batch_add(b, documents_alias_key(workspace, r->slug), key_uuid,
			 strlen(key_uuid), NULL, REPOSITORIES_MS);
}

void documents_note_renamed(struct documents *d, const char *listing_key,
			    const char *uuid)
{
	int64_t at = answer_walked_ms(d->config.cache, listing_key);
	char text[24];
	int n;

	if (!at)
		return;
	n = snprintf(text, sizeof(text), "%lld", (long long)at);
	(void)cache_fact_put(d->config.cache, "name-until", uuid, strlen(uuid),
			     text, (size_t)n);
}

/* ---- struct documents_repository ---- */

void documents_repository_done(struct documents_repository *r)
{
	scope_unref(r->listing);
	free(r->name);
	free(r->slug);
	free(r->uuid);
	*r = (struct documents_repository){0};
}

static void make(struct scope *listing, const char *name, const char *slug,
		 const char *uuid, int64_t updated_ms,
		 struct documents_repository *ret)
{
	*ret = (struct documents_repository){
		.listing = scope_ref(listing),
		.name = mem_strdup(name),
		.slug = mem_strdup(slug),
		.uuid = mem_strdup(uuid),
		.updated_ms = updated_ms,
	};
}

/* ---- by name ---- */

/* The repository of a cached document. False: there is none, or it has another
 * name by now. */
static bool repository_of(struct documents *d, struct scope *workspace,
			  const char *uuid, const char *name,
			  struct documents_repository *ret)
{
	cleanup(free) char *key =
		scope_item_key(&resource_repositories, workspace, uuid);
	cleanup(cache_entry_free) struct cache_entry *e =
		answer_peek(d->config.cache, key);
	cleanup(json_free) struct json *json = answer_json(e);
	cleanup(bitbucket_repository_done) struct bitbucket_repository got = {
		0};
	cleanup(free) char *its_name = NULL;

	if (bitbucket_read_repository(json, &got))
		return false;
	its_name = collection_name_of(&resource_repositories, got.slug);
	if (strcmp(its_name, name))
		return false;
	make(workspace, its_name, got.slug, uuid, got.updated_ms, ret);
	return true;
}

static int fetch_by_name(struct ctx *ctx, void *arg,
			 const struct cache_entry *old)
{
	const struct documents_fetch *f = arg;
	struct documents *d = f->documents;
	cleanup(bitbucket_repository_done) struct bitbucket_repository got = {
		0};
	cleanup(answer_batch_done) struct answer_batch batch = {0};
	cleanup(free) char *key = documents_alias_key(f->scope, f->id);
	/* What is known by name alone is asked for by names. */
	int r = bitbucket_get_repository(ctx, d->config.bitbucket,
					 f->scope->slug, f->id, &got);

	if (r == -ENOENT && !(old && old->body))
		return documents_put_unknown(ctx, d, key, r);
	if (r < 0)
		return r;
	if (documents_is_other(f->scope->workspace_id, got.workspace_uuid))
		return documents_other_workspace(ctx, d, f->scope);
	documents_batch_repository(&batch, f->scope, got.uuid, &got, NULL);
	if (old && old->body &&
	    documents_is_other(blob_data(old->body), got.uuid))
		answer_walk_next(d->config.cache, f->scope->key);
	r = answer_put(ctx, d->config.cache, batch.puts, batch.n);
	if (r < 0 || !strcmp(got.slug, f->id))
		return r;
	/* The service knows it by its former name, too; here it has one. */
	ctx_fail(ctx, -ENOENT, "%s/%s is %s/%s by now.", f->scope->slug, f->id,
		 f->scope->slug, got.slug);
	return documents_put_unknown(ctx, d, key, -ENOENT);
}

/* One of a workspace that was never listed: asked for by its name. */
static int by_name(struct ctx *ctx, struct documents *d,
		   struct scope *workspace, const char *name,
		   struct documents_repository *ret, struct answer_age *ret_age)
{
	cleanup(free) char *key = documents_alias_key(workspace, name);
	struct documents_fetch f = {
		.documents = d,
		.row = &resource_repositories,
		.scope = workspace,
		.id = name,
	};
	enum read_through_mode mode = READ_THROUGH;

	/* Twice: an alias whose document went or was renamed is asked anew. */
	for (unsigned i = 0; i < 2; i++) {
		cleanup(cache_entry_free) struct cache_entry *e = NULL;
		bool stale = false;
		int r = read_through_get(ctx, d->config.source, key, mode,
					 fetch_by_name, &f, &e, &stale);

		if (r < 0)
			return r;
		*ret_age = answer_age_of(e, stale);
		if (!e->body)
			return answer_failed(ctx, e);
		if (repository_of(d, workspace, blob_data(e->body), name, ret))
			return 0;
		mode = READ_REFRESH;
	}
	return documents_unknown(ctx, name, ret_age, 0, false);
}

int documents_find_repository(struct ctx *ctx, struct documents *d,
			      const char *workspace, const char *name,
			      struct documents_repository *ret,
			      struct answer_age *ret_age)
{
	cleanup(scope_unref) struct scope *scope =
		documents_listing_scope(d, workspace);
	cleanup(collection_unref) struct collection *c = NULL;
	const struct collection_item *item;
	struct answer_age age = {0};
	int r;

	c = documents_known(d, &resource_repositories, scope->key, &age);
	if (c && age.stale) {
		/* Perhaps too old to be served without asking. */
		c = collection_unref(c);
		r = documents_collection(ctx, d, &resource_repositories, scope,
					 READ_THROUGH, &c, &age);
		if (r < 0)
			return r;
	}
	if (!c && !text_is_repo_slug(name))
		return documents_unknown(ctx, name, ret_age, UNKNOWN_NAME_MS,
					 false);
	if (!c)
		return by_name(ctx, d, scope, name, ret, ret_age);
	item = collection_find(c, name);
	if (item)
		make(scope, item->name, item->slug, item->id, item->time_ms,
		     ret);
	*ret_age = age;
	ret_age->from_collection = true;
	return item ? 0 : ctx_fail(ctx, -ENOENT, "There is no %s.", name);
}

bool documents_knows_repository(struct documents *d, const char *workspace,
				const char *name)
{
	cleanup(scope_unref) struct scope *scope =
		documents_listing_scope(d, workspace);
	cleanup(documents_repository_done) struct documents_repository found = {
		0};
	cleanup(collection_unref) struct collection *c = NULL;
	cleanup(cache_entry_free) struct cache_entry *e = NULL;
	cleanup(free) char *key = documents_alias_key(scope, name);
	struct answer_age age = {0};

	c = documents_known(d, &resource_repositories, scope->key, &age);
	if (c)
		return collection_find(c, name);
	e = answer_peek(d->config.cache, key);
	return e && e->body &&
	       repository_of(d, scope, blob_data(e->body), name, &found);
}

/* ---- what read_through calls ---- */

/* The name that the document had before. */
static char *slug_in(const struct cache_entry *old)
{
	cleanup(json_free) struct json *json = answer_json(old);
	const char *slug = json_str(json, "slug");

	return slug ? mem_strdup(slug) : NULL;
}

static void forget_alias(const struct documents_fetch *f, const char *slug)
{
	struct cache *cache = f->documents->config.cache;
	cleanup(free) char *key = documents_alias_key(f->scope, slug);
	cleanup(cache_entry_free) struct cache_entry *e =
		answer_peek(cache, key);

	/* By now it may be another one's. */
	if (e && e->body && !documents_is_other(f->id, blob_data(e->body)))
		(void)cache_remove(cache, key);
}

/* Renamed: whoever looks next learns it from the listing. But not from one that
 * knows it: a directory with the old name (a shell may stand in it) would have
 * all of the listing walked each time its document runs out, and "name-until"
 * say of the old name that it was listed after it was given up. */
static void note_slug(const struct documents_fetch *f, const char *slug,
		      const char *before)
{
	struct documents *d = f->documents;
	cleanup(collection_unref) struct collection *c = NULL;
	const struct collection_item *item;
	struct answer_age age;

	if (before && strcmp(before, slug) != 0)
		forget_alias(f, before);
	c = documents_known(d, f->row, f->scope->key, &age);
	item = c ? collection_find_id(c, f->id) : NULL;
	if (!item || !strcmp(item->slug, slug))
		return;
	forget_alias(f, item->slug);
	documents_note_renamed(d, f->scope->key, f->id);
	answer_walk_next(d->config.cache, f->scope->key);
}

/* What paths call it. */
static const char *id_in_paths(const char *id)
{
	const char *slash = strchr(id, '/');

	return documents_is_uuid(id) || !slash ? id : slash + 1;
}

int documents_fetch_repository(struct ctx *ctx, void *arg,
			       const struct cache_entry *old)
{
	const struct documents_fetch *f = arg;
	struct documents *d = f->documents;
	cleanup(bitbucket_reply_done) struct bitbucket_reply reply = {0};
	cleanup(bitbucket_repository_done) struct bitbucket_repository got = {
		0};
	cleanup(json_free) struct json *json = NULL;
	cleanup(answer_batch_done) struct answer_batch batch = {0};
	cleanup(free) char *before = slug_in(old), *key = NULL;
	cleanup(free) char *path = bitbucket_repository_path(
		f->scope->workspace_id, id_in_paths(f->id));
	int r = bitbucket_get(ctx, d->config.bitbucket, path,
			      old && old->body ? old->etag : NULL, &reply);

	if (r < 0)
		return r;
	key = scope_item_key(f->row, f->scope, f->id);
	if (reply.not_modified)
		return answer_touch(ctx, d->config.cache, key, REPOSITORIES_MS);
	r = bitbucket_parse(ctx, &reply, path, &json);
	if (r < 0)
		return r;
	if (bitbucket_read_repository(json, &got))
		return ctx_fail(ctx, -EIO,
				"Bitbucket's answer to %s is no repository.",
				path);
	/* Never under the uuid of the one that was meant. */
	if (documents_is_other(f->id, got.uuid)) {
		answer_walk_next(d->config.cache, f->scope->key);
		return ctx_fail(ctx, -EIO,
				"Bitbucket's answer to %s is about another "
				"repository, %s; the listing is asked for "
				"again.",
				path, got.uuid);
	}
	/* Under the key that was asked for, whatever it calls itself now. */
	documents_batch_repository(&batch, f->scope, f->id, &got, reply.etag);
	r = answer_put(ctx, d->config.cache, batch.puts, batch.n);
	if (r == 0)
		note_slug(f, got.slug, before);
	return r;
}
