/*
 * api/budget: admits, refuses, pauses.
 *
 * The end of a pause is on the clock that goes on in suspend, as the service's
 * own clock does.
 *
 * A pause is doubled once, not by each of the requests that were under way:
 *
 *   1. A, B and C are sent.
 *   2. A is answered with 429: a pause of 1 s begins, the next will be of 2 s.
 *   3. B and C are answered with 429. The pause of 2. goes on, unchanged.
 *
 * What the service says may be wrong (a Retry-After of a day, a date in 2099),
 * and only the service can say better. So no pause is longer than the quota's
 * hour, and while a pause forbids everything some requests are let through all
 * the same: the first that comes when the service was not asked for five
 * minutes, and an urgent one (.now) much earlier. Any answer but 429 ends the
 * pause, here and, by the ledger, in the other mounts.
 *
 * A request that was admitted is taken off what is left at once:
 *
 *   1. One request is left. A is admitted and sent.
 *   2. B asks. With A counted only when its answer comes, B would be admitted,
 *      too, and be answered with 429; B is refused.
 *   3. A is answered: it is counted as often as the service was asked.
 */
#include "api/budget_private.h"

#include "base/clock.h"
#include "base/digest.h"

#define FIRST_PAUSE_MS 1000
#define LONGEST_WAIT_MS 10000
/* During a pause one request is let through in so long. */
#define TRY_MS (5 * MINUTE_MS)
#define FIRST_URGENT_MS 1000
/* When no more is left than walks leave to others, N × left / 300 requests make
 * a walk instead of N: with all of that reserve of a quota of 1,000 left, N do.
 */
#define WALK_PER_LEFT 300
#define WALK_LEAST 3
/* Once all that are not walks have made 4 × N requests, N / 10 make a walk. */
#define PEOPLE_TIMES 4
#define PEOPLE_SHARE 10

struct budget *budget_new(const struct budget_config *config)
{
	static const struct budget_config plain;
	struct budget *b = mem_alloc(sizeof(*b));

	if (!config)
		config = &plain;
	*b = (struct budget){
		.walks = budget_walks_new(config->who_of ? config->who_of
							 : budget_who_from_proc,
					  config->arg),
		.walk = config->walk ? config->walk : BUDGET_WALK_DEFAULT,
		.synced_ms = INT64_MIN / 2,
		.backoff_ms = FIRST_PAUSE_MS,
		.asked_ms = clock_boot_ms(),
		.urgent_ms = FIRST_URGENT_MS,
	};
	mutex_init(&b->lock);
	cond_init(&b->ledger_free);
	budget_quota_init(&b->api, "api",
			  config->api_hour ? config->api_hour
					   : BUDGET_API_HOUR);
	budget_quota_init(&b->git, "git", BUDGET_GIT_HOUR);
	return b;
}

struct budget *budget_free(struct budget *b)
{
	if (!b)
		return NULL;
	budget_attach(b, NULL);
	budget_walks_free(b->walks);
	cond_done(&b->ledger_free);
	mutex_done(&b->lock);
	free(b);
	return NULL;
}

/* ---- before a request ---- */

static char *say_when(int64_t left_ms, char out[static 64])
{
	char until[24];

	clock_format_iso8601(clock_wall_ms() + left_ms, until);
	snprintf(out, 64, "%s (in %lld s)", until,
		 (long long)(left_ms + 999) / 1000);
	return out;
}

static int refuse_in_pause(struct ctx *ctx, int64_t left_ms)
{
	char when[64];

	return ctx_fail(ctx, -EDQUOT,
			"Bitbucket's request limit is reached: it is asked "
			"again at %s.",
			say_when(left_ms, when));
}

/* More requests than this in ten minutes make a walk. */
static unsigned walk_begins(const struct budget *b) requires_lock(b->lock)
{
	int64_t left = budget_quota_left(&b->api), most = b->walk;

	if (left > budget_quota_reserve(&b->api, CTX_WALK) || left == 0)
		return b->walk;
	left = left * most / WALK_PER_LEFT;
	if (left < WALK_LEAST)
		left = WALK_LEAST;
	return (unsigned)(left < most ? left : most);
}

static bool is_walk(const struct budget *b, const struct walk_weight *caused)
	requires_lock(b->lock)
{
	unsigned begins = walk_begins(b), share = b->walk / PEOPLE_SHARE;

	if (share < WALK_LEAST)
		share = WALK_LEAST;
	if (caused->people / PEOPLE_TIMES > b->walk && begins > share)
		begins = share;
	return caused->weight > begins;
}

struct asking {
	struct walker walker;
	struct walk_weight caused; /* in ten minutes */
	/* Of a refusal: */
	int64_t pause_ms; /* > 0: for the pause */
	int64_t tries_ms; /* of a pause: when one may try */
	int64_t until_ms; /* wall clock; > 0: for the class */
	int64_t limit, leaves;
};

static int refuse_class(struct ctx *ctx, const struct asking *a)
{
	int64_t left = a->until_ms - clock_wall_ms();
	char when[64];

	say_when(left > 0 ? left : 0, when);
	ctx->refused = ctx->who != CTX_PERSON;
	if (ctx->walks)
		return ctx_fail(
			ctx, -EDQUOT,
			"Bitbucket's request limit: a fetch leaves %lld of the "
			"%lld requests of an hour to others; it goes on at %s.",
			(long long)a->leaves, (long long)a->limit, when);
	switch (ctx->who) {
	case CTX_PERSON:
		break;
	case CTX_WALK:
		return ctx_fail(
			ctx, -EDQUOT,
			"Bitbucket's request limit: %s (%s %d) has caused %u "
			"requests in ten minutes, and such walks leave %lld of "
			"the %lld of an hour to others; it may go on at %s.",
			*a->caused.name ? a->caused.name : "a program",
			a->caused.together
				? "with others that come and go; session"
				: "session",
			(int)a->walker.session, a->caused.caused,
			(long long)a->leaves, (long long)a->limit, when);
	case CTX_REFRESH:
		return ctx_fail(
			ctx, -EDQUOT,
			"Bitbucket's request limit: the background leaves %lld "
			"of the %lld requests of an hour to others; it goes "
			"on at %s.",
			(long long)a->leaves, (long long)a->limit, when);
	}
	return ctx_fail(ctx, -EDQUOT,
			"Bitbucket's request limit, %lld an hour, is used up: "
			"it is asked again at %s.",
			(long long)a->limit, when);
}

/* How long until a request is let through although the service forbids it. */
static int64_t tries_in(const struct ctx *ctx, const struct budget *b)
	requires_lock(b->lock)
{
	return b->asked_ms + (ctx->urgent ? b->urgent_ms : TRY_MS) -
	       clock_boot_ms();
}

static void look_whether_to_try(struct ctx *ctx, struct budget *b,
				struct asking *a) requires_lock(b->lock)
{
	int64_t left = tries_in(ctx, b);

	a->tries_ms = left;
	if (a->pause_ms > 0 && left < a->pause_ms && (left <= 0 || ctx->urgent))
		a->pause_ms = left;
	/* A person is refused when nothing is left. If the service said so, it
	 * may be wrong; if it was counted here, trying would only use more. The
	 * reserve of a class is a rule of our own: nothing to try. */
	else if (a->until_ms && left <= 0 && ctx->who == CTX_PERSON &&
		 budget_quota_is_told(&b->api))
		a->until_ms = 0;
	else
		return;
	ctx->tries = left <= 0;
}

/* True: admitted. Else the pause, or the class, forbids it. */
static bool attempt(struct ctx *ctx, struct budget *b, struct asking *a)
{
	bool admitted;

	mutex_lock(&b->lock);
	if (ctx->who != CTX_REFRESH)
		ctx->who = ctx->walks || is_walk(b, &a->caused) ? CTX_WALK
								: CTX_PERSON;
	a->pause_ms = b->paused_until_ms - clock_boot_ms();
	a->until_ms = 0;
	if (a->pause_ms <= 0) {
		a->limit = budget_quota_limit(&b->api);
		a->leaves = budget_quota_reserve(&b->api, ctx->who);
		a->until_ms = budget_quota_wait(&b->api, ctx->who, 1);
	}
	if (a->pause_ms > 0 || a->until_ms)
		look_whether_to_try(ctx, b, a);
	admitted = a->pause_ms <= 0 && !a->until_ms;
	if (admitted) {
		b->api.n_under_way++;
		b->asked_ms = clock_boot_ms();
	}
	mutex_unlock(&b->lock);
	return admitted;
}

/* Its requests are some session's. */
static bool is_of_session(const struct ctx *ctx)
{
	return !ctx->walks && (ctx->who != CTX_REFRESH || ctx->caller);
}

int budget_admit(struct ctx *ctx, struct budget *b)
{
	struct asking a = {.pause_ms = 0};
	int r = 0;

	ctx->refused = ctx->tries = false;
	if (is_of_session(ctx)) {
		budget_walks_identify(b->walks, ctx->caller, &a.walker);
		budget_walks_weigh(b->walks, &a.walker, b->walk, &a.caused);
	}
	budget_look(b);
	while (!r && !attempt(ctx, b, &a)) {
		r = ctx_check(ctx);
		if (r < 0)
			return r;
		if (a.until_ms && ctx->who == CTX_WALK && !ctx->walks)
			budget_walks_refused(b->walks, &a.walker,
					     a.caused.together);
		if (a.until_ms)
			return refuse_class(ctx, &a);
		if (a.pause_ms > LONGEST_WAIT_MS ||
		    a.pause_ms >= ctx_left_ms(ctx))
			return refuse_in_pause(ctx, a.tries_ms < a.pause_ms
							    ? a.tries_ms
							    : a.pause_ms);
		r = ctx_wait_begin(ctx);
		if (r < 0)
			return r;
		r = ctx_sleep(ctx, a.pause_ms);
		ctx_wait_end(ctx);
	}
	if (!r && is_of_session(ctx))
		budget_walks_count(b->walks, &a.walker);
	if (!r && ctx_tells()) {
		struct budget_state state;

		budget_state(b, &state);
		ctx->left = state.api.left;
	}
	return r;
}

int budget_refuses(struct ctx *ctx, struct budget *b)
{
	enum ctx_class who = ctx->who;
	struct asking a = {.pause_ms = 0};
	int r = 0;

	/* A fetch waits for its share by itself. */
	if (who == CTX_REFRESH || ctx->walks)
		return 0;
	budget_walks_identify(b->walks, ctx->caller, &a.walker);
	budget_walks_weigh(b->walks, &a.walker, b->walk, &a.caused);
	budget_look(b);
	mutex_lock(&b->lock);
	if (is_walk(b, &a.caused)) {
		ctx->who = CTX_WALK;
		a.limit = budget_quota_limit(&b->api);
		a.leaves = budget_quota_reserve(&b->api, CTX_WALK);
		a.until_ms = budget_quota_wait(&b->api, CTX_WALK, 1);
	}
	mutex_unlock(&b->lock);
	if (a.until_ms) {
		budget_walks_refused(b->walks, &a.walker, a.caused.together);
		r = refuse_class(ctx, &a);
	}
	ctx->who = who;
	return r;
}

void budget_identify(struct budget *b, int32_t thread, struct budget_who *ret)
{
	struct walker walker;

	budget_walks_identify(b->walks, thread, &walker);
	*ret = (struct budget_who){
		.session = walker.session,
		.group = walker.group,
		.process = walker.process,
		.terminal = walker.terminal,
	};
	memcpy(ret->name, walker.name, sizeof(ret->name));
}

bool budget_may_prefetch(struct budget *b, unsigned n)
{
	budget_look(b);
	return mutex_with(&b->lock,
			  b->paused_until_ms <= clock_boot_ms() &&
				  !budget_quota_wait(&b->api, CTX_REFRESH, n));
}

/* ---- after it ---- */

/* Between ms and a quarter more, so that all who wait do not come at once. */
static int64_t with_jitter(int64_t ms)
{
	uint32_t random = 0;

	/* Without randomness there is no jitter, and nothing worse. */
	if (digest_random(&random, sizeof(random)))
		return ms;
	return ms + (int64_t)(random % (uint32_t)(ms / 4 + 50));
}

/* Another mount reads a note of the ledger once, and tells a new one by its
 * time: two notes in the same millisecond would be taken for one. */
static void note_pause(struct budget *b) requires_lock(b->lock)
{
	int64_t now = clock_wall_ms();

	b->pause_noted_ms = b->pause_noted_ms == now ? now + 1 : now;
	b->pause_unwritten = true;
}

static int64_t begin_pause(struct budget *b, const struct http_response *answer)
	requires_lock(b->lock)
{
	int64_t now = clock_boot_ms(), pause;
	bool paused = b->paused_until_ms > now;

	if (answer->retry_after_s >= 0) {
		pause = answer->retry_after_s * 1000;
	} else if (answer->rate_remaining == 0 && answer->rate_reset_s >= 0) {
		pause = answer->rate_reset_s * 1000;
	} else if (paused) {
		return b->paused_until_ms - now;
	} else {
		pause = b->backoff_ms;
		b->backoff_ms = b->backoff_ms < LONGEST_BACKOFF_MS / 2
					? b->backoff_ms * 2
					: LONGEST_BACKOFF_MS;
	}
	pause = with_jitter(pause < LONGEST_PAUSE_MS ? pause
						     : LONGEST_PAUSE_MS);
	if (pause > LONGEST_PAUSE_MS)
		pause = LONGEST_PAUSE_MS;
	if (!paused)
		b->urgent_ms = FIRST_URGENT_MS;
	if (b->paused_until_ms < now + pause) {
		b->paused_until_ms = now + pause;
		note_pause(b);
	}
	return b->paused_until_ms - now;
}

/* What came of a request that tried. */
static void heed_try(struct budget *b, const struct http_response *answer)
	requires_lock(b->lock)
{
	int64_t now = clock_boot_ms();

	if (answer->status == 429) {
		b->urgent_ms = b->urgent_ms < LONGEST_BACKOFF_MS / 2
				       ? b->urgent_ms * 2
				       : LONGEST_BACKOFF_MS;
	} else if (answer->status && answer->status < 500) {
		b->urgent_ms = FIRST_URGENT_MS;
		if (b->paused_until_ms > now) {
			b->paused_until_ms = now;
			note_pause(b);
		}
	}
}

int64_t budget_observe(struct ctx *ctx, struct budget *b,
		       const struct http_response *answer)
{
	bool noted;
	int64_t pause = 0;

	mutex_lock(&b->lock);
	check(b->api.n_under_way > 0);
	b->api.n_under_way--;
	b->n_requests += answer->n_asked;
	budget_quota_count(&b->api, ctx->who, answer->n_asked);
	budget_quota_hear(&b->api, answer);
	if (answer->status)
		b->asked_ms = clock_boot_ms();
	if (ctx->tries)
		heed_try(b, answer);
	/* Otherwise each retry of this request would be let through. */
	if (answer->status == 429)
		ctx->urgent = false;
	if (answer->status == 429)
		pause = begin_pause(b, answer);
	else if (answer->status && b->paused_until_ms <= clock_boot_ms())
		b->backoff_ms = FIRST_PAUSE_MS;
	noted = b->pause_unwritten;
	mutex_unlock(&b->lock);
	/* A pause is written now, at the cost of waiting for another writer:
	 * other mounts would go on asking until the next time. */
	budget_sync(b, noted);
	return pause;
}

void budget_count_git(struct budget *b, uint64_t n_requests)
{
	mutex_lock(&b->lock);
	if (n_requests > b->n_git_seen) {
		budget_quota_count(&b->git, CTX_PERSON,
				   (unsigned)(n_requests - b->n_git_seen));
		b->n_git_seen = n_requests;
	}
	mutex_unlock(&b->lock);
	budget_look(b);
}

/* ---- for people ---- */

void budget_state(struct budget *b, struct budget_state *ret_state)
{
	struct budget_state state = {0};
	int64_t now = clock_boot_ms();
	unsigned walk;

	budget_look(b);
	mutex_lock(&b->lock);
	state.n_requests = b->n_requests;
	budget_quota_state(&b->api, &state.api);
	budget_quota_state(&b->git, &state.git);
	if (b->paused_until_ms > now) {
		int64_t tries = b->asked_ms + TRY_MS;

		state.paused_until_ms = clock_wall_ms() + b->paused_until_ms -
					now;
		if (tries < b->paused_until_ms)
			state.tries_ms = clock_wall_ms() +
					 (tries > now ? tries - now : 0);
	}
	for (int who = 0; who < CTX_CLASSES; who++)
		state.waits_until_ms[who] =
			budget_quota_wait(&b->api, (enum ctx_class)who, 1);
	walk = walk_begins(b);
	mutex_unlock(&b->lock);
	state.n_walks = budget_walks_list(b->walks, walk, state.walks,
					  ARRAY_SIZE(state.walks));
	*ret_state = state;
}
