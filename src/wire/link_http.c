/*
 * wire/link over HTTP (gitprotocol-http(5), "Smart Server Response").
 *
 * As git does, the first request (the advertisement) may be redirected, and
 * later requests go to where it led: a renamed repository. A request with a
 * body is not redirected: its 3xx is a failure, whereupon the caller asks for
 * the advertisement again. Nor does its 404 say that the repository moved: that
 * only the advertisement's address tells, for who has not asked for it because
 * the server's abilities are remembered (look_for).
 */
#include "wire/link.h"

#include <strings.h>

#define ADVERTISE "/info/refs?service=git-upload-pack"
#define REDIRECTS_MAX 3
#define SAID_MAX 200

struct link_http {
	struct link link;
	struct http *http;
	char *url;                 /* without a final slash */
	bool advertised;           /* it is where an advertisement led */
	struct http_authorizer as; /* .authorize NULL: nothing is authorized */
};

/* What the sink knows of one exchange. */
struct answer {
	struct ctx *ctx;
	/* the content type that git's answer must have */
	const char *content_type;
	const struct http_sink *sink;
};

static int answer_begin(void *arg, const struct http_response *response)
{
	struct answer *answer = arg;
	size_t n = strcspn(response->content_type, "; \t");

	if (n != strlen(answer->content_type) ||
	    strncasecmp(response->content_type, answer->content_type, n))
		return ctx_fail(answer->ctx, -EPROTO,
				"the server does not speak git's smart "
				"protocol there (content type %.60s)",
				response->content_type[0]
					? response->content_type
					: "not said");
	if (answer->sink->begin)
		return answer->sink->begin(answer->sink->arg, response);
	return 0;
}

static int answer_write(void *arg, const void *data, size_t n)
{
	struct answer *answer = arg;

	return answer->sink->write(answer->sink->arg, data, n);
}

/* The host of a URL, for sentences: never its path's secrets or its query. */
static void host_of(const char *text, char *out, size_t size)
{
	cleanup(http_url_done) struct http_url url = {0};

	snprintf(out, size, "%s",
		 http_url_parse(text, &url) < 0 ? "the server" : url.authority);
}

/* What a server says about its refusal in plain text, as one clean line. */
static void said(const struct http_response *response, char *out, size_t size)
{
	size_t n = 0;

	if (response->error_body &&
	    !strncasecmp(response->content_type, "text/plain", 10)) {
		if (size > SAID_MAX)
			size = SAID_MAX;
		for (const char *s = response->error_body;
		     *s && *s != '\n' && n + 3 < size; s++) {
			if (!n) {
				out[n++] = ':';
				out[n++] = ' ';
			}
			out[n++] = (unsigned char)*s < ' ' || *s == 127 ? ' '
									: *s;
		}
	}
	out[n] = '\0';
}

static int status_errno(struct ctx *ctx, const struct link_http *link,
			const struct http_response *response)
{
	char host[200], text[SAID_MAX + 3];

	host_of(link->url, host, sizeof(host));
	said(response, text, sizeof(text));
	switch (response->status) {
	case 401:
		return ctx_fail(ctx, -EACCES,
				response->authorized
					? "%s refuses these credentials for "
					  "git (401)%s"
					: "%s wants credentials for this "
					  "repository (401)%s",
				host, text);
	case 403:
		return ctx_fail(ctx, -EACCES,
				"%s does not let this account read the "
				"repository (403)%s",
				host, text);
	case 404:
	case 410:
		return ctx_fail(ctx, -ENOENT,
				"%s has no such repository, or hides it from "
				"this account (%ld)%s",
				host, response->status, text);
	case 429:
		return ctx_fail(ctx, -EDQUOT,
				"%s allows no more git requests for now "
				"(429)%s",
				host, text);
	}
	if (response->status >= 500)
		return ctx_fail(ctx, -EIO, "%s failed (%ld)%s", host,
				response->status, text);
	return ctx_fail(ctx, -EPROTO,
			"%s gave an answer that is not git's "
			"(%ld)%s",
			host, response->status, text);
}

static int perform(struct ctx *ctx, struct link_http *link,
		   const struct http_request *request, const char *content_type,
		   const struct http_sink *sink, struct http_response *response)
{
	struct answer answer = {
		.ctx = ctx, .content_type = content_type, .sink = sink};
	struct http_sink checked = {
		.begin = answer_begin,
		.write = answer_write,
		.arg = &answer,
		.progress = sink->progress,
	};

	if (!link->as.authorize)
		return http_perform(ctx, link->http, request, &checked,
				    response);
	return http_perform_as(ctx, link->http, request, &link->as, &checked,
			       response);
}

static bool is_success(const struct http_response *response)
{
	return response->status >= 200 && response->status < 300;
}

/* The repository has moved: later requests go to its new URL. The credential
 * stays with the origin it was given for. */
static bool follow(struct link_http *link, const char *location)
{
	size_t n = strlen(location);
	size_t n_tail = strlen(ADVERTISE);

	if (n <= n_tail || strcmp(location + n - n_tail, ADVERTISE) ||
	    (!strncasecmp(link->url, "https:", 6) &&
	     strncasecmp(location, "https:", 6)))
		return false;
	if (!http_same_origin(link->url, location))
		link->as = (struct http_authorizer){0};
	free(link->url);
	link->url = mem_dup0(location, n - n_tail);
	link->link.url = link->url;
	return true;
}

static const char *const advertise_headers[] = {
	"User-Agent: git/2.0 (bitbucketfs " VERSION ")",
	"Git-Protocol: version=2",
	"Accept: */*",
	"Pragma: no-cache",
	NULL,
};

static int ask(struct ctx *ctx, struct link_http *link,
	       const struct http_sink *sink, struct http_response *response)
{
	cleanup(free) char *url = mem_asprintf("%s" ADVERTISE, link->url);
	const struct http_request request = {
		.url = url,
		.headers = advertise_headers,
		.compressed = true,
		.no_redirects = true,
	};

	return perform(ctx, link, &request,
		       "application/x-git-upload-pack-advertisement", sink,
		       response);
}

static int link_http_advertise(struct ctx *ctx, struct link *base,
			       const struct http_sink *sink)
{
	struct link_http *link = (struct link_http *)base;

	for (unsigned n_hops = 0;; n_hops++) {
		cleanup(http_response_done) struct http_response response = {0};
		int r = ask(ctx, link, sink, &response);

		link->advertised = true;
		if (r < 0 || is_success(&response))
			return r;
		if (n_hops >= REDIRECTS_MAX || !follow(link, response.location))
			return status_errno(ctx, link, &response);
	}
}

static int drop_bytes(void *, const void *, size_t)
{
	return 0;
}

static int link_http_look_for(struct ctx *ctx, struct link *base)
{
	static const struct http_sink sink = {.write = drop_bytes};
	struct link_http *link = (struct link_http *)base;
	cleanup(http_response_done) struct http_response response = {0};
	int r;

	if (link->advertised)
		return 0;
	link->advertised = true;
	r = ask(ctx, link, &sink, &response);
	if (r < 0 || is_success(&response) || !*response.location ||
	    !http_same_origin(link->url, response.location))
		return r < 0 && ctx_is_cancelled(ctx) ? r : 0;
	return follow(link, response.location);
}

static int link_http_exchange(struct ctx *ctx, struct link *base, bool v2,
			      const void *body, size_t n,
			      const struct http_sink *sink)
{
	static const char *const headers[] = {
		"User-Agent: git/2.0 (bitbucketfs " VERSION ")",
		"Content-Type: application/x-git-upload-pack-request",
		"Accept: application/x-git-upload-pack-result",
		"Git-Protocol: version=2", NULL};
	struct link_http *link = (struct link_http *)base;
	cleanup(http_response_done) struct http_response response = {0};
	cleanup(free) char *url = mem_asprintf("%s/git-upload-pack", link->url);
	const char *const plain_headers[] = {headers[0], headers[1], headers[2],
					     NULL};
	struct http_request request = {
		.url = url,
		.headers = v2 ? headers : plain_headers,
		.body = body,
		.n_body = n,
		.compressed = true,
	};
	int r = perform(ctx, link, &request,
			"application/x-git-upload-pack-result", sink,
			&response);

	base->missing = r == 0 && response.status == 404;
	if (r < 0 || is_success(&response))
		return r;
	return status_errno(ctx, link, &response);
}

static struct link *link_http_free(struct link *base)
{
	struct link_http *link = (struct link_http *)base;

	if (!link)
		return NULL;
	free(link->url);
	free(link);
	return NULL;
}

int link_http_new(struct http *http, const char *url,
		  const struct http_authorizer *as, struct link **ret_link)
{
	static const struct link_ops ops = {
		.advertise = link_http_advertise,
		.exchange = link_http_exchange,
		.look_for = link_http_look_for,
		.free = link_http_free,
	};
	struct link_http *link = mem_calloc(1, sizeof(*link));
	size_t n = strlen(url);

	while (n && url[n - 1] == '/')
		n--;
	link->link.ops = &ops;
	link->http = http;
	link->url = mem_dup0(url, n);
	link->link.url = link->url;
	if (as)
		link->as = *as;
	*ret_link = &link->link;
	return 0;
}

struct link *link_free(struct link *link)
{
	return link ? link->ops->free(link) : NULL;
}
