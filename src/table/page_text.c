/*
 * table/page: texts taken apart, and names as each side writes them.
 */
#include "page_private.h"

#include "base/text.h"

#include <limits.h>

#define NAME_MAX_BYTES 255
#define CUT_DIGITS 8
/* No kernel follows a path of more (PATH_MAX). */
#define PARTS_MOST 2048

static const char *const own_names[] = {"index.json", "index.tsv", "more",
					NULL};

/* ---- names ---- */

static int hex_digit(char c)
{
	const char *digits = "0123456789abcdef";
	const char *at = c ? strchr(digits, c | ((c >= 'A') ? 0x20 : 0)) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* What is no %XX stays. NULL: there is a NUL in it. */
static char *decoded(const char *text, size_t n)
{
	char *out = mem_dup0(text, n), *to = out;

	for (const char *c = out; *c; c++) {
		int high = *c == '%' ? hex_digit(c[1]) : -1;
		int low = high >= 0 ? hex_digit(c[2]) : -1;

		if (low >= 0) {
			*to = (char)(high * 16 + low);
			c += 2;
		} else {
			*to = *c;
		}
		if (!*to++) {
			free(out);
			return NULL;
		}
	}
	*to = 0;
	return out;
}

void page_file_name(struct buf *out, const char *name, bool is_beside)
{
	text_file_name(out, name, is_beside ? own_names : NULL);
}

void page_true_name(struct buf *out, const char *written, bool is_beside)
{
	cleanup(free) char *name = decoded(written, strlen(written));
	cleanup(buf_done) struct buf again = BUF_INIT(4 * KIB);

	if (name)
		page_file_name(&again, name, is_beside);
	/* A % that was there from the beginning is one. */
	buf_puts(out,
		 again.len && !strcmp(again.data, written) ? name : written);
}

bool page_is_cut(const char *name)
{
	const char *part = strrchr(name, '/');
	size_t n;

	part = part ? part + 1 : name;
	n = strlen(part);
	return n > NAME_MAX_BYTES - CUT_DIGITS && n <= NAME_MAX_BYTES &&
	       part[n - CUT_DIGITS - 1] == '~' &&
	       strspn(part + n - CUT_DIGITS, "0123456789abcdef") == CUT_DIGITS;
}

/* ---- texts ---- */

void page_text_done(struct page_text *text)
{
	for (size_t i = 0; i < text->n; i++)
		free(text->parts[i]);
	free(text->parts);
	free(text->query);
	free(text->fragment);
	*text = (struct page_text){0};
}

void page_text_shorten(struct page_text *text)
{
	free(text->parts[--text->n]);
}

/* Neither may it lead out, nor may a terminal obey it. */
static bool is_good(const char *part)
{
	cleanup(buf_done) struct buf clean = BUF_INIT(64 * KIB);
	size_t n = strlen(part);

	text_clean(&clean, part, n, "");
	if (n && (clean.failed || strcmp(clean.data, part) != 0))
		return false;
	for (;; part += n + 1) {
		n = strcspn(part, "/");
		if ((n == 1 && *part == '.') ||
		    (n == 2 && !strncmp(part, "..", 2)))
			return false;
		if (!part[n])
			return true;
	}
}

static bool split(const char *path, size_t n, bool is_encoded,
		  struct page_text *text)
{
	size_t n_most = 1;

	for (size_t i = 0; i < n; i++)
		n_most += path[i] == '/';
	text->parts = mem_calloc(n_most, sizeof(*text->parts));
	while (n) {
		const char *slash = memchr(path, '/', n);
		size_t n_part = slash ? (size_t)(slash - path) : n;
		char *part = is_encoded ? decoded(path, n_part)
					: mem_dup0(path, n_part);

		if (part && *part && text->n == PARTS_MOST) {
			free(part);
			return false;
		}
		if (part && *part)
			text->parts[text->n++] = part;
		else if (part)
			free(part);
		else
			return false;
		if (is_encoded && n_part && !is_good(part))
			return false;
		n -= n_part + (slash != NULL);
		path += n_part + (slash != NULL);
	}
	return true;
}

bool page_text_place(const char *place, struct page_text *text)
{
	return split(place, strlen(place), false, text);
}

/* What a page of pipelines had in its fragment: "#!/results/4". */
static bool is_route(const char *fragment)
{
	return fragment[0] == '!' && fragment[1] == '/';
}

bool page_text_page(const char *page, struct page_text *text)
{
	size_t n = strcspn(page, "?#");
	const char *query = page[n] == '?' ? page + n + 1 : "";
	const char *fragment = strchr(page + n, '#');

	fragment = fragment ? fragment + 1 : "";
	text->query = mem_dup0(query, strcspn(query, "#"));
	text->fragment = decoded(fragment, strlen(fragment));
	if (!text->fragment || !is_good(text->fragment))
		return false;
	if (is_route(text->fragment)) {
		cleanup(free) char *whole =
			mem_asprintf("%.*s/%s", (int)n, page, text->fragment);

		return split(whole, strlen(whole), true, text);
	}
	return split(page, n, true, text);
}

char *page_query(const struct page_text *text, const char *name, size_t n)
{
	for (const char *item = text->query;;) {
		size_t n_item = strcspn(item, "&");

		if (!strncmp(item, name, n)) {
			char *whole = decoded(item, n_item);

			if (whole && is_good(whole + n))
				return whole;
			free(whole);
			return NULL;
		}
		if (!item[n_item])
			return NULL;
		item += n_item + 1;
	}
}

/* ---- lines ---- */

/* "12", "12:20", with the separator that is meant; false: anything else. */
static bool read_lines(const char *text, char separator, struct page_lines *ret)
{
	char *end;
	unsigned long first = strtoul(text, &end, 10), last = first;

	if (end == text || *text == '-' || *text == '+' || *text == ' ')
		return false;
	if (*end == separator && end[1] >= '0' && end[1] <= '9')
		last = strtoul(end + 1, &end, 10);
	/* Further ranges are passed over. */
	if ((*end && *end != ',') || !first || first > INT_MAX ||
	    last > INT_MAX)
		return false;
	*ret = (struct page_lines){
		.first = (unsigned)(first < last ? first : last),
		.last = (unsigned)(first < last ? last : first),
	};
	return true;
}

struct page_lines page_fragment_lines(const char *fragment)
{
	/* "lines-12:20", "cl-12", and "main.c-12" of old. */
	const char *dash = strrchr(fragment, '-');
	struct page_lines lines = {0};

	if (dash)
		(void)read_lines(dash + 1, ':', &lines);
	return lines;
}

struct page_lines page_take_lines(char *path)
{
	cleanup(free) char *copy = mem_strdup(path);
	struct page_lines lines = {0}, more;
	size_t n = strlen(copy);
	char *colon;

	if (n && copy[n - 1] == ':')
		copy[n - 1] = 0;
	colon = strrchr(copy, ':');
	if (!colon || colon == copy || !read_lines(colon + 1, '-', &lines))
		return (struct page_lines){0};
	*colon = 0;
	/* That was a column, if there is a line before it. */
	colon = strrchr(copy, ':');
	if (colon && colon != copy && read_lines(colon + 1, '-', &more)) {
		lines = more;
		*colon = 0;
	}
	path[strlen(copy)] = 0;
	return lines;
}
