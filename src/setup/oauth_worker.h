/*
 * setup/oauth_worker: asking for new tokens goes on when whoever wanted
 * them breaks off.
 *
 * 1. A asks with a refresh token, which is good once. 2. A is interrupted
 * (Ctrl-C), or has waited for its 3 s, while the answer is under way. 3. If the
 * exchange ended with it, nobody would have a token. So it is a thread's of its
 * own, and A waits for that.
 *
 * Must never know what is asked for.
 */
#ifndef SETUP_OAUTH_WORKER_H
#define SETUP_OAUTH_WORKER_H

#include "base/ctx.h"

struct oauth_worker;
struct oauth_work {
	/* 0 or -errno, with a sentence in ctx, which only oauth_worker_free
	 * cancels; a failure is everybody's for *remember_ms, which is set. One
	 * at a time, on the worker's thread. */
	int (*run)(void *arg, struct ctx *, uint64_t version,
		   int64_t *remember_ms);
	void *arg;
};
struct oauth_worker *oauth_worker_new(const struct oauth_work *,
				      int64_t remember_ms);
/* Waits a while for an answer that is under way (oauth_worker_hold), and breaks
 * off what else there is. Nobody is in it any more. */
struct oauth_worker *oauth_worker_free(struct oauth_worker *);
/* Has it run for that version, or joins who has. As run ended; -EINTR,
 * -ETIMEDOUT, -EAGAIN as of flight_wait: it goes on. */
int oauth_worker_do(struct ctx *, struct oauth_worker *, uint64_t version);
/* Of run: from now on something would be lost; no more. */
void oauth_worker_hold(struct oauth_worker *, bool holds);

#endif
