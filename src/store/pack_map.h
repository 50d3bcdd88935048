/*
 * store/pack_map: whole blobs (no deltas) of mapped packs, inflated in one go:
 * for small files that are read by the thousand. The door to libdeflate;
 * without it nothing is found here.
 *
 * A map is used by one thread at a time, between page_guard_begin and
 * page_guard_end. Any byte of the packs may be wrong: what cannot be read this
 * way is left to others, who find out why.
 */
#ifndef STORE_PACK_MAP_H
#define STORE_PACK_MAP_H

#include "base/mem.h"
#include "store/oid.h"

struct pack_map;
/* Maps the packs that are there now, in the directory objects. */
struct pack_map *pack_map_new(const char *objects);
struct pack_map *pack_map_free(struct pack_map *);

/* The content, its sum verified (adler32, as zlib does); NULL: it is no whole
 * blob of at most max bytes in these packs. */
struct blob *pack_map_blob(struct pack_map *, const struct oid *, size_t max);

#endif
