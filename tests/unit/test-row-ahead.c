/*
 * model/dirs/row_ahead: what follows the file that is read.
 */
#include "model/dirs/row_ahead.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static int set_up(void **state)
{
	struct row_ahead *a = mem_calloc(1, sizeof(*a));

	row_ahead_init(a);
	*state = a;
	return 0;
}

static int tear_down(void **state)
{
	row_ahead_done(*state);
	free(*state);
	return 0;
}

static void look_up(struct row_ahead *a, uint64_t from, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++)
		row_ahead_looked_up(a, from + i);
}

/* So many follow, the first of which is that one. */
static void expect(struct row_ahead *a, uint64_t ino, size_t n, uint64_t first)
{
	uint64_t inos[ROW_AHEAD_MOST];

	assert_int_equal(row_ahead_read(a, ino, inos), n);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(inos[i], first + i);
}

static void test_in_order(void **state)
{
	look_up(*state, 1, 1000);
	expect(*state, 1, 0, 0);
	expect(*state, 2, 16, 3);
	expect(*state, 19, 32, 20);
	/* Two were not wanted. */
	expect(*state, 54, 64, 55);
	expect(*state, 119, 128, 120);
	expect(*state, 248, 256, 249);
	expect(*state, 505, 256, 506);
	expect(*state, 762, 238, 763);
	look_up(*state, 2000, 3);
	expect(*state, 2000, 2, 2001);
}

static void test_here_and_there(void **state)
{
	look_up(*state, 1, 100);
	expect(*state, 3, 0, 0);
	expect(*state, 70, 0, 0);
	expect(*state, 20, 0, 0);
	expect(*state, 20, 0, 0);
	expect(*state, 19, 0, 0);
	expect(*state, 4711, 0, 0);
	expect(*state, 20, 16, 21);
	/* It was given: the kernel let go of it. */
	expect(*state, 30, 0, 0);
	expect(*state, 31, 16, 32);
}

/* Each is read before the next is looked up. */
static void test_one_after_the_other(void **state)
{
	for (uint64_t i = 1; i < 3 * ROW_AHEAD_FILES; i++) {
		look_up(*state, i, 1);
		expect(*state, i, 0, 0);
	}
}

static void test_many(void **state)
{
	look_up(*state, 1, 5000);
	expect(*state, 1, 0, 0);
	expect(*state, 5000 - ROW_AHEAD_FILES, 0, 0);
	expect(*state, 5001 - ROW_AHEAD_FILES, 0, 0);
	expect(*state, 5002 - ROW_AHEAD_FILES, 16, 5003 - ROW_AHEAD_FILES);
	/* Others took the places of those that were to be given. */
	look_up(*state, 9000, 2000);
	expect(*state, 10999, 0, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_in_order, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_here_and_there, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_one_after_the_other,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_many, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
