/*
 * model/dirs/hierarchy: the root as a directory; and what it has in common with
 * workspaces and repositories.
 *
 * A workspace's listing is one answer with the objects of all its repositories.
 * Where there is a listing, the listing is what gets refreshed: a thousand
 * outdated `info` files are one request together, not a thousand.
 */
#include "model/dirs/hierarchy.h"

#define CONTROL_NAME ".bitbucketfs"

struct catalog_repositories *hierarchy_known_listing(struct ctx *ctx,
						     struct model *model,
						     const char *workspace)
{
	struct catalog_repositories *list = NULL;

	if (catalog_repositories(ctx, model->config.catalog, workspace,
				 READ_CACHED, &list) < 0)
		return NULL;
	return list;
}

int64_t hierarchy_workspace_mtime(const struct model *model,
				  const struct catalog_repositories *list)
{
	int64_t newest = 0;

	for (size_t i = 0; list && i < list->n_items; i++)
		if (list->items[i].updated_ms > newest)
			newest = list->items[i].updated_ms;
	return newest ? newest : model->started_ms;
}

static void found_control(struct model *model, struct found *found)
{
	*found = (struct found){
		.what =
			{
				.provider = model->control,
				.mode = NODE_DIRECTORY,
				.mtime_ms = model->started_ms,
			},
		.left_ms = FOREVER_MS,
	};
}

static int root_lookup(struct ctx *ctx, struct model *model, struct node *dir,
		       const char *name, struct found *ret_found)
{
	cleanup(catalog_workspace_done) struct catalog_workspace w = {0};
	struct answer_age age = {0};
	int r;

	if (strcmp(name, CONTROL_NAME) == 0) {
		found_control(model, ret_found);
		return 0;
	}
	r = catalog_workspace(ctx, model->config.catalog, name, &w, &age);
	if (age.stale)
		hierarchy_queue_root(model);
	if (r == -ENOENT) {
		ret_found->left_ms = age.left_ms > 0 ? row_dir_believe_ms(&age)
						     : UNKNOWN_MS;
		return 0;
	}
	if (r < 0)
		return r;
	hierarchy_found_workspace(ctx, model, w.slug, row_dir_believe_ms(&age),
				  ret_found);
	/* A workspace that was entered by name is listed from now on. */
	model_outdated(model, dir);
	return 0;
}

/* The pin is the list of workspaces. The tag after its last one is
 * .bitbucketfs. */
static void names_free(void *data)
{
	catalog_workspaces_free(data);
}

static bool name_found(struct dirlist_piece *piece,
		       const struct dirlist_name *name, struct found *ret_found)
{
	const struct catalog_workspaces *list = piece->listing->data;

	if (name->tag == list->n_items)
		found_control(piece->model, ret_found);
	else
		hierarchy_found_workspace(piece->ctx, piece->model, name->name,
					  dirlist_left_ms(piece->listing),
					  ret_found);
	return true;
}

static const struct dirlist_ops ops_names = {
	.found = name_found,
	.free_data = names_free,
};

static int root_open(struct ctx *ctx, struct model *model, struct node *dir,
		     struct dirlist *newest, struct dirlist **ret_listing)
{
	struct catalog_workspaces *list = NULL;
	struct dirlist *l;
	int r;

	(void)newest;
	r = catalog_workspaces(ctx, model->config.catalog, READ_THROUGH, &list);
	if (r < 0)
		return r;
	if (list->age.stale)
		hierarchy_queue_root(model);
	l = dirlist_new(&ops_names, list, list->n_items * 100);
	for (size_t i = 0; i < list->n_items; i++)
		dirlist_add(l, list->items[i].slug, 0, S_IFDIR, (unsigned)i);
	dirlist_add(l, CONTROL_NAME, 0, S_IFDIR, (unsigned)list->n_items);
	dirlist_number(l, 0, node_book(model->nodes, dir, true), 0);
	*ret_listing = dirlist_seal(l, row_dir_believe_ms(&list->age));
	return 0;
}

/* Never asks: `df` and `stat` of the mount point must not wait for a network.
 */
static int root_attr(struct ctx *ctx, struct model *model, struct node *node,
		     int64_t *ret_left_ms, uint64_t *ret_size)
{
	(void)ctx;
	(void)model;
	(void)node;
	(void)ret_size;
	*ret_left_ms = UNKNOWN_MS;
	return 0;
}

static int root_refresh(struct ctx *ctx, struct model *model, struct node *dir,
			struct node *file, struct buf *said)
{
	(void)dir;
	(void)file;
	return hierarchy_refresh_root(ctx, model, said);
}

const struct provider provider_root = {
	.name = "root",
	.lookup = root_lookup,
	.open = root_open,
	.attr = root_attr,
	.refresh = root_refresh,
	.expiry = PROVIDER_EXPIRES_LISTING,
};
