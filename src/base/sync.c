/*
 * base/sync: thin wrappers that check what pthread returns, and the ctx.
 *
 * A group's waiting places are an atomic count and not under its lock, so that
 * ctx_wait_begin and ctx_wait_end are outside of the lock order: whoever holds
 * the lock that a waker takes may call them.
 */
#include "base/sync.h"
#include "base/clock.h"
#include "base/log.h"

#include <signal.h>
#include <stdarg.h>
#include <time.h>

#define STACK_SIZE (512 * KIB)

void mutex_init(struct mutex *m)
{
	pthread_mutexattr_t attr;

	check(pthread_mutexattr_init(&attr) == 0);
	check(pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ERRORCHECK) == 0);
	check(pthread_mutex_init(&m->native, &attr) == 0);
	pthread_mutexattr_destroy(&attr);
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

	check(pthread_condattr_init(&attr) == 0);
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
	int64_t now, left;
	int r;

	if (until_ms == INT64_MAX) {
		cond_wait(c, m);
		return true;
	}
	now = clock_mono_ms();
	if (until_ms <= now)
		return false;
	left = until_ms - now;
	/* In real time, also where a test set the clock. */
	check(clock_gettime(CLOCK_MONOTONIC, &t) == 0);
	t.tv_sec += left / 1000;
	t.tv_nsec += left % 1000 * 1000000;
	if (t.tv_nsec >= 1000000000) {
		t.tv_sec++;
		t.tv_nsec -= 1000000000;
	}
	r = pthread_cond_timedwait(&c->native, &m->native, &t);
	check(r == 0 || r == ETIMEDOUT);
	return r == 0;
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
	/* Blocked, a fault would end the program all the same, but without
	 * whoever wants to tell of it. */
	static const int faults[] = {SIGSEGV, SIGBUS,  SIGFPE, SIGILL,
				     SIGABRT, SIGTRAP, SIGSYS};
	cleanup(free) struct thread *thread = xcalloc(1, sizeof(*thread));
	sigset_t blocked, before;
	pthread_attr_t attr;
	int r;

	thread->run = run;
	thread->arg = arg;
	snprintf(thread->name, sizeof(thread->name), "%s", name);
	check(pthread_attr_init(&attr) == 0);
	check(pthread_attr_setstacksize(&attr, STACK_SIZE) == 0);
	sigfillset(&blocked);
	for (size_t i = 0; i < ARRAY_SIZE(faults); i++)
		sigdelset(&blocked, faults[i]);
	/* The new thread begins with the mask of this one. */
	check(pthread_sigmask(SIG_SETMASK, &blocked, &before) == 0);
	r = pthread_create(&thread->native, &attr, thread_main, thread);
	check(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
	pthread_attr_destroy(&attr);
	if (r)
		return -r;
	*ret_thread = steal(&thread);
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
static atomic_bool has_main;

static void nothing(int signal)
{
	(void)signal;
}

void thread_self_main(void)
{
	/* Without SA_RESTART the call comes back with EINTR. By default SIGURG
	 * is ignored, so that a late one harms nobody. */
	struct sigaction action = {.sa_handler = nothing};
	sigset_t one;

	check(sigaction(SIGURG, &action, NULL) == 0);
	sigemptyset(&one);
	sigaddset(&one, SIGURG);
	check(pthread_sigmask(SIG_UNBLOCK, &one, NULL) == 0);
	check(!atomic_load(&has_main) ||
	      pthread_equal(main_thread, pthread_self()));
	main_thread = pthread_self();
	atomic_store(&has_main, true);
}

void thread_kick_main(void)
{
	if (atomic_load(&has_main))
		pthread_kill(main_thread, SIGURG);
}

struct ctx_group {
	struct mutex lock;
	struct ctx *members; /* under lock */
	bool cancelled;      /* under lock */
	atomic_uint n_waiting;
	unsigned max_waiting;
};

struct ctx_group *ctx_group_new(unsigned max_waiting)
{
	struct ctx_group *group = xcalloc(1, sizeof(*group));

	mutex_init(&group->lock);
	atomic_init(&group->n_waiting, 0);
	group->max_waiting = max_waiting;
	return group;
}

struct ctx_group *ctx_group_free(struct ctx_group *group)
{
	if (!group)
		return NULL;
	check(!group->members && atomic_load(&group->n_waiting) == 0);
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
	ctx->deadline_ms = deadline_in(timeout_ms);
	atomic_init(&ctx->cancelled, false);
	mutex_init(&ctx->lock);
	ctx->wakers = NULL;
	ctx->group = group;
	ctx->prev = ctx->next = NULL;
	ctx->waits = false;
	ctx->who = CTX_PERSON;
	ctx->caller = 0;
	ctx->urgent = ctx->tries = false;
	ctx->refused = ctx->announced = false;
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

void ctx_init_like(struct ctx *ctx, const struct ctx *parent)
{
	ctx_init(ctx, parent->group, -1);
	ctx->deadline_ms = parent->deadline_ms;
	ctx->who = parent->who;
	ctx->caller = parent->caller;
	ctx->urgent = parent->urgent;
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

int ctx_fail(struct ctx *ctx, int errnum, const char *fmt, ...)
{
	cleanup(free) char *sentence = NULL;
	va_list ap;
	size_t n;

	/* Cleaned before it is cut: half a secret would not be found. */
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
	return errnum;
}

int ctx_wait_begin(struct ctx *ctx)
{
	struct ctx_group *group = ctx->group;
	unsigned n;

	if (!group || ctx->waits)
		return 0;
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
