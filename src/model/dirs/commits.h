/*
 * model/dirs/commits: any commit by its id, and the files at the commit that an
 * item of the table names.
 */
#ifndef MODEL_DIRS_COMMITS_H
#define MODEL_DIRS_COMMITS_H

#include "model/dirs/row_dir.h"

/* A short id is a symbolic link to the whole one. */
int commits_lookup(struct ctx *, struct model *, struct node *dir,
		   const char *name, struct found *ret_found);
/* The files at the commit of an item, as its document names it. */
int commits_found_tree(struct ctx *, struct model *, struct node *dir,
		       const struct resource *, const struct scope *scope,
		       enum read_through_mode, struct found *ret_found);

#endif
