/* model/listed_copy: the plays in which the kernel could keep an outdated
 * listing. */
#include "model/listed_copy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void an_unchanged_one_is_kept(void **state)
{
	struct listed_copy s = {0};
	struct listed_copy_opened a, b, c;

	(void)state;
	assert_int_equal(listed_copy_open(&s, 7, &a), LISTED_COPY_FILL);
	/* Nothing of it was read, so the kernel may not have heard yet. */
	assert_int_equal(listed_copy_open(&s, 7, &b), LISTED_COPY_FILL);
	listed_copy_read(&s, &a);
	assert_int_equal(listed_copy_open(&s, 7, &c), LISTED_COPY_KEEP);
	listed_copy_close(&s, &a);
	listed_copy_close(&s, &b);
	listed_copy_close(&s, &c);
	assert_int_equal(listed_copy_open(&s, 7, &a), LISTED_COPY_KEEP);
}

static void a_changed_one_is_dropped_once(void **state)
{
	struct listed_copy s = {0};
	struct listed_copy_opened a;

	(void)state;
	listed_copy_open(&s, 1, &a);
	listed_copy_read(&s, &a);
	listed_copy_close(&s, &a);
	assert_int_equal(listed_copy_open(&s, 2, &a), LISTED_COPY_FILL);
	listed_copy_read(&s, &a);
	listed_copy_close(&s, &a);
	assert_int_equal(listed_copy_open(&s, 2, &a), LISTED_COPY_KEEP);
}

/* The reply to A's READDIR may be parsed at any time before A is closed. */
static void what_an_older_one_may_fill_is_passed_by(void **state)
{
	struct listed_copy s = {0};
	struct listed_copy_opened a, b, c;

	(void)state;
	listed_copy_open(&s, 1, &a);
	assert_int_equal(listed_copy_open(&s, 2, &b), LISTED_COPY_PASS);
	assert_true(listed_copy_is_old(&s, &a));
	listed_copy_read(&s, &a);
	listed_copy_read(&s, &b);
	assert_int_equal(listed_copy_open(&s, 2, &c), LISTED_COPY_PASS);
	listed_copy_close(&s, &c);
	listed_copy_close(&s, &a);
	/* B passed by: the copy may still be A's. */
	listed_copy_read(&s, &b);
	assert_int_equal(listed_copy_open(&s, 2, &c), LISTED_COPY_FILL);
	listed_copy_read(&s, &c);
	listed_copy_close(&s, &c);
	listed_copy_close(&s, &b);
	assert_int_equal(listed_copy_open(&s, 2, &a), LISTED_COPY_KEEP);
}

/* A version that comes back is no proof: one between may have been read. */
static void back_and_forth(void **state)
{
	struct listed_copy s = {0};
	struct listed_copy_opened a, b, c;

	(void)state;
	listed_copy_open(&s, 1, &a);
	listed_copy_read(&s, &a);
	listed_copy_open(&s, 2, &b);
	assert_int_equal(listed_copy_open(&s, 1, &c), LISTED_COPY_PASS);
	listed_copy_close(&s, &b);
	listed_copy_close(&s, &a);
	listed_copy_close(&s, &c);
	assert_int_equal(listed_copy_open(&s, 1, &a), LISTED_COPY_FILL);
}

/* It became old between its OPENDIR and its READDIR. */
static void an_old_reader_fills_nothing(void **state)
{
	struct listed_copy s = {0};
	struct listed_copy_opened a, b;

	(void)state;
	assert_int_equal(listed_copy_open(&s, 1, &a), LISTED_COPY_FILL);
	assert_int_equal(listed_copy_open(&s, 2, &b), LISTED_COPY_PASS);
	listed_copy_read(&s, &a);
	listed_copy_close(&s, &a);
	listed_copy_close(&s, &b);
	assert_int_equal(listed_copy_open(&s, 2, &a), LISTED_COPY_FILL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_unchanged_one_is_kept),
		cmocka_unit_test(a_changed_one_is_dropped_once),
		cmocka_unit_test(what_an_older_one_may_fill_is_passed_by),
		cmocka_unit_test(back_and_forth),
		cmocka_unit_test(an_old_reader_fills_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
