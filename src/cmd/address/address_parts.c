/*
 * cmd/address/address: from the text to host and path, by one of three forms:
 * scheme://host/path, host:path, host/path.
 */
#include "cmd/address/address_private.h"

#include "cmd/address/shell_line.h"

#include "base/log.h"

#include <ctype.h>
#include <stdarg.h>

#define BLANKS " \t\r\n"

void address_parts_done(struct address_parts *parts)
{
	free(parts->scheme);
	free(parts->user);
	free(parts->host);
	free(parts->port);
	free(parts->path);
	free(parts->query);
}

void address_say(char **place, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	if (*place)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	*place = mem_strdup(text);
}

/* Blanks and one pair after the other of quotes, or of <>, do not count. */
static char *unwrapped(const char *text)
{
	static const char *const pairs[] = {"\'\'", "\"\"", "``", "<>"};
	size_t n = strlen(text);
	bool found;

	do {
		found = false;
		for (; n && strchr(BLANKS, *text); text++, n--)
			;
		for (; n && strchr(BLANKS, text[n - 1]); n--)
			;
		for (size_t i = 0; !found && i < ARRAY_SIZE(pairs); i++)
			found = n > 1 && *text == *pairs[i] &&
				text[n - 1] == pairs[i][1];
		text += found;
		n -= found ? 2 : 0;
	} while (found);
	return mem_dup0(text, n);
}

/* How surely it is one: the branch or directory of a line of git is none. */
static int likeness(const char *word)
{
	return *word == '-'          ? 0
	       : strstr(word, "://") ? 3
	       : strchr(word, '@')   ? 2
				     : strchr(word, '/') != NULL;
}

/* Of "git clone --depth 1 ADDRESS dir", or a line of git remote -v. */
static char *likeliest(const char *line)
{
	const char *at = shell_line_begin(line);
	char *best = mem_strdup("");
	struct shell_word word;

	while (shell_line_next(&at, &word)) {
		if (likeness(word.text) > likeness(best)) {
			free(best);
			best = steal(&word.text);
		}
		free(word.text);
	}
	return best;
}

char *address_word(const char *text)
{
	cleanup(free) char *bare = unwrapped(text);

	return shell_line_is_of(bare, "git") || strchr(bare, '\t')
		       ? likeliest(bare)
		       : mem_strdup(bare);
}

/* "user:secret@host:port" */
static void take_authority(struct address_parts *parts, char *text,
			   struct address *address)
{
	char *at = strrchr(text, '@'), *host = at ? at + 1 : text;
	char *colon = *host == '[' ? strchr(host, ']') : host;

	colon = colon ? strchr(colon, ':') : NULL;
	if (at) {
		char *secret;

		*at = 0;
		secret = strchr(text, ':');
		if (secret) {
			*secret++ = 0;
			log_redact(secret);
			explicit_bzero(secret, strlen(secret));
			address_say(
				&address->wrong,
				"there is a secret in this address, which git "
				"writes into .git/config and every ps shows: "
				"revoke it, and clone without it "
				"(bitbucketfs credential --install gives git "
				"the "
				"configured one)");
		}
		parts->user = mem_strdup(text);
	}
	if (colon) {
		*colon = 0;
		parts->port = mem_strdup(colon + 1);
	}
	parts->host = mem_strdup(host);
	for (char *c = parts->host; *c; c++)
		*c = (char)tolower((unsigned char)*c);
}

static bool has_dot(const char *text, size_t n)
{
	return memchr(text, '.', n) || !strncmp(text, "localhost", 9);
}

/* False: it is a name of a workspace, with or without a repository. */
bool address_take_apart(const char *text, struct address_parts *parts,
			struct address *address)
{
	const char *scheme = strstr(text, "://");
	size_t n = strcspn(text, "/");
	const char *colon = memchr(text, ':', n);
	cleanup(free) char *authority = NULL;

	if (scheme && scheme == text + strcspn(text, ":/?@")) {
		parts->scheme = mem_dup0(text, (size_t)(scheme - text));
		text = scheme + 3;
		n = strcspn(text, "/?#");
	} else if (colon && (colon[1] != '/' || memchr(text, '@', n))) {
		const char *at = memrchr(text, '@', n);
		const char *after = strchr(at && at > colon ? at : text, ':');

		/* host:8080/…, host:workspace/…, user:secret@host/… */
		parts->colon = after && (size_t)(after - text) < n &&
			       !isdigit((unsigned char)after[1]);
		if (parts->colon)
			n = (size_t)(after - text);
	} else if (!memchr(text, '@', n) && !has_dot(text, n)) {
		return false;
	}
	authority = mem_dup0(text, n);
	take_authority(parts, authority, address);
	text += n + parts->colon;
	n = strcspn(text, "?#");
	parts->path = mem_dup0(text, n);
	parts->query = mem_strdup(text + n);
	return true;
}
