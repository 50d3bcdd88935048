/*
 * store/evict: what takes how much, and what goes.
 */
#include "store/evict.h"

#include "base/clock.h"
#include "base/file.h"

#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

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
static void used(const struct world *w, const char *below, int64_t ago_s)
{
	cleanup(free) char *path = mem_asprintf("%s/%s", w->dir, below);
	const struct timespec times[2] = {
		{.tv_sec = clock_wall_ms() / 1000 - ago_s},
		{.tv_nsec = UTIME_OMIT},
	};

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

	for (int i = 0; i < 10; i++) {
		cleanup(free) char *name =
			mem_asprintf(i % 2 ? BIG "%d" : SPOOL "%d", i);

		put(w, name, MIB);
		used(w, name, 1000 - i * 100);
	}
	used(w, SPOOL "0", 2); /* is being read */
	assert_int_equal(evict_start(w->dir, 8 * MIB, &e), 0);
	do {
		sched_yield();
		assert_int_equal(evict_measure(w->dir, &use, NULL, NULL), 0);
	} while (use.n_bytes > 7 * MIB);
	e = evict_stop(e);
	assert_int_equal(use.n_bytes, 7 * MIB);
	assert_true(is_there(w, SPOOL "0"));
	assert_false(is_there(w, BIG "1"));
	assert_false(is_there(w, SPOOL "2"));
	assert_false(is_there(w, BIG "3"));
	assert_true(is_there(w, SPOOL "4"));
}

static void test_the_default(void **state)
{
	struct world *w = *state;
	cleanup(free) char *below = mem_asprintf("%s/a/b", w->dir);
	uint64_t n = evict_default_bytes(w->dir);

	assert_true(n > 0 && n <= (uint64_t)10 << 30);
	assert_true(evict_default_bytes(below) == n);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(test_what_takes_how_much),
		T(test_keeping),
		T(test_files_go),
		T(test_the_default),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
