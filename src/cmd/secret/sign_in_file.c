/*
 * cmd/secret/sign_in: a file has a line a value, "name value", and lines that
 * begin with #, which are for people.
 */
#include "cmd/secret/sign_in_private.h"

#include "base/file.h"
#include "base/own.h"

#include <fcntl.h>
#include <sys/stat.h>

#define FILE_MAX (64 * KIB)
#define IN_KEYRING "keyring yes"
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
	if (n == strlen(IN_KEYRING) && !memcmp(line, IN_KEYRING, n))
		sign_in->in_keyring = true;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		cleanup(free) char *said =
			mem_asprintf("kind %s", kinds[i].word);

		if (strlen(said) == n && !memcmp(line, said, n)) {
			sign_in->kind = (enum sign_in_kind)i;
			*ret_kind = true;
		}
	}
}

/* Whether it has what its kind needs; the secret may be in the keyring. */
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
	return has_kind && has_name && (ret->token || ret->in_keyring);
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

/* What the file has. */
int sign_in_read_file(struct ctx *ctx, const char *path, struct sign_in *ret)
{
	cleanup(sign_in_done) struct sign_in sign_in = {0};
	cleanup(buf_done) struct buf bytes = BUF_INIT(FILE_MAX);
	int r = read_bytes(ctx, path, &bytes);

	if (!r && !parse(bytes.data ? bytes.data : "", bytes.len, &sign_in))
		r = ctx_fail(ctx, -EBADMSG,
			     "The sign-in %s is damaged: sign in again "
			     "(bitbucketfs login).",
			     path);
	wipe(&bytes);
	if (r)
		return r;
	*ret = sign_in;
	sign_in = (struct sign_in){0};
	return 0;
}

static void add_value(struct buf *out, const char *name, const char *value)
{
	if (value)
		buf_printf(out, "%s %s\n", name, value);
}

int sign_in_cannot_write(struct ctx *ctx, const char *path, int r)
{
	return ctx_fail(ctx, r, "The sign-in %s cannot be written: %s.", path,
			strerror(-r));
}

/* Of a directory that others may write to the file could be anybody's. */
int sign_in_make_directory(struct ctx *ctx, const char *path)
{
	cleanup(free) char *dir =
		mem_dup0(path, (size_t)(strrchr(path, '/') - path));
	char why[OWN_WHY_MAX];
	int r = file_mkdirs(dir, 0700);

	if (r)
		return sign_in_cannot_write(ctx, path, r);
	r = own_directory(dir, NULL, why);
	return r ? ctx_fail(ctx, r, "A sign-in is not kept there: %s.", why)
		 : 0;
}

int sign_in_write_file(const char *path, const struct sign_in *sign_in)
{
	cleanup(buf_done) struct buf out = BUF_INIT(FILE_MAX);
	int r;

	buf_puts(&out, HEADING);
	buf_printf(&out, "kind %s\n", kinds[sign_in->kind].word);
	add_value(&out, "email", sign_in->email);
	add_value(&out, "username", sign_in->username);
	if (sign_in->in_keyring)
		buf_puts(&out, IN_KEYRING "\n");
	else
		add_value(&out, "token", sign_in->token);
	r = out.failed ? out.failed
		       : file_write_atomic(path, 0600, out.data, out.len);
	wipe(&out);
	return r;
}
