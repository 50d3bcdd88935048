/*
 * setup/token_command: from the line of the configuration to the line that
 * the program printed.
 */
#include "setup/token_command.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* So long a cancelled ctx goes unseen. */
#define TICK_MS 100

/* ---- the argument vector ---- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Adds one word; NULL or what is wrong. */
static const char *read_word(const char **at, struct buf *word)
{
	const char *p = *at;
	char quote = 0;

	for (; *p && (quote || !is_blank(*p)); p++) {
		bool escapes = *p == '\\' &&
			       (!quote || (quote == '"' &&
					   (p[1] == '"' || p[1] == '\\')));

		if (escapes && !p[1])
			return "ends with a backslash";
		if (escapes)
			buf_putc(word, *++p);
		else if (!quote && (*p == '"' || *p == '\''))
			quote = *p;
		else if (quote && *p == quote)
			quote = 0;
		else
			buf_putc(word, *p);
	}
	*at = p;
	return quote ? "has a quote that is not closed" : NULL;
}

const char *token_command_split(const char *text, char ***ret_argv)
{
	cleanup(token_command_free) char **argv =
		mem_calloc(strlen(text) / 2 + 2, sizeof(*argv));
	const char *why;

	for (size_t n = 0; text += strspn(text, " \t"), *text; n++) {
		struct buf word = BUF_INIT(0);

		why = read_word(&text, &word);
		buf_puts(&word, "");
		argv[n] = buf_steal(&word, NULL);
		if (why)
			return why;
	}
	if (!argv[0] || !*argv[0])
		return "names no program";
	if (*argv[0] != '/' && strchr(argv[0], '/'))
		return "names its program by a relative path: write an "
		       "absolute one, or a name that PATH finds";
	*ret_argv = steal(&argv);
	return NULL;
}

void token_command_free(char **argv)
{
	for (char **word = argv; word && *word; word++)
		free(*word);
	free(argv);
}

/* ---- the program ---- */

struct running {
	pid_t pid;
	int out, pidfd; /* -1: ended */
	bool is_apart;  /* in a process group of its own */
	char *bytes;
	size_t n;
};

/* Whether the terminal listens to us, and so to what is of our process group,
 * which Ctrl-C and Ctrl-Z are then for, too. In another group the program would
 * be stopped when it asks: what is typed would go to the shell. */
static bool is_at_terminal(void)
{
	cleanup(fd) int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);

	return fd >= 0 && tcgetpgrp(fd) == getpgrp();
}

static int add_descriptors(posix_spawn_file_actions_t *actions, bool at_start,
			   int out)
{
	int r = posix_spawn_file_actions_adddup2(actions, out, STDOUT_FILENO);

	if (!r && !at_start)
		r = posix_spawn_file_actions_addopen(actions, STDIN_FILENO,
						     "/dev/null", O_RDONLY, 0);
	if (!r && !at_start)
		r = posix_spawn_file_actions_addopen(actions, STDERR_FILENO,
						     "/dev/null", O_WRONLY, 0);
	return r ? r
		 : posix_spawn_file_actions_addclosefrom_np(actions,
							    STDERR_FILENO + 1);
}

/* Apart, so that what it starts can be killed with it; all signals as a program
 * expects them. */
static int add_signals(posix_spawnattr_t *attr, bool at_start, bool is_apart)
{
	short flags = POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK;
	short apart = at_start ? POSIX_SPAWN_SETPGROUP : POSIX_SPAWN_SETSID;
	sigset_t all, none;
	int r;

	sigfillset(&all);
	sigemptyset(&none);
	flags = (short)(flags | (is_apart ? apart : 0));
	r = posix_spawnattr_setsigdefault(attr, &all);
	if (!r)
		r = posix_spawnattr_setsigmask(attr, &none);
	if (!r)
		r = posix_spawnattr_setpgroup(attr, 0);
	return r ? r : posix_spawnattr_setflags(attr, flags);
}

/* 0 or an errno. */
static int spawn(char *const *argv, bool at_start, bool is_apart, int out,
		 pid_t *ret_pid)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	int r = posix_spawn_file_actions_init(&actions);

	if (r)
		return r;
	r = posix_spawnattr_init(&attr);
	if (r) {
		posix_spawn_file_actions_destroy(&actions);
		return r;
	}
	r = add_descriptors(&actions, at_start, out);
	if (!r)
		r = add_signals(&attr, at_start, is_apart);
	if (!r)
		r = posix_spawnp(ret_pid, argv[0], &actions, &attr, argv,
				 environ);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&actions);
	return r;
}

static int begin(struct ctx *ctx, char *const *argv, bool at_start,
		 struct running *run)
{
	cleanup(fd) int out = -1;
	int pipes[2], r;

	if (pipe2(pipes, O_CLOEXEC))
		return ctx_fail(ctx, -EACCES, "token_command: no pipe: %s.",
				strerror(errno));
	run->out = pipes[0];
	out = pipes[1];
	fcntl(run->out, F_SETFL, O_NONBLOCK);
	run->is_apart = !at_start || !is_at_terminal();
	r = spawn(argv, at_start, run->is_apart, out, &run->pid);
	if (r) {
		run->pid = 0;
		return ctx_fail(ctx, -EACCES,
				"token_command: %s cannot be run: %s.", argv[0],
				strerror(r));
	}
	run->pidfd = pidfd_open(run->pid, 0);
	return run->pidfd >= 0
		       ? 0
		       : ctx_fail(ctx, -EACCES,
				  "token_command: %s cannot be waited for: %s.",
				  argv[0], strerror(errno));
}

/* What is there by now. One byte more than a secret and its line's end may
 * have, to see that there is one more. */
static void read_some(struct running *run)
{
	const size_t most = TOKEN_COMMAND_MAX + 2;
	ssize_t got = 0;

	while (run->n < most) {
		got = read(run->out, run->bytes + run->n, most - run->n);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		run->n += (size_t)got;
	}
	if (got == 0 || run->n == most || (got < 0 && errno != EAGAIN))
		run->out = file_close(run->out);
}

/* With us together it is stopped for a while; apart nobody would go on with it.
 */
static bool is_stopped(const struct running *run)
{
	siginfo_t info = {0};

	return run->is_apart &&
	       !waitid(P_PID, (id_t)run->pid, &info,
		       WSTOPPED | WNOHANG | WNOWAIT) &&
	       info.si_pid;
}

/* Until the program has ended: what it leaves running may have its output open
 * for longer. 0 or -errno. */
static int await_end(struct ctx *ctx, struct running *run, const char *name,
		     int64_t timeout_ms)
{
	int64_t until = clock_mono_ms() + timeout_ms;

	for (;;) {
		struct pollfd fds[] = {{.fd = run->pidfd, .events = POLLIN},
				       {.fd = run->out, .events = POLLIN}};
		int r = ctx_check(ctx);

		if (r)
			return r;
		if (run->n > TOKEN_COMMAND_MAX + 1)
			return 0;
		if (clock_mono_ms() >= until)
			return ctx_fail(ctx, -EACCES,
					"token_command: %s had not ended after "
					"%lld seconds, and was killed.",
					name, (long long)timeout_ms / 1000);
		if (is_stopped(run))
			return ctx_fail(ctx, -EACCES,
					"token_command: %s was stopped, as a "
					"program is that asks at a terminal "
					"from the background: run this in the "
					"foreground.",
					name);
		if (poll(fds, 2, TICK_MS) <= 0)
			continue;
		if (run->out >= 0 && (fds[0].revents || fds[1].revents))
			read_some(run);
		if (fds[0].revents)
			return 0;
	}
}

/* Its status, of waitpid(2). */
static int end(struct running *run, bool kill_it)
{
	int status = 0;

	run->pidfd = file_close(run->pidfd);
	run->out = file_close(run->out);
	if (run->pid) {
		/* Not yet waited for, so that its number is nobody else's. */
		if (kill_it)
			kill(run->is_apart ? -run->pid : run->pid, SIGKILL);
		while (waitpid(run->pid, &status, 0) < 0)
			if (errno != EINTR) {
				status = -1;
				break;
			}
	}
	return status;
}

/* ---- the secret ---- */

static int judge_status(struct ctx *ctx, const char *name, int status)
{
	if (status < 0)
		return ctx_fail(ctx, -EACCES,
				"token_command: nobody knows how %s ended.",
				name);
	if (WIFSIGNALED(status))
		return ctx_fail(ctx, -EACCES,
				"token_command: %s was ended by signal %d.",
				name, WTERMSIG(status));
	if (WEXITSTATUS(status))
		return ctx_fail(ctx, -EACCES,
				"token_command: %s ended with status %d.", name,
				WEXITSTATUS(status));
	return 0;
}

static const char *judge_line(const char *bytes, size_t n)
{
	if (n > TOKEN_COMMAND_MAX)
		return "printed more than 64 KiB";
	if (!n)
		return "printed nothing";
	if (memchr(bytes, '\n', n))
		return "printed more than one line: the secret is to be alone";
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)bytes[i] < 0x20 || bytes[i] == 0x7f)
			return "printed a control character";
	return NULL;
}

int token_command_run(struct ctx *ctx, char *const *argv, bool at_start,
		      int64_t timeout_ms, char **ret_secret)
{
	struct running run = {.out = -1, .pidfd = -1};
	const char *name = argv[0], *why;
	bool too_long;
	int r, status;

	run.bytes = mem_calloc(1, TOKEN_COMMAND_MAX + 3);
	r = begin(ctx, argv, at_start, &run);
	if (!r)
		r = await_end(ctx, &run, name, timeout_ms);
	too_long = run.n > TOKEN_COMMAND_MAX + 1;
	status = end(&run, r || too_long);
	if (!r && !too_long)
		r = judge_status(ctx, name, status);
	if (!r) {
		if (run.n && run.bytes[run.n - 1] == '\n')
			run.bytes[--run.n] = 0;
		why = judge_line(run.bytes, run.n);
		if (why)
			r = ctx_fail(ctx, -EACCES, "token_command: %s %s.",
				     name, why);
	}
	if (!r)
		*ret_secret = mem_dup0(run.bytes, run.n);
	explicit_bzero(run.bytes, TOKEN_COMMAND_MAX + 3);
	free(run.bytes);
	return r;
}
