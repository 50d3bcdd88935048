/*
 * table/resource: issues. The service took them away in August 2026
 * (src/api/README.md, 16); a repository that says it has some is believed.
 */
#include "table/rows.h"

#define ISSUE REPOSITORY "/issues/{1}"

const struct resource_column issues_columns[] = {
	{"id", "id", NULL},
	{"state", "state", NULL},
	{"kind", "kind", NULL},
	{"priority", "priority", NULL},
	{"reporter", PERSON("reporter"), NULL},
	{"assignee", PERSON("assignee"), NULL},
	{"updated", "updated_on", NULL, RESOURCE_TIME},
	{"created", "created_on", NULL, RESOURCE_TIME},
	{"votes", "votes", NULL},
	{"url", "links.html.href", NULL},
	{"title", "title", NULL},
	{NULL, NULL, NULL},
};

static const struct resource_file files[] = {
	{"content.md", resource_text, "content.raw", NULL},
	{"info", resource_info, NULL, issues_columns},
	{"issue.json", resource_json, NULL, NULL},
	{"title", resource_text, "title", NULL},
	{NULL, NULL, NULL, NULL},
};

const struct resource_items issues_items = {
	.name_path = "id",
	.id_path = "id",
	.time_path = "updated_on|created_on",
	.endpoint = ISSUE,
	.is_name = resource_is_number,
	.files = files,
	.rows = ROWS(COMMENTS(ISSUE, 5 * MINUTE_S)),
};
