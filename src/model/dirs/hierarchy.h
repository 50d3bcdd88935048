/*
 * model/dirs/hierarchy: what the root, workspaces and repositories have beyond
 * a row, and asking again.
 */
#ifndef MODEL_DIRS_HIERARCHY_H
#define MODEL_DIRS_HIERARCHY_H

#include "model/dirs/row_dir_private.h"
#include "model/dirs/specials.h"

extern const struct provider provider_repository;

/* The listing of a workspace. */
int hierarchy_listing(struct ctx *, struct model *, const char *workspace,
		      enum read_through_mode, struct collection **ret_list,
		      struct answer_age *ret_age);
/* What a repository is in its workspace. */
void hierarchy_found_repository(struct scope *listing, const char *uuid,
				const char *slug, int64_t updated_ms,
				int64_t left_ms, struct found *ret_found);

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
/* The same in the background, of a repository or (name NULL) of a workspace; a
 * repeated wish is queued once. */
void hierarchy_queue(struct ctx *, struct model *, const char *workspace,
		     const char *name);

#endif
