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

int hierarchy_listing(struct ctx *ctx, struct model *model,
		      const char *workspace, enum read_through_mode mode,
		      struct collection **ret_list, struct answer_age *ret_age)
{
	cleanup(scope_unref) struct scope *scope =
		documents_listing_scope(model->config.documents, workspace);

	return documents_collection(ctx, model->config.documents,
				    &resource_repositories, scope, mode,
				    ret_list, ret_age);
}

int hierarchy_workspaces(struct ctx *ctx, struct model *model,
			 enum read_through_mode mode,
			 struct collection **ret_list,
			 struct answer_age *ret_age)
{
	cleanup(scope_unref) struct scope *scope = documents_root_scope();

	return documents_collection(ctx, model->config.documents,
				    &resource_workspaces, scope, mode, ret_list,
				    ret_age);
}

struct collection *hierarchy_known_listing(struct ctx *ctx, struct model *model,
					   const char *workspace,
					   struct answer_age *ret_age)
{
	struct collection *list = NULL;

	return hierarchy_listing(ctx, model, workspace, READ_CACHED, &list,
				 ret_age) < 0
		       ? NULL
		       : list;
}

int64_t hierarchy_workspace_mtime(const struct model *model,
				  const struct collection *list)
{
	int64_t newest = list ? collection_newest(list) : 0;

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
	struct answer_age age = {0};
	int r;

	if (strcmp(name, CONTROL_NAME) == 0) {
		found_control(model, ret_found);
		return 0;
	}
	r = documents_find_workspace(ctx, model->config.documents, name, &age);
	if (age.stale)
		hierarchy_queue_root(model);
	if (r == -ENOENT) {
		ret_found->left_ms = age.left_ms > 0 ? row_dir_believe_ms(&age)
						     : UNKNOWN_MS;
		return 0;
	}
	if (r < 0)
		return r;
	hierarchy_found_workspace(ctx, model, name, row_dir_believe_ms(&age),
				  ret_found);
	/* A workspace that was entered by name is listed from now on. */
	model_outdated(model, dir);
	return 0;
}

/* The pin is the list of workspaces. The tag after its last one is
 * .bitbucketfs. */
static void names_free(void *data)
{
	collection_unref(data);
}

static bool name_found(struct dirlist_piece *piece,
		       const struct dirlist_name *name, struct found *ret_found)
{
	const struct collection *list = piece->listing->data;

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
	struct collection *list = NULL;
	struct answer_age age;
	struct dirlist *l;
	int r;

	(void)newest;
	r = hierarchy_workspaces(ctx, model, READ_THROUGH, &list, &age);
	if (r < 0)
		return r;
	if (age.stale)
		hierarchy_queue_root(model);
	l = dirlist_new(&ops_names, list, list->n_items * 100);
	for (size_t i = 0; i < list->n_items; i++)
		dirlist_add(l, list->items[i].name, 0, S_IFDIR, (unsigned)i);
	dirlist_add(l, CONTROL_NAME, 0, S_IFDIR, (unsigned)list->n_items);
	dirlist_number(l, 0, node_book(model->nodes, dir, true), 0);
	*ret_listing = dirlist_seal(l, row_dir_believe_ms(&age));
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
