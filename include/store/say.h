/*
 * store/say: what the stores have to say to people. A damaged file that was set
 * aside is nobody's failed call, so it is said here: in the log, and to whoever
 * listens (the mount's `errors`).
 */
#ifndef STORE_SAY_H
#define STORE_SAY_H

#include "base/defs.h"

/* path: of the file on the disk. errnum is positive. */
void store_say(const char *path, int errnum, const char *fmt, ...)
	printf_like(3, 4);

/* What is in the way, for the end of a sentence: of the disk and of this
 * process in words that say whose they are. errnum is positive. */
const char *store_why(int errnum);

typedef void store_listener(void *arg, const char *path, int errnum,
			    const char *sentence);
/* One for the process; NULL: nobody. Returns when no call of the one before is
 * under way. */
void store_listen(store_listener *, void *arg);

#endif
