/*
 * remote/resource: who forked and who watches a repository.
 */
#include "resource_private.h"

static const struct resource_column fork_columns[] = {
	{"full_name", "full_name", NULL},
	{"owner", PERSON("owner"), NULL},
	{"private", "is_private", NULL},
	{"created", "created_on", NULL},
	{"updated", "updated_on", NULL},
	{"description", "description", NULL},
	{NULL, NULL, NULL},
};

static const struct resource_column watcher_columns[] = {
	{"nickname", "nickname", NULL},
	{"name", "display_name", NULL},
	{"uuid", "uuid", NULL},
	{"account_id", "account_id", NULL},
	{NULL, NULL, NULL},
};

const struct resource resource_network_rows[] = {
	{
		.name = "forks",
		.kind = RESOURCE_COLLECTION,
		.endpoint = REPOSITORY "/forks?pagelen=100&sort=created_on",
		.ttl_s = 1 * HOUR_S,
		.columns = fork_columns,
	},
	{
		.name = "watchers",
		.kind = RESOURCE_COLLECTION,
		.endpoint = REPOSITORY "/watchers?pagelen=100",
		.ttl_s = 1 * HOUR_S,
		.columns = watcher_columns,
	},
	{0},
};
