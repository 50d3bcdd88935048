/*
 * model/tell: the kernel, and people, are told what a newer list of a
 * directory's names changed: one loop and one order, whatever is listed
 * (workspaces, repositories, the items of a collection, refs).
 *
 * Must never know what the names mean: that is in struct tell_how. Which list
 * was told last, and whose turn it is, is in model/listed.
 */
#ifndef MODEL_TELL_H
#define MODEL_TELL_H

#include "model/compare.h"

struct buf;
struct model;
struct node;

enum tell_change {
	TELL_SAME,     /* nothing is told */
	TELL_GONE,     /* the older list alone has the name */
	TELL_NEW,      /* the newer list alone */
	TELL_UPDATED,  /* the same thing, with other content */
	TELL_REPLACED, /* the name means another thing */
};
struct tell {
	struct model *model;
	/* NULL: the kernel does not know the directory, people are told. */
	struct node *dir;
	struct compare_side before, after;
	const struct tell_how *how;
	const void *arg;  /* of how's functions */
	struct buf *said; /* a line for each change; NULL: nobody asked */
	/* Other names of the directory (its index) changed as well: the kernel
	 * is told of its listing whatever the two lists say. */
	bool renewed;
};
struct tell_how {
	/* Of a name that both lists have: TELL_SAME, TELL_UPDATED or
	 * TELL_REPLACED. NULL: names alone are compared. */
	enum tell_change (*differs)(const void *was, const void *is);
	/* Tells the kernel of one name, not of the directory. */
	void (*name)(const struct tell *, const struct compare_pair *,
		     enum tell_change);
	/* For people, of TELL_REPLACED: "another repository now". */
	const char *replaced;
};
/*
 * Tells of each name first, then of the directory: of its listing if names
 * came, went or were replaced, of its attributes alone if some were updated.
 * The other way round:
 * 1. The directory is told. A program lists it anew: x is another thing.
 * 2. The program looks at x, and is answered from what the kernel still
 *    believes of x.
 * Returns how many names changed. Never waits.
 */
size_t tell_changes(const struct tell *);

#endif
