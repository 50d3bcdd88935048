/*
 * table/resource: a workspace's snippets. The list has what they are called;
 * their files, all of them, are one answer more (src/api/README.md, 15:
 * multipart/related).
 */
#include "table/rows.h"

#define SNIPPET "/snippets/{ws}/{1}"

const struct resource_column snippets_columns[] = {
	{"id", "id", NULL},
	{"private", "is_private", NULL, RESOURCE_TRUTH},
	{"owner", PERSON("owner"), NULL},
	{"creator", PERSON("creator"), NULL},
	{"updated", "updated_on", NULL, RESOURCE_TIME},
	{"created", "created_on", NULL, RESOURCE_TIME},
	{"url", "links.html.href", NULL},
	{"title", "title", NULL},
	{NULL, NULL, NULL},
};

static const struct resource_file files[] = {
	{"info", resource_info, NULL, snippets_columns},
	{"snippet.json", resource_json, NULL, NULL},
	{"title", resource_text, "title", NULL},
	{NULL, NULL, NULL, NULL},
};

static const struct resource rows[] = {
	COMMENTS(SNIPPET, 5 * MINUTE_S),
	LIST("commits", SNIPPET "/commits", "hash", 10 * MINUTE_S,
	     shared_commit, .is_history = true),
	{
		.name = "files",
		.kind = RESOURCE_COLLECTION,
		.endpoint = SNIPPET,
		.paging = RESOURCE_PARTS,
		.ttl_s = 10 * MINUTE_S,
	},
	{0},
};

const struct resource_items snippets_items = {
	.name_path = "id",
	.id_path = "id",
	.time_path = "updated_on|created_on",
	.files = files,
	.rows = rows,
};
