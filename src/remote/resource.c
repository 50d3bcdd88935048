/*
 * remote/resource: the table, and how each of its files is written.
 */
#include "remote/resource.h"

#include "base/text.h"

#include <inttypes.h>

/* ---- info ---- */

static void line(struct buf *out, const struct json *json, const char *key,
		 const char *path)
{
	text_info_line(out, key, json_str(json, path));
}

static void yes_no(struct buf *out, const struct json *json, const char *key,
		   const char *path)
{
	const struct json *at = json_at(json, path);

	/* Neither true nor false: not said. */
	if (at && json_bool(at, "", true) == json_bool(at, "", false))
		text_info_line(out, key,
			       json_bool(at, "", false) ? "yes" : "no");
}

static void number(struct buf *out, const struct json *json, const char *key,
		   const char *path)
{
	int64_t value = json_int(json, path, -1);
	char text[24];

	if (value < 0)
		return;
	snprintf(text, sizeof(text), "%" PRId64, value);
	text_info_line(out, key, text);
}

/* The href of links.clone with that name; NULL. */
static const char *clone_href(const struct json *json, const char *name)
{
	const struct json *links = json_at(json, "links.clone");

	if (!json_is_array(links))
		return NULL;
	for (const struct json *i = json_first(links); i; i = json_next(i)) {
		const char *this = json_str(i, "name");

		if (this && !strcmp(this, name))
			return json_str(i, "href");
	}
	return NULL;
}

/* Without the caller's name, which the service puts before the host. */
static void clone_https(struct buf *out, const struct json *json)
{
	const char *href = clone_href(json, "https");
	const char *host, *at, *end;
	cleanup(free) char *text = NULL;

	if (!href)
		return;
	host = strstr(href, "://");
	if (host) {
		host += 3;
		end = host + strcspn(host, "/?#");
		at = memrchr(host, '@', (size_t)(end - host));
		if (at)
			text = xasprintf("%.*s%s", (int)(host - href), href,
					 at + 1);
	}
	text_info_line(out, "clone_https", text ? text : href);
}

/* Older objects name the host that serves no SSH since 2026-11-12. */
static void clone_ssh(struct buf *out, const struct json *json)
{
	static const char *const moved[][2] = {
		{"git@bitbucket.org:", "git@ssh.bitbucket.org:"},
		{"ssh://git@bitbucket.org/", "ssh://git@ssh.bitbucket.org/"},
	};
	const char *href = clone_href(json, "ssh");
	cleanup(free) char *text = NULL;

	for (size_t i = 0; href && !text && i < ARRAY_SIZE(moved); i++) {
		size_t n = strlen(moved[i][0]);

		if (!strncmp(href, moved[i][0], n))
			text = xasprintf("%s%s", moved[i][1], href + n);
	}
	text_info_line(out, "clone_ssh", text ? text : href);
}

static int render_info(const struct json *json, struct buf *out)
{
	line(out, json, "name", "name");
	line(out, json, "full_name", "full_name");
	line(out, json, "slug", "slug");
	line(out, json, "uuid", "uuid");
	line(out, json, "workspace", "workspace.slug");
	line(out, json, "project", "project.key");
	line(out, json, "description", "description");
	yes_no(out, json, "private", "is_private");
	line(out, json, "language", "language");
	number(out, json, "size", "size");
	line(out, json, "created", "created_on");
	line(out, json, "updated", "updated_on");
	line(out, json, "main_branch", "mainbranch.name");
	line(out, json, "scm", "scm");
	line(out, json, "fork_policy", "fork_policy");
	line(out, json, "parent", "parent.full_name");
	line(out, json, "website", "website");
	yes_no(out, json, "has_issues", "has_issues");
	yes_no(out, json, "has_wiki", "has_wiki");
	line(out, json, "owner", "owner.display_name");
	line(out, json, "url", "links.html.href");
	clone_https(out, json);
	clone_ssh(out, json);
	return out->failed;
}

/* ---- the others ---- */

static int render_description(const struct json *json, struct buf *out)
{
	const char *text = json_str(json, "description");
	size_t n = text ? strlen(text) : 0;

	if (!n)
		return 0;
	buf_add(out, text, n);
	if (text[n - 1] != '\n')
		buf_putc(out, '\n');
	return out->failed;
}

static int render_json(const struct json *json, struct buf *out)
{
	return json_pretty(json, out);
}

static const struct resource repository_rows[] = {
	{RESOURCE_REPOSITORY, "description", render_description},
	{RESOURCE_REPOSITORY, "info", render_info},
	{RESOURCE_REPOSITORY, "repository.json", render_json},
};
static const struct resource account_rows[] = {
	{RESOURCE_ACCOUNT, "user.json", render_json},
};

const struct resource *resource_rows(enum resource_place place, size_t *ret_n)
{
	switch (place) {
	case RESOURCE_REPOSITORY:
		*ret_n = ARRAY_SIZE(repository_rows);
		return repository_rows;
	case RESOURCE_ACCOUNT:
		break;
	}
	*ret_n = ARRAY_SIZE(account_rows);
	return account_rows;
}

const struct resource *resource_find(enum resource_place place,
				     const char *name)
{
	size_t n;
	const struct resource *rows = resource_rows(place, &n);

	for (size_t i = 0; i < n; i++)
		if (!strcmp(rows[i].name, name))
			return &rows[i];
	return NULL;
}

int resource_render(const struct resource *row, const char *body, size_t n,
		    struct buf *out)
{
	cleanup(json_free) struct json *json = NULL;
	int r = json_parse(body, n, &json);

	if (r < 0)
		return r;
	if (!json_is_object(json))
		return -EBADMSG;
	return row->render(json, out);
}
