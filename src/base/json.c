/*
 * base/json: the only file that sees cJSON.
 *
 * cJSON parses, but recurses as deep as the text says, takes as much memory as
 * the text says, and takes numbers and strings that are not JSON or loses a
 * part of them. So a scan of the text comes first (json_scan.c), and a number
 * that a double cannot hold keeps its text. cJSON prints with tabs and loses
 * digits, so the printer is our own.
 *
 * What is parsed lies in an arena, which ends with it: a document of 4 MB has
 * 130,000 pieces, and malloc and free of them took most of the time. The root's
 * prev, which cJSON uses among siblings alone, leads to it. What is built is on
 * the heap.
 */
#include "base/json.h"

#include "base/arena.h"
#include "base/json_scan.h"
#include "base/map.h"

#include <cjson/cJSON.h>
#include <float.h>
#include <math.h>

/* Deeper than what is parsed: a parsed document may be a member of one that is
 * built. */
#define PRINT_DEPTH_MOST (JSON_DEPTH_MOST + 20)

static const cJSON *c(const struct json *json)
{
	return (const cJSON *)json;
}

static const struct json *j(const cJSON *item)
{
	return (const struct json *)item;
}

/* Of the document that this thread parses; NULL: it parses none. */
static __thread struct arena *arena_of_parse;

static void *hook_alloc(size_t n)
{
	return arena_of_parse ? arena_alloc(arena_of_parse, n) : mem_alloc(n);
}

static void hook_free(void *p)
{
	if (arena_of_parse)
		arena_take_back(arena_of_parse, p);
	else
		free(p);
}

/* Memory that never fails, so that NULL from the parser means bad text. Before
 * main, because the hooks are global: no thread may parse while they are set.
 */
__attribute__((constructor)) static void use_own_memory(void)
{
	cJSON_Hooks hooks = {.malloc_fn = hook_alloc, .free_fn = hook_free};

	cJSON_InitHooks(&hooks);
}

/* Bytes of the arena for each of the text; repositories take 3.2. */
#define ARENA_SHARE 4

/* Of an object or an array that was parsed, where cJSON keeps the value of a
 * number. What is added to it would be on the heap, and nobody would free it.
 */
#define PARSED_MARK 1

static bool is_container(const cJSON *item)
{
	return item->type == cJSON_Object || item->type == cJSON_Array;
}

/* ---- numbers as they were written ---- */

struct keeping {
	const struct json_scan *scan;
	size_t n_seen; /* numbers so far, in the order of the text */
	size_t n_kept;
};

/* cJSON does not use the text of a number, but frees it and copies it. */
static void keep_numbers(struct keeping *k, cJSON *item)
{
	const struct json_scan *s = k->scan;

	for (; item && k->n_kept < s->n_numbers; item = item->next) {
		const struct json_number *kept = &s->numbers[k->n_kept];

		if (is_container(item)) {
			keep_numbers(k, item->child);
		} else if (cJSON_IsNumber(item) && k->n_seen++ == kept->index) {
			item->valuestring = hook_alloc(kept->n + 1);
			memcpy(item->valuestring, s->text + kept->at, kept->n);
			item->valuestring[kept->n] = '\0';
			k->n_kept++;
		}
	}
}

/* ---- members of the same name ---- */

#define FEW_MEMBERS 16

struct member {
	UT_hash_handle hh;
	cJSON *item;
};

static void drop(cJSON *object, cJSON *member)
{
	cJSON_Delete(cJSON_DetachItemViaPointer(object, member));
}

/* A name in a word, so that most names are told apart without their texts. */
static uint64_t mark_of(const char *name)
{
	uint64_t mark = 0;

	for (; *name; name++)
		mark = mark * 31 + (unsigned char)*name;
	return mark;
}

static void drop_of_few(cJSON *object)
{
	uint64_t marks[FEW_MEMBERS];
	cJSON *next, *i;
	size_t n = 0;

	for (i = object->child; i; i = i->next)
		marks[n++] = mark_of(i->string);
	i = object->child;
	for (size_t k = 0; k < n; k++, i = next) {
		const cJSON *later = i->next;
		size_t l = k + 1;

		next = i->next;
		while (later && (marks[l] != marks[k] ||
				 strcmp(later->string, i->string) != 0))
			later = later->next, l++;
		if (later)
			drop(object, i);
	}
}

static void drop_of_many(cJSON *object, size_t n)
{
	cleanup(free) struct member *members = mem_calloc(n, sizeof(*members));
	struct member *names = NULL, *had, *m = members;
	cJSON *next;

	for (cJSON *i = object->child; i; i = next, m++) {
		next = i->next;
		HASH_FIND_STR(names, i->string, had);
		if (had) {
			HASH_DEL(names, had);
			drop(object, had->item);
		}
		m->item = i;
		HASH_ADD_KEYPTR(hh, names, i->string, strlen(i->string), m);
	}
	HASH_CLEAR(hh, names);
}

/* Of members with the same name the last is what others read, too (jq, Python,
 * browsers): the index and the document would differ. */
static void drop_same_names(cJSON *item)
{
	for (; item; item = item->next) {
		size_t n = 0;

		if (!is_container(item))
			continue;
		if (cJSON_IsObject(item)) {
			for (const cJSON *i = item->child; i; i = i->next)
				n++;
			if (n <= FEW_MEMBERS)
				drop_of_few(item);
			else
				drop_of_many(item, n);
		}
		drop_same_names(item->child);
	}
}

static int parse(struct json_scan *s, cJSON **ret_root)
{
	struct keeping keeping = {.scan = s};
	const char *end = NULL;
	cJSON *root =
		cJSON_ParseWithLengthOpts(s->mended, s->n_mended, &end, false);

	if (!root)
		return -EBADMSG;
	for (; end < s->mended + s->n_mended; end++)
		if (!memchr(" \t\r\n", *end, 4))
			return -EBADMSG;
	keep_numbers(&keeping, root);
	drop_same_names(root);
	*ret_root = root;
	return 0;
}

int json_parse(const char *text, size_t n, struct json **ret_json)
{
	cleanup(json_scan_done) struct json_scan s = {0};
	cleanup(arena_free) struct arena *arena = NULL;
	cJSON *root = NULL;
	int r = json_scan(text, n, &s);

	if (r < 0)
		return r;
	arena = arena_new(ARENA_SHARE * s.n_mended);
	arena_of_parse = arena;
	r = parse(&s, &root);
	arena_of_parse = NULL;
	if (r < 0)
		return r;
	if (is_container(root))
		root->valueint = PARSED_MARK;
	root->prev = (cJSON *)steal(&arena);
	*ret_json = (struct json *)root;
	return 0;
}

struct json *json_free(struct json *json)
{
	cJSON *root = (cJSON *)json;

	if (root && root->prev)
		arena_free((struct arena *)root->prev);
	else
		cJSON_Delete(root);
	return NULL;
}

struct json *json_of(const struct blob *blob)
{
	struct json *json = NULL;

	return blob && !json_parse(blob_data(blob), blob_len(blob), &json)
		       ? json
		       : NULL;
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

	if (cJSON_IsNumber(item) && item->valuestring &&
	    !strpbrk(item->valuestring, ".eE")) {
		long long n;

		errno = 0;
		n = strtoll(item->valuestring, NULL, 10);
		return errno ? otherwise : n;
	}
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

bool json_is_bool(const struct json *json)
{
	return cJSON_IsBool(c(json));
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

const struct json *json_find(const struct json *array, const char *path,
			     const char *text)
{
	if (!json_is_array(array))
		return NULL;
	JSON_EACH (i, array) {
		const char *is = json_str(i, path);

		if (is && !strcmp(is, text))
			return i;
	}
	return NULL;
}

const char *json_key(const struct json *item)
{
	return c(item)->string;
}

/* U+0080 to U+009F, in which a terminal finds codes as in those below U+0020.
 */
static bool is_c1(const char *s)
{
	return (unsigned char)s[0] == 0xc2 && (unsigned char)s[1] < 0xa0;
}

static void print_string(const char *s, struct buf *out)
{
	static const char plain[] = "bfnrt", special[] = "\b\f\n\r\t";

	buf_putc(out, '"');
	while (*s) {
		size_t n = 0;
		while ((unsigned char)s[n] >= 0x20 && s[n] != '"' &&
		       s[n] != '\\' && s[n] != 0x7f && !is_c1(s + n))
			n++;
		buf_add(out, s, n);
		s += n;
		if (!*s)
			break;
		s += is_c1(s);
		const char *short_form = strchr(special, *s);
		if (*s == '"' || *s == '\\')
			buf_printf(out, "\\%c", *s);
		else if (short_form)
			buf_printf(out, "\\%c", plain[short_form - special]);
		else
			buf_printf(out, "\\u%04x", (unsigned char)*s);
		s++;
	}
	buf_putc(out, '"');
}

/* Needs LC_NUMERIC to be "C": the program never sets another. */
static void print_number(double value, struct buf *out)
{
	char text[40];

	check(isfinite(value)); /* what is not has its text */
	/* Ids are integers, and are printed without an exponent: whoever takes
	 * them for a part of a path would get another path. */
	if (value == floor(value) && fabs(value) < 1e21) {
		buf_printf(out, "%.0f", value);
		return;
	}
	/* The shortest form that reads back as the same number. 15 digits are
	 * right for every double but the tiny ones. */
	for (int n = fabs(value) < DBL_MIN ? 1 : 15; n <= 17; n++) {
		snprintf(text, sizeof(text), "%.*g", n, value);
		if (strtod(text, NULL) == value)
			break;
	}
	buf_puts(out, text);
}

static void new_line(bool pretty, int depth, struct buf *out)
{
	if (pretty)
		buf_printf(out, "\n%*s", 2 * depth, "");
}

static void print(const cJSON *item, bool pretty, int depth, struct buf *out);

static void print_items(const cJSON *parent, bool pretty, int depth,
			struct buf *out)
{
	bool object = cJSON_IsObject(parent);

	if (depth > PRINT_DEPTH_MOST)
		out->failed = -EMSGSIZE;
	buf_putc(out, object ? '{' : '[');
	for (const cJSON *i = parent->child; i && !out->failed; i = i->next) {
		new_line(pretty, depth, out);
		if (object) {
			print_string(i->string, out);
			buf_puts(out, pretty ? ": " : ":");
		}
		print(i, pretty, depth, out);
		if (i->next)
			buf_putc(out, ',');
	}
	if (parent->child)
		new_line(pretty, depth - 1, out);
	buf_putc(out, object ? '}' : ']');
}

static void print(const cJSON *item, bool pretty, int depth, struct buf *out)
{
	if (cJSON_IsString(item))
		print_string(item->valuestring, out);
	else if (cJSON_IsNumber(item) && item->valuestring)
		buf_puts(out, item->valuestring);
	else if (cJSON_IsNumber(item))
		print_number(item->valuedouble, out);
	else if (cJSON_IsBool(item))
		buf_puts(out, cJSON_IsTrue(item) ? "true" : "false");
	else if (cJSON_IsObject(item) || cJSON_IsArray(item))
		print_items(item, pretty, depth + 1, out);
	else
		buf_puts(out, "null");
}

int json_pretty(const struct json *json, struct buf *out)
{
	print(c(json), true, 0, out);
	return buf_putc(out, '\n');
}

int json_pretty_key(const char *key, struct buf *out)
{
	print_string(key, out);
	return buf_puts(out, ": ");
}

int json_pretty_inside(const struct json *json, unsigned levels,
		       struct buf *out)
{
	print(c(json), true, (int)levels, out);
	return out->failed;
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
	check(((cJSON *)object)->valueint != PARSED_MARK);
	check(item && cJSON_AddItemToObject((cJSON *)object, key, item));
	return (struct json *)item;
}

static struct json *append(struct json *array, cJSON *item)
{
	check(((cJSON *)array)->valueint != PARSED_MARK);
	check(item && cJSON_AddItemToArray((cJSON *)array, item));
	return (struct json *)item;
}

static cJSON *duplicate(const struct json *json)
{
	cJSON *copy = cJSON_Duplicate(c(json), true);

	if (is_container(copy))
		copy->valueint = 0; /* PARSED_MARK */
	return copy;
}

struct json *json_new_object(void)
{
	return made(cJSON_CreateObject());
}

struct json *json_copy(const struct json *json)
{
	return made(duplicate(json));
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

void json_add_copy(struct json *object, const char *key,
		   const struct json *value)
{
	add(object, key, duplicate(value));
}

void json_append_copy(struct json *array, const struct json *value)
{
	append(array, duplicate(value));
}
