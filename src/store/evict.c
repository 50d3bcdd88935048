/*
 * Holding the bound. After so much was written the evictor looks how much there
 * is, and lets go of what was read longest ago until there is room again. It
 * begins before the bound is reached, for a fetch that is under way goes on
 * meanwhile.
 *
 * What was read a moment ago is being read: it stays as long as the bound is
 * held. Over it the blobs of a commit that is being read go, too, those first
 * that came first. What was read within a minute goes only if the rest was not
 * enough.
 */
#include "evict_private.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/own.h"
#include "store/objects.h"
#include "store/spool.h"
#include "written.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* It begins at 7/8 of the bound, and goes on to 3/4: two fetches go on while it
 * works. */
#define BEGIN_SHARE 8
#define END_SHARE 4
/* It looks after a 64th of the bound was written. */
#define LOOK_SHARE 64
#define LOOK_LEAST ((uint64_t)256 * KIB)
#define KNOWN_MS 10000
/* After somebody else was evicting, or too little went: twice as long each
 * time, until more is written.
 */
#define AGAIN_MS 1000
#define AGAIN_MOST_MS (60 * 1000)

/* What came of a commit longer ago was read. */
#define PARTS_MS 2000

#define LFS "lfs#"

static const int64_t stages_ms[] = {60 * 1000, 5 * 1000};

struct evictor {
	char *dir;
	uint64_t max_bytes;
	struct thread *thread;
	struct ctx ctx; /* cancelled: it stops */
	/* As last measured, and when (mono; 0: never), for evict_known. */
	_Atomic uint64_t known;
	_Atomic int64_t known_ms;
};

/* ---- what may go ---- */

/* A store, or a file: a big one, or a spool. */
struct candidate {
	char *path;
	bool is_store;
	bool is_lfs;     /* its server has it, and it can be checked */
	int64_t used_ms; /* wall clock */
	uint64_t n_bytes;
};
struct candidates {
	struct candidate *items;
	size_t n, room;
};

static void candidates_done(struct candidates *c)
{
	for (size_t i = 0; i < c->n; i++)
		free(c->items[i].path);
	free(c->items);
}
DEFINE_CLEANUP_DONE(struct candidates, candidates_done);

static struct candidate *add(struct candidates *c, const char *path)
{
	mem_grow(c->items, c->n, c->room);
	c->items[c->n] = (struct candidate){.path = mem_strdup(path)};
	return &c->items[c->n++];
}

/* Big files, which have their names: 40 hex digits. */
static void add_big(struct candidates *c, const char *path)
{
	cleanup(free) char *dir = mem_asprintf("%s/big", path);
	DIR *d = opendir(dir);
	struct dirent *e;
	struct stat st;
	struct oid oid;

	while (d && (e = readdir(d))) {
		cleanup(free) char *file = NULL;
		struct candidate *item;

		if (oid_parse(e->d_name, &oid) < 0 ||
		    fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		file = mem_asprintf("%s/%s", dir, e->d_name);
		item = add(c, file);
		item->n_bytes = (uint64_t)st.st_blocks * 512;
		item->used_ms = (int64_t)st.st_atim.tv_sec * 1000 +
				st.st_atim.tv_nsec / 1000000;
	}
	if (d)
		closedir(d);
}

/* The key of what is of a repository has its uuid in braces. */
static bool is_of_kept(const char *dir, const char *key)
{
	const char *uuid = strchr(key, '{'), *end = strchr(key, '}');
	cleanup(free) char *name = NULL;

	if (!uuid || !end || end < uuid)
		return false;
	name = mem_dup0(uuid + 1, (size_t)(end - uuid - 1));
	return evict_is_kept(dir, name);
}

struct adding {
	const char *dir;
	struct candidates *to;
};

static int add_spool(void *arg, const struct spool_seen *seen)
{
	const struct adding *adding = arg;
	struct candidate *item;

	if (is_of_kept(adding->dir, seen->key))
		return 0;
	item = add(adding->to, seen->path);
	item->n_bytes = seen->n_bytes;
	item->is_lfs = !strncmp(seen->key, LFS, strlen(LFS));
	item->used_ms = seen->used_ms;
	return 0;
}

static void add_spools(struct candidates *c, const char *dir)
{
	cleanup(free) char *spools = mem_asprintf("%s/spool", dir);

	(void)spool_each(spools, add_spool, &(struct adding){dir, c});
}

static int add_store(void *arg, const char *path, const char *uuid)
{
	struct evict_repository repository;
	struct candidate *item;

	evict_measure_store(path, uuid, &repository);
	if (repository.kept)
		return 0;
	add_big(arg, path);
	item = add(arg, path);
	item->is_store = true;
	item->used_ms = repository.used_ms;
	item->n_bytes = repository.n_packs;
	return 0;
}

static int by_use(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;

	/* Objects of LFS go first, however lately they were read: they are
	 * large, and whatever else has to go is what a tree is made of. */
	if (x->is_lfs != y->is_lfs)
		return x->is_lfs ? -1 : 1;
	return x->used_ms < y->used_ms ? -1 : x->used_ms > y->used_ms;
}

/* ---- letting go ---- */

/* The only one in all processes, until it is closed. */
static int lock_dir(const char *dir, int *ret_fd)
{
	cleanup(free) char *path = mem_asprintf("%s/evict.lock", dir);
	cleanup(fd) int fd = own_open(path, O_RDWR | O_CREAT, 0600);
	int r = fd < 0 ? fd : file_lock(fd, LOCK_EX | LOCK_NB);

	if (r < 0)
		return r;
	*ret_fd = fd;
	fd = -1;
	return 0;
}

/* A time far ahead is no use: the clock was set back since. */
static bool is_used(const struct candidate *item, int64_t now, int64_t since_ms)
{
	return item->used_ms > now - since_ms &&
	       item->used_ms < now + stages_ms[0];
}

/* Whoever has the file open goes on reading it. */
static uint64_t let_go(const struct candidate *item)
{
	return unlink(item->path) == 0 ? item->n_bytes : 0;
}

static uint64_t let_blobs_go(struct evictor *e, const struct candidate *item,
			     int64_t before_ms)
{
	uint64_t n = 0;
	int r = objects_evict(&e->ctx, item->path, before_ms, &n);

	if (r < 0 && r != -EBUSY && r != -EINTR)
		log_debug("%s: its blobs do not go: %s", item->path,
			  strerror(-r));
	return n;
}

static uint64_t evict_stage(struct evictor *e, struct candidates *c,
			    int64_t since_ms, uint64_t n_too_many)
{
	int64_t now = clock_wall_ms();
	uint64_t n = 0;

	for (size_t i = 0; i < c->n && n < n_too_many; i++) {
		struct candidate *item = &c->items[i];

		if (ctx_is_cancelled(&e->ctx))
			break;
		/* Of a store that is being read the commits go that are not.
		 */
		if (item->is_store)
			n += let_blobs_go(e, item, now - since_ms);
		else if (!is_used(item, now, since_ms))
			n += let_go(item);
	}
	return n;
}

static int measure(struct evictor *e, struct evict_use *ret_use)
{
	int r = evict_measure(e->dir, ret_use, NULL, NULL);

	if (r < 0)
		return r;
	atomic_store(&e->known, ret_use->n_bytes);
	atomic_store(&e->known_ms, clock_mono_ms());
	return 0;
}

void evict_known(struct evictor *e, uint64_t *ret_used, uint64_t *ret_most)
{
	int64_t known_ms = atomic_load(&e->known_ms);
	struct evict_use use;

	if (!known_ms || clock_mono_ms() - known_ms > KNOWN_MS)
		(void)measure(e, &use);
	*ret_used = atomic_load(&e->known);
	*ret_most = e->max_bytes;
}

/* A walk through more than there is room for: the commit is being read all the
 * time, so none of it would go before the disk is full. */
static uint64_t evict_parts(struct evictor *e, struct candidates *c,
			    uint64_t n_too_many)
{
	int64_t before_ms = clock_wall_ms() - PARTS_MS;
	uint64_t n = 0;

	for (size_t i = 0; i < c->n && n < n_too_many; i++) {
		uint64_t freed = 0;

		if (ctx_is_cancelled(&e->ctx))
			break;
		if (c->items[i].is_store)
			(void)objects_evict_parts(&e->ctx, c->items[i].path,
						  before_ms, n_too_many - n,
						  &freed);
		n += freed;
	}
	return n;
}

/* The last resort: repositories whose blobs went already, and the bound is held
 * by commits and trees alone. */
static uint64_t evict_stores(struct evictor *e, struct candidates *c,
			     uint64_t n_too_many)
{
	int64_t now = clock_wall_ms();
	uint64_t n = 0;

	for (size_t i = 0; i < c->n && n < n_too_many; i++) {
		struct candidate *item = &c->items[i];

		if (ctx_is_cancelled(&e->ctx))
			break;
		if (item->is_store && !is_used(item, now, stages_ms[0]) &&
		    objects_remove(item->path) == 0)
			n += item->n_bytes;
	}
	return n;
}

/* True: it could not do what it should, and should try again. */
static bool hold_bound(struct evictor *e)
{
	cleanup(candidates_done) struct candidates c = {0};
	cleanup(fd) int lock = -1;
	uint64_t least = e->max_bytes - e->max_bytes / END_SHARE, n;
	struct evict_use use;

	if (measure(e, &use) < 0 ||
	    use.n_bytes <= e->max_bytes - e->max_bytes / BEGIN_SHARE)
		return false;
	if (lock_dir(e->dir, &lock) < 0)
		return true;
	add_spools(&c, e->dir);
	(void)evict_each_store(e->dir, add_store, &c);
	if (c.n)
		qsort(c.items, c.n, sizeof(*c.items), by_use);
	n = use.n_bytes;
	for (size_t i = 0; i < ARRAY_SIZE(stages_ms) && n > least; i++) {
		uint64_t went = evict_stage(e, &c, stages_ms[i], n - least);

		n -= went < n ? went : n;
		/* What people may want again soon goes only for the bound. */
		least = e->max_bytes - e->max_bytes / BEGIN_SHARE;
	}
	if (n > e->max_bytes) {
		uint64_t went = evict_parts(e, &c, n - least);

		n -= went < n ? went : n;
	}
	if (n > e->max_bytes)
		n -= evict_stores(e, &c, n - e->max_bytes);
	atomic_store(&e->known, n);
	log_debug("the cache had %llu bytes, of at most %llu: %llu went",
		  (unsigned long long)use.n_bytes,
		  (unsigned long long)e->max_bytes,
		  (unsigned long long)(use.n_bytes - n));
	return n > least;
}

/* ---- the thread ---- */

static uint64_t look_after(const struct evictor *e)
{
	uint64_t n = e->max_bytes / LOOK_SHARE;

	return n < LOOK_LEAST ? LOOK_LEAST : n;
}

static void run(void *arg)
{
	struct evictor *e = arg;
	int64_t pause = AGAIN_MS;

	while (!ctx_is_cancelled(&e->ctx)) {
		uint64_t more = written_bytes() + look_after(e);

		/* What was in use may not be, after a while. */
		if (hold_bound(e)) {
			written_wait(&e->ctx, more, clock_mono_ms() + pause);
			pause = pause < AGAIN_MOST_MS ? 2 * pause : pause;
		} else {
			written_wait(&e->ctx, more, INT64_MAX);
		}
		/* Looks that what was written caused, all while it was being
		 * read, must not put off for a minute the one after that. */
		if (written_bytes() >= more)
			pause = AGAIN_MS;
	}
}

int evict_start(const char *dir, uint64_t max_bytes,
		struct evictor **ret_evictor)
{
	cleanup(evict_stop) struct evictor *e = mem_calloc(1, sizeof(*e));
	int r;

	ctx_init(&e->ctx, NULL, -1);
	e->dir = mem_strdup(dir);
	e->max_bytes = max_bytes;
	r = thread_start("evict", run, e, &e->thread);
	if (r < 0)
		return r;
	*ret_evictor = steal(&e);
	return 0;
}

struct evictor *evict_stop(struct evictor *e)
{
	if (!e)
		return NULL;
	ctx_cancel(&e->ctx);
	thread_join(e->thread);
	ctx_done(&e->ctx);
	free(e->dir);
	free(e);
	return NULL;
}
