/*
 * bitbucketfs path URL: the place in the mount that a page, a clone address or
 * an address of the API is of.
 *
 * The URL is judged as doctor judges an ADDRESS; its path is then text for
 * table/page. A mount is asked where the text says too little: whether a name
 * is a branch or a tag, and which step has a uuid.
 */
#include "cmd/command.h"
#include "cmd/address/address.h"
#include "cmd/mount/preflight.h"
#include "cmd/path_submodule.h"
#include "cmd/remote.h"
#include "cmd/web.h"

#include "api/bitbucket.h"
#include "base/file.h"
#include "base/text.h"
#include "table/page.h"

#include <dirent.h>

#define INDEX_MAX (4 * MIB)

/* What follows host and the path of base; "" nothing. The address was judged to
 * be of that host. */
static const char *below(const char *url, const char *base)
{
	const char *path = strstr(url, "://"), *own = strstr(base, "://");
	size_t n;

	path = path ? path + 3 : url;
	path += strcspn(path, "/?#");
	own = own ? own + 3 : base;
	own += strcspn(own, "/");
	n = strlen(own);
	if (n && !strncmp(path, own, n))
		path += n;
	return path + strspn(path, "/");
}

/* ---- what the mount knows ---- */

/* Which line of the index has the uuid, from 1; 0: none. */
static unsigned step_number(const char *steps, const char *uuid)
{
	cleanup(buf_done) struct buf text = BUF_INIT(INDEX_MAX);
	cleanup(free) char *file = mem_asprintf("%s/index.tsv", steps);
	unsigned n = 0;

	if (file_read(file, INDEX_MAX, &text) || !text.data)
		return 0;
	for (char *rest = text.data, *line; (line = strsep(&rest, "\n")); n++)
		if (strstr(line, uuid))
			return n;
	return 0;
}

/* Its directory is named by that number and what it is called: "1-build". */
static void name_step(const struct inside *inside, struct page_place *place)
{
	cleanup(free) char *steps =
		mem_asprintf("%s/%s", inside->mountpoint, place->path);
	struct dirent *entry;
	char begin[16], *whole;
	DIR *dir;

	if (!web_is_mounted(inside) ||
	    preflight_answers(inside->mountpoint, PREFLIGHT_ANSWER_MS))
		return;
	snprintf(begin, sizeof(begin), "%u-", step_number(steps, place->step));
	dir = opendir(steps);
	while (dir && (entry = readdir(dir))) {
		if (strncmp(entry->d_name, begin, strlen(begin)) != 0)
			continue;
		whole = mem_asprintf("%s/%s", place->path, entry->d_name);
		free(place->path);
		place->path = whole;
		break;
	}
	if (dir)
		closedir(dir);
}

/* An address does not say whether its ref is a branch or a tag. */
static void correct_ref(const struct inside *inside, struct page_place *place)
{
	static const char branches[] = "/branches/", tags[] = "/tags/";
	char *at = strstr(place->path, branches), *whole;
	char commit[41];
	size_t n_parts;

	if (!at || web_ref(inside, place->path, &n_parts, commit) != -ENOENT)
		return;
	whole = mem_asprintf("%.*s%s%s", (int)(at - place->path), place->path,
			     tags, at + strlen(branches));
	if (!web_ref(inside, whole, &n_parts, commit)) {
		free(place->path);
		place->path = whole;
	} else {
		free(whole);
	}
}

/* ---- which place ---- */

static bool leads_out(const char *path, size_t n)
{
	for (const char *part = path;; part++) {
		size_t n_part = strcspn(part, "/?#");

		if (bitbucket_has_dots(part, n_part))
			return true;
		part += n_part;
		if (part >= path + n)
			return false;
	}
}

static bool moves_terminal(const char *text, size_t n)
{
	cleanup(buf_done) struct buf clean = BUF_INIT(0);

	text_clean(&clean, text, n, "");
	return clean.len != n || (n && memcmp(clean.data, text, n) != 0);
}

/* The name in api/ of what is below api_url; free it. NULL: it has none. */
static char *api_place(const char *path)
{
	cleanup(buf_done) struct buf place = BUF_INIT(0);
	size_t n_path = strcspn(path, "?#"), n_all = strcspn(path, "#");
	size_t n = n_path;

	if (leads_out(path, n) || moves_terminal(path, n_all))
		return NULL;
	buf_puts(&place, ".bitbucketfs/api");
	while (n && path[n - 1] == '/')
		n--;
	if (n)
		buf_printf(&place, "/%.*s.json", (int)n, path);
	/* In a name a slash of the query is written so. */
	for (const char *c = path + n_path; n && c < path + n_all; c++) {
		if (*c == '/')
			buf_puts(&place, "%2F");
		else
			buf_putc(&place, *c);
	}
	return buf_steal(&place, NULL);
}

static bool place_of(const struct address *address,
		     const struct address_place *base, struct page_place *ret)
{
	switch (address->form) {
	case ADDRESS_PAGE:
		return page_to_place(below(address->word, base->git_url), ret);
	case ADDRESS_NAME:
		return page_to_place(address->word, ret);
	case ADDRESS_API:
		ret->path = api_place(below(address->word, base->api_url));
		return ret->path;
	case ADDRESS_CLONE:
	case ADDRESS_SSH:
		break;
	}
	ret->path = address->repository
			    ? mem_asprintf("%s/%s", address->workspace,
					   address->repository)
			    : mem_strdup(address->workspace);
	return true;
}

static enum command_exit print(const struct inside *inside,
			       const struct page_place *place)
{
	cleanup(buf_done) struct buf out = BUF_INIT(64 * KIB);

	buf_puts(&out, inside->mountpoint);
	if (*place->path)
		buf_printf(&out, "/%s", place->path);
	if (place->lines.first)
		buf_printf(&out, ":%u", place->lines.first);
	if (place->lines.last > place->lines.first)
		buf_printf(&out, "-%u", place->lines.last);
	if (out.failed)
		return command_usage("this address is too long for a path");
	buf_putc(&out, '\n');
	return command_print(out.data, out.len);
}

static enum command_exit find(const struct config *config, const char *url)
{
	cleanup(free) char *web = web_url(config);
	const struct address_place base = {web, config->api_url};
	cleanup(address_done) struct address address = {0};
	cleanup(page_place_done) struct page_place place = {0};
	cleanup(inside_done) struct inside inside = {0};
	int r;

	address_read(url, &base, &address);
	if (address.wrong)
		return command_usage("%s", address.wrong);
	/* Not shown: who knows what is in it. */
	if (!place_of(&address, &base, &place))
		return command_usage("this address has no place in a mount");
	r = web_mountpoint(config, &inside);
	if (r) {
		command_say("%s is no mount point: %s",
			    config->mountpoint ? config->mountpoint
					       : "~/bitbucket",
			    strerror(-r));
		return COMMAND_FAILED;
	}
	if (place.step)
		name_step(&inside, &place);
	correct_ref(&inside, &place);
	return print(&inside, &place);
}

enum command_exit path_command(const struct command_line *line)
{
	struct remote remote = {0};
	enum command_exit end;

	if (!line->n_operands)
		return command_usage(line->submodule
					     ? "path --submodule takes a PATH"
					     : "path takes a URL");
	end = remote_read_config(&remote, line);
	if (end == COMMAND_OK)
		end = line->submodule ? path_submodule(&remote.config,
						       line->operands[0])
				      : find(&remote.config, line->operands[0]);
	remote_done(&remote);
	return end;
}
