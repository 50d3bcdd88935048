/*
 * What a pointer of LFS is: what git-lfs takes for one (lfs/pointer.go there:
 * DecodeFrom, decodeKV), which is more than its docs/spec.md allows: other
 * lines' ends, empty lines, white space at either end, a size like "+7",
 * extensions anywhere. A file that git-lfs fetches has to be one here, too.
 */
#include "clone/lfs.h"

#include "base/text.h"

#include <ctype.h>

#define KEYS 3
/* A priority is one digit. */
#define EXTENSIONS_MOST 10

/* A piece of the blob. */
struct piece {
	const char *at;
	size_t n;
};

static bool is(struct piece p, const char *text)
{
	return p.n == strlen(text) && memcmp(p.at, text, p.n) == 0;
}

static bool has(struct piece p, const char *text)
{
	return memmem(p.at, p.n, text, strlen(text));
}

static bool begins(struct piece p, const char *text)
{
	size_t n = strlen(text);

	return p.n >= n && memcmp(p.at, text, n) == 0;
}

/* Cuts off what is before the first byte c; false: there is none. */
static bool cut(struct piece *p, char c, struct piece *ret_before)
{
	const char *at = p->n ? memchr(p->at, c, p->n) : NULL;

	if (!at)
		return false;
	*ret_before = (struct piece){p->at, (size_t)(at - p->at)};
	p->n -= ret_before->n + 1;
	p->at = at + 1;
	return true;
}

/* ---- white space, as Go's bytes.TrimSpace has it ---- */

static const char *const spaces[] = {
	" ",
	"\t",
	"\n",
	"\v",
	"\f",
	"\r",
	"\xc2\x85",     /* U+0085 */
	"\xc2\xa0",     /* U+00A0 */
	"\xe1\x9a\x80", /* U+1680 */
	"\xe2\x80\x80", /* U+2000, and so on */
	"\xe2\x80\x81",
	"\xe2\x80\x82",
	"\xe2\x80\x83",
	"\xe2\x80\x84",
	"\xe2\x80\x85",
	"\xe2\x80\x86",
	"\xe2\x80\x87",
	"\xe2\x80\x88",
	"\xe2\x80\x89",
	"\xe2\x80\x8a",
	"\xe2\x80\xa8",
	"\xe2\x80\xa9",
	"\xe2\x80\xaf",
	"\xe2\x81\x9f",
	"\xe3\x80\x80",
};

/* The bytes of the white space with which it begins, or ends; 0: none. */
static size_t space_at(struct piece p, bool end)
{
	for (size_t i = 0; i < ARRAY_SIZE(spaces); i++) {
		size_t n = strlen(spaces[i]);

		if (n <= p.n &&
		    memcmp(end ? p.at + p.n - n : p.at, spaces[i], n) == 0)
			return n;
	}
	return 0;
}

static struct piece trimmed(struct piece p)
{
	size_t n;

	while ((n = space_at(p, false))) {
		p.at += n;
		p.n -= n;
	}
	while ((n = space_at(p, true)))
		p.n -= n;
	return p;
}

/* ---- values ---- */

static bool is_version(struct piece value)
{
	return is(value, "https://git-lfs.github.com/spec/v1") ||
	       is(value, "https://hawser.github.com/spec/v1") ||
	       is(value, "http://git-media.io/v/2");
}

static int digit(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
				      : -1;
}

/* "sha256:" and 64 digits. */
static bool parse_oid(struct piece value, unsigned char out[static 32])
{
	struct piece kind;

	if (!cut(&value, ':', &kind) || !is(kind, "sha256") || value.n != 64)
		return false;
	for (size_t i = 0; i < 32; i++) {
		int high = digit(value.at[2 * i]);
		int low = digit(value.at[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		out[i] = (unsigned char)(high << 4 | low);
	}
	return true;
}

/* As Go's strconv.ParseInt: a sign may come before the digits. */
static bool parse_size(struct piece value, uint64_t *ret_size)
{
	bool minus = begins(value, "-");
	uint64_t size = 0;

	if (minus || begins(value, "+")) {
		value.at++;
		value.n--;
	}
	if (value.n == 0)
		return false;
	for (size_t i = 0; i < value.n; i++) {
		unsigned d = (unsigned)(value.at[i] - '0');

		if (value.at[i] < '0' || value.at[i] > '9' ||
		    size > ((uint64_t)INT64_MAX - d) / 10)
			return false;
		size = size * 10 + d;
	}
	*ret_size = size;
	return !minus || size == 0;
}

/* ---- lines ---- */

struct parsing {
	struct piece values[KEYS];
	size_t n_keys;
	struct {
		struct piece key; /* n 0: there is none */
		bool is_bad;
	} extensions[EXTENSIONS_MOST]; /* by priority */
};

/* "ext-", a digit, "-" and a letter: what follows may be anything. */
static bool is_extension(struct piece key)
{
	return key.n >= 7 && begins(key, "ext-") && key.at[4] >= '0' &&
	       key.at[4] <= '9' && key.at[5] == '-' &&
	       ((isascii(key.at[6]) && isalnum(key.at[6])) || key.at[6] == '_');
}

/* Of the same one twice the last counts; two of a priority are refused. */
static bool take_extension(struct parsing *p, struct piece key,
			   struct piece value)
{
	size_t priority = (size_t)(key.at[4] - '0');
	struct piece *known = &p->extensions[priority].key;
	unsigned char oid[32];

	if (known->n &&
	    (known->n != key.n || memcmp(known->at, key.at, key.n) != 0))
		return false;
	*known = key;
	p->extensions[priority].is_bad = !parse_oid(value, oid);
	return true;
}

static bool take_line(struct parsing *p, struct piece line)
{
	static const char *const keys[KEYS] = {"version", "oid", "size"};
	struct piece key;

	if (line.n && line.at[line.n - 1] == '\r')
		line.n--;
	if (line.n == 0)
		return true;
	if (!cut(&line, ' ', &key) || p->n_keys == KEYS)
		return false;
	if (!is(key, keys[p->n_keys]))
		return is_extension(key) && take_extension(p, key, line);
	p->values[p->n_keys++] = line;
	return true;
}

static bool take_lines(struct parsing *p, struct piece text)
{
	struct piece line;

	while (cut(&text, '\n', &line))
		if (!take_line(p, line))
			return false;
	return take_line(p, text);
}

/* Nothing changes what an empty file has. */
static bool may_have_extensions(const struct parsing *p, uint64_t size)
{
	for (size_t i = 0; i < EXTENSIONS_MOST; i++)
		if (p->extensions[i].is_bad || (p->extensions[i].key.n && size))
			return false;
	return true;
}

int lfs_pointer_parse(const void *data, size_t n, struct lfs_pointer *ret)
{
	struct piece text = {data, n};
	struct lfs_pointer pointer = {.size = 0};
	struct parsing p = {.n_keys = 0};

	if (n < LFS_POINTER_LEAST || n >= LFS_POINTER_LIMIT)
		return -EBADMSG;
	text = trimmed(text);
	if (!has(text, "git-lfs") && !has(text, "hawser") &&
	    !has(text, "git-media"))
		return -EBADMSG;
	if (!take_lines(&p, text) || p.n_keys < KEYS ||
	    !is_version(p.values[0]) || !parse_oid(p.values[1], pointer.oid) ||
	    !parse_size(p.values[2], &pointer.size) ||
	    !may_have_extensions(&p, pointer.size))
		return -EBADMSG;
	*ret = pointer;
	return 0;
}

char *lfs_oid_hex(const struct lfs_pointer *p, char out[static 65])
{
	static const char digits[] = "0123456789abcdef";

	/* An answer of a server's may have it made for each line. */
	for (size_t i = 0; i < sizeof(p->oid); i++) {
		out[2 * i] = digits[p->oid[i] >> 4];
		out[2 * i + 1] = digits[p->oid[i] & 15];
	}
	out[2 * sizeof(p->oid)] = '\0';
	return out;
}
