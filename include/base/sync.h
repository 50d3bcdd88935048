/*
 * base/sync: the only door to threads.
 *
 * Owns mutexes, condition variables, threads, reference counts. Must never know
 * what they protect.
 */
#ifndef BASE_SYNC_H
#define BASE_SYNC_H

#include "base/defs.h"

#include <pthread.h>
#include <stdatomic.h>

/* clang -Wthread-safety; nothing for gcc. */
#if defined(__clang__)
#define TSA(x) __attribute__((x))
#else
#define TSA(x)
#endif
#define acquires(...) TSA(acquire_capability(__VA_ARGS__))
#define releases(...) TSA(release_capability(__VA_ARGS__))
#define requires_lock(...) TSA(requires_capability(__VA_ARGS__))
/* A member that is read and written with the lock of its struct held (a comment
 * says so if it is another struct's lock). C cannot name one member in another,
 * so clang finds only where no lock at all is held. A function that makes a
 * struct needs no lock: it assigns the struct as a whole, before others see it.
 */
#define under_lock TSA(guarded_var)
#define no_lock_analysis TSA(no_thread_safety_analysis)

/* In every build the program ends when a thread locks a mutex twice, or unlocks
 * one that another thread holds. */
struct TSA(capability("mutex")) mutex {
	pthread_mutex_t native;
};
/* For a mutex with static storage, which needs no mutex_init. */
#define MUTEX_INITIALIZER                                         \
	{                                                         \
		.native = PTHREAD_ERRORCHECK_MUTEX_INITIALIZER_NP \
	}
struct cond {
	pthread_cond_t native; /* on CLOCK_MONOTONIC */
};

void mutex_init(struct mutex *);
void mutex_done(struct mutex *);
void mutex_lock(struct mutex *m) acquires(*m);
void mutex_unlock(struct mutex *m) releases(*m);
/* The value of an expression over members that the lock guards. */
#define mutex_with(lock, expression)                     \
	({                                               \
		mutex_lock(lock);                        \
		__auto_type mutex_value_ = (expression); \
		mutex_unlock(lock);                      \
		mutex_value_;                            \
	})

void cond_init(struct cond *);
void cond_done(struct cond *);
void cond_signal(struct cond *);
void cond_broadcast(struct cond *);
void cond_wait(struct cond *, struct mutex *m) requires_lock(*m);
/* Waits until woken or until clock_mono_ms() reaches until_ms (INT64_MAX: for
 * ever). False when the time is over. */
bool cond_wait_until(struct cond *, struct mutex *m, int64_t until_ms)
	requires_lock(*m);

/* A thread with a stack of 512 KiB; all signals but those of its own faults are
 * blocked in it. thread_join frees it. Of name the first 15 bytes count. 0 or
 * -errno. */
struct thread;
int thread_start(const char *name, void (*run)(void *arg), void *arg,
		 struct thread **ret_thread);
struct thread *thread_join(struct thread *); /* NULL is fine; returns NULL */
/* thread_kick_main interrupts a system call (EINTR) of the thread that called
 * thread_self_main; if none did, it does nothing. Uses SIGURG, which nothing
 * else may handle. A kick is lost if it comes before the system call:
 * 1. The main thread looks whether it is to end: not yet.
 * 2. Another thread says so, and kicks.
 * 3. The main thread begins the system call, and sleeps in it.
 * So kick again until the main thread says that it has ended. */
void thread_self_main(void);
void thread_kick_main(void);

/* A shared object's count. refcount_drop is true for the last holder, who frees
 * the object. */
struct refcount {
	atomic_uint n;
};
static inline void refcount_init(struct refcount *r)
{
	atomic_init(&r->n, 1);
}
static inline void refcount_take(struct refcount *r)
{
	unsigned old =
		atomic_fetch_add_explicit(&r->n, 1, memory_order_relaxed);
	check(old > 0);
}
/* The caller's reference is the only one; more are taken where he prevents it.
 */
static inline bool refcount_is_one(struct refcount *r)
{
	return atomic_load_explicit(&r->n, memory_order_acquire) == 1;
}
static inline bool must_check refcount_drop(struct refcount *r)
{
	unsigned old =
		atomic_fetch_sub_explicit(&r->n, 1, memory_order_acq_rel);
	check(old > 0);
	return old == 1;
}

#endif
