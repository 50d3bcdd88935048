/*
 * cmd/mount/daemon: going to the background, and what a process that holds a
 * secret for weeks does for its surroundings.
 *
 * Must never know what the daemon does.
 */
#ifndef CMD_DAEMON_H
#define CMD_DAEMON_H

#include "base/defs.h"

/*
 * Forks. In the child it returns the descriptor that daemon_ready wants; the
 * child keeps standard error (and Ctrl-C) until then. The parent waits: it ends
 * with 0 when the child is ready, else as the child ended. -errno if it could
 * not fork. Before any thread, curl or libgit2.
 */
int daemon_fork(void);
/* Lets the parent go, and the terminal with it. fd -1: nothing. */
void daemon_ready(int fd);

/* No core dumps and no ptrace by the same user, for this process and what it
 * forks. First of all: the environment may have a secret, and a
 * token_command's wait for a passphrase is when people press Ctrl-\. */
void daemon_forbid_dumps(void);
/* As many descriptors as the hard limit allows, umask 077, SIGPIPE off, and a
 * malloc that gives memory back. Before threads. */
void daemon_harden(void);

#endif
