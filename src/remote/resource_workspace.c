/*
 * remote/resource: about a workspace, and about the account.
 */
#include "resource_private.h"

static const struct resource_file workspace_files[] = {
	{"workspace.json", resource_json, NULL, NULL},
	{NULL, NULL, NULL, NULL},
};

const struct resource resource_workspace = {
	.name = ".workspace",
	.kind = RESOURCE_OBJECT,
	.endpoint = "/workspaces/{ws}",
	.ttl_s = 1 * HOUR_S,
	.files = workspace_files,
};

const struct resource resource_account = {
	.name = "account",
	.kind = RESOURCE_GROUP,
};

const struct resource_file resource_user[] = {
	{"user.json", resource_json, NULL, NULL},
	{NULL, NULL, NULL, NULL},
};
