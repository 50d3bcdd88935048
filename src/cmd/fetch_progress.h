/*
 * cmd/fetch_progress: how far a fetch is, while it is awaited.
 *
 * Must never know what is fetched. Owns Ctrl-C meanwhile.
 */
#ifndef CMD_FETCH_PROGRESS_H
#define CMD_FETCH_PROGRESS_H

#include "cmd/mount/inside.h"

struct fetch_progress;
/* From now on the mount is asked each half second, on a thread of its own: at a
 * terminal one line of standard error is written anew, elsewhere a line when it
 * begins or ends to wait for the quota. Ctrl-C ends this process, with a
 * sentence and COMMAND_FAILED; the daemon sees that, and stops. inside is
 * borrowed. */
struct fetch_progress *fetch_progress_begin(const struct inside *);
/* The line is gone. NULL is fine. */
struct fetch_progress *fetch_progress_end(struct fetch_progress *);

#endif
