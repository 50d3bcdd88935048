/*
 * fs/era: which model requests are for. While the mount goes on it may be given
 * another model, for another account. Then a new era begins at once, and nobody
 * waits for it: what came before goes to its end in the old one, what comes
 * later is the new one's.
 *
 * 1. A request finds the model.
 * 2. Another one takes its place, and the old one is freed.
 * 3. The request uses what was freed.
 * So a request is in an era from its begin to its end, and an era is awaited
 * before its model goes. A directory that was opened in an era that is over can
 * be closed, and nothing else.
 */
#ifndef FS_ERA_H
#define FS_ERA_H

#include "base/sync.h"

struct ctx_group;
struct model;
struct opened;

struct era_opened;
struct era {
	struct model *model;     /* borrowed */
	struct ctx_group *group; /* of its requests; borrowed */
	struct era *before;
	unsigned n_users under_lock;          /* of the eras' lock */
	struct era_opened *opened under_lock; /* the same */
};
struct era_all {
	struct mutex lock;
	struct cond left;
	struct era *now under_lock;
	bool ended under_lock;
};
void era_all_init(struct era_all *, struct model *, struct ctx_group *);
void era_all_done(struct era_all *); /* no request is in any */

/* The one of now, until era_leave. */
struct era *era_enter(struct era_all *);
void era_leave(struct era_all *, struct era *);

/* A directory's handle, for the kernel, of what an era's model opened. */
uint64_t era_open(struct era_all *, struct era *, struct opened *);
/* Enters the era of a handle; NULL: that is over. */
struct era *era_enter_opened(struct era_all *, uint64_t handle,
			     struct opened **ret_opened);
/* The same, and the handle is gone. */
struct era *era_enter_closed(struct era_all *, uint64_t handle,
			     struct opened **ret_opened);

/* Whoever waits is cancelled, now and from now on: the mount ends. */
void era_all_end(struct era_all *);
/* A new era, and the one before it; -ESHUTDOWN: the mount ends. */
int era_begin(struct era_all *, struct model *, struct ctx_group *,
	      struct era **ret_before);
/* Until nobody is in it. */
void era_await(struct era_all *, struct era *);

#endif
