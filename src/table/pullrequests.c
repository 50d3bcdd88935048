/*
 * table/resource: pull requests: what is below each of them, and the lists of
 * those that are merged, declined, superseded. The columns of index.tsv and the
 * files of each are in pullrequest_columns.c, the row "pullrequests" itself in
 * repository.c.
 *
 * Of a closed pull request nothing changes any more but comments: so there are
 * two sets of rows, one for open pull requests and one for the others.
 */
#include "table/rows.h"

#include "base/text.h"

static const char *where(const struct json *item)
{
	const char *state = json_str(item, "state");

	if (!state || !strcmp(state, "OPEN"))
		return "";
	return !strcmp(state, "MERGED")     ? "merged"
	       : !strcmp(state, "DECLINED") ? "declined"
					    : "superseded";
}

static bool is_closed(const struct json *item)
{
	return *where(item) != '\0';
}

static void event(const struct json *item, enum resource_event how,
		  struct buf *what)
{
	const char *state = json_str(item, "state");
	const char *title = json_str(item, "title");
	bool is_open = !*where(item);

	if (how == RESOURCE_ITEM_GONE)
		buf_printf(what, "pull request %s",
			   is_open ? "closed" : where(item));
	else if (how == RESOURCE_ITEM_NEW)
		buf_puts(what, "pull request opened");
	else
		buf_puts(what, "pull request updated");
	if (state && title)
		buf_printf(what, ": %s", title);
}

/* ---- what is below ---- */

/* An event is {"pull_request": …, "<its kind>": …}. */
static void event_kind(const struct json *item, struct buf *out)
{
	if (!json_is_object(item))
		return;
	JSON_EACH (i, item) {
		if (strcmp(json_key(i), "pull_request") != 0) {
			buf_puts(out, json_key(i));
			return;
		}
	}
}

#define EVENT_PERSON                                                       \
	PERSON("update.author")                                            \
	"|" PERSON("comment.user") "|" PERSON("approval.user") "|" PERSON( \
		"changes_requested.user")

static const struct resource_column event_columns[] = {
	{"date",
	 "update.date|comment.created_on|approval.date|changes_requested.date",
	 NULL, RESOURCE_TIME},
	{"event", NULL, event_kind},
	{"author", EVENT_PERSON, NULL},
	{"state", "update.state", NULL},
	{"comment", "comment.id", NULL},
	{"file", "comment.inline.path", NULL},
	{"text", "comment.content.raw|update.reason|update.title", NULL},
	{NULL, NULL, NULL},
};

static const struct resource_column task_columns[] = {
	{"id", "id", NULL},
	{"state", "state", NULL},
	{"author", PERSON("creator"), NULL},
	{"created", "created_on", NULL, RESOURCE_TIME},
	{"updated", "updated_on", NULL, RESOURCE_TIME},
	{"resolved", "resolved_on", NULL, RESOURCE_TIME},
	{"resolved_by", PERSON("resolved_by"), NULL},
	{"comment", "comment.id", NULL},
	{"url", "links.html.href", NULL},
	{"text", "content.raw", NULL},
	{NULL, NULL, NULL},
};

static const struct resource_column conflict_columns[] = {
	{"path", "path", NULL},
	{"scenario", "scenario", NULL},
	{"message", "message", NULL},
	{NULL, NULL, NULL},
};

static const struct resource_direct direct_diff = {
	.link = "links.diff.href",
	.endpoint = REPOSITORY "/diff/",
	.is_final = is_closed,
};
static const struct resource_direct direct_diffstat = {
	.link = "links.diffstat.href",
	.endpoint = REPOSITORY "/diffstat/",
	.is_final = is_closed,
};

/* From pullrequests/12/commits/ and pullrequests/merged/12/commits/. */
static void commit_link(const char *id, struct buf *target)
{
	buf_puts(target, "../../../commits/");
	text_percent_encode(target, id, "");
}

static void closed_commit_link(const char *id, struct buf *target)
{
	buf_puts(target, "../");
	commit_link(id, target);
}

static const struct resource_items commits = {
	.name_path = "hash",
	.id_path = "hash",
	.time_path = "date",
	.link = commit_link,
};

static const struct resource_items closed_commits = {
	.name_path = "hash",
	.id_path = "hash",
	.time_path = "date",
	.link = closed_commit_link,
};

#define ACTIVITY(ttl)                                                         \
	{                                                                     \
		.name = "activity", .kind = RESOURCE_COLLECTION,              \
		.endpoint = PULLREQUEST "/activity?pagelen=50",               \
		.ttl_s = (ttl), .is_history = true, .columns = event_columns, \
	}
#define CHANGES(ttl)                                                    \
	{                                                               \
		.name = "changes", .kind = RESOURCE_COLLECTION,         \
		.endpoint = PULLREQUEST "/diffstat?pagelen=500",        \
		.direct = &direct_diffstat, .ttl_s = (ttl),             \
		.is_computed = true, .columns = commits_change_columns, \
		.rows = ROWS(TEXT("diff", PULLREQUEST "/diff", ttl,     \
				  .direct = &direct_diff)),             \
	}
#define COMMITS(ttl, its_items)                                             \
	LIST("commits", PULLREQUEST "/commits", NULL, ttl, commits_columns, \
	     .listing = RESOURCE_LISTS_NONE, .builds = "hash",              \
	     .items = its_items)
#define TASKS(ttl) LIST("tasks", PULLREQUEST "/tasks", "id", ttl, task_columns)

static const struct resource below[] = {
	ACTIVITY(5 * MINUTE_S),
	CHANGES(5 * MINUTE_S),
	COMMENTS(PULLREQUEST, 2 * MINUTE_S),
	COMMITS(5 * MINUTE_S, &commits),
	{
		.name = "conflicts",
		.kind = RESOURCE_COLLECTION,
		.endpoint = PULLREQUEST "/conflicts?pagelen=500",
		.id = "path",
		.ttl_s = 5 * MINUTE_S,
		.is_computed = true,
		.is_unlisted = true,
		.columns = conflict_columns,
	},
	STATUSES(PULLREQUEST, 2 * MINUTE_S),
	TASKS(5 * MINUTE_S),
	RESOURCE_TREE_ROW,
	{0},
};

static const struct resource closed_below[] = {
	ACTIVITY(10 * MINUTE_S),
	CHANGES(FOREVER_S),
	COMMENTS(PULLREQUEST, 10 * MINUTE_S),
	COMMITS(FOREVER_S, &closed_commits),
	STATUSES(PULLREQUEST, 10 * MINUTE_S),
	TASKS(10 * MINUTE_S),
	RESOURCE_TREE_ROW,
	{0},
};

/* ---- the lists ---- */

#define ITEMS(its_rows, its_event)                                             \
	{                                                                      \
		.name_path = "id", .id_path = "id",                            \
		.time_path = "updated_on|created_on", .endpoint = PULLREQUEST, \
		.is_name = resource_is_number, .where = where,                 \
		.event = (its_event), .is_event_later = true,                  \
		.files = pullrequest_files, .rows = (its_rows),                \
	}

/* Of closed ones the open ones' list tells, where they were. */
const struct resource_items pullrequests_items = ITEMS(below, event);
static const struct resource_items closed_items = ITEMS(closed_below, NULL);

#define IN_STATE(row_name, state)                                              \
	{                                                                      \
		.name = row_name, .kind = RESOURCE_COLLECTION,                 \
		.endpoint = PULLREQUESTS, .q = "state=\"" state "\"",          \
		.paging = RESOURCE_NEWEST, .listing = RESOURCE_LISTS_NONE,     \
		.ttl_s = 10 * MINUTE_S, .is_history = true, .is_beside = true, \
		.newest = PULLREQUESTS_NEWEST, .columns = pullrequest_columns, \
		.builds = PULLREQUEST_COMMIT, .items = &closed_items,          \
	}

const struct resource pullrequests_states[] = {
	IN_STATE("declined", "DECLINED"),
	IN_STATE("merged", "MERGED"),
	IN_STATE("superseded", "SUPERSEDED"),
	{0},
};
