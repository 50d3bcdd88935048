/*
 * table/resource: who forked and who watches a repository.
 */
#include "table/rows.h"

static const struct resource_column fork_columns[] = {
	{"full_name", "full_name", NULL},
	{"owner", PERSON("owner"), NULL},
	{"private", "is_private", NULL, RESOURCE_TRUTH},
	{"created", "created_on", NULL, RESOURCE_TIME},
	{"updated", "updated_on", NULL, RESOURCE_TIME},
	{"url", "links.html.href", NULL},
	{"description", "description", NULL},
	{NULL, NULL, NULL},
};

const struct resource network_rows[] = {
	{
		.name = "forks",
		.kind = RESOURCE_COLLECTION,
		.endpoint = REPOSITORY "/forks?pagelen=100&sort=created_on",
		.ttl_s = 1 * HOUR_S,
		.columns = fork_columns,
	},
	LIST("watchers", REPOSITORY "/watchers", "uuid", 1 * HOUR_S,
	     shared_person),
	{0},
};
