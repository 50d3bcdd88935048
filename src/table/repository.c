/*
 * table/resource: a repository's files, and the directories beside them.
 */
#include "table/rows.h"

#include "base/text.h"

#include <inttypes.h>

/* ---- info ---- */

static void size(const struct json *json, struct buf *out)
{
	int64_t value = json_int(json, "size", -1);

	if (value >= 0)
		buf_printf(out, "%" PRId64, value);
}

/* The href of links.clone with that name; NULL. */
static const char *clone_href(const struct json *json, const char *name)
{
	return json_str(json_find(json_at(json, "links.clone"), "name", name),
			"href");
}

/* Without the user's name, which the service puts before the host. */
static void clone_https(const struct json *json, struct buf *out)
{
	const char *href = clone_href(json, "https");
	const char *host, *at = NULL, *end;

	if (!href)
		return;
	host = strstr(href, "://");
	if (host) {
		host += 3;
		end = host + strcspn(host, "/?#");
		at = memrchr(host, '@', (size_t)(end - host));
	}
	if (at) {
		buf_add(out, href, (size_t)(host - href));
		href = at + 1;
	}
	buf_puts(out, href);
}

/* Older answers name a host that serves no SSH since 2026-11-12. */
static void clone_ssh(const struct json *json, struct buf *out)
{
	static const char *const moved[][2] = {
		{"git@bitbucket.org:", "git@ssh.bitbucket.org:"},
		{"ssh://git@bitbucket.org/", "ssh://git@ssh.bitbucket.org/"},
	};
	const char *href = clone_href(json, "ssh");

	for (size_t i = 0; href && i < ARRAY_SIZE(moved); i++) {
		size_t n = strlen(moved[i][0]);

		if (!strncmp(href, moved[i][0], n)) {
			buf_puts(out, moved[i][1]);
			href += n;
			break;
		}
	}
	if (href)
		buf_puts(out, href);
}

static const struct resource_column info[] = {
	{"name", "name", NULL},
	{"full_name", "full_name", NULL},
	{"slug", "slug", NULL},
	{"uuid", "uuid", NULL},
	{"workspace", "workspace.slug", NULL},
	{"project", "project.key", NULL},
	{"description", "description", NULL},
	{"private", "is_private", NULL, RESOURCE_TRUTH},
	{"language", "language", NULL},
	{"size", NULL, size},
	{"created", "created_on", NULL, RESOURCE_TIME},
	{"updated", "updated_on", NULL, RESOURCE_TIME},
	{"main_branch", "mainbranch.name", NULL},
	{"scm", "scm", NULL},
	{"fork_policy", "fork_policy", NULL},
	{"parent", "parent.full_name", NULL},
	{"website", "website", NULL},
	{"has_issues", "has_issues", NULL, RESOURCE_TRUTH},
	{"has_wiki", "has_wiki", NULL, RESOURCE_TRUTH},
	{"owner", "owner.display_name", NULL},
	{"url", "links.html.href", NULL},
	{"clone_https", NULL, clone_https},
	{"clone_ssh", NULL, clone_ssh},
	{NULL, NULL, NULL},
};

static const struct resource_file files[] = {
	{"description", resource_text, "description", NULL},
	{"info", resource_info, NULL, info},
	{"repository.json", resource_json, NULL, NULL},
	{NULL, NULL, NULL, NULL},
};

/* ---- what is beside them ---- */

static const struct resource rows[] = {
	GROUP("tree", NULL, .special = RESOURCE_DEFAULT_TREE),
	{
		.name = "pullrequests",
		.kind = RESOURCE_COLLECTION,
		.endpoint = PULLREQUESTS,
		.q = "state=\"OPEN\"",
		.is_dated = true,
		.paging = RESOURCE_NEWEST,
		.ttl_s = 5 * MINUTE_S,
		.newest = PULLREQUESTS_NEWEST,
		.columns = pullrequest_columns,
		.builds = PULLREQUEST_COMMIT,
		.rows = pullrequests_states,
		.items = &pullrequests_items,
	},
	{
		.name = "branches",
		.kind = RESOURCE_COLLECTION,
		.special = RESOURCE_BRANCHES,
		.endpoint = REPOSITORY "/refs/branches?pagelen=100&sort=name",
		.id = "name",
		.ttl_s = 5 * MINUTE_S,
		.is_lazy = true,
		.columns = refs_branch_columns,
		.builds = "target.hash",
	},
	{
		.name = "tags",
		.kind = RESOURCE_COLLECTION,
		.special = RESOURCE_TAGS,
		.endpoint = REPOSITORY "/refs/tags?pagelen=100&sort=name",
		.id = "name",
		.ttl_s = 5 * MINUTE_S,
		.is_lazy = true,
		.columns = refs_tag_columns,
	},
	LIST("commits", REPOSITORY "/commits", NULL, 5 * MINUTE_S,
	     commits_columns, .special = RESOURCE_COMMITS,
	     .listing = RESOURCE_LISTS_NONE, .is_history = true,
	     .builds = "hash", .items = &commits_items),
	{
		.name = "pipelines",
		.kind = RESOURCE_COLLECTION,
		.endpoint = REPOSITORY
		"/pipelines?pagelen=100&sort=-created_on",
		.paging = RESOURCE_NUMBERED,
		.listing = RESOURCE_LISTS_NEWEST,
		.ttl_s = 1 * MINUTE_S,
		.is_history = true,
		.is_builds = true,
		.columns = pipelines_columns,
		.rows = ROWS(GROUP("by-branch", NULL,
				   .special = RESOURCE_BY_BRANCH)),
		.items = &pipelines_items,
	},
	LIST("downloads", REPOSITORY "/downloads", NULL, 5 * MINUTE_S,
	     downloads_columns, .special = RESOURCE_DOWNLOADS,
	     .items = &downloads_items),
	NUMBERED_LIST("deployments", REPOSITORY "/deployments", NULL,
		      5 * MINUTE_S, deployments_columns,
		      .listing = RESOURCE_LISTS_NEWEST, .is_history = true,
		      .beside = &deployments_environment,
		      .items = &deployments_items),
	NUMBERED_LIST("environments", REPOSITORY "/environments", NULL,
		      10 * MINUTE_S, deployments_environment_columns,
		      .items = &deployments_environment_items),
	{
		.name = "issues",
		.kind = RESOURCE_COLLECTION,
		.endpoint = REPOSITORY "/issues?pagelen=100",
		.paging = RESOURCE_NEWEST,
		.listing = RESOURCE_LISTS_NEWEST,
		.ttl_s = 5 * MINUTE_S,
		.is_history = true,
		.needs = "has_issues",
		.columns = issues_columns,
		.items = &issues_items,
	},
	GROUP("network", network_rows),
	GROUP("settings", settings_rows),
	{0},
};

const struct resource resource_repository = {
	.name = "",
	.kind = RESOURCE_OBJECT,
	.files = files,
	.rows = rows,
};

static const struct resource_items repository_items = {
	.name_path = "slug",
	.id_path = "uuid",
	.key = "repo/",
	.time_path = "updated_on|created_on",
	.endpoint = "/repositories/{ws}/{1}",
	.files = files,
	.rows = rows,
	.special = RESOURCE_REPOSITORY,
};

const struct resource resource_repositories = {
	.name = "",
	.kind = RESOURCE_COLLECTION,
	/* To be read: what is asked for is in bitbucket_list_repositories. */
	.endpoint = "/repositories/{ws}?sort=created_on&pagelen=100",
	.special = RESOURCE_REPOSITORIES,
	.ttl_s = 10 * MINUTE_S,
	.rows = resource_workspace,
	.items = &repository_items,
};
