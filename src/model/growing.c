/*
 * model/growing: a buffer, and the one before it.
 */
#include "model/growing.h"

#define MAX_TEXT MIB
#define N_KEPT_LINES 100

void growing_init(struct growing *lines)
{
	*lines = (struct growing){
		.text = BUF_INIT(2 * MAX_TEXT),
		.generation = 1,
	};
}

void growing_done(struct growing *lines)
{
	buf_done(&lines->text);
	buf_done(&lines->last_text);
}

/* The offset at which the newest n lines begin. */
static size_t tail_offset(const struct buf *text, size_t n)
{
	size_t at = text->len;

	if (at > 0)
		at--; /* the newline that ends the last line */
	for (; at > 0; at--)
		if (text->data[at - 1] == '\n' && --n == 0)
			break;
	return at;
}

static void begin_anew(struct growing *lines)
{
	struct buf kept = BUF_INIT(2 * MAX_TEXT);
	size_t from = tail_offset(&lines->text, N_KEPT_LINES);

	buf_add(&kept, lines->text.data + from, lines->text.len - from);
	buf_done(&lines->last_text);
	lines->last_text = lines->text;
	lines->last_mtime_ms = lines->mtime_ms;
	lines->text = kept;
	lines->generation++;
	/* Otherwise `find -newer` and `rsync -u` could miss that the text is
	 * another one. */
	lines->mtime_ms += 1000;
}

bool growing_append(struct growing *lines, const struct buf *line,
		    int64_t at_ms)
{
	if (lines->text.len + line->len > MAX_TEXT)
		begin_anew(lines);
	if (buf_add(&lines->text, line->data, line->len) < 0)
		return false;
	if (at_ms > lines->mtime_ms)
		lines->mtime_ms = at_ms;
	return true;
}

/* NULL: that generation is forgotten. */
static const struct buf *text_of(const struct growing *lines,
				 uint64_t generation)
{
	if (generation == lines->generation)
		return &lines->text;
	return generation && generation + 1 == lines->generation
		       ? &lines->last_text
		       : NULL;
}

int growing_stat(const struct growing *lines, uint64_t generation,
		 struct growing_stat *ret_stat)
{
	const struct buf *text;

	if (!generation)
		generation = lines->generation;
	text = text_of(lines, generation);
	if (!text)
		return -ESTALE;
	*ret_stat = (struct growing_stat){
		.generation = generation,
		.size = text->len,
		.mtime_ms = text == &lines->text ? lines->mtime_ms
						 : lines->last_mtime_ms,
	};
	return 0;
}

int growing_read(const struct growing *lines, uint64_t generation, off_t offset,
		 size_t n, struct blob **ret_blob)
{
	const struct buf *text = text_of(lines, generation);
	size_t from = (size_t)offset;

	if (!text || offset < 0)
		return -ESTALE;
	if (from > text->len)
		from = text->len;
	if (n > text->len - from)
		n = text->len - from;
	*ret_blob = blob_new(n ? text->data + from : "", n);
	return 0;
}

void growing_tail(const struct growing *lines, size_t n, struct buf *out)
{
	size_t from = tail_offset(&lines->text, n);

	if (lines->text.len > 0)
		buf_add(out, lines->text.data + from, lines->text.len - from);
}
