/*
 * store/cache: how much is written for what is put.
 */
#include "store/cache.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_drop_writes_little, set_up,
						tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
