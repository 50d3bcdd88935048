/*
 * base/sync: thin wrappers that check what pthread returns.
 */
#include "base/sync.h"
#include "base/clock.h"

#include <signal.h>
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
	/* CLOCK_MONOTONIC itself, not clock_mono_ms, which a test may have
	 * stopped. */
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
	/* A fault whose signal is blocked ends the program without running the
	 * handler that logs it. */
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
	/* Without SA_RESTART a system call comes back with EINTR. SIGURG,
	 * because it is ignored by default: one that comes late, after the
	 * handler has gone, ends nothing. */
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
