/*
 * model/git/checkout_submodule_table: what people are told of submodules:
 * submodules.tsv of a repository, and where one is.
 */
#ifndef MODEL_GIT_CHECKOUT_SUBMODULE_TABLE_H
#define MODEL_GIT_CHECKOUT_SUBMODULE_TABLE_H

#include "model/dirs/row_dir.h"

/* Of a repository's directory: the file is found by its name, which brings the
 * default branch as a look into tree/ does; it is listed where all that it is
 * made of is here, and there are submodules. */
row_dir_special_lookup checkout_submodule_table_lookup;
row_dir_special_open checkout_submodule_table_open;
/* The tree shows another commit, of which, or of the one before, there is a
 * .gitmodules. appears: there was none, or is none now. */
void checkout_submodule_table_moved(struct model *, struct node *tree,
				    bool appears);
/* As model_submodule. */
int checkout_submodule_table_say(struct ctx *, struct model *, const char *path,
				 struct buf *out);

#endif
