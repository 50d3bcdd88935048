/*
 * base/json: good and bad documents, walking, printing, building.
 */
#include "base/file.h"
#include "base/json.h"

#include "corpora.h"

#include <pthread.h>

static const char document[] =
	"{\"source\": {\"branch\": {\"name\": \"main\", \"n\": 3}},"
	" \"list\": [1, \"two\", null, {\"k\": false}], \"none\": null,"
	" \"yes\": true, \"big\": 9007199254740993, \"huge\": 1e300,"
	" \"half\": -2.5, \"a.b\": 1, \"Case\": \"upper\", \"empty\": \"\"}";

static struct json *parsed(const char *text)
{
	struct json *json = NULL;

	assert_int_equal(json_parse(text, strlen(text), &json), 0);
	assert_non_null(json);
	return json;
}

static void expect_pretty(const struct json *json, const char *want)
{
	cleanup(buf_done) struct buf out = BUF_INIT(0);

	assert_int_equal(json_pretty(json, &out), 0);
	assert_string_equal(out.data, want);
}

static void expect_compact(const struct json *json, const char *want)
{
	cleanup(buf_done) struct buf out = BUF_INIT(0);

	assert_int_equal(json_compact(json, &out), 0);
	assert_string_equal(out.data, want);
}

/* Bytes without a NUL behind them, so that a read past their end is found. */
static int parse_exactly(const char *data, size_t n, struct json **ret_json)
{
	cleanup(free) char *exact = mem_alloc(n);

	if (n)
		memcpy(exact, data, n);
	return json_parse(exact, n, ret_json);
}

static void each_good(const char *name, const char *data, size_t n, bool ok)
{
	cleanup(json_free) struct json *json = NULL;
	cleanup(json_free) struct json *again = NULL;
	cleanup(buf_done) struct buf want = BUF_INIT(0);
	cleanup(buf_done) struct buf compact = BUF_INIT(0);
	const char *root = getenv("CORPORA");
	cleanup(free) char *path = mem_asprintf(
		"%s/json/ok/%s.pretty", root ? root : "tests/corpora", name);

	(void)ok;
	if (parse_exactly(data, n, &json) != 0)
		fail_msg("%s", name);
	/* What jq prints, but for what its version 1.6 does with U+0000, half
	 * pairs, same names and integers of more than 17 digits. */
	assert_int_equal(file_read(path, MIB, &want), 0);
	expect_pretty(json, want.data);
	assert_int_equal(json_compact(json, &compact), 0);
	assert_null(strchr(compact.data, '\n'));
	assert_int_equal(parse_exactly(compact.data, compact.len, &again), 0);
	expect_pretty(again, want.data);
}

static void each_bad(const char *name, const char *data, size_t n, bool ok)
{
	struct json *json = NULL;

	(void)ok;
	if (parse_exactly(data, n, &json) != -EBADMSG || json)
		fail_msg("%s", name);
}

static void good_documents(void **state)
{
	(void)state;
	assert_true(corpora_each("json/ok", ".json", each_good, true) >= 14);
}

static void bad_documents(void **state)
{
	(void)state;
	assert_true(corpora_each("json/should-fail", NULL, each_bad, false) >=
		    40);
}

/* Each byte changed and each end cut: an answer, and no read or write where
 * there is nothing. */
static void each_mutated(const char *name, const char *data, size_t n, bool ok)
{
	static const char bytes[] = "\"\\[]{},:0-eu\x01\xff";
	size_t step = n > 2000 ? n / 200 : 1;

	(void)name, (void)ok;
	for (size_t at = 0; at < n; at += step) {
		cleanup(json_free) struct json *cut = NULL;
		parse_exactly(data, at, &cut);
		for (size_t i = 0; i < sizeof(bytes); i++) {
			cleanup(json_free) struct json *json = NULL;
			cleanup(buf_done) struct buf out = BUF_INIT(0);
			cleanup(free) char *copy = mem_dup0(data, n);
			copy[at] = bytes[i];
			if (parse_exactly(copy, n, &json) == 0)
				assert_int_equal(json_pretty(json, &out), 0);
		}
	}
}

static void mutated_documents(void **state)
{
	(void)state;
	corpora_each("json/ok", ".json", each_mutated, true);
	corpora_each("json/should-fail", NULL, each_mutated, false);
}

static void too_many_values(void **state)
{
	(void)state;
	const size_t n = 4 * 1000 * 1000;
	cleanup(free) char *text = mem_alloc(2 * n + 3);
	struct json *json = NULL;

	text[0] = '[';
	for (size_t i = 0; i <= n; i++)
		memcpy(text + 1 + 2 * i, "1,", 2);
	text[2 * n + 2] = ']';
	assert_int_equal(json_parse(text, 2 * n + 3, &json), -EMSGSIZE);
	assert_null(json);
}

static void walks(void **state)
{
	(void)state;
	cleanup(json_free) struct json *json = parsed(document);

	assert_ptr_equal(json_at(json, ""), json);
	assert_string_equal(json_str(json, "source.branch.name"), "main");
	assert_int_equal(json_int(json, "source.branch.n", 7), 3);
	assert_string_equal(json_str(json_at(json, "source"), "branch.name"),
			    "main");
	assert_string_equal(json_str(json, "empty"), "");
	assert_null(json_at(json, "none"));
	assert_null(json_at(json, "none.more"));
	assert_null(json_at(json, "source.nothing"));
	assert_null(json_at(json, "source.branch.name.more"));
	assert_null(json_at(json, "list.0"));
	assert_null(json_at(json, "case"));
	assert_null(json_at(NULL, "x"));
	assert_null(json_at(NULL, ""));
	/* Of the wrong kind: as if it were not there. */
	assert_null(json_str(json, "source"));
	assert_null(json_str(json, "source.branch.n"));
	assert_null(json_str(json, "none"));
	assert_int_equal(json_int(json, "source.branch.name", 7), 7);
	assert_int_equal(json_int(json, "nothing", -7), -7);
	assert_int_equal(json_int(json, "yes", -7), -7);
	assert_true(json_bool(json, "yes", false));
	assert_true(json_bool(json, "nothing", true));
	assert_false(json_bool(json, "source", false));
	assert_int_equal(json_int(json, "half", 0), -2);
	assert_int_equal(json_int(json, "huge", 7), 7);
	assert_true(json_int(json, "big", 0) == INT64_C(9007199254740993));
	/* A step longer than any name. */
	char path[400];
	memset(path, 'a', 399);
	path[399] = '\0';
	assert_null(json_at(json, path));
}

static void walks_items(void **state)
{
	(void)state;
	cleanup(json_free) struct json *json = parsed(document);
	const struct json *list = json_at(json, "list"), *item;

	assert_true(json_is_object(json));
	assert_false(json_is_array(json));
	assert_true(json_is_array(list));
	assert_int_equal(json_n_items(list), 4);
	assert_int_equal(json_n_items(json), 10);
	assert_int_equal(json_n_items(NULL), 0);
	assert_null(json_first(NULL));
	item = json_first(list);
	assert_int_equal(json_int(item, "", 0), 1);
	item = json_next(item);
	assert_true(json_is_string(item));
	assert_string_equal(json_str(item, ""), "two");
	item = json_next(item);
	assert_null(json_at(item, ""));
	item = json_next(item);
	assert_false(json_bool(item, "k", true));
	assert_string_equal(json_key(json_first(item)), "k");
	assert_null(json_next(item));
	size_t n = 0;
	for (item = json_first(json); item; item = json_next(item))
		n++;
	assert_int_equal(n, 10);
}

static void big_integers(void **state)
{
	(void)state;
	cleanup(json_free) struct json *json = parsed(
		"[9007199254740991, 123456789012345678, -1e20, 1e22, 1e999]");

	expect_compact(json, "[9007199254740991,123456789012345678,"
			     "-100000000000000000000,1e+22,1e999]");
}

static void integers_to_64_bits(void **state)
{
	(void)state;
	cleanup(json_free) struct json *json = parsed(
		"{\"most\":9223372036854775807,\"least\":-9223372036854775808,"
		"\"over\":9223372036854775808,\"far\":123456789012345678901234,"
		"\"half\":0.1234567890123456789,\"endless\":1e999}");

	assert_true(json_int(json, "most", 7) == INT64_MAX);
	assert_true(json_int(json, "least", 7) == INT64_MIN);
	assert_true(json_int(json, "over", 7) == 7);
	assert_true(json_int(json, "far", 7) == 7);
	assert_true(json_int(json, "half", 7) == 0);
	assert_true(json_int(json, "endless", 7) == 7);
}

static void doubles_come_back(void **state)
{
	(void)state;
	uint64_t x = 88172645463325252u;

	for (int i = 0; i < 20000; i++) {
		cleanup(json_free) struct json *json = NULL;
		cleanup(buf_done) struct buf out = BUF_INIT(0);
		char text[64];
		double d, back;

		/* xorshift64: any bit pattern is a double. */
		x ^= x << 13, x ^= x >> 7, x ^= x << 17;
		memcpy(&d, &x, sizeof(d));
		if (!(d - d == 0))
			continue;
		/* What is longer keeps its text. */
		snprintf(text, sizeof(text), "%.15g", d);
		d = strtod(text, NULL);
		json = parsed(text);
		assert_int_equal(json_compact(json, &out), 0);
		back = strtod(out.data, NULL);
		assert_memory_equal(&back, &d, sizeof(d));
	}
}

static void builds(void **state)
{
	(void)state;
	cleanup(json_free) struct json *json = json_new_object();
	cleanup(json_free) struct json *array = json_new_array();
	struct json *list, *object;

	json_add_str(json, "s", "a \"b\"");
	json_add_int(json, "i", -5);
	json_add_bool(json, "b", true);
	json_add_null(json, "n");
	json_add_int(json_add_object(json, "o"), "in", 1);
	list = json_add_array(json, "a");
	object = json_append_object(list);
	json_add_bool(object, "f", false);
	json_append_copy(list, json_at(json, "o"));
	json_append_copy(array, json);
	json_add_int(json_add_object(json, "later"), "k", 2);
	expect_compact(array, "[{\"s\":\"a \\\"b\\\"\",\"i\":-5,\"b\":true,"
			      "\"n\":null,\"o\":{\"in\":1},"
			      "\"a\":[{\"f\":false},{\"in\":1}]}]");
	assert_int_equal(json_int(json, "later.k", 0), 2);
	cleanup(json_free) struct json *empty = json_new_array();
	expect_pretty(empty, "[]\n");
	assert_null(json_free(NULL));
}

static void prints_within_bounds(void **state)
{
	(void)state;
	cleanup(json_free) struct json *json = parsed(document);
	cleanup(json_free) struct json *deep = json_new_array();
	cleanup(buf_done) struct buf small = BUF_INIT(40);
	cleanup(buf_done) struct buf out = BUF_INIT(0);
	struct json *at = deep;

	assert_int_equal(json_pretty(json, &small), -EMSGSIZE);
	assert_true(small.len <= 40);
	buf_clear(&small);
	assert_int_equal(json_compact(json, &small), -EMSGSIZE);
	/* Adds to what is there. */
	buf_puts(&out, "x=");
	cleanup(json_free) struct json *one = parsed("[1]");
	assert_int_equal(json_compact(one, &out), 0);
	assert_string_equal(out.data, "x=[1]");
	for (int i = 0; i < 110; i++)
		at = json_add_array(json_append_object(at), "a");
	assert_int_equal(json_compact(deep, &out), -EMSGSIZE);
}

static size_t rss_anon_kb(void)
{
	cleanup(buf_done) struct buf text = BUF_INIT(64 * KIB);
	const char *line;

	assert_int_equal(file_read("/proc/self/status", 64 * KIB, &text), 0);
	line = strstr(text.data, "RssAnon:");
	assert_non_null(line);
	return strtoul(line + 8, NULL, 10);
}

/* With something small allocated at its end, which would hold the heap up. */
static void a_large_document_gives_its_memory_back(void **state)
{
	(void)state;
	cleanup(buf_done) struct buf text = BUF_INIT(64 * MIB);
	struct json *large, *small = NULL;
	size_t before, full;

	buf_putc(&text, '[');
	while (text.len < 8 * MIB)
		buf_puts(&text, "12,");
	buf_puts(&text, "1]");
	before = rss_anon_kb();
	assert_int_equal(json_parse(text.data, text.len, &large), 0);
	assert_int_equal(json_parse("[1]", 3, &small), 0);
	full = rss_anon_kb() - before;
	assert_true(full > 100000);
	large = json_free(large);
	if (!getenv("BITBUCKETFS_SANITIZED"))
		assert_true(rss_anon_kb() < before + full / 10);
	json_free(small);
}

/* Each of more threads than the machine has processors parses and frees; what
 * is built stands beside what is parsed. */
static void *parses(void *of)
{
	(void)of;
	for (int i = 0; i < 200; i++) {
		cleanup(json_free) struct json *json = parsed(document);
		cleanup(json_free) struct json *made = json_new_object();
		cleanup(json_free) struct json *copy = json_copy(json);
		struct json *bad = NULL;

		json_add_copy(made, "all", json);
		assert_int_equal(json_parse("{\"a\": [1, \"x\"", 13, &bad),
				 -EBADMSG);
		json_add_str(copy, "more", "said");
		json = json_free(json);
		expect_compact(json_at(made, "all.big"), "9007199254740993");
		assert_string_equal(json_str(copy, "source.branch.name"),
				    "main");
		assert_string_equal(json_str(copy, "more"), "said");
	}
	return NULL;
}

static void many_threads_parse(void **state)
{
	(void)state;
	pthread_t threads[8];

	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		assert_int_equal(
			pthread_create(&threads[i], NULL, parses, NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_join(threads[i], NULL);
}

/* Values of all kinds at the root, and texts longer than a piece of the arena.
 */
static void roots_of_each_kind(void **state)
{
	(void)state;
	cleanup(buf_done) struct buf text = BUF_INIT(8 * MIB);
	cleanup(json_free) struct json *number = parsed("1");
	cleanup(json_free) struct json *word = parsed("\"word\"");
	cleanup(json_free) struct json *none = parsed("null");
	cleanup(json_free) struct json *long_one = NULL;
	cleanup(json_free) struct json *twice = parsed("{\"a\":1,\"a\":[2]}");

	assert_int_equal(json_int(number, "", 0), 1);
	assert_string_equal(json_str(word, ""), "word");
	assert_null(json_at(none, ""));
	expect_compact(twice, "{\"a\":[2]}");
	for (size_t n = 1; n < 2 * MIB; n *= 4) {
		buf_puts(&text, n == 1 ? "[\"" : "\",\"");
		for (size_t i = 0; i < n; i++)
			buf_putc(&text, 'x');
	}
	buf_puts(&text, "\"]");
	assert_int_equal(json_parse(text.data, text.len, &long_one), 0);
	expect_compact(long_one, text.data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(many_threads_parse),
		cmocka_unit_test(roots_of_each_kind),
		cmocka_unit_test(a_large_document_gives_its_memory_back),
		cmocka_unit_test(good_documents),
		cmocka_unit_test(bad_documents),
		cmocka_unit_test(mutated_documents),
		cmocka_unit_test(too_many_values),
		cmocka_unit_test(walks),
		cmocka_unit_test(walks_items),
		cmocka_unit_test(big_integers),
		cmocka_unit_test(integers_to_64_bits),
		cmocka_unit_test(doubles_come_back),
		cmocka_unit_test(builds),
		cmocka_unit_test(prints_within_bounds),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
