/*
 * store/cache: what each of SQLite's codes means, and whose fault it is.
 */
#include "../../src/store/cache_private.h"

#include "base/clock.h"
#include "base/file.h"
#include "store/say.h"

#include <setjmp.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

/* An errno of an earlier call that failed: sqlite3_system_errno keeps it. */
#define STALE ENOTDIR

static const struct meaning {
	int code, system;
	int errnum;
	const char *says; /* whose fault it is */
} table[] = {
	{SQLITE_OK, STALE, 0, "Success"},
	/* The work's own outcome. */
	{-ESTALE, STALE, -ESTALE, "Stale"},
	{SQLITE_FULL, 0, -ENOSPC, "disk of the cache is full"},
	{SQLITE_FULL, STALE, -ENOSPC, "disk of the cache is full"},
	{SQLITE_IOERR, 0, -EIO, "files of the cache"},
	{SQLITE_IOERR, ENOSPC, -ENOSPC, "disk of the cache is full"},
	{SQLITE_IOERR_READ, EIO, -EIO, "files of the cache"},
	{SQLITE_IOERR_READ, ESTALE, -ESTALE, "Stale"},
	{SQLITE_IOERR_WRITE, ENOSPC, -ENOSPC, "disk of the cache is full"},
	{SQLITE_IOERR_WRITE, EDQUOT, -ENOSPC, "disk of the cache is full"},
	{SQLITE_IOERR_WRITE, EROFS, -EROFS, "read-only"},
	{SQLITE_IOERR_WRITE, EFBIG, -EFBIG, "too large"},
	{SQLITE_IOERR_FSYNC, EIO, -EIO, "files of the cache"},
	{SQLITE_IOERR_TRUNCATE, ENOSPC, -ENOSPC, "disk of the cache is full"},
	{SQLITE_IOERR_FSTAT, EACCES, -EACCES, "this user"},
	{SQLITE_IOERR_DELETE, EPERM, -EPERM, "this user"},
	{SQLITE_IOERR_LOCK, ENOLCK, -ENOLCK, "locks"},
	{SQLITE_IOERR_SHMOPEN, EMFILE, -EMFILE, "RLIMIT_NOFILE"},
	{SQLITE_IOERR_SHMOPEN, ENFILE, -ENFILE, "this machine"},
	{SQLITE_IOERR_SHMSIZE, ENOSPC, -ENOSPC, "disk of the cache is full"},
	{SQLITE_IOERR_SHMMAP, ENOMEM, -ENOMEM, "this machine"},
	{SQLITE_IOERR_NOMEM, STALE, -ENOMEM, "this machine"},
	{SQLITE_IOERR_SHORT_READ, STALE, -EIO, "files of the cache"},
	{SQLITE_IOERR_CORRUPTFS, STALE, -EIO, "files of the cache"},
	{SQLITE_IOERR_DATA, STALE, -EIO, "files of the cache"},
	{SQLITE_CORRUPT, 0, -EIO, "files of the cache"},
	{SQLITE_CORRUPT, STALE, -EIO, "files of the cache"},
	{SQLITE_CORRUPT_INDEX, STALE, -EIO, "files of the cache"},
	{SQLITE_NOTADB, STALE, -EIO, "files of the cache"},
	{SQLITE_BUSY, STALE, -EBUSY, "another process"},
	{SQLITE_BUSY_SNAPSHOT, STALE, -EBUSY, "another process"},
	{SQLITE_BUSY_RECOVERY, STALE, -EBUSY, "another process"},
	{SQLITE_LOCKED, STALE, -EBUSY, "another process"},
	{SQLITE_LOCKED_SHAREDCACHE, STALE, -EBUSY, "another process"},
	{SQLITE_PROTOCOL, STALE, -EBUSY, "another process"},
	{SQLITE_READONLY, STALE, -EROFS, "read-only"},
	{SQLITE_READONLY_DBMOVED, STALE, -EROFS, "read-only"},
	{SQLITE_READONLY_DIRECTORY, STALE, -EROFS, "read-only"},
	{SQLITE_CANTOPEN, 0, -EACCES, "this user"},
	{SQLITE_CANTOPEN, EACCES, -EACCES, "this user"},
	{SQLITE_CANTOPEN, EMFILE, -EMFILE, "RLIMIT_NOFILE"},
	{SQLITE_CANTOPEN, ENFILE, -ENFILE, "this machine"},
	{SQLITE_CANTOPEN, ENOENT, -ENOENT, "No such file"},
	{SQLITE_CANTOPEN, EDQUOT, -ENOSPC, "disk of the cache is full"},
	{SQLITE_CANTOPEN_FULLPATH, ELOOP, -ELOOP, "symbolic links"},
	{SQLITE_NOMEM, STALE, -ENOMEM, "this machine"},
	{SQLITE_PERM, STALE, -EACCES, "this user"},
	{SQLITE_AUTH, STALE, -EACCES, "this user"},
	{SQLITE_TOOBIG, STALE, -EFBIG, "too large"},
	{SQLITE_NOLFS, STALE, -EFBIG, "too large"},
	/* Our mistakes. */
	{SQLITE_ERROR, STALE, -EIO, "files of the cache"},
	{SQLITE_INTERNAL, STALE, -EIO, "files of the cache"},
	{SQLITE_SCHEMA, STALE, -EIO, "files of the cache"},
	{SQLITE_CONSTRAINT, STALE, -EIO, "files of the cache"},
	{SQLITE_MISMATCH, STALE, -EIO, "files of the cache"},
	{SQLITE_MISUSE, STALE, -EIO, "files of the cache"},
	{SQLITE_RANGE, STALE, -EIO, "files of the cache"},
	{SQLITE_EMPTY, STALE, -EIO, "files of the cache"},
};

static void each_code_has_its_errno(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		const struct meaning *m = &table[i];
		int r = cache_errno_of(m->code, m->system);

		if (r != m->errnum || !strstr(store_why(-r), m->says))
			fail_msg("%d (%s), errno %d: %d, %s", m->code,
				 sqlite3_errstr(m->code), m->system, r,
				 store_why(-r));
	}
	/* Whatever else SQLite may say, with every errno: a failure. */
	for (int code = 1; code < 101; code++)
		for (int system = 0; system < 134; system++)
			assert_true(cache_errno_of(code, system) < 0);
}

static void only_damage_is_set_aside(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		int code = table[i].code & 0xff;

		assert_int_equal(cache_is_damage(table[i].code),
				 table[i].code > 0 && (code == SQLITE_CORRUPT ||
						       code == SQLITE_NOTADB));
	}
}

/* ---- the same from SQLite itself ---- */

struct scene {
	char dir[64];
	char path[96];
	sqlite3 *db;
};

static int scene_begin(void **state)
{
	struct scene *s = mem_calloc(1, sizeof(*s));

	snprintf(s->dir, sizeof(s->dir), "/tmp/test-cache-errno-XXXXXX");
	assert_non_null(mkdtemp(s->dir));
	snprintf(s->path, sizeof(s->path), "%s/db", s->dir);
	assert_int_equal(sqlite3_open(s->path, &s->db), SQLITE_OK);
	assert_int_equal(
		sqlite3_exec(s->db,
			     "PRAGMA journal_mode = WAL; CREATE TABLE t (x)",
			     NULL, NULL, NULL),
		SQLITE_OK);
	*state = s;
	return 0;
}

static int scene_end(void **state)
{
	struct scene *s = *state;

	sqlite3_close(s->db);
	unlink(s->path);
	assert_int_equal(rmdir(s->dir), 0);
	free(s);
	return 0;
}

static int run(sqlite3 *db, const char *sql)
{
	int rc;

	sqlite3_extended_result_codes(db, 1);
	rc = sqlite3_exec(db, sql, NULL, NULL, NULL);
	return cache_errno(db, rc);
}

#define BIG "INSERT INTO t VALUES (randomblob(100000))"

static void a_full_disk(void **state)
{
	struct scene *s = *state;

	assert_int_equal(run(s->db, "PRAGMA max_page_count = 3"), 0);
	assert_int_equal(run(s->db, BIG), -ENOSPC);
}

static void a_write_that_fails(void **state)
{
	struct rlimit old, few = {.rlim_cur = 16 * KIB};
	struct scene *s = *state;
	int r;

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	few.rlim_max = old.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &few), 0);
	r = run(s->db, BIG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_int_equal(r, -EFBIG);
}

static void somebody_else_writes(void **state)
{
	struct scene *s = *state;
	sqlite3 *other;

	assert_int_equal(sqlite3_open(s->path, &other), SQLITE_OK);
	assert_int_equal(run(other, "BEGIN IMMEDIATE"), 0);
	assert_int_equal(run(s->db, BIG), -EBUSY);
	sqlite3_close(other);
}

static void nothing_may_be_written(void **state)
{
	struct scene *s = *state;
	sqlite3 *other;

	assert_int_equal(
		sqlite3_open_v2(s->path, &other, SQLITE_OPEN_READONLY, NULL),
		SQLITE_OK);
	assert_int_equal(run(other, BIG), -EROFS);
	sqlite3_close(other);
}

static void no_descriptor_is_left(void **state)
{
	struct rlimit old, few = {.rlim_cur = 3};
	struct scene *s = *state;
	sqlite3 *other;
	int r;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	few.rlim_max = old.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	r = sqlite3_open_v2(s->path, &other, SQLITE_OPEN_READWRITE, NULL);
	r = cache_errno(other, r);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_int_equal(r, -EMFILE);
	sqlite3_close(other);
}

/* An earlier failure is not what this one is of. */
static void a_database_that_is_none(void **state)
{
	static const char text[1024] = "no database at all, but a text";
	struct scene *s = *state;
	char *attach;

	assert_int_equal(sqlite3_close(s->db), SQLITE_OK);
	assert_int_equal(file_write_atomic(s->path, 0600, text, sizeof(text)),
			 0);
	/* The text beside a sound one, which later versions of SQLite read
	 * before they look for the other. */
	assert_int_equal(sqlite3_open(":memory:", &s->db), SQLITE_OK);
	assert_int_equal(run(s->db, "ATTACH '/nowhere/at/all' AS other"),
			 -ENOENT);
	attach = sqlite3_mprintf("ATTACH %Q AS other; SELECT * FROM other.t",
				 s->path);
	assert_int_equal(run(s->db, attach), -EIO);
	sqlite3_free(attach);
}

/* ---- what is kept in memory then ---- */

#define YEAR_MS (INT64_C(365) * 24 * 3600 * 1000)

static enum cache_verdict verdict(struct cache *c, const char *key)
{
	cleanup(cache_entry_free) struct cache_entry *e = NULL;

	return (enum cache_verdict)cache_stat(c, key, &e);
}

/* It is as old as it is, like what is on the disk. */
static void the_clock_goes_back(void **state)
{
	struct scene *s = *state;
	const struct cache_put puts[] = {
		{.key = "key", .body = "body", .n_body = 4, .ttl_ms = 60000},
		{.key = "no", .negative = EACCES, .ttl_ms = 60000},
	};
	cleanup(free) char *dir = mem_asprintf("%s/cache", s->dir);
	struct cache *c;

	clock_fake(1000, 2 * YEAR_MS);
	assert_int_equal(file_mkdirs(dir, 0700), 0);
	assert_int_equal(cache_open(dir, &c), 0);
	assert_int_equal(cache_memory_put(c, -ENOSPC, puts, 2, NULL), 0);
	assert_int_equal(verdict(c, "key"), CACHE_FRESH);
	assert_int_equal(verdict(c, "no"), CACHE_FRESH);
	/* With another credential what was refused is asked for again. */
	assert_int_equal(cache_expire_negative(c), 0);
	assert_int_equal(verdict(c, "no"), CACHE_STALE);
	assert_int_equal(verdict(c, "key"), CACHE_FRESH);
	clock_advance(-YEAR_MS);
	assert_int_equal(verdict(c, "key"), CACHE_STALE);
	cache_close(c);
	clock_real();
	assert_int_equal(file_remove_tree(dir), 0);
}

int main(void)
{
#define test(name) cmocka_unit_test_setup_teardown(name, scene_begin, scene_end)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_code_has_its_errno),
		cmocka_unit_test(only_damage_is_set_aside),
		test(a_full_disk),
		test(a_write_that_fails),
		test(somebody_else_writes),
		test(nothing_may_be_written),
		test(no_descriptor_is_left),
		test(a_database_that_is_none),
		test(the_clock_goes_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
