/*
 * model/dirs/hierarchy: the root and workspaces, which are collections like any
 * other (model/dirs/row_dir) but for their names: one may be entered that is
 * not listed, and what a name means can change.
 *
 * A workspace's listing is one answer with the objects of all its repositories.
 * Where there is a listing, the listing is what gets refreshed: a thousand
 * outdated `info` files are one request together, not a thousand.
 */
#include "model/dirs/hierarchy.h"
#include "model/probe.h"

#include "base/text.h"

int hierarchy_listing(struct ctx *ctx, struct model *model,
		      const char *workspace, enum read_through_mode mode,
		      struct collection **ret_list, struct answer_age *ret_age)
{
	cleanup(scope_unref) struct scope *scope =
		documents_listing_scope(model->config.documents, workspace);
	struct answer_age named = {0};
	int r = 0;

	/* A name that cannot be one costs nothing, unless it is listed. */
	if (mode != READ_CACHED && !text_is_workspace_id(workspace))
		r = documents_find_workspace(ctx, model->config.documents,
					     workspace, &named);
	if (r < 0)
		return r;
	return documents_collection(ctx, model->config.documents,
				    &resource_repositories, scope, mode,
				    ret_list, ret_age);
}

/* The cached listing of a workspace, of any age; NULL: it was never listed. */
static struct collection *known_listing(struct ctx *ctx, struct model *model,
					const char *workspace)
{
	struct collection *list = NULL;
	struct answer_age age;

	return hierarchy_listing(ctx, model, workspace, READ_CACHED, &list,
				 &age) < 0
		       ? NULL
		       : list;
}

/* ---- the root ---- */

int hierarchy_found_control(struct ctx *, struct model *model, struct node *,
			    const struct resource *, const struct scope *,
			    enum read_through_mode, struct found *ret_found)
{
	provider_found_dir(ret_found, model->control, model->started_ms,
			   LONGEST_MS, NULL);
	return 0;
}

/* Its scope is its name alone: which workspace has it is looked up each time.
 * The mtime is the newest change of its repositories, as far as they are known:
 * attr() says how long that is good. */
static void found_workspace(struct ctx *ctx, struct model *model,
			    const char *name, int64_t left_ms,
			    struct found *found)
{
	cleanup(collection_unref) struct collection *list =
		known_listing(ctx, model, name);
	int64_t newest = list ? collection_newest(list) : 0;

	row_dir_found_dir(&resource_repositories,
			  scope_new("", name, name, "", ""),
			  newest ? newest : model->started_ms, left_ms,
			  list != NULL, found);
}

int hierarchy_lookup_workspace(struct ctx *ctx, struct model *model,
			       struct node *dir, const char *name,
			       struct found *ret_found)
{
	struct answer_age age = {0};
	int r = documents_find_workspace(ctx, model->config.documents, name,
					 &age);

	if (age.stale)
		refresh_node(ctx, model->refresh, dir);
	if (r == -ENOENT) {
		ret_found->left_ms = age.left_ms > 0 ? row_dir_believe_ms(&age)
						     : UNKNOWN_MS;
		return 0;
	}
	if (r < 0)
		return r;
	found_workspace(ctx, model, name, row_dir_believe_ms(&age), ret_found);
	/* A workspace that was entered by name is listed from now on. */
	model_outdated(model, dir);
	return 0;
}

bool hierarchy_workspace_found(struct dirlist_piece *piece,
			       const struct row_dir_names *names, size_t i,
			       struct found *ret_found)
{
	found_workspace(piece->ctx, piece->model,
			names->collection->items[i].name,
			dirlist_left_ms(piece->listing), ret_found);
	return true;
}

/* ---- workspaces ---- */

/* .workspace: its key is the workspace's uuid, or its slug while the uuid is
 * not known. */
int hierarchy_found_about(struct ctx *, struct model *model, struct node *dir,
			  const struct resource *row, const struct scope *scope,
			  enum read_through_mode, struct found *ret_found)
{
	cleanup(scope_unref) struct scope *listing = documents_listing_scope(
		model->config.documents, scope->workspace);
	cleanup(free) char *key =
		mem_asprintf("about/%s", listing->workspace_id);

	row_dir_found_dir(row,
			  scope_new(key, scope->workspace, listing->slug,
				    listing->workspace_id, ""),
			  node_mtime_ms(model->nodes, dir), LONGEST_MS, false,
			  ret_found);
	return 0;
}

int hierarchy_lookup_repository(struct ctx *ctx, struct model *model,
				struct node *dir, const char *name,
				struct found *ret_found)
{
	cleanup(collection_unref) struct collection *list = NULL;
	cleanup(documents_repository_done) struct documents_repository found = {
		0};
	const char *workspace = row_dir_of(dir)->scope->workspace;
	struct answer_age age = {0};
	int r;

	if (probe_matches(name)) {
		list = known_listing(ctx, model, workspace);
		if (!list) {
			ret_found->left_ms = UNKNOWN_MS;
			return 0;
		}
	}
	r = documents_find_repository(ctx, model->config.documents, workspace,
				      name, &found, &age);
	if (age.stale && age.from_collection && !list)
		refresh_node(ctx, model->refresh, dir);
	else if (r == 0 && age.stale && !list)
		hierarchy_queue(ctx, model, workspace, name);
	if (r == -ENOENT) {
		ret_found->left_ms = age.left_ms > 0 ? row_dir_believe_ms(&age)
						     : UNKNOWN_MS;
		return 0;
	}
	if (r < 0)
		return r;
	hierarchy_found_repository(found.listing, found.uuid, found.slug,
				   found.updated_ms, row_dir_believe_ms(&age),
				   ret_found);
	return 0;
}

bool hierarchy_repository_found(struct dirlist_piece *piece,
				const struct row_dir_names *names, size_t i,
				struct found *ret_found)
{
	const struct collection_item *item = &names->collection->items[i];

	hierarchy_found_repository(names->special_data, item->id, item->slug,
				   item->time_ms,
				   dirlist_left_ms(piece->listing), ret_found);
	return true;
}

/* ---- both ---- */

int hierarchy_open(struct ctx *, struct model *model, struct node *dir,
		   struct row_dir_names *names, const struct row_dir_names *,
		   struct dirlist *l)
{
	const struct collection *c = names->collection;
	const struct resource *rows = row_dir_of(dir)->row->rows;
	size_t first = l->n_names;

	if (row_dir_of(dir)->row->special == RESOURCE_REPOSITORIES)
		names->special_data =
			row_dir_collection_scope(model, row_dir_of(dir));
	for (size_t i = 0; i < c->n_items; i++)
		dirlist_add(l, c->items[i].name, 0, S_IFDIR,
			    ROW_DIR_TAG_SPECIAL + (unsigned)i);
	for (unsigned i = 0; rows[i].name; i++)
		dirlist_add(l, rows[i].name, 0, S_IFDIR, ROW_DIR_TAG_ROW + i);
	dirlist_number(l, first, node_book(model->nodes, dir, true),
		       ROW_DIR_FIRST_ITEM);
	return 0;
}

void hierarchy_free_names(void *special)
{
	scope_unref(special);
}
