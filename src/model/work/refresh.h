/*
 * model/work/refresh: one background worker: revalidates what was served stale,
 * and asks for what is watched (trees, the names of branches and tags) while it
 * was heard of within the hour.
 *
 * Must never know how the kernel hears of changes, nor whose work it does.
 */
#ifndef MODEL_WORK_REFRESH_H
#define MODEL_WORK_REFRESH_H

#include "model/node.h"

struct model;
struct refresh;

int refresh_start(struct model *, struct refresh **ret_refresh);
/* Joins the worker; its waits are of the cancelled group. NULL is fine. */
struct refresh *refresh_stop(struct refresh *);

/* What a piece of work is for: what its queuer named. */
struct refresh_item {
	const char *workspace, *name; /* NULL where it named none */
	struct node *node;
};
struct refresh_work {
	const char *name; /* pieces of work of one name are the same kind */
	/* 0 or -errno, which goes to the problems. */
	int (*run)(struct ctx *, struct model *, const struct refresh_item *);
};
/* Queued once however often it is asked for. Strings are copied; a reference on
 * node (may be NULL) is held until it is done. Returns at once. refresh NULL:
 * nothing happens. */
void refresh_queue(struct refresh *, const struct refresh_work *,
		   const char *workspace, const char *name, struct node *node);
/* What is behind a node: its provider's refresh. */
void refresh_node(struct refresh *, struct node *);
/* A directory that is asked for again while somebody looks at it. */
struct refresh_watching {
	/* ms until it is due (0: now); INT64_MAX: not before somebody looks. */
	int64_t (*due_ms)(struct model *, struct node *);
	/* Asks, unless the last answer is at most max_age_ms old, and tells
	 * the kernel what changed. */
	int (*ask)(struct ctx *, struct model *, struct node *,
		   int64_t max_age_ms);
	void (*expire)(struct model *, struct node *); /* the machine slept */
	/* Nobody looked for long: it is watched no more. May be NULL. */
	void (*end)(struct model *, struct node *);
};
/* It begins to be watched; the worker holds a reference on the node until it is
 * due no more. */
void refresh_watch(struct refresh *, struct node *,
		   const struct refresh_watching *);
/* How long one that was asked for so often since somebody looked is not asked
 * for again: ttl, then 2, 4, 8 times that. */
int64_t refresh_pause_ms(const struct model *, unsigned n_quiet);
/* For the max_age_ms of a check: the watch is due, or another one's question
 * brought news; an answer of most of its pause is young enough. */
#define REFRESH_POLL (-1)
int64_t refresh_age_ms(const struct model *, unsigned n_quiet);
/* The monotonic time that the next pause of a watch begins at, which began its
 * check at began_ms: that of the answer (wall clock), if it is that young. */
int64_t refresh_asked_ms(int64_t began_ms, int64_t checked_ms,
			 int64_t max_age_ms);

#endif
