/*
 * api/bitbucket: the endpoints.
 */
#include "api/bitbucket_private.h"

#include "base/clock.h"
#include "base/text.h"

int bitbucket_new(const char *api_url, const struct credential *credential,
		  struct http *http, struct budget *budget,
		  struct bitbucket **ret_bitbucket)
{
	struct bitbucket *b;
	size_t n = strlen(api_url);

	while (n && api_url[n - 1] == '/')
		n--;
	if (!n)
		return -EINVAL;
	b = xcalloc(1, sizeof(*b));
	b->api_url = xmemdup0(api_url, n);
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

/* ---- paging ---- */

#define OTHER_DOOR "https://bitbucket.org/!api/2.0"

static char *mend_next(const struct bitbucket *b, const char *next)
{
	size_t n = strlen(OTHER_DOOR);
	char *url, *amp;

	if (!strncmp(next, OTHER_DOOR, n) && strchr("/?", next[n]))
		url = xasprintf("%s%s", b->api_url, next + n);
	else
		url = xstrdup(next);
	amp = strchr(url, '?') ? NULL : strchr(url, '&');
	if (amp)
		*amp = '?';
	return url;
}

int bitbucket_next_url(struct ctx *ctx, struct bitbucket *b,
		       const struct json *page, char **ret_url)
{
	const char *next = json_str(page, "next");
	cleanup(free) char *url = NULL;

	if (!next || !*next) {
		*ret_url = NULL;
		return 0;
	}
	url = mend_next(b, next);
	if (!http_same_origin(url, b->api_url))
		return ctx_fail(ctx, -EPROTO,
				"A listing of Bitbucket goes on at another "
				"host; that is not followed.");
	*ret_url = steal(&url);
	return 0;
}

/* ---- workspaces ---- */

static int list_workspaces_page(struct ctx *ctx, struct bitbucket *b,
				char **url, struct bitbucket_workspaces *all)
{
	cleanup(bitbucket_reply_done) struct bitbucket_reply reply = {0};
	cleanup(json_free) struct json *page = NULL;
	char *next = NULL;
	int r = bitbucket_get_url(ctx, b, *url, NULL, &reply);

	if (r < 0)
		return r;
	r = bitbucket_parse(ctx, &reply, "/user/workspaces", &page);
	if (r < 0)
		return r;
	if (bitbucket_read_workspaces(page, all))
		return ctx_fail(ctx, -EIO,
				"Bitbucket's answer to /user/workspaces is not "
				"a listing.");
	r = bitbucket_next_url(ctx, b, page, &next);
	if (r < 0)
		return r;
	free(*url);
	*url = next;
	return 0;
}

int bitbucket_list_workspaces(struct ctx *ctx, struct bitbucket *b,
			      struct bitbucket_workspaces *ret)
{
	cleanup(bitbucket_workspaces_done) struct bitbucket_workspaces all = {
		0};
	cleanup(free) char *url =
		xasprintf("%s/user/workspaces?pagelen=100", b->api_url);

	for (unsigned n_pages = 0; url; n_pages++) {
		int r;

		if (n_pages >= BITBUCKET_MOST_PAGES)
			return ctx_fail(ctx, -EIO,
					"Bitbucket's listing of the workspaces "
					"does not end.");
		r = list_workspaces_page(ctx, b, &url, &all);
		if (r < 0)
			return r;
	}
	*ret = all;
	all = (struct bitbucket_workspaces){0};
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

int bitbucket_list_repositories(struct ctx *ctx, struct bitbucket *b,
				const char *workspace,
				struct bitbucket_repositories *ret)
{
	/* Page numbers shift when a repository goes while they are walked:
	 * what came in the wrong moment is missed, and there the second time.
	 */
	for (unsigned walk = 0; walk < 2; walk++) {
		cleanup(bitbucket_repositories_done) struct
			bitbucket_repositories all = {0};
		int64_t size = -1;
		int r = bitbucket_page_repositories(ctx, b, workspace, &all,
						    &size);

		if (r < 0)
			return r;
		if ((int64_t)(all.n_items + all.n_odd) >= size) {
			*ret = all;
			all = (struct bitbucket_repositories){0};
			return 0;
		}
		ctx_fail(ctx, -EIO,
			 "Bitbucket says that %s has %lld repositories and "
			 "lists %zu.",
			 workspace, (long long)size, all.n_items + all.n_odd);
	}
	return -EIO;
}

static int take_updated(void *arg, const struct json *item)
{
	struct bitbucket_repositories *all = arg;

	all->items =
		xrealloc(all->items, (all->n_items + 1) * sizeof(*all->items));
	if (bitbucket_read_repository(item, &all->items[all->n_items]))
		all->n_odd++;
	else
		all->n_items++;
	return 0;
}

int bitbucket_list_updated(struct ctx *ctx, struct bitbucket *b,
			   const char *workspace, int64_t since_ms,
			   struct bitbucket_repositories *ret, bool *ret_more)
{
	cleanup(bitbucket_repositories_done) struct bitbucket_repositories all =
		{0};
	cleanup(buf_done) struct buf path = BUF_INIT(0);
	struct bitbucket_list list = {
		.id = "uuid",
		.most = 300,
		.each = take_updated,
		.arg = &all,
	};
	char since[24];
	int r;

	/* To the second below: what changed within it comes again. */
	clock_format_iso8601(since_ms, since);
	buf_puts(&path, "/repositories/");
	text_percent_encode(&path, workspace, "");
	buf_puts(&path, "?pagelen=100&sort=-updated_on&q=updated_on%3E%3D");
	text_percent_encode(&path, since, "");
	list.path = path.data;
	r = bitbucket_list(ctx, b, &list, ret_more);
	if (r < 0)
		return r;
	*ret = all;
	all = (struct bitbucket_repositories){0};
	return 0;
}
