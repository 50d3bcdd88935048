/*
 * model/git/checkout, hydration: who stays in a tree will want more of it. Its
 * rest comes in the background, one tree at a time.
 *
 * Somebody stays who looks into a second directory of the tree, or who is still
 * in it ten seconds after the first look: the terminal (or, where there is
 * none, who has read a file) has not gone on to another tree. So a loop that
 * reads a file of each repository brings the rest of none but the last. A
 * program that lists one directory after the other without a pause (`find
 * -name`) has looked once.
 *
 * What was evicted does not come again by itself: the cache has no room for it.
 * After a failure (there is no network) the next look after a minute begins
 * anew; without a look nothing is asked.
 */
#include "model/git/checkout.h"

#include "base/clock.h"
#include "base/log.h"

#define STAYS 16
#define DUE_MOST 64
#define STAYS_MS 10000
/* Between two looks of a person; programs are faster. */
#define LOOK_MS 300
/* A tree whose turn comes later than that after the last look is left alone. */
#define LEFT_MS (INT64_C(10) * 60 * 1000)
#define AGAIN_MS (INT64_C(60) * 1000)

/* What is looked at at one terminal. */
struct stay {
	int32_t session;   /* 0: nobody */
	struct node *tree; /* a reference; NULL: it is due, or was */
	const struct checkout *checkout; /* the tree's; to compare alone */
	uint64_t dir;                    /* the last one */
	int64_t since_ms, at_ms;         /* the first look, the last one */
	bool by_time;                    /* after STAYS_MS */
};

struct hydrate {
	struct model *model;
	struct mutex lock;
	struct cond cond;
	struct stay stays[STAYS] under_lock;
	struct node *due[DUE_MOST] under_lock; /* references, the first first */
	size_t n_due under_lock;
	bool stopping under_lock;
	struct thread *thread under_lock;
};

static bool may_ask(struct model *model)
{
	struct budget_state s;

	budget_state(model->config.budget, &s);
	return s.git.left > s.git.limit / 2;
}

/* No more than the cache has room for: it would go again at once. 0: all. */
static uint64_t most_of(struct model *model)
{
	uint64_t room = checkout_room(model), most = model->config.hydrate;

	if (room && room < most)
		return room;
	return most == UINT64_MAX ? 0 : most;
}

/* True: nothing more is to be done about the commit that is shown. */
static bool settle(struct model *model, struct node *tree)
{
	struct checkout *checkout = node_checkout(tree);
	const struct clone_need need = {
		.kind = CLONE_NEED_ALL,
		.most = most_of(model),
	};
	struct oid commit;
	struct ctx ctx;
	int r;

	if (!checkout_commit(tree, &commit) ||
	    clone_is_complete(checkout->clone, &commit) ||
	    clone_was_evicted(checkout->clone))
		return true;
	if (!may_ask(model))
		return false;
	ctx_init(&ctx, model->config.group, -1);
	ctx.who = CTX_REFRESH;
	ctx_because(&ctx, "the rest of %s", tree->name);
	/* Failures are not recorded: nobody has asked for it. */
	r = checkout_bring_lacking(&ctx, model, tree, &need);
	if (r < 0)
		log_debug("the rest of %s does not come: %s", tree->name,
			  ctx.sentence[0] ? ctx.sentence : strerror(-r));
	ctx_done(&ctx);
	return r >= 0;
}

static void hydrate(struct model *model, struct node *tree)
{
	struct checkout *checkout = node_checkout(tree);
	int64_t now = clock_mono_ms();
	struct oid commit, is;

	if (now - atomic_load(&checkout->heard_ms) > LEFT_MS ||
	    !checkout_commit(tree, &commit)) {
		atomic_store(&checkout->hydrate_ms, 0);
		return;
	}
	if (!settle(model, tree)) {
		atomic_store(&checkout->hydrate_ms, clock_mono_ms() + AGAIN_MS);
		return;
	}
	/* It may have moved meanwhile: show_known has begun anew. */
	if (checkout_commit(tree, &is) && oid_equal(&commit, &is))
		atomic_store(&checkout->lacks,
			     !clone_is_complete(checkout->clone, &commit));
}

/* ---- the thread ---- */

static void make_due(struct hydrate *h, struct stay *s) requires_lock(h->lock)
{
	if (h->n_due == DUE_MOST)
		return;
	atomic_store(&node_checkout(s->tree)->hydrate_ms, INT64_MAX);
	h->due[h->n_due++] = steal(&s->tree);
	cond_signal(&h->cond);
}

/* Until when to wait. */
static int64_t look_at_stays(struct hydrate *h) requires_lock(h->lock)
{
	int64_t now = clock_mono_ms(), next = INT64_MAX;

	for (size_t i = 0; i < STAYS; i++) {
		struct stay *s = &h->stays[i];
		int64_t at = s->since_ms + STAYS_MS;

		if (!s->tree || !s->by_time)
			continue;
		if (at <= now)
			make_due(h, s);
		else if (at < next)
			next = at;
	}
	return next;
}

static void work(void *arg)
{
	struct hydrate *h = arg;
	int64_t until;

	mutex_lock(&h->lock);
	while (!h->stopping) {
		struct node *tree;

		until = look_at_stays(h);
		if (!h->n_due) {
			if (until == INT64_MAX)
				cond_wait(&h->cond, &h->lock);
			else
				cond_wait_until(&h->cond, &h->lock, until);
			continue;
		}
		tree = h->due[0];
		memmove(&h->due[0], &h->due[1], --h->n_due * sizeof(h->due[0]));
		mutex_unlock(&h->lock);
		hydrate(h->model, tree);
		node_unref(h->model->nodes, tree);
		mutex_lock(&h->lock);
	}
	mutex_unlock(&h->lock);
}

/* ---- looks ---- */

/* The session's; else that of nobody, or of who looked longest ago. */
static struct stay *stay_of(struct hydrate *h, int32_t session)
	requires_lock(h->lock)
{
	struct stay *oldest = &h->stays[0];

	for (size_t i = 0; i < STAYS; i++) {
		struct stay *s = &h->stays[i];

		if (s->session == session)
			return s;
		if (s->at_ms < oldest->at_ms)
			oldest = s;
	}
	return oldest;
}

/* The tree that the session was in before, whose reference the caller gives
 * back; tree is taken. */
static struct node *note(struct hydrate *h, struct node *tree, uint64_t dir,
			 const struct budget_who *who, bool reads)
	requires_lock(h->lock)
{
	struct stay *s = stay_of(h, who->session);
	int64_t now = clock_mono_ms();
	struct node *other = tree;
	bool stays;

	if (s->session != who->session || s->checkout != node_checkout(tree)) {
		other = s->tree;
		*s = (struct stay){
			.session = who->session,
			.tree = tree,
			.checkout = node_checkout(tree),
			.dir = dir,
			.since_ms = now,
			.at_ms = now,
		};
	}
	/* It was due, and is not settled: a failure is long ago. */
	if (!s->tree) {
		s->tree = steal(&other);
		s->since_ms = now;
	}
	stays = s->dir != dir && (reads || now - s->at_ms > LOOK_MS);
	s->by_time = s->by_time || reads || who->terminal;
	s->dir = dir;
	s->at_ms = now;
	if (stays)
		make_due(h, s);
	else
		cond_signal(&h->cond);
	return other;
}

void checkout_hydrate_note(struct ctx *ctx, struct model *model,
			   struct node *dir, bool reads)
{
	struct checkout *checkout = node_checkout(dir);
	struct hydrate *h = model->hydrate;
	struct node *tree = dir, *other;
	struct budget_who who;

	if (!h || !atomic_load(&checkout->lacks) || ctx->caller <= 0 ||
	    ctx->who == CTX_REFRESH || ctx->walks ||
	    clock_mono_ms() < atomic_load(&checkout->hydrate_ms) ||
	    ctx_is_barred(ctx))
		return;
	while (tree->provider != &provider_tree)
		tree = tree->parent;
	budget_identify(model->config.budget, ctx->caller, &who);
	tree = node_ref(model->nodes, tree);
	mutex_lock(&h->lock);
	if (!h->thread && !h->stopping)
		(void)thread_start("hydrate", work, h, &h->thread);
	other = note(h, tree, dir->ino, &who, reads);
	mutex_unlock(&h->lock);
	node_unref(model->nodes, other);
}

/* ---- life ---- */

void checkout_hydrate_start(struct model *model)
{
	struct hydrate *h;

	if (!model->config.hydrate)
		return;
	h = mem_calloc(1, sizeof(*h));
	h->model = model;
	mutex_init(&h->lock);
	cond_init(&h->cond);
	model->hydrate = h;
}

/* One of the references that it has; NULL: none is left. */
static struct node *take_one(struct hydrate *h) requires_lock(h->lock)
{
	if (h->n_due)
		return h->due[--h->n_due];
	for (size_t i = 0; i < STAYS; i++)
		if (h->stays[i].tree)
			return steal(&h->stays[i].tree);
	return NULL;
}

void checkout_hydrate_stop(struct model *model)
{
	struct hydrate *h = model->hydrate;
	struct thread *thread;
	struct node *tree;

	if (!h)
		return;
	mutex_lock(&h->lock);
	h->stopping = true;
	thread = h->thread;
	cond_broadcast(&h->cond);
	mutex_unlock(&h->lock);
	thread_join(thread);
	while ((tree = mutex_with(&h->lock, take_one(h))))
		node_unref(model->nodes, tree);
	cond_done(&h->cond);
	mutex_done(&h->lock);
	free(h);
	model->hydrate = NULL;
}
