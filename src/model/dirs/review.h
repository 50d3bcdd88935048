/*
 * model/dirs/review: what waits in a workspace for the account's review.
 */
#ifndef MODEL_DIRS_REVIEW_H
#define MODEL_DIRS_REVIEW_H

#include "model/dirs/row_dir.h"

int review_lookup(struct ctx *, struct model *, struct node *dir,
		  const char *name, struct found *ret_found);
int review_open(struct ctx *, struct model *, struct node *dir,
		struct row_dir_names *, const struct row_dir_names *newest,
		struct dirlist *);

#endif
