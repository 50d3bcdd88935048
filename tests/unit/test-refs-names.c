/*
 * model/git/refs, names: what file stands for which ref, and which refs are a
 * directory. No world: a list is an array.
 */
#include "model/git/refs.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct clone_refs of(const char *const *names, size_t n)
{
	struct clone_refs refs = {0};

	refs.names[CLONE_BRANCHES] = names;
	refs.n_names[CLONE_BRANCHES] = n;
	return refs;
}

/* "a feature/ ": the parts that follow a prefix, as file names; "!": another
 * part has that name. */
static void expect_parts(const struct clone_refs *refs, const char *prefix,
			 const char *want, size_t n_skipped)
{
	cleanup(buf_done) struct buf out = BUF_INIT(0), file = BUF_INIT(0);
	struct refs_iter i;

	refs_iter_begin(&i, refs, CLONE_BRANCHES, prefix);
	while (refs_iter_step(&i)) {
		bool shown = refs_iter_file_name(&i, &file);

		buf_printf(&out, "%s%s%s ", shown ? "" : "!", file.data,
			   i.is == REFS_DIRECTORY ? "/" : "");
	}
	assert_string_equal(out.len ? out.data : "", want);
	assert_int_equal(i.n_skipped, n_skipped);
}

static void a_slash_makes_a_directory(void **state)
{
	static const char *const names[] = {"a",         "feature/x",
					    "feature/y", "feature/z/deep",
					    "feature-1", "main"};
	/* By strcmp, as a list is: '-' is before '/'. */
	static const char *const sorted[] = {
		"a",         "feature-1",      "feature/x",
		"feature/y", "feature/z/deep", "main"};
	struct clone_refs refs = of(sorted, ARRAY_SIZE(names));

	(void)state;
	expect_parts(&refs, "", "a feature-1 feature/ main ", 0);
	expect_parts(&refs, "feature/", "x y z/ ", 0);
	expect_parts(&refs, "feature/z/", "deep ", 0);
	expect_parts(&refs, "nothing/", "", 0);
}

static void what_a_name_is(void **state)
{
	static const char *const names[] = {"a", "feature-1", "feature/x"};
	struct clone_refs refs = of(names, 3);
	size_t i = 99;

	(void)state;
	assert_int_equal(refs_find(&refs, CLONE_BRANCHES, "a", 1, &i),
			 REFS_LEAF);
	assert_int_equal(i, 0);
	assert_int_equal(refs_find(&refs, CLONE_BRANCHES, "feature", 7, &i),
			 REFS_DIRECTORY);
	assert_int_equal(i, 2);
	/* A beginning without a slash behind it is nothing. */
	assert_int_equal(refs_find(&refs, CLONE_BRANCHES, "feat", 4, &i),
			 REFS_NOTHING);
	assert_int_equal(refs_find(&refs, CLONE_BRANCHES, "feature/", 8, &i),
			 REFS_NOTHING);
	assert_int_equal(refs_find(&refs, CLONE_BRANCHES, "", 0, &i),
			 REFS_NOTHING);
	assert_int_equal(refs_find(&refs, CLONE_TAGS, "a", 1, &i),
			 REFS_NOTHING);
}

/* git allows no name that is a ref and a directory: the ref is shown. */
static void a_ref_hides_a_directory(void **state)
{
	static const char *const names[] = {"x", "x/y", "x/z", "xx"};
	struct clone_refs refs = of(names, 4);
	size_t i;

	(void)state;
	assert_int_equal(refs_find(&refs, CLONE_BRANCHES, "x", 1, &i),
			 REFS_LEAF);
	expect_parts(&refs, "", "x xx ", 1);
}

static void what_no_file_can_be_called_is_escaped(void **state)
{
	static const char *const names[] = {"a\nb", "index.tsv", "x/index.tsv"};
	struct clone_refs refs = of(names, 3);

	(void)state;
	/* The index is the collection's: only at the top. */
	expect_parts(&refs, "", "a%0Ab %69ndex.tsv x/ ", 0);
	expect_parts(&refs, "x/", "index.tsv ", 0);
}

/* Of two parts with one file name the one that needs no escape has it. */
static void a_plain_name_goes_before_an_escaped_one(void **state)
{
	static const char *const names[] = {"a\nb", "a%0Ab"};
	struct clone_refs refs = of(names, 2);

	(void)state;
	expect_parts(&refs, "", "!a%0Ab a%0Ab ", 0);
}

static void a_long_part_is_cut(void **state)
{
	cleanup(buf_done) struct buf out = BUF_INIT(4 * KIB);
	char part[400];

	(void)state;
	memset(part, 'x', sizeof(part));
	refs_file_name(&out, part, sizeof(part), true);
	assert_true(out.len <= 255);
	assert_int_equal(out.data[out.len - 9], '~');
}

static void expect_path(const char *ref, const char *want)
{
	cleanup(buf_done) struct buf out = BUF_INIT(4 * KIB);

	refs_path(&out, ref);
	assert_string_equal(out.data, want);
}

static void a_ref_has_a_path(void **state)
{
	(void)state;
	expect_path("refs/heads/feature/x", "branches/feature/x");
	expect_path("refs/tags/v1", "tags/v1");
	expect_path("refs/heads/index.tsv", "branches/%69ndex.tsv");
	expect_path("refs/heads/x/index.tsv", "branches/x/index.tsv");
	expect_path("refs/pull/7/head", "refs/pull/7/head");
	expect_path("main", "main");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_slash_makes_a_directory),
		cmocka_unit_test(what_a_name_is),
		cmocka_unit_test(a_ref_hides_a_directory),
		cmocka_unit_test(what_no_file_can_be_called_is_escaped),
		cmocka_unit_test(a_plain_name_goes_before_an_escaped_one),
		cmocka_unit_test(a_long_part_is_cut),
		cmocka_unit_test(a_ref_has_a_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
