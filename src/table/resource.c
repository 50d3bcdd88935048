/*
 * table/resource: what the rows of the table have in common: values, lines of
 * an index, files.
 */
#include "table/rows.h"

#include "base/clock.h"
#include "base/text.h"

size_t resource_n_files(const struct resource_file *files)
{
	size_t n = 0;

	while (files && files[n].name)
		n++;
	return n;
}

const struct resource_file *resource_find_file(const struct resource_file *file,
					       const char *name)
{
	for (; file && file->name; file++)
		if (!strcmp(file->name, name))
			return file;
	return NULL;
}

const struct resource *resource_find_row(const struct resource *row,
					 const char *name)
{
	for (; row && row->name; row++)
		if (!strcmp(row->name, name))
			return row;
	return NULL;
}

/* ---- values ---- */

static bool is_empty(const struct json *value)
{
	const char *text = json_str(value, "");

	return text && !*text;
}

const char *resource_next_path(const char **path,
			       char one[static RESOURCE_PATH_MOST])
{
	size_t n;

	if (!*path)
		return NULL;
	n = strcspn(*path, "|");
	check(n < RESOURCE_PATH_MOST);
	memcpy(one, *path, n);
	one[n] = '\0';
	*path = (*path)[n] ? *path + n + 1 : NULL;
	return one;
}

const struct json *resource_at(const struct json *json, const char *path)
{
	const struct json *empty = NULL;
	char one[RESOURCE_PATH_MOST];

	while (resource_next_path(&path, one)) {
		const struct json *value = json_at(json, one);

		if (value && !is_empty(value))
			return value;
		if (!empty)
			empty = value;
	}
	return empty;
}

const char *resource_str(const struct json *json, const char *path)
{
	return json_str(resource_at(json, path), "");
}

int64_t resource_time(const struct json *json, const char *path)
{
	char one[RESOURCE_PATH_MOST];
	int64_t ms;

	while (resource_next_path(&path, one)) {
		const char *text = json_str(json, one);

		if (text && !clock_parse_iso8601(text, &ms))
			return ms;
	}
	return 0;
}

static void add_value(const struct json *value, struct buf *out)
{
	if (json_is_string(value))
		buf_puts(out, json_str(value, ""));
	else
		json_compact(value, out);
}

static void add_list(const struct json *array, struct buf *out)
{
	JSON_EACH (i, array) {
		if (i != json_first(array))
			buf_putc(out, ',');
		add_value(i, out);
	}
}

static void add_text(const struct json *value, enum resource_form form,
		     struct buf *out)
{
	const char *text = json_str(value, "");
	char when[24];
	int64_t ms;

	if (text && form == RESOURCE_LINE)
		buf_add(out, text, strcspn(text, "\r\n"));
	else if (text && !clock_parse_iso8601(text, &ms))
		buf_puts(out, clock_format_iso8601(ms, when));
	else if (form == RESOURCE_TIME)
		add_value(value, out);
}

void resource_value(const struct resource_column *column,
		    const struct json *item, struct buf *out)
{
	const struct json *value = NULL;

	if (column->render)
		column->render(item, out);
	else if (column->form == RESOURCE_LIST)
		resource_list(column->path, item, out);
	else if (column->form == RESOURCE_JIRA)
		resource_jira(column->path, item, out);
	else
		value = resource_at(item, column->path);
	if (!value || (column->form == RESOURCE_TRUTH && !json_is_bool(value)))
		return;
	if (column->form == RESOURCE_TIME || column->form == RESOURCE_LINE)
		add_text(value, column->form, out);
	else if (json_is_array(value))
		add_list(value, out);
	else
		add_value(value, out);
}

/* ---- index.tsv ---- */

void resource_tsv_header(const struct resource_column *column, struct buf *out)
{
	for (bool first = true; column && column->name; column++) {
		buf_printf(out, "%s%s", first ? "" : "\t", column->name);
		first = false;
	}
	buf_putc(out, '\n');
}

void resource_tsv_line(const struct resource_column *column,
		       const struct json *item, struct buf *out)
{
	cleanup(buf_done) struct buf value = BUF_INIT(out->max);

	for (bool first = true; column && column->name; column++) {
		buf_clear(&value);
		resource_value(column, item, &value);
		if (!first)
			buf_putc(out, '\t');
		first = false;
		if (value.len)
			text_tsv_value(out, value.data);
	}
	buf_putc(out, '\n');
}

/* ---- files ---- */

int resource_json(const struct resource_file *, const struct json *json,
		  struct buf *out)
{
	return json_pretty(json, out);
}

int resource_info(const struct resource_file *file, const struct json *json,
		  struct buf *out)
{
	cleanup(buf_done) struct buf value = BUF_INIT(out->max);

	for (const struct resource_column *c = file->columns; c->name; c++) {
		buf_clear(&value);
		resource_value(c, json, &value);
		if (value.len)
			text_info_line(out, c->name, value.data);
	}
	return out->failed;
}

int resource_text(const struct resource_file *file, const struct json *json,
		  struct buf *out)
{
	const char *text = resource_str(json, file->path);
	size_t n = text ? strlen(text) : 0;

	if (!n)
		return 0;
	buf_add(out, text, n);
	if (text[n - 1] != '\n')
		buf_putc(out, '\n');
	return out->failed;
}

int resource_render(const struct resource_file *file, const char *body,
		    size_t n, struct buf *out)
{
	cleanup(json_free) struct json *json = NULL;
	int r = json_parse(body, n, &json);

	if (r < 0)
		return r;
	if (!json_is_object(json))
		return -EBADMSG;
	return file->render(file, json, out);
}
