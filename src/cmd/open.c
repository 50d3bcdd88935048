/*
 * bitbucketfs open [-n] [PATH | KEY]: the page of a place, in the browser.
 *
 * A place is text, and so is its page (table/page). Only of a ref with a slash
 * in its name, and of a step of a pipeline, is its mount asked, if there is
 * one.
 */
#include "cmd/browser.h"
#include "cmd/command.h"
#include "cmd/mount/preflight.h"
#include "cmd/remote.h"
#include "cmd/web.h"

#include "base/file.h"
#include "base/json.h"
#include "table/page.h"

#include <ctype.h>
#include <unistd.h>

#define STEP_MAX MIB

/* ---- Jira ---- */

/* "WID-12" */
static bool is_key(const char *text)
{
	size_t n = 0;

	while (isupper((unsigned char)text[n]) ||
	       (n && (isdigit((unsigned char)text[n]) || text[n] == '_')))
		n++;
	return n > 1 && text[n] == '-' && text[n + 1] &&
	       !text[n + 1 + strspn(text + n + 1, "0123456789")];
}

/* ---- what the text does not say ---- */

/* The n-th part of a path and all that follows it; NULL: it has fewer. */
static const char *part_of(const char *path, size_t n)
{
	for (; n && path; n--) {
		path = strchr(path, '/');
		path = path ? path + 1 : NULL;
	}
	return path;
}

static bool is_part(const char *part, const char *word)
{
	size_t n = strlen(word);

	return part && !strncmp(part, word, n) && (!part[n] || part[n] == '/');
}

/* In acme/widgets/branches/feature/x one part would be the branch's, if the
 * text had to say. */
static bool needs_ref(const char *place)
{
	const char *kind = part_of(place, 2);

	return (is_part(kind, "branches") || is_part(kind, "tags")) &&
	       part_of(kind, 2);
}

/* The uuid of the step that the place is in; free it. NULL: in none, or its
 * mount does not say. */
static char *step_of(const struct inside *inside)
{
	cleanup(buf_done) struct buf text = BUF_INIT(STEP_MAX);
	cleanup(json_free) struct json *step = NULL;
	cleanup(free) char *file = NULL;
	const char *name = part_of(inside->path, 5), *uuid;

	if (!web_is_mounted(inside) || !name ||
	    !is_part(part_of(inside->path, 2), "pipelines") ||
	    !is_part(part_of(inside->path, 4), "steps"))
		return NULL;
	file = mem_asprintf(
		"%s/%.*s/step.json", inside->mountpoint,
		(int)((size_t)(name - inside->path) + strcspn(name, "/")),
		inside->path);
	if (preflight_answers(inside->mountpoint, PREFLIGHT_ANSWER_MS) ||
	    file_read(file, STEP_MAX, &text) || !text.data)
		return NULL;
	(void)json_parse(text.data, text.len, &step);
	uuid = step ? json_str(step, "uuid") : NULL;
	return uuid ? mem_strdup(uuid) : NULL;
}

static char *page_of(const struct inside *inside, struct page_lines lines)
{
	cleanup(free) char *step = step_of(inside);
	struct page_known known = {.step = step};
	char commit[41];
	size_t n_parts;

	/* workspace/repository/branches/ are three. */
	if (needs_ref(inside->path) &&
	    !web_ref(inside, inside->path, &n_parts, commit) && n_parts > 3) {
		known.n_ref = n_parts - 3;
		known.commit = commit;
	}
	return page_of_place(inside->path, &known, lines);
}

/* ---- which place ---- */

/* A place that is written without its mount point: "acme/widgets". */
static bool is_place(const char *path)
{
	return *path && *path != '/' && *path != '.' && *path != '~' &&
	       access(path, F_OK);
}

static enum command_exit
find_place(const char *path, const struct config *config, struct inside *ret)
{
	int r = web_inside(path, config->mountpoint, ret);
	cleanup(free) char *there = NULL;

	if (r == -ENXIO && is_place(path) && !web_mountpoint(config, ret)) {
		there = mem_asprintf("%s/%s", ret->mountpoint, path);
		inside_done(ret);
		r = web_inside(there, config->mountpoint, ret);
	}
	if (!r)
		return COMMAND_OK;
	if (r == -ENXIO)
		command_say("%s is in no Bitbucket that is mounted", path);
	else
		command_say("%s cannot be followed: %s", path, strerror(-r));
	return COMMAND_FAILED;
}

static enum command_exit url_of_path(const struct config *config,
				     const char *given, char **ret_url)
{
	cleanup(inside_done) struct inside inside = {0};
	cleanup(free) char *path = mem_strdup(given);
	struct page_lines lines = page_take_lines(path);
	cleanup(free) char *page = NULL;
	cleanup(free) char *web = NULL;
	enum command_exit end = find_place(path, config, &inside);

	if (end != COMMAND_OK)
		return end;
	page = page_of(&inside, lines);
	if (!page) {
		command_say("%s is about the mount itself, and has no page",
			    given);
		return COMMAND_FAILED;
	}
	web = web_url(config);
	*ret_url = mem_asprintf("%s/%s", web, page);
	return COMMAND_OK;
}

static enum command_exit url_of(const struct config *config, const char *given,
				char **ret_url)
{
	if (!is_key(given))
		return url_of_path(config, given, ret_url);
	if (!config->jira_url)
		return command_usage("%s looks like a key of Jira: set "
				     "jira_url to where that is "
				     "(https://acme.atlassian.net); a file of "
				     "that name is ./%s",
				     given, given);
	*ret_url = mem_asprintf("%s/browse/%s", config->jira_url, given);
	return COMMAND_OK;
}

enum command_exit open_command(const struct command_line *line)
{
	const char *given = line->n_operands ? line->operands[0] : ".";
	struct remote remote = {0};
	cleanup(free) char *url = NULL;
	cleanup(free) char *url_line = NULL;
	enum command_exit end;

	/* Not shown: there may be a secret in it. */
	if (!*given || strstr(given, "://"))
		return command_usage(
			"open takes a path or a key: for an address "
			"bitbucketfs path says which place it is of");
	end = remote_read_config(&remote, line);
	if (end == COMMAND_OK)
		end = url_of(&remote.config, given, &url);
	remote_done(&remote);
	if (end != COMMAND_OK || (!line->print && browser_open(url)))
		return end;
	url_line = mem_asprintf("%s\n", url);
	return command_print(url_line, strlen(url_line));
}
