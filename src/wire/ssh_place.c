/*
 * wire/ssh: the forms in which a place is written.
 *
 * What is here becomes an argument of ssh: a host or a user that began with a
 * dash would be an option (-oProxyCommand=…), and one with other characters
 * than these would be read by the user's configuration in its own way.
 */
#include "ssh_private.h"

#include "base/text.h"

#include <ctype.h>
#include <strings.h>

#define OLD_HOST "bitbucket.org"
#define OLD_HOST_443 "altssh.bitbucket.org"
#define NAME_MAX_BYTES 253
#define PREFIX_MAX 1024

void ssh_place_done(struct ssh_place *place)
{
	free(place->user);
	free(place->host);
	free(place->prefix);
	*place = (struct ssh_place){0};
}

static bool is_name(const char *s, const char *more)
{
	size_t n = strlen(s);

	if (!n || n > NAME_MAX_BYTES || *s == '-')
		return false;
	for (; *s; s++)
		if (!isalnum((unsigned char)*s) && !strchr(more, *s))
			return false;
	return true;
}

bool ssh_is_url(const char *text)
{
	size_t n = strcspn(text, ":/");

	if (!strncasecmp(text, "ssh://", 6))
		return true;
	/* git@host:path; "https:" is followed by slashes. */
	return text[n] == ':' && strncmp(text + n, "://", 3) &&
	       memchr(text, '@', n);
}

/* host, host:port, [::1] or [::1]:port; what is wrong, or NULL. */
static const char *parse_host(const char *text, size_t n,
			      struct ssh_place *place)
{
	cleanup(free) char *host = mem_dup0(text, n);
	char *end = *host == '[' ? strchr(host, ']') : NULL;
	char *port = strchr(end ? end : host, ':');
	uint64_t number = 0;

	if (port) {
		*port++ = '\0';
		if (text_parse_u64(port, 65535, &number) || !number)
			return "has an impossible port";
	}
	if (end && end[1])
		return "has no host";
	if (end) {
		*end = '\0';
		place->host = mem_strdup(host + 1);
	} else {
		place->host = mem_strdup(host);
	}
	if (!is_name(place->host, end ? ":.%" : ".-_"))
		return "has no host";
	place->port = (unsigned)number;
	return NULL;
}

/* A prefix is a directory: "/srv/git/", or "team/" (below the user's home,
 * which a URL writes /~/team, as git does), or "~ada/" (below hers, /~ada), or
 * "". */
static const char *parse_prefix(const char *path, struct ssh_place *place)
{
	size_t n;

	if (!strncmp(path, "/~", 2))
		path += path[2] == '/' ? 3 : 1;
	n = strlen(path);
	while (n && path[n - 1] == '/')
		n--;
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)path[i] <= ' ' || path[i] == 0x7f)
			return "has a blank or a control character in it";
	if (n > PREFIX_MAX)
		return "is too long";
	if (n && *path == '-')
		return "has a path that begins with '-'";
	place->prefix = n ? mem_asprintf("%.*s/", (int)n, path)
			  : mem_strdup("");
	return NULL;
}

/* Since 2026-11-12 the old host answers HTTPS alone. */
static void rewrite_old(struct ssh_place *place)
{
	if (strcasecmp(place->host, OLD_HOST) &&
	    (strcasecmp(place->host, OLD_HOST_443) || place->port))
		return;
	if (place->port == 22)
		place->port = 0;
	free(place->host);
	place->host = mem_strdup(SSH_HOST);
}

const char *ssh_place_parse(const char *text, struct ssh_place *ret_place)
{
	cleanup(ssh_place_done) struct ssh_place place = {0};
	bool is_url = !strncasecmp(text, "ssh://", 6);
	const char *host = text + (is_url ? 6 : 0), *at, *path, *why;
	size_t n;

	if (!ssh_is_url(text))
		return "is no address of SSH, as in ssh://git@HOST/";
	n = strcspn(host, "/");
	at = memchr(host, '@', n);
	place.user = at ? mem_dup0(host, (size_t)(at - host))
			: mem_strdup("git");
	if (!is_name(place.user, "._-"))
		return "has a password or an odd user name in it";
	n -= at ? (size_t)(at + 1 - host) : 0;
	host = at ? at + 1 : host;
	if (!is_url)
		n = *host == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":");
	path = host + n;
	if (!is_url && *path == ':')
		path++;
	why = parse_host(host, n, &place);
	if (!why)
		why = parse_prefix(path, &place);
	if (why)
		return why;
	rewrite_old(&place);
	*ret_place = place;
	place = (struct ssh_place){0};
	return NULL;
}

char *ssh_place_url(const struct ssh_place *place)
{
	bool is_v6 = strchr(place->host, ':');
	struct buf url = BUF_INIT(0);

	buf_printf(&url, "ssh://%s@%s%s%s", place->user, is_v6 ? "[" : "",
		   place->host, is_v6 ? "]" : "");
	if (place->port)
		buf_printf(&url, ":%u", place->port);
	if (*place->prefix)
		buf_printf(&url, "%s%s",
			   *place->prefix == '/'   ? ""
			   : *place->prefix == '~' ? "/"
						   : "/~/",
			   place->prefix);
	buf_cut(&url, url.len - (url.data[url.len - 1] == '/'));
	return buf_steal(&url, NULL);
}

bool ssh_is_here(const char *url)
{
	cleanup(ssh_place_done) struct ssh_place place = {0};
	cleanup(free) char *web = NULL;

	if (ssh_place_parse(url, &place))
		return false;
	web = mem_asprintf("http://%s/", place.host);
	return http_is_loopback(web);
}

static bool can_be_asked_for(const char *name)
{
	for (const char *c = name; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f || *c == '/')
			return false;
	return *name;
}

bool ssh_can_be_asked_for(const char *workspace, const char *slug)
{
	/* git-upload-pack would take a path that begins with '-' for an
	 * option. */
	return *workspace != '-' && can_be_asked_for(workspace) &&
	       can_be_asked_for(slug);
}
