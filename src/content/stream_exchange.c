/*
 * content/stream, one exchange: asking the API where the bytes are, and the
 * storage host for them. What the API answered is good for a while, so that not
 * every chunk costs a request of the quota; a link that has had its time is
 * refused by the storage host, and then asked for anew.
 */
#include "content/stream_private.h"

#include "base/clock.h"

#include <inttypes.h>

#define URL_MS (INT64_C(10) * 60 * 1000)

int stream_read_answer(struct ctx *ctx, struct stream *s,
		       const struct http_response *response,
		       uint64_t asked_first, struct stream_answer *ret_answer)
{
	struct stream_answer answer = {0, response->content_length};
	struct streams *all = s->streams;
	int64_t size;
	bool other;

	if (response->status == 206) {
		if (response->range_first < 0 ||
		    (uint64_t)response->range_first != asked_first)
			return ctx_fail(ctx, -EIO,
					"Another piece of %s came than was "
					"asked for.",
					s->path);
		answer.first = asked_first;
		answer.total = response->range_total;
	}
	mutex_lock(&all->lock);
	size = s->size;
	other = !s->growing && *s->tag && *response->etag &&
		strcmp(s->tag, response->etag) != 0;
	if (!s->growing && !*s->tag)
		memcpy(s->tag, response->etag, sizeof(response->etag));
	mutex_unlock(&all->lock);
	if (other)
		return ctx_fail(ctx, -EIO,
				"%s was replaced by another one while it was "
				"read.",
				s->path);
	if (size >= 0 && answer.total >= 0 && size != answer.total)
		return ctx_fail(ctx, -EIO,
				"Bitbucket says that %s has %" PRId64
				" bytes, but it has %" PRId64 ".",
				s->path, size, answer.total);
	if (answer.total < 0)
		answer.total = size;
	*ret_answer = answer;
	return 0;
}

/* ---- where the bytes are ---- */

/* Whether the sink of an exchange with the API is asked at all shows whether it
 * has the bytes itself. */
struct locating {
	struct stream *stream;
	const struct http_sink *sink;
};

static void note_located(struct stream *s, const char *url, bool direct)
{
	char *old;

	mutex_lock(&s->streams->lock);
	old = s->url;
	s->url = url ? xstrdup(url) : NULL;
	s->url_until_ms = clock_mono_ms() + URL_MS;
	s->direct = direct;
	s->locating = false;
	stream_changed(s);
	mutex_unlock(&s->streams->lock);
	free(old);
}

static int begin_direct(void *arg, const struct http_response *response)
{
	struct locating *l = arg;

	note_located(l->stream, NULL, true);
	return l->sink->begin(l->sink->arg, response);
}

static int take_direct(void *arg, const void *data, size_t n)
{
	struct locating *l = arg;

	return l->sink->write(l->sink->arg, data, n);
}

/* The link that is good, or NULL: the caller asks the API, and tells. Who has
 * been cancelled does neither, so others must not wait for him. */
static int known_url(struct ctx *ctx, struct stream *s, char **ret_url)
{
	struct streams *all = s->streams;
	char *url = NULL;
	int r;

	mutex_lock(&all->lock);
	while ((r = ctx_check(ctx)) == 0 && s->locating && !s->direct &&
	       !all->stopping)
		cond_wait_until(&s->changed, &all->lock,
				clock_mono_ms() + 1000);
	if (r == 0 && s->url && clock_mono_ms() < s->url_until_ms)
		url = xstrdup(s->url);
	else if (r == 0 && !s->direct)
		s->locating = true;
	mutex_unlock(&all->lock);
	*ret_url = url;
	return r;
}

static int ask_api(struct ctx *ctx, struct stream *s,
		   const struct bitbucket_range *chunk,
		   const struct http_sink *sink, struct http_response *answer,
		   char **ret_url)
{
	struct locating l = {s, sink};
	const struct http_sink direct = {take_direct, begin_direct, &l};
	int r = bitbucket_get_bytes(ctx, s->streams->config.bitbucket, s->path,
				    chunk, &direct, answer);
	bool elsewhere = r == 0 && answer->status >= 300 &&
			 answer->status < 400;

	note_located(s, elsewhere ? answer->location : NULL,
		     r == 0 && !elsewhere);
	if (elsewhere)
		*ret_url = xstrdup(answer->location);
	return r;
}

/* ---- the storage host ---- */

static int ask_storage(struct ctx *ctx, struct stream *s, const char *url,
		       const struct bitbucket_range *chunk,
		       const struct http_sink *sink,
		       struct http_response *answer)
{
	cleanup(free) char *range = bitbucket_range_header(chunk);
	const char *headers[] = {range, NULL};
	const struct http_request request = {.url = url, .headers = headers};
	int r;

	http_response_done(answer);
	r = http_perform(ctx, s->streams->config.http, &request, sink, answer);
	if (r == 0 && answer->status >= 500)
		return ctx_fail(ctx, -ECONNRESET,
				"The storage host answered %ld to a piece of "
				"%s.",
				answer->status, s->path);
	return r;
}

static bool is_refusal(long status)
{
	return status == 400 || status == 401 || status == 403 ||
	       status == 404 || status == 410;
}

static void forget_url(struct stream *s, const char *url)
{
	char *old = NULL;

	mutex_lock(&s->streams->lock);
	if (s->url && !strcmp(s->url, url))
		old = steal(&s->url);
	mutex_unlock(&s->streams->lock);
	free(old);
}

static int explain(struct ctx *ctx, const struct stream *s,
		   const struct http_response *answer)
{
	long status = answer->status;

	if (status == 200 || status == 206 || status == 416)
		return 0;
	return ctx_fail(ctx, status == 404 || status == 410 ? -ENOENT : -EIO,
			"The storage host, to which Bitbucket sends who asks "
			"for %s, answered %ld.",
			s->path, status);
}

int stream_exchange(struct ctx *ctx, struct stream *s,
		    const struct bitbucket_range *chunk,
		    const struct http_sink *sink,
		    struct http_response *ret_response)
{
	for (bool again = false;; again = true) {
		cleanup(free) char *url = NULL;
		int r = known_url(ctx, s, &url);
		bool old = url != NULL;

		/* What the storage host said of a link that has had its time.
		 */
		http_response_done(ret_response);
		if (r == 0 && !url)
			r = ask_api(ctx, s, chunk, sink, ret_response, &url);
		if (r < 0 || !url)
			return r;
		r = ask_storage(ctx, s, url, chunk, sink, ret_response);
		if (r < 0)
			return bitbucket_end_sentence(ctx, r);
		if (is_refusal(ret_response->status))
			forget_url(s, url);
		if (!old || again || !is_refusal(ret_response->status))
			return explain(ctx, s, ret_response);
	}
}
