/*
 * content/stream_source: a range by HTTP.
 */
#include "stream_source_private.h"

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

int stream_http_get(struct stream_http *h, struct http *http,
		    const struct http_request *what,
		    struct http_response *ret_response)
{
	const struct bitbucket_range asked = stream_http_range(h->range);
	cleanup(free) char *range = bitbucket_range_header(&asked);
	const char *all[STREAM_HEADERS_MOST + 2] = {NULL};
	const struct http_sink sink = stream_http_sink(h);
	struct http_request request = *what;
	size_t n = 0;
	int r;

	for (; what->headers && what->headers[n]; n++) {
		check(n < STREAM_HEADERS_MOST);
		all[n] = what->headers[n];
	}
	all[n] = range;
	request.headers = all;
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
