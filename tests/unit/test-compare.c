/* model/compare: each name of two sorted lists once, with the items that have
 * it. */
#include "model/compare.h"

#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

struct item {
	const char *name;
	int value;
};

/* "-a" gone, "+b" new, "=c" in both with these values. */
static char *told(struct compare_side before, struct compare_side after)
{
	struct compare compare = {.before = before, .after = after};
	struct buf out = BUF_INIT(0);
	struct compare_pair pair;

	while (compare_next(&compare, &pair)) {
		const struct item *was = pair.was, *is = pair.is;

		assert_true(!was || !strcmp(was->name, pair.name));
		assert_true(!is || !strcmp(is->name, pair.name));
		switch (pair.how) {
		case COMPARE_GONE:
			assert_true(was && !is);
			buf_printf(&out, "-%s ", pair.name);
			break;
		case COMPARE_NEW:
			assert_true(!was && is);
			buf_printf(&out, "+%s ", pair.name);
			break;
		case COMPARE_BOTH:
			assert_true(was && is);
			buf_printf(&out, "=%s%d%d ", pair.name, was->value,
				   is->value);
			break;
		}
	}
	/* The end stays the end. */
	assert_false(compare_next(&compare, &pair));
	buf_puts(&out, "");
	return buf_steal(&out, NULL);
}

static void each_name_is_met_once(void **state)
{
	static const struct item before[] = {{"a", 1}, {"c", 1}, {"d", 1}};
	static const struct item after[] = {{"b", 2}, {"c", 2}, {"e", 2}};
	cleanup(free) char *said =
		told(COMPARE_SIDE(before, 3), COMPARE_SIDE(after, 3));

	(void)state;
	assert_string_equal(said, "-a +b =c12 -d +e ");
}

static void one_side_may_be_empty(void **state)
{
	static const struct item items[] = {{"a", 1}, {"b", 1}};
	const struct item *none = NULL;
	cleanup(free) char *new =
		told(COMPARE_SIDE(none, 0), COMPARE_SIDE(items, 2));
	cleanup(free) char *gone =
		told(COMPARE_SIDE(items, 2), COMPARE_SIDE(none, 0));
	struct compare nothing = {.before = COMPARE_SIDE(none, 0),
				  .after = COMPARE_SIDE(none, 0)};
	struct compare_pair pair;

	(void)state;
	assert_string_equal(new, "+a +b ");
	assert_string_equal(gone, "-a -b ");
	assert_false(compare_next(&nothing, &pair));
}

static void one_list_may_end_before_the_other(void **state)
{
	static const struct item few[] = {{"b", 1}};
	static const struct item many[] = {
		{"a", 2}, {"b", 3}, {"c", 4}, {"d", 5}};
	cleanup(free) char *grown =
		told(COMPARE_SIDE(few, 1), COMPARE_SIDE(many, 4));
	cleanup(free) char *shrunk =
		told(COMPARE_SIDE(many, 4), COMPARE_SIDE(few, 1));

	(void)state;
	assert_string_equal(grown, "+a =b13 +c +d ");
	assert_string_equal(shrunk, "-a =b31 -c -d ");
}

/* An order by bytes, as the lists have it: a prefix first, no locale. */
static void the_order_is_that_of_bytes(void **state)
{
	static const char *const before[] = {"A", "a", "a-b", "\xc3\xa4"};
	static const char *const after[] = {"B", "a-b", "ab"};
	struct compare compare = {.before = COMPARE_SIDE(before, 4),
				  .after = COMPARE_SIDE(after, 3)};
	cleanup(buf_done) struct buf out = BUF_INIT(0);
	struct compare_pair pair;

	(void)state;
	while (compare_next(&compare, &pair))
		buf_printf(&out, "%s%c", pair.name, "-+="[pair.how]);
	assert_string_equal(out.data, "A-B+a-a-b=ab+\xc3\xa4-");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_name_is_met_once),
		cmocka_unit_test(one_side_may_be_empty),
		cmocka_unit_test(one_list_may_end_before_the_other),
		cmocka_unit_test(the_order_is_that_of_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
