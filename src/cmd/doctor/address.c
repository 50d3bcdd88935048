/*
 * cmd/doctor/address: user, scheme and path are judged for themselves. The
 * first thing that is wrong is the one that is said.
 */
#include "cmd/doctor/address_private.h"

#include "cmd/doctor/curl_line.h"

#include "base/text.h"

#include <ctype.h>
#include <strings.h>

#define SEGMENTS_MAX 16

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

/* ---- scheme and user ---- */

static bool is_ssh(const struct address_parts *parts)
{
	return parts->scheme ? !strcasecmp(parts->scheme, "ssh") ||
				       !strcasecmp(parts->scheme, "git+ssh")
			     : parts->colon || (parts->user &&
						!strcmp(parts->user, "git"));
}

static void judge_ssh(const struct address_parts *parts,
		      const struct address_place *place,
		      struct address *address)
{
	cleanup(free) char *own = address_host_of(place->git_url);
	bool is_number = parts->port && *parts->port;

	for (const char *c = parts->port; c && *c; c++)
		is_number &= isdigit((unsigned char)*c) != 0;
	if (parts->scheme && parts->port && !is_number)
		address_say(&address->wrong,
			    "this address mixes the two forms of SSH: write "
			    "git@%s:%s%s or ssh://git@%s/%s%s",
			    parts->host, parts->port, parts->path, parts->host,
			    parts->port, parts->path);
	else if (!parts->scheme && parts->port)
		address_say(&address->wrong,
			    "this form takes no port: write ssh://git@%s:%s%s",
			    parts->host, parts->port, parts->path);
	else if (!parts->scheme && !parts->colon)
		address_say(&address->wrong,
			    "after %s comes a colon: write git@%s:%s",
			    parts->host, parts->host,
			    parts->path + (*parts->path == '/'));
	/* A server of one's own may have others. */
	if (!strcasecmp(own, ADDRESS_WEB) &&
	    (!parts->user || strcmp(parts->user, "git") != 0))
		address_say(
			&address->wrong,
			"by SSH the user is always git, whoever one is: write "
			"git@%s:…",
			parts->host);
}

static void judge_scheme(const struct address_parts *parts,
			 const struct address_place *place,
			 struct address *address)
{
	const char *scheme = parts->scheme;

	if (!scheme) {
		address_say(&address->odd, "for git, https:// goes before it");
	} else if (!strcasecmp(scheme, "http")) {
		if (strncmp(place->git_url, "http:", 5) != 0)
			address_say(&address->odd,
				    "Bitbucket answers https:// alone, "
				    "not http://");
	} else if (strcasecmp(scheme, "https") != 0) {
		address_say(
			&address->wrong,
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
		address_say(&address->odd, ".git is there more than once");
}

/* A name as the service writes it; a uuid in braces stays. */
static char *plain_name(const char *text, const char *what,
			bool (*is_good)(const char *), struct address *address)
{
	char *name = mem_strdup(text);
	bool had_capital = false;

	if (*name == '{' || !strncasecmp(name, "%7b", 3)) {
		if (strlen(name) < 34)
			address_say(&address->wrong,
				    "%s stands in the place of the %s: write "
				    "its name",
				    text, what);
		return name;
	}
	for (char *c = name; *c; c++) {
		had_capital |= isupper((unsigned char)*c) != 0;
		*c = (char)tolower((unsigned char)*c);
	}
	if (!is_good(name))
		address_say(&address->wrong,
			    "'%s' cannot be the name of a %s in an address: "
			    "that has "
			    "small letters, digits, - and _ (see the address "
			    "of its "
			    "page)",
			    text, what);
	else if (had_capital)
		address_say(&address->odd, "in an address the %s is written %s",
			    what, name);
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
		address_say(&address->wrong,
			    "this address names no workspace: it is "
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
static const char *below(const struct address_parts *parts,
			 const struct address_place *place)
{
	const char *base = strstr(place->git_url, "://");
	size_t n;

	base = base ? base + 3 + strcspn(base + 3, "/") : "";
	n = strlen(base);
	return n && address_is_host(parts, place->git_url) &&
			       !strncmp(parts->path, base, n) &&
			       parts->path[n] == '/'
		       ? parts->path + n
		       : parts->path;
}

static void judge_path(const struct address_parts *parts,
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
		address_say(&address->wrong,
			    "this is an address of Bitbucket Data Center, a "
			    "server of "
			    "one's own with another API: this program is for "
			    "Bitbucket Cloud (bitbucket.org)");
		return;
	}
	is_clone = n == 2 && strlen(segments[1]) > 4 &&
		   !strcmp(segments[1] + strlen(segments[1]) - 4, ".git");
	name_both(segments, n, address);
	if (by_ssh) {
		if (n == 1)
			address_say(&address->wrong,
				    "this address names no repository: write "
				    "git@%s:%s/REPOSITORY.git",
				    parts->host, segments[0]);
		else if (n > 2)
			address_say(
				&address->wrong,
				"after the host come WORKSPACE/REPOSITORY.git "
				"alone, not %s",
				parts->path);
		return;
	}
	if (is_clone)
		address->form = ADDRESS_CLONE;
}

/* ---- the API ---- */

static void judge_api(const struct address_parts *parts,
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
		address_say(
			&address->wrong,
			"there is a token in this address, where the service "
			"takes none since 2026-05-04: revoke it, and see what "
			"bitbucketfs curl PATH prints");
	if (strncmp(path, base, strlen(base)) != 0) {
		address_say(&address->wrong,
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

static bool is_api(const struct address_parts *parts,
		   const struct address_place *place)
{
	cleanup(free) char *api = address_host_of(place->api_url);
	cleanup(free) char *git = address_host_of(place->git_url);
	const char *base = strstr(place->api_url, "://") + 3;

	if (!address_is_host(parts, place->api_url) || is_ssh(parts))
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
	cleanup(address_parts_done) struct address_parts parts = {0};
	bool by_ssh;

	*ret_address = (struct address){.form = ADDRESS_NAME};
	word = curl_line_is(text) ? curl_line_read(text, &ret_address->wrong)
				  : address_word(text);
	if (!address_take_apart(word, &parts, ret_address)) {
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
	address_judge_host(&parts, place, by_ssh, ret_address);
	judge_path(&parts, place, by_ssh, ret_address);
}
