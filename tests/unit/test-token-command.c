/*
 * The line of token_command as an argument vector, what a program's output must
 * be, and which secret is given after a refusal.
 */
#include "setup/token_command.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cmocka.h>

static void test_split(void **state)
{
	static const struct {
		const char *text, *words; /* each in <> */
	} good[] = {
		{"pass show bitbucket", "<pass><show><bitbucket>"},
		{" \tpass  show\t", "<pass><show>"},
		{"a 'b c' \"d e\"", "<a><b c><d e>"},
		{"a b' 'c\"d\"", "<a><b cd>"},
		{"a '' \"\"", "<a><><>"},
		{"a '\\' b\\ c \\'d", "<a><\\><b c><'d>"},
		{"a \"\\\"\\\\\\n\"", "<a><\"\\\\n>"},
		{"a $HOME;`b`*|c>d", "<a><$HOME;`b`*|c>d>"},
		{"/bin/a", "</bin/a>"},
	};
	static const struct {
		const char *text, *why;
	} bad[] = {
		{"", "names no program"},
		{"  ", "names no program"},
		{"'' a", "names no program"},
		{"a 'b", "not closed"},
		{"a \"b\\\"", "not closed"},
		{"a b\\", "ends with a backslash"},
		{"./a", "relative path"},
		{"b/a", "relative path"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		cleanup(token_command_free) char **argv = NULL;
		cleanup(buf_done) struct buf words = BUF_INIT(0);

		assert_null(token_command_split(good[i].text, &argv));
		for (char **word = argv; *word; word++)
			buf_printf(&words, "<%s>", *word);
		assert_string_equal(words.data, good[i].words);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		char **argv;
		const char *why = token_command_split(bad[i].text, &argv);

		assert_non_null(why);
		assert_non_null(strstr(why, bad[i].why));
	}
}

/* What a script prints, or the sentence. */
static char *run(const char *script, bool at_start, int64_t timeout_ms)
{
	char *const argv[] = {(char[]){"sh"}, (char[]){"-c"},
			      mem_strdup(script), NULL};
	cleanup(ctx_done) struct ctx ctx;
	char *secret = NULL;
	int r;

	ctx_init(&ctx, NULL, -1);
	r = token_command_run(&ctx, argv, at_start, timeout_ms, &secret);
	free(argv[2]);
	if (!r)
		return secret;
	assert_int_equal(r, -EACCES);
	assert_null(secret);
	assert_null(strstr(ctx.sentence, "hunter"));
	return mem_strdup(ctx.sentence);
}

static void expect(const char *script, const char *want)
{
	for (int at_start = 0; at_start < 2; at_start++) {
		cleanup(free) char *is =
			run(script, at_start, TOKEN_COMMAND_MS);

		assert_string_equal(is, want);
	}
}

static void test_output(void **state)
{
	(void)state;
	expect("echo hunter2", "hunter2");
	expect("printf 'a b '", "a b ");
	expect("printf 'hunter2\\nhunter3\\n'",
	       "token_command: sh printed more than one line: the secret is to "
	       "be alone.");
	expect("printf 'hunter2\\n\\n'",
	       "token_command: sh printed more than one line: the secret is to "
	       "be alone.");
	expect("printf 'hunter2\\r\\n'",
	       "token_command: sh printed a control character.");
	expect("printf 'hunter2\\000'",
	       "token_command: sh printed a control character.");
	expect(":", "token_command: sh printed nothing.");
	expect("echo", "token_command: sh printed nothing.");
	expect("head -c 65537 /dev/zero | tr '\\0' x",
	       "token_command: sh printed more than 64 KiB.");
	expect("exec yes", "token_command: sh printed more than 64 KiB.");
	expect("echo hunter2; exit 3",
	       "token_command: sh ended with status 3.");
	expect("echo hunter2; kill -9 $$",
	       "token_command: sh was ended by signal 9.");
}

static void test_largest(void **state)
{
	cleanup(free) char *secret =
		run("head -c 65536 /dev/zero | tr '\\0' x; echo", false, 60000);

	(void)state;
	assert_int_equal(strlen(secret), 65536);
}

static void test_no_such_program(void **state)
{
	char *const argv[] = {(char[]){"no-such-program"}, NULL};
	cleanup(ctx_done) struct ctx ctx;
	char *secret = NULL;

	(void)state;
	ctx_init(&ctx, NULL, -1);
	assert_int_equal(token_command_run(&ctx, argv, true, 1000, &secret),
			 -EACCES);
	assert_string_equal(ctx.sentence,
			    "token_command: no-such-program cannot be run: No "
			    "such file or directory.");
}

static pid_t written(const char *path)
{
	cleanup(buf_done) struct buf text = BUF_INIT(64);
	uint64_t pid;

	assert_int_equal(file_read(path, 64, &text), 0);
	buf_puts(&text, "");
	text.data[strcspn(text.data, "\n")] = 0;
	assert_int_equal(text_parse_u64(text.data, INT32_MAX, &pid), 0);
	return (pid_t)pid;
}

static bool is_gone(pid_t pid)
{
	cleanup(free) char *stat = NULL;
	cleanup(buf_done) struct buf text = BUF_INIT(4096);

	stat = mem_asprintf("/proc/%d/stat", (int)pid);
	/* A zombie is one whose parent, init, is slow. */
	return file_read(stat, 4096, &text) != 0 ||
	       strstr(text.data, ") Z ") != NULL;
}

/* As who asks at a terminal from the background: nobody would go on with it. */
static void test_stopped(void **state)
{
	int64_t before = clock_mono_ms();

	(void)state;
	expect("echo hunter2; kill -STOP $$",
	       "token_command: sh was stopped, as a program is that asks at a "
	       "terminal from the background: run this in the foreground.");
	assert_true(clock_mono_ms() - before < TOKEN_COMMAND_MS / 2);
}

/* With what it started; what ended by itself leaves its own alone. */
static void test_hangs(void **state)
{
	char dir[] = "/tmp/test-token-command-XXXXXX";
	cleanup(free) char *path = NULL, *script = NULL;
	int64_t before = clock_mono_ms();

	(void)state;
	assert_non_null(mkdtemp(dir));
	path = mem_asprintf("%s/pid", dir);
	script = mem_asprintf("sleep 600 & echo $! >%s; echo hunter2; wait",
			      path);
	for (int at_start = 0; at_start < 2; at_start++) {
		cleanup(free) char *is = run(script, at_start, 1000);

		assert_string_equal(is,
				    "token_command: sh had not ended after 1 "
				    "seconds, and was killed.");
		while (!is_gone(written(path)))
			usleep(1000);
	}
	free(script);
	script = mem_asprintf("sleep 600 & echo $! >%s; echo hunter2", path);
	for (int at_start = 0; at_start < 2; at_start++) {
		cleanup(free) char *is = run(script, at_start, 60000);

		assert_string_equal(is, "hunter2");
		assert_false(is_gone(written(path)));
		kill(written(path), SIGKILL);
	}
	assert_true(clock_mono_ms() - before < 30000);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(dir), 0);
}

static void test_cancelled(void **state)
{
	char *const argv[] = {(char[]){"sleep"}, (char[]){"600"}, NULL};
	cleanup(ctx_done) struct ctx ctx;
	char *secret = NULL;

	(void)state;
	ctx_init(&ctx, NULL, -1);
	ctx_cancel(&ctx);
	assert_int_equal(token_command_run(&ctx, argv, false, 60000, &secret),
			 -EINTR);
}

/* Descriptors, signals, standard input. */
static void test_what_it_inherits(void **state)
{
	cleanup(free) char *fds = NULL, *input = NULL, *signals = NULL;
	int leak = open("/dev/null", O_RDONLY);

	(void)state;
	assert_true(leak > 2);
	signal(SIGPIPE, SIG_IGN);
	fds = run("for f in 3 4 5 6 7 8 9; do "
		  "[ -e /proc/$$/fd/$f ] && printf $f; done; echo .",
		  true, 60000);
	assert_string_equal(fds, ".");
	input = run("readlink /proc/$$/fd/0 /proc/$$/fd/2 | tr '\\n' ' '",
		    false, 60000);
	assert_string_equal(input, "/dev/null /dev/null ");
	signals = run("kill -PIPE $$; echo ignored", true, 60000);
	assert_string_equal(signals,
			    "token_command: sh was ended by signal 13.");
	signal(SIGPIPE, SIG_DFL);
	close(leak);
}

static void expect_token(struct credential_source *source, const char *want,
			 uint64_t version)
{
	cleanup(credential_secret_done) struct credential_secret is = {0};
	cleanup(ctx_done) struct ctx ctx;

	ctx_init(&ctx, NULL, -1);
	assert_int_equal(source->get(source->arg, &ctx, &is), 0);
	assert_string_equal(is.email, "ada@example.com");
	assert_null(is.username);
	assert_string_equal(is.token, want);
	assert_int_equal(is.version, version);
}

static void print_next(const char *path, const char *token)
{
	assert_int_equal(file_write_atomic(path, 0600, token, strlen(token)),
			 0);
}

static void test_source(void **state)
{
	char dir[] = "/tmp/test-token-command-XXXXXX";
	cleanup(free) char *path = NULL, *command = NULL;
	struct credential_source source;
	cleanup(ctx_done) struct ctx ctx;

	(void)state;
	assert_non_null(mkdtemp(dir));
	path = mem_asprintf("%s/token", dir);
	command = mem_asprintf("cat '%s'", path);
	ctx_init(&ctx, NULL, -1);
	assert_int_equal(token_source_new(&ctx, "ada@example.com", NULL,
					  command, &source),
			 -EACCES);
	print_next(path, "first");
	assert_int_equal(token_source_new(&ctx, "ada@example.com", NULL,
					  command, &source),
			 0);
	expect_token(&source, "first", 1);
	/* Refused, and the same again: no other. */
	assert_int_equal(source.renew(source.arg, &ctx, 1), 0);
	expect_token(&source, "first", 1);
	print_next(path, "second\n");
	expect_token(&source, "first", 1);
	assert_int_equal(source.renew(source.arg, &ctx, 1), 0);
	expect_token(&source, "second", 2);
	/* Who was refused with the first comes late: nothing is run. */
	print_next(path, "third");
	assert_int_equal(source.renew(source.arg, &ctx, 1), 0);
	expect_token(&source, "second", 2);
	/* What was refused before is not tried for a new one. */
	print_next(path, "first");
	assert_int_equal(source.renew(source.arg, &ctx, 2), 0);
	expect_token(&source, "second", 2);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(source.renew(source.arg, &ctx, 2), -EACCES);
	assert_string_equal(ctx.sentence,
			    "token_command: cat ended with status 1.");
	expect_token(&source, "second", 2);
	source.free(source.arg);
	assert_int_equal(rmdir(dir), 0);
}

/* At one the program would be of our process group, and what it leaves behind
 * would not be killed. */
static void leave_terminal(void)
{
	int fd = open("/dev/tty", O_RDWR);

	if (fd < 0)
		return;
	ioctl(fd, TIOCNOTTY);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_split),
		cmocka_unit_test(test_output),
		cmocka_unit_test(test_largest),
		cmocka_unit_test(test_no_such_program),
		cmocka_unit_test(test_stopped),
		cmocka_unit_test(test_hangs),
		cmocka_unit_test(test_cancelled),
		cmocka_unit_test(test_what_it_inherits),
		cmocka_unit_test(test_source),
	};

	leave_terminal();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
