/*
 * cmd/login/logout: what is left in the end is what the system's journal has.
 */
#include "setup/account.h"
#include "cmd/command.h"
#include "cmd/mount/control.h"
#include "cmd/git_helper.h"
#include "setup/keyring.h"
#include "cmd/login/logout.h"
#include "cmd/mount/preflight.h"
#include "setup/sign_in.h"
#include "setup/units.h"

#include "base/file.h"

#include <sys/stat.h>
#include <unistd.h>

static void say_removed(void *arg, const char *path)
{
	buf_printf(arg, "Removed: %s\n", path);
}

/* A file or a directory with all that is in it; false: it is still there. */
static bool remove_path(const char *path, struct buf *out)
{
	struct stat st;
	int r;

	if (lstat(path, &st))
		return true;
	r = file_remove_tree(path);
	if (r)
		command_say("%s could not be removed: %s", path, strerror(-r));
	else
		say_removed(out, path);
	return !r;
}

static bool remove_xdg(enum file_xdg place, const char *below, struct buf *out)
{
	cleanup(free) char *path = NULL;

	return file_xdg_path(place, below, &path) || remove_path(path, out);
}

/* Without a word: it was made on the way. */
static void remove_empty(enum file_xdg place, const char *below)
{
	cleanup(free) char *path = NULL;

	if (!file_xdg_path(place, below, &path))
		rmdir(path);
}

/* ---- live mounts ---- */

#define LIVE_MS 2000

static void add_live(void *arg, const struct control_answer *answer)
{
	struct buf *points = arg;

	buf_printf(points, "%s%s", points->len ? ", " : "",
		   answer->mountpoint ? answer->mountpoint
				      : "(a mount that does not answer)");
}

/* A daemon would make its directories anew, and have its secret still: also
 * one in another namespace, and one whose cache nobody has named. It does not
 * know the command, and says so. */
static bool is_any_live(struct buf *points)
{
	static const char *const words[] = {"here", NULL};

	return control_ask_all(words, LIVE_MS, add_live, points) > 0;
}

static enum command_exit are_in_use(bool more, const struct buf *live)
{
	cleanup(buf_done) struct buf others = BUF_INIT(4 * KIB);
	const char *points = live->len                   ? live->data
			     : preflight_others(&others) ? others.data
							 : NULL;

	command_say("nothing%s is removed, for what is cached is in use%s%s: "
		    "bitbucketfs umount MOUNTPOINT first",
		    more ? " more" : "", points ? " at " : "",
		    points ? points : "");
	return COMMAND_FAILED;
}

/* ---- caches ---- */

static void note(int *r, int also)
{
	if (!*r || also == -EBUSY)
		*r = also;
}

static int remove_cache(const struct command_line *line, const char *profile,
			struct buf *out)
{
	struct remote remote = {0};
	const struct config *config = &remote.config;
	int r = -EINVAL;

	if (remote_read_profile(&remote, line, profile) == COMMAND_OK) {
		/* Beside it are those of other profiles. */
		if (config->profile)
			*strrchr(config->cache_dir, '/') = '\0';
		r = account_remove_all(config->cache_dir, say_removed, out);
	}
	remote_done(&remote);
	return r;
}

/* Of a profile ("": of none), which may have its own: where commands have it
 * now, and where a unit has it, which does not know the environment. */
static void remove_both(const struct command_line *line, const char *profile,
			struct buf *out, int *r)
{
	if (*r != -EBUSY)
		note(r, remove_cache(line, profile, out));
	if (*r != -EBUSY)
		note(r, remove_cache(NULL, profile, out));
}

/* -EBUSY: nothing more is removed. */
static int remove_caches(const struct config *config,
			 const struct command_line *line, struct buf *out)
{
	cleanup(free) char *usual = NULL;
	int r = 0;

	remove_both(line, "", out, &r);
	for (char **p = config->profiles; p && *p; p++)
		remove_both(line, *p, out, &r);
	if (r != -EBUSY &&
	    !file_xdg_path(FILE_XDG_CACHE, "bitbucketfs", &usual))
		note(&r, account_remove_all(usual, say_removed, out));
	return r;
}

/* ---- the rest ---- */

/* The lock alone is nothing to speak of. */
static bool remove_sign_ins(struct buf *out)
{
	cleanup(free) char *lock = NULL;
	bool good;

	if (!file_xdg_path(FILE_XDG_STATE, "bitbucketfs/sign-in/.lock", &lock))
		unlink(lock);
	remove_empty(FILE_XDG_STATE, "bitbucketfs/sign-in");
	good = remove_xdg(FILE_XDG_STATE, "bitbucketfs/oauth", out);
	return remove_xdg(FILE_XDG_STATE, "bitbucketfs/sign-in", out) && good;
}

static bool leave_git(struct buf *out)
{
	bool was_there = false;
	enum command_exit end;

	end = git_helper_uninstall_all(&was_there);
	if (was_there)
		say_removed(out, "what git's configuration had of this "
				 "program");
	return end == COMMAND_OK;
}

static bool empty_keyring(struct buf *out)
{
	cleanup(ctx_done) struct ctx ctx;
	int r;

	ctx_init(&ctx, NULL, -1);
	r = keyring_erase_all(&ctx);
	if (!r)
		say_removed(out, "secrets in the desktop's keyring");
	if (!r || r == -ENOENT || r == -EOPNOTSUPP)
		return true;
	command_say("%s Its secrets stay.", ctx.sentence);
	return false;
}

static void remove_sockets(void)
{
	for (size_t i = 0; i < CONTROL_PLACES; i++) {
		cleanup(free) char *place = control_place(i);

		if (place)
			rmdir(place);
	}
}

/* The directory to mount at that the program has made. */
static void remove_mountpoint(void)
{
	cleanup(free) char *path = NULL;

	if (!file_home_path("bitbucket", &path))
		rmdir(path);
}

enum command_exit logout_all(struct remote *remote,
			     const struct command_line *line)
{
	cleanup(buf_done) struct buf out = BUF_INIT(MIB);
	cleanup(buf_done) struct buf live = BUF_INIT(64 * KIB);
	bool good;
	int r;

	/* They end their mounts. */
	units_remove_all(&out);
	r = is_any_live(&live) ? -EBUSY
			       : remove_caches(&remote->config, line, &out);
	good = !r;
	if (r == -EBUSY) {
		(void)command_print(out.data ? out.data : "", out.len);
		return are_in_use(out.len > 0, &live);
	}
	if (r)
		command_say("not all that was cached could be removed: %s",
			    strerror(-r));
	good = leave_git(&out) && good;
	good = empty_keyring(&out) && good;
	good = remove_sign_ins(&out) && good;
	if (line->config)
		good = remove_xdg(FILE_XDG_CONFIG, "bitbucketfs/config",
				  &out) &&
		       good;
	remove_sockets();
	remove_mountpoint();
	remove_empty(FILE_XDG_STATE, "bitbucketfs");
	remove_empty(FILE_XDG_CONFIG, "bitbucketfs");
	if (!out.len)
		buf_puts(&out, "There is nothing to remove.\n");
	if (command_print(out.data, out.len) != COMMAND_OK)
		good = false;
	return good ? COMMAND_OK : COMMAND_FAILED;
}
