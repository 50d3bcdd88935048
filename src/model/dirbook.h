/*
 * model/dirbook: the readdir cookies of a directory whose names come and go.
 *
 * A cookie is a serial given when the name first appeared, never a position, so
 * that a reader in the middle of a listing neither skips nor repeats a name
 * when others are added or removed. Has its own lock, a leaf.
 */
#ifndef MODEL_DIRBOOK_H
#define MODEL_DIRBOOK_H

#include "base/defs.h"

struct dirbook;
struct dirbook *dirbook_new(void);
struct dirbook *dirbook_free(struct dirbook *);

struct dirbook_entry {
	uint64_t cookie; /* > 0 */
	size_t index;    /* in the names given */
};
/* The names with their cookies, sorted by cookie, those up to `after` left out.
 * Names that were never seen get the next serials, in the order given.
 * *ret_entries is the caller's (free). */
void dirbook_order(struct dirbook *, size_t n,
		   const char *(*name)(const void *names, size_t i),
		   const void *names, uint64_t after,
		   struct dirbook_entry **ret_entries, size_t *ret_n);

#endif
