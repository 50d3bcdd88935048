/*
 * table/resource: values that several places have: lists of people, first
 * lines, keys of Jira, names that are numbers.
 */
#include "table/rows.h"

#include "base/text.h"

#define MOST_KEYS 50 /* of one item */

void resource_people(const struct json *array, const char *path,
		     bool (*want)(const struct json *), struct buf *out)
{
	bool first = true;

	if (!json_is_array(array))
		return;
	JSON_EACH (i, array) {
		const struct json *name = resource_at(i, path);

		if (!name || !json_is_string(name) || (want && !want(i)))
			continue;
		buf_printf(out, "%s%s", first ? "" : ",", json_str(name, ""));
		first = false;
	}
}

void resource_list(const char *path, const struct json *item, struct buf *out)
{
	size_t n = strcspn(path, ":");
	cleanup(free) char *array = mem_dup0(path, n);

	check(path[n]);
	resource_people(json_at(item, array), path + n + 1, NULL, out);
}

/* ---- Jira ---- */

static bool is_upper(char c)
{
	return c >= 'A' && c <= 'Z';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* [A-Z][A-Z0-9]+-\d+ from here on: its length, or 0. */
static size_t key_at(const char *text)
{
	size_t n = 1, digits;

	if (!is_upper(text[0]))
		return 0;
	while (is_upper(text[n]) || is_digit(text[n]))
		n++;
	if (n < 2 || text[n] != '-')
		return 0;
	digits = n + 1;
	for (n = digits; is_digit(text[n]);)
		n++;
	return n > digits ? n : 0;
}

/* Whether the key is not yet among those in out from `from` on. */
static bool is_new(const struct buf *out, size_t from, const char *key,
		   size_t n)
{
	const char *at = out->data ? out->data + from : "";

	while (*at) {
		size_t one = strcspn(at, ",");

		if (one == n && !memcmp(at, key, n))
			return false;
		at += one + (at[one] == ',');
	}
	return true;
}

static unsigned add_keys(const char *text, size_t from, unsigned left,
			 struct buf *out)
{
	char before = ' ';

	while (*text && left) {
		size_t n = 0;

		/* A key begins a word: no letter or digit before it. */
		if (!is_upper(before) && !is_digit(before) &&
		    !(before >= 'a' && before <= 'z'))
			n = key_at(text);
		if (!n) {
			before = *text++;
			continue;
		}
		if (is_new(out, from, text, n)) {
			if (out->len > from)
				buf_putc(out, ',');
			buf_add(out, text, n);
			left--;
		}
		before = text[n - 1];
		text += n;
	}
	return left;
}

void resource_jira(const char *path, const struct json *item, struct buf *out)
{
	size_t from = out->len;
	unsigned left = MOST_KEYS;
	char one[RESOURCE_PATH_MOST];

	while (resource_next_path(&path, one)) {
		const char *text = json_str(item, one);

		if (text)
			left = add_keys(text, from, left, out);
	}
}

bool resource_is_number(const char *name)
{
	uint64_t value;

	return *name != '0' && strlen(name) <= 18 &&
	       text_parse_u64(name, INT64_MAX, &value) == 0;
}
