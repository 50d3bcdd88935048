/*
 * model/work/fetch, the LFS objects of a tree: which there are, then those that
 * are not here, a few side by side. By the hundred it is asked where they are.
 */
#include "fetch_private.h"

#include "model/git/checkout.h"
#include "model/git/large_objects.h"

#include "base/text.h"

#define ABREAST 4

struct bringing;
struct bringer {
	struct bringing *of;
	struct thread *thread;
	struct ctx ctx;
};
struct bringing {
	struct fetch f; /* its lock is for what follows, too */
	struct model *model;
	struct large_objects all;
	struct large_object *lacking; /* some of all */
	size_t n_lacking;
	struct bringer bringers[ABREAST];
	/* Under the lock: */
	size_t next, end; /* of lacking: those whose turn it is */
	int r;            /* the first failure, or what ended it */
	bool over;        /* nothing more is begun */
	struct buf sentences;
};

/* ---- those of one batch ---- */

static struct large_object *take(struct bringing *b)
{
	struct large_object *object = NULL;

	mutex_lock(&b->f.of->lock);
	if (!b->over && b->next < b->end)
		object = &b->lacking[b->next++];
	mutex_unlock(&b->f.of->lock);
	return object;
}

static void came(void *arg, size_t n)
{
	struct bringing *b = arg;

	mutex_lock(&b->f.of->lock);
	b->f.n_bytes += n;
	mutex_unlock(&b->f.of->lock);
}

static void note(struct bringing *b, const struct large_object *object, int r,
		 const struct ctx *ctx)
{
	cleanup(buf_done) struct buf path = BUF_INIT(64 * KIB);

	node_path(object->node, &path);
	mutex_lock(&b->f.of->lock);
	if (fetch_is_ended_by(r)) {
		if (!b->over && r != -EINTR)
			ctx_fail(b->f.ctx, r, "%s", ctx->sentence);
		b->r = b->over ? b->r : r;
		b->over = true;
	} else {
		b->f.done++;
		b->f.failed += r < 0;
	}
	if (r < 0 && !b->over) {
		b->r = b->r ? b->r : r;
		buf_printf(&b->sentences, "%s: %s\n", path.data,
			   ctx->sentence[0] ? ctx->sentence : strerror(-r));
	}
	mutex_unlock(&b->f.of->lock);
}

static void work(void *arg)
{
	struct bringer *me = arg;
	struct bringing *b = me->of;
	struct large_object *object;

	while ((object = take(b))) {
		int r;

		me->ctx.sentence[0] = '\0';
		r = large_object_bring(&me->ctx, b->model, object, came, b);
		note(b, object, r, &me->ctx);
	}
}

static void stop_bringers(void *arg)
{
	struct bringing *b = arg;

	for (size_t i = 0; i < ABREAST; i++)
		ctx_cancel(&b->bringers[i].ctx);
}

static void bring_some(struct bringing *b, size_t n)
{
	struct ctx_waker waker = {.wake = stop_bringers, .arg = b};
	size_t n_started = 0;

	large_objects_place(b->f.ctx, &b->lacking[b->next], n);
	b->end = b->next + n;
	for (size_t i = 0; i < ABREAST; i++) {
		b->bringers[i] = (struct bringer){.of = b};
		ctx_init_like(&b->bringers[i].ctx, b->f.ctx);
		b->bringers[i].ctx.walks = true;
	}
	ctx_watch(b->f.ctx, &waker);
	/* A thread that cannot be started is one less. */
	for (size_t i = 0; i < ABREAST && i < n; i++)
		n_started += thread_start("lfs", work, &b->bringers[i],
					  &b->bringers[i].thread) == 0;
	if (!n_started)
		work(&b->bringers[0]);
	for (size_t i = 0; i < ABREAST; i++)
		thread_join(b->bringers[i].thread);
	ctx_unwatch(b->f.ctx, &waker);
	for (size_t i = 0; i < ABREAST; i++)
		ctx_done(&b->bringers[i].ctx);
}

/* ---- all of them ---- */

static int check_room(struct bringing *b)
{
	uint64_t room = checkout_room(b->model);
	char there[16], fits[16];

	if (!room || b->f.n_bytes_all <= room)
		return 0;
	return ctx_fail(b->f.ctx, -ENOSPC,
			"%s of LFS objects are not here, and the cache has "
			"room for %s (cache_size): fetch some of them.",
			text_bytes(b->f.n_bytes_all, there),
			text_bytes(room, fits));
}

static void find_lacking(struct bringing *b)
{
	uint64_t n_bytes = 0;

	b->lacking = mem_calloc(b->all.n + 1, sizeof(*b->lacking));
	for (size_t i = 0; i < b->all.n; i++) {
		const struct large_object *object = &b->all.items[i];

		if (large_object_is_here(b->f.ctx, b->model, object))
			continue;
		b->lacking[b->n_lacking++] = *object;
		n_bytes += object->pointer.size;
	}
	mutex_lock(&b->f.of->lock);
	b->f.all = b->n_lacking;
	b->f.n_bytes_all = n_bytes;
	mutex_unlock(&b->f.of->lock);
}

static int bring_all(struct bringing *b, struct node *node)
{
	int r = large_objects_find(b->f.ctx, b->model, node, &b->all);

	if (r < 0)
		return r;
	find_lacking(b);
	r = check_room(b);
	while (r == 0 && !b->over && b->next < b->n_lacking) {
		size_t n = b->n_lacking - b->next;

		bring_some(b, n < LFS_BATCH ? n : LFS_BATCH);
		if (ctx_is_cancelled(b->f.ctx))
			r = -EINTR;
	}
	return r < 0 ? r : b->over ? b->r : 0;
}

static void say(const struct bringing *b, struct buf *said)
{
	char bytes[16];

	if (!b->all.n) {
		buf_printf(said, "%s: nothing of it is in LFS\n", b->f.path);
		return;
	}
	buf_printf(said, "%s: %zu of LFS brought (%s), %zu at hand", b->f.path,
		   b->f.done - b->f.failed, text_bytes(b->f.n_bytes, bytes),
		   b->all.n - b->n_lacking);
	if (b->f.failed)
		buf_printf(said, ", %zu failed", b->f.failed);
	buf_putc(said, '\n');
}

/* ---- the place ---- */

/* In a tree; else what is at hand is tree/ below it. */
static int find_in_tree(struct ctx *ctx, struct model *model, const char *path,
			struct node **ret)
{
	struct node *node = NULL, *tree = NULL;
	const struct node *above;
	int r = fetch_find_place(ctx, model, path, &node);

	if (r < 0)
		return r;
	for (above = node; above; above = above->parent)
		if (above->provider->kind == PROVIDER_CHECKOUT)
			break;
	if (above) {
		*ret = node;
		return 0;
	}
	r = model_resolve(ctx, model, node, "tree", &tree);
	if (r == 0 && tree->provider->kind == PROVIDER_CHECKOUT)
		*ret = steal(&tree);
	else if (r == 0 || r == -ENOENT || r == -ENOTDIR)
		r = ctx_fail(ctx, -EINVAL,
			     "There are no files of git's: name a repository, "
			     "a tree, or something in one.");
	node_unref(model->nodes, tree);
	node_unref(model->nodes, node);
	return r;
}

int fetch_run_lfs(struct ctx *ctx, struct model *model, const char *path,
		  struct buf *said)
{
	struct bringing b = {
		.f.lfs = true, .model = model, .sentences = BUF_INIT(16 * KIB)};
	struct node *node = NULL;
	int r;

	if (!model->config.lfs)
		return ctx_fail(ctx, -EINVAL,
				"This mount shows pointers (lfs=off), and "
				"brings nothing of LFS.");
	fetch_begin(&b.f, model, ctx, path);
	r = find_in_tree(ctx, model, path, &node);
	if (r == 0)
		r = bring_all(&b, node);
	fetch_end(&b.f);
	if (r == -EINTR)
		fetch_stopped(&b.f);
	else if (r == 0)
		say(&b, said);
	if (r == 0 && b.r) {
		r = b.r;
		buf_puts(said, b.sentences.data);
	}
	buf_done(&b.sentences);
	free(b.lacking);
	large_objects_done(model, &b.all);
	node_unref(model->nodes, node);
	return r;
}
