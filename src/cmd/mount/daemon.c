/*
 * cmd/mount/daemon: the parent waits at a pipe. A byte in it means ready; its
 * end without one means that the child is gone, and its exit status is ours.
 */
#include "cmd/mount/daemon.h"

#include "base/file.h"

#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static __attribute__((noreturn)) void wait_for_child(pid_t child, int fd)
{
	char byte;
	int status;
	ssize_t n;

	do
		n = read(fd, &byte, 1);
	while (n < 0 && errno == EINTR);
	if (n == 1)
		_exit(0);
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			_exit(1);
	if (WIFSIGNALED(status))
		dprintf(STDERR_FILENO,
			"bitbucketfs: the daemon was ended by signal %d "
			"before it had mounted\n",
			WTERMSIG(status));
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}

int daemon_fork(void)
{
	int pipes[2];
	pid_t child;

	if (pipe2(pipes, O_CLOEXEC))
		return -errno;
	fflush(NULL);
	child = fork();
	if (child < 0) {
		int r = -errno;

		file_close(pipes[0]);
		file_close(pipes[1]);
		return r;
	}
	if (child) {
		file_close(pipes[1]);
		wait_for_child(child, pipes[0]);
	}
	/* Closes what the starting program left open: it may wait until nobody
	 * has it open any more, for the whole life of the mount. */
	if (pipes[1] > STDERR_FILENO + 1)
		close_range(STDERR_FILENO + 1, (unsigned)pipes[1] - 1, 0);
	close_range((unsigned)pipes[1] + 1, ~0U, 0);
	return pipes[1];
}

void daemon_ready(int fd)
{
	int null;

	if (fd < 0)
		return;
	/* Only when the mount is ready: until then Ctrl-C at the terminal has
	 * to end this process. */
	setsid();
	/* From the directory of the start, which otherwise stays busy. */
	if (chdir("/"))
		return;
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null >= 0) {
		dup2(null, STDIN_FILENO);
		dup2(null, STDOUT_FILENO);
		dup2(null, STDERR_FILENO);
		if (null > STDERR_FILENO)
			file_close(null);
	}
	while (write(fd, "", 1) < 0 && errno == EINTR)
		;
	file_close(fd);
}

void daemon_forbid_dumps(void)
{
	const struct rlimit none = {0, 0};

	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_DUMPABLE, 0);
}

void daemon_harden(void)
{
	struct rlimit limit;

	signal(SIGPIPE, SIG_IGN);
	umask(077);
	if (!getrlimit(RLIMIT_NOFILE, &limit)) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	/*
	 * glibc gives each thread an arena of its own, and keeps what was
	 * freed: with hundreds of short-lived threads that is most of the
	 * memory. Large pieces come from mmap, so that they go back at once.
	 */
	mallopt(M_ARENA_MAX, 2);
	mallopt(M_TRIM_THRESHOLD, 256 * KIB);
	mallopt(M_MMAP_THRESHOLD, 256 * KIB);
}
