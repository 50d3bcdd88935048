/*
 * wire/pktline: framing, fed whole and byte by byte, and its corpora.
 */
#include "wire/pktline.h"

#include "base/file.h"
#include "corpora.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* Packets as text: "D:abc " or "F ", "I ", "R ". */
struct heard {
	struct buf text;
	int answer;
};

static int hear(void *arg, enum pktline_kind kind, const char *data, size_t n)
{
	static const char letters[] = {[PKTLINE_DATA] = 'D',
				       [PKTLINE_FLUSH] = 'F',
				       [PKTLINE_DELIM] = 'I',
				       [PKTLINE_RESPONSE_END] = 'R'};
	struct heard *heard = arg;

	assert_int_equal(data[n], '\0');
	buf_putc(&heard->text, letters[kind]);
	if (kind == PKTLINE_DATA) {
		buf_printf(&heard->text, "%zu:", n);
		buf_add(&heard->text, data, n);
	}
	buf_putc(&heard->text, ' ');
	return heard->answer;
}

static int feed_in(const char *data, size_t n, size_t step, struct heard *heard)
{
	struct pktline_reader *reader = mem_alloc(sizeof(*reader));
	int r = 0;

	pktline_reader_init(reader, hear, heard);
	for (size_t at = 0; at < n && r >= 0; at += step)
		r = pktline_feed(reader, data + at,
				 n - at < step ? n - at : step);
	if (r >= 0)
		r = pktline_end(reader);
	free(reader);
	return r;
}

static void assert_heard(const char *data, size_t n, const char *expected)
{
	for (size_t step = 1; step <= n; step = step * 2 + 1) {
		struct heard heard = {.text = BUF_INIT(0)};

		assert_int_equal(feed_in(data, n, step, &heard), 0);
		assert_string_equal(heard.text.data, expected);
		buf_done(&heard.text);
	}
}

static void test_reads_every_kind(void **state)
{
	static const char stream[] = "0006a\n00000001000200040005x000AABCDEF";

	(void)state;
	assert_heard(stream, sizeof(stream) - 1,
		     "D2:a\n F I R D0: D1:x D6:ABCDEF ");
}

static void test_reads_the_longest(void **state)
{
	cleanup(buf_done) struct buf stream = BUF_INIT(0);
	cleanup(buf_done) struct buf expected = BUF_INIT(0);

	(void)state;
	buf_puts(&stream, "fff0");
	buf_printf(&expected, "D%d:", PKTLINE_MAX - 4);
	for (int i = 0; i < PKTLINE_MAX - 4; i++) {
		buf_putc(&stream, (char)i);
		buf_putc(&expected, (char)i);
	}
	buf_puts(&stream, "0000");
	buf_puts(&expected, " F ");
	for (size_t step = 1; step <= stream.len; step = step * 7 + 1) {
		struct heard heard = {.text = BUF_INIT(0)};

		assert_int_equal(feed_in(stream.data, stream.len, step, &heard),
				 0);
		assert_int_equal(heard.text.len, expected.len);
		assert_memory_equal(heard.text.data, expected.data,
				    expected.len);
		buf_done(&heard.text);
	}
}

static void test_a_callback_ends_it(void **state)
{
	struct heard heard = {.text = BUF_INIT(0), .answer = -EDQUOT};

	(void)state;
	assert_int_equal(feed_in("0005x0005y", 10, 10, &heard), -EDQUOT);
	assert_string_equal(heard.text.data, "D1:x ");
	buf_done(&heard.text);
}

static void test_writes(void **state)
{
	cleanup(buf_done) struct buf out = BUF_INIT(0);

	(void)state;
	assert_int_equal(pktline_put(&out, "want %s\n", "abc"), 0);
	assert_int_equal(pktline_delim(&out), 0);
	assert_int_equal(pktline_put(&out, "%s", ""), 0);
	assert_int_equal(pktline_flush(&out), 0);
	assert_string_equal(out.data, "000dwant abc\n0001"
				      "0004"
				      "0000");
	assert_heard(out.data, out.len, "D9:want abc\n I D0: F ");
}

static void test_writes_nothing_too_long(void **state)
{
	cleanup(buf_done) struct buf out = BUF_INIT(0);
	cleanup(free) char *text = mem_calloc(1, PKTLINE_MAX);

	(void)state;
	memset(text, 'x', PKTLINE_MAX - 4);
	assert_int_equal(pktline_put(&out, "%s", text), 0);
	assert_int_equal(out.len, PKTLINE_MAX);
	text[PKTLINE_MAX - 4] = 'x';
	text[PKTLINE_MAX - 3] = '\0';
	assert_int_equal(pktline_put(&out, "%s", text), -EMSGSIZE);
	assert_int_equal(out.len, PKTLINE_MAX);
	assert_int_equal(pktline_flush(&out), -EMSGSIZE);
}

static void test_writes_within_a_maximum(void **state)
{
	cleanup(buf_done) struct buf out = BUF_INIT(16);

	(void)state;
	assert_int_equal(pktline_put(&out, "12345678"), 0);
	assert_int_equal(pktline_put(&out, "12345678"), -EMSGSIZE);
	assert_string_equal(out.data, "000c12345678");
}

static void corpus_file(const char *name, const char *data, size_t n, bool ok)
{
	struct heard whole = {.text = BUF_INIT(0)};
	int r = feed_in(data, n, n ? n : 1, &whole);

	if (ok != (r == 0))
		fail_msg("%s: %d", name, r);
	for (size_t step = 1; step < n; step = step * 3 + 1) {
		struct heard part = {.text = BUF_INIT(0)};

		assert_int_equal(feed_in(data, n, step, &part), r);
		assert_int_equal(part.text.len, whole.text.len);
		buf_done(&part.text);
	}
	buf_done(&whole.text);
}

static void test_corpora(void **state)
{
	(void)state;
	assert_true(corpora_each("pktline/ok", NULL, corpus_file, true) > 0);
	assert_true(corpora_each("pktline/should-fail", NULL, corpus_file,
				 false) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reads_every_kind),
		cmocka_unit_test(test_reads_the_longest),
		cmocka_unit_test(test_a_callback_ends_it),
		cmocka_unit_test(test_writes),
		cmocka_unit_test(test_writes_nothing_too_long),
		cmocka_unit_test(test_writes_within_a_maximum),
		cmocka_unit_test(test_corpora),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
