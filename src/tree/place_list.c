/*
 * tree/place, listing: the names of such a directory are, in this order: its
 * files, its rows, then its items (or what a special says). The first two are
 * fixed, so their cookies are positions below FIRST_ITEM; items come and go,
 * and have a book's.
 *
 * A listing of a collection waits for the collection, one paged set; of all
 * else it never waits.
 */
#include "place_private.h"

#define FIRST_ITEM 256 /* more fixed names than any row has */

struct listing {
	struct ctx *ctx;
	struct model *model;
	struct node *dir;
	uint64_t after;
	bool plus;
	provider_emit *emit;
	void *arg;
	struct collection *collection; /* NULL: none, or not at hand */
	struct catalog_age age;
	bool have_document; /* and it may be believed */
	struct catalog_document document;
};

static bool list_file(struct listing *l, const struct resource_file *file,
		      uint64_t cookie)
{
	struct found found;
	bool known = false;

	if (cookie <= l->after)
		return true;
	if (file == &place_index[PLACE_MORE] &&
	    !(l->collection && l->collection->more))
		return true;
	if (l->plus && l->collection)
		known = place_stored_file(l->model, l->dir, l->collection,
					  &l->age, file->name, &found) == 0;
	else if (l->plus && l->have_document)
		known = meta_found(l->model, file, &l->document, &found) == 0;
	return l->emit(l->arg, file->name, cookie, S_IFREG,
		       known ? &found : NULL);
}

/* Files and rows; *ret_more: there was room for all. */
static bool list_fixed(struct listing *l)
{
	const struct place *p = place_of(l->dir);
	const struct resource_file *files = place_files(p);
	uint64_t cookie = 0;

	if (place_is_parts(p))
		return true;
	for (size_t i = 0; place_is_collection(p) && place_index[i].name; i++)
		if (!list_file(l, &place_index[i], ++cookie))
			return false;
	for (size_t i = 0; files && files[i].name; i++)
		if (!list_file(l, &files[i], ++cookie))
			return false;
	return place_list_rows(l->ctx, l->model, l->dir, place_rows(p),
			       p->scope, l->document.body ? &l->document : NULL,
			       l->after > cookie ? (size_t)(l->after - cookie)
						 : 0,
			       cookie, l->plus, l->emit, l->arg);
}

static const char *item_name(const void *names, size_t i)
{
	return ((const struct collection *)names)->items[i].name;
}

/* Nobody pages through it any more. */
static void forget_listing(struct node *dir)
{
	struct place *p = place_of(dir);
	struct collection *old;

	mutex_lock(&p->lock);
	old = p->listed;
	p->listed = NULL;
	mutex_unlock(&p->lock);
	collection_unref(old);
}

static void list_items(struct listing *l, uint64_t after)
{
	cleanup(free) struct dirbook_entry *entries = NULL;
	const struct collection *c = l->collection;
	bool parts = place_is_parts(place_of(l->dir));
	size_t n, i;

	dirbook_order(node_book(l->model->nodes, l->dir, true), c->n_items,
		      item_name, c, after, &entries, &n);
	for (i = 0; i < n; i++) {
		const struct collection_item *item =
			&c->items[entries[i].index];
		struct found found;
		bool known = l->plus;

		if (l->plus && parts)
			known = place_stored_file(l->model, l->dir, c, &l->age,
						  item->name, &found) == 0;
		else if (l->plus)
			place_found_item(l->model, l->dir, item->id,
					 item->time_ms,
					 place_believe_ms(&l->age), &found);
		if (!l->emit(l->arg, item->name, FIRST_ITEM + entries[i].cookie,
			     parts                                ? S_IFREG
			     : place_of(l->dir)->row->items->link ? S_IFLNK
								  : S_IFDIR,
			     known ? &found : NULL))
			break;
	}
	if (i == n)
		forget_listing(l->dir);
}

struct offset {
	provider_emit *emit;
	void *arg;
};

static bool emit_offset(void *arg, const char *name, uint64_t cookie,
			mode_t type, const struct found *found)
{
	const struct offset *offset = arg;

	return offset->emit(offset->arg, name, FIRST_ITEM + cookie, type,
			    found);
}

/* The collection from the start, or for a later piece the one of the piece
 * before. */
static int collection_to_list(struct listing *l)
{
	struct place *p = place_of(l->dir);
	struct collection *old = NULL;
	int r;

	if (p->row->is_lazy) {
		/* Its index has attributes where they are at hand. */
		if (place_collection(l->ctx, l->model, l->dir, SOURCE_CACHED,
				     &l->collection, &l->age) == 0 &&
		    l->age.left_ms <= 0)
			l->collection = collection_unref(l->collection);
		return 0;
	}
	if (l->after > 0) {
		mutex_lock(&p->lock);
		l->collection = p->listed;
		l->age = p->listed_age;
		if (l->collection)
			refs_take(&l->collection->refs_private);
		mutex_unlock(&p->lock);
		if (l->collection)
			return 0;
	}
	r = place_collection(l->ctx, l->model, l->dir, SOURCE_READ,
			     &l->collection, &l->age);
	if (r < 0)
		return r;
	if (l->after == 0)
		atomic_store(&p->shown, l->collection->version);
	if (p->row->is_shy)
		model_changed_inode(l->model, l->dir->parent, true);
	refs_take(&l->collection->refs_private);
	mutex_lock(&p->lock);
	old = p->listed;
	p->listed = l->collection;
	p->listed_age = l->age;
	mutex_unlock(&p->lock);
	collection_unref(old);
	return 0;
}

int place_list(struct ctx *ctx, struct model *model, struct node *dir,
	       uint64_t after, bool plus, provider_emit *emit, void *arg)
{
	const struct place *p = place_of(dir);
	const struct place_special *special = place_special_of(p);
	struct listing l = {
		.ctx = ctx,
		.model = model,
		.dir = dir,
		.after = after,
		.plus = plus,
		.emit = emit,
		.arg = arg,
	};
	struct offset offset = {emit, arg};
	uint64_t after_items = after > FIRST_ITEM ? after - FIRST_ITEM : 0;
	int r = 0;

	if (place_is_collection(p)) {
		r = collection_to_list(&l);
		if (r < 0)
			return r;
	} else if (place_files(p)) {
		/* Also for what rows need: it says what is there. */
		l.have_document = place_document(ctx, model, dir, SOURCE_CACHED,
						 &l.document) == 0 &&
				  l.document.age.left_ms > 0;
		if (l.have_document && !l.document.updated_ms)
			l.document.updated_ms =
				node_mtime_ms(model->nodes, dir);
	}
	if (after >= FIRST_ITEM || list_fixed(&l)) {
		if (special && special->list)
			r = special->list(ctx, model, dir, after_items, plus,
					  emit_offset, &offset);
		else if (l.collection && (p->row->items || place_is_parts(p)))
			list_items(&l, after_items);
	}
	collection_unref(l.collection);
	catalog_document_done(&l.document);
	return r;
}
