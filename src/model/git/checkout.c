/*
 * model/git/checkout: a directory that shows the files of a ref, and moves
 * forward with it (checkout_move.c), or of one commit.
 *
 * Names in it are looked up and listed by checkout_files.c, which has both
 * providers: of tree/ itself (provider_tree) and of what is in it
 * (provider_git).
 */
#include "model/git/checkout.h"
#include "model/git/checkout_submodule.h"
#include "model/repository.h"

#include "base/clock.h"

static const struct refresh_watching checkout_watching;

static struct checkout *make(struct clone *clone, const char *ref,
			     struct fixed_commit *fixed)
{
	struct checkout *checkout = mem_calloc(1, sizeof(*checkout));

	checkout->clone = clone;
	checkout->ref = ref ? mem_strdup(ref) : NULL;
	checkout->fixed = fixed;
	mutex_init(&checkout->lock);
	return checkout;
}

int checkout_new(struct model *model, struct node *repository, const char *ref,
		 struct fixed_commit *fixed, struct checkout **ret_checkout)
{
	struct clone *clone = NULL;
	int r = repository_clone(model, repository, &clone);

	if (r < 0) {
		checkout_fixed_free(fixed);
		return r;
	}
	*ret_checkout = make(clone, ref, fixed);
	return 0;
}

struct checkout *checkout_new_submodule(const struct oid *commit,
					int64_t time_ms)
{
	struct checkout *checkout =
		make(NULL, NULL, checkout_fixed_new(commit));

	checkout->is_submodule = true;
	atomic_store(&checkout->time_s, time_ms / 1000);
	return checkout;
}

static void free_checkout(struct checkout *checkout)
{
	clone_unref(checkout->clone);
	checkout_fixed_free(checkout->fixed);
	clone_submodules_unref(checkout->submodules);
	free(checkout->ref);
	mutex_done(&checkout->lock);
	free(checkout);
}

void checkout_free_data(void *data)
{
	free_checkout(data);
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
	const struct checkout *checkout = what->data;

	return checkout->fixed ? checkout_fixed_hash(checkout->fixed, seed)
			       : seed;
}

void checkout_found(struct checkout *checkout, int64_t mtime_ms,
		    int64_t left_ms, struct found *ret_found)
{
	provider_found_dir(ret_found, &provider_tree, mtime_ms, left_ms,
			   checkout);
	ret_found->what.checkout = checkout;
}

/* The tracking ref of a checkout that follows one; made at the first look
 * inside. A listing of a thousand branches makes a thousand checkouts, and most
 * of them are never looked into. */
static struct clone_tracking *tracking_of(struct checkout *checkout)
{
	struct clone_tracking *tracking = atomic_load(&checkout->tracking);

	if (!tracking) {
		tracking = clone_tracking(checkout->clone, checkout->ref);
		atomic_store(&checkout->tracking, tracking);
	}
	return tracking;
}

/* The background asks more and more rarely for a tree that nobody touches. From
 * now on it asks once per ttl again. */
static void wake(struct model *model, struct node *tree)
{
	if (atomic_exchange(&node_checkout(tree)->n_quiet, 0) > 0)
		refresh_watch(model->refresh, tree, &checkout_watching);
}

static void hear(struct model *model, struct node *node)
{
	struct checkout *checkout = node_checkout(node);
	int64_t now = clock_mono_ms();

	/* After an hour without a look the tree is no longer followed; only a
	 * look inside (checkout_ensure) begins that anew. */
	if (now - atomic_load(&checkout->heard_ms) >= LONGEST_MS)
		return;
	atomic_store(&checkout->heard_ms, now);
	if (!atomic_load(&checkout->n_quiet))
		return;
	while (node->provider != &provider_tree)
		node = node->parent;
	wake(model, node);
}

/* Who is in a submodule is in the tree around it, too, whose next commit may
 * have another one in its place. */
void checkout_heard(struct model *model, struct node *node)
{
	hear(model, node);
	while (node_checkout(node)->is_submodule) {
		while (node->provider != &provider_tree)
			node = node->parent;
		node = node->parent;
		hear(model, node);
	}
}

int64_t checkout_path_time_ms(const struct checkout *checkout,
			      const struct node *dir, const struct node *tree,
			      const char *name, const struct oid *oid)
{
	struct clone_tracking *tracking = atomic_load(&checkout->tracking);
	struct buf path = BUF_INIT(64 * KIB);
	int64_t time_s;

	if (checkout->fixed)
		return atomic_load(&checkout->time_s) * 1000;
	/* Otherwise each name of a listing would be made a path for nothing. */
	if (clone_has_path_times(tracking, &time_s)) {
		node_path_below(dir, tree, &path);
		if (name)
			buf_printf(&path, "%s%s", path.len ? "/" : "", name);
		time_s = clone_path_time(tracking, path.data ? path.data : "",
					 oid);
		buf_done(&path);
	}
	return time_s * 1000;
}

static int known(struct checkout *checkout, struct clone_head *head)
{
	struct oid id;

	if (checkout->is_submodule)
		return checkout_submodule_known(checkout, head);
	if (!checkout->fixed)
		return clone_tracking_known(tracking_of(checkout), head);
	if (!checkout_fixed_known_id(checkout, &id))
		return -ENOENT;
	return clone_known_commit(checkout->clone, &id, head);
}

static void tell_moved(struct model *model, struct node *tree,
		       const struct clone_head *was,
		       const struct clone_head *is)
{
	cleanup(buf_done) struct buf path = BUF_INIT(64 * KIB);
	char a[41], b[41], what[80];

	node_path(tree, &path);
	snprintf(what, sizeof(what), "main branch moved, %.12s -> %.12s",
		 was->empty ? "empty" : oid_hex(&was->commit, a),
		 is->empty ? "empty" : oid_hex(&is->commit, b));
	if (!path.failed)
		events_add(model->events, path.data, what);
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
	struct checkout *checkout = node_checkout(tree);
	struct listed *listed = node_listed(model->nodes, tree, true);
	struct clone_head head, before;
	struct oid from, to;
	bool first, moved = false;
	int r;

	(void)listed_tell_begin(listed);
	first = !mutex_with(&checkout->lock, checkout->have);

	r = known(checkout, &head);
	if (r == 0) {
		from = node_oid(model->nodes, tree);
		to = head.empty ? oid_none : head.tree;
		moved = !first && !oid_equal(&from, &to);
		atomic_store(&checkout->time_s, head.time_s);
		/* The first head is not told to the kernel: the program that
		 * just came here would see its directory change under it. */
		if (first)
			node_move(model->nodes, tree, &from, &to,
				  checkout_path_time_ms(checkout, tree, tree,
							NULL, &to));
		else
			r = checkout_move(model, tree, &from, &to);
		atomic_store(&checkout->too_large, false);
		atomic_store(&checkout->hydrate_ms, 0);
		atomic_store(&checkout->lacks,
			     !head.empty && !clone_is_complete(checkout->clone,
							       &head.commit));
	}

	mutex_lock(&checkout->lock);
	before = checkout->head;
	if (r == 0) {
		checkout->have = true;
		checkout->missing = false;
		checkout->head = head;
	}
	mutex_unlock(&checkout->lock);
	listed_tell_end(listed);
	if (r == 0 && (first || moved))
		checkout_submodule_moved(model, tree, first ? NULL : &from,
					 &to);
	/* Of branches and tags refs_watch tells. */
	if (r == 0 && !first && !checkout->ref && !checkout->fixed &&
	    !oid_equal(&before.commit, &head.commit))
		tell_moved(model, tree, &before, &head);
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
	struct checkout *checkout = node_checkout(tree);
	bool news;

	mutex_lock(&checkout->lock);
	news = checkout->have && !checkout->missing;
	checkout->missing = true;
	mutex_unlock(&checkout->lock);
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
	if (clone_is_named(clone, d->dir.scope->workspace, d->slug))
		return;
	refresh_node(NULL, model->refresh, repository->parent->parent);
	refresh_node(NULL, model->refresh, repository->parent);
}

/* One answer is for all refs of the repository: another watch asked. */
static bool has_news(struct checkout *checkout)
{
	return clone_tracking_checked_ms(tracking_of(checkout)) !=
	       atomic_load(&checkout->seen_ms);
}

int checkout_check(struct ctx *ctx, struct model *model, struct node *tree,
		   int64_t max_age_ms, bool *ret_moved)
{
	struct checkout *checkout = node_checkout(tree);
	int64_t began = clock_mono_ms(), checked;
	struct clone_head head;
	unsigned n_quiet = 0;
	bool news = !checkout->fixed && has_news(checkout);
	int r;

	atomic_store(&checkout->asked_ms, began);
	if (ctx->who == CTX_REFRESH)
		n_quiet = atomic_fetch_add(&checkout->n_quiet, 1);
	if (max_age_ms == REFRESH_POLL)
		max_age_ms = news ? REFRESH_NEWS_AGE_MS
				  : refresh_age_ms(model, n_quiet);
	if (checkout->is_submodule) {
		r = checkout_submodule_get(ctx, model, tree, &head);
	} else if (checkout->fixed) {
		r = checkout_fixed_get(ctx, model, checkout, &head);
	} else {
		r = clone_tracking_get(ctx, tracking_of(checkout), max_age_ms,
				       &head);
		checked = clone_tracking_checked_ms(tracking_of(checkout));
		atomic_store(&checkout->seen_ms, checked);
		atomic_store(&checkout->asked_ms,
			     refresh_asked_ms(began, checked, max_age_ms));
		checkout_tell_renamed(model, tree, checkout->clone);
		/* The ref is gone. Its name goes with the list of names
		 * (refs_watch); a program that stands here keeps its files. */
		if (r == -ENOENT && checkout_is_shown(tree) &&
		    clone_tracking_is_gone(tracking_of(checkout)))
			r = 0;
		if (r == -EIO && checkout->ref &&
		    clone_tracking_is_no_tree(tracking_of(checkout)))
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

/* There is a head, and somebody asks whether it still is the newest. */
static bool is_followed(struct checkout *checkout)
{
	bool have;

	mutex_lock(&checkout->lock);
	have = checkout->have && !checkout->missing &&
	       (checkout->fixed || !checkout->expired);
	mutex_unlock(&checkout->lock);
	return have && (checkout->fixed ||
			clock_mono_ms() - atomic_load(&checkout->heard_ms) <
				LONGEST_MS);
}

/* For who may cause no request: what is here, and nobody asks for newer ones
 * from now on. Otherwise the trees of all repositories would be asked for once
 * per ttl for an hour after an indexer has come by. */
static int show_unfollowed(struct ctx *ctx, struct model *model,
			   struct node *tree, int refused)
{
	struct checkout *checkout = node_checkout(tree);
	int r;

	/* The next one who looks asks. */
	if (!checkout_is_shown(tree))
		atomic_store(&checkout->heard_ms, clock_mono_ms() - LONGEST_MS);
	if (checkout->is_submodule &&
	    checkout_submodule_enter(ctx, model, tree) < 0)
		return refused;
	r = show_known(model, tree, NULL);
	if (r < 0)
		return refused;
	ctx->sentence[0] = '\0';
	return 0;
}

int checkout_ensure(struct ctx *ctx, struct model *model, struct node *tree)
{
	struct checkout *checkout = node_checkout(tree);
	int64_t now = clock_mono_ms(), old, heard;
	struct clone_head head;
	bool have, expired;
	int r;

	if (!is_followed(checkout)) {
		r = ctx_may_ask(ctx);
		if (r < 0)
			return show_unfollowed(ctx, model, tree, r);
	}
	heard = atomic_exchange(&checkout->heard_ms, now);
	if (atomic_load(&checkout->n_quiet))
		wake(model, tree);
	if (checkout->is_submodule)
		checkout_heard(model, tree->parent);
	mutex_lock(&checkout->lock);
	have = checkout->have && !checkout->missing;
	expired = checkout->expired;
	checkout->expired = false;
	mutex_unlock(&checkout->lock);
	if (have && (checkout->fixed || (!expired && now - heard < LONGEST_MS)))
		return 0;
	if (checkout->fixed)
		return checkout_check(ctx, model, tree, 0, NULL);
	if (known(checkout, &head) < 0) {
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
			atomic_store(&checkout->asked_ms, 0);
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
	struct checkout *checkout = node_checkout(tree);
	int64_t now = clock_mono_ms(), due;

	if (checkout->fixed ||
	    now - atomic_load(&checkout->heard_ms) >= LONGEST_MS ||
	    !node_is_linked(model->nodes, tree))
		return INT64_MAX;
	if (has_news(checkout))
		return 0;
	due = atomic_load(&checkout->asked_ms) +
	      refresh_pause_ms(model, atomic_load(&checkout->n_quiet)) - now;
	return due > 0 ? due : 0;
}

static void watch_expire(struct model *, struct node *tree)
{
	struct checkout *checkout = node_checkout(tree);

	atomic_store(&checkout->n_quiet, 0);
	atomic_store(&checkout->asked_ms, 0);
	mutex_lock(&checkout->lock);
	checkout->expired = true;
	mutex_unlock(&checkout->lock);
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
	struct checkout *checkout = node_checkout(tree);

	return mutex_with(&checkout->lock, checkout->have);
}

bool checkout_commit(struct node *tree, struct oid *ret_commit)
{
	struct checkout *checkout = node_checkout(tree);
	bool have;

	mutex_lock(&checkout->lock);
	have = checkout->have && !checkout->head.empty;
	if (have)
		*ret_commit = checkout->head.commit;
	mutex_unlock(&checkout->lock);
	return have;
}

static struct walk_step step_of(struct ctx *ctx, struct model *model,
				const struct node *dir)
{
	struct walk_step step = {
		.tree = node_checkout(dir),
		.dir = dir->ino,
		.parent = dir->parent->ino,
		.now_ms = clock_mono_ms(),
	};

	budget_identify(model->config.budget, ctx->caller, &step.who);
	return step;
}

/* Nobody is looked at while all is here: that would cost each OPENDIR a look
 * into /proc. */
void checkout_opened(struct ctx *ctx, struct model *model, struct node *dir)
{
	struct walk_step step;

	if (!atomic_load(&node_checkout(dir)->lacks))
		return;
	step = step_of(ctx, model, dir);
	walk_opened(model->walks, &step);
	checkout_hydrate_note(ctx, model, dir, false);
}

enum walk_reach checkout_needs(struct ctx *ctx, struct model *model,
			       struct node *dir, struct oid *ret_top)
{
	struct walk_step step = step_of(ctx, model, dir);
	enum walk_reach reach;
	struct node *top;
	uint64_t ino;

	atomic_store(&node_checkout(dir)->lacks, true);
	checkout_hydrate_note(ctx, model, dir, true);
	reach = walk_needs(model->walks, &step, &ino);
	top = ino ? node_get(model->nodes, ino) : NULL;
	*ret_top = top ? node_oid(model->nodes, top) : oid_none;
	node_unref(model->nodes, top);
	return reach;
}

void checkout_brought(struct ctx *ctx, struct model *model,
		      const struct node *dir)
{
	struct walk_step step = step_of(ctx, model, dir);

	walk_brought(model->walks, &step);
}

/* Often enough for who evicts, and for nobody else. */
#define NOTE_EVERY_MS 1000

void checkout_note_read(struct node *tree)
{
	struct checkout *checkout = node_checkout(tree);
	int64_t now = clock_mono_ms();
	struct oid commit;

	if (now - atomic_load(&checkout->noted_ms) < NOTE_EVERY_MS ||
	    !checkout_commit(tree, &commit))
		return;
	atomic_store(&checkout->noted_ms, now);
	clone_note_read(checkout->clone, &commit);
}
