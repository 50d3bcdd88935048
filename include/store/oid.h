/*
 * store/oid: the name of a git object: its SHA-1.
 */
#ifndef STORE_OID_H
#define STORE_OID_H

#include "base/defs.h"

#define OID_BYTES 20

struct oid {
	unsigned char bytes[OID_BYTES];
};
static inline bool oid_equal(const struct oid *a, const struct oid *b)
{
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}
/* The name that no object has: of nothing known, of what is not there. */
extern const struct oid oid_none;
static inline bool oid_is_none(const struct oid *oid)
{
	return oid_equal(oid, &oid_none);
}
char *oid_hex(const struct oid *, char out[static 41]); /* returns out */
/* 40 digits and no more; -EINVAL. */
int oid_parse(const char *hex, struct oid *ret_oid);

#endif
