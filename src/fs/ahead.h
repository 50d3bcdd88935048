/*
 * fs/ahead: giving the kernel the bytes of files that it has not asked for yet
 * (fuse_lowlevel_notify_store), by the thread of a READ, or of the READDIRPLUS
 * that ends a listing, before it answers: a walk then finds the following files
 * of a directory in the page cache.
 *
 * The kernel lets a store wait for the lock of a page, and whoever reads the
 * file holds that lock until his READ is answered:
 *
 * 1. A, at the READ of file 1, gives file 2.
 * 2. B, at the READ of file 2, gives file 1.
 * 3. Each waits for the other's answer.
 *
 * So a file of which a READ is under way is never given. A READ is counted
 * (ahead_begin) before its thread looks what others read: of the threads of a
 * circle the one that looks last finds the next one's file counted, and does
 * not wait. A READ that no thread has taken from the kernel yet may be waited
 * for; so only a few threads give at a time, and all others are free to take
 * it. Whoever gives holds no lock, no handle of a store and nothing else for
 * which a READ could wait; a READDIRPLUS holds no page.
 */
#ifndef FS_AHEAD_H
#define FS_AHEAD_H

#include "base/mem.h"
#include "base/sync.h"

struct fuse_session;

#define AHEAD_FILES 1024

struct ahead_stores {
	struct fuse_session *session; /* NULL: nothing is given */
	/* READs that are under way, by a hash of the inode. */
	atomic_uint reads[AHEAD_FILES];
	struct mutex lock;
	struct cond done;
	/* Under lock: */
	unsigned n_givers;
	bool stopping;
};

void ahead_init(struct ahead_stores *);
void ahead_done(struct ahead_stores *);
/* From now on, until ahead_finish. */
void ahead_start(struct ahead_stores *, struct fuse_session *);
/* Nothing more is given, and nobody gives any more. To be called while READs
 * are still answered: somebody may wait for one. */
void ahead_finish(struct ahead_stores *);

/* A READ of the file begins, or was answered. */
void ahead_begin(struct ahead_stores *, uint64_t ino);
void ahead_end(struct ahead_stores *, uint64_t ino);

/* Whether the thread of a request may give files, until ahead_given. */
bool ahead_may_give(struct ahead_stores *);
/* The whole content of a file. False: no more. */
bool ahead_give(struct ahead_stores *, uint64_t ino, const struct blob *);
void ahead_given(struct ahead_stores *);

#endif
