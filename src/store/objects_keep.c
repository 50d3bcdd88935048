/*
 * Trees and middling blobs that were read lately, for the whole process: the
 * bound is the process's memory, however many repositories are open. Keyed by
 * store and oid, because what one store has says nothing of another.
 *
 * Large trees have a room of their own, in which the newest stays however large
 * it is: otherwise each name that is looked up in a directory of 100,000 would
 * have all of them inflated and parsed again. What nobody used for a minute
 * goes from there.
 *
 * Values are let go outside the lock.
 */
#include "objects_private.h"

#include "store/tree_list.h"

#include "base/clock.h"
#include "base/map.h"

#define LARGE_TREE_MS (60 * 1000)

struct kept_key {
	unsigned char bytes[sizeof(uint64_t) + sizeof(struct oid)];
};

struct kept {
	struct kept_key key;
	uint64_t store;
	void *value;
	size_t size;
	int64_t used_ms;
	struct kept *prev, *next; /* used longest ago first */
	UT_hash_handle hh;
};

struct keeper {
	const size_t most;    /* bytes */
	const int64_t for_ms; /* 0: until there is no room */
	struct mutex lock;
	/* Under lock: */
	struct kept *table, *order;
	size_t n_bytes;
};

static struct keeper keepers[N_KEPT] = {
	[KEPT_TREES] = {.most = 2 * MIB},
	[KEPT_LARGE_TREES] = {.most = 64 * MIB, .for_ms = LARGE_TREE_MS},
	[KEPT_BLOBS] = {.most = 16 * MIB},
};

void objects_keep_init(void)
{
	for (size_t i = 0; i < N_KEPT; i++)
		mutex_init(&keepers[i].lock);
}

static struct kept_key key_of(const struct objects *o, const struct oid *oid)
{
	struct kept_key key;

	memcpy(key.bytes, &o->id, sizeof(o->id));
	memcpy(key.bytes + sizeof(o->id), oid->bytes, sizeof(oid->bytes));
	return key;
}

static void *value_ref(enum objects_kept what, void *value)
{
	if (what == KEPT_BLOBS)
		return blob_ref(value);
	return tree_list_ref(value);
}

static void value_unref(enum objects_kept what, void *value)
{
	if (what == KEPT_BLOBS)
		blob_unref(value);
	else
		tree_list_unref(value);
}

/* From the table to the list of those to be let go. */
static void evict(struct keeper *k, struct kept *e, struct kept **gone)
	requires_lock(k->lock)
{
	HASH_DEL(k->table, e);
	DL_DELETE(k->order, e);
	k->n_bytes -= e->size;
	DL_APPEND(*gone, e);
}

static void let_go(enum objects_kept what, struct kept *gone)
{
	while (gone) {
		struct kept *e = gone;

		DL_DELETE(gone, e);
		value_unref(what, e->value);
		free(e);
	}
}

void *objects_keep_get(enum objects_kept what, const struct objects *o,
		       const struct oid *oid)
{
	struct keeper *k = &keepers[what];
	struct kept_key key = key_of(o, oid);
	struct kept *e;
	void *value = NULL;

	mutex_lock(&k->lock);
	HASH_FIND(hh, k->table, &key, sizeof(key), e);
	if (e) {
		DL_DELETE(k->order, e);
		DL_APPEND(k->order, e);
		e->used_ms = clock_mono_ms();
		value = value_ref(what, e->value);
	}
	mutex_unlock(&k->lock);
	return value;
}

void objects_keep_put(enum objects_kept what, const struct objects *o,
		      const struct oid *oid, void *value, size_t size)
{
	struct keeper *k = &keepers[what];
	struct kept *e, *old, *gone = NULL;

	if (size > k->most / 2 && !k->for_ms)
		return;
	e = xcalloc(1, sizeof(*e));
	e->key = key_of(o, oid);
	e->store = o->id;
	e->value = value_ref(what, value);
	e->size = size + sizeof(*e);
	e->used_ms = clock_mono_ms();
	mutex_lock(&k->lock);
	HASH_FIND(hh, k->table, &e->key, sizeof(e->key), old);
	if (old)
		evict(k, old, &gone);
	HASH_ADD(hh, k->table, key, sizeof(e->key), e);
	DL_APPEND(k->order, e);
	k->n_bytes += e->size;
	while (k->n_bytes > k->most && k->order != e)
		evict(k, k->order, &gone);
	mutex_unlock(&k->lock);
	let_go(what, gone);
}

void objects_keep_forget(const struct objects *o)
{
	for (enum objects_kept what = 0; what < N_KEPT; what++) {
		struct keeper *k = &keepers[what];
		struct kept *e, *next, *gone = NULL;

		mutex_lock(&k->lock);
		for (e = k->order; e; e = next) {
			next = e->next;
			if (e->store == o->id)
				evict(k, e, &gone);
		}
		mutex_unlock(&k->lock);
		let_go(what, gone);
	}
}

void objects_keep_expire(void)
{
	int64_t now = clock_mono_ms();

	for (enum objects_kept what = 0; what < N_KEPT; what++) {
		struct keeper *k = &keepers[what];
		struct kept *gone = NULL;

		if (!k->for_ms)
			continue;
		mutex_lock(&k->lock);
		while (k->order && now - k->order->used_ms >= k->for_ms)
			evict(k, k->order, &gone);
		mutex_unlock(&k->lock);
		let_go(what, gone);
	}
}
