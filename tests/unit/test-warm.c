/* model/dirs/warm: a process group has three connections a minute. */
#include "model/dirs/warm.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void three_a_minute(void **)
{
	struct warm_all *all = warm_all_new();
	int64_t now = 1000;

	for (int i = 0; i < 3; i++, now += 10000)
		assert_true(warm_may(all, 7, now));
	assert_false(warm_may(all, 7, now));
	assert_true(warm_may(all, 8, now));
	/* The first was at 1,000; what was refused does not count. */
	assert_false(warm_may(all, 7, 60999));
	assert_true(warm_may(all, 7, 61000));
	assert_false(warm_may(all, 7, 61000));
	warm_all_free(all);
}

static void many_groups(void **)
{
	struct warm_all *all = warm_all_new();

	for (int32_t group = 1; group <= 1000; group++)
		assert_true(warm_may(all, group, 1000 + group));
	for (int i = 0; i < 2; i++)
		assert_true(warm_may(all, 1000, 3000));
	assert_false(warm_may(all, 1000, 3000));
	warm_all_free(all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(three_a_minute),
		cmocka_unit_test(many_groups),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
