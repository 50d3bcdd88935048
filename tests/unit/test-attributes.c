/*
 * clone/attributes: which files have filter=lfs. What git says of each case
 * here (`git check-attr --cached filter`) is what is expected.
 */
#include "clone/attributes.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct question {
	const char *root, *in_d; /* texts; in_d NULL: there is none */
	const char *path;
	bool is;
};

static bool ask(const char *root, const char *in_d, const char *path)
{
	struct attributes_file *a, *b = NULL;
	struct attributes_at at[2];
	bool is;

	a = attributes_file_new(root, strlen(root), NULL);
	at[0] = (struct attributes_at){a, 0};
	if (in_d)
		b = attributes_file_new(in_d, strlen(in_d), a);
	at[1] = (struct attributes_at){b, 1};
	is = attributes_are_lfs(at, b ? 2 : 1, path);
	attributes_file_unref(a);
	attributes_file_unref(b);
	return is;
}

static void expect(const struct question *q, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (ask(q[i].root, q[i].in_d, q[i].path) != q[i].is)
			fail_msg("%s | %s: %s", q[i].root,
				 q[i].in_d ? q[i].in_d : "-", q[i].path);
}

static void test_patterns(void **state)
{
	static const struct question questions[] = {
		{"*.psd filter=lfs", NULL, "a.psd", true},
		{"*.psd filter=lfs", NULL, "d/e/a.psd", true},
		{"*.psd filter=lfs", NULL, "a.psd.txt", false},
		{"*.psd filter=lfs", NULL, "a.PSD", false},
		{"*.[pP][sS][dD] filter=lfs", NULL, "a.PSD", true},
		{"*.[!p]sd filter=lfs", NULL, "a.psd", false},
		{"*.[]p]sd filter=lfs", NULL, "a.psd", true},
		{"*.[[:alpha:]]sd filter=lfs", NULL, "a.psd", true},
		{"*.[[:alfa:]]sd filter=lfs", NULL, "a.psd", false},
		{"*.[psd filter=lfs", NULL, "a.psd", false},
		{"a?c filter=lfs", NULL, "abc", true},
		{"a\\?c filter=lfs", NULL, "abc", false},
		{"a\\?c filter=lfs", NULL, "a?c", true},
		{"abc\\ filter=lfs", NULL, "abc", false},
		{"/a filter=lfs", NULL, "a", true},
		{"/a filter=lfs", NULL, "d/a", false},
		{"d/a filter=lfs", NULL, "d/a", true},
		{"d/a filter=lfs", NULL, "x/d/a", false},
		{"d/* filter=lfs", NULL, "d/a", true},
		{"d/* filter=lfs", NULL, "d/e/a", false},
		{"d/** filter=lfs", NULL, "d/e/a", true},
		{"**/a filter=lfs", NULL, "a", true},
		{"**/a filter=lfs", NULL, "d/e/a", true},
		{"**/a filter=lfs", NULL, "d/ba", false},
		{"d/**/a filter=lfs", NULL, "d/a", true},
		{"d/**/a filter=lfs", NULL, "d/e/f/a", true},
		{"d/**/e/**/a filter=lfs", NULL, "d/e/x/e/a", true},
		{"d/**/e/**/a filter=lfs", NULL, "d/x/a", false},
		{"d/x**b filter=lfs", NULL, "d/xab", true},
		{"d?a filter=lfs", NULL, "d/a", false},
		{"d[/]a filter=lfs", NULL, "d/a", false},
		{"d/ filter=lfs", NULL, "d/a", false},
		{"d filter=lfs", NULL, "d/a", false},
		{"!a filter=lfs", NULL, "b", false},
		{"\"a b\" filter=lfs", NULL, "a b", true},
		{"\"a\\tb\" filter=lfs", NULL, "a\tb", true},
		{"\"\\303\\244\" filter=lfs", NULL, "\303\244", true},
		{"\"a filter=lfs", NULL, "\"a", true},
		{"\"a\\9\" filter=lfs", NULL, "a9", false},
		{"a\\ b filter=lfs", NULL, "a b", false},
	};

	(void)state;
	expect(questions, ARRAY_SIZE(questions));
}

static void test_values(void **state)
{
	static const struct question questions[] = {
		{"* filter=lfs", NULL, "a", true},
		{"* filter", NULL, "a", false},
		{"* filter=lfs2", NULL, "a", false},
		{"* Filter=lfs", NULL, "a", false},
		{"* filter=LFS", NULL, "a", false},
		{"* filter=lfs -filter", NULL, "a", false},
		{"* -filter filter=lfs", NULL, "a", true},
		{"* !filter filter=lfs", NULL, "a", true},
		{"* text\tfilter=lfs  diff=lfs", NULL, "a", true},
		{"* bad/name filter=lfs", NULL, "a", false},
		{"* filter=lfs --x", NULL, "a", false},
		{"* filter=lfs =x", NULL, "a", false},
		{"* filter=lfs\r\n", NULL, "a", true},
		{"\t * filter=lfs", NULL, "a", true},
		{"# * filter=lfs", NULL, "a", false},
		{"* filter=lfs\na -filter", NULL, "a", false},
		{"* filter=lfs\na !filter", NULL, "a", false},
		{"a -filter\n* filter=lfs", NULL, "a", true},
		{"* filter=lfs\n* diff", NULL, "a", true},
		{"", NULL, "a", false},
	};

	(void)state;
	expect(questions, ARRAY_SIZE(questions));
}

static void test_directories(void **state)
{
	static const struct question questions[] = {
		{"* filter=lfs", "a -filter", "d/a", false},
		{"* filter=lfs", "a -filter", "d/b", true},
		{"* filter=lfs", "a -filter", "d/e/a", false},
		{"* filter=lfs", "/a -filter", "d/e/a", true},
		{"* -filter", "a filter=lfs", "d/a", true},
		{"", "e/* filter=lfs", "d/e/a", true},
		{"", "d/e/* filter=lfs", "d/e/a", false},
	};

	(void)state;
	expect(questions, ARRAY_SIZE(questions));
}

static void test_macros(void **state)
{
	static const struct question questions[] = {
		{"[attr]big filter=lfs\n* big", NULL, "a", true},
		{"* big\n[attr]big filter=lfs", NULL, "a", true},
		{"[attr]big filter=lfs\n* -big", NULL, "a", false},
		{"[attr]big filter=lfs\n* big=1", NULL, "a", false},
		{"[attr]big filter=lfs\n* big\na -big", NULL, "a", false},
		{"[attr]big filter=lfs\n* big\na -filter", NULL, "a", false},
		{"[attr]big filter=lfs\n* -filter\na big", NULL, "a", true},
		{"[attr]big filter=lfs\n* big -filter", NULL, "a", false},
		{"[attr]big filter=lfs\n* -filter big", NULL, "a", true},
		{"[attr]big huge\n[attr]huge filter=lfs\n* big", NULL, "a",
		 true},
		{"[attr]big huge\n[attr]huge big\n* big", NULL, "a", false},
		{"[attr]big text\n[attr]big filter=lfs\n* big", NULL, "a",
		 true},
		{"[attr]big filter=lfs", "* big", "d/a", true},
		{"", "[attr]big filter=lfs\n* big", "d/a", false},
		{"[attr]a/b filter=lfs\n* a", NULL, "a", false},
		{"[attr] filter=lfs", NULL, "a", true},
	};

	(void)state;
	expect(questions, ARRAY_SIZE(questions));
}

/* A line over 2,047 bytes says nothing, nor does what is behind a NUL. */
static void test_what_git_does_not_read(void **state)
{
	char text[3000];

	(void)state;
	memset(text, 'x', sizeof(text));
	snprintf(text, sizeof(text), "%-2000s filter=lfs %-100s", "*", "y");
	assert_false(ask(text, NULL, "a"));
	snprintf(text, sizeof(text), "%-1900s filter=lfs %-100s", "*", "y");
	assert_true(ask(text, NULL, "a"));
	assert_false(ask("", NULL, "a"));
}

/* What would take a matcher that tries everything for ever. */
static void test_hostile_patterns(void **state)
{
	cleanup(buf_done) struct buf text = BUF_INIT(0);
	char path[4096] = "";

	(void)state;
	for (size_t i = 0; i + 1 < sizeof(path); i++)
		path[i] = i % 200 == 199 ? '/' : 'a';
	for (size_t i = 0; i < 900; i++)
		buf_puts(&text, i % 3 ? "*a" : "/**/");
	buf_puts(&text, "b filter=lfs");
	for (unsigned i = 0; i < 20; i++)
		assert_false(ask(text.data, NULL, path));
}

static void test_many_macros(void **state)
{
	cleanup(buf_done) struct buf text = BUF_INIT(0);

	(void)state;
	for (unsigned i = 0; i < 2000; i++)
		buf_printf(&text, "[attr]m%u m%u filter=lfs\n", i, i + 1);
	buf_puts(&text, "* m0\n");
	assert_true(ask(text.data, NULL, "a"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_patterns),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_directories),
		cmocka_unit_test(test_macros),
		cmocka_unit_test(test_what_git_does_not_read),
		cmocka_unit_test(test_hostile_patterns),
		cmocka_unit_test(test_many_macros),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
