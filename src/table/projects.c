/*
 * table/resource: the projects of a workspace.
 */
#include "table/rows.h"

#define PROJECT WORKSPACE "/projects/{1}"

const struct resource_column projects_columns[] = {
	{"key", "key", NULL},
	{"name", "name", NULL},
	{"private", "is_private", NULL, RESOURCE_TRUTH},
	{"updated", "updated_on", NULL, RESOURCE_TIME},
	{"created", "created_on", NULL, RESOURCE_TIME},
	{"url", "links.html.href", NULL},
	{"description", "description", NULL},
	{NULL, NULL, NULL},
};

/* Below one name: all other names of a project's directory are its
 * repositories', and a repository with one of our names has to give way. */
static const struct resource settings[] = {
	OBJECT("branching-model", PROJECT "/branching-model", 10 * MINUTE_S,
	       JSON_AND_INFO("branching-model.json", shared_branching_model)),
	OBJECT("branching-model-settings", PROJECT "/branching-model/settings",
	       30 * MINUTE_S,
	       JSON_AND_INFO("branching-model-settings.json",
			     shared_branching_settings)),
	LIST("default-reviewers", PROJECT "/default-reviewers", "user.uuid",
	     30 * MINUTE_S, shared_default_reviewer),
	LIST("deploy-keys", PROJECT "/deploy-keys", "id", 30 * MINUTE_S,
	     shared_deploy_key),
	PERMISSIONS(PROJECT),
	{0},
};

const struct resource_items projects_items = {
	.name_path = "key",
	.id_path = "key",
	.time_path = "updated_on|created_on",
	.files = INFO_AND_JSON("project.json", projects_columns),
	.rows = ROWS(GROUP("settings", settings)),
	.special = RESOURCE_PROJECT_VIEW,
};
