/*
 * base/json, inside: the text of a document, looked at before it is parsed.
 */
#ifndef BASE_JSON_SCAN_H
#define BASE_JSON_SCAN_H

#include "base/mem.h"

#define JSON_DEPTH_MOST 200

/* A number that a double may not hold: which of the document's it is, and where
 * in the text. */
struct json_number {
	size_t index, at, n;
};
struct json_scan {
	const char *text; /* borrowed */
	size_t n;
	const char *mended; /* text, or what was made of it */
	size_t n_mended;
	struct json_number *numbers;
	size_t n_numbers;
	/* Of the scan itself. */
	size_t at, from, depth, n_values, n_seen, size_numbers;
	struct buf copy;
};
/*
 * -EBADMSG: it is deeper than JSON_DEPTH_MOST, or has a number or an escape
 * that is none; -EMSGSIZE: over four million values. What is not looked at here
 * the parser refuses. Bytes that are no UTF-8, U+0000 and halves of surrogate
 * pairs become U+FFFD, and NaN and Infinity null: JSON has none of them.
 */
int json_scan(const char *text, size_t n, struct json_scan *ret);
void json_scan_done(struct json_scan *);
DEFINE_CLEANUP_DONE(struct json_scan, json_scan_done);

#endif
