/*
 * model/dirs/hierarchy: a workspace as a directory: its repositories, and
 * .workspace/.
 */
#include "model/dirs/hierarchy.h"
#include "model/probe.h"

struct workspace_data {
	char *slug;
};

static void workspace_free(void *data)
{
	struct workspace_data *w = data;

	free(w->slug);
	free(w);
}

static const char *slug_of(const struct node *node)
{
	return ((struct workspace_data *)node->what.data)->slug;
}

void hierarchy_found_workspace(struct ctx *ctx, struct model *model,
			       const char *slug, int64_t left_ms,
			       struct found *found)
{
	struct answer_age age;
	cleanup(collection_unref) struct collection *list =
		hierarchy_known_listing(ctx, model, slug, &age);
	struct workspace_data *w = xcalloc(1, sizeof(*w));

	w->slug = xstrdup(slug);
	*found = (struct found){
		.what =
			{
				.provider = &provider_workspace,
				.mode = NODE_DIRECTORY,
				.mtime_ms =
					hierarchy_workspace_mtime(model, list),
				.data = w,
			},
		.left_ms = left_ms,
		/* The mtime is the listing's: attr() says how long it is good.
		 */
		.ask_attr = list != NULL,
	};
}

/* .workspace: its key is the workspace's uuid, or its slug while the uuid is
 * not known. */
static int found_about(struct ctx *ctx, struct model *model, struct node *dir,
		       enum read_through_mode mode, struct found *ret_found)
{
	cleanup(free) char *key = NULL;
	const char *slug = slug_of(dir);
	cleanup(scope_unref) struct scope *scope =
		documents_listing_scope(model->config.documents, slug);

	key = xasprintf("about/%s", scope->workspace_id);
	return row_dir_found_row(ctx, model, dir, &resource_workspace,
				 scope_new(key, slug, scope->workspace_id, ""),
				 mode, ret_found);
}

static int workspace_lookup(struct ctx *ctx, struct model *model,
			    struct node *dir, const char *name,
			    struct found *ret_found)
{
	cleanup(scope_unref) struct scope *scope = NULL;
	cleanup(collection_unref) struct collection *list = NULL;
	cleanup(documents_repository_done) struct documents_repository found = {
		0};
	const char *workspace = slug_of(dir);
	struct documents *documents = model->config.documents;
	struct answer_age age = {0};
	int r;

	if (strcmp(name, resource_workspace.name) == 0)
		return found_about(ctx, model, dir, READ_THROUGH, ret_found);
	if (probe_matches(name)) {
		list = hierarchy_known_listing(ctx, model, workspace, &age);
		if (!list) {
			ret_found->left_ms = UNKNOWN_MS;
			return 0;
		}
	}
	r = documents_find_repository(ctx, documents, workspace, name, &found,
				      &age);
	if (age.stale && age.listed && !list)
		hierarchy_queue_workspace(model, workspace);
	else if (r == 0 && age.stale && !list)
		hierarchy_queue_repository(model, workspace, name);
	if (r == -ENOENT) {
		ret_found->left_ms = age.left_ms > 0 ? row_dir_believe_ms(&age)
						     : UNKNOWN_MS;
		return 0;
	}
	if (r < 0)
		return r;
	scope = documents_repository_scope(workspace, &found);
	hierarchy_found_repository(scope, &found, row_dir_believe_ms(&age),
				   ret_found);
	return 0;
}

/* The pin of a listing. The tag after its last repository is .workspace. */
struct names {
	struct scope *scope;
	struct collection *list;
};

static void names_free(void *data)
{
	struct names *names = data;

	scope_unref(names->scope);
	collection_unref(names->list);
	free(names);
}

static bool name_found(struct dirlist_piece *piece,
		       const struct dirlist_name *name, struct found *ret_found)
{
	cleanup(documents_repository_done) struct documents_repository r = {0};
	const struct names *names = piece->listing->data;
	const struct collection *list = names->list;

	if (name->tag == list->n_items)
		return found_about(piece->ctx, piece->model, piece->dir,
				   READ_CACHED, ret_found) == 0;
	documents_repository_make(names->scope, &list->items[name->tag], &r);
	hierarchy_found_repository(names->scope, &r,
				   dirlist_left_ms(piece->listing), ret_found);
	return true;
}

static const struct dirlist_ops ops_names = {
	.found = name_found,
	.free_data = names_free,
};

static int workspace_open(struct ctx *ctx, struct model *model,
			  struct node *dir, struct dirlist *newest,
			  struct dirlist **ret_listing)
{
	const char *slug = slug_of(dir);
	struct collection *list = NULL;
	struct answer_age age;
	struct names *names;
	struct dirlist *l;
	int r = hierarchy_listing(ctx, model, slug, READ_THROUGH, &list, &age);

	(void)newest;
	if (r < 0)
		return r;
	if (age.stale)
		hierarchy_queue_workspace(model, slug);
	names = xcalloc(1, sizeof(*names));
	names->list = list;
	names->scope = documents_listing_scope(model->config.documents, slug);
	l = dirlist_new(&ops_names, names, list->n_items * 300);
	for (size_t i = 0; i < list->n_items; i++)
		dirlist_add(l, list->items[i].name, 0, S_IFDIR, (unsigned)i);
	dirlist_add(l, resource_workspace.name, 0, S_IFDIR,
		    (unsigned)list->n_items);
	dirlist_number(l, 0, node_book(model->nodes, dir, true), 0);
	*ret_listing = dirlist_seal(l, row_dir_believe_ms(&age));
	return 0;
}

/* Never waits: from the cached listing. */
static int workspace_attr(struct ctx *ctx, struct model *model,
			  struct node *node, int64_t *ret_left_ms,
			  uint64_t *ret_size)
{
	cleanup(collection_unref) struct collection *list = NULL;
	const char *slug = slug_of(node);
	struct answer_age age;
	bool listed = model_was_opened(model, node);

	(void)ret_size;
	*ret_left_ms = UNKNOWN_MS;
	list = hierarchy_known_listing(ctx, model, slug, &age);
	if (!list)
		return 0;
	if (age.left_ms > 0) {
		*ret_left_ms = age.left_ms;
	} else if (listed) {
		*ret_left_ms = MOMENT_MS;
		hierarchy_queue_workspace(model, slug);
	}
	node_set_mtime_ms(model->nodes, node,
			  hierarchy_workspace_mtime(model, list));
	return 0;
}

static int workspace_refresh(struct ctx *ctx, struct model *model,
			     struct node *dir, struct node *file,
			     struct buf *said)
{
	(void)file;
	return hierarchy_refresh_workspace(ctx, model, slug_of(dir), said);
}

const struct provider provider_workspace = {
	.name = "workspace",
	.lookup = workspace_lookup,
	.open = workspace_open,
	.attr = workspace_attr,
	.refresh = workspace_refresh,
	.expiry = PROVIDER_EXPIRES_LISTING,
	.free_data = workspace_free,
};
