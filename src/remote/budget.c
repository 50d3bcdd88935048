/*
 * remote/budget: one pause for all threads, and a count of an hour in minutes.
 *
 * The end of a pause is on the clock that goes on in suspend: the service's
 * does too. Several requests are under way when the first 429 comes; theirs
 * come while the pause has begun and do not double it.
 */
#include "remote/budget.h"

#include "base/clock.h"
#include "base/digest.h"
#include "base/sync.h"

#define MINUTE_MS 60000
#define N_MINUTES 60
#define FIRST_PAUSE_MS 1000
#define LONGEST_BACKOFF_MS 60000
#define LONGEST_WAIT_MS 10000

struct budget {
	struct mutex lock;
	/* All below: under lock. */
	uint64_t n_requests;
	int64_t minute; /* of the newest of the counts */
	unsigned counts[N_MINUTES];
	int64_t limit, remaining;
	int64_t reset_ms;        /* clock_boot_ms of the new window; -1 */
	int64_t paused_until_ms; /* clock_boot_ms; 0: never paused */
	int64_t backoff_ms;      /* of the next 429 that says nothing */
};

struct budget *budget_new(void)
{
	struct budget *b = xcalloc(1, sizeof(*b));

	mutex_init(&b->lock);
	b->limit = b->remaining = b->reset_ms = -1;
	b->backoff_ms = FIRST_PAUSE_MS;
	return b;
}

struct budget *budget_free(struct budget *b)
{
	if (!b)
		return NULL;
	mutex_done(&b->lock);
	free(b);
	return NULL;
}

static int64_t pause_left(struct budget *b)
{
	int64_t left;

	mutex_lock(&b->lock);
	left = b->paused_until_ms - clock_boot_ms();
	mutex_unlock(&b->lock);
	return left > 0 ? left : 0;
}

static int refuse(struct ctx *ctx, int64_t left_ms)
{
	char until[24];

	clock_format_iso8601(clock_wall_ms() + left_ms, until);
	return ctx_fail(ctx, -EDQUOT,
			"Bitbucket's request limit is reached: it is asked "
			"again at %s (in %lld s).",
			until, (long long)(left_ms + 999) / 1000);
}

int budget_admit(struct ctx *ctx, struct budget *b)
{
	int64_t left;
	int r = 0;

	while (!r && (left = pause_left(b))) {
		r = ctx_check(ctx);
		if (r < 0)
			return r;
		if (left > LONGEST_WAIT_MS || left >= ctx_left_ms(ctx))
			return refuse(ctx, left);
		r = ctx_wait_begin(ctx);
		if (r < 0)
			return r;
		r = ctx_sleep(ctx, left);
		ctx_wait_end(ctx);
	}
	return r;
}

/* Between ms and a quarter more, so that all who wait do not come at once. */
static int64_t with_jitter(int64_t ms)
{
	uint32_t random = 0;

	/* Without randomness there is no jitter, and nothing worse. */
	if (digest_random(&random, sizeof(random)))
		return ms;
	return ms + (int64_t)(random % (uint32_t)(ms / 4 + 50));
}

static void count(struct budget *b) requires_lock(b->lock)
{
	int64_t minute = clock_boot_ms() / MINUTE_MS;

	b->n_requests++;
	if (minute - b->minute >= N_MINUTES) {
		memset(b->counts, 0, sizeof(b->counts));
		b->minute = minute;
	}
	while (b->minute < minute)
		b->counts[++b->minute % N_MINUTES] = 0;
	b->counts[minute % N_MINUTES]++;
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
	pause = with_jitter(pause);
	if (b->paused_until_ms < now + pause)
		b->paused_until_ms = now + pause;
	return b->paused_until_ms - now;
}

int64_t budget_observe(struct budget *b, const struct http_response *answer)
{
	int64_t pause = 0, now = clock_boot_ms();

	mutex_lock(&b->lock);
	count(b);
	if (answer->rate_limit >= 0)
		b->limit = answer->rate_limit;
	if (answer->rate_remaining >= 0)
		b->remaining = answer->rate_remaining;
	if (answer->rate_reset_s >= 0)
		b->reset_ms = now + answer->rate_reset_s * 1000;
	if (answer->status == 429)
		pause = begin_pause(b, answer);
	else if (b->paused_until_ms <= now)
		b->backoff_ms = FIRST_PAUSE_MS;
	mutex_unlock(&b->lock);
	return pause;
}

void budget_state(struct budget *b, struct budget_state *ret_state)
{
	struct budget_state state = {0};
	int64_t now = clock_boot_ms(), minute = now / MINUTE_MS;

	mutex_lock(&b->lock);
	state.n_requests = b->n_requests;
	for (int64_t m = minute - N_MINUTES + 1; m <= b->minute; m++)
		if (m >= 0 && m > b->minute - N_MINUTES)
			state.n_last_hour += b->counts[m % N_MINUTES];
	state.limit = b->limit;
	state.remaining = b->remaining;
	state.reset_s = b->reset_ms < 0 ? -1 : (b->reset_ms - now) / 1000;
	/* The window is over, and what is left of the new one is not known. */
	if (b->reset_ms >= 0 && b->reset_ms <= now) {
		state.reset_s = -1;
		state.remaining = -1;
	}
	if (b->paused_until_ms > now)
		state.paused_until_ms = clock_wall_ms() + b->paused_until_ms -
					now;
	mutex_unlock(&b->lock);
	*ret_state = state;
}
