/*
 * bitbucketfs login: takes a token, at the terminal or from standard input,
 * tries it, and keeps it where the mounts find it.
 *
 * Nothing is kept that the service refused, or could not be asked about. Only
 * of an access token without a workspace there is nothing to ask.
 */
#include "cmd/command.h"
#include "cmd/mount/daemon.h"
#include "cmd/mount/live.h"
#include "cmd/login/login_check.h"
#include "cmd/login/login_oauth.h"
#include "cmd/login/login_try.h"
#include "cmd/login/login_typed.h"

#include "base/file.h"
#include "base/log.h"
#include "base/text.h"

struct login {
	struct remote remote;
	struct sign_in sign_in;
	struct login_oauth oauth;
};

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
	(void)live_tell_signed_in(&login->remote.config, &out);
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

static const char *name_of(const struct config *config,
			   const struct command_line *line)
{
	return line->email      ? line->email
	       : line->username ? line->username
	       : config->email  ? config->email
				: config->username;
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
		      : login_typed(&remote->config,
				    name_of(&remote->config, line),
				    line->with_token, &login->sign_in);
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
	struct login login = {0};
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
	sign_in_done(&login.sign_in);
	remote_done(&login.remote);
	return end;
}
