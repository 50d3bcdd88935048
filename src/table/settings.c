/*
 * table/resource: how a repository is set up, each answer in a directory of its
 * own: what is set in the repository, and what is in force together with what
 * it inherits. The latter are not listed.
 */
#include "table/rows.h"

/* ---- branches and merges ---- */

static const struct resource_column restriction[] = {
	{"id", "id", NULL},
	{"kind", "kind", NULL},
	{"match", "branch_match_kind", NULL},
	{"branch", "pattern|branch_type", NULL},
	{"value", "value", NULL},
	{"users", "users:" NAMES, NULL, RESOURCE_LIST},
	{"groups", "groups:slug|name", NULL, RESOURCE_LIST},
	{NULL, NULL, NULL},
};

/* Each member tells whether this repository has a setting of its own. */
static const struct resource_column override_info[] = {
	{"default_merge_strategy", "override_settings.default_merge_strategy",
	 NULL},
	{"branching_model", "override_settings.branching_model", NULL},
	{"branch_restrictions", "override_settings.branch_restrictions", NULL},
	{"default_reviewers", "override_settings.default_reviewers", NULL},
	{"merge_strategies", "override_settings.merge_strategies", NULL},
	{NULL, NULL, NULL},
};

const struct resource settings_rows[] = {
	LIST("branch-restrictions", REPOSITORY "/branch-restrictions", "id",
	     30 * MINUTE_S, restriction),
	OBJECT("branching-model", REPOSITORY "/branching-model", 10 * MINUTE_S,
	       JSON_AND_INFO("branching-model.json", shared_branching_model)),
	OBJECT("branching-model-settings",
	       REPOSITORY "/branching-model/settings", 30 * MINUTE_S,
	       JSON_AND_INFO("branching-model-settings.json",
			     shared_branching_settings),
	       UNLISTED),
	LIST("default-reviewers", REPOSITORY "/default-reviewers", "uuid",
	     30 * MINUTE_S, shared_person),
	LIST("deploy-keys", REPOSITORY "/deploy-keys", "id", 30 * MINUTE_S,
	     shared_deploy_key),
	OBJECT("effective-branching-model",
	       REPOSITORY "/effective-branching-model", 10 * MINUTE_S,
	       JSON_AND_INFO("effective-branching-model.json",
			     shared_branching_model),
	       UNLISTED),
	LIST("effective-default-reviewers",
	     REPOSITORY "/effective-default-reviewers", "user.uuid",
	     30 * MINUTE_S, shared_default_reviewer, UNLISTED),
	LIST("hooks", REPOSITORY "/hooks", "uuid", 30 * MINUTE_S, shared_hook),
	OBJECT("override-settings", REPOSITORY "/override-settings",
	       30 * MINUTE_S,
	       INFO_AND_JSON("override-settings.json", override_info),
	       UNLISTED),
	PERMISSIONS(REPOSITORY),
	{
		.name = "pipelines",
		.kind = RESOURCE_OBJECT,
		.endpoint = REPOSITORY "/pipelines_config",
		.ttl_s = 30 * MINUTE_S,
		.files = INFO_AND_JSON("pipelines-config.json",
				       deployments_pipelines_settings),
		.rows = deployments_pipelines_settings_rows,
	},
	{0},
};
