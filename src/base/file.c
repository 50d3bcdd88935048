/* base/file: whole-file reading and writing, directories, XDG places. */
#include "base/file.h"

#include <fcntl.h>
#include <fts.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

int fd_close(int fd)
{
	if (fd >= 0)
		close(fd);
	return -1;
}

int file_read(const char *path, size_t max, struct buf *ret_bytes)
{
	cleanup(fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
	cleanup(buf_done) struct buf bytes = BUF_INIT(max);
	char piece[16 * KIB];
	ssize_t n;

	if (fd < 0)
		return -errno;
	while ((n = read(fd, piece, sizeof(piece))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (buf_add(&bytes, piece, (size_t)n) < 0)
			return -EFBIG;
	}
	ret_bytes->data = buf_steal(&bytes, &ret_bytes->len);
	ret_bytes->size = ret_bytes->len + 1;
	return 0;
}

static int write_all(int fd, const char *data, size_t n)
{
	while (n > 0) {
		ssize_t wrote = write(fd, data, n);

		if (wrote < 0 && errno != EINTR)
			return -errno;
		if (wrote > 0) {
			data += wrote;
			n -= (size_t)wrote;
		}
	}
	return 0;
}

static int sync_parent(const char *path)
{
	cleanup(free) char *parent = xstrdup(path);
	char *slash = strrchr(parent, '/');
	cleanup(fd) int fd = -1;

	if (slash)
		slash[slash == parent] = '\0';
	fd = open(slash ? parent : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

int file_write_atomic(const char *path, mode_t mode, const void *data, size_t n)
{
	cleanup(free) char *temporary =
		xasprintf("%s.tmp-%ld-%ld", path, (long)getpid(), random());
	cleanup(fd) int fd =
		open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	int r;

	if (fd < 0)
		return -errno;
	r = write_all(fd, data, n);
	if (r == 0 && fchmod(fd, mode) < 0)
		r = -errno;
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	if (r == 0 && rename(temporary, path) < 0)
		r = -errno;
	if (r < 0) {
		unlink(temporary);
		return r;
	}
	return sync_parent(path);
}

int file_mkdirs(const char *path, mode_t mode)
{
	cleanup(free) char *copy = xstrdup(path);
	struct stat st;

	for (char *p = copy + 1; *copy; p++) {
		char was = *p;

		if (was && was != '/')
			continue;
		*p = '\0';
		if (mkdir(copy, mode) < 0 && errno != EEXIST)
			return -errno;
		*p = was;
		if (!was)
			break;
	}
	if (stat(path, &st) < 0)
		return -errno;
	return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}

int file_remove_tree(const char *path)
{
	cleanup(free) char *copy = xstrdup(path);
	char *const paths[] = {copy, NULL};
	FTS *fts = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	FTSENT *e;
	int r = 0;

	if (!fts)
		return -errno;
	while ((e = fts_read(fts))) {
		int failed = 0;

		if (e->fts_info == FTS_DP)
			failed = rmdir(e->fts_accpath);
		else if (e->fts_info != FTS_D && e->fts_info != FTS_NS)
			failed = unlink(e->fts_accpath);
		else if (e->fts_info == FTS_NS && e->fts_errno != ENOENT)
			r = -e->fts_errno;
		if (failed < 0 && errno != ENOENT)
			r = -errno;
	}
	fts_close(fts);
	return r;
}

int file_home_path(const char *below, char **ret_path)
{
	const char *home = getenv("HOME");

	if (!home || home[0] != '/')
		return -ENOENT;
	*ret_path = xasprintf("%s/%s", home, below);
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
		*ret_path = xasprintf("%s/%s", value, below);
		return 0;
	}
	if (!places[which].fallback)
		return -ENOENT;
	path = xasprintf("%s/%s", places[which].fallback, below);
	return file_home_path(path, ret_path);
}

int file_absolute(const char *path, char **ret_path)
{
	cleanup(free) char *copy = xstrdup(path), *parent = NULL;
	size_t n = strlen(copy);
	char *slash;

	if (n == 0)
		return -ENOENT;
	while (n > 1 && copy[n - 1] == '/')
		copy[--n] = '\0';
	slash = strrchr(copy, '/');
	if (strcmp(slash ? slash + 1 : copy, ".") == 0 ||
	    strcmp(slash ? slash + 1 : copy, "..") == 0 ||
	    strcmp(copy, "/") == 0) {
		*ret_path = realpath(copy, NULL);
		return *ret_path ? 0 : -errno;
	}
	if (slash)
		*slash = '\0';
	parent = realpath(!slash ? "." : slash == copy ? "/" : copy, NULL);
	if (!parent)
		return -errno;
	*ret_path = xasprintf("%s/%s", strcmp(parent, "/") == 0 ? "" : parent,
			      slash ? slash + 1 : copy);
	return 0;
}
