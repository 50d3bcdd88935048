/*
 * model/git/refs_watch: the names in branches/ and tags/ kept up to date while
 * a program looks: as for a tree, the kernel is promised them for an hour, the
 * list is asked for again once per ttl, and the kernel is told of what changed.
 *
 * A watch exists from the first look inside until an hour after the last one.
 * It holds the list that the kernel was last told of (`shown`): each newer list
 * is compared with that, so no difference is left out between the two.
 */
#include "model/compare.h"
#include "model/git/checkout.h"
#include "model/repository.h"
#include "model/git/refs.h"

#include "base/clock.h"

static const struct refresh_watching refs_watching;

struct refs_watch {
	struct refcount refcount;
	struct node *top; /* a reference */
	enum clone_ref_kind kind;
	struct clone *clone; /* a reference */
	/* monotonic: the last look, the last question */
	_Atomic int64_t heard_ms, asked_ms;
	/* wall: when the server gave the answer that is shown */
	_Atomic int64_t seen_ms;
	/* how often the background has asked since heard_ms */
	_Atomic unsigned n_quiet;
	/* Under model->lock: */
	struct clone_refs *shown;
	struct refs_watch *next;
};

static struct refs_watch *watch_free(struct model *model, struct refs_watch *w)
{
	if (!w || !refcount_drop(&w->refcount))
		return NULL;
	clone_refs_unref(w->shown);
	clone_unref(w->clone);
	node_unref(model->nodes, w->top);
	free(w);
	return NULL;
}

static struct refs_watch *watch_find(struct model *model,
				     const struct node *top)
{
	struct refs_watch *w;

	mutex_lock(&model->lock);
	LL_SEARCH_SCALAR(model->refs_watches, w, top, top);
	if (w)
		refcount_take(&w->refcount);
	mutex_unlock(&model->lock);
	return w;
}

/* Finds or makes the watch; *ret_watch is a reference. */
static int watch_get(struct model *model, struct node *top,
		     enum clone_ref_kind kind, struct refs_watch **ret_watch)
{
	struct refs_watch *w = watch_find(model, top), *fresh;
	struct clone *clone = NULL;
	int r = 0;

	if (!w)
		r = repository_clone(model, top, &clone);
	if (w || r < 0) {
		*ret_watch = w;
		return r;
	}
	fresh = xcalloc(1, sizeof(*fresh));
	refcount_init(&fresh->refcount);
	fresh->top = node_ref(model->nodes, top);
	fresh->kind = kind;
	fresh->clone = clone;
	mutex_lock(&model->lock);
	LL_SEARCH_SCALAR(model->refs_watches, w, top, top);
	if (!w) {
		LL_PREPEND(model->refs_watches, fresh);
		w = steal(&fresh);
	}
	refcount_take(&w->refcount);
	mutex_unlock(&model->lock);
	watch_free(model, fresh);
	*ret_watch = w;
	return 0;
}

bool refs_is_shown(struct model *model, struct node *top)
{
	struct refs_watch *w = watch_find(model, top);

	watch_free(model, w);
	return w || node_book(model->nodes, top, false);
}

int refs_known(struct model *model, struct node *top,
	       struct clone_refs **ret_refs)
{
	struct clone *clone = NULL;
	int r = repository_clone(model, top, &clone);

	if (r >= 0)
		r = clone_known_refs(clone, ret_refs);
	clone_unref(clone);
	return r;
}

/* ---- telling the kernel ---- */

/* The end of the part of a name that begins at `from`. */
static size_t part_end(const char *name, size_t from)
{
	const char *slash = strchr(name + from, '/');

	return slash ? (size_t)(slash - name) : strlen(name);
}

/* A name came or went: tells of each part of its path that is something else
 * now (a ref, a directory, or nothing). */
static void tell_name(struct model *model, const struct refs_watch *w,
		      const struct clone_refs *before,
		      const struct clone_refs *after, const char *name)
{
	struct node *dir = node_ref(model->nodes, w->top), *child;
	size_t from = 0, end, index;

	while (dir) {
		cleanup(buf_done) struct buf file = BUF_INIT(4 * KIB);
		enum refs_is was, is;

		end = part_end(name, from);
		was = refs_find(before, w->kind, name, end, &index);
		is = refs_find(after, w->kind, name, end, &index);
		refs_file_name(&file, name + from, end - from, !from);
		if (was != is) {
			model_drop_child(model, dir, file.data);
			model_changed_inode(model, dir, true);
		}
		child = was == is && is == REFS_DIRECTORY
				? node_child(model->nodes, dir, file.data)
				: NULL;
		node_unref(model->nodes, dir);
		dir = child;
		from = end + 1;
	}
}

static size_t tell_names(struct model *model, const struct refs_watch *w,
			 const struct clone_refs *before,
			 const struct clone_refs *after, struct buf *said)
{
	struct compare compare = {
		.before = COMPARE_SIDE(before->names[w->kind],
				       before->n_names[w->kind]),
		.after = COMPARE_SIDE(after->names[w->kind],
				      after->n_names[w->kind]),
	};
	struct compare_pair pair;
	size_t n_changes = 0;

	while (compare_next(&compare, &pair)) {
		if (pair.how == COMPARE_BOTH)
			continue;
		n_changes++;
		provider_say(said, "%s: %s\n", pair.name,
			     compare_word(pair.how));
		tell_name(model, w, before, after, pair.name);
	}

	return n_changes;
}

struct below {
	struct model *model;
	const struct node *top;
};

static void outdated(void *arg, struct node *dir)
{
	const struct below *below = arg;

	if (refs_top(dir) == below->top)
		model_changed_inode(below->model, dir, true);
}

/* Tells the kernel what differs from the list that it was told of before, and
 * makes this the one to compare with. The swap is one critical section: of two
 * that race, the second compares with the first one's list. */
static size_t show(struct model *model, struct refs_watch *w,
		   struct clone_refs *refs, struct buf *said)
{
	struct below below = {model, w->top};
	struct clone_refs *before;
	size_t n = 0;

	mutex_lock(&model->lock);
	before = w->shown;
	w->shown = clone_refs_ref(refs);
	mutex_unlock(&model->lock);
	if (before && before != refs) {
		n = tell_names(model, w, before, refs, said);
	} else if (!before && node_book(model->nodes, w->top, false)) {
		/* The last watch ended, and its list with it, but the kernel
		 * may have listings of that time: all of them are outdated. */
		model_changed_inode(model, w->top, true);
		node_each(model->nodes, &provider_refs, outdated, &below);
	}
	clone_refs_unref(before);
	return n;
}

/* ---- up to date ---- */

static int ask(struct ctx *ctx, struct model *model, struct refs_watch *w,
	       int64_t max_age_ms, struct clone_refs **ret_refs)
{
	int64_t began = clock_mono_ms(), checked;
	int r;

	atomic_store(&w->asked_ms, began);
	r = clone_get_refs(ctx, w->clone, max_age_ms, ret_refs);
	checkout_tell_renamed(model, w->top, w->clone);
	checked = clone_refs_checked_ms(w->clone);
	atomic_store(&w->seen_ms, checked);
	atomic_store(&w->asked_ms,
		     refresh_asked_ms(began, checked, max_age_ms));
	return r;
}

static int ensure(struct ctx *ctx, struct model *model, struct refs_watch *w,
		  struct clone_refs **ret_refs)
{
	int64_t now = clock_mono_ms(), old;
	int64_t heard = atomic_exchange(&w->heard_ms, now);
	struct clone_refs *refs = NULL;
	bool shown;
	int r;

	/* The background asks more and more rarely for names that nobody looks
	 * at. From now on it asks once per ttl again. */
	if (atomic_exchange(&w->n_quiet, 0) > 0)
		refresh_watch(model->refresh, w->top, &refs_watching);
	mutex_lock(&model->lock);
	shown = w->shown;
	mutex_unlock(&model->lock);
	r = clone_known_refs(w->clone, &refs);
	if (r == 0 && (!shown || now - heard >= FOREVER_MS)) {
		clone_refs_unref(steal(&refs));
		old = ctx_narrow(ctx, CHECKOUT_WAIT_MS);
		r = ask(ctx, model, w, model->config.ttl_ms, &refs);
		ctx_widen(ctx, old);
		/* The question goes on in the background: without this, its
		 * answer would be looked for only after a pause. */
		if (r == -ETIMEDOUT)
			atomic_store(&w->asked_ms, 0);
		if (r < 0 && !atomic_load(&ctx->cancelled))
			r = clone_known_refs(w->clone, &refs);
	} else if (r < 0) {
		r = ask(ctx, model, w, model->config.ttl_ms, &refs);
	}
	if (r < 0)
		return r;
	if (!shown || now - heard >= FOREVER_MS) {
		show(model, w, refs, NULL);
		refresh_watch(model->refresh, w->top, &refs_watching);
	}
	*ret_refs = refs;
	return 0;
}

int refs_ensure(struct ctx *ctx, struct model *model, struct node *top,
		enum clone_ref_kind kind, struct clone_refs **ret_refs)
{
	struct refs_watch *w = NULL;
	int r = watch_get(model, top, kind, &w);

	if (r < 0)
		return r;
	r = ensure(ctx, model, w, ret_refs);
	watch_free(model, w);
	return r;
}

static int64_t watch_due_ms(struct model *model, struct node *top)
{
	struct refs_watch *w = watch_find(model, top);
	int64_t now = clock_mono_ms(), due = INT64_MAX;

	if (!w)
		return due;
	if (now - atomic_load(&w->heard_ms) < FOREVER_MS &&
	    node_is_linked(model->nodes, top)) {
		due = atomic_load(&w->asked_ms) +
		      refresh_pause_ms(model, atomic_load(&w->n_quiet)) - now;
		/* Due now, too, if another watch asked: one answer is for all
		 * refs of the repository. */
		if (due < 0 ||
		    clone_refs_checked_ms(w->clone) != atomic_load(&w->seen_ms))
			due = 0;
	}
	watch_free(model, w);
	return due;
}

int refs_check(struct ctx *ctx, struct model *model, struct node *top,
	       int64_t max_age_ms, struct buf *said)
{
	cleanup(clone_refs_unref) struct clone_refs *refs = NULL;
	struct refs_watch *w = watch_find(model, top);
	unsigned n_quiet = 0;
	size_t n;
	int r = 0;

	if (!w)
		return 0;
	if (ctx->who == CTX_REFRESH)
		n_quiet = atomic_fetch_add(&w->n_quiet, 1);
	if (max_age_ms == REFRESH_POLL)
		max_age_ms = refresh_age_ms(model, n_quiet);
	r = ask(ctx, model, w, max_age_ms, &refs);
	if (r >= 0) {
		n = show(model, w, refs, said);
		if (said)
			buf_printf(said, "%s: %zu, %zu changed\n", top->name,
				   refs->n_names[w->kind], n);
	}
	watch_free(model, w);
	return r;
}

static void watch_expire(struct model *model, struct node *top)
{
	struct refs_watch *w = watch_find(model, top);

	if (w) {
		atomic_store(&w->n_quiet, 0);
		atomic_store(&w->asked_ms, 0);
		watch_free(model, w);
	}
}

/* Ends the watch of a directory; NULL: all watches. */
static void forget(struct model *model, struct node *top)
{
	struct refs_watch *w, *next, *gone = NULL;

	mutex_lock(&model->lock);
	LL_FOREACH_SAFE (model->refs_watches, w, next) {
		if (top && w->top != top)
			continue;
		LL_DELETE(model->refs_watches, w);
		LL_PREPEND(gone, w);
	}
	mutex_unlock(&model->lock);
	LL_FOREACH_SAFE (gone, w, next) {
		watch_free(model, w);
	}
}

static int watch_check(struct ctx *ctx, struct model *model, struct node *top,
		       int64_t max_age_ms)
{
	return refs_check(ctx, model, top, max_age_ms, NULL);
}

static const struct refresh_watching refs_watching = {
	.due_ms = watch_due_ms,
	.ask = watch_check,
	.expire = watch_expire,
	.end = forget,
};

void refs_end(struct model *model)
{
	forget(model, NULL);
}
