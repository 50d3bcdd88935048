/*
 * store/oid: the name of a git object: its SHA-1.
 */
#ifndef STORE_OID_H
#define STORE_OID_H

#include "base/defs.h"

struct oid {
	unsigned char bytes[20];
};
static inline bool oid_equal(const struct oid *a, const struct oid *b)
{
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}
char *oid_hex(const struct oid *, char out[static 41]); /* returns out */
/* 40 digits and no more; -EINVAL. */
int oid_parse(const char *hex, struct oid *ret_oid);

#endif
