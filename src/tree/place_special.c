/*
 * tree/place: what the rows' specials are made of.
 */
#include "tree/place.h"
#include "tree/streams.h"

static int found_default_tree(struct ctx *ctx, struct model *model,
			      struct node *dir, const struct resource *row,
			      const struct scope *scope,
			      struct found *ret_found)
{
	(void)ctx;
	(void)row;
	(void)scope;
	return forge_found_tree(model, dir, ret_found);
}

#define REFS_SPECIAL(word, kind)                                            \
	static int word##_lookup(struct ctx *ctx, struct model *model,      \
				 struct node *dir, const char *name,        \
				 struct found *ret_found)                   \
	{                                                                   \
		return refs_lookup(ctx, model, dir, kind, name, ret_found); \
	}                                                                   \
	static int word##_list(struct ctx *ctx, struct model *model,        \
			       struct node *dir, uint64_t after, bool plus, \
			       provider_emit *emit, void *arg)              \
	{                                                                   \
		return refs_list(ctx, model, dir, kind, after, plus, emit,  \
				 arg);                                      \
	}                                                                   \
	static void word##_attr(struct ctx *ctx, struct model *model,       \
				struct node *dir, int64_t *ret_left_ms)     \
	{                                                                   \
		refs_attr(ctx, model, dir, kind, ret_left_ms);              \
	}

REFS_SPECIAL(branches, CLONE_BRANCHES)
REFS_SPECIAL(tags, CLONE_TAGS)

static const struct place_special specials[] = {
	[RESOURCE_DEFAULT_TREE] = {.found = found_default_tree},
	[RESOURCE_BRANCHES] = {.lookup = branches_lookup,
			       .list = branches_list,
			       .attr = branches_attr},
	[RESOURCE_TAGS] = {.lookup = tags_lookup,
			   .list = tags_list,
			   .attr = tags_attr},
	[RESOURCE_COMMIT_TREE] = {.found = commits_found_tree},
	[RESOURCE_COMMITS] = {.lookup = commits_lookup},
	[RESOURCE_LOG] = {.found = log_found},
	[RESOURCE_SERVICE_LOGS] = {.lookup = log_services_lookup,
				   .list = log_services_list},
	[RESOURCE_DOWNLOADS] = {.lookup = downloads_lookup,
				.list = downloads_list},
	[RESOURCE_REPOSITORIES] = {.lookup = views_index_lookup,
				   .list = views_index_list},
	[RESOURCE_PROJECT_VIEW] = {.lookup = views_project_lookup,
				   .list = views_project_list,
				   .attr = views_project_attr},
};

const struct place_special *place_special(enum resource_special special)
{
	return special < ARRAY_SIZE(specials) ? &specials[special] : NULL;
}
