/*
 * content/documents, repositories.tsv and repositories.json: a workspace's
 * listing brought every repository's document along, so a line of each is made
 * without asking. What is made is stored under the version of the listing
 * that it was made of (as its etag), and made once by whoever comes first.
 */
#include "content/documents_private.h"

#include <inttypes.h>

#define TTL_MS (INT64_C(10) * 60 * 1000) /* its age is the listing's */

const char *const documents_repositories_files[] = {
	"repositories.json",
	"repositories.tsv",
	NULL,
};

static char *key_of(struct documents *d, const char *workspace,
		    const char *name)
{
	cleanup(catalog_workspace_done) struct catalog_workspace w = {0};

	catalog_known_workspace(d->config.catalog, workspace, &w);
	return xasprintf("about/%s#%s", *w.uuid ? w.uuid : workspace, name);
}

/* What was made of this version of the listing. */
static bool is_made(struct documents *d, const char *key, uint64_t version,
		    struct document_file *ret_file)
{
	cleanup(cache_entry_free) struct cache_entry *e = NULL;
	cleanup(free) char *mark = xasprintf("%" PRIu64, version);

	if (cache_stat(d->config.cache, key, &e) <= CACHE_MISS || e->negative ||
	    strcmp(e->etag, mark) != 0 ||
	    !cache_is_sound(d->config.cache, e->version, key))
		return false;
	ret_file->version = e->version;
	ret_file->size = e->n_body;
	return true;
}

/* -ESTALE: a document is no longer in the cache. */
static int add_repository(struct ctx *ctx, struct catalog *catalog,
			  const char *workspace,
			  const struct catalog_repository *repository,
			  struct buf *tsv, struct buf *array)
{
	cleanup(answer_document_done) struct answer_document document = {0};
	cleanup(json_free) struct json *json = NULL;

	if (catalog_document(ctx, catalog, workspace, repository, READ_CACHED,
			     &document) < 0 ||
	    json_parse(blob_data(document.body), blob_len(document.body),
		       &json))
		return -ESTALE;
	resource_tsv_line(resource_repository_columns, json, tsv);
	documents_add_indented(array, json);
	return tsv->failed ? tsv->failed : array->failed;
}

static int make(struct ctx *ctx, struct documents *d, const char *workspace,
		const struct catalog_repositories *list)
{
	cleanup(buf_done) struct buf tsv = BUF_INIT(CACHE_MAX_BODY);
	cleanup(buf_done) struct buf array = BUF_INIT(CACHE_MAX_BODY);
	cleanup(free) char *mark = xasprintf("%" PRIu64, list->version);
	cleanup(free) char *json_key = NULL, *tsv_key = NULL;
	int r = 0;

	json_key = key_of(d, workspace, documents_repositories_files[0]);
	tsv_key = key_of(d, workspace, documents_repositories_files[1]);
	resource_tsv_header(resource_repository_columns, &tsv);
	buf_puts(&array, "[");
	for (size_t i = 0; r == 0 && i < list->n_items; i++)
		r = add_repository(ctx, d->config.catalog, workspace,
				   &list->items[i], &tsv, &array);
	if (r == -ESTALE)
		return r;
	buf_puts(&array, array.len > 1 ? "\n]\n" : "]\n");
	if (r < 0 || array.failed)
		return ctx_fail(ctx, -EFBIG,
				"The index of %s's repositories is larger than "
				"64 MiB.",
				workspace);
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
		     const char *workspace,
		     const struct catalog_repositories *list)
{
	cleanup(catalog_repositories_free) struct catalog_repositories *newer =
		NULL;
	int r = make(ctx, d, workspace, list);

	if (r != -ESTALE)
		return r;
	r = catalog_repositories(ctx, d->config.catalog, workspace, READ_ANEW,
				 &newer);
	if (r == 0)
		r = make(ctx, d, workspace, newer);
	return r == -ESTALE ? ctx_fail(ctx, -EIO,
				       "The cache does not keep the "
				       "repositories of %s.",
				       workspace)
			    : r;
}

/* One of those who want it makes it. */
static int make_once(struct ctx *ctx, struct documents *d,
		     const char *workspace,
		     const struct catalog_repositories *list)
{
	cleanup(free) char *key =
		xasprintf("%s@%" PRIu64, workspace, list->version);
	int r = flight_join(ctx, d->making, key);

	if (r != FLIGHT_LEAD)
		return r < 0 ? r : 0;
	r = make_anew(ctx, d, workspace, list);
	flight_land(d->making, key, r, ctx->sentence);
	return r;
}

int documents_repositories(struct ctx *ctx, struct documents *d,
			   const char *workspace, const char *name,
			   enum read_through_mode mode,
			   struct document_file *ret_file)
{
	/* Again: a newer listing may have come meanwhile. */
	for (unsigned i = 0; i < 3; i++) {
		cleanup(catalog_repositories_free) struct catalog_repositories
			*list = NULL;
		cleanup(free) char *key = NULL;
		int r = catalog_repositories(ctx, d->config.catalog, workspace,
					     mode, &list);

		if (r < 0)
			return r;
		key = key_of(d, workspace, name);
		ret_file->age = list->age;
		if (is_made(d, key, list->version, ret_file))
			return 0;
		if (mode == READ_CACHED)
			return -ENOENT;
		r = make_once(ctx, d, workspace, list);
		if (r < 0)
			return r;
	}
	return ctx_fail(ctx, -EIO,
			"The cache did not keep the index of %s's "
			"repositories.",
			workspace);
}
