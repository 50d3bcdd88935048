/*
 * content/read_through: read-through. The policy of freshness is in
 * `good_enough` and `wait_ms`, everything else is the order of calls: look,
 * join the flight, look again (somebody may have landed between the two),
 * fetch, look.
 *
 * A reader who has old bytes to fall back on gives the network 3 s. What it
 * began is broken off then (but a list goes on: read_through_list.c), and
 * whoever waits with more patience leads anew. After such a disappointment,
 * other readers with old bytes do not wait at all for a moment: a directory of
 * them would take 3 s each.
 */
#include "read_through_private.h"

#include "base/clock.h"
#include "base/log.h"

#define DOCUMENT_MS 60000
#define IMPATIENT_MS 3000
#define DISAPPOINTED_MS 5000
#define FAILURES_REMEMBERED_MS 2000

struct read_through *read_through_new(struct cache *cache)
{
	struct read_through *rt = mem_calloc(1, sizeof(*rt));

	rt->cache = cache;
	rt->flight = flight_new(FAILURES_REMEMBERED_MS);
	rt->lists = flight_new(FAILURES_REMEMBERED_MS);
	mutex_init(&rt->lock);
	read_through_lists_init(rt);
	return rt;
}

struct read_through *read_through_free(struct read_through *rt)
{
	if (!rt)
		return NULL;
	read_through_lists_done(rt);
	flight_free(rt->flight);
	mutex_done(&rt->lock);
	free(rt);
	return NULL;
}

static bool is_offline(int r)
{
	return r == -ENETUNREACH || r == -ETIMEDOUT || r == -ECONNRESET;
}

void read_through_note(struct read_through *rt, int r, const char *sentence,
		       bool impatient)
{
	int64_t wall = clock_wall_ms();

	if (r == -EINTR || r == -EAGAIN)
		return;
	mutex_lock(&rt->lock);
	if (r == 0) {
		rt->health.offline = false;
		rt->health.last_ok_ms = wall;
		rt->back_off_until_ms = 0;
	} else {
		if (!impatient)
			rt->health.offline = is_offline(r);
		rt->health.last_failure_ms = wall;
		rt->health.last_errno = -r;
		snprintf(rt->health.last_sentence,
			 sizeof(rt->health.last_sentence), "%s", sentence);
	}
	mutex_unlock(&rt->lock);
}

static void be_disappointed(struct read_through *rt)
{
	mutex_lock(&rt->lock);
	rt->back_off_until_ms = clock_mono_ms() + DISAPPOINTED_MS;
	mutex_unlock(&rt->lock);
}

static bool is_disappointed(struct read_through *rt)
{
	return mutex_with(&rt->lock, rt->back_off_until_ms > clock_mono_ms());
}

void read_through_renewed(struct read_through *rt)
{
	flight_forget(rt->flight, "");
	flight_forget(rt->lists, "");
	mutex_lock(&rt->lock);
	rt->back_off_until_ms = 0;
	mutex_unlock(&rt->lock);
	/* What cannot be written is asked for when its lifetime is over. */
	if (cache_expire_negative(rt->cache))
		log_debug("negative answers could not be expired");
}

void read_through_health(struct read_through *rt,
			 struct read_through_health *ret_health)
{
	struct cache_stats stats;

	mutex_lock(&rt->lock);
	*ret_health = rt->health;
	mutex_unlock(&rt->lock);
	if (cache_stats(rt->cache, &stats) == 0) {
		ret_health->n_documents = stats.n_documents;
		ret_health->n_bytes = stats.n_bytes;
	}
}

void read_through_look(struct read_through *rt, const char *key,
		       struct cache_entry **entry)
{
	struct cache_entry *fresh = NULL;

	/* A failed read is a MISS to us, and said where it happened. */
	if (cache_get(rt->cache, key, &fresh) <= CACHE_MISS)
		fresh = NULL;
	cache_entry_free(*entry);
	*entry = fresh;
}

/* Expired by less than its own lifetime. That something is not there is no
 * answer beyond it: who waits for a name to come looks again and again, and
 * would see it twice as late. */
static bool good_enough(const struct cache_entry *e)
{
	return e && (e->left_ms >= 0 || (e->body && e->left_ms > -e->ttl_ms));
}

static int serve(struct cache_entry **entry, bool stale,
		 struct cache_entry **ret_entry, bool *ret_stale)
{
	*ret_stale = stale || (*entry)->left_ms < 0;
	*ret_entry = steal(entry);
	return 0;
}

bool read_through_came_meanwhile(struct read_through *rt,
				 const struct read_through_ask *ask,
				 struct cache_entry **entry)
{
	int64_t before_ms = *entry ? (*entry)->fetched_ms : INT64_MIN;

	read_through_look(rt, ask->key, entry);
	return *entry && (*entry)->left_ms >= 0 &&
	       (ask->mode == READ_THROUGH || (*entry)->fetched_ms > before_ms);
}

int read_through_fetch_now(struct ctx *ctx, struct read_through *rt,
			   const char *key, read_through_fetch *fetch,
			   void *arg, struct cache_entry **entry)
{
	int r;

	ctx->sentence[0] = '\0';
	r = fetch(ctx, arg, *entry);
	if (r < 0 && atomic_load(&ctx->cancelled))
		r = -EINTR;
	if (r == 0)
		read_through_look(rt, key, entry);
	if (r == 0 && !*entry)
		r = ctx_fail(ctx, -EIO,
			     "The cache did not keep what was fetched.");
	if (r < 0 && !*ctx->sentence)
		ctx_fail(ctx, r, "Bitbucket could not be asked: %s.",
			 strerror(-r));
	return r;
}

/* We lead: fetches, unless somebody did between our look and now. */
static int lead(struct ctx *ctx, struct read_through *rt,
		const struct read_through_ask *ask, struct cache_entry **entry)
{
	bool impatient = ask->mode == READ_THROUGH && *entry, late, refused;
	int r;

	if (read_through_came_meanwhile(rt, ask, entry)) {
		flight_land(rt->flight, ask->key, 0, NULL);
		return 0;
	}
	r = read_through_fetch_now(ctx, rt, ask->key, ask->fetch, ask->arg,
				   entry);
	late = r == -ETIMEDOUT && ctx_check(ctx) == -ETIMEDOUT;
	refused = read_through_refused(ctx, r);
	if (!refused)
		read_through_note(rt, r, ctx->sentence, impatient && late);
	/* Our own deadline is not everybody's, nor is our share of a quota. */
	flight_land_as(rt->flight, ask->key,
		       &(struct flight_landing){
			       .result = late || refused ? -EAGAIN : r,
			       .sentence = ctx->sentence,
			       .remember_ms = read_through_remember(r),
		       });
	return r;
}

static int refresh(struct ctx *ctx, struct read_through *rt,
		   const struct read_through_ask *ask,
		   struct cache_entry **entry)
{
	if (ask->list)
		return read_through_bring_list(ctx, rt, ask, entry);
	for (unsigned i = 0; i < READ_THROUGH_TRIES; i++) {
		int r = flight_join(ctx, rt->flight, ask->key);

		if (r < 0)
			return r;
		if (r == FLIGHT_LEAD)
			return lead(ctx, rt, ask, entry);
		read_through_look(rt, ask->key, entry);
		if (*entry)
			return 0;
	}
	return ctx_fail(ctx, -EIO, "The cache did not keep what was fetched.");
}

static int get(struct ctx *ctx, struct read_through *rt,
	       const struct read_through_ask *ask, int64_t most_ms,
	       struct cache_entry **ret_entry, bool *ret_stale)
{
	cleanup(cache_entry_free) struct cache_entry *entry = NULL;
	enum read_through_mode mode = ask->mode;
	int64_t deadline;
	bool had;
	int r;

	read_through_look(rt, ask->key, &entry);
	if (mode == READ_CACHED && !entry)
		return -ENOENT;
	if (mode == READ_CACHED || (mode == READ_THROUGH && good_enough(entry)))
		return serve(&entry, false, ret_entry, ret_stale);
	if (mode == READ_THROUGH && entry &&
	    (is_disappointed(rt) || ctx_is_barred(ctx)))
		return serve(&entry, true, ret_entry, ret_stale);
	/* Before a flight is entered: a list that it brings goes on without
	 * whoever wanted it. */
	r = ctx_may_ask(ctx);
	if (r < 0)
		return r;
	if (mode == READ_REFRESH || mode == READ_ANEW)
		flight_forget(ask->list ? rt->lists : rt->flight, ask->key);

	had = entry != NULL;
	deadline = ctx_narrow(ctx, mode == READ_THROUGH && had ? IMPATIENT_MS
							       : most_ms);
	r = refresh(ctx, rt, ask, &entry);
	ctx_widen(ctx, deadline);
	if (r == 0)
		return serve(&entry, false, ret_entry, ret_stale);
	if (r == -EINTR || mode == READ_REFRESH || mode == READ_ANEW)
		return r;
	if (entry) {
		if (is_offline(r) || r == -EBUSY)
			be_disappointed(rt);
		return serve(&entry, true, ret_entry, ret_stale);
	}
	if (is_offline(r) && *ctx->sentence) {
		cleanup(free) char *why = mem_strdup(ctx->sentence);
		size_t n = strlen(why);

		if (n && why[n - 1] == '.')
			why[n - 1] = '\0';
		return ctx_fail(ctx, r, "%s, and nothing of it is cached yet.",
				why);
	}
	return r;
}

int read_through_get(struct ctx *ctx, struct read_through *rt, const char *key,
		     enum read_through_mode mode, read_through_fetch *fetch,
		     void *arg, struct cache_entry **ret_entry, bool *ret_stale)
{
	return read_through_get_within(ctx, rt, DOCUMENT_MS, key, mode, fetch,
				       arg, ret_entry, ret_stale);
}

int read_through_get_within(struct ctx *ctx, struct read_through *rt,
			    int64_t most_ms, const char *key,
			    enum read_through_mode mode,
			    read_through_fetch *fetch, void *arg,
			    struct cache_entry **ret_entry, bool *ret_stale)
{
	const struct read_through_ask ask = {
		.key = key,
		.mode = mode,
		.fetch = fetch,
		.arg = arg,
	};

	return get(ctx, rt, &ask, most_ms, ret_entry, ret_stale);
}

int read_through_get_list(struct ctx *ctx, struct read_through *rt,
			  int64_t most_ms, const char *key,
			  enum read_through_mode mode,
			  const struct read_through_list *list, void *arg,
			  struct cache_entry **ret_entry, bool *ret_stale)
{
	const struct read_through_ask ask = {
		.key = key,
		.mode = mode,
		.arg = arg,
		.list = list,
	};

	return get(ctx, rt, &ask, most_ms, ret_entry, ret_stale);
}
