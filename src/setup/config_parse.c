/*
 * setup/config: the file's bytes: lines of the form key = value, then sections
 * of them. A line that cannot be is never shown: it may be a token on its own.
 */
#include "setup/config_private.h"

#include <stdarg.h>

struct parse {
	struct config *config;
	const char *name; /* the file's */
	const char *line; /* the one that is read, from its begin */
	unsigned number;
	uint64_t seen; /* settings of this section, by their place */
	/* In a section; in that of the profile that is used. */
	bool in_profile, is_ours;
	bool has_way; /* this section said how one signs in */
	bool secret;
	char *email; /* of this section */
};

static int fail_at(struct parse *, const char *at, const char *fmt, ...)
	printf_like(3, 4);
static int fail_at(struct parse *parse, const char *at, const char *fmt, ...)
{
	char said[sizeof(parse->config->why)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(said, sizeof(said), fmt, ap);
	va_end(ap);
	return config_fail(parse->config, "%s:%u:%zu: %s", parse->name,
			   parse->number, (size_t)(at - parse->line) + 1, said);
}

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

/* ---- sections ---- */

static int begin_profile(struct parse *parse, const char *at, const char *name)
{
	struct config *config = parse->config;
	const char *problem = config_profile_problem(name);

	if (problem)
		return fail_at(parse, at, "the name of a profile %s", problem);
	if (config_has_profile(config, name))
		return fail_at(parse, at, "the profile %s is there twice",
			       name);
	config_add_profile(config, name);
	parse->seen = 0;
	parse->in_profile = true;
	parse->is_ours = config->profile && !strcmp(config->profile, name);
	parse->has_way = false;
	config_put(&parse->email, NULL);
	return 0;
}

/* line: at its '['. */
static int parse_section(struct parse *parse, char *line)
{
	static const char word[] = "profile";
	char *end = strchr(line, ']'), *name = line + 1;

	/* strchr: the end of the line, too. */
	if (!end || !strchr("#;", end[1 + strspn(end + 1, " \t")]))
		return fail_at(parse, end ? end + 1 : line,
			       "this is no line of the form [profile NAME]");
	name += strspn(name, " \t");
	if (strncmp(name, word, strlen(word)) != 0 ||
	    !is_blank(name[strlen(word)]))
		return fail_at(parse, name,
			       "the sections of this file are written "
			       "[profile NAME]");
	name += strlen(word);
	name += strspn(name, " \t");
	while (end > name && is_blank(end[-1]))
		end--;
	*end = 0;
	return begin_profile(parse, name, name);
}

/* ---- settings ---- */

static int unknown_key(struct parse *parse, const char *key)
{
	cleanup(free) char *meant = config_meant(key);
	cleanup(free) char *shown = config_shown(key, meant);

	return fail_at(parse, key, "there is no%s setting%s%s",
		       *shown ? "" : " such", shown, meant);
}

/* The first of a section that says how one signs in hides what the general part
 * says of that: they would be two ways at once. */
static void hide_general_way(struct parse *parse,
			     const struct config_setting *setting)
{
	if (!parse->in_profile || parse->has_way || !config_is_way(setting))
		return;
	parse->has_way = true;
	config_wipe_token(parse->config);
	config_put(&parse->config->oauth_client_id, NULL);
	config_put(&parse->config->token_command, NULL);
}

/* Of both names in a section the second must not hide the first: one that has
 * both means the e-mail, as everywhere. */
static void keep_email(struct parse *parse,
		       const struct config_setting *setting, const char *value)
{
	if (setting->kind != CONFIG_NAME)
		return;
	if (!strcmp(setting->name, "email"))
		config_put(&parse->email, value);
	else if (parse->email)
		config_put(&parse->config->email, parse->email);
}

static int set(struct parse *parse, const struct config_setting *setting,
	       const char *key, const char *value)
{
	struct config *config = parse->config;
	cleanup(free) char *said = NULL;

	if (setting->kind == CONFIG_PROFILE && parse->in_profile)
		return fail_at(parse, key,
			       "a profile has no profile of its own");
	if (setting->kind == CONFIG_PROFILE && config->is_profile_chosen)
		return 0;
	/* Of other profiles the values are not judged: a file that is not there
	 * yet is no reason not to use this one. */
	if (parse->in_profile && !parse->is_ours)
		return 0;
	hide_general_way(parse, setting);
	/* Given as nothing, in a profile, it hides the general one. */
	if (!*value && (!parse->in_profile || !config_hides(setting)))
		return 0;
	if (config_is_relative(setting, value))
		return fail_at(
			parse, value,
			"%s is a path that begins with / or ~/, wherever "
			"the program is started",
			key);
	if (!config_apply(config, "", setting, key, value)) {
		keep_email(parse, setting, value);
		return 0;
	}
	said = mem_strdup(config->why);
	return fail_at(parse, value, "%s", said);
}

/* The value behind the key, both ended; NULL: there is no '='. */
static char *split(char *key)
{
	char *equals = strchr(key, '='), *end = equals, *value;

	if (!equals)
		return NULL;
	while (end > key && is_blank(end[-1]))
		end--;
	value = equals + 1 + strspn(equals + 1, " \t");
	end_value(value);
	*end = 0;
	return value;
}

static int check_value(struct parse *parse,
		       const struct config_setting *setting, const char *key,
		       const char *value)
{
	size_t n = strlen(value);

	if (n > CONFIG_VALUE_MAX)
		return fail_at(parse, value, "the value of %s is too long",
			       key);
	if (setting->kind != CONFIG_COMMAND && n > 1 &&
	    (*value == '"' || *value == '\'') && value[n - 1] == *value)
		return fail_at(parse, value,
			       "the value of %s is written without quotes",
			       key);
	return 0;
}

static int parse_line(struct parse *parse, char *line)
{
	const struct config_setting *setting;
	char *value;
	size_t i = 0;
	int r;

	line += strspn(line, " \t");
	if (!*line || strchr("#;", *line))
		return 0;
	if (*line == '[')
		return parse_section(parse, line);
	value = split(line);
	if (!value)
		return fail_at(parse, line,
			       "this is no line of the form key = value");
	setting = config_find(line);
	if (!setting)
		return unknown_key(parse, line);
	while (config_setting(i) != setting)
		i++;
	if (parse->seen & 1ULL << i)
		return fail_at(parse, line, "%s is there twice", line);
	parse->seen |= 1ULL << i;
	r = check_value(parse, setting, line, value);
	if (r)
		return r;
	parse->secret |= config_is_secret(setting, value);
	return set(parse, setting, line, value);
}

static int parse_lines(struct parse *parse, char *line)
{
	int r = 0;

	while (!r && line) {
		char *next = strchr(line, '\n');
		size_t length;

		if (next)
			*next++ = 0;
		length = strlen(line);
		if (length && line[length - 1] == '\r')
			line[length - 1] = 0;
		parse->line = line;
		parse->number++;
		r = parse_line(parse, line);
		line = next;
	}
	return r;
}

int config_parse(struct config *config, const char *name, const char *bytes,
		 size_t n, bool *ret_secret)
{
	struct parse parse = {.config = config, .name = name};
	cleanup(free) char *copy = NULL;
	int r;

	if (n > CONFIG_FILE_MAX)
		return config_fail(config, "%s: more than %d bytes", name,
				   CONFIG_FILE_MAX);
	if (memchr(bytes, 0, n))
		return config_fail(config, "%s: has a NUL byte in it", name);
	copy = mem_dup0(bytes, n);
	/* Some editors begin a file with U+FEFF. */
	r = parse_lines(&parse,
			copy + (strncmp(copy, "\xef\xbb\xbf", 3) ? 0 : 3));
	explicit_bzero(copy, n);
	free(parse.email);
	if (r)
		return r;
	*ret_secret = parse.secret;
	return 0;
}
