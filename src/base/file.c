/*
 * base/file: whole files, directories, XDG places.
 */
#include "base/file.h"

#include "base/ctx.h"
#include "base/digest.h"

#include <dirent.h>
#include <fcntl.h>
#include <fts.h>
#include <limits.h>
#include <pwd.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEMPORARY ".tmp-"
#define RECORD_MAX (64 * KIB)
#define PIECE (256 * KIB) /* of a file that is hashed */

int file_lock(int fd, int how)
{
	while (flock(fd, how) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

int file_close(int fd)
{
	/* Linux closes the descriptor also when close() says EINTR. Not again:
	 * 1. A's close() says EINTR; descriptor 7 is free.
	 * 2. B opens a file, and gets 7.
	 * 3. A would close B's file. */
	if (fd >= 0)
		close(fd);
	return -1;
}

int file_read_fd(int fd, size_t max, struct buf *ret_bytes)
{
	cleanup(buf_done) struct buf bytes = BUF_INIT(SIZE_MAX);
	char piece[16 * KIB];

	for (;;) {
		ssize_t n = read(fd, piece, sizeof(piece));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if ((size_t)n > max - bytes.len)
			return -EFBIG;
		buf_add(&bytes, piece, (size_t)n);
		if (n == 0)
			break;
	}
	buf_done(ret_bytes);
	ret_bytes->size = bytes.size;
	ret_bytes->data = buf_steal(&bytes, &ret_bytes->len);
	return 0;
}

int file_read(const char *path, size_t max, struct buf *ret_bytes)
{
	cleanup(fd) int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : file_read_fd(fd, max, ret_bytes);
}

static int write_all(int fd, const char *data, size_t n)
{
	while (n) {
		ssize_t written = write(fd, data, n);
		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return -errno;
		data += written;
		n -= (size_t)written;
	}
	return 0;
}

int file_write_at(int fd, uint64_t offset, const void *data, size_t n)
{
	const char *at = data;

	while (n) {
		ssize_t done = pwrite(fd, at, n, (off_t)offset);

		if (done < 0 && errno != EINTR)
			return -errno;
		if (done > 0) {
			at += done;
			offset += (uint64_t)done;
			n -= (size_t)done;
		}
	}
	return 0;
}

/* The length of path's directory with its slash; 0: the current one. */
static size_t n_dir(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? (size_t)(slash - path) + 1 : 0;
}

static int sync_dir(const char *path)
{
	cleanup(free) char *dir = mem_dup0(path, n_dir(path));
	cleanup(fd) int fd = -1;

	fd = open(*dir ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) < 0)
		return -errno;
	return 0;
}

static int write_beside(const char *path, mode_t mode, const void *data,
			size_t n, bool sync)
{
	static atomic_uint serial;
	cleanup(free) char *beside = NULL;
	cleanup(fd) int fd = -1;
	int r;

	/* Named by process and number, not after the path, whose last part may
	 * have all of 255 bytes. EEXIST: a dead process with this id has left
	 * the file, and the next number is taken. */
	do {
		free(beside);
		beside = mem_asprintf("%.*s" TEMPORARY "%ld-%u",
				      (int)n_dir(path), path, (long)getpid(),
				      atomic_fetch_add(&serial, 1));
		fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
			  mode);
	} while (fd < 0 && errno == EEXIST);
	if (fd < 0)
		return -errno;

	r = write_all(fd, data, n);
	if (r == 0 && sync && fsync(fd) < 0)
		r = -errno;
	if (r == 0 && rename(beside, path) < 0)
		r = -errno;
	if (r < 0)
		unlink(beside);
	return r;
}

int file_write_atomic(const char *path, mode_t mode, const void *data, size_t n)
{
	int r = write_beside(path, mode, data, n, true);

	return r < 0 ? r : sync_dir(path);
}

int file_write_relaxed(const char *path, mode_t mode, const void *data,
		       size_t n)
{
	return write_beside(path, mode, data, n, false);
}

int file_sweep(const char *path)
{
	cleanup(fd) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir;

	if (fd < 0)
		return -errno;
	dir = fdopendir(fd);
	if (!dir)
		return -errno;
	fd = -1;
	for (struct dirent *d; (d = readdir(dir));) {
		char *end;
		long pid;

		if (strncmp(d->d_name, TEMPORARY, strlen(TEMPORARY)) != 0)
			continue;
		pid = strtol(d->d_name + strlen(TEMPORARY), &end, 10);
		if (pid > 0 && pid <= INT_MAX && *end == '-' &&
		    kill((pid_t)pid, 0) < 0 && errno == ESRCH)
			unlinkat(dirfd(dir), d->d_name, 0);
	}
	closedir(dir);
	return 0;
}

int file_mkdirs(const char *path, mode_t mode)
{
	cleanup(free) char *part = mem_strdup(path);
	struct stat st;

	if (!*path)
		return -ENOENT;
	for (size_t i = 1;; i++) {
		if (path[i] && path[i] != '/')
			continue;
		part[i] = '\0';
		if (mkdir(part, mode) < 0 && errno != EEXIST) {
			int errnum = errno;
			/* A directory that is there is fine, though mkdir says
			 * EROFS or EACCES of one that is not ours to write. */
			if (stat(part, &st) < 0 || !S_ISDIR(st.st_mode))
				return -errnum;
		}
		part[i] = path[i];
		if (!path[i])
			break;
	}
	if (stat(path, &st) < 0)
		return -errno;
	return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}

static int remove_one(const FTSENT *e)
{
	switch (e->fts_info) {
	case FTS_D:
		return 0;
	case FTS_DP:
		/* EBUSY: another file system is mounted here. FTS_XDEV left
		 * alone what is in it. */
		if (rmdir(e->fts_accpath) == 0 || errno == ENOENT)
			return 0;
		return errno == EBUSY ? -EXDEV : -errno;
	case FTS_DNR:
	case FTS_ERR:
		return -e->fts_errno;
	case FTS_NS:
		return e->fts_errno == ENOENT ? 0 : -e->fts_errno;
	default:
		if (unlink(e->fts_accpath) == 0 || errno == ENOENT)
			return 0;
		return -errno;
	}
}

int file_remove_tree(const char *path)
{
	cleanup(free) char *root = mem_strdup(path);
	char *const roots[] = {root, NULL};
	int r = 0;

	FTS *fts = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR | FTS_XDEV, NULL);
	if (!fts)
		return -errno;
	for (FTSENT *e; (e = fts_read(fts));) {
		int failed = remove_one(e);
		if (r == 0)
			r = failed;
	}
	fts_close(fts);
	return r;
}

static char *join(const char *above, const char *below)
{
	if (!below || !*below)
		return mem_strdup(above);
	return mem_asprintf("%s/%s", above, below);
}

/* mount(8) starts its helpers without HOME or with root's, sudo(8) as root with
 * the caller's: then the passwd entry says where the home is. */
static bool is_somebody_else_s(const char *home)
{
	struct stat st;

	return !stat(home, &st) && st.st_uid != getuid();
}

int file_home_path(const char *below, char **ret_path)
{
	cleanup(free) char *bytes = mem_alloc(RECORD_MAX);
	const char *home = getenv("HOME");
	struct passwd user, *found = NULL;

	if (home && home[0] != '/')
		home = NULL;
	if ((!home || is_somebody_else_s(home)) &&
	    !getpwuid_r(getuid(), &user, bytes, RECORD_MAX, &found) && found &&
	    found->pw_dir[0] == '/')
		home = found->pw_dir;
	if (!home)
		return -ENOENT;
	*ret_path = join(home, below);
	return 0;
}

int file_xdg_path(enum file_xdg which, const char *below, char **ret_path)
{
	static const struct {
		const char *variable, *fallback;
	} places[] = {
		[FILE_XDG_CACHE] = {"XDG_CACHE_HOME", ".cache"},
		[FILE_XDG_CONFIG] = {"XDG_CONFIG_HOME", ".config"},
		[FILE_XDG_STATE] = {"XDG_STATE_HOME", ".local/state"},
		[FILE_XDG_RUNTIME] = {"XDG_RUNTIME_DIR", NULL},
	};
	const char *value = getenv(places[which].variable);
	cleanup(free) char *path = NULL;

	if (value && value[0] == '/') {
		*ret_path = join(value, below);
		return 0;
	}
	if (!places[which].fallback)
		return -ENOENT;
	path = join(places[which].fallback, below);
	return file_home_path(path, ret_path);
}

int file_absolute(const char *path, char **ret_path)
{
	cleanup(free) char *own = mem_strdup(path);
	cleanup(free) char *parent = NULL;
	const char *last;
	size_t n = strlen(own);

	if (n == 0)
		return -ENOENT;
	while (n > 1 && own[n - 1] == '/')
		own[--n] = '\0';
	last = own + n_dir(own);
	/* "/", "." and ".." are there: they are resolved as a whole. */
	if (!*last || strcmp(last, ".") == 0 || strcmp(last, "..") == 0) {
		parent = realpath(own, NULL);
		if (!parent)
			return -errno;
		*ret_path = steal(&parent);
		return 0;
	}
	cleanup(free) char *above = mem_dup0(own, n_dir(own));
	parent = realpath(*above ? above : ".", NULL);
	if (!parent)
		return -errno;
	*ret_path = mem_asprintf("%s/%s", parent[1] ? parent : "", last);
	return 0;
}

/* -ENODATA at the end. */
static ssize_t read_piece(int fd, uint64_t offset, void *data, size_t n)
{
	ssize_t done;

	do
		done = pread(fd, data, n, (off_t)offset);
	while (done < 0 && errno == EINTR);
	if (done < 0)
		return -errno;
	return done == 0 ? -ENODATA : done;
}

int file_sha1(const struct ctx *ctx, const void *head, size_t n_head, int fd,
	      uint64_t offset, uint64_t n, unsigned char ret_digest[static 20])
{
	cleanup(digest_sha1_free) struct digest_sha1 *sha1 = digest_sha1_new();
	cleanup(free) unsigned char *piece = mem_alloc(PIECE);

	digest_sha1_add(sha1, head, n_head);
	while (n > 0) {
		ssize_t done =
			ctx_is_cancelled(ctx)
				? -EINTR
				: read_piece(fd, offset, piece,
					     n < PIECE ? (size_t)n : PIECE);

		if (done < 0)
			return (int)done;
		digest_sha1_add(sha1, piece, (size_t)done);
		offset += (uint64_t)done;
		n -= (uint64_t)done;
	}
	digest_sha1_end_bytes(sha1, ret_digest);
	return 0;
}

int file_crc32(int fd, uint64_t offset, uint64_t n, uint32_t before,
	       uint32_t *ret_sum)
{
	cleanup(free) unsigned char *piece = mem_alloc(PIECE);

	while (n > 0) {
		ssize_t done = read_piece(fd, offset, piece,
					  n < PIECE ? (size_t)n : PIECE);

		if (done < 0)
			return (int)done;
		before = digest_crc32(before, piece, (size_t)done);
		offset += (uint64_t)done;
		n -= (uint64_t)done;
	}
	*ret_sum = before;
	return 0;
}
