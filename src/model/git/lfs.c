/*
 * Files that are LFS content.
 *
 * Each question is cheaper than the one after it, and nearly always the last:
 * whether the blob's size fits a pointer; whether any .gitattributes from the
 * root to the directory has the word lfs, which is remembered for the
 * directory; what those say of the file; whether its blob is a pointer.
 *
 * Such a file is a node of a provider of its own, and no "file in a tree" in
 * the sense of model/node.h: that one stays as small as it is.
 */
#include "model/git/lfs.h"
#include "model/git/checkout.h"

#include "base/hash.h"
#include "base/lru.h"

#define PLACES 1024

/* ---- directories ---- */

struct lfs_places {
	struct lru attributes; /* by struct place */
};

/* A directory of a tree. */
struct place {
	struct oid root;
	uint64_t dir;
} __attribute__((packed));

static void *ref(void *attributes)
{
	return clone_attributes_ref(attributes);
}

static void unref(void *attributes)
{
	clone_attributes_unref(attributes);
}

static const struct lru_values values = {ref, unref};

struct lfs_places *lfs_places_new(void)
{
	struct lfs_places *places = mem_calloc(1, sizeof(*places));

	lru_init(&places->attributes, PLACES, &values);
	return places;
}

struct lfs_places *lfs_places_free(struct lfs_places *places)
{
	if (!places)
		return NULL;
	lru_done(&places->attributes);
	free(places);
	return NULL;
}

/* Those of the directory above are at hand for who comes down a tree, which
 * would else be as many steps for each directory as it is deep. */
static int look_down(struct ctx *ctx, struct model *model,
		     const struct node *dir, const struct node *tree,
		     const struct oid *root, struct clone_attributes **ret,
		     struct clone_lfs_needs *ret_needs)
{
	struct place place = {.root = *root};
	cleanup(clone_attributes_unref) struct clone_attributes *above = NULL;
	cleanup(buf_done) struct buf path = BUF_INIT(64 * KIB);

	if (dir != tree) {
		place.dir = dir->parent->ino;
		above = lru_get(&model->lfs->attributes, &place, sizeof(place));
	}
	if (above)
		return clone_attributes_below(ctx, node_checkout(dir)->clone,
					      above, dir->name, ret, ret_needs);
	node_path_below(dir, tree, &path);
	return clone_attributes_get(ctx, node_checkout(dir)->clone, root,
				    path.data ? path.data : "", ret, ret_needs);
}

static int find_attributes(struct ctx *ctx, struct model *model,
			   const struct node *dir, const struct node *tree,
			   const struct oid *root,
			   struct clone_attributes **ret,
			   struct clone_lfs_needs *ret_needs)
{
	struct place place = {.root = *root, .dir = dir->ino};
	int r;

	*ret = lru_get(&model->lfs->attributes, &place, sizeof(place));
	if (*ret)
		return 0;
	r = look_down(ctx, model, dir, tree, root, ret, ret_needs);
	if (r >= 0)
		lru_put(&model->lfs->attributes, &place, sizeof(place), *ret,
			1);
	return r;
}

/* NULL where no file of it can be LFS content. */
static int attributes_of(struct ctx *ctx, struct model *model,
			 const struct node *dir, const struct node *tree,
			 struct clone_attributes **ret,
			 struct clone_lfs_needs *ret_needs)
{
	struct oid root = node_oid(model->nodes, tree);
	int r = 0;

	*ret = NULL;
	ret_needs->n = 0;
	if (model->config.lfs && !oid_is_none(&root))
		r = find_attributes(ctx, model, dir, tree, &root, ret,
				    ret_needs);
	if (r < 0)
		return r;
	if (*ret && !clone_attributes_have_lfs(*ret))
		*ret = clone_attributes_unref(*ret);
	return 0;
}

void lfs_look_ahead(struct ctx *ctx, struct model *model,
		    const struct node *dir, const struct node *tree,
		    struct clone_lfs_needs *ret)
{
	cleanup(clone_attributes_unref) struct clone_attributes *a = NULL;

	(void)attributes_of(ctx, model, dir, tree, &a, ret);
}

bool lfs_may_be_in(struct ctx *ctx, struct model *model, const struct node *dir,
		   const struct node *tree)
{
	cleanup(clone_attributes_unref) struct clone_attributes *a = NULL;
	struct clone_lfs_needs needs;

	return attributes_of(ctx, model, dir, tree, &a, &needs) == 0 && a;
}

/* ---- files ---- */

static bool fits(uint64_t size)
{
	return size >= LFS_POINTER_LEAST && size < LFS_POINTER_LIMIT;
}

void lfs_looking_done(struct lfs_looking *looking)
{
	clone_attributes_unref(looking->attributes_private);
}

int lfs_look(struct ctx *ctx, struct model *model, const struct node *dir,
	     const struct node *tree, const char *name, const struct oid *blob,
	     uint64_t size, struct lfs_looking *l)
{
	int r = 0;

	l->needs.n = 0;
	if (!fits(size) || !model->config.lfs)
		return 0;
	if (!l->known_private)
		r = attributes_of(ctx, model, dir, tree, &l->attributes_private,
				  &l->needs);
	l->known_private = r == 0;
	if (r < 0 || !l->attributes_private)
		return r;
	r = clone_lfs_pointer(ctx, node_checkout(dir)->clone,
			      l->attributes_private, name, blob, &l->pointer);
	if (r == -ENOENT)
		l->needs.oids[l->needs.n++] = *blob;
	return r;
}

static bool is_file(const struct tree_entry *e)
{
	return e->kind == TREE_FILE || e->kind == TREE_EXECUTABLE;
}

/* The files of a directory, one after the other. */
struct around {
	struct clone *clone;
	struct clone_attributes *attributes;
	struct tree_list *list;
};

static void around_done(struct around *a)
{
	clone_attributes_unref(a->attributes);
	tree_list_unref(a->list);
}
DEFINE_CLEANUP_DONE(struct around, around_done);

static bool look_around(struct ctx *ctx, struct model *model,
			const struct node *dir, const struct node *tree,
			struct around *a)
{
	struct oid oid = node_oid(model->nodes, dir);
	struct clone_lfs_needs needs;

	a->clone = node_checkout(dir)->clone;
	return attributes_of(ctx, model, dir, tree, &a->attributes, &needs) ==
		       0 &&
	       a->attributes && !oid_is_none(&oid) &&
	       clone_read_tree(ctx, a->clone, &oid, &a->list) == 0;
}

/* The entry may be a pointer, by its size. */
static bool may_be(struct ctx *ctx, const struct around *a,
		   const struct tree_entry *e)
{
	uint64_t size;

	return is_file(e) &&
	       clone_blob_size(ctx, a->clone, &e->oid, &size) == 0 &&
	       fits(size);
}

static const struct node *tree_of(const struct node *node)
{
	while (node->provider->kind != PROVIDER_CHECKOUT)
		node = node->parent;
	return node;
}

struct lfs_beside {
	struct clone *clone;                 /* a reference */
	struct clone_attributes *attributes; /* likewise */
	struct oid dir;
	char name[];
};

struct lfs_beside *lfs_beside_new(struct ctx *ctx, struct model *model,
				  const struct node *file)
{
	const struct node *dir = file->parent;
	cleanup(clone_attributes_unref) struct clone_attributes *a = NULL;
	size_t n = strlen(file->name) + 1;
	struct clone_lfs_needs needs;
	struct lfs_beside *beside;

	if (attributes_of(ctx, model, dir, tree_of(dir), &a, &needs) < 0 || !a)
		return NULL;
	beside = mem_calloc(1, sizeof(*beside) + n);
	beside->clone = clone_ref(node_checkout(dir)->clone);
	beside->attributes = steal(&a);
	beside->dir = node_oid(model->nodes, dir);
	memcpy(beside->name, file->name, n);
	return beside;
}

struct lfs_beside *lfs_beside_free(struct lfs_beside *beside)
{
	if (!beside)
		return NULL;
	clone_unref(beside->clone);
	clone_attributes_unref(beside->attributes);
	free(beside);
	return NULL;
}

size_t lfs_beside_find(struct ctx *ctx, const struct lfs_beside *beside,
		       struct lfs_pointer *ret, size_t n)
{
	cleanup(tree_list_unref) struct tree_list *list = NULL;
	struct around a = {.clone = beside ? beside->clone : NULL};
	size_t n_found = 0, first = 0;

	if (!beside || oid_is_none(&beside->dir) ||
	    clone_read_tree(ctx, a.clone, &beside->dir, &list) < 0)
		return 0;
	while (first < list->n_entries &&
	       strcmp(tree_list_entry(list, first)->name, beside->name) != 0)
		first++;
	for (size_t i = 1; i < list->n_entries && n_found < n; i++) {
		const struct tree_entry *e =
			tree_list_entry(list, (first + i) % list->n_entries);

		if (may_be(ctx, &a, e) &&
		    clone_lfs_pointer(ctx, a.clone, beside->attributes, e->name,
				      &e->oid, &ret[n_found]) == 1)
			n_found++;
	}
	return n_found;
}

size_t lfs_lacking(struct ctx *ctx, struct model *model, const struct node *dir,
		   const struct node *tree, struct oid *ret, size_t n)
{
	cleanup(around_done) struct around a = {NULL};
	struct lfs_pointer pointer;
	size_t n_found = 0;

	if (!look_around(ctx, model, dir, tree, &a))
		return 0;
	for (size_t i = 0; i < a.list->n_entries && n_found < n; i++) {
		const struct tree_entry *e = tree_list_entry(a.list, i);

		if (may_be(ctx, &a, e) &&
		    clone_lfs_pointer(ctx, a.clone, a.attributes, e->name,
				      &e->oid, &pointer) == -ENOENT)
			ret[n_found++] = e->oid;
	}
	return n_found;
}

/* ---- nodes ---- */

/* The data of a node. */
struct lfs_file {
	struct lfs_pointer pointer;
};

void lfs_found(const struct lfs_pointer *pointer, struct found *found)
{
	struct lfs_file *file = mem_calloc(1, sizeof(*file));

	file->pointer = *pointer;
	found->what.provider = &provider_lfs;
	found->what.size = pointer->size;
	found->what.checkout = NULL;
	found->what.data = file;
}

const struct lfs_pointer *lfs_pointer_of(const struct node *node)
{
	const struct lfs_file *file;

	if (node->provider != &provider_lfs)
		return NULL;
	file = node_data(node);
	return &file->pointer;
}

static bool lfs_same(const struct node_what *a, const struct node_what *b)
{
	const struct lfs_file *x = a->data, *y = b->data;

	return memcmp(&x->pointer, &y->pointer, sizeof(x->pointer)) == 0;
}

static uint64_t lfs_hash(const struct node_what *what, uint64_t seed)
{
	const struct lfs_file *file = what->data;

	return hash_bytes(seed, file->pointer.oid, sizeof(file->pointer.oid));
}

static void lfs_free(void *data)
{
	free(data);
}

static int lfs_attr(struct ctx *, struct model *model, struct node *node,
		    int64_t *, uint64_t *)
{
	model->checkout_heard(model, node->parent);
	return 0;
}

static int lfs_read(struct ctx *ctx, struct model *model, struct node *node,
		    off_t offset, size_t n, struct model_data *ret_data)
{
	const struct lfs_file *file = node_data(node);

	model->checkout_heard(model, node->parent);
	return model->lfs_read(ctx, model, node, &file->pointer, offset, n,
			       ret_data);
}

/* ---- other .gitattributes ---- */

struct moved {
	struct model *model;
	const struct node *tree;
};

static void look_again(void *arg, struct node *node)
{
	cleanup(lfs_looking_done) struct lfs_looking looking = {
		.needs = {.n = 0}};
	const struct moved *moved = arg;
	bool was = node->provider == &provider_lfs;
	/* Its own size is the content's. */
	uint64_t size = was ? LFS_POINTER_LEAST : node->size;
	int r;

	if (!S_ISREG(node->mode) || !fits(size) ||
	    !node_is_linked(moved->model->nodes, node) ||
	    tree_of(node) != moved->tree)
		return;
	/* No ctx: a cancelled caller must not leave half of it. Who looks next
	 * at what cannot be told now brings it. */
	r = lfs_look(NULL, moved->model, node->parent, moved->tree, node->name,
		     &node->oid, size, &looking);
	if (r != was)
		model_drop_child(moved->model, node->parent, node->name);
}

void lfs_moved(struct model *model, const struct node *tree,
	       const struct provider *git)
{
	struct moved moved = {model, tree};

	if (!model->config.lfs)
		return;
	node_each(model->nodes, &provider_lfs, look_again, &moved);
	node_each(model->nodes, git, look_again, &moved);
}

const struct provider provider_lfs = {
	.name = "lfs",
	.attr = lfs_attr,
	.read = lfs_read,
	.same_data = lfs_same,
	.hash_data = lfs_hash,
	.free_data = lfs_free,
};
