/*
 * store/cache: what is left of it after a crash, on a full disk, with a damaged
 * file, from an older version, with a second process.
 *
 * Whatever touches cache.db by hand does so in a child process: closing a
 * descriptor of it here would drop SQLite's locks.
 */
#include "store/cache.h"
#include "store/cache_ledger.h"
#include "store/say.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/sync.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct scene {
	char dir[64];
	char path[80];
	struct cache *c;
};

static int set_up(void **state)
{
	struct scene *s = mem_calloc(1, sizeof(*s));

	snprintf(s->dir, sizeof(s->dir), "/tmp/test-cache-XXXXXX");
	assert_non_null(mkdtemp(s->dir));
	snprintf(s->path, sizeof(s->path), "%s/cache.db", s->dir);
	*state = s;
	return 0;
}

static int tear_down(void **state)
{
	struct scene *s = *state;

	cache_close(s->c);
	file_remove_tree(s->dir);
	free(s);
	return 0;
}

static void in_child(void (*run)(struct scene *), struct scene *s)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		run(s);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static int put(struct cache *c, const char *key, const char *body)
{
	struct cache_put p = {
		.key = key,
		.body = body,
		.n_body = strlen(body),
		.ttl_ms = 1000000,
	};

	return cache_put(c, &p, 1, NULL);
}

/* NULL: a miss. */
static bool has(struct cache *c, const char *key, const char *body)
{
	cleanup(cache_entry_free) struct cache_entry *e = NULL;

	if (cache_get(c, key, &e) == CACHE_MISS)
		return body == NULL;
	return body && e->body && strcmp(blob_data(e->body), body) == 0;
}

static unsigned count_broken(const struct scene *s)
{
	DIR *d = opendir(s->dir);
	struct dirent *e;
	unsigned n = 0;

	while ((e = readdir(d)))
		if (strncmp(e->d_name, "cache.db.broken-", 16) == 0 &&
		    !strstr(e->d_name, "-wal") && !strstr(e->d_name, "-shm"))
			n++;
	closedir(d);
	return n;
}

static void make_cache(struct scene *s)
{
	cleanup(free) char *body = mem_calloc(1, 300001);

	memset(body, 'x', 300000);
	assert_int_equal(cache_open(s->dir, &s->c), 0);
	assert_int_equal(put(s->c, "key", "body"), 0);
	assert_int_equal(put(s->c, "large", body), 0);
	s->c = cache_close(s->c);
}

static void overwrite(const struct scene *s, off_t at, size_t n)
{
	cleanup(free) char *garbage = mem_alloc(n);
	cleanup(fd) int fd = open(s->path, O_WRONLY | O_CLOEXEC);

	memset(garbage, 0xa5, n);
	check(pwrite(fd, garbage, n, at) == (ssize_t)n);
}

/* Opening and using it must work, whatever there is. */
static void expect_begun_anew(struct scene *s, unsigned n_broken)
{
	assert_int_equal(cache_open(s->dir, &s->c), 0);
	assert_true(has(s->c, "key", NULL));
	assert_int_equal(put(s->c, "key", "again"), 0);
	assert_true(has(s->c, "key", "again"));
	assert_int_equal(count_broken(s), n_broken);
	s->c = cache_close(s->c);
	assert_int_equal(cache_open(s->dir, &s->c), 0);
	assert_true(has(s->c, "key", "again"));
	s->c = cache_close(s->c);
}

static void test_garbage_from_the_start(void **state)
{
	struct scene *s = *state;

	make_cache(s);
	overwrite(s, 0, 20000);
	expect_begun_anew(s, 1);
}

static void test_only_the_last_broken_one_is_kept(void **state)
{
	struct scene *s = *state;

	for (int i = 0; i < 3; i++) {
		clock_fake(1000, 1000 * (i + 1));
		make_cache(s);
		overwrite(s, 0, 100);
		expect_begun_anew(s, 1);
	}
	clock_real();
}

static void test_another_file(void **state)
{
	struct scene *s = *state;
	static const char text[] = "this is no database, but long enough to be "
				   "one, if it began with the right words";

	assert_int_equal(file_write_atomic(s->path, 0600, text, sizeof(text)),
			 0);
	expect_begun_anew(s, 1);
}

static void test_an_empty_file(void **state)
{
	struct scene *s = *state;

	assert_int_equal(file_write_atomic(s->path, 0600, "", 0), 0);
	expect_begun_anew(s, 0);
}

static void test_a_directory_in_its_place(void **state)
{
	struct scene *s = *state;

	assert_int_equal(mkdir(s->path, 0700), 0);
	expect_begun_anew(s, 1);
}

static void test_cut_file(void **state)
{
	struct scene *s = *state;

	make_cache(s);
	assert_int_equal(truncate(s->path, 5000), 0);
	expect_begun_anew(s, 1);
}

/* The schema is whole and the rows are not: seen when they are read. */
static void test_garbage_in_the_rows(void **state)
{
	struct scene *s = *state;

	make_cache(s);
	overwrite(s, 4096, 300000);
	expect_begun_anew(s, 1);
}

static void test_no_directory(void **state)
{
	struct scene *s = *state;

	assert_int_equal(cache_open("/nowhere/at/all", &s->c), -ENOENT);
	assert_null(s->c);
}

static int sql(const char *path, const char *statements)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		execlp("python3", "python3", "-c",
		       "import sqlite3, sys\n"
		       "db = sqlite3.connect(sys.argv[1])\n"
		       "db.executescript(sys.argv[2])\n"
		       "db.close()\n",
		       path, statements, NULL);
		_exit(127);
	}
	check(waitpid(pid, &status, 0) == pid);
	return status;
}

static void test_a_later_version(void **state)
{
	struct scene *s = *state;

	make_cache(s);
	assert_int_equal(sql(s->path, "PRAGMA user_version = 1000"), 0);
	expect_begun_anew(s, 1);
}

static void test_another_programs_database(void **state)
{
	struct scene *s = *state;

	assert_int_equal(sql(s->path, "CREATE TABLE doc (x); "
				      "INSERT INTO doc VALUES (1)"),
			 0);
	expect_begun_anew(s, 1);
}

static void test_our_version_without_our_tables(void **state)
{
	struct scene *s = *state;

	make_cache(s);
	assert_int_equal(sql(s->path, "DROP TABLE doc"), 0);
	expect_begun_anew(s, 1);
}

static void test_upgrade_from_version_1(void **state)
{
	struct scene *s = *state;
	const char *root = getenv("CORPORA");
	cleanup(free) char *v1 =
		mem_asprintf("%s/cache/v1.sql", root ? root : "tests/corpora");
	cleanup(buf_done) struct buf text = BUF_INIT(0);
	cleanup(blob_unref) struct blob *value = NULL;
	struct cache_ledger ledger = {.n_uses = 1, .uses = {{.n = {5}}}};
	struct cache_entry *e = NULL;
	struct cache_stats stats;
	struct blob *b = NULL;

	assert_int_equal(file_read(v1, MIB, &text), 0);
	assert_int_equal(sql(s->path, text.data), 0);
	clock_fake(1000, 1000000 + 30000);
	assert_int_equal(cache_open(s->dir, &s->c), 0);
	assert_int_equal(count_broken(s), 0);
	assert_int_equal(cache_get(s->c, "repo/a", &e), CACHE_FRESH);
	assert_string_equal(blob_data(e->body), "the bytes");
	assert_string_equal(e->etag, "\"tag\"");
	assert_int_equal(e->version, 7);
	assert_int_equal(e->left_ms, 30000);
	e = cache_entry_free(e);
	assert_int_equal(cache_get(s->c, "repo/b", &e), CACHE_FRESH);
	assert_int_equal(e->negative, 13);
	assert_string_equal(e->note, "No.");
	cache_entry_free(e);
	assert_int_equal(cache_get_version(s->c, 3, &b), 0);
	assert_string_equal(blob_data(b), "old bytes");
	blob_unref(b);
	assert_int_equal(cache_fact_get(s->c, "space", "\x00\xff", 2, &value),
			 0);
	assert_string_equal(blob_data(value), "value");
	/* What the newer version adds works on the old rows. */
	assert_int_equal(cache_expire(s->c, "repo/a"), 0);
	assert_int_equal(cache_get(s->c, "repo/a", &e), CACHE_STALE);
	cache_entry_free(e);
	cache_set_max_bytes(s->c, 4);
	assert_int_equal(put(s->c, "new", "1234567890"), 0);
	assert_int_equal(cache_get(s->c, "repo/a", &e), CACHE_MISS);
	assert_int_equal(cache_stats(s->c, &stats), 0);
	assert_int_equal(cache_ledger_add(s->c, "api", &ledger, true, &ledger),
			 0);
	assert_int_equal(ledger.total, 5);
	clock_real();
}

/* ---- while it is open ---- */

static void overwrite_all(struct scene *s)
{
	overwrite(s, 0, 300000);
}

static void test_damaged_while_open(void **state)
{
	struct scene *s = *state;

	make_cache(s);
	assert_int_equal(cache_open(s->dir, &s->c), 0);
	assert_true(has(s->c, "key", "body"));
	in_child(overwrite_all, s);
	/* What is in SQLite's memory may still be served; nothing fails. */
	for (int i = 0; i < 3; i++) {
		assert_int_equal(put(s->c, "new", "bytes"), 0);
		assert_true(has(s->c, "new", "bytes"));
		assert_true(has(s->c, "large", NULL));
	}
	assert_int_equal(count_broken(s), 1);
}

/* A second process that has the cache open while we use it: it sets the damaged
 * file aside, says so, and goes on when it is told. */
struct other {
	pid_t pid;
	int says[2], hears[2];
};

static void other_lives(struct scene *s, const struct other *o)
{
	struct cache *c;
	char byte;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	check(cache_open(s->dir, &c) == 0);
	check(has(c, "key", NULL));
	check(put(c, "from the child", "bytes") == 0);
	check(write(o->says[1], "x", 1) == 1);
	check(read(o->hears[0], &byte, 1) == 1);
	check(has(c, "from the child", "bytes"));
	check(has(c, "from the parent", "bytes"));
	check(put(c, "from the child", "again") == 0);
	cache_close(c);
}

static void other_start(struct scene *s, struct other *o)
{
	char byte;

	assert_int_equal(pipe(o->says), 0);
	assert_int_equal(pipe(o->hears), 0);
	o->pid = fork();
	if (o->pid == 0) {
		other_lives(s, o);
		_exit(0);
	}
	close(o->says[1]);
	close(o->hears[0]);
	assert_int_equal(read(o->says[0], &byte, 1), 1);
}

static void other_end(struct other *o)
{
	int status;

	assert_int_equal(write(o->hears[1], "x", 1), 1);
	assert_int_equal(waitpid(o->pid, &status, 0), o->pid);
	assert_int_equal(status, 0);
	close(o->says[0]);
	close(o->hears[1]);
}

/* Another process sets the file aside while we have it open: we must find the
 * new one, write to it, and not take its -wal away when the old one closes. */
static void test_set_aside_by_another_process(void **state)
{
	struct scene *s = *state;
	struct other other;

	make_cache(s);
	assert_int_equal(cache_open(s->dir, &s->c), 0);
	assert_true(has(s->c, "key", "body"));
	in_child(overwrite_all, s);
	other_start(s, &other);
	assert_int_equal(count_broken(s), 1);
	assert_true(has(s->c, "from the child", "bytes"));
	assert_true(has(s->c, "key", NULL));
	assert_int_equal(put(s->c, "from the parent", "bytes"), 0);
	assert_int_equal(count_broken(s), 1);
	other_end(&other);
	s->c = cache_close(s->c);
	assert_int_equal(cache_open(s->dir, &s->c), 0);
	assert_true(has(s->c, "from the child", "again"));
	assert_true(has(s->c, "from the parent", "bytes"));
}

static void hit_by_all(struct scene *s)
{
	pid_t pids[6];

	for (size_t i = 0; i < ARRAY_SIZE(pids); i++) {
		pids[i] = fork();
		if (pids[i] == 0) {
			struct cache *c;
			char key[16];

			snprintf(key, sizeof(key), "key %zu", i);
			check(cache_open(s->dir, &c) == 0);
			for (int j = 0; j < 20; j++)
				check(put(c, key, "bytes") == 0);
			check(has(c, key, "bytes"));
			cache_close(c);
			_exit(0);
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(pids); i++) {
		int status;

		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
}

/* Six processes find the damage at once: one sets it aside, all go on. */
static void test_six_processes(void **state)
{
	struct scene *s = *state;

	make_cache(s);
	overwrite(s, 0, 20000);
	hit_by_all(s);
	assert_int_equal(count_broken(s), 1);
	assert_int_equal(cache_open(s->dir, &s->c), 0);
	for (size_t i = 0; i < 6; i++) {
		char key[16];

		snprintf(key, sizeof(key), "key %zu", i);
		assert_true(has(s->c, key, "bytes"));
	}
}

static void test_six_processes_begin(void **state)
{
	struct scene *s = *state;

	hit_by_all(s);
	assert_int_equal(count_broken(s), 0);
}

static void test_removed_while_open(void **state)
{
	struct scene *s = *state;

	make_cache(s);
	assert_int_equal(cache_open(s->dir, &s->c), 0);
	assert_true(has(s->c, "key", "body"));
	assert_int_equal(file_remove_tree(s->dir), 0);
	/* The directory is made anew, and kept in. */
	assert_true(has(s->c, "key", NULL));
	assert_int_equal(put(s->c, "key", "new"), 0);
	assert_true(has(s->c, "key", "new"));
	s->c = cache_close(s->c);
	assert_int_equal(cache_open(s->dir, &s->c), 0);
	assert_true(has(s->c, "key", "new"));
}

/* ---- a full disk ---- */

static void fill_the_disk(struct scene *s)
{
	const struct rlimit limit = {2 * MIB, 2 * MIB};
	cleanup(free) char *body = mem_alloc(4 * MIB);
	struct cache_put puts[] = {
		{.key = "key", .body = "other", .n_body = 5},
		{.key = "large", .body = body, .n_body = 4 * MIB},
	};
	uint64_t versions[2] = {7, 7};
	struct cache *c;
	int r;

	memset(body, 'y', 4 * MIB);
	signal(SIGXFSZ, SIG_IGN);
	check(cache_open(s->dir, &c) == 0);
	check(setrlimit(RLIMIT_FSIZE, &limit) == 0);
	r = cache_put(c, puts, 2, versions);
	check(r < 0);
	check(versions[0] == 7);
	check(has(c, "key", "body"));
	check(put(c, "small", "bytes") == 0);
	cache_close(c);
}

static void test_full_disk(void **state)
{
	struct scene *s = *state;

	make_cache(s);
	in_child(fill_the_disk, s);
	assert_int_equal(cache_open(s->dir, &s->c), 0);
	assert_true(has(s->c, "key", "body"));
	assert_true(has(s->c, "small", "bytes"));
	assert_int_equal(count_broken(s), 0);
}

/* ---- kill -9 ---- */

#define N_TOGETHER 20

/* Every round is one transaction: all of its documents say the same number, and
 * a second transaction says it as a fact. */
static void write_until_killed(struct scene *s)
{
	struct cache *c;
	char keys[N_TOGETHER][16], bodies[N_TOGETHER][2000];
	struct cache_put puts[N_TOGETHER];
	cleanup(blob_unref) struct blob *fact = NULL;
	uint64_t round = 0;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	check(cache_open(s->dir, &c) == 0);
	/* On from where the one before was killed. */
	if (cache_fact_get(c, "s", "round", 5, &fact) == 0) {
		memcpy(&round, blob_data(fact), sizeof(round));
		round++;
	}
	for (;; round++) {
		for (size_t i = 0; i < N_TOGETHER; i++) {
			snprintf(keys[i], sizeof(keys[i]), "key %zu", i);
			memset(bodies[i], 'a' + (int)i, sizeof(bodies[i]));
			memcpy(bodies[i], &round, sizeof(round));
			puts[i] = (struct cache_put){
				.key = keys[i],
				.body = bodies[i],
				.n_body = sizeof(bodies[i]),
				.ttl_ms = 1000,
			};
		}
		check(cache_put(c, puts, N_TOGETHER, NULL) == 0);
		check(cache_fact_put(c, "s", "round", 5, &round,
				     sizeof(round)) == 0);
	}
}

static void expect_whole(struct cache *c)
{
	cleanup(blob_unref) struct blob *fact = NULL;
	uint64_t first = 0, said = 0;

	for (size_t i = 0; i < N_TOGETHER; i++) {
		cleanup(cache_entry_free) struct cache_entry *e = NULL;
		uint64_t round;
		char key[16];

		snprintf(key, sizeof(key), "key %zu", i);
		if (cache_get(c, key, &e) == CACHE_MISS) {
			assert_int_equal(i, 0);
			return; /* killed before the first round */
		}
		assert_int_equal(blob_len(e->body), 2000);
		memcpy(&round, blob_data(e->body), sizeof(round));
		assert_int_equal(blob_data(e->body)[1999], 'a' + (int)i);
		if (i == 0)
			first = round;
		assert_int_equal(round, first);
	}
	if (cache_fact_get(c, "s", "round", 5, &fact) == 0) {
		memcpy(&said, blob_data(fact), sizeof(said));
		assert_true(said == first || said + 1 == first);
	} else {
		assert_int_equal(first, 0);
	}
}

static void test_kill(void **state)
{
	struct scene *s = *state;
	unsigned seed = (unsigned)getpid();

	for (int i = 0; i < 30; i++) {
		struct timespec t = {.tv_nsec = rand_r(&seed) % 60000000};
		pid_t pid = fork();
		int status;

		assert_true(pid >= 0);
		if (pid == 0) {
			write_until_killed(s);
			_exit(1);
		}
		/* A random moment, from before it has opened anything. */
		nanosleep(&t, NULL);
		assert_int_equal(kill(pid, SIGKILL), 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
		assert_int_equal(cache_open(s->dir, &s->c), 0);
		expect_whole(s->c);
		assert_int_equal(put(s->c, "after", "bytes"), 0);
		assert_int_equal(count_broken(s), 0);
		s->c = cache_close(s->c);
	}
}

/* ---- bytes of a row ---- */

static unsigned n_said;

static void hear(void *arg, const char *path, int errnum, const char *sentence)
{
	(void)arg;
	assert_int_equal(errnum, EIO);
	assert_non_null(strstr(path, "/cache.db"));
	assert_non_null(strstr(sentence, "damaged"));
	n_said++;
}

/* A byte in the middle of the bytes, wherever they are in the file. */
static void damage_body(struct scene *s)
{
	static const char body[] = "{\"a\":\"body\"}";
	cleanup(free) char *bytes = NULL;
	cleanup(fd) int fd = open(s->path, O_RDWR | O_CLOEXEC);
	struct stat st;
	char *at;
	int n = 0;

	check(fd >= 0 && fstat(fd, &st) == 0);
	bytes = mem_alloc((size_t)st.st_size);
	check(pread(fd, bytes, (size_t)st.st_size, 0) == st.st_size);
	for (at = bytes; (at = memmem(at, (size_t)(bytes + st.st_size - at),
				      body, sizeof(body) - 1));
	     at++, n++)
		check(pwrite(fd, "X", 1, at - bytes + 6) == 1);
	check(n == 1);
}

static void damage_large(struct scene *s)
{
	cleanup(fd) int fd = open(s->path, O_RDWR | O_CLOEXEC);
	char page[64], whole[64];
	off_t at = 0;

	check(fd >= 0);
	memset(whole, 'x', sizeof(whole));
	/* The last of its pages; never the number of the next one. */
	for (off_t i = 0; pread(fd, page, sizeof(page), i) == sizeof(page);
	     i += 64)
		if (memcmp(page, whole, sizeof(page)) == 0)
			at = i;
	check(at > 0 && pwrite(fd, "y", 1, at + 32) == 1);
}

static uint64_t version_of(struct cache *c, const char *key)
{
	cleanup(cache_entry_free) struct cache_entry *e = NULL;

	return cache_stat(c, key, &e) > CACHE_MISS ? e->version : 0;
}

static void test_damaged_bytes_of_a_document(void **state)
{
	struct scene *s = *state;
	struct blob *piece = NULL;
	uint64_t version;

	n_said = 0;
	store_listen(hear, NULL);
	assert_int_equal(cache_open(s->dir, &s->c), 0);
	assert_int_equal(put(s->c, "a", "{\"a\":\"body\"}"), 0);
	assert_int_equal(put(s->c, "b", "{\"b\":\"other\"}"), 0);
	version = version_of(s->c, "a");
	s->c = cache_close(s->c);
	in_child(damage_body, s);
	assert_int_equal(cache_open(s->dir, &s->c), 0);
	for (int i = 0; i < 2; i++) {
		assert_true(has(s->c, "a", NULL));
		assert_false(cache_is_sound(s->c, version, "a"));
		assert_int_equal(
			cache_read_version(s->c, version, 0, 4, &piece),
			-ESTALE);
		assert_int_equal(
			cache_read_version(s->c, version, 3, 100, &piece),
			-ESTALE);
		assert_int_equal(cache_get_version(s->c, version, &piece),
				 -ESTALE);
	}
	assert_int_equal(n_said, 1);
	assert_true(has(s->c, "b", "{\"b\":\"other\"}"));
	assert_int_equal(count_broken(s), 0);
	/* Fetched again it is there, as another version. */
	assert_int_equal(put(s->c, "a", "{\"a\":\"body\"}"), 0);
	assert_true(has(s->c, "a", "{\"a\":\"body\"}"));
	assert_true(version_of(s->c, "a") > version);
	assert_true(cache_is_sound(s->c, version_of(s->c, "a"), "a"));
	assert_int_equal(n_said, 1);
	store_listen(NULL, NULL);
}

static void test_damaged_bytes_of_a_large_document(void **state)
{
	struct scene *s = *state;
	struct blob *piece = NULL;
	uint64_t version;

	n_said = 0;
	make_cache(s);
	store_listen(hear, NULL);
	assert_int_equal(cache_open(s->dir, &s->c), 0);
	version = version_of(s->c, "large");
	assert_true(cache_is_sound(s->c, version, "large"));
	assert_int_equal(
		cache_read_version(s->c, version, 200000, 1000, &piece), 0);
	piece = blob_unref(piece);
	s->c = cache_close(s->c);
	in_child(damage_large, s);
	assert_int_equal(cache_open(s->dir, &s->c), 0);
	/* Wherever one begins to read. */
	assert_int_equal(
		cache_read_version(s->c, version, 200000, 1000, &piece),
		-ESTALE);
	assert_int_equal(cache_read_version(s->c, version, 0, 1000, &piece),
			 -ESTALE);
	assert_false(cache_is_sound(s->c, version, "large"));
	assert_true(has(s->c, "large", NULL));
	assert_true(has(s->c, "key", "body"));
	assert_int_equal(n_said, 1);
	assert_int_equal(count_broken(s), 0);
	store_listen(NULL, NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_garbage_from_the_start),
		TEST(test_only_the_last_broken_one_is_kept),
		TEST(test_another_file),
		TEST(test_an_empty_file),
		TEST(test_a_directory_in_its_place),
		TEST(test_cut_file),
		TEST(test_garbage_in_the_rows),
		TEST(test_no_directory),
		TEST(test_a_later_version),
		TEST(test_another_programs_database),
		TEST(test_damaged_bytes_of_a_document),
		TEST(test_damaged_bytes_of_a_large_document),
		TEST(test_our_version_without_our_tables),
		TEST(test_upgrade_from_version_1),
		TEST(test_damaged_while_open),
		TEST(test_set_aside_by_another_process),
		TEST(test_six_processes),
		TEST(test_six_processes_begin),
		TEST(test_removed_while_open),
		TEST(test_full_disk),
		TEST(test_kill),
	};

	log_to_stderr(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
