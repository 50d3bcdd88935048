/*
 * store/pack_map: blobs of mapped packs, whole or deltas of others in the same
 * pack, inflated in one go: for small files that are read by the thousand. The
 * door to libdeflate; without it nothing is found here.
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

/* The content, the sums of what it is made of verified (adler32, as zlib does);
 * NULL: it is no blob of at most max bytes that can be made of these packs. */
struct blob *pack_map_blob(struct pack_map *, const struct oid *, size_t max);
/* Its size alone. False: others have to find out. */
bool pack_map_size(struct pack_map *, const struct oid *, uint64_t *ret_size);

#endif
