/*
 * table/resource: about a workspace, and about the account.
 */
#include "table/rows.h"

/* The repositories of the listing, one line each. */
const struct resource_column workspace_repository_columns[] = {
	{"slug", "slug", NULL},
	{"name", "name", NULL},
	{"project", "project.key", NULL},
	{"private", "is_private", NULL, RESOURCE_TRUTH},
	{"language", "language", NULL},
	{"size", "size", NULL},
	{"updated", "updated_on", NULL, RESOURCE_TIME},
	{"created", "created_on", NULL, RESOURCE_TIME},
	{"main_branch", "mainbranch.name", NULL},
	{"parent", "parent.full_name", NULL},
	{"issues", "has_issues", NULL, RESOURCE_TRUTH},
	{"uuid", "uuid", NULL},
	{"url", "links.html.href", NULL},
	{"description", "description", NULL},
	{NULL, NULL, NULL},
};

static const struct resource_file workspace_files[] = {
	{"workspace.json", resource_json, NULL, NULL},
	{NULL, NULL, NULL, NULL},
};

static const struct resource_column member[] = {
	{"nickname", "user.nickname", NULL},
	{"name", "user.display_name", NULL},
	{"added", "added_on", NULL, RESOURCE_TIME},
	{"last_accessed", "last_accessed", NULL, RESOURCE_TIME},
	{"uuid", "user.uuid", NULL},
	{"account_id", "user.account_id", NULL},
	{NULL, NULL, NULL},
};

static const struct resource_column membership[] = {
	{"user", PERSON("user"), NULL},
	{"permission", "permission", NULL},
	{"name", "user.display_name", NULL},
	{"added", "added_on", NULL, RESOURCE_TIME},
	{"uuid", "user.uuid", NULL},
	{NULL, NULL, NULL},
};

static const struct resource_column repository_permission[] = {
	{"repository", "repository.full_name|repository.name", NULL},
	{"user", PERSON("user"), NULL},
	{"permission", "permission", NULL},
	{"name", "user.display_name", NULL},
	{"uuid", "user.uuid", NULL},
	{NULL, NULL, NULL},
};

static const struct resource pipelines_rows[] = {
	NUMBERED_LIST("runners", WORKSPACE "/pipelines-config/runners", "uuid",
		      2 * MINUTE_S, shared_runner),
	NUMBERED_LIST("variables", WORKSPACE "/pipelines-config/variables",
		      "uuid", 30 * MINUTE_S, shared_variable),
	{0},
};

const struct resource resource_workspace[] = {
	{
		.name = ".workspace",
		.kind = RESOURCE_OBJECT,
		.endpoint = WORKSPACE,
		.special = RESOURCE_ABOUT_WORKSPACE,
		.ttl_s = 1 * HOUR_S,
		.files = workspace_files,
		.rows =
			(const struct resource[]){
				GROUP("gpg",
				      ROWS(TEXT("public-key",
						WORKSPACE
						"/settings/gpg/public-key",
						1 * DAY_S))),
				LIST("hooks", WORKSPACE "/hooks", "uuid",
				     30 * MINUTE_S, shared_hook),
				LIST("members", WORKSPACE "/members",
				     "user.uuid", 1 * HOUR_S, member),
				{
					.name = "my-pullrequests",
					.kind = RESOURCE_COLLECTION,
					.endpoint = WORKSPACE
					"/pullrequests/{me}?pagelen=50"
					"&fields=%2Bvalues.reviewers",
					.q = "state=\"OPEN\"",
					.paging = RESOURCE_NEWEST,
					/* Numbers are unique within a
					 * repository only.
					 */
					.id = "links.self.href",
					.ttl_s = 5 * MINUTE_S,
					.newest = PULLREQUESTS_NEWEST,
					.columns = pullrequest_my_columns,
				},
				LIST("my-repository-permissions",
				     "/user/workspaces/{ws}/permissions/"
				     "repositories",
				     "repository.uuid", 30 * MINUTE_S,
				     repository_permission),
				LIST("permissions", WORKSPACE "/permissions",
				     "user.uuid", 30 * MINUTE_S, membership),
				GROUP("pipelines", pipelines_rows),
				LIST("projects", WORKSPACE "/projects", NULL,
				     30 * MINUTE_S, projects_columns,
				     .items = &projects_items),
				GROUP("repositories", NULL,
				      .special = RESOURCE_REPOSITORY_FILES),
				TEXT("red.tsv", NULL, 0,
				     .special = RESOURCE_RED),
				LIST("repository-permissions",
				     WORKSPACE "/permissions/repositories",
				     NULL, 30 * MINUTE_S,
				     repository_permission),
				GROUP("review-requested", NULL,
				      .special = RESOURCE_REVIEW),
				LIST("snippets", "/snippets/{ws}", NULL,
				     10 * MINUTE_S, snippets_columns,
				     .items = &snippets_items),
				{0},
			},
	},
	{0},
};

/* ---- the account ---- */

static const struct resource_column email[] = {
	{"email", "email", NULL},
	{"primary", "is_primary", NULL},
	{"confirmed", "is_confirmed", NULL},
	{NULL, NULL, NULL},
};

static const struct resource_column ssh_key[] = {
	{"label", "label", NULL},
	{"comment", "comment", NULL},
	{"fingerprint", "fingerprint", NULL},
	{"created", "created_on", NULL, RESOURCE_TIME},
	{"last_used", "last_used", NULL, RESOURCE_TIME},
	{"expires", "expires_on", NULL, RESOURCE_TIME},
	{"uuid", "uuid", NULL},
	{"key", "key", NULL},
	{NULL, NULL, NULL},
};

static const struct resource_column gpg_key[] = {
	{"key_id", "key_id", NULL},
	{"name", "name", NULL},
	{"fingerprint", "fingerprint", NULL},
	{"created", "created_on", NULL, RESOURCE_TIME},
	{"added", "added_on", NULL, RESOURCE_TIME},
	{"last_used", "last_used", NULL, RESOURCE_TIME},
	{"expires", "expires_on", NULL, RESOURCE_TIME},
	{NULL, NULL, NULL},
};

const struct resource resource_account = {
	.name = "account",
	.kind = RESOURCE_GROUP,
	.rows = ROWS(
		LIST("emails", "/user/emails", "email", 1 * HOUR_S, email, SHY),
		LIST("gpg-keys", "/users/{me}/gpg-keys", "fingerprint",
		     1 * HOUR_S, gpg_key, SHY),
		LIST("ssh-keys", "/users/{me}/ssh-keys", "uuid", 1 * HOUR_S,
		     ssh_key, SHY)),
};

const struct resource resource_user = {
	.name = "user",
	.kind = RESOURCE_OBJECT,
	.endpoint = "/user",
	.ttl_s = 1 * DAY_S,
	.files =
		(const struct resource_file[]){
			{"user.json", resource_json, NULL, NULL},
			{NULL, NULL, NULL, NULL},
		},
};

/* ---- the root, and what is in a workspace ---- */

static const struct resource_items workspace_items = {
	.name_path = "slug",
	.id_path = "uuid",
};

const struct resource resource_workspaces = {
	.name = "",
	.kind = RESOURCE_COLLECTION,
	.endpoint = "/user/workspaces?pagelen=100",
	.special = RESOURCE_WORKSPACES,
	.ttl_s = 10 * MINUTE_S,
	.rows = ROWS(GROUP(".bitbucketfs", NULL, .special = RESOURCE_CONTROL)),
	.items = &workspace_items,
};
