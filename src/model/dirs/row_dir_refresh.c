/*
 * model/dirs/row_dir_refresh: asks again for a row's document or collection,
 * and tells the kernel (and people) what changed by comparing before and after.
 */
#include "model/dirs/row_dir_private.h"
#include "model/tell.h"

static void files_changed(struct model *model, struct node *dir,
			  const struct resource_file *files)
{
	for (; files && files->name; files++)
		model_changed_entry(model, dir, files->name);
}

static bool is_made_with(const struct resource_file *file, const char *row)
{
	for (size_t i = 0; file->with && file->with[i]; i++)
		if (!strcmp(file->with[i], row))
			return true;
	return false;
}

/* Told only if it does: otherwise whoever reads tasks/ and the summary in turn
 * would have it looked up each time. */
static void tell_made(struct ctx *ctx, struct model *model, struct node *item,
		      const struct resource_file *file)
{
	cleanup(answer_document_done) struct answer_document document = {0};
	struct node *node = node_child(model->nodes, item, file->name);
	struct found is = {0};

	if (node &&
	    (row_dir_document(ctx, model, item, READ_CACHED, &document) < 0 ||
	     row_dir_document_file(ctx, model, item, file, &document, &is) <
		     0 ||
	     is.what.version != node_version(node)))
		model_changed_entry(model, item, file->name);
	node_unref(model->nodes, node);
}

/* What items are shown with names from the list that came. */
static void tell_named(struct ctx *ctx, struct model *model, struct node *dir)
{
	const struct resource_items *items = row_dir_of(dir)->row->items;
	const struct resource_file *file = items ? items->files : NULL;
	cleanup(collection_unref) struct collection *c = NULL;
	struct answer_age age;

	if (row_dir_collection(ctx, model, dir, READ_CACHED, &c, &age) < 0)
		return;
	for (; file && file->name; file++)
		for (size_t i = 0; file->is_named && i < c->n_items; i++) {
			struct node *item =
				node_child(model->nodes, dir, c->items[i].name);

			if (item)
				tell_made(ctx, model, item, file);
			node_unref(model->nodes, item);
		}
}

/* The index of a list beside, whose items take names from the list that came.
 */
static void tell_beside(struct ctx *ctx, struct model *model,
			struct node *above, const char *name)
{
	struct node *dir = node_child(model->nodes, above, name), *index = NULL;
	cleanup(collection_unref) struct collection *c = NULL;
	struct document_file is = {0};
	struct answer_age age;

	if (dir)
		index = node_child(model->nodes, dir, "index.tsv");
	if (index &&
	    (row_dir_collection(ctx, model, dir, READ_CACHED, &c, &age) < 0 ||
	     documents_index_file(model->config.documents, row_dir_of(dir)->row,
				  row_dir_of(dir)->scope, "index.tsv",
				  &is) < 0 ||
	     is.version != node_version(index)))
		model_changed_entry(model, dir, "index.tsv");
	node_unref(model->nodes, index);
	if (dir)
		tell_named(ctx, model, dir);
	node_unref(model->nodes, dir);
}

/* Builds were told of: the indexes of the repository show them. */
static void tell_builds(struct ctx *ctx, struct model *model, struct node *dir)
{
	const struct resource *rows = resource_repository.rows;

	while (dir && dir->provider->kind != PROVIDER_REPOSITORY)
		dir = dir->parent;
	for (; dir && rows->name; rows++)
		if (rows->builds)
			tell_beside(ctx, model, dir, rows->name);
}

void row_dir_tell_made(struct ctx *ctx, struct model *model, struct node *dir)
{
	const char *row = row_dir_of(dir)->row->name;
	struct node *above = dir->parent;
	const struct resource_file *file;
	const struct resource *beside;

	if (row_dir_of(dir)->row->is_builds)
		tell_builds(ctx, model, dir);
	/* A repository's provider is another one, and a directory of rows. */
	if (!above || above->provider->lookup != row_dir_lookup)
		return;
	file = row_dir_files(row_dir_of(above));
	for (; file && file->name; file++)
		if (is_made_with(file, row))
			tell_made(ctx, model, above, file);
	beside = row_dir_rows(row_dir_of(above));
	for (; beside && beside->name; beside++)
		if (beside->beside && !strcmp(beside->beside->row, row))
			tell_beside(ctx, model, above, beside->name);
}

/* The document may name another commit by now, so that tree/ is another one.
 * Told only if it does: otherwise a shell that stands in tree/ would be cut
 * off. */
static void tree_changed(struct model *model, struct node *item,
			 const struct answer_document *document)
{
	cleanup(json_free) struct json *json = json_of(document->body);
	struct node *tree = node_child(model->nodes, item, "tree");
	const char *hash = json_str(json, "source.commit.hash");

	/* Also one that led nowhere while no commit was named. */
	if (tree && hash &&
	    (!tree->provider->is_at || !tree->provider->is_at(tree, hash)))
		model_drop_child(model, item, "tree");
	node_unref(model->nodes, tree);
}

/* The item has a new document. */
static void item_renewed(struct ctx *ctx, struct model *model,
			 struct node *node, int64_t time_ms)
{
	cleanup(answer_document_done) struct answer_document document = {0};

	if (row_dir_document(ctx, model, node, READ_CACHED, &document) == 0)
		tree_changed(model, node, &document);
	files_changed(model, node, row_dir_files(row_dir_of(node)));
	if (time_ms)
		node_set_mtime_ms(model->nodes, node, time_ms);
	model_changed_inode(model, node, false);
}

static bool is_item(const struct node *node, const char *id)
{
	return node && node->provider == &provider_row_dir &&
	       row_dir_of(node)->id && strcmp(row_dir_of(node)->id, id) == 0;
}

/* Tells the kernel of an item that vanished, came, or has a new document. In a
 * bounded list (the newest items) an item that vanished only grew too old for
 * the list: its directory exists, and whoever stands in it stays. */
static void item_changed(struct ctx *ctx, struct model *model, struct node *dir,
			 const struct collection_item *was,
			 const struct collection_item *is, bool bounded)
{
	const struct collection_item *item = is ? is : was;
	struct node *node = node_child(model->nodes, dir, item->name);

	if (!is_item(node, item->id) || (!is && !bounded))
		model_drop_child(model, dir, item->name);
	else if (is)
		item_renewed(ctx, model, node, is->time_ms);
	node_unref(model->nodes, node);
}

struct items {
	struct ctx *ctx;
	bool bounded;
};

static enum tell_change item_differs(const void *was, const void *is)
{
	const struct collection_item *a = was, *b = is;

	return strcmp(a->hash, b->hash) != 0 ? TELL_UPDATED : TELL_SAME;
}

static void tell_item(const struct tell *tell, const struct compare_pair *pair,
		      enum tell_change)
{
	const struct items *items = tell->arg;

	item_changed(items->ctx, tell->model, tell->dir, pair->was, pair->is,
		     items->bounded);
}

static const struct tell_how tell_items = {
	.differs = item_differs,
	.name = tell_item,
};

void row_dir_rows_outdated(struct model *model, struct node *dir)
{
	const struct resource *row = row_dir_of(dir)->row->rows;

	for (; row && row->name; row++) {
		const struct row_dir_special *special =
			row_dir_special(model, row->special);
		struct node *below =
			special && special->outdated
				? node_child(model->nodes, dir, row->name)
				: NULL;

		if (below)
			special->outdated(model, below);
		node_unref(model->nodes, below);
	}
}

static int refresh_collection(struct ctx *ctx, struct model *model,
			      struct node *dir, struct buf *said)
{
	cleanup(collection_unref) struct collection *before = NULL,
						    *after = NULL;
	struct row_dir *p = row_dir_of(dir);
	struct document_file was = {0}, is = {0};
	struct answer_age age = {0};
	size_t n;
	int r;

	row_dir_collection(ctx, model, dir, READ_CACHED, &before, &age);
	documents_file(model->config.documents, p->scope, "index.json", &was);
	if (!said && before && age.left_ms > 0)
		return 0;
	/* Nobody has looked at the index, so it is not brought. */
	if (p->row->is_lazy && !before)
		return 0;
	r = row_dir_collection(ctx, model, dir, said ? READ_ANEW : READ_REFRESH,
			       &after, &age);
	if (r < 0)
		return r;
	documents_file(model->config.documents, p->scope, "index.json", &is);
	/* A collection without an index is compared by its names. */
	if (was.version == is.version &&
	    (is.version || (before && before->version == after->version))) {
		provider_say(said, "%s: unchanged\n", dir->name);
		return 0;
	}
	model_changed_entry(model, dir, "index.tsv");
	model_changed_entry(model, dir, "index.json");
	model_changed_entry(model, dir, "more");
	files_changed(model, dir, p->row->files);
	row_dir_rows_outdated(model, dir);
	n = tell_changes(&(struct tell){
		.model = model,
		.dir = dir,
		.before = COMPARE_SIDE(before ? before->items : NULL,
				       before ? before->n_items : 0),
		.after = COMPARE_SIDE(after->items, after->n_items),
		.how = &tell_items,
		.arg = &(struct items){ctx, after->more},
		.said = said,
		.renewed = true,
	});
	if (p->row->items)
		provider_say(said, "%s: updated, %zu items, %zu changed\n",
			     dir->name, after->n_items, n);
	else
		provider_say(said, "%s: updated\n", dir->name);
	return 0;
}

static int refresh_document(struct ctx *ctx, struct model *model,
			    struct node *dir, struct buf *said)
{
	cleanup(answer_document_done) struct answer_document before = {0},
							     after = {0};
	int r;

	row_dir_document(ctx, model, dir, READ_CACHED, &before);
	if (!said && before.age.left_ms > 0)
		return 0;
	r = row_dir_document(ctx, model, dir, READ_REFRESH, &after);
	if (r < 0)
		return r;
	if (before.version != after.version) {
		tree_changed(model, dir, &after);
		files_changed(model, dir, row_dir_files(row_dir_of(dir)));
		model_changed_inode(model, dir, false);
	}
	provider_say(said, "%s: %s\n", dir->name,
		     before.version == after.version ? "unchanged" : "updated");
	return 0;
}

int row_dir_refresh(struct ctx *ctx, struct model *model, struct node *node,
		    struct node *file, struct buf *said)
{
	const struct row_dir *p = row_dir_of(node);
	const struct resource_items *items = p->row->items;
	const struct row_dir_special *special = row_dir_special_of(model, p);

	if (special && special->refresh)
		return special->refresh(ctx, model, node, said);
	(void)file; /* a file is made of its directory's answer */
	/* In the background an item that is listed is renewed by its listing:
	 * outdated items are two requests together, not one each. */
	if (p->collection && items->endpoint &&
	    (said || !row_dir_is_listed(ctx, model, p)))
		return refresh_document(ctx, model, node, said);
	if (p->collection)
		return refresh_collection(ctx, model, node->parent, said);
	if (p->row->kind == RESOURCE_OBJECT)
		return refresh_document(ctx, model, node, said);
	if (p->row->kind == RESOURCE_COLLECTION)
		return refresh_collection(ctx, model, node, said);
	provider_say(said, "%s: nothing to ask for\n", node->name);
	return 0;
}
