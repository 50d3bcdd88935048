/*
 * bitbucketfs fetch [--yes | --lfs] PATH…, fetch --stop [PATH…]: the mount that
 * each is in brings all of it; this process waits, and shows how far it is.
 */
#include "cmd/command.h"
#include "cmd/fetch_progress.h"
#include "cmd/mount/live.h"
#include "cmd/mount/reach.h"

#include "base/json.h"
#include "base/terminal.h"

#include <limits.h>
#include <unistd.h>

#define STOP_MS 5000

/* A line for each list that failed, which names it. */
static void say_lines(const char *text)
{
	while (*text) {
		size_t n = strcspn(text, "\n");

		command_say("%.*s", (int)n, text);
		text += n + (text[n] == '\n');
	}
}

static enum command_exit say_failed(const char *path,
				    const struct control_answer *answer)
{
	if (strchr(answer->text, '\n')) {
		say_lines(answer->text);
		return COMMAND_FAILED;
	}
	command_say("%s: %s", path,
		    *answer->text               ? answer->text
		    : answer->errnum == -ENOENT ? "there is no such place"
						: strerror(-answer->errnum));
	return COMMAND_FAILED;
}

static enum command_exit ask(const struct inside *inside, const char *what,
			     int timeout_ms, struct control_answer *ret)
{
	const char *words[] = {what, inside->path, NULL};

	return reach_ask(inside->mountpoint, inside->device, words, timeout_ms,
			 ret);
}

/* ---- a workspace asks first ---- */

static bool says_yes(void)
{
	char line[16] = "";

	return fgets(line, sizeof(line), stdin) &&
	       (line[0] == 'y' || line[0] == 'Y');
}

static enum command_exit agree(const char *path, const struct json *cost)
{
	char requests[32], repositories[32];

	terminal_number((uint64_t)json_int(cost, "requests", 0), requests);
	terminal_number((uint64_t)json_int(cost, "repositories", 0),
			repositories);
	if (isatty(STDIN_FILENO) != 1 || isatty(STDERR_FILENO) != 1)
		return command_usage("%s: %s repositories, at least %s "
				     "requests: without a terminal --yes says "
				     "that this is meant",
				     path, repositories, requests);
	fprintf(stderr,
		"%s: %s repositories, at least %s requests (more where lists "
		"have many pages).\nFetch them? [y/N] ",
		path, repositories, requests);
	fflush(stderr);
	if (says_yes())
		return COMMAND_OK;
	command_say("nothing is fetched");
	return COMMAND_FAILED;
}

static enum command_exit check_cost(const char *path,
				    const struct inside *inside)
{
	cleanup(control_answer_done) struct control_answer answer = {0};
	cleanup(json_free) struct json *cost = NULL;
	enum command_exit end =
		ask(inside, "fetch-cost", LIVE_REFRESH_MS, &answer);

	if (end != COMMAND_OK)
		return end;
	if (answer.errnum)
		return say_failed(path, &answer);
	return json_parse(answer.text, strlen(answer.text), &cost) ||
			       strcmp(json_str(cost, "kind"), "workspace") != 0
		       ? COMMAND_OK
		       : agree(path, cost);
}

/* ---- one place ---- */

static enum command_exit fetch(const struct command_line *line,
			       const char *path)
{
	cleanup(control_answer_done) struct control_answer answer = {0};
	cleanup(inside_done) struct inside inside = {0};
	struct fetch_progress *progress;
	enum command_exit end = inside_of(path, &inside);

	if (end == COMMAND_OK && !line->yes && !line->lfs && *inside.path &&
	    !strchr(inside.path, '/'))
		end = check_cost(path, &inside);
	if (end != COMMAND_OK)
		return end;
	progress = fetch_progress_begin(&inside);
	end = ask(&inside, line->lfs ? "fetch-lfs" : "fetch", INT_MAX, &answer);
	fetch_progress_end(progress);
	if (end != COMMAND_OK)
		return end;
	return answer.errnum ? say_failed(path, &answer)
			     : command_print(answer.text, strlen(answer.text));
}

/* ---- the end of what runs ---- */

struct stopped {
	struct buf said;
	enum command_exit end;
};

static void note_stopped(void *arg, const struct control_answer *answer)
{
	struct stopped *stopped = arg;

	if (!answer->errnum) {
		buf_puts(&stopped->said, answer->text);
		return;
	}
	if (answer->mountpoint)
		command_say("the mount at %s: %s", answer->mountpoint,
			    *answer->text ? answer->text
					  : strerror(-answer->errnum));
	else
		command_say("a mount of yours did not answer (%s): "
			    "bitbucketfs list says which",
			    strerror(-answer->errnum));
	stopped->end = COMMAND_FAILED;
}

static enum command_exit stop_one(const char *path, struct stopped *stopped)
{
	cleanup(control_answer_done) struct control_answer answer = {0};
	cleanup(inside_done) struct inside inside = {0};
	enum command_exit end = inside_of(path, &inside);

	if (end == COMMAND_OK)
		end = ask(&inside, "fetch-stop", STOP_MS, &answer);
	if (end == COMMAND_OK)
		note_stopped(stopped, &answer);
	return end;
}

static enum command_exit stop(const struct command_line *line)
{
	static const char *const words[] = {"fetch-stop", "", NULL};
	struct stopped stopped = {.said = BUF_INIT(MIB)};
	enum command_exit end = COMMAND_OK;

	for (size_t i = 0; i < line->n_operands && end == COMMAND_OK; i++)
		end = stop_one(line->operands[i], &stopped);
	if (!line->n_operands &&
	    !control_ask_all(words, STOP_MS, note_stopped, &stopped)) {
		command_say("no Bitbucket of this user is mounted");
		end = COMMAND_NOT_MOUNTED;
	}
	if (end == COMMAND_OK)
		end = stopped.end;
	if (end == COMMAND_OK && !stopped.said.len)
		buf_puts(&stopped.said, "nothing is being fetched\n");
	if (stopped.said.len)
		command_print(stopped.said.data, stopped.said.len);
	buf_done(&stopped.said);
	return end;
}

enum command_exit fetch_command(const struct command_line *line)
{
	enum command_exit end = COMMAND_OK;

	if (line->lfs && (line->stop || line->yes))
		return command_usage("--lfs goes with neither --stop nor "
				     "--yes");
	if (line->stop)
		return stop(line);
	if (!line->n_operands)
		return command_usage("fetch needs a PATH: a repository, a tree "
				     "or a workspace in a mount");
	for (size_t i = 0; i < line->n_operands; i++) {
		enum command_exit one = fetch(line, line->operands[i]);

		end = end == COMMAND_OK ? one : end;
	}
	return end;
}
