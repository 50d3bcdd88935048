/*
 * cmd/git_helper: through git itself, which knows where its
 * configuration is and which programs it asks.
 */
#include "cmd/git_helper.h"

#include "base/mem.h"
#include "base/program.h"
#include "base/text.h"
#include "wire/http.h"

#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

#define FILL_MS (5 * 1000)
#define CONFIG_MS (5 * 1000)

/* Of the values of the key, that which is this program's, wherever it was and
 * however its file was named. */
#define OUR_VALUE "^!'.*' credential( -o profile=[^ ]*)?$"
#define NOT_RUN (-1)
#define NO_VALUE 1 /* git config's exit: the key has none */
#define NO_MATCH 5 /* none of that kind was there to be removed */

/* What git config ended with, or NOT_RUN. Silent: without what it prints of
 * values. */
static int git_config(const char *how, const char *key, const char *value,
		      const char *pattern)
{
	int status = 0;
	pid_t pid = fork();

	if (!pid) {
		if (!freopen("/dev/null", "w", stdout))
			_exit(127);
		execlp("git", "git", "config", "--global", how, key, value,
		       pattern, NULL);
		_exit(127);
	}
	while (pid > 0 && waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			pid = -1;
	if (pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) != 127)
		return WEXITSTATUS(status);
	return NOT_RUN;
}

static enum command_exit not_changed(int r)
{
	if (r > 0)
		command_say("git's global configuration could not be changed "
			    "(git config ended with %d)",
			    r);
	else
		command_say("git config could not be run: is git installed?");
	return COMMAND_FAILED;
}

/* As the one word of the shell that git makes of it; NULL: a sentence was
 * said. */
static char *our_value(const char *profile)
{
	struct buf value = BUF_INIT(0);
	char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path));

	if (n < 0 || n == sizeof(path)) {
		command_say("where this program is cannot be found out: %s",
			    strerror(n < 0 ? errno : ENAMETOOLONG));
		return NULL;
	}
	buf_puts(&value, "!'");
	for (ssize_t i = 0; i < n; i++)
		if (path[i] == '\'')
			buf_puts(&value, "'\\''");
		else
			buf_putc(&value, path[i]);
	buf_puts(&value, "' credential");
	if (profile)
		buf_printf(&value, " -o profile=%s", profile);
	return buf_steal(&value, NULL);
}

/* An empty value first: without it a helper for all hosts (store) would be
 * given the secret to keep, because git tells all of them what was good. */
enum command_exit git_helper_install(const char *url, const char *profile)
{
	cleanup(free) char *key = mem_asprintf("credential.%s.helper", url);
	cleanup(free) char *value = our_value(profile), *said = NULL;
	int r;

	if (!value)
		return COMMAND_FAILED;
	r = git_config("--get-all", key, NULL, NULL);
	if (r == NO_VALUE)
		r = git_config("--add", key, "", NULL);
	if (!r)
		r = git_config("--replace-all", key, value, OUR_VALUE);
	if (r)
		return not_changed(r);
	said = mem_asprintf("For %s git asks this program now: %s is set in "
			    "git's global configuration.\n"
			    "bitbucketfs credential --uninstall takes that "
			    "away again.\n",
			    url, key);
	return command_print(said, strlen(said));
}

static enum command_exit uninstall(const char *key, bool *ret_was_there)
{
	int r = git_config("--unset-all", key, OUR_VALUE, NULL);
	bool was_there = r != NO_MATCH;

	if (r && was_there)
		return not_changed(r);
	/* With the empty value of install, where nothing else is left. */
	if (was_there && git_config("--get-all", key, ".", NULL) == NO_VALUE)
		r = git_config("--unset-all", key, "^$", NULL);
	if (r && r != NO_MATCH)
		return not_changed(r);
	*ret_was_there = was_there;
	return COMMAND_OK;
}

enum command_exit git_helper_uninstall(const char *url, bool *ret_was_there)
{
	cleanup(free) char *key = mem_asprintf("credential.%s.helper", url);

	return uninstall(key, ret_was_there);
}

enum command_exit git_helper_uninstall_all(bool *ret_was_there)
{
	static const char *const argv[] = {
		"git",          "config",
		"--global",     "--name-only",
		"--get-regexp", "^credential\\..*\\.helper$",
		OUR_VALUE,      NULL};
	cleanup(buf_done) struct buf keys = BUF_INIT(64 * KIB);
	cleanup(buf_done) struct buf err = BUF_INIT(4 * KIB);
	cleanup(ctx_done) struct ctx ctx;
	enum command_exit end = COMMAND_OK;
	int r, status;

	ctx_init(&ctx, NULL, -1);
	*ret_was_there = false;
	r = program_run(&ctx, argv, environ, NULL, CONFIG_MS, &keys, &err,
			&status);
	/* Where git is not installed, it does not ask this program. */
	if (r == -ENOENT)
		return COMMAND_OK;
	if (r || !WIFEXITED(status) || WEXITSTATUS(status) > NO_VALUE)
		return not_changed(r || !WIFEXITED(status)
					   ? NOT_RUN
					   : WEXITSTATUS(status));
	for (char *key = keys.data, *next; key && *key; key = next) {
		bool was_there = false;

		next = strchrnul(key, '\n');
		if (*next)
			*next++ = '\0';
		if (uninstall(key, &was_there) != COMMAND_OK)
			end = COMMAND_FAILED;
		*ret_was_there |= was_there;
	}
	return end;
}

/* ---- what others have ---- */

/* The value of a line "key=value" of what git printed. */
static char *value_of(const struct buf *text, const char *key)
{
	size_t n = strlen(key);

	for (const char *line = text->data; line && *line;) {
		const char *end = strchrnul(line, '\n');

		if (!strncmp(line, key, n) && line[n] == '=')
			return mem_dup0(line + n + 1,
					(size_t)(end - line) - n - 1);
		line = *end ? end + 1 : end;
	}
	return NULL;
}

static int fill(struct ctx *ctx, const char *question, struct buf *answer)
{
	/* Not where one stands: a repository there could name programs. */
	static const char *const argv[] = {
		"git",        "-C",   "/", "-c", "credential.interactive=false",
		"credential", "fill", NULL};
	static const char *const without[] = {"GIT_*", "SSH_ASKPASS", NULL};
	static const char *const with[] = {
		"GIT_TERMINAL_PROMPT=0", "GIT_ASKPASS=",        "SSH_ASKPASS=",
		"GCM_INTERACTIVE=never", GIT_HELPER_ASKED "=1", NULL};
	cleanup(program_environment_free) char **envp =
		program_environment(without, with);
	cleanup(buf_done) struct buf err = BUF_INIT(4 * KIB);
	int status = -1;
	int r = program_run(ctx, argv, envp, question, FILL_MS, answer, &err,
			    &status);

	return r ? r : status ? -ENOENT : 0;
}

int git_helper_others(struct ctx *ctx, const char *git_url, char **ret_name,
		      char **ret_secret)
{
	cleanup(http_url_done) struct http_url url = {0};
	cleanup(buf_done) struct buf answer = BUF_INIT(64 * KIB);
	cleanup(free) char *question = NULL;
	char *secret;
	int r = http_url_parse(git_url, &url);

	if (r < 0)
		return r;
	question = mem_asprintf("protocol=%s\nhost=%s\n\n",
				url.https ? "https" : "http", url.authority);
	r = fill(ctx, question, &answer);
	if (r)
		return r;
	secret = value_of(&answer, "password");
	if (secret && *secret) {
		*ret_name = value_of(&answer, "username");
		*ret_secret = steal(&secret);
	} else {
		r = -ENOENT;
	}
	text_wipe(secret);
	explicit_bzero(answer.data, answer.size);
	return r;
}
