/*
 * base/program: posix_spawn, three pipes, and the end of a group.
 */
#include "base/program.h"

#include "base/clock.h"
#include "base/file.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* So long a cancelled ctx goes unseen by program_run. */
#define TICK_MS 50
#define PIECE (16 * KIB)

/* ---- the environment ---- */

static bool is_called(const char *entry, const char *name)
{
	size_t n = strcspn(name, "*");

	return !strncmp(entry, name, n) && (name[n] || entry[n] == '=');
}

char **program_environment(const char *const *without, const char *const *with)
{
	size_t n = 0, n_with = 0;
	char **envp;

	for (char **e = environ; *e; e++)
		n++;
	while (with[n_with])
		n_with++;
	envp = mem_calloc(n + n_with + 1, sizeof(*envp));
	n = 0;
	for (char **e = environ; *e; e++) {
		const char *const *name = without;

		while (*name && !is_called(*e, *name))
			name++;
		if (!*name)
			envp[n++] = mem_strdup(*e);
	}
	for (; *with; with++)
		envp[n++] = mem_strdup(*with);
	return envp;
}

void program_environment_free(char **envp)
{
	for (char **e = envp; e && *e; e++)
		free(*e);
	free(envp);
}

/* ---- the start ---- */

/* 0 or an errno. */
static int spawn(const char *const *argv, char *const *envp,
		 const int theirs[static 3], pid_t *ret_pid)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t all, none;
	int r = posix_spawn_file_actions_init(&actions);

	if (r)
		return r;
	r = posix_spawnattr_init(&attr);
	if (r) {
		posix_spawn_file_actions_destroy(&actions);
		return r;
	}
	sigfillset(&all);
	sigemptyset(&none);
	for (int fd = 0; !r && fd < 3; fd++)
		r = posix_spawn_file_actions_adddup2(&actions, theirs[fd], fd);
	if (!r)
		r = posix_spawn_file_actions_addclosefrom_np(&actions, 3);
	if (!r)
		r = posix_spawnattr_setsigdefault(&attr, &all);
	if (!r)
		r = posix_spawnattr_setsigmask(&attr, &none);
	if (!r)
		r = posix_spawnattr_setflags(
			&attr, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK |
				       POSIX_SPAWN_SETSID);
	if (!r)
		r = posix_spawnp(ret_pid, argv[0], &actions, &attr,
				 (char *const *)(uintptr_t)argv, envp);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&actions);
	return r;
}

/* Neither end below 3, where the child's dup2 would overwrite it. */
static int make_pipe(int ret_ends[static 2])
{
	if (pipe2(ret_ends, O_CLOEXEC))
		return -errno;
	for (int i = 0; i < 2; i++) {
		int low = ret_ends[i];

		if (low >= 3)
			continue;
		ret_ends[i] = fcntl(low, F_DUPFD_CLOEXEC, 3);
		file_close(low);
	}
	return ret_ends[0] < 0 || ret_ends[1] < 0 ? -EMFILE : 0;
}

int program_start(const char *const *argv, char *const *envp,
		  struct program *ret_program)
{
	int ours[3] = {-1, -1, -1}, theirs[3] = {-1, -1, -1};
	pid_t pid = 0;
	int r = 0;

	for (int fd = 0; !r && fd < 3; fd++) {
		int ends[2] = {-1, -1};

		r = make_pipe(ends);
		ours[fd] = ends[fd == 0];
		theirs[fd] = ends[fd != 0];
		if (!r && fcntl(ours[fd], F_SETFL, O_NONBLOCK))
			r = -errno;
	}
	if (!r)
		r = -spawn(argv, envp, theirs, &pid);
	for (int fd = 0; fd < 3; fd++)
		file_close(theirs[fd]);
	if (r) {
		for (int fd = 0; fd < 3; fd++)
			file_close(ours[fd]);
		return r;
	}
	*ret_program = (struct program){pid, ours[0], ours[1], ours[2]};
	return 0;
}

/* ---- the end ---- */

static bool has_ended(pid_t pid, int64_t patience_ms)
{
	cleanup(fd) int fd = -1;
	struct pollfd end = {.events = POLLIN};

	if (patience_ms <= 0)
		return false;
	fd = pidfd_open(pid, 0);
	end.fd = fd;
	return fd >= 0 && poll(&end, 1, (int)patience_ms) > 0;
}

int program_end(struct program *program, int64_t patience_ms)
{
	int status = 0;

	program->in = file_close(program->in);
	program->out = file_close(program->out);
	program->err = file_close(program->err);
	if (!program->pid)
		return 0;
	(void)has_ended(program->pid, patience_ms);
	/* Not yet waited for, so the number is nobody else's; and what it
	 * started ends with it. */
	kill(-program->pid, SIGKILL);
	while (waitpid(program->pid, &status, 0) < 0)
		if (errno != EINTR) {
			status = -1;
			break;
		}
	program->pid = 0;
	return status;
}

/* ---- to the end ---- */

static void gather(int *fd, struct buf *out)
{
	char bytes[PIECE];
	ssize_t n = read(*fd, bytes, sizeof(bytes));

	if (n > 0) {
		size_t room = out->max ? out->max - out->len : (size_t)n;

		buf_add(out, bytes, (size_t)n < room ? (size_t)n : room);
	} else if (!n || (errno != EAGAIN && errno != EINTR)) {
		*fd = file_close(*fd);
	}
}

static void feed(int *fd, const char **input)
{
	size_t n = strlen(*input);
	ssize_t wrote = n ? write(*fd, *input, n) : 0;

	if (wrote > 0)
		*input += wrote;
	if (!**input || (wrote < 0 && errno != EAGAIN && errno != EINTR))
		*fd = file_close(*fd);
}

/* Until both outputs are closed. */
static int listen_to(struct ctx *ctx, struct program *program,
		     const char *input, int64_t until_ms, struct buf *out,
		     struct buf *err)
{
	while (program->out >= 0 || program->err >= 0) {
		struct pollfd fds[] = {{program->in, POLLOUT, 0},
				       {program->out, POLLIN, 0},
				       {program->err, POLLIN, 0}};
		int r = ctx_check(ctx);

		if (r)
			return r;
		if (clock_mono_ms() >= until_ms)
			return -ETIMEDOUT;
		if (poll(fds, 3, TICK_MS) <= 0)
			continue;
		if (fds[0].revents)
			feed(&program->in, &input);
		if (fds[1].revents)
			gather(&program->out, out);
		if (fds[2].revents)
			gather(&program->err, err);
	}
	return 0;
}

int program_run(struct ctx *ctx, const char *const *argv, char *const *envp,
		const char *input, int64_t timeout_ms, struct buf *out,
		struct buf *err, int *ret_status)
{
	int64_t until_ms = clock_mono_ms() + timeout_ms;
	struct program program;
	int status, r = program_start(argv, envp, &program);

	if (r)
		return r;
	r = listen_to(ctx, &program, input ? input : "", until_ms, out, err);
	status = program_end(&program, r ? 0 : until_ms - clock_mono_ms());
	if (!r)
		*ret_status = status;
	return r;
}
