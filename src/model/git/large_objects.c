/*
 * model/git/large_objects: goes through the directories with a list of those
 * that are to be looked at, not by recursion: how deep they are is a stranger's
 * choice. Only files that may be pointers become nodes.
 */
#include "model/git/large_objects.h"
#include "model/git/checkout.h"
#include "model/git/large.h"
#include "model/git/large_look.h"
#include "model/git/lfs.h"

#include "base/map.h"

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

struct at {
	struct finding *finding;
	struct node *dir;
};

static int bring(void *arg, const struct clone_need *need)
{
	const struct at *at = arg;
	const struct finding *f = at->finding;

	return checkout_bring_lacking(f->ctx, f->model, f->tree, need);
}

static int add_file(void *arg, const char *name, const struct lfs_pointer *)
{
	const struct at *at = arg;
	struct finding *f = at->finding;
	struct node *node = NULL;
	int r = model_resolve(f->ctx, f->model, at->dir, name, &node);

	/* It went, or is one that is not shown. */
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	add(f->model, f->to, node);
	return 0;
}

static int add_dir(void *arg, const char *name, const struct oid *)
{
	const struct at *at = arg;
	struct finding *f = at->finding;
	struct node *node = NULL;
	int r = model_resolve(f->ctx, f->model, at->dir, name, &node);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	mem_grow(f->dirs, f->n, f->size);
	f->dirs[f->n++] = node;
	return 0;
}

static int look_into(struct finding *f, struct node *dir)
{
	cleanup(buf_done) struct buf path = BUF_INIT(64 * KIB);
	struct at at = {f, dir};
	struct oid root, oid;
	const struct large_look look = {
		.ctx = f->ctx,
		.clone = node_checkout(dir)->clone,
		.root = &root,
		.bring = bring,
		.dir = add_dir,
		.file = add_file,
		.arg = &at,
	};
	struct dirlist *listing = NULL;
	int r = ctx_check(f->ctx);

	if (r == 0)
		r = dir->provider->open(f->ctx, f->model, dir, NULL, &listing);
	if (r < 0)
		return r;
	dirlist_unref(listing);
	root = node_oid(f->model->nodes, f->tree);
	oid = node_oid(f->model->nodes, dir);
	/* A repository without a commit. */
	if (oid_is_none(&oid))
		return 0;
	node_path_below(dir, f->tree, &path);
	return large_look(&look, &oid, path.data ? path.data : "");
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
