/*
 * model/git/checkout: a directory that shows the files of a ref, and moves
 * forward with it, or of one commit.
 *
 * Moving compares the two trees only where the kernel knows nodes: directories
 * keep their inode and take their new object; changed and vanished names are
 * unlinked and told; names that appeared are told too, because the kernel may
 * remember that they were not there.
 */
#include "model/git/checkout.h"
#include "model/repository.h"

#include "base/clock.h"

/* move_dir is a recursion, and a thread's stack is small. */
#define MAX_DEPTH 256

static const struct refresh_watching checkout_watching;

int checkout_new(struct model *model, struct node *repository, const char *ref,
		 struct fixed_commit *fixed, struct checkout **ret_view)
{
	struct checkout *view;
	struct clone *clone = NULL;
	int r = repository_clone(model, repository, &clone);

	if (r < 0) {
		checkout_fixed_free(fixed);
		return r;
	}
	view = mem_calloc(1, sizeof(*view));
	view->clone = clone;
	view->ref = ref ? mem_strdup(ref) : NULL;
	view->fixed = fixed;
	mutex_init(&view->lock);
	*ret_view = view;
	return 0;
}

static void view_free(struct checkout *view)
{
	clone_unref(view->clone);
	checkout_fixed_free(view->fixed);
	free(view->ref);
	mutex_done(&view->lock);
	free(view);
}

void checkout_free_data(void *data)
{
	view_free(data);
}

/* Whether both follow the same ref, or show the same commit. */
bool checkout_same(const struct node_what *a, const struct node_what *b)
{
	const struct checkout *x = a->data, *y = b->data;

	if (!x->fixed != !y->fixed || !x->ref != !y->ref)
		return false;
	if (x->fixed)
		return checkout_fixed_same(x->fixed, y->fixed);
	return !x->ref || strcmp(x->ref, y->ref) == 0;
}

uint64_t checkout_hash(const struct node_what *what, uint64_t seed)
{
	const struct checkout *view = what->data;

	return view->fixed ? checkout_fixed_hash(view->fixed, seed) : seed;
}

void checkout_found(struct checkout *view, int64_t mtime_ms, int64_t left_ms,
		    struct found *ret_found)
{
	*ret_found = (struct found){
		.what =
			{
				.provider = &provider_tree,
				.mode = NODE_DIRECTORY,
				.mtime_ms = mtime_ms,
				.view = view,
				.data = view,
			},
		.left_ms = left_ms,
	};
}

/* The tracking ref of a checkout that follows one; made at the first look
 * inside. A listing of a thousand branches makes a thousand checkouts, and most
 * of them are never looked into. */
static struct clone_tracking *line_of(struct checkout *view)
{
	struct clone_tracking *line = atomic_load(&view->line);

	if (!line) {
		line = clone_tracking(view->clone, view->ref);
		atomic_store(&view->line, line);
	}
	return line;
}

/* The background asks more and more rarely for a tree that nobody touches. From
 * now on it asks once per ttl again. */
static void wake(struct model *model, struct node *tree)
{
	if (atomic_exchange(&tree->what.view->n_quiet, 0) > 0)
		refresh_watch(model->refresh, tree, &checkout_watching);
}

void checkout_heard(struct model *model, struct node *node)
{
	struct checkout *view = node->what.view;
	int64_t now = clock_mono_ms();

	/* After an hour without a look the tree is no longer followed; only a
	 * look inside (checkout_ensure) begins that anew. */
	if (now - atomic_load(&view->heard_ms) >= LONGEST_MS)
		return;
	atomic_store(&view->heard_ms, now);
	if (!atomic_load(&view->n_quiet))
		return;
	while (node->what.provider != &provider_tree)
		node = node->parent;
	wake(model, node);
}

int64_t checkout_path_time_ms(const struct checkout *view,
			      const struct node *dir, const struct node *tree,
			      const char *name, const struct oid *oid)
{
	struct clone_tracking *line = atomic_load(&view->line);
	struct buf path = BUF_INIT(64 * KIB);
	int64_t time_s;

	if (view->fixed)
		return atomic_load(&view->time_s) * 1000;
	/* Otherwise each name of a listing would be made a path for nothing. */
	if (clone_has_path_times(line, &time_s)) {
		node_path_below(dir, tree, &path);
		if (name)
			buf_printf(&path, "%s%s", path.len ? "/" : "", name);
		time_s = clone_path_time(line, path.data ? path.data : "", oid);
		buf_done(&path);
	}
	return time_s * 1000;
}

/* ---- moving what the kernel knows ---- */

struct mover {
	struct model *model;
	struct checkout *view;
	struct node *tree;
	unsigned depth;
};

static const char *entry_name(const void *names, size_t i)
{
	return ((const struct tree_list *)names)->entries[i].name;
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

static void move_name(struct mover *mover, struct node *dir,
		      const struct tree_entry *was, const struct tree_entry *is)
{
	struct model *model = mover->model;
	struct node *child;
	struct oid from, to;

	if (was && is && was->kind == is->kind &&
	    oid_equal(&was->oid, &is->oid))
		return;
	if (!was || !is || !is_dir(was) || !is_dir(is) ||
	    mover->depth == MAX_DEPTH) {
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
		const struct tree_entry *was = &before->entries[i];

		move_name(mover, dir, was,
			  after ? tree_list_find(after, was->name) : NULL);
	}
	for (size_t i = 0; after && i < after->n_entries; i++) {
		const struct tree_entry *is = &after->entries[i];

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
}

static int read_or_empty(struct checkout *view, const struct oid *oid,
			 struct tree_list **ret_list)
{
	*ret_list = NULL;
	return oid_is_none(oid)
		       ? 0
		       /* No ctx: a cancelled caller must not leave half a move.
			*/
		       : clone_read_tree(NULL, view->clone, oid, ret_list);
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
	r = read_or_empty(mover->view, to, &after);
	if (r < 0)
		return r;
	/* The store of the old commit may have been deleted. */
	lost = read_or_empty(mover->view, from, &before) < 0;
	if (lost)
		before = NULL;
	begin_book(model, dir, before);
	mtime_ms =
		checkout_path_time_ms(mover->view, dir, mover->tree, NULL, to);
	node_move(model->nodes, dir, from, to, mtime_ms);
	mover->depth++;
	move_names(mover, dir, before, after);
	mover->depth--;
	if (lost)
		drop_unlisted(mover, dir, after);
	model_changed_inode(model, dir, true);
	return 0;
}

static int known(struct checkout *view, struct clone_head *head)
{
	struct oid id;

	if (!view->fixed)
		return clone_tracking_known(line_of(view), head);
	if (!checkout_fixed_known_id(view, &id))
		return -ENOENT;
	return clone_known_commit(view->clone, &id, head);
}

/*
 * Moves the directory to the newest head that is known.
 *
 * 1. A asks for the ref, and is told commit 1.
 * 2. Somebody pushes. B asks, is told commit 2, and shows it.
 * 3. A, which was delayed, shows commit 1: the kernel goes back to old files,
 *    and keeps them until the next push, because no later answer differs from
 *    2.
 *
 * So one thread tells at a time (model/listed), and reads which head to show
 * only in its turn, from the tracking ref (known), which has the newest answer,
 * and not from its own answer. What was told is the node's object.
 */
static int show_known(struct model *model, struct node *tree, bool *ret_moved)
{
	struct checkout *view = tree->what.view;
	struct listed *listed = node_listed(model->nodes, tree, true);
	struct mover mover = {model, view, tree, 0};
	struct clone_head head;
	struct oid from, to;
	bool first, moved = false;
	int r;

	(void)listed_tell_begin(listed);
	mutex_lock(&view->lock);
	first = !view->have;
	mutex_unlock(&view->lock);

	r = known(view, &head);
	if (r == 0) {
		from = node_oid(model->nodes, tree);
		to = head.empty ? oid_none : head.tree;
		moved = !first && !oid_equal(&from, &to);
		atomic_store(&view->time_s, head.time_s);
		/* The first head is not told to the kernel: the program that
		 * just came here would see its directory change under it. */
		if (first)
			node_move(model->nodes, tree, &from, &to,
				  checkout_path_time_ms(view, tree, tree, NULL,
							&to));
		else
			r = move_dir(&mover, tree, &from, &to);
	}

	mutex_lock(&view->lock);
	if (r == 0) {
		view->have = true;
		view->missing = false;
		view->head = head;
	}
	mutex_unlock(&view->lock);
	listed_tell_end(listed);
	if (r == 0 && ret_moved)
		*ret_moved = moved;
	return r;
}

/* The tag leads to a file: only looking inside could show that. Its name goes.
 */
static void leave_out(struct model *model, struct node *tree)
{
	model_drop_child(model, tree->parent, tree->name);
	model_changed_inode(model, tree->parent, true);
}

/* The default branch lost its last commit: whoever opens the directory is told
 * so by an error. Otherwise the kernel would answer from its copy of an earlier
 * listing, and nobody would be told. */
static void lose_branch(struct model *model, struct node *tree)
{
	struct checkout *view = tree->what.view;
	bool news;

	mutex_lock(&view->lock);
	news = view->have && !view->missing;
	view->missing = true;
	mutex_unlock(&view->lock);
	if (news)
		model_changed_inode(model, tree, true);
}

void checkout_tell_renamed(struct model *model, struct node *node,
			   struct clone *clone)
{
	const struct repository_data *d;
	struct node *repository = repository_above(node);

	if (!repository)
		return;
	d = repository_of(repository);
	if (clone_is_named(clone, d->workspace, d->repository.slug))
		return;
	refresh_node(model->refresh, repository->parent->parent);
	refresh_node(model->refresh, repository->parent);
}

/* One answer is for all refs of the repository: another watch asked. */
static bool has_news(struct checkout *view)
{
	return clone_tracking_checked_ms(line_of(view)) !=
	       atomic_load(&view->seen_ms);
}

int checkout_check(struct ctx *ctx, struct model *model, struct node *tree,
		   int64_t max_age_ms, bool *ret_moved)
{
	struct checkout *view = tree->what.view;
	int64_t began = clock_mono_ms(), checked;
	struct clone_head head;
	unsigned n_quiet = 0;
	bool news = !view->fixed && has_news(view);
	int r;

	atomic_store(&view->asked_ms, began);
	if (ctx->who == CTX_REFRESH)
		n_quiet = atomic_fetch_add(&view->n_quiet, 1);
	if (max_age_ms == REFRESH_POLL)
		max_age_ms = news ? REFRESH_NEWS_AGE_MS
				  : refresh_age_ms(model, n_quiet);
	if (view->fixed) {
		r = checkout_fixed_get(ctx, model, view, &head);
	} else {
		r = clone_tracking_get(ctx, line_of(view), max_age_ms, &head);
		checked = clone_tracking_checked_ms(line_of(view));
		atomic_store(&view->seen_ms, checked);
		atomic_store(&view->asked_ms,
			     refresh_asked_ms(began, checked, max_age_ms));
		checkout_tell_renamed(model, tree, view->clone);
		/* The ref is gone. Its name goes with the list of names
		 * (refs_watch); a program that stands here keeps its files. */
		if (r == -ENOENT && checkout_is_shown(tree) &&
		    clone_tracking_is_gone(line_of(view)))
			r = 0;
		if (r == -EIO && view->ref &&
		    clone_tracking_is_no_tree(line_of(view)))
			leave_out(model, tree);
		if (r == -ENODATA)
			lose_branch(model, tree);
	}
	if (r >= 0) {
		r = show_known(model, tree, ret_moved);
		if (r < 0 && r != -ENOENT)
			ctx_fail(ctx, r,
				 "The new commit's tree cannot be read from "
				 "the store: %s.",
				 model_why(r));
	}
	return r;
}

int checkout_ensure(struct ctx *ctx, struct model *model, struct node *tree)
{
	struct checkout *view = tree->what.view;
	int64_t now = clock_mono_ms(), old;
	int64_t heard = atomic_exchange(&view->heard_ms, now);
	struct clone_head head;
	bool have, expired;
	int r;

	if (atomic_load(&view->n_quiet))
		wake(model, tree);
	mutex_lock(&view->lock);
	have = view->have && !view->missing;
	expired = view->expired;
	view->expired = false;
	mutex_unlock(&view->lock);
	if (have && (view->fixed || (!expired && now - heard < LONGEST_MS)))
		return 0;
	if (view->fixed)
		return checkout_check(ctx, model, tree, 0, NULL);
	if (known(view, &head) < 0) {
		r = checkout_check(ctx, model, tree, model->config.ttl_ms,
				   NULL);
	} else {
		old = ctx_narrow(ctx, CHECKOUT_WAIT_MS);
		r = checkout_check(ctx, model, tree, model->config.ttl_ms,
				   NULL);
		ctx_widen(ctx, old);
		/* The question goes on in the background: without this, its
		 * answer would be looked for only after a pause. */
		if (r == -ETIMEDOUT)
			atomic_store(&view->asked_ms, 0);
		if (r < 0 && r != -ENODATA && !atomic_load(&ctx->cancelled))
			r = show_known(model, tree, NULL);
	}
	/* Also if this look was cancelled: heard_ms is renewed, so the next
	 * look will not ask, and without the watch nobody would. */
	if (r == 0 || have)
		refresh_watch(model->refresh, tree, &checkout_watching);
	return r;
}

static int64_t watch_due_ms(struct model *model, struct node *tree)
{
	struct checkout *view = tree->what.view;
	int64_t now = clock_mono_ms(), due;

	if (view->fixed || now - atomic_load(&view->heard_ms) >= LONGEST_MS ||
	    !node_is_linked(model->nodes, tree))
		return INT64_MAX;
	if (has_news(view))
		return 0;
	due = atomic_load(&view->asked_ms) +
	      refresh_pause_ms(model, atomic_load(&view->n_quiet)) - now;
	return due > 0 ? due : 0;
}

static void watch_expire(struct model *model, struct node *tree)
{
	struct checkout *view = tree->what.view;

	(void)model;
	atomic_store(&view->n_quiet, 0);
	atomic_store(&view->asked_ms, 0);
	mutex_lock(&view->lock);
	view->expired = true;
	mutex_unlock(&view->lock);
}

static int watch_check(struct ctx *ctx, struct model *model, struct node *tree,
		       int64_t max_age_ms)
{
	return checkout_check(ctx, model, tree, max_age_ms, NULL);
}

static const struct refresh_watching checkout_watching = {
	.due_ms = watch_due_ms,
	.ask = watch_check,
	.expire = watch_expire,
};

bool checkout_is_shown(struct node *tree)
{
	struct checkout *view = tree->what.view;
	bool have;

	mutex_lock(&view->lock);
	have = view->have;
	mutex_unlock(&view->lock);
	return have;
}

bool checkout_commit(struct node *tree, struct oid *ret_commit)
{
	struct checkout *view = tree->what.view;
	bool have;

	mutex_lock(&view->lock);
	have = view->have && !view->head.empty;
	if (have)
		*ret_commit = view->head.commit;
	mutex_unlock(&view->lock);
	return have;
}
