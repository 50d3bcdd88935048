/*
 * cmd/address/address: whether the host is the service's, and does what is
 * asked of it.
 */
#include "cmd/address/address_private.h"

#include "base/suggest.h"

#include <strings.h>

#define SSH ADDRESS_SSH_HOST
#define OLD_443 "altssh.bitbucket.org"

/* "bitbucket.org" of "https://bitbucket.org", ":8080" stays. */
char *address_host_of(const char *url)
{
	const char *host = strstr(url, "://");
	size_t n;

	host = host ? host + 3 : url;
	n = strcspn(host, "/");
	return mem_dup0(host, n);
}

bool address_is_host(const struct address_parts *parts, const char *url)
{
	cleanup(free) char *theirs = address_host_of(url);
	cleanup(free) char *ours =
		parts->port ? mem_asprintf("%s:%s", parts->host, parts->port)
			    : mem_strdup(parts->host);

	return !strcasecmp(ours, theirs) || !strcasecmp(parts->host, theirs);
}

static bool is_below(const char *host, const char *other)
{
	size_t n = strlen(host), n_other = strlen(other);

	return n >= n_other && !strcmp(host + n - n_other, other) &&
	       (n == n_other || host[n - n_other - 1] == '.');
}

static void other_host(const struct address_parts *parts,
		       const struct address_place *place,
		       struct address *address)
{
	static const char *const known[] = {ADDRESS_WEB, SSH, OLD_443,
					    "api.bitbucket.org",
					    "www.bitbucket.org"};
	static const char *const others[] = {"github.com", "gitlab.com",
					     "codeberg.org", "dev.azure.com"};
	cleanup(free) char *own = address_host_of(place->git_url);
	cleanup(free) char *meant = NULL;
	struct suggest suggest = {.word = parts->host};

	if (!*parts->host) {
		address_say(&address->wrong,
			    "this address names no host: write "
			    "https://%s/WORKSPACE/REPOSITORY",
			    own);
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		if (is_below(parts->host, others[i])) {
			address_say(&address->wrong,
				    "%s is another service: this program shows "
				    "Bitbucket alone",
				    parts->host);
			return;
		}
	suggest_try(&suggest, own);
	for (size_t i = 0; !strcmp(own, ADDRESS_WEB) && i < ARRAY_SIZE(known);
	     i++)
		suggest_try(&suggest, known[i]);
	meant = suggest_words(&suggest);
	if (!*meant) {
		free(meant);
		meant = mem_asprintf(", which is %s (a server of one's own is "
				     "named by api_url and git_url)",
				     own);
	}
	address_say(&address->wrong, "%s is not the host of Bitbucket%s",
		    parts->host, meant);
}

/* Of the service itself, whose hosts are known. */
static void known_host(const struct address_parts *parts,
		       struct address *address, bool by_ssh)
{
	const char *path = parts->path + (*parts->path == '/');

	if (by_ssh && !strcmp(parts->host, ADDRESS_WEB))
		address_say(&address->wrong,
			    "%s does not answer SSH since 2026-11-12: in a "
			    "clone run git remote set-url origin "
			    "git@" SSH ":%s",
			    ADDRESS_WEB, path);
	else if (by_ssh && !strcmp(parts->host, OLD_443) && !parts->port)
		address_say(&address->wrong,
			    OLD_443 " answers at port 443 alone: write "
				    "ssh://git@" OLD_443 ":443/%s, or git@" SSH
				    ":%s",
			    path, path);
	else if (!by_ssh &&
		 (!strcmp(parts->host, SSH) || !strcmp(parts->host, OLD_443)))
		address_say(&address->wrong,
			    "%s answers SSH alone: by HTTPS the host "
			    "is " ADDRESS_WEB,
			    parts->host);
	else if (!by_ssh && parts->port && strcmp(parts->port, "443") != 0)
		address_say(
			&address->wrong,
			"Bitbucket answers HTTPS at port 443 alone, not at %s",
			parts->port);
}

static bool is_known_host(const char *host)
{
	static const char *const all[] = {ADDRESS_WEB, ("www." ADDRESS_WEB),
					  SSH, OLD_443};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		if (!strcmp(host, all[i]))
			return true;
	return false;
}

void address_judge_host(const struct address_parts *parts,
			const struct address_place *place, bool by_ssh,
			struct address *address)
{
	cleanup(free) char *own = address_host_of(place->git_url);
	/* By SSH the port is another one. */
	size_t n = strcspn(own, ":");

	if (!strcasecmp(own, ADDRESS_WEB) && is_known_host(parts->host))
		known_host(parts, address, by_ssh);
	else if (!address_is_host(parts, place->git_url) &&
		 !(by_ssh && !strncasecmp(own, parts->host, n) &&
		   !parts->host[n]))
		other_host(parts, place, address);
}
