/*
 * api/bitbucket, bytes that are no JSON: logs and downloads. They may be
 * large, so they are handed on as they come, and a piece of them can be asked
 * for. Mostly the API only says where they are: a signed URL of a storage host,
 * which is not the API's, knows no quota and must see no credential.
 */
#include "api/bitbucket_private.h"

#include "base/clock.h"

#include <inttypes.h>

#define HOPS_MOST 5

char *bitbucket_range_header(const struct bitbucket_range *piece)
{
	if (piece->n)
		return mem_asprintf("Range: bytes=%" PRIu64 "-%" PRIu64,
				    piece->first, piece->first + piece->n - 1);
	return piece->first
		       ? mem_asprintf("Range: bytes=%" PRIu64 "-", piece->first)
		       : NULL;
}

/* Notes whether the sink was given bytes: a retry would give it the same bytes
 * again. */
struct watched {
	const struct http_sink *sink;
	bool began;
};

static int begin(void *arg, const struct http_response *response)
{
	struct watched *w = arg;

	return w->sink->begin ? w->sink->begin(w->sink->arg, response) : 0;
}

static int hand_on(void *arg, const void *data, size_t n)
{
	struct watched *w = arg;

	w->began = true;
	return w->sink->write(w->sink->arg, data, n);
}

static bool is_answer(long status)
{
	return status == 200 || status == 206 || status == 416 ||
	       (status >= 300 && status < 400);
}

static int get_once(struct ctx *ctx, struct bitbucket *b, const char *url,
		    const struct bitbucket_range *piece, struct watched *w,
		    struct http_response *answer)
{
	cleanup(free) char *range = bitbucket_range_header(piece);
	const char *headers[] = {range, NULL};
	const struct http_request request = {
		.url = url,
		.headers = headers,
		.no_redirects = true,
	};
	const struct http_sink sink = {hand_on, begin, w};

	http_response_done(answer);
	return bitbucket_perform(ctx, b, &request, &sink, answer);
}

static int get_patiently(struct ctx *ctx, struct bitbucket *b, const char *url,
			 const struct bitbucket_range *piece, struct watched *w,
			 struct http_response *answer)
{
	for (unsigned attempt = 0;; attempt++) {
		int64_t began = clock_mono_ms(), wait_ms = 0;
		int r;

		ctx->sentence[0] = '\0';
		r = get_once(ctx, b, url, piece, w, answer);
		if (r == 0 && is_answer(answer->status))
			return 0;
		if (w->began ||
		    !bitbucket_may_retry(ctx, r, answer, BITBUCKET_JSON,
					 attempt, clock_mono_ms() - began,
					 &wait_ms) ||
		    wait_ms >= ctx_left_ms(ctx))
			return r < 0 ? bitbucket_end_sentence(ctx, r)
				     : bitbucket_explain(ctx, b, url, answer);
		r = bitbucket_pause(ctx, wait_ms);
		if (r < 0)
			return r;
	}
}

int bitbucket_get_bytes(struct ctx *ctx, struct bitbucket *b, const char *path,
			const struct bitbucket_range *piece,
			const struct http_sink *sink,
			struct http_response *ret_response)
{
	cleanup(free) char *url = bitbucket_url(b, path);
	struct watched w = {.sink = sink};

	*ret_response = (struct http_response){0};
	for (unsigned n_hops = 0; n_hops < HOPS_MOST; n_hops++) {
		const char *to = ret_response->location;
		int r = get_patiently(ctx, b, url, piece, &w, ret_response);

		if (r < 0 || ret_response->status < 300 ||
		    ret_response->status >= 400)
			return r;
		if (!*to)
			return ctx_fail(ctx, -EIO,
					"Bitbucket does not say where %s is.",
					path);
		if (!http_same_origin(to, b->api_url)) {
			/* A signed URL is a secret for as long as it lives. */
			if (!strncmp(b->api_url, "https:", 6) &&
			    strncmp(to, "https:", 6))
				return ctx_fail(ctx, -EPERM,
						"Bitbucket redirects %s to "
						"plain http, which is not "
						"followed.",
						path);
			return 0;
		}
		free(url);
		url = mem_strdup(to);
	}
	return ctx_fail(ctx, -EPROTO, "Bitbucket redirects %s in circles.",
			path);
}
