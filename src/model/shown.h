/*
 * model/shown: which version of a directory's names the kernel's copy of its
 * listing can be of, and what an OPENDIR may therefore say of that copy.
 *
 * Owns counts alone; whoever has it guards it. Must never know what the names
 * are.
 */
#ifndef MODEL_SHOWN_H
#define MODEL_SHOWN_H

#include "base/defs.h"

/* Of a directory; {0}: nobody has opened it. */
struct shown {
	uint64_t version;         /* the names' */
	uint64_t serial;          /* how often the version was another one */
	unsigned n_same, n_other; /* open, of this serial and of earlier ones */
	bool filled; /* the copy is of this serial, or there is none */
};
/* Of one that is open. */
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
/* It is served from the start. */
void shown_read(struct shown *, const struct shown_opened *);
void shown_close(struct shown *, const struct shown_opened *);
/* What it shows is no longer the newest. */
bool shown_is_old(const struct shown *, const struct shown_opened *);

#endif
