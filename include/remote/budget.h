/*
 * remote/budget: what is left of the request quota, and when to pause.
 *
 * Shared by all threads. Must never know what the requests are for.
 */
#ifndef REMOTE_BUDGET_H
#define REMOTE_BUDGET_H

#include "wire/http.h"

struct budget;
struct budget *budget_new(void);
struct budget *budget_free(struct budget *);
DEFINE_CLEANUP(struct budget *, budget_free);

/* Before each request to the API. 0; or, during a pause: waits for its end if
 * that is at most 10 s away and before ctx's deadline, else -EDQUOT at once
 * with the sentence that says until when; -EINTR, -ETIMEDOUT as ctx says,
 * -EAGAIN without a waiting place. */
int budget_admit(struct ctx *, struct budget *);
/* After each answer: counts it, reads the rate headers (FACTS §4). A 429 begins
 * a pause: as long as Retry-After or x-ratelimit-reset (with nothing
 * remaining) say, else 1 s, doubled by each further one up to 60 s, with
 * jitter; those that come while it lasts do not make it longer. Returns the
 * pause in ms (0: none). */
int64_t budget_observe(struct budget *, const struct http_response *);

struct budget_state {
	uint64_t n_requests;  /* answered since the start */
	unsigned n_last_hour; /* own rolling window, to the minute */
	int64_t limit, remaining, reset_s; /* -1: the service did not say */
	int64_t paused_until_ms;           /* wall clock; 0: not paused */
};
void budget_state(struct budget *, struct budget_state *ret_state);

#endif
