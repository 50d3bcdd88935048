/*
 * cmd/config: one table of settings, applied from the weakest place to the
 * strongest; each value is judged where it is read, so that the sentence can
 * name the place.
 *
 * Invariant: no sentence carries a value that may be a secret. Values are shown
 * for settings that cannot be one, and unknown options by their name alone.
 */
#include "cmd/config_private.h"

#include "base/file.h"
#include "base/own.h"
#include "base/text.h"
#include "model/model.h"
#include "wire/http.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdarg.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

extern char **environ;

#define TREES_DEFAULT 100
#define TREES_MAX 100000
#define WALK_DEFAULT 100
#define WALK_MAX 1000000
#define HISTORY_DEFAULT 500
#define HISTORY_MAX 100000
#define LISTED_DEFAULT 10
#define LISTED_MAX 10000
#define BIG_FILE_DEFAULT ((uint64_t)16 << 30)
#define BIG_FILE_MIN ((uint64_t)8 << 20)
#define BIG_FILE_MAX ((uint64_t)1 << 50)
#define WORKSPACES_MAX 1000
#define VALUE_MAX 8192

void config_init(struct config *config)
{
	memset(config, 0, sizeof(*config));
	config->ttl_ms = MODEL_TTL_MS;
	config->trees = TREES_DEFAULT;
	config->walk = WALK_DEFAULT;
	config->history = HISTORY_DEFAULT;
	config->listed = LISTED_DEFAULT;
	config->big_file = BIG_FILE_DEFAULT;
	config->uid = getuid();
	config->gid = getgid();
}

void config_wipe_token(struct config *config)
{
	text_wipe(config->token);
	config->token = NULL;
}

static void free_strings(char **strings)
{
	for (char **s = strings; s && *s; s++)
		free(*s);
	free(strings);
}

void config_done(struct config *config)
{
	config_wipe_token(config);
	free(config->email);
	free(config->username);
	free(config->api_url);
	free(config->git_url);
	free(config->cache_dir);
	free_strings(config->workspaces);
	free_strings(config->fuse_options);
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

static void put(char **place, const char *value)
{
	free(*place);
	*place = value && *value ? mem_strdup(value) : NULL;
}

/*
 * The setters. value is never NULL, may be "" (from the environment: given as
 * nothing). What they leave in why is the end of a sentence that begins with
 * the place and the name.
 */

static int set_email(struct config *config, const char *value)
{
	put(&config->email, value);
	put(&config->username, NULL);
	return 0;
}

static int set_username(struct config *config, const char *value)
{
	put(&config->username, value);
	put(&config->email, NULL);
	return 0;
}

static int set_token(struct config *config, const char *value)
{
	config_wipe_token(config);
	put(&config->token, value);
	return 0;
}

static bool has_blank_or_control(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s <= ' ' || *s == 0x7f)
			return true;
	return false;
}

/* Host, optional port and path of an http or https URL; why it is none. */
static const char *url_problem(const char *url)
{
	cleanup(http_url_done) struct http_url parsed = {0};
	const char *host;
	size_t n_host;
	int r;

	if (has_blank_or_control(url))
		return "has a blank or a control character in it";
	if (strncasecmp(url, "https://", 8) && strncasecmp(url, "http://", 7))
		return "does not begin with https:// or http://";
	host = strstr(url, "://") + 3;
	if (strpbrk(host, "?#"))
		return "has a query or a fragment";
	n_host = strcspn(host, "/");
	if (memchr(host, '@', n_host))
		return "has a user name or a password in it, which belongs "
		       "into BITBUCKETFS_TOKEN or the configuration file";
	/* curl takes "///host", and a port that is empty, for something else
	 * than was meant. */
	if (!n_host || *host == ':')
		return "has no host";
	r = http_url_parse(url, &parsed);
	if (host[n_host - 1] == ':' || r == -ERANGE ||
	    (!r && !strcmp(strrchr(parsed.origin, ':'), ":0")))
		return "has an impossible port";
	return r ? "has no host" : NULL;
}

static int set_url(struct config *config, char **place, const char *value)
{
	const char *problem;
	size_t n;

	if (!*value)
		return 0;
	problem = url_problem(value);
	/* Not shown: it may have a password in it. */
	if (problem)
		return config_fail(config, "%s", problem);
	put(place, value);
	n = strlen(*place);
	while (n && (*place)[n - 1] == '/')
		(*place)[--n] = 0;
	return 0;
}

static int set_api_url(struct config *config, const char *value)
{
	return set_url(config, &config->api_url, value);
}

static int set_git_url(struct config *config, const char *value)
{
	return set_url(config, &config->git_url, value);
}

static int set_cache_dir(struct config *config, const char *value)
{
	cleanup(free) char *path = NULL;
	int r = 0;

	if (!*value)
		return 0;
	if (value[0] == '~' && (value[1] == '/' || !value[1]))
		r = file_home_path(value[1] ? value + 2 : "", &path);
	else if (value[0] == '/')
		path = mem_strdup(value);
	else
		r = file_absolute(value, &path);
	if (r)
		return config_fail(config,
				   "'%s' cannot be made an absolute path (%s)",
				   value, strerror(-r));
	put(&config->cache_dir, path);
	return 0;
}

static int set_workspaces(struct config *config, const char *value)
{
	char **list = mem_calloc(WORKSPACES_MAX + 1, sizeof(*list));
	const char *separators = ":, \t";
	size_t n = 0;
	int r = 0;

	while (!r && *(value += strspn(value, separators))) {
		size_t length = strcspn(value, separators);
		char *id = mem_dup0(value, length);
		bool known = false;

		value += length;
		for (size_t i = 0; i < n; i++)
			known |= !strcmp(list[i], id);
		if (!text_is_workspace_id(id))
			r = config_fail(
				config,
				"'%s' is no workspace id (small letters, "
				"digits, '_' and '-')",
				id);
		else if (!known && n == WORKSPACES_MAX)
			r = config_fail(config, "names more than %d workspaces",
					WORKSPACES_MAX);
		if (r || known)
			free(id);
		else
			list[n++] = id;
	}
	if (r || !n) {
		free_strings(list);
		return r ? r : config_fail(config, "names no workspace");
	}
	free_strings(config->workspaces);
	config->workspaces = mem_realloc(list, (n + 1) * sizeof(*list));
	return 0;
}

static int set_ttl(struct config *config, const char *value)
{
	int64_t seconds;

	if (text_parse_duration(value, &seconds))
		return config_fail(
			config, "'%s' is no time (like 90, 90s, 5m, 2h or 1d)",
			value);
	if (seconds < 1)
		return config_fail(config, "'%s' is too short: the least is 1s",
				   value);
	config->ttl_ms = seconds * 1000;
	return 0;
}

static int set_number(struct config *config, unsigned *place, unsigned max,
		      const char *value)
{
	uint64_t n;

	if (text_parse_u64(value, max, &n) || !n)
		return config_fail(config, "'%s' is no number from 1 to %u",
				   value, max);
	*place = (unsigned)n;
	return 0;
}

static int set_trees(struct config *config, const char *value)
{
	return set_number(config, &config->trees, TREES_MAX, value);
}

static int set_walk(struct config *config, const char *value)
{
	return set_number(config, &config->walk, WALK_MAX, value);
}

static int set_history(struct config *config, const char *value)
{
	return set_number(config, &config->history, HISTORY_MAX, value);
}

static int set_listed(struct config *config, const char *value)
{
	return set_number(config, &config->listed, LISTED_MAX, value);
}

/* (uid_t)-1 is what chown(2) calls no one; (gid_t)-1 likewise. */
#define ID_MAX (UINT32_MAX - 1)

static int set_uid(struct config *config, const char *value)
{
	struct passwd *user;
	uint64_t n;

	if (!text_parse_u64(value, ID_MAX, &n)) {
		config->uid = (uid_t)n;
		return 0;
	}
	user = getpwnam(value);
	if (!user)
		return config_fail(config, "'%s' is no user of this system",
				   value);
	config->uid = user->pw_uid;
	return 0;
}

static int set_gid(struct config *config, const char *value)
{
	struct group *group;
	uint64_t n;

	if (!text_parse_u64(value, ID_MAX, &n)) {
		config->gid = (gid_t)n;
		return 0;
	}
	group = getgrnam(value);
	if (!group)
		return config_fail(config, "'%s' is no group of this system",
				   value);
	config->gid = group->gr_gid;
	return 0;
}

static int set_umask(struct config *config, const char *value)
{
	size_t n = strlen(value);

	if (!n || n > 4 || value[strspn(value, "01234567")] ||
	    strtoul(value, NULL, 8) > 0777)
		return config_fail(config,
				   "'%s' is no mask of modes (like 022 or 077)",
				   value);
	config->umask = (mode_t)strtoul(value, NULL, 8);
	return 0;
}

/* A number of bytes, or of units: 500M, 16G, 1T, with or without a final B. */
static int set_big_file(struct config *config, const char *value)
{
	static const char units[] = "KMGT";
	size_t n = strspn(value, "0123456789");
	cleanup(free) char *digits = mem_dup0(value, n);
	const char *unit = value[n] ? strchr(units, value[n] & ~0x20) : NULL;
	unsigned shift = unit ? 10 * (unsigned)(unit - units + 1) : 0;
	const char *end = value + n + (unit ? 1 : 0);
	uint64_t bytes;

	if ((*end && strcasecmp(end, "B") != 0) ||
	    text_parse_u64(digits, BIG_FILE_MAX >> shift, &bytes))
		return config_fail(config,
				   "'%s' is no size up to 1024T (like 500M or "
				   "16G)",
				   value);
	if (bytes << shift < BIG_FILE_MIN)
		return config_fail(config, "'%s' is too small: the least is 8M",
				   value);
	config->big_file = bytes << shift;
	return 0;
}

static const struct config_setting settings[] = {
	{"email", "BITBUCKETFS_EMAIL", false, set_email},
	{"username", "BITBUCKETFS_USERNAME", false, set_username},
	{"token", "BITBUCKETFS_TOKEN", false, set_token},
	{"api_url", "BITBUCKETFS_API_URL", true, set_api_url},
	{"git_url", "BITBUCKETFS_GIT_URL", true, set_git_url},
	{"cache_dir", "BITBUCKETFS_CACHE_DIR", true, set_cache_dir},
	{"workspaces", NULL, true, set_workspaces},
	{"ttl", NULL, true, set_ttl},
	{"trees", NULL, true, set_trees},
	{"walk", NULL, true, set_walk},
	{"history", NULL, true, set_history},
	{"listed", "BITBUCKETFS_LISTED", true, set_listed},
	{"big_file", "BITBUCKETFS_BIG_FILE", true, set_big_file},
	{"uid", NULL, true, set_uid},
	{"gid", NULL, true, set_gid},
	{"umask", NULL, true, set_umask},
};

const struct config_setting *config_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(settings); i++)
		if (!strcmp(settings[i].name, name))
			return &settings[i];
	return NULL;
}

int config_apply(struct config *config, const char *place,
		 const struct config_setting *setting, const char *name,
		 const char *value)
{
	cleanup(free) char *said = NULL;

	if (!setting->set(config, value))
		return 0;
	said = mem_strdup(config->why);
	return config_fail(config, "%s%s %s", place, name, said);
}

/* --- the file --- */

static int parse_line(struct config *config, const char *place, char *line,
		      unsigned *seen, bool *ret_secret)
{
	const struct config_setting *setting;
	char *equals, *value, *end;
	unsigned bit;
	size_t n;

	line += strspn(line, " \t");
	if (!*line || *line == '#')
		return 0;
	equals = strchr(line, '=');
	/* The line is not shown: it may be a token on its own. */
	if (!equals)
		return config_fail(config,
				   "%sthis is no line of the form key = value",
				   place);
	value = equals + 1 + strspn(equals + 1, " \t");
	for (end = equals; end > line && strchr(" \t", end[-1]); end--)
		;
	*end = 0;
	n = strlen(value);
	while (n && strchr(" \t", value[n - 1]))
		value[--n] = 0;
	setting = config_find(line);
	if (!setting)
		return config_fail(config, "%sthere is no setting '%.40s'",
				   place, line);
	bit = 1U << (setting - settings);
	if (*seen & bit)
		return config_fail(config, "%s%s is there twice", place, line);
	*seen |= bit;
	if (n > VALUE_MAX)
		return config_fail(config, "%sthe value of %s is too long",
				   place, line);
	if (n > 1 && (*value == '"' || *value == '\'') &&
	    value[n - 1] == *value)
		return config_fail(
			config, "%sthe value of %s is written without quotes",
			place, line);
	if (setting->set == set_token && n)
		*ret_secret = true;
	if (!n)
		return 0;
	return config_apply(config, place, setting, line, value);
}

/* The first of both names in a file must not be hidden by the second: a file
 * that has both means the e-mail, as everywhere. */
static void keep_email(struct config *config, char **email)
{
	if (config->email)
		put(email, config->email);
	else if (*email)
		put(&config->email, *email);
}

int config_parse(struct config *config, const char *name, const char *bytes,
		 size_t n, bool *ret_secret)
{
	cleanup(free) char *email = NULL;
	cleanup(free) char *copy = NULL;
	unsigned seen = 0, number = 0;
	bool secret = false;
	int r = 0;

	if (n > CONFIG_FILE_MAX)
		return config_fail(config, "%s: more than %d bytes", name,
				   CONFIG_FILE_MAX);
	if (memchr(bytes, 0, n))
		return config_fail(config, "%s: has a NUL byte in it", name);
	copy = mem_dup0(bytes, n);
	/* Some editors begin a file with U+FEFF. */
	for (char *line = copy + (strncmp(copy, "\xef\xbb\xbf", 3) ? 0 : 3);
	     !r && line;) {
		char *next = strchr(line, '\n');
		size_t length;
		cleanup(free) char *place = NULL;

		if (next)
			*next++ = 0;
		length = strlen(line);
		if (length && line[length - 1] == '\r')
			line[length - 1] = 0;
		place = mem_asprintf("%s:%u: ", name, ++number);
		r = parse_line(config, place, line, &seen, &secret);
		keep_email(config, &email);
		line = next;
	}
	explicit_bzero(copy, n);
	if (r)
		return r;
	*ret_secret = secret;
	return 0;
}

int config_read_file(struct config *config, const char *path)
{
	cleanup(fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	cleanup(free) char *bytes = NULL;
	size_t n = 0;
	bool secret = false;
	struct stat st;
	ssize_t got;
	int r;

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (fd < 0 || fstat(fd, &st))
		return config_fail(config, "%s cannot be read: %s", path,
				   strerror(errno));
	if (!S_ISREG(st.st_mode))
		return config_fail(config, "%s is no regular file", path);
	/* One byte more than allowed, to see that there is one more. */
	bytes = mem_alloc(CONFIG_FILE_MAX + 1);
	while (n <= CONFIG_FILE_MAX &&
	       (got = read(fd, bytes + n, CONFIG_FILE_MAX + 1 - n)) != 0) {
		if (got < 0 && errno != EINTR)
			return config_fail(config, "%s cannot be read: %s",
					   path, strerror(errno));
		n += got > 0 ? (size_t)got : 0;
	}
	r = config_parse(config, path, bytes, n, &secret);
	explicit_bzero(bytes, n);
	if (r)
		return r;
	/* Whoever may write to it could send the credential to another host
	 * (api_url). */
	if (own_others_may_write(&st))
		return config_fail(
			config,
			"%s can be written by others: run chmod go-w '%s'",
			path, path);
	if (secret && (st.st_mode & 077))
		return config_fail(
			config,
			"%s has a token in it and others may read it: run "
			"chmod 600 '%s'",
			path, path);
	if (st.st_uid != geteuid() && st.st_uid != 0 && geteuid() != 0)
		return config_fail(config, "%s belongs to another user", path);
	return 0;
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

int config_read_environment(struct config *config)
{
	int r = 0;
	cleanup(free) char *email = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
		const struct config_setting *setting = &settings[i];
		const char *value;
		int bad = 0;

		if (!setting->environment)
			continue;
		value = getenv(setting->environment);
		if (!value)
			continue;
		/* As in the file: a token that was pasted with a blank before
		 * it would pass for one of another kind. */
		value += strspn(value, " \t");
		if (strlen(value) > VALUE_MAX)
			bad = config_fail(config, "%s is too long",
					  setting->environment);
		else if (!r)
			bad = config_apply(config, "", setting,
					   setting->environment, value);
		/* A username in the environment hides the file's e-mail, but
		 * not one of the environment itself. */
		if (setting->set == set_email && *value)
			email = mem_strdup(value);
		if (setting->set == set_username && email)
			set_email(config, email);
		/* Also after a failure: otherwise the token would stay in
		 * /proc/PID/environ. */
		if (setting->set == set_token)
			scrub_environment(setting->environment);
		r = r ? r : bad;
	}
	return r;
}

/* --- the whole --- */

static int check_cleartext(struct config *config, const char *what,
			   const char *url)
{
	if (strncasecmp(url, "http://", 7) != 0 || http_is_loopback(url))
		return 0;
	return config_fail(
		config,
		"%s %s is plain http: a credential goes there only over "
		"https (or to this very machine)",
		what, url);
}

int config_finish(struct config *config)
{
	int r = 0;

	if (!config->api_url)
		config->api_url = mem_strdup(CONFIG_API_URL);
	/* A server of one's own has both: its credential must not go to
	 * bitbucket.org because only one of the two was named. */
	if (!config->git_url && !strcmp(config->api_url, CONFIG_API_URL)) {
		config->git_url = mem_strdup(CONFIG_GIT_URL);
	} else if (!config->git_url) {
		cleanup(http_url_done) struct http_url url = {0};

		r = http_url_parse(config->api_url, &url);
		if (r < 0)
			return config_fail(config, "api_url is no URL");
		config->git_url = steal(&url.base);
	}
	if (config->token) {
		r = check_cleartext(config, "api_url", config->api_url);
		if (!r)
			r = check_cleartext(config, "git_url", config->git_url);
		if (r)
			return r;
	}
	if (!config->cache_dir) {
		r = file_xdg_path(FILE_XDG_CACHE, "bitbucketfs",
				  &config->cache_dir);
		if (r)
			return config_fail(config,
					   "neither HOME nor XDG_CACHE_HOME "
					   "says where the cache belongs: set "
					   "BITBUCKETFS_CACHE_DIR");
	}
	return 0;
}
