/*
 * model/dirs/hierarchy: what the root, workspaces and repositories have beyond
 * a row: specials for model/dirs/row_dir, and asking again.
 */
#ifndef MODEL_DIRS_HIERARCHY_H
#define MODEL_DIRS_HIERARCHY_H

#include "model/dirs/row_dir_private.h"

extern const struct provider provider_repository;

/* The listing of a workspace. */
int hierarchy_listing(struct ctx *, struct model *, const char *workspace,
		      enum read_through_mode, struct collection **ret_list,
		      struct answer_age *ret_age);
/* What a repository is in its workspace. */
void hierarchy_found_repository(struct scope *listing, const char *uuid,
				const char *slug, int64_t updated_ms,
				int64_t left_ms, struct found *ret_found);

/* From here to hierarchy_refresh: members of struct row_dir_special.
 * found: of .bitbucketfs and of .workspace. */
int hierarchy_found_control(struct ctx *, struct model *, struct node *dir,
			    const struct resource *, const struct scope *,
			    enum read_through_mode, struct found *ret_found);
int hierarchy_found_about(struct ctx *, struct model *, struct node *dir,
			  const struct resource *, const struct scope *,
			  enum read_through_mode, struct found *ret_found);
/* lookup: of the root, of a workspace and of a repository (.ignore). */
int hierarchy_lookup_workspace(struct ctx *, struct model *, struct node *dir,
			       const char *name, struct found *ret_found);
int hierarchy_lookup_repository(struct ctx *, struct model *, struct node *dir,
				const char *name, struct found *ret_found);
int hierarchy_lookup_ignore(struct ctx *, struct model *, struct node *dir,
			    const char *name, struct found *ret_found);
/* name_found: of the root and of a workspace. */
bool hierarchy_workspace_found(struct dirlist_piece *,
			       const struct row_dir_names *, size_t i,
			       struct found *ret_found);
bool hierarchy_repository_found(struct dirlist_piece *,
				const struct row_dir_names *, size_t i,
				struct found *ret_found);
/* open, free_names, refresh: of both. */
int hierarchy_open(struct ctx *, struct model *, struct node *dir,
		   struct row_dir_names *, const struct row_dir_names *newest,
		   struct dirlist *);
void hierarchy_free_names(void *special);
int hierarchy_refresh(struct ctx *, struct model *, struct node *dir,
		      struct buf *said);

/* Ask again, and tell the kernel. said as for provider->refresh. */
int hierarchy_refresh_root(struct ctx *, struct model *, struct buf *said);
int hierarchy_refresh_workspace(struct ctx *, struct model *,
				const char *workspace, struct buf *said);
int hierarchy_refresh_repository(struct ctx *, struct model *,
				 const char *workspace, const char *name,
				 struct buf *said);
/* Whether the workspace has no repository of that name (any more): its document
 * may just have told another one. Where no listing is at hand it may wait for
 * one request, unless the answer is. */
bool hierarchy_is_gone(struct ctx *, struct model *, const char *workspace,
		       const char *name);
/* The same in the background; a repeated wish is queued once. */
void hierarchy_queue_repository(struct model *, const char *workspace,
				const char *name);

#endif
