/*
 * model/git/refs_list: the names of a directory of branches or of tags.
 *
 * A repository can have a hundred thousand branches: the names are made only
 * when the list of refs is another one than the newest listing's.
 */
#include "model/git/refs.h"

#include "model/git/checkout.h"

/* The pin of a listing. */
struct refs_names {
	enum clone_ref_kind kind;
	struct clone_refs *refs; /* a reference */
	size_t n_left_out;
	char left_out[256]; /* the first one */
};

void refs_names_free(void *data)
{
	struct refs_names *l = data;

	if (!l)
		return;
	clone_refs_unref(l->refs);
	free(l);
}

static void leave_out(struct refs_names *l, const char *name, size_t n)
{
	if (!l->n_left_out && n)
		snprintf(l->left_out, sizeof(l->left_out), "%.200s", name);
	l->n_left_out += n;
}

/* The name of a ref is the list's own where nothing of it is escaped. */
static void add_name(struct dirlist *l, const struct refs_iter *w,
		     const struct buf *file, unsigned tag)
{
	const char *own = refs_iter_name(w) + w->n_prefix;

	if (w->is == REFS_LEAF && strcmp(own, file->data) == 0)
		dirlist_add(l, own, 0, S_IFDIR, tag);
	else
		dirlist_add_taken(l, mem_dup0(file->data, file->len), 0,
				  S_IFDIR, tag);
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
			 const struct refs_names *l)
{
	char sentence[512];

	if (l->n_left_out) {
		snprintf(sentence, sizeof(sentence),
			 "%zu names cannot be shown here, of which the first "
			 "is %s",
			 l->n_left_out, l->left_out);
		say(model, dir, NULL, EILSEQ, sentence);
	}
	if (l->refs->n_left_out && dir->provider != &provider_refs) {
		snprintf(sentence, sizeof(sentence),
			 "%zu refs of the repository are left out, of which "
			 "the first is %s",
			 l->refs->n_left_out, l->refs->left_out);
		say(model, dir, NULL, EILSEQ, sentence);
	}
}

/* ---- listing ---- */

/* Whether a tag is known to lead to a file; a problem is recorded then. */
static bool is_no_tree(struct model *model, struct node *dir,
		       const struct refs_iter *w, const char *file)
{
	if (!refs_is_no_tree(model, dir, w))
		return false;
	say(model, dir, file, ENOTDIR,
	    "this tag leads to a file, not to a commit: it is left out");
	return true;
}

/* refs: the reference is taken. */
static struct refs_names *names_new(struct model *model, struct node *dir,
				    enum clone_ref_kind kind,
				    struct clone_refs *refs, unsigned tag,
				    uint64_t base, struct dirlist *l)
{
	cleanup(buf_done) struct buf file = BUF_INIT(4 * KIB);
	struct refs_names *names = mem_calloc(1, sizeof(*names));
	size_t first = l->n_names;
	struct refs_iter w;

	names->kind = kind;
	names->refs = refs;
	refs_iter_begin(&w, refs, kind, refs_prefix(dir));
	while (refs_iter_step(&w)) {
		if (refs_iter_name(&w)[w.n_prefix] == '.' ||
		    !refs_iter_file_name(&w, &file)) {
			leave_out(names, refs_iter_name(&w), 1);
		} else if (!is_no_tree(model, dir, &w, file.data)) {
			add_name(l, &w, &file, tag);
		}
	}
	leave_out(names, w.skipped, w.n_skipped);
	say_left_out(model, dir, names);
	dirlist_number(l, first, node_book(model->nodes, dir, true), base);
	l->n_bytes += sizeof(*names) + refs->n_bytes_private;
	return names;
}

int refs_open(struct ctx *ctx, struct model *model, struct node *dir,
	      enum clone_ref_kind kind, const struct refs_names *newest,
	      unsigned tag, uint64_t base, struct dirlist *l,
	      struct refs_names **ret_names)
{
	struct clone_refs *refs = NULL;
	int r = refs_ensure(ctx, model, refs_top(dir), kind, &refs);

	if (r < 0)
		return r;
	if (newest && newest->refs == refs) {
		clone_refs_unref(refs);
		return 1;
	}
	*ret_names = names_new(model, dir, kind, refs, tag, base, l);
	return 0;
}
