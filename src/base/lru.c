/*
 * base/lru: a hash table, and the same entries in a list by their last use.
 *
 * A value that goes is taken out under the lock, and its reference dropped
 * without it: freeing the value may take long (a tree of 100,000 names), or
 * take other locks.
 */
#include "base/lru.h"

#include "base/clock.h"
#include "base/map.h"

struct lru_entry {
	void *value;
	size_t size;
	int64_t used_ms;
	struct lru_entry *prev, *next;
	UT_hash_handle hh;
	size_t n_key;
	char key[];
};

void lru_init(struct lru *lru, size_t most, const struct lru_values *values)
{
	*lru = (struct lru){.values = values, .most = most};
	mutex_init(&lru->lock);
}

void lru_done(struct lru *lru)
{
	lru_forget(lru, "", 0);
	mutex_done(&lru->lock);
}

/* Moves an entry from the table to the list of those to be freed without the
 * lock. */
static void take_out(struct lru *lru, struct lru_entry *e,
		     struct lru_entry **gone) requires_lock(lru->lock)
{
	HASH_DEL(lru->table, e);
	DL_DELETE(lru->order, e);
	lru->n_bytes -= e->size;
	DL_APPEND(*gone, e);
}

static void let_go(struct lru *lru, struct lru_entry *gone)
{
	struct lru_entry *e, *next;

	DL_FOREACH_SAFE (gone, e, next) {
		DL_DELETE(gone, e);
		lru->values->unref(e->value);
		free(e);
	}
}

void *lru_get(struct lru *lru, const void *key, size_t n_key)
{
	struct lru_entry *e;
	void *value = NULL;

	mutex_lock(&lru->lock);
	HASH_FIND(hh, lru->table, key, n_key, e);
	if (e) {
		DL_DELETE(lru->order, e);
		DL_APPEND(lru->order, e);
		e->used_ms = clock_mono_ms();
		/* Under the lock: afterwards another thread may take the entry
		 * out, and drop the last reference. */
		value = lru->values->ref(e->value);
	}
	mutex_unlock(&lru->lock);
	return value;
}

void lru_put(struct lru *lru, const void *key, size_t n_key, void *value,
	     size_t size)
{
	struct lru_entry *e = mem_calloc(1, sizeof(*e) + n_key), *old;
	struct lru_entry *gone = NULL;

	memcpy(e->key, key, n_key);
	e->n_key = n_key;
	e->value = lru->values->ref(value);
	e->size = size;
	e->used_ms = clock_mono_ms();
	mutex_lock(&lru->lock);
	HASH_FIND(hh, lru->table, key, n_key, old);
	if (old)
		take_out(lru, old, &gone);
	HASH_ADD_KEYPTR(hh, lru->table, e->key, n_key, e);
	DL_APPEND(lru->order, e);
	lru->n_bytes += size;
	while (lru->n_bytes > lru->most && lru->order != e)
		take_out(lru, lru->order, &gone);
	mutex_unlock(&lru->lock);
	let_go(lru, gone);
}

void lru_forget(struct lru *lru, const void *prefix, size_t n_prefix)
{
	struct lru_entry *e, *next, *gone = NULL;

	mutex_lock(&lru->lock);
	DL_FOREACH_SAFE (lru->order, e, next) {
		if (e->n_key >= n_prefix &&
		    memcmp(e->key, prefix, n_prefix) == 0)
			take_out(lru, e, &gone);
	}
	mutex_unlock(&lru->lock);
	let_go(lru, gone);
}

size_t lru_expire(struct lru *lru, int64_t unused_ms)
{
	int64_t now = clock_mono_ms();
	struct lru_entry *gone = NULL;
	size_t n_bytes;

	mutex_lock(&lru->lock);
	n_bytes = lru->n_bytes;
	while (lru->order && now - lru->order->used_ms >= unused_ms)
		take_out(lru, lru->order, &gone);
	n_bytes -= lru->n_bytes;
	mutex_unlock(&lru->lock);
	let_go(lru, gone);
	return n_bytes;
}
