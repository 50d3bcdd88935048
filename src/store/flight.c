/*
 * store/flight: work by its key, the failures that are remembered, and the
 * first form: the first who comes does it.
 */
#include "flight_private.h"

#include "base/clock.h"

/* However many keys fail, no more failures are remembered. */
#define FAILURES_MOST 4096

struct flight *flight_new_with(const struct flight_config *config)
{
	struct flight *f = mem_calloc(1, sizeof(*f));

	f->config = *config;
	mutex_init(&f->lock);
	return f;
}

struct flight *flight_new(int64_t remember_failures_ms)
{
	return flight_new_with(&(struct flight_config){
		.remember_ms = remember_failures_ms,
	});
}

/* ---- work ---- */

struct flight_work *flight_work_new(struct flight *f, const char *key,
				    bool by_caller) requires_lock(f->lock)
{
	size_t n = strlen(key);
	struct flight_work *w = mem_calloc(1, sizeof(*w) + n + 1);

	w->flight = f;
	ctx_init(&w->ctx, NULL, -1);
	w->by_caller = by_caller;
	w->refcount = 1;
	w->is_found = true;
	memcpy(w->key, key, n + 1);
	HASH_ADD_KEYPTR(hh, f->works, w->key, n, w);
	return w;
}

struct flight_work *flight_work_find(struct flight *f, const char *key)
	requires_lock(f->lock)
{
	struct flight_work *w;

	HASH_FIND_STR(f->works, key, w);
	return w;
}

/* Nobody holds it any more. */
void flight_work_free(struct flight_work *w)
{
	check(!w->waiters && !w->is_found);
	if (w->value)
		w->flight->config.values->unref(w->value);
	ctx_done(&w->ctx);
	free(w->sentence);
	free(w);
}

struct flight_work *flight_work_ref(struct flight_work *w)
{
	mutex_lock(&w->flight->lock);
	w->refcount++;
	mutex_unlock(&w->flight->lock);
	return w;
}

struct flight_work *flight_work_unref(struct flight_work *w)
{
	struct flight *f = w->flight;
	bool last;

	mutex_lock(&f->lock);
	last = --w->refcount == 0;
	mutex_unlock(&f->lock);
	if (last)
		flight_work_free(w);
	return NULL;
}

void flight_work_hide(struct flight *f, struct flight_work *w)
	requires_lock(f->lock)
{
	if (w->is_found)
		HASH_DEL(f->works, w);
	w->is_found = false;
}

/* Forgets a remembered failure; those that nobody holds any more are put before
 * *gone, to be freed without the lock. */
static void forget(struct flight *f, struct flight_work *w,
		   struct flight_work **gone) requires_lock(f->lock)
{
	DL_DELETE(f->failures, w);
	f->n_failures--;
	flight_work_hide(f, w);
	if (--w->refcount == 0)
		LL_PREPEND(*gone, w);
}

void flight_forget_old(struct flight *f, struct flight_work **gone)
	requires_lock(f->lock)
{
	int64_t now = clock_mono_ms();

	while (f->failures &&
	       (f->failures->forget_ms <= now || f->n_failures > FAILURES_MOST))
		forget(f, f->failures, gone);
}

void flight_free_all(struct flight_work *gone)
{
	struct flight_work *w, *next;

	LL_FOREACH_SAFE (gone, w, next)
		flight_work_free(w);
}

/* In the order of being forgotten, for not all are remembered equally long. */
static void remember(struct flight *f, struct flight_work *w,
		     int64_t remember_ms) requires_lock(f->lock)
{
	struct flight_work *before = f->failures ? f->failures->prev : NULL;

	w->refcount++;
	w->forget_ms = clock_mono_ms() + remember_ms;
	while (before && before->forget_ms > w->forget_ms)
		before = before == f->failures ? NULL : before->prev;
	if (before)
		DL_APPEND_ELEM(f->failures, before, w);
	else
		DL_PREPEND(f->failures, w);
	f->n_failures++;
}

void flight_forget(struct flight *f, const char *key)
{
	struct flight_work *w, *next, *gone = NULL;

	mutex_lock(&f->lock);
	DL_FOREACH_SAFE (f->failures, w, next)
		if (!*key || strcmp(w->key, key) == 0)
			forget(f, w, &gone);
	mutex_unlock(&f->lock);
	flight_free_all(gone);
}

struct flight *flight_free(struct flight *f)
{
	if (!f)
		return NULL;
	flight_forget(f, "");
	check(!f->works);
	mutex_done(&f->lock);
	free(f);
	return NULL;
}

/* ---- the end ---- */

void flight_work_end(struct flight *f, struct flight_work *w,
		     const struct flight_landing *l, bool is_remembered)
	requires_lock(f->lock)
{
	int64_t remember_ms = l->remember_ms ? l->remember_ms
					     : f->config.remember_ms;

	check(w->flight == f && l->result <= 0 && !w->ended);
	w->ended = true;
	w->result = l->result;
	w->sentence = mem_strdup(l->sentence ? l->sentence : "");
	if (l->result == 0 && l->value)
		w->value = f->config.values->ref(l->value);
	while (w->waiters)
		flight_tell(f, w, w->waiters, FLIGHT_WAITER_AT_END);
	if (l->result < 0 && is_remembered && w->is_found && remember_ms > 0)
		remember(f, w, remember_ms);
	else
		flight_work_hide(f, w);
}

/* ---- the first who comes does it ---- */

int flight_join_value(struct ctx *ctx, struct flight *f, const char *key,
		      void **ret_value)
{
	struct flight_work *w, *gone = NULL;
	struct flight_waiter me;
	bool ended = false;
	int r = flight_check_ctx(f, ctx);

	if (r < 0)
		return r;
	mutex_lock(&f->lock);
	flight_forget_old(f, &gone);
	w = flight_work_find(f, key);
	if (w) {
		check(w->by_caller);
		w->refcount++;
		ended = w->ended;
		if (!ended)
			flight_queue_up(f, w, &me);
	} else {
		(void)flight_work_new(f, key, true);
	}
	mutex_unlock(&f->lock);
	flight_free_all(gone);
	if (!w)
		return FLIGHT_LEAD;
	r = ended ? flight_work_outcome(ctx, w, ret_value)
		  : flight_wait_in_queue(ctx, w, &me, ret_value);
	flight_work_unref(w);
	return r;
}

int flight_join(struct ctx *ctx, struct flight *f, const char *key)
{
	void *value = NULL;
	int r = flight_join_value(ctx, f, key, &value);

	if (value)
		f->config.values->unref(value);
	return r;
}

void flight_land_as(struct flight *f, const char *key,
		    const struct flight_landing *l)
{
	struct flight_work *w, *gone = NULL;
	bool own = l->result == -EINTR || l->result == -EAGAIN, last = false;

	mutex_lock(&f->lock);
	w = flight_work_find(f, key);
	check(w && w->by_caller && !w->ended);
	if (own && w->waiters) {
		/* Whose reference the leader's is from now on. */
		flight_tell(f, w, w->waiters, FLIGHT_WAITER_LEADS);
	} else {
		flight_work_end(f, w, l, !own);
		last = --w->refcount == 0;
	}
	flight_forget_old(f, &gone);
	mutex_unlock(&f->lock);
	if (last)
		flight_work_free(w);
	flight_free_all(gone);
}

void flight_land(struct flight *f, const char *key, int result,
		 const char *sentence)
{
	flight_land_as(f, key,
		       &(struct flight_landing){
			       .result = result,
			       .sentence = sentence,
		       });
}
