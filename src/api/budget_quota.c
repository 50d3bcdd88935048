/*
 * api/budget, one quota: how much was used, how much is left, when there
 * will be more.
 *
 * What the service says goes before what is counted here, because programs that
 * we know nothing of use the account, too. "100 remain, for 745 s" holds for
 * these 745 s, less the requests made since. After that the whole limit is
 * assumed to be there again, less the requests made since; the next answer says
 * better. Where the service said nothing, the requests of the last hour are
 * taken off the limit. A minute is forgotten when all of it is an hour ago: a
 * little late, for to believe in more than the service's rolling hour has would
 * cost a 429.
 */
#include "api/budget_private.h"

#include "base/clock.h"

#define NEAR_PERCENT 20 /* X-RateLimit-NearLimit: less than this is left */
#define NEAR_MS (5 * MINUTE_MS)
#define LIMIT_MOST 1000000 /* more is not believed */
#define WALK_RESERVE_PERCENT 30
#define REFRESH_RESERVE_PERCENT 50

/* ---- counting ---- */

static size_t slot_of(int64_t minute)
{
	return (uint64_t)minute % HOUR_MINUTES;
}

void budget_window_add(struct window *w, int64_t minute, enum ctx_class who,
		       unsigned n)
{
	struct slot *slot = &w->slots[slot_of(minute)];

	if (slot->minute != minute)
		*slot = (struct slot){.minute = minute};
	slot->n[who] += n;
}

void budget_window_add_all(struct window *w, const struct window *more)
{
	for (size_t i = 0; i < HOUR_MINUTES; i++)
		for (int who = 0; who < CTX_CLASSES; who++)
			if (more->slots[i].n[who])
				budget_window_add(w, more->slots[i].minute,
						  (enum ctx_class)who,
						  more->slots[i].n[who]);
}

void budget_window_clear(struct window *w)
{
	memset(w, 0, sizeof(*w));
}

static unsigned window_at(const struct window *w, int64_t minute,
			  enum ctx_class who)
{
	const struct slot *slot = &w->slots[slot_of(minute)];

	return slot->minute == minute ? slot->n[who] : 0;
}

void budget_quota_init(struct quota *q, const char *book, int64_t assumed)
{
	*q = (struct quota){.book = book, .assumed = assumed};
	q->said.remaining = -1;
}

void budget_quota_count(struct quota *q, enum ctx_class who, unsigned n)
{
	int64_t minute = clock_wall_ms() / MINUTE_MS;

	budget_window_add(&q->own, minute, who, n);
	budget_window_add(&q->unwritten, minute, who, n);
	q->n_unwritten += n;
}

/* Not less than this process's own requests, when the ledger was deleted or
 * cannot be read. */
static unsigned used_at(const struct quota *q, int64_t minute,
			enum ctx_class who)
{
	unsigned shared = window_at(&q->ledger, minute, who) +
			  window_at(&q->writing, minute, who) +
			  window_at(&q->unwritten, minute, who);
	unsigned own = window_at(&q->own, minute, who);

	return shared > own ? shared : own;
}

static unsigned used_in_minute(const struct quota *q, int64_t minute)
{
	unsigned n = 0;

	for (int who = 0; who < CTX_CLASSES; who++)
		n += used_at(q, minute, (enum ctx_class)who);
	return n;
}

static unsigned quota_used(const struct quota *q, enum ctx_class who)
{
	int64_t minute = clock_wall_ms() / MINUTE_MS;
	unsigned n = 0;

	for (int64_t m = minute - HOUR_MINUTES + 1; m <= minute; m++)
		n += used_at(q, m, who);
	return n;
}

static int64_t total(const struct quota *q)
{
	return q->ledger_total + q->n_writing + q->n_unwritten;
}

/* ---- what the service says ---- */

void budget_quota_hear(struct quota *q, const struct http_response *answer)
{
	int64_t now = clock_wall_ms(), reset_ms = answer->rate_reset_s;
	struct said *said = &q->said;
	bool limited = answer->rate_limit > 0 &&
		       answer->rate_limit <= LIMIT_MOST;

	if (!limited && answer->rate_remaining < 0 && !answer->rate_near_limit)
		return;
	if (said->noted_ms > now) /* the clock went back */
		*said = (struct said){.remaining = -1};
	said->noted_ms = now;
	q->said_unwritten = true;
	if (limited)
		said->limit = answer->rate_limit;
	if (limited || answer->rate_near_limit)
		said->near_ms = answer->rate_near_limit ? now : 0;
	if (answer->rate_remaining < 0)
		return;
	said->remaining = answer->rate_remaining < LIMIT_MOST
				  ? answer->rate_remaining
				  : LIMIT_MOST;
	said->at_total = total(q);
	/* No window is longer than an hour. */
	if (reset_ms > HOUR_MS / 1000)
		reset_ms = HOUR_MS / 1000;
	said->reset_ms = reset_ms < 0 ? 0 : now + reset_ms * 1000;
}

/* ---- reckoning ---- */

int64_t budget_quota_limit(const struct quota *q)
{
	int64_t age = clock_wall_ms() - q->said.noted_ms;
	int64_t limit = q->assumed;

	if (q->said.limit && age >= 0 && age < HOUR_MS)
		limit = q->said.limit;
	return limit;
}

struct reckoning {
	int64_t left;
	int64_t more_ms; /* when there is more; 0: as minutes go by */
	bool told;
};

/* Corrects the count by what the service said, if that still holds. */
static void hear_again(const struct quota *q, int64_t now, struct reckoning *r)
{
	const struct said *said = &q->said;
	int64_t since = total(q) - said->at_total;
	int64_t until = said->reset_ms ? said->reset_ms
				       : said->noted_ms + MINUTE_MS;

	if (said->remaining < 0 || said->noted_ms > now)
		return;
	if (since < 0)
		since = 0;
	if (now < until) {
		r->left = said->remaining - since;
		r->more_ms = until;
		r->told = true;
	} else if (said->reset_ms && now < said->reset_ms + HOUR_MS) {
		r->left = budget_quota_limit(q) - since;
	}
}

static struct reckoning reckon(const struct quota *q)
{
	int64_t now = clock_wall_ms(), near_ms = q->said.near_ms;
	int64_t most = budget_quota_limit(q) * NEAR_PERCENT / 100;
	struct reckoning r = {.left = budget_quota_limit(q)};

	for (int who = 0; who < CTX_CLASSES; who++)
		r.left -= quota_used(q, (enum ctx_class)who);
	hear_again(q, now, &r);
	if (near_ms && near_ms <= now && now < near_ms + NEAR_MS &&
	    r.left > most) {
		r.left = most;
		r.more_ms = near_ms + NEAR_MS;
	}
	r.left -= q->n_under_way;
	return r;
}

int64_t budget_quota_left(const struct quota *q)
{
	int64_t left = reckon(q).left;

	return left > 0 ? left : 0;
}

int64_t budget_quota_reserve(const struct quota *q, enum ctx_class who)
{
	int64_t limit = budget_quota_limit(q);

	switch (who) {
	case CTX_PERSON:
		break;
	case CTX_WALK:
		return (limit * WALK_RESERVE_PERCENT + 99) / 100;
	case CTX_REFRESH:
		return (limit * REFRESH_RESERVE_PERCENT + 99) / 100;
	}
	return 0;
}

int64_t budget_quota_wait(const struct quota *q, enum ctx_class who, unsigned n)
{
	struct reckoning r = reckon(q);
	int64_t now = clock_wall_ms(), minute = now / MINUTE_MS;
	int64_t missing = budget_quota_reserve(q, who) + n - r.left;

	if (missing <= 0)
		return 0;
	if (r.more_ms > now)
		return r.more_ms;
	for (int64_t m = minute - HOUR_MINUTES + 1; m <= minute; m++) {
		missing -= used_in_minute(q, m);
		if (missing <= 0)
			return (m + HOUR_MINUTES) * MINUTE_MS;
	}
	/* Not for what was used in this hour: too many are under way, or the
	 * limit is smaller than the reserve and n. */
	return now + MINUTE_MS;
}

bool budget_quota_is_told(const struct quota *q)
{
	return reckon(q).told || budget_quota_limit(q) != q->assumed;
}

/* When the last of what was used is an hour old; 0: nothing was. */
static int64_t forgotten_ms(const struct quota *q)
{
	int64_t now = clock_wall_ms() / MINUTE_MS;

	for (int64_t m = now; m > now - HOUR_MINUTES; m--)
		for (int who = 0; who < CTX_CLASSES; who++)
			if (used_at(q, m, (enum ctx_class)who))
				return (m + HOUR_MINUTES + 1) * MINUTE_MS;
	return 0;
}

void budget_quota_state(const struct quota *q, struct budget_quota *ret)
{
	struct reckoning r = reckon(q);

	*ret = (struct budget_quota){
		.limit = budget_quota_limit(q),
		.left = r.left > 0 ? r.left : 0,
		.told = r.told,
		.reset_ms = r.told && q->said.reset_ms ? q->said.reset_ms : 0,
	};
	for (int who = 0; who < CTX_CLASSES; who++) {
		ret->by_class[who] = quota_used(q, (enum ctx_class)who);
		ret->used += ret->by_class[who];
	}
	if (ret->left < ret->limit)
		ret->full_ms = ret->reset_ms ? ret->reset_ms : forgotten_ms(q);
}
