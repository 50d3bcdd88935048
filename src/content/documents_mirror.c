/*
 * content/documents: any GET of the API, as a file.
 */
#include "content/documents_private.h"

#define MIRRORED_MS 60000 /* for who waits */
#define TTL_MS (INT64_C(60) * 1000)

struct mirrored {
	struct documents *documents;
	const char *key, *path;
	bool text;
};

static void *keep_mirrored(void *arg)
{
	const struct mirrored *m = arg;
	struct mirrored *kept = mem_alloc(sizeof(*kept));

	*kept = *m;
	kept->key = mem_strdup(m->key);
	kept->path = mem_strdup(m->path);
	return kept;
}

static void let_mirrored_go(void *arg)
{
	struct mirrored *kept = arg;

	free((char *)(uintptr_t)kept->key);
	free((char *)(uintptr_t)kept->path);
	free(kept);
}

static int get_mirrored(struct ctx *ctx, const struct mirrored *m,
			struct documents_pages *pages, struct buf *ret_body,
			long *ret_status)
{
	struct bitbucket *b = m->documents->config.bitbucket;
	cleanup(bitbucket_reply_done) struct bitbucket_reply reply = {0};
	int r;

	if (!m->text) {
		r = bitbucket_get_merged(ctx, b, m->path, &pages->kept,
					 ret_body, ret_status);
		documents_pages_end(pages, r);
		return r;
	}
	r = bitbucket_get(ctx, b, m->path, NULL, &reply);
	*ret_status = reply.status;
	*ret_body = reply.body;
	reply.body = (struct buf){0};
	return r;
}

static int fetch_mirrored(struct ctx *ctx, void *arg,
			  const struct cache_entry *old)
{
	struct mirrored *m = arg;
	struct documents *d = m->documents;
	cleanup(answer_batch_done) struct answer_batch batch = {0};
	cleanup(documents_pages_done) struct documents_pages pages;
	cleanup(buf_done) struct buf body = BUF_INIT(0);
	long status = 0;
	int r;

	documents_pages_init(&pages, d, m->key, DOCUMENTS_PAGES_YOUNG_MS);
	r = get_mirrored(ctx, m, &pages, &body, &status);
	if (r < 0)
		return documents_pages_refused(ctx, &pages, old, r, status);
	answer_batch_add(&batch, mem_strdup(m->key), body.data ? body.data : "",
			 body.len, documents_derivation, TTL_MS);
	documents_pages_drop(m->key, &batch);
	return answer_put(ctx, d->config.cache, batch.puts, batch.n);
}

/* The pages that another program merged are not kept: they are asked for again,
 * and what it made of them is what there is without a network. */
static void expire_older(struct documents *d, const char *key)
{
	cleanup(cache_entry_free) struct cache_entry *e =
		answer_peek_version(d->config.cache, key);

	if (e && !e->negative && e->left_ms >= -e->ttl_ms &&
	    strcmp(e->etag, documents_derivation) != 0)
		(void)cache_expire(d->config.cache, key);
}

int documents_mirror(struct ctx *ctx, struct documents *d, const char *path,
		     bool text, enum read_through_mode mode,
		     struct document_file *ret_file)
{
	cleanup(free) char *key =
		mem_asprintf("api/%s%s", text ? "text" : "json", path);
	cleanup(cache_entry_free) struct cache_entry *e = NULL;
	struct mirrored m = {d, key, path, text};
	const struct read_through_list list = {fetch_mirrored, keep_mirrored,
					       let_mirrored_go, path};
	bool stale = false;
	int r;

	if (!text)
		expire_older(d, key);
	r = read_through_get_list(ctx, d->config.source, MIRRORED_MS, key, mode,
				  &list, &m, &e, &stale);
	return r < 0 ? r : documents_file_of(ctx, e, stale, ret_file);
}
