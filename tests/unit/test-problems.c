/* model/problems: lines, no repeats, a new generation past 1 MiB. */
#include "model/problems.h"

#include "base/clock.h"
#include "base/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void a_line_says_what_where_why(void **state)
{
	struct problems *problems = problems_new();
	struct growing_stat stat;
	struct blob *blob = NULL;

	(void)state;
	clock_fake(1000000, 0);
	assert_true(problems_add(problems, "acme/a\tb", EACCES, "No\nscope."));
	assert_int_equal(problems_read(problems, 1, 0, 4096, &blob), 0);
	assert_string_equal(blob_data(blob),
			    "1970-01-01T00:00:00Z\tacme/a\\tb\tEACCES\t"
			    "No\\nscope.\n");
	assert_int_equal(problems_stat(problems, 0, &stat), 0);
	assert_int_equal(blob_len(blob), stat.size);
	assert_int_equal(stat.mtime_ms, clock_wall_ms());
	blob_unref(blob);
	problems_free(problems);
	clock_real();
}

static void expect_text(struct problems *problems, const char *want)
{
	struct growing_stat stat;
	struct blob *blob = NULL;

	assert_int_equal(problems_stat(problems, 0, &stat), 0);
	assert_int_equal(problems_read(problems, stat.generation, 0,
				       stat.size + 100, &blob),
			 0);
	assert_string_equal(blob_data(blob), want);
	assert_int_equal(blob_len(blob), stat.size);
	blob_unref(blob);
}

static void the_same_again_is_one_line(void **state)
{
	struct problems *problems = problems_new();

	(void)state;
	clock_fake(1000000, 0);
	assert_true(problems_add(problems, "a", EIO, "x"));
	assert_false(problems_add(problems, "a", EIO, "x"));
	/* The same of another place, and another word of the same place. */
	assert_false(problems_add(problems, "b", EIO, "x"));
	assert_false(problems_add(problems, "a", EIO, "y"));
	assert_true(problems_add(problems, "a", EACCES, "x"));
	clock_advance(11 * 1000);
	assert_true(problems_add(problems, "a", EIO, "x"));
	problems_free(problems);
	clock_real();
}

/* The path is what is told; but a hostile tree of them is no flood. */
static void what_is_left_out_is_told_by_its_path(void **state)
{
	struct problems *problems = problems_new();
	char path[16];

	(void)state;
	clock_fake(1000000, 0);
	for (int again = 0; again < 2; again++)
		for (int i = 0; i < 100; i++) {
			snprintf(path, sizeof(path), "p%d", i);
			assert_int_equal(problems_add(problems, path, EILSEQ,
						      "It is left out."),
					 !again && i < 16);
		}
	assert_true(problems_add(problems, "p", EILSEQ, "A duplicate."));
	problems_free(problems);
	clock_real();
}

static bool refused(struct problems *problems, int session, int n,
		    const char *when)
{
	char path[32], sentence[128];

	snprintf(path, sizeof(path), "r%d", n);
	snprintf(sentence, sizeof(sentence),
		 "rg (session %d) has caused %d requests; at %s (in %d s).",
		 session, 500 + n, when, 100 - n);
	return problems_add(problems, path, EDQUOT, sentence);
}

#define FIRST                                                          \
	"1970-01-01T00:00:00Z\tr0\tEDQUOT\trg (session 7) has caused " \
	"500 requests; at 08:00:00Z (in 100 s).\n"

/* What a walk is refused differs by its counts alone. */
static void repeats_are_summed_when_they_stop(void **state)
{
	struct problems *problems = problems_new();
	struct buf tail = BUF_INIT(0);

	(void)state;
	clock_fake(1000000, 0);
	assert_true(refused(problems, 7, 0, "08:00:00Z"));
	for (int i = 1; i < 100; i++) {
		assert_false(refused(problems, 7, i, "08:00:01Z"));
		clock_advance(100);
	}
	expect_text(problems, FIRST);
	/* Counted as they come, for who looks at the tail. */
	problems_tail(problems, 10, &tail);
	assert_non_null(strstr(tail.data,
			       "\tr99\tEDQUOT\t\u00d799 00:00:00-00:00:09 rg "
			       "(session 7) has caused 599 requests"));
	buf_done(&tail);
	clock_advance(11 * 1000);
	expect_text(problems,
		    FIRST "1970-01-01T00:00:09Z\tr99\tEDQUOT\t\u00d799 "
			  "00:00:00-00:00:09 rg (session 7) has caused 599 "
			  "requests; at 08:00:01Z (in 1 s).\n");
	/* It is over: the next is a first one; another session's is, too. */
	assert_true(refused(problems, 7, 3, "08:00:02Z"));
	assert_true(refused(problems, 8, 4, "08:00:02Z"));
	problems_free(problems);
	clock_real();
}

static void repeats_are_summed_after_a_minute(void **state)
{
	struct problems *problems = problems_new();
	struct buf tail = BUF_INIT(0);
	size_t n = 0;

	(void)state;
	clock_fake(1000000, 0);
	for (int i = 0; i < 130; i++) {
		refused(problems, 7, i % 90, "08:00:00Z");
		clock_advance(1000);
	}
	problems_tail(problems, 100, &tail);
	for (const char *at = tail.data; (at = strchr(at, '\n')); at++)
		n++;
	/* The first, two of a minute each, and what goes on. */
	assert_int_equal(n, 4);
	assert_non_null(strstr(tail.data, "\u00d760 00:00:01-00:01:00 "));
	buf_done(&tail);
	problems_free(problems);
	clock_real();
}

static void a_number_in_a_path_is_another_cause(void **state)
{
	struct problems *problems = problems_new();

	(void)state;
	assert_true(problems_add(problems, "7", EIO, "No /pulls/7/diff"));
	assert_true(problems_add(problems, "8", EIO, "No /pulls/8/diff"));
	assert_true(problems_add(problems, "n1", EIO, "There is no n-1."));
	assert_true(problems_add(problems, "n2", EIO, "There is no n-2."));
	problems_free(problems);
}

/* Lines until the generation is over; path: of the last one. */
static void fill_generation(struct problems *problems, uint64_t generation,
			    char *sentence, char path[static 32])
{
	struct growing_stat stat;

	for (unsigned i = 0;; i++) {
		assert_int_equal(problems_stat(problems, 0, &stat), 0);
		if (stat.generation != generation)
			break;
		snprintf(path, 32, "p%u-%u", (unsigned)generation, i);
		memset(sentence, 'x', 32);
		memcpy(sentence, path, strlen(path));
		assert_true(problems_add(problems, path, EIO, sentence));
	}
}

static void past_a_mebibyte_the_newest_hundred_stay(void **state)
{
	struct problems *problems = problems_new();
	struct buf tail = BUF_INIT(0);
	char sentence[1024], path[32];
	struct growing_stat stat, old;
	struct blob *blob = NULL;

	(void)state;
	log_to_stderr(LOG_LEVEL_ERROR);
	memset(sentence, 'x', sizeof(sentence) - 1);
	sentence[sizeof(sentence) - 1] = '\0';
	fill_generation(problems, 1, sentence, path);
	assert_int_equal(problems_stat(problems, 0, &stat), 0);
	assert_int_equal(stat.generation, 2);
	assert_true(stat.size < 110 * 1100);
	/* Who is in the middle of the old one finishes it, and sees that the
	 * new one is younger. */
	assert_int_equal(problems_stat(problems, 1, &old), 0);
	assert_true(old.size > MIB - 2000);
	assert_true(stat.mtime_ms >= old.mtime_ms + 1000);
	assert_int_equal(
		problems_read(problems, 1, (off_t)old.size - 10, 20, &blob), 0);
	assert_int_equal(blob_len(blob), 10);
	blob = blob_unref(blob);
	problems_tail(problems, 1, &tail);
	assert_non_null(strstr(tail.data, path));
	assert_int_equal(strchr(tail.data, '\n') + 1 - tail.data, tail.len);
	buf_done(&tail);
	fill_generation(problems, 2, sentence, path);
	assert_int_equal(problems_stat(problems, 1, &old), -ESTALE);
	assert_int_equal(problems_read(problems, 1, 0, 10, &blob), -ESTALE);
	problems_free(problems);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_says_what_where_why),
		cmocka_unit_test(the_same_again_is_one_line),
		cmocka_unit_test(what_is_left_out_is_told_by_its_path),
		cmocka_unit_test(repeats_are_summed_when_they_stop),
		cmocka_unit_test(repeats_are_summed_after_a_minute),
		cmocka_unit_test(a_number_in_a_path_is_another_cause),
		cmocka_unit_test(past_a_mebibyte_the_newest_hundred_stay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
