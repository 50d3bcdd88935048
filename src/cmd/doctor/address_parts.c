/*
 * cmd/doctor/address: from the text to host and path, by one of three forms:
 * scheme://host/path, host:path, host/path.
 */
#include "cmd/doctor/address_private.h"

#include "base/log.h"

#include <ctype.h>
#include <stdarg.h>

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

/* Of "git clone --depth 1 ADDRESS dir" the address: a word that could be one.
 */
char *address_word(const char *text)
{
	const char *best = NULL;
	size_t n_best = 0;

	text += strspn(text, " \t\n");
	if (strncmp(text, "git ", 4) != 0)
		return mem_dup0(text, strlen(text) -
					      (strlen(text) &&
					       strchr(" \t\n",
						      text[strlen(text) - 1])));
	while (*text) {
		size_t n = strcspn(text, " \t\n");

		if (*text != '-' && memchr(text, '/', n) && !best) {
			best = text;
			n_best = n;
		}
		text += n + strspn(text + n, " \t\n");
	}
	return best ? mem_dup0(best, n_best) : mem_strdup("");
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
