/*
 * cmd/command, cmd/mount/verdict: what is said on standard error, and that a
 * terminal waits for a verdict and for nothing else.
 */
#include "cmd/command.h"
#include "cmd/mount/verdict.h"

#include "base/log.h"

#include <pty.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* Standard error leads to `write` until it is put back. */
struct ear {
	int read, saved;
};

static struct ear listen_at(int read_end, int write_end)
{
	struct ear ear = {read_end, dup(STDERR_FILENO)};

	fflush(stderr);
	check(ear.saved >= 0 && dup2(write_end, STDERR_FILENO) >= 0);
	close(write_end);
	return ear;
}

/* All that was said. The write end is closed by it. */
static char *heard(struct ear *ear)
{
	char text[4096];
	ssize_t n, all = 0;

	fflush(stderr);
	check(dup2(ear->saved, STDERR_FILENO) >= 0);
	close(ear->saved);
	/* A terminal that has hung up is EIO. */
	while ((n = read(ear->read, text + all,
			 sizeof(text) - 1 - (size_t)all)) > 0)
		all += n;
	close(ear->read);
	text[all] = '\0';
	return mem_strdup(text);
}

static struct ear listen_to_pipe(void)
{
	int fds[2];

	check(!pipe(fds));
	return listen_at(fds[0], fds[1]);
}

static struct ear listen_to_terminal(void)
{
	int master, slave;

	check(!openpty(&master, &slave, NULL, NULL, NULL));
	return listen_at(master, slave);
}

static void a_sentence_is_clean(void **state)
{
	struct ear ear = listen_to_pipe();
	cleanup(free) char *text = NULL;

	(void)state;
	log_redact("s3cret-token");
	command_say("the service\nsays \033[2J of s3cret-token %d", 7);
	text = heard(&ear);
	assert_string_equal(text, "bitbucketfs: the service\\x0asays \\x1b[2J "
				  "of \xe2\x80\xa6 7\n");
}

static void wrong_usage_is_said_and_returned(void **state)
{
	struct ear ear = listen_to_pipe();
	cleanup(free) char *text = NULL;

	(void)state;
	assert_int_equal(command_usage("no such option: %s", "-x"),
			 COMMAND_USAGE);
	text = heard(&ear);
	assert_non_null(strstr(text, "bitbucketfs: no such option: -x"));
}

/* ---- the verdict ---- */

struct leaving {
	struct mutex lock;
	struct cond changed;
	unsigned n under_lock;
};

static void leave(void *arg)
{
	struct leaving *l = arg;

	mutex_lock(&l->lock);
	l->n++;
	cond_broadcast(&l->changed);
	mutex_unlock(&l->lock);
}

static unsigned n_left(struct leaving *l)
{
	unsigned n;

	mutex_lock(&l->lock);
	n = l->n;
	mutex_unlock(&l->lock);
	return n;
}

static void leaving_init(struct leaving *l)
{
	*l = (struct leaving){.n = 0};
	mutex_init(&l->lock);
	cond_init(&l->changed);
}

static void leaving_done(struct leaving *l)
{
	cond_done(&l->changed);
	mutex_done(&l->lock);
}

static void who_does_not_wait_leaves_at_once(void **state)
{
	for (int awaited = 0; awaited < 2; awaited++) {
		/* Awaited, but nobody looks at a pipe; a terminal, but nothing
		 * is awaited. */
		struct ear ear = awaited ? listen_to_pipe()
					 : listen_to_terminal();
		cleanup(free) char *text = NULL;
		struct leaving l;
		struct verdict v;

		(void)state;
		leaving_init(&l);
		verdict_init(&v);
		verdict_await(&v, awaited, leave, &l);
		assert_int_equal(n_left(&l), 1);
		verdict_say(&v, -EACCES, "It is wrong.");
		verdict_done(&v);
		assert_int_equal(n_left(&l), 1);
		text = heard(&ear);
		assert_string_equal(text, "");
		leaving_done(&l);
	}
}

static void a_terminal_is_told_the_verdict(void **state)
{
	static const struct {
		int errnum;
		const char *sentence, *said;
	} cases[] = {
		{-EACCES, "It is wrong.",
		 "bitbucketfs: mounted, from the cache: It is wrong.\r\n"},
		{0, NULL, ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct ear ear = listen_to_terminal();
		cleanup(free) char *text = NULL;
		struct leaving l;
		struct verdict v;

		leaving_init(&l);
		verdict_init(&v);
		verdict_await(&v, true, leave, &l);
		verdict_say(&v, cases[i].errnum, cases[i].sentence);
		/* Only the first counts. */
		verdict_say(&v, -EIO, "Another one.");
		mutex_lock(&l.lock);
		while (!l.n)
			cond_wait(&l.changed, &l.lock);
		mutex_unlock(&l.lock);
		verdict_done(&v);
		assert_int_equal(n_left(&l), 1);
		text = heard(&ear);
		assert_string_equal(text, cases[i].said);
		leaving_done(&l);
	}
}

/* The mount ends before the check does. */
static void the_end_is_a_verdict(void **state)
{
	struct ear ear = listen_to_terminal();
	cleanup(free) char *text = NULL;
	struct leaving l;
	struct verdict v;

	(void)state;
	leaving_init(&l);
	verdict_init(&v);
	verdict_await(&v, true, leave, &l);
	verdict_done(&v);
	assert_int_equal(n_left(&l), 1);
	text = heard(&ear);
	assert_string_equal(text, "");
	leaving_done(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_sentence_is_clean),
		cmocka_unit_test(wrong_usage_is_said_and_returned),
		cmocka_unit_test(who_does_not_wait_leaves_at_once),
		cmocka_unit_test(a_terminal_is_told_the_verdict),
		cmocka_unit_test(the_end_is_a_verdict),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
