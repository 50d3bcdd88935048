/*
 * table/resource: where a repository is deployed to, and how its pipelines are
 * set up. These lists say how many there are, but not always where the next
 * page is (src/api/README.md, 9).
 */
#include "table/rows.h"

#define CONFIG REPOSITORY "/pipelines_config"
#define CONFIG_2 REPOSITORY "/pipelines-config"

/* ---- deployments ---- */

const struct resource_column deployments_columns[] = {
	{"number", "number", NULL},
	{"state", "state.name", NULL},
	{"status", "state.status.name", NULL},
	{"environment",
	 "environment.name|" RESOURCE_NAME_BESIDE "|environment.uuid", NULL},
	{"release", "release.name", NULL},
	{"commit", "release.commit.hash", NULL},
	{"started", "state.started_on", NULL, RESOURCE_TIME},
	{"completed", "state.completed_on", NULL, RESOURCE_TIME},
	{"updated", "last_update_time", NULL, RESOURCE_TIME},
	{"uuid", "uuid", NULL},
	{"url", "state.url|release.url", NULL},
	{NULL, NULL, NULL},
};

const struct resource_beside deployments_environment = {
	.at = "environment.uuid",
	.row = "environments",
	.id = "uuid",
	.name = "name",
};

/* The name is a number, where the service gives one. */
static bool is_name(const char *name)
{
	size_t n = strlen(name);

	if (resource_is_number(name))
		return true;
	return n == 38 && name[0] == '{' && name[n - 1] == '}' &&
	       strspn(name + 1, "0123456789abcdef-") == n - 2;
}

static bool is_over(const struct json *item)
{
	const char *state = json_str(item, "state.name");

	return state && !strcmp(state, "COMPLETED");
}

const struct resource_items deployments_items = {
	.name_path = "number|uuid",
	.id_path = "uuid",
	.time_path = "last_update_time|state.completed_on|state.started_on|"
		     "release.created_on",
	.endpoint = REPOSITORY "/deployments/{1}",
	.is_name = is_name,
	.has_numbers = true,
	.is_final = is_over,
	.files = JSON_AND_INFO("deployment.json", deployments_columns,
			       .is_named = true),
};

/* ---- environments ---- */

const struct resource_column deployments_environment_columns[] = {
	{"name", "name", NULL},
	{"type", "environment_type.name|category.name", NULL},
	{"rank", "rank", NULL},
	{"slug", "slug", NULL},
	{"lock", "lock.name", NULL},
	{"hidden", "hidden", NULL, RESOURCE_TRUTH},
	{"uuid", "uuid", NULL},
	{NULL, NULL, NULL},
};

const struct resource_items deployments_environment_items = {
	.name_path = "name|slug|uuid",
	.id_path = "uuid",
	.files = JSON_AND_INFO("environment.json",
			       deployments_environment_columns),
	.rows = ROWS(NUMBERED_LIST(
		"variables",
		REPOSITORY "/deployments_config/environments/{1}/variables",
		"uuid", 30 * MINUTE_S, shared_variable, UNLISTED)),
};

/* ---- settings/pipelines ---- */

const struct resource_column deployments_pipelines_settings[] = {
	{"enabled", "enabled", NULL, RESOURCE_TRUTH},
	{"repository", "repository.full_name", NULL},
	{NULL, NULL, NULL},
};

static const struct resource_column cache_columns[] = {
	{"name", "name", NULL},
	{"size", "file_size_bytes", NULL},
	{"created", "created_on", NULL, RESOURCE_TIME},
	{"path", "path", NULL},
	{"pipeline", "pipeline_uuid", NULL},
	{"uuid", "uuid", NULL},
	{NULL, NULL, NULL},
};

static const struct resource_column schedule_columns[] = {
	{"uuid", "uuid", NULL},
	{"enabled", "enabled", NULL, RESOURCE_TRUTH},
	{"cron", "cron_pattern", NULL},
	{"target", "target.ref_name|target.selector.pattern", NULL},
	{"selector", "target.selector.pattern|target.selector.type", NULL},
	{"created", "created_on", NULL, RESOURCE_TIME},
	{"updated", "updated_on", NULL, RESOURCE_TIME},
	{NULL, NULL, NULL},
};

static const struct resource_column execution_columns[] = {
	{"type", "type", NULL},
	{"pipeline", "pipeline.build_number|pipeline.uuid", NULL},
	{"created", "created_on|pipeline.created_on", NULL, RESOURCE_TIME},
	{"error", "error.message|error.key", NULL},
	{NULL, NULL, NULL},
};

static const struct resource_items schedule_items = {
	.name_path = "uuid",
	.id_path = "uuid",
	.time_path = "updated_on|created_on",
	.files = INFO_AND_JSON("schedule.json", schedule_columns),
	.rows = ROWS(NUMBERED_LIST("executions",
				   CONFIG "/schedules/{1}/executions",
				   "pipeline.uuid", 10 * MINUTE_S,
				   execution_columns, .is_history = true)),
};

static const struct resource_column known_host_columns[] = {
	{"hostname", "hostname", NULL},
	{"type", "public_key.key_type", NULL},
	{"sha256", "public_key.sha256_fingerprint", NULL},
	{"md5", "public_key.md5_fingerprint", NULL},
	{"key", "public_key.key", NULL},
	{"uuid", "uuid", NULL},
	{NULL, NULL, NULL},
};

/* The service does not tell the private half. */
static const struct resource_column key_pair_info[] = {
	{"public_key", "public_key", NULL},
	{NULL, NULL, NULL},
};

static const struct resource_file key_pair_files[] = {
	{"info", resource_info, NULL, key_pair_info},
	{"public_key", resource_text, "public_key", NULL},
	{NULL, NULL, NULL, NULL},
};

static const struct resource ssh_rows[] = {
	OBJECT("key-pair", CONFIG "/ssh/key_pair", 30 * MINUTE_S,
	       key_pair_files),
	NUMBERED_LIST("known-hosts", CONFIG "/ssh/known_hosts", "uuid",
		      30 * MINUTE_S, known_host_columns),
	{0},
};

const struct resource deployments_pipelines_settings_rows[] = {
	NUMBERED_LIST("caches", CONFIG_2 "/caches", "uuid", 10 * MINUTE_S,
		      cache_columns, UNLISTED),
	NUMBERED_LIST("runners", CONFIG_2 "/runners", "uuid", 2 * MINUTE_S,
		      shared_runner, UNLISTED),
	NUMBERED_LIST("schedules", CONFIG "/schedules", NULL, 30 * MINUTE_S,
		      schedule_columns, UNLISTED, .items = &schedule_items),
	GROUP("ssh", ssh_rows, UNLISTED),
	NUMBERED_LIST("variables", CONFIG "/variables", "uuid", 30 * MINUTE_S,
		      shared_variable, UNLISTED),
	{0},
};
