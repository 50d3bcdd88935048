/*
 * model/specials: the functions behind each special of the resource table.
 * model/dirs/row_dir gets this table from the model, and knows none of them by
 * name.
 */
#include "model/dirs/hierarchy.h"
#include "model/git/checkout.h"
#include "model/git/refs.h"
#include "model/git/checkout_submodule_table.h"
#include "model/stream/streams.h"

static int found_default_tree(struct ctx *, struct model *model,
			      struct node *dir, const struct resource *,
			      const struct scope *, enum read_through_mode,
			      struct found *ret_found)
{
	return checkout_found_default(model, dir, ret_found);
}

static int open_refs(struct ctx *ctx, struct model *model, struct node *dir,
		     enum clone_ref_kind kind, struct row_dir_names *names,
		     const struct row_dir_names *newest, struct dirlist *l)
{
	struct refs_names *refs = NULL;
	int r = refs_open(ctx, model, dir, kind,
			  newest ? newest->special_data : NULL,
			  ROW_DIR_TAG_SPECIAL, ROW_DIR_FIRST_ITEM, l, &refs);

	names->special_data = refs;
	names->left_ms = 0;
	return r;
}

#define REFS_SPECIAL(word, kind)                                              \
	static int word##_lookup(struct ctx *ctx, struct model *model,        \
				 struct node *dir, const char *name,          \
				 struct found *ret_found)                     \
	{                                                                     \
		return refs_lookup(ctx, model, dir, kind, name, ret_found);   \
	}                                                                     \
	static int word##_open(struct ctx *ctx, struct model *model,          \
			       struct node *dir, struct row_dir_names *names, \
			       const struct row_dir_names *newest,            \
			       struct dirlist *l)                             \
	{                                                                     \
		return open_refs(ctx, model, dir, kind, names, newest, l);    \
	}

REFS_SPECIAL(branches, CLONE_BRANCHES)
REFS_SPECIAL(tags, CLONE_TAGS)

/* repositories/ is made of the listing of the workspace above it. */
static int refresh_repositories(struct ctx *ctx, struct model *model,
				struct node *dir, struct buf *said)
{
	while (dir->parent->parent)
		dir = dir->parent;
	return hierarchy_refresh(ctx, model, dir, said);
}

/* What a repository's directory has that no row says. */
static int repository_lookup(struct ctx *ctx, struct model *model,
			     struct node *dir, const char *name,
			     struct found *ret_found)
{
	int r = hierarchy_lookup_ignore(ctx, model, dir, name, ret_found);

	return r < 0 || ret_found->what.provider
		       ? r
		       : checkout_submodule_table_lookup(ctx, model, dir, name,
							 ret_found);
}

const struct row_dir_special specials_all[ROW_DIR_SPECIALS] = {
	[RESOURCE_DEFAULT_TREE] = {.found = found_default_tree},
	[RESOURCE_BRANCHES] = {.lookup = branches_lookup,
			       .open = branches_open,
			       .free_names = refs_names_free},
	[RESOURCE_TAGS] = {.lookup = tags_lookup,
			   .open = tags_open,
			   .free_names = refs_names_free},
	[RESOURCE_COMMIT_TREE] = {.found = commits_found_tree},
	[RESOURCE_COMMITS] = {.lookup = commits_lookup},
	[RESOURCE_LOG] = {.found = step_log_found},
	[RESOURCE_SERVICE_LOGS] = {.lookup = step_log_services_lookup,
				   .open = step_log_services_open},
	[RESOURCE_DOWNLOADS] = {.lookup = downloads_lookup,
				.name_found = downloads_found},
	[RESOURCE_CONTROL] = {.found = hierarchy_found_control},
	[RESOURCE_WORKSPACES] = {.lookup = hierarchy_lookup_workspace,
				 .open = hierarchy_open,
				 .name_found = hierarchy_workspace_found,
				 .free_names = hierarchy_free_names,
				 .refresh = hierarchy_refresh},
	[RESOURCE_REPOSITORIES] = {.lookup = hierarchy_lookup_repository,
				   .open = hierarchy_open,
				   .name_found = hierarchy_repository_found,
				   .free_names = hierarchy_free_names,
				   .refresh = hierarchy_refresh},
	[RESOURCE_REPOSITORY] = {.lookup = repository_lookup,
				 .open = checkout_submodule_table_open},
	[RESOURCE_ABOUT_WORKSPACE] = {.found = hierarchy_found_about},
	[RESOURCE_REPOSITORY_FILES] = {.lookup = repository_lists_index_lookup,
				       .open = repository_lists_index_open,
				       .name_found =
					       repository_lists_index_found,
				       .refresh = refresh_repositories},
	[RESOURCE_REVIEW] = {.lookup = review_lookup, .open = review_open},
	[RESOURCE_RED] = {.found = review_found_red},
	[RESOURCE_BY_BRANCH] = {.lookup = by_branch_lookup,
				.open = by_branch_open,
				.name_found = by_branch_found,
				.free_names = by_branch_free,
				.outdated = by_branch_outdated},
	[RESOURCE_PROJECT_VIEW] = {.lookup = repository_lists_project_lookup,
				   .open = repository_lists_project_open,
				   .name_found = repository_lists_project_found,
				   .free_names = repository_lists_project_free},
};
