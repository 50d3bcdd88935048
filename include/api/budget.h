/*
 * api/budget: what is left of the service's quotas, who may still spend of
 * it, and when to pause.
 *
 * A quota is a number of requests in a rolling hour: one of the API, one of
 * git. What is left of it the service says (src/api/README.md, 7); where it
 * does not, it is counted here. Both are remembered in the cache's ledger, so
 * that a restart forgets nothing and mounts that share a cache share the count.
 *
 * Three classes spend. People may use everything; walks leave 30 % of the
 * quota, refreshes (and what is fetched ahead) 50 %. A walk is a session (what
 * runs at one terminal; a script of cron) that has caused more than N requests
 * in ten minutes: a loop is one however many processes it starts. At a terminal
 * a request counts the less the older it is, for a person goes on and on where
 * a loop hurries. Sessions without a terminal that cause a few requests each
 * (`setsid`, a job that cron starts each minute) count together.
 *
 * A ceiling is over all: where those that are no walks have caused more than
 * 4 × N together, N / 10 make one. In the reserve fewer do, too: N × left / 300
 * (at least 3), so that walks that begin anew again and again do not use it up
 * as people.
 *
 * Shared by all threads. Must never know what the requests are for.
 */
#ifndef API_BUDGET_H
#define API_BUDGET_H

#include "store/cache.h"
#include "wire/http.h"

#define BUDGET_API_HOUR 1000     /* of an account */
#define BUDGET_ANONYMOUS_HOUR 60 /* of an address */
#define BUDGET_GIT_HOUR 60000

/* Whose a thread is. -errno when the thread has ended. */
struct budget_who {
	int32_t session; /* 0: not to be seen from here; the others likewise */
	int32_t group;   /* of processes: a job of a shell, a pipeline */
	int32_t process;
	bool terminal; /* the session has one */
	char name[16]; /* of its program: any bytes but NUL */
};
typedef int budget_who_of(void *arg, int32_t thread, struct budget_who *ret);
budget_who_of budget_who_from_proc;
struct budget_config {
	int64_t api_hour;      /* while the service says nothing; 0: 1,000 */
	unsigned walk;         /* N; 0: 100 */
	budget_who_of *who_of; /* NULL: budget_who_from_proc */
	void *arg;
};
#define BUDGET_WALK_DEFAULT 100

struct budget;
/* NULL: all defaults. */
struct budget *budget_new(const struct budget_config *);
struct budget *budget_free(struct budget *);
DEFINE_CLEANUP(struct budget *, budget_free);

/* From now on the ledger is in this cache (borrowed), and the requests made so
 * far are added to it. NULL: writes what is not in the ledger yet, and uses
 * none from now on. A ledger that cannot be read or written fails no request.
 */
void budget_attach(struct budget *, struct cache *);

/*
 * Before each request to the API: 0, and then budget_observe is called exactly
 * once. Sets ctx's class to person or walk, by the session of ctx's caller
 * (a refresh stays one). During a pause: waits for its end if that is at most
 * 10 s away and before ctx's deadline, else -EDQUOT at once with the sentence
 * that says until when. -EDQUOT at once also when the class may spend no more;
 * ctx->refused is set when another class still may. -EINTR, -ETIMEDOUT as ctx
 * says, -EAGAIN without a waiting place.
 *
 * Although the service forbids it (a pause, nothing remaining), one request in
 * five minutes is let through; of urgent ones the first a second after the last
 * request, then two seconds, up to a minute. ctx->tries is set then.
 */
int budget_admit(struct ctx *, struct budget *);
/*
 * After each of them, answered or not, with the same ctx: counts it as often as
 * the service did, reads the rate headers. A 429 begins a pause: as long as
 * Retry-After or x-ratelimit-reset (with nothing remaining) say, an hour at
 * most, else 1 s, doubled by each further one up to 60 s, with jitter; those
 * that come while it lasts do not make it longer. Returns the pause in ms (0:
 * none).
 */
int64_t budget_observe(struct ctx *, struct budget *,
		       const struct http_response *);

/* 0, or the refusal that a request of this ctx would meet now because it is of
 * a walk that has had its share (-EDQUOT with the sentence). Counts nothing. */
int budget_refuses(struct ctx *, struct budget *);

/* Whose thread that is; what is not to be seen is the thread's own number. It
 * is remembered for a second, and of a thread that has ended what was known.
 * May read /proc: for what is about to cost more than that, with no lock held.
 */
void budget_identify(struct budget *, int32_t thread, struct budget_who *ret);

/* Whether the background may spend n requests now: for fetching ahead. The
 * requests themselves go through budget_admit, with a ctx of CTX_REFRESH. */
bool budget_may_prefetch(struct budget *, unsigned n);

/* Of git's own quota: n_requests is what http_n_requests says of its client. */
void budget_count_git(struct budget *, uint64_t n_requests);

struct budget_quota {
	int64_t limit, left;
	unsigned used; /* in the last hour, by all who share the cache */
	unsigned by_class[CTX_CLASSES];
	bool told;        /* the service says what is left */
	int64_t reset_ms; /* wall clock: when it has all; 0: not said */
	int64_t full_ms;  /* the same, else reckoned; 0: it has all now */
};
struct budget_walk {
	int32_t session;     /* 0: of a process that cannot be seen */
	char name[16];       /* printable: the program that asked most */
	unsigned n_requests; /* in ten minutes */
};
#define BUDGET_WALKS_SHOWN 8
struct budget_state {
	uint64_t n_requests; /* to the API, of this process */
	struct budget_quota api, git;
	int64_t paused_until_ms; /* wall clock; 0: not paused */
	int64_t tries_ms; /* wall clock: when one request may try during it; 0:
			   * it ends before */
	/* When a class may go on; 0: it may now. */
	int64_t waits_until_ms[CTX_CLASSES];
	struct budget_walk walks[BUDGET_WALKS_SHOWN]; /* most requests first */
	size_t n_walks;
};
void budget_state(struct budget *, struct budget_state *ret_state);

#endif
