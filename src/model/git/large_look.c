/*
 * model/git/large_look: the cheap questions first, as in lfs.c: whether any
 * .gitattributes above has the word lfs, whether the size fits, the blob.
 */
#include "model/git/large_look.h"

/* .gitattributes from the root down come some at a time. */
#define ROUNDS 8
/* So many blobs are brought at once. */
#define BLOBS 256

static int bring_blobs(const struct large_look *l, const struct oid *blobs,
		       size_t n)
{
	const struct clone_need need = {
		.kind = CLONE_NEED_BLOB,
		.oid = blobs[0],
		.also = blobs + 1,
		.n_also = n - 1,
	};

	return l->bring(l->arg, &need);
}

/* What governs the directory. -ENOENT: it does not come. */
static int get_rules(const struct large_look *l, const char *path,
		     struct clone_attributes **ret)
{
	struct clone_lfs_needs needs;
	int r = clone_attributes_get(l->ctx, l->clone, l->root, path, ret,
				     &needs);

	for (unsigned i = 0; r == -ENOENT && l->bring && needs.n && i < ROUNDS;
	     i++) {
		r = bring_blobs(l, needs.oids, needs.n);
		if (r < 0)
			return r;
		r = clone_attributes_get(l->ctx, l->clone, l->root, path, ret,
					 &needs);
	}
	return r;
}

static bool is_file(const struct tree_entry *e)
{
	return e->kind == TREE_FILE || e->kind == TREE_EXECUTABLE;
}

/* 1: it may be a pointer, by its size; 0; -ENOENT: that is not known. */
static int may_be(const struct large_look *l, const struct tree_entry *e)
{
	uint64_t size;
	int r;

	if (!is_file(e))
		return 0;
	r = clone_blob_size(l->ctx, l->clone, &e->oid, &size);
	return r < 0 ? r
		     : size >= LFS_POINTER_LEAST && size < LFS_POINTER_LIMIT;
}

/* ---- what is lacking ---- */

static bool lacks_sizes(const struct large_look *l, struct tree_list *list)
{
	for (size_t i = 0; i < list->n_entries; i++)
		if (may_be(l, tree_list_entry(list, i)) < 0)
			return true;
	return false;
}

static size_t find_lacking(const struct large_look *l,
			   struct clone_attributes *a, struct tree_list *list,
			   struct oid *ret)
{
	struct lfs_pointer pointer;
	size_t n = 0;

	for (size_t i = 0; i < list->n_entries && n < BLOBS; i++) {
		const struct tree_entry *e = tree_list_entry(list, i);

		if (may_be(l, e) == 1 &&
		    clone_lfs_pointer(l->ctx, l->clone, a, e->name, &e->oid,
				      &pointer) == -ENOENT)
			ret[n++] = e->oid;
	}
	return n;
}

/* Sizes of files, and all that may be pointers by them. */
static int bring_pointers(const struct large_look *l, const struct oid *dir,
			  struct clone_attributes *a, struct tree_list *list)
{
	const struct clone_need need = {
		.kind = CLONE_NEED_DIRECTORY,
		.oid = *dir,
	};
	cleanup(free) struct oid *lacking = NULL;
	size_t n = SIZE_MAX, before;
	int r = 0;

	if (lacks_sizes(l, list))
		r = l->bring(l->arg, &need);
	lacking = mem_calloc(BLOBS, sizeof(*lacking));
	while (r >= 0) {
		before = n;
		n = find_lacking(l, a, list, lacking);
		/* What is lacking still does not come. */
		if (!n || (n < BLOBS && n == before))
			return 0;
		r = bring_blobs(l, lacking, n);
	}
	return r;
}

/* ---- what there is ---- */

static int look_at(const struct large_look *l, struct clone_attributes *a,
		   const struct tree_entry *e)
{
	struct lfs_pointer pointer;
	int r = may_be(l, e);

	if (r < 0)
		return l->bring ? 0 : r;
	if (r == 0)
		return 0;
	r = clone_lfs_pointer(l->ctx, l->clone, a, e->name, &e->oid, &pointer);
	if (r == 1)
		return l->file(l->arg, e->name, &pointer);
	/* Whoever brings is told why it does not come. */
	return r < 0 && l->bring ? l->file(l->arg, e->name, NULL) : r;
}

static int look_at_files(const struct large_look *l, const struct oid *dir,
			 struct clone_attributes *a, struct tree_list *list)
{
	int r = l->bring ? bring_pointers(l, dir, a, list) : 0;

	for (size_t i = 0; r >= 0 && i < list->n_entries; i++) {
		r = ctx_check(l->ctx);
		if (r == 0)
			r = look_at(l, a, tree_list_entry(list, i));
	}
	return r;
}

int large_look(const struct large_look *l, const struct oid *dir,
	       const char *path)
{
	cleanup(clone_attributes_unref) struct clone_attributes *a = NULL;
	cleanup(tree_list_unref) struct tree_list *list = NULL;
	int r = clone_read_tree(l->ctx, l->clone, dir, &list);

	for (size_t i = 0; r >= 0 && i < list->n_entries; i++) {
		const struct tree_entry *e = tree_list_entry(list, i);

		if (e->kind == TREE_DIRECTORY)
			r = l->dir(l->arg, e->name, &e->oid);
	}
	if (r < 0)
		return r;
	r = get_rules(l, path, &a);
	/* Nothing of it is looked at by who brings: its files are git's. */
	if (r == -ENOENT && l->bring)
		return 0;
	if (r < 0 || !clone_attributes_have_lfs(a))
		return r;
	return look_at_files(l, dir, a, list);
}
