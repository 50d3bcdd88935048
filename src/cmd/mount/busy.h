/*
 * cmd/mount/busy: who is in the way of an umount.
 *
 * Must never touch the mount: its daemon may not answer.
 */
#ifndef CMD_BUSY_H
#define CMD_BUSY_H

#include "cmd/mount/preflight.h"

/*
 * Names the processes that keep the mount at path in use, and
 * what is mounted inside it, as the end of a sentence: "bash (4711) stands in
 * it, vim (4712) has a file of it open". Empty when nobody can be seen: those
 * of other users show themselves to root only.
 */
void busy_name(const struct preflight_place *, const char *path,
	       struct buf *ret_names);

#endif
