/*
 * Large blobs as files: path/big/<oid>. libgit2 cannot stream what is packed,
 * so a blob is inflated whole, once, and by one thread of the process at a
 * time; its pieces are then read from the file.
 *
 * A file is complete when it has its name. It is not synced: after a power cut
 * it may be short, which its size shows, and then it is written anew.
 */
#include "objects_private.h"

#include "base/file.h"
#include "base/own.h"

#include <dirent.h>
#include <fcntl.h>
#include <git2.h>
#include <malloc.h>
#include <sys/stat.h>
#include <unistd.h>

/* No file system that we know shows more, and libgit2 holds it in memory. */
#define BLOB_BYTES_MOST ((uint64_t)4 << 30)

/* One for the process: the bound is its memory. */
static struct {
	struct mutex lock;
	struct cond freed;
	bool busy; /* under lock */
} writer;

void objects_big_init(void)
{
	mutex_init(&writer.lock);
	cond_init(&writer.freed);
}

static void writer_take(void)
{
	mutex_lock(&writer.lock);
	while (writer.busy)
		cond_wait(&writer.freed, &writer.lock);
	writer.busy = true;
	mutex_unlock(&writer.lock);
}

static void writer_give(void)
{
	mutex_lock(&writer.lock);
	writer.busy = false;
	cond_signal(&writer.freed);
	mutex_unlock(&writer.lock);
}

/* -ENOENT also when it is there and cut. */
static int open_existing(const char *path, uint64_t size, int *ret_fd)
{
	static const struct timespec used_now[2] = {
		{.tv_nsec = UTIME_NOW},
		{.tv_nsec = UTIME_OMIT},
	};
	cleanup(fd) int fd = own_open(path, O_RDONLY, 0);
	struct stat st;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	if ((uint64_t)st.st_size != size)
		return -ENOENT;
	/* By hand, for most file systems are mounted relatime. */
	futimens(fd, used_now);
	*ret_fd = fd;
	fd = -1;
	return 0;
}

static int write_all(int fd, const char *data, size_t n)
{
	while (n > 0) {
		ssize_t done = write(fd, data, n < MIB ? n : MIB);

		if (done < 0 && errno != EINTR)
			return -errno;
		if (done > 0) {
			data += done;
			n -= (size_t)done;
		}
	}
	return 0;
}

static int write_file(struct objects *o, const struct oid *oid,
		      const char *path)
{
	cleanup(free) char *tmp = NULL;
	cleanup(fd) int fd = -1;
	git_odb_object *raw;
	int r = objects_tmp_name(o, "big", &tmp);

	if (r < 0)
		return r;
	fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0400);
	if (fd < 0)
		return -errno;
	r = objects_read_raw(o, oid, GIT_OBJECT_BLOB, BLOB_BYTES_MOST, &raw);
	if (r == 0) {
		r = write_all(fd, git_odb_object_data(raw),
			      git_odb_object_size(raw));
		git_odb_object_free(raw);
		malloc_trim(0);
	}
	if (r == 0 && rename(tmp, path) < 0)
		r = -errno;
	if (r < 0)
		unlink(tmp);
	return r;
}

struct big_file {
	char name[41];
	struct timespec used;
	uint64_t size;
};

static int by_use(const void *a, const void *b)
{
	const struct timespec *x = &((const struct big_file *)a)->used;
	const struct timespec *y = &((const struct big_file *)b)->used;

	if (x->tv_sec != y->tv_sec)
		return x->tv_sec < y->tv_sec ? -1 : 1;
	return x->tv_nsec < y->tv_nsec ? -1 : x->tv_nsec > y->tv_nsec;
}

/* Whoever reads one that goes has it open and does not notice. */
static void prune(const struct objects *o, const char *but)
{
	cleanup(free) char *dir = xasprintf("%s/big", o->path);
	cleanup(free) struct big_file *files = NULL;
	size_t n = 0, room = 0;
	uint64_t sum = 0;
	DIR *d = opendir(dir);
	struct dirent *e;
	struct stat st;

	while (d && (e = readdir(d))) {
		struct oid oid;

		if (oid_parse(e->d_name, &oid) < 0 ||
		    fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (n == room) {
			room = room ? 2 * room : 64;
			files = xrealloc(files, room * sizeof(*files));
		}
		files[n] = (struct big_file){
			.used = st.st_atim,
			.size = (uint64_t)st.st_size,
		};
		oid_hex(&oid, files[n].name);
		sum += files[n++].size;
	}
	if (n)
		qsort(files, n, sizeof(*files), by_use);
	for (size_t i = 0; i < n && sum > OBJECTS_BIG_BYTES; i++) {
		if (strcmp(files[i].name, but) == 0)
			continue;
		if (unlinkat(dirfd(d), files[i].name, 0) == 0)
			sum -= files[i].size;
	}
	if (d)
		closedir(d);
}

int objects_blob_file(struct objects *o, const struct oid *oid, int *ret_fd)
{
	cleanup(free) char *path = NULL;
	char hex[41];
	uint64_t size;
	int r = objects_blob_size(o, oid, &size);

	if (r < 0)
		return r;
	path = xasprintf("%s/big/%s", o->path, oid_hex(oid, hex));
	if (open_existing(path, size, ret_fd) == 0)
		return 0;
	writer_take();
	/* While we waited somebody may have written this very one. */
	r = open_existing(path, size, ret_fd);
	if (r < 0) {
		r = write_file(o, oid, path);
		if (r == 0)
			r = open_existing(path, size, ret_fd);
		if (r == 0)
			prune(o, hex);
	}
	writer_give();
	return r;
}
