/*
 * content/documents, the indexes of a workspace's repositories: its
 * listing brought every repository's document along, so a line of each is made
 * without asking. What is made is stored under the version of the listing
 * that it was made of (as its etag), and made once by whoever comes first.
 */
#include "content/documents_private.h"

#include <inttypes.h>

#define TTL_MS (INT64_C(10) * 60 * 1000) /* its age is the listing's */

const char *const documents_repositories_files[] = {
	"index.json",
	"index.tsv",
	NULL,
};

static char *key_of(const struct scope *scope, const char *name)
{
	return mem_asprintf("about/%s/repositories#%s", scope->workspace_id,
			    name);
}

/* Of which listing it is made, and by which rules. */
static char *mark_of(uint64_t version)
{
	return mem_asprintf("%" PRIu64 " %s", version, documents_derivation);
}

/* -ESTALE: a document is no longer in the cache. */
static int add_repository(struct ctx *ctx, struct documents *d,
			  const struct scope *scope, const char *id,
			  struct documents_index *index)
{
	cleanup(answer_document_done) struct answer_document document = {0};
	cleanup(json_free) struct json *json = NULL;

	if (documents_item(ctx, d, &resource_repositories, scope, id,
			   READ_CACHED, &document) < 0 ||
	    !(json = json_of(document.body)))
		return -ESTALE;
	return documents_index_add(index, json, json);
}

static int make(struct ctx *ctx, struct documents *d, const struct scope *scope,
		const struct collection *list)
{
	cleanup(documents_index_done) struct documents_index index;
	cleanup(answer_batch_done) struct answer_batch batch = {0};
	cleanup(free) char *mark = mark_of(list->version);
	int r = 0;

	documents_index_begin(&index, workspace_repository_columns, NULL,
			      CACHE_MAX_BODY);
	for (size_t i = 0; r == 0 && i < list->n_items; i++)
		r = add_repository(ctx, d, scope, list->items[i].id, &index);
	if (r == -ESTALE)
		return r;
	if (r < 0)
		return ctx_fail(ctx, r,
				"The index of %s's repositories is larger than "
				"64 MiB.",
				scope->slug);
	documents_index_end(&index);
	answer_batch_add(&batch, key_of(scope, documents_repositories_files[0]),
			 index.json.data, index.json.len, mark, TTL_MS);
	answer_batch_add(&batch, key_of(scope, documents_repositories_files[1]),
			 index.tsv.data, index.tsv.len, mark, TTL_MS);
	return answer_put(ctx, d->config.cache, batch.puts, batch.n);
}

/* With the listing and, should the cache have lost a document since, once more
 * with a new one, walked whole: of what did not change it brings no document
 * otherwise. */
static int make_anew(struct ctx *ctx, struct documents *d,
		     const struct scope *scope, const struct collection *list)
{
	cleanup(collection_unref) struct collection *newer = NULL;
	struct answer_age age;
	int r = make(ctx, d, scope, list);

	if (r != -ESTALE)
		return r;
	r = documents_collection(ctx, d, &resource_repositories, scope,
				 READ_ANEW, &newer, &age);
	if (r == 0)
		r = make(ctx, d, scope, newer);
	return r == -ESTALE ? ctx_fail(ctx, -EIO,
				       "The cache does not keep the "
				       "repositories of %s.",
				       scope->slug)
			    : r;
}

/* One of those who want it makes it. */
static int make_once(struct ctx *ctx, struct documents *d,
		     const struct scope *scope, const struct collection *list)
{
	cleanup(free) char *key =
		mem_asprintf("%s@%" PRIu64, scope->key, list->version);
	int r = flight_join(ctx, d->making, key);

	if (r != FLIGHT_LEAD)
		return r < 0 ? r : 0;
	r = make_anew(ctx, d, scope, list);
	flight_land(d->making, key, r, ctx->sentence);
	return r;
}

int documents_repositories(struct ctx *ctx, struct documents *d,
			   const char *workspace, const char *name,
			   enum read_through_mode mode,
			   struct document_file *ret_file)
{
	cleanup(scope_unref) struct scope *scope =
		documents_listing_scope(d, workspace);
	cleanup(free) char *key = key_of(scope, name);

	/* Again: a newer listing may have come meanwhile. */
	for (unsigned i = 0; i < 3; i++) {
		cleanup(collection_unref) struct collection *list = NULL;
		cleanup(free) char *mark = NULL;
		struct answer_age age;
		int r = documents_collection(ctx, d, &resource_repositories,
					     scope, mode, &list, &age);

		if (r < 0)
			return r;
		mark = mark_of(list->version);
		if (documents_stored(d, key, mark, ret_file)) {
			ret_file->age = age;
			return 0;
		}
		if (mode == READ_CACHED)
			return -ENOENT;
		r = make_once(ctx, d, scope, list);
		if (r < 0)
			return r;
	}
	return ctx_fail(ctx, -EIO,
			"The cache did not keep the index of %s's "
			"repositories.",
			workspace);
}
