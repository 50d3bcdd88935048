/*
 * model/repository: which repository a node is in, and its copy.
 */
#include "model/repository.h"

const struct repository_data *repository_of(const struct node *node)
{
	return node_data(node);
}

const char *repository_id(const struct repository_data *d)
{
	return d->dir.id[0] == '{' ? d->dir.id : d->slug;
}

struct node *repository_above(struct node *node)
{
	while (node && node->provider->kind != PROVIDER_REPOSITORY)
		node = node->parent;
	return node;
}

int repository_clone(struct model *model, struct node *node,
		     struct clone **ret_clone)
{
	const struct repository_data *d;

	node = repository_above(node);
	if (!node)
		return -EINVAL;
	d = repository_of(node);
	return clone_open(model->config.clones, d->dir.id,
			  d->dir.scope->workspace, d->slug, NULL, ret_clone);
}
