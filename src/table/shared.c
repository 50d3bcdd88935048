/*
 * table/resource: columns and files that repositories, projects, workspaces
 * and snippets have alike.
 */
#include "table/rows.h"

/* ---- people and what they may ---- */

const struct resource_column shared_person[] = {
	{"nickname", "nickname", NULL},
	{"name", "display_name", NULL},
	{"uuid", "uuid", NULL},
	{"account_id", "account_id", NULL},
	{NULL, NULL, NULL},
};

const struct resource_column shared_default_reviewer[] = {
	{"nickname", "user.nickname", NULL},
	{"name", "user.display_name", NULL},
	{"from", "reviewer_type", NULL},
	{"uuid", "user.uuid", NULL},
	{"account_id", "user.account_id", NULL},
	{NULL, NULL, NULL},
};

const struct resource_column shared_group_permission[] = {
	{"group", "group.slug|group.name", NULL},
	{"permission", "permission", NULL},
	{"name", "group.name", NULL},
	{NULL, NULL, NULL},
};

const struct resource_column shared_user_permission[] = {
	{"user", PERSON("user"), NULL},
	{"permission", "permission", NULL},
	{"name", "user.display_name", NULL},
	{"uuid", "user.uuid", NULL},
	{NULL, NULL, NULL},
};

/* ---- keys, hooks, runners, variables ---- */

const struct resource_column shared_deploy_key[] = {
	{"id", "id", NULL},
	{"label", "label", NULL},
	{"comment", "comment", NULL},
	{"added", "created_on|added_on", NULL, RESOURCE_TIME},
	{"last_used", "last_used", NULL, RESOURCE_TIME},
	{"key", "key", NULL},
	{NULL, NULL, NULL},
};

const struct resource_column shared_hook[] = {
	{"url", "url", NULL},
	{"active", "active", NULL, RESOURCE_TRUTH},
	{"description", "description", NULL},
	{"created", "created_at", NULL, RESOURCE_TIME},
	{"secret", "secret_set", NULL, RESOURCE_TRUTH},
	{"uuid", "uuid", NULL},
	{"events", "events:", NULL, RESOURCE_LIST},
	{NULL, NULL, NULL},
};

const struct resource_column shared_runner[] = {
	{"name", "name", NULL},
	{"status", "state.status", NULL},
	{"labels", "labels:", NULL, RESOURCE_LIST},
	{"version", "state.version.version", NULL},
	{"updated", "state.updated_on|updated_on", NULL, RESOURCE_TIME},
	{"created", "created_on", NULL, RESOURCE_TIME},
	{"uuid", "uuid", NULL},
	{NULL, NULL, NULL},
};

/* The value of a secured variable is never shown, even if the service sent it.
 */
static void variable_value(const struct json *item, struct buf *out)
{
	const char *value = json_str(item, "value");

	if (value && !json_bool(item, "secured", false))
		buf_puts(out, value);
}

const struct resource_column shared_variable[] = {
	{"key", "key", NULL},
	{"secured", "secured", NULL, RESOURCE_TRUTH},
	{"value", NULL, variable_value},
	{"uuid", "uuid", NULL},
	{NULL, NULL, NULL},
};

/* ---- commits ---- */

const struct resource_column shared_commit[] = {
	{"hash", "hash", NULL},
	{"date", "date", NULL, RESOURCE_TIME},
	{"author", PERSON("author.user") "|author.raw", NULL},
	{"url", "links.html.href", NULL},
	{"message", "message", NULL, RESOURCE_LINE},
	{NULL, NULL, NULL},
};

/* ---- branching models ---- */

/* "feature=feature/,bugfix=fix/": the prefixes that are in use. */
static void prefixes(const struct json *json, struct buf *out)
{
	const struct json *types = json_at(json, "branch_types");
	size_t start = out->len;

	if (!json_is_array(types))
		return;
	JSON_EACH (i, types) {
		const char *kind = json_str(i, "kind");
		const char *prefix = json_str(i, "prefix");

		if (prefix && json_bool(i, "enabled", true))
			buf_printf(out, "%s%s=%s", out->len > start ? "," : "",
				   kind ? kind : "", prefix);
	}
}

const struct resource_column shared_branching_model[] = {
	{"development", "development.name", NULL},
	{"development_branch", "development.branch.name", NULL},
	{"development_commit", "development.branch.target.hash", NULL},
	{"development_is_main", "development.use_mainbranch", NULL,
	 RESOURCE_TRUTH},
	{"production", "production.name", NULL},
	{"production_branch", "production.branch.name", NULL},
	{"production_commit", "production.branch.target.hash", NULL},
	{"production_is_main", "production.use_mainbranch", NULL,
	 RESOURCE_TRUTH},
	{"prefixes", NULL, prefixes},
	{NULL, NULL, NULL},
};

const struct resource_column shared_branching_settings[] = {
	{"development", "development.name", NULL},
	{"development_valid", "development.is_valid", NULL, RESOURCE_TRUTH},
	{"development_is_main", "development.use_mainbranch", NULL,
	 RESOURCE_TRUTH},
	{"production", "production.name", NULL},
	{"production_enabled", "production.enabled", NULL, RESOURCE_TRUTH},
	{"production_valid", "production.is_valid", NULL, RESOURCE_TRUTH},
	{"production_is_main", "production.use_mainbranch", NULL,
	 RESOURCE_TRUTH},
	{"prefixes", NULL, prefixes},
	{"default_branch_deletion", "default_branch_deletion", NULL},
	{NULL, NULL, NULL},
};
