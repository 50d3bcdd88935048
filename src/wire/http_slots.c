/*
 * wire/http, its slots: which thread may perform an exchange now.
 *
 * A thread that leaves its slot hands it, under the lock, to the thread that
 * has waited longest in the first class that waits. A slot is never free while
 * a thread waits: otherwise a newcomer could take it before those who came
 * earlier.
 */
#include "http_private.h"

#include "base/map.h"

/* A waiting thread, on its own stack. */
struct http_waiter {
	struct http_slots *pool;
	struct cond cond;
	enum ctx_class who;
	struct http_slot *slot; /* handed over */
	struct http_waiter *prev, *next;
};

void http_slots_init(struct http_slots *pool, unsigned n_slots)
{
	*pool = (struct http_slots){
		.slots = mem_calloc(n_slots, sizeof(*pool->slots)),
		.n_slots = n_slots,
	};
	mutex_init(&pool->lock);
}

void http_slots_done(struct http_slots *pool)
{
	mutex_lock(&pool->lock);
	check(!pool->waiters);
	for (unsigned i = 0; i < pool->n_slots; i++) {
		check(!pool->slots[i].busy);
		free(pool->slots[i].origin);
	}
	mutex_unlock(&pool->lock);
	free(pool->slots);
	mutex_done(&pool->lock);
}

/* The free slot whose connection leads to this origin; else one without a
 * connection; else the one that is idle longest. */
static struct http_slot *choose(struct http_slots *pool, const char *origin)
	requires_lock(pool->lock)
{
	struct http_slot *fitting = NULL;
	struct http_slot *oldest = NULL;
	struct http_slot *best;

	for (unsigned i = 0; i < pool->n_slots; i++) {
		struct http_slot *slot = &pool->slots[i];

		if (slot->busy)
			continue;
		if (slot->origin && !strcmp(slot->origin, origin) &&
		    (!fitting || slot->used > fitting->used))
			fitting = slot;
		if (!oldest || slot->used < oldest->used)
			oldest = slot;
	}
	best = fitting ? fitting : oldest;
	if (best) {
		best->busy = true;
		best->used = ++pool->n_given;
	}
	return best;
}

static void wake_waiter(void *arg)
{
	struct http_waiter *waiter = arg;

	mutex_lock(&waiter->pool->lock);
	cond_signal(&waiter->cond);
	mutex_unlock(&waiter->pool->lock);
}

struct http_slot *http_slots_take(struct ctx *ctx, struct http_slots *pool,
				  const char *origin)
{
	struct http_waiter waiter = {.pool = pool, .who = ctx->who};
	struct ctx_waker waker = {.wake = wake_waiter, .arg = &waiter};

	cond_init(&waiter.cond);
	ctx_watch(ctx, &waker);
	mutex_lock(&pool->lock);
	waiter.slot = choose(pool, origin);
	if (!waiter.slot) {
		DL_APPEND(pool->waiters, &waiter);
		while (!waiter.slot && !ctx_check(ctx))
			cond_wait_until(&waiter.cond, &pool->lock,
					ctx->deadline_ms);
		if (!waiter.slot)
			DL_DELETE(pool->waiters, &waiter);
	}
	mutex_unlock(&pool->lock);
	ctx_unwatch(ctx, &waker);
	cond_done(&waiter.cond);
	return waiter.slot;
}

static struct http_waiter *first_waiter(struct http_slots *pool)
	requires_lock(pool->lock)
{
	struct http_waiter *first = pool->waiters, *w;

	DL_FOREACH (pool->waiters, w)
		if (w->who < first->who)
			first = w;
	return first;
}

void http_slots_leave(struct http_slots *pool, struct http_slot *slot)
{
	struct http_waiter *waiter;

	mutex_lock(&pool->lock);
	waiter = first_waiter(pool);
	if (waiter) {
		DL_DELETE(pool->waiters, waiter);
		waiter->slot = slot;
		slot->used = ++pool->n_given;
		cond_signal(&waiter->cond);
	} else {
		slot->busy = false;
	}
	mutex_unlock(&pool->lock);
}

void http_slots_lead(struct http_slots *pool, struct http_slot *slot,
		     const char *origin)
{
	char *old, *new = mem_strdup(origin);

	mutex_lock(&pool->lock);
	old = slot->origin;
	slot->origin = new;
	mutex_unlock(&pool->lock);
	free(old);
}
