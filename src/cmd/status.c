/*
 * bitbucketfs status [--json] [--watch] [PATH]: what the mounts of this user
 * say of themselves, or the one that PATH is in. Asks the daemons, never the
 * mounts, and no service.
 */
#include "cmd/command.h"
#include "cmd/mount/preflight.h"
#include "cmd/mount/survey.h"
#include "cmd/remote.h"
#include "cmd/told.h"

#include <poll.h>
#include <signal.h>
#include <unistd.h>

#define WATCH_MS 1000
#define OUT_MOST (8 * MIB)

/* A screen beside the one with what was typed; a cursor would blink in it. */
#define SCREEN_BEGIN "\033[?1049h\033[?25l"
#define SCREEN_END "\033[?25h\033[?1049l"
#define SCREEN_TOP "\033[H"
#define LINE_END "\033[K"
#define SCREEN_REST "\033[J"

static enum command_exit say_where(const char *asked)
{
	cleanup(buf_done) struct buf points = BUF_INIT(4 * KIB);
	size_t n = preflight_others(&points);

	if (n)
		command_say("no Bitbucket is mounted at %s; yours %s at %s "
			    "(bitbucketfs status MOUNTPOINT)",
			    asked, n == 1 ? "is" : "are", points.data);
	else
		command_say("no Bitbucket is mounted at %s", asked);
	return COMMAND_NOT_MOUNTED;
}

/* The mount that is meant: the operand's, or the profile's. NULL in *ret: all
 * of them. */
static enum command_exit find_only(const struct command_line *line,
				   struct inside *only, struct inside **ret)
{
	cleanup(free) char *asked = NULL;
	cleanup(free) char *path = NULL;
	enum command_exit end;
	int r;

	if (!line->n_operands && !line->n_options)
		return COMMAND_OK;
	end = remote_mountpoint(line, &asked);
	if (end != COMMAND_OK)
		return end;
	if (asked && !*asked)
		return command_usage("the mount point is empty");
	r = asked ? 0 : preflight_path(NULL, &path);
	if (!r)
		r = inside_find(asked ? asked : path, only);
	if (r)
		return say_where(asked ? asked : path ? path : "~/bitbucket");
	*ret = only;
	return COMMAND_OK;
}

/* ---- one look ---- */

static void add_json(const struct survey *s, bool compact, struct buf *out)
{
	cleanup(json_free) struct json *root = json_new_object();
	struct json *all = json_add_array(root, "mounts");

	for (size_t i = 0; i < s->n; i++) {
		const struct survey_mount *m = &s->mounts[i];
		struct json *o = json_append_object(all);

		json_add_bool(o, "answers", m->status);
		if (!m->status) {
			json_add_str(o, "mountpoint", m->place);
			json_add_str(o, "why", m->why);
		}
		JSON_EACH (member, m->status)
			json_add_copy(o, json_key(member), member);
	}
	if (compact)
		json_compact(root, out);
	else
		json_pretty(root, out);
	if (compact)
		buf_putc(out, '\n');
}

/* A mount that does not answer is a sentence: of who watches a paragraph, for
 * it may come back. */
static void add_text(const struct survey *s, bool watches,
		     const struct terminal *t, struct buf *out)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct survey_mount *m = &s->mounts[i];

		if (!m->status && !watches) {
			command_say("%s", m->why);
			continue;
		}
		if (out->len)
			buf_putc(out, '\n');
		if (m->status)
			told_text(m->status, t, out);
		else
			terminal_fold(t, m->why, 2, out);
		if (!m->status)
			buf_putc(out, '\n');
	}
}

static enum command_exit look(const struct command_line *line,
			      const struct inside *only,
			      const struct terminal *t, struct buf *out)
{
	cleanup(survey_done) struct survey survey = {0};
	enum command_exit end = COMMAND_OK;

	survey_take(only, &survey);
	if (!survey.n) {
		command_say("no Bitbucket of this user is mounted");
		return COMMAND_NOT_MOUNTED;
	}
	for (size_t i = 0; i < survey.n; i++)
		if (!survey.mounts[i].status)
			end = COMMAND_FAILED;
	if (line->json)
		add_json(&survey, line->watch, out);
	else
		add_text(&survey, line->watch, t, out);
	return end;
}

/* ---- again and again ---- */

/* As many lines as there is room for, each with what it needs to replace
 * another one: nothing is cleared first, which would flicker. */
static void add_screen(const struct terminal *t, const char *text,
		       struct buf *out)
{
	unsigned row = 1;

	buf_puts(out, SCREEN_TOP);
	for (; *text && row < t->rows; row++) {
		size_t n = strcspn(text, "\n");

		buf_add(out, text, n);
		buf_puts(out, LINE_END "\r\n");
		text += n + (text[n] == '\n');
	}
	buf_puts(out, *text ? "..." SCREEN_REST : SCREEN_REST);
}

struct watch {
	struct terminal terminal;
	struct buf shown; /* the last look */
	sigset_t signals; /* that end the wait */
	bool has_screen;
	bool is_lines; /* of JSON, one a look */
};

static enum command_exit show(struct watch *w, const struct buf *now)
{
	cleanup(buf_done) struct buf out = BUF_INIT(OUT_MOST);

	if (w->has_screen)
		add_screen(&w->terminal, now->data ? now->data : "", &out);
	else
		buf_printf(&out, "%s%s",
			   w->shown.len && !w->is_lines ? "\n" : "",
			   now->data ? now->data : "");
	buf_clear(&w->shown);
	buf_add(&w->shown, now->data, now->len);
	return command_print(out.data, out.len);
}

static void begin_screen(const struct watch *w)
{
	if (w->has_screen)
		command_print(SCREEN_BEGIN, strlen(SCREEN_BEGIN));
}

static void end_screen(const struct watch *w)
{
	if (w->has_screen)
		command_print(SCREEN_END, strlen(SCREEN_END));
}

/* Ctrl-Z: the shell that takes over has its own screen, and a cursor. */
static void stop_for_a_while(const struct watch *w)
{
	sigset_t stop;

	end_screen(w);
	sigemptyset(&stop);
	sigaddset(&stop, SIGTSTP);
	raise(SIGTSTP);
	/* Here it stops, unless there is no shell. */
	sigprocmask(SIG_UNBLOCK, &stop, NULL);
	sigprocmask(SIG_BLOCK, &stop, NULL);
	begin_screen(w);
}

/* Who reads has gone (head): nothing that is written would say so while
 * nothing changes. */
static bool is_read(void)
{
	struct pollfd out = {.fd = STDOUT_FILENO};

	return poll(&out, 1, 0) <= 0 || !(out.revents & (POLLERR | POLLHUP));
}

/* The signal that came, or 0 when the time is over. */
static int pause_until_next(const struct watch *w)
{
	const struct timespec wait = {.tv_sec = WATCH_MS / 1000};
	int signal = sigtimedwait(&w->signals, NULL, &wait);

	if (signal == SIGTSTP)
		stop_for_a_while(w);
	return signal > 0 ? signal : 0;
}

static void begin_watch(struct watch *w, const struct command_line *line)
{
	*w = (struct watch){.shown = BUF_INIT(OUT_MOST),
			    .is_lines = line->json};
	terminal_look(STDOUT_FILENO, &w->terminal);
	sigemptyset(&w->signals);
	sigaddset(&w->signals, SIGINT);
	sigaddset(&w->signals, SIGTERM);
	sigaddset(&w->signals, SIGHUP);
	sigaddset(&w->signals, SIGWINCH);
	sigaddset(&w->signals, SIGTSTP);
	sigprocmask(SIG_BLOCK, &w->signals, NULL);
	w->has_screen = w->terminal.has_codes && !line->json;
	begin_screen(w);
}

/* What was seen last stays on the screen that was there before. */
static void end_watch(struct watch *w)
{
	end_screen(w);
	if (w->has_screen && w->shown.len)
		command_print(w->shown.data, w->shown.len);
	buf_done(&w->shown);
}

static enum command_exit watch(const struct command_line *line,
			       const struct inside *only)
{
	enum command_exit end = COMMAND_OK;
	struct watch w;
	int signal = 0;

	begin_watch(&w, line);
	while ((!signal || signal == SIGWINCH || signal == SIGTSTP) &&
	       is_read()) {
		cleanup(buf_done) struct buf now = BUF_INIT(OUT_MOST);

		terminal_look(STDOUT_FILENO, &w.terminal);
		end = look(line, only, &w.terminal, &now);
		if (end == COMMAND_NOT_MOUNTED)
			break;
		if (signal || now.len != w.shown.len ||
		    memcmp(now.data, w.shown.data, now.len) != 0)
			if (show(&w, &now) != COMMAND_OK)
				break;
		signal = pause_until_next(&w);
	}
	end_watch(&w);
	return signal ? COMMAND_OK : end;
}

enum command_exit status_command(const struct command_line *line)
{
	cleanup(inside_done) struct inside inside = {0};
	cleanup(buf_done) struct buf out = BUF_INIT(OUT_MOST);
	struct inside *only = NULL;
	struct terminal terminal;
	enum command_exit end = find_only(line, &inside, &only);

	if (end != COMMAND_OK)
		return end;
	if (line->watch)
		return watch(line, only);
	terminal_look(STDOUT_FILENO, &terminal);
	end = look(line, only, &terminal, &out);
	if (out.len && command_print(out.data, out.len) != COMMAND_OK)
		return COMMAND_FAILED;
	return end;
}
