/*
 * setup/config: settings are applied from the weakest place to the strongest;
 * each value is judged where it is read, so that the sentence can name the
 * place.
 *
 * Invariant: no sentence carries a value that may be a secret. Values are shown
 * for settings that cannot be one, and unknown options by their name alone.
 */
#include "setup/config_private.h"

#include "base/file.h"
#include "base/text.h"
#include "wire/http.h"
#include "wire/ssh.h"

#include <ctype.h>
#include <stdarg.h>
#include <strings.h>
#include <unistd.h>

extern char **environ;

#define TREES_DEFAULT 100
#define WALK_DEFAULT 100
#define HISTORY_DEFAULT 500
#define LISTED_DEFAULT 10
#define TTL_DEFAULT_MS (60 * 1000)
#define OAUTH_PORT_DEFAULT 34117
#define BIG_FILE_DEFAULT ((uint64_t)16 << 30)
#define HYDRATE_DEFAULT ((uint64_t)500 << 20)
#define LFS_DEFAULT ((uint64_t)100 << 20)

void config_init(struct config *config)
{
	memset(config, 0, sizeof(*config));
	config->oauth_port = OAUTH_PORT_DEFAULT;
	config->ttl_ms = TTL_DEFAULT_MS;
	config->trees = TREES_DEFAULT;
	config->walk = WALK_DEFAULT;
	config->history = HISTORY_DEFAULT;
	config->listed = LISTED_DEFAULT;
	config->big_file = BIG_FILE_DEFAULT;
	config->hydrate = HYDRATE_DEFAULT;
	config->lfs = LFS_DEFAULT;
	config->submodules = CONFIG_SUBMODULES_TREE;
	config->uid = getuid();
	config->gid = getgid();
}

void config_wipe_token(struct config *config)
{
	text_wipe(config->token);
	config->token = NULL;
}

void config_free_strings(char **strings)
{
	for (char **s = strings; s && *s; s++)
		free(*s);
	free(strings);
}

void config_done(struct config *config)
{
	config_wipe_token(config);
	free(config->profile);
	config_free_strings(config->profiles);
	free(config->file);
	free(config->mountpoint);
	free(config->token_command);
	free(config->token_from);
	free(config->oauth_client_id);
	free(config->oauth_url);
	free(config->own_url);
	free(config->email);
	free(config->username);
	free(config->api_url);
	free(config->jira_url);
	free(config->git_url);
	free(config->git_fallback);
	free(config->ssh_url);
	free(config->ssh_fallback);
	free(config->ssh_agent);
	free(config->cache_dir);
	free(config->ca_file);
	text_wipe(config->proxy);
	free(config->log_file);
	config_free_strings(config->workspaces);
	config_free_strings(config->indexers);
	config_free_strings(config->fuse_options);
	memset(config, 0, sizeof(*config));
}

int config_fail(struct config *config, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(config->why, sizeof(config->why), fmt, ap);
	va_end(ap);
	return -EINVAL;
}

void config_put(char **place, const char *value)
{
	free(*place);
	*place = value && *value ? mem_strdup(value) : NULL;
}

int config_apply(struct config *config, const char *place,
		 const struct config_setting *setting, const char *name,
		 const char *value)
{
	cleanup(free) char *said = NULL;

	if (!setting->set(config, setting, value))
		return 0;
	said = mem_strdup(config->why);
	return config_fail(config, "%s%s %s", place, name, said);
}

/* --- the environment --- */

/* getenv() sees the first of several; /proc/PID/environ shows all. */
static void scrub_environment(const char *name)
{
	size_t n = strlen(name);

	for (char **e = environ; e && *e; e++)
		if (!strncmp(*e, name, n) && (*e)[n] == '=')
			explicit_bzero(*e + n + 1, strlen(*e + n + 1));
	unsetenv(name);
}

char *config_variable(const char *key)
{
	char *name = mem_asprintf("BITBUCKETFS_%s", key);

	for (char *c = name; *c; c++)
		*c = (char)toupper((unsigned char)*c);
	return name;
}

bool config_hides(const struct config_setting *setting)
{
	return setting->kind == CONFIG_NAME || !config_is_option(setting);
}

int config_read_environment(struct config *config)
{
	const struct config_setting *setting;
	cleanup(free) char *email = NULL;
	int r = 0;

	for (size_t i = 0; (setting = config_setting(i)); i++) {
		cleanup(free) char *name = config_variable(setting->name);
		const char *value = getenv(name);
		int bad = 0;

		if (!value)
			continue;
		/* As in the file: a token that was pasted with a blank before
		 * it would pass for one of another kind. */
		value += strspn(value, " \t");
		if (strlen(value) > CONFIG_VALUE_MAX)
			bad = config_fail(config, "%s is too long", name);
		else if (!r && (*value || config_hides(setting)))
			bad = config_apply(config, "", setting, name, value);
		if (setting->kind == CONFIG_SECRET)
			config_put(&config->token_from,
				   *value ? "environment" : NULL);
		/* A username in the environment hides the file's e-mail, but
		 * not one of the environment itself. */
		if (!strcmp(setting->name, "email") && *value)
			email = mem_strdup(value);
		/* Also after a failure: otherwise the token would stay in
		 * /proc/PID/environ. */
		if (setting->kind == CONFIG_SECRET ||
		    setting->kind == CONFIG_PROXY)
			scrub_environment(name);
		r = r ? r : bad;
	}
	if (email) {
		config_put(&config->email, email);
		config_put(&config->username, NULL);
	}
	return r;
}

/* --- the whole --- */

static int check_url(struct config *config, const char *what, const char *url)
{
	if (strncasecmp(url, "http://", 7) != 0 || http_is_loopback(url))
		return 0;
	return config_fail(
		config,
		"%s %s is plain http: a credential goes there only over "
		"https (or to this very machine)",
		what, url);
}

int config_check_cleartext(struct config *config)
{
	int r = check_url(config, "api_url", config->api_url);

	if (!r)
		r = check_url(config, "git_url", config->git_url);
	if (!r && config->fallback_is_own)
		r = check_url(config, "git_fallback", config->git_fallback);
	return r;
}

/* The git host of the service that api_url is. A server of one's own has both:
 * its credential must not go to bitbucket.org because only one of the two was
 * named. */
static int own_git_url(struct config *config, char **ret_url)
{
	cleanup(http_url_done) struct http_url url = {0};

	if (!strcmp(config->api_url, CONFIG_API_URL)) {
		*ret_url = mem_strdup(CONFIG_GIT_URL);
		return 0;
	}
	if (http_url_parse(config->api_url, &url) < 0)
		return config_fail(config, "api_url is no URL");
	*ret_url = steal(&url.base);
	return 0;
}

/* The service's, as it is reached by SSH: a server of one's own has one name
 * for both. */
static char *own_ssh_host(const char *own)
{
	cleanup(http_url_done) struct http_url url = {0};

	if (!strcmp(own, CONFIG_GIT_URL) || http_url_parse(own, &url) < 0)
		return mem_strdup(SSH_HOST);
	return steal(&url.host);
}

static bool is_own_ssh(const char *text, const char *own_host)
{
	cleanup(ssh_place_done) struct ssh_place place = {0};

	return !ssh_place_parse(text, &place) && !*place.prefix &&
	       (!strcasecmp(place.host, own_host) ||
		!strcasecmp(place.host, SSH_HOST));
}

/* What is fetched by SSH: git_url says so, or transport of the service's own.
 */
static int finish_transport(struct config *config, const char *own,
			    const char *own_host)
{
	bool is_ssh = config->git_url && ssh_is_url(config->git_url);

	if (is_ssh && config->transport == CONFIG_TRANSPORT_HTTPS)
		return config_fail(config,
				   "transport is https, but git_url is an "
				   "address of SSH: take one of the two away");
	if (is_ssh)
		config->ssh_url = steal(&config->git_url);
	if (is_ssh || config->transport != CONFIG_TRANSPORT_SSH)
		return 0;
	if (config->git_url && strcmp(config->git_url, own) != 0 &&
	    strcmp(config->git_url, CONFIG_GIT_URL) != 0)
		return config_fail(config,
				   "transport is ssh, but git_url is the "
				   "address of a mirror by HTTP: give it as "
				   "ssh://HOST/");
	config->ssh_url = mem_asprintf("ssh://git@%s", own_host);
	return 0;
}

static int finish_git(struct config *config)
{
	cleanup(free) char *own = NULL;
	cleanup(free) char *own_host = NULL;
	int r = own_git_url(config, &own);

	if (r)
		return r;
	own_host = own_ssh_host(own);
	r = finish_transport(config, own, own_host);
	if (r)
		return r;
	if (!config->git_url)
		config->git_url = mem_strdup(own);
	config->is_mirror =
		config->ssh_url
			? !is_own_ssh(config->ssh_url, own_host)
			: strcmp(config->git_url, own) != 0 &&
				  strcmp(config->git_url, CONFIG_GIT_URL) != 0;
	/* Any other host would be shown the secret for no more than that a
	 * mirror lacks something. */
	config->fallback_is_own =
		config->git_fallback &&
		(http_same_origin(config->git_fallback, own) ||
		 is_own_ssh(config->git_fallback, own_host));
	config->oauth_url = mem_asprintf("%s/site/oauth2", own);
	config->own_url = steal(&own);
	return 0;
}

/* A profile's cache is nobody else's, wherever it is: below a name that no host
 * has (account_host_name). */
static int finish_cache_dir(struct config *config)
{
	char *dir = config->cache_dir;

	if (!dir && file_xdg_path(FILE_XDG_CACHE, "bitbucketfs", &dir))
		return config_fail(config,
				   "neither HOME nor XDG_CACHE_HOME says where "
				   "the cache belongs: set "
				   "BITBUCKETFS_CACHE_DIR");
	config->cache_dir = dir;
	if (!config->profile)
		return 0;
	config->cache_dir = mem_asprintf("%s/@%s", dir, config->profile);
	free(dir);
	return 0;
}

int config_finish(struct config *config)
{
	int r = config_check_profile(config);

	if (r)
		return r;
	if (!config->api_url)
		config->api_url = mem_strdup(CONFIG_API_URL);
	if (config->token && config->token_command)
		return config_fail(config,
				   "there are a token and a token_command: "
				   "take one away (an empty "
				   "BITBUCKETFS_TOKEN_COMMAND hides that of "
				   "the configuration)");
	r = finish_git(config);
	if (!r && (config->token || config->token_command))
		r = config_check_cleartext(config);
	return r ? r : finish_cache_dir(config);
}
