/*
 * cmd/remote: built from the bottom up, taken down in reverse.
 */
#include "cmd/remote.h"
#include "cmd/mount/daemon.h"
#include "setup/oauth_source.h"
#include "cmd/remote_oauth.h"
#include "setup/sign_in.h"
#include "setup/token_command.h"

#include "base/file.h"
#include "base/log.h"

#define USER_AGENT "bitbucketfs/" VERSION
#define API_CONNECTIONS 4
#define USER_TTL_MS (24 * 60 * 60 * 1000LL)

/* Somebody else's words about a proxy could have its password in them. */
void remote_redact(const struct config *config)
{
	const char *url = config->proxy;
	const char *host = url ? strstr(url, "://") : NULL;
	const char *end = host ? strrchr(host, '@') : NULL;
	cleanup(free) char *user = NULL;
	char *colon;

	if (!end)
		return;
	user = mem_dup0(host + 3, (size_t)(end - host - 3));
	log_redact(user);
	colon = strchr(user, ':');
	if (colon)
		log_redact(colon + 1);
	explicit_bzero(user, strlen(user));
}

/* Now, while there is a terminal at which it may ask for a passphrase. */
static enum command_exit ask_command(struct remote *remote)
{
	const struct config *config = &remote->config;
	struct credential_source source;
	cleanup(ctx_done) struct ctx ctx;
	int r;

	ctx_init(&ctx, NULL, -1);
	r = token_source_new(&ctx, config->email, config->username,
			     config->token_command, &source);
	if (!r)
		r = credential_new_from(&ctx, &source, &remote->credential);
	if (!r)
		return COMMAND_OK;
	command_say("%s", *ctx.sentence ? ctx.sentence : strerror(-r));
	return COMMAND_FAILED;
}

/* A name that is configured chooses no other account than its own. */
static bool is_other_name(const struct config *config,
			  const struct credential *kept)
{
	const char *name = config->email ? config->email : config->username;

	return name && strcmp(name, credential_label(kept)) != 0;
}

/* What login keeps. *ret_found: there is something, and only then is it said
 * why it cannot be used. */
static enum command_exit use_sign_in(struct remote *remote, bool *ret_found)
{
	struct config *config = &remote->config;
	struct credential_source source;
	cleanup(ctx_done) struct ctx ctx;
	int r;

	ctx_init(&ctx, NULL, -1);
	r = sign_in_source_new(&ctx, config->profile, config->api_url, &source,
			       &config->token_from);
	*ret_found = r != -ENOENT;
	if (r == -EOPNOTSUPP)
		return remote_oauth_kept(remote);
	if (!r)
		r = credential_new_from(&ctx, &source, &remote->credential);
	if (r) {
		if (*ret_found)
			command_say("%s", *ctx.sentence ? ctx.sentence
							: strerror(-r));
		return COMMAND_FAILED;
	}
	if (config_check_cleartext(config)) {
		command_say("%s", config->why);
		return COMMAND_USAGE;
	}
	if (!is_other_name(config, remote->credential))
		return COMMAND_OK;
	command_say("%s has signed in by bitbucketfs login, but %s is "
		    "configured, without a token: sign in as the one, or take "
		    "the other away",
		    credential_label(remote->credential),
		    config->email ? config->email : config->username);
	return COMMAND_USAGE;
}

/* What was chosen before the file is chosen still. */
static enum command_exit read_config(struct remote *remote,
				     const struct command_line *line,
				     const char *profile, int r)
{
	cleanup(free) char *file = NULL;

	if (!r && !file_xdg_path(FILE_XDG_CONFIG, "bitbucketfs/config", &file))
		r = config_read_file(&remote->config, file);
	if (!r && line)
		r = config_read_environment(&remote->config);
	for (size_t i = 0; !r && line && i < line->n_options; i++)
		r = config_read_options(&remote->config, line->options[i],
					line->sloppy);
	if (profile)
		config_use_profile(&remote->config, profile);
	if (!r)
		r = config_finish(&remote->config);
	if (r) {
		command_say("%s", remote->config.why);
		return COMMAND_USAGE;
	}
	remote_redact(&remote->config);
	ctx_tell(remote->config.tells_requests || (line && line->debug));
	return COMMAND_OK;
}

enum command_exit remote_read_config(struct remote *remote,
				     const struct command_line *line)
{
	config_init(&remote->config);
	return read_config(remote, line, NULL,
			   config_choose_profile(&remote->config, line->options,
						 line->n_options));
}

enum command_exit remote_read_profile(struct remote *remote,
				      const struct command_line *line,
				      const char *profile)
{
	config_init(&remote->config);
	config_use_profile(&remote->config, profile);
	return read_config(remote, line, profile, 0);
}

enum command_exit remote_mountpoint(const struct command_line *line,
				    char **ret_path)
{
	struct remote remote = {0};
	enum command_exit end = COMMAND_OK;

	if (line->n_operands) {
		*ret_path = mem_strdup(line->operands[0]);
		return COMMAND_OK;
	}
	end = remote_read_config(&remote, line);
	if (end == COMMAND_OK)
		*ret_path = steal(&remote.config.mountpoint);
	remote_done(&remote);
	return end;
}

enum command_exit remote_read_credential(struct remote *remote)
{
	const char *problem = NULL;
	bool found = false;
	int r;

	if (remote_oauth_is_configured(&remote->config))
		return remote_oauth_configured(remote);
	if (remote->config.token_command)
		return ask_command(remote);
	remote->is_kept = !remote->config.token && !remote->config.is_anonymous;
	if (remote->is_kept) {
		enum command_exit end = use_sign_in(remote, &found);

		if (found)
			return end;
		if (remote_oauth_is_wanted(&remote->config))
			return remote_oauth_sign_in_first(&remote->config);
	}
	r = credential_new(remote->config.email, remote->config.username,
			   remote->config.token, &remote->credential, &problem);
	config_wipe_token(&remote->config);
	if (!r)
		return COMMAND_OK;
	command_say("%s", problem);
	/* Like any other refusal, whether the service was asked or not. */
	return r == -EACCES ? COMMAND_FAILED : COMMAND_USAGE;
}

enum command_exit remote_configure(struct remote *remote,
				   const struct command_line *line)
{
	enum command_exit end = remote_read_config(remote, line);

	return end == COMMAND_OK ? remote_read_credential(remote) : end;
}

int remote_new_http(const struct remote *remote, unsigned n_connections,
		    struct http **ret_http)
{
	const struct http_config config = {
		.n_connections = n_connections,
		.user_agent = USER_AGENT,
		.ca_file = remote->config.ca_file,
		.proxy = remote->config.proxy,
	};
	int r = http_new(&config, ret_http);

	return r ? command_could_not("the network library cannot be used", r)
		 : 0;
}

int remote_build(struct remote *remote)
{
	struct budget_config budget = {.walk = remote->config.walk};
	int r = remote_new_http(remote, API_CONNECTIONS, &remote->api_http);

	if (r)
		return r;
	if (remote->oauth)
		oauth_source_use(remote->oauth, remote->api_http);
	if (credential_kind(remote->credential) == CREDENTIAL_ANONYMOUS)
		budget.api_hour = BUDGET_ANONYMOUS_HOUR;
	remote->budget = budget_new(&budget);
	r = bitbucket_new(remote->config.api_url, remote->credential,
			  remote->api_http, remote->budget, &remote->bitbucket);
	return r ? command_could_not("the API cannot be used", r) : 0;
}

int remote_sign_in(struct remote *remote, bool *ret_known)
{
	char why[1024] = "";
	cleanup(ctx_done) struct ctx ctx;
	int r;

	ctx_init(&ctx, remote->group, -1);
	r = account_find(&ctx, &remote->account, remote->config.cache_dir,
			 remote->config.api_url, remote->credential, why);
	*ret_known = !r && remote->account.dir;
	if (!r && !remote->account.dir)
		r = account_sign_in(&ctx, &remote->account, remote->bitbucket,
				    remote->credential, remote->config.api_url,
				    remote->config.workspaces, why,
				    remote->note);
	if (r)
		command_say("%s", why);
	else if (*remote->note)
		log_warn("%s", remote->note);
	return r;
}

int remote_open_cache(struct remote *remote)
{
	cleanup(free) char *why = NULL;
	int r = account_hold(&remote->account);

	if (!r)
		r = cache_open(remote->account.dir, &remote->cache);
	if (r) {
		why = mem_asprintf("the cache in %s cannot be opened",
				   remote->account.dir);
		return command_could_not(why, r);
	}
	if (remote->account.user_json) {
		struct cache_put user = {
			.key = "user",
			.body = remote->account.user_json,
			.n_body = remote->account.n_user_json,
			.etag = remote->account.user_etag,
			.ttl_ms = USER_TTL_MS,
		};

		/* If the answer is not cached, it is asked for again: nothing
		 * worse. */
		if (cache_put(remote->cache, &user, 1, NULL))
			log_debug("/user could not be cached");
	}
	budget_attach(remote->budget, remote->cache);
	return 0;
}

enum command_exit remote_enter(struct remote *remote, bool *ret_known)
{
	if (remote_sign_in(remote, ret_known))
		return remote_end(remote, remote->account.is_refused ? 401 : 0);
	return remote_open_cache(remote) ? COMMAND_FAILED : COMMAND_OK;
}

enum command_exit remote_open(struct remote *remote, bool *ret_known)
{
	daemon_harden();
	return remote_build(remote) ? COMMAND_FAILED
				    : remote_enter(remote, ret_known);
}

enum command_exit remote_end(const struct remote *remote, long status)
{
	bool nobody = credential_kind(remote->credential) ==
		      CREDENTIAL_ANONYMOUS;

	return status == 401 || (nobody && status == 403) ||
			       (remote->oauth &&
				oauth_source_is_refused(remote->oauth))
		       ? COMMAND_SIGN_IN
		       : COMMAND_FAILED;
}

void remote_done(struct remote *remote)
{
	if (remote->budget)
		budget_attach(remote->budget, NULL);
	remote->cache = cache_close(remote->cache);
	account_done(&remote->account);
	remote->bitbucket = bitbucket_free(remote->bitbucket);
	remote->budget = budget_free(remote->budget);
	/* A source of OAuth may ask until now, with that client. */
	remote->credential = credential_free(remote->credential);
	remote->api_http = http_free(remote->api_http);
	config_done(&remote->config);
}
