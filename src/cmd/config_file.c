/*
 * cmd/config: the file. A line that cannot be is never shown: it may be a token
 * on its own.
 */
#include "cmd/config_private.h"

#include "base/file.h"
#include "base/own.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Ends a value before the blanks behind it and before a comment, which begins
 * after a blank: a secret may have such a character in it. */
static size_t end_value(char *value)
{
	size_t n = 0;

	for (; value[n]; n++)
		if ((value[n] == '#' || value[n] == ';') &&
		    is_blank(value[n - 1]))
			break;
	while (n && is_blank(value[n - 1]))
		n--;
	value[n] = 0;
	return n;
}

static int unknown_key(struct config *config, const char *place,
		       const char *key)
{
	cleanup(free) char *meant = config_meant(key);

	return config_fail(config, "%sthere is no setting '%.40s'%s", place,
			   key, meant);
}

static int parse_line(struct config *config, const char *place, char *line,
		      uint64_t *seen, bool *ret_secret)
{
	const struct config_setting *setting;
	char *equals, *value, *end;
	size_t n, i = 0;

	line += strspn(line, " \t");
	if (!*line || strchr("#;", *line))
		return 0;
	equals = strchr(line, '=');
	/* The line is not shown: it may be a token on its own. */
	if (!equals)
		return config_fail(config,
				   "%sthis is no line of the form key = value",
				   place);
	for (end = equals; end > line && is_blank(end[-1]); end--)
		;
	value = equals + 1 + strspn(equals + 1, " \t");
	n = end_value(value);
	*end = 0;
	setting = config_find(line);
	if (!setting)
		return unknown_key(config, place, line);
	while (config_setting(i) != setting)
		i++;
	if (*seen & 1ULL << i)
		return config_fail(config, "%s%s is there twice", place, line);
	*seen |= 1ULL << i;
	if (n > CONFIG_VALUE_MAX)
		return config_fail(config, "%sthe value of %s is too long",
				   place, line);
	if (setting->kind != CONFIG_COMMAND && n > 1 &&
	    (*value == '"' || *value == '\'') && value[n - 1] == *value)
		return config_fail(
			config, "%sthe value of %s is written without quotes",
			place, line);
	*ret_secret |= config_is_secret(setting, value);
	if (!n)
		return 0;
	return config_apply(config, place, setting, line, value);
}

/* The first of both names in a file must not be hidden by the second: a file
 * that has both means the e-mail, as everywhere. */
static void keep_email(struct config *config, char **email)
{
	if (config->email)
		config_put(email, config->email);
	else if (*email)
		config_put(&config->email, *email);
}

int config_parse(struct config *config, const char *name, const char *bytes,
		 size_t n, bool *ret_secret)
{
	cleanup(free) char *email = NULL;
	cleanup(free) char *copy = NULL;
	uint64_t seen = 0;
	unsigned number = 0;
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
	if (config->token)
		config_put(&config->token_from, path);
	/* Whoever may write to it could send the credential to another host
	 * (api_url). */
	if (own_others_may_write(&st))
		return config_fail(
			config,
			"%s can be written by others: run chmod go-w '%s'",
			path, path);
	/* Whoever may write to it could have any program run. */
	if (config->token_command &&
	    ((st.st_mode & 022) || (st.st_uid != geteuid() && st.st_uid != 0)))
		return config_fail(
			config,
			"%s has a token_command, and another user can write "
			"to it: make it your own (chown) and run "
			"chmod go-w '%s'",
			path, path);
	if (secret && (st.st_mode & 077))
		return config_fail(
			config,
			"%s has a secret in it and others may read it: run "
			"chmod 600 '%s'",
			path, path);
	if (st.st_uid != geteuid() && st.st_uid != 0 && geteuid() != 0)
		return config_fail(config, "%s belongs to another user", path);
	return 0;
}
