/*
 * content/usage: what the cache of an account takes on the disk, and for which
 * repository.
 *
 * Owns how what the stores have is said to be a repository's. Must never know
 * what is done about it. Nothing here waits for the network; mounts may use the
 * cache meanwhile.
 */
#ifndef CONTENT_USAGE_H
#define CONTENT_USAGE_H

#include "base/map.h"
#include "base/mem.h"

struct usage_repository {
	char *uuid; /* without braces */
	char *name; /* "acme/widgets"; NULL: nothing here tells it */
	/* Bytes: of packs and the like; of big files; of downloads and logs; of
	 * answers. */
	uint64_t n_git, n_big, n_files, n_answers;
	int64_t used_ms; /* wall clock; 0: it is not known */
	bool has_store;  /* something of git's is here */
	bool kept;       /* never evicted */
	UT_hash_handle hh;
};
struct usage {
	/* Those with more than their row of a listing, most bytes first. */
	struct usage_repository **items;
	size_t n_items;
	uint64_t n_bytes; /* on the disk, of everything */
	uint64_t n_rest;  /* of them, of no item: listings, what is free */
	uint64_t n_kept;
	struct usage_repository *all; /* by uuid */
};
static inline uint64_t usage_bytes(const struct usage_repository *r)
{
	return r->n_git + r->n_big + r->n_files + r->n_answers;
}

/* Of an account's directory. 0, or -errno with the sentence (ctx): -EPROTO: its
 * cache.db is of a later version, -EBADMSG: it is damaged, -EBUSY … */
struct ctx;
int usage_read(struct ctx *, const char *dir, struct usage *ret);
void usage_done(struct usage *);
DEFINE_CLEANUP_DONE(struct usage, usage_done);

/* Whether the repository is what "acme/widgets", or a workspace "acme", names.
 */
bool usage_is_of(const struct usage_repository *, const char *name);

/* Removes its downloads and logs; who reads one reads to its end. 0 or the
 * first -errno. */
int usage_drop_files(const char *dir, const struct usage_repository *,
		     uint64_t *ret_freed);

#endif
