/*
 * cmd/login/login_form: Atlassian's tokens begin with AT and a letter or two
 * (src/api/README.md, 1).
 */
#include "cmd/login/login_form.h"

#include "base/text.h"

#include <ctype.h>
#include <strings.h>

static bool begins(const char *text, const char *with)
{
	return !strncasecmp(text, with, strlen(with));
}

static enum login_form form_of(const char *token)
{
	if (!strncmp(token, "ATBB", 4))
		return LOGIN_FORM_APP_PASSWORD;
	if (!strncmp(token, "ATCT", 4))
		return LOGIN_FORM_ACCESS_TOKEN;
	return !strncmp(token, "ATAT", 4) ? LOGIN_FORM_API_TOKEN
					  : LOGIN_FORM_UNKNOWN;
}

static bool is_email(const char *text)
{
	const char *at = strchr(text, '@');

	return at && at > text && strchr(at, '.') && !strpbrk(text, ":/ \t");
}

/* n bytes of a URL, without its %XX. */
static char *decoded(const char *s, size_t n)
{
	char *out = mem_dup0(s, n), *to = out;

	for (const char *from = out; *from; from++, to++) {
		unsigned byte;

		*to = *from;
		if (*from == '%' && isxdigit((unsigned char)from[1]) &&
		    isxdigit((unsigned char)from[2]) &&
		    sscanf(from + 1, "%2x", &byte) == 1 && byte) {
			*to = (char)byte;
			from += 2;
		}
	}
	*to = 0;
	return out;
}

/* What is left of [*begin, *end) is taken off step by step. */
struct span {
	const char *begin, *end;
};

static bool trim(struct span *span)
{
	struct span old = *span;

	while (span->begin < span->end && isspace((unsigned char)*span->begin))
		span->begin++;
	while (span->end > span->begin && isspace((unsigned char)span->end[-1]))
		span->end--;
	return span->begin != old.begin || span->end != old.end;
}

static bool unquote(struct span *span)
{
	if (span->end - span->begin < 2 || *span->begin != span->end[-1] ||
	    !strchr("\"'`", *span->begin))
		return false;
	span->begin++;
	span->end--;
	return true;
}

/* "token = ", "BITBUCKETFS_TOKEN=", "Authorization: Bearer " … */
static bool take_word(struct span *span)
{
	static const char *const words[] = {
		"authorization:",    "bearer ",   "token=",
		"token =",           "password=", "export ",
		"BITBUCKETFS_TOKEN="};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (begins(span->begin, words[i]) &&
		    (size_t)(span->end - span->begin) > strlen(words[i])) {
			span->begin += strlen(words[i]);
			return true;
		}
	return false;
}

/* https://NAME:TOKEN@HOST/…: the token, and the name. */
static bool take_url(const struct span *span, char **ret_token, char **ret_name)
{
	const char *user, *host, *at = NULL, *colon;
	bool is_url = begins(span->begin, "https://") ||
		      begins(span->begin, "http://");

	if (!is_url)
		return false;
	user = strstr(span->begin, "://") + 3;
	host = user + strcspn(user, "/?#");
	for (const char *c = user; c < host && c < span->end; c++)
		if (*c == '@')
			at = c;
	colon = at ? memchr(user, ':', (size_t)(at - user)) : NULL;
	if (!colon)
		return false;
	*ret_token = decoded(colon + 1, (size_t)(at - colon - 1));
	*ret_name = decoded(user, (size_t)(colon - user));
	return true;
}

/* NAME:TOKEN, as curl -u has it. A password may have a colon. */
static bool take_pair(const struct span *span, char **ret_token,
		      char **ret_name)
{
	const char *colon =
		memchr(span->begin, ':', (size_t)(span->end - span->begin));

	if (!colon || colon == span->begin || !begins(colon + 1, "AT"))
		return false;
	*ret_token = mem_dup0(colon + 1, (size_t)(span->end - colon - 1));
	*ret_name = mem_dup0(span->begin, (size_t)(colon - span->begin));
	return true;
}

/* git's names for a token (src/api/README.md, 1) say no account. */
static void forget_git_name(char **name)
{
	if (*name && (!strcmp(*name, "x-token-auth") ||
		      !strcmp(*name, "x-bitbucket-api-token-auth"))) {
		free(*name);
		*name = NULL;
	}
}

static const char *problem_of(const char *token)
{
	if (!*token)
		return "is empty";
	for (const char *c = token; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			return "has a line end or a control character in it";
	if (begins(token, "ssh-") || begins(token, "ecdsa-") ||
	    begins(token, "-----BEGIN"))
		return "is an SSH key, which the API does not take";
	if (begins(token, "http://") || begins(token, "https://"))
		return "is an address without a token in it";
	if (begins(token, "Basic "))
		return "is the header of a request: give the token itself";
	if (form_of(token) != LOGIN_FORM_UNKNOWN &&
	    token[strcspn(token, " \t")])
		return "has a blank in it: more was copied than the token";
	if (form_of(token) != LOGIN_FORM_UNKNOWN && strlen(token) < 12)
		return "ends after its first letters: it was not copied whole";
	if (is_email(token))
		return "is an e-mail: what is wanted here is the token";
	return NULL;
}

const char *login_form_token(const char *typed, char **ret_token,
			     enum login_form *ret_form, char **ret_name,
			     const char **ret_note)
{
	struct span span = {typed, typed + strlen(typed)};
	char *token = NULL;
	cleanup(free) char *name = NULL;
	const char *why, *note = NULL;

	while (trim(&span) || unquote(&span) || take_word(&span))
		note = "what stood around the token was taken off";
	/* A line's end and its like are nobody's doing. */
	if (take_url(&span, &token, &name))
		note = "the token was taken out of the address";
	else if (take_pair(&span, &token, &name))
		note = "the token was taken from behind its name";
	else
		token = mem_dup0(span.begin, (size_t)(span.end - span.begin));
	why = problem_of(token);
	if (why) {
		text_wipe(token);
		return why;
	}
	forget_git_name(&name);
	*ret_form = form_of(token);
	*ret_token = token;
	*ret_name = steal(&name);
	*ret_note = note;
	return NULL;
}

char *login_form_name(const char *typed)
{
	struct span span = {typed, typed + strlen(typed)};

	trim(&span);
	if (begins(span.begin, "mailto:"))
		span.begin += strlen("mailto:");
	if (span.end - span.begin > 1 && *span.begin == '<' &&
	    span.end[-1] == '>') {
		span.begin++;
		span.end--;
	}
	return mem_dup0(span.begin, (size_t)(span.end - span.begin));
}

static const char *name_problem(enum login_form form, const char *name)
{
	for (const char *c = name; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			return "the name has a control character in it";
	if (strchr(name, ':'))
		return "the name has a colon in it";
	if (form == LOGIN_FORM_API_TOKEN && !*name)
		return "an API token goes with the e-mail of the Atlassian "
		       "account, and none was given";
	if (form == LOGIN_FORM_API_TOKEN && !strchr(name, '@'))
		return "an API token goes with the e-mail of the Atlassian "
		       "account, not with the user name (what was given has "
		       "no @)";
	if (form != LOGIN_FORM_ACCESS_TOKEN && strpbrk(name, " \t"))
		return "the name has a blank in it";
	return NULL;
}

const char *login_form_join(enum login_form form, char **token,
			    const char *name, struct sign_in *ret,
			    const char **ret_note)
{
	const char *why = name_problem(form, name ? name : "");
	bool is_named = name && *name;

	if (why)
		return why;
	if (form == LOGIN_FORM_ACCESS_TOKEN && is_named) {
		*ret_note = "an access token goes alone: the name is not used";
		is_named = false;
	} else if (form == LOGIN_FORM_UNKNOWN && is_named && is_email(name)) {
		*ret_note = "an e-mail goes with an API token, and this has "
			    "not the form of one (ATATT…)";
	} else if (form == LOGIN_FORM_UNKNOWN && !is_named) {
		*ret_note = "this has not the form of a token (ATATT…, "
			    "ATCTT…)";
	}
	*ret = (struct sign_in){.token = steal(token)};
	ret->kind = !is_named           ? SIGN_IN_ACCESS_TOKEN
		    : strchr(name, '@') ? SIGN_IN_API_TOKEN
					: SIGN_IN_BASIC;
	if (is_named)
		*(ret->kind == SIGN_IN_API_TOKEN
			  ? &ret->email
			  : &ret->username) = mem_strdup(name);
	return NULL;
}
