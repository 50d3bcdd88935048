/*
 * setup/config: the table of settings.
 */
#include "setup/config_private.h"

#include "base/suggest.h"

#define SHOWN_MAX 24
#define TREES_MAX 100000
#define WALK_MAX 1000000
#define HISTORY_MAX 100000
#define LISTED_MAX 10000
#define BIG_FILE_MAX ((uint64_t)1 << 50)
#define PORT_MAX 65535
#define FUSE_NUMBER_MAX (1U << 30)
/* (uid_t)-1 is what chown(2) calls no one; (gid_t)-1 likewise. */
#define ID_MAX (UINT32_MAX - 1)

#define AT(name) offsetof(struct config, name)

static const struct config_setting settings[] = {
	{"profile", "NAME", "the section of the configuration to use",
	 config_set_profile, AT(profile), .kind = CONFIG_PROFILE},
	{"mountpoint", "DIRECTORY", "where, if none is named", config_set_path,
	 AT(mountpoint)},
	{"email", "ADDRESS", "the e-mail of the account that a token is of",
	 config_set_name, AT(email), .kind = CONFIG_NAME},
	{"username", "NAME", "the user name, where a password is the token",
	 config_set_name, AT(username), .kind = CONFIG_NAME},
	{"token", "SECRET", "the token or password; no option",
	 config_set_token, AT(token), .kind = CONFIG_SECRET},
	{"token_command", "PROGRAM WORDS", "prints the token; no option",
	 config_set_command, AT(token_command), .kind = CONFIG_COMMAND},
	{"oauth_client_id", "KEY", "the OAuth consumer to sign in with",
	 config_set_consumer, AT(oauth_client_id)},
	{"oauth_port", "N", "of its callback, http://localhost:N/",
	 config_set_number, AT(oauth_port), PORT_MAX},
	{"api_url", "URL", "the API", config_set_url, AT(api_url)},
	{"git_url", "URL", "where repositories are fetched from",
	 config_set_git_url, AT(git_url)},
	{"git_fallback", "URL", "the same of what git_url lacks",
	 config_set_git_url, AT(git_fallback)},
	{"transport", "https|ssh", "how repositories are fetched",
	 config_set_transport, AT(transport)},
	{"ssh_fallback", "HOST:PORT",
	 "where nothing answers at port 22, or off", config_set_ssh_fallback,
	 AT(ssh_fallback)},
	{"ssh_agent", "SOCKET", "the agent, where it is not found",
	 config_set_path, AT(ssh_agent)},
	{"ca_file", "FILE", "certificates to trust besides the system's",
	 config_set_ca_file, AT(ca_file)},
	{"proxy", "URL", "the proxy for all requests", config_set_proxy,
	 AT(proxy), .kind = CONFIG_PROXY},
	{"cache_dir", "DIRECTORY", "what was fetched", config_set_path,
	 AT(cache_dir)},
	{"log_file", "FILE", "the log, else syslog's", config_set_path,
	 AT(log_file)},
	{"jira_url", "URL", "where bitbucketfs open KEY leads", config_set_url,
	 AT(jira_url)},
	{"debug", "http", "a line in the log for each request",
	 config_set_debug},
	{"workspaces", "A:B", "to list besides those of the account",
	 config_set_workspaces, AT(workspaces)},
	{"ttl", "TIME", "how old the branch may be that tree/ shows",
	 config_set_time, AT(ttl_ms)},
	{"trees", "N", "at most so many new trees in ten minutes",
	 config_set_number, AT(trees), TREES_MAX},
	{"walk", "N", "from so many requests in ten minutes on it is a walk",
	 config_set_number, AT(walk), WALK_MAX},
	{"history", "N", "items of a long list that its indexes have",
	 config_set_number, AT(history), HISTORY_MAX},
	{"listed", "N", "of them, those that its directory lists",
	 config_set_number, AT(listed), LISTED_MAX},
	{"big_file", "SIZE", "no larger file of a tree is brought",
	 config_set_size, AT(big_file), BIG_FILE_MAX},
	{"hydrate", "SIZE|off|all", "bytes of a tree that come unasked",
	 config_set_hydrate, AT(hydrate), BIG_FILE_MAX},
	{"cache_size", "SIZE|off", "bytes of the cache, at most",
	 config_set_cache_size, AT(cache_size), BIG_FILE_MAX},
	{"indexers", "A:B", "programs that are shown what is cached; or off",
	 config_set_indexers, AT(indexers)},
	{"uid", "USER", "whose all of it is", config_set_uid, AT(uid), ID_MAX},
	{"gid", "GROUP", "the same of the group", config_set_gid, AT(gid),
	 ID_MAX},
	{"umask", "MASK", "bits that are taken from the modes",
	 config_set_umask, AT(umask), 0777},
	{"submodules", "tree|link|off",
	 "a submodule is its files, a link, an empty directory",
	 config_set_submodules, AT(submodules)},
	{"lfs", "SIZE|off|all", "of one LFS object, for who walks",
	 config_set_lfs, AT(lfs), BIG_FILE_MAX},
	{"allow_other", NULL, "other users may look into the mount",
	 config_set_flag},
	{"allow_root", NULL, "root may", config_set_flag},
	{"auto_unmount", NULL, "a dead mount is taken away", config_set_flag},
	{"noexec", NULL, "no programs are run from it", config_set_flag},
	{"max_read", "N", "bytes of one read, at most", config_set_fuse_number,
	 .most = FUSE_NUMBER_MAX},
	{"context", "LABEL", "SELinux's label of all of it",
	 config_set_fuse_text},
	{"fscontext", "LABEL", "of the file system", config_set_fuse_text},
	{"defcontext", "LABEL", "of what has none", config_set_fuse_text},
	{"rootcontext", "LABEL", "of its root", config_set_fuse_text},
};

const struct config_setting *config_setting(size_t i)
{
	return i < ARRAY_SIZE(settings) ? &settings[i] : NULL;
}

const struct config_setting *config_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(settings); i++)
		if (!strcmp(settings[i].name, name))
			return &settings[i];
	return NULL;
}

char *config_meant(const char *name)
{
	struct suggest suggest = {.word = name};

	for (size_t i = 0; i < ARRAY_SIZE(settings); i++)
		suggest_try(&suggest, settings[i].name);
	return suggest_words(&suggest);
}

bool config_is_way(const struct config_setting *setting)
{
	return setting->kind == CONFIG_SECRET ||
	       setting->kind == CONFIG_COMMAND ||
	       setting->set == config_set_consumer;
}

char *config_shown(const char *name, const char *meant)
{
	bool is_word = strlen(name) <= SHOWN_MAX &&
		       !name[strspn(name, "abcdefghijklmnopqrstuvwxyz_-"
					  "0123456789")];

	return *name && (*meant || is_word) ? mem_asprintf(" %s", name)
					    : mem_strdup("");
}

bool config_is_secret(const struct config_setting *setting, const char *value)
{
	if (setting->kind == CONFIG_PROXY)
		return strchr(value, '@');
	return setting->kind == CONFIG_SECRET && *value;
}
