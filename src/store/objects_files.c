/*
 * The store's directory: a bare repository, and beside what git knows
 *
 *	bitbucketfs.lock	flock, whenever something gets a name: see below
 *	evict.lock		flock: objects_evict.c
 *	rest.lock		flock: objects_rest.c
 *	sizes			of blobs that are not here: objects_sizes.c
 *	used			its time: when a file was last read
 *	kept			it is there: nothing is evicted (store/evict.h)
 *	big/<oid>		large blobs as files: objects_big_sums.c
 *	tmp-<pid>-<n>/		one per open store, with a file `lock` that its
 *				owner holds as long as it lives
 *
 * bitbucketfs.lock is held while the store is opened, a pack is installed,
 * `shallow` or a ref is written.
 *
 * A lock ends with its process (in any PID namespace), so whoever gets the lock
 * of a temporary directory knows that its owner is gone. Making a directory and
 * locking it happens under bitbucketfs.lock, as sweeping does. Otherwise:
 * 1. A makes tmp-7-1.
 * 2. B sweeps. Nobody has locked tmp-7-1, so B removes it.
 * 3. A locks it: -ENOENT, and the store cannot be opened.
 */
#include "objects_private.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/own.h"

#include <dirent.h>
#include <fcntl.h>
#include <fts.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* preciousObjects: `git gc` by hand would remove what only the mount has a name
 * for. partialClone: see objects_evict.c; the remote needs no URL. */
static const char config[] = "[core]\n"
			     "\trepositoryformatversion = 1\n"
			     "\tfilemode = true\n"
			     "\tbare = true\n"
			     "\tlogAllRefUpdates = false\n"
			     "[extensions]\n"
			     "\tpreciousObjects = true\n"
			     "\tpartialClone = origin\n"
			     "[gc]\n"
			     "\tauto = 0\n"
			     "[maintenance]\n"
			     "\tauto = false\n";
static const char head[] = "ref: refs/heads/main\n";

int objects_flock(const char *path, int how, int *ret_fd)
{
	cleanup(fd) int fd = own_open(path, O_RDWR | O_CREAT, 0600);
	int r;

	if (fd < 0)
		return fd;
	r = file_lock(fd, how);
	if (r < 0)
		return r;
	*ret_fd = fd;
	fd = -1;
	return 0;
}

int objects_lock(const char *path, int how, int *ret_fd)
{
	cleanup(free) char *name = mem_asprintf("%s/bitbucketfs.lock", path);

	for (int tries = 0; tries < 100; tries++) {
		cleanup(fd) int fd = -1;
		struct stat a, b;
		int r = objects_flock(name, how, &fd);

		if (r < 0)
			return r;
		/* The name must still be that of the file that was locked:
		 * 1. A has the lock, and B waits for it.
		 * 2. A sets the store aside, lock and all, and unlocks.
		 * 3. B has the lock of the old store; C makes a new one and
		 *    locks that. Both would write to the new one.
		 */
		if (fstat(fd, &a) == 0 && stat(name, &b) == 0 &&
		    a.st_dev == b.st_dev && a.st_ino == b.st_ino) {
			*ret_fd = fd;
			fd = -1;
			return 0;
		}
	}
	return -EBUSY;
}

/* Not synced: who opens the store finds out that it is not good. */
static int put_file(const char *path, const char *name, const char *text,
		    bool (*is_good)(const char *text, size_t n))
{
	cleanup(free) char *file = mem_asprintf("%s/%s", path, name);
	cleanup(buf_done) struct buf old = BUF_INIT(64 * KIB);

	if (own_read(file, 64 * KIB, &old) == 0 && is_good(old.data, old.len))
		return 0;
	return file_write_relaxed(file, 0600, text, strlen(text));
}

static bool is_our_config(const char *text, size_t n)
{
	return n == strlen(config) && memcmp(text, config, n) == 0;
}

static bool is_a_head(const char *text, size_t n)
{
	static const char begin[] = "ref: refs/heads/";
	size_t n_begin = strlen(begin);

	return n > n_begin + 1 && strncmp(text, begin, n_begin) == 0 &&
	       strlen(text) == n && strchr(text, '\n') == text + n - 1;
}

static int make_dirs(const char *path)
{
	static const char *const dirs[] = {
		"objects/pack", "objects/info", "refs/heads",
		"refs/tags",    "big",
	};
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(dirs); i++) {
		cleanup(free) char *dir = mem_asprintf("%s/%s", path, dirs[i]);

		r = file_mkdirs(dir, 0700);
	}
	if (r == 0)
		r = put_file(path, "config", config, is_our_config);
	if (r == 0)
		r = put_file(path, "HEAD", head, is_a_head);
	return r;
}

/* Beside its place, and then renamed: otherwise whoever is killed in between
 * leaves what git takes for no repository. The directory is locked against
 * those who sweep. */
static int make_store(const char *path)
{
	cleanup(free) char *dir = mem_asprintf("%s" OBJECTS_NEW "XXXXXX", path);
	cleanup(fd) int lock = -1;
	int r;

	if (!mkdtemp(dir))
		return -errno;
	lock = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	r = lock < 0 ? -errno : file_lock(lock, LOCK_EX | LOCK_NB);
	if (r == 0)
		r = make_dirs(dir);
	if (r == 0 && rename(dir, path) < 0)
		r = -errno;
	if (r < 0)
		file_remove_tree(dir);
	return r;
}

int objects_make_store(const char *path)
{
	struct stat st;
	int r;

	if (lstat(path, &st) == 0 || errno != ENOENT)
		return 0;
	r = make_store(path);
	/* Somebody else has made it meanwhile. */
	return r < 0 && lstat(path, &st) == 0 ? 0 : r;
}

int objects_make_dirs(const char *path)
{
	int r = objects_make_store(path);

	return r < 0 ? r : make_dirs(path);
}

static bool has_suffix(const char *s, const char *suffix)
{
	size_t n = strlen(s), n_suffix = strlen(suffix);

	return n > n_suffix && strcmp(s + n - n_suffix, suffix) == 0;
}

/* A pack ends with its checksum (20 bytes), an index with that of its pack and
 * its own (gitformat-pack). So a file that was cut is found without hashing
 * it. */
static bool pack_is_sound(const char *dir, const char *index)
{
	size_t n = strlen(index) - strlen(".idx");
	cleanup(free) char *a = mem_asprintf("%s/%s", dir, index);
	cleanup(free) char *b =
		mem_asprintf("%s/%.*s.pack", dir, (int)n, index);
	/* O_NONBLOCK: opening a FIFO waits for a writer, for ever. */
	cleanup(fd) int fa = open(a, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	cleanup(fd) int fb = open(b, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	unsigned char x[20], y[20];
	struct stat sa, sb;

	/* libgit2 passes over a pack that cannot be opened. It may be sound,
	 * and the reason ours (EMFILE): it is not set aside. */
	if (fa < 0 || fb < 0)
		return true;
	return fstat(fa, &sa) == 0 && fstat(fb, &sb) == 0 &&
	       S_ISREG(sa.st_mode) && S_ISREG(sb.st_mode) && sa.st_size >= 40 &&
	       sb.st_size >= 32 && pread(fa, x, 20, sa.st_size - 40) == 20 &&
	       pread(fb, y, 20, sb.st_size - 20) == 20 && !memcmp(x, y, 20);
}

bool objects_packs_are_sound(struct objects *o)
{
	cleanup(free) char *dir = mem_asprintf("%s/objects/pack", o->path);
	DIR *d = opendir(dir);
	bool sound = true;
	unsigned n = 0;
	struct dirent *e;

	while (d && (e = readdir(d)))
		if (has_suffix(e->d_name, ".idx")) {
			sound = sound && pack_is_sound(dir, e->d_name);
			n++;
		}
	if (d)
		closedir(d);
	mutex_lock(&o->lock);
	o->n_packs = n;
	mutex_unlock(&o->lock);
	return sound;
}

static void remove_older_broken(const char *path)
{
	const char *name = strrchr(path, '/') + 1;
	cleanup(free) char *parent = mem_dup0(path, (size_t)(name - path));
	DIR *d = opendir(parent);
	struct dirent *e;

	while (d && (e = readdir(d))) {
		size_t n = strlen(name);

		if (strncmp(e->d_name, name, n) == 0 &&
		    strncmp(e->d_name + n, ".broken-", 8) == 0) {
			cleanup(free) char *old =
				mem_asprintf("%s%s", parent, e->d_name);

			file_remove_tree(old);
		}
	}
	if (d)
		closedir(d);
}

int objects_set_aside(const char *path, const char *why)
{
	cleanup(free) char *to = mem_asprintf(
		"%s.broken-%lld", path, (long long)clock_wall_ms() / 1000);

	remove_older_broken(path);
	if (rename(path, to) < 0)
		return -errno;
	log_warn("the object store %s %s; it is set aside as %s and begun anew",
		 path, why, to);
	return 0;
}

/* Not those of flock: whoever held one that went would be alone with it, and
 * the next one with another. */
static bool is_old_lock(const char *name)
{
	return has_suffix(name, ".lock") &&
	       strcmp(name, "bitbucketfs.lock") != 0 &&
	       strcmp(name, "evict.lock") != 0 &&
	       strcmp(name, "rest.lock") != 0;
}

/* Removes what a process that was killed left of files that it was about to
 * rename: libgit2's locks of refs, and ours; and refs that a power cut has
 * emptied before they were synced, which git calls broken. All of it is made
 * under the store's lock, which is held, so there is no living owner. */
static void sweep_half_written(const struct objects *o)
{
	cleanup(free) char *refs = mem_asprintf("%s/refs", o->path);
	char *const below[] = {refs, NULL};
	FTS *fts = fts_open(below, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	DIR *d = opendir(o->path);
	struct dirent *e;
	FTSENT *f;

	while (fts && (f = fts_read(fts)))
		if (f->fts_info == FTS_F && (has_suffix(f->fts_name, ".lock") ||
					     f->fts_statp->st_size == 0))
			unlink(f->fts_accpath);
	if (fts)
		fts_close(fts);
	while (d && (e = readdir(d)))
		if (strstr(e->d_name, ".tmp-") || is_old_lock(e->d_name))
			unlinkat(dirfd(d), e->d_name, 0);
	if (d)
		closedir(d);
}

/* A pack without its index is one that was going, or coming, when its process
 * was killed: nobody sees it. */
static void sweep_packs(const struct objects *o)
{
	static const char *const suffixes[] = {".pack", ".rev", ".promisor"};
	cleanup(free) char *dir = mem_asprintf("%s/objects/pack", o->path);
	DIR *d = opendir(dir);
	struct dirent *e;

	while (d && (e = readdir(d)))
		for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
			cleanup(free) char *index = NULL;

			if (!has_suffix(e->d_name, suffixes[i]))
				continue;
			index = mem_asprintf(
				"%.*s.idx",
				(int)(strlen(e->d_name) - strlen(suffixes[i])),
				e->d_name);
			if (faccessat(dirfd(d), index, F_OK, 0) < 0 &&
			    errno == ENOENT)
				unlinkat(dirfd(d), e->d_name, 0);
		}
	if (d)
		closedir(d);
}

/* Of each process's directory: whether it has ended; remove: then it goes. */
static bool look_at_tmp(const char *path, bool remove)
{
	DIR *d = opendir(path);
	bool lives = false;
	struct dirent *e;

	while (d && (e = readdir(d))) {
		cleanup(free) char *dir = NULL, *lock = NULL;
		cleanup(fd) int fd = -1;

		if (strncmp(e->d_name, "tmp-", 4) != 0)
			continue;
		dir = mem_asprintf("%s/%s", path, e->d_name);
		lock = mem_asprintf("%s/lock", dir);
		if (objects_flock(lock, LOCK_EX | LOCK_NB, &fd) == -EWOULDBLOCK)
			lives = true;
		else if (remove) {
			objects_rest_rescue(path, dir);
			file_remove_tree(dir);
		}
	}
	if (d)
		closedir(d);
	return lives;
}

static void sweep_dead(const char *path)
{
	(void)look_at_tmp(path, true);
}

void objects_tmp_sweep(const char *path)
{
	cleanup(fd) int lock = -1;

	if (objects_lock(path, LOCK_EX, &lock) == 0)
		sweep_dead(path);
}

bool objects_tmp_lives(const char *path)
{
	return look_at_tmp(path, false);
}

static int tmp_make(struct objects *o)
{
	cleanup(free) char *dir = NULL, *lock = NULL;
	int fd = -1, r;

	for (unsigned n = 1;; n++) {
		free(dir);
		dir = mem_asprintf("%s/tmp-%ld-%u", o->path, (long)getpid(), n);
		if (mkdir(dir, 0700) == 0)
			break;
		if (errno != EEXIST)
			return -errno;
	}
	lock = mem_asprintf("%s/lock", dir);
	r = objects_flock(lock, LOCK_EX | LOCK_NB, &fd);
	if (r < 0) {
		file_remove_tree(dir);
		return r;
	}
	mutex_lock(&o->lock);
	o->tmp = steal(&dir);
	o->tmp_lock = fd;
	mutex_unlock(&o->lock);
	return 0;
}

int objects_tmp_open(struct objects *o)
{
	sweep_half_written(o);
	sweep_packs(o);
	sweep_dead(o->path);
	return tmp_make(o);
}

/* Of a store that was being made. */
static void sweep_new(const char *path)
{
	cleanup(fd) int lock = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (lock >= 0 && file_lock(lock, LOCK_EX | LOCK_NB) == 0)
		file_remove_tree(path);
}

void objects_sweep_all(const char *dir, const atomic_bool *stop)
{
	DIR *d = opendir(dir);
	struct dirent *e;

	while (d && !atomic_load(stop) && (e = readdir(d))) {
		cleanup(free) char *path =
			mem_asprintf("%s/%s", dir, e->d_name);
		cleanup(free) char *name = NULL;
		cleanup(fd) int lock = -1;

		if (has_suffix(e->d_name, ".git" OBJECTS_GONE))
			file_remove_tree(path);
		if (strstr(e->d_name, ".git" OBJECTS_NEW))
			sweep_new(path);
		if (!has_suffix(e->d_name, ".git"))
			continue;
		name = mem_asprintf("%s/bitbucketfs.lock", path);
		/* A process that holds the lock sweeps by itself, or is about
		 * to make its directory.
		 */
		if (objects_flock(name, LOCK_EX | LOCK_NB, &lock) == 0)
			sweep_dead(path);
	}
	if (d)
		closedir(d);
}

/* Under the store's lock: see the top. */
static int tmp_make_again(struct objects *o)
{
	cleanup(fd) int lock = -1;
	int r = objects_make_dirs(o->path);

	if (r == 0)
		r = objects_lock(o->path, LOCK_EX, &lock);
	return r < 0 ? r : tmp_make(o);
}

static void tmp_remove(char *dir, int lock)
{
	if (dir)
		file_remove_tree(dir);
	free(dir);
	file_close(lock);
}

void objects_tmp_close(struct objects *o)
{
	tmp_remove(steal(&o->tmp), o->tmp_lock);
	o->tmp_lock = -1;
}

void objects_tmp_cool(struct objects *o)
{
	char *dir;
	int lock;

	mutex_lock(&o->lock);
	if (!o->tmp || o->n_tmp_users || o->tmp_moving) {
		mutex_unlock(&o->lock);
		return;
	}
	o->tmp_moving = true;
	dir = steal(&o->tmp);
	lock = o->tmp_lock;
	o->tmp_lock = -1;
	mutex_unlock(&o->lock);
	tmp_remove(dir, lock);
	mutex_lock(&o->lock);
	o->tmp_moving = false;
	cond_broadcast(&o->tmp_moved);
	mutex_unlock(&o->lock);
}

/*
 * The directory is there, and stays, until objects_tmp_done. It is made without
 * o->lock; o->tmp_moving keeps other threads away meanwhile:
 * 1. A and B need a name, and find no directory.
 * 2. A makes tmp-7-1, and B tmp-7-2.
 * 3. B puts its own into o->tmp: nobody would remove A's, nor close its lock.
 */
static int tmp_use(struct objects *o)
{
	bool is_mine;
	int r = 0;

	mutex_lock(&o->lock);
	while (o->tmp_moving)
		cond_wait(&o->tmp_moved, &o->lock);
	o->n_tmp_users++;
	is_mine = !o->tmp;
	o->tmp_moving = is_mine;
	mutex_unlock(&o->lock);
	if (!is_mine)
		return 0;
	r = tmp_make_again(o);
	mutex_lock(&o->lock);
	o->tmp_moving = false;
	if (r < 0)
		o->n_tmp_users--;
	cond_broadcast(&o->tmp_moved);
	mutex_unlock(&o->lock);
	return r;
}

void objects_tmp_done(struct objects *o)
{
	mutex_lock(&o->lock);
	check(o->n_tmp_users > 0);
	o->n_tmp_users--;
	mutex_unlock(&o->lock);
}

int objects_tmp_name(struct objects *o, const char *what, char **ret_path)
{
	unsigned n;
	int r = tmp_use(o);

	if (r < 0)
		return r;
	mutex_lock(&o->lock);
	n = ++o->n_tmp;
	mutex_unlock(&o->lock);
	/* Somebody may have set the store aside, or removed it: then the
	 * directory is made anew in the store that is there now. Nobody has
	 * locked it, so another process may sweep it; that costs one pack,
	 * which is fetched again. o->tmp stays as it is while it has users. */
	if (access(o->tmp, F_OK) < 0) {
		r = objects_make_dirs(o->path);
		if (r == 0)
			r = file_mkdirs(o->tmp, 0700);
		if (r < 0) {
			objects_tmp_done(o);
			return r;
		}
	}
	*ret_path = mem_asprintf("%s/%s-%u", o->tmp, what, n);
	return 0;
}

uint64_t objects_dir_bytes(const char *path, const char *below)
{
	cleanup(free) char *dir = mem_asprintf("%s/%s", path, below);
	DIR *d = opendir(dir);
	uint64_t sum = 0;
	struct dirent *e;
	struct stat st;

	while (d && (e = readdir(d)))
		if (fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) ==
			    0 &&
		    S_ISREG(st.st_mode))
			sum += (uint64_t)st.st_size;
	if (d)
		closedir(d);
	return sum;
}

int objects_fsync_dir(const char *path, const char *below)
{
	cleanup(free) char *dir = mem_asprintf("%s/%s", path, below);
	cleanup(fd) int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}
