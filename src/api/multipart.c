/*
 * api/multipart: from delimiter to delimiter. The line break before a delimiter
 * belongs to the delimiter (RFC 2046 §5.1.1). Whether it is CRLF or LF alone,
 * the lines of the part's own headers say: a part whose content ends in CR
 * keeps that CR.
 */
#include "api/multipart.h"

#include <strings.h>

#define BOUNDARY_MOST 200
#define NAME_MOST (4 * KIB)

struct slice {
	const char *at;
	size_t n;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static struct slice trim(struct slice s)
{
	while (s.n && is_blank(s.at[0]))
		s.at++, s.n--;
	while (s.n && is_blank(s.at[s.n - 1]))
		s.n--;
	return s;
}

static bool same(struct slice s, const char *text)
{
	return s.n == strlen(text) && !strncasecmp(s.at, text, s.n);
}

/* ---- parameters: ; name="value" ---- */

/* Takes one parameter off *s. False: there is none. */
static bool next_parameter(struct slice *s, struct slice *name,
			   struct buf *value)
{
	const char *equals;
	size_t i = 0;

	while (s->n && (is_blank(s->at[0]) || s->at[0] == ';'))
		s->at++, s->n--;
	equals = memchr(s->at, '=', s->n);
	if (!equals)
		return false;
	*name = trim((struct slice){s->at, (size_t)(equals - s->at)});
	s->n -= (size_t)(equals + 1 - s->at);
	s->at = equals + 1;
	*s = trim(*s);
	buf_clear(value);
	if (s->n && s->at[0] == '"') {
		for (i = 1; i < s->n && s->at[i] != '"'; i++) {
			if (s->at[i] == '\\' && i + 1 < s->n)
				i++;
			buf_putc(value, s->at[i]);
		}
		i += i < s->n;
	} else {
		for (; i < s->n && s->at[i] != ';'; i++)
			if (!is_blank(s->at[i]))
				buf_putc(value, s->at[i]);
	}
	s->at += i;
	s->n -= i;
	return true;
}

/* The value of a parameter of a header; false: it has none, or an empty one. */
static bool parameter(struct slice header, const char *want, struct buf *value)
{
	const char *semicolon = memchr(header.at, ';', header.n);
	struct slice name;

	if (!semicolon)
		return false;
	header.n -= (size_t)(semicolon - header.at);
	header.at = semicolon;
	while (next_parameter(&header, &name, value))
		if (same(name, want))
			return value->len && !value->failed;
	return false;
}

static int hex(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
				      : -1;
}

/* RFC 5987: UTF-8'en'na%C3%AFve; what is before the second quote goes. */
static bool extended(struct buf *value)
{
	cleanup(free) char *text = buf_steal(value, NULL);
	const char *p = strchr(text, '\'');

	p = p ? strchr(p + 1, '\'') : NULL;
	if (!p)
		return false;
	for (p++; *p; p++) {
		int high = *p == '%' ? hex(p[1]) : -1;
		int low = high >= 0 ? hex(p[2]) : -1;

		if (low >= 0 && (low | high)) {
			buf_putc(value, (char)(high << 4 | low));
			p += 2;
		} else {
			buf_putc(value, *p);
		}
	}
	return value->len && !value->failed;
}

/* ---- contents ---- */

static int base64_value(unsigned char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static int decode_base64(struct slice s, struct buf *out)
{
	cleanup(free) char *bytes = mem_alloc(s.n / 4 * 3 + 4);
	unsigned bits = 0, n_bits = 0, n_padding = 0;
	size_t n = 0, n_digits = 0;

	for (size_t i = 0; i < s.n; i++) {
		int value = base64_value((unsigned char)s.at[i]);

		if (strchr(" \t\r\n", s.at[i]) && s.at[i])
			continue;
		if (s.at[i] == '=') {
			n_padding++;
			continue;
		}
		if (value < 0 || n_padding)
			return -EBADMSG;
		n_digits++;
		bits = bits << 6 | (unsigned)value;
		n_bits += 6;
		if (n_bits >= 8) {
			n_bits -= 8;
			bytes[n++] = (char)(bits >> n_bits);
		}
	}
	if (n_digits % 4 == 1 || n_padding > 2)
		return -EBADMSG;
	return buf_add(out, bytes, n);
}

/* Text on its way has lines that end in CRLF (RFC 2045 §2.7), where the
 * answer's do; at home they end in LF. */
static int decode_lines(struct slice s, struct buf *out)
{
	while (s.n) {
		const char *cr = memmem(s.at, s.n, "\r\n", 2);
		size_t n = cr ? (size_t)(cr - s.at) : s.n;

		buf_add(out, s.at, n);
		s.at += n + !!cr;
		s.n -= n + !!cr;
	}
	return out->failed;
}

static int decode_quoted(struct slice s, bool crlf, struct buf *out)
{
	for (size_t i = 0; i < s.n; i++) {
		int high = i + 2 < s.n ? hex(s.at[i + 1]) : -1;
		int low = high >= 0 ? hex(s.at[i + 2]) : -1;

		if (s.at[i] != '=') {
			if (!crlf || s.at[i] != '\r' || i + 1 == s.n ||
			    s.at[i + 1] != '\n')
				buf_putc(out, s.at[i]);
		} else if (low >= 0) {
			buf_putc(out, (char)(high << 4 | low));
			i += 2;
		} else if (i + 1 == s.n || s.at[i + 1] == '\n') {
			i++;
		} else if (s.at[i + 1] == '\r') {
			i += 1 + (i + 2 < s.n && s.at[i + 2] == '\n');
		} else {
			return -EBADMSG;
		}
	}
	return out->failed;
}

/* ---- one part ---- */

struct headers {
	struct slice disposition, id, encoding;
	bool crlf; /* how its lines end */
};

/* Takes the lines up to the empty one off *s. False: there is none. */
static bool take_headers(struct slice *s, struct headers *h)
{
	while (s->n) {
		const char *end = memchr(s->at, '\n', s->n);
		struct slice line, *to;
		const char *colon;

		if (!end)
			return false;
		line = (struct slice){s->at, (size_t)(end - s->at)};
		s->n -= line.n + 1;
		s->at = end + 1;
		h->crlf = line.n && line.at[line.n - 1] == '\r';
		line.n -= h->crlf;
		if (!line.n)
			return true;
		colon = memchr(line.at, ':', line.n);
		/* A folded line's rest is nothing that we need. */
		if (!colon || is_blank(line.at[0]))
			continue;
		to = same((struct slice){line.at, (size_t)(colon - line.at)},
			  "Content-Disposition")
			     ? &h->disposition
		     : same((struct slice){line.at, (size_t)(colon - line.at)},
			    "Content-ID")
			     ? &h->id
		     : same((struct slice){line.at, (size_t)(colon - line.at)},
			    "Content-Transfer-Encoding")
			     ? &h->encoding
			     : NULL;
		if (to)
			*to = trim((struct slice){
				colon + 1,
				line.n - (size_t)(colon + 1 - line.at)});
	}
	return false;
}

/* Of <name>, "name" and name: name. */
static bool name_of_id(struct slice id, struct buf *name)
{
	if (id.n >= 2 && ((id.at[0] == '<' && id.at[id.n - 1] == '>') ||
			  (id.at[0] == '"' && id.at[id.n - 1] == '"')))
		id = (struct slice){id.at + 1, id.n - 2};
	buf_clear(name);
	buf_add(name, id.at, id.n);
	return id.n && !name->failed;
}

static int take_part(struct slice s, bool first,
		     int (*each)(void *, const struct multipart_part *),
		     void *arg)
{
	cleanup(buf_done) struct buf name = BUF_INIT(NAME_MOST);
	cleanup(buf_done) struct buf decoded = BUF_INIT(0);
	struct headers h = {{"", 0}, {"", 0}, {"", 0}, false};
	bool named;
	int r;

	if (!take_headers(&s, &h))
		return -EBADMSG;
	/* The line break that is the delimiter's; of an empty part the headers
	 * may have had it. */
	s.n -= s.n > 0;
	if (s.n && h.crlf && s.at[s.n - 1] == '\r')
		s.n--;
	named = (parameter(h.disposition, "filename*", &name) &&
		 extended(&name)) ||
		parameter(h.disposition, "filename", &name) ||
		(!first && name_of_id(h.id, &name));
	/* A name with a NUL cannot be a file's name. */
	if (named && strlen(name.data) != name.len)
		named = false;
	if (same(h.encoding, "base64"))
		r = decode_base64(s, &decoded);
	else if (same(h.encoding, "quoted-printable"))
		r = decode_quoted(s, h.crlf, &decoded);
	else if (h.crlf && !same(h.encoding, "binary"))
		r = decode_lines(s, &decoded);
	else
		r = buf_add(&decoded, s.at, s.n);
	if (r < 0)
		return r;
	return each(arg, &(struct multipart_part){
				 .name = named ? name.data : NULL,
				 .data = decoded.data ? decoded.data : "",
				 .n = decoded.len,
			 });
}

/* ---- from delimiter to delimiter ---- */

static bool is_last(const char *rest, const char *end)
{
	return end - rest >= 2 && rest[0] == '-' && rest[1] == '-';
}

/* The next delimiter line at or after p: its beginning (without the line break
 * before it), or NULL. *ret_rest is what follows the boundary. */
static const char *find_delimiter(const char *p, const char *body,
				  const char *end, const char *delimiter,
				  const char **ret_rest)
{
	size_t n = strlen(delimiter);

	while ((p = memmem(p, (size_t)(end - p), delimiter, n))) {
		const char *rest = p + n;

		if (p != body && p[-1] != '\n') {
			p++;
			continue;
		}
		/* Without a line end or a blank after it, it is a longer
		 * boundary that begins like this one. */
		if (rest == end || memchr("\r\n \t", *rest, 4) ||
		    is_last(rest, end)) {
			*ret_rest = rest;
			return p;
		}
		p++;
	}
	return NULL;
}

int multipart_each(const char *content_type, const char *body, size_t n,
		   int (*each)(void *arg, const struct multipart_part *),
		   void *arg)
{
	cleanup(buf_done) struct buf boundary = BUF_INIT(BOUNDARY_MOST);
	cleanup(free) char *delimiter = NULL;
	const char *end = body + n, *at, *rest;

	if (strncasecmp(content_type, "multipart/", 10) ||
	    !parameter((struct slice){content_type, strlen(content_type)},
		       "boundary", &boundary))
		return -EBADMSG;
	delimiter = mem_asprintf("--%s", boundary.data);
	at = find_delimiter(body, body, end, delimiter, &rest);
	for (size_t i = 0; at; i++) {
		const char *start, *next;
		int r;

		if (is_last(rest, end))
			return 0;
		if (i == MULTIPART_MOST)
			return -EMSGSIZE;
		start = memchr(rest, '\n', (size_t)(end - rest));
		if (!start)
			return -EBADMSG;
		start++;
		next = find_delimiter(start, body, end, delimiter, &rest);
		if (!next)
			return -EBADMSG;
		r = take_part((struct slice){start, (size_t)(next - start)},
			      i == 0, each, arg);
		if (r < 0)
			return r;
		at = next;
	}
	return -EBADMSG;
}
