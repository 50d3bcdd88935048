/*
 * bitbucketfs umount [MOUNTPOINT]: also where the mount is busy or does not
 * answer.
 */
#include "cmd/command.h"
#include "cmd/preflight.h"

enum command_exit command_umount(const struct command_line *line)
{
	cleanup(free) char *path = NULL;
	char words[256];
	int r;

	if (line->n_operands > 1)
		return command_usage("umount takes one mount point at most");
	r = preflight_path(line->n_operands ? line->operands[0] : NULL, &path);
	if (r) {
		command_say("%s is no mount point: %s",
			    line->n_operands ? line->operands[0]
					     : "~/bitbucket",
			    strerror(-r));
		return COMMAND_FAILED;
	}
	if (preflight_mounted(path) != PREFLIGHT_OURS) {
		command_say("no Bitbucket is mounted at %s", path);
		return COMMAND_FAILED;
	}
	r = preflight_unmount(path, false, words);
	if (r == -EBUSY) {
		r = preflight_unmount(path, true, words);
		if (!r)
			command_say("%s is still in use (a shell that stands "
				    "in it?): it is gone from its place now, "
				    "and ends when it is let go",
				    path);
	}
	if (r)
		command_say("%s could not be unmounted (%s): run sudo umount "
			    "-l '%s'",
			    path, *words ? words : strerror(-r), path);
	return r ? COMMAND_FAILED : COMMAND_OK;
}
