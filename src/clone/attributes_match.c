/*
 * Patterns with wildcards, as git has them (gitignore(5); the C library's
 * fnmatch knows no "**").
 *
 * Without recursion: of the wildcards before a mismatch only the last "*" and
 * the last "**" can help, each by taking one more byte. So it takes as many
 * steps as both lengths multiplied, once for each directory of the text, and
 * nobody's pattern makes a look at a file take for ever.
 */
#include "clone/attributes.h"

#include <ctype.h>

struct matching {
	const char *p, *p_end;
	const char *t, *t_end;
	const char *begin; /* of the pattern */
	bool is_path;
	/* Where to go on after the last "*", and the last "**"; NULL: none. */
	const char *star, *star_at;
	const char *stars, *stars_at;
};

/* ---- [classes] ---- */

static bool in_named(const char *name, size_t n, unsigned char c, bool *ret_bad)
{
	static const struct {
		const char *name;
		int (*is)(int c);
	} named[] = {
		{"alnum", isalnum}, {"alpha", isalpha}, {"blank", isblank},
		{"cntrl", iscntrl}, {"digit", isdigit}, {"graph", isgraph},
		{"lower", islower}, {"print", isprint}, {"punct", ispunct},
		{"space", isspace}, {"upper", isupper}, {"xdigit", isxdigit},
	};

	for (size_t i = 0; i < ARRAY_SIZE(named); i++)
		if (strlen(named[i].name) == n &&
		    memcmp(named[i].name, name, n) == 0)
			return isascii(c) && named[i].is(c);
	*ret_bad = true;
	return false;
}

/* One byte of a class, perhaps behind a backslash. */
static bool class_byte(const char **p, const char *end, unsigned char *ret)
{
	if (*p < end && **p == '\\')
		(*p)++;
	if (*p == end)
		return false;
	*ret = (unsigned char)*(*p)++;
	return true;
}

/* "[:name:]" at *p. */
static bool is_named(const char *p, const char *end, const char **ret_end)
{
	const char *close;

	if (end - p < 4 || p[0] != '[' || p[1] != ':')
		return false;
	close = memchr(p + 2, ']', (size_t)(end - p - 2));
	if (!close || close - p < 3 || close[-1] != ':')
		return false;
	*ret_end = close + 1;
	return true;
}

/* Whether the class at *p, behind its "[", has the byte; *p is then behind it.
 * -1: it has no end, or is none. */
static int in_class(const char **p, const char *end, unsigned char c)
{
	const char *at = *p, *named_end;
	bool negated = at < end && (*at == '!' || *at == '^');
	bool has = false, bad = false, first = true;
	unsigned char low, high;

	at += negated;
	for (; at < end && (*at != ']' || first); first = false) {
		if (is_named(at, end, &named_end)) {
			has = in_named(at + 2, (size_t)(named_end - at - 4), c,
				       &bad) ||
			      has;
			at = named_end;
			continue;
		}
		if (!class_byte(&at, end, &low))
			return -1;
		high = low;
		if (end - at >= 2 && *at == '-' && at[1] != ']') {
			at++;
			if (!class_byte(&at, end, &high))
				return -1;
		}
		has = has || (c >= low && c <= high);
	}
	if (at >= end || bad)
		return -1;
	*p = at + 1;
	return has != negated;
}

/* ---- one byte ---- */

/* Whether what is at p, no star, matches the byte at t; then both go on. */
static bool step(struct matching *m)
{
	const char *p = m->p;
	char c = *m->t;
	bool is = false;

	switch (*p++) {
	case '?':
		is = !m->is_path || c != '/';
		break;
	case '[':
		is = in_class(&p, m->p_end, (unsigned char)c) == 1 &&
		     (!m->is_path || c != '/');
		break;
	case '\\':
		is = p < m->p_end && *p++ == c;
		break;
	default:
		is = p[-1] == c;
		break;
	}
	if (is) {
		m->p = p;
		m->t++;
	}
	return is;
}

/* ---- stars ---- */

/* Of "**" that is a directory's place of its own: any bytes, or, before a
 * slash, nothing at all, not even that slash. */
static void begin_stars(struct matching *m)
{
	m->stars = m->p;
	m->stars_at = m->t;
	m->star = NULL;
	if (m->p < m->p_end && *m->p == '/')
		m->p++;
}

static void begin_star(struct matching *m)
{
	const char *from = m->p;
	bool before, after;

	while (m->p < m->p_end && *m->p == '*')
		m->p++;
	before = from == m->begin || from[-1] == '/';
	after = m->p == m->p_end || *m->p == '/' ||
		(m->p_end - m->p >= 2 && m->p[0] == '\\' && m->p[1] == '/');
	if (m->is_path && m->p - from > 1 && before && after) {
		begin_stars(m);
		return;
	}
	m->star = m->p;
	m->star_at = m->t;
}

/* The last star takes one more byte; false: there is none that can. */
static bool go_back(struct matching *m)
{
	if (m->star && m->star_at < m->t_end &&
	    !(m->is_path && *m->star_at == '/')) {
		m->p = m->star;
		m->t = ++m->star_at;
		return true;
	}
	m->star = NULL;
	if (!m->stars || m->stars_at > m->t_end)
		return false;
	m->p = m->stars;
	m->t = m->stars_at++;
	return true;
}

bool attributes_match(const char *pattern, size_t n_pattern, const char *text,
		      size_t n_text, bool is_path)
{
	struct matching m = {
		.p = pattern,
		.p_end = pattern + n_pattern,
		.begin = pattern,
		.t = text,
		.t_end = text + n_text,
		.is_path = is_path,
	};

	for (;;) {
		if (m.p < m.p_end && *m.p == '*')
			begin_star(&m);
		else if (m.p == m.p_end && m.t == m.t_end)
			return true;
		else if (m.p < m.p_end && m.t < m.t_end && step(&m))
			continue;
		else if (!go_back(&m))
			return false;
	}
}
