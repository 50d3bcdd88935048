/*
 * model/dirs/specials: what directories of rows have that a row cannot say: the
 * functions that model/specials.c puts into its table.
 */
#ifndef MODEL_DIRS_SPECIALS_H
#define MODEL_DIRS_SPECIALS_H

#include "model/dirs/row_dir.h"

/* hierarchy.c: .bitbucketfs and .workspace; names of the root, of a workspace,
 * and in a repository (.ignore); listing and asking again of the first two. */
row_dir_special_found hierarchy_found_control, hierarchy_found_about;
row_dir_special_lookup hierarchy_lookup_workspace, hierarchy_lookup_repository,
	hierarchy_lookup_ignore;
row_dir_special_open hierarchy_open;
row_dir_special_name hierarchy_workspace_found, hierarchy_repository_found;
void hierarchy_free_names(void *special);
row_dir_special_refresh hierarchy_refresh;

/* commits.c: any commit by its id (a short one is a symbolic link to the whole
 * one), and the files at the commit of an item, as its document names it. */
row_dir_special_lookup commits_lookup;
row_dir_special_found commits_found_tree;

/* repository_lists.c: what .workspace/ makes of the workspace's listing. */
row_dir_special_lookup repository_lists_index_lookup,
	repository_lists_project_lookup;
row_dir_special_open repository_lists_index_open, repository_lists_project_open;
row_dir_special_name repository_lists_index_found,
	repository_lists_project_found;
void repository_lists_project_free(void *links);
/* Tells the kernel that the workspace's listing is another one than `before`
 * (NULL: there was none). */
void repository_lists_changed(struct model *, const char *workspace,
			      const struct collection *before);

/* review.c: what waits in a workspace for the account's review; which main
 * branches fail. */
row_dir_special_lookup review_lookup;
row_dir_special_open review_open;
row_dir_special_found review_found_red;

/* by_branch.c: links to each branch's newest run. */
row_dir_special_lookup by_branch_lookup;
row_dir_special_open by_branch_open;
row_dir_special_name by_branch_found;
row_dir_special_outdated by_branch_outdated;
void by_branch_free(void *by_branch);

#endif
