/*
 * wire/ssh: bytes to and from one ssh.
 *
 * The request may be longer than the pipe and the server may answer before it
 * has read all of it, so both directions are waited for at once, and standard
 * error with them: an ssh that cannot write its complaint would hang.
 */
#include "ssh_private.h"

#include "base/clock.h"
#include "base/file.h"

#include <limits.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define PIECE (64 * KIB)
#define STALL_MS 30000
/* After the end of its output: for what it still says, and its status. */
#define LAST_WORDS_MS 1000

struct talk {
	struct ctx *ctx;
	struct ssh_connection *c;
	const char *request;
	size_t n;
	const struct http_sink *sink;
	const bool *ended;
	bool answered;
	int64_t moved_ms;
	uint64_t n_progress;
	int wake;
	char *piece;
};

static void wake(void *arg)
{
	const struct talk *talk = arg;
	uint64_t one = 1;

	while (write(talk->wake, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

static bool may_again(void)
{
	return errno == EAGAIN || errno == EINTR;
}

static void send_some(struct talk *talk)
{
	struct program *p = &talk->c->program;
	ssize_t wrote = write(p->in, talk->request, talk->n);

	if (wrote > 0) {
		talk->request += wrote;
		talk->n -= (size_t)wrote;
		talk->moved_ms = clock_mono_ms();
	} else if (wrote < 0 && !may_again()) {
		/* What is wrong is said on the other two. */
		talk->n = 0;
	}
}

/* Where the bound is reached, what is said last goes before what was said
 * first: it has the cause. A NUL would end the text. */
static void take_down(struct buf *said, char *piece, size_t n)
{
	const size_t room = SSH_SAID_MAX - 1;
	size_t skip = n > room ? n - room : 0, keep;

	for (size_t i = 0; i < n; i++)
		piece[i] = piece[i] ? piece[i] : ' ';
	piece += skip;
	n -= skip;
	keep = room - n;
	if (said->len > keep) {
		memmove(said->data, said->data + said->len - keep, keep);
		buf_cut(said, keep);
	}
	buf_add(said, piece, n);
}

static void hear(struct talk *talk)
{
	struct ssh_connection *c = talk->c;
	ssize_t n = read(c->program.err, talk->piece, PIECE);

	if (n > 0)
		take_down(&c->said, talk->piece, (size_t)n);
	else if (!n || !may_again())
		c->program.err = file_close(c->program.err);
}

static bool has_moved(struct talk *talk)
{
	const uint64_t *progress = talk->sink->progress;
	bool moved = !progress || !*progress || *progress != talk->n_progress;

	if (progress)
		talk->n_progress = *progress;
	return moved;
}

/* 1: the output has ended. */
static int receive_some(struct talk *talk)
{
	struct ssh_connection *c = talk->c;
	ssize_t n = read(c->program.out, talk->piece, PIECE);
	int r;

	if (n < 0 && may_again())
		return 0;
	if (n <= 0)
		return 1;
	talk->answered = true;
	/* Too long a greeting is not kept: its connection is for one link. */
	if (c->greets)
		buf_add(&c->greeting, talk->piece, (size_t)n);
	r = talk->sink->write(talk->sink->arg, talk->piece, (size_t)n);
	if (has_moved(talk))
		talk->moved_ms = clock_mono_ms();
	return r < 0 ? r : 0;
}

static int64_t patience(const struct talk *talk)
{
	int64_t left = ctx_left_ms(talk->ctx);
	int64_t stall = talk->moved_ms + STALL_MS - clock_mono_ms();

	return left < stall ? left : stall;
}

static int out_of_time(struct talk *talk)
{
	int r = ctx_check(talk->ctx);

	if (r == -EINTR)
		return r;
	return ctx_fail(talk->ctx, -ETIMEDOUT,
			talk->answered
				? "the git server stopped answering by SSH"
				: "the git server does not answer by SSH");
}

/* 1: the output has ended; 0: *ended. */
static int converse(struct talk *talk)
{
	struct program *p = &talk->c->program;
	int r = 0;

	while (!r && !*talk->ended) {
		struct pollfd fds[] = {{talk->wake, POLLIN, 0},
				       {p->out, POLLIN, 0},
				       {p->err, POLLIN, 0},
				       {talk->n ? p->in : -1, POLLOUT, 0}};
		int64_t wait = patience(talk);

		if (wait <= 0 || ctx_check(talk->ctx))
			return out_of_time(talk);
		if (poll(fds, 4, wait < INT_MAX ? (int)wait : INT_MAX) <= 0)
			continue;
		if (fds[2].revents)
			hear(talk);
		if (fds[3].revents)
			send_some(talk);
		if (fds[1].revents)
			r = receive_some(talk);
	}
	return r;
}

static void hear_last_words(struct talk *talk)
{
	int64_t until = clock_mono_ms() + LAST_WORDS_MS;
	struct program *p = &talk->c->program;

	while (p->err >= 0 && clock_mono_ms() < until) {
		struct pollfd fds[] = {{talk->wake, POLLIN, 0},
				       {p->err, POLLIN, 0}};

		if (poll(fds, 2, LAST_WORDS_MS) <= 0 || fds[0].revents)
			return;
		hear(talk);
	}
}

int ssh_talk(struct ctx *ctx, struct ssh_connection *c, const void *request,
	     size_t n, const struct http_sink *sink, const bool *ended,
	     bool *ret_answered)
{
	struct talk talk = {.ctx = ctx,
			    .c = c,
			    .request = request,
			    .n = n,
			    .sink = sink,
			    .ended = ended,
			    .moved_ms = clock_mono_ms()};
	struct ctx_waker waker = {.wake = wake, .arg = &talk};
	cleanup(fd) int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	int r;

	if (fd < 0)
		return ctx_fail(ctx, -errno, "no descriptor for SSH: %s",
				strerror(errno));
	talk.wake = fd;
	talk.piece = mem_alloc(PIECE);
	ctx_watch(ctx, &waker);
	r = converse(&talk);
	if (r == 1)
		hear_last_words(&talk);
	ctx_unwatch(ctx, &waker);
	free(talk.piece);
	c->greets = false;
	*ret_answered = talk.answered;
	return r;
}

bool ssh_is_quiet(const struct ssh_connection *c)
{
	struct pollfd fds[] = {{c->program.out, POLLIN, 0},
			       {c->program.in, 0, 0}};

	return poll(fds, 2, 0) == 0;
}
