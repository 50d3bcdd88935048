/*
 * bitbucketfs status [MOUNTPOINT]: prints .bitbucketfs/status of a mount.
 */
#include "cmd/command.h"
#include "cmd/mount/control.h"
#include "cmd/mount/preflight.h"
#include "cmd/remote.h"

#include "base/file.h"

#define STATUS_MAX MIB
#define AGENT_MS 1000

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

/* A mount that fetches by SSH may have been started where no agent was; who
 * looks at it has one. It need not hear of it. */
static void bring_agent(const char *path)
{
	const char *words[] = {"agent", getenv("SSH_AUTH_SOCK"), NULL};
	cleanup(preflight_place_done) struct preflight_place place = {0};
	cleanup(control_answer_done) struct control_answer answer = {0};

	if (words[1] && *words[1] == '/' && !preflight_place(path, &place))
		(void)control_ask(place.device, words, AGENT_MS, &answer);
}

enum command_exit status_command(const struct command_line *line)
{
	cleanup(buf_done) struct buf text = BUF_INIT(STATUS_MAX);
	cleanup(free) char *asked = NULL;
	cleanup(free) char *path = NULL;
	cleanup(free) char *file = NULL;
	enum command_exit end = remote_mountpoint(line, &asked);
	int r;

	if (end != COMMAND_OK)
		return end;
	if (asked && !*asked)
		return command_usage("the mount point is empty");
	r = preflight_path(asked, &path);
	if (r || preflight_mounted(path) != PREFLIGHT_OURS)
		return say_where(path ? path : asked ? asked : "~/bitbucket");
	file = mem_asprintf("%s/.bitbucketfs/status", path);
	r = preflight_answers(path, PREFLIGHT_ANSWER_MS);
	if (r == -ETIMEDOUT) {
		command_say("the mount at %s does not answer: bitbucketfs "
			    "umount '%s' takes it away",
			    path, path);
		return COMMAND_FAILED;
	}
	bring_agent(path);
	r = file_read(file, STATUS_MAX, &text);
	if (r == -ENOTCONN) {
		command_say("the mount at %s is dead (its daemon is gone): "
			    "mounting there again cleans it up",
			    path);
		return COMMAND_FAILED;
	}
	if (r) {
		command_say("%s cannot be read: %s", file, strerror(-r));
		return COMMAND_FAILED;
	}
	return command_print(text.data ? text.data : "", text.len);
}
