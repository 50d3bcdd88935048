/*
 * model/listed_copy: which version of a directory's names the kernel's copy of
 * its listing can be of, and what an OPENDIR may therefore say of that copy.
 *
 * Owns counts alone; model/listed's lock guards them. Must never know what
 * the names are.
 */
#ifndef MODEL_LISTED_COPY_H
#define MODEL_LISTED_COPY_H

#include "base/defs.h"

/* Of a directory; {0}: nobody has opened it. */
struct listed_copy {
	uint64_t version; /* the names' */
	uint64_t serial;  /* raised whenever the version changes */
	unsigned n_same,
		n_other; /* openers of this serial, and of earlier ones */
	bool filled;     /* the kernel's copy, if any, is of this serial */
};
/* Of one opener. */
struct listed_copy_opened {
	uint64_t serial;
	bool fills; /* its OPENDIR had the kernel drop its copy */
};
enum listed_copy_reply {
	LISTED_COPY_PASS, /* the kernel drops its copy and makes none of this
			     one */
	LISTED_COPY_FILL, /* … and makes a new one of what this one reads */
	LISTED_COPY_KEEP, /* the kernel answers by its copy, if it has one */
};
enum listed_copy_reply listed_copy_open(struct listed_copy *, uint64_t version,
					struct listed_copy_opened *ret_opened);
/* A READDIR from the start: the kernel has heeded the reply to OPENDIR. */
void listed_copy_read(struct listed_copy *, const struct listed_copy_opened *);
void listed_copy_close(struct listed_copy *, const struct listed_copy_opened *);
/* The opener's names are not of the newest version. */
bool listed_copy_is_old(const struct listed_copy *,
			const struct listed_copy_opened *);

#endif
