/*
 * base/json: the door to cJSON. Parse, walk by path, print.
 *
 * Must never know Bitbucket. A tree is single-threaded and dies before the
 * function that made it returns.
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include "base/mem.h"

struct json; /* a cJSON node under another name */

/* -EBADMSG when it is not JSON (or deeper than 200 levels, or trailing bytes
 * other than white space), -EMSGSIZE over four million values. A number that a
 * double cannot hold keeps its text. What is no JSON, but written by others, is
 * mended: bytes that are no UTF-8, U+0000 and lone surrogates, which C and
 * UTF-8 cannot hold, become U+FFFD, NaN and Infinity null. Of members with the
 * same name the last is there. It takes about four times the bytes of the text,
 * at most 70 for each value and the text itself, and gives all of them back to
 * the system when it is freed. */
int json_parse(const char *text, size_t n, struct json **ret_json);
struct json *json_free(struct json *); /* the root only; returns NULL */
DEFINE_CLEANUP(struct json *, json_free);
/* The JSON of a blob (may be NULL); NULL: it is none. */
struct json *json_of(const struct blob *);

/* Borrowed from the tree; NULL when a step is missing or null. path is like
 * "source.branch.name", "" the value itself. */
const struct json *json_at(const struct json *, const char *path);
/* NULL when nothing is there, or not a string. */
const char *json_str(const struct json *, const char *path);
int64_t json_int(const struct json *, const char *path, int64_t otherwise);
bool json_bool(const struct json *, const char *path, bool otherwise);
bool json_is_array(const struct json *);
bool json_is_object(const struct json *);
bool json_is_string(const struct json *);
bool json_is_bool(const struct json *);
size_t json_n_items(const struct json *);
const struct json *json_first(const struct json *);
const struct json *json_next(const struct json *);
/* Of an array or an object; NULL and others have no items. */
#define JSON_EACH(item, of)                                  \
	for (const struct json *item = json_first(of); item; \
	     item = json_next(item))
/* The first item of an array with that text at path; NULL: there is none, or
 * that is no array. */
const struct json *json_find(const struct json *array, const char *path,
			     const char *text);
const char *json_key(const struct json *item); /* of an object's member */

/* Pretty: two spaces, a final newline, as jq prints it. Compact: one line
 * without newline. Adds to out; -EMSGSIZE (also over 220 levels). */
int json_pretty(const struct json *, struct buf *out);
int json_compact(const struct json *, struct buf *out);

/* As json_pretty prints the value so many levels further in, without a final
 * newline: for an array that is written item by item. */
int json_pretty_key(const char *key, struct buf *out); /* "key": */
int json_pretty_inside(const struct json *, unsigned levels, struct buf *out);

/* Building (for status.json and stored documents). Members are appended; the
 * returned child is borrowed. To what was parsed nothing is added, but to a
 * copy of it. */
struct json *json_new_object(void);
struct json *json_new_array(void);
struct json *json_copy(const struct json *);
void json_add_str(struct json *object, const char *key, const char *value);
void json_add_int(struct json *object, const char *key, int64_t value);
void json_add_bool(struct json *object, const char *key, bool value);
void json_add_null(struct json *object, const char *key);
struct json *json_add_object(struct json *object, const char *key);
struct json *json_add_array(struct json *object, const char *key);
struct json *json_append_object(struct json *array);
void json_add_copy(struct json *object, const char *key,
		   const struct json *value);
void json_append_copy(struct json *array, const struct json *value);

#endif
