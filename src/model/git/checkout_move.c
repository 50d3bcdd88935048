/*
 * model/git/checkout, moving: another commit is shown.
 *
 * The two trees are compared only where the kernel knows nodes: directories
 * keep their inode and take their new object; changed and vanished names are
 * unlinked and told; names that appeared are told too, because the kernel may
 * remember that they were not there.
 */
#include "model/git/checkout.h"
#include "model/git/lfs.h"

/* move_dir is a recursion, and a thread's stack is small. */
#define MAX_DEPTH 256

struct mover {
	struct model *model;
	struct checkout *checkout;
	struct node *tree;
	unsigned depth;
	bool has_attributes; /* a .gitattributes changed */
};

static const char *entry_name(const void *names, size_t i)
{
	return tree_list_entry(names, i)->name;
}

/* Until its first change a directory's cookies are positions (checkout_files:
 * names_at). The book begins with the same ones, so that a reader in the middle
 * of the listing finds its place. */
static void begin_book(struct model *model, struct node *dir,
		       const struct tree_list *list)
{
	struct dirbook *book = node_book(model->nodes, dir, true);
	struct dirbook_entry *entries;
	size_t n;

	dirbook_order(book, list ? list->n_entries : 0, entry_name, list, 0,
		      &entries, &n);
	free(entries);
}

static int move_dir(struct mover *mover, struct node *dir,
		    const struct oid *from, const struct oid *to);

static bool is_dir(const struct tree_entry *e)
{
	return e->kind == TREE_DIRECTORY || e->kind == TREE_SUBMODULE;
}

/* A submodule is an empty directory, which has no object. */
static struct oid dir_oid(const struct tree_entry *e)
{
	return e->kind == TREE_DIRECTORY ? e->oid : (struct oid){{0}};
}

/* One with files, or a link to them: of another commit it is another one. */
static bool is_shown_submodule(const struct model *model,
			       const struct tree_entry *e)
{
	return e->kind == TREE_SUBMODULE &&
	       model->config.submodules != MODEL_SUBMODULES_OFF;
}

static void move_name(struct mover *mover, struct node *dir,
		      const struct tree_entry *was, const struct tree_entry *is)
{
	struct model *model = mover->model;
	struct node *child;
	struct oid from, to;

	if (was && is && was->kind == is->kind &&
	    oid_equal(&was->oid, &is->oid))
		return;
	if (strcmp(was ? was->name : is->name, CLONE_ATTRIBUTES) == 0)
		mover->has_attributes = true;
	if (!was || !is || !is_dir(was) || !is_dir(is) ||
	    mover->depth == MAX_DEPTH || is_shown_submodule(model, was) ||
	    is_shown_submodule(model, is)) {
		model_drop_child(model, dir, was ? was->name : is->name);
		return;
	}
	child = node_child(model->nodes, dir, is->name);
	if (!child)
		return;
	/* The child's own object, not the one that the old list names. A reader
	 * may have looked the child up in the new list since node_move gave its
	 * directory the new object: then the child has moved already. */
	from = node_oid(model->nodes, child);
	to = dir_oid(is);
	/* A child that cannot be read is dropped alone: the lookup that follows
	 * says why. If the move stopped here, its neighbours would keep what
	 * they have for ever, because their directory has moved already. */
	if (move_dir(mover, child, &from, &to) < 0)
		model_drop_child(model, dir, is->name);
	node_unref(model->nodes, child);
}

/* Each name of either list once, found by look-up. Not by merging: git sorts
 * directories as if their names ended in a slash, and a hostile tree is not
 * sorted at all. */
static void move_names(struct mover *mover, struct node *dir,
		       const struct tree_list *before,
		       const struct tree_list *after)
{
	for (size_t i = 0; before && i < before->n_entries; i++) {
		const struct tree_entry *was = tree_list_entry(before, i);

		move_name(mover, dir, was,
			  after ? tree_list_find(after, was->name) : NULL);
	}
	for (size_t i = 0; after && i < after->n_entries; i++) {
		const struct tree_entry *is = tree_list_entry(after, i);

		if (!before || !tree_list_find(before, is->name))
			move_name(mover, dir, NULL, is);
	}
}

struct rest {
	struct model *model;
	const struct node *dir;
	const struct tree_list *after;
};

static void drop_rest(void *arg, struct node *node)
{
	const struct rest *rest = arg;

	if (node->parent == rest->dir &&
	    node_is_linked(rest->model->nodes, node) &&
	    !(rest->after && tree_list_find(rest->after, node->name)))
		model_drop_child(rest->model, node->parent, node->name);
}

/* The old list is lost: nobody can say which of its names are not in the new
 * one, so every name that the kernel knows here is dropped unless the new list
 * has it. Otherwise a deleted file would be there until the kernel's hour is
 * over. */
static void drop_unlisted(struct mover *mover, struct node *dir,
			  const struct tree_list *after)
{
	struct rest rest = {mover->model, dir, after};

	node_each(mover->model->nodes, &provider_git, drop_rest, &rest);
	node_each(mover->model->nodes, &provider_lfs, drop_rest, &rest);
	node_each(mover->model->nodes, &provider_tree, drop_rest, &rest);
}

static int read_or_empty(struct checkout *checkout, const struct oid *oid,
			 struct tree_list **ret_list)
{
	*ret_list = NULL;
	return oid_is_none(oid)
		       ? 0
		       /* No ctx: a cancelled caller must not leave half a move.
			*/
		       : clone_read_tree(NULL, checkout->clone, oid, ret_list);
}

static int move_dir(struct mover *mover, struct node *dir,
		    const struct oid *from, const struct oid *to)
{
	cleanup(tree_list_unref) struct tree_list *before = NULL, *after = NULL;
	struct model *model = mover->model;
	int64_t mtime_ms;
	bool lost;
	int r;

	if (oid_equal(from, to))
		return 0;
	r = read_or_empty(mover->checkout, to, &after);
	if (r < 0)
		return r;
	/* The store of the old commit may have been deleted. */
	lost = read_or_empty(mover->checkout, from, &before) < 0;
	if (lost)
		before = NULL;
	begin_book(model, dir, before);
	mtime_ms = checkout_path_time_ms(mover->checkout, dir, mover->tree,
					 NULL, to);
	node_move(model->nodes, dir, from, to, mtime_ms);
	mover->depth++;
	move_names(mover, dir, before, after);
	mover->depth--;
	if (lost)
		drop_unlisted(mover, dir, after);
	model_changed_inode(model, dir, true);
	return 0;
}

int checkout_move(struct model *model, struct node *tree,
		  const struct oid *from, const struct oid *to)
{
	struct mover mover = {model, node_checkout(tree), tree, 0, false};
	int r = move_dir(&mover, tree, from, to);

	if (mover.has_attributes)
		lfs_moved(model, tree, &provider_git);
	return r;
}
