/*
 * cmd/mount/refusal: why libfuse or fusermount3 did not mount. They say it on
 * standard error, in words that name no remedy, and beside ours.
 *
 * Must never know how one mounts.
 */
#ifndef CMD_REFUSAL_H
#define CMD_REFUSAL_H

#include "base/defs.h"

/* What is written to standard error meanwhile, by this process and by those
 * that it starts. */
struct refusal {
	int saved, file; /* -1: nothing is listened to */
};
void refusal_listen(struct refusal *);
/* Standard error is itself again. What was said, "" at least; the caller's to
 * free. */
char *refusal_heard(struct refusal *);

/* One sentence of those words; errnum is of the call that failed. The caller's
 * to free. */
char *refusal_sentence(const char *mountpoint, const char *words, int errnum);

#endif
