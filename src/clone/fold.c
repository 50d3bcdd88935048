/*
 * The folding of packs, on a thread of its own: of a repository into whose
 * store much was fetched piece by piece, when nobody has fetched for a while.
 * Or, when there are very many, meanwhile: neither reading nor fetching waits
 * for it.
 */
#include "clone/clone_private.h"

#include "base/clock.h"

/* Fewer packs do not slow down who looks for an object. */
#define PACKS_LEAST 24
/* So many are too many to wait. */
#define PACKS_MANY 192
#define IDLE_MS 5000
/* Far more than the bytes of one fold take. */
#define FOLD_MS 60000

static bool is_worth_it(struct clone_set *cs, const struct clone *c,
			unsigned n_packs) requires_lock(cs->lock)
{
	check(c->clones == cs);
	return n_packs >= PACKS_LEAST && n_packs >= c->fold_from;
}

void clone_fold_note(struct clone *c)
{
	struct clone_set *cs = c->clones;
	struct objects *objects = atomic_load(&c->objects);
	unsigned n = objects ? objects_n_packs(objects) : 0;
	int64_t at = clock_mono_ms() + (n < PACKS_MANY ? IDLE_MS : 0);
	bool sync = objects && objects_n_unsynced(objects) > 0;

	mutex_lock(&cs->lock);
	if (sync || is_worth_it(cs, c, n)) {
		c->fold_ms = at;
		cond_signal(&cs->fold);
	}
	mutex_unlock(&cs->lock);
}

/* A clone whose time has come, with a reference; or NULL, and when to look
 * again. */
static struct clone *next_clone(struct clone_set *cs, int64_t *ret_until_ms)
	requires_lock(cs->lock)
{
	int64_t now = clock_mono_ms();
	struct clone *c, *next;

	*ret_until_ms = INT64_MAX;
	HASH_ITER (hh, cs->clones, c, next) {
		if (!c->fold_ms)
			continue;
		if (c->fold_ms <= now) {
			c->fold_ms = 0;
			c->refcount++;
			return c;
		}
		if (c->fold_ms < *ret_until_ms)
			*ret_until_ms = c->fold_ms;
	}
	return NULL;
}

static void fold(struct clone_set *cs, struct clone *c)
{
	struct objects *objects = atomic_load(&c->objects);
	unsigned n = objects_n_packs(objects);
	int64_t before;
	int r;

	(void)objects_sync(objects);
	if (!mutex_with(&cs->lock, is_worth_it(cs, c, n)))
		return;
	before = ctx_narrow(&cs->folding, FOLD_MS);
	r = objects_fold(&cs->folding, objects, &n);
	ctx_widen(&cs->folding, before);
	log_debug("%s: %u packs became one (%d)", c->path, n, r);
	n = objects_n_packs(objects);
	/* What could not be folded is not looked at again before as much has
	 * come. */
	mutex_lock(&cs->lock);
	c->fold_from = n < PACKS_LEAST ? PACKS_LEAST : 2 * n;
	mutex_unlock(&cs->lock);
}

static void run(void *arg)
{
	struct clone_set *cs = arg;
	struct clone *c;
	int64_t until;

	while (!ctx_is_cancelled(&cs->folding)) {
		mutex_lock(&cs->lock);
		while (!(c = next_clone(cs, &until)) && !cs->cancelled)
			cond_wait_until(&cs->fold, &cs->lock, until);
		mutex_unlock(&cs->lock);
		if (!c)
			continue;
		fold(cs, c);
		clone_unref(c);
	}
}

int clone_fold_start(struct clone_set *cs)
{
	return thread_start("fold", run, cs, &cs->folder);
}

void clone_fold_cancel(struct clone_set *cs)
{
	ctx_cancel(&cs->folding);
	mutex_lock(&cs->lock);
	cs->cancelled = true;
	cond_signal(&cs->fold);
	mutex_unlock(&cs->lock);
}

void clone_fold_stop(struct clone_set *cs)
{
	cs->folder = thread_join(cs->folder);
	ctx_done(&cs->folding);
}
