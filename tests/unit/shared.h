/*
 * A count and a flag that the threads of a test share, and a thread.
 */
#ifndef TESTS_SHARED_H
#define TESTS_SHARED_H

#include "base/sync.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* What threads of a test share. */
struct shared {
	struct mutex lock;
	struct cond changed;
	int n;     /* under lock, while there are threads */
	bool open; /* under lock, while there are threads */
};

__attribute__((unused)) static void shared_init(struct shared *s)
{
	*s = (struct shared){.n = 0};
	mutex_init(&s->lock);
	cond_init(&s->changed);
}

__attribute__((unused)) static void shared_done(struct shared *s)
{
	cond_done(&s->changed);
	mutex_done(&s->lock);
}

__attribute__((unused)) static void add_one(struct shared *s)
{
	mutex_lock(&s->lock);
	s->n++;
	cond_broadcast(&s->changed);
	mutex_unlock(&s->lock);
}

__attribute__((unused)) static void await_n(struct shared *s, int n)
{
	mutex_lock(&s->lock);
	while (s->n < n)
		cond_wait(&s->changed, &s->lock);
	mutex_unlock(&s->lock);
}

__attribute__((unused)) static void start(void (*run)(void *arg), void *arg,
					  struct thread **ret_thread)
{
	assert_int_equal(thread_start("test", run, arg, ret_thread), 0);
}

#endif
