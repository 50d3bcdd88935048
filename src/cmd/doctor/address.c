/*
 * cmd/doctor/address: from the text to host and path by one of three forms
 * (scheme://host/path, host:path, host/path), then host and path are judged for
 * themselves. The first thing that is wrong is the one that is said.
 */
#include "cmd/doctor/address.h"

#include "cmd/doctor/curl_line.h"
#include "cmd/suggest.h"

#include "base/log.h"
#include "base/text.h"

#include <ctype.h>
#include <stdarg.h>
#include <strings.h>

#define WEB "bitbucket.org"
#define SSH "ssh.bitbucket.org"
#define OLD_443 "altssh.bitbucket.org"
#define SEGMENTS_MAX 16

/* The text, taken apart; all of it the reader's own copies. */
struct parts {
	char *scheme; /* "https"; NULL: none is written */
	char *user, *host, *port;
	char *path; /* what follows the host, without query */
	char *query;
	bool colon; /* host:path */
};

static void parts_done(struct parts *parts)
{
	free(parts->scheme);
	free(parts->user);
	free(parts->host);
	free(parts->port);
	free(parts->path);
	free(parts->query);
}
DEFINE_CLEANUP_DONE(struct parts, parts_done);

void address_done(struct address *address)
{
	free(address->workspace);
	free(address->repository);
	free(address->wrong);
	free(address->odd);
	*address = (struct address){0};
}

const char *address_form_name(enum address_form form)
{
	static const char *const names[] = {
		[ADDRESS_NAME] = "a name",
		[ADDRESS_CLONE] = "a clone address by HTTPS",
		[ADDRESS_PAGE] = "the address of a page",
		[ADDRESS_SSH] = "a clone address by SSH",
		[ADDRESS_API] = "an address of the API",
	};

	return names[form];
}

static void say(char **place, const char *fmt, ...) printf_like(2, 3);
static void say(char **place, const char *fmt, ...)
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

/* ---- taking apart ---- */

/* Of "git clone --depth 1 ADDRESS dir" the address: a word that could be one.
 */
static char *one_word(const char *text)
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
static void take_authority(struct parts *parts, char *text,
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
			say(&address->wrong,
			    "there is a secret in this address, which git "
			    "writes into .git/config and every ps shows: "
			    "revoke it, and clone without it "
			    "(bitbucketfs credential --install gives git the "
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
static bool take_apart(const char *text, struct parts *parts,
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

/* ---- the host ---- */

/* "bitbucket.org" of "https://bitbucket.org", ":8080" stays. */
static char *host_of(const char *url)
{
	const char *host = strstr(url, "://");
	size_t n;

	host = host ? host + 3 : url;
	n = strcspn(host, "/");
	return mem_dup0(host, n);
}

static bool is_host(const struct parts *parts, const char *url)
{
	cleanup(free) char *theirs = host_of(url);
	cleanup(free) char *ours =
		parts->port ? mem_asprintf("%s:%s", parts->host, parts->port)
			    : mem_strdup(parts->host);

	return !strcasecmp(ours, theirs) || !strcasecmp(parts->host, theirs);
}

static void other_host(const struct parts *parts,
		       const struct address_place *place,
		       struct address *address)
{
	static const char *const known[] = {
		WEB, SSH, OLD_443, "api.bitbucket.org", "www.bitbucket.org"};
	static const char *const others[] = {"github.com", "gitlab.com",
					     "codeberg.org", "dev.azure.com"};
	cleanup(free) char *own = host_of(place->git_url);
	cleanup(free) char *meant = NULL;
	struct suggest suggest = {.word = parts->host};

	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		if (!strcmp(parts->host, others[i])) {
			say(&address->wrong,
			    "%s is another service: this program shows "
			    "Bitbucket alone",
			    parts->host);
			return;
		}
	suggest_try(&suggest, own);
	for (size_t i = 0; !strcmp(own, WEB) && i < ARRAY_SIZE(known); i++)
		suggest_try(&suggest, known[i]);
	meant = suggest_words(&suggest);
	if (!*meant) {
		free(meant);
		meant = mem_asprintf(", which is %s (a server of one's own is "
				     "named by api_url and git_url)",
				     own);
	}
	say(&address->wrong, "%s is not the host of Bitbucket%s", parts->host,
	    meant);
}

/* Of the service itself, whose hosts are known. */
static void known_host(const struct parts *parts, struct address *address,
		       bool by_ssh)
{
	if (by_ssh && !strcmp(parts->host, WEB))
		say(&address->wrong,
		    "%s does not answer SSH since 2026-11-12: the address is "
		    "git@" SSH ":%s now (git remote set-url origin …)",
		    WEB, *parts->path == '/' ? parts->path + 1 : parts->path);
	else if (by_ssh && !strcmp(parts->host, OLD_443) && !parts->port)
		say(&address->wrong,
		    OLD_443 " answers at port 443 alone: write "
			    "ssh://git@" OLD_443 ":443/…, or git@" SSH ":…");
	else if (!by_ssh &&
		 (!strcmp(parts->host, SSH) || !strcmp(parts->host, OLD_443)))
		say(&address->wrong,
		    "%s answers SSH alone: by HTTPS the host is " WEB,
		    parts->host);
	else if (!by_ssh && parts->port && strcmp(parts->port, "443") != 0)
		say(&address->wrong,
		    "Bitbucket answers HTTPS at port 443 alone, not at %s",
		    parts->port);
}

static bool is_known_host(const char *host)
{
	static const char *const all[] = {WEB, "www." WEB, SSH, OLD_443};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		if (!strcmp(host, all[i]))
			return true;
	return false;
}

static void judge_host(const struct parts *parts,
		       const struct address_place *place, bool by_ssh,
		       struct address *address)
{
	cleanup(free) char *own = host_of(place->git_url);
	/* By SSH the port is another one. */
	size_t n = strcspn(own, ":");

	if (!strcasecmp(own, WEB) && is_known_host(parts->host))
		known_host(parts, address, by_ssh);
	else if (!is_host(parts, place->git_url) &&
		 !(by_ssh && !strncasecmp(own, parts->host, n) &&
		   !parts->host[n]))
		other_host(parts, place, address);
}

/* ---- scheme and user ---- */

static bool is_ssh(const struct parts *parts)
{
	return parts->scheme ? !strcasecmp(parts->scheme, "ssh") ||
				       !strcasecmp(parts->scheme, "git+ssh")
			     : parts->colon || (parts->user &&
						!strcmp(parts->user, "git"));
}

static void judge_ssh(const struct parts *parts,
		      const struct address_place *place,
		      struct address *address)
{
	cleanup(free) char *own = host_of(place->git_url);
	bool is_number = parts->port && *parts->port;

	for (const char *c = parts->port; c && *c; c++)
		is_number &= isdigit((unsigned char)*c) != 0;
	if (parts->scheme && parts->port && !is_number)
		say(&address->wrong,
		    "this address mixes the two forms of SSH: write "
		    "git@%s:%s%s or ssh://git@%s/%s%s",
		    parts->host, parts->port, parts->path, parts->host,
		    parts->port, parts->path);
	else if (!parts->scheme && parts->port)
		say(&address->wrong,
		    "this form takes no port: write ssh://git@%s:%s%s",
		    parts->host, parts->port, parts->path);
	else if (!parts->scheme && !parts->colon)
		say(&address->wrong, "after %s comes a colon: write git@%s:%s",
		    parts->host, parts->host,
		    parts->path + (*parts->path == '/'));
	/* A server of one's own may have others. */
	if (!strcasecmp(own, WEB) &&
	    (!parts->user || strcmp(parts->user, "git") != 0))
		say(&address->wrong,
		    "by SSH the user is always git, whoever one is: write "
		    "git@%s:…",
		    parts->host);
}

static void judge_scheme(const struct parts *parts,
			 const struct address_place *place,
			 struct address *address)
{
	const char *scheme = parts->scheme;

	if (!scheme) {
		say(&address->odd, "for git, https:// goes before it");
	} else if (!strcasecmp(scheme, "http")) {
		if (strncmp(place->git_url, "http:", 5) != 0)
			say(&address->odd, "Bitbucket answers https:// alone, "
					   "not http://");
	} else if (strcasecmp(scheme, "https") != 0) {
		say(&address->wrong,
		    "Bitbucket answers no %s://: an address begins with "
		    "https://, or with git@ by SSH",
		    scheme);
	}
}

/* ---- the path ---- */

static size_t split(char *path, char *segments[static SEGMENTS_MAX])
{
	size_t n = 0;

	for (char *rest = path, *one; (one = strsep(&rest, "/"));)
		if (*one && n < SEGMENTS_MAX)
			segments[n++] = one;
	return n;
}

static void take_suffix(char *name, struct address *address)
{
	size_t n = strlen(name), n_times = 0;

	for (; n > 4 && !strcmp(name + n - 4, ".git"); n -= 4, n_times++)
		name[n - 4] = 0;
	if (n_times > 1)
		say(&address->odd, ".git is there more than once");
}

/* A name as the service writes it; a uuid in braces stays. */
static char *plain_name(const char *text, const char *what,
			bool (*is_good)(const char *), struct address *address)
{
	char *name = mem_strdup(text);
	bool had_capital = false;

	if (*name == '{' || !strncasecmp(name, "%7b", 3)) {
		if (strlen(name) < 34)
			say(&address->wrong,
			    "%s stands in the place of the %s: write its name",
			    text, what);
		return name;
	}
	for (char *c = name; *c; c++) {
		had_capital |= isupper((unsigned char)*c) != 0;
		*c = (char)tolower((unsigned char)*c);
	}
	if (!is_good(name))
		say(&address->wrong,
		    "'%s' cannot be the name of a %s in an address: that has "
		    "small letters, digits, - and _ (see the address of its "
		    "page)",
		    text, what);
	else if (had_capital)
		say(&address->odd, "in an address the %s is written %s", what,
		    name);
	return name;
}

/* A server in the company, which has another API. */
static bool is_data_center(char *const *segments, size_t n)
{
	return (n > 1 && !strcmp(segments[0], "scm")) ||
	       (n > 2 && !strcmp(segments[2], "repos") &&
		(!strcmp(segments[0], "projects") ||
		 !strcmp(segments[0], "users")));
}

static void name_both(char *const *segments, size_t n, struct address *address)
{
	if (!n) {
		say(&address->wrong, "this address names no workspace: it is "
				     "WORKSPACE/REPOSITORY after the host");
		return;
	}
	address->workspace = plain_name(segments[0], "workspace",
					text_is_workspace_id, address);
	/* acme/workspace/projects/… is a page of the workspace itself. */
	if (n < 2 || (n > 2 && !strcmp(segments[1], "workspace")))
		return;
	take_suffix(segments[1], address);
	address->repository = plain_name(segments[1], "repository",
					 text_is_repo_slug, address);
}

/* What git_url has after its host is no workspace. */
static const char *below(const struct parts *parts,
			 const struct address_place *place)
{
	const char *base = strstr(place->git_url, "://");
	size_t n;

	base = base ? base + 3 + strcspn(base + 3, "/") : "";
	n = strlen(base);
	return n && is_host(parts, place->git_url) &&
			       !strncmp(parts->path, base, n) &&
			       parts->path[n] == '/'
		       ? parts->path + n
		       : parts->path;
}

static void judge_path(const struct parts *parts,
		       const struct address_place *place, bool by_ssh,
		       struct address *address)
{
	cleanup(free) char *path = mem_strdup(below(parts, place));
	char *segments[SEGMENTS_MAX];
	size_t n = split(path, segments);
	bool is_clone;

	address->form = by_ssh ? ADDRESS_SSH : ADDRESS_PAGE;
	if (is_data_center(segments, n)) {
		/* Not that its host is another one. */
		free(steal(&address->wrong));
		say(&address->wrong,
		    "this is an address of Bitbucket Data Center, a server of "
		    "one's own with another API: this program is for "
		    "Bitbucket Cloud (bitbucket.org)");
		return;
	}
	is_clone = n == 2 && strlen(segments[1]) > 4 &&
		   !strcmp(segments[1] + strlen(segments[1]) - 4, ".git");
	name_both(segments, n, address);
	if (by_ssh) {
		if (n == 1)
			say(&address->wrong,
			    "this address names no repository: write "
			    "git@%s:%s/REPOSITORY.git",
			    parts->host, segments[0]);
		else if (n > 2)
			say(&address->wrong,
			    "after the host come WORKSPACE/REPOSITORY.git "
			    "alone, not %s",
			    parts->path);
		return;
	}
	if (is_clone)
		address->form = ADDRESS_CLONE;
}

/* ---- the API ---- */

static void judge_api(const struct parts *parts,
		      const struct address_place *place,
		      struct address *address)
{
	static const char repositories[] = "/repositories/";
	static const char workspaces[] = "/workspaces/";
	const char *base = strstr(place->api_url, "://") + 3;
	const char *path = parts->path;
	char *segments[SEGMENTS_MAX];
	cleanup(free) char *rest = NULL;
	bool is_repository;
	size_t n;

	address->form = ADDRESS_API;
	base += strcspn(base, "/");
	if (strstr(parts->query, "access_token=") ||
	    strstr(parts->query, "token="))
		say(&address->wrong,
		    "there is a token in this address, where the service "
		    "takes none since 2026-05-04: revoke it, and see what "
		    "bitbucketfs curl PATH prints");
	if (strncmp(path, base, strlen(base)) != 0) {
		say(&address->wrong,
		    "paths of the API begin with %s, for any other the "
		    "service says Forbidden: write %s%s",
		    base, place->api_url,
		    strncmp(path, "/1.0", 4) ? path : path + 4);
		return;
	}
	path += strlen(base);
	is_repository = !strncmp(path, repositories, strlen(repositories));
	if (!is_repository && strncmp(path, workspaces, strlen(workspaces)))
		return;
	rest = mem_strdup(path +
			  strlen(is_repository ? repositories : workspaces));
	n = split(rest, segments);
	if (n)
		name_both(segments, is_repository ? n : 1, address);
}

static bool is_api(const struct parts *parts, const struct address_place *place)
{
	cleanup(free) char *api = host_of(place->api_url);
	cleanup(free) char *git = host_of(place->git_url);
	const char *base = strstr(place->api_url, "://") + 3;

	if (!is_host(parts, place->api_url) || is_ssh(parts))
		return false;
	/* A server of one's own may have both at one host. */
	base += strcspn(base, "/");
	return strcmp(api, git) != 0 ||
	       (*base && !strncmp(parts->path, base, strlen(base)));
}

void address_read(const char *text, const struct address_place *place,
		  struct address *ret_address)
{
	cleanup(free) char *word = NULL;
	cleanup(parts_done) struct parts parts = {0};
	bool by_ssh;

	*ret_address = (struct address){.form = ADDRESS_NAME};
	word = curl_line_is(text) ? curl_line_read(text, &ret_address->wrong)
				  : one_word(text);
	if (!take_apart(word, &parts, ret_address)) {
		char *segments[SEGMENTS_MAX];

		name_both(segments, split(word, segments), ret_address);
		return;
	}
	if (is_api(&parts, place)) {
		judge_api(&parts, place, ret_address);
		return;
	}
	by_ssh = is_ssh(&parts);
	if (by_ssh) {
		ret_address->form = ADDRESS_SSH;
		judge_ssh(&parts, place, ret_address);
	} else {
		judge_scheme(&parts, place, ret_address);
	}
	judge_host(&parts, place, by_ssh, ret_address);
	judge_path(&parts, place, by_ssh, ret_address);
}
