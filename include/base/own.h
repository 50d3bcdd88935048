/*
 * base/own: directories and files that nobody but this user can have put where
 * they are. The program believes what is in them (a cache, a token), so it
 * looks at them as ssh(1) looks at its keys.
 *
 * Ours: it belongs to the effective user, and nobody else may write to it: not
 * the group either, unless that is the user's own without other members.
 */
#ifndef BASE_OWN_H
#define BASE_OWN_H

#include "base/mem.h"

#include <sys/types.h>

#define OWN_WHY_MAX 1024

struct stat;

/*
 * Is this directory ours, and the way to it safe? Each directory on the way
 * must belong to this user or root, and others may write to it only if it is
 * sticky, like /tmp; a symlink on the way must belong to one of the two. A
 * directory that is missing is fine: whoever makes it owns it. Of what is in
 * the directory itself, every name that begins with prefix must be a file or
 * directory of ours (NULL: not looked at). 0, -EPERM or another -errno, with
 * the sentence.
 */
int own_directory(const char *path, const char *prefix,
		  char why[static OWN_WHY_MAX]);

bool own_is(const struct stat *);
bool own_others_may_write(const struct stat *);

/*
 * Follows a path name by name, as the kernel would, through symlinks and "..",
 * and shows each place on the way: its name without symlinks above it, what
 * lstat(2) says, and whether it ends the path (a symlink does not). A step that
 * returns other than 0 ends the walk with that; what is missing ends it with 0.
 * *ret_path: where the path leads, or NULL: it is missing.
 */
typedef int own_step(void *arg, const char *path, const struct stat *,
		     bool last, char why[static OWN_WHY_MAX]);
int own_walk(const char *path, own_step *, void *arg, char **ret_path,
	     char why[static OWN_WHY_MAX]);

/* open(2) of a regular file that is ours, or made by the call. A symlink is
 * -ELOOP; a FIFO, a device, another user's: -EPERM, and never a wait. */
int own_open(const char *path, int flags, mode_t mode);
/* file_read() of such a file. */
int own_read(const char *path, size_t max, struct buf *ret_bytes);

#endif
