/*
 * model/work/refresh: one background worker: revalidates answers that were
 * served stale, and asks for watched directories (trees, the names of branches
 * and tags) until an hour after a program last looked.
 *
 * Must never know how the kernel hears of changes, nor whose work it does.
 */
#ifndef MODEL_WORK_REFRESH_H
#define MODEL_WORK_REFRESH_H

#include "model/node.h"

struct model;
struct refresh;

int refresh_start(struct model *, struct refresh **ret_refresh);
/* Joins the worker, whose waits end with the group. NULL is fine. */
struct refresh *refresh_stop(struct refresh *);

/* What a piece of work is about, as it was queued. */
struct refresh_item {
	const char *workspace, *name; /* NULL: not about one */
	struct node *node;
};
struct refresh_work {
	const char *name; /* part of the key: equal keys are queued once */
	/* 0 or -errno, which is recorded among the problems. */
	int (*run)(struct ctx *, struct model *, const struct refresh_item *);
};
/* Queues a piece of work, unless an equal one is queued. Strings are copied; a
 * reference on node (may be NULL) is held until the work is done. Returns at
 * once. Before refresh_start nothing happens. */
void refresh_queue(struct refresh *, const struct refresh_work *,
		   const char *workspace, const char *name, struct node *node);
/* Queues the node's provider->refresh, unless nothing may be asked for the sake
 * of whoever was served what is stale (ctx_is_barred). */
void refresh_node(struct ctx *for_whom, struct refresh *, struct node *);
/* A kind of directory that is asked for again while programs look at it. */
struct refresh_watching {
	/* ms until the directory is due (0: now); INT64_MAX: nobody looks at
	 * it. */
	int64_t (*due_ms)(struct model *, struct node *);
	/* Asks, unless the last answer is at most max_age_ms old, and tells the
	 * kernel what changed. */
	int (*ask)(struct ctx *, struct model *, struct node *,
		   int64_t max_age_ms);
	void (*expire)(struct model *, struct node *); /* the machine slept */
	/* due_ms said that nobody looks, and the directory is off the worker's
	 * list: what is kept for it goes. False: a program has looked since
	 * then, the directory is watched again. NULL: due_ms is asked again. */
	bool (*end)(struct model *, struct node *);
};
/* Begins to watch a directory; the worker holds a reference on the node until
 * due_ms says INT64_MAX. */
void refresh_watch(struct refresh *, struct node *,
		   const struct refresh_watching *);
/* The pause before a directory is asked for again: ttl, and 2, 4, 8 times that
 * when the background has asked n_quiet times since a program looked. */
int64_t refresh_pause_ms(const struct model *, unsigned n_quiet);
/* As max_age_ms of `ask`: the worker asks because the watch is due. An answer
 * of nine tenths of its pause is young enough (refresh_age_ms); one that
 * another watch of the repository got, and that this one has not seen, always
 * is, but for those of before a long sleep. */
#define REFRESH_POLL (-1)
#define REFRESH_NEWS_AGE_MS (INT64_C(3600) * 1000)
int64_t refresh_age_ms(const struct model *, unsigned n_quiet);
/* From when the next pause of a watch is counted, in monotonic time: from the
 * answer (checked_ms, wall clock), if it is at most max_age_ms old; otherwise
 * from the beginning of the check. */
int64_t refresh_asked_ms(int64_t began_ms, int64_t checked_ms,
			 int64_t max_age_ms);

#endif
