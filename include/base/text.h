/*
 * base/text: strings from strangers made safe: escaping, names, numbers.
 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include "base/mem.h"

/* RFC 3986 percent-encoding of everything but unreserved characters; keep
 * names further bytes to leave alone ("/" for paths), "" for none. */
int text_percent_encode(struct buf *out, const char *s, const char *keep);
/*
 * What a terminal would obey (src/model/README.md, 2): control bytes, and
 * characters that reorder text. Control bytes are C0 and DEL, and C1 however it
 * comes: as UTF-8 (0xc2 0x80 to 0xc2 0x9f, two bytes) or as a byte by itself.
 * The characters are U+202A to U+202E and U+2066 to U+2069. Returns how many of
 * the n > 0 bytes at s are one such byte or character; 0: s begins with
 * neither.
 */
size_t text_terminal(const char *s, size_t n);
/* Adds the bytes, with what a terminal would obey escaped: control bytes as
 * \xNN, each of them, characters as \uNNNN; the ASCII characters in keep
 * ("\n\t") stay. */
int text_clean(struct buf *out, const char *s, size_t n, const char *keep);
/* The same for what is in a buffer already, from an offset on. */
int text_clean_buf(struct buf *, size_t from, const char *keep);
/* A value of a .tsv: tab, newline, carriage return, backslash as \t \n \r \\,
 * the rest as text_clean. */
int text_tsv_value(struct buf *out, const char *s);
/* One line of an `info` file, "key: value\n"; tabs and line ends of the value
 * become spaces, the rest is as text_clean. NULL value: nothing. */
int text_info_line(struct buf *out, const char *key, const char *value);
/* A name from the service as a file name (src/model/README.md, 11): offending
 * bytes as %XX (text_terminal's among them), over 255 bytes cut to end in ~ and
 * eight hex digits of its SHA-1. own_names: NULL-terminated names of ours that
 * it must not equal, or NULL. An empty name becomes "%". Two names may become
 * the same ("a/b" and "a%2Fb"). */
void text_file_name(struct buf *out, const char *name,
		    const char *const *own_names);
bool text_is_utf8(const char *s, size_t n);
/* The length of the well-formed UTF-8 character that the n > 0 bytes begin with
 * (RFC 3629: no overlong forms, no surrogates, nothing over U+10FFFF); 0: there
 * is none. */
size_t text_utf8_char(const char *s, size_t n);
/* A whole decimal number; -EINVAL (signs, blanks, rests), -ERANGE. */
int text_parse_u64(const char *s, uint64_t max, uint64_t *ret_value);
/* "90", "90s", "5m", "2h", "1d": seconds. -EINVAL, -ERANGE (over 10 years). */
int text_parse_duration(const char *s, int64_t *ret_seconds);
/* Legal as a workspace id: [a-z0-9_-]+; as a repository slug: [a-z0-9._-]+
 * (and neither "." nor ".."); both at most 255 bytes. */
bool text_is_workspace_id(const char *s);
bool text_is_repo_slug(const char *s);
bool text_is_oid(const char *s); /* 40 lower-case hex digits */
/* Overwrites a secret before it is freed; NULL is nothing. */
void text_wipe(char *secret);
/* "1.5 MB", into a buffer of at least 16 bytes; returns it. */
char *text_bytes(uint64_t n, char out[static 16]);

#endif
