/*
 * model/dirs/row_dir: directories of rows and of items, but for their listing.
 */
#include "model/dirs/row_dir_private.h"

#include "model/work/prefetch.h"

#define MOMENT_MS 1000
#define UNLISTED_MS (INT64_C(60) * 1000)

const struct resource_file place_index[] = {
	{"index.json", NULL, NULL, NULL},
	{"index.tsv", NULL, NULL, NULL},
	[PLACE_MORE] = {"more", NULL, NULL, NULL},
	{NULL, NULL, NULL, NULL},
};

const struct resource *place_rows(const struct place *p)
{
	return p->collection ? p->row->items->rows : p->row->rows;
}

const struct resource_file *place_files(const struct place *p)
{
	return p->collection ? p->row->items->files : p->row->files;
}

int64_t place_believe_ms(const struct catalog_age *age)
{
	return age->stale ? MOMENT_MS : age->left_ms;
}

/* ---- answers ---- */

bool place_is_listed(struct ctx *ctx, struct model *model,
		     const struct place *item)
{
	cleanup(collection_unref) struct collection *c = NULL;
	struct catalog_age age;

	return item->collection && item->row->listing != RESOURCE_LISTS_NONE &&
	       documents_collection(ctx, model->config.documents, item->row,
				    item->collection, SOURCE_CACHED, &c,
				    &age) == 0 &&
	       place_lists(model, item->row, c, item->id);
}

int place_document(struct ctx *ctx, struct model *model, struct node *dir,
		   enum source_mode mode, struct catalog_document *ret_document)
{
	const struct place *p = place_of(dir);
	struct documents *documents = model->config.documents;
	int r;

	if (p->collection)
		r = documents_item(ctx, documents, p->row, p->collection, p->id,
				   mode, ret_document);
	else
		r = documents_object(ctx, documents, p->row, p->scope, mode,
				     ret_document);
	if (r == 0 && ret_document->age.stale && mode == SOURCE_READ)
		refresh_place(model->refresh, place_is_listed(ctx, model, p)
						      ? dir->parent
						      : dir);
	return r;
}

int place_collection(struct ctx *ctx, struct model *model, struct node *dir,
		     enum source_mode mode, struct collection **ret_collection,
		     struct catalog_age *ret_age)
{
	const struct place *p = place_of(dir);
	int r = documents_collection(ctx, model->config.documents, p->row,
				     p->scope, mode, ret_collection, ret_age);

	if (r == 0 && ret_age->stale && mode == SOURCE_READ)
		refresh_place(model->refresh, dir);
	return r;
}

/* ---- nodes ---- */

static struct place *place_new(const struct resource *row, struct scope *scope)
{
	struct place *p = xcalloc(1, sizeof(*p));

	p->row = row;
	p->scope = scope;
	return p;
}

static void place_free(void *data)
{
	struct place *p = data;

	scope_unref(p->collection);
	scope_unref(p->scope);
	free(p->id);
	free(p);
}

/* An item that says where it belongs: it is in one listing today, in another
 * one tomorrow. Its key is the same in all of them. */
static bool place_roams(const struct node_what *what)
{
	const struct place *p = what->data;

	return p->id && p->row->items->where;
}

static bool place_same(const struct node_what *a, const struct node_what *b)
{
	const struct place *x = a->data, *y = b->data;

	return (x->row == y->row || (place_roams(a) && place_roams(b))) &&
	       !x->id == !y->id && strcmp(x->scope->key, y->scope->key) == 0;
}

static uint64_t place_hash(const struct node_what *what, uint64_t seed)
{
	const struct place *p = what->data;

	for (const char *s = p->scope->key; *s; s++)
		seed = (seed ^ (unsigned char)*s) * 0x100000001b3ULL;
	return seed;
}

static void found_dir(struct place *place, int64_t mtime_ms, int64_t left_ms,
		      bool ask_attr, struct found *found)
{
	*found = (struct found){
		.what =
			{
				.provider = &provider_place,
				.mode = NODE_DIRECTORY,
				.mtime_ms = mtime_ms,
				.data = place,
			},
		.left_ms = left_ms,
		.ask_attr = ask_attr,
	};
}

void place_found_item(struct model *model, struct node *dir, const char *id,
		      int64_t time_ms, int64_t left_ms, struct found *found)
{
	const struct place *p = place_of(dir);
	struct place *item;

	/* What has not begun has no time of its own. */
	if (!time_ms)
		time_ms = node_mtime_ms(model->nodes, dir);
	if (p->row->items->link) {
		cleanup(buf_done) struct buf target = BUF_INIT(4 * KIB);

		p->row->items->link(id, &target);
		place_found_link(target.data ? target.data : "", time_ms,
				 left_ms, found);
		return;
	}
	item = place_new(p->row, scope_item(p->scope, p->row, id));
	item->collection = scope_ref(p->scope);
	item->id = xstrdup(id);
	found_dir(item, time_ms, left_ms, false, found);
}

void place_found_file(struct model *model, const struct document_file *file,
		      int64_t mtime_ms, struct found *found)
{
	*found = (struct found){
		.what =
			{
				.provider = &provider_stored,
				.mode = NODE_FILE,
				.size = file->size,
				.mtime_ms = catalog_mtime_ms(
					model->config.catalog, file->version,
					mtime_ms),
				.version = file->version,
			},
		.left_ms = place_believe_ms(&file->age),
	};
}

void place_found_link(const char *target, int64_t mtime_ms, int64_t left_ms,
		      struct found *found)
{
	size_t n = strlen(target);

	*found = (struct found){
		.what =
			{
				.provider = &provider_link,
				.mode = NODE_LINK,
				.size = n,
				.mtime_ms = mtime_ms,
				.data = blob_new(target, n),
			},
		.left_ms = left_ms,
	};
}

/* ---- rows ---- */

static int found_text(struct ctx *ctx, struct model *model, struct node *dir,
		      const struct resource *row, const struct scope *scope,
		      enum source_mode mode, struct found *found)
{
	struct document_file file;
	int r = documents_text(ctx, model->config.documents, row, scope, mode,
			       &file);

	if (r < 0)
		return r;
	place_found_file(model, &file, node_mtime_ms(model->nodes, dir), found);
	return 0;
}

int place_found_row(struct ctx *ctx, struct model *model, struct node *dir,
		    const struct resource *row, struct scope *scope,
		    enum source_mode mode, struct found *ret_found)
{
	const struct place_special *special = place_special(row->special);
	int r = 0;

	if (special && special->found)
		r = special->found(ctx, model, dir, row, scope, mode,
				   ret_found);
	else if (row->kind == RESOURCE_TEXT)
		r = found_text(ctx, model, dir, row, scope, mode, ret_found);
	else
		found_dir(place_new(row, scope_ref(scope)),
			  node_mtime_ms(model->nodes, dir), FOREVER_MS,
			  row->kind == RESOURCE_COLLECTION, ret_found);
	scope_unref(scope);
	return r;
}

bool place_is_there(const struct resource *row,
		    const struct catalog_document *object)
{
	cleanup(json_free) struct json *json = NULL;

	return !row->needs ||
	       (object &&
		!json_parse(blob_data(object->body), blob_len(object->body),
			    &json) &&
		json_at(json, row->needs) && json_bool(json, row->needs, true));
}

int place_lookup_row(struct ctx *ctx, struct model *model, struct node *dir,
		     const struct resource *rows, const struct scope *scope,
		     const char *name, struct found *ret_found)
{
	const struct resource *row = resource_find_row(rows, name);

	return row ? place_found_row(ctx, model, dir, row,
				     scope_below(scope, row->name), SOURCE_READ,
				     ret_found)
		   : 0;
}

bool place_is_at_hand(struct ctx *ctx, struct model *model,
		      const struct resource *row, const struct scope *parent)
{
	cleanup(scope_unref) struct scope *scope =
		scope_below(parent, row->name);
	cleanup(collection_unref) struct collection *c = NULL;
	struct catalog_age age;

	return documents_collection(ctx, model->config.documents, row, scope,
				    SOURCE_CACHED, &c, &age) == 0 &&
	       age.left_ms > 0;
}

void place_add_rows(struct ctx *ctx, struct model *model,
		    const struct resource *rows, const struct scope *scope,
		    const struct catalog_document *repository, uint64_t base,
		    unsigned tag, struct dirlist *l)
{
	for (unsigned i = 0; rows && rows[i].name; i++)
		if (!rows[i].is_unlisted &&
		    place_is_there(&rows[i], repository) &&
		    (!rows[i].is_shy ||
		     place_is_at_hand(ctx, model, &rows[i], scope)))
			dirlist_add(l, rows[i].name, base + i + 1,
				    rows[i].kind == RESOURCE_TEXT ? S_IFREG
								  : S_IFDIR,
				    tag + i);
}

/* A text's size is known by asking for it alone. */
bool place_row_found(struct dirlist_piece *piece, const struct resource *row,
		     const struct scope *scope, struct found *ret_found)
{
	return row->kind != RESOURCE_TEXT &&
	       place_found_row(piece->ctx, piece->model, piece->dir, row,
			       scope_below(scope, row->name), SOURCE_CACHED,
			       ret_found) == 0 &&
	       ret_found->what.provider;
}

/* ---- lookup ---- */

static int lookup_document_file(struct ctx *ctx, struct model *model,
				struct node *dir,
				const struct resource_file *file,
				struct found *ret_found)
{
	cleanup(catalog_document_done) struct catalog_document document = {0};
	int r = place_document(ctx, model, dir, SOURCE_READ, &document);

	if (r < 0)
		return r;
	if (!document.updated_ms)
		document.updated_ms = node_mtime_ms(model->nodes, dir);
	r = meta_found(model, file, &document, ret_found);
	if (r == 0)
		ret_found->left_ms = place_believe_ms(&document.age);
	return r;
}

static int64_t newest(const struct collection *c, int64_t otherwise)
{
	int64_t newest = 0;

	for (size_t i = 0; i < c->n_items; i++)
		if (c->items[i].time_ms > newest)
			newest = c->items[i].time_ms;
	return newest ? newest : otherwise;
}

/* A file of the collection, from its index or a part. */
static bool has_file(const struct place *p, const struct collection *c,
		     const char *name)
{
	return place_is_parts(p) ? collection_find(c, name) != NULL
				 : strcmp(name, "more") || c->more;
}

int place_stored_file(struct model *model, struct node *dir,
		      const struct collection *c, const struct catalog_age *age,
		      const char *name, struct found *ret_found)
{
	const struct place *p = place_of(dir);
	struct document_file file;

	if (!has_file(p, c, name))
		return 1;
	if (documents_file(model->config.documents, p->scope, name, &file) < 0)
		return 1;
	file.age = *age;
	place_found_file(model, &file,
			 newest(c, node_mtime_ms(model->nodes, dir)),
			 ret_found);
	return 0;
}

static int lookup_collection_file(struct ctx *ctx, struct model *model,
				  struct node *dir, const char *name,
				  struct found *ret_found)
{
	enum source_mode mode = SOURCE_READ;
	int r = 0;

	ahead_note(ctx, model->ahead, dir);
	/* Twice: its file may have gone from the cache alone. */
	for (unsigned i = 0; i < 2; i++) {
		cleanup(collection_unref) struct collection *c = NULL;
		struct catalog_age age;

		r = place_collection(ctx, model, dir, mode, &c, &age);
		if (r < 0)
			return r;
		/* Of what is listed without its index, this may be news. */
		if (place_of(dir)->row->is_lazy && c->more)
			model_outdated(model, dir);
		r = place_stored_file(model, dir, c, &age, name, ret_found);
		if (r <= 0)
			return r;
		ret_found->left_ms = place_believe_ms(&age);
		if (!has_file(place_of(dir), c, name))
			return 0;
		mode = SOURCE_REFRESH;
	}
	return 0;
}

/* One that the collection does not have, or that was never listed. */
static int lookup_by_id(struct ctx *ctx, struct model *model, struct node *dir,
			const char *name, struct found *ret_found)
{
	cleanup(catalog_document_done) struct catalog_document document = {0};
	cleanup(json_free) struct json *json = NULL;
	cleanup(free) char *target = NULL, *number_id = NULL;
	const struct place *p = place_of(dir);
	const struct resource_items *items = p->row->items;
	const char *where = "", *here = p->row->is_beside ? p->row->name : "";
	const char *id = name;
	int64_t left_ms;
	int r = 0;

	if (items->has_numbers) {
		r = documents_numbered(ctx, model->config.documents, p->row,
				       p->scope, name, SOURCE_READ, &number_id);
		id = number_id;
	}
	if (r == 0)
		r = documents_item(ctx, model->config.documents, p->row,
				   p->scope, id, SOURCE_READ, &document);
	if (r == -ENOENT) {
		ret_found->left_ms = catalog_unknown_ms(model->config.catalog);
		return 0;
	}
	if (r < 0)
		return r;
	left_ms = place_believe_ms(&document.age);
	if (items->where && !json_parse(blob_data(document.body),
					blob_len(document.body), &json))
		where = items->where(json);
	if (!strcmp(where, here)) {
		place_found_item(model, dir, id, document.updated_ms, left_ms,
				 ret_found);
	} else if (!p->row->is_beside) {
		target = xasprintf("%s/%s", where, name);
		place_found_link(target, document.updated_ms, left_ms,
				 ret_found);
	} else {
		ret_found->left_ms = left_ms;
	}
	return 0;
}

/* A document that is at hand needs no listing to be believed. */
static bool knows_item(struct ctx *ctx, struct model *model, struct node *dir,
		       const char *id, int64_t *ret_left_ms)
{
	cleanup(catalog_document_done) struct catalog_document document = {0};
	const struct place *p = place_of(dir);

	if (documents_item(ctx, model->config.documents, p->row, p->scope, id,
			   SOURCE_CACHED, &document) < 0)
		return false;
	*ret_left_ms = document.age.left_ms;
	return document.age.left_ms > 0;
}

/* The item's document is younger than the list, and belongs to another one: the
 * list is outdated. An item has one place (layout rule 1). */
static bool is_elsewhere(struct ctx *ctx, struct model *model, struct node *dir,
			 const char *id)
{
	cleanup(catalog_document_done) struct catalog_document document = {0};
	cleanup(json_free) struct json *json = NULL;
	const struct place *p = place_of(dir);
	const char *here = p->row->is_beside ? p->row->name : "";

	return p->row->items->where &&
	       documents_item(ctx, model->config.documents, p->row, p->scope,
			      id, SOURCE_CACHED, &document) == 0 &&
	       !json_parse(blob_data(document.body), blob_len(document.body),
			   &json) &&
	       strcmp(p->row->items->where(json), here) != 0;
}

/* Of those that may be asked for by themselves: an outdated listing is brought
 * up to date for what it has, not for what it lacks. */
static int lookup_name(struct ctx *ctx, struct model *model, struct node *dir,
		       const char *name, struct found *ret_found)
{
	cleanup(collection_unref) struct collection *c = NULL;
	const struct collection_item *item = NULL;
	const struct place *p = place_of(dir);
	struct catalog_age age = {0};
	int64_t left_ms;

	if (place_collection(ctx, model, dir, SOURCE_CACHED, &c, &age) == 0)
		item = collection_find(c, name);
	left_ms = age.left_ms;
	if (item && left_ms <= 0 && p->row->listing == RESOURCE_LISTS_NONE) {
		item = NULL;
	} else if (item && left_ms <= 0 &&
		   !knows_item(ctx, model, dir, item->id, &left_ms)) {
		c = collection_unref(c);
		item = NULL;
		if (place_collection(ctx, model, dir, SOURCE_READ, &c, &age) ==
		    0)
			item = collection_find(c, name);
		left_ms = place_believe_ms(&age);
	}
	if (!item || is_elsewhere(ctx, model, dir, item->id))
		return lookup_by_id(ctx, model, dir, name, ret_found);
	place_found_item(model, dir, item->id, item->time_ms, left_ms,
			 ret_found);
	return 0;
}

int place_lookup_item(struct ctx *ctx, struct model *model, struct node *dir,
		      const char *name, struct found *ret_found)
{
	cleanup(collection_unref) struct collection *c = NULL;
	const struct resource_items *items = place_of(dir)->row->items;
	const struct collection_item *item;
	struct catalog_age age = {0};
	int r;

	ret_found->left_ms = FOREVER_MS;
	if (forge_is_probe(name))
		return 0;
	if (items->endpoint && items->is_name)
		return items->is_name(name)
			       ? lookup_name(ctx, model, dir, name, ret_found)
			       : 0;
	r = place_collection(ctx, model, dir, SOURCE_READ, &c, &age);
	if (r < 0)
		return r;
	item = collection_find(c, name);
	ret_found->left_ms = place_believe_ms(&age);
	if (item)
		place_found_item(model, dir, item->id, item->time_ms,
				 ret_found->left_ms, ret_found);
	return 0;
}

static int place_lookup(struct ctx *ctx, struct model *model, struct node *dir,
			const char *name, struct found *ret_found)
{
	const struct place *p = place_of(dir);
	const struct place_special *special = place_special_of(p);
	const struct resource_file *file =
		resource_find_file(place_files(p), name);
	int r;

	ret_found->left_ms = FOREVER_MS;
	r = place_lookup_row(ctx, model, dir, place_rows(p), p->scope, name,
			     ret_found);
	if (r < 0 || ret_found->what.provider)
		return r;
	if (place_is_parts(p) ||
	    (place_is_collection(p) &&
	     (file || resource_find_file(place_index, name))))
		return lookup_collection_file(ctx, model, dir, name, ret_found);
	if (file)
		return lookup_document_file(ctx, model, dir, file, ret_found);
	if (special && special->lookup)
		return special->lookup(ctx, model, dir, name, ret_found);
	if (place_is_collection(p) && p->row->items)
		return place_lookup_item(ctx, model, dir, name, ret_found);
	return 0;
}

/* ---- attributes ---- */

/* What is at hand says it; nobody is asked. */
static int place_attr(struct ctx *ctx, struct model *model, struct node *node,
		      int64_t *ret_left_ms, uint64_t *ret_size)
{
	cleanup(catalog_document_done) struct catalog_document document = {0};
	cleanup(collection_unref) struct collection *c = NULL;
	struct place *p = place_of(node);
	struct catalog_age age;

	(void)ret_size;
	if (p->collection &&
	    place_document(ctx, model, node, SOURCE_CACHED, &document) == 0 &&
	    document.updated_ms)
		node_set_mtime_ms(model->nodes, node, document.updated_ms);
	if (!place_is_collection(p) || p->row->is_lazy)
		return 0;
	*ret_left_ms = UNLISTED_MS;
	if (place_collection(ctx, model, node, SOURCE_CACHED, &c, &age) < 0)
		return 0;
	*ret_left_ms = age.left_ms > 0 ? age.left_ms : MOMENT_MS;
	node_set_mtime_ms(model->nodes, node,
			  newest(c, node_mtime_ms(model->nodes, node)));
	return 0;
}

const struct provider provider_place = {
	.name = "place",
	.lookup = place_lookup,
	.open = place_open,
	.attr = place_attr,
	.roams = place_roams,
	.same_data = place_same,
	.hash_data = place_hash,
	.free_data = place_free,
};
