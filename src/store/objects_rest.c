/*
 * What came of a pack that was broken off, by the network, by who wanted it, or
 * because the process was killed: the entries up to there are whole, and the
 * deltas among them are changes of entries before them. So they are a pack of
 * their own once its head says how many they are and its end is their hash.
 *
 * A pack whose bytes are worth that (objects_pack_keep_rest) has a file "keep"
 * beside it. When it is dropped, or whoever opens the store finds that its
 * process is dead, it becomes path/rest.pack, one at a time; the next one who
 * fetches the same takes that in first (objects_take_rest).
 *
 * rest.lock is held by who brings a rest that nobody waits for: of two mounts
 * each would bring it for itself.
 */
#include "objects_private.h"

#include "store/pack_read.h"

#include "base/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEEP "keep"
#define HEAD 12
#define PIECE (256 * KIB)
/* Less is fetched anew. */
#define BYTES_LEAST ((off_t)64 * KIB)

int objects_lock_rest(struct objects *o, int *ret_fd)
{
	cleanup(free) char *path = mem_asprintf("%s/rest.lock", o->path);
	int r = objects_flock(path, LOCK_EX | LOCK_NB, ret_fd);

	return r == -EWOULDBLOCK ? -EBUSY : r;
}

static char *rest_path(const char *store)
{
	return mem_asprintf("%s/" OBJECTS_REST, store);
}

int objects_rest_mark(const char *dir)
{
	cleanup(free) char *path = mem_asprintf("%s/" KEEP, dir);
	cleanup(fd) int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	return fd < 0 ? -errno : 0;
}

/* The file that libgit2 writes a pack to, in its directory; NULL: none. */
static char *find_pack(const char *dir)
{
	DIR *d = opendir(dir);
	char *found = NULL;
	struct dirent *e;

	while (d && !found && (e = readdir(d)))
		if (strncmp(e->d_name, "pack", 4) == 0)
			found = mem_asprintf("%s/%s", dir, e->d_name);
	if (d)
		closedir(d);
	return found;
}

/* A longer one that is there already stays. */
void objects_rest_keep(const char *store, const char *dir)
{
	cleanup(free) char *from = find_pack(dir), *to = rest_path(store);
	cleanup(free) char *mark = mem_asprintf("%s/" KEEP, dir);
	struct stat is, was;

	if (!from || access(mark, F_OK) < 0 || stat(from, &is) < 0 ||
	    is.st_size < BYTES_LEAST)
		return;
	if (stat(to, &was) < 0 || was.st_size < is.st_size)
		(void)rename(from, to);
}

void objects_rest_rescue(const char *store, const char *tmp)
{
	DIR *d = opendir(tmp);
	struct dirent *e;

	while (d && (e = readdir(d))) {
		cleanup(free) char *dir = mem_asprintf("%s/%s", tmp, e->d_name);

		if (e->d_name[0] != '.')
			objects_rest_keep(store, dir);
	}
	if (d)
		closedir(d);
}

/* ---- taking it in ---- */

static int write_range(struct ctx *ctx, struct objects_pack *p, int fd,
		       uint64_t at, uint64_t end)
{
	cleanup(free) char *piece = mem_alloc(PIECE);
	int r = 0;

	while (r == 0 && at < end) {
		size_t n = end - at < PIECE ? (size_t)(end - at) : PIECE;
		ssize_t got = pread(fd, piece, n, (off_t)at);

		if (got <= 0)
			return got < 0 ? -errno : -EBADMSG;
		at += (uint64_t)got;
		r = ctx_is_cancelled(ctx)
			    ? -EINTR
			    : objects_pack_write(p, piece, (size_t)got);
	}
	return r;
}

static int write_pack(struct ctx *ctx, struct objects_pack *p, int fd,
		      uint32_t n, uint64_t end)
{
	unsigned char head[HEAD] = {'P', 'A', 'C', 'K', 0, 0, 0, 2}, hash[20];
	int r;

	for (unsigned i = 0; i < 4; i++)
		head[8 + i] = (unsigned char)(n >> (24 - 8 * i));
	r = file_sha1(ctx, head, sizeof(head), fd, HEAD, end - HEAD, hash);
	if (r == 0)
		r = objects_pack_write(p, head, sizeof(head));
	if (r == 0)
		r = write_range(ctx, p, fd, HEAD, end);
	return r < 0 ? r : objects_pack_write(p, hash, sizeof(hash));
}

/* The objects' neighbours may not be here: it is a promisor's pack. */
static int take_in(struct ctx *ctx, struct objects *o, const char *path)
{
	cleanup(objects_pack_drop) struct objects_pack *p = NULL;
	cleanup(fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	uint64_t end;
	uint32_t n;
	int r = fd < 0 ? -errno : pack_read_whole(ctx, path, &n, &end);

	if (r < 0 || n == 0)
		return r;
	r = objects_pack_begin(o, false, &p);
	if (r == 0) {
		objects_pack_promise(p, true);
		r = write_pack(ctx, p, fd, n, end);
	}
	if (r == 0)
		r = objects_pack_commit(ctx, steal(&p), NULL, 0);
	return r < 0 ? r : 1;
}

/* It is renamed first: no other process takes it in, too, and if this one is
 * killed it is found again where it then is. */
int objects_take_rest(struct ctx *ctx, struct objects *o)
{
	cleanup(free) char *path = rest_path(o->path), *dir = NULL, *own = NULL;
	int r;

	objects_tmp_sweep(o->path);
	if (access(path, F_OK) < 0)
		return 0;
	r = objects_tmp_name(o, "rest", &dir);
	if (r < 0)
		return r;
	own = mem_asprintf("%s/pack", dir);
	if (mkdir(dir, 0700) < 0 || rename(path, own) < 0)
		r = errno == ENOENT ? 0 : -errno;
	else
		r = objects_rest_mark(dir);
	if (r == 0)
		r = take_in(ctx, o, own);
	if (r == -EINTR)
		objects_rest_keep(o->path, dir);
	file_remove_tree(dir);
	objects_tmp_done(o);
	/* Bytes that are no pack are as good as none. */
	return r == -EBADMSG ? 0 : r;
}
