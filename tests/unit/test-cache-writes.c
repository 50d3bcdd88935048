/*
 * store/cache: how much is written for what is put, and looked at.
 */
#include "store/cache.h"

#include "base/clock.h"
#include "base/file.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct scene {
	char dir[64];
	struct cache *c;
};

static int set_up(void **state)
{
	struct scene *s = mem_calloc(1, sizeof(*s));

	snprintf(s->dir, sizeof(s->dir), "/tmp/test-cache-XXXXXX");
	assert_non_null(mkdtemp(s->dir));
	assert_int_equal(cache_open(s->dir, &s->c), 0);
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

/* By this process, to anything. */
static long written(void)
{
	cleanup(buf_done) struct buf text = BUF_INIT(0);
	const char *at;

	/* Some kernels have none. */
	if (file_read("/proc/self/io", 4096, &text) < 0)
		return 0;
	at = strstr(text.data, "wchar: ");
	assert_non_null(at);
	return strtol(at + strlen("wchar: "), NULL, 10);
}

/* What goes is not overwritten, and what comes in its place is not kept for a
 * rollback in a file, page after page. */
static void test_drop_writes_little(void **state)
{
	enum {
		N = 1000,
		N_PAGE = 250000,
		N_ITEM = 2500,
	};
	struct scene *s = *state;
	cleanup(free) char *page = mem_calloc(1, N_PAGE + 1);
	cleanup(free) struct cache_put *puts = mem_calloc(N + 1, sizeof(*puts));
	char keys[N][16];
	long before;

	memset(page, 'x', N_PAGE);
	for (int i = 0; i < 10; i++) {
		snprintf(keys[i], sizeof(keys[i]), "~list#%d", i);
		puts[i] = (struct cache_put){
			.key = keys[i],
			.body = page,
			.n_body = N_PAGE,
			.ttl_ms = 1000,
		};
		assert_int_equal(cache_put(s->c, &puts[i], 1, NULL), 0);
	}
	puts[N] = (struct cache_put){.key = "~list#", .drop = true};
	for (int i = 0; i < N; i++) {
		snprintf(keys[i], sizeof(keys[i]), "item/%d", i);
		puts[i] = (struct cache_put){
			.key = keys[i],
			.body = page,
			.n_body = N_ITEM,
			.ttl_ms = 1000,
		};
	}
	before = written();
	assert_int_equal(cache_put(s->c, puts, N + 1, NULL), 0);
	assert_in_range(written() - before, 0, 6 * N * N_ITEM);
}

static uint64_t put_timed(struct cache *c, const char *key, const char *body,
			  int64_t time_ms)
{
	const struct cache_put p = {
		.key = key,
		.body = body,
		.n_body = strlen(body),
		.ttl_ms = 1000,
		.time_ms = time_ms,
	};
	uint64_t version = 0;

	assert_int_equal(cache_put(c, &p, 1, &version), 0);
	return version;
}

/* All that was written since the database was opened. */
static void read_log(const struct scene *s, struct buf *ret)
{
	cleanup(free) char *path = mem_asprintf("%s/cache.db-wal", s->dir);

	assert_int_equal(file_read(path, 64 * MIB, ret), 0);
}

/* What says its time has it from the put on: no look at it writes anything. */
static void test_time_comes_with_its_put(void **state)
{
	const int64_t hour = 3600 * 1000, was = clock_wall_ms() - 10 * hour;
	struct scene *s = *state;
	cleanup(buf_done) struct buf before = BUF_INIT(0), after = BUF_INIT(0);
	uint64_t one, two, three, future, silent;

	one = put_timed(s->c, "key", "one", was);
	future = put_timed(s->c, "future", "x", was + 20 * hour);
	silent = put_timed(s->c, "silent", "x", 0);
	read_log(s, &before);
	assert_int_equal(cache_mtime_ms(s->c, one, was, 0), was);
	assert_int_equal(cache_mtime_ms(s->c, one, was + hour, 0), was);
	assert_in_range(cache_mtime_ms(s->c, future, was + 20 * hour, 0),
			was + 10 * hour, clock_wall_ms());
	read_log(s, &after);
	assert_int_equal(after.len, before.len);
	assert_memory_equal(after.data, before.data, after.len);
	/* What does not say it has it from the first look on. */
	assert_int_equal(cache_mtime_ms(s->c, silent, was, 0), was);
	read_log(s, &after);
	assert_true(after.len > before.len);

	/* It moves forward, also across a restart. */
	s->c = cache_close(s->c);
	assert_int_equal(cache_open(s->dir, &s->c), 0);
	two = put_timed(s->c, "key", "two", was - hour);
	assert_int_equal(cache_mtime_ms(s->c, two, was - hour, 0), was + 1000);
	three = put_timed(s->c, "key", "three", was + hour);
	assert_int_equal(cache_mtime_ms(s->c, three, 0, 0), was + hour);
	/* The same bytes once more are no change. */
	assert_int_equal(put_timed(s->c, "key", "three", was + 2 * hour),
			 three);
	assert_int_equal(cache_mtime_ms(s->c, three, 0, 0), was + hour);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_drop_writes_little, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_time_comes_with_its_put,
						set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
