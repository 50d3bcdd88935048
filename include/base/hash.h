/*
 * base/hash: FNV-1a with 64 bits (draft-eastlake-fnv-21), for tables in memory,
 * versions of listings and inode numbers: fast and the same on each machine and
 * in each version of the program. Not for keys that an attacker can choose.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include "base/defs.h"

/* A hash begins with FNV's offset basis. */
#define HASH_INIT UINT64_C(0xcbf29ce484222325)

/* The hash so far, and n bytes more. */
uint64_t hash_bytes(uint64_t hash, const void *data, size_t n);
/* A text's bytes, without the NUL that ends it. */
uint64_t hash_text(uint64_t hash, const char *text);

/* hash, its high bits carried into the low ones: FNV's low bits alone say
 * little, and a table's size takes only these. */
static inline uint64_t hash_mix(uint64_t hash)
{
	hash ^= hash >> 32;
	return hash * UINT64_C(0x9e3779b97f4a7c15);
}

#endif
