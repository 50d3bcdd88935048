/*
 * base/ctx: deadlines, cancelling, waiting places.
 *
 * A group's waiting places are an atomic count and not under the group's lock,
 * so that ctx_wait_begin and ctx_wait_end are outside of the lock order. With
 * the lock:
 * 1. A holds lock L and calls ctx_wait_begin, which wants the group's lock.
 * 2. B cancels the group: it holds the group's lock, and a waker wants L.
 * 3. Nobody goes on.
 */
#include "base/ctx.h"
#include "base/clock.h"
#include "base/log.h"

#include <stdarg.h>
#include <time.h>

struct ctx_group {
	struct mutex lock;
	struct ctx *members under_lock;
	bool cancelled under_lock;
	atomic_uint n_waiting;
	unsigned max_waiting;
	ctx_gate *gate; /* NULL: all may ask */
	void *gate_arg;
};

struct ctx_group *ctx_group_new(unsigned max_waiting)
{
	struct ctx_group *group = mem_calloc(1, sizeof(*group));

	mutex_init(&group->lock);
	atomic_init(&group->n_waiting, 0);
	group->max_waiting = max_waiting;
	return group;
}

struct ctx_group *ctx_group_free(struct ctx_group *group)
{
	if (!group)
		return NULL;
	mutex_lock(&group->lock);
	check(!group->members && atomic_load(&group->n_waiting) == 0);
	mutex_unlock(&group->lock);
	mutex_done(&group->lock);
	free(group);
	return NULL;
}

void ctx_group_set_gate(struct ctx_group *group, ctx_gate *gate, void *arg)
{
	group->gate = gate;
	group->gate_arg = arg;
}

void ctx_group_cancel(struct ctx_group *group)
{
	mutex_lock(&group->lock);
	group->cancelled = true;
	for (struct ctx *ctx = group->members; ctx; ctx = ctx->next)
		ctx_cancel(ctx);
	mutex_unlock(&group->lock);
}

unsigned ctx_group_waiting(struct ctx_group *group)
{
	return atomic_load(&group->n_waiting);
}

static int64_t deadline_in(int64_t timeout_ms)
{
	int64_t now = clock_mono_ms();

	if (timeout_ms < 0 || timeout_ms > INT64_MAX - now)
		return INT64_MAX;
	return now + timeout_ms;
}

void ctx_init(struct ctx *ctx, struct ctx_group *group, int64_t timeout_ms)
{
	*ctx = (struct ctx){
		.deadline_ms = deadline_in(timeout_ms),
		.group = group,
		.who = CTX_PERSON,
		.left = -1,
	};
	mutex_init(&ctx->lock);
	if (!group)
		return;
	/* In one step, so that no ctx is missed: cancelling the group either
	 * came before, and is read here, or finds this ctx among the members.
	 */
	mutex_lock(&group->lock);
	atomic_store(&ctx->cancelled, group->cancelled);
	ctx->next = group->members;
	if (ctx->next)
		ctx->next->prev = ctx;
	group->members = ctx;
	mutex_unlock(&group->lock);
}

void ctx_init_like(struct ctx *ctx, const struct ctx *parent)
{
	ctx_init(ctx, parent->group, -1);
	ctx->deadline_ms = parent->deadline_ms;
	ctx->who = parent->who;
	ctx_work_for(ctx, parent);
	ctx->urgent = parent->urgent;
	ctx->walks = parent->walks;
}

static atomic_bool tells;

void ctx_tell(bool tell)
{
	atomic_store(&tells, tell);
}

bool ctx_tells(void)
{
	return atomic_load_explicit(&tells, memory_order_relaxed);
}

void ctx_because(struct ctx *ctx, const char *fmt, ...)
{
	va_list ap;

	if (!ctx_tells())
		return;
	va_start(ap, fmt);
	vsnprintf(ctx->cause, sizeof(ctx->cause), fmt, ap);
	va_end(ap);
}

void ctx_work_for(struct ctx *ctx, const struct ctx *whom)
{
	ctx->caller = whom->caller;
	memcpy(ctx->cause, whom->cause, sizeof(ctx->cause));
}

void ctx_done(struct ctx *ctx)
{
	struct ctx_group *group = ctx->group;

	ctx_wait_end(ctx);
	if (group) {
		mutex_lock(&group->lock);
		if (ctx->next)
			ctx->next->prev = ctx->prev;
		if (ctx->prev)
			ctx->prev->next = ctx->next;
		else
			group->members = ctx->next;
		mutex_unlock(&group->lock);
	}
	mutex_lock(&ctx->lock);
	check(!ctx->wakers);
	mutex_unlock(&ctx->lock);
	mutex_done(&ctx->lock);
}

void ctx_cancel(struct ctx *ctx)
{
	mutex_lock(&ctx->lock);
	if (!atomic_exchange(&ctx->cancelled, true))
		for (struct ctx_waker *w = ctx->wakers; w; w = w->next)
			w->wake(w->arg);
	mutex_unlock(&ctx->lock);
}

int ctx_check(const struct ctx *ctx)
{
	if (atomic_load(&ctx->cancelled))
		return -EINTR;
	return ctx_left_ms(ctx) > 0 ? 0 : -ETIMEDOUT;
}

int64_t ctx_left_ms(const struct ctx *ctx)
{
	int64_t now = clock_mono_ms();

	if (ctx->deadline_ms == INT64_MAX)
		return INT64_MAX;
	return ctx->deadline_ms > now ? ctx->deadline_ms - now : 0;
}

int64_t ctx_narrow(struct ctx *ctx, int64_t timeout_ms)
{
	int64_t old = ctx->deadline_ms, fresh = deadline_in(timeout_ms);

	if (fresh < old)
		ctx->deadline_ms = fresh;
	return old;
}

void ctx_widen(struct ctx *ctx, int64_t old_deadline_ms)
{
	ctx->deadline_ms = old_deadline_ms;
}

void ctx_watch(struct ctx *ctx, struct ctx_waker *waker)
{
	mutex_lock(&ctx->lock);
	waker->next = ctx->wakers;
	ctx->wakers = waker;
	/* Under the lock, like ctx_cancel's look at the wakers:
	 * 1. A looks: the ctx is not cancelled.
	 * 2. B cancels it, and finds no waker.
	 * 3. A puts its waker in, and sleeps until its deadline. */
	if (atomic_load(&ctx->cancelled))
		waker->wake(waker->arg);
	mutex_unlock(&ctx->lock);
}

void ctx_unwatch(struct ctx *ctx, struct ctx_waker *waker)
{
	struct ctx_waker **w;

	mutex_lock(&ctx->lock);
	for (w = &ctx->wakers; *w != waker; w = &(*w)->next)
		check(*w);
	*w = waker->next;
	mutex_unlock(&ctx->lock);
}

bool ctx_is_cancelled(const struct ctx *ctx)
{
	return ctx && atomic_load(&ctx->cancelled);
}

static void wake_waiting(void *arg)
{
	struct ctx_waiting *w = arg;

	/* With the lock:
	 * 1. A, with the lock, looks: the ctx is not cancelled.
	 * 2. B cancels it, and broadcasts.
	 * 3. A waits for the next broadcast, which does not come. */
	mutex_lock(w->lock);
	cond_broadcast(w->cond);
	mutex_unlock(w->lock);
}

void ctx_waiting_begin(struct ctx *ctx, struct ctx_waiting *w,
		       struct mutex *lock, struct cond *cond)
{
	*w = (struct ctx_waiting){
		.waker = {.wake = wake_waiting, .arg = w},
		.lock = lock,
		.cond = cond,
	};
	if (ctx)
		ctx_watch(ctx, &w->waker);
}

void ctx_waiting_end(struct ctx *ctx, struct ctx_waiting *w)
{
	if (ctx)
		ctx_unwatch(ctx, &w->waker);
}

struct sleeper {
	struct mutex lock;
	struct cond cond;
	bool woken under_lock;
};

static void wake_sleeper(void *arg)
{
	struct sleeper *s = arg;

	mutex_lock(&s->lock);
	s->woken = true;
	cond_signal(&s->cond);
	mutex_unlock(&s->lock);
}

int ctx_sleep(struct ctx *ctx, int64_t ms)
{
	struct sleeper s = {.woken = false};
	struct ctx_waker waker = {.wake = wake_sleeper, .arg = &s};
	int64_t until = deadline_in(ms > 0 ? ms : 0);
	int r = ctx_check(ctx);

	if (r < 0)
		return r;
	if (until > ctx->deadline_ms)
		return -ETIMEDOUT;
	mutex_init(&s.lock);
	cond_init(&s.cond);
	ctx_watch(ctx, &waker);
	mutex_lock(&s.lock);
	while (!s.woken && cond_wait_until(&s.cond, &s.lock, until))
		;
	mutex_unlock(&s.lock);
	ctx_unwatch(ctx, &waker);
	cond_done(&s.cond);
	mutex_done(&s.lock);
	return atomic_load(&ctx->cancelled) ? -EINTR : 0;
}

int ctx_fail_at(const char *file, int line, struct ctx *ctx, int errnum,
		const char *fmt, ...)
{
	cleanup(free) char *sentence = NULL;
	va_list ap;
	size_t n;

	/* Secrets are replaced before the sentence is cut: half a secret would
	 * not be found, and stay. */
	va_start(ap, fmt);
	check(vasprintf(&sentence, fmt, ap) >= 0);
	va_end(ap);
	log_clean(sentence);
	n = strlen(sentence);
	if (n >= sizeof(ctx->sentence)) {
		n = sizeof(ctx->sentence) - 1;
		while (n && ((unsigned char)sentence[n] & 0xc0) == 0x80)
			n--;
	}
	while (n && sentence[n - 1] == '\n')
		n--;
	memcpy(ctx->sentence, sentence, n);
	ctx->sentence[n] = '\0';
	/* The way from the build directory to the sources tells nobody
	 * anything. */
	while (!strncmp(file, "../", 3))
		file += 3;
	log_debug("%s:%d: errno %d: %s", file, line, -errnum, ctx->sentence);
	return errnum;
}

int ctx_may_ask(struct ctx *ctx)
{
	struct ctx_group *group = ctx->group;
	int r;

	if (!group || !group->gate || ctx->passed)
		return 0;
	r = group->gate(group->gate_arg, ctx);
	ctx->passed = r == 0;
	ctx->barred = r < 0;
	ctx->refused |= r < 0;
	return r;
}

bool ctx_is_barred(struct ctx *ctx)
{
	if (!ctx || ctx_may_ask(ctx) == 0)
		return false;
	ctx->sentence[0] = '\0';
	return true;
}

int ctx_wait_begin(struct ctx *ctx)
{
	struct ctx_group *group = ctx->group;
	unsigned n;
	int r;

	if (!group || ctx->waits)
		return 0;
	r = ctx_may_ask(ctx);
	if (r < 0)
		return r;
	n = atomic_load(&group->n_waiting);
	do {
		if (n >= group->max_waiting)
			return ctx_fail(ctx, -EAGAIN,
					"%u requests wait for the network "
					"already; try again in a moment.",
					n);
	} while (!atomic_compare_exchange_weak(&group->n_waiting, &n, n + 1));
	ctx->waits = true;
	return 0;
}

void ctx_wait_end(struct ctx *ctx)
{
	if (!ctx->waits)
		return;
	ctx->waits = false;
	check(atomic_fetch_sub(&ctx->group->n_waiting, 1) > 0);
}
