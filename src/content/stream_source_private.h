/*
 * content/stream_source, inside: a GET of a range by HTTP, which all sources
 * have in common that lie in the network.
 */
#ifndef CONTENT_STREAM_SOURCE_PRIVATE_H
#define CONTENT_STREAM_SOURCE_PRIVATE_H

#include "content/stream_source.h"

#include "api/bitbucket.h"
#include "wire/http.h"

/* An answer by HTTP on its way to the sink of a source. */
struct stream_http {
	struct ctx *ctx;
	const struct stream_source *source;
	const struct stream_range *range;
	const struct stream_sink *sink;
	/* If not NULL: called before the sink. */
	void (*began)(void *arg);
	void *began_arg;
};
/* What wire/http is given: hands 200 and 206 on. */
struct http_sink stream_http_sink(struct stream_http *);
/* After an answer of 416, which has no bytes. */
int stream_http_none(struct stream_http *, const struct http_response *);
struct bitbucket_range stream_http_range(const struct stream_range *);

/* A GET of a storage host. 0 for whatever it answered below 500. */
#define STREAM_HEADERS_MOST 16
int stream_http_get(struct stream_http *, struct http *,
		    const struct http_request *,
		    struct http_response *ret_response);
/* A link that has had its time, or another one's. */
bool stream_http_is_refusal(long status);
/* The end of an exchange with a storage host: 0, or why it is none. */
int stream_http_end(struct stream_http *, const struct http_response *);

#endif
