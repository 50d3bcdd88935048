/*
 * content/documents: any GET of the API, as a file.
 */
#include "content/documents_private.h"

#define TTL_MS (INT64_C(60) * 1000)

struct mirrored {
	struct documents *documents;
	const char *key, *path;
	bool text;
};

static int fetch_mirrored(struct ctx *ctx, void *arg,
			  const struct cache_entry *old)
{
	struct mirrored *m = arg;
	struct documents *d = m->documents;
	cleanup(bitbucket_reply_done) struct bitbucket_reply reply = {0};
	cleanup(buf_done) struct buf merged = BUF_INIT(0);
	const struct buf *body = m->text ? &reply.body : &merged;
	long status = 0;
	int r;

	if (m->text) {
		r = bitbucket_get(ctx, d->config.bitbucket, m->path, NULL,
				  &reply);
		status = reply.status;
	} else {
		r = bitbucket_get_merged(ctx, d->config.bitbucket, m->path,
					 &merged, &status);
	}
	if (r < 0)
		return documents_refused(ctx, d, m->key, old, r, status);
	return answer_put(ctx, d->config.cache,
			  &(struct cache_put){
				  .key = m->key,
				  .body = body->data ? body->data : "",
				  .n_body = body->len,
				  .etag = documents_derivation,
				  .ttl_ms = TTL_MS,
			  },
			  1);
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
	bool stale = false;
	int r;

	if (!text)
		expire_older(d, key);
	r = read_through_get(ctx, d->config.source, key, mode, fetch_mirrored,
			     &m, &e, &stale);

	if (r < 0)
		return r;
	if (!e->body)
		return answer_failed(ctx, e);
	*ret_file = (struct document_file){e->version, e->n_body,
					   answer_age_of(e, stale)};
	return 0;
}
