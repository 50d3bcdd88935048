/*
 * model/git/large_count: how many LFS objects the tree of a repository's
 * default branch has, and how much of them is here: for `status`.
 *
 * Owns one thread while something is counted. Asks nobody: what is not here is
 * not known.
 */
#ifndef MODEL_GIT_LARGE_COUNT_H
#define MODEL_GIT_LARGE_COUNT_H

#include "model/provider.h"

struct large_counts;
struct large_counts *large_counts_new(void);
struct large_counts *large_counts_free(struct large_counts *); /* stopped */
/* Joins its thread, whose work ends with the group. */
void large_counts_stop(struct model *);

enum large_known {
	LARGE_UNKNOWN,  /* something that would tell is not here */
	LARGE_COUNTING, /* the next one to ask may be told */
	LARGE_TOO_MANY,
	LARGE_COUNTED,
};
struct large_sum {
	size_t n; /* equal objects once */
	uint64_t n_bytes;
	size_t n_here; /* whole, and true */
	uint64_t n_bytes_here;
};
/* The repository's node. Waits at most 40 ms; else it is counted behind. What
 * is here is then as of the last time that it was counted. */
enum large_known large_count(struct model *, struct node *repository,
			     struct large_sum *ret);

#endif
