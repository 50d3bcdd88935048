/*
 * model/git/large_objects: goes through the directories with a list of those
 * that are to be looked at, not by recursion: how deep they are is a stranger's
 * choice. Only files that may be pointers become nodes.
 */
#include "model/git/large_objects.h"
#include "model/git/checkout.h"
#include "model/git/large.h"
#include "model/git/lfs.h"

#include "base/map.h"

/* .gitattributes from the root down come some at a time. */
#define ROUNDS 8

struct large_seen {
	unsigned char oid[32];
	UT_hash_handle hh;
};

/* ---- what was found ---- */

static bool is_seen(const struct large_objects *to,
		    const struct lfs_pointer *pointer)
{
	struct large_seen *seen;

	HASH_FIND(hh, to->seen_private, pointer->oid, sizeof(pointer->oid),
		  seen);
	return seen;
}

/* node is taken. */
static void add(struct model *model, struct large_objects *to,
		struct node *node)
{
	const struct lfs_pointer *pointer = lfs_pointer_of(node);
	struct large_seen *seen;

	if (!pointer || is_seen(to, pointer)) {
		node_unref(model->nodes, node);
		return;
	}
	seen = mem_calloc(1, sizeof(*seen));
	memcpy(seen->oid, pointer->oid, sizeof(seen->oid));
	HASH_ADD(hh, to->seen_private, oid, sizeof(seen->oid), seen);
	mem_grow(to->items, to->n, to->size_private);
	to->items[to->n++] = (struct large_object){node, *pointer};
}

void large_objects_done(struct model *model, struct large_objects *objects)
{
	struct large_seen *seen, *next;

	HASH_ITER (hh, objects->seen_private, seen, next) {
		HASH_DEL(objects->seen_private, seen);
		free(seen);
	}
	for (size_t i = 0; i < objects->n; i++)
		node_unref(model->nodes, objects->items[i].node);
	free(objects->items);
	*objects = (struct large_objects){NULL};
}

/* ---- looking for them ---- */

struct finding {
	struct ctx *ctx;
	struct model *model;
	struct node *tree; /* that dirs are in */
	struct large_objects *to;
	struct node **dirs; /* references; to be looked at */
	size_t n, size;
};

static int bring_blobs(struct finding *f, const struct oid *blobs, size_t n)
{
	const struct clone_need need = {
		.kind = CLONE_NEED_BLOB,
		.oid = blobs[0],
		.also = blobs + 1,
		.n_also = n - 1,
	};

	return checkout_bring_lacking(f->ctx, f->model, f->tree, &need);
}

/* What governs the directory. */
static int bring_rules(struct finding *f, const struct node *dir)
{
	struct clone_lfs_needs needs;
	int r = 0;

	for (unsigned i = 0; r >= 0 && i < ROUNDS; i++) {
		lfs_look_ahead(f->ctx, f->model, dir, f->tree, &needs);
		if (!needs.n)
			return 0;
		r = bring_blobs(f, needs.oids, needs.n);
	}
	return r;
}

/* A file of it may be a pointer, for all that is known. */
static bool lacks_sizes(struct finding *f, const struct node *dir,
			struct tree_list *list)
{
	struct clone *clone = node_checkout(dir)->clone;
	uint64_t size;

	for (size_t i = 0; i < list->n_entries; i++) {
		const struct tree_entry *e = tree_list_entry(list, i);

		if ((e->kind == TREE_FILE || e->kind == TREE_EXECUTABLE) &&
		    clone_blob_size(f->ctx, clone, &e->oid, &size) < 0)
			return true;
	}
	return false;
}

/* Sizes of files, and all that may be pointers by them. */
static int bring_pointers(struct finding *f, struct node *dir,
			  struct tree_list *list)
{
	const struct clone_need need = {
		.kind = CLONE_NEED_DIRECTORY,
		.oid = node_oid(f->model->nodes, dir),
	};
	cleanup(free) struct oid *lacking = NULL;
	size_t n = SIZE_MAX, before;
	int r = 0;

	if (lacks_sizes(f, dir, list))
		r = checkout_bring_lacking(f->ctx, f->model, f->tree, &need);
	lacking = mem_calloc(CHECKOUT_NEXT, sizeof(*lacking));
	while (r >= 0) {
		before = n;
		n = lfs_lacking(f->ctx, f->model, dir, f->tree, lacking,
				CHECKOUT_NEXT);
		/* What is lacking still does not come. */
		if (!n || (n < CHECKOUT_NEXT && n == before))
			return 0;
		r = bring_blobs(f, lacking, n);
	}
	return r;
}

static int add_file(struct finding *f, struct node *dir, const char *name)
{
	struct node *node = NULL;
	int r = model_resolve(f->ctx, f->model, dir, name, &node);

	/* It went, or is one that is not shown. */
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	add(f->model, f->to, node);
	return 0;
}

static int add_dir(struct finding *f, struct node *dir, const char *name)
{
	struct node *node = NULL;
	int r = model_resolve(f->ctx, f->model, dir, name, &node);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	mem_grow(f->dirs, f->n, f->size);
	f->dirs[f->n++] = node;
	return 0;
}

static int add_files(struct finding *f, struct node *dir,
		     struct tree_list *list)
{
	cleanup(lfs_looking_done) struct lfs_looking looking = {
		.needs = {.n = 0}};
	struct clone *clone = node_checkout(dir)->clone;
	uint64_t size;
	int r = bring_pointers(f, dir, list);

	for (size_t i = 0; r >= 0 && i < list->n_entries; i++) {
		const struct tree_entry *e = tree_list_entry(list, i);

		if ((e->kind == TREE_FILE || e->kind == TREE_EXECUTABLE) &&
		    clone_blob_size(f->ctx, clone, &e->oid, &size) == 0 &&
		    lfs_look(f->ctx, f->model, dir, f->tree, e->name, &e->oid,
			     size, &looking) != 0)
			r = add_file(f, dir, e->name);
	}
	return r;
}

static int look_into(struct finding *f, struct node *dir)
{
	cleanup(tree_list_unref) struct tree_list *list = NULL;
	struct dirlist *listing = NULL;
	struct oid oid;
	int r = ctx_check(f->ctx);

	if (r == 0)
		r = dir->provider->open(f->ctx, f->model, dir, NULL, &listing);
	if (r < 0)
		return r;
	dirlist_unref(listing);
	oid = node_oid(f->model->nodes, dir);
	/* A repository without a commit. */
	if (oid_is_none(&oid))
		return 0;
	r = clone_read_tree(f->ctx, node_checkout(dir)->clone, &oid, &list);
	for (size_t i = 0; r >= 0 && i < list->n_entries; i++)
		if (tree_list_entry(list, i)->kind == TREE_DIRECTORY)
			r = add_dir(f, dir, tree_list_entry(list, i)->name);
	if (r >= 0)
		r = bring_rules(f, dir);
	if (r >= 0 && lfs_may_be_in(f->ctx, f->model, dir, f->tree))
		r = add_files(f, dir, list);
	return r;
}

int large_objects_find(struct ctx *ctx, struct model *model, struct node *node,
		       struct large_objects *ret)
{
	struct finding f = {.ctx = ctx, .model = model, .to = ret};
	int r = 0;

	*ret = (struct large_objects){NULL};
	for (f.tree = node; f.tree->provider != &provider_tree;
	     f.tree = f.tree->parent)
		;
	node_ref(model->nodes, node);
	if (!S_ISDIR(node->mode)) {
		add(model, ret, node);
		return 0;
	}
	mem_grow(f.dirs, f.n, f.size);
	f.dirs[f.n++] = node;
	while (f.n) {
		struct node *dir = f.dirs[--f.n];

		if (r >= 0)
			r = look_into(&f, dir);
		node_unref(model->nodes, dir);
	}
	free(f.dirs);
	return r < 0 ? r : 0;
}

/* ---- bringing them ---- */

bool large_object_is_here(struct ctx *ctx, struct model *model,
			  const struct large_object *object)
{
	return !object->pointer.size ||
	       large_is_here(ctx, model, object->node, &object->pointer);
}

void large_objects_place(struct ctx *ctx, const struct large_object *objects,
			 size_t n)
{
	struct clone *clone = node_checkout(objects[0].node->parent)->clone;
	cleanup(http_place_done) struct http_place place = {NULL};
	struct lfs_pointer also[LFS_BATCH];

	if (clone_lfs_is_placed(clone, &objects[0].pointer))
		return;
	for (size_t i = 1; i < n; i++)
		also[i - 1] = objects[i].pointer;
	(void)clone_lfs_place(ctx, clone, &objects[0].pointer, also, n - 1,
			      NULL, &place);
	ctx->sentence[0] = '\0';
}

int large_object_bring(struct ctx *ctx, struct model *model,
		       const struct large_object *object, large_came *came,
		       void *arg)
{
	return large_bring(ctx, model, object->node, &object->pointer, came,
			   arg);
}
