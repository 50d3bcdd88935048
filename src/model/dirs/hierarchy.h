/*
 * model/dirs/hierarchy, inside: what its files share.
 *
 * hierarchy.c the root, hierarchy_workspace.c workspaces,
 * hierarchy_repository.c repositories, hierarchy_refresh.c asking again.
 */
#ifndef MODEL_DIRS_HIERARCHY_H
#define MODEL_DIRS_HIERARCHY_H

#include "model/dirs/row_dir_private.h"

extern const struct provider provider_root, provider_workspace,
	provider_repository;

/* The cached listing of a workspace, of any age; NULL: it was never listed. */
struct collection *hierarchy_known_listing(struct ctx *ctx, struct model *model,
					   const char *workspace,
					   struct answer_age *ret_age);
/* The listing of a workspace; the list of workspaces. */
int hierarchy_listing(struct ctx *, struct model *, const char *workspace,
		      enum read_through_mode, struct collection **ret_list,
		      struct answer_age *ret_age);
int hierarchy_workspaces(struct ctx *, struct model *, enum read_through_mode,
			 struct collection **ret_list,
			 struct answer_age *ret_age);
/* The newest change of a workspace's repositories, as far as they are known:
 * the workspace's own mtime. */
int64_t hierarchy_workspace_mtime(const struct model *model,
				  const struct collection *list);
/* What a workspace is in the root, and a repository in its workspace. */
void hierarchy_found_workspace(struct ctx *ctx, struct model *model,
			       const char *slug, int64_t left_ms,
			       struct found *found);
void hierarchy_found_repository(struct scope *listing,
				struct documents_repository *, /* moved */
				int64_t left_ms, struct found *found);
/* A special: .ignore. */
int hierarchy_lookup_ignore(struct ctx *, struct model *, struct node *dir,
			    const char *name, struct found *ret_found);

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
void hierarchy_queue_root(struct model *);
void hierarchy_queue_workspace(struct model *, const char *workspace);
void hierarchy_queue_repository(struct model *, const char *workspace,
				const char *name);

#endif
