/*
 * What is in doubt is checked: after a read that failed, or when an object is
 * not here that ought to be. A pack whose bytes are not those of its checksum
 * is set aside (path/broken/, the last ones only), with its index; then every
 * commit that is marked is walked, and one of which less is here than its mark
 * says loses it: so it is fetched again by whoever wants it.
 *
 * libgit2 believes an index: offsets and counts that are garbage lead it out of
 * its maps, and the mount ends. So an index is hashed before it is used, again
 * when somebody wrote into it, which is looked for at most every 20 ms.
 *
 * Checking reads all packs. Callers at the same time share one check, and packs
 * that were found sound are not read again for a minute while nothing says that
 * they changed.
 */
#include "objects_private.h"

#include "store/say.h"
#include "store/tree_list.h"

#include "base/clock.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/map.h"

#include <dirent.h>
#include <fcntl.h>
#include <git2.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define SOUND_MS 60000
#define WATCH_MS 20
/* A version 2 index: its head, 256 counts, two checksums. */
#define INDEX_LEAST (8 + 1024 + 40)
#define PACK_LEAST (12 + 20)

/* The two files of a pack, as they were when they were looked at. */
struct pack_files {
	char *index, *pack; /* paths */
	struct stat index_st, pack_st;
};

static void pack_files_done(struct pack_files *p)
{
	free(p->index);
	free(p->pack);
}
DEFINE_CLEANUP_DONE(struct pack_files, pack_files_done);

/* ---- one pack ---- */

/* All but the last 20 bytes hash to those. 1, 0, or -errno of the machine. */
static int check_trailer(struct ctx *ctx, int fd, const struct stat *st)
{
	unsigned char is[20], says[20];
	uint64_t n = (uint64_t)st->st_size - sizeof(says);
	int r = file_sha1(ctx, NULL, 0, fd, 0, n, is);

	if (r == 0 && pread(fd, says, sizeof(says), (off_t)n) != sizeof(says))
		r = -ENODATA;
	/* A sector that cannot be read is as good as garbage. */
	if (r == -EIO || r == -ENODATA)
		return 0;
	return r < 0 ? r : memcmp(is, says, sizeof(is)) == 0;
}

/* 1, 0 (also when it is not there), or -errno of the machine. */
static int open_file(const char *path, struct stat *st, int *ret_fd)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd < 0)
		return errno == ENOENT || errno == ELOOP || errno == EIO
			       ? 0
			       : -errno;
	*ret_fd = fd;
	if (fstat(fd, st) < 0)
		return -errno;
	return S_ISREG(st->st_mode);
}

/* 1 sound, 0 broken, or -errno of the machine. */
static int check_pack(struct ctx *ctx, struct pack_files *p)
{
	cleanup(fd) int index = -1, pack = -1;
	unsigned char a[20], b[20];
	int r = open_file(p->index, &p->index_st, &index);

	if (r > 0)
		r = open_file(p->pack, &p->pack_st, &pack);
	if (r <= 0)
		return r;
	if (p->index_st.st_size < INDEX_LEAST ||
	    p->pack_st.st_size < PACK_LEAST ||
	    pread(index, a, 20, p->index_st.st_size - 40) != 20 ||
	    pread(pack, b, 20, p->pack_st.st_size - 20) != 20 ||
	    memcmp(a, b, 20) != 0)
		return 0;
	r = check_trailer(ctx, index, &p->index_st);
	return r > 0 ? check_trailer(ctx, pack, &p->pack_st) : r;
}

static bool is_the_same(const char *path, const struct stat *was)
{
	struct stat is;

	if (stat(path, &is) < 0)
		return was->st_ino == 0;
	return is.st_ino == was->st_ino && is.st_dev == was->st_dev &&
	       is.st_size == was->st_size &&
	       is.st_mtim.tv_sec == was->st_mtim.tv_sec &&
	       is.st_mtim.tv_nsec == was->st_mtim.tv_nsec;
}

static int move_to(const char *dir, const char *path)
{
	cleanup(free) char *to = mem_asprintf("%s%s", dir, strrchr(path, '/'));

	return rename(path, to) < 0 && errno != ENOENT ? -errno : 0;
}

/* 1; 0 when the files are no longer those that were looked at; -errno. If
 * another thread does the same, or installs a pack, at the same time, a good
 * pack may get into broken/ (and is fetched again); the exclusive lock prevents
 * that.
 */
static int put_aside(struct objects *o, const struct pack_files *p)
{
	cleanup(free) char *dir = mem_asprintf("%s/broken", o->path);
	int r;

	if (!is_the_same(p->index, &p->index_st) ||
	    !is_the_same(p->pack, &p->pack_st))
		return 0;
	file_remove_tree(dir);
	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return -errno;
	/* The index first: without it the pack is not seen. */
	r = move_to(dir, p->index);
	if (r == 0)
		r = move_to(dir, p->pack);
	/* On a disk that takes nothing any more it goes all the same. */
	if (r < 0 && (unlink(p->index) == 0 || errno == ENOENT))
		r = 0;
	if (r < 0)
		return r;
	store_say(p->pack, EIO,
		  "This pack of the cache is damaged; it is set aside in %s, "
		  "and what was in it is fetched again when it is wanted.",
		  dir);
	return 1;
}

static bool is_index(const char *name)
{
	size_t n = strlen(name);

	return n > 4 && strcmp(name + n - 4, ".idx") == 0;
}

/* locked: the exclusive lock is held. 1 when it was set aside. */
static int check_one(struct ctx *ctx, struct objects *o, const char *dir,
		     const char *name, bool locked)
{
	cleanup(pack_files_done) struct pack_files p = {0};
	cleanup(fd) int lock = -1;
	int r;

	p.index = mem_asprintf("%s/%s", dir, name);
	p.pack = mem_asprintf("%s/%.*s.pack", dir, (int)(strlen(name) - 4),
			      name);
	r = check_pack(ctx, &p);
	if (r != 0)
		return r < 0 ? r : 0;
	if (!locked)
		r = objects_lock(o->path, LOCK_EX, &lock);
	return r < 0 ? r : put_aside(o, &p);
}

/* Which packs there are, and that nobody wrote into them. */
static uint64_t stamp_of(const char *dir, unsigned *ret_n)
{
	DIR *d = opendir(dir);
	uint64_t stamp = 0;
	unsigned n = 0;
	struct dirent *e;
	struct stat st;

	while (d && (e = readdir(d))) {
		if (fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		n += is_index(e->d_name);
		/* A sum, for the order of names is any. */
		stamp += ((uint64_t)st.st_ino * 0x9e3779b97f4a7c15ULL) ^
			 ((uint64_t)st.st_size * 0xc2b2ae3d27d4eb4fULL) ^
			 ((uint64_t)st.st_mtim.tv_sec * 1000000007ULL +
			  (uint64_t)st.st_mtim.tv_nsec);
	}
	if (d)
		closedir(d);
	*ret_n = n;
	return stamp;
}

/* How many were set aside, or -errno. */
static int check_packs(struct ctx *ctx, struct objects *o, bool locked)
{
	cleanup(free) char *dir = mem_asprintf("%s/objects/pack", o->path);
	int64_t now = clock_mono_ms();
	unsigned n_packs;
	uint64_t stamp = stamp_of(dir, &n_packs);
	int n = 0, r = 0;
	struct dirent *e;
	bool known;
	DIR *d;

	mutex_lock(&o->lock);
	o->n_packs = n_packs;
	known = o->sound_stamp == stamp && now < o->sound_until_ms;
	mutex_unlock(&o->lock);
	if (known)
		return 0;
	d = opendir(dir);
	if (!d)
		return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
	while (r >= 0 && (e = readdir(d)))
		if (is_index(e->d_name)) {
			r = check_one(ctx, o, dir, e->d_name, locked);
			n += r > 0;
		}
	closedir(d);
	if (r < 0 && n == 0)
		return r;
	mutex_lock(&o->lock);
	o->sound_stamp = n ? 0 : stamp;
	o->sound_until_ms = n ? 0 : clock_mono_ms() + SOUND_MS;
	mutex_unlock(&o->lock);
	return n;
}

/* ---- indexes, before libgit2 sees them ---- */

static bool is_known_index(struct objects *o, const struct stat *st)
{
	bool known = false;

	mutex_lock(&o->lock);
	for (size_t i = 0; i < o->n_indexes && !known; i++) {
		const struct objects_index *k = &o->indexes[i];

		known = k->inode == st->st_ino && k->size == st->st_size &&
			k->mtime.tv_sec == st->st_mtim.tv_sec &&
			k->mtime.tv_nsec == st->st_mtim.tv_nsec;
	}
	mutex_unlock(&o->lock);
	return known;
}

static void know_index(struct objects *o, const struct stat *st)
{
	size_t i = 0;

	mutex_lock(&o->lock);
	while (i < o->n_indexes && o->indexes[i].inode != st->st_ino)
		i++;
	if (i == o->n_indexes)
		o->indexes = mem_realloc(o->indexes,
					 ++o->n_indexes * sizeof(*o->indexes));
	o->indexes[i] = (struct objects_index){
		.inode = st->st_ino,
		.size = st->st_size,
		.mtime = st->st_mtim,
	};
	mutex_unlock(&o->lock);
}

/* Takes no lock, for the caller may hold it: at worst a good pack that is being
 * installed is set aside, and fetched again. */
static void watch_index(struct objects *o, const char *dir, const char *name)
{
	cleanup(pack_files_done) struct pack_files p = {0};
	cleanup(fd) int fd = -1;
	int r;

	p.index = mem_asprintf("%s/%s", dir, name);
	r = open_file(p.index, &p.index_st, &fd);
	if (r > 0 && p.index_st.st_size >= INDEX_LEAST)
		r = check_trailer(NULL, fd, &p.index_st);
	else if (r > 0)
		r = 0;
	if (r > 0)
		know_index(o, &p.index_st);
	if (r != 0)
		return;
	p.pack = mem_asprintf("%s/%.*s.pack", dir, (int)(strlen(name) - 4),
			      name);
	if (stat(p.pack, &p.pack_st) < 0)
		p.pack_st = (struct stat){0};
	if (put_aside(o, &p) > 0)
		objects_packs_replaced(o);
}

/* Whether all indexes that were seen are there still, as many as that. */
static bool is_one_gone(struct objects *o)
{
	cleanup(free) char *dir = mem_asprintf("%s/objects/pack", o->path);
	cleanup(free) ino_t *seen = NULL;
	size_t n = 0, room = 0;
	DIR *d = opendir(dir);
	bool gone = false;
	struct dirent *e;

	if (!d)
		return false;
	while ((e = readdir(d))) {
		if (!is_index(e->d_name))
			continue;
		mem_grow(seen, n, room);
		seen[n++] = e->d_ino;
	}
	closedir(d);
	mutex_lock(&o->lock);
	for (size_t i = 0; i < o->n_indexes; i++) {
		size_t k = 0;

		while (k < n && seen[k] != o->indexes[i].inode)
			k++;
		if (k < n)
			continue;
		gone = true;
		o->indexes[i--] = o->indexes[--o->n_indexes];
	}
	mutex_unlock(&o->lock);
	if (gone)
		objects_packs_replaced(o);
	return gone;
}

void objects_watch(struct objects *o)
{
	cleanup(free) char *dir = NULL;
	int64_t now = clock_mono_ms();
	struct dirent *e;
	struct stat st;
	size_t n = 0;
	bool due;
	DIR *d;

	mutex_lock(&o->lock);
	due = !o->indexes || now - o->watched_ms >= WATCH_MS;
	if (due)
		o->watched_ms = now;
	mutex_unlock(&o->lock);
	if (!due)
		return;
	dir = mem_asprintf("%s/objects/pack", o->path);
	d = opendir(dir);
	while (d && (e = readdir(d))) {
		if (!is_index(e->d_name) ||
		    fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		n++;
		if (!is_known_index(o, &st))
			watch_index(o, dir, e->d_name);
	}
	if (d)
		closedir(d);
	if (mutex_with(&o->lock, n < o->n_indexes))
		is_one_gone(o);
}

/* ---- how much of a commit is here ---- */

struct seen {
	struct oid oid;
	UT_hash_handle hh;
};
struct walk {
	const struct ctx *ctx; /* cancelled: the answers mean nothing */
	struct objects_handle *handle;
	enum objects_presence wanted;
	struct seen *seen; /* trees below which all that is wanted is here */
	unsigned depth;
};

#define DEPTH_MOST 512

static bool has(const struct walk *w, const struct oid *oid)
{
	git_oid id;

	git_oid_fromraw(&id, oid->bytes);
	return git_odb_exists_ext(w->handle->odb, &id,
				  GIT_ODB_LOOKUP_NO_REFRESH);
}

static git_odb_object *read_tree(const struct walk *w, const struct oid *oid)
{
	git_odb_object *raw = NULL;
	git_oid id;

	git_oid_fromraw(&id, oid->bytes);
	if (git_odb_read(&raw, w->handle->odb, &id) < 0)
		return NULL;
	if (git_odb_object_type(raw) != GIT_OBJECT_TREE) {
		git_odb_object_free(raw);
		return NULL;
	}
	return raw;
}

static bool is_tree_present(struct walk *w, const struct oid *oid);

static bool is_entry_present(struct walk *w, const struct tree_entry *e)
{
	if (e->kind == TREE_DIRECTORY)
		return is_tree_present(w, &e->oid);
	return e->kind == TREE_SUBMODULE || w->wanted < OBJECTS_COMPLETE ||
	       has(w, &e->oid);
}

/* A tree that no file system can show is here all the same. */
static bool is_tree_present(struct walk *w, const struct oid *oid)
{
	cleanup(tree_list_unref) struct tree_list *l = NULL;
	git_odb_object *raw;
	struct seen *seen;
	bool present = true;

	HASH_FIND(hh, w->seen, oid, sizeof(*oid), seen);
	if (seen || w->depth == DEPTH_MOST || ctx_is_cancelled(w->ctx))
		return true;
	raw = read_tree(w, oid);
	if (!raw)
		return false;
	if (tree_list_parse(git_odb_object_data(raw), git_odb_object_size(raw),
			    &l) < 0)
		l = NULL;
	git_odb_object_free(raw);
	w->depth++;
	for (size_t i = 0; l && present && i < l->n_entries; i++)
		present = is_entry_present(w, tree_list_entry(l, i));
	w->depth--;
	if (present) {
		seen = mem_calloc(1, sizeof(*seen));
		seen->oid = *oid;
		HASH_ADD(hh, w->seen, oid, sizeof(seen->oid), seen);
	}
	return present;
}

static bool is_commit_present(struct walk *w, const struct oid *commit)
{
	git_commit *c = NULL;
	struct oid tree;
	git_oid id;

	git_oid_fromraw(&id, commit->bytes);
	/* A tag may lead to a tree. */
	if (git_commit_lookup(&c, w->handle->repo, &id) < 0)
		return is_tree_present(w, commit);
	memcpy(tree.bytes, git_commit_tree_id(c)->id, sizeof(tree.bytes));
	git_commit_free(c);
	return is_tree_present(w, &tree);
}

/* How many marks of that degree went, or -errno. */
static int check_marks_of(struct ctx *ctx, struct objects *o,
			  enum objects_presence presence, bool locked)
{
	struct walk w = {.ctx = ctx, .wanted = presence};
	struct oid *commits = NULL;
	struct seen *seen, *next;
	bool *present;
	size_t n = 0;
	int n_gone = 0, r = objects_marked(o, presence, SIZE_MAX, &commits, &n);

	if (r < 0 || n == 0) {
		free(commits);
		return r;
	}
	r = objects_take(o, &w.handle);
	if (r < 0) {
		free(commits);
		return r;
	}
	present = mem_calloc(n, sizeof(*present));
	for (size_t i = 0; i < n; i++)
		present[i] = is_commit_present(&w, &commits[i]);
	objects_give(o, w.handle);
	/* Without descriptors or memory all of it looks as if it were gone. */
	r = ctx_is_cancelled(ctx) ? -EINTR : objects_probe(o);
	for (size_t i = 0; i < n && r == 0; i++) {
		if (present[i])
			continue;
		r = objects_unmark(o, &commits[i], presence, locked);
		n_gone++;
	}
	HASH_ITER (hh, w.seen, seen, next) {
		HASH_DEL(w.seen, seen);
		free(seen);
	}
	free(present);
	free(commits);
	return r < 0 ? r : n_gone;
}

static int check_marks(struct ctx *ctx, struct objects *o, bool locked)
{
	int n_gone = 0;

	for (enum objects_presence p = OBJECTS_COMMIT; p <= OBJECTS_COMPLETE;
	     p++) {
		int r = check_marks_of(ctx, o, p, locked);

		if (r < 0)
			return r;
		n_gone += r;
	}
	return n_gone;
}

/* ---- all of it ---- */

static int check_all(struct ctx *ctx, struct objects *o, bool missing,
		     bool locked)
{
	int n = check_packs(ctx, o, locked), r = 0;

	if (n < 0)
		return n;
	if (n > 0)
		objects_packs_replaced(o);
	if (n > 0 || missing)
		r = check_marks(ctx, o, locked);
	/* Whoever waits for this check begins another one (join_check). */
	if (ctx_is_cancelled(ctx))
		return -EINTR;
	return r < 0 && n == 0 ? r : n + (r > 0 ? r : 0);
}

int objects_check_locked(struct objects *o)
{
	return check_all(NULL, o, false, true);
}

int objects_check_pack_locked(struct objects *o, const char *name)
{
	cleanup(free) char *dir = mem_asprintf("%s/objects/pack", o->path);
	cleanup(free) char *index = mem_asprintf("%s.idx", name);
	int r = check_one(NULL, o, dir, index, true);

	if (r > 0)
		objects_packs_replaced(o);
	return r;
}

/* Waits for the check that is under way. False when that one is not enough: it
 * does not look at marks and the caller needs that, or it was broken off. Not a
 * store/flight, because a check that is not enough must be waited for all the
 * same: two at a time would read all packs twice. */
static bool join_check(struct ctx *ctx, struct objects *o, bool missing,
		       int *ret_result) requires_lock(o->lock)
{
	bool enough = o->check_missing || !missing;
	unsigned n = o->n_checks;

	while (o->checking && o->n_checks == n && !ctx_is_cancelled(ctx))
		cond_wait(&o->checked, &o->lock);
	*ret_result = ctx_is_cancelled(ctx) ? -EINTR : o->check_result;
	return ctx_is_cancelled(ctx) || (enough && *ret_result != -EINTR);
}

static int check_once(struct ctx *ctx, struct objects *o, bool missing)
{
	struct ctx_waiting waiting;
	bool joined = false;
	int r = 0;

	ctx_waiting_begin(ctx, &waiting, &o->lock, &o->checked);
	mutex_lock(&o->lock);
	while (o->checking && !joined)
		joined = join_check(ctx, o, missing, &r);
	if (!joined) {
		o->checking = true;
		o->check_missing = missing;
	}
	mutex_unlock(&o->lock);
	ctx_waiting_end(ctx, &waiting);
	if (joined)
		return r;
	r = check_all(ctx, o, missing, false);
	mutex_lock(&o->lock);
	o->checking = false;
	o->n_checks++;
	o->check_result = r;
	cond_broadcast(&o->checked);
	mutex_unlock(&o->lock);
	return r;
}

int objects_check(struct ctx *ctx, struct objects *o)
{
	int r = check_once(ctx, o, true);

	return r < 0 ? r : 0;
}

int objects_doubt(struct ctx *ctx, struct objects *o, int r, unsigned epoch)
{
	bool replaced;
	int checked;

	/* ENOMEM: garbage in the place of a length, which libgit2 believes. */
	if (r != -EIO && r != -EBADMSG && r != -ENOMEM)
		return 0;
	mutex_lock(&o->lock);
	replaced = o->epoch != epoch;
	mutex_unlock(&o->lock);
	/* Another process may have evicted packs that the handle knew. */
	if (replaced || is_one_gone(o))
		return 1;
	checked = check_once(ctx, o, false);
	if (checked < 0)
		return checked;
	if (checked == 0 && r == -EBADMSG)
		return 0; /* not damaged: it is an object of another type */
	/* The packs are sound, so what a handle has in memory may be wrong. */
	if (checked == 0)
		objects_packs_replaced(o);
	return 1;
}
