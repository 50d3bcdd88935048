/*
 * A child process that does something, says so, and stays until it is let go.
 */
#ifndef TESTS_CHILD_H
#define TESTS_CHILD_H

#include "base/defs.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

struct child {
	pid_t pid;
	int to, from;
};

/* In the child: it is ready; returns when it is let go. */
__attribute__((unused)) static void child_wait(int in, int out)
{
	char byte;

	check(write(out, "", 1) == 1);
	check(read(in, &byte, 1) >= 0);
}

/* Returns when the child is ready. body runs in it, with what child_wait wants.
 */
__attribute__((unused)) static struct child
child_start(void (*body)(void *arg, int in, int out), void *arg)
{
	int to[2], from[2];
	struct child c;
	char byte;

	check(!pipe(to) && !pipe(from));
	fflush(NULL);
	c.pid = fork();
	check(c.pid >= 0);
	if (!c.pid) {
		close(to[1]);
		close(from[0]);
		body(arg, to[0], from[1]);
		_exit(0);
	}
	close(to[0]);
	close(from[1]);
	c.to = to[1];
	c.from = from[0];
	check(read(c.from, &byte, 1) == 1);
	return c;
}

/* Lets it go, and waits until it is ready once more. */
__attribute__((unused)) static void child_step(struct child *c)
{
	char byte;

	check(write(c->to, "", 1) == 1);
	check(read(c->from, &byte, 1) == 1);
}

__attribute__((unused)) static void child_end(struct child *c)
{
	close(c->to);
	close(c->from);
	kill(c->pid, SIGKILL);
	check(waitpid(c->pid, NULL, 0) == c->pid);
}

#endif
