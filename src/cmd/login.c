/*
 * bitbucketfs login: takes a token, at the terminal or from standard input,
 * tries it, and keeps it where the mounts find it.
 *
 * Nothing is kept that the service refused, and nothing that it was not asked
 * about.
 */
#include "cmd/ask.h"
#include "cmd/command.h"
#include "cmd/daemon.h"
#include "cmd/git_helper.h"
#include "cmd/live.h"
#include "cmd/login_check.h"
#include "cmd/login_form.h"
#include "cmd/login_oauth.h"
#include "cmd/login_try.h"

#include "base/file.h"
#include "base/log.h"
#include "base/text.h"

#include <unistd.h>

#define TOKEN_PAGE "https://id.atlassian.com/manage-profile/security/api-tokens"
#define SCOPES                                              \
	"read:user:bitbucket read:workspace:bitbucket "     \
	"read:project:bitbucket read:repository:bitbucket " \
	"read:pullrequest:bitbucket read:pipeline:bitbucket"

static const char advice[] =
	"Bitbucket takes an API token in the place of a password. One is made "
	"at\n"
	"  " TOKEN_PAGE "\n"
	"(Create API token with scopes, app Bitbucket), with these scopes:\n"
	"  " SCOPES "\n"
	"Who has no account yet makes one at "
	"https://bitbucket.org/account/signup,\n"
	"and a workspace at https://bitbucket.org/workspaces (Create).\n"
	"An access token of a repository, project or workspace does as well.\n"
	"\n";

#define TRIES 3 /* of what is typed, before the service is asked */

struct login {
	struct remote remote;
	struct sign_in sign_in;
	struct login_oauth oauth;
	int terminal; /* -1: it was not asked there */
	bool is_named;
	char *name; /* that was given beforehand; or NULL */
};

/* ---- what was typed ---- */

static void say_note(const char *note)
{
	if (note)
		command_say("note: %s", note);
}

/* At the service itself; what else is called so, a server of one's own may
 * take. */
static bool is_dead(const struct login *login, enum login_form form)
{
	return form == LOGIN_FORM_APP_PASSWORD &&
	       !strcmp(login->remote.config.api_url, CONFIG_API_URL);
}

static enum command_exit app_passwords_are_gone(void)
{
	command_say("this has the form of an app password (ATBB…), which "
		    "Bitbucket takes no more since 2026-07-28: make an API "
		    "token with scopes at " TOKEN_PAGE);
	return COMMAND_FAILED;
}

static enum command_exit ask_name(struct login *login, enum login_form form)
{
	const char *question = form == LOGIN_FORM_API_TOKEN
				       ? "E-mail of the Atlassian account: "
				       : "E-mail or user name (none: an empty "
					 "line): ";
	cleanup(free) char *typed = NULL;
	int r = ask_line(login->terminal, question, false, &typed);

	if (r)
		return COMMAND_FAILED;
	login->name = login_form_name(typed);
	return COMMAND_OK;
}

/* COMMAND_USAGE: it cannot be, and was said why; it may be typed anew. known:
 * a name that comes with it, or NULL. */
static enum command_exit take(struct login *login, const char *typed,
			      const char *known)
{
	cleanup(free) char *name = NULL;
	const char *note = NULL, *why;
	enum login_form form;
	char *token = NULL;
	enum command_exit end = COMMAND_OK;

	why = login_form_token(typed, &token, &form, &name, &note);
	if (why)
		return command_usage("what was given as the token %s", why);
	say_note(note);
	if (is_dead(login, form)) {
		text_wipe(token);
		return app_passwords_are_gone();
	}
	if (form == LOGIN_FORM_APP_PASSWORD)
		form = LOGIN_FORM_UNKNOWN;
	/* git knows an API token by other names than the API. */
	if (!name && known &&
	    (form == LOGIN_FORM_UNKNOWN || strchr(known, '@')))
		name = login_form_name(known);
	if (!login->is_named && login->terminal >= 0 && !name &&
	    form != LOGIN_FORM_ACCESS_TOKEN)
		end = ask_name(login, form);
	note = NULL;
	why = end != COMMAND_OK
		      ? NULL
		      : login_form_join(form, &token,
					login->name ? login->name : name,
					&login->sign_in, &note);
	text_wipe(token);
	if (!login->is_named) {
		free(login->name);
		login->name = NULL;
	}
	say_note(note);
	return why ? command_usage("%s", why) : end;
}

/* What git has for the host may do. COMMAND_USAGE: it is not taken. */
static enum command_exit offer_others(struct login *login)
{
	const char *git_url = login->remote.config.git_url;
	cleanup(free) char *name = NULL, *question = NULL, *typed = NULL;
	cleanup(ctx_done) struct ctx ctx;
	enum command_exit end = COMMAND_USAGE;
	char *secret = NULL;

	ctx_init(&ctx, NULL, -1);
	if (git_helper_others(&ctx, git_url, &name, &secret))
		return end;
	question = mem_asprintf("git has a credential for %s (%s). Take that? "
				"[y/N] ",
				git_url, name ? name : "without a name");
	if (!ask_line(login->terminal, question, false, &typed) &&
	    strchr("yY", *typed) && *typed)
		end = take(login, secret, name);
	text_wipe(secret);
	return end;
}

static enum command_exit ask_all(struct login *login)
{
	enum command_exit end;

	ask_say(login->terminal, advice);
	/* A mirror's is not for the service. */
	end = login->remote.config.is_mirror ? COMMAND_USAGE
					     : offer_others(login);
	for (int i = 0; i < TRIES && end == COMMAND_USAGE; i++) {
		char *typed = NULL;
		int r = ask_line(login->terminal,
				 "Token (it is not shown): ", true, &typed);

		if (r) {
			command_say("nobody has signed in: %s",
				    r == -ENODATA ? "nothing was typed"
						  : strerror(-r));
			return COMMAND_FAILED;
		}
		end = take(login, typed, NULL);
		text_wipe(typed);
	}
	return end;
}

static enum command_exit read_token(struct login *login)
{
	struct buf typed = BUF_INIT(ASK_MAX);
	enum command_exit end;
	int r = isatty(STDIN_FILENO)
			? -ENOTTY
			: file_read_fd(STDIN_FILENO, ASK_MAX, &typed);

	if (r == -ENOTTY) {
		end = command_usage("--with-token reads the token from "
				    "standard input, which is a terminal: "
				    "write login alone, and it is asked for");
	} else if (r) {
		end = command_usage("the token on standard input cannot be "
				    "read: %s",
				    strerror(-r));
	} else {
		if (typed.len && typed.data[typed.len - 1] == '\n')
			typed.data[--typed.len] = 0;
		end = memchr(typed.data ? typed.data : "", 0, typed.len)
			      ? command_usage("what was given as the token has "
					      "a zero byte in it")
			      : take(login, typed.data ? typed.data : "", NULL);
	}
	if (typed.data)
		explicit_bzero(typed.data, typed.size);
	buf_done(&typed);
	return end;
}

/* ---- tried and kept ---- */

static enum command_exit make_credential(struct login *login)
{
	const struct sign_in *sign_in = &login->sign_in;
	struct remote *remote = &login->remote;
	const char *why = NULL;

	if (remote->credential)
		return COMMAND_OK;
	if (config_check_cleartext(&remote->config))
		return command_usage("%s", remote->config.why);
	if (credential_new(sign_in->email, sign_in->username, sign_in->token,
			   &remote->credential, &why))
		return command_usage("%s", why);
	return COMMAND_OK;
}

static enum command_exit say_who(const struct login *login,
				 const struct login_try *try)
{
	const struct sign_in *sign_in = &login->sign_in;
	const char *name = sign_in->email ? sign_in->email : sign_in->username;
	const char *shown = json_at(try->answer, "display_name")
				    ? json_str(try->answer, "display_name")
				    : NULL;
	cleanup(buf_done) struct buf out = BUF_INIT(0);

	buf_printf(&out, "Signed in%s", shown ? " as " : "");
	/* The service's words may have codes for the terminal in them. */
	if (shown)
		text_clean(&out, shown, strlen(shown), "");
	if (name)
		buf_printf(&out, " (%s)", name);
	buf_printf(&out, ": %s.\n", sign_in_kind_name(sign_in->kind));
	if (*login->remote.note)
		buf_printf(&out, "API: %s.\n", login->remote.note);
	if (try->git == LOGIN_GIT_GOOD)
		buf_printf(&out, "git: good (%s).\n", try->repository);
	else
		buf_printf(&out, "git: %s: %s\n",
			   try->git == LOGIN_GIT_BAD ? "not good" : "not tried",
			   try->sentence);
	buf_printf(&out, "It is kept in %s%s%s\n", sign_in->where,
		   sign_in->note ? ": " : ".",
		   sign_in->note ? sign_in->note : "");
	live_tell_signed_in(&login->remote.config, &out);
	return command_print(out.data, out.len);
}

/* What is given elsewhere wins over what is kept. */
static void say_in_the_way(const struct config *config)
{
	if (config->token_command)
		command_say("note: token_command is configured, and wins over "
			    "this sign-in: take it away to use this one");
	else if (config->token)
		command_say("note: there is a token in %s, which wins over "
			    "this sign-in: take it away to use this one",
			    !strcmp(config->token_from, "environment")
				    ? "the environment (BITBUCKETFS_TOKEN)"
				    : config->token_from);
	else if (config->is_anonymous)
		command_say("note: an empty token is configured (in the "
			    "environment, BITBUCKETFS_TOKEN), so nobody is "
			    "signed in: take it away to use this one");
}

static enum command_exit try_and_keep(struct login *login)
{
	cleanup(login_try_done) struct login_try try = {0};
	struct remote *remote = &login->remote;
	cleanup(ctx_done) struct ctx ctx;
	enum command_exit end = make_credential(login);

	ctx_init(&ctx, NULL, -1);
	if (end == COMMAND_OK && remote_build(remote))
		end = COMMAND_FAILED;
	if (end == COMMAND_OK)
		end = login_try(remote, &try);
	if (end == COMMAND_OK)
		end = login_oauth_keep(&login->oauth, remote);
	if (end != COMMAND_OK)
		return end;
	if (sign_in_write(&ctx, remote->config.profile, remote->config.api_url,
			  &login->sign_in)) {
		command_say("%s", ctx.sentence);
		return COMMAND_FAILED;
	}
	say_in_the_way(&remote->config);
	return say_who(login, &try);
}

/* ---- the command ---- */

static enum command_exit get(struct login *login,
			     const struct command_line *line)
{
	const struct config *config = &login->remote.config;
	const char *name = line->email      ? line->email
			   : line->username ? line->username
			   : config->email  ? config->email
					    : config->username;

	login->is_named = name != NULL;
	login->name = name ? login_form_name(name) : NULL;
	if (line->with_token)
		return read_token(login);
	/* Before git is written to, too. */
	daemon_harden();
	login->terminal = ask_open();
	if (login->terminal < 0)
		return command_usage("there is no terminal to ask at: give "
				     "the token with login --with-token < "
				     "FILE, an API token with "
				     "--email=ADDRESS besides");
	return ask_all(login);
}

static enum command_exit run(struct login *login,
			     const struct command_line *line)
{
	struct remote *remote = &login->remote;
	cleanup(ctx_done) struct ctx ctx;
	cleanup(fd) int lock = -1;
	enum command_exit end = remote_read_config(remote, line);

	ctx_init(&ctx, NULL, -1);
	if (end != COMMAND_OK)
		return end;
	lock = sign_in_lock(&ctx);
	if (lock < 0) {
		command_say("%s", ctx.sentence);
		return COMMAND_FAILED;
	}
	end = login_oauth_is_wanted(line)
		      ? login_oauth_get(&login->oauth, remote, line,
					&login->sign_in)
		      : get(login, line);
	login->sign_in.in_file = line->in_file;
	daemon_harden();
	return end == COMMAND_OK ? try_and_keep(login) : end;
}

/* Its requests are counted where the account's cache is known already: asking
 * whose it is would be one more. */
static enum command_exit probe(struct remote *remote,
			       const struct command_line *line)
{
	char why[1024] = "";
	cleanup(ctx_done) struct ctx ctx;
	enum command_exit end = remote_configure(remote, line);

	ctx_init(&ctx, NULL, -1);
	daemon_harden();
	if (end == COMMAND_OK && remote_build(remote))
		end = COMMAND_FAILED;
	if (end != COMMAND_OK)
		return end;
	if (account_find(&ctx, &remote->account, remote->config.cache_dir,
			 remote->config.api_url, remote->credential, why)) {
		command_say("%s", why);
		return COMMAND_FAILED;
	}
	if (remote->account.dir && remote_open_cache(remote))
		return COMMAND_FAILED;
	return login_check(remote);
}

enum command_exit login_command(const struct command_line *line)
{
	struct login login = {.terminal = -1};
	enum command_exit end;

	if (line->email && line->username)
		return command_usage("--email and --username are two: a token "
				     "goes with one of them");
	if (line->check && (line->with_token || line->in_file || line->email ||
			    line->username || login_oauth_is_wanted(line)))
		return command_usage("--check is about the sign-in that there "
				     "is, and goes alone");
	if (login_oauth_is_wanted(line) &&
	    (line->email || line->username ||
	     (line->oauth && line->oauth_client)))
		return command_usage("--oauth, --oauth-client, --email and "
				     "--username are ways to sign in: one of "
				     "them");
	/* What is odd is a line of what is said. */
	log_to_stderr(LOG_LEVEL_ERROR);
	end = line->check ? probe(&login.remote, line) : run(&login, line);
	login_oauth_done(&login.oauth, end);
	file_close(login.terminal);
	free(login.name);
	sign_in_done(&login.sign_in);
	remote_done(&login.remote);
	return end;
}
