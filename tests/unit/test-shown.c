/* model/shown: the plays in which the kernel could keep an outdated listing. */
#include "model/shown.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void an_unchanged_one_is_kept(void **state)
{
	struct shown s = {0};
	struct shown_opened a, b, c;

	(void)state;
	assert_int_equal(shown_open(&s, 7, &a), SHOWN_FILL);
	/* Nothing of it was read, so the kernel may not have heard yet. */
	assert_int_equal(shown_open(&s, 7, &b), SHOWN_FILL);
	shown_read(&s, &a);
	assert_int_equal(shown_open(&s, 7, &c), SHOWN_KEEP);
	shown_close(&s, &a);
	shown_close(&s, &b);
	shown_close(&s, &c);
	assert_int_equal(shown_open(&s, 7, &a), SHOWN_KEEP);
}

static void a_changed_one_is_dropped_once(void **state)
{
	struct shown s = {0};
	struct shown_opened a;

	(void)state;
	shown_open(&s, 1, &a);
	shown_read(&s, &a);
	shown_close(&s, &a);
	assert_int_equal(shown_open(&s, 2, &a), SHOWN_FILL);
	shown_read(&s, &a);
	shown_close(&s, &a);
	assert_int_equal(shown_open(&s, 2, &a), SHOWN_KEEP);
}

/* The reply to A's READDIR may be parsed at any time before A is closed. */
static void what_an_older_one_may_fill_is_passed_by(void **state)
{
	struct shown s = {0};
	struct shown_opened a, b, c;

	(void)state;
	shown_open(&s, 1, &a);
	assert_int_equal(shown_open(&s, 2, &b), SHOWN_PASS);
	assert_true(shown_is_old(&s, &a));
	shown_read(&s, &a);
	shown_read(&s, &b);
	assert_int_equal(shown_open(&s, 2, &c), SHOWN_PASS);
	shown_close(&s, &c);
	shown_close(&s, &a);
	/* B passed by: the copy may still be A's. */
	shown_read(&s, &b);
	assert_int_equal(shown_open(&s, 2, &c), SHOWN_FILL);
	shown_read(&s, &c);
	shown_close(&s, &c);
	shown_close(&s, &b);
	assert_int_equal(shown_open(&s, 2, &a), SHOWN_KEEP);
}

/* A version that comes back is no proof: one between may have been read. */
static void back_and_forth(void **state)
{
	struct shown s = {0};
	struct shown_opened a, b, c;

	(void)state;
	shown_open(&s, 1, &a);
	shown_read(&s, &a);
	shown_open(&s, 2, &b);
	assert_int_equal(shown_open(&s, 1, &c), SHOWN_PASS);
	shown_close(&s, &b);
	shown_close(&s, &a);
	shown_close(&s, &c);
	assert_int_equal(shown_open(&s, 1, &a), SHOWN_FILL);
}

/* It became old between its OPENDIR and its READDIR. */
static void an_old_reader_fills_nothing(void **state)
{
	struct shown s = {0};
	struct shown_opened a, b;

	(void)state;
	assert_int_equal(shown_open(&s, 1, &a), SHOWN_FILL);
	assert_int_equal(shown_open(&s, 2, &b), SHOWN_PASS);
	shown_read(&s, &a);
	shown_close(&s, &a);
	shown_close(&s, &b);
	assert_int_equal(shown_open(&s, 2, &a), SHOWN_FILL);
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
