/*
 * model/dirs/row_dir, listing: the names of a row directory are, in this order:
 * its files, its rows, then its items (or what a special says). The first two
 * are fixed, so their cookies are positions below ROW_DIR_FIRST_ITEM; items
 * come and go, and have a book's.
 *
 * Listing a collection waits for the collection, which is one set of pages;
 * other listings never wait.
 */
#include "model/dirs/row_dir_private.h"

#include "api/budget.h"
#include "model/dirs/row_file.h"

/* The kind of a name, and its position among the names of that kind. */
enum tag {
	TAG_INDEX = 0, /* of row_dir_index */
	TAG_FILE = 0x10000000,
	TAG_ROW = ROW_DIR_TAG_ROW,
	TAG_ITEM = 0x30000000,
	TAG_SPECIAL = ROW_DIR_TAG_SPECIAL,
};
#define TAG_KIND 0x70000000u

static void names_free(void *data)
{
	struct row_dir_names *names = data;

	if (names->special && names->special->free_names)
		names->special->free_names(names->special_data);
	collection_unref(names->collection);
	free(names);
}

/* ---- attributes ---- */

/* The document of the directory, brought once for each READDIR. */
static const struct answer_document *document_of(struct dirlist_piece *piece)
{
	struct answer_document *document = piece->own;

	if (document)
		return document;
	document = piece->own = mem_calloc(1, sizeof(*document));
	if (row_dir_document(piece->ctx, piece->model, piece->dir, READ_CACHED,
			     document) == 0 &&
	    !document->updated_ms)
		document->updated_ms =
			node_mtime_ms(piece->model->nodes, piece->dir);
	return document;
}

static void piece_done(struct dirlist_piece *piece)
{
	struct answer_document *document = piece->own;

	if (document)
		answer_document_done(document);
	free(document);
}

struct answer_age row_dir_age(const struct dirlist_piece *piece,
			      const struct row_dir_names *names)
{
	struct answer_age age = names->age;

	if (!age.stale)
		age.left_ms = dirlist_left_ms(piece->listing);
	return age;
}

static bool file_found(struct dirlist_piece *piece,
		       const struct resource_file *file,
		       struct found *ret_found)
{
	const struct row_dir_names *names = piece->listing->data;
	const struct row_dir *p = row_dir_of(piece->dir);
	const struct answer_document *document;
	struct answer_age age;

	/* That is made when somebody looks at it. */
	if (names->collection && p->row->builds &&
	    !strcmp(file->name, "index.tsv"))
		return false;
	if (names->collection) {
		age = row_dir_age(piece, names);
		return row_dir_stored_file(piece->model, piece->dir,
					   names->collection, &age, file->name,
					   ret_found) == 0;
	}
	/* What is made of more is stored, which READDIR does not wait for.
	 */
	if (row_dir_is_collection(p) || row_dir_is_made(file))
		return false;
	document = document_of(piece);
	return document->body && document->age.left_ms > 0 &&
	       row_file_found(piece->model, file, document, ret_found) == 0;
}

static bool item_found(struct dirlist_piece *piece, size_t i,
		       struct found *ret_found)
{
	const struct row_dir_names *names = piece->listing->data;
	const struct collection_item *item = &names->collection->items[i];
	struct answer_age age = row_dir_age(piece, names);

	if (names->special && names->special->name_found)
		return names->special->name_found(piece, names, i, ret_found);
	if (row_dir_is_parts(row_dir_of(piece->dir)))
		return row_dir_stored_file(piece->model, piece->dir,
					   names->collection, &age, item->name,
					   ret_found) == 0;
	row_dir_found_item(piece->model, piece->dir, item->id, item->time_ms,
			   row_dir_believe_ms(&age), ret_found);
	return true;
}

static bool name_found(struct dirlist_piece *piece,
		       const struct dirlist_name *name, struct found *ret_found)
{
	const struct row_dir_names *names = piece->listing->data;
	const struct row_dir *p = row_dir_of(piece->dir);
	size_t i = name->tag & ~TAG_KIND;

	switch ((enum tag)(name->tag & TAG_KIND)) {
	case TAG_INDEX:
		return file_found(piece, &row_dir_index[i], ret_found);
	case TAG_FILE:
		return file_found(piece, &row_dir_files(p)[i], ret_found);
	case TAG_ROW:
		return row_dir_row_found(piece, &row_dir_rows(p)[i], p->scope,
					 ret_found);
	case TAG_ITEM:
		return item_found(piece, i, ret_found);
	case TAG_SPECIAL:
		return names->special->name_found &&
		       names->special->name_found(piece, names, i, ret_found);
	}
	return false;
}

static const struct dirlist_ops ops_names = {
	.found = name_found,
	.piece_done = piece_done,
	.free_data = names_free,
};

/* ---- names ---- */

static void limit(struct row_dir_names *names, int64_t left_ms)
{
	if (names->left_ms > left_ms)
		names->left_ms = left_ms;
}

static void add_fixed(struct ctx *ctx, struct model *model, struct node *dir,
		      struct row_dir_names *names, struct dirlist *l)
{
	cleanup(answer_document_done) struct answer_document document = {0};
	const struct row_dir *p = row_dir_of(dir);
	const struct resource_file *files = row_dir_files(p);
	const struct resource *rows = row_dir_rows(p);
	uint64_t cookie = 0;

	/* A listing's are among its items (model/dirs/hierarchy). */
	if (row_dir_is_parts(p) || row_dir_is_listing(p))
		return;
	for (unsigned i = 0; row_dir_is_collection(p) && row_dir_index[i].name;
	     i++)
		if (++cookie &&
		    (i != ROW_DIR_MORE ||
		     (names->collection && names->collection->more)))
			dirlist_add(l, row_dir_index[i].name, cookie, S_IFREG,
				    TAG_INDEX + i);
	for (unsigned i = 0; files && files[i].name; i++)
		dirlist_add(l, files[i].name, ++cookie, S_IFREG, TAG_FILE + i);
	if (!rows)
		return;
	/* The document says which rows exist. */
	if (files && !row_dir_is_collection(p))
		row_dir_document(ctx, model, dir, READ_CACHED, &document);
	row_dir_add_rows(ctx, model, rows, p->scope,
			 document.body ? &document : NULL, cookie, TAG_ROW, l);
	for (; rows->name; rows++)
		if (rows->needs && row_dir_is_repository(p) && document.body)
			limit(names, row_dir_believe_ms(&document.age));
		else if (rows->needs || rows->is_shy)
			limit(names, MOMENT_MS);
}

static void add_items(struct model *model, struct node *dir,
		      struct row_dir_names *names, struct dirlist *l)
{
	const struct row_dir *p = row_dir_of(dir);
	const struct collection *c = names->collection;
	cleanup(free) const struct collection_item **items = NULL;
	size_t n = row_dir_listed(model, p->row, c, &items);
	mode_t type = row_dir_is_parts(p) || p->row->items->content ? S_IFREG
		      : p->row->items->link                         ? S_IFLNK
								    : S_IFDIR;
	size_t first = l->n_names;

	for (size_t i = 0; i < n; i++)
		dirlist_add(l, items[i]->name, 0, type,
			    TAG_ITEM + (unsigned)(items[i] - c->items));
	dirlist_number(l, first, node_book(model->nodes, dir, true),
		       ROW_DIR_FIRST_ITEM);
}

/* ---- what they are of ---- */

static int bring_collection(struct ctx *ctx, struct model *model,
			    struct node *dir, struct row_dir_names *names)
{
	const struct row_dir *p = row_dir_of(dir);
	int r;

	if (p->row->is_lazy) {
		/* The directory does not list items, but its index has
		 * attributes if a fresh collection is cached. */
		if (row_dir_collection(ctx, model, dir, READ_CACHED,
				       &names->collection, &names->age) == 0 &&
		    names->age.left_ms <= 0)
			names->collection = collection_unref(names->collection);
		return 0;
	}
	r = row_dir_collection(ctx, model, dir, READ_THROUGH,
			       &names->collection, &names->age);
	if (r < 0)
		return r;
	names->left_ms = row_dir_believe_ms(&names->age);
	if (p->row->is_shy)
		model_outdated(model, dir->parent);
	return 0;
}

static size_t bytes_of(const struct row_dir_names *names)
{
	const struct collection *c = names->collection;

	return sizeof(*names) +
	       (c ? c->n_items * (sizeof(*c->items) + 100) : 0);
}

static bool any_at_hand(struct ctx *ctx, struct model *model,
			const struct resource *rows, const struct scope *scope)
{
	for (; rows && rows->name; rows++) {
		cleanup(scope_unref) struct scope *below =
			scope_below(scope, rows->name);
		cleanup(answer_document_done) struct answer_document d = {0};

		if (rows->kind == RESOURCE_COLLECTION
			    ? row_dir_is_at_hand(ctx, model, rows, scope)
		    : rows->kind == RESOURCE_GROUP
			    ? any_at_hand(ctx, model, rows->rows, below)
			    : documents_object(ctx, model->config.documents,
					       rows, below, READ_CACHED,
					       &d) == 0)
			return true;
	}
	return false;
}

/* A walk that has spent its share of requests would be refused in each of the
 * rows below: it is refused once, here. If anything below is cached, it is let
 * in. */
static int refuse_walk(struct ctx *ctx, struct model *model,
		       const struct row_dir *p)
{
	return p->collection || p->row->kind != RESOURCE_GROUP ||
			       p->row->special || !p->row->rows ||
			       p->row->rows->is_shy ||
			       any_at_hand(ctx, model, p->row->rows, p->scope)
		       ? 0
		       : budget_refuses(ctx, model->config.budget);
}

int row_dir_open(struct ctx *ctx, struct model *model, struct node *dir,
		 struct dirlist *newest, struct dirlist **ret_listing)
{
	const struct row_dir *p = row_dir_of(dir);
	const struct row_dir_special *special = row_dir_special_of(model, p);
	struct row_dir_names *names = mem_calloc(1, sizeof(*names));
	cleanup(dirlist_unref) struct dirlist *l =
		dirlist_new(&ops_names, names, 0);
	int r = 0;

	names->special = special;
	names->left_ms = LONGEST_MS;
	if (row_dir_is_collection(p))
		r = bring_collection(ctx, model, dir, names);
	else
		r = refuse_walk(ctx, model, p);
	if (r == 0 && special && special->open)
		r = special->open(ctx, model, dir, names,
				  newest ? newest->data : NULL, l);
	else if (r == 0 && names->collection &&
		 (p->row->items || row_dir_is_parts(p)))
		add_items(model, dir, names, l);
	if (r > 0)
		*ret_listing = dirlist_ref(newest);
	if (r != 0)
		return r > 0 ? 0 : r;
	add_fixed(ctx, model, dir, names, l);
	l->n_bytes += bytes_of(names);
	*ret_listing = dirlist_seal(l, names->left_ms);
	l = NULL;
	return 0;
}
