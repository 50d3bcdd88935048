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
#include "cmd/webhook.h"

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
static enum command_exit configured(const struct command_line *line,
				    char **ret_path)
{
	cleanup(free) char *asked = NULL;
	enum command_exit end = remote_mountpoint(line, &asked);

	if (end == COMMAND_OK && preflight_path(asked, ret_path))
		end = command_usage("there is no mount point %s",
				    asked ? asked : "~/bitbucket");
	return end;
}

static enum command_exit refresh_all(const char *const *places, size_t n)
{
	enum command_exit end = COMMAND_OK;

	for (size_t i = 0; i < n; i++) {
		enum command_exit one = refresh(places[i], n == 1);

		end = end == COMMAND_OK ? one : end;
	}
	return end;
}

enum command_exit refresh_command(const struct command_line *line)
{
	const char *const *places = line->operands;
	size_t n_places = line->n_operands;
	cleanup(free) char *path = NULL;

	if (!line->webhook &&
	    (line->event || line->signature || line->secret_file))
		return command_usage("%s is of a webhook's payload: refresh "
				     "--webhook",
				     line->event       ? "--event"
				     : line->signature ? "--signature"
						       : "--secret-file");
	if (!n_places && line->n_options) {
		enum command_exit end = configured(line, &path);

		if (end != COMMAND_OK)
			return end;
		places = (const char *const *)&path;
		n_places = 1;
	}
	if (line->webhook)
		return webhook_refresh(line, places, n_places);
	if (!n_places)
		return command_usage("refresh needs a PATH: a place in a "
				     "mount, like ~/bitbucket/acme/widgets");
	return refresh_all(places, n_places);
}
