/* tree/problems: lines, no repeats, a new generation past 1 MiB. */
#include "tree/problems.h"

#include "base/clock.h"
#include "base/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void a_line_says_what_where_why(void **state)
{
	struct problems *problems = problems_new();
	struct problems_stat stat;
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

static void the_same_again_is_one_line(void **state)
{
	struct problems *problems = problems_new();

	(void)state;
	clock_fake(1000000, 0);
	assert_true(problems_add(problems, "a", EIO, "x"));
	assert_false(problems_add(problems, "a", EIO, "x"));
	assert_true(problems_add(problems, "a", EACCES, "x"));
	clock_advance(11 * 1000);
	assert_true(problems_add(problems, "a", EIO, "x"));
	problems_free(problems);
	clock_real();
}

/* Lines until the generation is over; path: of the last one. */
static void fill_generation(struct problems *problems, uint64_t generation,
			    const char *sentence, char path[static 32])
{
	struct problems_stat stat;

	for (unsigned i = 0;; i++) {
		assert_int_equal(problems_stat(problems, 0, &stat), 0);
		if (stat.generation != generation)
			break;
		snprintf(path, 32, "p%u-%u", (unsigned)generation, i);
		assert_true(problems_add(problems, path, EIO, sentence));
	}
}

static void past_a_mebibyte_the_newest_hundred_stay(void **state)
{
	struct problems *problems = problems_new();
	struct buf tail = BUF_INIT(0);
	char sentence[1024], path[32];
	struct problems_stat stat, old;
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
		cmocka_unit_test(past_a_mebibyte_the_newest_hundred_stay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
