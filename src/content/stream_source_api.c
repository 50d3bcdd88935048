/*
 * content/stream_source, a path of the API: which mostly only says where the
 * bytes are, by a signed link of a storage host. One asks the API for the link
 * (a flight), the others wait for it.
 *
 * The API has the bytes itself:
 * 1. A leads, and asks the API; B waits for the link.
 * 2. The API answers with the bytes, which A hands on for as long as they come.
 * 3. B would wait for all of A's bytes. So A's flight lands as soon as A's
 *    answer begins, and B asks the API for its own range.
 */
#include "stream_source_private.h"

#include "base/clock.h"
#include "store/flight.h"

#define LINK_MS (INT64_C(10) * 60 * 1000)
#define LINK "link" /* the one key of the flight */

struct api_source {
	struct stream_source base; /* its name is the path */
	struct bitbucket *bitbucket;
	struct http *storage;
	struct flight *locating;
	struct mutex lock; /* a leaf */
	/* Under lock: where the API said that the bytes are. */
	char *link; /* NULL: nowhere, or not asked yet */
	int64_t link_until_ms;
	bool is_direct; /* the API has the bytes itself */
};

/* One who asks the API. */
struct asker {
	struct api_source *api;
	bool leads; /* its flight has not landed yet */
};

static void land(struct asker *asker, int r, const char *sentence)
{
	if (asker->leads)
		flight_land(asker->api->locating, LINK, r, sentence);
	asker->leads = false;
}

/* True: *ret_link is the link that is good, or NULL where the API has the
 * bytes. False: the API has to be asked which. */
static bool is_located(struct api_source *api, char **ret_link)
{
	bool located;

	mutex_lock(&api->lock);
	located = api->is_direct ||
		  (api->link && clock_mono_ms() < api->link_until_ms);
	*ret_link = located && !api->is_direct ? mem_strdup(api->link) : NULL;
	mutex_unlock(&api->lock);
	return located;
}

/* 0: *ret_link, or, where it is NULL, the API is to be asked for the bytes. */
static int find_link(struct ctx *ctx, struct asker *asker, char **ret_link)
{
	int r = ctx_check(ctx);

	while (r == 0 && !is_located(asker->api, ret_link)) {
		r = flight_join(ctx, asker->api->locating, LINK);
		if (r == FLIGHT_LEAD) {
			asker->leads = true;
			/* Somebody may have located it since. */
			if (is_located(asker->api, ret_link))
				land(asker, 0, NULL);
			return 0;
		}
		r = r < 0 ? r : 0;
	}
	return r;
}

static void note_located(struct asker *asker, const char *link)
{
	struct api_source *api = asker->api;
	char *old;

	mutex_lock(&api->lock);
	old = api->link;
	api->link = link ? mem_strdup(link) : NULL;
	api->link_until_ms = clock_mono_ms() + LINK_MS;
	api->is_direct = !link;
	mutex_unlock(&api->lock);
	free(old);
	land(asker, 0, NULL);
}

static void began_directly(void *arg)
{
	note_located(arg, NULL);
}

/* The link was refused; unless there is another one by now. */
static void forget_link(struct api_source *api, const char *link)
{
	char *old = NULL;

	mutex_lock(&api->lock);
	if (api->link && !strcmp(api->link, link))
		old = steal(&api->link);
	mutex_unlock(&api->lock);
	free(old);
}

/* Asks the API for the range. *ret_link: it says where the bytes are; NULL: it
 * had them, and they were handed on. */
static int ask_api(struct stream_http *h, struct asker *asker, char **ret_link)
{
	cleanup(http_response_done) struct http_response answer = {0};
	const struct bitbucket_range range = stream_http_range(h->range);
	const struct http_sink sink = stream_http_sink(h);
	int r;

	h->began = began_directly;
	h->began_arg = asker;
	r = bitbucket_get_bytes(h->ctx, asker->api->bitbucket, h->source->name,
				&range, &sink, &answer);
	h->began = NULL;
	if (r == 0 && answer.status >= 300 && answer.status < 400) {
		note_located(asker, answer.location);
		*ret_link = mem_strdup(answer.location);
	} else if (r == 0 && answer.status == 416) {
		note_located(asker, NULL);
		r = stream_http_none(h, &answer);
	}
	/* What this caller alone was refused, the next one may be given. */
	land(asker, r < 0 && h->ctx->refused ? -EAGAIN : r, h->ctx->sentence);
	return r;
}

/* 1: the link, which was not asked for just now, is refused: once more. */
static int get_once(struct stream_http *h, struct api_source *api,
		    bool may_be_old)
{
	cleanup(http_response_done) struct http_response answer = {0};
	cleanup(free) char *link = NULL;
	struct asker asker = {.api = api};
	int r = find_link(h->ctx, &asker, &link);
	bool is_old = link != NULL;

	if (r == 0 && !link)
		r = ask_api(h, &asker, &link);
	if (r < 0 || !link)
		return r;
	r = stream_http_get(h, api->storage,
			    &(struct http_request){.url = link}, &answer);
	if (r < 0)
		return r;
	if (!stream_http_is_refusal(answer.status))
		return stream_http_end(h, &answer);
	forget_link(api, link);
	return is_old && may_be_old ? 1 : stream_http_end(h, &answer);
}

static int api_get(struct ctx *ctx, struct stream_source *source,
		   const struct stream_range *range,
		   const struct stream_sink *sink)
{
	struct api_source *api = (struct api_source *)source;
	struct stream_http h = {ctx, source, range, sink, NULL, NULL};
	int r = get_once(&h, api, true);

	return r == 1 ? get_once(&h, api, false) : r;
}

static void api_done(struct stream_source *source)
{
	struct api_source *api = (struct api_source *)source;

	flight_free(api->locating);
	mutex_done(&api->lock);
	free(api->link);
}

static const struct stream_source_ops api_ops = {api_get, api_done};

struct stream_source *stream_source_api(struct bitbucket *bitbucket,
					struct http *storage, const char *path)
{
	struct api_source *api = mem_calloc(1, sizeof(*api));

	api->base = (struct stream_source){&api_ops, mem_strdup(path)};
	api->bitbucket = bitbucket;
	api->storage = storage;
	api->locating = flight_new(0);
	mutex_init(&api->lock);
	return &api->base;
}
