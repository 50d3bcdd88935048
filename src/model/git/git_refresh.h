/*
 * model/git/git_refresh: refresh/PATH/.now for what git answers.
 */
#ifndef MODEL_GIT_GIT_REFRESH_H
#define MODEL_GIT_GIT_REFRESH_H

#include "model/provider.h"

/* Paths of a repository that git answers: tree, branches, tags. Asks again,
 * adds to said what changed. repository may be NULL: the kernel does not know
 * it. */
bool git_refresh_is_path(const char *path);
int git_refresh_path(struct ctx *, struct model *, struct node *repository,
		     const char *workspace, const char *name, const char *path,
		     struct buf *said);

#endif
