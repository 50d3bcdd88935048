/*
 * setup/config: what values a setting may have.
 *
 * What is left in why is the end of a sentence that begins with the place and
 * the name. A value is never NULL, may be "" for a CONFIG_NAME.
 */
#include "setup/config_private.h"
#include "setup/token_command.h"

#include "base/file.h"
#include "base/text.h"
#include "wire/http.h"
#include "wire/ssh.h"

#include <grp.h>
#include <pwd.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#define BIG_FILE_MIN ((uint64_t)8 << 20)
#define WORKSPACES_MAX 1000
#define INDEXERS_MAX 100
#define CONSUMER_LETTERS             \
	"ABCDEFGHIJKLMNOPQRSTUVWXYZ" \
	"abcdefghijklmnopqrstuvwxyz0123456789-_."

static void *member(struct config *config, const struct config_setting *setting)
{
	return (char *)config + setting->at;
}

/* ---- who ---- */

/* An e-mail hides a user name, and the other way round. */
int config_set_name(struct config *config, const struct config_setting *setting,
		    const char *value)
{
	config_put(&config->email, NULL);
	config_put(&config->username, NULL);
	config_put(member(config, setting), value);
	return 0;
}

int config_set_token(struct config *config,
		     const struct config_setting *setting, const char *value)
{
	config_wipe_token(config);
	config->is_anonymous = !*value;
	config_put(member(config, setting), value);
	return 0;
}

int config_set_command(struct config *config,
		       const struct config_setting *setting, const char *value)
{
	cleanup(token_command_free) char **argv = NULL;
	const char *why = *value ? token_command_split(value, &argv) : NULL;

	if (why)
		return config_fail(config, "%s", why);
	config_put(member(config, setting), value);
	return 0;
}

/* Not shown: its secret may have been pasted there. */
int config_set_consumer(struct config *config,
			const struct config_setting *setting, const char *value)
{
	if (!*value || value[strspn(value, CONSUMER_LETTERS)])
		return config_fail(config,
				   "is no key of an OAuth consumer (letters "
				   "and digits)");
	config_put(member(config, setting), value);
	return 0;
}

int config_give_consumer(struct config *config, const char *key)
{
	return config_apply(config, "", config_find("oauth_client_id"),
			    "what was typed", key);
}

/* ---- URLs ---- */

static bool has_blank_or_control(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s <= ' ' || *s == 0x7f)
			return true;
	return false;
}

/* What is wrong with the host and the port of an http or https URL without a
 * user; host is where they begin. */
static const char *host_problem(const char *url, const char *host)
{
	cleanup(http_url_done) struct http_url parsed = {0};
	size_t n = strcspn(host, "/");
	int r;

	/* curl takes "///host", and a port that is empty, for something else
	 * than was meant. */
	if (!n || *host == ':')
		return "has no host";
	r = http_url_parse(url, &parsed);
	if (host[n - 1] == ':' || r == -ERANGE ||
	    (!r && !strcmp(strrchr(parsed.origin, ':'), ":0")))
		return "has an impossible port";
	return r ? "has no host" : NULL;
}

/* Host, optional port and path of an http or https URL; why it is none. */
static const char *url_problem(const char *url)
{
	const char *host;

	if (has_blank_or_control(url))
		return "has a blank or a control character in it";
	if (strncasecmp(url, "https://", 8) && strncasecmp(url, "http://", 7))
		return "does not begin with https:// or http://";
	host = strstr(url, "://") + 3;
	if (strpbrk(host, "?#"))
		return "has a query or a fragment";
	if (memchr(host, '@', strcspn(host, "/")))
		return "has a user name or a password in it, which belongs "
		       "into BITBUCKETFS_TOKEN or the configuration file";
	return host_problem(url, host);
}

int config_set_url(struct config *config, const struct config_setting *setting,
		   const char *value)
{
	char **place = member(config, setting);
	const char *problem = url_problem(value);
	size_t n;

	/* Not shown: it may have a password in it. */
	if (problem)
		return config_fail(config, "%s", problem);
	config_put(place, value);
	n = strlen(*place);
	while (n && (*place)[n - 1] == '/')
		(*place)[--n] = 0;
	return 0;
}

int config_set_git_url(struct config *config,
		       const struct config_setting *setting, const char *value)
{
	cleanup(ssh_place_done) struct ssh_place place = {0};
	cleanup(free) char *url = NULL;
	const char *problem;

	if (!ssh_is_url(value))
		return config_set_url(config, setting, value);
	problem = ssh_place_parse(value, &place);
	if (problem)
		return config_fail(config, "%s", problem);
	url = ssh_place_url(&place);
	config_put(member(config, setting), url);
	return 0;
}

int config_set_transport(struct config *config,
			 const struct config_setting *setting,
			 const char *value)
{
	enum config_transport *place = member(config, setting);

	if (strcmp(value, "ssh") != 0 && strcmp(value, "https") != 0)
		return config_fail(config, "'%s' is neither https nor ssh",
				   value);
	*place = *value == 's' ? CONFIG_TRANSPORT_SSH : CONFIG_TRANSPORT_HTTPS;
	return 0;
}

int config_set_ssh_fallback(struct config *config,
			    const struct config_setting *setting,
			    const char *value)
{
	cleanup(ssh_place_done) struct ssh_place place = {0};
	cleanup(free) char *url = mem_asprintf("ssh://%s", value);
	const char *problem = ssh_place_parse(url, &place);

	if (strcmp(value, "off") != 0) {
		if (problem || !place.port || *place.prefix ||
		    strchr(value, '@'))
			return config_fail(
				config, "'%s' is no HOST:PORT, nor off", value);
	}
	config_put(member(config, setting), value);
	return 0;
}

static const char *proxy_problem(const char *url)
{
	static const char *const schemes[] = {"http",    "https",  "socks4",
					      "socks4a", "socks5", "socks5h"};
	const char *host = strstr(url, "://"), *at;
	size_t n = host ? (size_t)(host - url) : 0, i = 0;
	cleanup(free) char *bare = NULL;

	if (has_blank_or_control(url))
		return "has a blank or a control character in it";
	while (i < ARRAY_SIZE(schemes) &&
	       (strlen(schemes[i]) != n || strncasecmp(url, schemes[i], n)))
		i++;
	if (i == ARRAY_SIZE(schemes))
		return "does not begin with http://, https://, socks5h:// or "
		       "their kin";
	host += 3;
	at = strrchr(host, '@');
	/* curl would end the host there, look for a host of the name of the
	 * user, and a sentence would show the password's beginning. */
	if (at && host + strcspn(host, "/?#@") < at)
		return "has a /, ?, # or @ in its user or password, which is "
		       "written %2F, %3F, %23 or %40";
	host = at ? at + 1 : host;
	if (host[strcspn(host, "/?#")] && strcmp(strpbrk(host, "/?#"), "/"))
		return "has more than a host and a port";
	bare = mem_asprintf("http://%s", host);
	return host_problem(bare, bare + strlen("http://"));
}

int config_set_proxy(struct config *config,
		     const struct config_setting *setting, const char *value)
{
	const char *problem = proxy_problem(value);

	if (problem)
		return config_fail(config, "%s", problem);
	text_wipe(config->proxy);
	config->proxy = NULL;
	config_put(member(config, setting), value);
	return 0;
}

/* ---- files ---- */

static bool is_below_home(const char *path)
{
	return path[0] == '~' && (path[1] == '/' || !path[1]);
}

bool config_is_relative(const struct config_setting *setting, const char *value)
{
	return (setting->set == config_set_path ||
		setting->set == config_set_ca_file) &&
	       *value != '/' && !is_below_home(value);
}

int config_set_path(struct config *config, const struct config_setting *setting,
		    const char *value)
{
	cleanup(free) char *path = NULL;
	int r = 0;

	if (is_below_home(value))
		r = file_home_path(value[1] ? value + 2 : "", &path);
	else if (value[0] == '/')
		path = mem_strdup(value);
	else
		r = file_absolute(value, &path);
	if (r)
		return config_fail(config,
				   "'%s' cannot be made an absolute path (%s)",
				   value, strerror(-r));
	config_put(member(config, setting), path);
	return 0;
}

int config_set_ca_file(struct config *config,
		       const struct config_setting *setting, const char *value)
{
	int r = config_set_path(config, setting, value);
	struct stat st;

	if (r)
		return r;
	/* curl would say so of each request, and wait for a FIFO. */
	if (access(config->ca_file, R_OK) || stat(config->ca_file, &st))
		return config_fail(config, "'%s' cannot be read: %s",
				   config->ca_file, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return config_fail(config, "'%s' is no regular file",
				   config->ca_file);
	return 0;
}

/* ---- lists, times, numbers ---- */

/* The names that a list may have. */
struct names {
	bool (*is_one)(const char *);
	const char *none; /* the end of a sentence about one that is none */
	const char *what; /* of a sentence about all of them */
	size_t most;
};

static int set_names(struct config *config,
		     const struct config_setting *setting, const char *value,
		     const struct names *names)
{
	char ***place = member(config, setting);
	char **list = mem_calloc(names->most + 1, sizeof(*list));
	const char *separators = ":, \t";
	size_t n = 0;
	int r = 0;

	while (!r && *(value += strspn(value, separators))) {
		size_t length = strcspn(value, separators);
		char *name = mem_dup0(value, length);
		bool known = false;

		value += length;
		for (size_t i = 0; i < n; i++)
			known |= !strcmp(list[i], name);
		if (!names->is_one(name))
			r = config_fail(config, "'%s' is no %s", name,
					names->none);
		else if (!known && n == names->most)
			r = config_fail(config, "names more than %zu %ss",
					names->most, names->what);
		if (r || known)
			free(name);
		else
			list[n++] = name;
	}
	if (!r && !n)
		r = config_fail(config, "names no %s", names->what);
	if (r) {
		config_free_strings(list);
		return r;
	}
	config_free_strings(*place);
	*place = mem_realloc(list, (n + 1) * sizeof(*list));
	return 0;
}

int config_set_workspaces(struct config *config,
			  const struct config_setting *setting,
			  const char *value)
{
	static const struct names workspaces = {
		text_is_workspace_id,
		"workspace id (small letters, digits, '_' and '-')",
		"workspace",
		WORKSPACES_MAX,
	};

	return set_names(config, setting, value, &workspaces);
}

static bool is_program(const char *name)
{
	return !strchr(name, '/');
}

int config_set_indexers(struct config *config,
			const struct config_setting *setting, const char *value)
{
	static const struct names programs = {
		is_program,
		"name of a program (without its directory)",
		"program",
		INDEXERS_MAX,
	};
	char ***place = member(config, setting);

	if (strcmp(value, "off") != 0)
		return set_names(config, setting, value, &programs);
	config_free_strings(*place);
	*place = mem_calloc(1, sizeof(**place));
	return 0;
}

int config_set_time(struct config *config, const struct config_setting *setting,
		    const char *value)
{
	int64_t *place = member(config, setting);
	int64_t seconds;

	if (text_parse_duration(value, &seconds))
		return config_fail(
			config, "'%s' is no time (like 90, 90s, 5m, 2h or 1d)",
			value);
	if (seconds < 1)
		return config_fail(config, "'%s' is too short: the least is 1s",
				   value);
	*place = seconds * 1000;
	return 0;
}

int config_set_number(struct config *config,
		      const struct config_setting *setting, const char *value)
{
	unsigned *place = member(config, setting);
	uint64_t n;

	if (text_parse_u64(value, setting->most, &n) || !n)
		return config_fail(config, "'%s' is no number from 1 to %u",
				   value, (unsigned)setting->most);
	*place = (unsigned)n;
	return 0;
}

/* A number of bytes, or of units: 500M, 16G, 1T, with or without a final B. */
static int set_size(struct config *config, const struct config_setting *setting,
		    const char *value, uint64_t least)
{
	static const char units[] = "KMGT";
	uint64_t *place = member(config, setting);
	size_t n = strspn(value, "0123456789");
	cleanup(free) char *digits = mem_dup0(value, n);
	const char *unit = value[n] ? strchr(units, value[n] & ~0x20) : NULL;
	unsigned shift = unit ? 10 * (unsigned)(unit - units + 1) : 0;
	const char *end = value + n + (unit ? 1 : 0);
	uint64_t bytes;

	if ((*end && strcasecmp(end, "B") != 0) ||
	    text_parse_u64(digits, setting->most >> shift, &bytes))
		return config_fail(config,
				   "'%s' is no size up to 1024T (like 500M or "
				   "16G)",
				   value);
	if (bytes << shift < least)
		return config_fail(config, "'%s' is too small: the least is 8M",
				   value);
	*place = bytes << shift;
	return 0;
}

int config_set_size(struct config *config, const struct config_setting *setting,
		    const char *value)
{
	return set_size(config, setting, value, BIG_FILE_MIN);
}

/* 0 may mean to one person that nothing is kept, and to another that all is. */
int config_set_cache_size(struct config *config,
			  const struct config_setting *setting,
			  const char *value)
{
	uint64_t *place = member(config, setting);

	if (*value && !value[strspn(value, "0")])
		return config_fail(config,
				   "'%s' is no size: the least is 8M, and off "
				   "lets the cache fill the disk",
				   value);
	if (strcmp(value, "off") != 0)
		return config_set_size(config, setting, value);
	*place = CONFIG_UNBOUNDED;
	return 0;
}

/* As above of 0. */
int config_set_hydrate(struct config *config,
		       const struct config_setting *setting, const char *value)
{
	uint64_t *place = member(config, setting);

	if (*value && !value[strspn(value, "0")])
		return config_fail(config,
				   "'%s' is no size: the least is 8M, off "
				   "brings nothing unasked, and all everything",
				   value);
	if (strcmp(value, "off") == 0)
		*place = 0;
	else if (strcmp(value, "all") == 0)
		*place = CONFIG_UNBOUNDED;
	else
		return config_set_size(config, setting, value);
	return 0;
}

/* As above of 0. */
int config_set_lfs(struct config *config, const struct config_setting *setting,
		   const char *value)
{
	uint64_t *place = member(config, setting);

	if (*value && !value[strspn(value, "0")])
		return config_fail(config,
				   "'%s' is no size: off shows pointers, and "
				   "all brings objects of any size",
				   value);
	if (strcmp(value, "off") == 0)
		*place = 0;
	else if (strcmp(value, "all") == 0)
		*place = CONFIG_UNBOUNDED;
	else
		return set_size(config, setting, value, 1);
	return 0;
}

/* ---- whose it is ---- */

int config_set_uid(struct config *config, const struct config_setting *setting,
		   const char *value)
{
	uid_t *place = member(config, setting);
	struct passwd *user;
	uint64_t n;

	if (!text_parse_u64(value, setting->most, &n)) {
		*place = (uid_t)n;
		return 0;
	}
	user = getpwnam(value);
	if (!user)
		return config_fail(config, "'%s' is no user of this system",
				   value);
	*place = user->pw_uid;
	return 0;
}

int config_set_gid(struct config *config, const struct config_setting *setting,
		   const char *value)
{
	gid_t *place = member(config, setting);
	struct group *group;
	uint64_t n;

	if (!text_parse_u64(value, setting->most, &n)) {
		*place = (gid_t)n;
		return 0;
	}
	group = getgrnam(value);
	if (!group)
		return config_fail(config, "'%s' is no group of this system",
				   value);
	*place = group->gr_gid;
	return 0;
}

int config_set_umask(struct config *config,
		     const struct config_setting *setting, const char *value)
{
	mode_t *place = member(config, setting);
	size_t n = strlen(value);

	if (!n || n > 4 || value[strspn(value, "01234567")] ||
	    strtoul(value, NULL, 8) > setting->most)
		return config_fail(config,
				   "'%s' is no mask of modes (like 022 or 077)",
				   value);
	*place = (mode_t)strtoul(value, NULL, 8);
	return 0;
}

int config_set_submodules(struct config *config,
			  const struct config_setting *setting,
			  const char *value)
{
	static const char *const words[] = {
		[CONFIG_SUBMODULES_OFF] = "off",
		[CONFIG_SUBMODULES_LINK] = "link",
		[CONFIG_SUBMODULES_TREE] = "tree",
	};
	enum config_submodules *place = member(config, setting);

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (!strcmp(value, words[i])) {
			*place = (enum config_submodules)i;
			return 0;
		}
	return config_fail(config, "'%s' is none of tree, link and off", value);
}

int config_set_debug(struct config *config, const struct config_setting *,
		     const char *value)
{
	if (strcmp(value, "http") != 0)
		return config_fail(config, "can only be http");
	config->tells_requests = true;
	return 0;
}

/* ---- what libfuse is told ---- */

/* NULL: takes it back. */
static void tell_fuse(struct config *config, const char *name,
		      const char *option)
{
	size_t n_name = strlen(name), n = 0;

	config->fuse_options = mem_realloc(
		config->fuse_options,
		(config->n_fuse_options + 2) * sizeof(*config->fuse_options));
	for (size_t i = 0; i < config->n_fuse_options; i++) {
		char *old = config->fuse_options[i];

		if (!strncmp(old, name, n_name) &&
		    (!old[n_name] || old[n_name] == '='))
			free(old);
		else
			config->fuse_options[n++] = old;
	}
	if (option)
		config->fuse_options[n++] = mem_strdup(option);
	config->fuse_options[n] = NULL;
	config->n_fuse_options = n;
}

int config_set_flag(struct config *config, const struct config_setting *setting,
		    const char *value)
{
	bool is_true = !strcmp(value, "true");

	if (!is_true && strcmp(value, "false") != 0)
		return config_fail(config, "'%s' is neither true nor false",
				   value);
	tell_fuse(config, setting->name, is_true ? setting->name : NULL);
	return 0;
}

int config_set_fuse_text(struct config *config,
			 const struct config_setting *setting,
			 const char *value)
{
	cleanup(free) char *option =
		mem_asprintf("%s=%s", setting->name, value);

	tell_fuse(config, setting->name, option);
	return 0;
}

int config_set_fuse_number(struct config *config,
			   const struct config_setting *setting,
			   const char *value)
{
	uint64_t n;

	if (text_parse_u64(value, setting->most, &n) || !n)
		return config_fail(config, "'%s' is no such number", value);
	return config_set_fuse_text(config, setting, value);
}
