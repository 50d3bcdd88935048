/*
 * fs/inval: the only caller of fuse_lowlevel_notify_*, on a thread of its own
 * that holds no lock. Otherwise:
 *
 * 1. A lookup in directory D waits for a lock (or a thread) of ours.
 * 2. Whoever holds that lock notifies the kernel of a name in D.
 * 3. The notification waits in the kernel for the lookup in D to end: nobody
 *    goes on.
 */
#ifndef FS_INVAL_H
#define FS_INVAL_H

#include "base/sync.h"

struct fuse_session;
struct inval;

int inval_start(struct fuse_session *, struct inval **ret_inval);
/* From now on the kernel is told nothing more. To be called before libfuse
 * closes its descriptor: the next file gets the same number, and a note would
 * be written into it. */
void inval_end(struct inval *);
/* inval_end, and waits for the notification that is under way. To be called
 * while requests are still answered: the notification may wait in the kernel
 * for a lookup, and keeps the device open as long, so that closing the
 * descriptor would not end the connection, nor the lookup, nor the
 * notification. */
void inval_finish(struct inval *);
/* Drops what is queued. */
struct inval *inval_stop(struct inval *);

/* The members of struct model_kernel; they never wait. */
void inval_entry(void *inval, uint64_t parent_ino, const char *name);
void inval_inode(void *inval, uint64_t ino, bool content);
/* Until everything that was queued before was told, or until_ms
 * (clock_mono_ms). Never from a request's thread, for which the kernel may
 * wait. */
void inval_await(struct inval *, int64_t until_ms);
/* Calls then(arg), on a thread of its own, once everything that was queued
 * before was told to the kernel, or when timeout_ms are over: a notification
 * waits in the kernel for as long as a lookup in the same directory does. So a
 * reply can come after the kernel has heard of what the reply says, and no
 * request thread waits. */
void inval_after(struct inval *, int64_t timeout_ms, void (*then)(void *arg),
		 void *arg);

#endif
