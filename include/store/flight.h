/*
 * store/flight: single flight. Of all who want the same key one fetches, the
 * rest wait for it; a failure is remembered for a moment, because the kernel
 * and people ask again at once.
 *
 * Must never know what is fetched.
 */
#ifndef STORE_FLIGHT_H
#define STORE_FLIGHT_H

#include "base/ctx.h"

struct flight;
struct flight *flight_new(int64_t remember_failures_ms);
struct flight *flight_free(struct flight *); /* nobody in it any more */
DEFINE_CLEANUP(struct flight *, flight_free);

enum flight_outcome {
	FLIGHT_LEAD,   /* you fetch, then call flight_land exactly once */
	FLIGHT_LANDED, /* somebody did since you came: look again */
};
/*
 * An outcome; or the errno, with its sentence in ctx, with which the leader
 * failed while we waited or a moment ago; -EINTR when ctx was cancelled,
 * -ETIMEDOUT past its deadline, -EAGAIN without a waiting place.
 */
int flight_join(struct ctx *ctx, struct flight *, const char *key);
/*
 * result 0 or -errno. -EINTR, -EAGAIN (the leader's own affair) wake one waiter
 * to lead; every other failure is everybody's and is remembered.
 */
void flight_land(struct flight *, const char *key, int result,
		 const char *sentence);
/* Forgets remembered failures of the key (a refresh on demand). */
void flight_forget(struct flight *, const char *key);

#endif
