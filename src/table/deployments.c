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

static const struct resource_file deployment_files[] = {
	{"deployment.json", resource_json, NULL, NULL},
	{"info", resource_info, NULL, deployments_columns, .is_named = true},
	{NULL, NULL, NULL, NULL},
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

	if (values_is_number(name))
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
	.files = deployment_files,
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

static const struct resource_file environment_files[] = {
	{"environment.json", resource_json, NULL, NULL},
	{"info", resource_info, NULL, deployments_environment_columns},
	{NULL, NULL, NULL, NULL},
};

static const struct resource environment_rows[] = {
	NUMBERED_LIST("variables",
		      REPOSITORY
		      "/deployments_config/environments/{1}/variables",
		      "uuid", 30 * MINUTE_S, shared_variable, UNLISTED),
	{0},
};

const struct resource_items deployments_environment_items = {
	.name_path = "name|slug|uuid",
	.id_path = "uuid",
	.files = environment_files,
	.rows = environment_rows,
};

/* ---- settings/pipelines ---- */

static const struct resource_column config_info[] = {
	{"enabled", "enabled", NULL, RESOURCE_TRUTH},
	{"repository", "repository.full_name", NULL},
	{NULL, NULL, NULL},
};

const struct resource_file deployments_pipelines_settings[] = {
	{"info", resource_info, NULL, config_info},
	{"pipelines-config.json", resource_json, NULL, NULL},
	{NULL, NULL, NULL, NULL},
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

static const struct resource_file schedule_files[] = {
	{"info", resource_info, NULL, schedule_columns},
	{"schedule.json", resource_json, NULL, NULL},
	{NULL, NULL, NULL, NULL},
};

static const struct resource_column execution_columns[] = {
	{"type", "type", NULL},
	{"pipeline", "pipeline.build_number|pipeline.uuid", NULL},
	{"created", "created_on|pipeline.created_on", NULL, RESOURCE_TIME},
	{"error", "error.message|error.key", NULL},
	{NULL, NULL, NULL},
};

static const struct resource schedule_rows[] = {
	{
		.name = "executions",
		.kind = RESOURCE_COLLECTION,
		.endpoint = CONFIG "/schedules/{1}/executions?pagelen=100",
		.paging = RESOURCE_NUMBERED,
		.id = "pipeline.uuid",
		.ttl_s = 10 * MINUTE_S,
		.is_history = true,
		.columns = execution_columns,
	},
	{0},
};

static const struct resource_items schedule_items = {
	.name_path = "uuid",
	.id_path = "uuid",
	.time_path = "updated_on|created_on",
	.files = schedule_files,
	.rows = schedule_rows,
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
	{
		.name = "schedules",
		.kind = RESOURCE_COLLECTION,
		.endpoint = CONFIG "/schedules?pagelen=100",
		.paging = RESOURCE_NUMBERED,
		.ttl_s = 30 * MINUTE_S,
		.is_unlisted = true,
		.columns = schedule_columns,
		.items = &schedule_items,
	},
	{
		.name = "ssh",
		.kind = RESOURCE_GROUP,
		.is_unlisted = true,
		.rows = ssh_rows,
	},
	NUMBERED_LIST("variables", CONFIG "/variables", "uuid", 30 * MINUTE_S,
		      shared_variable, UNLISTED),
	{0},
};
