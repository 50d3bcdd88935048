/*
 * model/dirs/repository_lists: what .workspace/ makes of the workspace's
 * listing.
 */
#ifndef MODEL_DIRS_REPOSITORY_LISTS_H
#define MODEL_DIRS_REPOSITORY_LISTS_H

#include "model/dirs/row_dir.h"

/* Tells the kernel that the workspace's listing is another one than `before`
 * (NULL: there was none). */
void repository_lists_changed(struct model *, const char *workspace,
			      const struct collection *before);

int repository_lists_index_lookup(struct ctx *, struct model *,
				  struct node *dir, const char *name,
				  struct found *ret_found);
int repository_lists_index_open(struct ctx *, struct model *, struct node *dir,
				struct row_dir_names *,
				const struct row_dir_names *newest,
				struct dirlist *);
bool repository_lists_index_found(struct dirlist_piece *,
				  const struct row_dir_names *, size_t i,
				  struct found *ret_found);
int repository_lists_project_lookup(struct ctx *, struct model *,
				    struct node *dir, const char *name,
				    struct found *ret_found);
int repository_lists_project_open(struct ctx *, struct model *,
				  struct node *dir, struct row_dir_names *,
				  const struct row_dir_names *newest,
				  struct dirlist *);
bool repository_lists_project_found(struct dirlist_piece *,
				    const struct row_dir_names *, size_t i,
				    struct found *ret_found);
void repository_lists_project_free(void *links);

#endif
