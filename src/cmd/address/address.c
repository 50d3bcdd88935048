/*
 * cmd/address/address: user, scheme and path are judged for themselves. The
 * first thing that is wrong is the one that is said.
 */
#include "cmd/address/address_private.h"

#include "cmd/address/curl_line.h"

#include "base/text.h"

#include <ctype.h>
#include <strings.h>

void address_done(struct address *address)
{
	free(address->word);
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
	bool is_service = !strcasecmp(own, ADDRESS_WEB);
	/* What is told to be written is to work. */
	const char *host = is_service && !strcmp(parts->host, ADDRESS_WEB)
				   ? ADDRESS_SSH_HOST
				   : parts->host;
	const char *path = parts->path + (*parts->path == '/');
	bool is_number = parts->port && *parts->port;

	for (const char *c = parts->port; c && *c; c++)
		is_number &= isdigit((unsigned char)*c) != 0;
	if (parts->scheme && parts->port && !is_number)
		address_say(&address->wrong,
			    "this address mixes the two forms of SSH: write "
			    "git@%s:%s/%s or ssh://git@%s/%s/%s",
			    host, parts->port, path, host, parts->port, path);
	else if (!parts->scheme && parts->port)
		address_say(&address->wrong,
			    "this form takes no port: write ssh://git@%s:%s/%s",
			    host, parts->port, path);
	else if (!parts->scheme && !parts->colon)
		address_say(&address->wrong,
			    "after the host comes a colon: write git@%s:%s",
			    host, path);
	/* A server of one's own may have others. */
	if (is_service && (!parts->user || strcmp(parts->user, "git") != 0))
		address_say(
			&address->wrong,
			"by SSH the user is always git, whoever one is: write "
			"git@%s:%s",
			host, path);
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

/* A server in the company, which has another API. */
static bool is_data_center(char *const *segments, size_t n)
{
	return (n > 1 && !strcmp(segments[0], "scm")) ||
	       (n > 2 && !strcmp(segments[2], "repos") &&
		(!strcmp(segments[0], "projects") ||
		 !strcmp(segments[0], "users")));
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

/* What is there in the place of a workspace. */
static bool is_own_page(const char *name)
{
	static const char *const all[] = {"account", "dashboard", "repo",
					  "site", "product"};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		if (!strcmp(name, all[i]))
			return true;
	return false;
}

static void judge_path(const struct address_parts *parts,
		       const struct address_place *place, bool by_ssh,
		       struct address *address)
{
	cleanup(free) char *path = mem_strdup(below(parts, place));
	char *segments[ADDRESS_SEGMENTS_MAX];
	size_t n = address_split(path, segments);
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
	if (!by_ssh && n && is_own_page(segments[0])) {
		address_say(&address->wrong,
			    "the page %s is Bitbucket's own, and of no "
			    "workspace: see the address of a repository's page",
			    parts->path);
		return;
	}
	is_clone = n == 2 && strlen(segments[1]) > 4 &&
		   !strcmp(segments[1] + strlen(segments[1]) - 4, ".git");
	if (!by_ssh && n > 1 && !strcmp(segments[0], "snippets"))
		address_name_both(segments + 1, 1, address);
	else
		address_name_both(segments, n, address);
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
	char *segments[ADDRESS_SEGMENTS_MAX];
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
	n = address_split(rest, segments);
	if (n)
		address_name_both(segments, is_repository ? n : 1, address);
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

/* ---- paths ---- */

static bool is_path(const char *word)
{
	static const char *const all[] = {"/", "./", "../", "~/"};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		if (!strncmp(word, all[i], strlen(all[i])))
			return true;
	return false;
}

/* Of what bitbucketfs api takes, the URL. */
static bool is_api_path(const char *word)
{
	return !strncmp(word, "/repositories/", 14) ||
	       !strncmp(word, "/workspaces/", 12);
}

/* Of a line of git or curl the address, of a path of the API the URL. */
static char *word_of(const char *text, const struct address_place *place,
		     struct address *address)
{
	cleanup(free) char *word =
		curl_line_is(text) ? curl_line_read(text, &address->wrong)
				   : address_word(text);

	if (is_api_path(word))
		return mem_asprintf("%s%s", place->api_url, word);
	if (is_path(word))
		address_say(&address->wrong,
			    "%s is a path of this machine: an address is "
			    "WORKSPACE/REPOSITORY, or what the browser shows",
			    word);
	return steal(&word);
}

void address_read(const char *text, const struct address_place *place,
		  struct address *ret_address)
{
	cleanup(address_parts_done) struct address_parts parts = {0};
	const char *word;
	bool by_ssh;

	*ret_address = (struct address){.form = ADDRESS_NAME};
	word = ret_address->word = word_of(text, place, ret_address);
	if (is_path(word))
		return;
	if (!address_take_apart(word, &parts, ret_address)) {
		cleanup(free) char *path = mem_strdup(word);
		char *segments[ADDRESS_SEGMENTS_MAX];

		address_name_both(segments, address_split(path, segments),
				  ret_address);
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
