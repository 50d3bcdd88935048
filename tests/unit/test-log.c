/*
 * base/log: one line a message, and no secret in it.
 */
#include "base/clock.h"
#include "base/ctx.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/sync.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define MARK "\xe2\x80\xa6"

/* stderr goes into a file meanwhile; at the end it is read back. */
static int saved = -1, file = -1;

static void capture(void)
{
	char name[] = "/tmp/test-log-XXXXXX";

	fflush(stderr);
	file = mkostemp(name, O_CLOEXEC);
	assert_true(file >= 0);
	unlink(name);
	/* As a log file is opened: writers of several threads do not overwrite
	 * each other. */
	assert_int_equal(fcntl(file, F_SETFL, O_APPEND), 0);
	saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	assert_true(dup2(file, STDERR_FILENO) >= 0);
}

static char *captured(void)
{
	struct buf b = BUF_INIT(0);
	char piece[4096];
	ssize_t n;

	dup2(saved, STDERR_FILENO);
	close(saved);
	assert_int_equal(lseek(file, 0, SEEK_SET), 0);
	while ((n = read(file, piece, sizeof(piece))) > 0)
		buf_add(&b, piece, (size_t)n);
	close(file);
	return buf_steal(&b, NULL);
}

static void levels_and_prefixes(void **state)
{
	(void)state;
	capture();
	log_error("one %d", 1);
	log_warn("two");
	log_info("three");
	log_debug("not yet");
	log_to_stderr(LOG_LEVEL_DEBUG);
	log_debug("four");
	log_to_stderr(LOG_LEVEL_WARN);
	log_info("no more");
	log_warn("five");
	log_to_stderr(LOG_LEVEL_ERROR);
	log_warn("nor this");
	log_to_stderr(LOG_LEVEL_INFO);
	cleanup(free) char *text = captured();
	assert_string_equal(text, "bitbucketfs: one 1\n"
				  "bitbucketfs: two\n"
				  "three\n"
				  "four\n"
				  "bitbucketfs: five\n");
}

/* -f, log_file: when, and how badly. */
static void a_log_has_time_and_level(void **state)
{
	(void)state;
	capture();
	clock_fake(0, 1793437263000);
	log_to_fd(STDERR_FILENO, LOG_LEVEL_DEBUG);
	log_error("one");
	log_warn("two\nlines");
	log_info("three");
	clock_advance(1000);
	log_debug("four");
	clock_real();
	log_to_stderr(LOG_LEVEL_INFO);
	cleanup(free) char *text = captured();
	assert_string_equal(text, "2026-10-31T09:01:03Z error: one\n"
				  "2026-10-31T09:01:03Z warning: two lines\n"
				  "2026-10-31T09:01:03Z info: three\n"
				  "2026-10-31T09:01:04Z debug: four\n");
}

/* It has the time; how badly is for it to take off. */
static void the_journal_is_told_the_level(void **state)
{
	(void)state;
	cleanup(free) char *name = NULL;
	struct stat st;

	assert_string_equal(log_mark(LOG_LEVEL_ERROR), "");
	capture();
	assert_int_equal(fstat(STDERR_FILENO, &st), 0);
	name = mem_asprintf("%ju:%ju", (uintmax_t)st.st_dev,
			    (uintmax_t)st.st_ino);
	setenv("JOURNAL_STREAM", name, 1);
	assert_string_equal(log_mark(LOG_LEVEL_ERROR), "<3>");
	log_error("one");
	log_to_fd(STDERR_FILENO, LOG_LEVEL_DEBUG);
	log_warn("two\nlines");
	log_info("three");
	log_debug("four");
	log_to_stderr(LOG_LEVEL_INFO);
	cleanup(free) char *text = captured();
	assert_string_equal(text, "<3>one\n<4>two lines\n<6>three\n<7>four\n");
	/* A terminal below a service. */
	assert_string_equal(log_mark(LOG_LEVEL_ERROR), "");
	unsetenv("JOURNAL_STREAM");
}

static void one_line_each(void **state)
{
	(void)state;
	cleanup(free) char *much = mem_alloc(10001);

	memset(much, 'x', 10000);
	much[10000] = '\0';
	capture();
	log_info("a\nbitbucketfs: b\r\x1b[1m\tc\n\n");
	log_info("%s", much);
	log_info("%s", "");
	/* A character is not cut in two. */
	for (size_t i = 0; i + 2 < 10000; i += 2)
		memcpy(much + i, "\xc3\xa9", 2);
	log_info("x%s", much);
	cleanup(free) char *text = captured();
	const char *line = "a bitbucketfs: b \\x1b[1m c\n";
	assert_memory_equal(text, line, strlen(line));
	char *second = text + strlen(line), *third = strchr(second, '\n') + 1;
	assert_int_equal(third - second, 4096 + 1);
	assert_memory_equal(third - 5, "x" MARK "\n", 5);
	assert_int_equal(*third, '\n');
	char *end = strchr(third + 1, '\n');
	assert_int_equal(end[1], '\0');
	assert_memory_equal(end - 5, "\xc3\xa9" MARK, 5);
}

static void keeps_errno(void **state)
{
	(void)state;
	capture();
	errno = ENOTTY;
	log_info("x");
	int after = errno;
	cleanup(free) char *text = captured();
	assert_int_equal(after, ENOTTY);
	assert_string_equal(text, "x\n");
}

static void expect_clean(const char *text, const char *want)
{
	cleanup(free) char *copy = mem_strdup(text);

	log_clean(copy);
	assert_string_equal(copy, want);
}

static void replaces_secrets(void **state)
{
	(void)state;
	log_redact("s3cr3t");
	log_redact("s3cr3t-and-more");
	log_redact("more-of-it");
	log_redact("abc");
	log_redact("");
	log_redact(NULL);
	log_redact("s3cr3t");
	expect_clean("", "");
	expect_clean("nothing of it", "nothing of it");
	expect_clean("s3cr3t", MARK);
	expect_clean("x s3cr3t y s3cr3t", "x " MARK " y " MARK);
	expect_clean("s3cr3ts3cr3t", MARK MARK);
	/* The longer one wins, and what two cover goes wholly. */
	expect_clean("s3cr3t-and-more!", MARK "!");
	expect_clean("s3cr3t-and-more-of-it!", MARK "!");
	expect_clean("s3cr3t-and-mor", MARK "-and-mor");
	expect_clean("s3cr3", "s3cr3");
	/* Too short for a secret. */
	expect_clean("abc", "abc");

	capture();
	log_error("token %s is wrong", "s3cr3t");
	cleanup(free) char *much = mem_alloc(10000);
	memset(much, 'x', 9999);
	much[9999] = '\0';
	/* Across the end of the longest line. */
	memcpy(much + 4090, "s3cr3t", 6);
	log_info("%s", much);
	cleanup(free) char *text = captured();
	const char *first = "bitbucketfs: token " MARK " is wrong\n";
	assert_memory_equal(text, first, strlen(first));
	assert_null(strstr(text, "s3c"));
}

static void later_secrets_take_turns(void **state)
{
	(void)state;
	/* Three are there already. */
	for (int i = 3; i < 100; i++) {
		char secret[32];
		snprintf(secret, sizeof(secret), "<token %d>", i);
		log_redact(secret);
		expect_clean(secret, MARK);
	}
	expect_clean("s3cr3t", MARK);
	expect_clean("<token 7>", MARK);
	expect_clean("<token 99>", MARK);
	expect_clean("<token 44>", MARK);
	expect_clean("<token 43>", "<token 43>");
}

#define N_THREADS 4
#define N_LINES 500

static void talk(void *arg)
{
	const char *who = arg;

	for (int i = 0; i < N_LINES; i++) {
		/* Not more than there is room for. */
		char secret[32];
		snprintf(secret, sizeof(secret), "(secret %s %d)", who, i % 10);
		log_redact(secret);
		log_info("%s says %s and %s", who, secret, "s3cr3t");
	}
}

/* A failure is told with the line of its birth, at debug level alone. */
static void failures_say_where(void **state)
{
	(void)state;
	cleanup(ctx_done) struct ctx ctx;
	int at, r;

	log_redact("born-secret");
	ctx_init(&ctx, NULL, -1);
	capture();
	ctx_fail(&ctx, -EIO, "Not told.");
	log_to_stderr(LOG_LEVEL_DEBUG);
	at = __LINE__ + 1;
	r = ctx_fail(&ctx, -EACCES, "born-secret is 100%% wrong");
	log_to_stderr(LOG_LEVEL_INFO);
	cleanup(free) char *text = captured();
	cleanup(free) char *line = mem_asprintf(
		"tests/unit/test-log.c:%d: errno %d: " MARK " is 100%% wrong\n",
		at, EACCES);
	assert_int_equal(r, -EACCES);
	/* Where the sources are, seen from the build: not of a test. */
	assert_non_null(strstr(text, "tests/unit/"));
	assert_string_equal(strstr(text, "tests/unit/"), line);
}

static void many_threads(void **state)
{
	(void)state;
	static char names[N_THREADS][2] = {"a", "b", "c", "d"};
	struct thread *threads[N_THREADS];
	size_t n_lines = 0;

	capture();
	for (size_t i = 0; i < N_THREADS; i++)
		assert_int_equal(
			thread_start("talk", talk, names[i], &threads[i]), 0);
	for (size_t i = 0; i < N_THREADS; i++)
		thread_join(threads[i]);
	cleanup(free) char *text = captured();
	for (char *line = text, *end; *line; line = end + 1) {
		end = strchr(line, '\n');
		assert_non_null(end);
		assert_in_range(line[0], 'a', 'd');
		const char *rest = " says " MARK " and " MARK "\n";
		assert_memory_equal(line + 1, rest, strlen(rest));
		n_lines++;
	}
	assert_int_equal(n_lines, N_THREADS * N_LINES);
}

/* The last one: the others' secrets go, too. */
static void what_is_forgotten(void **state)
{
	(void)state;
	log_redact("s3cr3t");
	expect_clean("s3cr3t", MARK);
	log_forget();
	expect_clean("s3cr3t", "s3cr3t");
	log_redact("another one");
	expect_clean("s3cr3t, another one", "s3cr3t, " MARK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(levels_and_prefixes),
		cmocka_unit_test(a_log_has_time_and_level),
		cmocka_unit_test(the_journal_is_told_the_level),
		cmocka_unit_test(one_line_each),
		cmocka_unit_test(keeps_errno),
		cmocka_unit_test(replaces_secrets),
		cmocka_unit_test(later_secrets_take_turns),
		cmocka_unit_test(failures_say_where),
		cmocka_unit_test(many_threads),
		cmocka_unit_test(what_is_forgotten),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
