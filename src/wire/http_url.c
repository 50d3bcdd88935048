/*
 * wire/http, URLs: curl's own parser, so that its idea of the host is also
 * ours: of a host that the two read differently, the credential of one would go
 * to the other.
 */
#include "http_private.h"

#include <arpa/inet.h>
#include <ctype.h>

#include <curl/curl.h>

DEFINE_CLEANUP(CURLU *, curl_url_cleanup);

void http_url_done(struct http_url *url)
{
	free(url->text);
	free(url->base);
	free(url->origin);
	free(url->host);
	memset(url, 0, sizeof(*url));
}

static char *part_of(CURLU *parts, CURLUPart what, unsigned flags)
{
	char *part = NULL;
	char *copy;

	if (curl_url_get(parts, what, &part, flags))
		return NULL;
	copy = mem_strdup(part);
	curl_free(part);
	return copy;
}

static bool host_is_loopback(const char *host)
{
	struct in_addr v4;

	if (!strcmp(host, "localhost") || !strcmp(host, "[::1]"))
		return true;
	return inet_pton(AF_INET, host, &v4) == 1 &&
	       ntohl(v4.s_addr) >> 24 == 127;
}

/* What connects to this machine, too: 0/8, ::, these as addresses of IPv6, and
 * names below localhost (RFC 6761). */
static bool host_is_here(const char *host)
{
	static const struct in6_addr zeros;
	cleanup(free) char *name = mem_dup0(host, strcspn(host, "%]"));
	size_t n = strlen(name);
	struct in_addr v4;
	struct in6_addr v6;

	n -= n && name[n - 1] == '.';
	name[n] = '\0';
	if (inet_pton(AF_INET, name, &v4) == 1)
		return !(ntohl(v4.s_addr) >> 24) || host_is_loopback(name);
	if (name[0] != '[' || inet_pton(AF_INET6, name + 1, &v6) != 1)
		return !strcmp(name, "localhost") ||
		       (n > 10 && !strcmp(name + n - 10, ".localhost"));
	return (IN6_IS_ADDR_V4MAPPED(&v6) || !memcmp(&v6, &zeros, 12)) &&
	       (v6.s6_addr[12] == 127 || v6.s6_addr[12] == 0);
}

static int parse(CURLU *parts, const char *text)
{
	for (const char *s = text; *s; s++)
		if ((unsigned char)*s <= ' ' || *s == 127)
			return -EINVAL;
	/* curl would resolve "." and ".." in a path, but a branch or a file of
	 * the API may be called so. */
	switch (curl_url_set(parts, CURLUPART_URL, text,
			     CURLU_NON_SUPPORT_SCHEME | CURLU_PATH_AS_IS)) {
	case CURLUE_OK:
		break;
	case CURLUE_BAD_PORT_NUMBER:
		return -ERANGE;
	default:
		return -EINVAL;
	}
	/* Of a user in the URL curl would make an Authorization header, past
	 * the rules about which host gets one. */
	curl_url_set(parts, CURLUPART_USER, NULL, 0);
	curl_url_set(parts, CURLUPART_PASSWORD, NULL, 0);
	curl_url_set(parts, CURLUPART_OPTIONS, NULL, 0);
	curl_url_set(parts, CURLUPART_FRAGMENT, NULL, 0);
	return 0;
}

int http_url_parse(const char *text, struct http_url *ret)
{
	cleanup(http_url_done) struct http_url url = {0};
	cleanup(curl_url_cleanup) CURLU *parts = curl_url();
	cleanup(free) char *scheme = NULL;
	cleanup(free) char *port = NULL;
	size_t n;
	int r;

	if (!parts)
		return -ENOMEM;
	r = parse(parts, text);
	if (r < 0)
		return r;
	scheme = part_of(parts, CURLUPART_SCHEME, 0);
	if (!scheme || (strcmp(scheme, "http") && strcmp(scheme, "https")))
		return -EINVAL;
	url.host = part_of(parts, CURLUPART_HOST, 0);
	port = part_of(parts, CURLUPART_PORT, CURLU_DEFAULT_PORT);
	url.text = part_of(parts, CURLUPART_URL, 0);
	if (!url.host || !url.host[0] || !port || !url.text)
		return -EINVAL;
	for (char *s = url.host; *s; s++)
		*s = (char)tolower((unsigned char)*s);
	url.https = !strcmp(scheme, "https");
	url.loopback = host_is_loopback(url.host);
	url.here = host_is_here(url.host);
	url.origin = mem_asprintf("%s://%s:%s", scheme, url.host, port);
	/* curl has written this text anew, so scheme, "://" and host are where
	 * they belong. */
	n = strlen(scheme) + strlen("://");
	url.base = mem_dup0(url.text, n + strcspn(url.text + n, "/?"));
	url.authority = url.base + n;
	*ret = url;
	memset(&url, 0, sizeof(url));
	return 0;
}

char *http_url_join(const char *base, const char *link)
{
	cleanup(curl_url_cleanup) CURLU *parts = curl_url();

	/* The second is resolved against the first. */
	if (!parts || parse(parts, base) < 0 || parse(parts, link) < 0)
		return NULL;
	return part_of(parts, CURLUPART_URL, 0);
}

bool http_same_origin(const char *url_a, const char *url_b)
{
	cleanup(http_url_done) struct http_url a = {0};
	cleanup(http_url_done) struct http_url b = {0};

	return !http_url_parse(url_a, &a) && !http_url_parse(url_b, &b) &&
	       !strcmp(a.origin, b.origin);
}

bool http_is_loopback(const char *text)
{
	cleanup(http_url_done) struct http_url url = {0};

	return !http_url_parse(text, &url) && url.loopback;
}
