/*
 * store/flight: single flight. Of all who want the same key one fetches, the
 * rest wait; a failure is remembered for a moment, because the kernel and
 * people ask again at once.
 *
 * Two forms, of which a flight uses one:
 *
 * - Whoever comes first leads and does the work on his own thread: flight_join,
 *   flight_land. If he breaks off, the next of those who wait leads.
 * - Whoever comes first has the work done by another thread and waits like
 *   everybody: flight_enter, flight_wait, flight_give_up. When the last one
 *   gives up before its end, the ctx of the work is cancelled, unless somebody
 *   left it to go on (flight_leave).
 *
 * The races, and what closes them (all under the one lock of the flight, a
 * leaf: flight_enter, flight_close, flight_forget may be called with a lock
 * held):
 *
 * Landed between looking and joining:
 * 1. A looks into the cache: nothing.
 * 2. B, who leads, stores it and lands.
 * 3. A joins: nobody leads, so A would fetch it again. So whoever is told
 *    FLIGHT_LEAD looks once more first.
 *
 * Cancelled while something is decided:
 * 1. A waits; B leads and breaks off: A is to lead.
 * 2. A is cancelled before its thread runs again.
 * 3. If A left now nobody would lead, and C behind A waited for ever. So what
 *    was decided for A wins: A leads, finds itself cancelled, lands with
 *    -EINTR, and C leads.
 *
 * A newcomer while the last one gives up:
 * 1. A is the only one who waits, and gives up: nobody is left.
 * 2. B enters the same key, and joins.
 * 3. A cancels the work: B would get -EINTR for nothing. So in the moment in
 *    which nobody is left the key is free: B leads new work in 2.
 *
 * Ended while the last one gives up:
 * 1. A gives up as the last one, and is about to cancel the ctx of the work.
 * 2. Its thread ends the work, and lets go of it.
 * 3. A cancels a ctx that is gone. So the ctx is a part of the work, which
 *    lives until A has left.
 *
 * Must never know what is fetched.
 */
#ifndef STORE_FLIGHT_H
#define STORE_FLIGHT_H

#include "base/ctx.h"

/* Values that leaders hand over: immutable, counted by whoever made them. */
struct flight_values {
	void *(*ref)(void *value);  /* called under the lock: counts, no more */
	void (*unref)(void *value); /* never called under the lock */
};
struct flight_config {
	int64_t remember_ms;                /* failures; 0: not at all */
	const struct flight_values *values; /* NULL: none are handed over */
	/* Nobody waits for the network: without a waiting place, whatever the
	 * deadline; and the ctx may be NULL (nobody breaks the wait off). */
	bool local;
};
struct flight;
struct flight *flight_new(int64_t remember_failures_ms); /* the rest is 0 */
struct flight *flight_new_with(const struct flight_config *);
struct flight *flight_free(struct flight *); /* nobody in it any more */
DEFINE_CLEANUP(struct flight *, flight_free);

/* How the work ended. */
struct flight_landing {
	int result;           /* 0 or -errno */
	const char *sentence; /* NULL, "": none; the waiters keep theirs */
	void *value; /* of 0; each who waits gets a reference; NULL: none */
	/* Of a failure; 0: as the flight's. To forget it afterwards would be
	 * too late for who was woken by the landing and asks again at once. */
	int64_t remember_ms;
#define FLIGHT_REMEMBER_NOT (-1)
};

enum flight_outcome {
	FLIGHT_LEAD,   /* you fetch, then call flight_land exactly once */
	FLIGHT_LANDED, /* somebody did since you came: look again */
	/* Of flight_enter and flight_wait: */
	FLIGHT_JOINED,     /* the work is under way, or its failure known */
	FLIGHT_BROKEN_OFF, /* cancelled: enter again, if you still want it */
};

/* ---- the first who comes does it ---- */

/*
 * FLIGHT_LEAD, FLIGHT_LANDED; or the errno, with its sentence in ctx, with
 * which the leader failed while we waited or a moment ago; -EINTR when ctx was
 * cancelled, -ETIMEDOUT past its deadline, -EAGAIN without a waiting place.
 */
int flight_join(struct ctx *ctx, struct flight *, const char *key);
/* The same; of FLIGHT_LANDED *ret_value is a reference to what the leader
 * handed over, or NULL. */
int flight_join_value(struct ctx *ctx, struct flight *, const char *key,
		      void **ret_value);
/*
 * result 0 or -errno. -EINTR, -EAGAIN (the leader's own affair) wake one waiter
 * to lead; every other failure is everybody's and is remembered.
 */
void flight_land(struct flight *, const char *key, int result,
		 const char *sentence);
void flight_land_as(struct flight *, const char *key,
		    const struct flight_landing *);

/* Forgets remembered failures of the key (a refresh on demand); "": of all. */
void flight_forget(struct flight *, const char *key);

/* ---- somebody else does it ---- */

/* Work under one key. A reference for each who entered, until flight_give_up,
 * and one for whoever does it, until flight_end. It does not keep its flight:
 * whoever has a reference has something that does. */
struct flight_work;
struct flight_work *flight_work_ref(struct flight_work *);
struct flight_work *flight_work_unref(struct flight_work *);

/* FLIGHT_LEAD: see that somebody does it, and that he calls flight_end; or
 * FLIGHT_JOINED. Never waits. */
enum flight_outcome flight_enter(struct flight *, const char *key,
				 struct flight_work **ret_work);
/*
 * Until the work ends. FLIGHT_LANDED, with the value; FLIGHT_BROKEN_OFF, it
 * ended with -EINTR; how it failed, with the sentence in ctx; or, while it goes
 * on, -EINTR, -ETIMEDOUT, -EAGAIN as of flight_join. ret_value may be NULL.
 */
int flight_wait(struct ctx *ctx, struct flight_work *, void **ret_value);
/* The work is cancelled if nobody is left who entered and it has not ended:
 * then true, and whoever enters from now on finds new work. */
bool flight_give_up(struct flight_work *);
/* The same, but the work goes on to its own end, whoever gives up from now on:
 * until then whoever enters finds it. False: it had ended. */
bool flight_leave(struct flight_work *);
/* 0, or the failure that it ended with. */
int flight_work_result(struct flight_work *);

/* For whoever does it: */
struct ctx *flight_work_ctx(struct flight_work *); /* of no group */
void flight_close(struct flight_work *); /* whoever enters finds new work */
/* -EINTR: everybody enters again; every other failure is everybody's. Gives the
 * reference of whoever does it back. Not remembered: what nobody waited for. */
void flight_end(struct flight_work *, const struct flight_landing *);

#endif
