/*
 * cmd/cache: what a cache has, for people and programs; the bound that it has.
 */
#ifndef CMD_CACHE_H
#define CMD_CACHE_H

#include "base/mem.h"

/* Where the names begin in a narrow table: where what is left of them goes. */
#define CACHE_NAME_AT 11

struct json;
struct usage;

/* Bytes that the cache in dir may take, as configured; 0: no end. */
uint64_t cache_bound(uint64_t cache_size, const char *dir);
/* A line a repository, most first; so wide as a terminal of that many columns
 * (0: as it takes). */
void cache_show(const struct usage *, uint64_t bound, unsigned columns,
		struct buf *out);
void cache_tell(const struct usage *, const char *dir, uint64_t bound,
		struct json *into);

#endif
