/*
 * cmd/mount/daemon: what the starting process says of its child, and what a
 * process is like that went to the background or holds a secret.
 */
#include "cmd/mount/daemon.h"

#include "base/file.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static char dir[] = "/tmp/bitbucketfs-test-daemon-XXXXXX";
static char *report;

static int set_up(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	report = mem_asprintf("%s/report", dir);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	free(report);
	return file_remove_tree(dir);
}

static int status_of(pid_t child)
{
	int status;

	check(waitpid(child, &status, 0) == child);
	return status;
}

/* In the child of daemon_fork. */
static void is_ready(int fd)
{
	char cwd[64] = "";
	struct stat err, null;
	char *text;

	daemon_ready(fd);
	check(getcwd(cwd, sizeof(cwd)) != NULL);
	check(!fstat(STDERR_FILENO, &err) && !stat("/dev/null", &null));
	text = mem_asprintf("%s %s %s", getsid(0) == getpid() ? "session" : "-",
			    cwd, err.st_rdev == null.st_rdev ? "null" : "-");
	check(!file_write_atomic(report, 0600, text, strlen(text)));
	free(text);
}

static void fails(int fd)
{
	(void)fd;
	_exit(3);
}

static void crashes(int fd)
{
	(void)fd;
	kill(getpid(), SIGKILL);
}

/* The exit status of a process that starts a daemon which does that; what is
 * written to its standard error goes to *ret_said. */
static int start(void (*body)(int fd), struct buf *ret_said)
{
	int said[2];
	pid_t parent;
	char bytes[256];
	ssize_t n;

	check(!pipe(said));
	fflush(NULL);
	parent = fork();
	check(parent >= 0);
	if (!parent) {
		int fd;

		check(dup2(said[1], STDERR_FILENO) >= 0);
		close(said[0]);
		close(said[1]);
		/* What the starting program had open. */
		check(fcntl(STDIN_FILENO, F_DUPFD, 100) >= 0);
		fd = daemon_fork();
		check(fd > STDERR_FILENO);
		check(fcntl(100, F_GETFD) < 0);
		body(fd);
		_exit(0);
	}
	close(said[1]);
	while ((n = read(said[0], bytes, sizeof(bytes))) > 0)
		buf_add(ret_said, bytes, (size_t)n);
	close(said[0]);
	return status_of(parent);
}

static void a_daemon_that_is_ready_lets_go(void **state)
{
	cleanup(buf_done) struct buf said = BUF_INIT(0);
	cleanup(buf_done) struct buf found = BUF_INIT(0);
	int status = start(is_ready, &said);

	(void)state;
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_int_equal(said.len, 0);
	/* It goes on after it let go. */
	while (file_read(report, 256, &found) == -ENOENT)
		sched_yield();
	assert_string_equal(found.data, "session / null");
}

static void one_that_fails_says_how(void **state)
{
	cleanup(buf_done) struct buf said = BUF_INIT(0);
	int status = start(fails, &said);

	(void)state;
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 3);
	assert_int_equal(said.len, 0);
}

static void one_that_crashes_is_named(void **state)
{
	cleanup(buf_done) struct buf said = BUF_INIT(0);
	int status = start(crashes, &said);

	(void)state;
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 1);
	assert_non_null(said.data);
	assert_non_null(strstr(said.data, "ended by signal 9"));
}

static void be_hard(void)
{
	struct rlimit core, files;

	daemon_forbid_dumps();
	daemon_harden();
	check(!getrlimit(RLIMIT_CORE, &core) && core.rlim_max == 0);
	check(!getrlimit(RLIMIT_NOFILE, &files) &&
	      files.rlim_cur == files.rlim_max);
	check(prctl(PR_GET_DUMPABLE) == 0);
	check(umask(0) == 077);
	check(signal(SIGPIPE, SIG_DFL) == SIG_IGN);
}

static void a_secret_is_kept_from_neighbours(void **state)
{
	pid_t child;
	int status;

	(void)state;
	fflush(NULL);
	child = fork();
	check(child >= 0);
	if (!child) {
		be_hard();
		_exit(0);
	}
	status = status_of(child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_daemon_that_is_ready_lets_go),
		cmocka_unit_test(one_that_fails_says_how),
		cmocka_unit_test(one_that_crashes_is_named),
		cmocka_unit_test(a_secret_is_kept_from_neighbours),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
