/*
 * api/bitbucket: the endpoints.
 */
#include "api/bitbucket_private.h"

#include "base/text.h"

int bitbucket_new(const char *api_url, struct credential *credential,
		  struct http *http, struct budget *budget,
		  struct bitbucket **ret_bitbucket)
{
	struct bitbucket *b;
	size_t n = strlen(api_url);

	while (n && api_url[n - 1] == '/')
		n--;
	if (!n)
		return -EINVAL;
	b = mem_calloc(1, sizeof(*b));
	b->api_url = mem_dup0(api_url, n);
	b->credential = credential;
	b->http = http;
	b->budget = budget;
	mutex_init(&b->lock);
	*ret_bitbucket = b;
	return 0;
}

struct bitbucket *bitbucket_free(struct bitbucket *b)
{
	if (!b)
		return NULL;
	bitbucket_names_done(b);
	mutex_done(&b->lock);
	free(b->api_url);
	free(b);
	return NULL;
}

char *bitbucket_workspace_path(const char *slug)
{
	struct buf path = BUF_INIT(0);

	buf_puts(&path, "/workspaces/");
	text_percent_encode(&path, slug, "");
	return buf_steal(&path, NULL);
}

char *bitbucket_repository_path(const char *workspace, const char *slug_or_uuid)
{
	struct buf path = BUF_INIT(0);

	buf_puts(&path, "/repositories/");
	text_percent_encode(&path, workspace, "");
	buf_putc(&path, '/');
	text_percent_encode(&path, slug_or_uuid, "");
	return buf_steal(&path, NULL);
}

int bitbucket_parse(struct ctx *ctx, const struct bitbucket_reply *reply,
		    const char *what, struct json **ret_json)
{
	if (!reply->body.data ||
	    json_parse(reply->body.data, reply->body.len, ret_json))
		return ctx_fail(ctx, -EIO,
				"Bitbucket's answer to %s is not JSON: is that "
				"the API, or a page of the network in between?",
				what);
	return 0;
}

/* ---- repositories ---- */

int bitbucket_get_repository(struct ctx *ctx, struct bitbucket *b,
			     const char *workspace, const char *slug_or_uuid,
			     struct bitbucket_repository *ret)
{
	cleanup(bitbucket_reply_done) struct bitbucket_reply reply = {0};
	cleanup(json_free) struct json *json = NULL;
	cleanup(free) char *path =
		bitbucket_repository_path(workspace, slug_or_uuid);
	int r = bitbucket_get(ctx, b, path, NULL, &reply);

	if (r < 0)
		return r;
	r = bitbucket_parse(ctx, &reply, path, &json);
	if (r < 0)
		return r;
	if (bitbucket_read_repository(json, ret))
		return ctx_fail(ctx, -EIO,
				"Bitbucket's answer to %s is no repository.",
				path);
	return 0;
}

int bitbucket_take_repository(void *arg, const struct json *item)
{
	struct bitbucket_repositories *all = arg;

	mem_grow(all->items, all->n_items, all->size);
	if (bitbucket_read_repository(item, &all->items[all->n_items]))
		all->n_odd++;
	else
		all->n_items++;
	return 0;
}

static void restart(void *arg)
{
	bitbucket_repositories_done(arg);
}

int bitbucket_list_repositories(struct ctx *ctx, struct bitbucket *b,
				const char *workspace,
				struct bitbucket_known *known,
				const struct bitbucket_kept *kept,
				struct bitbucket_repositories *ret)
{
	struct bitbucket_repositories all = {0};
	cleanup(buf_done) struct buf path = BUF_INIT(0);
	struct bitbucket_list list = {
		.paging = BITBUCKET_ABREAST,
		.by_created = true,
		.identify = bitbucket_repository_identity,
		.each = bitbucket_take_repository,
		.restart = restart,
		.arg = &all,
		.known = known,
		.kept = kept,
	};
	bool more;
	int r;

	buf_puts(&path, "/repositories/");
	text_percent_encode(&path, workspace, "");
	buf_puts(&path, "?sort=created_on&pagelen=100");
	list.path = path.data;
	r = bitbucket_list(ctx, b, &list, &more);
	all.n_odd += list.n_odd;
	all.came = list.came;
	if (r < 0)
		bitbucket_repositories_done(&all);
	else
		*ret = all;
	return r;
}
