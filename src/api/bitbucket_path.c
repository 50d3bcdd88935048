/*
 * api/bitbucket, paths that people write.
 */
#include "api/bitbucket.h"

#include "base/text.h"

#include <ctype.h>
#include <strings.h>

/* Bytes with a meaning in a path or a query are left as they are. Not "+",
 * which in a query would be read as a blank: it is encoded. */
#define KEEP_PATH "!$'()*,;:@&=~"
#define KEEP_QUERY KEEP_PATH "?/"

static void add_encoded(struct buf *out, const char *s, size_t n,
			const char *keep)
{
	for (size_t i = 0; i < n; i++) {
		char one[2] = {s[i], '\0'};

		if (s[i] == '%' && i + 2 < n &&
		    isxdigit((unsigned char)s[i + 1]) &&
		    isxdigit((unsigned char)s[i + 2]))
			buf_putc(out, '%');
		else
			text_percent_encode(out, one, keep);
	}
}

void bitbucket_add_segment(struct buf *out, const char *s, size_t n)
{
	buf_putc(out, '/');
	add_encoded(out, s, n, KEEP_PATH);
}

bool bitbucket_has_dots(const char *s, size_t n)
{
	size_t n_dots = 0;
	bool other = false;

	for (size_t i = 0; i < n; i++) {
		bool dot = i + 2 < n && !strncasecmp(s + i, "%2e", 3);
		bool slash = i + 2 < n && !strncasecmp(s + i, "%2f", 3);

		if (slash && !other && (n_dots == 1 || n_dots == 2))
			return true;
		other = !slash && (other || (!dot && s[i] != '.'));
		n_dots = slash ? 0 : n_dots + (dot || s[i] == '.');
		i += dot || slash ? 2 : 0;
	}
	return !other && (n_dots == 1 || n_dots == 2);
}

static bool has_parameter(const char *query, const char *name)
{
	size_t n = strlen(name);

	for (const char *p = query; p && *p; p = strchr(p, '&')) {
		p += *p == '&';
		if (!strncmp(p, name, n) && p[n] == '=')
			return true;
	}
	return false;
}

void bitbucket_add_query(struct buf *out, const char *query, bool is_list)
{
	char mark = '?';

	if (*query) {
		buf_putc(out, mark);
		add_encoded(out, query, strlen(query), KEEP_QUERY);
		mark = '&';
	}
	/* Fifty is what every list of the service allows; its default is ten.
	 */
	if (is_list && !has_parameter(query, "pagelen"))
		buf_printf(out, "%cpagelen=50", mark);
}
