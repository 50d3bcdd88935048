/*
 * cmd/remote_oauth: nothing is asked of the service here, for a mount
 * has not forked yet.
 */
#include "cmd/remote_oauth.h"
#include "setup/oauth_source.h"
#include "setup/sign_in.h"
#include "setup/token_command.h"

#include "base/text.h"

/* COMMAND_SIGN_IN where somebody has to sign in first. */
static enum command_exit said(const struct ctx *ctx, int r)
{
	command_say("%s", *ctx->sentence ? ctx->sentence : strerror(-r));
	return r == -EACCES ? COMMAND_SIGN_IN : COMMAND_FAILED;
}

static enum command_exit use(struct remote *remote, struct ctx *ctx,
			     const char *id, const char *secret, bool by_itself)
{
	struct config *config = &remote->config;
	const struct oauth_source_config oauth = {
		.profile = config->profile,
		.api_url = config->api_url,
		.consumer = {.url = config->oauth_url,
			     .id = id,
			     .secret = secret},
		.by_itself = by_itself,
	};
	struct credential_source source;
	int r;

	if (config_check_cleartext(config)) {
		command_say("%s", config->why);
		return COMMAND_USAGE;
	}
	r = oauth_source_new(ctx, &oauth, &source, &remote->oauth);
	if (!r)
		r = credential_new_from(ctx, &source, &remote->credential);
	return r ? said(ctx, r) : COMMAND_OK;
}

bool remote_oauth_is_wanted(const struct config *config)
{
	return config->oauth_client_id && !config->email && !config->username;
}

bool remote_oauth_is_configured(const struct config *config)
{
	return remote_oauth_is_wanted(config) &&
	       (config->token || config->token_command);
}

/* To go on anonymously would show less than what somebody has configured. */
enum command_exit remote_oauth_sign_in_first(const struct config *config)
{
	command_say("nobody has signed in with the OAuth consumer %s, which is "
		    "configured: run bitbucketfs login --oauth",
		    config->oauth_client_id);
	return COMMAND_SIGN_IN;
}

/* Now, while there is a terminal at which it may ask for a passphrase. */
static int run_command(struct ctx *ctx, const char *command, char **ret_secret)
{
	cleanup(token_command_free) char **argv = NULL;
	const char *why = token_command_split(command, &argv);

	return why ? ctx_fail(ctx, -EINVAL, "token_command %s.", why)
		   : token_command_run(ctx, argv, true, TOKEN_COMMAND_MS,
				       ret_secret);
}

enum command_exit remote_oauth_configured(struct remote *remote)
{
	struct config *config = &remote->config;
	cleanup(ctx_done) struct ctx ctx;
	char *secret = NULL;
	enum command_exit end;
	int r = 0;

	ctx_init(&ctx, NULL, -1);
	if (config->token)
		secret = mem_strdup(config->token);
	else
		r = run_command(&ctx, config->token_command, &secret);
	config_wipe_token(config);
	if (r) {
		command_say("%s", ctx.sentence);
		return COMMAND_FAILED;
	}
	end = use(remote, &ctx, config->oauth_client_id, secret, true);
	text_wipe(secret);
	return end;
}

enum command_exit remote_oauth_kept(struct remote *remote)
{
	cleanup(sign_in_done) struct sign_in kept = {0};
	struct config *config = &remote->config;
	cleanup(ctx_done) struct ctx ctx;
	int r;

	ctx_init(&ctx, NULL, -1);
	r = sign_in_read(&ctx, config->profile, config->api_url, &kept);
	if (r)
		return said(&ctx, r);
	if (config->oauth_client_id &&
	    strcmp(config->oauth_client_id, kept.username) != 0) {
		command_say("the sign-in is of the OAuth consumer %s, but %s "
			    "is configured: sign in with that one "
			    "(bitbucketfs login --oauth)",
			    kept.username, config->oauth_client_id);
		return COMMAND_SIGN_IN;
	}
	remote->is_kept = true;
	free(config->token_from);
	config->token_from = mem_strdup(kept.where);
	return use(remote, &ctx, kept.username, kept.token,
		   kept.kind == SIGN_IN_OAUTH_CLIENT);
}
