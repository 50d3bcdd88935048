/*
 * The lines of a .gitattributes, as git's attr.c reads them (parse_attr_line,
 * fill, macroexpand_one). Only what can decide about the filter is kept: that
 * attribute and macros.
 *
 * The last line that matches decides, and of a line the last word; a macro that
 * is set sets what its own line says, unless that is decided already.
 */
#include "clone/attributes.h"

#include "base/mem.h"
#include "base/sync.h"

static const char blanks[] = " \t\r\n";
/* Git passes over a longer line. */
#define LINE_MOST 2048

enum state {
	STATE_UNKNOWN,
	STATE_SET,
	STATE_UNSET, /* "-x" */
	STATE_NONE,  /* "!x" */
	STATE_LFS,   /* "x=lfs" */
	STATE_OTHER,
};

/* "x", "-x", "x=lfs": of the filter (NAME_FILTER), or of a macro. */
#define NAME_FILTER 0
struct word {
	uint16_t name;
	uint8_t state;
};

struct line {
	size_t pattern, n_pattern, n_literal; /* in texts */
	size_t word, n_words;                 /* in words */
	bool is_base; /* no slash in it: it is matched with the last name */
};

struct names {
	char *names[1 + ATTRIBUTES_MACROS];
	size_t n;
};

struct attributes_file {
	struct refcount refcount;
	bool has_lfs;
	struct line *lines;
	size_t n_lines, room_lines;
	struct word *words;
	size_t n_words, room_words;
	struct buf texts;
	/* Of the root's: what macros are called, behind the filter; which words
	 * each has (none: of words[0], the filter's). */
	struct names names;
	struct line macros[1 + ATTRIBUTES_MACROS];
};

/* ---- a line's first word ---- */

static size_t span(const char *at, const char *end)
{
	const char *from = at;

	while (at < end && strchr(blanks, *at))
		at++;
	return (size_t)(at - from);
}

static size_t span_not(const char *at, const char *end)
{
	const char *from = at;

	while (at < end && !strchr(blanks, *at))
		at++;
	return (size_t)(at - from);
}

/* "\303" at *at, behind the backslash; -1. */
static int octal(const char **at, const char *end)
{
	int c = 0;

	if (end - *at < 3 || **at > '3')
		return -1;
	for (size_t i = 0; i < 3; i++, (*at)++) {
		if (**at < '0' || **at > '7')
			return -1;
		c = c * 8 + (**at - '0');
	}
	return c;
}

static int escaped(const char **at, const char *end)
{
	static const char letters[] = "abfnrtv\\\"",
			  bytes[] = "\a\b\f\n\r\t\v\\\"";
	const char *letter;

	if (*at == end)
		return -1;
	letter = **at ? strchr(letters, **at) : NULL;
	if (!letter)
		return octal(at, end);
	(*at)++;
	return bytes[letter - letters];
}

/* A pattern in C's quotes (git's unquote_c_style); false: it is none. */
static bool unquote(const char **at, const char *end, struct buf *out)
{
	const char *p = *at + 1;

	buf_clear(out);
	while (p < end && *p != '"') {
		int c = (unsigned char)*p++;

		if (c == '\\')
			c = escaped(&p, end);
		if (c < 0)
			return false;
		buf_putc(out, (char)c);
	}
	if (p == end)
		return false;
	*at = p + 1;
	return true;
}

/* ---- words ---- */

static bool is_name(const char *at, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!strchr("-._0123456789abcdefghijklmnopqrstuvwxyz"
			    "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
			    at[i]) ||
		    !at[i])
			return false;
	return n > 0 && at[0] != '-';
}

/* names->n: it is none of them. */
static size_t find_name(const struct names *names, const char *at, size_t n)
{
	size_t i;

	for (i = 0; i < names->n; i++)
		if (strlen(names->names[i]) == n &&
		    memcmp(names->names[i], at, n) == 0)
			break;
	return i;
}

/* The words of a line, those that matter; false: git passes over the line. */
static bool parse_words(struct attributes_file *f, const struct names *names,
			const char *at, const char *end)
{
	while ((at += span(at, end)) < end) {
		size_t n = span_not(at, end), n_name;
		const char *equals = memchr(at, '=', n);
		enum state state = *at == '-'   ? STATE_UNSET
				   : *at == '!' ? STATE_NONE
						: STATE_SET;
		const char *name = at + (state != STATE_SET);

		n_name = (size_t)((equals ? equals : at + n) - at) -
			 (state != STATE_SET);
		if (!is_name(name, n_name))
			return false;
		if (equals && state == STATE_SET)
			state = at + n - equals == 4 &&
						memcmp(equals, "=lfs", 4) == 0
					? STATE_LFS
					: STATE_OTHER;
		at += n;
		n_name = find_name(names, name, n_name);
		if (n_name == names->n)
			continue;
		mem_grow(f->words, f->n_words, f->room_words);
		f->words[f->n_words++] = (struct word){(uint16_t)n_name, state};
	}
	return true;
}

/* ---- patterns ---- */

/* Up to the first byte that is not itself. */
static size_t n_literal(const char *pattern, size_t n)
{
	size_t i = 0;

	while (i < n && !strchr("*?[\\", pattern[i]))
		i++;
	return i;
}

/* False: it is none that a file can match. */
static bool add_pattern(struct attributes_file *f, struct line *line,
			const char *pattern, size_t n)
{
	/* Git passes over "!x" ("negative patterns are ignored"), and "x/" is a
	 * directory. */
	if (n == 0 || pattern[0] == '!' || pattern[n - 1] == '/' ||
	    memchr(pattern, '\0', n))
		return false;
	line->is_base = !memchr(pattern, '/', n);
	if (pattern[0] == '/') {
		pattern++;
		n--;
	}
	line->pattern = f->texts.len;
	line->n_pattern = n;
	line->n_literal = n_literal(pattern, n);
	return buf_add(&f->texts, pattern, n) == 0;
}

/* ---- lines ---- */

/* The line's name: pattern, or "[attr]name". */
struct head {
	const char *at; /* what follows */
	const char *name;
	size_t n;
	bool is_macro;
};

/* False: the line says nothing. */
static bool parse_head(const char *at, const char *end, struct buf *quoted,
		       struct head *ret)
{
	static const char macro[] = "[attr]";
	size_t n_macro = sizeof(macro) - 1;

	if (end - at >= LINE_MOST)
		return false;
	at += span(at, end);
	if (at == end || *at == '#')
		return false;
	*ret = (struct head){.at = at, .name = at};
	if (*at == '"' && unquote(&ret->at, end, quoted)) {
		ret->name = quoted->data ? quoted->data : "";
		ret->n = quoted->len;
	} else {
		ret->n = span_not(at, end);
		ret->at = at + ret->n;
	}
	ret->is_macro = ret->n > n_macro &&
			memcmp(ret->name, macro, n_macro) == 0;
	if (ret->is_macro) {
		ret->name += n_macro;
		ret->n -= n_macro;
	}
	return true;
}

static void each_line(const char *text, size_t n,
		      void (*each)(struct attributes_file *,
				   const struct names *, const struct head *,
				   const char *end),
		      struct attributes_file *f, const struct names *names)
{
	cleanup(buf_done) struct buf quoted = BUF_INIT(LINE_MOST + 1);
	const char *end = text + n, *line_end;
	struct head head;

	for (const char *at = text; at < end; at = line_end + 1) {
		line_end = memchr(at, '\n', (size_t)(end - at));
		if (!line_end)
			line_end = end;
		if (parse_head(at, line_end, &quoted, &head))
			each(f, names, &head, line_end);
	}
}

static void add_name(struct attributes_file *f, const struct names *names,
		     const struct head *head, const char *)
{
	struct names *own = &f->names;

	if (head->is_macro && is_name(head->name, head->n) &&
	    own->n < ARRAY_SIZE(own->names) &&
	    find_name(names, head->name, head->n) == names->n)
		own->names[own->n++] = mem_dup0(head->name, head->n);
}

static void add_line(struct attributes_file *f, const struct names *names,
		     const struct head *head, const char *end)
{
	struct line line = {.word = f->n_words};
	size_t name = names->n;

	if (head->is_macro)
		name = f->names.n ? find_name(names, head->name, head->n)
				  : names->n;
	if ((head->is_macro && name == names->n) ||
	    !parse_words(f, names, head->at, end)) {
		f->n_words = line.word;
		return;
	}
	line.n_words = f->n_words - line.word;
	if (head->is_macro) {
		f->macros[name] = line;
		return;
	}
	if (line.n_words == 0 || !add_pattern(f, &line, head->name, head->n)) {
		f->n_words = line.word;
		return;
	}
	mem_grow(f->lines, f->n_lines, f->room_lines);
	f->lines[f->n_lines++] = line;
}

/* ---- life ---- */

struct attributes_file *attributes_file_new(const char *text, size_t n,
					    const struct attributes_file *root)
{
	struct attributes_file *f = mem_calloc(1, sizeof(*f));
	const char *nul;

	refcount_init(&f->refcount);
	f->texts = (struct buf)BUF_INIT(2 * ATTRIBUTES_MOST);
	if (n > ATTRIBUTES_MOST)
		n = 0;
	/* Git reads no further. */
	nul = n ? memchr(text, '\0', n) : NULL;
	if (nul)
		n = (size_t)(nul - text);
	f->has_lfs = n && memmem(text, n, "lfs", 3);
	if (!root) {
		f->names.names[f->names.n++] = mem_strdup("filter");
		each_line(text, n, add_name, f, &f->names);
	}
	each_line(text, n, add_line, f, root ? &root->names : &f->names);
	return f;
}

struct attributes_file *attributes_file_ref(struct attributes_file *f)
{
	refcount_take(&f->refcount);
	return f;
}

struct attributes_file *attributes_file_unref(struct attributes_file *f)
{
	if (!f || !refcount_drop(&f->refcount))
		return NULL;
	while (f->names.n)
		free(f->names.names[--f->names.n]);
	buf_done(&f->texts);
	free(f->lines);
	free(f->words);
	free(f);
	return NULL;
}

size_t attributes_file_size(const struct attributes_file *f)
{
	return sizeof(*f) + f->texts.size + f->room_lines * sizeof(*f->lines) +
	       f->room_words * sizeof(*f->words);
}

bool attributes_file_has_lfs(const struct attributes_file *f)
{
	return f->has_lfs;
}

/* ---- asking ---- */

struct asking {
	const struct attributes_file *root; /* that has the macros */
	uint8_t states[1 + ATTRIBUTES_MACROS];
};

static void fill(struct asking *a, const struct attributes_file *f,
		 const struct line *line)
{
	for (size_t i = line->n_words; i-- > 0;) {
		const struct word *word = &f->words[line->word + i];

		if (a->states[word->name] != STATE_UNKNOWN)
			continue;
		a->states[word->name] = word->state;
		/* As deep as there are macros, at most: each is set once. */
		if (word->name != NAME_FILTER && word->state == STATE_SET)
			fill(a, a->root, &a->root->macros[word->name]);
	}
}

static bool matches(const struct attributes_file *f, const struct line *line,
		    const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *pattern = (f->texts.data ? f->texts.data : "") +
			      line->pattern;
	const char *text = line->is_base && slash ? slash + 1 : path;
	size_t n = strlen(text), n_literal = line->n_literal;

	if (n < n_literal || memcmp(pattern, text, n_literal) != 0)
		return false;
	/* Git cuts off what has no wildcard of a path's pattern, so that "x**"
	 * in a path begins with "**". Of a name's it does not matter. */
	return attributes_match(pattern + n_literal,
				line->n_pattern - n_literal, text + n_literal,
				n - n_literal, !line->is_base);
}

bool attributes_are_lfs(const struct attributes_at *at, size_t n,
			const char *path)
{
	struct asking a = {.root = at[0].file};

	for (size_t i = n; i-- > 0 && a.states[NAME_FILTER] == STATE_UNKNOWN;) {
		const struct attributes_file *f = at[i].file;
		const char *below = path + at[i].n_dir + (at[i].n_dir > 0);

		for (size_t k = f->n_lines;
		     k-- > 0 && a.states[NAME_FILTER] == STATE_UNKNOWN;)
			if (matches(f, &f->lines[k], below))
				fill(&a, f, &f->lines[k]);
	}
	return a.states[NAME_FILTER] == STATE_LFS;
}
