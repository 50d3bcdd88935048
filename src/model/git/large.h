/*
 * model/git/large: the bytes of files that are LFS content: streams
 * (content/stream) of the places that the repository's LFS server names
 * (clone/lfs). Private to model/git.
 */
#ifndef MODEL_GIT_LARGE_H
#define MODEL_GIT_LARGE_H

#include "clone/lfs.h"
#include "model/provider.h"

/* What of them is being read. */
struct large;
struct large *large_new(void);
struct large *large_free(struct large *);

/*
 * A provider's read of the file whose content that is. -EDQUOT: it is not here,
 * and larger than what comes for a program that goes through the tree; who
 * reads one file gets it, however large it is.
 */
int large_read(struct ctx *, struct model *, struct node *,
	       const struct lfs_pointer *, off_t offset, size_t n,
	       struct model_data *ret_data);
/* All of it is here, and it is true. Local. */
bool large_is_here(struct ctx *, struct model *, const struct node *,
		   const struct lfs_pointer *);
/* The same of any object, by what the disk has; not a use of it: for who only
 * counts. */
bool large_is_kept(const struct model *, const struct lfs_pointer *);
/* Brings all of it, however large it is, for who asks for it by its name; came
 * is told of each piece when it is here. Errors as of large_read. */
int large_bring(struct ctx *, struct model *, struct node *,
		const struct lfs_pointer *, void (*came)(void *arg, size_t n),
		void *arg);
/* model->untrue */
void large_untrue(struct model *, const char *key, const char *sentence);

#endif
