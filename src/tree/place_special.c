/*
 * tree/place: what the rows' specials are made of.
 */
#include "tree/place.h"

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

static const struct place_special specials[] = {
	[RESOURCE_DEFAULT_TREE] = {.found = found_default_tree},
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
