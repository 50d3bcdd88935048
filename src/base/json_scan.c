/*
 * base/json, the text of a document before cJSON parses it: bounds, numbers as
 * RFC 8259 has them, and what other programs write although it is no JSON,
 * mended. A text that needs no mending is not copied.
 */
#include "base/json_scan.h"

#include "base/text.h"

/* Of each value cJSON makes 64 bytes, so a document of 64 MB could take GBs. */
#define VALUES_MOST (4 * 1000 * 1000)
#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */
/* A double holds so many decimal digits, of numbers with so short exponents. */
#define DIGITS_MOST 15
#define EXPONENT_MOST 2

void json_scan_done(struct json_scan *s)
{
	free(s->numbers);
	buf_done(&s->copy);
}

static char peek(const struct json_scan *s)
{
	return s->at < s->n ? s->text[s->at] : '\0';
}

/* The next n bytes of the text become these. */
static void mend(struct json_scan *s, size_t n, const char *with)
{
	buf_add(&s->copy, s->text + s->from, s->at - s->from);
	buf_puts(&s->copy, with);
	s->at += n;
	s->from = s->at;
}

/* ---- strings ---- */

/* The value of the four digits of "\uXXXX" at this place; -1: something else is
 * there. */
static int unit_at(const struct json_scan *s, size_t at)
{
	int value = 0;

	if (s->n < 6 || at > s->n - 6 || s->text[at] != '\\' ||
	    s->text[at + 1] != 'u')
		return -1;
	for (size_t i = at + 2; i < at + 6; i++) {
		char ch = s->text[i];
		int digit = ch >= '0' && ch <= '9'   ? ch - '0'
			    : ch >= 'a' && ch <= 'f' ? ch - 'a' + 10
			    : ch >= 'A' && ch <= 'F' ? ch - 'A' + 10
						     : -1;
		if (digit < 0)
			return -1;
		value = value * 16 + digit;
	}
	return value;
}

static bool is_high(int unit)
{
	return unit >= 0xd800 && unit <= 0xdbff;
}

static bool is_low(int unit)
{
	return unit >= 0xdc00 && unit <= 0xdfff;
}

/* cJSON ends a string at U+0000, takes "\uZZZZ" for that, and refuses a
 * document with half a surrogate pair. So what is not hexadecimal is refused
 * here, and U+0000 and lone surrogates become U+FFFD. */
static bool scan_escape(struct json_scan *s)
{
	int unit = unit_at(s, s->at);

	if (unit < 0) {
		s->at++;
		if (peek(s) == 'u')
			return false;
		s->at++;
		return true;
	}
	if (is_high(unit) && is_low(unit_at(s, s->at + 6)))
		s->at += 12;
	else if (unit == 0 || is_high(unit) || is_low(unit))
		mend(s, 6, REPLACEMENT);
	else
		s->at += 6;
	return true;
}

/* To the first byte that a string cannot just hold: most of a document is
 * letters, and each is looked at here alone. */
static size_t plain_end(const struct json_scan *s)
{
	size_t at = s->at;

	while (at < s->n && s->text[at] > 0 && s->text[at] != '"' &&
	       s->text[at] != '\\')
		at++;
	return at;
}

static bool scan_string(struct json_scan *s)
{
	s->at++;
	while ((s->at = plain_end(s)) < s->n && s->text[s->at] != '"') {
		unsigned char c = (unsigned char)s->text[s->at];
		size_t n;

		if (c == '\\') {
			if (!scan_escape(s))
				return false;
		} else {
			n = c ? text_utf8_char(s->text + s->at, s->n - s->at)
			      : 0;
			if (n)
				s->at += n;
			else
				mend(s, 1, REPLACEMENT);
		}
	}
	s->at++;
	return true;
}

/* ---- numbers ---- */

static size_t scan_digits(struct json_scan *s)
{
	size_t start = s->at;

	while (peek(s) >= '0' && peek(s) <= '9')
		s->at++;
	return s->at - start;
}

static void keep(struct json_scan *s, size_t at)
{
	mem_grow(s->numbers, s->n_numbers, s->size_numbers);
	s->numbers[s->n_numbers++] = (struct json_number){
		.index = s->n_seen,
		.at = at,
		.n = s->at - at,
	};
}

/* RFC 8259, section 6. cJSON takes what strtod takes: "01", "1.", "-.5". */
static bool scan_number(struct json_scan *s)
{
	size_t start = s->at, n_digits = 0, n_exponent = 0, n;

	if (peek(s) == '-')
		s->at++;
	if (peek(s) == '0')
		s->at++;
	else if (!(n_digits = scan_digits(s)))
		return false;
	if (peek(s) == '.') {
		s->at++;
		n = scan_digits(s);
		if (!n)
			return false;
		n_digits += n;
	}
	if (peek(s) == 'e' || peek(s) == 'E') {
		s->at++;
		if (peek(s) == '+' || peek(s) == '-')
			s->at++;
		n_exponent = scan_digits(s);
		if (!n_exponent)
			return false;
	}
	if (n_digits > DIGITS_MOST || n_exponent > EXPONENT_MOST)
		keep(s, start);
	s->n_seen++;
	return !(peek(s) >= '0' && peek(s) <= '9');
}

/* JavaScript's words for what is no number. */
static bool scan_word(struct json_scan *s)
{
	static const char *const words[] = {"NaN", "Infinity", "-Infinity"};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		size_t n = strlen(words[i]);

		if (s->n - s->at >= n &&
		    !memcmp(s->text + s->at, words[i], n)) {
			mend(s, n, "null");
			return true;
		}
	}
	return false;
}

/* ---- all of it ---- */

static int scan(struct json_scan *s)
{
	while (s->at < s->n) {
		switch (s->text[s->at]) {
		case '"':
			if (!scan_string(s))
				return -EBADMSG;
			break;
		case '{':
		case '[':
			if (++s->depth > JSON_DEPTH_MOST)
				return -EBADMSG;
			__attribute__((fallthrough));
		case ',':
			if (++s->n_values > VALUES_MOST)
				return -EMSGSIZE;
			s->at++;
			break;
		case '}':
		case ']':
			s->depth -= s->depth > 0;
			s->at++;
			break;
		case '-':
		case '0' ... '9':
			if (!scan_word(s) && !scan_number(s))
				return -EBADMSG;
			break;
		case 'N':
		case 'I':
			if (!scan_word(s))
				return -EBADMSG;
			break;
		default:
			s->at++;
		}
	}
	return 0;
}

int json_scan(const char *text, size_t n, struct json_scan *ret)
{
	int r;

	*ret = (struct json_scan){
		.text = text,
		.n = n,
		.mended = text,
		.n_mended = n,
	};
	r = scan(ret);
	if (r < 0 || !ret->from)
		return r;
	buf_add(&ret->copy, text + ret->from, n - ret->from);
	if (ret->copy.failed)
		return ret->copy.failed;
	ret->mended = ret->copy.data;
	ret->n_mended = ret->copy.len;
	return 0;
}
