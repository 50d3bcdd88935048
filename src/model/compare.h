/*
 * model/compare: a list of names before and after, walked side by side in
 * their order, so that model/tell sees each name once: gone, new, or in both.
 *
 * Both are arrays sorted by strcmp, each name once, of structs whose first
 * member is the name (or of the names themselves). Nothing is copied.
 */
#ifndef MODEL_COMPARE_H
#define MODEL_COMPARE_H

#include "base/defs.h"

struct compare_side {
	const void *items;
	size_t n, size; /* size: of an item */
};
/* items may be NULL with n 0: nothing was listed before. */
#define COMPARE_SIDE(items_, n_) \
	((struct compare_side){(items_), (n_), sizeof(*(items_))})

struct compare {
	struct compare_side before, after;
	size_t b, a; /* how much of them was walked: 0 */
};

enum compare_is {
	COMPARE_GONE, /* was alone */
	COMPARE_NEW,  /* is alone */
	COMPARE_BOTH, /* what the items say besides is the caller's to compare
		       */
};
struct compare_pair {
	enum compare_is how;
	const char *name;
	const void *was, *is; /* the items; NULL: it has none */
};
/* False: that was all. */
bool compare_next(struct compare *, struct compare_pair *ret_pair);

#endif
