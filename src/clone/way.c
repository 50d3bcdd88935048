/*
 * The way to what is looked at. All trees of a large commit take seconds; the
 * commit and its own tree take a round trip. So these come first, and the rest
 * of the trees behind them: it begins when nobody waits for a while, so that
 * the file that is read next has the connection and the line for itself, or at
 * once when another directory is listed (turns.c). A tree further down that is
 * looked at before the rest is here is asked for by itself.
 *
 * Not where a commit whose trees are here spares most of it; nor by SSH, where
 * it would be another session; nor from a server that refuses tree:N, as the
 * first such question to a host finds out.
 */
#include "clone/clone_private.h"

#include "store/say.h"

/* The rest is about to be here: a question more would be for nothing. */
#define PATIENCE_MS 30
/* Trees of one commit that are asked for by themselves; then whoever wants one
 * waits for the rest, which a walk would be slower without. */
#define AHEAD_MOST 8

static int fail_store(struct ctx *ctx, int r)
{
	return ctx_fail(ctx, r, "the repository's object store: %s",
			store_why(-r));
}

static bool has_base(struct objects *objects)
{
	bool has = false;

	for (enum objects_presence p = OBJECTS_TREES;
	     p <= OBJECTS_COMPLETE && !has; p++) {
		struct oid *commits = NULL;
		size_t n = 0;

		has = objects_marked(objects, p, 1, &commits, &n) >= 0 && n;
		free(commits);
	}
	return has;
}

static int begin_rest(struct ctx *ctx, struct clone *c,
		      const struct oid *commit, const struct oid *want,
		      bool hurry, const struct clone_source *sources,
		      size_t n_sources, int64_t wait_ms)
{
	const struct clone_need rest = {.kind = CLONE_NEED_TREES,
					.oid = *commit};
	char sentence[sizeof(ctx->sentence)];
	int r;

	/* How the rest fails is told to who needs it. */
	memcpy(sentence, ctx->sentence, sizeof(sentence));
	r = clone_queue_begin(ctx, c, commit, want, &rest, hurry, sources,
			      n_sources, wait_ms);
	memcpy(ctx->sentence, sentence, sizeof(sentence));
	return r;
}

int clone_way_commit(struct ctx *ctx, struct clone *c, const struct oid *commit,
		     const struct oid *want, bool moves,
		     const struct clone_source *sources, size_t n_sources)
{
	struct clone_need need = {.kind = CLONE_NEED_COMMIT, .oid = *commit};
	struct objects *objects;
	int r = clone_store(c, &objects);

	if (r < 0)
		return fail_store(ctx, r);
	if (moves || has_base(objects) || clone_comes_whole(c))
		need.kind = CLONE_NEED_TREES;
	/* Otherwise -EDQUOT would come only after waiting for a worker. Not
	 * once it is begun: then it has been counted itself. */
	r = clone_admit_tree(ctx, c->clones, false);
	if (r < 0)
		return r;
	r = clone_queue_fetch(ctx, c, commit, want, &need, sources, n_sources);
	if (r >= 0 && need.kind == CLONE_NEED_COMMIT &&
	    !objects_is_present(objects, commit, OBJECTS_TREES))
		(void)begin_rest(ctx, c, commit, want, false, sources,
				 n_sources, 0);
	return r;
}

/* Whether it may be asked for by itself; counts it. */
static bool may_go_ahead(struct clone *c, const struct oid *commit)
{
	bool may = clone_can_go_ahead(c);

	mutex_lock(&c->clones->lock);
	if (!oid_equal(&c->ahead_of, commit)) {
		c->ahead_of = *commit;
		c->n_ahead = 0;
	}
	may = may && c->n_ahead++ < AHEAD_MOST;
	mutex_unlock(&c->clones->lock);
	return may;
}

int clone_way_tree(struct ctx *ctx, struct clone *c, const struct oid *commit,
		   const struct clone_need *tree,
		   const struct clone_source *sources, size_t n_sources)
{
	struct objects *objects;
	int r = clone_store(c, &objects);
	bool ahead;

	if (r < 0)
		return fail_store(ctx, r);
	ahead = may_go_ahead(c, commit);
	r = begin_rest(ctx, c, commit, commit, tree->lists || !ahead, sources,
		       n_sources, ahead ? PATIENCE_MS : -1);
	if (r == -EINTR || objects_has(objects, &tree->oid))
		return r == -EINTR ? r : 0;
	/* The rest is still to come, or did not, or lacks it. */
	return clone_queue_fetch(ctx, c, commit, commit, tree, sources,
				 n_sources);
}
