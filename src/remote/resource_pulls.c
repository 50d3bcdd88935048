/*
 * remote/resource: pull requests.
 *
 * The list gives a pull request whole, but for reviewers and participants,
 * which have to be asked for (FACTS §5: fields).
 */
#include "resource_private.h"

/* "ada, grace": the people of an array, at a path of each, those who `want`. */
static void people(const struct json *array, const char *path,
		   bool (*want)(const struct json *), struct buf *out)
{
	bool first = true;

	if (!json_is_array(array))
		return;
	for (const struct json *i = json_first(array); i; i = json_next(i)) {
		const struct json *name = resource_at(i, path);

		if (!name || !json_is_string(name) || (want && !want(i)))
			continue;
		buf_printf(out, "%s%s", first ? "" : ", ", json_str(name, ""));
		first = false;
	}
}

static bool has_approved(const struct json *participant)
{
	return json_bool(participant, "approved", false);
}

static void reviewers(const struct json *item, struct buf *out)
{
	people(json_at(item, "reviewers"), "nickname|display_name|uuid", NULL,
	       out);
}

static void approvals(const struct json *item, struct buf *out)
{
	people(json_at(item, "participants"), PERSON("user"), has_approved,
	       out);
}

const struct resource_column resource_pullrequest_columns[] = {
	{"id", "id", NULL},
	{"state", "state", NULL},
	{"author", PERSON("author"), NULL},
	{"updated", "updated_on", NULL},
	{"created", "created_on", NULL},
	{"source", "source.branch.name", NULL},
	{"destination", "destination.branch.name", NULL},
	{"reviewers", NULL, reviewers},
	{"approved", NULL, approvals},
	{"comments", "comment_count", NULL},
	{"tasks", "task_count", NULL},
	{"title", "title", NULL},
	{NULL, NULL, NULL},
};

static const struct resource_file files[] = {
	{"description.md", resource_text, "summary.raw|description", NULL},
	{"info", resource_info, NULL, resource_pullrequest_columns},
	{"pullrequest.json", resource_json, NULL, NULL},
	{"title", resource_text, "title", NULL},
	{NULL, NULL, NULL, NULL},
};

static const struct resource_column comment_columns[] = {
	{"id", "id", NULL},
	{"author", PERSON("user"), NULL},
	{"created", "created_on", NULL},
	{"file", "inline.path", NULL},
	{"line", "inline.to|inline.from", NULL},
	{"parent", "parent.id", NULL},
	{"text", "content.raw", NULL},
	{NULL, NULL, NULL},
};

static const char *where(const struct json *item)
{
	const char *state = json_str(item, "state");

	if (!state || !strcmp(state, "OPEN"))
		return "";
	return !strcmp(state, "MERGED")     ? "merged"
	       : !strcmp(state, "DECLINED") ? "declined"
					    : "superseded";
}

static const struct resource below[] = {
	{
		.name = "comments",
		.kind = RESOURCE_COLLECTION,
		.endpoint = PULLREQUEST "/comments?pagelen=100",
		.id = "id",
		.ttl_s = 2 * MINUTE_S,
		.columns = comment_columns,
	},
	{0},
};

const struct resource_items resource_pullrequest_items = {
	.name_path = "id",
	.id_path = "id",
	.time_path = "updated_on|created_on",
	.endpoint = PULLREQUEST,
	.is_name = resource_is_number,
	.where = where,
	.files = files,
	.rows = below,
};

#define IN_STATE(row_name, state)                                     \
	{                                                             \
		.name = row_name, .kind = RESOURCE_COLLECTION,        \
		.endpoint = PULLREQUESTS, .q = "state=\"" state "\"", \
		.paging = RESOURCE_NEWEST, .ttl_s = 10 * MINUTE_S,    \
		.is_history = true, .is_beside = true,                \
		.columns = resource_pullrequest_columns,              \
		.items = &resource_pullrequest_items,                 \
	}

const struct resource resource_pullrequest_states[] = {
	IN_STATE("declined", "DECLINED"),
	IN_STATE("merged", "MERGED"),
	IN_STATE("superseded", "SUPERSEDED"),
	{0},
};
