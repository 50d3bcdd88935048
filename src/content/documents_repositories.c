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

/* What was made of this version of the listing. */
static bool is_made(struct documents *d, const char *key, uint64_t version,
		    struct document_file *ret_file)
{
	cleanup(cache_entry_free) struct cache_entry *e = NULL;
	cleanup(free) char *mark = mark_of(version);

	if (cache_stat(d->config.cache, key, &e) <= CACHE_MISS || e->negative ||
	    strcmp(e->etag, mark) != 0 ||
	    !cache_is_sound(d->config.cache, e->version, key))
		return false;
	ret_file->version = e->version;
	ret_file->size = e->n_body;
	return true;
}

/* -ESTALE: a document is no longer in the cache. */
static int add_repository(struct ctx *ctx, struct documents *d,
			  const struct scope *scope,
			  const struct collection_item *item, struct buf *tsv,
			  struct buf *array)
{
	cleanup(answer_document_done) struct answer_document document = {0};
	cleanup(json_free) struct json *json = NULL;

	if (documents_item(ctx, d, &resource_repositories, scope, item->id,
			   READ_CACHED, &document) < 0 ||
	    json_parse(blob_data(document.body), blob_len(document.body),
		       &json))
		return -ESTALE;
	resource_tsv_line(workspace_repository_columns, json, tsv);
	documents_add_indented(array, json);
	return tsv->failed ? tsv->failed : array->failed;
}

static int make(struct ctx *ctx, struct documents *d, const struct scope *scope,
		const struct collection *list)
{
	cleanup(buf_done) struct buf tsv = BUF_INIT(CACHE_MAX_BODY);
	cleanup(buf_done) struct buf array = BUF_INIT(CACHE_MAX_BODY);
	cleanup(free) char *mark = mark_of(list->version);
	cleanup(free) char *json_key = NULL, *tsv_key = NULL;
	int r = 0;

	json_key = key_of(scope, documents_repositories_files[0]);
	tsv_key = key_of(scope, documents_repositories_files[1]);
	resource_tsv_header(workspace_repository_columns, &tsv);
	buf_puts(&array, "[");
	for (size_t i = 0; r == 0 && i < list->n_items; i++)
		r = add_repository(ctx, d, scope, &list->items[i], &tsv,
				   &array);
	if (r == -ESTALE)
		return r;
	buf_puts(&array, array.len > 1 ? "\n]\n" : "]\n");
	if (r < 0 || array.failed)
		return ctx_fail(ctx, -EFBIG,
				"The index of %s's repositories is larger than "
				"64 MiB.",
				scope->slug);
	return answer_put(ctx, d->config.cache,
			  (const struct cache_put[]){
				  {
					  .key = json_key,
					  .body = array.data,
					  .n_body = array.len,
					  .etag = mark,
					  .ttl_ms = TTL_MS,
				  },
				  {
					  .key = tsv_key,
					  .body = tsv.data,
					  .n_body = tsv.len,
					  .etag = mark,
					  .ttl_ms = TTL_MS,
				  },
			  },
			  2);
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
		int r = documents_collection(ctx, d, &resource_repositories,
					     scope, mode, &list,
					     &ret_file->age);

		if (r < 0)
			return r;
		if (is_made(d, key, list->version, ret_file))
			return 0;
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
