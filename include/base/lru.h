/*
 * base/lru: values by key, of which those used longest ago go when there is no
 * room for all. Values are immutable and counted by whoever made them: a cache
 * has one reference, each lru_get() gives another.
 *
 * May be called from any thread. Must never know what the values are.
 */
#ifndef BASE_LRU_H
#define BASE_LRU_H

#include "base/defs.h"
#include "base/sync.h"

struct lru_values {
	void *(*ref)(void *value);  /* called under the lock: only counts */
	void (*unref)(void *value); /* never called under the lock */
};

struct lru_entry;
struct lru {
	const struct lru_values *values;
	size_t most; /* sum of sizes; the newest stays however large it is */
	struct mutex lock;
	struct lru_entry *table under_lock;
	struct lru_entry *order under_lock; /* used longest ago first */
	size_t n_bytes under_lock;
};

void lru_init(struct lru *, size_t most, const struct lru_values *);
void lru_done(struct lru *);

/* A reference for the caller, and the value counts as the last used; NULL:
 * there is none of that key. */
void *lru_get(struct lru *, const void *key, size_t n_key);
/* Replaces the key's old value, if there is one. Takes a reference of its own.
 * size is in the unit of `most`. */
void lru_put(struct lru *, const void *key, size_t n_key, void *value,
	     size_t size);
/* Drops the values whose keys begin with prefix; "" and 0: all. */
void lru_forget(struct lru *, const void *prefix, size_t n_prefix);
/* Drops the values that nobody got or put for so long. The sum of their sizes.
 */
size_t lru_expire(struct lru *, int64_t unused_ms);

#endif
