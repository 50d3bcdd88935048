/*
 * table/page: a row is tried after the other: what its one pattern takes of the
 * text, its other pattern is filled with. If none fits, the last part of the
 * text is dropped, and they are tried again.
 */
#include "page_private.h"

#include "base/text.h"

#include <ctype.h>

#define TEXT_MAX (16 * KIB)
#define COMMIT_MIN 7
#define COMMIT_MAX 40
/* What a browser shows in a path as it is. */
#define PLAIN "@:+,="

enum side {
	PLACE,
	PAGE,
};

struct values {
	const struct page_known *known;
	char *of[26]; /* by letter: what the thing is called by the service */
};

static void values_done(struct values *values)
{
	for (size_t i = 0; i < ARRAY_SIZE(values->of); i++)
		free(values->of[i]);
}
DEFINE_CLEANUP_DONE(struct values, values_done);

static char **value(struct values *values, char letter)
{
	return &values->of[letter - 'a'];
}

/* ---- what a variable takes ---- */

static bool is_number(const char *text)
{
	uint64_t number;

	return !text_parse_u64(text, UINT64_MAX, &number);
}

static bool is_commit(const char *text)
{
	size_t n = strspn(text, "0123456789abcdef");

	return !text[n] && n >= COMMIT_MIN && n <= COMMIT_MAX;
}

static bool may_be(char letter, enum side side, const char *text)
{
	switch (letter) {
	case 'w':
		return text_is_workspace_id(text);
	case 'r':
		return text_is_repo_slug(text);
	case 'n':
	case 'i':
		return is_number(text);
	case 'c':
		return is_commit(text);
	case 's':
		return side == PLACE || *text == '{';
	case 'k':
	case 'x':
		return !strchr(text, '/');
	default:
		return true;
	}
}

/* How many of the parts that are left. */
static size_t n_taken(char letter, enum side side, bool is_last, size_t n_left,
		      const struct page_known *known)
{
	size_t n_ref = known->n_ref ? known->n_ref : 1;

	if (letter == 'p' || (letter == 'b' && side == PAGE && is_last))
		return n_left;
	return letter == 'b' && side == PLACE ? n_ref : 1;
}

/* One part as the service has it. */
static void add_true(struct buf *out, char letter, enum side side,
		     const char *part, bool first)
{
	size_t from = out->len;

	if (side == PLACE && (letter == 'f' || letter == 'b')) {
		page_true_name(out, part, first);
		return;
	}
	buf_puts(out, part);
	/* In an address capitals are the same workspace. */
	if (side == PAGE && (letter == 'w' || letter == 'r'))
		for (size_t i = from; i < out->len; i++)
			out->data[i] =
				(char)tolower((unsigned char)out->data[i]);
}

static bool take(struct values *values, char letter, enum side side,
		 char *const *parts, size_t n)
{
	cleanup(buf_done) struct buf text = BUF_INIT(TEXT_MAX);

	for (size_t i = 0; i < n; i++) {
		if (i)
			buf_putc(&text, '/');
		add_true(&text, letter, side, parts[i], !i);
	}
	if (text.failed || (n && !may_be(letter, side, text.data)))
		return false;
	free(*value(values, letter));
	*value(values, letter) = mem_strdup(text.len ? text.data : "");
	return true;
}

static bool fits(const char *pattern, enum side side,
		 const struct page_text *text, struct values *values)
{
	size_t at = 0;

	while (*pattern && *pattern != '?' && *pattern != '#') {
		size_t n = strcspn(pattern, "/?#"), n_parts = 1;
		bool is_last = pattern[n] != '/' || !pattern[n + 1];

		if (*pattern == '$') {
			n_parts = n_taken(pattern[1], side, is_last,
					  text->n - at, values->known);
			if (n_parts > text->n - at ||
			    !take(values, pattern[1], side, text->parts + at,
				  n_parts))
				return false;
		} else if (at == text->n ||
			   strncmp(pattern, text->parts[at], n) != 0 ||
			   text->parts[at][n]) {
			return false;
		}
		at += n_parts;
		pattern += n + (pattern[n] == '/');
	}
	return at == text->n;
}

/* "name=value" or what a fragment begins with, both of which may end in a
 * variable. */
static bool fits_rest(const char *pattern, const char *rest,
		      struct values *values)
{
	size_t n = strcspn(pattern, "$");
	cleanup(free) char *copy = NULL;

	if (!rest || strncmp(pattern, rest, n) != 0)
		return false;
	copy = mem_strdup(rest + n);
	return pattern[n]
		       ? *copy && take(values, pattern[n + 1], PAGE, &copy, 1)
		       : !*copy;
}

static bool fits_page(const char *pattern, const struct page_text *text,
		      struct values *values)
{
	size_t n = strcspn(pattern, "?#");

	if (pattern[n] == '?') {
		cleanup(free) char *item =
			page_query(text, pattern + n + 1,
				   strcspn(pattern + n + 1, "=") + 1);

		if (!fits_rest(pattern + n + 1, item, values))
			return false;
	} else if (pattern[n] == '#' &&
		   !fits_rest(pattern + n + 1, text->fragment, values)) {
		return false;
	}
	return fits(pattern, PAGE, text, values);
}

/* ---- what is filled in ---- */

static void add_names(struct buf *out, const char *text, bool is_ref)
{
	cleanup(free) char *copy = mem_strdup(text);
	bool first = true;

	for (char *rest = copy, *one;
	     (one = is_ref ? strsep(&rest, "/") : steal(&rest));
	     first = false) {
		if (!first)
			buf_putc(out, '/');
		page_file_name(out, one, first);
	}
}

/* The row's page of files of a ref: its commit where a slash is in the name. */
static const char *commit_of(struct values *values)
{
	const char *commit = *value(values, 'c'), *ref = *value(values, 'b');

	return commit                    ? commit
	       : ref && strchr(ref, '/') ? values->known->commit
					 : NULL;
}

/* False: a page has no such name in it. */
static bool fill_page(struct buf *out, const char *pattern,
		      struct values *values)
{
	for (const char *c = pattern; *c; c++) {
		const char *text;
		char letter = c[1];

		if (*c != '$') {
			buf_putc(out, *c);
			continue;
		}
		text = letter == 'c'   ? commit_of(values)
		       : letter == 's' ? values->known->step
				       : *value(values, letter);
		/* In the path before another part it would be two. */
		if (!text || page_is_cut(text) ||
		    (letter == 'b' && c[2] == '/' && strchr(text, '/')))
			return false;
		text_percent_encode(
			out, text,
			letter == 'p' || (letter == 'b' && c[-1] == '/')
				? PLAIN "/"
				: PLAIN);
		c++;
	}
	return !out->failed;
}

static bool fill_place(struct page_place *place, const char *pattern,
		       struct values *values)
{
	cleanup(buf_done) struct buf out = BUF_INIT(TEXT_MAX);

	for (const char *c = pattern; *c; c++) {
		if (*c != '$') {
			buf_putc(&out, *c);
			continue;
		}
		c++;
		if (*c == 's')
			place->step = steal(value(values, 's'));
		else if (*c == 'f' || *c == 'b')
			add_names(&out, *value(values, *c), *c == 'b');
		else
			buf_puts(&out, *value(values, *c));
	}
	while (out.len && out.data[out.len - 1] == '/')
		out.data[--out.len] = 0;
	place->path = mem_strdup(out.len ? out.data : "");
	return !out.failed;
}

/* ---- a place, a page ---- */

static bool has_lines(const struct page_row *row)
{
	return strstr(row->page, "/$p");
}

static char *page_by(const struct page_row *row, const struct page_text *text,
		     const struct page_known *known, struct page_lines lines)
{
	cleanup(values_done) struct values values = {.known = known};
	cleanup(buf_done) struct buf out = BUF_INIT(TEXT_MAX);

	if (row->way == PAGE_TO_PLACE ||
	    !fits(row->place, PLACE, text, &values) ||
	    !fill_page(&out, row->page, &values))
		return NULL;
	if (lines.first && has_lines(row))
		buf_printf(&out, "#lines-%u", lines.first);
	if (lines.last > lines.first && has_lines(row))
		buf_printf(&out, ":%u", lines.last);
	return out.len ? buf_steal(&out, NULL) : mem_strdup("");
}

char *page_of_place(const char *place, const struct page_known *known,
		    struct page_lines lines)
{
	cleanup(page_text_done) struct page_text text = {0};
	char *page;

	if (!page_text_place(place, &text))
		return NULL;
	for (bool first = true; first || text.n; first = false) {
		for (const struct page_row *row = page_rows; row->place;
		     row++) {
			page = page_by(row, &text, known, lines);
			if (page)
				return page;
		}
		if (!text.n)
			break;
		page_text_shorten(&text);
	}
	return NULL;
}

static bool place_by(const struct page_row *row, const struct page_text *text,
		     struct page_place *ret)
{
	static const struct page_known nothing;
	cleanup(values_done) struct values values = {.known = &nothing};

	if (row->way == PAGE_FROM_PLACE ||
	    !fits_page(row->page, text, &values) ||
	    !fill_place(ret, row->place, &values)) {
		page_place_done(ret);
		return false;
	}
	if (has_lines(row))
		ret->lines = page_fragment_lines(text->fragment);
	return true;
}

bool page_to_place(const char *page, struct page_place *ret_place)
{
	cleanup(page_text_done) struct page_text text = {0};

	*ret_place = (struct page_place){0};
	if (!page_text_page(page, &text))
		return false;
	for (bool first = true; first || text.n; first = false) {
		for (const struct page_row *row = page_rows; row->place; row++)
			if (place_by(row, &text, ret_place))
				return true;
		if (!text.n)
			break;
		page_text_shorten(&text);
	}
	return false;
}

void page_place_done(struct page_place *place)
{
	free(place->path);
	free(place->step);
	*place = (struct page_place){0};
}
