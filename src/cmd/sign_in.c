/*
 * cmd/sign_in: a file has a line a value, "name value", and lines that begin
 * with #, which are for people.
 */
#include "cmd/sign_in.h"
#include "cmd/account.h"
#include "cmd/oauth_kept.h"

#include "base/file.h"
#include "base/own.h"
#include "base/text.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX (64 * KIB)
#define HEADING \
	"# Written by bitbucketfs login; bitbucketfs logout removes it.\n"

static const struct {
	const char *word, *name; /* of the file; for people */
} kinds[] = {
	[SIGN_IN_API_TOKEN] = {"api-token", "API token"},
	[SIGN_IN_BASIC] = {"username", "user name and secret"},
	[SIGN_IN_ACCESS_TOKEN] = {"access-token", "access token"},
	[SIGN_IN_OAUTH_CLIENT] = {"oauth-client", "OAuth client credentials"},
	[SIGN_IN_OAUTH_CODE] = {"oauth-code", "OAuth consumer"},
};

const char *sign_in_kind_name(enum sign_in_kind kind)
{
	return kinds[kind].name;
}

void sign_in_done(struct sign_in *sign_in)
{
	free(sign_in->email);
	free(sign_in->username);
	text_wipe(sign_in->token);
	free(sign_in->where);
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

/* ---- reading ---- */

static void take_line(struct sign_in *sign_in, const char *line, size_t n,
		      bool *ret_kind)
{
	const struct {
		const char *name;
		char **value;
	} values[] = {
		{"email ", &sign_in->email},
		{"username ", &sign_in->username},
		{"token ", &sign_in->token},
	};

	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		size_t n_name = strlen(values[i].name);

		if (n > n_name && !memcmp(line, values[i].name, n_name) &&
		    !*values[i].value)
			*values[i].value = mem_dup0(line + n_name, n - n_name);
	}
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		cleanup(free) char *said =
			mem_asprintf("kind %s", kinds[i].word);

		if (strlen(said) == n && !memcmp(line, said, n)) {
			sign_in->kind = (enum sign_in_kind)i;
			*ret_kind = true;
		}
	}
}

/* Whether it has what its kind needs. */
static bool parse(const char *bytes, size_t n, struct sign_in *ret)
{
	const char *end = bytes + n;
	bool has_kind = false, has_name;

	while (bytes < end) {
		const char *line = bytes;
		const char *stop = memchr(line, '\n', (size_t)(end - line));

		/* One that was cut off is no line. */
		if (!stop)
			return false;
		take_line(ret, line, (size_t)(stop - line), &has_kind);
		bytes = stop + 1;
	}
	has_name = ret->kind == SIGN_IN_API_TOKEN      ? !!ret->email
		   : ret->kind == SIGN_IN_ACCESS_TOKEN ? true
						       : !!ret->username;
	return has_kind && has_name && ret->token;
}

static int read_bytes(struct ctx *ctx, const char *path, struct buf *ret_bytes)
{
	cleanup(fd) int fd = own_open(path, O_RDONLY, 0);
	struct stat st;
	int r;

	if (fd == -ENOENT)
		return ctx_fail(ctx, fd,
				"Nobody has signed in by bitbucketfs "
				"login.");
	if (fd == -EPERM || fd == -ELOOP)
		return ctx_fail(ctx, -EPERM,
				"The sign-in %s is no file of this user's that "
				"others cannot write.",
				path);
	if (fd < 0)
		return ctx_fail(ctx, fd, "The sign-in %s cannot be read: %s.",
				path, strerror(-fd));
	if (!fstat(fd, &st) && st.st_mode & 077)
		return ctx_fail(ctx, -EPERM,
				"The sign-in %s can be read by others (mode "
				"%04o): run chmod 600 '%s', and make a new "
				"token if others are on this machine.",
				path, st.st_mode & 07777, path);
	r = file_read_fd(fd, FILE_MAX, ret_bytes);
	return r ? ctx_fail(ctx, r, "The sign-in %s cannot be read: %s.", path,
			    strerror(-r))
		 : 0;
}

static void wipe(struct buf *bytes)
{
	if (bytes->data)
		explicit_bzero(bytes->data, bytes->size);
}

int sign_in_read(struct ctx *ctx, const char *profile, const char *api_url,
		 struct sign_in *ret)
{
	cleanup(sign_in_done) struct sign_in sign_in = {0};
	cleanup(buf_done) struct buf bytes = BUF_INIT(FILE_MAX);
	cleanup(free) char *path = NULL;
	int r = find_path(ctx, profile, api_url, &path);

	if (!r)
		r = read_bytes(ctx, path, &bytes);
	if (!r && !parse(bytes.data ? bytes.data : "", bytes.len, &sign_in))
		r = ctx_fail(ctx, -EBADMSG,
			     "The sign-in %s is damaged: sign in again "
			     "(bitbucketfs login).",
			     path);
	wipe(&bytes);
	if (r)
		return r;
	sign_in.where = steal(&path);
	*ret = sign_in;
	sign_in = (struct sign_in){0};
	return 0;
}

/* ---- writing ---- */

static void add_value(struct buf *out, const char *name, const char *value)
{
	if (value)
		buf_printf(out, "%s %s\n", name, value);
}

static int cannot_write(struct ctx *ctx, const char *path, int r)
{
	return ctx_fail(ctx, r, "The sign-in %s cannot be written: %s.", path,
			strerror(-r));
}

/* Of a directory that others may write to the file could be anybody's. */
static int make_directory(struct ctx *ctx, const char *path)
{
	cleanup(free) char *dir =
		mem_dup0(path, (size_t)(strrchr(path, '/') - path));
	char why[OWN_WHY_MAX];
	int r = file_mkdirs(dir, 0700);

	if (r)
		return cannot_write(ctx, path, r);
	r = own_directory(dir, NULL, why);
	return r ? ctx_fail(ctx, r, "A sign-in is not kept there: %s.", why)
		 : 0;
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
	int r = oauth_kept_path(ctx, profile, api_url, &path);

	return r ? r : oauth_kept_erase(ctx, path);
}

int sign_in_write(struct ctx *ctx, const char *profile, const char *api_url,
		  struct sign_in *sign_in)
{
	/* Of its full size from the start: growing would leave copies. */
	cleanup(buf_done) struct buf out = BUF_INIT(FILE_MAX);
	cleanup(free) char *path = NULL;
	int r = find_path(ctx, profile, api_url, &path);

	if (!r)
		r = make_directory(ctx, path);
	if (r)
		return r;
	buf_puts(&out, HEADING);
	buf_printf(&out, "kind %s\n", kinds[sign_in->kind].word);
	add_value(&out, "email", sign_in->email);
	add_value(&out, "username", sign_in->username);
	add_value(&out, "token", sign_in->token);
	r = out.failed ? out.failed
		       : file_write_atomic(path, 0600, out.data, out.len);
	wipe(&out);
	if (r)
		return cannot_write(ctx, path, r);
	free(sign_in->where);
	sign_in->where = steal(&path);
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
	r = make_directory(ctx, path);
	if (r)
		return r;
	fd = own_open(path, O_RDWR | O_CREAT, 0600);
	if (fd < 0)
		return cannot_write(ctx, path, fd);
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
	cleanup(free) char *path = NULL;
	int r = find_path(ctx, profile, api_url, &path);

	if (!r)
		r = erase_tokens(ctx, profile, api_url);
	if (r || !unlink(path))
		return r;
	r = -errno;
	return ctx_fail(ctx, r,
			r == -ENOENT ? "%s: nobody has signed in."
				     : "The sign-in %s cannot be removed.",
			path);
}
