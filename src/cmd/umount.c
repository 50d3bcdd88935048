/*
 * bitbucketfs umount [--lazy] [MOUNTPOINT]: the mount, and the process behind
 * it, which writes into the cache until its very end.
 */
#include "cmd/mount/busy.h"
#include "cmd/command.h"
#include "cmd/mount/lifeline.h"
#include "cmd/mount/preflight.h"
#include "cmd/remote.h"

#include "base/file.h"

#include <unistd.h>

#define END_TIMEOUT_MS (10 * 1000)

static enum command_exit wait_for_end(const char *path, int life, pid_t daemon)
{
	if (!lifeline_wait(life, END_TIMEOUT_MS))
		return COMMAND_OK;
	command_say("%s is unmounted, but its daemon (process %ld) has not "
		    "ended within %d seconds: it may still write into its "
		    "cache",
		    path, (long)daemon, END_TIMEOUT_MS / 1000);
	return COMMAND_FAILED;
}

static enum command_exit say_busy(const struct preflight_place *place,
				  const char *path)
{
	cleanup(buf_done) struct buf names = BUF_INIT(8 * KIB);

	busy_name(place, path, &names);
	command_say("%s is in use: %s; bitbucketfs umount --lazy '%s' takes it "
		    "from its place all the same",
		    path,
		    names.len ? names.data
			      : "by whom this user may not see (root may)",
		    path);
	return COMMAND_FAILED;
}

static enum command_exit detach(const struct preflight_place *place,
				const char *path)
{
	cleanup(buf_done) struct buf names = BUF_INIT(8 * KIB);
	char words[256];
	int r;

	busy_name(place, path, &names);
	r = preflight_unmount(path, true, words);
	if (r) {
		command_say("%s could not be unmounted (%s): run sudo umount "
			    "-l '%s'",
			    path, *words ? words : strerror(-r), path);
		return COMMAND_FAILED;
	}
	command_say("%s is still in use (%s): it is gone from its place now, "
		    "and its daemon ends when it is let go",
		    path, names.len ? names.data : "by others");
	return COMMAND_OK;
}

static enum command_exit take_away(const struct preflight_place *place,
				   const char *path, bool lazily)
{
	cleanup(fd) int life = -1;
	char words[256];
	pid_t daemon = 0;
	bool dead;
	int r;

	/* Connected before the umount: afterwards the number may be that of
	 * another mount. */
	life = lifeline_take(place->device, place->user, &daemon);
	dead = life < 0 &&
	       preflight_answers(path, PREFLIGHT_ANSWER_MS) == -ENOTCONN;
	r = preflight_unmount(path, false, words);
	if (r == -EBUSY)
		return lazily || dead ? detach(place, path)
				      : say_busy(place, path);
	if (r) {
		command_say("%s could not be unmounted (%s): run sudo umount "
			    "-l '%s'",
			    path, *words ? words : strerror(-r), path);
		return COMMAND_FAILED;
	}
	if (life >= 0)
		return wait_for_end(path, life, daemon);
	if (!dead)
		command_say("%s is unmounted; its daemon could not be found, "
			    "so nobody waited for its end",
			    path);
	return COMMAND_OK;
}

enum command_exit umount_command(const struct command_line *line)
{
	cleanup(preflight_place_done) struct preflight_place place = {0};
	cleanup(free) char *asked = NULL;
	cleanup(free) char *path = NULL;
	enum command_exit end = remote_mountpoint(line, &asked);
	int r;

	if (end != COMMAND_OK)
		return end;
	r = preflight_path(asked, &path);
	if (r) {
		command_say("%s is no mount point: %s",
			    asked ? asked : "~/bitbucket", strerror(-r));
		return COMMAND_FAILED;
	}
	if (preflight_place(path, &place) || place.what != PREFLIGHT_OURS) {
		command_say("no Bitbucket is mounted at %s", path);
		return COMMAND_FAILED;
	}
	/* A working directory inside the mount would keep it busy: this
	 * process's own. */
	if (chdir("/"))
		command_say("there is no /: %s", strerror(errno));
	return take_away(&place, path, line->lazy);
}
