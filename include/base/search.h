/*
 * base/search: binary search for the place of a key; bsearch(3) says nothing of
 * a key that is missing.
 */
#ifndef BASE_SEARCH_H
#define BASE_SEARCH_H

#include "base/defs.h"

/* Does thing i come before key? */
typedef bool search_before(const void *things, size_t i, const void *key);

/* The first of n sorted things that does not come before key; n: all do. */
static inline size_t search_first(const void *things, size_t n, const void *key,
				  search_before *before)
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (before(things, middle, key))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

#endif
