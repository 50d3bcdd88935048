/*
 * table/resource: the files under Downloads. The list has their sizes, so they
 * are files here without a request each.
 */
#include "table/rows.h"

const struct resource_column downloads_columns[] = {
	{"name", "name", NULL},
	{"size", "size", NULL},
	{"created", "created_on", NULL, RESOURCE_TIME},
	{"downloads", "downloads", NULL},
	{"user", PERSON("user"), NULL},
	{NULL, NULL, NULL},
};

/* What makes the bytes others: not the count of downloads, which each download
 * changes. */
static void content(const struct json *item, struct buf *out)
{
	static const struct resource_column columns[] = {
		{"size", "size", NULL},
		{"created", "created_on", NULL},
		{NULL, NULL, NULL},
	};

	resource_tsv_line(columns, item, out);
}

const struct resource_items downloads_items = {
	.name_path = "name",
	.id_path = "name",
	.time_path = "created_on",
	.endpoint = REPOSITORY "/downloads/{1}",
	.content = content,
};
