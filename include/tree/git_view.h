/*
 * tree/git_view: private to tree/: the state behind one tree/ directory, and
 * what git.c needs of it.
 */
#ifndef TREE_GIT_VIEW_H
#define TREE_GIT_VIEW_H

#include "tree/provider.h"

struct git_view {
	struct clone *clone;      /* a reference */
	_Atomic int64_t heard_ms; /* monotonic: the kernel last asked */
	_Atomic int64_t asked_ms; /* monotonic: the ref was last asked for */
	struct mutex lock;
	struct cond idle;
	bool have, moving, expired; /* under lock */
	struct clone_head head;     /* under lock */
};

/* Somebody looks inside: the first look brings the head; after an idle hour (or
 * with a head from an earlier mount) the ref is waited for, at most 3 s. */
int git_view_ensure(struct ctx *, struct model *, struct node *tree);
void git_view_heard(struct git_view *);
bool git_view_is_shown(struct node *tree); /* somebody has looked inside */
/* Layout rule 4: the mtime of name (NULL: of dir itself) in dir. */
int64_t git_path_time_ms(const struct git_view *, const struct node *dir,
			 const struct node *tree, const char *name,
			 const struct oid *);

#endif
