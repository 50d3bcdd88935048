/*
 * Large blobs as files: path/big/<oid>. libgit2 would hold a packed blob whole
 * in memory; pack_read streams it into its file, once, and by one thread of the
 * process at a time. Its pieces are then read from the file.
 *
 * A file is complete when it has its name. It is not synced: after a power cut
 * it may be short or have holes. So it has a sum of each MiB behind its content
 * (objects_big_sums.c), with which a piece is compared when a process first
 * reads it, and again when somebody wrote into the file: a reply costs what it
 * brings. What is damaged, and what older versions wrote without sums, is
 * written anew.
 */
#include "objects_private.h"

#include "store/flight.h"
#include "store/pack_read.h"
#include "store/say.h"
#include "store/written.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/own.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* What git itself makes. */
#define CHAIN_MOST 50

/* A file that was opened so lately is in use. A reader opens it for every piece
 * that it reads: if it went in between, a program that reads two files in turn
 * would have each of them written anew for every piece. */
#define IN_USE_MS ((int64_t)10 * 60 * 1000)
/* But a program that walks through many files has used each of them lately:
 * over this many times the bound a file is in use only if it was opened within
 * BEING_READ_MS. */
#define IN_USE_TIMES 2
#define BEING_READ_MS ((int64_t)30 * 1000)

static atomic_uint_fast64_t bytes_most = OBJECTS_BIG_FILE;
static atomic_uint_fast64_t bytes_most_kept = OBJECTS_BIG_BYTES;

void objects_limit_big(uint64_t n)
{
	atomic_store(&bytes_most, n);
}

void objects_keep_big(uint64_t n)
{
	atomic_store(&bytes_most_kept, n);
}

/* By path: of all who want a file one looks at it, or makes it. */
static struct flight *making;

/* One writer for the process: the bound is the disk's and the processor's time.
 * Not a store/flight, because those who wait here want different files. */
static struct {
	struct mutex lock;
	struct cond changed;
	bool writing; /* under lock */
} desk;

void objects_big_init(void)
{
	mutex_init(&desk.lock);
	cond_init(&desk.changed);
	making = flight_new_with(&(struct flight_config){.local = true});
}

/* 0 or -EINTR. */
static int writer_take(struct ctx *ctx)
{
	struct ctx_waiting waiting;
	bool ours;

	ctx_waiting_begin(ctx, &waiting, &desk.lock, &desk.changed);
	mutex_lock(&desk.lock);
	while (desk.writing && !ctx_is_cancelled(ctx))
		cond_wait(&desk.changed, &desk.lock);
	ours = !desk.writing;
	if (ours)
		desk.writing = true;
	mutex_unlock(&desk.lock);
	ctx_waiting_end(ctx, &waiting);
	return ours ? 0 : -EINTR;
}

static void writer_give(void)
{
	mutex_lock(&desk.lock);
	desk.writing = false;
	cond_broadcast(&desk.changed);
	mutex_unlock(&desk.lock);
}

/* What is wanted: bytes of a file. */
struct piece {
	const struct oid *oid;
	uint64_t size; /* of all content */
	uint64_t offset, n;
};

/* -ENOENT also for a file that is cut or damaged. looks: false, -EAGAIN if the
 * bytes would have to be compared. */
static int open_existing(const struct ctx *ctx, const char *path,
			 const struct piece *p, bool looks, int *ret_fd)
{
	static const struct timespec used_now[2] = {
		{.tv_nsec = UTIME_NOW},
		{.tv_nsec = UTIME_OMIT},
	};
	cleanup(fd) int fd = own_open(path, O_RDONLY, 0);
	struct stat st;
	int r = 0;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!objects_big_is_whole(&st, p->size))
		return -ENOENT;
	if (!objects_big_is_known(&st, p->size, p->offset, p->n))
		r = looks ? objects_big_check(ctx, fd, &st, p->oid, p->size,
					      p->offset, p->n)
			  : -EAGAIN;
	if (r == -ENOENT)
		store_say(path, EIO,
			  "This file of the cache is damaged; it is made "
			  "anew.");
	if (r < 0)
		return r;
	/* By hand, for most file systems are mounted relatime. */
	futimens(fd, used_now);
	*ret_fd = fd;
	fd = -1;
	return 0;
}

static int make_tmp(struct objects *o, int flags, mode_t mode, char **ret_path,
		    int *ret_fd)
{
	cleanup(free) char *path = NULL;
	int fd, r = objects_tmp_name(o, "big", &path);

	if (r < 0)
		return r;
	fd = open(path, flags | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	if (fd < 0) {
		r = -errno;
		objects_tmp_done(o);
		return r;
	}
	*ret_fd = fd;
	*ret_path = steal(&path);
	return 0;
}

struct writing {
	struct objects *o;
	struct big_sums sums;
};

/* Without a name: whatever becomes of us, nothing of it is left. */
static int scratch(void *arg, int *ret_fd)
{
	struct objects *o = ((struct writing *)arg)->o;
	cleanup(free) char *path = NULL;
	int r = make_tmp(o, O_RDWR, 0600, &path, ret_fd);

	if (r == 0) {
		unlink(path);
		objects_tmp_done(o);
	}
	return r;
}

static void wrote(void *arg, const void *data, size_t n)
{
	objects_big_sums_add(&((struct writing *)arg)->sums, data, n);
}

static int stream(struct ctx *ctx, struct writing *w, const struct piece *p,
		  int fd)
{
	cleanup(free) char *objects = mem_asprintf("%s/objects", w->o->path);
	const struct pack_read how = {
		.objects = objects,
		.bytes_most = atomic_load(&bytes_most),
		.chain_most = CHAIN_MOST,
		.scratch = scratch,
		.wrote = wrote,
		.arg = w,
		.ctx = ctx,
	};

	if (ftruncate(fd, 0) < 0 || lseek(fd, 0, SEEK_SET) < 0)
		return -errno;
	objects_big_sums_begin(&w->sums, p->oid);
	return pack_read_blob(&how, p->oid, p->size, fd);
}

/* After a failure that damage may explain the packs are checked, and the blob
 * is read once more, perhaps from another pack. */
static int stream_surely(struct ctx *ctx, struct writing *w,
			 const struct piece *p, int fd)
{
	unsigned epoch;
	int r, doubt;

	mutex_lock(&w->o->lock);
	epoch = w->o->epoch;
	mutex_unlock(&w->o->lock);
	r = stream(ctx, w, p, fd);
	doubt = objects_doubt(ctx, w->o, r, epoch);
	if (doubt < 0)
		return doubt;
	return doubt ? stream(ctx, w, p, fd) : r;
}

static int write_file(struct ctx *ctx, struct objects *o, const struct piece *p,
		      const char *path)
{
	cleanup(free) char *tmp = NULL;
	cleanup(fd) int fd = -1;
	struct writing w = {.o = o};
	struct stat st;
	int r = make_tmp(o, O_WRONLY, 0400, &tmp, &fd);

	if (r < 0)
		return r;
	r = stream_surely(ctx, &w, p, fd);
	if (r == 0)
		r = objects_big_sums_write(&w.sums, fd);
	if (r == 0 && rename(tmp, path) < 0)
		r = -errno;
	if (r < 0)
		unlink(tmp);
	else if (fstat(fd, &st) == 0)
		/* Its hash was looked at on the way. */
		objects_big_know(&st, p->size);
	if (r == 0)
		written_note(p->size);
	objects_big_sums_done(&w.sums);
	objects_tmp_done(o);
	return r;
}

struct big_file {
	char *path;
	struct timespec used;
	uint64_t size;
};
struct big_files {
	struct big_file *items;
	size_t n, room;
	uint64_t sum;
};

static void note_file(struct big_files *files, const char *dir,
		      const char *name, const struct stat *st)
{
	mem_grow(files->items, files->n, files->room);
	files->items[files->n++] = (struct big_file){
		.path = mem_asprintf("%s/%s", dir, name),
		.used = st->st_atim,
		.size = (uint64_t)st->st_size,
	};
	files->sum += (uint64_t)st->st_size;
}

static void list_store(struct big_files *files, const char *store)
{
	cleanup(free) char *dir = mem_asprintf("%s/big", store);
	DIR *d = opendir(dir);
	struct dirent *e;
	struct stat st;
	struct oid oid;

	while (d && (e = readdir(d)))
		if (oid_parse(e->d_name, &oid) >= 0 &&
		    fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0)
			note_file(files, dir, e->d_name, &st);
	if (d)
		closedir(d);
}

static bool is_store(const char *name)
{
	size_t n = strlen(name);

	return n > 4 && strcmp(name + n - 4, ".git") == 0;
}

/* Of this store and of those beside it, whoever has them open. */
static void list_stores(struct big_files *files, const struct objects *o)
{
	cleanup(free) char *dir =
		mem_dup0(o->path, (size_t)(strrchr(o->path, '/') - o->path));
	DIR *d = opendir(*dir ? dir : "/");
	struct dirent *e;

	while (d && (e = readdir(d)))
		if (is_store(e->d_name)) {
			cleanup(free) char *store =
				mem_asprintf("%s/%s", dir, e->d_name);

			list_store(files, store);
		}
	if (d)
		closedir(d);
}

static int by_use(const void *a, const void *b)
{
	const struct timespec *x = &((const struct big_file *)a)->used;
	const struct timespec *y = &((const struct big_file *)b)->used;

	if (x->tv_sec != y->tv_sec)
		return x->tv_sec < y->tv_sec ? -1 : 1;
	return x->tv_nsec < y->tv_nsec ? -1 : x->tv_nsec > y->tv_nsec;
}

/* A time far ahead does not count as a use: the clock was set back since. A
 * little ahead is the file system's coarse clock. */
static bool is_used(const struct big_file *f, int64_t now_ms, int64_t for_ms)
{
	int64_t used_ms = (int64_t)f->used.tv_sec * 1000 +
			  f->used.tv_nsec / 1000000;

	return used_ms > now_ms - for_ms && used_ms < now_ms + IN_USE_MS;
}

/* Big files that nobody used for ten minutes go, the one used longest ago
 * first, while those of all stores are over the bound; over twice the bound
 * those that nobody used for half a minute. Whoever reads one that goes has it
 * open and does not notice. One that is allowed to be as large as big_file says
 * must not put out all the others. */
static void prune(const struct objects *o)
{
	uint64_t one = atomic_load(&bytes_most);
	uint64_t kept = atomic_load(&bytes_most_kept);
	uint64_t most = kept > one ? kept : one;
	int64_t now_ms = clock_wall_ms();
	struct big_files files = {0};

	list_stores(&files, o);
	if (files.n)
		qsort(files.items, files.n, sizeof(*files.items), by_use);
	for (size_t i = 0; i < files.n; i++) {
		const struct big_file *f = &files.items[i];
		bool over = files.sum / IN_USE_TIMES > most;

		if (files.sum > most &&
		    !is_used(f, now_ms, over ? BEING_READ_MS : IN_USE_MS) &&
		    unlink(f->path) == 0)
			files.sum -= f->size;
		free(f->path);
	}
	free(files.items);
}

/* By the one who leads: looks at the file, or makes it. */
static int look_or_write(struct ctx *ctx, struct objects *o,
			 const struct piece *p, const char *path, int *ret_fd)
{
	int r = open_existing(ctx, path, p, true, ret_fd);

	if (r == 0 || r == -EINTR)
		return r;
	r = writer_take(ctx);
	if (r < 0)
		return r;
	r = write_file(ctx, o, p, path);
	if (r == 0)
		r = open_existing(ctx, path, p, true, ret_fd);
	if (r == 0)
		prune(o);
	writer_give();
	return r;
}

int objects_blob_file(struct ctx *ctx, struct objects *o, const struct oid *oid,
		      uint64_t offset, uint64_t n, int *ret_fd,
		      uint64_t *ret_size)
{
	struct piece p = {.oid = oid, .offset = offset, .n = n};
	cleanup(free) char *path = NULL;
	char hex[41];
	int r = objects_blob_size(ctx, o, oid, &p.size);

	if (r == 0 && p.size > atomic_load(&bytes_most))
		r = -EFBIG;
	if (r < 0)
		return r;
	*ret_size = p.size;
	path = mem_asprintf("%s/big/%s", o->path, oid_hex(oid, hex));
	do {
		if (open_existing(ctx, path, &p, false, ret_fd) == 0)
			return 0;
		r = flight_join(ctx, making, path);
	} while (r == FLIGHT_LANDED);
	if (r != FLIGHT_LEAD)
		return r;
	r = look_or_write(ctx, o, &p, path, ret_fd);
	flight_land(making, path, r, NULL);
	return r;
}
