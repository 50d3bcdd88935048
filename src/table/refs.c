/*
 * table/resource: the indexes of branches and tags. Their names and files come
 * from git; REST is asked for what only it knows.
 */
#include "table/rows.h"

static void branch_jira(const struct json *item, struct buf *out)
{
	static const char *const paths[] = {"name", "target.message", NULL};

	values_jira(item, paths, out);
}

static void branch_title(const struct json *item, struct buf *out)
{
	values_first_line(item, "target.message|target.summary.raw", out);
}

const struct resource_column refs_branch_columns[] = {
	{"name", "name", NULL},
	{"hash", "target.hash", NULL},
	{"date", "target.date", NULL, RESOURCE_TIME},
	{"author", PERSON("target.author.user") "|target.author.raw", NULL},
	{"merge_strategy", "default_merge_strategy", NULL},
	{"jira", NULL, branch_jira},
	{"url", "links.html.href", NULL},
	{"title", NULL, branch_title},
	{NULL, NULL, NULL},
};

static void tag_jira(const struct json *item, struct buf *out)
{
	static const char *const paths[] = {"name", "message", "target.message",
					    NULL};

	values_jira(item, paths, out);
}

/* A lightweight tag has no message of its own. */
static void tag_title(const struct json *item, struct buf *out)
{
	values_first_line(item, "message|target.message", out);
}

const struct resource_column refs_tag_columns[] = {
	{"name", "name", NULL},
	{"hash", "target.hash", NULL},
	{"date", "date|target.date", NULL, RESOURCE_TIME},
	{"author",
	 PERSON("tagger.user") "|tagger.raw|" PERSON(
		 "target.author.user") "|target.author.raw",
	 NULL},
	{"jira", NULL, tag_jira},
	{"url", "links.html.href", NULL},
	{"title", NULL, tag_title},
	{NULL, NULL, NULL},
};
