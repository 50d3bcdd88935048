/*
 * cmd/fetch_progress: the main thread waits for the daemon's answer; this one
 * takes the signals, which are blocked in all.
 */
#include "cmd/fetch_progress.h"
#include "cmd/mount/survey.h"
#include "cmd/told.h"

#include "base/sync.h"

#include <signal.h>
#include <unistd.h>

#define LOOK_NS 500000000L

struct fetch_progress {
	const struct inside *inside;
	struct thread *thread;
	sigset_t signals, before;
	struct buf shown;
	unsigned n_shown; /* columns of the line that is there */
};

static void write_all(const struct buf *out)
{
	/* What is lost of a line that is written anew is no matter. */
	if (out->len && write(STDERR_FILENO, out->data, out->len) < 0)
		return;
}

/* Over the line that is there: blanks, not codes, take what is left of it. */
static void draw(struct fetch_progress *p, const struct terminal *t,
		 const char *line)
{
	cleanup(buf_done) struct buf out = BUF_INIT(64 * KIB);
	cleanup(buf_done) struct buf folded = BUF_INIT(64 * KIB);
	unsigned n = 0;

	terminal_fold(t, line, 0, &folded);
	buf_putc(&out, '\r');
	/* The last column stays empty, or the cursor would go on. */
	for (const char *c = folded.data; c && *c && *c != '\n'; c++) {
		n += ((unsigned char)*c & 0xc0) != 0x80;
		if (n >= t->columns)
			break;
		buf_putc(&out, *c);
	}
	for (unsigned i = n; i < p->n_shown && i + 1 < t->columns; i++)
		buf_putc(&out, ' ');
	buf_putc(&out, '\r');
	p->n_shown = n;
	write_all(&out);
}

/* Of a pipe, a line when it begins to wait, and when it goes on. */
static void print(struct fetch_progress *p, const char *line)
{
	cleanup(buf_done) struct buf out = BUF_INIT(64 * KIB);
	bool waits = strstr(line, ", waits for the quota") != NULL;
	bool waited = p->shown.len &&
		      strstr(p->shown.data, ", waits for the quota");

	if (waits == waited && !(waits && strcmp(line, p->shown.data) != 0))
		return;
	buf_printf(&out, "bitbucketfs: %s\n", line);
	write_all(&out);
}

static void look(struct fetch_progress *p)
{
	cleanup(survey_done) struct survey survey = {0};
	cleanup(buf_done) struct buf line = BUF_INIT(16 * KIB);
	struct terminal t;

	terminal_look(STDERR_FILENO, &t);
	survey_take(p->inside, &survey);
	if (!survey.n ||
	    !told_fetch(survey.mounts[0].status, p->inside->path, &t, &line))
		return;
	if (t.is_terminal)
		draw(p, &t, line.data);
	else
		print(p, line.data);
	buf_clear(&p->shown);
	buf_add(&p->shown, line.data, line.len);
}

static void clear(struct fetch_progress *p)
{
	struct terminal t;

	terminal_look(STDERR_FILENO, &t);
	if (t.is_terminal && p->n_shown)
		draw(p, &t, "");
}

/* SIGUSR1 is ours: the answer is there. */
static void progress_main(void *arg)
{
	struct fetch_progress *p = arg;
	const struct timespec wait = {.tv_nsec = LOOK_NS};
	int signal;

	while ((signal = sigtimedwait(&p->signals, NULL, &wait)) != SIGUSR1) {
		if (signal > 0) {
			clear(p);
			command_say("%s: stopped; the same command goes on "
				    "from there",
				    p->inside->path);
			/* The connection ends with the process, and with it
			 * the fetch. */
			_exit(COMMAND_FAILED);
		}
		look(p);
	}
	clear(p);
}

struct fetch_progress *fetch_progress_begin(const struct inside *inside)
{
	struct fetch_progress *p = mem_calloc(1, sizeof(*p));

	*p = (struct fetch_progress){
		.inside = inside,
		.shown = BUF_INIT(16 * KIB),
	};
	sigemptyset(&p->signals);
	sigaddset(&p->signals, SIGINT);
	sigaddset(&p->signals, SIGTERM);
	sigaddset(&p->signals, SIGHUP);
	sigaddset(&p->signals, SIGUSR1);
	sigprocmask(SIG_BLOCK, &p->signals, &p->before);
	/* Without it nobody sees how far it is; it goes on all the same, and
	 * Ctrl-C ends it. */
	if (thread_start("progress", progress_main, p, &p->thread))
		sigprocmask(SIG_SETMASK, &p->before, NULL);
	return p;
}

struct fetch_progress *fetch_progress_end(struct fetch_progress *p)
{
	if (!p)
		return NULL;
	if (p->thread) {
		kill(getpid(), SIGUSR1);
		p->thread = thread_join(p->thread);
	}
	sigprocmask(SIG_SETMASK, &p->before, NULL);
	buf_done(&p->shown);
	free(p);
	return NULL;
}
