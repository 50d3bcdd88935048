/*
 * content/answer: see answer_private.h.
 */
#include "content/answer_private.h"

#include "base/clock.h"
#include "store/say.h"
#include "table/resource.h"

#define WALKED "walked"
#define CHANGES "changes-since"
/* A walk that was quicker can be taken for one moment. */
#define LONG_WALK_MS 10000
/* As much may be between this clock and the service's. */
#define CLOCKS_MS 60000

/* ---- what is at hand ---- */

struct cache_entry *answer_peek(struct cache *cache, const char *key)
{
	struct cache_entry *e = NULL;

	return cache_get(cache, key, &e) <= CACHE_MISS ? NULL : e;
}

struct cache_entry *answer_peek_version(struct cache *cache, const char *key)
{
	struct cache_entry *e = NULL;

	return cache_stat(cache, key, &e) <= CACHE_MISS ? NULL : e;
}

struct cache_entry *answer_at_hand(struct cache *cache, const char *key,
				   bool body)
{
	struct cache_entry *e =
		(body ? answer_peek : answer_peek_version)(cache, key);

	return e && e->negative ? cache_entry_free(e) : e;
}

struct json *answer_json(const struct cache_entry *e)
{
	return e ? json_of(e->body) : NULL;
}

struct answer_age answer_age_of(const struct cache_entry *e, bool stale)
{
	return (struct answer_age){
		.left_ms = e->left_ms > 0 ? e->left_ms : 0,
		.fetched_ms = e->fetched_ms,
		.stale = stale,
	};
}

int answer_failed(struct ctx *ctx, const struct cache_entry *e)
{
	return ctx_fail(ctx, -e->negative, "%s", e->note);
}

static int64_t time_in(const struct blob *body, const char *path)
{
	cleanup(json_free) struct json *json = path ? json_of(body) : NULL;

	return resource_time(json, path);
}

void answer_document_done(struct answer_document *d)
{
	blob_unref(d->body);
	*d = (struct answer_document){0};
}

int answer_document_of(struct ctx *ctx, const struct cache_entry *e, bool stale,
		       const char *time_path, struct answer_document *ret)
{
	if (!e->body)
		return answer_failed(ctx, e);
	*ret = (struct answer_document){
		.body = blob_ref(e->body),
		.version = e->version,
		.updated_ms = time_in(e->body, time_path),
		.age = answer_age_of(e, stale),
	};
	return 0;
}

/* ---- storing ---- */

static int said(struct ctx *ctx, int r)
{
	return r < 0 ? ctx_fail(ctx, r, "The cache cannot be written: %s.",
				store_why(-r))
		     : 0;
}

int answer_put(struct ctx *ctx, struct cache *cache,
	       const struct cache_put *puts, size_t n)
{
	return said(ctx, cache_put(cache, puts, n, NULL));
}

int answer_touch(struct ctx *ctx, struct cache *cache, const char *key,
		 int64_t ttl_ms)
{
	return said(ctx, cache_touch(cache, key, ttl_ms));
}

int answer_put_failure(struct ctx *ctx, struct cache *cache, const char *key,
		       int r, int64_t ttl_ms)
{
	return answer_put(ctx, cache,
			  &(struct cache_put){
				  .key = key,
				  .negative = -r,
				  .note = ctx->sentence,
				  .ttl_ms = ttl_ms,
			  },
			  1);
}

bool answer_is_gone(long status)
{
	return status == 403 || status == 404 || status == 410;
}

/* ---- batches ---- */

void answer_batch_done(struct answer_batch *b)
{
	for (size_t i = 0; i < b->n; i++)
		free((char *)(uintptr_t)b->puts[i].key);
	free(b->puts);
	for (size_t i = 0; i < b->n_owned; i++)
		free(b->owned[i]);
	free(b->owned);
}

static struct cache_put *batch_grow(struct answer_batch *b)
{
	mem_grow(b->puts, b->n, b->size);
	return &b->puts[b->n++];
}

void answer_batch_add(struct answer_batch *b, char *key, const void *body,
		      size_t n, const char *etag, int64_t ttl_ms)
{
	*batch_grow(b) = (struct cache_put){
		.key = key,
		.body = body,
		.n_body = n,
		.etag = etag,
		.ttl_ms = ttl_ms,
	};
}

void answer_batch_own(struct answer_batch *b, char *key, char *body, size_t n,
		      int64_t ttl_ms)
{
	answer_batch_add(b, key, body, n, NULL, ttl_ms);
	mem_grow(b->owned, b->n_owned, b->size_owned);
	b->owned[b->n_owned++] = body;
}

void answer_batch_time(struct answer_batch *b, int64_t time_ms)
{
	b->puts[b->n - 1].time_ms = time_ms;
}

void answer_batch_drop(struct answer_batch *b, char *key)
{
	*batch_grow(b) = (struct cache_put){.key = key, .drop = true};
}

void answer_batch_touch(struct answer_batch *b, char *key, int64_t ttl_ms)
{
	*batch_grow(b) = (struct cache_put){
		.key = key,
		.ttl_ms = ttl_ms,
		.touch = true,
	};
}

/* ---- lists that are brought up to date by what was changed since ---- */

/* 0: there is none. */
static int64_t get_time(struct cache *cache, const char *space, const char *key)
{
	cleanup(blob_unref) struct blob *value = NULL;
	int64_t at;

	if (cache_fact_get(cache, space, key, strlen(key), &value) < 0 ||
	    blob_len(value) != sizeof(at))
		return 0;
	memcpy(&at, blob_data(value), sizeof(at));
	return at;
}

static void put_time(struct cache *cache, const char *space, const char *key,
		     int64_t at)
{
	/* Not kept, it is walked again: no more than that. */
	(void)cache_fact_put(cache, space, key, strlen(key), &at,
			     at ? sizeof(at) : 0);
}

int64_t answer_walked_ms(struct cache *cache, const char *key)
{
	return get_time(cache, WALKED, key);
}

int64_t answer_changes_since_ms(struct cache *cache, const char *key,
				int64_t newest_ms)
{
	int64_t since = get_time(cache, CHANGES, key);

	return since && since < newest_ms ? since : newest_ms;
}

void answer_has_changes(struct cache *cache, const char *key)
{
	if (get_time(cache, CHANGES, key))
		put_time(cache, CHANGES, key, 0);
}

bool answer_walk_is_due(struct cache *cache, const char *key, int64_t every_ms)
{
	int64_t at = answer_walked_ms(cache, key), now = clock_wall_ms();

	return !at || now < at || now - at >= every_ms;
}

/*
 * The newest change in a list is no sign that all before it are there:
 * 1. A walks the pages. Page 1 has item 5, of 10:00.
 * 2. Item 5 is changed, at 10:01.
 * 3. Item 700 is changed, at 10:02; page 14 has that.
 * 4. An hour later B asks for what was changed since 10:02, and 5 stays as it
 *    was until the next walk.
 * So B asks for what was changed since 1.
 */
void answer_was_walked(struct cache *cache, const char *key, int64_t since_ms)
{
	if (clock_wall_ms() - since_ms >= LONG_WALK_MS)
		put_time(cache, CHANGES, key, since_ms - CLOCKS_MS);
	else
		answer_has_changes(cache, key);
	put_time(cache, WALKED, key, since_ms);
}

void answer_walk_next(struct cache *cache, const char *key)
{
	(void)cache_fact_put(cache, WALKED, key, strlen(key), "", 0);
	(void)cache_expire(cache, key);
}
