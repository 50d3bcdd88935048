/*
 * content/stream_source, a place that somebody else names: the storage host of
 * an object of Git LFS.
 *
 * Redirects are followed here, one by one: the headers that a place is asked
 * with may be secrets under any name, and are its own host's; and a server that
 * a stranger named leads nowhere but to hosts in the open that prove who they
 * are.
 */
#include "stream_source_private.h"

#define REDIRECTS_MAX 5

struct place_source {
	struct stream_source base;
	struct http *storage;
	struct stream_places places;
};

static int check_url(struct stream_http *h, const char *text, bool may_be_here)
{
	cleanup(http_url_done) struct http_url url = {0};
	const char *why = NULL;

	if (http_url_parse(text, &url) < 0)
		why = "what is no address of HTTPS";
	else if (url.here && !may_be_here)
		why = "this machine";
	else if (!url.https && !(url.loopback && may_be_here))
		why = "plain http";
	return why ? ctx_fail(h->ctx, -EPERM,
			      "%s is said to lie at %s, which is not asked.",
			      h->source->name, why)
		   : 0;
}

static bool is_redirect(long status)
{
	return status >= 300 && status < 400;
}

static int get(struct stream_http *h, struct place_source *p,
	       const struct http_place *place, struct http_response *answer)
{
	cleanup(free) char *url = mem_strdup(place->url);

	for (unsigned n = 0; n <= REDIRECTS_MAX; n++) {
		bool same = !n || http_same_origin(place->url, url);
		const struct http_request request = {
			.url = url,
			.headers = same ? (const char *const *)place->headers
					: NULL,
			.authorization = same ? place->authorization : NULL,
			.no_redirects = true,
		};
		int r = check_url(h, url, place->may_be_here);

		if (r == 0)
			r = stream_http_get(h, p->storage, &request, answer);
		if (r < 0 || !is_redirect(answer->status))
			return r;
		free(url);
		url = mem_strdup(answer->location);
	}
	return ctx_fail(h->ctx, -EIO, "%s is redirected in circles.",
			h->source->name);
}

/* 1: the place, which was not found just now, is refused. */
static int get_once(struct stream_http *h, struct place_source *p,
		    char **refused)
{
	cleanup(http_response_done) struct http_response answer = {0};
	cleanup(http_place_done) struct http_place place = {0};
	int r = p->places.find(p->places.arg, h->ctx, *refused, &place);

	if (r == 0)
		r = get(h, p, &place, &answer);
	if (r < 0)
		return r;
	if (*refused || place.fresh || !stream_http_is_refusal(answer.status))
		return stream_http_end(h, &answer);
	*refused = mem_strdup(place.url);
	return 1;
}

static int place_get(struct ctx *ctx, struct stream_source *source,
		     const struct stream_range *range,
		     const struct stream_sink *sink)
{
	struct stream_http h = {ctx, source, range, sink, NULL, NULL};
	struct place_source *p = (struct place_source *)source;
	cleanup(free) char *refused = NULL;
	int r = get_once(&h, p, &refused);

	return r == 1 ? get_once(&h, p, &refused) : r;
}

static void place_done(struct stream_source *source)
{
	struct place_source *p = (struct place_source *)source;

	if (p->places.done)
		p->places.done(p->places.arg);
}

static const struct stream_source_ops place_ops = {place_get, place_done};

struct stream_source *stream_source_place(struct http *storage,
					  const char *name,
					  const struct stream_places *places)
{
	struct place_source *p = mem_calloc(1, sizeof(*p));

	p->base = (struct stream_source){&place_ops, mem_strdup(name)};
	p->storage = storage;
	p->places = *places;
	return &p->base;
}
