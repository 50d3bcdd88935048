/*
 * fs/inval: the only caller of fuse_lowlevel_notify_*, on its own thread,
 * holding nothing: a notification may wait in the kernel for a lookup that
 * waits for us.
 */
#ifndef FS_INVAL_H
#define FS_INVAL_H

#include "base/sync.h"

struct fuse_session;
struct inval;

int inval_start(struct fuse_session *, struct inval **ret_inval);
/* Nothing more is told: before libfuse closes its descriptor, whose number the
 * next file gets. */
void inval_end(struct inval *);
/*
 * And waits for the one that is being told. While requests are still answered:
 * it may wait in the kernel for a lookup, and while it does, it keeps the
 * device open, so that closing the descriptor does not end the connection, nor
 * the lookup, nor it.
 */
void inval_finish(struct inval *);
/* What is queued is dropped. */
struct inval *inval_stop(struct inval *);

/* As struct model_kernel; they never wait. */
void inval_entry(void *inval, uint64_t parent_ino, const char *name);
void inval_inode(void *inval, uint64_t ino, bool content);
/*
 * Calls then(arg), on a thread of its own, once what was queued before was
 * told, or when timeout_ms are over: a notification waits in the kernel for as
 * long as a lookup in the same directory does. So a reply can come after the
 * kernel has heard of what it says, and no request waits here for the telling.
 */
void inval_after(struct inval *, int64_t timeout_ms, void (*then)(void *arg),
		 void *arg);

#endif
