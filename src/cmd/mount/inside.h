/*
 * cmd/mount/inside: which mount a path is in, and where in it.
 *
 * Must never look at anything of a mount, which may not answer: its mount point
 * is known from the kernel's table, and what comes after it is text.
 */
#ifndef CMD_INSIDE_H
#define CMD_INSIDE_H

#include "cmd/command.h"

#include <sys/types.h>

struct inside {
	char *mountpoint;
	char *path; /* in the mount; "": its root. Never NULL */
	dev_t device;
};
void inside_done(struct inside *);
DEFINE_CLEANUP_DONE(struct inside, inside_done);

/* Absolute, or from the working directory. Symlinks before the mount are
 * followed, and "." and ".." taken out. What is wrong is said;
 * COMMAND_NOT_MOUNTED: it is in no mount of ours. */
enum command_exit inside_of(const char *path, struct inside *ret);
/* The same, and nothing is said: -ENXIO, or as below. */
int inside_find(const char *path, struct inside *ret);
/* The same of the text of a kernel's table. 0; -ENXIO: in none; -ELOOP,
 * -ENAMETOOLONG, -ENOENT: the working directory is gone. */
int inside_look(const char *mountinfo, const char *path, struct inside *ret);

#endif
