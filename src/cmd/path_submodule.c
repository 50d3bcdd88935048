/*
 * bitbucketfs path --submodule PATH: where a submodule is, by the commit that
 * the mount shows.
 */
#include "cmd/path_submodule.h"

#include "cmd/mount/control.h"
#include "cmd/mount/live.h"
#include "cmd/mount/preflight.h"
#include "cmd/web.h"

static int ask(const struct inside *inside, struct control_answer *answer)
{
	const char *const words[] = {"submodule", inside->path, NULL};
	int r = -ENOTCONN;

	if (web_is_mounted(inside))
		r = preflight_answers(inside->mountpoint, PREFLIGHT_ANSWER_MS);
	return r ? r
		 : control_ask(inside->device, words, LIVE_REFRESH_MS, answer);
}

enum command_exit path_submodule(const struct config *config, const char *path)
{
	cleanup(inside_done) struct inside inside = {0};
	cleanup(control_answer_done) struct control_answer answer = {0};
	int r = web_inside(path, config->mountpoint, &inside);

	if (r == -ENXIO) {
		command_say("%s is in no Bitbucket that is mounted", path);
		return COMMAND_FAILED;
	}
	if (!r)
		r = ask(&inside, &answer);
	if (!r && answer.errnum == -EINVAL)
		return command_usage("%s is in no submodule", path);
	if (!r && !answer.errnum)
		return command_print(answer.text, strlen(answer.text));
	if (!r)
		r = answer.errnum;
	command_say("%s: %s", path,
		    answer.text && *answer.text ? answer.text : strerror(-r));
	return COMMAND_FAILED;
}
