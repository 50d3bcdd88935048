/*
 * setup/sign_in: the file says whether its secret is in the keyring, so
 * that where nobody has signed in no keyring is asked.
 */
#include "setup/sign_in_private.h"
#include "setup/account.h"
#include "setup/keyring.h"
#include "setup/oauth_kept.h"

#include "base/file.h"
#include "base/own.h"
#include "base/text.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* So long logout waits for who writes tokens down. */
#define WRITING_MS 500

void sign_in_done(struct sign_in *sign_in)
{
	free(sign_in->email);
	free(sign_in->username);
	text_wipe(sign_in->token);
	free(sign_in->where);
	free(sign_in->note);
	*sign_in = (struct sign_in){0};
}

static bool same(const char *a, const char *b)
{
	return !strcmp(a ? a : "", b ? b : "");
}

bool sign_in_is_same_account(const struct sign_in *a, const struct sign_in *b)
{
	return a->kind == b->kind && same(a->email, b->email) &&
	       same(a->username, b->username) &&
	       (a->kind != SIGN_IN_ACCESS_TOKEN || same(a->token, b->token));
}

int sign_in_path(const char *profile, const char *api_url, char **ret_path)
{
	cleanup(free) char *host = account_host_name(api_url);
	cleanup(buf_done) struct buf below = BUF_INIT(0);

	buf_printf(&below, "bitbucketfs/sign-in/%s", host);
	if (profile && *profile) {
		buf_putc(&below, '@');
		text_percent_encode(&below, profile, "");
	}
	return file_xdg_path(FILE_XDG_STATE, below.data, ret_path);
}

static int no_place(struct ctx *ctx, int r)
{
	return ctx_fail(ctx, r,
			"Neither HOME nor XDG_STATE_HOME says where a sign-in "
			"is kept.");
}

/* The path, or the sentence. */
static int find_path(struct ctx *ctx, const char *profile, const char *api_url,
		     char **ret_path)
{
	int r = sign_in_path(profile, api_url, ret_path);

	return r ? no_place(ctx, r) : 0;
}

/* The secret, of a sign-in whose file says that it is there. */
static int read_keyring(struct ctx *ctx, const char *profile,
			const char *api_url, struct sign_in *sign_in)
{
	cleanup(free) char *host = account_host_name(api_url);
	cleanup(free) char *said = NULL;
	int r = keyring_get(ctx, host, profile, &sign_in->token);

	if (!r || r == -EINTR || r == -ETIMEDOUT)
		return r;
	said = mem_strdup(ctx->sentence);
	return ctx_fail(ctx, -EACCES,
			"The secret is in the desktop's keyring: %s Unlock "
			"it, or sign in again (bitbucketfs login --in-file).",
			said);
}

static void say_where(struct sign_in *sign_in, const char *path)
{
	free(sign_in->where);
	sign_in->where = mem_strdup(
		sign_in->in_keyring ? "the desktop's keyring" : path);
}

int sign_in_read(struct ctx *ctx, const char *profile, const char *api_url,
		 struct sign_in *ret)
{
	cleanup(sign_in_done) struct sign_in sign_in = {0};
	cleanup(free) char *path = NULL;
	int r = find_path(ctx, profile, api_url, &path);

	if (!r)
		r = sign_in_read_file(ctx, path, &sign_in);
	if (!r && sign_in.in_keyring)
		r = read_keyring(ctx, profile, api_url, &sign_in);
	if (r)
		return r;
	say_where(&sign_in, path);
	*ret = sign_in;
	sign_in = (struct sign_in){0};
	return 0;
}

/* First the secret: a file that names a keyring without it would be worse than
 * a secret that no file names. */
static void try_keyring(struct ctx *ctx, const char *profile,
			const char *api_url, struct sign_in *sign_in)
{
	cleanup(free) char *host = account_host_name(api_url);

	free(sign_in->note);
	sign_in->note = NULL;
	sign_in->in_keyring = false;
	if (sign_in->in_file) {
		(void)keyring_erase(ctx, host, profile);
		return;
	}
	if (keyring_put(ctx, host, profile, sign_in->token))
		sign_in->note = mem_strdup(ctx->sentence);
	else
		sign_in->in_keyring = true;
}

static bool is_oauth(enum sign_in_kind kind)
{
	return kind == SIGN_IN_OAUTH_CLIENT || kind == SIGN_IN_OAUTH_CODE;
}

/* What an OAuth sign-in was given is nobody's any more. */
static int erase_tokens(struct ctx *ctx, const char *profile,
			const char *api_url)
{
	cleanup(free) char *path = NULL;
	cleanup(fd) int lock = -1;
	int r = oauth_kept_path(ctx, profile, api_url, &path);

	if (r)
		return r;
	/* Who writes just now does so first; who waits for the service finds
	 * that the lock is gone. */
	if (!access(path, F_OK)) {
		int64_t old = ctx_narrow(ctx, WRITING_MS);

		lock = oauth_kept_lock(ctx, path);
		ctx_widen(ctx, old);
	}
	return oauth_kept_erase(ctx, path);
}

int sign_in_write(struct ctx *ctx, const char *profile, const char *api_url,
		  struct sign_in *sign_in)
{
	cleanup(free) char *path = NULL;
	int r = find_path(ctx, profile, api_url, &path);

	if (!r)
		r = sign_in_make_directory(ctx, path);
	if (r)
		return r;
	try_keyring(ctx, profile, api_url, sign_in);
	r = sign_in_write_file(path, sign_in);
	if (r)
		return sign_in_cannot_write(ctx, path, r);
	say_where(sign_in, path);
	return is_oauth(sign_in->kind) ? 0
				       : erase_tokens(ctx, profile, api_url);
}

int sign_in_lock(struct ctx *ctx)
{
	cleanup(free) char *path = NULL;
	cleanup(fd) int fd = -1;
	int r = file_xdg_path(FILE_XDG_STATE, "bitbucketfs/sign-in/.lock",
			      &path);

	if (r)
		return no_place(ctx, r);
	r = sign_in_make_directory(ctx, path);
	if (r)
		return r;
	fd = own_open(path, O_RDWR | O_CREAT, 0600);
	if (fd < 0)
		return sign_in_cannot_write(ctx, path, fd);
	r = file_lock(fd, LOCK_EX | LOCK_NB);
	if (r)
		return ctx_fail(ctx, -EBUSY,
				"Another bitbucketfs login is at "
				"work: end it first.");
	r = fd;
	fd = -1;
	return r;
}

int sign_in_erase(struct ctx *ctx, const char *profile, const char *api_url)
{
	cleanup(sign_in_done) struct sign_in sign_in = {0};
	cleanup(free) char *host = account_host_name(api_url);
	cleanup(free) char *path = NULL;
	int r = find_path(ctx, profile, api_url, &path);

	if (!r)
		r = erase_tokens(ctx, profile, api_url);
	if (r)
		return r;
	(void)sign_in_read_file(ctx, path, &sign_in);
	/* Also where it did not answer in time when it was to keep it. */
	r = keyring_erase(ctx, host, profile);
	/* It has none, or it was taken away. */
	if (r && r != -ENOENT && r != -EOPNOTSUPP && sign_in.in_keyring)
		return r;
	if (!unlink(path))
		return 0;
	r = -errno;
	return ctx_fail(ctx, r,
			r == -ENOENT ? "%s: nobody has signed in."
				     : "The sign-in %s cannot be removed.",
			path);
}
