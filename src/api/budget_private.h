/*
 * api/budget, inside: budget.c admits and pauses, budget_quota.c counts
 * requests and reckons what is left, budget_ledger.c shares the count with
 * other mounts, budget_walks.c tells walks from people.
 */
#ifndef API_BUDGET_PRIVATE_H
#define API_BUDGET_PRIVATE_H

#include "api/budget.h"

#include "base/ctx.h"
#include "store/cache_ledger.h"

#define MINUTE_MS CACHE_LEDGER_MINUTE_MS
#define HOUR_MS (60 * MINUTE_MS)
#define HOUR_MINUTES CACHE_LEDGER_MINUTES

/*
 * Requests by the minute of the wall clock and by class, a slot for each minute
 * of an hour. A slot names its minute: when the clock is set back or an hour
 * has gone by, the slot's requests are those of another minute and count
 * nothing.
 */
struct window {
	struct slot {
		int64_t minute;
		unsigned n[CTX_CLASSES];
	} slots[HOUR_MINUTES];
};
void budget_window_add(struct window *, int64_t minute, enum ctx_class,
		       unsigned n);
void budget_window_add_all(struct window *, const struct window *);
void budget_window_clear(struct window *);

/* The rate headers of the last answer that had any. All times: wall clock. */
struct said {
	int64_t noted_ms;  /* 0: never anything */
	int64_t limit;     /* 0: not said */
	int64_t remaining; /* -1: not said */
	int64_t at_total;  /* the quota's total when `remaining` was said */
	int64_t reset_ms;  /* 0: not said */
	int64_t near_ms;   /* when the limit was said to be near; 0: it is not
			    */
};

/* No pause is longer than the quota's window, whatever a header says: otherwise
 * one wrong Retry-After would keep every mount from the service for years. */
#define LONGEST_PAUSE_MS HOUR_MS
#define LONGEST_BACKOFF_MS MINUTE_MS

/*
 * One quota: of the API, of git. All members are under the budget's lock.
 *
 * Each request is in exactly one of `ledger`, `writing` and `unwritten`, so
 * that their sum is what all mounts have used. `own` has the requests of this
 * process once more: a ledger that was deleted or cannot be read makes the sum
 * no smaller than that.
 */
struct quota {
	const char *book;        /* its name in the ledger */
	int64_t assumed;         /* its limit while the service says none */
	struct window own;       /* of this process, wherever else they are */
	struct window unwritten; /* of this process, not written yet */
	struct window writing;   /* of this process, being written just now */
	struct window ledger;    /* of all mounts, as last read */
	/* The sums of these since the ledger was made, not of an hour. */
	int64_t ledger_total, n_writing, n_unwritten;
	unsigned n_under_way; /* requests admitted, not observed */
	struct said said;
	bool said_unwritten; /* `said` is newer than the ledger's note */
};
void budget_quota_init(struct quota *, const char *book, int64_t assumed);
void budget_quota_count(struct quota *, enum ctx_class, unsigned n);
void budget_quota_hear(struct quota *, const struct http_response *);
int64_t budget_quota_limit(const struct quota *);
int64_t budget_quota_left(const struct quota *); /* ≥ 0 */
/* How much of the quota the class leaves to others. */
int64_t budget_quota_reserve(const struct quota *, enum ctx_class);
/* 0: the class may spend n now; else when it may, wall clock. */
int64_t budget_quota_wait(const struct quota *, enum ctx_class, unsigned n);
/* Whether what is left comes from the service's headers, not from counting
 * alone: then the service may be wrong, and a request may try. */
bool budget_quota_is_told(const struct quota *);
void budget_quota_state(const struct quota *, struct budget_quota *ret);

/* ---- walks ---- */

struct walks;
struct walks *budget_walks_new(budget_who_of *, void *arg);
struct walks *budget_walks_free(struct walks *);
struct walker {
	int32_t session, group, process;
	bool terminal;
	char name[16]; /* printable */
};
/* The session of a thread. May read /proc: call it with no lock held. */
void budget_walks_identify(struct walks *, int32_t thread, struct walker *ret);
/* How a walker's next request would look, after those of the last ten minutes.
 */
struct walk_weight {
	/* Requests of the session so far; together: of all the sessions that
	 * have no terminal and caused few each. */
	unsigned caused;
	bool together;
	unsigned weight; /* above the threshold the session is a walk */
	unsigned people; /* requests of the sessions with at most `most` each */
	char name[16];   /* printable: the program that caused most of `caused`
			  */
};
void budget_walks_weigh(struct walks *, const struct walker *, unsigned most,
			struct walk_weight *ret);
/* The request was admitted. A refused one is not counted: the service was not
 * asked. */
void budget_walks_count(struct walks *, const struct walker *);
/* The request was refused because the session is a walk; the session stays one
 * until it has not been refused for ten minutes. Otherwise it would be a person
 * as soon as its oldest requests are forgotten, and spend what is left for
 * people. */
void budget_walks_refused(struct walks *, const struct walker *, bool together);
/* The sessions with more than threshold requests, most first. */
size_t budget_walks_list(struct walks *, unsigned threshold,
			 struct budget_walk *ret, size_t n);

/* ---- the whole ---- */

struct budget {
	struct walks *walks; /* has its own lock, a leaf */
	unsigned walk;       /* N */
	struct mutex lock;
	struct cond ledger_free;
	struct cache *cache under_lock; /* NULL: no ledger */
	bool in_ledger under_lock;    /* a thread reads or writes the ledger */
	int64_t synced_ms under_lock; /* clock_mono_ms; INT64_MIN / 2: never */
	struct quota api under_lock, git under_lock;
	uint64_t n_requests under_lock;
	uint64_t n_git_seen under_lock;     /* what budget_count_git was told */
	int64_t paused_until_ms under_lock; /* clock_boot_ms; 0: never paused */
	/* clock_boot_ms: when the service answered last, or a request to it
	 * was admitted */
	int64_t asked_ms under_lock;
	int64_t urgent_ms
		under_lock; /* so long after that an urgent ctx tries */
	int64_t backoff_ms under_lock; /* the pause of the next 429 that says no
					* time */
	/* Wall clock: when the pause was noted, here or by another mount */
	int64_t pause_noted_ms under_lock;
	bool pause_unwritten
		under_lock; /* that note is not in the ledger yet */
};
/* Writes what was counted here to the ledger, and reads what others counted.
 * wait: for another writer; otherwise it is left for the next time. */
void budget_sync(struct budget *, bool wait);
/* Reads the ledger if it was read more than a second ago. */
void budget_look(struct budget *);

#endif
