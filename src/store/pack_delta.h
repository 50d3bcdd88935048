/*
 * store/pack_delta: deltas of small objects, in memory (git's
 * Documentation/gitformat-pack.txt). Any byte may be wrong: what is false was
 * no delta. Larger ones are streamed by store/pack_read.
 */
#ifndef STORE_PACK_DELTA_H
#define STORE_PACK_DELTA_H

#include "base/mem.h"

struct pack_delta {
	const unsigned char *at, *end;
	size_t base_size, size; /* of the object that it makes */
};
bool pack_delta_open(const unsigned char *bytes, size_t n,
		     struct pack_delta *ret_delta);
/* base has base_size bytes, target room for size. */
bool pack_delta_apply(struct pack_delta *, const unsigned char *base,
		      unsigned char *target);

#endif
