/*
 * store/evict: one bound for all that the cache of one account takes on the
 * disk. What was read longest ago goes, in the background: big files, spools,
 * the blobs of commits. Commits, trees, the sizes of blobs, documents and
 * indexes stay: a tree whose blobs went is listed and stat'ed as before, and
 * the first read of it fetches its commit again.
 *
 * dir is the account's directory: git/<uuid>.git are the stores (objects.h),
 * spool/ the spools, cache.db the documents. All of it may be called while
 * mounts of this or of other processes use the directory. Must never know who
 * fetches; nothing here waits for the network.
 */
#ifndef STORE_EVICT_H
#define STORE_EVICT_H

#include "base/ctx.h"

/* A tenth of the disk that has dir (or what will have it), at most 10 GB. */
uint64_t evict_default_bytes(const char *dir);

/* ---- what takes how much ---- */

struct evict_repository {
	const char *uuid; /* without braces, as the store is named; borrowed */
	uint64_t n_packs; /* bytes: commits, trees, blobs, sizes, indexes */
	uint64_t n_big;   /* of big files, which packs have too */
	uint64_t n_other; /* of what is being fetched, or was set aside */
	int64_t used_ms;  /* wall clock: a file was last read; 0: never */
	bool kept;        /* evict_keep */
	bool is_partial;  /* blobs of it were evicted */
};
struct evict_use {
	/* Bytes on the disk; n_bytes is the sum. */
	uint64_t n_bytes, n_packs, n_big, n_spools, n_documents, n_other;
	uint64_t n_kept; /* of kept repositories, in the others as well */
	size_t n_repositories;
};
/* Looks at the directory; a directory that is not there has nothing. each may
 * be NULL; a negative errno of it ends the look. 0 or -errno. */
int evict_measure(const char *dir, struct evict_use *ret_use,
		  int (*each)(void *arg, const struct evict_repository *),
		  void *arg);

/* ---- by hand ---- */

/* Nothing of the repository is evicted from now on (or is again), whoever
 * mounts. Remembered in its store. -ENOENT: nothing of it is cached. */
int evict_keep(const char *dir, const char *uuid, bool keep);
/* Blobs and big files of that repository go now, as if they were read longest
 * ago. ret_freed: bytes. -ENOENT; -EPERM it is kept; -EBUSY it is being
 * fetched, or somebody else is evicting; -EINTR. */
int evict_drop(struct ctx *, const char *dir, const char *uuid,
	       uint64_t *ret_freed);

/* ---- in the background ---- */

struct evictor;
/* Holds the bound from now on, on a thread of its own. Of several processes one
 * evicts at a time. */
int evict_start(const char *dir, uint64_t max_bytes,
		struct evictor **ret_evictor);
struct evictor *evict_stop(struct evictor *);
/* Bytes on the disk, as they were some seconds ago, and the bound. */
void evict_known(struct evictor *, uint64_t *ret_used, uint64_t *ret_most);
DEFINE_CLEANUP(struct evictor *, evict_stop);

#endif
