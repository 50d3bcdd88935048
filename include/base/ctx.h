/*
 * base/ctx: the context that every function takes that may wait for the
 * network.
 *
 * Lock order: a group's lock, the ctx's inner lock, the one lock that a waker
 * (below) may take. So ctx_init, ctx_done, ctx_cancel, ctx_group_cancel,
 * ctx_watch, ctx_unwatch, ctx_waiting_begin, ctx_waiting_end and ctx_sleep are
 * called with no lock held; the others may be called with one. So may ctx_init
 * and ctx_done of a ctx that has no group and is not watched any more: they
 * take only its own lock, which no other thread can want.
 */
#ifndef BASE_CTX_H
#define BASE_CTX_H

#include "base/sync.h"

/*
 * A ctx travels down with every request that may wait for the network: its
 * deadline, whether somebody cancelled it (Ctrl-C, unmount), and, on the way
 * back up, the sentence behind an errno. It belongs to the thread that waits;
 * only ctx_cancel may come from another one.
 */
struct ctx_group;
/* Whom a ctx works for. Where there is not enough for all, those named first go
 * first. CTX_WALK is set by whoever can tell walks from people (api/budget). */
enum ctx_class {
	CTX_PERSON,
	CTX_WALK,    /* a program that goes through everything */
	CTX_REFRESH, /* in the background: nobody waits for it */
};
#define CTX_CLASSES 3
struct ctx_waker {
	void (*wake)(void *arg); /* never blocks; see "Lock order" above */
	void *arg;
	struct ctx_waker *next;
};
struct ctx {
	int64_t deadline_ms; /* clock_mono_ms(); INT64_MAX: none */
	atomic_bool cancelled;
	struct mutex lock;
	struct ctx_group *group;
	struct ctx *prev, *next; /* in the group, under the group's lock */
	bool waits;              /* holds one of the group's waiting places */
	enum ctx_class who;
	int32_t caller; /* the thread that asked the kernel; 0: not known */
	/* Somebody asked for news by name (.now): the request is let through
	 * where others wait for the end of a pause. */
	bool urgent;
	/* It goes through everything by itself (`fetch`): a walk from its first
	 * request on, which is not its caller's session's. */
	bool walks;
	bool tries; /* set by api/budget: let through during a pause */
	/* The failure is about this ctx's class or caller, and another ctx may
	 * succeed: otherwise a walk that is refused would fail for people, too,
	 * who wait for the same answer. */
	bool refused;
	/* What its group's gate said, once it was asked: the service may be
	 * asked for this ctx, or may not. */
	bool passed, barred;
	/* The service says that the endpoint was removed, and where that was
	 * announced: it does not come back, and asking again is of no use. */
	bool announced;
	/* What for, for the log; "" where nobody reads it (ctx_tells) or in the
	 * background; and what was left of the hour when it was let through,
	 * -1: not known. */
	char cause[160];
	int64_t left;
	char sentence[512]; /* "", or why the request failed, for people */
	struct ctx_waker *wakers under_lock;
};

/* group may be NULL. timeout_ms < 0: no deadline. */
void ctx_init(struct ctx *, struct ctx_group *group, int64_t timeout_ms);
/* Another ctx for the same work: with parent's group, deadline, class and
 * caller. Cancelling parent does not cancel it. */
void ctx_init_like(struct ctx *, const struct ctx *parent);
/* ctx works for the caller of another one, and for its cause. */
void ctx_work_for(struct ctx *, const struct ctx *whom);
/* Whether the log has a line for each request. To be set before threads are
 * started. */
void ctx_tell(bool);
bool ctx_tells(void);
/* Nothing, unless it does. */
void ctx_because(struct ctx *, const char *fmt, ...) printf_like(2, 3);
void ctx_done(struct ctx *);
void ctx_cancel(struct ctx *); /* from any thread; more than once is fine */
/* 0, -EINTR when cancelled, -ETIMEDOUT past the deadline. */
int ctx_check(const struct ctx *);
int64_t ctx_left_ms(const struct ctx *); /* ≥ 0; INT64_MAX: no deadline */
/* Brings the deadline forward to at most timeout_ms from now; returns the old
 * one for ctx_widen. */
int64_t ctx_narrow(struct ctx *, int64_t timeout_ms);
void ctx_widen(struct ctx *, int64_t old_deadline_ms);
/* While watched, wake is called at most once, on cancellation (at once, if the
 * ctx is cancelled already). After ctx_unwatch it does not run any more. */
void ctx_watch(struct ctx *, struct ctx_waker *);
void ctx_unwatch(struct ctx *, struct ctx_waker *);
/* The ctx may be NULL for these: then nothing cancels the wait. */
bool ctx_is_cancelled(const struct ctx *);
/* For a loop round cond_wait that looks at ctx_is_cancelled: between the two,
 * which are called without the lock, cancelling broadcasts the cond. */
struct ctx_waiting {
	struct ctx_waker waker;
	struct mutex *lock;
	struct cond *cond;
};
void ctx_waiting_begin(struct ctx *, struct ctx_waiting *, struct mutex *lock,
		       struct cond *);
void ctx_waiting_end(struct ctx *, struct ctx_waiting *);
/* Sleeps, in real time; 0, -EINTR, -ETIMEDOUT (when the deadline comes before
 * the end, at once). */
int ctx_sleep(struct ctx *, int64_t ms);
/* Says why, for people: one sentence without a final newline, in which
 * log_clean replaces secrets. fmt may print the old sentence. Returns errnum,
 * so that `return ctx_fail(ctx, -EIO, "…")` reads well. At debug level the log
 * says where that was: the file and line of the call. */
#define ctx_fail(ctx, errnum, ...) \
	ctx_fail_at(__FILE__, __LINE__, ctx, errnum, __VA_ARGS__)
int ctx_fail_at(const char *file, int line, struct ctx *, int errnum,
		const char *fmt, ...) printf_like(5, 6);

/*
 * Whoever is about to wait for the network takes a waiting place: -EAGAIN when
 * all of the group's are taken, so that threads remain for cached answers.
 * Calls nest (the second is free); ctx_done gives the place back too.
 */
int ctx_wait_begin(struct ctx *);
void ctx_wait_end(struct ctx *);

/*
 * A group may have a gate: who may cause a request. It is asked by
 * ctx_wait_begin, and so before anything is asked for that somebody waits for;
 * and where that would come later than the question. 0, or -errno with the
 * sentence, which is this ctx's alone (refused). Called on the ctx's own thread
 * with no lock held.
 */
typedef int ctx_gate(void *arg, struct ctx *);
int ctx_may_ask(struct ctx *);
/* The same of what is done behind, where nobody is told. NULL: nobody's. */
bool ctx_is_barred(struct ctx *);

/* All requests of a mount: cancelled together when it ends. */
struct ctx_group *ctx_group_new(unsigned max_waiting);
struct ctx_group *ctx_group_free(struct ctx_group *); /* must be empty */
/* Before the first ctx of the group. */
void ctx_group_set_gate(struct ctx_group *, ctx_gate *, void *arg);
void ctx_group_cancel(struct ctx_group *); /* present and future */
unsigned ctx_group_waiting(struct ctx_group *);
DEFINE_CLEANUP_DONE(struct ctx, ctx_done);
DEFINE_CLEANUP(struct ctx_group *, ctx_group_free);

#endif
