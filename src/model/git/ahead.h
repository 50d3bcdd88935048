/*
 * model/git/ahead: which files of a directory are probably read next.
 *
 * Owns what is remembered of the directories that were read lately: a few dozen
 * for the mount. Must never know how bytes are given.
 */
#ifndef MODEL_GIT_AHEAD_H
#define MODEL_GIT_AHEAD_H

#include "model/provider.h"

struct ahead;
struct ahead *ahead_new(void);
struct ahead *ahead_free(struct ahead *);

/* A directory of which a file was read from its start, or which was listed. */
struct ahead_place {
	struct node *dir;
	const struct provider *files; /* of those that may be given */
	const struct tree_list *list;
	struct oid oid; /* of the list */
	struct clone *clone;
};
/* See model_ahead. */
void ahead_of(struct ctx *, struct model *, const struct node *file,
	      const struct ahead_place *, model_give *give, void *arg);
/* See model_ahead_listed. */
void ahead_listed(struct ctx *, struct model *, const struct ahead_place *,
		  model_give *give, void *arg);

#endif
