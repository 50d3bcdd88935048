/*
 * bitbucketfs credential get|store|erase: a helper of git-credential(1).
 *
 * The secret goes to no host but that of git_url. What git found to be good or
 * bad is not kept: the secret has its place already.
 *
 * --install and --uninstall change git's configuration through git, which
 * knows where it is.
 */
#include "cmd/command.h"
#include "cmd/mount/daemon.h"
#include "cmd/git_helper.h"
#include "cmd/remote.h"

#include <strings.h>
#include <unistd.h>

struct asked {
	char *protocol, *host, *username;
};

static void asked_done(struct asked *asked)
{
	free(asked->protocol);
	free(asked->host);
	free(asked->username);
}
DEFINE_CLEANUP_DONE(struct asked, asked_done);

static void take_line(struct asked *asked, const char *line)
{
	const struct {
		const char *key;
		char **value;
	} keys[] = {
		{"protocol=", &asked->protocol},
		{"host=", &asked->host},
		{"username=", &asked->username},
	};

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		size_t n = strlen(keys[i].key);

		if (strncmp(line, keys[i].key, n) != 0)
			continue;
		free(*keys[i].value);
		*keys[i].value = mem_strdup(line + n);
	}
}

/* To an empty line or the end. */
static void read_asked(struct asked *asked)
{
	cleanup(free) char *line = NULL;
	size_t size = 0;
	ssize_t n;

	while ((n = getline(&line, &size, stdin)) > 0) {
		if (line[n - 1] == '\n')
			line[n - 1] = 0;
		if (!*line)
			return;
		take_line(asked, line);
	}
}

/* A mirror is not the service: it is shown no secret. */
static bool is_ours(const struct config *config, const struct asked *asked)
{
	cleanup(http_url_done) struct http_url url = {0};

	if ((config->is_mirror && !config->ssh_url) || !asked->protocol ||
	    !asked->host || http_url_parse(config->git_url, &url) < 0)
		return false;
	return !strcmp(asked->protocol, url.https ? "https" : "http") &&
	       !strcasecmp(asked->host, url.authority);
}

/* A user name in the address of a token's clone is left aside: the links of the
 * service's pages have the account's, which is not what a token goes with. */
static bool is_other_user(const struct remote *remote,
			  const struct asked *asked)
{
	return credential_kind(remote->credential) == CREDENTIAL_BASIC &&
	       asked->username && *asked->username &&
	       strcmp(asked->username, credential_label(remote->credential));
}

static enum command_exit answer(const struct remote *remote)
{
	cleanup(credential_secret_done) struct credential_secret login = {0};
	cleanup(ctx_done) struct ctx ctx;
	enum command_exit end;
	char *text;
	int r;

	ctx_init(&ctx, NULL, -1);
	r = credential_for_git(&ctx, remote->credential, &login);
	if (r) {
		command_say("%s", ctx.sentence);
		return remote_end(remote, 0);
	}
	if (!login.username)
		return COMMAND_OK;
	text = mem_asprintf("username=%s\npassword=%s\n", login.username,
			    login.token);
	end = command_print(text, strlen(text));
	explicit_bzero(text, strlen(text));
	free(text);
	return end;
}

/* Of another host the token_command is not run. It is login that asks git what
 * others have. */
static enum command_exit get(struct remote *remote)
{
	cleanup(asked_done) struct asked asked = {0};
	enum command_exit end;

	read_asked(&asked);
	if (getenv(GIT_HELPER_ASKED) || !is_ours(&remote->config, &asked))
		return COMMAND_OK;
	end = remote_read_credential(remote);
	if (end != COMMAND_OK || is_other_user(remote, &asked))
		return end;
	daemon_harden();
	/* A token that has run out is renewed first. */
	if (remote->oauth && remote_build(remote))
		return COMMAND_FAILED;
	return answer(remote);
}

static enum command_exit uninstall(const char *url)
{
	cleanup(free) char *said = NULL;
	bool was_there;
	enum command_exit end = git_helper_uninstall(url, &was_there);

	if (end != COMMAND_OK)
		return end;
	said = mem_asprintf(was_there ? "For %s git does not ask this program "
					"any more.\n"
				      : "For %s git did not ask this program: "
					"nothing is changed.\n",
			    url);
	return command_print(said, strlen(said));
}

static enum command_exit run(struct remote *remote,
			     const struct command_line *line)
{
	const struct config *config = &remote->config;

	/* Its other helpers would be silenced for nothing. */
	if (line->install && config->is_mirror)
		return command_usage("git_url is a mirror, %s, which is shown "
				     "no credential: there is nothing that git "
				     "could ask for",
				     config->git_url);
	if (line->install)
		return git_helper_install(config->git_url, config->profile);
	return line->uninstall ? uninstall(config->git_url) : get(remote);
}

enum command_exit credential_command(const struct command_line *line)
{
	const char *word = line->n_operands ? line->operands[0] : NULL;
	struct remote remote = {0};
	enum command_exit end;

	if ((word != NULL) + line->install + line->uninstall != 1)
		return command_usage("credential needs one of get, store, "
				     "erase, --install and --uninstall");
	/* What git may come to ask one day is to be passed over in silence; a
	 * person is told. */
	if (word && strcmp(word, "get") != 0) {
		if (!strcmp(word, "store") || !strcmp(word, "erase") ||
		    !isatty(STDIN_FILENO))
			return COMMAND_OK;
		return command_usage("credential takes get, store or erase, "
				     "not '%s'",
				     word);
	}
	end = remote_read_config(&remote, line);
	if (end == COMMAND_OK)
		end = run(&remote, line);
	remote_done(&remote);
	return end;
}
