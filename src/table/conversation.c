/*
 * table/resource: thread.md, a list of comments as a conversation.
 *
 * Markdown that reads well in `less`: what was said of the whole first, then
 * one section for each line of a file that was commented on; in a section the
 * threads in the order in which they began, every reply indented under what it
 * answers:
 *
 *	# 3 comments on pull request 12: Add a cache
 *
 *	## src/cache.c:42
 *
 *	- **Ada Lindqvist** · 2026-10-03T14:02:00Z · resolved by Grace · #101
 *
 *	  Why not the other way round?
 *
 *	  - **Grace** · 2026-10-03T15:20:00Z · #102
 *
 *	    Because it would be slower.
 *
 * A comment may name any other one as its parent. Only one that came before it
 * is taken for that, so there are no circles, and a deep thread is walked along
 * its links, not on the stack.
 */
#include "table/rows.h"

#include "base/clock.h"
#include "base/map.h"
#include "base/text.h"

#include <inttypes.h>

#define DEEPEST 8 /* deeper replies are not indented further */
#define NAME_MAX_BYTES 200
#define MENTION_MAX_BYTES 100

struct comment {
	const struct json *json;
	int64_t id, parent; /* 0: none */
	int64_t time_ms;    /* 0: not said */
	const char *path;   /* NULL: not about a file */
	int64_t first, line;
	bool old; /* a line of the file as it was before */
	size_t at;
	struct comment *above, *below, *below_last, *next;
	UT_hash_handle hh;
};

struct person {
	const char *name;
	UT_hash_handle hh;
	char key[];
};

struct conversation {
	struct comment *comments; /* in the order in which they were made */
	size_t n;
	struct comment *by_id;
	struct person *people;
	struct comment **roots;
	size_t n_roots, n_resolved, n_deleted;
	struct buf *out;
};

static void conversation_done(struct conversation *t)
{
	struct person *p, *next;

	HASH_CLEAR(hh, t->by_id);
	HASH_ITER (hh, t->people, p, next) {
		HASH_DEL(t->people, p);
		free(p);
	}
	free(t->comments);
	free(t->roots);
}
DEFINE_CLEANUP_DONE(struct conversation, conversation_done);

/* ---- reading ---- */

static const char *name_of(const struct json *user)
{
	const char *name = resource_str(user, "display_name|nickname|uuid");

	return name && *name ? name : "(account gone)";
}

static void add_person(struct conversation *t, const char *key, size_t n,
		       const char *name)
{
	struct person *p;

	HASH_FIND(hh, t->people, key, n, p);
	if (p || !n)
		return;
	p = mem_calloc(1, sizeof(*p) + n + 1);
	memcpy(p->key, key, n);
	p->name = name;
	HASH_ADD_KEYPTR(hh, t->people, p->key, n, p);
}

/* How a text mentions them: @{account_id}, or with the uuid. */
static void know_person(struct conversation *t, const struct json *user)
{
	const char *account = json_str(user, "account_id");
	const char *uuid = json_str(user, "uuid");
	size_t n = uuid ? strlen(uuid) : 0;

	if (account)
		add_person(t, account, strlen(account), name_of(user));
	if (n > 2)
		add_person(t, uuid + 1, n - 2, name_of(user));
}

static void read_place(struct comment *c)
{
	const char *path = json_str(c->json, "inline.path");

	if (!path || !*path)
		return;
	c->path = path;
	c->line = json_int(c->json, "inline.to", 0);
	c->first = json_int(c->json, "inline.start_to", 0);
	if (c->line > 0)
		return;
	c->line = json_int(c->json, "inline.from", 0);
	c->first = json_int(c->json, "inline.start_from", 0);
	c->old = c->line > 0;
}

static int by_time(const void *a, const void *b)
{
	const struct comment *x = a, *y = b;

	if (x->time_ms != y->time_ms)
		return x->time_ms < y->time_ms ? -1 : 1;
	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	return (x->at > y->at) - (x->at < y->at);
}

static int compare_numbers(int64_t a, int64_t b)
{
	return (a > b) - (a < b);
}

static int compare_places(const struct comment *x, const struct comment *y)
{
	int order = 0;

	if (!x->path || !y->path)
		return !!x->path - !!y->path;
	order = strcmp(x->path, y->path);
	if (!order)
		order = compare_numbers(x->line, y->line);
	if (!order)
		order = x->old - y->old;
	return order ? order : compare_numbers(x->first, y->first);
}

static int by_place(const void *a, const void *b)
{
	const struct comment *x = *(struct comment *const *)a;
	const struct comment *y = *(struct comment *const *)b;
	int order = compare_places(x, y);

	return order ? order : (x->at > y->at) - (x->at < y->at);
}

static void read_comments(struct conversation *t, const struct json *array)
{
	t->comments = mem_calloc(json_n_items(array) + 1, sizeof(*t->comments));
	JSON_EACH (i, array) {
		struct comment *c = &t->comments[t->n];

		if (!json_is_object(i))
			continue;
		*c = (struct comment){
			.json = i,
			.id = json_int(i, "id", 0),
			.parent = json_int(i, "parent.id", 0),
			.time_ms = resource_time(i, "created_on"),
			.at = t->n++,
		};
		read_place(c);
		know_person(t, json_at(i, "user"));
	}
	qsort(t->comments, t->n, sizeof(*t->comments), by_time);
}

/* Puts each comment under the one that it answers; others are roots. */
static void link_comments(struct conversation *t)
{
	t->roots = mem_calloc(t->n + 1, sizeof(struct comment *));
	for (size_t i = 0; i < t->n; i++) {
		struct comment *c = &t->comments[i], *above = NULL, *same;

		c->at = i;
		t->n_deleted += json_bool(c->json, "deleted", false);
		if (c->parent)
			HASH_FIND(hh, t->by_id, &c->parent, sizeof(c->parent),
				  above);
		if (!above) {
			t->roots[t->n_roots++] = c;
			t->n_resolved += json_at(c->json, "resolution") != NULL;
		} else if (above->below_last) {
			above->below_last->next = c;
		} else {
			above->below = c;
		}
		if (above)
			above->below_last = c;
		c->above = above;
		HASH_FIND(hh, t->by_id, &c->id, sizeof(c->id), same);
		if (!same)
			HASH_ADD(hh, t->by_id, id, sizeof(c->id), c);
	}
	qsort(t->roots, t->n_roots, sizeof(struct comment *), by_place);
}

/* ---- writing ---- */

static void write_word(struct buf *out, const char *text, size_t n)
{
	text_clean(out, text, n, "\t");
}

/* A name or a title: one line, not too long. */
static void write_short(struct buf *out, const char *text)
{
	size_t n = strcspn(text, "\r\n");

	if (n > NAME_MAX_BYTES) {
		for (n = NAME_MAX_BYTES;
		     n && ((unsigned char)text[n] & 0xc0) == 0x80;)
			n--;
		write_word(out, text, n);
		buf_puts(out, "…");
		return;
	}
	write_word(out, text, n);
}

/* A line, with names in the place of ids where somebody is mentioned. */
static void write_line(struct conversation *t, const char *line, size_t n)
{
	const char *end = line + n;

	while (line < end) {
		const char *at = memmem(line, (size_t)(end - line), "@{", 2);
		size_t n_key = at ? (size_t)(end - at) : 0;
		const char *close = NULL;
		struct person *p = NULL;

		if (!at)
			break;
		if (n_key > MENTION_MAX_BYTES)
			n_key = MENTION_MAX_BYTES;
		close = memchr(at, '}', n_key);
		if (close)
			HASH_FIND(hh, t->people, at + 2,
				  (size_t)(close - at - 2), p);
		if (p) {
			write_word(t->out, line, (size_t)(at - line) + 1);
			write_short(t->out, p->name);
			line = close + 1;
		} else {
			write_word(t->out, line, (size_t)(at - line) + 2);
			line = at + 2;
		}
	}
	write_word(t->out, line, (size_t)(end - line));
}

static size_t trimmed(const char *text)
{
	size_t n = strlen(text);

	while (n && strchr(" \t\r\n", text[n - 1]))
		n--;
	return n;
}

/* Lines end in \n, \r\n or \r. */
static void write_text(struct conversation *t, const char *text,
		       unsigned indent)
{
	const char *end = text + trimmed(text);

	while (text < end) {
		size_t n = strcspn(text, "\r\n");

		if (n > (size_t)(end - text))
			n = (size_t)(end - text);
		if (n) {
			buf_printf(t->out, "%*s", (int)indent, "");
			write_line(t, text, n);
		}
		buf_putc(t->out, '\n');
		text += n;
		text += text < end && text[0] == '\r' && text[1] == '\n';
		text += text < end;
	}
}

void conversation_text(const char *text, struct buf *out)
{
	write_text(&(struct conversation){.out = out}, text, 0);
}

static void write_time(struct buf *out, int64_t ms)
{
	char text[24];

	clock_format_iso8601(ms, text);
	buf_puts(out, text);
}

static void write_head(struct conversation *t, const struct comment *c)
{
	const struct json *resolution = json_at(c->json, "resolution");
	int64_t resolved_ms = resource_time(resolution, "created_on");

	buf_puts(t->out, "- **");
	write_short(t->out, name_of(json_at(c->json, "user")));
	buf_puts(t->out, "**");
	if (c->time_ms) {
		buf_puts(t->out, " · ");
		write_time(t->out, c->time_ms);
	}
	if (json_bool(c->json, "deleted", false))
		buf_puts(t->out, " · deleted");
	if (json_bool(c->json, "pending", false))
		buf_puts(t->out, " · pending, not sent yet");
	if (json_bool(c->json, "inline.outdated", false))
		buf_puts(t->out, " · outdated");
	if (resolution) {
		buf_puts(t->out, " · resolved");
		if (json_at(resolution, "user")) {
			buf_puts(t->out, " by ");
			write_short(t->out,
				    name_of(json_at(resolution, "user")));
		}
		if (resolved_ms) {
			buf_puts(t->out, ", ");
			write_time(t->out, resolved_ms);
		}
	}
	if (c->parent && !c->above)
		buf_printf(t->out, " · answers #%" PRId64 ", which is gone",
			   c->parent);
	if (c->id)
		buf_printf(t->out, " · #%" PRId64, c->id);
	buf_putc(t->out, '\n');
}

static void write_comment(struct conversation *t, const struct comment *c,
			  unsigned depth)
{
	unsigned indent = 2 * (depth < DEEPEST ? depth : DEEPEST);
	const char *text = json_str(c->json, "content.raw");

	buf_printf(t->out, "\n%*s", (int)indent, "");
	write_head(t, c);
	buf_putc(t->out, '\n');
	if (json_bool(c->json, "deleted", false))
		text = "*This comment was deleted.*";
	else if (!text || !trimmed(text))
		text = "*This comment has no text.*";
	write_text(t, text, indent + 2);
}

static void write_thread(struct conversation *t, const struct comment *root)
{
	const struct comment *c = root;
	unsigned depth = 0;

	while (c) {
		write_comment(t, c, depth);
		if (c->below) {
			c = c->below;
			depth++;
			continue;
		}
		while (c != root && !c->next) {
			c = c->above;
			depth--;
		}
		c = c == root ? NULL : c->next;
	}
}

static void write_place(struct conversation *t, const struct comment *c)
{
	cleanup(buf_done) struct buf path = BUF_INIT(t->out->max);

	buf_puts(t->out, "\n## ");
	if (!c->path) {
		buf_puts(t->out, "Conversation\n");
		return;
	}
	text_tsv_value(&path, c->path);
	buf_add(t->out, path.data, path.len);
	if (c->line > 0 && c->first > 0 && c->first < c->line)
		buf_printf(t->out, ":%" PRId64 "-%" PRId64, c->first, c->line);
	else if (c->line > 0)
		buf_printf(t->out, ":%" PRId64, c->line);
	buf_puts(t->out, c->old ? " (before the change)\n" : "\n");
}

static void write_title(struct conversation *t)
{
	const struct json *first = t->comments[0].json;
	const char *title = json_str(first, "pullrequest.title");
	const char *commit = json_str(first, "commit.hash");
	int64_t number = json_int(first, "pullrequest.id", 0);
	size_t n = t->n - t->n_deleted;

	buf_printf(t->out, "# %zu comment%s", n, n == 1 ? "" : "s");
	if (number)
		buf_printf(t->out, " on pull request %" PRId64, number);
	if (!number && commit) {
		buf_puts(t->out, " on commit ");
		write_word(t->out, commit, strnlen(commit, 12));
	}
	if (number && title) {
		buf_puts(t->out, ": ");
		write_short(t->out, title);
	}
	buf_putc(t->out, '\n');
	if (t->n_resolved)
		buf_printf(t->out, "\n%zu of %zu threads resolved.\n",
			   t->n_resolved, t->n_roots);
}

int conversation_render(const struct resource_file *,
			const struct json *comments, struct buf *out)
{
	cleanup(conversation_done) struct conversation t = {.out = out};

	read_comments(&t, comments);
	if (!t.n) {
		buf_puts(out, "No comments.\n");
		return out->failed;
	}
	link_comments(&t);
	write_title(&t);
	for (size_t i = 0; i < t.n_roots; i++) {
		if (i == 0 || compare_places(t.roots[i - 1], t.roots[i]))
			write_place(&t, t.roots[i]);
		write_thread(&t, t.roots[i]);
	}
	return out->failed;
}
