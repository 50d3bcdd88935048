/*
 * Which files of a tree are LFS content: those whose .gitattributes say
 * filter=lfs, and whose blob is a pointer.
 *
 * The texts are parsed once for all directories that they are above of, and
 * kept, a few: a walk through a tree without LFS finds out once a directory
 * that no text above it has the word.
 */
#include "clone/attributes.h"
#include "clone/clone_private.h"
#include "clone/lfs.h"

#define KEPT_BYTES (4 * MIB)

struct clone_attributes {
	struct refcount refcount;
	bool has_lfs;
	char *path;           /* of the directory */
	struct oid tree;      /* the directory's object */
	struct oid root_text; /* as in struct key */
	struct attributes_at *files;
	size_t n_files;
};

struct clone_attributes *clone_attributes_ref(struct clone_attributes *a)
{
	refcount_take(&a->refcount);
	return a;
}

struct clone_attributes *clone_attributes_unref(struct clone_attributes *a)
{
	if (!a || !refcount_drop(&a->refcount))
		return NULL;
	while (a->n_files)
		attributes_file_unref(a->files[--a->n_files].file);
	free(a->files);
	free(a->path);
	free(a);
	return NULL;
}

bool clone_attributes_have_lfs(const struct clone_attributes *a)
{
	return a->has_lfs;
}

/* ---- texts ---- */

static void *ref_file(void *file)
{
	return attributes_file_ref(file);
}

static void unref_file(void *file)
{
	attributes_file_unref(file);
}

static const struct lru_values files = {ref_file, unref_file};

void clone_attributes_init(struct clone_set *cs)
{
	lru_init(&cs->attributes, KEPT_BYTES, &files);
}

/* A text means what it does with the root's macros. */
struct key {
	struct oid root, blob;
};

/* oid_none is a text that is not there. */
static int read_text(struct ctx *ctx, struct clone *c, const struct oid *blob,
		     struct blob **ret_text)
{
	struct objects *objects;
	int r;

	if (oid_is_none(blob)) {
		*ret_text = blob_new("", 0);
		return 0;
	}
	r = clone_store(c, &objects);
	if (r >= 0)
		r = objects_read_blob(ctx, objects, blob, ATTRIBUTES_MOST,
				      ret_text);
	if (r != -EFBIG)
		return r;
	*ret_text = blob_new("", 0);
	return 0;
}

static int get_file(struct ctx *ctx, struct clone *c, const struct key *key,
		    const struct attributes_file *root,
		    struct attributes_file **ret_file)
{
	struct lru *kept = &c->clones->attributes;
	struct attributes_file *file = lru_get(kept, key, sizeof(*key));
	cleanup(blob_unref) struct blob *text = NULL;
	int r;

	if (!file) {
		r = read_text(ctx, c, &key->blob, &text);
		if (r < 0)
			return r;
		file = attributes_file_new(blob_data(text), blob_len(text),
					   root);
		lru_put(kept, key, sizeof(*key), file,
			attributes_file_size(file));
	}
	*ret_file = file;
	return 0;
}

/* ---- from the root down ---- */

struct descent {
	struct ctx *ctx;
	struct clone *clone;
	struct clone_attributes *a;
	size_t room;
	struct clone_lfs_needs *needs;
};

static void add_need(struct clone_lfs_needs *needs, const struct oid *blob)
{
	if (needs->n < CLONE_LFS_NEEDS)
		needs->oids[needs->n++] = *blob;
}

/* Of what is below a root's text that is not here nothing can be said. */
static bool has_no_root(const struct descent *d)
{
	return d->a->n_files == 0 && d->needs->n;
}

/* 0 also of one that is not here: it is among the needs. */
static int add_file(struct descent *d, const struct oid *blob, size_t n_dir)
{
	struct clone_attributes *a = d->a;
	struct key key = {.root = a->root_text, .blob = *blob};
	struct attributes_file *file = NULL;
	int r = -ENOENT;

	if (!has_no_root(d))
		r = get_file(d->ctx, d->clone, &key,
			     a->n_files ? a->files[0].file : NULL, &file);
	else if (clone_has(d->clone, blob))
		return 0;
	if (r == -ENOENT) {
		add_need(d->needs, blob);
		return 0;
	}
	if (r < 0)
		return r;
	a->has_lfs = a->has_lfs || attributes_file_has_lfs(file);
	mem_grow(a->files, a->n_files, d->room);
	a->files[a->n_files++] = (struct attributes_at){file, n_dir};
	return 0;
}

static bool is_file(const struct tree_entry *e)
{
	return e && (e->kind == TREE_FILE || e->kind == TREE_EXECUTABLE);
}

/* One directory; *tree is then what it has under that name (NULL: it is the
 * last one). */
static int descend(struct descent *d, struct oid *tree, size_t n_dir,
		   const char *name)
{
	cleanup(tree_list_unref) struct tree_list *list = NULL;
	const struct tree_entry *e;
	int r = clone_read_tree(d->ctx, d->clone, tree, &list);

	if (r < 0)
		return r;
	d->a->tree = *tree;
	e = tree_list_find(list, CLONE_ATTRIBUTES);
	if (n_dir == 0)
		d->a->root_text = is_file(e) ? e->oid : oid_none;
	if (n_dir == 0 || is_file(e))
		r = add_file(d, is_file(e) ? &e->oid : &oid_none, n_dir);
	if (r < 0 || !name)
		return r;
	e = tree_list_find(list, name);
	if (!e || e->kind != TREE_DIRECTORY)
		return -ENOENT;
	*tree = e->oid;
	return 0;
}

static int descend_all(struct descent *d, const struct oid *root)
{
	const char *path = d->a->path, *at = path;
	struct oid tree = *root;
	int r = 0;

	while (r == 0 && *at) {
		size_t n = strcspn(at, "/");
		cleanup(free) char *name = mem_dup0(at, n);

		r = descend(d, &tree, at == path ? 0 : (size_t)(at - path) - 1,
			    name);
		at += n + (at[n] == '/');
	}
	return r < 0 ? r : descend(d, &tree, strlen(path), NULL);
}

static struct clone_attributes *attributes_new(char *path)
{
	struct clone_attributes *a = mem_calloc(1, sizeof(*a));

	refcount_init(&a->refcount);
	a->path = path;
	return a;
}

int clone_attributes_get(struct ctx *ctx, struct clone *c,
			 const struct oid *root, const char *path,
			 struct clone_attributes **ret,
			 struct clone_lfs_needs *ret_needs)
{
	cleanup(clone_attributes_unref) struct clone_attributes *a =
		attributes_new(mem_strdup(path));
	struct descent d = {.ctx = ctx, .clone = c, .a = a, .needs = ret_needs};
	int r;

	ret_needs->n = 0;
	r = descend_all(&d, root);
	if (r == 0 && ret_needs->n)
		r = -ENOENT;
	if (r < 0)
		return r;
	*ret = steal(&a);
	return 0;
}

int clone_attributes_below(struct ctx *ctx, struct clone *c,
			   const struct clone_attributes *above,
			   const char *name, struct clone_attributes **ret,
			   struct clone_lfs_needs *ret_needs)
{
	cleanup(clone_attributes_unref) struct clone_attributes *a =
		attributes_new(mem_asprintf("%s%s%s", above->path,
					    above->path[0] ? "/" : "", name));
	struct descent d = {.ctx = ctx, .clone = c, .a = a, .needs = ret_needs};
	cleanup(tree_list_unref) struct tree_list *list = NULL;
	const struct tree_entry *e;
	int r;

	ret_needs->n = 0;
	r = clone_read_tree(ctx, c, &above->tree, &list);
	if (r < 0)
		return r;
	e = tree_list_find(list, name);
	if (!e || e->kind != TREE_DIRECTORY)
		return -ENOENT;
	a->root_text = above->root_text;
	a->has_lfs = above->has_lfs;
	for (size_t i = 0; i < above->n_files; i++) {
		mem_grow(a->files, a->n_files, d.room);
		a->files[a->n_files++] = above->files[i];
		attributes_file_ref(above->files[i].file);
	}
	a->tree = e->oid;
	r = descend(&d, &a->tree, strlen(a->path), NULL);
	if (r == 0 && ret_needs->n)
		r = -ENOENT;
	if (r < 0)
		return r;
	*ret = steal(&a);
	return 0;
}

/* ---- a file ---- */

static bool are_lfs(const struct clone_attributes *a, const char *name)
{
	cleanup(buf_done) struct buf path = BUF_INIT(64 * KIB);

	buf_printf(&path, "%s%s%s", a->path, a->path[0] ? "/" : "", name);
	return !path.failed &&
	       attributes_are_lfs(a->files, a->n_files, path.data);
}

/* Before its blob is read, which may have to be fetched. */
int clone_lfs_pointer(struct ctx *ctx, struct clone *c,
		      const struct clone_attributes *a, const char *name,
		      const struct oid *oid, struct lfs_pointer *ret)
{
	cleanup(blob_unref) struct blob *blob = NULL;
	int r;

	if (!a->has_lfs || !are_lfs(a, name))
		return 0;
	r = clone_read_blob(ctx, c, oid, &blob);
	if (r < 0)
		return r == -EFBIG ? 0 : r;
	return lfs_pointer_parse(blob_data(blob), blob_len(blob), ret) == 0;
}
