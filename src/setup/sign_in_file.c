/*
 * setup/sign_in: one sign-in as lines of a file.
 */
#include "setup/sign_in_private.h"
#include "setup/lines.h"

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

struct reading {
	struct sign_in *sign_in;
	bool has_kind;
};

static void take_line(void *arg, const char *line, size_t n)
{
	struct reading *reading = arg;
	struct sign_in *sign_in = reading->sign_in;
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
			reading->has_kind = true;
		}
	}
}

/* Whether it has what its kind needs; the secret may be in the keyring. */
static bool parse(const struct buf *bytes, struct sign_in *ret)
{
	struct reading reading = {.sign_in = ret};
	bool is_whole = lines_each(bytes, take_line, &reading);
	bool has_name = ret->kind == SIGN_IN_API_TOKEN      ? !!ret->email
			: ret->kind == SIGN_IN_ACCESS_TOKEN ? true
							    : !!ret->username;

	return is_whole && reading.has_kind && has_name &&
	       (ret->token || ret->in_keyring);
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

/* What the file has. */
int sign_in_read_file(struct ctx *ctx, const char *path, struct sign_in *ret)
{
	cleanup(sign_in_done) struct sign_in sign_in = {0};
	cleanup(lines_done) struct buf bytes = {0};
	int r = read_bytes(ctx, path, &bytes);

	if (!r && !parse(&bytes, &sign_in))
		r = ctx_fail(ctx, -EBADMSG,
			     "The sign-in %s is damaged: sign in again "
			     "(bitbucketfs login).",
			     path);
	if (r)
		return r;
	*ret = sign_in;
	sign_in = (struct sign_in){0};
	return 0;
}

int sign_in_cannot_write(struct ctx *ctx, const char *path, int r)
{
	return ctx_fail(ctx, r, "The sign-in %s cannot be written: %s.", path,
			strerror(-r));
}

int sign_in_make_directory(struct ctx *ctx, const char *path)
{
	char why[OWN_WHY_MAX];
	int r = lines_make_directory(path, why);

	if (*why)
		return ctx_fail(ctx, r, "A sign-in is not kept there: %s.",
				why);
	return r ? sign_in_cannot_write(ctx, path, r) : 0;
}

int sign_in_write_file(const char *path, const struct sign_in *sign_in)
{
	cleanup(lines_done) struct buf out = lines_new(FILE_MAX);

	buf_puts(&out, HEADING);
	buf_printf(&out, "kind %s\n", kinds[sign_in->kind].word);
	lines_add(&out, "email", sign_in->email);
	lines_add(&out, "username", sign_in->username);
	if (sign_in->in_keyring)
		buf_puts(&out, IN_KEYRING "\n");
	else
		lines_add(&out, "token", sign_in->token);
	return lines_write(path, &out);
}
