/*
 * base/search: the place of what is there, of what is missing, at both ends.
 */
#include "base/search.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static bool before(const void *things, size_t i, const void *key)
{
	return ((const int *)things)[i] < *(const int *)key;
}

static size_t first(const int *things, size_t n, int key)
{
	return search_first(things, n, &key, before);
}

static void test_first(void **state)
{
	static const int three[] = {10, 20, 30};

	(void)state;
	assert_int_equal(first(NULL, 0, 1), 0);
	assert_int_equal(first(three, 3, 1), 0);
	assert_int_equal(first(three, 3, 10), 0);
	assert_int_equal(first(three, 3, 11), 1);
	assert_int_equal(first(three, 3, 20), 1);
	assert_int_equal(first(three, 3, 30), 2);
	assert_int_equal(first(three, 3, 31), 3);
}

/* Of equal ones the first; each place of a longer row. */
static void test_equal_and_many(void **state)
{
	static const int equal[] = {1, 5, 5, 5, 5, 9};
	int many[100];

	(void)state;
	assert_int_equal(first(equal, 6, 5), 1);
	for (int i = 0; i < 100; i++)
		many[i] = 2 * i;
	for (int i = 0; i < 100; i++) {
		assert_int_equal(first(many, 100, 2 * i), i);
		assert_int_equal(first(many, 100, 2 * i + 1), i + 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first),
		cmocka_unit_test(test_equal_and_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
