/*
 * content/stream_source: a range by HTTP, and the source that is a URL.
 */
#include "stream_source_private.h"

#define HEADERS_MOST 16

struct stream_source *stream_source_free(struct stream_source *source)
{
	if (!source)
		return NULL;
	if (source->ops->done)
		source->ops->done(source);
	free(source->name);
	free(source);
	return NULL;
}

/* ---- a range by HTTP ---- */

struct bitbucket_range stream_http_range(const struct stream_range *range)
{
	return (struct bitbucket_range){range->first, range->n};
}

/* As of the API: bitbucket_explain. */
static int errno_of(long status)
{
	switch (status) {
	case 202:
		return -EBUSY;
	case 204:
		return -ENODATA;
	case 404:
	case 410:
		return -ENOENT;
	default:
		return -EIO;
	}
}

static int begin(void *arg, const struct http_response *response)
{
	struct stream_http *h = arg;
	bool is_range = response->status == 206;
	struct stream_head head = {
		.span = is_range ? STREAM_SPAN_RANGE : STREAM_SPAN_WHOLE,
		.total = is_range ? response->range_total
				  : response->content_length,
	};

	if (h->began)
		h->began(h->began_arg);
	if (!is_range && response->status != 200)
		return ctx_fail(h->ctx, errno_of(response->status),
				"Whoever has %s answered %ld, without bytes.",
				h->source->name, response->status);
	if (is_range && (response->range_first < 0 ||
			 (uint64_t)response->range_first != h->range->first))
		return ctx_fail(h->ctx, -EIO,
				"Another piece of %s came than was asked for.",
				h->source->name);
	memcpy(head.tag, response->etag, sizeof(head.tag));
	return h->sink->begin(h->sink->arg, &head);
}

static int take(void *arg, const void *data, size_t n)
{
	struct stream_http *h = arg;

	return h->sink->take(h->sink->arg, data, n);
}

struct http_sink stream_http_sink(struct stream_http *h)
{
	return (struct http_sink){.write = take, .begin = begin, .arg = h};
}

int stream_http_none(struct stream_http *h,
		     const struct http_response *response)
{
	const struct stream_head head = {
		.span = STREAM_SPAN_NONE,
		.total = response->range_total,
	};

	return h->sink->begin(h->sink->arg, &head);
}

int stream_http_get(struct stream_http *h, struct http *http, const char *url,
		    const char *const *headers,
		    struct http_response *ret_response)
{
	const struct bitbucket_range asked = stream_http_range(h->range);
	cleanup(free) char *range = bitbucket_range_header(&asked);
	const char *all[HEADERS_MOST + 2] = {NULL};
	const struct http_request request = {.url = url, .headers = all};
	const struct http_sink sink = stream_http_sink(h);
	size_t n = 0;
	int r;

	while (headers && headers[n]) {
		check(n < HEADERS_MOST);
		all[n] = headers[n];
		n++;
	}
	all[n] = range;
	http_response_done(ret_response);
	r = http_perform(h->ctx, http, &request, &sink, ret_response);
	if (r < 0)
		return bitbucket_end_sentence(h->ctx, r);
	if (ret_response->status >= 500)
		return ctx_fail(h->ctx, -ECONNRESET,
				"The storage host answered %ld to a piece of "
				"%s.",
				ret_response->status, h->source->name);
	return 0;
}

bool stream_http_is_refusal(long status)
{
	return status == 400 || status == 401 || status == 403 ||
	       status == 404 || status == 410;
}

int stream_http_end(struct stream_http *h, const struct http_response *answer)
{
	long status = answer->status;

	if (status == 416)
		return stream_http_none(h, answer);
	if (status == 200 || status == 206)
		return 0;
	return ctx_fail(h->ctx, errno_of(status),
			"The storage host, to which Bitbucket sends who asks "
			"for %s, answered %ld.",
			h->source->name, status);
}

/* ---- a URL ---- */

struct url_source {
	struct stream_source base;
	struct http *http;
	char *url;
	char *headers[HEADERS_MOST + 1];
};

static int url_get(struct ctx *ctx, struct stream_source *source,
		   const struct stream_range *range,
		   const struct stream_sink *sink)
{
	const struct url_source *u = (struct url_source *)source;
	cleanup(http_response_done) struct http_response answer = {0};
	struct stream_http h = {ctx, source, range, sink, NULL, NULL};
	int r = stream_http_get(&h, u->http, u->url,
				(const char *const *)u->headers, &answer);

	return r < 0 ? r : stream_http_end(&h, &answer);
}

static void url_done(struct stream_source *source)
{
	struct url_source *u = (struct url_source *)source;

	free(u->url);
	for (size_t i = 0; u->headers[i]; i++)
		free(u->headers[i]);
}

static const struct stream_source_ops url_ops = {url_get, url_done};

struct stream_source *stream_source_url(struct http *http, const char *name,
					const char *url,
					const char *const *headers)
{
	struct url_source *u = mem_calloc(1, sizeof(*u));

	u->base = (struct stream_source){&url_ops, mem_strdup(name)};
	u->http = http;
	u->url = mem_strdup(url);
	for (size_t i = 0; headers && headers[i]; i++) {
		check(i < HEADERS_MOST);
		u->headers[i] = mem_strdup(headers[i]);
	}
	return &u->base;
}
