/*
 * A process that is killed before the n-th call that changes what is on the
 * disk (tests/meson.build leads those calls through here).
 */
#ifndef TESTS_KILLED_H
#define TESTS_KILLED_H

#include "git-scratch.h"

static unsigned n_calls, kill_at, n_fsyncs;

static void count(void)
{
	if (++n_calls == kill_at)
		raise(SIGKILL);
}

int __real_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to)
{
	count();
	return __real_rename(from, to);
}

int __real_unlink(const char *path);
int __wrap_unlink(const char *path);
int __wrap_unlink(const char *path)
{
	count();
	return __real_unlink(path);
}

int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __wrap_fsync(int fd)
{
	count();
	n_fsyncs++;
	return __real_fsync(fd);
}

/* Before the n-th call. True: there was none such, and it did its work. */
static bool killed_at(const struct scratch *s, unsigned n,
		      bool (*does)(const struct scratch *))
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		n_calls = 0;
		kill_at = n;
		_exit(does(s) ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFSIGNALED(status)) {
		assert_int_equal(WTERMSIG(status), SIGKILL);
		return false;
	}
	assert_int_equal(status, 0);
	return true;
}

#endif
