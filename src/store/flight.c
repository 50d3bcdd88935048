/*
 * A key exists while somebody leads it or while its failure is remembered.
 * Those who wait are a queue of structs on their own stacks; whoever lands
 * takes them out of the queue and writes into each what became of it, so that
 * nothing of the key is needed afterwards.
 *
 * Invariants, under the lock:
 * - a key is led (waiters possible), or failed (no waiters), never both;
 * - a waiter is in the queue of a led key, or its state is no longer WAITING;
 * - the failed keys are also in `failures`, the next to be forgotten first.
 *
 * What was decided for a waiter wins over its own cancellation: a leader that
 * is already cancelled lands with -EINTR at once, and the next one leads.
 */
#include "store/flight.h"

#include "base/clock.h"
#include "base/map.h"

/* However many keys fail, no more failures are remembered. */
#define FAILURES_MOST 4096

enum waiter_state {
	WAITING,
	WAITER_LEADS,
	WAITER_LANDED,
	WAITER_FAILED,
};

struct sentence {
	struct refcount refcount;
	char text[512];
};

struct waiter {
	struct flight *flight;
	struct cond changed;
	bool cancelled;
	enum waiter_state state;
	int failure;               /* of WAITER_FAILED */
	struct sentence *sentence; /* of WAITER_FAILED */
	struct waiter *prev, *next;
};

struct flight_key {
	bool led;
	struct waiter *waiters; /* the next leader first */
	int failure;
	struct sentence *sentence;
	int64_t forget_ms;
	struct flight_key *prev, *next; /* in failures */
	UT_hash_handle hh;
	char name[];
};

struct flight {
	int64_t remember_ms;
	struct mutex lock;
	/* Under lock: */
	struct flight_key *keys;
	struct flight_key *failures;
	unsigned n_failures;
};

static struct sentence *sentence_new(const char *text)
{
	struct sentence *s = xmalloc(sizeof(*s));

	refcount_init(&s->refcount);
	snprintf(s->text, sizeof(s->text), "%s", text ? text : "");
	return s;
}

static struct sentence *sentence_ref(struct sentence *s)
{
	refcount_take(&s->refcount);
	return s;
}

static struct sentence *sentence_unref(struct sentence *s)
{
	if (s && refcount_drop(&s->refcount))
		free(s);
	return NULL;
}

struct flight *flight_new(int64_t remember_failures_ms)
{
	struct flight *f = xcalloc(1, sizeof(*f));

	f->remember_ms = remember_failures_ms;
	mutex_init(&f->lock);
	return f;
}

static void key_free(struct flight *f, struct flight_key *k)
	requires_lock(f->lock)
{
	check(!k->waiters);
	if (k->failure) {
		DL_DELETE(f->failures, k);
		f->n_failures--;
	}
	HASH_DEL(f->keys, k);
	sentence_unref(k->sentence);
	free(k);
}

struct flight *flight_free(struct flight *f)
{
	if (!f)
		return NULL;
	mutex_lock(&f->lock);
	while (f->failures)
		key_free(f, f->failures);
	check(!f->keys);
	mutex_unlock(&f->lock);
	mutex_done(&f->lock);
	free(f);
	return NULL;
}

static struct flight_key *key_find(struct flight *f, const char *name)
	requires_lock(f->lock)
{
	struct flight_key *k;

	HASH_FIND_STR(f->keys, name, k);
	return k;
}

static struct flight_key *key_new(struct flight *f, const char *name)
	requires_lock(f->lock)
{
	size_t n = strlen(name);
	struct flight_key *k = xcalloc(1, sizeof(*k) + n + 1);

	memcpy(k->name, name, n + 1);
	HASH_ADD_KEYPTR(hh, f->keys, k->name, n, k);
	return k;
}

static void forget_old_failures(struct flight *f) requires_lock(f->lock)
{
	int64_t now = clock_mono_ms();

	while (f->failures &&
	       (f->failures->forget_ms <= now || f->n_failures > FAILURES_MOST))
		key_free(f, f->failures);
}

static void wake_cancelled(void *arg)
{
	struct waiter *w = arg;

	mutex_lock(&w->flight->lock);
	w->cancelled = true;
	cond_signal(&w->changed);
	mutex_unlock(&w->flight->lock);
}

/* The waiter's outcome; lets go of its sentence. */
static int waiter_outcome(struct ctx *ctx, struct waiter *w)
{
	switch (w->state) {
	case WAITER_LEADS:
		return FLIGHT_LEAD;
	case WAITER_LANDED:
		return FLIGHT_LANDED;
	case WAITER_FAILED:
		ctx_fail(ctx, w->failure, "%s", w->sentence->text);
		w->sentence = sentence_unref(w->sentence);
		return w->failure;
	case WAITING:
		break;
	}
	check(false);
	return -EIO;
}

/* Takes w, which gives up, out of its queue; false when something was decided
 * for it meanwhile. */
static bool leave_queue(struct flight *f, struct waiter *w, const char *name)
	requires_lock(f->lock)
{
	struct flight_key *k;

	if (w->state != WAITING)
		return false;
	k = key_find(f, name);
	check(k && k->led);
	DL_DELETE(k->waiters, w);
	return true;
}

static int wait_in_queue(struct ctx *ctx, struct flight *f, struct waiter *w,
			 const char *name)
{
	struct ctx_waker waker = {.wake = wake_cancelled, .arg = w};
	bool gave_up = false, had_place = ctx->waits;
	int r, why = 0;

	/* No lock may be held round these; w is in the queue already, so
	 * nothing that happens meanwhile is missed. */
	r = ctx_wait_begin(ctx);
	if (r < 0) {
		mutex_lock(&f->lock);
		gave_up = leave_queue(f, w, name);
		mutex_unlock(&f->lock);
		return gave_up ? r : waiter_outcome(ctx, w);
	}
	ctx_watch(ctx, &waker);
	mutex_lock(&f->lock);
	while (w->state == WAITING) {
		if (w->cancelled)
			why = -EINTR;
		else if (!cond_wait_until(&w->changed, &f->lock,
					  ctx->deadline_ms))
			why = -ETIMEDOUT;
		if (why && (gave_up = leave_queue(f, w, name)))
			break;
	}
	mutex_unlock(&f->lock);
	ctx_unwatch(ctx, &waker);
	if (!had_place)
		ctx_wait_end(ctx);
	return gave_up ? why : waiter_outcome(ctx, w);
}

int flight_join(struct ctx *ctx, struct flight *f, const char *key)
{
	struct sentence *sentence = NULL;
	struct flight_key *k;
	struct waiter w;
	int r = ctx_check(ctx);

	if (r < 0)
		return r;
	mutex_lock(&f->lock);
	forget_old_failures(f);
	k = key_find(f, key);
	if (!k) {
		key_new(f, key)->led = true;
		mutex_unlock(&f->lock);
		return FLIGHT_LEAD;
	}
	if (k->failure) {
		r = k->failure;
		sentence = sentence_ref(k->sentence);
		mutex_unlock(&f->lock);
		ctx_fail(ctx, r, "%s", sentence->text);
		sentence_unref(sentence);
		return r;
	}
	w = (struct waiter){.flight = f};
	cond_init(&w.changed);
	DL_APPEND(k->waiters, &w);
	mutex_unlock(&f->lock);

	r = wait_in_queue(ctx, f, &w, key);
	cond_done(&w.changed);
	return r;
}

static void tell_first(struct flight_key *k, enum waiter_state state,
		       int failure, struct sentence *sentence)
{
	struct waiter *w = k->waiters;

	DL_DELETE(k->waiters, w);
	w->state = state;
	w->failure = failure;
	w->sentence = sentence;
	/* Under the lock: w is gone as soon as its owner has the lock. */
	cond_signal(&w->changed);
}

void flight_land(struct flight *f, const char *key, int result,
		 const char *sentence)
{
	struct sentence *why = sentence_new(sentence);
	struct flight_key *k;

	check(result <= 0);
	mutex_lock(&f->lock);
	k = key_find(f, key);
	check(k && k->led);
	if (result == 0) {
		while (k->waiters)
			tell_first(k, WAITER_LANDED, 0, NULL);
		key_free(f, k);
	} else if (result == -EINTR || result == -EAGAIN) {
		if (k->waiters)
			tell_first(k, WAITER_LEADS, 0, NULL);
		else
			key_free(f, k);
	} else {
		while (k->waiters)
			tell_first(k, WAITER_FAILED, result, sentence_ref(why));
		k->led = false;
		if (f->remember_ms > 0) {
			k->failure = result;
			k->sentence = sentence_ref(why);
			k->forget_ms = clock_mono_ms() + f->remember_ms;
			DL_APPEND(f->failures, k);
			f->n_failures++;
		} else {
			key_free(f, k);
		}
	}
	forget_old_failures(f);
	mutex_unlock(&f->lock);
	sentence_unref(why);
}

void flight_forget(struct flight *f, const char *key)
{
	struct flight_key *k;

	mutex_lock(&f->lock);
	k = key_find(f, key);
	if (k && k->failure)
		key_free(f, k);
	mutex_unlock(&f->lock);
}
