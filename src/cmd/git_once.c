/*
 * cmd/git_once: an authorizer that has no other secret, and a sink that keeps
 * nothing.
 */
#include "cmd/git_once.h"

#include "base/text.h"
#include "wire/link.h"

static int authorize(void *arg, struct ctx *ctx, struct http_authorization *ret)
{
	return credential_authorize(ctx, arg, CREDENTIAL_GIT, ret);
}

static void was_heard(void *arg, struct ctx *,
		      const struct http_authorization *sent,
		      const struct http_response *answer)
{
	if (answer->authorized)
		credential_heard(arg, CREDENTIAL_GIT, sent, answer->status);
}

static int no_other(void *, struct ctx *, const struct http_authorization *)
{
	return 0;
}

static int drop(void *, const void *, size_t)
{
	return 0;
}

int git_once(struct ctx *ctx, const struct remote *remote, struct http *http,
	     const char *repository, bool as)
{
	const struct http_authorizer authorizer = {
		authorize, was_heard, no_other, remote->credential};
	const struct http_sink sink = {.write = drop};
	cleanup(link_free) struct link *link = NULL;
	cleanup(buf_done) struct buf url = BUF_INIT(8 * KIB);
	int r;

	buf_printf(&url, "%s/", remote->config.git_url);
	text_percent_encode(&url, repository, "/");
	buf_puts(&url, ".git");
	if (url.failed)
		return ctx_fail(ctx, url.failed, "Its name is too long.");
	r = link_http_new(http, url.data, as ? &authorizer : NULL, &link);
	return r ? r : link->ops->advertise(ctx, link, &sink);
}
