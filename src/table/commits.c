/*
 * table/resource: commits, and what they have in common with pull requests:
 * changes, comments, statuses.
 *
 * A commit named by its whole id never changes (src/api/README.md, 13): it is
 * asked for once. What is said of it does.
 */
#include "table/rows.h"

#include "base/text.h"

/* ---- shared with pull requests ---- */

const struct resource_column commits_change_columns[] = {
	{"status", "status", NULL},         {"added", "lines_added", NULL},
	{"removed", "lines_removed", NULL}, {"old", "old.path", NULL},
	{"new", "new.path", NULL},          {NULL, NULL, NULL},
};

static void comment_state(const struct json *item, struct buf *out)
{
	if (json_bool(item, "deleted", false))
		buf_puts(out, "deleted");
	else if (json_bool(item, "pending", false))
		buf_puts(out, "pending");
	else if (json_at(item, "resolution"))
		buf_puts(out, "resolved");
}

const struct resource_column commits_comment_columns[] = {
	{"id", "id", NULL},
	{"author", PERSON("user"), NULL},
	{"created", "created_on", NULL, RESOURCE_TIME},
	{"updated", "updated_on", NULL, RESOURCE_TIME},
	{"file", "inline.path", NULL},
	{"line", "inline.to|inline.from", NULL},
	{"parent", "parent.id", NULL},
	{"state", NULL, comment_state},
	{"url", "links.html.href", NULL},
	{"text", "content.raw", NULL},
	{NULL, NULL, NULL},
};

const struct resource_file commits_comment_files[] = {
	{"thread.md", conversation_render, NULL, NULL},
	{NULL, NULL, NULL, NULL},
};

const struct resource_column commits_status_columns[] = {
	{"key", "key", NULL},
	{"state", "state", NULL},
	{"name", "name", NULL},
	{"ref", "refname", NULL},
	{"created", "created_on", NULL, RESOURCE_TIME},
	{"updated", "updated_on", NULL, RESOURCE_TIME},
	{"url", "url", NULL},
	{"description", "description", NULL},
	{NULL, NULL, NULL},
};

/* ---- a commit ---- */

static void jira(const struct json *item, struct buf *out)
{
	static const char *const paths[] = {"message", "summary.raw", NULL};

	values_jira(item, paths, out);
}

static void title(const struct json *item, struct buf *out)
{
	values_first_line(item, "message|summary.raw", out);
}

static void parents(const struct json *item, struct buf *out)
{
	values_people(json_at(item, "parents"), "hash", NULL, out);
}

const struct resource_column commits_columns[] = {
	{"hash", "hash", NULL},
	{"date", "date", NULL, RESOURCE_TIME},
	{"author", PERSON("author.user") "|author.raw", NULL},
	{"jira", NULL, jira},
	{"url", "links.html.href", NULL},
	{"title", NULL, title},
	{NULL, NULL, NULL},
};

static const struct resource_column info[] = {
	{"hash", "hash", NULL},
	{"date", "date", NULL, RESOURCE_TIME},
	{"author", PERSON("author.user") "|author.raw", NULL},
	{"author_raw", "author.raw", NULL},
	{"committer", PERSON("committer.user") "|committer.raw", NULL},
	{"parents", NULL, parents},
	{"jira", NULL, jira},
	{"title", NULL, title},
	{"url", "links.html.href", NULL},
	{NULL, NULL, NULL},
};

static const struct resource_file files[] = {
	{"commit.json", resource_json, NULL, NULL},
	{"info", resource_info, NULL, info},
	{"message", resource_text, "message|summary.raw", NULL},
	{NULL, NULL, NULL, NULL},
};

/* ---- what is below ---- */

static const struct resource diff[] = {
	{
		.name = "diff",
		.kind = RESOURCE_TEXT,
		.endpoint = REPOSITORY "/diff/{1}",
		.ttl_s = FOREVER_S,
	},
	{0},
};

static const struct resource_column annotation_columns[] = {
	{"id", "external_id|uuid", NULL},
	{"type", "annotation_type", NULL},
	{"severity", "severity", NULL},
	{"result", "result", NULL},
	{"file", "path", NULL},
	{"line", "line", NULL},
	{"summary", "summary", NULL},
	{"link", "link", NULL},
	{NULL, NULL, NULL},
};

static const struct resource annotations[] = {
	{
		.name = "annotations",
		.kind = RESOURCE_COLLECTION,
		.endpoint = COMMIT "/reports/{2}/annotations?pagelen=100",
		.ttl_s = 10 * MINUTE_S,
		.columns = annotation_columns,
	},
	{0},
};

static const struct resource_column report_columns[] = {
	{"id", "external_id|uuid", NULL},
	{"type", "report_type", NULL},
	{"result", "result", NULL},
	{"reporter", "reporter", NULL},
	{"created", "created_on", NULL, RESOURCE_TIME},
	{"updated", "updated_on", NULL, RESOURCE_TIME},
	{"title", "title", NULL},
	{NULL, NULL, NULL},
};

static const struct resource_column report_info[] = {
	{"id", "external_id", NULL},
	{"uuid", "uuid", NULL},
	{"title", "title", NULL},
	{"type", "report_type", NULL},
	{"result", "result", NULL},
	{"reporter", "reporter", NULL},
	{"created", "created_on", NULL, RESOURCE_TIME},
	{"updated", "updated_on", NULL, RESOURCE_TIME},
	{"details", "details", NULL},
	{"link", "link", NULL},
	{NULL, NULL, NULL},
};

static const struct resource_file report_files[] = {
	{"info", resource_info, NULL, report_info},
	{"report.json", resource_json, NULL, NULL},
	{NULL, NULL, NULL, NULL},
};

static const struct resource_items reports = {
	.name_path = "external_id|uuid",
	.id_path = "uuid",
	.time_path = "updated_on|created_on",
	.files = report_files,
	.rows = annotations,
};

static const struct resource below[] = {
	{
		.name = "changes",
		.kind = RESOURCE_COLLECTION,
		.endpoint = REPOSITORY "/diffstat/{1}?pagelen=500",
		.ttl_s = FOREVER_S,
		.is_computed = true,
		.columns = commits_change_columns,
		.rows = diff,
	},
	{
		.name = "comments",
		.kind = RESOURCE_COLLECTION,
		.endpoint = COMMIT "/comments?pagelen=100",
		.id = "id",
		.ttl_s = 10 * MINUTE_S,
		.columns = commits_comment_columns,
		.files = commits_comment_files,
	},
	/* Indexes alone: links to the pull requests would lead back here from
	 * their commits/, and a program that follows links would walk for ever.
	 * Not listed: where the add-on that answers is missing, each walk would
	 * end with a failure. */
	{
		.name = "pullrequests",
		.kind = RESOURCE_COLLECTION,
		.endpoint = COMMIT "/pullrequests?pagelen=100",
		.id = "id",
		.ttl_s = 10 * MINUTE_S,
		.is_unlisted = true,
		.newest = PULLREQUESTS_NEWEST,
		.columns = pullrequest_columns,
	},
	{
		.name = "reports",
		.kind = RESOURCE_COLLECTION,
		.endpoint = COMMIT "/reports?pagelen=100",
		.ttl_s = 10 * MINUTE_S,
		.columns = report_columns,
		.items = &reports,
	},
	{
		.name = "statuses",
		.kind = RESOURCE_COLLECTION,
		.endpoint = COMMIT "/statuses?pagelen=100",
		.id = "links.self.href",
		.ttl_s = 2 * MINUTE_S,
		.columns = commits_status_columns,
	},
	RESOURCE_TREE_ROW,
	{0},
};

/* ---- the list ---- */

static bool is_final(const struct json *item)
{
	const char *hash = json_str(item, "hash");

	return hash && text_is_oid(hash);
}

const struct resource_items commits_items = {
	.name_path = "hash",
	.id_path = "hash",
	.time_path = "date",
	.endpoint = COMMIT,
	.is_name = text_is_oid,
	.is_final = is_final,
	.files = files,
	.rows = below,
};
