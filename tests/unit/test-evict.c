/*
 * store/evict: what takes how much, and what goes.
 */
#include "git-scratch.h"

#include "base/clock.h"
#include "base/digest.h"
#include "store/evict.h"
#include "store/spool.h"
#include "store/written.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/file.h>

struct world {
	char dir[64]; /* the account's */
	struct evict_repository seen;
	unsigned n_seen;
};

static int set_up(void **state)
{
	struct world *w = mem_calloc(1, sizeof(*w));

	snprintf(w->dir, sizeof(w->dir), "/tmp/evict-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	assert_int_equal(file_remove_tree(w->dir), 0);
	free(w);
	return 0;
}

static void put(const struct world *w, const char *below, size_t n)
{
	cleanup(free) char *path = mem_asprintf("%s/%s", w->dir, below);
	cleanup(free) char *dir =
		mem_dup0(path, (size_t)(strrchr(path, '/') - path));
	cleanup(free) char *bytes = mem_calloc(1, n);

	assert_int_equal(file_mkdirs(dir, 0700), 0);
	assert_int_equal(file_write_atomic(path, 0600, bytes, n), 0);
}

static int note(void *arg, const struct evict_repository *repository)
{
	struct world *w = arg;

	w->seen = *repository;
	w->seen.uuid = NULL;
	w->n_seen++;
	assert_string_equal(repository->uuid, "one");
	return 0;
}

static void test_what_takes_how_much(void **state)
{
	struct world *w = *state;
	struct evict_use use;

	assert_int_equal(evict_measure(w->dir, &use, note, w), 0);
	assert_int_equal(use.n_bytes, 0);
	put(w, "cache.db", 4096);
	put(w, "spool/0123", 8192);
	put(w, "git/one.git/objects/pack/pack-1.pack", 16384);
	put(w, "git/one.git/big/0123", 32768);
	put(w, "git/one.git/tmp-1-1/pack-1/pack", 65536);
	put(w, "git/no-store/big/0123", 4096);
	assert_int_equal(evict_measure(w->dir, &use, note, w), 0);
	assert_int_equal(w->n_seen, 1);
	assert_int_equal(use.n_repositories, 1);
	assert_int_equal(use.n_documents, 4096);
	assert_int_equal(use.n_spools, 8192);
	assert_int_equal(use.n_packs, 16384);
	assert_int_equal(use.n_big, 32768);
	assert_int_equal(use.n_other, 65536);
	assert_int_equal(use.n_bytes, 4096 + 8192 + 16384 + 32768 + 65536);
	assert_int_equal(w->seen.n_packs, 16384);
	assert_int_equal(w->seen.used_ms, 0);
	assert_false(w->seen.kept);
	assert_int_equal(use.n_kept, 0);
}

static void test_keeping(void **state)
{
	struct world *w = *state;
	struct evict_use use;

	assert_int_equal(evict_keep(w->dir, "one", true), -ENOENT);
	assert_int_equal(evict_keep(w->dir, "../one", true), -ENOENT);
	put(w, "git/one.git/big/0123", 4096);
	assert_int_equal(evict_keep(w->dir, "one", true), 0);
	assert_int_equal(evict_keep(w->dir, "one", true), 0);
	assert_int_equal(evict_measure(w->dir, &use, note, w), 0);
	assert_true(w->seen.kept);
	assert_int_equal(use.n_kept, 4096);
	assert_int_equal(evict_keep(w->dir, "one", false), 0);
	assert_int_equal(evict_keep(w->dir, "one", false), 0);
	assert_int_equal(evict_measure(w->dir, &use, note, w), 0);
	assert_false(w->seen.kept);
}

/* It was read so many seconds ago. */
static void read_ago(const struct world *w, const char *below, int64_t ago_s)
{
	cleanup(free) char *path = mem_asprintf("%s/%s", w->dir, below);
	const struct timespec at = {.tv_sec = clock_wall_ms() / 1000 - ago_s};
	const struct timespec times[2] = {at, at};

	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static bool is_there(const struct world *w, const char *below)
{
	cleanup(free) char *path = mem_asprintf("%s/%s", w->dir, below);

	return access(path, F_OK) == 0;
}

#define BIG "git/one.git/big/000000000000000000000000000000000000000"
#define SPOOL "spool/000000000000000000000000000000000000000"

/* Of 10 MiB in files of 1 MiB as many go as are too many, and of those that
 * were read longest ago: big files and spools alike. */
static void test_files_go(void **state)
{
	struct world *w = *state;
	struct evictor *e;
	struct evict_use use;
	int64_t late = clock_mono_ms() + 5 * 1000;
	uint64_t known, most;

	for (int i = 0; i < 10; i++) {
		cleanup(free) char *name =
			mem_asprintf(i % 2 ? BIG "%d" : SPOOL "%d", i);

		put(w, name, MIB);
		read_ago(w, name, 1000 - i * 100);
	}
	read_ago(w, SPOOL "0", 2); /* is being read */
	assert_int_equal(evict_start(w->dir, 8 * MIB, &e), 0);
	do {
		sched_yield();
		assert_int_equal(evict_measure(w->dir, &use, NULL, NULL), 0);
	} while (use.n_bytes > 6 * MIB);
	/* It says what there is, not what there was when it began. */
	do {
		sched_yield();
		assert_true(clock_mono_ms() < late);
		evict_known(e, &known, &most);
	} while (known != 6 * MIB);
	e = evict_stop(e);
	assert_int_equal(use.n_bytes, 6 * MIB);
	assert_true(is_there(w, SPOOL "0"));
	assert_false(is_there(w, BIG "1"));
	assert_false(is_there(w, SPOOL "2"));
	assert_false(is_there(w, BIG "3"));
	assert_false(is_there(w, SPOOL "4"));
	assert_true(is_there(w, BIG "5"));
}

/* What is written while all is being read has the evictor look in vain, often.
 * It is no reason to look a minute after they have read it. */
static void test_it_looks_soon_after_a_burst(void **state)
{
	struct world *w = *state;
	cleanup(free) char *lock = mem_asprintf("%s/evict.lock", w->dir);
	struct evictor *e;
	struct evict_use use;
	int64_t late;
	int fd;

	for (int i = 0; i < 10; i++) {
		cleanup(free) char *name = mem_asprintf(SPOOL "%d", i);

		put(w, name, MIB);
	}
	assert_int_equal(evict_start(w->dir, 8 * MIB, &e), 0);
	for (int i = 0; i < 8; i++) {
		/* It made the file when it looked. */
		while (unlink(lock) < 0)
			sched_yield();
		written_note(MIB);
	}
	while ((fd = open(lock, O_RDWR | O_CLOEXEC)) < 0)
		sched_yield();
	/* Its last look is over. */
	assert_int_equal(file_lock(fd, LOCK_EX), 0);
	close(fd);
	for (int i = 0; i < 10; i++) {
		cleanup(free) char *name = mem_asprintf(SPOOL "%d", i);

		read_ago(w, name, 1000);
	}
	late = clock_mono_ms() + 10 * 1000;
	do {
		sched_yield();
		assert_true(clock_mono_ms() < late);
		assert_int_equal(evict_measure(w->dir, &use, NULL, NULL), 0);
	} while (use.n_bytes > 6 * MIB);
	evict_stop(e);
}

/* ---- stores ---- */

/* A commit of a MiB, in the store of that name, read so many seconds ago. */
static void fill_store(const struct world *w, const char *name, int64_t ago_s)
{
	struct scratch s = {0};
	cleanup(free) char *store = mem_asprintf("git/%s.git", name);
	cleanup(free) char *used = mem_asprintf("%s/used", store);
	cleanup(free) char *mark = NULL;
	struct oid commit;
	char hex[41];

	snprintf(s.dir, sizeof(s.dir), "%s", w->dir);
	snprintf(s.store, sizeof(s.store), "%s/%s", w->dir, store);
	put(w, "git/.here", 0);
	scratch_do(&s, "git init -q -b main repo && cd repo && "
		       "head -c 1048576 /dev/urandom >blob && git add blob && "
		       "git -c user.name=A -c user.email=a@example.org commit "
		       "-q -m message");
	assert_int_equal(objects_open(s.store, &s.o), 0);
	scratch_take_all(&s, "repo");
	commit = scratch_oid(&s, "git -C repo rev-parse HEAD");
	assert_int_equal(objects_mark(s.o, &commit, OBJECTS_COMPLETE), 0);
	objects_close(s.o);
	scratch_do(&s, "rm -r repo");
	mark = mem_asprintf("%s/refs/bitbucketfs/commits/%s", store,
			    oid_hex(&commit, hex));
	read_ago(w, mark, ago_s);
	read_ago(w, used, ago_s);
}

/* A commit of ten MiB that is being read, and came in ten parts, a while ago.
 */
static void fill_store_in_parts(const struct world *w)
{
	struct scratch s = {0};
	struct oid commit;

	snprintf(s.dir, sizeof(s.dir), "%s", w->dir);
	snprintf(s.store, sizeof(s.store), "%s/git/parts.git", w->dir);
	put(w, "git/.here", 0);
	scratch_do(&s, "git init -q -b main repo && cd repo && for i in 0 1 2 "
		       "3 4 5 6 7 8 9; do head -c 1048576 /dev/urandom >$i; "
		       "done; git add . && git -c user.name=A -c "
		       "user.email=a@example.org commit -q -m message");
	assert_int_equal(objects_open(s.store, &s.o), 0);
	scratch_take_part(&s, "HEAD HEAD^{tree}", false);
	for (int i = 0; i < 10; i++) {
		cleanup(free) char *blob = mem_asprintf("HEAD:%d", i);

		scratch_take_part(&s, blob, true);
	}
	scratch_do(&s, "touch -d '1 minute ago' "
		       "git/parts.git/objects/pack/*.pack");
	commit = scratch_oid(&s, "git -C repo rev-parse HEAD");
	assert_int_equal(objects_mark(s.o, &commit, OBJECTS_TREES), 0);
	objects_close(s.o);
	/* It is read all the time. */
	scratch_do(&s, "touch -d '1 hour' "
		       "git/parts.git/refs/bitbucketfs/trees/* "
		       "git/parts.git/used; rm -r repo");
}

static bool is_whole(const struct world *w, const char *name)
{
	cleanup(free) char *below = mem_asprintf("git/%s.git/sizes", name);

	return !is_there(w, below);
}

static void test_dropping(void **state)
{
	struct world *w = *state;
	uint64_t freed = 0;

	fill_store(w, "one", 0);
	assert_int_equal(evict_drop(NULL, w->dir, "none", &freed), -ENOENT);
	assert_int_equal(evict_keep(w->dir, "one", true), 0);
	assert_int_equal(evict_drop(NULL, w->dir, "one", &freed), -EPERM);
	assert_true(is_whole(w, "one"));
	assert_int_equal(evict_keep(w->dir, "one", false), 0);
	assert_int_equal(evict_drop(NULL, w->dir, "one", &freed), 0);
	assert_true(freed > MIB);
	assert_false(is_whole(w, "one"));
}

/* A download of a repository, read so many seconds ago; its path. */
static char *put_download(const struct world *w, const char *key, int64_t ago_s)
{
	cleanup(free) char *dir = mem_asprintf("%s/spool", w->dir);
	cleanup(spool_close) struct spool *spool = NULL;
	cleanup(spool_file_unref) struct spool_file *file = NULL;
	cleanup(free) char *bytes = mem_calloc(1, 4 * MIB);
	char name[41], *below;

	assert_int_equal(spool_open(dir, 0, &spool), 0);
	assert_int_equal(spool_new(spool, &file), 0);
	assert_int_equal(spool_publish(file, key, 4 * MIB, ""), 0);
	assert_int_equal(spool_write(file, 0, bytes, 4 * MIB), 0);
	digest_sha1_hex(key, strlen(key), name);
	below = mem_asprintf("spool/%s", name);
	read_ago(w, below, ago_s);
	return below;
}

static int see_used(void *arg, const struct spool_seen *seen)
{
	*(int64_t *)arg = seen->used_ms;
	return 0;
}

/* Looking what there is makes nothing a file that was read lately. */
static void test_looking_is_no_reading(void **state)
{
	struct world *w = *state;
	cleanup(free) char *dir = mem_asprintf("%s/spool", w->dir);
	int64_t first = 0, second = 0;

	free(put_download(w, "repo/{one}/a", 1000));
	assert_int_equal(spool_each(dir, see_used, &first), 0);
	assert_int_equal(spool_each(dir, see_used, &second), 0);
	assert_true(first > 0 && first == second);
}

/* Downloads and logs of a repository that is kept stay, as its files do. */
static void test_downloads_are_kept(void **state)
{
	struct world *w = *state;
	cleanup(free) char *kept = put_download(w, "repo/{kept}/a", 9000);
	cleanup(free) char *other = put_download(w, "repo/{other}/a", 1000);
	struct evictor *e;

	put(w, "git/kept.git/HEAD", 1);
	assert_int_equal(evict_keep(w->dir, "kept", true), 0);
	assert_int_equal(evict_start(w->dir, 8 * MIB, &e), 0);
	do {
		assert_true(is_there(w, kept));
		sched_yield();
	} while (is_there(w, other));
	e = evict_stop(e);
}

/* Objects of LFS before files of git that were read longer ago. */
static void test_lfs_goes_first(void **state)
{
	struct world *w = *state;
	cleanup(free) char *lfs = put_download(w, "lfs#0123", 70);
	cleanup(free) char *other = put_download(w, "repo/{other}/a", 9000);
	struct evict_use use;
	struct evictor *e;

	fill_store(w, "old", 9000);
	assert_int_equal(evict_measure(w->dir, &use, NULL, NULL), 0);
	assert_int_equal(evict_start(w->dir, use.n_bytes, &e), 0);
	while (is_there(w, lfs))
		sched_yield();
	e = evict_stop(e);
	assert_true(is_there(w, other));
	assert_true(is_whole(w, "old"));
}

/* Of what was read longest ago as much goes as is too much; what is kept, and
 * what is being read, stays. */
static void test_blobs_go(void **state)
{
	struct world *w = *state;
	struct evictor *e;
	struct evict_use use;

	fill_store(w, "kept", 9000);
	fill_store(w, "oldest", 5000);
	fill_store(w, "old", 3000);
	fill_store(w, "young", 1000);
	fill_store(w, "being-read", 1);
	assert_int_equal(evict_keep(w->dir, "kept", true), 0);
	assert_int_equal(evict_measure(w->dir, &use, NULL, NULL), 0);
	assert_true(use.n_bytes > 5 * MIB && use.n_bytes < 6 * MIB);
	/* Over 7/8 of it; down to 3/4 two have to go. */
	assert_int_equal(evict_start(w->dir, 21 * MIB / 4, &e), 0);
	do {
		sched_yield();
		assert_int_equal(evict_measure(w->dir, &use, NULL, NULL), 0);
	} while (use.n_bytes > 63 * MIB / 16);
	e = evict_stop(e);
	assert_true(is_whole(w, "kept"));
	assert_false(is_whole(w, "oldest"));
	assert_false(is_whole(w, "old"));
	assert_true(is_whole(w, "young"));
	assert_true(is_whole(w, "being-read"));
	/* Even if there is no other way; the rest goes whole then. */
	assert_int_equal(evict_start(w->dir, 2 * MIB, &e), 0);
	while (is_there(w, "git/oldest.git") || is_there(w, "git/young.git"))
		sched_yield();
	e = evict_stop(e);
	assert_true(is_whole(w, "kept"));
	assert_true(is_whole(w, "being-read"));
}

static void test_the_default(void **state)
{
	struct world *w = *state;
	cleanup(free) char *below = mem_asprintf("%s/a/b", w->dir);
	uint64_t n = evict_default_bytes(w->dir);

	assert_true(n > 0 && n <= (uint64_t)10 << 30);
	assert_true(evict_default_bytes(below) == n);
}

/* A walk through more than there is room for: the bound is held though
 * all of it is being read. */
static void test_what_is_read_goes_over_the_bound(void **state)
{
	struct world *w = *state;
	cleanup(free) char *store = mem_asprintf("%s/git/parts.git", w->dir);
	struct evict_use use = {0};
	struct evictor *e;
	struct objects *o;

	fill_store_in_parts(w);
	assert_int_equal(objects_open(store, &o), 0);
	assert_int_equal(evict_start(w->dir, 8 * MIB, &e), 0);
	do {
		sched_yield();
		assert_int_equal(evict_measure(w->dir, &use, NULL, NULL), 0);
	} while (use.n_bytes > 8 * MIB);
	e = evict_stop(e);
	/* No more than that. */
	assert_true(use.n_bytes > 4 * MIB);
	objects_close(o);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(test_what_takes_how_much),
		T(test_keeping),
		T(test_files_go),
		T(test_it_looks_soon_after_a_burst),
		T(test_dropping),
		T(test_looking_is_no_reading),
		T(test_downloads_are_kept),
		T(test_lfs_goes_first),
		T(test_blobs_go),
		T(test_what_is_read_goes_over_the_bound),
		T(test_the_default),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
