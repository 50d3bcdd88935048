/*
 * table/resource, inside: what the files of the table share.
 */
#ifndef TABLE_ROWS_H
#define TABLE_ROWS_H

#include "table/resource.h"

#define MINUTE_S 60
#define HOUR_S 3600
#define DAY_S (24 * HOUR_S)
/* Of an answer that cannot change. */
#define FOREVER_S (INT64_C(10) * 365 * DAY_S)

/* People, in every place where the API has them. */
#define NAMES "nickname|display_name|uuid"
#define PERSON(at) at ".nickname|" at ".display_name|" at ".uuid"

#define REPOSITORY "/repositories/{ws}/{repo}"
#define PULLREQUESTS                                                   \
	REPOSITORY "/pullrequests"                                     \
		   "?pagelen=50&fields=%2Bvalues.reviewers,%2Bvalues." \
		   "participants"
/* Their order in an index. */
#define PULLREQUESTS_NEWEST "updated_on|created_on"
#define PULLREQUEST_COMMIT "source.commit.hash"
#define PULLREQUEST REPOSITORY "/pullrequests/{1}"
#define COMMIT REPOSITORY "/commit/{1}"
#define WORKSPACE "/workspaces/{ws}"

/* A collection; the arguments after the columns are further members (UNLISTED,
 * .items: without these it has only its index). */
#define LIST(its_name, its_endpoint, its_id, its_ttl_s, its_columns, ...) \
	{                                                                 \
		.name = its_name, .kind = RESOURCE_COLLECTION,            \
		.endpoint = its_endpoint "?pagelen=100", .id = its_id,    \
		.ttl_s = its_ttl_s, .columns = its_columns, __VA_ARGS__   \
	}
/* The same for a list that never says where the next page is. */
#define NUMBERED_LIST(its_name, its_endpoint, its_id, its_ttl_s, its_columns,  \
		      ...)                                                     \
	{                                                                      \
		.name = its_name, .kind = RESOURCE_COLLECTION,                 \
		.endpoint = its_endpoint "?pagelen=100",                       \
		.paging = RESOURCE_NUMBERED, .id = its_id, .ttl_s = its_ttl_s, \
		.columns = its_columns, __VA_ARGS__                            \
	}
/* One object without rows below. */
#define OBJECT(its_name, its_endpoint, its_ttl_s, its_files, ...) \
	{                                                         \
		.name = its_name, .kind = RESOURCE_OBJECT,        \
		.endpoint = its_endpoint, .ttl_s = its_ttl_s,     \
		.files = its_files, __VA_ARGS__                   \
	}
/* The bytes of one answer. */
#define TEXT(its_name, its_endpoint, its_ttl_s, ...)                      \
	{                                                                 \
		.name = its_name, .kind = RESOURCE_TEXT,                  \
		.endpoint = its_endpoint, .ttl_s = its_ttl_s, __VA_ARGS__ \
	}
/* The rows below one, where it has them for itself. */
#define ROWS(...) ((const struct resource[]){__VA_ARGS__, {0}})
/* Not listed, found by its name alone: each listed directory is a request of
 * every walk. */
#define UNLISTED .is_unlisted = true
#define SHY .is_shy = true
#define GROUP(its_name, its_rows, ...)                                      \
	{                                                                   \
		.name = its_name, .kind = RESOURCE_GROUP, .rows = its_rows, \
		__VA_ARGS__                                                 \
	}
/* What was said of a thing, and what other programs say of its commit. */
#define COMMENTS(at, its_ttl_s)                           \
	LIST("comments", at "/comments", "id", its_ttl_s, \
	     commits_comment_columns, .files = commits_comment_files)
#define STATUSES(at, its_ttl_s)                                        \
	LIST("statuses", at "/statuses", "links.self.href", its_ttl_s, \
	     commits_status_columns, .is_builds = true)

/* In an index whose row has builds. */
#define BUILDS                                  \
	{                                       \
		"builds", RESOURCE_BUILDS, NULL \
	}

/* The files of most things: `info` of those columns, which further members may
 * follow, and the answer; in the order of their names. */
#define INFO_AND_JSON(json_name, ...)                       \
	((const struct resource_file[]){                    \
		{"info", resource_info, NULL, __VA_ARGS__}, \
		{json_name, resource_json},                 \
		{0}})
#define JSON_AND_INFO(json_name, ...)                       \
	((const struct resource_file[]){                    \
		{json_name, resource_json},                 \
		{"info", resource_info, NULL, __VA_ARGS__}, \
		{0}})

/* Who may do what. */
#define PERMISSIONS(at)                                                        \
	GROUP("permissions",                                                   \
	      ROWS(LIST("groups", at "/permissions-config/groups",             \
			"group.slug", 30 * MINUTE_S, shared_group_permission), \
		   LIST("users", at "/permissions-config/users", "user.uuid",  \
			30 * MINUTE_S, shared_user_permission)))
/* The files at the commit that an item names. */
#define RESOURCE_TREE_ROW GROUP("tree", NULL, .special = RESOURCE_COMMIT_TREE)

/* The rows of a repository, each in its file. */
extern const struct resource_column pullrequest_columns[];
extern const struct resource_column pullrequest_my_columns[];
extern const struct resource_file pullrequest_files[];
extern const struct resource_items pullrequests_items;
int pullrequest_summary(const struct resource_file *, const struct json *with,
			struct buf *out);
extern const struct resource pullrequests_states[];
extern const struct resource_items commits_items;
extern const struct resource_column commits_columns[];
extern const struct resource_column refs_branch_columns[];
extern const struct resource_column refs_tag_columns[];
extern const struct resource network_rows[];
extern const struct resource settings_rows[];
extern const struct resource deployments_pipelines_settings_rows[];
extern const struct resource_column deployments_pipelines_settings[];
extern const struct resource_column pipelines_columns[];
extern const struct resource_items pipelines_items;
extern const struct resource_column downloads_columns[];
extern const struct resource_items downloads_items;
extern const struct resource_column deployments_columns[];
extern const struct resource_items deployments_items;
extern const struct resource_beside deployments_environment;
extern const struct resource_column deployments_environment_columns[];
extern const struct resource_items deployments_environment_items;
extern const struct resource_column issues_columns[];
extern const struct resource_items issues_items;
/* Of a workspace. */
extern const struct resource_column projects_columns[];
extern const struct resource_items projects_items;
extern const struct resource_column snippets_columns[];
extern const struct resource_items snippets_items;

/* Columns and files that several places have: shared.c. */
extern const struct resource_column shared_person[];
extern const struct resource_column shared_default_reviewer[];
extern const struct resource_column shared_deploy_key[];
extern const struct resource_column shared_group_permission[];
extern const struct resource_column shared_user_permission[];
extern const struct resource_column shared_hook[];
extern const struct resource_column shared_runner[];
extern const struct resource_column shared_variable[];
extern const struct resource_column shared_commit[];
extern const struct resource_column shared_branching_model[];
extern const struct resource_column shared_branching_settings[];

/* Of pull requests and of commits. */
extern const struct resource_column commits_change_columns[];
extern const struct resource_column commits_status_columns[];
extern const struct resource_column commits_comment_columns[];
extern const struct resource_file commits_comment_files[];

/* "ada,grace": of an array, the values at a path of each, those who `want`
 * (NULL: all). */
void resource_people(const struct json *array, const char *path,
		     bool (*want)(const struct json *), struct buf *out);
/* RESOURCE_LIST, RESOURCE_JIRA. */
void resource_list(const char *path, const struct json *item, struct buf *out);
void resource_jira(const char *path, const struct json *item, struct buf *out);
/* resource_at, if it is a text; else NULL. */
const char *resource_str(const struct json *, const char *path);
/* Takes the first alternative off *path; NULL: there is none left. */
#define RESOURCE_PATH_MOST 128
const char *resource_next_path(const char **path,
			       char one[static RESOURCE_PATH_MOST]);
/* A file of a collection of comments: the conversation, for people. */
int conversation_render(const struct resource_file *,
			const struct json *comments, struct buf *out);
/* A text of it, without what moves a terminal; its lines end in \n. */
void conversation_text(const char *text, struct buf *out);

/* Names that are numbers: pull requests, pipelines. At most 18 digits, no
 * leading zero. */
bool resource_is_number(const char *name);

#endif
