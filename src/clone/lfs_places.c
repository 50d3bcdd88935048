/*
 * clone/lfs, places that servers named: until their time is over, and no more
 * than a walk wants at once. What SSH said of the server, too.
 */
#include "clone/lfs_private.h"

#include "base/clock.h"
#include "base/lru.h"
#include "store/flight.h"

#define PLACES_MOST 512

/* Immutable, counted. */
struct placed {
	struct refcount refcount;
	struct http_place place;
	int64_t until_ms;
};

struct clone_lfs {
	struct lru places; /* by the object's SHA-256 */
	struct flight *asking;
	struct mutex lock;
	struct lfs_server by_ssh under_lock; /* url NULL: not known */
};

static void *placed_ref(void *value)
{
	refcount_take(&((struct placed *)value)->refcount);
	return value;
}

static void placed_unref(void *value)
{
	struct placed *placed = value;

	if (!placed || !refcount_drop(&placed->refcount))
		return;
	http_place_done(&placed->place);
	free(placed);
}

static const struct lru_values values = {placed_ref, placed_unref};

struct clone_lfs *clone_lfs_free(struct clone_lfs *lfs)
{
	if (!lfs)
		return NULL;
	lru_done(&lfs->places);
	flight_free(lfs->asking);
	lfs_server_done(&lfs->by_ssh);
	mutex_done(&lfs->lock);
	free(lfs);
	return NULL;
}

static struct clone_lfs *lfs_of(struct clone *c)
{
	struct clone_lfs *lfs = mutex_with(&c->clones->lock, c->lfs), *fresh;

	if (lfs)
		return lfs;
	fresh = mem_calloc(1, sizeof(*fresh));
	lru_init(&fresh->places, PLACES_MOST, &values);
	fresh->asking = flight_new(0);
	mutex_init(&fresh->lock);
	mutex_lock(&c->clones->lock);
	if (!c->lfs)
		c->lfs = steal(&fresh);
	lfs = c->lfs;
	mutex_unlock(&c->clones->lock);
	clone_lfs_free(fresh);
	return lfs;
}

/* ---- what SSH said ---- */

bool lfs_server_recall(struct clone *c, const struct clone_server *server,
		       struct lfs_server *ret)
{
	struct clone_lfs *lfs = lfs_of(c);
	bool good;

	if (!server->is_ssh)
		return false;
	mutex_lock(&lfs->lock);
	good = lfs->by_ssh.place.url && clock_mono_ms() < lfs->by_ssh.until_ms;
	if (good) {
		*ret = lfs->by_ssh;
		http_place_copy(&lfs->by_ssh.place, &ret->place);
	}
	mutex_unlock(&lfs->lock);
	return good;
}

void lfs_server_note(struct clone *c, const struct lfs_server *server)
{
	struct clone_lfs *lfs = lfs_of(c);
	struct lfs_server old, mine = {0};

	if (server) {
		mine = *server;
		http_place_copy(&server->place, &mine.place);
	}
	mutex_lock(&lfs->lock);
	old = lfs->by_ssh;
	lfs->by_ssh = mine;
	mutex_unlock(&lfs->lock);
	lfs_server_done(&old);
}

/* ---- places ---- */

static struct placed *recall(struct clone_lfs *lfs,
			     const struct lfs_pointer *pointer,
			     const char *refused)
{
	struct placed *placed =
		lru_get(&lfs->places, pointer->oid, sizeof(pointer->oid));

	if (placed && clock_mono_ms() < placed->until_ms &&
	    (!refused || strcmp(placed->place.url, refused) != 0))
		return placed;
	placed_unref(placed);
	return NULL;
}

bool clone_lfs_is_placed(struct clone *c, const struct lfs_pointer *pointer)
{
	struct placed *placed = recall(lfs_of(c), pointer, NULL);
	bool is = placed != NULL;

	placed_unref(placed);
	return is;
}

static bool recall_place(struct clone_lfs *lfs,
			 const struct lfs_pointer *pointer, const char *refused,
			 struct http_place *ret)
{
	struct placed *placed = recall(lfs, pointer, refused);

	if (placed)
		http_place_copy(&placed->place, ret);
	placed_unref(placed);
	return ret->url;
}

static void remember(struct clone_lfs *lfs, const struct lfs_said *said)
{
	struct placed *placed;

	if (said->r < 0 || !said->place.url)
		return;
	placed = mem_calloc(1, sizeof(*placed));
	refcount_init(&placed->refcount);
	http_place_copy(&said->place, &placed->place);
	placed->until_ms = said->until_ms;
	lru_put(&lfs->places, said->pointer->oid, sizeof(said->pointer->oid),
		placed, 1);
	placed_unref(placed);
}

/* The pointer, and those of `also` that are not known: each once. */
static size_t choose(struct clone *c, const struct lfs_pointer *pointer,
		     const struct lfs_pointer *also, size_t n_also,
		     struct lfs_said said[static LFS_BATCH])
{
	size_t n = 0;

	said[n++].pointer = pointer;
	for (size_t i = 0; i < n_also && n < LFS_BATCH; i++) {
		bool known = clone_lfs_is_placed(c, &also[i]);

		for (size_t k = 0; !known && k < n; k++)
			known = !memcmp(said[k].pointer->oid, also[i].oid,
					sizeof(also[i].oid));
		if (!known)
			said[n++].pointer = &also[i];
	}
	return n;
}

static int ask(struct ctx *ctx, struct clone *c,
	       const struct lfs_pointer *pointer,
	       const struct lfs_pointer *also, size_t n_also,
	       struct http_place *ret)
{
	cleanup(free) struct lfs_said *said =
		mem_calloc(LFS_BATCH, sizeof(*said));
	size_t n = choose(c, pointer, also, n_also, said);
	int r = lfs_batch(ctx, c, said, n);

	if (r == 0 && said->r < 0)
		r = ctx_fail(ctx, said->r, "%s", said->sentence);
	for (size_t i = 0; i < n; i++)
		remember(lfs_of(c), &said[i]);
	if (r == 0) {
		http_place_copy(&said->place, ret);
		ret->fresh = true;
	}
	lfs_said_done(said, n);
	return r;
}

int clone_lfs_place(struct ctx *ctx, struct clone *c,
		    const struct lfs_pointer *pointer,
		    const struct lfs_pointer *also, size_t n_also,
		    const char *refused, struct http_place *ret_place)
{
	struct clone_lfs *lfs = lfs_of(c);
	struct http_place place = {0};
	char key[65];
	int r = FLIGHT_LANDED;

	lfs_oid_hex(pointer, key);
	while (r == FLIGHT_LANDED &&
	       !recall_place(lfs, pointer, refused, &place))
		r = flight_join(ctx, lfs->asking, key);
	if (r == FLIGHT_LEAD) {
		/* Somebody may have asked since. */
		if (!recall_place(lfs, pointer, refused, &place))
			r = ask(ctx, c, pointer, also, n_also, &place);
		flight_land(lfs->asking, key, r, ctx->sentence);
	}
	if (r < 0)
		return r;
	*ret_place = place;
	return 0;
}
