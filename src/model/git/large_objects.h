/*
 * model/git/large_objects: which LFS objects there are below a directory of a
 * tree, and bringing them for who wants them all.
 *
 * Must never know who wants them, or in which order.
 */
#ifndef MODEL_GIT_LARGE_OBJECTS_H
#define MODEL_GIT_LARGE_OBJECTS_H

#include "model/provider.h"

#include "clone/lfs.h"

struct large_object {
	struct node *node; /* a reference: the first file that has it */
	struct lfs_pointer pointer;
};
struct large_objects {
	struct large_object *items;
	size_t n;
	size_t size_private;
	struct large_seen *seen_private; /* by oid */
};
/*
 * Those of the files below a node of a tree, or of that file; each once. What
 * tells which they are is brought: of a commit that is here whole nothing is
 * asked for, else what of a directory is small, where a .gitattributes has the
 * word lfs. Not those of submodules. May wait; -EINTR; the errors of looking.
 */
int large_objects_find(struct ctx *, struct model *, struct node *,
		       struct large_objects *ret);
void large_objects_done(struct model *, struct large_objects *);

/* All of it is here, and it is true. Local. */
bool large_object_is_here(struct ctx *, struct model *,
			  const struct large_object *);
/* Where n of them (at most LFS_BATCH) are is asked for in one request, unless
 * that is known of the first. A failure is no matter: who brings one asks. */
void large_objects_place(struct ctx *, const struct large_object *, size_t n);
/* Brings what of it is not here, however large it is; each piece is told when
 * it is here. Errors as of a read. */
typedef void large_came(void *arg, size_t n);
int large_object_bring(struct ctx *, struct model *,
		       const struct large_object *, large_came *, void *arg);

#endif
