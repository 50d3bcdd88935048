/*
 * cmd/login/ask: the signals that would end or stop the program are held back
 * while the terminal shows nothing, but for the time of the wait. Whatever
 * comes in between is done when the terminal is as it was.
 */
#include "cmd/login/ask.h"

#include "base/file.h"
#include "base/mem.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <termios.h>
#include <unistd.h>

static const int caught[] = {SIGINT,  SIGTERM, SIGHUP,  SIGQUIT,
			     SIGALRM, SIGPIPE, SIGTSTP, SIGTTIN,
			     SIGTTOU, SIGUSR1, SIGUSR2, SIGXCPU};

static volatile sig_atomic_t came;

static void on_signal(int number)
{
	came = number;
}

int ask_open(void)
{
	int fd = isatty(STDIN_FILENO)
			 ? open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY)
			 : -1;

	return fd < 0 ? -ENOTTY : fd;
}

void ask_say(int terminal, const char *text)
{
	size_t n = strlen(text);

	while (n) {
		ssize_t done = write(terminal, text, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return;
		text += done;
		n -= (size_t)done;
	}
}

struct held {
	struct sigaction actions[ARRAY_SIZE(caught)];
	sigset_t mask; /* as it was: that of the wait */
	struct termios terminal;
	bool hidden;
};

/* What is ignored (nohup) stays so. */
static void hold_signals(struct held *held)
{
	struct sigaction action = {.sa_handler = on_signal};
	sigset_t set;

	came = 0;
	sigemptyset(&action.sa_mask);
	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(caught); i++)
		sigaddset(&set, caught[i]);
	sigprocmask(SIG_BLOCK, &set, &held->mask);
	for (size_t i = 0; i < ARRAY_SIZE(caught); i++) {
		sigaction(caught[i], NULL, &held->actions[i]);
		if (held->actions[i].sa_handler != SIG_IGN)
			sigaction(caught[i], &action, NULL);
	}
}

static void let_signals(struct held *held)
{
	for (size_t i = 0; i < ARRAY_SIZE(caught); i++)
		sigaction(caught[i], &held->actions[i], NULL);
	if (came)
		kill(getpid(), came);
	sigprocmask(SIG_SETMASK, &held->mask, NULL);
}

static void hide(int fd, struct held *held)
{
	struct termios quiet;

	if (tcgetattr(fd, &held->terminal))
		return;
	quiet = held->terminal;
	quiet.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
	held->hidden = !tcsetattr(fd, TCSAFLUSH, &quiet);
}

static void show(int fd, const struct held *held)
{
	if (!held->hidden)
		return;
	/* From the background it would stop us before it is done. */
	tcsetattr(fd, TCSANOW, &held->terminal);
	/* The line end that was typed was not shown either. */
	ask_say(fd, "\n");
}

/* -EINTR: a signal came. */
static int read_line(int fd, const sigset_t *mask, char line[static ASK_MAX])
{
	size_t n = 0;

	while (n < ASK_MAX) {
		struct pollfd ready = {.fd = fd, .events = POLLIN};
		ssize_t got;

		if (came || ppoll(&ready, 1, NULL, mask) < 0)
			return -EINTR;
		got = read(fd, line + n, ASK_MAX - n);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return errno == EIO ? -ENODATA : -errno;
		if (got == 0)
			return -ENODATA;
		n += (size_t)got;
		if (line[n - 1] == '\n') {
			line[n - 1] = 0;
			return 0;
		}
	}
	return -EMSGSIZE;
}

int ask_line(int terminal, const char *question, bool secret, char **ret_answer)
{
	char line[ASK_MAX];
	int r;

	do {
		struct held held = {.hidden = false};

		hold_signals(&held);
		ask_say(terminal, question);
		if (secret)
			hide(terminal, &held);
		r = read_line(terminal, &held.mask, line);
		show(terminal, &held);
		let_signals(&held);
	} while (r == -EINTR);
	if (!r)
		*ret_answer = mem_strdup(line);
	explicit_bzero(line, sizeof(line));
	return r;
}
