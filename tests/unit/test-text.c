/*
 * base/text: strings from strangers.
 */
#include "base/digest.h"
#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void percent_encodes(void **state)
{
	(void)state;
	cleanup(buf_done) struct buf b = BUF_INIT(0);

	assert_int_equal(text_percent_encode(&b, "aZ09-._~ /%\xc3\xa9\x01", ""),
			 0);
	assert_string_equal(b.data, "aZ09-._~%20%2F%25%C3%A9%01");
	buf_clear(&b);
	text_percent_encode(&b, "a/b&c", "/");
	assert_string_equal(b.data, "a/b%26c");
	cleanup(buf_done) struct buf small = BUF_INIT(4);
	assert_int_equal(text_percent_encode(&small, "ab/", ""), -EMSGSIZE);
}

static void tsv_values(void **state)
{
	(void)state;
	cleanup(buf_done) struct buf b = BUF_INIT(0);

	assert_int_equal(text_tsv_value(&b, "a\tb\nc\rd\\e f\xc3\xa9"), 0);
	assert_string_equal(b.data, "a\\tb\\nc\\rd\\\\e f\xc3\xa9");
}

/* No terminal obeys what comes out, and nothing else is touched. */
static void what_a_terminal_obeys(void **state)
{
	static const struct {
		const char *is, *clean;
	} table[] = {
		{"plain \"text\" 100%", "plain \"text\" 100%"},
		{"caf\xc3\xa9 \xf0\x9f\x98\x80",
		 "caf\xc3\xa9 \xf0\x9f\x98\x80"},
		{"\xc2\xa0", "\xc2\xa0"}, /* the first after C1 */
		{"\x1b]0;pwned\a", "\\x1b]0;pwned\\x07"},
		{"\b\f\v\x7f\x01\x1f", "\\x08\\x0c\\x0b\\x7f\\x01\\x1f"},
		{"\xc2\x9b"
		 "2J\xc2\x80\xc2\x9f",
		 "\\xc2\\x9b2J\\xc2\\x80\\xc2\\x9f"},
		/* A byte by itself, before and after what goes on with one. */
		{"\x9b"
		 "2J\xc3\xa9\x9b\xc2",
		 "\\x9b2J\xc3\xa9\\x9b\xc2"},
		{"\xe2\x80\xa9\xe2\x80\xaa\xe2\x80\xae\xe2\x80\xaf",
		 "\xe2\x80\xa9\\u202a\\u202e\xe2\x80\xaf"},
		{"\xe2\x81\xa5\xe2\x81\xa6\xe2\x81\xa9\xe2\x81\xaa",
		 "\xe2\x81\xa5\\u2066\\u2069\xe2\x81\xaa"},
		{"\xe2\x80", "\xe2\\x80"},
	};
	cleanup(buf_done) struct buf b = BUF_INIT(0);

	(void)state;
	assert_int_equal(text_terminal("a\x1b", 2), 0);
	assert_int_equal(text_terminal("\x1b[2J", 4), 1);
	assert_int_equal(text_terminal("\xc2\x9b", 2), 2);
	assert_int_equal(text_terminal("\xc2\x9b", 1), 0);
	assert_int_equal(text_terminal("\xe2\x80\xae", 3), 3);
	assert_int_equal(text_terminal("\xe2\x82\xac", 3), 0);
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		cleanup(buf_done) struct buf line = BUF_INIT(0);

		buf_clear(&b);
		text_clean(&b, table[i].is, strlen(table[i].is), "");
		assert_string_equal(b.data, table[i].clean);
		buf_clear(&b);
		text_tsv_value(&b, table[i].is);
		assert_string_equal(b.data, table[i].clean);
		buf_printf(&line, "key: %s\n", table[i].clean);
		buf_clear(&b);
		text_info_line(&b, "key", table[i].is);
		assert_string_equal(b.data, line.data);
	}
	buf_clear(&b);
	text_clean(&b, "a\n\tb\r\0c", 7, "\n\t");
	assert_string_equal(b.data, "a\n\tb\\x0d\\x00c");
	buf_clear(&b);
	buf_puts(&b, "\a\a");
	text_clean_buf(&b, 1, "");
	assert_string_equal(b.data, "\a\\x07");
}

static void info_lines(void **state)
{
	(void)state;
	cleanup(buf_done) struct buf b = BUF_INIT(0);

	text_info_line(&b, "name", "Widgets: a \"story\"");
	text_info_line(&b, "nothing", NULL);
	text_info_line(&b, "empty", "");
	text_info_line(&b, "odd", "a\nname: b\r\x7f\x1b[1m\xc3\xa9");
	assert_string_equal(b.data, "name: Widgets: a \"story\"\n"
				    "empty: \n"
				    "odd: a name: b \\x7f\\x1b[1m\xc3\xa9\n");
}

static const char *const own_names[] = {"index.tsv", "more", NULL};

static void expect_name(const char *name, const char *want)
{
	cleanup(buf_done) struct buf b = BUF_INIT(0);

	/* It appends. */
	buf_puts(&b, "x/");
	text_file_name(&b, name, own_names);
	assert_string_equal(b.data + 2, want);
}

static void file_names(void **state)
{
	(void)state;
	expect_name("widgets", "widgets");
	expect_name("with space", "with space");
	expect_name("100%", "100%");
	expect_name("a%2Fb", "a%2Fb");
	expect_name("caf\xc3\xa9", "caf\xc3\xa9");
	expect_name(".hidden", ".hidden");
	expect_name("...", "...");
	expect_name("index.tsv2", "index.tsv2");
	expect_name("", "%");
	expect_name(".", "%2E");
	expect_name("..", "%2E.");
	expect_name("index.tsv", "%69ndex.tsv");
	expect_name("more", "%6Dore");
	expect_name("a/b", "a%2Fb");
	expect_name("a/b 100%", "a%2Fb 100%25");
	expect_name("a\nb", "a%0Ab");
	expect_name("a\x7f", "a%7F");
	expect_name("a\xc2\x9b\x33%", "a%C2%9B3%25");
	expect_name("gpj.\xe2\x80\xaexe", "gpj.%E2%80%AExe");
	expect_name("\xe2\x81\xa6", "%E2%81%A6");
	expect_name("a\xff"
		    "b",
		    "a%FFb");
	expect_name("\xc3", "%C3");
	expect_name("\xed\xa0\x80", "%ED%A0%80"); /* a surrogate */
	expect_name("\xc0\xaf", "%C0%AF");        /* an overlong slash */
	cleanup(buf_done) struct buf b = BUF_INIT(0);
	text_file_name(&b, "more", NULL);
	assert_string_equal(b.data, "more");
}

/* name, made of n times unit and rest, is cut and stays a good name. */
static void expect_cut(const char *unit, size_t n, const char *rest,
		       size_t min_len)
{
	cleanup(buf_done) struct buf name = BUF_INIT(0);
	cleanup(buf_done) struct buf b = BUF_INIT(0);
	char sha1[41];

	for (size_t i = 0; i < n; i++)
		buf_puts(&name, unit);
	buf_puts(&name, rest);
	text_file_name(&b, name.data, own_names);
	assert_in_range(b.len, min_len, 255);
	assert_int_equal(strlen(b.data), b.len);
	digest_sha1_hex(name.data, name.len, sha1);
	assert_int_equal(b.data[b.len - 9], '~');
	assert_memory_equal(b.data + b.len - 8, sha1, 8);
	assert_true(text_is_utf8(b.data, b.len));
	for (const char *p = b.data; (p = strchr(p, '%')); p += 3)
		assert_int_equal(strspn(p + 1, "0123456789ABCDEF") >= 2, true);
}

static void long_file_names(void **state)
{
	(void)state;
	char most[256];

	memset(most, 'a', 255);
	most[255] = '\0';
	expect_name(most, most);
	expect_cut("a", 256, "", 255);
	expect_cut("a", 5000, "", 255);
	for (size_t n = 0; n < 4; n++) {
		char rest[5];
		memset(rest, 'x', n);
		rest[n] = '\0';
		cleanup(buf_done) struct buf unit = BUF_INIT(0);
		buf_printf(&unit, "%s\xf0\x9f\x98\x80", rest);
		expect_cut(unit.data, 80, "", 252);
		buf_clear(&unit);
		buf_printf(&unit, "%s/", rest);
		expect_cut(unit.data, 300, "", 253);
		/* Every place of the cut within %XX. */
		buf_clear(&unit);
		buf_printf(&unit, "%s", rest);
		for (int i = 0; i < 200; i++)
			buf_putc(&unit, '/');
		expect_cut(unit.data, 1, "", 253);
	}
	/* Short as it is, it becomes long by its escapes. */
	expect_cut("/", 90, "", 253);
	/* % stays as it is where nothing is escaped, also at the cut. */
	cleanup(buf_done) struct buf b = BUF_INIT(0);
	char percents[300];
	memset(percents, '%', 299);
	percents[299] = '\0';
	text_file_name(&b, percents, own_names);
	assert_int_equal(b.len, 255);
}

static void utf8(void **state)
{
	(void)state;
	static const char *const ok[] = {
		"",
		"abc",
		"\x7f",
		"\xc2\x80",
		"\xdf\xbf",
		"\xe0\xa0\x80",
		"\xed\x9f\xbf",
		"\xee\x80\x80",
		"\xef\xbf\xbf",
		"\xf0\x90\x80\x80",
		"\xf4\x8f\xbf\xbf",
	};
	static const char *const bad[] = {
		"\x80",
		"\xbf",
		"\xc0\x80",
		"\xc1\xbf",
		"\xc2",
		"\xc2z",
		"\xe0\x9f\xbf",
		"\xe2\x82",
		"\xed\xa0\x80",
		"\xed\xbf\xbf",
		"\xf0\x8f\xbf\xbf",
		"\xf0\x9f\x98",
		"\xf4\x90\x80\x80",
		"\xf5\x80\x80\x80",
		"\xff",
		"abc\xfe",
	};

	for (size_t i = 0; i < ARRAY_SIZE(ok); i++)
		assert_true(text_is_utf8(ok[i], strlen(ok[i])));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(text_is_utf8(bad[i], strlen(bad[i])));
	assert_true(text_is_utf8("a\0b", 3));
	/* It does not look past n. */
	assert_false(text_is_utf8("\xe2\x82\xac", 2));
}

static void numbers(void **state)
{
	(void)state;
	uint64_t v = 7;

	assert_int_equal(text_parse_u64("0", 10, &v), 0);
	assert_int_equal(v, 0);
	assert_int_equal(text_parse_u64("10", 10, &v), 0);
	assert_int_equal(v, 10);
	assert_int_equal(text_parse_u64("007", 10, &v), 0);
	assert_int_equal(v, 7);
	assert_int_equal(text_parse_u64("18446744073709551615", UINT64_MAX, &v),
			 0);
	assert_true(v == UINT64_MAX);
	v = 7;
	assert_int_equal(text_parse_u64("18446744073709551616", UINT64_MAX, &v),
			 -ERANGE);
	assert_int_equal(
		text_parse_u64("99999999999999999999999", UINT64_MAX, &v),
		-ERANGE);
	assert_int_equal(text_parse_u64("11", 10, &v), -ERANGE);
	assert_int_equal(text_parse_u64("9", 5, &v), -ERANGE);
	static const char *const bad[] = {"",   "-1", "+1", " 1",  "1 ",
					  "1x", "x",  "1.", "0x1", "1\n"};
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(text_parse_u64(bad[i], 100, &v), -EINVAL);
	assert_int_equal(v, 7);
}

static void durations(void **state)
{
	(void)state;
	int64_t s = 7;

	assert_int_equal(text_parse_duration("90", &s), 0);
	assert_int_equal(s, 90);
	assert_int_equal(text_parse_duration("90s", &s), 0);
	assert_int_equal(s, 90);
	assert_int_equal(text_parse_duration("5m", &s), 0);
	assert_int_equal(s, 300);
	assert_int_equal(text_parse_duration("2h", &s), 0);
	assert_int_equal(s, 7200);
	assert_int_equal(text_parse_duration("1d", &s), 0);
	assert_int_equal(s, 86400);
	assert_int_equal(text_parse_duration("0", &s), 0);
	assert_int_equal(s, 0);
	assert_int_equal(text_parse_duration("3650d", &s), 0);
	s = 7;
	assert_int_equal(text_parse_duration("3661d", &s), -ERANGE);
	assert_int_equal(text_parse_duration("9223372036854775807d", &s),
			 -ERANGE);
	static const char *const bad[] = {"",   "s",   "-1",  "1 s",  "1w",
					  "1S", "1ms", "s1",  "1.5h", "1hh",
					  " 1", "1\n", "+1m", "d"};
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(text_parse_duration(bad[i], &s), -EINVAL);
	assert_int_equal(s, 7);
}

static void legal_names(void **state)
{
	(void)state;
	char most[257];

	memset(most, 'a', 256);
	most[256] = '\0';
	assert_false(text_is_workspace_id(most));
	assert_false(text_is_repo_slug(most));
	most[255] = '\0';
	assert_true(text_is_workspace_id(most));
	assert_true(text_is_repo_slug(most));

	assert_true(text_is_workspace_id("acme"));
	assert_true(text_is_workspace_id("a-b_c9"));
	assert_false(text_is_workspace_id(""));
	assert_false(text_is_workspace_id("Acme"));
	assert_false(text_is_workspace_id("a.b"));
	assert_false(text_is_workspace_id(".git"));
	assert_false(text_is_workspace_id("a b"));
	assert_false(text_is_workspace_id("a/b"));
	assert_false(text_is_workspace_id("caf\xc3\xa9"));

	assert_true(text_is_repo_slug("widgets.js"));
	assert_true(text_is_repo_slug(".github"));
	assert_true(text_is_repo_slug("..."));
	assert_false(text_is_repo_slug(""));
	assert_false(text_is_repo_slug("."));
	assert_false(text_is_repo_slug(".."));
	assert_false(text_is_repo_slug("Widgets"));
	assert_false(text_is_repo_slug("a~"));

	assert_true(text_is_oid("da39a3ee5e6b4b0d3255bfef95601890afd80709"));
	assert_false(text_is_oid("da39a3ee5e6b4b0d3255bfef95601890afd8070"));
	assert_false(text_is_oid("da39a3ee5e6b4b0d3255bfef95601890afd807090"));
	assert_false(text_is_oid("DA39a3ee5e6b4b0d3255bfef95601890afd80709"));
	assert_false(text_is_oid("ga39a3ee5e6b4b0d3255bfef95601890afd80709"));
	assert_false(text_is_oid(""));
}

static void sizes(void **state)
{
	(void)state;
	static const struct {
		uint64_t n;
		const char *text;
	} cases[] = {
		{0, "0 B"},
		{999, "999 B"},
		{1000, "1.0 kB"},
		{1500000, "1.5 MB"},
		{999949, "999.9 kB"},
		{999950, "1.0 MB"},
		{999999, "1.0 MB"},
		{39800000, "39.8 MB"},
		{UINT64_C(1300000000), "1.3 GB"},
		{UINT64_MAX, "18.4 EB"},
	};
	char out[16];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_string_equal(text_bytes(cases[i].n, out), cases[i].text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(percent_encodes),
		cmocka_unit_test(tsv_values),
		cmocka_unit_test(what_a_terminal_obeys),
		cmocka_unit_test(info_lines),
		cmocka_unit_test(file_names),
		cmocka_unit_test(long_file_names),
		cmocka_unit_test(utf8),
		cmocka_unit_test(numbers),
		cmocka_unit_test(durations),
		cmocka_unit_test(legal_names),
		cmocka_unit_test(sizes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
