/*
 * Files that git has unchanged, but that are LFS content in one of two trees
 * alone, for another .gitattributes says so: what they show has changed, so
 * their times have to (times.c).
 *
 * Below a directory whose .gitattributes changed, and has the word lfs before
 * or after, all files are looked at; elsewhere only directories that changed.
 */
#include "clone/clone_private.h"
#include "clone/lfs.h"

#define ENTRIES_MOST 500000
#define DEEP_MOST 256

struct flips {
	struct clone *clone;
	const struct oid *before, *after; /* the roots */
	int (*each)(void *arg, const char *path, const struct oid *blob);
	void *arg;
	struct buf path;
	size_t n_entries;
	unsigned depth;
};

/* The directory, before and after. */
struct pair {
	struct tree_list *before, *after;
	struct clone_attributes *attributes_before, *attributes_after;
};

static void pair_done(struct pair *p)
{
	tree_list_unref(p->before);
	tree_list_unref(p->after);
	clone_attributes_unref(p->attributes_before);
	clone_attributes_unref(p->attributes_after);
}
DEFINE_CLEANUP_DONE(struct pair, pair_done);

static bool changed(const struct pair *p)
{
	const struct tree_entry *a =
		tree_list_find(p->before, CLONE_ATTRIBUTES);
	const struct tree_entry *b = tree_list_find(p->after, CLONE_ATTRIBUTES);

	return a && b ? !oid_equal(&a->oid, &b->oid) : a || b;
}

/* False: it cannot be told now. */
static bool get_attributes(const struct flips *f, struct pair *p)
{
	const char *path = f->path.data ? f->path.data : "";
	struct clone_lfs_needs needs;

	return clone_attributes_get(NULL, f->clone, f->before, path,
				    &p->attributes_before, &needs) == 0 &&
	       clone_attributes_get(NULL, f->clone, f->after, path,
				    &p->attributes_after, &needs) == 0;
}

static bool has_lfs(const struct pair *p)
{
	return clone_attributes_have_lfs(p->attributes_before) ||
	       clone_attributes_have_lfs(p->attributes_after);
}

static bool is_file(const struct tree_entry *e)
{
	return e->kind == TREE_FILE || e->kind == TREE_EXECUTABLE;
}

static int look_at_file(const struct flips *f, const struct pair *p,
			const struct tree_entry *was,
			const struct tree_entry *is)
{
	struct lfs_pointer pointer;
	uint64_t size;

	if (!is_file(was) || !is_file(is) || !oid_equal(&was->oid, &is->oid) ||
	    clone_blob_size(NULL, f->clone, &is->oid, &size) < 0 ||
	    size < LFS_POINTER_LEAST || size >= LFS_POINTER_LIMIT)
		return 0;
	if (clone_lfs_pointer(NULL, f->clone, p->attributes_before, is->name,
			      &is->oid, &pointer) ==
	    clone_lfs_pointer(NULL, f->clone, p->attributes_after, is->name,
			      &is->oid, &pointer))
		return 0;
	return f->each(f->arg, f->path.data, &is->oid);
}

static int look(struct flips *f, const struct oid *before,
		const struct oid *after, bool all);

static int look_at_entry(struct flips *f, const struct pair *p,
			 const struct tree_entry *is, bool all)
{
	const struct tree_entry *was = tree_list_find(p->before, is->name);
	size_t n = f->path.len;
	int r = 0;

	if (!was || (!all && oid_equal(&was->oid, &is->oid)))
		return 0;
	if (++f->n_entries > ENTRIES_MOST)
		return -EMSGSIZE;
	buf_printf(&f->path, "%s%s", n ? "/" : "", is->name);
	if (is->kind == TREE_DIRECTORY && was->kind == TREE_DIRECTORY)
		r = look(f, &was->oid, &is->oid, all);
	else if (all)
		r = look_at_file(f, p, was, is);
	buf_cut(&f->path, n);
	return r;
}

/* all: above it is a .gitattributes that changed. What cannot be read was not
 * shown, or is not going to be. */
static int look(struct flips *f, const struct oid *before,
		const struct oid *after, bool all)
{
	cleanup(pair_done) struct pair p = {NULL};
	int r = 0;

	if (f->depth == DEEP_MOST ||
	    clone_read_tree(NULL, f->clone, before, &p.before) < 0 ||
	    clone_read_tree(NULL, f->clone, after, &p.after) < 0)
		return 0;
	all = all || changed(&p);
	if (all && (!get_attributes(f, &p) || !has_lfs(&p)))
		all = false;
	f->depth++;
	for (size_t i = 0; r == 0 && i < p.after->n_entries; i++)
		r = look_at_entry(f, &p, tree_list_entry(p.after, i), all);
	f->depth--;
	return r;
}

int clone_lfs_flips(struct clone *c, const struct oid *before,
		    const struct oid *after,
		    int (*each)(void *arg, const char *path,
				const struct oid *blob),
		    void *arg)
{
	struct flips f = {
		.clone = c,
		.before = before,
		.after = after,
		.each = each,
		.arg = arg,
		.path = BUF_INIT(64 * KIB),
	};
	int r = look(&f, before, after, false);

	buf_done(&f.path);
	return r;
}
