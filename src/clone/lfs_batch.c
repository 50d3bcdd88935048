/*
 * clone/lfs, asking: one POST for many objects (git-lfs, docs/api/batch.md).
 *
 * The server is at the repository's own address, whatever a .lfsconfig in it
 * names: that is a stranger's, and would be sent the credential. Where git is
 * asked by SSH the server says by SSH where its LFS is, and what it is asked
 * with there in the place of the credential.
 */
#include "clone/lfs_private.h"

#include "api/bitbucket.h"
#include "base/clock.h"

#define BATCH_MS 60000
#define ANSWER_MOST (4 * MIB)
#define TRIES 3
#define BACKOFF_MS 250

static int add_answer(void *arg, const void *data, size_t n)
{
	return buf_add(arg, data, n);
}

static void write_body(struct buf *body, const struct lfs_said *said, size_t n)
{
	char hex[65];

	buf_puts(body, "{\"operation\":\"download\",\"transfers\":[\"basic\"],"
		       "\"objects\":[");
	for (size_t i = 0; i < n; i++)
		buf_printf(body, "%s{\"oid\":\"%s\",\"size\":%llu}",
			   i ? "," : "", lfs_oid_hex(said[i].pointer, hex),
			   (unsigned long long)said[i].pointer->size);
	buf_puts(body, "]}");
}

/* ---- which server ---- */

static void say_host(const char *text, char *out, size_t size)
{
	cleanup(http_url_done) struct http_url url = {0};

	snprintf(out, size, "%s",
		 http_url_parse(text, &url) < 0 ? "the LFS server"
						: url.authority);
}

/* By SSH another address may be named than the repository's: as for objects,
 * it is not this machine's unless the SSH server is. */
static int check_named(struct ctx *ctx, const struct clone_server *server,
		       struct lfs_server *named)
{
	cleanup(http_url_done) struct http_url url = {0};
	bool here = ssh_is_here(server->url);

	if (http_url_parse(named->place.url, &url) < 0 ||
	    (url.here ? !here : !url.https))
		return ctx_fail(ctx, -EPERM,
				"The address of the LFS server that was named "
				"by SSH is not asked.");
	named->place.may_be_here = here && url.loopback;
	return 0;
}

static int find_by_ssh(struct ctx *ctx, struct clone *c,
		       const struct clone_server *server, const char *workspace,
		       const char *slug, struct lfs_server *ret)
{
	cleanup(buf_done) struct buf out = BUF_INIT(64 * KIB);
	struct clone_set *cs = c->clones;
	int r = ssh_authenticate_lfs(ctx, cs->ssh, server->url, workspace, slug,
				     &out);

	if (r == 0)
		r = lfs_answer_read_ssh(ctx, out.data ? out.data : "", out.len,
					ret);
	if (out.data)
		explicit_bzero(out.data, out.len);
	return r == 0 ? check_named(ctx, server, ret) : r;
}

static int find_server(struct ctx *ctx, struct clone *c,
		       const struct clone_server *server,
		       struct lfs_server *ret)
{
	struct clone_set *cs = c->clones;
	cleanup(free) char *workspace = NULL, *slug = NULL, *url = NULL;

	mutex_lock(&cs->lock);
	workspace = mem_strdup(c->workspace);
	slug = mem_strdup(c->slug);
	mutex_unlock(&cs->lock);
	if (server->is_ssh)
		return find_by_ssh(ctx, c, server, workspace, slug, ret);
	url = clone_url(server, workspace, slug);
	if (!url)
		return ctx_fail(ctx, -ENOENT,
				"No LFS server has a repository "
				"of that name.");
	ret->place.url = mem_asprintf("%s/info/lfs", url);
	ret->place.may_be_here = http_is_loopback(url);
	ret->authorized = server->authorized;
	return 0;
}

/* ---- a request ---- */

static int refused(struct ctx *ctx, const char *url,
		   const struct http_response *answer)
{
	long status = answer->status;
	char host[200], message[200];

	say_host(url, host, sizeof(host));
	lfs_answer_message(answer->error_body, answer->n_error_body, message,
			   sizeof(message));
	switch (status) {
	case 401:
	case 403:
		return ctx_fail(ctx, -EACCES,
				"%s does not let this account have objects of "
				"LFS (%ld) %s",
				host, status, message);
	case 404:
	case 410:
		return ctx_fail(ctx, -ENOENT,
				"%s has no LFS for this repository, or hides "
				"it from this account (%ld) %s",
				host, status, message);
	case 429:
	case 507:
	case 509:
		return ctx_fail(ctx, -EDQUOT,
				"%s gives no more objects of LFS for now (%ld) "
				"%s",
				host, status, message);
	}
	return ctx_fail(ctx, status == 413 || status == 422 ? -E2BIG : -EIO,
			"%s, asked for objects of LFS, answered %ld %s", host,
			status, message);
}

/* *ret_status: of an answer; 0: there was none. */
static int ask_once(struct ctx *ctx, struct clone_set *cs,
		    const struct lfs_server *server, struct lfs_said *said,
		    size_t n, long *ret_status)
{
	const struct http_authorizer as = clone_authorizer(cs);
	cleanup(http_response_done) struct http_response answer = {0};
	cleanup(buf_done) struct buf body = BUF_INIT(MIB);
	cleanup(buf_done) struct buf came = BUF_INIT(ANSWER_MOST);
	const struct http_sink sink = {.write = add_answer, .arg = &came};
	cleanup(free) char *url =
		mem_asprintf("%s/objects/batch", server->place.url);
	const char *headers[20] = {
		"Accept: " LFS_TYPE, "Content-Type: " LFS_TYPE,
		"User-Agent: git-lfs/3.0 (bitbucketfs " VERSION ")"};
	struct http_request request = {
		.url = url,
		.authorization = server->place.authorization,
		.headers = headers,
		.compressed = true,
	};
	int r;

	for (size_t i = 0; server->place.headers && server->place.headers[i];
	     i++)
		headers[3 + i] = server->place.headers[i];
	write_body(&body, said, n);
	request.body = body.data;
	request.n_body = body.len;
	/* They may be secrets under any name, and are this host's. */
	request.no_redirects = server->place.headers &&
			       server->place.headers[0];
	r = server->authorized
		    ? http_perform_as(ctx, cs->http, &request, &as, &sink,
				      &answer)
		    : http_perform(ctx, cs->http, &request, &sink, &answer);
	*ret_status = r < 0 ? 0 : answer.status;
	if (r == -EMSGSIZE)
		return ctx_fail(ctx, -EIO,
				"The answer of the LFS server is too large.");
	if (r < 0)
		return bitbucket_end_sentence(ctx, r);
	if (answer.status < 200 || answer.status >= 300)
		return refused(ctx, url, &answer);
	return lfs_answer_read(ctx, came.data ? came.data : "", came.len,
			       server->place.may_be_here, said, n);
}

static bool may_be_tried(int r, long status)
{
	return r == -ECONNRESET || status == 500 || status == 502 ||
	       status == 503 || status == 504;
}

static int ask(struct ctx *ctx, struct clone_set *cs,
	       const struct lfs_server *server, struct lfs_said *said, size_t n)
{
	long status;
	int r;

	for (unsigned i = 0;; i++) {
		r = ask_once(ctx, cs, server, said, n, &status);
		if (r == 0 || i + 1 == TRIES || !may_be_tried(r, status) ||
		    ctx_sleep(ctx, (int64_t)BACKOFF_MS << i) < 0)
			break;
		ctx->sentence[0] = '\0';
	}
	return r;
}

static int ask_at(struct ctx *ctx, struct clone *c,
		  const struct clone_server *at, struct lfs_said *said,
		  size_t n)
{
	struct clone_set *cs = c->clones;
	bool fresh = false;
	int r = -EACCES;

	/* What SSH handed out a while ago may be refused by now. */
	for (unsigned i = 0; r == -EACCES && !fresh && i < 2; i++) {
		cleanup(lfs_server_done) struct lfs_server server = {0};

		fresh = !lfs_server_recall(c, at, &server);
		r = fresh ? find_server(ctx, c, at, &server) : 0;
		if (r == 0)
			r = ask(ctx, cs, &server, said, n);
		if (r != -EACCES && fresh && at->is_ssh && server.place.url)
			lfs_server_note(c, &server);
		else if (r == -EACCES)
			lfs_server_note(c, NULL);
	}
	return r;
}

int lfs_batch(struct ctx *ctx, struct clone *c, struct lfs_said *said, size_t n)
{
	struct clone_set *cs = c->clones;
	int64_t deadline_ms = ctx_narrow(ctx, BATCH_MS);
	int r = ask_at(ctx, c, &cs->server, said, n);

	/* Too many, or one of them is odd. */
	if (r == -E2BIG && n > 1)
		r = ask_at(ctx, c, &cs->server, said, 1);
	if ((r == -ENOENT || (r == 0 && said->r == -ENOENT)) &&
	    cs->fallback.url)
		r = ask_at(ctx, c, &cs->fallback, said, n);
	ctx_widen(ctx, deadline_ms);
	if (cs->budget)
		budget_count_git(cs->budget, clone_set_requests(cs));
	return r == -E2BIG ? -EIO : r;
}
