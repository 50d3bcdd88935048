/*
 * base/file: files, directories, XDG places. Everything is opened O_CLOEXEC.
 */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include "base/mem.h"

#include <sys/types.h>

/* The whole file; -EFBIG over max. ret_bytes is initialised already: what it
 * held is freed, its max stays. */
int file_read(const char *path, size_t max, struct buf *ret_bytes);
/* From where the descriptor stands; it is not closed. */
int file_read_fd(int fd, size_t max, struct buf *ret_bytes);
/* Writes a temporary file beside path (".tmp-<pid>-<n>"), syncs it, renames it:
 * a reader sees the old or the new bytes, also after a power cut. mode as for
 * open(2). */
int file_write_atomic(const char *path, mode_t mode, const void *data,
		      size_t n);
/* The same without syncing: after a power cut it may be empty. */
int file_write_relaxed(const char *path, mode_t mode, const void *data,
		       size_t n);
/* Removes the temporary files in this directory whose process is dead. */
int file_sweep(const char *dir);
/* mkdir -p; the directories that it makes have this mode (as for mkdir(2)). */
int file_mkdirs(const char *path, mode_t mode);
/* rm -r, not following symlinks and not into other file systems; a missing path
 * is fine. Goes on after a failure; returns the first. */
int file_remove_tree(const char *path);
enum file_xdg {
	FILE_XDG_CACHE,
	FILE_XDG_CONFIG,
	FILE_XDG_STATE,
	FILE_XDG_RUNTIME, /* no fallback: -ENOENT */
};
/* A path below one of those places; below "" or NULL: the place itself. Of
 * FILE_XDG_CACHE: "$XDG_CACHE_HOME/…", or ".cache/…" of the home; -ENOENT
 * without either. Relative values are ignored, as the XDG Base Directory
 * Specification says. */
int file_xdg_path(enum file_xdg, const char *below, char **ret_path);
/* $HOME, but the home of the passwd entry where it is not set or belongs to
 * another user. */
int file_home_path(const char *below, char **ret_path);
/* An absolute path without symlinks in its parents; the last part need not
 * exist. */
int file_absolute(const char *path, char **ret_path);

/* flock(2), LOCK_SH or LOCK_EX; a signal does not end the wait. */
int file_lock(int fd, int how);

/* `cleanup(fd) int f = -1;` */
int file_close(int fd); /* -1 is fine; returns -1 */
static inline void fd_cleanup(int *fd)
{
	file_close(*fd);
}

/* All n bytes, at that place of the file. 0; -errno, when some may be there. */
int file_write_at(int fd, uint64_t offset, const void *data, size_t n);

/* The SHA-1 of a head in memory (n_head may be 0), and n bytes of a file from
 * there on. -ENODATA when the file ends before; -EINTR when ctx (NULL: nobody)
 * is cancelled. */
struct ctx;
int file_sha1(const struct ctx *, const void *head, size_t n_head, int fd,
	      uint64_t offset, uint64_t n, unsigned char ret_digest[static 20]);
/* digest_crc32 of n bytes of a file from there on; -ENODATA as above. */
int file_crc32(int fd, uint64_t offset, uint64_t n, uint32_t before,
	       uint32_t *ret_sum);

#endif
