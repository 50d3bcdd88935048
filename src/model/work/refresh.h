/*
 * model/work/refresh: one background worker: revalidates what was served stale,
 * and asks for the refs of trees that were heard of within the hour.
 *
 * Must never know how the kernel hears of changes.
 */
#ifndef MODEL_WORK_REFRESH_H
#define MODEL_WORK_REFRESH_H

#include "model/node.h"

struct model;
struct refresh;

int refresh_start(struct model *, struct refresh **ret_refresh);
/* Joins the worker; its waits are of the cancelled group. NULL is fine. */
struct refresh *refresh_stop(struct refresh *);

/* Queued once however often it is asked for; failures go to the problems. All
 * of these return at once. refresh NULL: nothing happens. */
void refresh_root(struct refresh *);
void refresh_workspace(struct refresh *, const char *workspace);
void refresh_repository(struct refresh *, const char *workspace,
			const char *name);
void refresh_user(struct refresh *);
/* What is behind a node of model/dirs/row_dir; a reference is held until it is
 * done. */
void refresh_row_dir(struct refresh *, struct node *place);
/* A tree, or the directory of branches or tags, begins to be watched; the
 * worker holds a reference on the node while it was heard of within the hour.
 */
void refresh_watch(struct refresh *, struct node *tree);
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
