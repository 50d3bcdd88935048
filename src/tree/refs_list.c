/*
 * tree/refs_list: the names of a directory of branches or of tags, piece by
 * piece.
 *
 * A repository can have a hundred thousand branches, and the kernel asks for
 * some hundred names at a time: the listing of the piece before is kept, in the
 * order of its cookies, until its end was read.
 */
#include "tree/refs.h"

#include "tree/git_view.h"

struct item {
	char *file;
	uint64_t cookie;
	size_t index, n; /* as in refs_walk */
	enum refs_is is;
};

struct refs_listing {
	struct refs refs;
	uint64_t ino; /* the directory's */
	enum clone_ref_kind kind;
	struct clone_refs *names; /* a reference */
	struct item *items;       /* by cookie */
	size_t n_items, n_room;
	size_t n_left_out;
	char left_out[256]; /* the first one */
};

struct refs_listing *refs_listing_unref(struct refs_listing *l)
{
	if (!l || !refs_drop(&l->refs))
		return NULL;
	for (size_t i = 0; i < l->n_items; i++)
		free(l->items[i].file);
	free(l->items);
	clone_refs_unref(l->names);
	free(l);
	return NULL;
}
DEFINE_CLEANUP(struct refs_listing *, refs_listing_unref);

static void leave_out(struct refs_listing *l, const char *name, size_t n)
{
	if (!l->n_left_out && n)
		snprintf(l->left_out, sizeof(l->left_out), "%.200s", name);
	l->n_left_out += n;
}

static void add_item(struct refs_listing *l, const struct refs_walk *w,
		     const struct buf *file)
{
	if (l->n_items == l->n_room) {
		l->n_room = l->n_room ? 2 * l->n_room : 64;
		l->items = xrealloc(l->items, l->n_room * sizeof(*l->items));
	}
	l->items[l->n_items++] = (struct item){
		.file = xmemdup0(file->data, file->len),
		.index = w->index,
		.n = w->n,
		.is = w->is,
	};
}

static const char *file_at(const void *listing, size_t i)
{
	return ((const struct refs_listing *)listing)->items[i].file;
}

/* Its items by their cookies. */
static void order(struct model *model, struct node *dir, struct refs_listing *l)
{
	cleanup(free) struct dirbook_entry *entries = NULL;
	struct item *ordered = xcalloc(l->n_items + 1, sizeof(*ordered));
	size_t n;

	dirbook_order(node_book(model->nodes, dir, true), l->n_items, file_at,
		      l, 0, &entries, &n);
	check(n == l->n_items);
	for (size_t i = 0; i < n; i++) {
		ordered[i] = l->items[entries[i].index];
		ordered[i].cookie = entries[i].cookie;
	}
	free(l->items);
	l->items = ordered;
}

/* names: the reference is taken. */
static struct refs_listing *listing_new(struct model *model, struct node *dir,
					enum clone_ref_kind kind,
					struct clone_refs *names)
{
	cleanup(buf_done) struct buf file = BUF_INIT(4 * KIB);
	struct refs_listing *l = xcalloc(1, sizeof(*l));
	const char *prefix = refs_prefix(dir);
	struct refs_walk w;

	refs_init(&l->refs);
	l->ino = dir->ino;
	l->kind = kind;
	l->names = names;
	refs_walk_begin(&w, names, kind, prefix);
	while (refs_walk_step(&w)) {
		if (refs_walk_name(&w)[w.n_prefix] == '.' ||
		    !refs_walk_file_name(&w, &file))
			leave_out(l, refs_walk_name(&w), 1);
		else
			add_item(l, &w, &file);
	}
	leave_out(l, w.skipped, w.n_skipped);
	order(model, dir, l);
	return l;
}

static struct refs_listing *known_listing(struct model *model,
					  const struct node *dir,
					  enum clone_ref_kind kind)
{
	struct refs_listing *l;

	mutex_lock(&model->lock);
	l = model->refs_listed;
	if (l && l->ino == dir->ino && l->kind == kind)
		refs_take(&l->refs);
	else
		l = NULL;
	mutex_unlock(&model->lock);
	return l;
}

/* l NULL: of this directory nothing is kept any more. */
static void keep_listing(struct model *model, const struct node *dir,
			 struct refs_listing *l)
{
	struct refs_listing *old = NULL;

	mutex_lock(&model->lock);
	if (l || (model->refs_listed && model->refs_listed->ino == dir->ino)) {
		old = model->refs_listed;
		model->refs_listed = l;
		if (l)
			refs_take(&l->refs);
	}
	mutex_unlock(&model->lock);
	refs_listing_unref(old);
}

/* ---- what is not shown ---- */

static void say(struct model *model, const struct node *dir, const char *name,
		int errnum, const char *sentence)
{
	cleanup(buf_done) struct buf path = BUF_INIT(64 * KIB);

	node_path(dir, &path);
	if (name)
		buf_printf(&path, "/%s", name);
	model_say(model, path.data, errnum, sentence);
}

static void say_left_out(struct model *model, const struct node *dir,
			 const struct refs_listing *l)
{
	char sentence[512];

	if (l->n_left_out) {
		snprintf(sentence, sizeof(sentence),
			 "%zu names cannot be shown here, of which the first "
			 "is %s",
			 l->n_left_out, l->left_out);
		say(model, dir, NULL, EILSEQ, sentence);
	}
	if (l->names->n_left_out && dir->what.provider != &provider_refs) {
		snprintf(sentence, sizeof(sentence),
			 "%zu refs of the repository are left out, of which "
			 "the first is %s",
			 l->names->n_left_out, l->names->left_out);
		say(model, dir, NULL, EILSEQ, sentence);
	}
}

/* ---- listing ---- */

/* The listing from the start, or for a later piece the one of the piece
 * before. */
static int get_listing(struct ctx *ctx, struct model *model, struct node *dir,
		       enum clone_ref_kind kind, bool again,
		       struct refs_listing **ret_listing)
{
	struct refs_listing *l = again ? known_listing(model, dir, kind) : NULL;
	struct clone_refs *names = NULL;
	int r;

	if (!l) {
		r = refs_ensure(ctx, model, refs_top(dir), kind, &names);
		if (r < 0)
			return r;
		l = listing_new(model, dir, kind, names);
		keep_listing(model, dir, l);
	}
	*ret_listing = l;
	return 0;
}

/* The first with a cookie beyond. */
static size_t seek(const struct refs_listing *l, uint64_t after)
{
	size_t low = 0, high = l->n_items;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (l->items[middle].cookie <= after)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

int refs_list(struct ctx *ctx, struct model *model, struct node *dir,
	      enum clone_ref_kind kind, uint64_t after, bool plus,
	      provider_emit *emit, void *arg)
{
	cleanup(refs_listing_unref) struct refs_listing *l = NULL;
	struct found found;
	size_t i;
	bool none;
	int r = get_listing(ctx, model, dir, kind, after > 0, &l);

	(void)plus;
	if (r < 0)
		return r;
	if (after == 0)
		say_left_out(model, dir, l);
	for (i = seek(l, after); i < l->n_items; i++) {
		const struct item *item = &l->items[i];
		const struct refs_walk w = {
			.refs = l->names,
			.kind = kind,
			.is = item->is,
			.index = item->index,
			.n = item->n,
		};

		r = refs_found(model, dir, &w, &found, &none);
		if (r < 0)
			return r;
		if (none)
			say(model, dir, item->file, ENOTDIR,
			    "this tag leads to a file, not to a commit: it is "
			    "left out");
		else if (!emit(arg, item->file, item->cookie, S_IFDIR, &found))
			break;
	}
	if (i == l->n_items)
		keep_listing(model, dir, NULL);
	return 0;
}
