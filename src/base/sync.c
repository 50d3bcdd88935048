/*
 * base/sync: thin wrappers that check what pthread returns, and the ctx.
 *
 * Lock order: a group's lock, then a ctx's (ctx_group_cancel); a waker, under
 * the ctx's lock, takes one lock of its own.
 */
#include "base/sync.h"

#include "base/clock.h"
#include "base/log.h"

#include <signal.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define STACK_SIZE (512 * KIB)

void mutex_init(struct mutex *m)
{
	check(pthread_mutex_init(&m->native, NULL) == 0);
}

void mutex_done(struct mutex *m)
{
	check(pthread_mutex_destroy(&m->native) == 0);
}

no_lock_analysis void mutex_lock(struct mutex *m)
{
	check(pthread_mutex_lock(&m->native) == 0);
}

no_lock_analysis void mutex_unlock(struct mutex *m)
{
	check(pthread_mutex_unlock(&m->native) == 0);
}

void cond_init(struct cond *c)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	check(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0);
	check(pthread_cond_init(&c->native, &attr) == 0);
	pthread_condattr_destroy(&attr);
}

void cond_done(struct cond *c)
{
	check(pthread_cond_destroy(&c->native) == 0);
}

void cond_signal(struct cond *c)
{
	check(pthread_cond_signal(&c->native) == 0);
}

void cond_broadcast(struct cond *c)
{
	check(pthread_cond_broadcast(&c->native) == 0);
}

void cond_wait(struct cond *c, struct mutex *m)
{
	check(pthread_cond_wait(&c->native, &m->native) == 0);
}

bool cond_wait_until(struct cond *c, struct mutex *m, int64_t until_ms)
{
	struct timespec t;
	int64_t left;

	if (until_ms == INT64_MAX) {
		cond_wait(c, m);
		return true;
	}
	left = until_ms - clock_mono_ms();
	if (left <= 0)
		return false;
	/* In real time, also where a test set the clock. */
	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += left / 1000;
	t.tv_nsec += left % 1000 * 1000000;
	if (t.tv_nsec >= 1000000000) {
		t.tv_sec++;
		t.tv_nsec -= 1000000000;
	}
	return pthread_cond_timedwait(&c->native, &m->native, &t) != ETIMEDOUT;
}

struct thread {
	pthread_t native;
	void (*run)(void *arg);
	void *arg;
	char name[16];
};

static void *thread_main(void *arg)
{
	struct thread *thread = arg;

	pthread_setname_np(pthread_self(), thread->name);
	thread->run(thread->arg);
	return NULL;
}

int thread_start(const char *name, void (*run)(void *arg), void *arg,
		 struct thread **ret_thread)
{
	struct thread *thread = xcalloc(1, sizeof(*thread));
	sigset_t all, before;
	pthread_attr_t attr;
	int r;

	thread->run = run;
	thread->arg = arg;
	snprintf(thread->name, sizeof(thread->name), "%s", name);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&thread->native, &attr, thread_main, thread);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	if (r) {
		free(thread);
		return -r;
	}
	*ret_thread = thread;
	return 0;
}

struct thread *thread_join(struct thread *thread)
{
	if (thread) {
		check(pthread_join(thread->native, NULL) == 0);
		free(thread);
	}
	return NULL;
}

static pthread_t main_thread;

static void nothing(int signal)
{
	(void)signal;
}

void thread_self_main(void)
{
	struct sigaction action = {.sa_handler = nothing};
	sigset_t one;

	main_thread = pthread_self();
	sigaction(SIGUSR1, &action, NULL);
	sigemptyset(&one);
	sigaddset(&one, SIGUSR1);
	pthread_sigmask(SIG_UNBLOCK, &one, NULL);
}

void thread_kick_main(void)
{
	pthread_kill(main_thread, SIGUSR1);
}

struct ctx_group {
	struct mutex lock;
	struct ctx *members; /* under lock */
	bool cancelled;      /* under lock */
	unsigned n_waiting;  /* under lock */
	unsigned max_waiting;
};

struct ctx_group *ctx_group_new(unsigned max_waiting)
{
	struct ctx_group *group = xcalloc(1, sizeof(*group));

	mutex_init(&group->lock);
	group->max_waiting = max_waiting;
	return group;
}

struct ctx_group *ctx_group_free(struct ctx_group *group)
{
	if (!group)
		return NULL;
	check(!group->members);
	mutex_done(&group->lock);
	free(group);
	return NULL;
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
	unsigned n;

	mutex_lock(&group->lock);
	n = group->n_waiting;
	mutex_unlock(&group->lock);
	return n;
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
	ctx->deadline_ms = deadline_in(timeout_ms);
	atomic_init(&ctx->cancelled, false);
	mutex_init(&ctx->lock);
	ctx->wakers = NULL;
	ctx->group = group;
	ctx->prev = ctx->next = NULL;
	ctx->waits = false;
	ctx->sentence[0] = '\0';
	if (!group)
		return;
	mutex_lock(&group->lock);
	atomic_store(&ctx->cancelled, group->cancelled);
	ctx->next = group->members;
	if (ctx->next)
		ctx->next->prev = ctx;
	group->members = ctx;
	mutex_unlock(&group->lock);
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
	check(!ctx->wakers);
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
	int64_t left;

	if (ctx->deadline_ms == INT64_MAX)
		return INT64_MAX;
	left = ctx->deadline_ms - clock_mono_ms();
	return left > 0 ? left : 0;
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

struct sleeper {
	struct mutex lock;
	struct cond cond;
	bool woken; /* under lock */
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
	int64_t until = deadline_in(ms);
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

int ctx_fail(struct ctx *ctx, int errnum, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(ctx->sentence, sizeof(ctx->sentence), fmt, ap);
	va_end(ap);
	log_clean(ctx->sentence);
	return errnum;
}

int ctx_wait_begin(struct ctx *ctx)
{
	struct ctx_group *group = ctx->group;
	bool room;

	if (!group || ctx->waits)
		return 0;
	mutex_lock(&group->lock);
	room = group->n_waiting < group->max_waiting;
	if (room)
		group->n_waiting++;
	mutex_unlock(&group->lock);
	if (!room)
		return ctx_fail(ctx, -EAGAIN,
				"%u requests wait for the network already; "
				"try again in a moment.",
				group->max_waiting);
	ctx->waits = true;
	return 0;
}

void ctx_wait_end(struct ctx *ctx)
{
	if (!ctx->waits)
		return;
	ctx->waits = false;
	mutex_lock(&ctx->group->lock);
	ctx->group->n_waiting--;
	mutex_unlock(&ctx->group->lock);
}
