/*
 * base/sync: waiting for another thread, with a clock that a test may stop.
 */
#include "base/sync.h"

#include "base/clock.h"

#include <time.h>

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
	 * stopped: its time is long past for the kernel, or far ahead. */
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
