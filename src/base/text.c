/* base/text: escaping and the legality of names. */
#include "base/text.h"
#include "base/digest.h"

#include <inttypes.h>

static bool unreserved(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' ||
	       c == '~';
}

int text_percent_encode(struct buf *out, const char *s, const char *keep)
{
	for (; *s; s++) {
		if (unreserved((unsigned char)*s) || strchr(keep, *s))
			buf_putc(out, *s);
		else
			buf_printf(out, "%%%02X", (unsigned char)*s);
	}
	return out->failed;
}

static size_t utf8_char(const unsigned char *s, size_t n)
{
	unsigned char low = 0x80, high = 0xbf;
	size_t len;

	if (s[0] < 0x80)
		return 1;
	if (s[0] >= 0xc2 && s[0] <= 0xdf)
		len = 2;
	else if (s[0] >= 0xe0 && s[0] <= 0xef)
		len = 3;
	else if (s[0] >= 0xf0 && s[0] <= 0xf4)
		len = 4;
	else
		return 0;
	if (n < len)
		return 0;
	if (s[0] == 0xe0)
		low = 0xa0;
	else if (s[0] == 0xed)
		high = 0x9f;
	else if (s[0] == 0xf0)
		low = 0x90;
	else if (s[0] == 0xf4)
		high = 0x8f;
	if (s[1] < low || s[1] > high)
		return 0;
	for (size_t i = 2; i < len; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	return len;
}

size_t text_utf8_char(const char *s, size_t n)
{
	return utf8_char((const unsigned char *)s, n);
}

size_t text_terminal(const char *s, size_t n)
{
	const unsigned char *p = (const unsigned char *)s;

	if (p[0] < 0x20 || p[0] == 0x7f)
		return 1;
	if (p[0] < 0x80)
		return 0;
	if (p[0] == 0xc2 && n > 1 && p[1] >= 0x80 && p[1] < 0xa0)
		return 2;
	if (p[0] == 0xe2 && n > 2 &&
	    ((p[1] == 0x80 && p[2] >= 0xaa && p[2] <= 0xae) ||
	     (p[1] == 0x81 && p[2] >= 0xa6 && p[2] <= 0xa9)))
		return 3;
	return p[0] < 0xa0; /* C1, and not inside of a UTF-8 character */
}

static void escape(struct buf *out, const char *s, size_t n)
{
	const unsigned char *p = (const unsigned char *)s;

	if (n == 3) {
		buf_printf(out, "\\u%04x",
			   (p[0] & 0x0fU) << 12 | (p[1] & 0x3fU) << 6 |
				   (p[2] & 0x3fU));
		return;
	}
	for (size_t i = 0; i < n; i++)
		buf_printf(out, "\\x%02x", p[i]);
}

/* How many bytes can be copied as they are: up to the next one that a terminal
 * obeys (text_terminal) or that is in special. */
static size_t harmless(const char *s, size_t n, const char *special)
{
	size_t at = 0, len;

	for (; at < n && !strchr(special, s[at]); at += len) {
		if (text_terminal(s + at, n - at))
			break;
		len = utf8_char((const unsigned char *)s + at, n - at);
		len = len ? len : 1;
	}
	return at;
}

int text_clean(struct buf *out, const char *s, size_t n, const char *keep)
{
	const char *end = s + n;

	while (s < end) {
		size_t plain = harmless(s, (size_t)(end - s), ""), odd;

		buf_add(out, s, plain);
		s += plain;
		if (s == end)
			break;
		odd = text_terminal(s, (size_t)(end - s));
		if (odd == 1 && *s && strchr(keep, *s))
			buf_putc(out, *s);
		else
			escape(out, s, odd);
		s += odd;
	}
	return out->failed;
}

int text_clean_buf(struct buf *buf, size_t from, const char *keep)
{
	struct buf clean = BUF_INIT(buf->max);

	if (from < buf->len)
		text_clean(&clean, buf->data + from, buf->len - from, keep);
	if (clean.failed) {
		buf->failed = clean.failed;
	} else if (from < buf->len) {
		buf->len = from;
		buf_add(buf, clean.data, clean.len);
	}
	buf_done(&clean);
	return buf->failed;
}

int text_tsv_value(struct buf *out, const char *s)
{
	static const char odd[] = "\t\n\r\\", letters[] = "tnr\\";
	const char *end = s + strlen(s);

	while (s < end) {
		size_t n = harmless(s, (size_t)(end - s), odd);
		const char *at;

		buf_add(out, s, n);
		s += n;
		if (s == end)
			break;
		at = strchr(odd, *s);
		if (at) {
			buf_printf(out, "\\%c", letters[at - odd]);
			s++;
			continue;
		}
		n = text_terminal(s, (size_t)(end - s));
		escape(out, s, n);
		s += n;
	}
	return out->failed;
}

int text_info_line(struct buf *out, const char *key, const char *value)
{
	size_t from;

	if (!value)
		return out->failed;
	buf_printf(out, "%s: ", key);
	from = out->len;
	text_clean(out, value, strlen(value), "\t\n\r");
	for (size_t i = from; i < out->len; i++)
		if ((unsigned char)out->data[i] < 0x20)
			out->data[i] = ' ';
	return buf_putc(out, '\n');
}

bool text_is_utf8(const char *s, size_t n)
{
	const unsigned char *p = (const unsigned char *)s;

	while (n > 0) {
		size_t len = utf8_char(p, n);

		if (len == 0)
			return false;
		p += len;
		n -= len;
	}
	return true;
}

static bool is_own_name(const char *name, const char *const *own_names)
{
	if (name[0] == '\0' || strcmp(name, ".") == 0 ||
	    strcmp(name, "..") == 0)
		return true;
	for (; own_names && *own_names; own_names++)
		if (strcmp(name, *own_names) == 0)
			return true;
	return false;
}

static bool offends(const unsigned char *p, size_t n, size_t *ret_len)
{
	size_t len = utf8_char(p, n);

	*ret_len = len ? len : 1;
	return len == 0 || *p == '/' || text_terminal((const char *)p, n);
}

static bool any_offends(const char *name)
{
	size_t n = strlen(name), len;

	for (size_t i = 0; i < n; i += len)
		if (offends((const unsigned char *)name + i, n - i, &len))
			return true;
	return false;
}

#define MAX_NAME 255
#define CUT_TAIL (1 + 8) /* ~ and eight digits */

static void cut(struct buf *out, size_t start, const char *name, bool escaped)
{
	size_t at = start + MAX_NAME - CUT_TAIL;
	char sha1[41];

	/* Cut neither inside of a character, which would not be UTF-8, nor of a
	 * %XX, of which half would be another name. */
	while (at > start && ((unsigned char)out->data[at] & 0xc0) == 0x80)
		at--;
	for (size_t back = 1; escaped && back <= 2; back++)
		if (out->data[at - back] == '%')
			at -= back;
	out->len = at;
	out->data[at] = '\0';
	digest_sha1_hex(name, strlen(name), sha1);
	buf_printf(out, "~%.8s", sha1);
}

void text_file_name(struct buf *out, const char *name,
		    const char *const *own_names)
{
	bool own = is_own_name(name, own_names);
	bool escape = own || any_offends(name);
	size_t start = out->len, n = strlen(name), len;

	for (size_t i = 0; i < n; i += len) {
		const unsigned char *p = (const unsigned char *)name + i;
		bool bad = offends(p, n - i, &len);

		/* Of a name that may not be used as a whole, the first byte. */
		if (bad || (escape && *p == '%') || (own && i == 0)) {
			buf_printf(out, "%%%02X", *p);
			len = 1;
		} else {
			buf_add(out, p, len);
		}
	}
	if (n == 0)
		buf_puts(out, "%");
	if (!out->failed && out->len - start > MAX_NAME)
		cut(out, start, name, escape);
}

int text_parse_u64(const char *s, uint64_t max, uint64_t *ret_value)
{
	uint64_t value = 0;

	if (!*s)
		return -EINVAL;
	for (const char *p = s; *p; p++)
		if (*p < '0' || *p > '9')
			return -EINVAL;
	for (; *s; s++) {
		uint64_t digit = (uint64_t)(*s - '0');

		if (value > (max - digit) / 10 || digit > max)
			return -ERANGE;
		value = value * 10 + digit;
	}
	*ret_value = value;
	return 0;
}

int text_parse_duration(const char *s, int64_t *ret_seconds)
{
	static const struct {
		char unit;
		uint64_t seconds;
	} units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
	const uint64_t max = UINT64_C(10) * 366 * 86400;
	char number[32];
	uint64_t value, factor = 1;
	size_t n = strlen(s);
	int r;

	if (n == 0 || n >= sizeof(number))
		return -EINVAL;
	memcpy(number, s, n + 1);
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		if (number[n - 1] == units[i].unit) {
			factor = units[i].seconds;
			number[n - 1] = '\0';
			break;
		}
	}
	r = text_parse_u64(number, max, &value);
	if (r < 0)
		return r;
	if (value > max / factor)
		return -ERANGE;
	*ret_seconds = (int64_t)(value * factor);
	return 0;
}

static bool only(const char *s, const char *punctuation)
{
	size_t n = strlen(s);

	if (n == 0 || n > MAX_NAME)
		return false;
	for (; *s; s++)
		if (!(*s >= 'a' && *s <= 'z') && !(*s >= '0' && *s <= '9') &&
		    !strchr(punctuation, *s))
			return false;
	return true;
}

bool text_is_workspace_id(const char *s)
{
	return only(s, "_-");
}

bool text_is_repo_slug(const char *s)
{
	return only(s, "._-") && strcmp(s, ".") != 0 && strcmp(s, "..") != 0;
}

bool text_is_oid(const char *s)
{
	size_t n = 0;

	for (; *s; s++, n++)
		if (!(*s >= '0' && *s <= '9') && !(*s >= 'a' && *s <= 'f'))
			return false;
	return n == 40;
}

void text_wipe(char *secret)
{
	if (!secret)
		return;
	explicit_bzero(secret, strlen(secret));
	free(secret);
}

char *text_bytes(uint64_t n, char out[static 16])
{
	static const char *const units[] = {"kB", "MB", "GB", "TB", "PB", "EB"};
	double value = (double)n;
	size_t unit = 0;

	if (n < 1000) {
		snprintf(out, 16, "%" PRIu64 " B", n);
		return out;
	}
	for (value /= 1000; value >= 999.95 && unit < 5; unit++)
		value /= 1000;
	snprintf(out, 16, "%.1f %s", value, units[unit]);
	return out;
}
