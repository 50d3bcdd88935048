/*
 * model/dirs/hierarchy, inside: what its files share.
 *
 * hierarchy.c the root, hierarchy_workspace.c workspaces,
 * hierarchy_repository.c repositories, hierarchy_refresh.c asking again.
 */
#ifndef MODEL_DIRS_HIERARCHY_H
#define MODEL_DIRS_HIERARCHY_H

#include "model/dirs/row_dir.h"

#define HIERARCHY_IMPOSSIBLE_MS (INT64_C(60) * 1000)
#define HIERARCHY_MOMENT_MS 1000 /* while a refresh is under way */
/* Of a directory that nobody listed: every path through it would ask. */
#define HIERARCHY_UNLISTED_MS (INT64_C(60) * 1000)

/* A listing that is at hand, of whatever age; NULL: it was never listed. */
struct catalog_repositories *hierarchy_known_listing(struct ctx *ctx,
						     struct model *model,
						     const char *workspace);
/* The newest change of a workspace's repositories, as far as they are known:
 * the workspace's own mtime. */
int64_t hierarchy_workspace_mtime(const struct model *model,
				  const struct catalog_repositories *list);
/*
 * Where a workspace was listed before, its listing is brought up to date as
 * the policy says (served stale, or waited for a little). Says nothing of a
 * failure: what is cached will do. NULL: it was never listed.
 */
struct catalog_repositories *
hierarchy_freshen(struct ctx *ctx, struct model *model, const char *workspace);

/* What a name in the root, or in a workspace, is. */
void hierarchy_found_workspace(struct ctx *ctx, struct model *model,
			       const char *slug, int64_t left_ms,
			       struct found *found);
void hierarchy_found_repository(const char *workspace,
				const struct catalog_repository *repository,
				int64_t left_ms, struct found *found);

#endif
