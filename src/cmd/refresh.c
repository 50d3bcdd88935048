/*
 * bitbucketfs refresh PATH…: the mount that each is in asks again, and says
 * what changed.
 */
#include "cmd/command.h"
#include "cmd/mount/inside.h"
#include "cmd/mount/live.h"
#include "cmd/mount/preflight.h"
#include "cmd/mount/reach.h"
#include "cmd/remote.h"

static enum command_exit refresh(const char *path, bool is_one)
{
	cleanup(control_answer_done) struct control_answer answer = {0};
	cleanup(inside_done) struct inside inside = {0};
	const char *words[] = {"refresh", NULL, NULL};
	enum command_exit end = inside_of(path, &inside);

	if (end != COMMAND_OK)
		return end;
	words[1] = inside.path;
	end = reach_ask(inside.mountpoint, inside.device, words,
			LIVE_REFRESH_MS + REACH_MS, &answer);
	if (end != COMMAND_OK)
		return end;
	if (answer.errnum) {
		command_say("%s: %s", path,
			    *answer.text ? answer.text
			    : answer.errnum == -ENOENT
				    ? "there is no such place, or nothing of "
				      "it can be asked for"
				    : strerror(-answer.errnum));
		return COMMAND_FAILED;
	}
	if (!is_one) {
		cleanup(free) char *head = mem_asprintf("%s:\n", path);

		end = command_print(head, strlen(head));
	}
	return end == COMMAND_OK
		       ? command_print(answer.text, strlen(answer.text))
		       : end;
}

/* The mount that is configured, as `status` and `umount` find it. */
static enum command_exit refresh_configured(const struct command_line *line)
{
	cleanup(free) char *asked = NULL;
	cleanup(free) char *path = NULL;
	enum command_exit end = remote_mountpoint(line, &asked);

	if (end == COMMAND_OK && preflight_path(asked, &path))
		end = command_usage("there is no mount point %s",
				    asked ? asked : "~/bitbucket");
	return end == COMMAND_OK ? refresh(path, true) : end;
}

enum command_exit refresh_command(const struct command_line *line)
{
	enum command_exit end = COMMAND_OK;

	if (!line->n_operands && line->n_options)
		return refresh_configured(line);
	if (!line->n_operands)
		return command_usage("refresh needs a PATH: a place in a "
				     "mount, like ~/bitbucket/acme/widgets");
	for (size_t i = 0; i < line->n_operands; i++) {
		enum command_exit one =
			refresh(line->operands[i], line->n_operands == 1);

		end = end == COMMAND_OK ? one : end;
	}
	return end;
}
