/*
 * model/shown: which version of a directory's names the kernel's copy of its
 * listing can be of, and what an OPENDIR may therefore say of that copy.
 *
 * Owns counts alone; the caller's lock guards them (model/dirlist). Must never
 * know what the names are.
 */
#ifndef MODEL_SHOWN_H
#define MODEL_SHOWN_H

#include "base/defs.h"

/* Of a directory; {0}: nobody has opened it. */
struct shown {
	uint64_t version; /* the names' */
	uint64_t serial;  /* raised whenever the version changes */
	unsigned n_same,
		n_other; /* openers of this serial, and of earlier ones */
	bool filled;     /* the kernel's copy, if any, is of this serial */
};
/* Of one opener. */
struct shown_opened {
	uint64_t serial;
	bool fills; /* its OPENDIR had the kernel drop its copy */
};
enum shown_reply {
	SHOWN_PASS, /* the kernel drops its copy and makes none of this one */
	SHOWN_FILL, /* … and makes a new one of what this one reads */
	SHOWN_KEEP, /* the kernel answers by its copy, if it has one */
};
enum shown_reply shown_open(struct shown *, uint64_t version,
			    struct shown_opened *ret_opened);
/* A READDIR from the start: the kernel has heeded the reply to OPENDIR. */
void shown_read(struct shown *, const struct shown_opened *);
void shown_close(struct shown *, const struct shown_opened *);
/* The opener's names are not of the newest version. */
bool shown_is_old(const struct shown *, const struct shown_opened *);

#endif
