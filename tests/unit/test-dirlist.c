/* model/dirlist: a listing's names by cookie, and its version. */
#include "model/dirlist.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const struct dirlist_ops ops;

static struct dirlist *of(const char *names, size_t n_bytes, int64_t left_ms)
{
	struct dirlist *l = dirlist_new(&ops, NULL, n_bytes);
	uint64_t cookie = 0;

	for (; *names; names++)
		dirlist_add_taken(l, mem_dup0(names, 1), ++cookie, S_IFREG, 0);
	return dirlist_seal(l, left_ms);
}

static void names_are_found_by_their_cookie(void **state)
{
	struct dirlist *l = dirlist_new(&ops, NULL, 0);
	struct dirlist_name name;

	(void)state;
	dirlist_add(l, "c", 300, S_IFREG, 3);
	dirlist_add(l, "a", 1, S_IFREG, 1);
	dirlist_add(l, "b", 7, S_IFDIR, 2);
	dirlist_seal(l, 0);
	assert_int_equal(dirlist_seek(l, 0), 0);
	assert_int_equal(dirlist_seek(l, 1), 1);
	assert_int_equal(dirlist_seek(l, 299), 2);
	assert_int_equal(dirlist_seek(l, 300), 3);
	dirlist_at(l, 1, &name);
	assert_string_equal(name.name, "b");
	assert_int_equal(name.tag, 2);
	dirlist_unref(l);
}

static void the_version_is_of_the_names(void **state)
{
	struct dirlist *a = of("abc", 0, 0), *b = of("abc", 99, 5);
	struct dirlist *c = of("abd", 0, 0);

	(void)state;
	assert_int_equal(a->version, b->version);
	assert_int_not_equal(a->version, c->version);
	dirlist_unref(a);
	dirlist_unref(b);
	dirlist_unref(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_found_by_their_cookie),
		cmocka_unit_test(the_version_is_of_the_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
