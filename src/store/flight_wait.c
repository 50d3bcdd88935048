/*
 * store/flight: those who wait, in either form.
 */
#include "flight_private.h"

static void wake_cancelled(void *arg)
{
	struct flight_waiter *me = arg;

	mutex_lock(&me->flight->lock);
	me->cancelled = true;
	cond_signal(&me->changed);
	mutex_unlock(&me->flight->lock);
}

void flight_tell(struct flight *f, struct flight_work *w,
		 struct flight_waiter *who, enum flight_waiter_state state)
	requires_lock(f->lock)
{
	check(w->flight == f);
	DL_DELETE(w->waiters, who);
	who->state = state;
	/* Under the lock: who is gone as soon as its owner has the lock. */
	cond_signal(&who->changed);
}

/* Whoever landed without a sentence does not empty the waiter's. */
static int fail(struct ctx *ctx, int r, const char *sentence)
{
	return ctx && sentence[0] ? ctx_fail(ctx, r, "%s", sentence) : r;
}

/* What the work's end is to somebody who waited for it. */
int flight_work_outcome(struct ctx *ctx, struct flight_work *w,
			void **ret_value)
{
	if (w->result == 0) {
		if (ret_value)
			*ret_value = w->value ? w->flight->config.values->ref(
							w->value)
					      : NULL;
		return FLIGHT_LANDED;
	}
	if (!w->by_caller && w->result == -EINTR)
		return FLIGHT_BROKEN_OFF;
	return fail(ctx, w->result, w->sentence);
}

static int waiter_outcome(struct ctx *ctx, struct flight_work *w,
			  const struct flight_waiter *me, void **ret_value)
{
	switch (me->state) {
	case FLIGHT_WAITER_LEADS:
		return FLIGHT_LEAD;
	case FLIGHT_WAITER_AT_END:
		return flight_work_outcome(ctx, w, ret_value);
	case FLIGHT_WAITING:
		break;
	}
	check(false);
	return -EIO;
}

/* Takes the waiter, which gives up, out of its queue; false when something was
 * decided for it meanwhile. */
static bool leave_queue(struct flight *f, struct flight_work *w,
			struct flight_waiter *me) requires_lock(f->lock)
{
	check(w->flight == f);
	if (me->state != FLIGHT_WAITING)
		return false;
	DL_DELETE(w->waiters, me);
	return true;
}

/* The waiter is in the queue already. 0: something was decided for it; or why
 * it left. */
static int sit_in_queue(struct ctx *ctx, struct flight_work *w,
			struct flight_waiter *me)
{
	struct ctx_waker waker = {.wake = wake_cancelled, .arg = me};
	struct flight *f = w->flight;
	int64_t deadline_ms = f->config.local ? INT64_MAX : ctx->deadline_ms;
	bool gave_up = false;
	int why = 0;

	if (ctx)
		ctx_watch(ctx, &waker);
	mutex_lock(&f->lock);
	while (me->state == FLIGHT_WAITING) {
		if (me->cancelled)
			why = -EINTR;
		else if (!cond_wait_until(&me->changed, &f->lock, deadline_ms))
			why = -ETIMEDOUT;
		if (why && (gave_up = leave_queue(f, w, me)))
			break;
	}
	mutex_unlock(&f->lock);
	if (ctx)
		ctx_unwatch(ctx, &waker);
	return gave_up ? why : 0;
}

/* The same, in a waiting place of the ctx. */
static int sit_in_place(struct ctx *ctx, struct flight_work *w,
			struct flight_waiter *me)
{
	struct flight *f = w->flight;
	bool had_place = ctx->waits;
	int r = ctx_wait_begin(ctx);

	if (r < 0) {
		mutex_lock(&f->lock);
		if (!leave_queue(f, w, me))
			r = 0;
		mutex_unlock(&f->lock);
		return r;
	}
	r = sit_in_queue(ctx, w, me);
	if (!had_place)
		ctx_wait_end(ctx);
	return r;
}

/* No lock may be held round taking a place and watching the ctx; the waiter is
 * in the queue before, so nothing that happens meanwhile is missed. */
int flight_wait_in_queue(struct ctx *ctx, struct flight_work *w,
			 struct flight_waiter *me, void **ret_value)
{
	int r = w->flight->config.local ? sit_in_queue(ctx, w, me)
					: sit_in_place(ctx, w, me);

	cond_done(&me->changed);
	return r < 0 ? r : waiter_outcome(ctx, w, me, ret_value);
}

void flight_queue_up(struct flight *f, struct flight_work *w,
		     struct flight_waiter *me) requires_lock(f->lock)
{
	*me = (struct flight_waiter){.flight = f};
	cond_init(&me->changed);
	DL_APPEND(w->waiters, me);
}

int flight_check_ctx(const struct flight *f, const struct ctx *ctx)
{
	if (f->config.local)
		return ctx_is_cancelled(ctx) ? -EINTR : 0;
	return ctx_check(ctx);
}
