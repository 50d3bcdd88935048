/*
 * setup/oauth_kept: the tokens of one sign-in as lines of a file, and the
 * lock beside it.
 */
#include "setup/oauth_kept.h"
#include "setup/lines.h"
#include "setup/account.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/own.h"
#include "base/text.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX (16 * KIB)
#define LOCK_MS (30 * 1000)
#define LOOK_MS 20
#define HEADING \
	"# The OAuth tokens of a sign-in; bitbucketfs logout removes them.\n"

void oauth_kept_done(struct oauth_kept *kept)
{
	free(kept->consumer);
	free(kept->account);
	free(kept->name);
	text_wipe(kept->access);
	text_wipe(kept->refresh);
	text_wipe(kept->before);
	*kept = (struct oauth_kept){0};
}

int oauth_kept_path(struct ctx *ctx, const char *profile, const char *api_url,
		    char **ret_path)
{
	cleanup(free) char *host = account_host_name(api_url);
	cleanup(free) char *below = mem_asprintf(
		"bitbucketfs/oauth/%s%s%s", host,
		profile && *profile ? "@" : "", profile ? profile : "");
	int r = file_xdg_path(FILE_XDG_STATE, below, ret_path);

	return r ? ctx_fail(ctx, r,
			    "Neither HOME nor XDG_STATE_HOME says where OAuth "
			    "tokens are kept.")
		 : 0;
}

/* ---- reading ---- */

static void take_line(void *arg, const char *line, size_t n)
{
	struct oauth_kept *kept = arg;
	const struct {
		const char *name;
		char **text;
		int64_t *number;
	} values[] = {
		{"consumer ", &kept->consumer, NULL},
		{"account ", &kept->account, NULL},
		{"name ", &kept->name, NULL},
		{"access ", &kept->access, NULL},
		{"until ", NULL, &kept->until_s},
		{"lifetime ", NULL, &kept->lifetime_s},
		{"refresh ", &kept->refresh, NULL},
		{"before ", &kept->before, NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		size_t n_name = strlen(values[i].name);

		if (n <= n_name || memcmp(line, values[i].name, n_name) != 0)
			continue;
		if (values[i].number)
			*values[i].number = strtoll(line + n_name, NULL, 10);
		else if (!*values[i].text)
			*values[i].text = mem_dup0(line + n_name, n - n_name);
	}
}

/* False: it was cut off, or lacks what each has. */
static bool parse(const struct buf *bytes, struct oauth_kept *ret)
{
	return lines_each(bytes, take_line, ret) && ret->consumer &&
	       ret->account && (ret->access || ret->refresh);
}

static int cannot_read(struct ctx *ctx, const char *path, int r)
{
	if (r == -ENOENT)
		return ctx_fail(ctx, r,
				"Nobody has signed in by bitbucketfs login "
				"--oauth.");
	if (r == -EPERM || r == -ELOOP)
		return ctx_fail(ctx, -EPERM,
				"%s, which has OAuth tokens, is no file that "
				"this user alone can read and write: remove "
				"it, and sign in again (bitbucketfs login "
				"--oauth).",
				path);
	return ctx_fail(ctx, r, "%s cannot be read: %s.", path, strerror(-r));
}

int oauth_kept_read(struct ctx *ctx, const char *path, struct oauth_kept *ret)
{
	cleanup(oauth_kept_done) struct oauth_kept kept = {0};
	cleanup(lines_done) struct buf bytes = {0};
	cleanup(fd) int fd = own_open(path, O_RDONLY, 0);
	struct stat st;
	int r;

	if (fd < 0)
		return cannot_read(ctx, path, fd);
	if (fstat(fd, &st) || st.st_mode & 077)
		return cannot_read(ctx, path, -EPERM);
	r = file_read_fd(fd, FILE_MAX, &bytes);
	if (r)
		return cannot_read(ctx, path, r);
	if (!parse(&bytes, &kept))
		r = ctx_fail(ctx, -EBADMSG,
			     "%s is damaged: sign in again (bitbucketfs login "
			     "--oauth).",
			     path);
	if (r)
		return r;
	*ret = kept;
	kept = (struct oauth_kept){0};
	return 0;
}

/* ---- writing ---- */

static int cannot_write(struct ctx *ctx, const char *path, int r)
{
	return ctx_fail(ctx, r, "The OAuth tokens cannot be kept in %s: %s.",
			path, strerror(-r));
}

int oauth_kept_write(struct ctx *ctx, const char *path,
		     const struct oauth_kept *kept)
{
	cleanup(lines_done) struct buf out = lines_new(FILE_MAX);
	int r;

	buf_puts(&out, HEADING);
	lines_add(&out, "consumer", kept->consumer);
	lines_add(&out, "account", kept->account);
	lines_add(&out, "name", kept->name);
	lines_add(&out, "access", kept->access);
	buf_printf(&out, "until %" PRId64 "\nlifetime %" PRId64 "\n",
		   kept->until_s, kept->lifetime_s);
	lines_add(&out, "refresh", kept->refresh);
	lines_add(&out, "before", kept->before);
	r = lines_write(path, &out);
	return r ? cannot_write(ctx, path, r) : 0;
}

int oauth_kept_erase(struct ctx *ctx, const char *path)
{
	cleanup(free) char *lock = mem_asprintf("%s.lock", path);

	/* The lock first: who has it writes no more (oauth_kept_is_locked). */
	if ((unlink(lock) && errno != ENOENT) ||
	    (unlink(path) && errno != ENOENT))
		return ctx_fail(ctx, -errno, "%s cannot be removed: %s.", path,
				strerror(errno));
	return 0;
}

/* ---- one at a time ---- */

static int make_directory(struct ctx *ctx, const char *path)
{
	char why[OWN_WHY_MAX];
	int r = lines_make_directory(path, why);

	if (*why)
		return ctx_fail(ctx, r, "OAuth tokens are not kept there: %s.",
				why);
	return r ? cannot_write(ctx, path, r) : 0;
}

/* Not by a flock() that waits: nothing would break it off. */
static int await_lock(struct ctx *ctx, int fd)
{
	int64_t end = clock_mono_ms() + LOCK_MS;

	while (flock(fd, LOCK_EX | LOCK_NB)) {
		int r = errno == EWOULDBLOCK ? 0 : -errno;

		if (!r && clock_mono_ms() >= end)
			return ctx_fail(ctx, -EBUSY,
					"Another process asks for new OAuth "
					"tokens, and has not ended.");
		if (!r)
			r = ctx_sleep(ctx, LOOK_MS);
		if (r)
			return ctx_fail(ctx, r,
					"The OAuth tokens could not be locked: "
					"%s.",
					strerror(-r));
	}
	return 0;
}

/*
 * 1. A has opened the file and waits for its lock.
 * 2. B, who has it, removes it (logout), and lets go.
 * 3. C makes another one and locks that; A has the lock of the removed one.
 * So a lock counts only while its file is still the one of that name.
 */
static bool is_current(int fd, const char *path)
{
	struct stat of_fd, of_path;

	return !fstat(fd, &of_fd) && !stat(path, &of_path) &&
	       of_fd.st_dev == of_path.st_dev && of_fd.st_ino == of_path.st_ino;
}

bool oauth_kept_is_locked(int fd, const char *path)
{
	cleanup(free) char *lock = mem_asprintf("%s.lock", path);

	return is_current(fd, lock);
}

int oauth_kept_lock(struct ctx *ctx, const char *path)
{
	cleanup(free) char *lock = mem_asprintf("%s.lock", path);
	int r = make_directory(ctx, path);

	while (!r) {
		int fd = own_open(lock, O_RDWR | O_CREAT, 0600);

		if (fd < 0)
			return cannot_write(ctx, path, fd);
		r = await_lock(ctx, fd);
		if (!r && is_current(fd, lock))
			return fd;
		file_close(fd);
	}
	return r;
}
