/*
 * store/flight, the second form: work that somebody else does.
 */
#include "flight_private.h"

enum flight_outcome flight_enter(struct flight *f, const char *key,
				 struct flight_work **ret_work)
{
	struct flight_work *w, *gone = NULL;
	bool leads;

	mutex_lock(&f->lock);
	flight_forget_old(f, &gone);
	w = flight_work_find(f, key);
	leads = !w;
	if (leads)
		w = flight_work_new(f, key, false);
	check(!w->by_caller);
	w->refcount++;
	w->n_entered++;
	mutex_unlock(&f->lock);
	flight_free_all(gone);
	*ret_work = w;
	return leads ? FLIGHT_LEAD : FLIGHT_JOINED;
}

int flight_wait(struct ctx *ctx, struct flight_work *w, void **ret_value)
{
	struct flight *f = w->flight;
	struct flight_waiter me;
	bool ended;
	int r = 0;

	mutex_lock(&f->lock);
	ended = w->ended;
	if (!ended) {
		r = flight_check_ctx(f, ctx);
		if (r == 0)
			flight_queue_up(f, w, &me);
	}
	mutex_unlock(&f->lock);
	if (r < 0)
		return r;
	return ended ? flight_work_outcome(ctx, w, ret_value)
		     : flight_wait_in_queue(ctx, w, &me, ret_value);
}

bool flight_leave(struct flight_work *w)
{
	struct flight *f = w->flight;
	bool goes_on;

	mutex_lock(&f->lock);
	check(w->n_entered > 0);
	w->n_entered--;
	w->goes_on = true;
	goes_on = !w->ended;
	mutex_unlock(&f->lock);
	flight_work_unref(w);
	return goes_on;
}

bool flight_give_up(struct flight_work *w)
{
	struct flight *f = w->flight;
	bool last;

	mutex_lock(&f->lock);
	check(w->n_entered > 0);
	last = --w->n_entered == 0 && !w->ended && !w->goes_on;
	if (last)
		flight_work_hide(f, w);
	mutex_unlock(&f->lock);
	if (last)
		ctx_cancel(&w->ctx);
	flight_work_unref(w);
	return last;
}

int flight_work_result(struct flight_work *w)
{
	return mutex_with(&w->flight->lock, w->ended ? w->result : 0);
}

struct ctx *flight_work_ctx(struct flight_work *w)
{
	return &w->ctx;
}

void flight_close(struct flight_work *w)
{
	mutex_lock(&w->flight->lock);
	if (!w->ended)
		flight_work_hide(w->flight, w);
	mutex_unlock(&w->flight->lock);
}

void flight_end(struct flight_work *w, const struct flight_landing *l)
{
	struct flight *f = w->flight;
	struct flight_work *gone = NULL;
	bool last;

	mutex_lock(&f->lock);
	check(!w->by_caller);
	flight_work_end(f, w, l, w->n_entered > 0 && l->result != -EINTR);
	last = --w->refcount == 0;
	flight_forget_old(f, &gone);
	mutex_unlock(&f->lock);
	if (last)
		flight_work_free(w);
	flight_free_all(gone);
}
