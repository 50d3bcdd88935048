/*
 * store/flight, inside.
 *
 * flight.c owns work, found by its key, the failures that are remembered and
 * the first form; flight_wait.c those who wait; flight_work.c the second form.
 *
 * Work is found by its key while it is under way or while its failure is
 * remembered. Those who wait are a queue of structs on their own stacks;
 * whoever decides something for a waiter takes it out of the queue and writes
 * the decision into it; how the work ended is read from the work, of which each
 * waiter has a reference.
 *
 * Invariants, under the lock:
 * - work is under way (waiters possible) or has ended (no waiters);
 * - a waiter is in the queue of its work, or its state is no longer
 *   FLIGHT_WAITING;
 * - work that has ended is found only as a remembered failure; those are also
 *   in `failures`, the next to be forgotten first.
 */
#ifndef STORE_FLIGHT_PRIVATE_H
#define STORE_FLIGHT_PRIVATE_H

#include "store/flight.h"

#include "base/map.h"

enum flight_waiter_state {
	FLIGHT_WAITING,
	FLIGHT_WAITER_LEADS,
	FLIGHT_WAITER_AT_END,
};

struct flight_waiter {
	struct flight *flight;
	struct cond changed;
	bool cancelled;
	enum flight_waiter_state state;
	struct flight_waiter *prev, *next;
};

struct flight_work {
	/* Fixed. */
	struct flight *flight;
	struct ctx ctx;
	bool by_caller; /* the first form */

	/* Under the lock of flight: */
	unsigned refcount;
	unsigned n_entered; /* of the second form */
	bool is_found, ended;
	bool goes_on; /* also when nobody is left who entered */
	struct flight_waiter *waiters; /* the next leader first */
	int64_t forget_ms;
	struct flight_work *prev, *next; /* in failures */
	UT_hash_handle hh;
	/* Fixed once it has ended. */
	int result;
	char *sentence;
	void *value;

	char key[];
};

struct flight {
	struct flight_config config;
	struct mutex lock;
	/* Under lock: */
	struct flight_work *works; /* that are found */
	struct flight_work *failures;
	unsigned n_failures;
};

/* flight.c */
struct flight_work *flight_work_new(struct flight *f, const char *key,
				    bool by_caller) requires_lock(f->lock);
struct flight_work *flight_work_find(struct flight *f, const char *key)
	requires_lock(f->lock);
/* Nobody has a reference any more. */
void flight_work_free(struct flight_work *);
/* It is not found by its key any more. */
void flight_work_hide(struct flight *f, struct flight_work *)
	requires_lock(f->lock);
/* Its waiters are told. is_remembered: if it is a failure, and is found. */
void flight_work_end(struct flight *f, struct flight_work *,
		     const struct flight_landing *, bool is_remembered)
	requires_lock(f->lock);
/* Failures whose time is over: those that nobody holds are put before *gone, to
 * be freed (flight_free_all) without the lock. */
void flight_forget_old(struct flight *f, struct flight_work **gone)
	requires_lock(f->lock);
void flight_free_all(struct flight_work *gone);

/* flight_wait.c */
int flight_check_ctx(const struct flight *, const struct ctx *);
/* Into the queue of the work, for flight_wait_in_queue. */
void flight_queue_up(struct flight *f, struct flight_work *,
		     struct flight_waiter *me) requires_lock(f->lock);
/* What was decided for the waiter, or why it left. */
int flight_wait_in_queue(struct ctx *, struct flight_work *,
			 struct flight_waiter *me, void **ret_value);
void flight_tell(struct flight *f, struct flight_work *,
		 struct flight_waiter *who, enum flight_waiter_state)
	requires_lock(f->lock);
/* What the end of the work, which has ended, is to somebody who waited. */
int flight_work_outcome(struct ctx *, struct flight_work *, void **ret_value);

#endif
