/*
 * content/documents: what a short commit id is short for. A commit never gets
 * another id, so the answer is a fact.
 */
#include "content/documents_private.h"

#include "base/text.h"

static bool is_whole_of(const char *id, const char *hash)
{
	return id && text_is_oid(id) && strncmp(id, hash, strlen(hash)) == 0;
}

static int ask(struct ctx *ctx, struct documents *d, const char *workspace,
	       const char *slug, const char *hash, char ret_id[static 41])
{
	cleanup(bitbucket_reply_done) struct bitbucket_reply reply = {0};
	cleanup(json_free) struct json *json = NULL;
	cleanup(free) char *repository =
		bitbucket_repository_path(workspace, slug);
	cleanup(free) char *path =
		mem_asprintf("%s/commit/%s", repository, hash);
	const char *id;
	int r = bitbucket_get(ctx, d->config.bitbucket, path, NULL, &reply);

	if (r >= 0)
		r = bitbucket_parse(ctx, &reply, "the commit", &json);
	if (r < 0)
		return r;
	id = json_str(json, "hash");
	if (!is_whole_of(id, hash))
		return ctx_fail(ctx, -EIO,
				"the service answered with another commit "
				"than %s",
				hash);
	memcpy(ret_id, id, 41);
	return 0;
}

static int commit_id(struct ctx *ctx, struct documents *d,
		     const char *workspace, const char *slug, const char *hash,
		     char ret_id[static 41])
{
	cleanup(blob_unref) struct blob *known = NULL;
	cleanup(free) char *key =
		mem_asprintf("%s/%s/%s", workspace, slug, hash);
	struct cache *cache = d->config.cache;
	size_t n = strlen(hash);
	int r;

	if (n < 4 || n > 40 || strspn(hash, "0123456789abcdef") != n)
		return ctx_fail(ctx, -EINVAL, "%.60s is no commit id", hash);
	if (cache_fact_get(cache, "commit-id", key, strlen(key), &known) >= 0 &&
	    is_whole_of(blob_data(known), hash)) {
		memcpy(ret_id, blob_data(known), 41);
		return 0;
	}
	r = ctx_wait_begin(ctx);
	if (r < 0)
		return r;
	r = ask(ctx, d, workspace, slug, hash, ret_id);
	ctx_wait_end(ctx);
	if (r >= 0)
		(void)cache_fact_put(cache, "commit-id", key, strlen(key),
				     ret_id, 40);
	return r;
}

int documents_commit_id(struct ctx *ctx, struct documents *d,
			const char *workspace, const char *uuid,
			const char *slug, const char *hash,
			char ret_id[static 41])
{
	int r;

	if (!uuid)
		return commit_id(ctx, d, workspace, slug, hash, ret_id);
	r = commit_id(ctx, d, workspace, uuid, hash, ret_id);
	if (r != -ENOENT || !slug || bitbucket_takes_uuids(d->config.bitbucket))
		return r;
	return commit_id(ctx, d, workspace, slug, hash, ret_id);
}
