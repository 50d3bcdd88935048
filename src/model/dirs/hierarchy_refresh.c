/*
 * model/dirs/hierarchy_refresh: asks again for listings and documents, and
 * tells the kernel (and people) what changed by comparing before and after.
 *
 * In the background (said NULL) an answer that is fresh is not asked for again:
 * many readers may have queued the question before the first of them was
 * answered.
 */
#include "model/dirs/hierarchy.h"
#include "model/tell.h"

#include "table/resource.h"

static struct node *root_node(struct model *model)
{
	return node_get(model->nodes, NODE_ROOT_INO);
}

/* Tells the kernel that the name is another thing now, or nothing, or new. uuid
 * is what it means now: a node with that uuid is left alone, otherwise a shell
 * that stands in it would be cut off. */
static void name_changed(struct model *model, struct node *dir,
			 const char *name, const char *uuid)
{
	struct node *child = node_child(model->nodes, dir, name);

	if (!child || !uuid ||
	    (child->provider == &provider_repository &&
	     strcmp(row_dir_of(child)->id, uuid) != 0))
		model_drop_child(model, dir, name);
	node_unref(model->nodes, child);
}

/* ---- what a reader heard before the background did ---- */

/*
 * What the kernel knows must be compared with a list that a reader brought:
 * 1. A document tells that a repository was renamed: the listing is outdated
 *    before its time, and a refresh is queued.
 * 2. A reader opens the directory and brings the new listing.
 * 3. The refresh finds it fresh. There is no listing of before to compare with,
 *    and the kernel would go on believing the old name for as long as it was
 *    promised. So every node that the kernel knows here is compared with the
 *    list (sweep).
 */
struct sweep {
	struct model *model;
	struct node *dir;
	const struct collection *workspaces;
	const struct collection *repositories;
	size_t n_dropped;
};

static bool is_swept(const struct sweep *s, const struct node *node)
{
	return node->parent == s->dir && node_is_linked(s->model->nodes, node);
}

static void drop(struct sweep *s, const struct node *node)
{
	model_drop_child(s->model, s->dir, node->name);
	s->n_dropped++;
}

static void sweep_workspace(void *arg, struct node *node)
{
	struct sweep *s = arg;

	if (!is_swept(s, node))
		return;
	for (size_t i = 0; i < s->workspaces->n_items; i++)
		if (!strcmp(s->workspaces->items[i].name, node->name))
			return;
	drop(s, node);
}

/* A repository that the list does not have may be younger than the list: it
 * stays. It goes if the list says that its name, or its uuid, belongs
 * elsewhere. */
static void sweep_repository(void *arg, struct node *node)
{
	struct sweep *s = arg;
	const struct collection *list = s->repositories;
	const char *uuid;

	if (!is_swept(s, node))
		return;
	uuid = row_dir_of(node)->id;
	for (size_t i = 0; i < list->n_items; i++) {
		bool named = !strcmp(list->items[i].name, node->name);
		bool same = !strcmp(list->items[i].id, uuid);

		if (named && same)
			return;
		if (!named && !same)
			continue;
		drop(s, node);
		return;
	}
}

static void sweep(struct sweep *s)
{
	if (s->workspaces)
		node_each(s->model->nodes, &provider_row_dir, sweep_workspace,
			  s);
	else
		node_each(s->model->nodes, &provider_repository,
			  sweep_repository, s);
	if (s->n_dropped)
		model_changed_inode(s->model, s->dir, true);
}

/* ---- */

static void workspace_changed(const struct tell *tell,
			      const struct compare_pair *pair, enum tell_change)
{
	name_changed(tell->model, tell->dir, pair->name, pair->is ? "" : NULL);
}

static const struct tell_how tell_workspaces = {.name = workspace_changed};

int hierarchy_refresh_root(struct ctx *ctx, struct model *model,
			   struct buf *said)
{
	cleanup(collection_unref) struct collection *before = NULL,
						    *after = NULL;
	struct answer_age age = {0};
	struct node *root = root_node(model);
	size_t n_changes;
	int r = 0;

	row_dir_collection(ctx, model, root, READ_CACHED, &before, &age);
	if (!said && before && age.left_ms > 0) {
		sweep(&(struct sweep){
			.model = model, .dir = root, .workspaces = before});
		goto out;
	}
	r = row_dir_collection(ctx, model, root, READ_REFRESH, &after, &age);
	if (r < 0)
		goto out;
	n_changes = tell_changes(&(struct tell){
		.model = model,
		.dir = root,
		.before = COMPARE_SIDE(before ? before->items : NULL,
				       before ? before->n_items : 0),
		.after = COMPARE_SIDE(after->items, after->n_items),
		.how = &tell_workspaces,
		.said = said,
	});
	provider_say(said, "%zu workspaces, %zu changed\n", after->n_items,
		     n_changes);
out:
	node_unref(model->nodes, root);
	return r;
}

/* The kernel may believe that the row does not exist. (A row that vanished is
 * not told: a program may stand in it, and the kernel hears when it asks next.)
 */
static void row_appeared(struct model *model, struct node *dir,
			 const char *name)
{
	struct node *child = node_child(model->nodes, dir, name);

	if (!child)
		model_changed_entry(model, dir, name);
	node_unref(model->nodes, child);
}

/* The repository's document has a new version: so have the files made of it,
 * and other rows may exist by now. */
static void files_changed(struct model *model, struct node *workspace,
			  const char *name)
{
	struct node *node = node_child(model->nodes, workspace, name);
	const struct resource_file *file = resource_repository.files;
	const struct resource *row = resource_repository.rows;

	if (!node)
		return;
	for (; file->name; file++)
		model_changed_entry(model, node, file->name);
	for (; row->name; row++)
		if (row->needs)
			row_appeared(model, node, row->name);
	model_changed_inode(model, node, true);
	node_unref(model->nodes, node);
}

static enum tell_change repository_differs(const void *was, const void *is)
{
	const struct collection_item *a = was, *b = is;

	if (strcmp(a->id, b->id) != 0)
		return TELL_REPLACED;
	return a->time_ms != b->time_ms ? TELL_UPDATED : TELL_SAME;
}

static void repository_changed(const struct tell *tell,
			       const struct compare_pair *pair,
			       enum tell_change change)
{
	const struct collection_item *is = pair->is;

	if (change == TELL_UPDATED)
		files_changed(tell->model, tell->dir, pair->name);
	else
		name_changed(tell->model, tell->dir, pair->name,
			     is ? is->id : NULL);
}

static const struct tell_how tell_repositories = {
	.differs = repository_differs,
	.name = repository_changed,
	.replaced = "another repository now",
};

int hierarchy_refresh_workspace(struct ctx *ctx, struct model *model,
				const char *workspace, struct buf *said)
{
	cleanup(collection_unref) struct collection *before = NULL,
						    *after = NULL;
	struct answer_age age = {0};
	struct node *root, *node;
	size_t n;
	int r = 0;

	hierarchy_listing(ctx, model, workspace, READ_CACHED, &before, &age);
	root = root_node(model);
	node = node_child(model->nodes, root, workspace);
	if (!said && before && age.left_ms > 0) {
		if (node)
			sweep(&(struct sweep){.model = model,
					      .dir = node,
					      .repositories = before});
		goto out;
	}
	r = hierarchy_listing(ctx, model, workspace,
			      said ? READ_ANEW : READ_REFRESH, &after, &age);
	if (r < 0)
		goto out;
	n = tell_changes(&(struct tell){
		.model = model,
		.dir = node,
		.before = COMPARE_SIDE(before ? before->items : NULL,
				       before ? before->n_items : 0),
		.after = COMPARE_SIDE(after->items, after->n_items),
		.how = &tell_repositories,
		.said = said,
	});
	if (!before || before->version != after->version)
		repository_lists_changed(model, workspace, before);
	provider_say(said, "%zu repositories, %zu changed\n", after->n_items,
		     n);
out:
	node_unref(model->nodes, node);
	node_unref(model->nodes, root);
	return r;
}

int hierarchy_refresh(struct ctx *ctx, struct model *model, struct node *dir,
		      struct buf *said)
{
	const struct row_dir *p = row_dir_of(dir);

	return p->row->special == RESOURCE_WORKSPACES
		       ? hierarchy_refresh_root(ctx, model, said)
		       : hierarchy_refresh_workspace(ctx, model,
						     p->scope->workspace, said);
}

bool hierarchy_is_gone(struct ctx *ctx, struct model *model,
		       const char *workspace, const char *name)
{
	cleanup(documents_repository_done) struct documents_repository found = {
		0};
	struct answer_age age = {0};
	int r = documents_find_repository(ctx, model->config.documents,
					  workspace, name, &found, &age);

	if (r == 0 && age.stale)
		hierarchy_queue(ctx, model, workspace, NULL);
	return r == -ENOENT;
}

int hierarchy_refresh_repository(struct ctx *ctx, struct model *model,
				 const char *workspace, const char *name,
				 struct buf *said)
{
	cleanup(documents_repository_done) struct documents_repository found = {
		0};
	cleanup(answer_document_done) struct answer_document before = {0},
							     after = {0};
	struct documents *documents = model->config.documents;
	struct answer_age age;
	struct node *root, *node;
	bool renamed;
	int r;

	r = documents_find_repository(ctx, documents, workspace, name, &found,
				      &age);
	if (r < 0)
		return r;
	documents_item(ctx, documents, &resource_repositories, found.listing,
		       found.uuid, READ_CACHED, &before);
	if (!said && before.age.left_ms > 0)
		return 0;
	r = documents_item(ctx, documents, &resource_repositories,
			   found.listing, found.uuid, READ_REFRESH, &after);
	if (r < 0)
		return r;
	if (before.version == after.version) {
		provider_say(said, "%s: unchanged\n", name);
		return 0;
	}
	renamed = hierarchy_is_gone(ctx, model, workspace, name);
	provider_say(said, "%s: %s\n", name, renamed ? "gone" : "updated");
	root = root_node(model);
	node = node_child(model->nodes, root, workspace);
	/* The document may have told another name: the listing is outdated. */
	if (node)
		model_outdated(model, node);
	if (node && renamed)
		model_drop_child(model, node, name);
	else if (node)
		files_changed(model, node, name);
	node_unref(model->nodes, node);
	node_unref(model->nodes, root);
	return 0;
}

/* ---- in the background ---- */

static int run(struct ctx *ctx, struct model *model,
	       const struct refresh_item *item)
{
	return item->name ? hierarchy_refresh_repository(ctx, model,
							 item->workspace,
							 item->name, NULL)
			  : hierarchy_refresh_workspace(ctx, model,
							item->workspace, NULL);
}

/* By the node, as whoever has the node queues it: otherwise one thing would be
 * queued twice, and asked for twice where the first failed. */
void hierarchy_queue(struct ctx *ctx, struct model *model,
		     const char *workspace, const char *name)
{
	static const struct refresh_work work = {"hierarchy", run};
	struct node *root = root_node(model);
	struct node *parent = node_child(model->nodes, root, workspace);
	struct node *node =
		name && parent ? node_child(model->nodes, parent, name) : NULL;

	if (name ? node : parent)
		refresh_node(ctx, model->refresh, name ? node : parent);
	else if (!ctx_is_barred(ctx))
		refresh_queue(model->refresh, &work, workspace, name, NULL);
	node_unref(model->nodes, node);
	node_unref(model->nodes, parent);
	node_unref(model->nodes, root);
}
