/*
 * model/git/refs: branches/ and tags/: the names that git has, a slash in a
 * name being a directory. A ref is a tree (model/git/checkout_files), which is
 * fetched when a program looks inside; one question brings the names of all
 * refs.
 *
 * File names follow src/model/README.md, 11; a part that is written as it is
 * goes before another part whose escaped form looks the same. git allows no
 * name that is both a ref and a directory of refs; if a server has one all the
 * same, the ref is shown.
 */
#include "model/git/refs.h"
#include "model/repository.h"
#include "model/probe.h"

#include "model/git/checkout.h"

#include "base/text.h"

#define NAME_MOST 4096

static const struct {
	const char *ref, *word;
} kinds[CLONE_REF_KINDS] = {
	[CLONE_BRANCHES] = {"refs/heads/", "branches"},
	[CLONE_TAGS] = {"refs/tags/", "tags"},
};

static struct refs_dir *dir_of(const struct node *node)
{
	return node_data(node);
}

struct node *refs_top(struct node *dir)
{
	while (dir->provider == &provider_refs)
		dir = dir->parent;
	return dir;
}

const char *refs_prefix(const struct node *dir)
{
	return dir->provider == &provider_refs ? dir_of(dir)->prefix : "";
}

/* ---- names ---- */

void refs_file_name(struct buf *out, const char *part, size_t n, bool top)
{
	static const char *const own[] = {"index.json", "index.tsv", "more",
					  NULL};
	cleanup(free) char *name = mem_dup0(part, n);

	text_file_name(out, name, top ? own : NULL);
}

void refs_path(struct buf *out, const char *ref)
{
	bool top = false;
	size_t n;

	for (size_t i = 0; i < CLONE_REF_KINDS; i++) {
		n = strlen(kinds[i].ref);
		if (strncmp(ref, kinds[i].ref, n) != 0)
			continue;
		buf_printf(out, "%s/", kinds[i].word);
		ref += n;
		top = true;
		break;
	}
	for (;; ref += n + 1, top = false) {
		n = strcspn(ref, "/");
		refs_file_name(out, ref, n, top);
		if (!ref[n])
			break;
		buf_putc(out, '/');
	}
}

enum refs_is refs_find(const struct clone_refs *refs, enum clone_ref_kind kind,
		       const char *name, size_t n, size_t *ret_index)
{
	const char *const *names = refs->names[kind];
	size_t n_names = refs->n_names[kind], i;
	char key[NAME_MOST + 2];

	if (!n || n > NAME_MOST)
		return REFS_NOTHING;
	memcpy(key, name, n);
	key[n] = '\0';
	i = clone_refs_seek(refs, kind, key);
	if (i < n_names && strcmp(names[i], key) == 0) {
		*ret_index = i;
		return REFS_LEAF;
	}
	key[n] = '/';
	key[n + 1] = '\0';
	i = clone_refs_seek(refs, kind, key);
	if (i == n_names || strncmp(names[i], key, n + 1) != 0)
		return REFS_NOTHING;
	*ret_index = i;
	return REFS_DIRECTORY;
}

void refs_iter_begin(struct refs_iter *w, const struct clone_refs *refs,
		     enum clone_ref_kind kind, const char *prefix)
{
	*w = (struct refs_iter){
		.refs = refs,
		.kind = kind,
		.prefix = prefix,
		.n_prefix = strlen(prefix),
		.next = clone_refs_seek(refs, kind, prefix),
	};
}

const char *refs_iter_name(const struct refs_iter *w)
{
	return w->refs->names[w->kind][w->index];
}

static const char *walk_part(const struct refs_iter *w)
{
	return refs_iter_name(w) + w->n_prefix;
}

/* The position of the first name that does not begin with the first n bytes and
 * a slash: all names of the directory sort before those bytes and '/' + 1. */
static size_t past(const struct refs_iter *w, const char *name, size_t n)
{
	char key[NAME_MOST + 2];

	memcpy(key, name, n);
	key[n] = '/' + 1;
	key[n + 1] = '\0';
	return clone_refs_seek(w->refs, w->kind, key);
}

bool refs_iter_step(struct refs_iter *w)
{
	const char *name, *slash;

	while (w->next < w->refs->n_names[w->kind]) {
		w->index = w->next;
		name = refs_iter_name(w);
		if (strncmp(name, w->prefix, w->n_prefix) != 0)
			return false;
		slash = strchr(name + w->n_prefix, '/');
		w->n = slash ? (size_t)(slash - name) : strlen(name);
		w->next = slash ? past(w, name, w->n) : w->index + 1;
		w->is = refs_find(w->refs, w->kind, name, w->n, &w->index);
		/* Only a part that is what its first name says: if "x" is a
		 * ref, "x/y" would otherwise be a second "x". */
		if (w->n > w->n_prefix &&
		    w->is == (slash ? REFS_DIRECTORY : REFS_LEAF))
			return true;
		if (!w->n_skipped++)
			w->skipped = name;
	}
	return false;
}

/* The file name is the part itself, nothing is escaped. */
static bool is_plain(const struct refs_iter *w, const struct buf *file)
{
	return file->len == w->n - w->n_prefix &&
	       memcmp(file->data, walk_part(w), file->len) == 0;
}

/* False: a part that is written as it is has that file name. */
bool refs_iter_file_name(const struct refs_iter *w, struct buf *out)
{
	char key[NAME_MOST + 256];
	size_t index;

	buf_clear(out);
	refs_file_name(out, walk_part(w), w->n - w->n_prefix, !w->n_prefix);
	if (out->failed || is_plain(w, out))
		return !out->failed;
	memcpy(key, w->prefix, w->n_prefix);
	memcpy(key + w->n_prefix, out->data, out->len);
	return refs_find(w->refs, w->kind, key, w->n_prefix + out->len,
			 &index) == REFS_NOTHING;
}

/* The part that a file name stands for. */
static bool find_file(const struct clone_refs *refs, enum clone_ref_kind kind,
		      const char *prefix, const char *file, struct refs_iter *w)
{
	cleanup(buf_done) struct buf name = BUF_INIT(4 * KIB);
	cleanup(free) char *whole = mem_asprintf("%s%s", prefix, file);

	refs_iter_begin(w, refs, kind, prefix);
	refs_file_name(&name, file, strlen(file), !*prefix);
	w->n = strlen(whole);
	if (!strchr(file, '/') && name.data && strcmp(name.data, file) == 0) {
		w->is = refs_find(refs, kind, whole, w->n, &w->index);
		if (w->is != REFS_NOTHING)
			return true;
	}
	/* Escaped names have one of these two; no other needs the search. */
	if (!strpbrk(file, "%~"))
		return false;
	while (refs_iter_step(w))
		if (refs_iter_file_name(w, &name) &&
		    strcmp(name.data, file) == 0)
			return true;
	return false;
}

/* ---- nodes ---- */

static void found_dir(struct model *model, const struct node *dir,
		      const struct refs_iter *w, struct found *found)
{
	struct refs_dir *d = mem_calloc(1, sizeof(*d));

	d->kind = w->kind;
	d->prefix = mem_asprintf("%.*s/", (int)w->n, refs_iter_name(w));
	provider_found_dir(found, &provider_refs,
			   node_mtime_ms(model->nodes, dir), LONGEST_MS, d);
}

static int found_part(struct model *model, struct node *dir,
		      const struct refs_iter *w, struct found *found)
{
	cleanup(free) char *ref = NULL;
	struct checkout *checkout = NULL;
	int r;

	if (w->is == REFS_DIRECTORY) {
		found_dir(model, dir, w, found);
		return 0;
	}
	ref = mem_asprintf("%s%s", kinds[w->kind].ref, refs_iter_name(w));
	r = checkout_new(model, repository_above(dir), ref, NULL, &checkout);
	if (r >= 0)
		checkout_found(checkout, node_mtime_ms(model->nodes, dir),
			       LONGEST_MS, found);
	return r;
}

bool refs_is_no_tree(struct model *model, struct node *dir,
		     const struct refs_iter *w)
{
	cleanup(clone_unref) struct clone *clone = NULL;
	struct oid commit;

	if (w->kind != CLONE_TAGS || w->is != REFS_LEAF ||
	    repository_clone(model, dir, &clone) < 0)
		return false;
	commit = clone_refs_commit(w->refs, w->kind, w->index);
	return clone_is_no_tree(clone, &commit);
}

int refs_lookup(struct ctx *ctx, struct model *model, struct node *dir,
		enum clone_ref_kind kind, const char *name,
		struct found *ret_found)
{
	cleanup(clone_refs_unref) struct clone_refs *refs = NULL;
	struct node *top = refs_top(dir);
	struct found found;
	struct refs_iter w;
	int r;

	ret_found->left_ms = LONGEST_MS;
	/* Git allows no part of a ref that begins with a dot. */
	if (name[0] == '.')
		return 0;
	if (probe_matches(name)) {
		if (refs_known(model, top, &refs) < 0) {
			ret_found->left_ms = UNKNOWN_MS;
			return 0;
		}
	} else {
		r = refs_ensure(ctx, model, top, kind, &refs);
		if (r < 0)
			return r;
	}
	if (!find_file(refs, kind, refs_prefix(dir), name, &w) ||
	    refs_is_no_tree(model, dir, &w))
		return 0;
	r = found_part(model, dir, &w, &found);
	if (r == 0)
		*ret_found = found;
	return r;
}

/* ---- provider_refs: the directories that slashes make ---- */

static int dir_lookup(struct ctx *ctx, struct model *model, struct node *dir,
		      const char *name, struct found *ret_found)
{
	return refs_lookup(ctx, model, dir, dir_of(dir)->kind, name, ret_found);
}

static const struct dirlist_ops ops_dir = {
	.free_data = refs_names_free,
};

static int dir_open(struct ctx *ctx, struct model *model, struct node *dir,
		    struct dirlist *newest, struct dirlist **ret_listing)
{
	struct refs_names *names = NULL;
	struct dirlist *l = dirlist_new(&ops_dir, NULL, 0);
	int r = refs_open(ctx, model, dir, dir_of(dir)->kind,
			  newest ? newest->data : NULL, 0, 0, l, &names);

	l->data = names;
	if (r == 0) {
		*ret_listing = dirlist_seal(l, 0);
		return 0;
	}
	dirlist_unref(l);
	if (r > 0)
		*ret_listing = dirlist_ref(newest);
	return r > 0 ? 0 : r;
}

static bool dir_same(const struct node_what *a, const struct node_what *b)
{
	const struct refs_dir *x = a->data, *y = b->data;

	return x->kind == y->kind && strcmp(x->prefix, y->prefix) == 0;
}

static void dir_free(void *data)
{
	struct refs_dir *d = data;

	free(d->prefix);
	free(d);
}

const struct provider provider_refs = {
	.end = refs_end,
	.name = "refs",
	.lookup = dir_lookup,
	.open = dir_open,
	.same_data = dir_same,
	.free_data = dir_free,
};
