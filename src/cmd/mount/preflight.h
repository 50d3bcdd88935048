/*
 * cmd/mount/preflight: what can be known to be wrong before anything is
 * mounted, each in one sentence; and what is mounted where.
 *
 * Must never wait for a mount that does not answer.
 */
#ifndef CMD_PREFLIGHT_H
#define CMD_PREFLIGHT_H

#include "base/mem.h"

#include <sys/types.h>

#define PREFLIGHT_TYPE "fuse.bitbucketfs"

/* The kernel's table (proc_pid_mountinfo(5)). 0 or -errno; ret_text is
 * initialised, and its data is NULL where nothing is mounted. */
int preflight_table(struct buf *ret_text);

/* What is mounted exactly there, on top. */
enum preflight_mount {
	PREFLIGHT_NOTHING,
	PREFLIGHT_OURS,  /* a bitbucketfs, alive or dead */
	PREFLIGHT_OTHER, /* another file system */
};
struct preflight_place {
	enum preflight_mount what;
	dev_t device;
	uid_t user; /* who mounted, of a FUSE file system */
	bool allows_others;
	char *inside; /* a mount point below it, or NULL */
};
void preflight_place_done(struct preflight_place *);
DEFINE_CLEANUP_DONE(struct preflight_place, preflight_place_done);

/* From the text of a mountinfo file (proc_pid_mountinfo(5)); path is absolute
 * and without symlinks. Nothing of the mount itself is touched. */
void preflight_look(const char *mountinfo, const char *path,
		    struct preflight_place *ret_place);
/* The same from the kernel's own; -errno if it cannot be read. */
int preflight_place(const char *path, struct preflight_place *ret_place);
int preflight_mounted(const char *path);

/* Every Bitbucket of such a text, whoever mounted it. */
typedef void preflight_visit(void *arg, const char *path,
			     const struct preflight_place *);
void preflight_each(const char *mountinfo, preflight_visit *, void *arg);
/* Where a user has Bitbuckets mounted, with ", " between them; how many. */
size_t preflight_find(const char *mountinfo, uid_t user,
		      struct buf *ret_points);
/* Where this user has them. */
size_t preflight_others(struct buf *ret_points);

/* A mount point as the kernel names it: absolute, no symlinks, also when what
 * is mounted there does not answer. NULL: the default, ~/bitbucket. */
int preflight_path(const char *mountpoint, char **ret_path);

#define PREFLIGHT_ANSWER_MS 2000
/* Whether the mount there answers, without waiting for longer than
 * timeout_ms: 0, -ENOTCONN (its daemon is dead), -ETIMEDOUT, another. */
int preflight_answers(const char *path, int timeout_ms);

/* Takes a mount away; lazily: at once, though it is in use. 0, -EBUSY, or
 * another -errno; why it was not done is left in words. */
int preflight_unmount(const char *path, bool lazily, char words[static 256]);

/* Where PATH has fusermount3, or NULL; free it. */
char *preflight_fusermount(void);
/* What fusermount3 lacks that it reads to unmount, and what to do; or NULL. */
const char *preflight_no_table(void);
/* Why fusermount3, which is setuid, stays who runs it; or NULL. */
const char *preflight_no_rights(void);
/* May this process open the device? 0 or -errno with the sentence. */
int preflight_device(const char *device, char why[static 512]);
/* Everything before mounting at path: device, fusermount3, the directory. A
 * missing one is made if make says so; a dead mount is taken away. */
int preflight_check(const char *path, bool make, char why[static 512]);

/* Refuses a path that leads through the mount point, by whatever name: the
 * daemon would wait for itself, and no signal ends that. what is what the path
 * is, for the sentence. 0 or -EDEADLK with the sentence. */
int preflight_below(const char *mountpoint, const char *what, const char *path,
		    char why[static 512]);

#endif
