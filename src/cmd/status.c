/*
 * bitbucketfs status [MOUNTPOINT]: prints .bitbucketfs/status of a mount.
 */
#include "cmd/command.h"
#include "cmd/preflight.h"

#include "base/file.h"

#define STATUS_MAX MIB

enum command_exit status_command(const struct command_line *line)
{
	cleanup(buf_done) struct buf text = BUF_INIT(STATUS_MAX);
	cleanup(free) char *path = NULL;
	cleanup(free) char *file = NULL;
	int r;

	if (line->n_operands > 1)
		return command_usage("status takes one mount point at most");
	r = preflight_path(line->n_operands ? line->operands[0] : NULL, &path);
	if (r || preflight_mounted(path) != PREFLIGHT_OURS) {
		command_say("no Bitbucket is mounted at %s",
			    path               ? path
			    : line->n_operands ? line->operands[0]
					       : "~/bitbucket");
		return COMMAND_FAILED;
	}
	file = mem_asprintf("%s/.bitbucketfs/status", path);
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
	if (fwrite(text.data ? text.data : "", 1, text.len, stdout) !=
		    text.len ||
	    fflush(stdout)) {
		command_say("the output could not be written: %s",
			    strerror(errno));
		return COMMAND_FAILED;
	}
	return COMMAND_OK;
}
