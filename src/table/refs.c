/*
 * table/resource: the indexes of branches and tags. Their names and files come
 * from git; REST is asked for what only it knows.
 */
#include "table/rows.h"

const struct resource_column refs_branch_columns[] = {
	{"name", "name", NULL},
	{"hash", "target.hash", NULL},
	{"date", "target.date", NULL, RESOURCE_TIME},
	{"author", PERSON("target.author.user") "|target.author.raw", NULL},
	{"merge_strategy", "default_merge_strategy", NULL},
	{"jira", "name|target.message", NULL, RESOURCE_JIRA},
	BUILDS,
	{"url", "links.html.href", NULL},
	{"title", "target.message|target.summary.raw", NULL, RESOURCE_LINE},
	{NULL, NULL, NULL},
};

const struct resource_column refs_tag_columns[] = {
	{"name", "name", NULL},
	{"hash", "target.hash", NULL},
	{"date", "date|target.date", NULL, RESOURCE_TIME},
	{"author",
	 PERSON("tagger.user") "|tagger.raw|" PERSON(
		 "target.author.user") "|target.author.raw",
	 NULL},
	{"jira", "name|message|target.message", NULL, RESOURCE_JIRA},
	{"url", "links.html.href", NULL},
	/* A lightweight tag has no message of its own. */
	{"title", "message|target.message", NULL, RESOURCE_LINE},
	{NULL, NULL, NULL},
};
