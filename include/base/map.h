/*
 * base/map: the door to uthash and utlist, the hash table and the list of the
 * program. The macros are used as their manual says
 * (https://troydhanson.github.io/uthash/userguide.html).
 *
 * Running out of memory aborts, as everywhere.
 */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "base/defs.h"

#define HASH_NONFATAL_OOM 0
#define uthash_malloc(n) mem_alloc(n)
#define uthash_fatal(msg) defs_check_failed(msg, __FILE__, __LINE__)
/* The default, HASH_JEN, falls through in a switch, which clang refuses. */
#define HASH_FUNCTION(key, n_key, value) HASH_FNV(key, n_key, value)
#include <uthash.h>
#include <utlist.h>

#endif
