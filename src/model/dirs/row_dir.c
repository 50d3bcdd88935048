/*
 * model/dirs/row_dir: looking up names in directories of rows and of items.
 */
#include "model/dirs/row_dir_private.h"
#include "model/repository.h"
#include "model/probe.h"

#include "model/dirs/row_file.h"

#include "base/hash.h"

const struct resource_file row_dir_index[] = {
	{"index.json", NULL, NULL, NULL},
	{"index.tsv", NULL, NULL, NULL},
	[ROW_DIR_MORE] = {"more", NULL, NULL, NULL},
	{NULL, NULL, NULL, NULL},
};

const struct resource *row_dir_rows(const struct row_dir *p)
{
	return p->collection ? p->row->items->rows : p->row->rows;
}

const struct resource_file *row_dir_files(const struct row_dir *p)
{
	return p->collection ? p->row->items->files : p->row->files;
}

int64_t row_dir_believe_ms(const struct answer_age *age)
{
	return age->stale ? MOMENT_MS : age->left_ms;
}

const struct row_dir_special *row_dir_special(const struct model *model,
					      enum resource_special special)
{
	return special < ROW_DIR_SPECIALS ? &model->specials[special] : NULL;
}

/* ---- answers ---- */

bool row_dir_is_listed(struct ctx *ctx, struct model *model,
		       const struct row_dir *item)
{
	cleanup(collection_unref) struct collection *c = NULL;
	struct answer_age age;

	return item->collection && item->row->listing != RESOURCE_LISTS_NONE &&
	       documents_collection(ctx, model->config.documents, item->row,
				    item->collection, READ_CACHED, &c,
				    &age) == 0 &&
	       row_dir_lists(model, item->row, c, item->id);
}

void row_dir_refresh_document(struct ctx *ctx, struct model *model,
			      struct node *dir, const struct answer_age *age)
{
	const struct row_dir *p = row_dir_of(dir);
	bool listed = p->row->listing == RESOURCE_LISTS_ALL
			      ? age->from_collection
			      : row_dir_is_listed(ctx, model, p);

	refresh_node(ctx, model->refresh, listed ? dir->parent : dir);
}

int row_dir_document(struct ctx *ctx, struct model *model, struct node *dir,
		     enum read_through_mode mode,
		     struct answer_document *ret_document)
{
	const struct row_dir *p = row_dir_of(dir);
	struct documents *documents = model->config.documents;
	int r;

	if (p->collection)
		r = documents_item(ctx, documents, p->row, p->collection, p->id,
				   mode, ret_document);
	else
		r = documents_object(ctx, documents, p->row, p->scope, mode,
				     ret_document);
	/* A repository's may have told that it is called otherwise by now. */
	if (row_dir_is_repository(p) && mode == READ_THROUGH &&
	    (r < 0 || ret_document->age.asked))
		model_outdated(model, dir->parent);
	if (r == 0 && ret_document->age.stale && mode == READ_THROUGH)
		row_dir_refresh_document(ctx, model, dir, &ret_document->age);
	return r;
}

struct scope *row_dir_collection_scope(const struct model *model,
				       const struct row_dir *p)
{
	return p->row->special == RESOURCE_REPOSITORIES
		       ? documents_listing_scope(model->config.documents,
						 p->scope->workspace)
		       : scope_ref(p->scope);
}

int row_dir_collection(struct ctx *ctx, struct model *model, struct node *dir,
		       enum read_through_mode mode,
		       struct collection **ret_collection,
		       struct answer_age *ret_age)
{
	const struct row_dir *p = row_dir_of(dir);
	cleanup(scope_unref) struct scope *scope =
		row_dir_collection_scope(model, p);
	int r = documents_collection(ctx, model->config.documents, p->row,
				     scope, mode, ret_collection, ret_age);

	if (r == 0 && ret_age->stale && mode == READ_THROUGH)
		refresh_node(ctx, model->refresh, dir);
	if (r == 0 && mode != READ_CACHED)
		row_dir_tell_made(ctx, model, dir);
	return r;
}

/* ---- nodes ---- */

struct row_dir *row_dir_new(const struct resource *row, struct scope *scope)
{
	struct row_dir *p = mem_calloc(1, sizeof(*p));

	p->row = row;
	p->scope = scope;
	return p;
}

static void row_dir_free(void *data)
{
	struct row_dir *p = data;

	scope_unref(p->collection);
	scope_unref(p->scope);
	free(p->id);
	free(p);
}

/* An item whose document says in which list it belongs (a pull request: open,
 * merged): it moves from list to list, and its key is the same in all of them.
 */
static bool row_dir_roams(const struct node_what *what)
{
	const struct row_dir *p = what->data;

	return p->id && p->row->items->where;
}

static bool row_dir_same(const struct node_what *a, const struct node_what *b)
{
	const struct row_dir *x = a->data, *y = b->data;

	return (x->row == y->row || (row_dir_roams(a) && row_dir_roams(b))) &&
	       !x->id == !y->id && strcmp(x->scope->key, y->scope->key) == 0;
}

static uint64_t row_dir_hash(const struct node_what *what, uint64_t seed)
{
	const struct row_dir *p = what->data;

	return hash_text(seed, p->scope->key);
}

void row_dir_found_dir(const struct resource *row, struct scope *scope,
		       int64_t mtime_ms, int64_t left_ms, bool ask_attr,
		       struct found *found)
{
	provider_found_dir(found, &provider_row_dir, mtime_ms, left_ms,
			   row_dir_new(row, scope));
	found->ask_attr = ask_attr;
}

void row_dir_found_item(struct model *model, struct node *dir, const char *id,
			int64_t time_ms, int64_t left_ms, struct found *found)
{
	const struct row_dir *p = row_dir_of(dir);
	struct row_dir *item;

	/* A run that has not begun has no time: its directory's is taken. */
	if (!time_ms)
		time_ms = node_mtime_ms(model->nodes, dir);
	if (p->row->items->link) {
		cleanup(buf_done) struct buf target = BUF_INIT(4 * KIB);

		p->row->items->link(id, &target);
		row_dir_found_link(target.data ? target.data : "", time_ms,
				   left_ms, found);
		return;
	}
	item = row_dir_new(p->row, scope_item(p->scope, p->row, id));
	item->collection = scope_ref(p->scope);
	item->id = mem_strdup(id);
	provider_found_dir(found, &provider_row_dir, time_ms, left_ms, item);
}

void row_dir_found_file(struct model *model, const struct document_file *file,
			int64_t mtime_ms, struct found *found)
{
	provider_found(found, &provider_stored, NODE_FILE,
		       documents_mtime_ms(model->config.documents,
					  file->version, mtime_ms),
		       row_dir_believe_ms(&file->age), NULL);
	found->what.size = file->size;
	found->what.version = file->version;
}

void row_dir_found_link(const char *target, int64_t mtime_ms, int64_t left_ms,
			struct found *found)
{
	size_t n = strlen(target);

	provider_found(found, &provider_link, NODE_LINK, mtime_ms, left_ms,
		       blob_new(target, n));
	found->what.size = n;
}

/* ---- rows ---- */

static int found_text(struct ctx *ctx, struct model *model, struct node *dir,
		      const struct resource *row, const struct scope *scope,
		      enum read_through_mode mode, struct found *found)
{
	struct document_file file;
	int r = documents_text(ctx, model->config.documents, row, scope, mode,
			       &file);

	if (r < 0)
		return r;
	row_dir_found_file(model, &file, node_mtime_ms(model->nodes, dir),
			   found);
	return 0;
}

int row_dir_found_row(struct ctx *ctx, struct model *model, struct node *dir,
		      const struct resource *row, struct scope *scope,
		      enum read_through_mode mode, struct found *ret_found)
{
	const struct row_dir_special *special =
		row_dir_special(model, row->special);
	int r = 0;

	if (special && special->found)
		r = special->found(ctx, model, dir, row, scope, mode,
				   ret_found);
	else if (row->kind == RESOURCE_TEXT)
		r = found_text(ctx, model, dir, row, scope, mode, ret_found);
	else
		row_dir_found_dir(row, scope_ref(scope),
				  node_mtime_ms(model->nodes, dir), LONGEST_MS,
				  row->kind == RESOURCE_COLLECTION, ret_found);
	scope_unref(scope);
	return r;
}

static bool is_there(const struct resource *row,
		     const struct answer_document *object)
{
	cleanup(json_free) struct json *json =
		row->needs && object ? json_of(object->body) : NULL;

	return !row->needs ||
	       (json_at(json, row->needs) && json_bool(json, row->needs, true));
}

static int lookup_row(struct ctx *ctx, struct model *model, struct node *dir,
		      const struct resource *rows, const struct scope *scope,
		      const char *name, struct found *ret_found)
{
	const struct resource *row = resource_find_row(rows, name);

	return row ? row_dir_found_row(ctx, model, dir, row,
				       scope_below(scope, row->name),
				       READ_THROUGH, ret_found)
		   : 0;
}

bool row_dir_is_at_hand(struct ctx *ctx, struct model *model,
			const struct resource *row, const struct scope *parent)
{
	cleanup(scope_unref) struct scope *scope =
		scope_below(parent, row->name);
	cleanup(collection_unref) struct collection *c = NULL;
	struct answer_age age;

	return documents_collection(ctx, model->config.documents, row, scope,
				    READ_CACHED, &c, &age) == 0 &&
	       age.left_ms > 0;
}

void row_dir_add_rows(struct ctx *ctx, struct model *model,
		      const struct resource *rows, const struct scope *scope,
		      const struct answer_document *repository, uint64_t base,
		      unsigned tag, struct dirlist *l)
{
	for (unsigned i = 0; rows && rows[i].name; i++)
		if (!rows[i].is_unlisted && is_there(&rows[i], repository) &&
		    (!rows[i].is_shy ||
		     row_dir_is_at_hand(ctx, model, &rows[i], scope)))
			dirlist_add(l, rows[i].name, base + i + 1,
				    rows[i].kind == RESOURCE_TEXT ? S_IFREG
								  : S_IFDIR,
				    tag + i);
}

bool row_dir_age_at_hand(struct ctx *ctx, struct model *model,
			 const struct resource *row, struct scope *scope,
			 struct answer_age *ret_age)
{
	cleanup(collection_unref) struct collection *list = NULL;
	cleanup(answer_document_done) struct answer_document document = {0};
	struct documents *documents = model->config.documents;

	if (row->kind == RESOURCE_COLLECTION)
		return documents_collection(ctx, documents, row, scope,
					    READ_CACHED, &list, ret_age) == 0;
	if (documents_object(ctx, documents, row, scope, READ_CACHED,
			     &document))
		return false;
	*ret_age = document.age;
	return true;
}

void row_dir_each(const struct resource *rows, const struct scope *scope,
		  const struct answer_document *object, const char *path,
		  row_dir_visit *visit, void *arg)
{
	for (const struct resource *row = rows; row && row->name; row++) {
		cleanup(scope_unref) struct scope *below = NULL;
		cleanup(free) char *name = NULL;

		if (row->is_unlisted || row->is_shy || !is_there(row, object))
			continue;
		below = scope_below(scope, row->name);
		name = mem_asprintf("%s/%s", path, row->name);
		if (row->endpoint && row->kind != RESOURCE_TEXT)
			visit(arg, row, below, name);
		row_dir_each(row->rows, below, NULL, name, visit, arg);
	}
}

/* The size of a text is known only by asking for the text. */
bool row_dir_row_found(struct dirlist_piece *piece, const struct resource *row,
		       const struct scope *scope, struct found *ret_found)
{
	return row->kind != RESOURCE_TEXT &&
	       row_dir_found_row(piece->ctx, piece->model, piece->dir, row,
				 scope_below(scope, row->name), READ_CACHED,
				 ret_found) == 0 &&
	       ret_found->what.provider;
}

/* ---- lookup ---- */

/* The whole ids of those commits that are in the repository's store. A
 * repository that nobody looked into has none, and gets none by this. */
static void find_commits(struct model *model, struct node *dir,
			 const struct resource_column *columns,
			 const struct answer_document *document,
			 struct documents_with *ret)
{
	cleanup(clone_unref) struct clone *clone = NULL;
	cleanup(json_free) struct json *json = NULL;

	if (repository_clone(model, dir, &clone) < 0 ||
	    !clone_has_store(clone) || !(json = json_of(document->body)))
		return;
	for (size_t i = 0; columns[i].name; i++) {
		cleanup(buf_done) struct buf hash = BUF_INIT(KIB);
		struct oid id;

		resource_value(&columns[i], json, &hash);
		if (hash.failed || hash.len < 7 || hash.len >= 40 ||
		    clone_resolve_short(clone, hash.data, hash.len, &id) < 0)
			continue;
		oid_hex(&id, ret->commits[i]);
	}
}

int row_dir_document_file(struct ctx *ctx, struct model *model,
			  struct node *dir, const struct resource_file *file,
			  const struct answer_document *document,
			  struct found *ret_found)
{
	const struct row_dir *p = row_dir_of(dir);
	struct documents_with with = {.row = p->row,
				      .collection = p->collection};
	struct document_file made;
	int r;

	if (!row_dir_is_made(file))
		return row_file_found(model, file, document, ret_found);
	if (file->commits)
		find_commits(model, dir, file->commits, document, &with);
	r = documents_made(ctx, model->config.documents, p->scope, file,
			   document, &with, &made);
	if (r == 0)
		row_dir_found_file(model, &made, document->updated_ms,
				   ret_found);
	return r;
}

static int lookup_document_file(struct ctx *ctx, struct model *model,
				struct node *dir,
				const struct resource_file *file,
				struct found *ret_found)
{
	cleanup(answer_document_done) struct answer_document document = {0};
	int r = row_dir_document(ctx, model, dir, READ_THROUGH, &document);

	if (r < 0)
		return r;
	if (!document.updated_ms)
		document.updated_ms = node_mtime_ms(model->nodes, dir);
	r = row_dir_document_file(ctx, model, dir, file, &document, ret_found);
	if (r == 0)
		ret_found->left_ms = row_dir_believe_ms(&document.age);
	return r;
}

static int64_t newest(const struct collection *c, int64_t otherwise)
{
	int64_t newest = collection_newest(c);

	return newest ? newest : otherwise;
}

/* Whether the collection has the file: of its index, or an item. */
static bool has_file(const struct row_dir *p, const struct collection *c,
		     const char *name)
{
	return row_dir_is_parts(p) ? collection_find(c, name) != NULL
				   : strcmp(name, "more") || c->more;
}

int row_dir_stored_file(struct model *model, struct node *dir,
			const struct collection *c,
			const struct answer_age *age, const char *name,
			struct found *ret_found)
{
	const struct row_dir *p = row_dir_of(dir);
	struct document_file file;

	if (!has_file(p, c, name))
		return 1;
	if (documents_index_file(model->config.documents, p->row, p->scope,
				 name, &file) < 0)
		return 1;
	file.age = *age;
	row_dir_found_file(model, &file,
			   newest(c, node_mtime_ms(model->nodes, dir)),
			   ret_found);
	return 0;
}

static int lookup_collection_file(struct ctx *ctx, struct model *model,
				  struct node *dir, const char *name,
				  struct found *ret_found)
{
	enum read_through_mode mode = READ_THROUGH;
	int r = 0;

	if (model->collection_seen)
		model->collection_seen(ctx, model, dir);
	/* Twice: the cache may have dropped the stored file, and kept the
	 * collection that names it. Then the collection is brought again. */
	for (unsigned i = 0; i < 2; i++) {
		cleanup(collection_unref) struct collection *c = NULL;
		struct answer_age age;

		r = row_dir_collection(ctx, model, dir, mode, &c, &age);
		if (r < 0)
			return r;
		/* This lookup may have brought an index that the directory,
		 * listed without it, can now show. */
		if (row_dir_of(dir)->row->is_lazy && c->more)
			model_outdated(model, dir);
		r = row_dir_stored_file(model, dir, c, &age, name, ret_found);
		if (r <= 0)
			return r;
		ret_found->left_ms = row_dir_believe_ms(&age);
		if (!has_file(row_dir_of(dir), c, name))
			return 0;
		mode = READ_REFRESH;
	}
	return 0;
}

/* An item that the collection does not have, or a collection that was never
 * listed: asks for the item itself. */
static int lookup_by_id(struct ctx *ctx, struct model *model, struct node *dir,
			const char *name, struct found *ret_found)
{
	cleanup(answer_document_done) struct answer_document document = {0};
	cleanup(json_free) struct json *json = NULL;
	cleanup(free) char *target = NULL, *number_id = NULL;
	const struct row_dir *p = row_dir_of(dir);
	const struct resource_items *items = p->row->items;
	const char *where = "", *here = p->row->is_beside ? p->row->name : "";
	const char *id = name;
	int64_t left_ms;
	int r = 0;

	if (items->has_numbers && !name[strspn(name, "0123456789")]) {
		r = documents_numbered(ctx, model->config.documents, p->row,
				       p->scope, name, READ_THROUGH,
				       &number_id);
		id = number_id;
	}
	if (r == 0)
		r = documents_item(ctx, model->config.documents, p->row,
				   p->scope, id, READ_THROUGH, &document);
	if (r == -ENOENT) {
		ret_found->left_ms =
			documents_unknown_ms(model->config.documents);
		return 0;
	}
	if (r < 0)
		return r;
	left_ms = row_dir_believe_ms(&document.age);
	if (items->where && (json = json_of(document.body)))
		where = items->where(json);
	if (!strcmp(where, here)) {
		row_dir_found_item(model, dir, id, document.updated_ms, left_ms,
				   ret_found);
	} else if (!p->row->is_beside) {
		target = mem_asprintf("%s/%s", where, name);
		row_dir_found_link(target, document.updated_ms, left_ms,
				   ret_found);
	} else {
		ret_found->left_ms = left_ms;
	}
	return 0;
}

/* Whether the item's own document is cached and fresh: then an outdated listing
 * need not be asked. */
static bool knows_item(struct ctx *ctx, struct model *model, struct node *dir,
		       const char *id, int64_t *ret_left_ms)
{
	cleanup(answer_document_done) struct answer_document document = {0};
	const struct row_dir *p = row_dir_of(dir);

	if (documents_item(ctx, model->config.documents, p->row, p->scope, id,
			   READ_CACHED, &document) < 0)
		return false;
	*ret_left_ms = document.age.left_ms;
	return document.age.left_ms > 0;
}

/* Whether the item's document says that it belongs to another list: the
 * document is younger, this list is outdated. An item is at one place
 * (src/model/README.md, 1). */
static bool is_elsewhere(struct ctx *ctx, struct model *model, struct node *dir,
			 const char *id)
{
	cleanup(answer_document_done) struct answer_document document = {0};
	cleanup(json_free) struct json *json = NULL;
	const struct row_dir *p = row_dir_of(dir);
	const char *here = p->row->is_beside ? p->row->name : "";

	return p->row->items->where &&
	       documents_item(ctx, model->config.documents, p->row, p->scope,
			      id, READ_CACHED, &document) == 0 &&
	       (json = json_of(document.body)) &&
	       strcmp(p->row->items->where(json), here) != 0;
}

/* The item of that name in the listing, and for how long that is true; an
 * outdated listing is brought up to date for a name that it has, not for one
 * that it lacks. NULL: the name has to be asked for by itself. The item belongs
 * to *c, which the caller lets go of. */
static const struct collection_item *
find_listed(struct ctx *ctx, struct model *model, struct node *dir,
	    const char *name, struct collection **c, int64_t *ret_left_ms)
{
	const struct row_dir *p = row_dir_of(dir);
	const struct collection_item *item;
	struct answer_age age;

	if (row_dir_collection(ctx, model, dir, READ_CACHED, c, &age) < 0)
		return NULL;
	item = collection_find(*c, name);
	*ret_left_ms = age.left_ms;
	if (!item || age.left_ms > 0)
		return item;
	/* One item is one request, the listing would be many. */
	if (p->row->listing == RESOURCE_LISTS_NONE)
		return NULL;
	if (knows_item(ctx, model, dir, item->id, ret_left_ms))
		return item;
	*c = collection_unref(*c);
	if (row_dir_collection(ctx, model, dir, READ_THROUGH, c, &age) < 0)
		return NULL;
	*ret_left_ms = row_dir_believe_ms(&age);
	return collection_find(*c, name);
}

/* A name of an item that can be asked for by itself. */
static int lookup_name(struct ctx *ctx, struct model *model, struct node *dir,
		       const char *name, struct found *ret_found)
{
	cleanup(collection_unref) struct collection *c = NULL;
	const struct collection_item *item, *other;
	int64_t left_ms = 0;

	item = find_listed(ctx, model, dir, name, &c, &left_ms);
	/* By the id of one that is listed by a number: a thing is at one place.
	 */
	other = !item && c ? collection_find_id(c, name) : NULL;
	if (other && strcmp(other->name, name) != 0) {
		row_dir_found_link(other->name, other->time_ms, MOMENT_MS,
				   ret_found);
		return 0;
	}
	if (!item || is_elsewhere(ctx, model, dir, item->id))
		return lookup_by_id(ctx, model, dir, name, ret_found);
	row_dir_found_item(model, dir, item->id, item->time_ms, left_ms,
			   ret_found);
	return 0;
}

int row_dir_lookup_item(struct ctx *ctx, struct model *model, struct node *dir,
			const char *name, struct found *ret_found)
{
	cleanup(collection_unref) struct collection *c = NULL;
	const struct resource_items *items = row_dir_of(dir)->row->items;
	const struct collection_item *item;
	struct answer_age age = {0};
	int r;

	ret_found->left_ms = LONGEST_MS;
	if (probe_matches(name))
		return 0;
	if (items->endpoint && items->is_name)
		return items->is_name(name)
			       ? lookup_name(ctx, model, dir, name, ret_found)
			       : 0;
	r = row_dir_collection(ctx, model, dir, READ_THROUGH, &c, &age);
	if (r < 0)
		return r;
	item = collection_find(c, name);
	ret_found->left_ms = row_dir_believe_ms(&age);
	if (item)
		row_dir_found_item(model, dir, item->id, item->time_ms,
				   ret_found->left_ms, ret_found);
	return 0;
}

/* A row with needs exists as the document says, so its answer is good as long
 * as the document is. */
static int lookup_needy(struct ctx *ctx, struct model *model, struct node *dir,
			const struct resource *row, struct found *ret_found)
{
	cleanup(answer_document_done) struct answer_document document = {0};
	const struct row_dir *p = row_dir_of(dir);
	int r = row_dir_document(ctx, model, dir, READ_THROUGH, &document);

	if (r == 0 && is_there(row, &document))
		r = row_dir_found_row(ctx, model, dir, row,
				      scope_below(p->scope, row->name),
				      READ_THROUGH, ret_found);
	if (r == 0)
		ret_found->left_ms = row_dir_believe_ms(&document.age);
	return r;
}

int row_dir_lookup(struct ctx *ctx, struct model *model, struct node *dir,
		   const char *name, struct found *ret_found)
{
	const struct row_dir *p = row_dir_of(dir);
	const struct row_dir_special *special = row_dir_special_of(model, p);
	const struct resource_file *file =
		resource_find_file(row_dir_files(p), name);
	const struct resource *row;
	int r;

	ret_found->left_ms = LONGEST_MS;
	row = resource_find_row(row_dir_rows(p), name);
	/* A group of rows costs nothing, and may have what nobody tells of: the
	 * logs of a step's services. */
	if (row && row->needs &&
	    (row_dir_is_repository(p) || row->kind != RESOURCE_GROUP))
		return lookup_needy(ctx, model, dir, row, ret_found);
	r = lookup_row(ctx, model, dir, row_dir_rows(p), p->scope, name,
		       ret_found);
	if (r < 0 || ret_found->what.provider)
		return r;
	if (row_dir_is_parts(p) ||
	    (row_dir_is_collection(p) && !row_dir_is_listing(p) &&
	     (file || resource_find_file(row_dir_index, name))))
		return lookup_collection_file(ctx, model, dir, name, ret_found);
	if (file)
		return lookup_document_file(ctx, model, dir, file, ret_found);
	if (special && special->lookup)
		return special->lookup(ctx, model, dir, name, ret_found);
	if (row_dir_is_collection(p) && p->row->items)
		return row_dir_lookup_item(ctx, model, dir, name, ret_found);
	return 0;
}

/* ---- attributes ---- */

/* From the cache alone: `df` and `stat` of the mount point must not wait for a
 * network. Of a workspace that somebody lists, a refresh is queued. */
static int row_dir_attr(struct ctx *ctx, struct model *model, struct node *node,
			int64_t *ret_left_ms, uint64_t *)
{
	cleanup(answer_document_done) struct answer_document document = {0};
	cleanup(collection_unref) struct collection *c = NULL;
	struct row_dir *p = row_dir_of(node);
	struct answer_age age;

	if (p->collection &&
	    row_dir_document(ctx, model, node, READ_CACHED, &document) == 0 &&
	    document.updated_ms)
		node_set_mtime_ms(model->nodes, node, document.updated_ms);
	if (!row_dir_is_collection(p) || p->row->is_lazy)
		return 0;
	*ret_left_ms = UNKNOWN_MS;
	if (p->row->special == RESOURCE_WORKSPACES ||
	    row_dir_collection(ctx, model, node, READ_CACHED, &c, &age) < 0)
		return 0;
	if (age.left_ms > 0) {
		*ret_left_ms = age.left_ms;
	} else if (!row_dir_is_listing(p)) {
		*ret_left_ms = MOMENT_MS;
	} else if (model_was_opened(model, node)) {
		*ret_left_ms = MOMENT_MS;
		refresh_node(ctx, model->refresh, node);
	}
	node_set_mtime_ms(model->nodes, node,
			  newest(c, node_mtime_ms(model->nodes, node)));
	return 0;
}

const struct provider provider_row_dir = {
	.name = "row",
	.expiry = PROVIDER_EXPIRES_LISTING,
	.refresh = row_dir_refresh,
	.lookup = row_dir_lookup,
	.open = row_dir_open,
	.attr = row_dir_attr,
	.roams = row_dir_roams,
	.same_data = row_dir_same,
	.hash_data = row_dir_hash,
	.free_data = row_dir_free,
};
