/*
 * base/program: another program, run beside this one.
 *
 * Owns the descriptors to it and its end: a group of its own, no terminal, no
 * descriptor of ours but the three pipes, signals as a program expects them.
 * Must never know what the programs say.
 *
 * posix_spawn, and no process that is forked before the threads and asked to
 * start others: the child shares our memory only until execve and runs nothing
 * of ours meanwhile, so no lock and no secret can go with it; we are the
 * parent, so a group is killed before its number can be another's, and there is
 * no second process to lose, with a protocol that passes descriptors.
 */
#ifndef BASE_PROGRAM_H
#define BASE_PROGRAM_H

#include "base/ctx.h"
#include "base/mem.h"

#include <sys/types.h>

struct program {
	pid_t pid; /* 0: none */
	/* Our ends, which do not block; -1: closed. */
	int in, out, err;
};
#define PROGRAM_NONE                           \
	{                                      \
		.in = -1, .out = -1, .err = -1 \
	}

/* argv[0] is found by PATH. 0, or -errno (-ENOENT: there is no such program).
 * Standard input is what is written to in: SIGPIPE has to be ignored. */
int program_start(const char *const *argv, char *const *envp,
		  struct program *ret_program);
/* Closes the pipes, waits for it up to patience_ms, then kills its group; its
 * status as of waitpid(2), -1: nobody knows. Nothing is left of it. */
int program_end(struct program *, int64_t patience_ms);

/* A copy of this process's environment without what is called `without` (a
 * final '*' is any rest; NULL-terminated), and with the `with` ("NAME=value").
 * Free it with program_environment_free. */
char **program_environment(const char *const *without, const char *const *with);
void program_environment_free(char **envp);
DEFINE_CLEANUP(char **, program_environment_free);

/* Runs it to its end, with that input (NULL: none), and gathers what it says
 * on both outputs; what is over their max is dropped. -ETIMEDOUT after
 * timeout_ms (its group was killed); -EINTR, -ETIMEDOUT as ctx_check; what
 * program_start says. */
int program_run(struct ctx *, const char *const *argv, char *const *envp,
		const char *input, int64_t timeout_ms, struct buf *out,
		struct buf *err, int *ret_status);

#endif
