/*
 * model/git/refs_watch: the names in branches/ and tags/ kept up to date while
 * a program looks: as for a tree, the kernel is promised them for an hour, the
 * list is asked for again once per ttl, and the kernel is told of what changed.
 *
 * A watch exists from the first look inside until an hour after the last one.
 * The list that the kernel was last told of is in the directory's memory
 * (model/listed): each newer list is compared with that one. No name is
 * answered from a list that was not told: otherwise, if the name were gone from
 * the next list already, neither of the two that are compared would have it.
 */
#include "model/git/checkout.h"
#include "model/git/refs.h"
#include "model/repository.h"
#include "model/tell.h"

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
	struct refs_watch *next; /* under model->lock */
};

static struct refs_watch *watch_free(struct model *model, struct refs_watch *w)
{
	if (!w || !refcount_drop(&w->refcount))
		return NULL;
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

static struct refs_watch *watch_new(struct model *model, struct node *top,
				    enum clone_ref_kind kind,
				    struct clone *clone)
{
	struct refs_watch *w = mem_calloc(1, sizeof(*w));

	refcount_init(&w->refcount);
	w->top = node_ref(model->nodes, top);
	w->kind = kind;
	w->clone = clone;
	/* Nobody has looked within the hour: the first look asks. */
	atomic_store(&w->heard_ms, clock_mono_ms() - LONGEST_MS);
	return w;
}

/*
 * Notes a look in the watch of a directory, and returns a reference to it.
 * NULL: it has none; then `fresh` (may be NULL) becomes it. *ret_quiet_ms: how
 * long ago the look before was. One critical section, as in watch_end:
 * 1. The worker sees that nobody has looked for an hour.
 * 2. A program finds the watch.
 * 3. The worker ends the watch.
 * 4. The program notes its look in what is no longer a watch: it is shown names
 *    that nobody asks for again.
 */
static struct refs_watch *note_look(struct model *model, const struct node *top,
				    struct refs_watch **fresh,
				    int64_t *ret_quiet_ms)
{
	int64_t now = clock_mono_ms();
	struct refs_watch *w;

	mutex_lock(&model->lock);
	LL_SEARCH_SCALAR(model->refs_watches, w, top, top);
	if (!w && fresh) {
		LL_PREPEND(model->refs_watches, *fresh);
		w = steal(fresh);
	}
	if (w) {
		refcount_take(&w->refcount);
		*ret_quiet_ms = now - atomic_exchange(&w->heard_ms, now);
	}
	mutex_unlock(&model->lock);
	return w;
}

/* A program looks: *ret_watch is a reference. */
static int watch_look(struct model *model, struct node *top,
		      enum clone_ref_kind kind, struct refs_watch **ret_watch,
		      int64_t *ret_quiet_ms)
{
	struct refs_watch *fresh;
	struct clone *clone = NULL;
	int r;

	*ret_watch = note_look(model, top, NULL, ret_quiet_ms);
	if (*ret_watch)
		return 0;
	r = repository_clone(model, top, &clone);
	if (r < 0)
		return r;
	fresh = watch_new(model, top, kind, clone);
	*ret_watch = note_look(model, top, &fresh, ret_quiet_ms);
	watch_free(model, fresh);
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

/* The two lists that are compared. */
struct lists {
	enum clone_ref_kind kind;
	const struct clone_refs *before, *after;
};

/* A name came or went: tells of each part of its path that is something else
 * now (a ref, a directory, or nothing). Of a directory of refs on the way also
 * that its listing changed. */
static void tell_name(const struct tell *tell, const struct compare_pair *pair,
		      enum tell_change)
{
	struct model *model = tell->model;
	const struct lists *lists = tell->arg;
	struct node *dir = node_ref(model->nodes, tell->dir), *child;
	size_t from = 0, end, index;

	while (dir) {
		cleanup(buf_done) struct buf file = BUF_INIT(4 * KIB);
		enum refs_is was, is;

		end = part_end(pair->name, from);
		was = refs_find(lists->before, lists->kind, pair->name, end,
				&index);
		is = refs_find(lists->after, lists->kind, pair->name, end,
			       &index);
		refs_file_name(&file, pair->name + from, end - from, !from);
		if (was != is) {
			model_drop_child(model, dir, file.data);
			if (dir != tell->dir)
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

static const struct tell_how tell_names = {.name = tell_name};

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

static size_t tell_refs(struct model *model, const struct refs_watch *w,
			const struct clone_refs *before,
			const struct clone_refs *after, struct buf *said)
{
	const enum clone_ref_kind kind = w->kind;

	return tell_changes(&(struct tell){
		.model = model,
		.dir = w->top,
		.before = COMPARE_SIDE(before->names[kind],
				       before->n_names[kind]),
		.after = COMPARE_SIDE(after->names[kind], after->n_names[kind]),
		.how = &tell_names,
		.arg = &(struct lists){kind, before, after},
		.said = said,
	});
}

/* ---- events ---- */

static void ref_event(struct model *model, const struct refs_watch *w,
		      const char *name, const struct oid *was,
		      const struct oid *is)
{
	cleanup(buf_done) struct buf path = BUF_INIT(64 * KIB);
	cleanup(buf_done) struct buf what = BUF_INIT(KIB);
	const char *kind = w->kind == CLONE_BRANCHES ? "branch" : "tag";
	char a[41], b[41];

	node_path(w->top, &path);
	for (bool top = true;; top = false) {
		size_t n = strcspn(name, "/");

		buf_putc(&path, '/');
		refs_file_name(&path, name, n, top);
		if (!name[n])
			break;
		name += n + 1;
	}
	if (was && is)
		buf_printf(&what, "%s moved, %.12s -> %.12s", kind,
			   oid_hex(was, a), oid_hex(is, b));
	else
		buf_printf(&what, "%s %s", kind, is ? "appeared" : "gone");
	if (!path.failed)
		events_add(model->events, path.data, what.data);
}

/* What leads to another commit, came, or went. */
static void ref_events(struct model *model, const struct refs_watch *w,
		       const struct clone_refs *before,
		       const struct clone_refs *after)
{
	const enum clone_ref_kind kind = w->kind;
	size_t i = 0, j = 0;

	while (i < before->n_names[kind] || j < after->n_names[kind]) {
		const char *a = i < before->n_names[kind]
					? before->names[kind][i]
					: NULL;
		const char *b = j < after->n_names[kind] ? after->names[kind][j]
							 : NULL;
		int order = !a ? 1 : !b ? -1 : strcmp(a, b);
		struct oid was = oid_none, is = oid_none;

		if (order <= 0)
			was = clone_refs_commit(before, kind, i++);
		if (order >= 0)
			is = clone_refs_commit(after, kind, j++);
		if (order != 0 || !oid_equal(&was, &is))
			ref_event(model, w, order <= 0 ? a : b,
				  order <= 0 ? &was : NULL,
				  order >= 0 ? &is : NULL);
	}
}

static void refs_free(void *refs)
{
	clone_refs_unref(refs);
}

/* Tells the kernel what differs between the newest list and the one that it was
 * told of before. The newest is read in this thread's turn (model/listed: its
 * play is of two threads that bring lists). */
static size_t show(struct model *model, struct refs_watch *w, struct buf *said)
{
	struct listed *listed = node_listed(model->nodes, w->top, true);
	const struct clone_refs *before = listed_tell_begin(listed);
	struct below below = {model, w->top};
	struct clone_refs *refs = NULL;
	size_t n = 0;

	if (clone_known_refs(w->clone, &refs) == 0 && before != refs) {
		if (before) {
			n = tell_refs(model, w, before, refs, said);
			ref_events(model, w, before, refs);
		} else if (node_book(model->nodes, w->top, false)) {
			/* The last watch ended, and its list with it, but the
			 * kernel may have listings of that time: all of them
			 * are outdated. */
			model_changed_inode(model, w->top, true);
			node_each(model->nodes, &provider_refs, outdated,
				  &below);
		}
		listed_tell_keep(listed, clone_refs_ref(refs), refs_free);
	}
	listed_tell_end(listed);
	clone_refs_unref(refs);
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

/* The list for a reader. quiet_ms: nobody else has looked for so long. */
static int ensure(struct ctx *ctx, struct model *model, struct refs_watch *w,
		  int64_t quiet_ms, struct clone_refs **ret_refs)
{
	struct listed *listed = node_listed(model->nodes, w->top, true);
	struct clone_refs *refs = NULL;
	/* `told` is the node's, and may outlive the watch (refs_check shows by
	 * a watch that ended meanwhile); `asks` is of this watch alone. */
	bool told = listed_told(listed);
	bool asks = !told || quiet_ms >= LONGEST_MS;
	int64_t old;
	int r;

	/* The background asks more and more rarely for names that nobody looks
	 * at. From now on it asks once per ttl again. */
	if (atomic_exchange(&w->n_quiet, 0) > 0)
		refresh_watch(model->refresh, w->top, &refs_watching);
	r = clone_known_refs(w->clone, &refs);
	if (r == 0 && asks) {
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
	if (r == 0 && listed_told(listed) != refs)
		show(model, w, NULL);
	/* Also if this look was cancelled: heard_ms is renewed, so the next
	 * look will not ask, and without the watch nobody would. */
	if (asks && (r == 0 || told))
		refresh_watch(model->refresh, w->top, &refs_watching);
	if (r == 0)
		*ret_refs = refs;
	return r;
}

static bool is_watched(struct model *model, struct node *top)
{
	struct refs_watch *w = watch_find(model, top);
	bool watched = w &&
		       clock_mono_ms() - atomic_load(&w->heard_ms) < LONGEST_MS;

	watch_free(model, w);
	return watched;
}

/* The names that are here, without a watch: for who may cause no request. The
 * kernel is promised none of them (model_lookup), so nobody has to tell it of
 * changes. */
static int known_unwatched(struct ctx *ctx, struct model *model,
			   struct node *top, int refused,
			   struct clone_refs **ret_refs)
{
	if (refs_known(model, top, ret_refs) < 0)
		return refused;
	ctx->sentence[0] = '\0';
	return 0;
}

int refs_ensure(struct ctx *ctx, struct model *model, struct node *top,
		enum clone_ref_kind kind, struct clone_refs **ret_refs)
{
	struct refs_watch *w = NULL;
	int64_t quiet_ms = 0;
	int r = is_watched(model, top) ? 0 : ctx_may_ask(ctx);

	if (r < 0)
		return known_unwatched(ctx, model, top, r, ret_refs);
	r = watch_look(model, top, kind, &w, &quiet_ms);
	if (r < 0)
		return r;
	r = ensure(ctx, model, w, quiet_ms, ret_refs);
	watch_free(model, w);
	return r;
}

static int64_t watch_due_ms(struct model *model, struct node *top)
{
	struct refs_watch *w = watch_find(model, top);
	int64_t now = clock_mono_ms(), due = INT64_MAX;

	if (!w)
		return due;
	if (now - atomic_load(&w->heard_ms) < LONGEST_MS &&
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
	bool news;
	size_t n;
	int r = 0;

	if (!w)
		return 0;
	news = clone_refs_checked_ms(w->clone) != atomic_load(&w->seen_ms);
	if (ctx->who == CTX_REFRESH)
		n_quiet = atomic_fetch_add(&w->n_quiet, 1);
	if (max_age_ms == REFRESH_POLL)
		max_age_ms = news ? REFRESH_NEWS_AGE_MS
				  : refresh_age_ms(model, n_quiet);
	r = ask(ctx, model, w, max_age_ms, &refs);
	if (r >= 0) {
		n = show(model, w, said);
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

/*
 * Ends the watch, unless a program has looked since watch_due_ms said that
 * nobody does.
 *
 * 1. The worker takes the watch away.
 * 2. A program looks: it is a watch of its own. It is shown the list that the
 *    kernel was told of, with a name x, which the kernel may keep for an hour.
 * 3. The worker drops that list.
 * 4. The next list is without x: there is none to compare it with, and nobody
 *    tells the kernel that x is gone.
 * So the watch and its list go in one critical section: whoever looks finds
 * both, or neither and has a list shown anew. It is in this thread's turn,
 * because another thread may be comparing with the list; and the turn comes
 * first, because nobody may wait for it with a lock held.
 */
static bool watch_end(struct model *model, struct node *top)
{
	bool linked = node_is_linked(model->nodes, top), looked = false;
	struct listed *listed = node_listed(model->nodes, top, true);
	struct clone_refs *told = NULL;
	struct refs_watch *w;

	(void)listed_tell_begin(listed);
	mutex_lock(&model->lock);
	LL_SEARCH_SCALAR(model->refs_watches, w, top, top);
	looked = w && linked &&
		 clock_mono_ms() - atomic_load(&w->heard_ms) < LONGEST_MS;
	if (w && !looked)
		LL_DELETE(model->refs_watches, w);
	/* A repository can have a hundred thousand refs: who is not told of
	 * them needs no list. */
	if (!looked)
		told = listed_tell_take(listed);
	mutex_unlock(&model->lock);
	listed_tell_end(listed);
	if (looked)
		return false;
	clone_refs_unref(told);
	watch_free(model, w);
	return true;
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
	.end = watch_end,
};

void refs_end(struct model *model)
{
	struct refs_watch *w, *next;

	LL_FOREACH_SAFE (model->refs_watches, w, next)
		watch_free(model, w);
	model->refs_watches = NULL;
}
