/*
 * base/terminal: widths are counted in characters, which is right for names of
 * the service and of files, if not for what is written in two columns.
 */
#include "base/terminal.h"

#include "base/clock.h"
#include "base/text.h"

#include <inttypes.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define COLUMNS_DEFAULT 80
#define ROWS_DEFAULT 24
#define COLUMNS_LEAST 10

static bool is_set(const char *name)
{
	const char *value = getenv(name);

	return value && *value;
}

/* As setlocale(3) finds the locale of characters; its name says the charset. */
static bool is_utf8(void)
{
	static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
	const char *charset;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (!is_set(names[i]))
			continue;
		charset = strchr(getenv(names[i]), '.');
		return charset && (!strncasecmp(charset, ".utf-8", 6) ||
				   !strncasecmp(charset, ".utf8", 5));
	}
	return false;
}

void terminal_look(int fd, struct terminal *ret)
{
	struct winsize size = {0};
	const char *term = getenv("TERM");

	*ret = (struct terminal){
		.is_terminal = isatty(fd) == 1,
		.has_utf8 = is_utf8(),
	};
	if (!ret->is_terminal)
		return;
	ret->has_codes = !is_set("NO_COLOR") && term && *term &&
			 strcmp(term, "dumb") != 0;
	(void)ioctl(fd, TIOCGWINSZ, &size);
	ret->columns = size.ws_col ? size.ws_col : COLUMNS_DEFAULT;
	ret->rows = size.ws_row ? size.ws_row : ROWS_DEFAULT;
	if (ret->columns < COLUMNS_LEAST)
		ret->columns = COLUMNS_LEAST;
}

void terminal_bar(const struct terminal *t, uint64_t done, uint64_t all,
		  unsigned columns, struct buf *out)
{
	const char *full = t->has_utf8 ? "█" : "#";
	const char *empty = t->has_utf8 ? "░" : ".";
	unsigned width = columns, n;

	if (!t->has_utf8)
		width = columns > 2 ? columns - 2 : 0;
	if (done > all)
		done = all;
	n = all ? (unsigned)((double)done / (double)all * width) : 0;
	buf_puts(out, t->has_utf8 ? "" : "[");
	for (unsigned i = 0; i < width; i++)
		buf_puts(out, i < n ? full : empty);
	buf_puts(out, t->has_utf8 ? "" : "]");
}

/* A character; its bytes go to *at. Without UTF-8 it is ASCII. */
static void add_character(const struct terminal *t, const char **at,
			  struct buf *out)
{
	size_t n = text_utf8_char(*at, strlen(*at));

	if (!n)
		n = 1;
	if (t->has_utf8 || (n == 1 && !(**at & 0x80)))
		buf_add(out, *at, n);
	else
		buf_putc(out, '?');
	*at += n;
}

static unsigned width_of(const char *s, size_t n_bytes)
{
	unsigned n = 0;

	for (size_t i = 0; i < n_bytes; i++)
		n += ((unsigned char)s[i] & 0xc0) != 0x80;
	return n;
}

static void begin_line(struct buf *out, unsigned indent)
{
	buf_printf(out, "\n%*s", (int)indent, "");
}

/* One line of text, without its end. */
static void fold_line(const struct terminal *t, const char *line,
		      const char *end, unsigned indent, struct buf *out)
{
	unsigned column = 0;

	while (line < end) {
		size_t blanks = strspn(line, " "), n;
		unsigned width;

		n = blanks + strcspn(line + blanks, " \n");
		if (line + n > end)
			n = (size_t)(end - line);
		width = width_of(line, n);
		if (column > indent && column + width > t->columns) {
			begin_line(out, indent);
			column = indent;
			line += blanks;
			n -= blanks;
		}
		for (const char *stop = line + n; line < stop; column++) {
			if (column == t->columns) {
				begin_line(out, indent);
				column = indent;
			}
			add_character(t, &line, out);
		}
	}
}

void terminal_fold(const struct terminal *t, const char *text, unsigned indent,
		   struct buf *out)
{
	if (!t->is_terminal) {
		buf_puts(out, text);
		return;
	}
	if (indent >= t->columns)
		indent = 0;
	while (*text) {
		const char *end = strchrnul(text, '\n');

		fold_line(t, text, end, indent, out);
		if (*end)
			buf_putc(out, '\n');
		text = *end ? end + 1 : end;
	}
}

char *terminal_number(uint64_t n, char out[static 32])
{
	char digits[24];
	size_t n_digits, at = 0;

	snprintf(digits, sizeof(digits), "%" PRIu64, n);
	n_digits = strlen(digits);
	for (size_t i = 0; i < n_digits; i++) {
		if (i && (n_digits - i) % 3 == 0)
			out[at++] = ',';
		out[at++] = digits[i];
	}
	out[at] = '\0';
	return out;
}

char *terminal_time(int64_t wall_ms, char out[static 24])
{
	time_t now = (time_t)(clock_wall_ms() / 1000);
	time_t then = (time_t)(wall_ms / 1000);
	struct tm here, today;
	bool is_today;

	*out = '\0';
	if (!localtime_r(&then, &here) || !localtime_r(&now, &today))
		return out;
	is_today = here.tm_year == today.tm_year &&
		   here.tm_yday == today.tm_yday;
	strftime(out, 24, is_today ? "%H:%M" : "%Y-%m-%d %H:%M", &here);
	return out;
}
