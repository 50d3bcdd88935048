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

const struct resource_column commits_columns[] = {
	{"hash", "hash", NULL},
	{"date", "date", NULL, RESOURCE_TIME},
	{"author", PERSON("author.user") "|author.raw", NULL},
	{"jira", "message|summary.raw", NULL, RESOURCE_JIRA},
	BUILDS,
	{"url", "links.html.href", NULL},
	{"title", "message|summary.raw", NULL, RESOURCE_LINE},
	{NULL, NULL, NULL},
};

static const struct resource_column info[] = {
	{"hash", "hash", NULL},
	{"date", "date", NULL, RESOURCE_TIME},
	{"author", PERSON("author.user") "|author.raw", NULL},
	{"author_raw", "author.raw", NULL},
	{"committer", PERSON("committer.user") "|committer.raw", NULL},
	{"parents", "parents:hash", NULL, RESOURCE_LIST},
	{"jira", "message|summary.raw", NULL, RESOURCE_JIRA},
	{"title", "message|summary.raw", NULL, RESOURCE_LINE},
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

static const struct resource_items reports = {
	.name_path = "external_id|uuid",
	.id_path = "uuid",
	.time_path = "updated_on|created_on",
	.files = INFO_AND_JSON("report.json", report_info),
	.rows = ROWS(LIST("annotations", COMMIT "/reports/{2}/annotations",
			  NULL, 10 * MINUTE_S, annotation_columns)),
};

static const struct resource below[] = {
	{
		.name = "changes",
		.kind = RESOURCE_COLLECTION,
		.endpoint = REPOSITORY "/diffstat/{1}?pagelen=500",
		.ttl_s = FOREVER_S,
		.is_computed = true,
		.columns = commits_change_columns,
		.rows = ROWS(TEXT("diff", REPOSITORY "/diff/{1}", FOREVER_S)),
	},
	COMMENTS(COMMIT, 10 * MINUTE_S),
	/* Indexes alone: links to the pull requests would lead back here from
	 * their commits/, and a program that follows links would walk for ever.
	 * Not listed: where the add-on that answers is missing, each walk would
	 * end with a failure. */
	LIST("pullrequests", COMMIT "/pullrequests", "id", 10 * MINUTE_S,
	     pullrequest_columns, UNLISTED, .newest = PULLREQUESTS_NEWEST,
	     .builds = PULLREQUEST_COMMIT),
	LIST("reports", COMMIT "/reports", NULL, 10 * MINUTE_S, report_columns,
	     .items = &reports),
	STATUSES(COMMIT, 2 * MINUTE_S),
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
