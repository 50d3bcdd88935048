/*
 * setup/keyring: runs bitbucketfs-keyring, which is beside this program
 * (where it was built) or where meson installs it.
 */
#include "setup/keyring.h"
#include "setup/keyring_end.h"

#include "base/program.h"

#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

#define NAME "bitbucketfs-keyring"
#define MOST (64 * KIB + 1)
#define ALONE_MS (3 * 1000)
#define PERSON_MS (120 * 1000)

static bool may_prompt(void)
{
	const char *x = getenv("DISPLAY"), *wayland = getenv("WAYLAND_DISPLAY");

	return isatty(STDERR_FILENO) && ((x && *x) || (wayland && *wayland));
}

/* NULL: it was not built, or is not installed. */
static char *find_program(void)
{
	char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash, *path = NULL;

	if (n > 0) {
		self[n] = 0;
		slash = strrchr(self, '/');
		path = mem_asprintf("%.*s/" NAME, (int)(slash - self), self);
		if (!access(path, X_OK))
			return path;
	}
	free(path);
	path = mem_strdup(LIBEXECDIR "/" NAME);
	if (!access(path, X_OK))
		return path;
	free(path);
	return NULL;
}

static int judge(struct ctx *ctx, int status, const struct buf *said)
{
	int end = status >= 0 && WIFEXITED(status) ? WEXITSTATUS(status)
						   : KEYRING_FAILED;

	switch ((enum keyring_end)end) {
	case KEYRING_GOOD:
		return 0;
	case KEYRING_NONE:
		return ctx_fail(ctx, -ENOENT,
				"The desktop's keyring has no such secret.");
	case KEYRING_LOCKED:
		return ctx_fail(ctx, -EACCES,
				"The desktop's keyring is locked.");
	case KEYRING_ABSENT:
		return ctx_fail(ctx, -EOPNOTSUPP,
				"There is no desktop's keyring here.");
	case KEYRING_FAILED:
	case KEYRING_USAGE:
		break;
	}
	return ctx_fail(ctx, -EACCES, "The desktop's keyring failed: %.200s.",
			said->len ? said->data : "it did not say why");
}

/* Where nobody runs a session bus not even the program is started. */
static bool has_bus(void)
{
	const char *address = getenv("DBUS_SESSION_BUS_ADDRESS");
	const char *place = getenv("XDG_RUNTIME_DIR");
	cleanup(free) char *path = place ? mem_asprintf("%s/bus", place) : NULL;

	return (address && *address) || (path && !access(path, F_OK));
}

static int failed(struct ctx *ctx, int r, int64_t timeout_ms)
{
	if (ctx_check(ctx))
		return ctx_check(ctx);
	if (r == -ETIMEDOUT)
		return ctx_fail(ctx, -EACCES,
				"The desktop's keyring did not answer for "
				"%lld seconds.",
				(long long)timeout_ms / 1000);
	return ctx_fail(ctx, -EACCES, "The desktop's keyring failed: %s.",
			strerror(-r));
}

static int absent(struct ctx *ctx)
{
	if (!has_bus())
		return ctx_fail(ctx, -EOPNOTSUPP,
				"There is no desktop's keyring here.");
	/* A desktop that has one is not told that it has none. */
	return ctx_fail(ctx, -EOPNOTSUPP,
			"The desktop's keyring cannot be used: " NAME
			" is not installed (it is built where libsecret-1-dev "
			"is).");
}

/* host NULL: of all of them. */
static int run(struct ctx *ctx, const char *word, const char *host,
	       const char *profile, const char *secret, char **ret_secret)
{
	cleanup(free) char *program = has_bus() ? find_program() : NULL;
	/* The words that are left out are at the end. */
	const char *prompt = may_prompt() ? "prompt" : NULL;
	const char *const argv[] = {program,
				    word,
				    host ? host : prompt,
				    host ? (profile ? profile : "") : NULL,
				    prompt,
				    NULL};
	int64_t timeout_ms = prompt ? PERSON_MS : ALONE_MS;
	cleanup(buf_done) struct buf out = BUF_INIT(MOST);
	cleanup(buf_done) struct buf err = BUF_INIT(4 * KIB);
	int r, status;

	if (!program)
		return absent(ctx);
	r = program_run(ctx, argv, environ, secret, timeout_ms, &out, &err,
			&status);
	r = r ? failed(ctx, r, timeout_ms) : judge(ctx, status, &out);
	if (!r && ret_secret)
		*ret_secret = mem_strdup(out.data ? out.data : "");
	if (out.data)
		explicit_bzero(out.data, out.size);
	return r;
}

int keyring_get(struct ctx *ctx, const char *host, const char *profile,
		char **ret_secret)
{
	return run(ctx, "get", host, profile, NULL, ret_secret);
}

int keyring_put(struct ctx *ctx, const char *host, const char *profile,
		const char *secret)
{
	return run(ctx, "put", host, profile, secret, NULL);
}

int keyring_erase(struct ctx *ctx, const char *host, const char *profile)
{
	return run(ctx, "erase", host, profile, NULL, NULL);
}

int keyring_erase_all(struct ctx *ctx)
{
	return run(ctx, "erase-all", NULL, NULL, NULL, NULL);
}
