/*
 * table/resource: what is said of one pull request: the columns of each
 * index.tsv of them (pullrequests/ and its states, .workspace/my-pullrequests),
 * and the files of each. A column of both an index and `info` is in the
 * INDEX_AND_INFO_… below.
 *
 * The list gives a pull request whole, but for reviewers and participants,
 * which have to be asked for (src/api/README.md, 12: fields).
 */
#include "table/rows.h"

/* ---- values ---- */

static bool has_approved(const struct json *participant)
{
	return json_bool(participant, "approved", false);
}

static bool wants_changes(const struct json *participant)
{
	const char *state = json_str(participant, "state");

	return state && !strcmp(state, "changes_requested");
}

static void approvals(const struct json *item, struct buf *out)
{
	resource_people(json_at(item, "participants"), PERSON("user"),
			has_approved, out);
}

static void requests(const struct json *item, struct buf *out)
{
	resource_people(json_at(item, "participants"), PERSON("user"),
			wants_changes, out);
}

/* ---- a pull request ---- */

/* In each index.tsv and in `info`, in this order; between them stands what a
 * list of the account's own leaves out. */
#define INDEX_AND_INFO_STATE           \
	{"id", "id", NULL},            \
	{                              \
		"state", "state", NULL \
	}
#define INDEX_AND_INFO_BRANCHES                                      \
	{"updated", "updated_on", NULL, RESOURCE_TIME},              \
		{"created", "created_on", NULL, RESOURCE_TIME},      \
		{"source", "source.branch.name", NULL},              \
		{"destination", "destination.branch.name", NULL},    \
	{                                                            \
		"reviewers", "reviewers:" NAMES, NULL, RESOURCE_LIST \
	}
#define INDEX_AND_INFO_REST                                                 \
	{"comments", "comment_count", NULL}, {"tasks", "task_count", NULL}, \
		{"draft", "draft", NULL, RESOURCE_TRUTH},                   \
	{                                                                   \
		"jira", "title|source.branch.name|description|summary.raw", \
			NULL, RESOURCE_JIRA                                 \
	}
#define INDEX_AND_INFO                                                  \
	INDEX_AND_INFO_STATE, {"author", PERSON("author"), NULL},       \
		INDEX_AND_INFO_BRANCHES, {"approved", NULL, approvals}, \
		{"changes_requested", NULL, requests}, INDEX_AND_INFO_REST

const struct resource_column pullrequest_columns[] = {
	INDEX_AND_INFO,
	BUILDS,
	{"url", "links.html.href", NULL},
	{"title", "title", NULL},
	{NULL, NULL, NULL},
};

/* Those of one's own: of many repositories, by one author; participants are not
 * asked for. */
const struct resource_column pullrequest_my_columns[] = {
	{"repository", "destination.repository.full_name", NULL},
	INDEX_AND_INFO_STATE,
	INDEX_AND_INFO_BRANCHES,
	INDEX_AND_INFO_REST,
	{"url", "links.html.href", NULL},
	{"title", "title", NULL},
	{NULL, NULL, NULL},
};

/* Those of many repositories, by others. */
const struct resource_column pullrequest_review_columns[] = {
	{"repository", "destination.repository.full_name", NULL},
	INDEX_AND_INFO,
	BUILDS,
	{"url", "links.html.href", NULL},
	{"title", "title", NULL},
	{NULL, NULL, NULL},
};

const char pullrequest_review_newest[] = PULLREQUESTS_NEWEST;

static const struct resource_column info[] = {
	INDEX_AND_INFO,
	{"title", "title", NULL},
	{"source_repository", "source.repository.full_name", NULL},
	{"source_commit", "source_commit|source.commit.hash", NULL},
	{"destination_repository", "destination.repository.full_name", NULL},
	{"destination_commit", "destination_commit|destination.commit.hash",
	 NULL},
	{"merge_commit", "merge_commit_id|merge_commit.hash", NULL},
	{"close_source_branch", "close_source_branch", NULL, RESOURCE_TRUTH},
	{"queued", "queued", NULL, RESOURCE_TRUTH},
	{"closed_by", PERSON("closed_by"), NULL},
	{"reason", "reason", NULL},
	{"url", "links.html.href", NULL},
	{NULL, NULL, NULL},
};

/* The service gives 12 digits of each. */
static const struct resource_column commits[RESOURCE_COMMITS_MOST + 1] = {
	{"source_commit", "source.commit.hash", NULL},
	{"destination_commit", "destination.commit.hash", NULL},
	{"merge_commit_id", "merge_commit.hash", NULL},
};

const struct resource_file pullrequest_files[] = {
	{"description.md", resource_text, "summary.raw|description", NULL},
	{"info", resource_info, NULL, info, .commits = commits},
	{"pullrequest.json", resource_json, NULL, NULL},
	{"summary.md", pullrequest_summary, NULL, info,
	 (const char *const[]){"tasks", "statuses", NULL}, commits},
	{"title", resource_text, "title", NULL},
	{NULL, NULL, NULL, NULL},
};
