/*
 * tree/place_refresh: asking again for what is behind a place, and telling the
 * kernel (and people) what changed by comparing before and after.
 */
#include "tree/place.h"

static void files_changed(struct model *model, struct node *dir,
			  const struct resource_file *files)
{
	for (; files && files->name; files++)
		model_changed_entry(model, dir, files->name);
}

/* An item that the kernel may know: gone, another, or with a new document. */
static void item_changed(struct model *model, struct node *dir,
			 const struct collection_item *was,
			 const struct collection_item *is)
{
	struct node *node;

	if (!was || !is || strcmp(was->id, is->id) != 0) {
		model_drop_child(model, dir, was ? was->name : is->name);
		return;
	}
	node = node_child(model->nodes, dir, is->name);
	if (!node)
		return;
	if (node->what.provider == &provider_place) {
		files_changed(model, node, place_files(place_of(node)));
		node_set_mtime_ms(model->nodes, node, is->time_ms);
		model_changed_inode(model, node, false);
	} else {
		/* A link, while it was elsewhere; a file. */
		model_drop_child(model, dir, is->name);
	}
	node_unref(model->nodes, node);
}

static size_t compare(struct model *model, struct node *dir,
		      const struct collection *before,
		      const struct collection *after, struct buf *said)
{
	size_t a = 0, b = 0, n_changes = 0;

	while ((before && a < before->n_items) || b < after->n_items) {
		const struct collection_item *was =
			before && a < before->n_items ? &before->items[a]
						      : NULL;
		const struct collection_item *is =
			b < after->n_items ? &after->items[b] : NULL;
		int order = !was ? 1 : !is ? -1 : strcmp(was->name, is->name);

		a += order <= 0;
		b += order >= 0;
		if (order == 0 && !strcmp(was->hash, is->hash))
			continue;
		n_changes++;
		provider_say(said, "%s: %s\n", order < 0 ? was->name : is->name,
			     order < 0   ? "gone"
			     : order > 0 ? "new"
					 : "updated");
		item_changed(model, dir, order <= 0 ? was : NULL,
			     order >= 0 ? is : NULL);
	}
	return n_changes;
}

static int refresh_collection(struct ctx *ctx, struct model *model,
			      struct node *dir, struct buf *said)
{
	cleanup(collection_unref) struct collection *before = NULL,
						    *after = NULL;
	struct place *p = place_of(dir);
	struct document_file was = {0}, is = {0};
	struct catalog_age age = {0};
	size_t n;
	int r;

	place_collection(ctx, model, dir, SOURCE_CACHED, &before, &age);
	documents_file(model->config.documents, p->scope, "index.json", &was);
	if (!said && before && age.left_ms > 0)
		return 0;
	/* An index that nobody has looked at. */
	if (p->row->is_lazy && !before)
		return 0;
	r = place_collection(ctx, model, dir,
			     said ? SOURCE_ANEW : SOURCE_REFRESH, &after, &age);
	if (r < 0)
		return r;
	documents_file(model->config.documents, p->scope, "index.json", &is);
	/* One without an index is told by its names. */
	if (was.version == is.version &&
	    (is.version || (before && before->version == after->version))) {
		provider_say(said, "%s: unchanged\n", dir->name);
		return 0;
	}
	n = compare(model, dir, before, after, said);
	model_changed_entry(model, dir, "index.tsv");
	model_changed_entry(model, dir, "index.json");
	model_changed_entry(model, dir, "more");
	files_changed(model, dir, p->row->files);
	atomic_store(&p->shown, after->version);
	model_changed_inode(model, dir, true);
	if (p->row->items)
		provider_say(said, "%s: updated, %zu items, %zu changed\n",
			     dir->name, after->n_items, n);
	else
		provider_say(said, "%s: updated\n", dir->name);
	return 0;
}

/* A pull request with other commits: its tree/ is another one. */
static bool source_moved(const struct catalog_document *before,
			 const struct catalog_document *after)
{
	cleanup(json_free) struct json *was = NULL, *is = NULL;
	const char *a, *b;

	if (!before->body || !after->body ||
	    json_parse(blob_data(before->body), blob_len(before->body), &was) ||
	    json_parse(blob_data(after->body), blob_len(after->body), &is))
		return false;
	a = json_str(was, "source.commit.hash");
	b = json_str(is, "source.commit.hash");
	return a && b && strcmp(a, b) != 0;
}

static int refresh_document(struct ctx *ctx, struct model *model,
			    struct node *dir, struct buf *said)
{
	cleanup(catalog_document_done) struct catalog_document before = {0},
							       after = {0};
	int r;

	place_document(ctx, model, dir, SOURCE_CACHED, &before);
	if (!said && before.age.left_ms > 0)
		return 0;
	r = place_document(ctx, model, dir, SOURCE_REFRESH, &after);
	if (r < 0)
		return r;
	if (before.version != after.version) {
		if (source_moved(&before, &after))
			model_drop_child(model, dir, "tree");
		files_changed(model, dir, place_files(place_of(dir)));
		model_changed_inode(model, dir, false);
	}
	provider_say(said, "%s: %s\n", dir->name,
		     before.version == after.version ? "unchanged" : "updated");
	return 0;
}

int place_refresh(struct ctx *ctx, struct model *model, struct node *node,
		  struct buf *said)
{
	const struct place *p = place_of(node);
	const struct resource_items *items = p->row->items;

	/* In the background what a listing has is brought by it: outdated
	 * items are two requests, not one each. */
	if (p->collection && items->endpoint &&
	    (said || !place_is_listed(ctx, model, p)))
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
