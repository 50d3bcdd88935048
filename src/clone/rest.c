/*
 * The rest of a commit that is shown, blobs that a filter left out or that were
 * evicted: for a walk, which waits, or in the background.
 *
 * If more than half of the blobs are missing all of the commit is fetched, as
 * if nothing of it were here: the trees that come again are a tenth of it at
 * most, while the ids of the blobs alone would be megabytes to be sent. Else
 * the missing ones are fetched, batch by batch. What came of a pack that was
 * broken off is taken in first (objects_take_rest), so nothing comes twice but
 * what was under way.
 *
 * What nobody waits for (CTX_REFRESH) makes room for what somebody does: it
 * does not read on meanwhile, so the line is the others'. A walk that joins it
 * makes it its own. And of all mounts one at a time brings what nobody waits
 * for: the next one looks what is missing when that one has ended.
 */
#include "clone/clone_private.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"

#include <inttypes.h>

/* Blobs; a request of 200 kB. */
#define BATCH 4096
/* So long at a time it makes room; a transfer without a byte for 30 s ends. */
#define YIELD_MS 5000
#define YIELD_LOOK_MS 20
/* So late a walk may join who waits for another mount. */
#define OTHERS_LOOK_MS 50

/* ---- while the bytes come ---- */

/* Under the lock of clones. */
static bool is_foreground(const struct clone_job *j)
{
	return j->who != CTX_REFRESH;
}

static bool is_background(struct clone_job *j)
{
	return mutex_with(&j->clones->lock, !is_foreground(j));
}

/* Somebody waits for other work. */
static bool is_in_the_way(struct clone_set *cs, const struct clone_job *j)
	requires_lock(cs->lock)
{
	const struct clone_job *other;

	check(j->clones == cs);
	if (is_foreground(j))
		return false;
	DL_FOREACH (cs->running, other)
		if (other != j && is_foreground(other))
			return true;
	DL_FOREACH (cs->fetches, other)
		if (is_foreground(other))
			return true;
	return false;
}

static int make_room(struct clone_job *j)
{
	struct clone_set *cs = j->clones;
	int64_t until = clock_mono_ms() + YIELD_MS;
	int r = 0;

	while (r == 0 && clock_mono_ms() < until &&
	       mutex_with(&cs->lock, is_in_the_way(cs, j)))
		r = ctx_sleep(j->ctx, YIELD_LOOK_MS);
	return r;
}

int clone_rest_goes_on(struct clone_job *j)
{
	struct clone_set *cs = j->clones;

	mutex_lock(&cs->lock);
	j->is_enough = j->need.most &&
		       j->rest.n_bytes + j->progress.n_bytes > j->need.most;
	mutex_unlock(&cs->lock);
	return j->is_enough ? -E2BIG : make_room(j);
}

/* ---- how much came in the background, over all mounts ---- */

static char *fact_of(const struct clone_job *j)
{
	char commit[41];

	return mem_asprintf("%s %s", j->clone->uuid,
			    oid_hex(&j->commit, commit));
}

static uint64_t recall_bytes(const struct clone_job *j)
{
	cleanup(free) char *key = fact_of(j);
	cleanup(blob_unref) struct blob *text = NULL;
	uint64_t n = 0;

	if (cache_fact_get(j->clones->cache, "hydrated", key, strlen(key),
			   &text) < 0 ||
	    text_parse_u64(blob_data(text), INT64_MAX, &n) < 0)
		return 0;
	return n;
}

static void remember_bytes(const struct clone_job *j, uint64_t n)
{
	cleanup(free) char *key = fact_of(j);
	char text[24];
	int len = snprintf(text, sizeof(text), "%" PRIu64, n);

	(void)cache_fact_put(j->clones->cache, "hydrated", key, strlen(key),
			     text, (size_t)len);
}

/* ---- the steps ---- */

/* The pack is done, or broken off: its bytes are among those before. */
static void add_up(struct clone_job *j)
{
	mutex_lock(&j->clones->lock);
	j->rest.n_bytes += j->progress.n_bytes;
	j->progress = (struct objects_progress){.n_bytes = 0};
	mutex_unlock(&j->clones->lock);
}

static void note_missing(struct clone_job *j, size_t n)
{
	mutex_lock(&j->clones->lock);
	if (!j->rest.n_all)
		j->rest.n_all = n;
	j->rest.n_left = n;
	mutex_unlock(&j->clones->lock);
}

static int fetch_whole(struct clone_job *j)
{
	mutex_lock(&j->clones->lock);
	j->rest.whole = true;
	mutex_unlock(&j->clones->lock);
	return clone_job_take(j);
}

/* By the old protocol a server may refuse to be asked for a blob. */
static bool may_do_whole(int r)
{
	return r == -EIO || r == -EACCES || r == -ENOENT || r == -ENODATA;
}

static int fetch_batch(struct clone_job *j, const struct objects_lacking *l)
{
	int r;

	j->n_listed = l->n_missing < BATCH ? l->n_missing : BATCH;
	j->listed = mem_calloc(j->n_listed, sizeof(*j->listed));
	memcpy(j->listed, l->missing, j->n_listed * sizeof(*j->listed));
	r = clone_job_take(j);
	free(j->listed);
	j->listed = NULL;
	j->n_listed = 0;
	return r;
}

/* The whole commit is wanted; else what is below need.oid. */
static bool is_of_commit(const struct clone_job *j)
{
	return oid_equal(&j->need.oid, &j->commit);
}

/* 1: all of it is here. */
static int fetch_some(struct clone_job *j, const struct objects_lacking *l)
{
	bool whole = l->n_trees_missing ||
		     (is_of_commit(j) && l->n_missing > l->n_blobs / 2);
	int r = whole ? 0 : fetch_batch(j, l);

	if (!whole && may_do_whole(r)) {
		j->ctx->sentence[0] = '\0';
		whole = true;
	}
	/* It marks what came. */
	if (whole)
		r = fetch_whole(j);
	add_up(j);
	return r < 0 ? r : whole;
}

static int fail_lacking(struct clone_job *j, size_t n)
{
	return ctx_fail(j->ctx, -EIO,
			"%s/%s: the server's packs lack %zu objects that were "
			"asked for",
			j->workspace, j->slug, n);
}

static int fetch_rest(struct clone_job *j, const struct oid *tree)
{
	size_t before = SIZE_MAX;
	int r = objects_take_rest(j->ctx, j->objects);

	while (r >= 0) {
		cleanup(objects_lacking_done) struct objects_lacking l = {0};
		size_t n;

		r = objects_lacking(j->ctx, j->objects, tree, &l);
		if (r < 0)
			break;
		n = l.n_missing + l.n_trees_missing;
		if (n == 0)
			return !is_of_commit(j)
				       ? 0
				       : objects_mark(j->objects, &j->commit,
						      OBJECTS_COMPLETE);
		if (n >= before)
			return fail_lacking(j, n);
		before = n;
		note_missing(j, l.n_missing);
		r = fetch_some(j, &l);
		if (r > 0)
			return 0;
	}
	return r;
}

bool clone_is_most(struct ctx *ctx, struct clone *c, const struct oid *root,
		   const struct oid *tree)
{
	cleanup(objects_lacking_done) struct objects_lacking all = {0};
	cleanup(objects_lacking_done) struct objects_lacking below = {0};
	struct objects *objects;
	int r = clone_store(c, &objects);

	if (r >= 0)
		r = objects_lacking(ctx, objects, root, &all);
	if (r >= 0)
		r = objects_lacking(ctx, objects, tree, &below);
	return r >= 0 &&
	       (below.n_trees_missing || below.n_missing > all.n_blobs / 2);
}

static void note_waits(struct clone_job *j, bool waits)
{
	mutex_lock(&j->clones->lock);
	j->rest.waits = waits;
	mutex_unlock(&j->clones->lock);
}

/* Only as long as nobody waits. Without the lock, if it cannot be had, the same
 * comes twice, and that is all. */
static int await_other_mounts(struct clone_job *j, int *ret_lock)
{
	int r = 0;

	while (r == 0 && is_background(j)) {
		if (objects_lock_rest(j->objects, ret_lock) != -EBUSY)
			break;
		note_waits(j, true);
		r = ctx_sleep(j->ctx, OTHERS_LOOK_MS);
	}
	note_waits(j, false);
	return r;
}

/* True: as much as there may be came in earlier mounts. */
static bool begin(struct clone_job *j, uint64_t before)
{
	bool is_enough;

	mutex_lock(&j->clones->lock);
	j->rest.n_bytes = before;
	is_enough = j->need.most && before > j->need.most;
	mutex_unlock(&j->clones->lock);
	return is_enough;
}

static int bring(struct clone_job *j)
{
	struct clone_head head;
	uint64_t before = 0;
	int r = clone_commit_read(j->ctx, j->objects, &j->commit, &head);

	if (r < 0 || clone_comes_whole(j->clone))
		return clone_job_take(j);
	if (!is_of_commit(j))
		head.tree = j->need.oid;
	j->keeps_rest = true;
	if (is_background(j))
		before = recall_bytes(j);
	/* Otherwise each mount would ask once more, to break it off at once. */
	if (begin(j, before))
		return 0;
	r = fetch_rest(j, &head.tree);
	if (is_background(j) && j->rest.n_bytes > before)
		remember_bytes(j, j->rest.n_bytes);
	/* As much as there may be: what came of the last pack is of use. */
	if (r == -E2BIG && j->is_enough) {
		j->ctx->sentence[0] = '\0';
		r = objects_take_rest(j->ctx, j->objects);
	}
	return r < 0 ? r : 0;
}

int clone_job_rest(struct clone_job *j)
{
	cleanup(fd) int lock = -1;
	struct clone_head head;
	int r = await_other_mounts(j, &lock);

	if (r < 0 || clone_commit_is_present(j->ctx, j->objects, &j->commit,
					     OBJECTS_COMPLETE, &head))
		return r;
	return bring(j);
}
