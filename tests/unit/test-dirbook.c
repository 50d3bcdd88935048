/* model/dirbook: a reader in the middle of a listing neither skips nor repeats
 * a name when others come and go. */
#include "model/dirbook.h"

#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const char *at(const void *names, size_t i)
{
	return ((const char *const *)names)[i];
}

static void names_keep_their_cookies(void **state)
{
	static const char *const before[] = {"b", "c", "d"};
	static const char *const after[] = {"a", "c", "d", "e"};
	struct dirbook *book = dirbook_new();
	struct dirbook_entry *entries;
	uint64_t c_cookie;
	size_t n;

	(void)state;
	dirbook_order(book, ARRAY_SIZE(before), at, before, 0, &entries, &n);
	assert_int_equal(n, 3);
	assert_int_equal(entries[0].cookie, 1);
	c_cookie = entries[1].cookie;
	free(entries);
	/* Read up to c; then b went, a and e came: d, a, e are left. */
	dirbook_order(book, ARRAY_SIZE(after), at, after, c_cookie, &entries,
		      &n);
	assert_int_equal(n, 3);
	assert_string_equal(after[entries[0].index], "d");
	assert_string_equal(after[entries[1].index], "a");
	assert_string_equal(after[entries[2].index], "e");
	free(entries);
	/* b came back: where it was. */
	dirbook_order(book, ARRAY_SIZE(before), at, before, 0, &entries, &n);
	assert_int_equal(entries[0].cookie, 1);
	free(entries);
	dirbook_free(book);
}

static void nothing_is_a_listing_too(void **state)
{
	struct dirbook *book = dirbook_new();
	struct dirbook_entry *entries;
	size_t n;

	(void)state;
	dirbook_order(book, 0, at, NULL, 0, &entries, &n);
	assert_int_equal(n, 0);
	free(entries);
	dirbook_free(book);
}

static const char *numbered(const void *names, size_t i)
{
	static char name[32];

	(void)names;
	snprintf(name, sizeof(name), "feature/branch-%06zu", i);
	return name;
}

/* Beside the name: where it begins, and two to four slots. */
#define NAME_BYTES (22 + 40)

static void a_name_costs_little(void **state)
{
	size_t n = 100000, before = mallinfo2().uordblks + mallinfo2().hblkhd;
	struct dirbook *book = dirbook_new();
	struct dirbook_entry *entries;
	size_t n_entries, after;

	(void)state;
	for (int i = 0; i < 2; i++) {
		dirbook_order(book, n, numbered, NULL, n / 2, &entries,
			      &n_entries);
		assert_int_equal(n_entries, n / 2);
		assert_int_equal(entries[0].cookie, n / 2 + 1);
		assert_int_equal(entries[0].index, n / 2);
		free(entries);
	}
	after = mallinfo2().uordblks + mallinfo2().hblkhd;
	/* Sanitizers allocate by themselves, and tell nothing. */
	if (before > 0)
		assert_in_range((after - before) / n, 22, NAME_BYTES);
	dirbook_free(book);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_keep_their_cookies),
		cmocka_unit_test(nothing_is_a_listing_too),
		cmocka_unit_test(a_name_costs_little),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
