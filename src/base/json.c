/*
 * base/json: cJSON, with our own printer.
 *
 * cJSON's printer indents with tabs and its parser nests 1,000 deep on the
 * stack; ours prints as jq does and the depth is bounded before parsing. Of
 * members with the same name the first one counts. Numbers are doubles, as in
 * JavaScript: integers beyond 2^53 lose their last digits.
 */
#include "base/json.h"

#include <cjson/cJSON.h>
#include <math.h>

#define MAX_DEPTH 200

static const cJSON *c(const struct json *json)
{
	return (const cJSON *)json;
}

static const struct json *j(const cJSON *item)
{
	return (const struct json *)item;
}

static bool too_deep(const char *text, size_t n)
{
	bool in_string = false;
	size_t depth = 0;

	for (size_t i = 0; i < n; i++) {
		if (in_string) {
			if (text[i] == '\\')
				i++;
			else if (text[i] == '"')
				in_string = false;
		} else if (text[i] == '"') {
			in_string = true;
		} else if (text[i] == '{' || text[i] == '[') {
			if (++depth > MAX_DEPTH)
				return true;
		} else if (text[i] == '}' || text[i] == ']') {
			depth -= depth > 0;
		}
	}
	return false;
}

int json_parse(const char *text, size_t n, struct json **ret_json)
{
	const char *end = NULL;
	cJSON *item;

	if (n == 0 || too_deep(text, n))
		return -EBADMSG;
	item = cJSON_ParseWithLengthOpts(text, n, &end, false);
	if (!item)
		return -EBADMSG;
	for (; end < text + n; end++) {
		if (!strchr(" \t\r\n", *end) || !*end) {
			cJSON_Delete(item);
			return -EBADMSG;
		}
	}
	*ret_json = (struct json *)item;
	return 0;
}

struct json *json_free(struct json *json)
{
	cJSON_Delete((cJSON *)json);
	return NULL;
}

const struct json *json_at(const struct json *json, const char *path)
{
	const cJSON *item = c(json);
	char key[128];

	while (item && *path) {
		size_t n = strcspn(path, ".");

		if (n >= sizeof(key) || !cJSON_IsObject(item))
			return NULL;
		memcpy(key, path, n);
		key[n] = '\0';
		item = cJSON_GetObjectItemCaseSensitive(item, key);
		path += n + (path[n] == '.');
	}
	return item && !cJSON_IsNull(item) ? j(item) : NULL;
}

const char *json_str(const struct json *json, const char *path)
{
	return cJSON_GetStringValue(c(json_at(json, path)));
}

int64_t json_int(const struct json *json, const char *path, int64_t otherwise)
{
	const cJSON *item = c(json_at(json, path));

	if (!cJSON_IsNumber(item) || !isfinite(item->valuedouble) ||
	    fabs(item->valuedouble) >= 9.2e18)
		return otherwise;
	return (int64_t)item->valuedouble;
}

bool json_bool(const struct json *json, const char *path, bool otherwise)
{
	const cJSON *item = c(json_at(json, path));

	return cJSON_IsBool(item) ? cJSON_IsTrue(item) : otherwise;
}

bool json_is_array(const struct json *json)
{
	return cJSON_IsArray(c(json));
}

bool json_is_object(const struct json *json)
{
	return cJSON_IsObject(c(json));
}

bool json_is_string(const struct json *json)
{
	return cJSON_IsString(c(json));
}

size_t json_n_items(const struct json *json)
{
	return json ? (size_t)cJSON_GetArraySize(c(json)) : 0;
}

const struct json *json_first(const struct json *json)
{
	return json ? j(c(json)->child) : NULL;
}

const struct json *json_next(const struct json *json)
{
	return j(c(json)->next);
}

const char *json_key(const struct json *item)
{
	return c(item)->string;
}

static void print_string(const char *s, struct buf *out)
{
	buf_putc(out, '"');
	for (; *s; s++) {
		unsigned char ch = (unsigned char)*s;

		switch (ch) {
		case '"':
		case '\\':
			buf_printf(out, "\\%c", ch);
			break;
		case '\n':
			buf_puts(out, "\\n");
			break;
		case '\r':
			buf_puts(out, "\\r");
			break;
		case '\t':
			buf_puts(out, "\\t");
			break;
		case '\b':
			buf_puts(out, "\\b");
			break;
		case '\f':
			buf_puts(out, "\\f");
			break;
		default:
			if (ch < 0x20 || ch == 0x7f)
				buf_printf(out, "\\u%04x", ch);
			else
				buf_putc(out, *s);
		}
	}
	buf_putc(out, '"');
}

static void print_number(double value, struct buf *out)
{
	char text[40];

	if (!isfinite(value)) {
		buf_puts(out, "null");
		return;
	}
	if (value == floor(value) && fabs(value) < 1e17) {
		buf_printf(out, "%.0f", value);
		return;
	}
	/* The shortest form that reads back as the same number. */
	for (int digits = 15; digits <= 17; digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, value);
		if (strtod(text, NULL) == value)
			break;
	}
	buf_puts(out, text);
}

static void new_line(struct buf *out, bool pretty, size_t depth)
{
	if (pretty)
		buf_printf(out, "\n%*s", (int)(2 * depth), "");
}

static void print(const cJSON *item, bool pretty, size_t depth, struct buf *out)
{
	bool object = cJSON_IsObject(item);

	if (cJSON_IsString(item)) {
		print_string(item->valuestring, out);
	} else if (cJSON_IsNumber(item)) {
		print_number(item->valuedouble, out);
	} else if (cJSON_IsBool(item)) {
		buf_puts(out, cJSON_IsTrue(item) ? "true" : "false");
	} else if (!object && !cJSON_IsArray(item)) {
		buf_puts(out, "null");
	} else if (!item->child || depth > MAX_DEPTH) {
		buf_puts(out, object ? "{}" : "[]");
	} else {
		buf_putc(out, object ? '{' : '[');
		for (const cJSON *i = item->child; i && !out->failed;
		     i = i->next) {
			new_line(out, pretty, depth + 1);
			if (object) {
				print_string(i->string, out);
				buf_puts(out, pretty ? ": " : ":");
			}
			print(i, pretty, depth + 1, out);
			if (i->next)
				buf_putc(out, ',');
		}
		new_line(out, pretty, depth);
		buf_putc(out, object ? '}' : ']');
	}
}

int json_pretty(const struct json *json, struct buf *out)
{
	print(c(json), true, 0, out);
	return buf_putc(out, '\n');
}

int json_compact(const struct json *json, struct buf *out)
{
	print(c(json), false, 0, out);
	return out->failed;
}

static struct json *made(cJSON *item)
{
	check(item);
	return (struct json *)item;
}

static struct json *add(struct json *object, const char *key, cJSON *item)
{
	check(item && cJSON_AddItemToObject((cJSON *)object, key, item));
	return (struct json *)item;
}

static struct json *append(struct json *array, cJSON *item)
{
	check(item && cJSON_AddItemToArray((cJSON *)array, item));
	return (struct json *)item;
}

struct json *json_new_object(void)
{
	return made(cJSON_CreateObject());
}

struct json *json_new_array(void)
{
	return made(cJSON_CreateArray());
}

void json_add_str(struct json *object, const char *key, const char *value)
{
	add(object, key, cJSON_CreateString(value));
}

void json_add_int(struct json *object, const char *key, int64_t value)
{
	add(object, key, cJSON_CreateNumber((double)value));
}

void json_add_bool(struct json *object, const char *key, bool value)
{
	add(object, key, cJSON_CreateBool(value));
}

void json_add_null(struct json *object, const char *key)
{
	add(object, key, cJSON_CreateNull());
}

struct json *json_add_object(struct json *object, const char *key)
{
	return add(object, key, cJSON_CreateObject());
}

struct json *json_add_array(struct json *object, const char *key)
{
	return add(object, key, cJSON_CreateArray());
}

struct json *json_append_object(struct json *array)
{
	return append(array, cJSON_CreateObject());
}

void json_append_str(struct json *array, const char *value)
{
	append(array, cJSON_CreateString(value));
}

void json_append_copy(struct json *array, const struct json *value)
{
	append(array, cJSON_Duplicate(c(value), true));
}
