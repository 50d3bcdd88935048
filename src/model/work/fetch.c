/*
 * model/work/fetch: step by step, one after the other, in the thread of whoever
 * asked. What came is in the cache: one that is broken off anywhere goes on
 * from there.
 */
#include "fetch_private.h"

#include "model/dirs/row_dir.h"
#include "model/dirs/status.h"
#include "model/git/checkout.h"

#include "base/clock.h"
#include "base/map.h"

/* How often one that waits looks whether it may go on. */
#define LOOK_MS 2000
/* A list that comes in the background. */
#define BUSY_MS 1000
/* So often the credential is refused, and it is no matter of one list. */
#define SIGNED_OUT_MOST 3

struct fetch_all *fetch_all_new(void)
{
	struct fetch_all *all = mem_calloc(1, sizeof(*all));

	mutex_init(&all->lock);
	cond_init(&all->stopped);
	return all;
}

struct fetch_all *fetch_all_free(struct fetch_all *all)
{
	if (!all)
		return NULL;
	cond_done(&all->stopped);
	mutex_done(&all->lock);
	free(all);
	return NULL;
}

void fetch_begin(struct fetch *f, struct model *model, struct ctx *ctx,
		 const char *path)
{
	struct fetch_all *all = model->fetches;

	ctx->walks = true;
	f->path = path;
	f->ctx = ctx;
	f->of = all;
	f->since_ms = clock_wall_ms();
	mutex_lock(&all->lock);
	DL_APPEND(all->running, f);
	mutex_unlock(&all->lock);
}

void fetch_end(struct fetch *f)
{
	struct fetch_all *all = f->of;

	mutex_lock(&all->lock);
	DL_DELETE(all->running, f);
	while (f->n_stoppers)
		cond_wait(&all->stopped, &all->lock);
	mutex_unlock(&all->lock);
}

int fetch_stopped(const struct fetch *f)
{
	return ctx_fail(f->ctx, -EINTR,
			"stopped after %zu of %zu; the same command goes on "
			"from there",
			f->done, f->all);
}

static void set_waiting(struct fetch *f, int64_t until_ms)
{
	mutex_lock(&f->of->lock);
	f->waits_until_ms = until_ms;
	mutex_unlock(&f->of->lock);
}

/* ---- a step ---- */

static int bring_tree(struct ctx *ctx, struct model *model, struct node *node)
{
	struct dirlist *listing = NULL;
	int r = node->provider->open
			? node->provider->open(ctx, model, node, NULL, &listing)
			: -ENOTDIR;

	dirlist_unref(listing);
	return r < 0 ? r : checkout_fetch(ctx, model, node);
}

/* What was at hand is asked for again, and the kernel told what changed. What
 * was not goes on from the pages that an earlier fetch has kept. */
static int bring_list(struct ctx *ctx, struct model *model, struct node *node)
{
	cleanup(collection_unref) struct collection *list = NULL;
	cleanup(answer_document_done) struct answer_document document = {0};
	const struct row_dir *dir = row_dir_of(node);
	struct answer_age age;

	if (dir->collection || dir->row->kind == RESOURCE_OBJECT)
		return row_dir_document(ctx, model, node, READ_REFRESH,
					&document);
	if (row_dir_age_at_hand(ctx, model, dir->row, dir->scope, &age))
		return node->provider->refresh(ctx, model, node, NULL, NULL);
	return row_dir_collection(ctx, model, node, READ_REFRESH, &list, &age);
}

static int try_step(struct ctx *ctx, struct model *model,
		    const struct fetch_step *step)
{
	struct node *root = node_get(model->nodes, NODE_ROOT_INO);
	struct node *node = NULL;
	int r;

	ctx->sentence[0] = '\0';
	r = model_resolve(ctx, model, root, step->path, &node);
	if (!r && step->is_tree)
		r = bring_tree(ctx, model, node);
	else if (!r && node->provider == &provider_row_dir)
		r = bring_list(ctx, model, node);
	else if (!r)
		r = -ENOENT;
	node_unref(model->nodes, node);
	node_unref(model->nodes, root);
	return r;
}

/* Until walks may spend again, or LOOK_MS: others may have spent less. */
static int wait_for_quota(struct fetch *f, struct model *model)
{
	struct budget_state s;
	int64_t until, left;

	budget_state(model->config.budget, &s);
	until = s.waits_until_ms[CTX_WALK];
	if (s.paused_until_ms > until)
		until = s.paused_until_ms;
	left = until - clock_wall_ms();
	set_waiting(f, left > 0 ? until : 0);
	if (left < BUSY_MS)
		left = BUSY_MS;
	return ctx_sleep(f->ctx, left < LOOK_MS ? left : LOOK_MS);
}

static int run_step(struct fetch *f, struct model *model,
		    const struct fetch_step *step)
{
	int waited = 0, r;

	for (;;) {
		r = try_step(f->ctx, model, step);
		if (r == -EDQUOT && !step->is_tree)
			waited = wait_for_quota(f, model);
		else if (r == -EBUSY)
			waited = ctx_sleep(f->ctx, BUSY_MS);
		else
			break;
		if (waited < 0)
			return waited;
	}
	set_waiting(f, 0);
	return r;
}

/* ---- all of them ---- */

struct outcome {
	size_t n_brought, n_refused, n_failed;
	/* One after the other, because the credential itself was refused. */
	unsigned n_signed_out;
	int r; /* the first failure */
	struct buf sentences;
};

bool fetch_is_ended_by(int r)
{
	return r == -EINTR || r == -ENETUNREACH || r == -ENOSPC;
}

/* What the account may not see, or what is not there, is no failure of a fetch
 * that goes through everything. */
static void note(struct outcome *o, const struct fetch *f,
		 const struct fetch_step *step, int r)
{
	bool refused = f->all > 1 &&
		       (r == -EACCES || r == -ENOENT || r == -ENODATA);

	if (r >= 0) {
		o->n_brought++;
		return;
	}
	if (refused)
		o->n_refused++;
	else
		o->n_failed++;
	if (!refused && !o->r)
		o->r = r;
	if (!refused)
		buf_printf(&o->sentences, "%s: %s\n", step->path,
			   f->ctx->sentence[0] ? f->ctx->sentence
					       : strerror(-r));
}

static void note_credential(struct fetch *f, struct model *model,
			    struct outcome *o, int r)
{
	if (r == -EACCES &&
	    documents_is_refused(f->ctx, model->config.documents))
		o->n_signed_out++;
	else
		o->n_signed_out = 0;
}

static void progress(struct fetch *f, const struct outcome *o)
{
	mutex_lock(&f->of->lock);
	f->done++;
	f->failed = o->n_failed;
	mutex_unlock(&f->of->lock);
}

static int run_all(struct fetch *f, struct model *model,
		   const struct fetch_plan *plan, struct outcome *o)
{
	for (size_t i = 0; i < plan->n; i++) {
		int r = run_step(f, model, &plan->steps[i]);

		if (fetch_is_ended_by(r))
			return r;
		note_credential(f, model, o, r);
		if (o->n_signed_out == SIGNED_OUT_MOST)
			return r;
		note(o, f, &plan->steps[i], r);
		progress(f, o);
	}
	/* What would end it, had it gone on. */
	return o->n_signed_out ? -EACCES : 0;
}

static void say(const char *path, const struct fetch_plan *plan,
		const struct outcome *o, struct buf *said)
{
	if (plan->n == 1 && plan->steps[0].is_tree) {
		if (o->n_brought)
			buf_printf(said, "%s: all of it is here\n",
				   plan->steps[0].path);
		return;
	}
	buf_printf(said, "%s: %zu brought, %zu at hand", path, o->n_brought,
		   plan->n_at_hand);
	if (o->n_refused)
		buf_printf(said,
			   ", %zu that this account may not see or that "
			   "are not there",
			   o->n_refused);
	if (o->n_failed)
		buf_printf(said, ", %zu failed", o->n_failed);
	buf_putc(said, '\n');
}

int fetch_run(struct ctx *ctx, struct model *model, const char *path,
	      struct buf *said)
{
	cleanup(fetch_plan_done) struct fetch_plan plan = {0};
	struct outcome o = {.sentences = BUF_INIT(16 * KIB)};
	struct fetch f = {0};
	int r;

	fetch_begin(&f, model, ctx, path);
	r = fetch_plan_make(ctx, model, path, &plan);
	mutex_lock(&model->fetches->lock);
	f.all = plan.n;
	mutex_unlock(&model->fetches->lock);
	if (!r)
		r = run_all(&f, model, &plan, &o);
	fetch_end(&f);
	if (r == -EINTR)
		fetch_stopped(&f);
	else if (!r)
		say(path, &plan, &o, said);
	if (!r && o.r) {
		r = o.r;
		buf_puts(said, o.sentences.data);
	}
	buf_done(&o.sentences);
	return r;
}

int fetch_cost(struct ctx *ctx, struct model *model, const char *path,
	       struct buf *out)
{
	cleanup(fetch_plan_done) struct fetch_plan plan = {0};
	cleanup(json_free) struct json *o = NULL;
	int r = fetch_plan_make(ctx, model, path, &plan);

	if (r < 0)
		return r;
	o = json_new_object();
	json_add_str(o, "kind", plan.kind);
	json_add_int(o, "repositories", (int64_t)plan.n_repositories);
	json_add_int(o, "requests", (int64_t)plan.n);
	json_add_int(o, "at_hand", (int64_t)plan.n_at_hand);
	json_pretty(o, out);
	return 0;
}

/* ---- from outside ---- */

static bool is_below(const char *path, const char *top)
{
	size_t n = strlen(top);

	return !n || (!strncmp(path, top, n) && (!path[n] || path[n] == '/'));
}

/* The first one that nobody is stopping yet. It stays until it is let go. */
static struct fetch *take(struct fetch_all *all, const char *path,
			  struct buf *said)
{
	struct fetch *f;

	mutex_lock(&all->lock);
	DL_FOREACH (all->running, f)
		if (is_below(f->path, path) && !ctx_is_cancelled(f->ctx))
			break;
	if (f) {
		f->n_stoppers++;
		buf_printf(said, "%s: stopped\n", f->path);
	}
	mutex_unlock(&all->lock);
	return f;
}

void fetch_stop(struct model *model, const char *path, struct buf *said)
{
	struct fetch_all *all = model->fetches;
	struct fetch *f;

	/* ctx_cancel is called with no lock held, and ctx is there until the
	 * fetch ends, which waits for us. */
	while ((f = take(all, path, said))) {
		ctx_cancel(f->ctx);
		mutex_lock(&all->lock);
		f->n_stoppers--;
		cond_broadcast(&all->stopped);
		mutex_unlock(&all->lock);
	}
}

void fetch_json(struct model *model, struct json *root)
{
	struct json *array = json_add_array(root, "fetches");
	struct fetch_all *all = model->fetches;
	struct fetch *f;

	mutex_lock(&all->lock);
	DL_FOREACH (all->running, f) {
		struct json *o = json_append_object(array);

		json_add_str(o, "path", f->path);
		json_add_int(o, "done", (int64_t)f->done);
		json_add_int(o, "all", (int64_t)f->all);
		json_add_int(o, "failed", (int64_t)f->failed);
		json_add_bool(o, "lfs", f->lfs);
		json_add_int(o, "bytes", (int64_t)f->n_bytes);
		json_add_int(o, "bytes_total", (int64_t)f->n_bytes_all);
		status_json_time(o, "since", f->since_ms);
		status_json_time(o, "waits_until", f->waits_until_ms);
	}
	mutex_unlock(&all->lock);
}
