/*
 * model/git/large_look: which files of one directory of a tree are LFS content,
 * by the clone alone: no nodes.
 *
 * Must never know what for. Private to model/git.
 */
#ifndef MODEL_GIT_LARGE_LOOK_H
#define MODEL_GIT_LARGE_LOOK_H

#include "clone/lfs.h"

struct large_look {
	struct ctx *ctx;
	struct clone *clone;
	const struct oid *root; /* of the tree, for its .gitattributes */
	/* Brings what is lacking, as clone_bring. NULL: nothing is brought,
	 * nobody is asked. */
	int (*bring)(void *arg, const struct clone_need *);
	/* Of each directory in it, then each file that is. Not 0 ends it. */
	int (*dir)(void *arg, const char *name, const struct oid *);
	/* NULL: it may be one, for all that could be brought. */
	int (*file)(void *arg, const char *name, const struct lfs_pointer *);
	void *arg;
};
/* The directory (its tree object) at that path of the tree. Without bring:
 * -ENOENT, what would tell is not here. -EINTR; the errors of the functions and
 * of the store. */
int large_look(const struct large_look *, const struct oid *dir,
	       const char *path);

#endif
