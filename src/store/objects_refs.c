/*
 * Refs and `shallow`. How much of a commit is here is said by a ref, so git
 * itself keeps it and a person sees it with `git for-each-ref`.
 *
 * Refs are written under the store's lock: whoever opens the store under it
 * knows that a lock file of libgit2's has no owner any more.
 */
#include "objects_private.h"

#include "base/file.h"
#include "base/own.h"

#include <dirent.h>
#include <fcntl.h>
#include <git2.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* Where the marks of a degree are: a ref for each commit, named by its id. */
static const char *const mark_spaces[] = {
	[OBJECTS_TREES] = "refs/bitbucketfs/trees/",
	[OBJECTS_COMPLETE] = "refs/bitbucketfs/commits/",
};

#define SHALLOW_BYTES_MOST (64 * MIB)

/* As git writes a ref, under the lock file that objects_tmp_open sweeps; it is
 * synced later. 0 or -errno; -EEXIST, -ENOTDIR, -EISDIR: `a` and `a/b` cannot
 * both be there. */
static int write_ref(struct objects *o, const char *name, const char *text)
{
	cleanup(free) char *path = mem_asprintf("%s/%s", o->path, name);
	cleanup(free) char *lock = mem_asprintf("%s.lock", path);
	char *slash = strrchr(path, '/');
	cleanup(fd) int fd = -1;
	size_t n = strlen(text);
	int r;

	*slash = '\0';
	r = file_mkdirs(path, 0700);
	*slash = '/';
	if (r < 0)
		return r;
	fd = open(lock, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	errno = ENOSPC; /* of a write that is short */
	if (write(fd, text, n) != (ssize_t)n || rename(lock, path) < 0) {
		r = -errno;
		unlink(lock);
		return r;
	}
	objects_sync_later(o, name);
	return 0;
}

static int set_ref(struct objects *o, struct objects_handle *h,
		   const char *name, const struct oid *oid)
{
	char text[42];
	git_oid id;

	/* It says so already. */
	if (git_reference_name_to_id(&id, h->repo, name) == 0 &&
	    memcmp(id.id, oid->bytes, OID_BYTES) == 0)
		return 0;
	oid_hex(oid, text);
	text[40] = '\n';
	text[41] = '\0';
	return write_ref(o, name, text);
}

/* NULL: there are no marks of that degree. */
static const char *mark_space(enum objects_presence presence)
{
	return presence < ARRAY_SIZE(mark_spaces) ? mark_spaces[presence]
						  : NULL;
}

static void mark_name(const struct oid *commit, enum objects_presence presence,
		      char out[static 80])
{
	char hex[41];

	check(mark_space(presence));
	snprintf(out, 80, "%s%s", mark_space(presence), oid_hex(commit, hex));
}

/* ---- when it was read ---- */

/* Its time is what counts; it is made at the first use. */
static void note_used(const struct objects *o)
{
	cleanup(free) char *path = mem_asprintf("%s/" OBJECTS_USED, o->path);
	cleanup(fd) int fd = -1;

	if (utimensat(AT_FDCWD, path, NULL, 0) < 0 && errno == ENOENT)
		fd = own_open(path, O_WRONLY | O_CREAT, 0600);
}

static const enum objects_presence degrees[] = {OBJECTS_TREES,
						OBJECTS_COMPLETE};

static char *mark_path(const char *path, const struct oid *commit,
		       enum objects_presence presence)
{
	char name[80];

	mark_name(commit, presence, name);
	return mem_asprintf("%s/%s", path, name);
}

static void set_read(const struct objects *o, const struct oid *commit,
		     const struct timespec *times)
{
	for (size_t i = 0; i < ARRAY_SIZE(degrees); i++) {
		cleanup(free) char *path =
			mark_path(o->path, commit, degrees[i]);

		utimensat(AT_FDCWD, path, times, 0);
	}
}

void objects_note_read(struct objects *o, const struct oid *commit)
{
	set_read(o, commit, NULL);
	note_used(o);
}

void objects_set_read_ms(struct objects *o, const struct oid *commit,
			 int64_t at_ms)
{
	const struct timespec times[2] = {
		{.tv_nsec = UTIME_OMIT},
		{.tv_sec = at_ms / 1000, .tv_nsec = at_ms % 1000 * 1000000},
	};

	set_read(o, commit, times);
}

static int64_t time_ms(const struct timespec *t)
{
	return (int64_t)t->tv_sec * 1000 + t->tv_nsec / 1000000;
}

int64_t objects_read_ms(struct objects *o, const struct oid *commit)
{
	int64_t at_ms = 0;

	for (size_t i = 0; i < ARRAY_SIZE(degrees); i++) {
		cleanup(free) char *path =
			mark_path(o->path, commit, degrees[i]);
		struct stat st;

		/* One that git has packed away is an old one. */
		if (stat(path, &st) == 0 && time_ms(&st.st_mtim) > at_ms)
			at_ms = time_ms(&st.st_mtim);
	}
	return at_ms;
}

bool objects_marks_before(const char *path, enum objects_presence presence,
			  int64_t before_ms, bool *ret_any)
{
	cleanup(free) char *dir =
		mem_asprintf("%s/%s", path, mark_spaces[presence]);
	cleanup(free) char *packed = mem_asprintf("%s/packed-refs", path);
	bool before = access(packed, F_OK) == 0;
	DIR *d = opendir(dir);
	struct dirent *e;
	struct oid oid;
	struct stat st;

	*ret_any = before;
	while (d && (e = readdir(d))) {
		if (oid_parse(e->d_name, &oid) < 0 ||
		    fstatat(dirfd(d), e->d_name, &st, 0) < 0)
			continue;
		*ret_any = true;
		before = before || time_ms(&st.st_mtim) < before_ms;
	}
	if (d)
		closedir(d);
	return before;
}

/* ---- that blobs went ---- */

void objects_note_evicted(const char *store, bool evicted)
{
	cleanup(free) char *path = mem_asprintf("%s/" OBJECTS_EVICTED, store);
	cleanup(fd) int fd = -1;

	if (evicted)
		fd = own_open(path, O_WRONLY | O_CREAT, 0600);
	else
		(void)unlink(path);
}

bool objects_was_evicted(const struct objects *o)
{
	cleanup(free) char *path = mem_asprintf("%s/" OBJECTS_EVICTED, o->path);

	return access(path, F_OK) == 0;
}

/* ---- marks ---- */

int objects_mark(struct objects *o, const struct oid *commit,
		 enum objects_presence presence)
{
	cleanup(free) char *path = NULL;
	cleanup(fd) int lock = -1;
	struct objects_handle *h;
	char name[80];
	int r = objects_sync_packs(o);

	if (r == 0)
		r = objects_lock(o->path, LOCK_EX, &lock);
	if (r == 0)
		r = objects_take(o, &h);
	if (r < 0)
		return r;
	mark_name(commit, presence, name);
	r = objects_find(o, h, commit);
	if (r == 0)
		r = set_ref(o, h, name, commit);
	objects_give(o, h);
	/* libgit2 does not write a ref that says so already; its time is the
	 * order of the marks. */
	path = mem_asprintf("%s/%s", o->path, name);
	if (r == 0)
		utimensat(AT_FDCWD, path, NULL, 0);
	if (r == 0 && presence == OBJECTS_COMPLETE) {
		note_used(o);
		objects_note_evicted(o->path, false);
	}
	return r;
}

int objects_unmark(struct objects *o, const struct oid *commit,
		   enum objects_presence presence, bool locked)
{
	cleanup(fd) int lock = -1;
	struct objects_handle *h;
	char name[80];
	int r = locked ? 0 : objects_lock(o->path, LOCK_EX, &lock);

	if (r == 0)
		r = objects_take(o, &h);
	if (r < 0)
		return r;
	mark_name(commit, presence, name);
	r = objects_errno(git_reference_remove(h->repo, name));
	objects_give(o, h);
	return r == -ENOENT ? 0 : r;
}

static bool is_marked(struct objects *o, const struct oid *commit,
		      enum objects_presence presence)
{
	struct objects_handle *h;
	char name[80];
	git_oid id;
	bool is;

	if (objects_take(o, &h) < 0)
		return false;
	mark_name(commit, presence, name);
	is = git_reference_name_to_id(&id, h->repo, name) == 0 &&
	     memcmp(id.id, commit->bytes, sizeof(commit->bytes)) == 0;
	if (is && objects_find(o, h, commit) < 0) {
		/* Another process has just marked it, and the packs were looked
		 * at just before. */
		objects_packs_changed(o);
		is = objects_find(o, h, commit) == 0;
	}
	objects_give(o, h);
	return is;
}

bool objects_is_present(struct objects *o, const struct oid *commit,
			enum objects_presence at_least)
{
	/* Most are complete. */
	for (enum objects_presence p = OBJECTS_COMPLETE;
	     p >= at_least && p > OBJECTS_ABSENT; p--)
		if (mark_space(p) && is_marked(o, commit, p))
			return true;
	return at_least == OBJECTS_ABSENT ||
	       (at_least == OBJECTS_COMMIT && objects_has(o, commit));
}

struct mark {
	struct oid commit;
	struct timespec marked;
};

struct marks {
	const struct objects *objects;
	const char *space;
	struct mark *items;
	size_t n, room;
};

static int add_mark(const char *name, void *arg)
{
	struct marks *m = arg;
	cleanup(free) char *path =
		mem_asprintf("%s/%s", m->objects->path, name);
	struct mark mark = {0};
	struct stat st;

	if (oid_parse(name + strlen(m->space), &mark.commit) < 0)
		return 0;
	/* One that git has packed away is an old one. */
	if (stat(path, &st) == 0)
		mark.marked = st.st_mtim;
	mem_grow(m->items, m->n, m->room);
	m->items[m->n++] = mark;
	return 0;
}

static int by_time(const void *a, const void *b)
{
	const struct timespec *x = &((const struct mark *)a)->marked;
	const struct timespec *y = &((const struct mark *)b)->marked;

	if (x->tv_sec != y->tv_sec)
		return x->tv_sec < y->tv_sec ? -1 : 1;
	return x->tv_nsec < y->tv_nsec ? -1 : x->tv_nsec > y->tv_nsec;
}

int objects_marked(struct objects *o, enum objects_presence presence,
		   size_t max, struct oid **ret_oids, size_t *ret_n)
{
	struct marks m = {.objects = o, .space = mark_space(presence)};
	char glob[80];
	struct objects_handle *h;
	struct oid *oids;
	size_t skip;
	int r;

	if (!m.space) {
		*ret_oids = NULL;
		*ret_n = 0;
		return 0;
	}
	r = objects_take(o, &h);
	if (r < 0)
		return r;
	snprintf(glob, sizeof(glob), "%s*", m.space);
	r = git_reference_foreach_glob(h->repo, glob, add_mark, &m);
	r = objects_errno(r);
	objects_give(o, h);
	if (r < 0) {
		free(m.items);
		return r;
	}
	if (m.n)
		qsort(m.items, m.n, sizeof(*m.items), by_time);
	skip = m.n > max ? m.n - max : 0;
	oids = mem_alloc((m.n - skip + 1) * sizeof(*oids));
	for (size_t i = skip; i < m.n; i++)
		oids[i - skip] = m.items[i].commit;
	free(m.items);
	*ret_oids = oids;
	*ret_n = m.n - skip;
	return 0;
}

int objects_resolve_short(struct objects *o, const char *hex, size_t n,
			  struct oid *ret_commit)
{
	struct objects_handle *h;
	git_oid prefix, id;
	git_object_t type = GIT_OBJECT_INVALID;
	size_t size;
	int r;

	if (n < GIT_OID_MINPREFIXLEN || n > GIT_OID_HEXSZ ||
	    strspn(hex, "0123456789abcdef") < n ||
	    git_oid_fromstrn(&prefix, hex, n) < 0)
		return -EINVAL;
	r = objects_take(o, &h);
	if (r < 0)
		return r;
	r = git_odb_exists_prefix(&id, h->odb, &prefix, n);
	if (r == GIT_EAMBIGUOUS) {
		r = -EEXIST;
	} else {
		if (r >= 0)
			r = git_odb_read_header(&size, &type, h->odb, &id);
		r = objects_errno(r);
		if (r == 0 && type != GIT_OBJECT_COMMIT)
			r = -ENOENT;
	}
	objects_give(o, h);
	if (r == 0)
		memcpy(ret_commit->bytes, id.id, sizeof(ret_commit->bytes));
	return r;
}

bool objects_is_shallow(struct objects *o, const struct oid *commit)
{
	cleanup(free) char *path = mem_asprintf("%s/shallow", o->path);
	cleanup(buf_done) struct buf text = BUF_INIT(SHALLOW_BYTES_MOST);
	char hex[41];

	return own_read(path, SHALLOW_BYTES_MOST, &text) == 0 && text.len &&
	       strstr(text.data, oid_hex(commit, hex));
}

static int drop_ref(const char *name, void *repo)
{
	return git_reference_remove(repo, name);
}

int objects_set_branch(struct objects *o, const char *branch,
		       const struct oid *commit)
{
	cleanup(free) char *name = mem_asprintf("refs/heads/%s", branch);
	cleanup(free) char *head = mem_asprintf("ref: %s\n", name);
	cleanup(fd) int lock = -1;
	struct objects_handle *h;
	int valid = 0, r = objects_lock(o->path, LOCK_EX, &lock);

	if (r == 0)
		r = objects_take(o, &h);
	if (r < 0)
		return r;
	if (git_reference_name_is_valid(&valid, name) < 0 || !valid)
		r = -EINVAL;
	if (r == 0)
		r = objects_find(o, h, commit);
	if (r == 0) {
		r = set_ref(o, h, name, commit);
		if (r < 0) {
			/* The branch was called `a` and is `a/b` now. What it
			 * was is of no use to anybody. */
			git_reference_foreach_glob(h->repo, "refs/heads/*",
						   drop_ref, h->repo);
			r = set_ref(o, h, name, commit);
		}
		if (r == 0)
			r = write_ref(o, "HEAD", head);
	}
	objects_give(o, h);
	return r;
}

uint64_t objects_disk_bytes(struct objects *o)
{
	return objects_dir_bytes(o->path, "objects/pack") +
	       objects_dir_bytes(o->path, "big");
}
