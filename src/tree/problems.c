/*
 * tree/problems: one growing buffer of lines under a lock, and a short memory
 * of what was said last, so that a program that tries again and again fills
 * no screen.
 */
#include "tree/problems.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/sync.h"
#include "base/text.h"

#define MAX_TEXT MIB
#define N_KEPT_LINES 100
#define SAME_AGAIN_MS (10 * 1000)

struct recent {
	uint64_t path; /* its hash: paths may be as long as they like */
	int errnum;
	int64_t at_ms;
};

struct problems {
	struct mutex lock;
	struct buf text;      /* all of it under lock */
	struct buf last_text; /* of the generation before */
	uint64_t generation;  /* > 0 */
	int64_t mtime_ms;     /* of text, and of last_text */
	int64_t last_mtime_ms;
	struct recent recent[64]; /* a ring */
	unsigned next;
};

struct problems *problems_new(void)
{
	struct problems *problems = xcalloc(1, sizeof(*problems));

	mutex_init(&problems->lock);
	problems->text = (struct buf)BUF_INIT(2 * MAX_TEXT);
	problems->generation = 1;
	return problems;
}

struct problems *problems_free(struct problems *problems)
{
	if (!problems)
		return NULL;
	buf_done(&problems->text);
	buf_done(&problems->last_text);
	mutex_done(&problems->lock);
	free(problems);
	return NULL;
}

/* The offset at which the newest n lines begin. */
static size_t tail_offset(const struct buf *text, size_t n)
{
	size_t at = text->len;

	if (at > 0)
		at--; /* the last line's own end */
	for (; at > 0; at--)
		if (text->data[at - 1] == '\n' && --n == 0)
			break;
	return at;
}

static uint64_t hash(const char *s)
{
	uint64_t h = 0xcbf29ce484222325ULL;

	for (; *s; s++)
		h = (h ^ (unsigned char)*s) * 0x100000001b3ULL;
	return h;
}

static bool said_before(struct problems *problems, const char *path, int errnum)
	requires_lock(problems->lock)
{
	int64_t now = clock_mono_ms();
	uint64_t h = hash(path);
	struct recent *r;

	for (unsigned i = 0; i < ARRAY_SIZE(problems->recent); i++) {
		r = &problems->recent[i];
		if (r->at_ms && now - r->at_ms < SAME_AGAIN_MS &&
		    r->errnum == errnum && r->path == h)
			return true;
	}
	r = &problems->recent[problems->next++ % ARRAY_SIZE(problems->recent)];
	r->errnum = errnum;
	r->at_ms = now;
	r->path = h;
	return false;
}

static void begin_anew(struct problems *problems) requires_lock(problems->lock)
{
	struct buf kept = BUF_INIT(2 * MAX_TEXT);
	size_t from = tail_offset(&problems->text, N_KEPT_LINES);

	buf_add(&kept, problems->text.data + from, problems->text.len - from);
	buf_done(&problems->last_text);
	problems->last_text = problems->text;
	problems->last_mtime_ms = problems->mtime_ms;
	problems->text = kept;
	problems->generation++;
	/* Else `find -newer` and `rsync -u` could miss that it is another. */
	problems->mtime_ms += 1000;
}

bool problems_add(struct problems *problems, const char *path, int errnum,
		  const char *sentence)
{
	cleanup(buf_done) struct buf line = BUF_INIT(16 * KIB);
	char when[24];
	bool added = false;
	int64_t now = clock_wall_ms();

	buf_printf(&line, "%s\t", clock_format_iso8601(now, when));
	text_tsv_value(&line, path);
	buf_printf(&line, "\t%s\t", errnum ? strerrorname_np(errnum) : "-");
	text_tsv_value(&line, sentence);
	buf_putc(&line, '\n');
	if (line.failed)
		return false;
	log_clean(line.data);
	line.len = strlen(line.data);

	mutex_lock(&problems->lock);
	if (!said_before(problems, path, errnum)) {
		if (problems->text.len + line.len > MAX_TEXT)
			begin_anew(problems);
		added = buf_add(&problems->text, line.data, line.len) == 0;
		if (added && now > problems->mtime_ms)
			problems->mtime_ms = now;
	}
	mutex_unlock(&problems->lock);
	if (added)
		log_info("%s: %s: %s", path,
			 errnum ? strerrorname_np(errnum) : "notice", sentence);
	return added;
}

/* NULL: gone. */
static const struct buf *text_of(const struct problems *problems,
				 uint64_t generation)
	requires_lock(problems->lock)
{
	if (generation == problems->generation)
		return &problems->text;
	return generation && generation + 1 == problems->generation
		       ? &problems->last_text
		       : NULL;
}

int problems_stat(struct problems *problems, uint64_t generation,
		  struct problems_stat *ret_stat)
{
	const struct buf *text;

	mutex_lock(&problems->lock);
	if (!generation)
		generation = problems->generation;
	text = text_of(problems, generation);
	if (text)
		*ret_stat = (struct problems_stat){
			.generation = generation,
			.size = text->len,
			.mtime_ms = text == &problems->text
					    ? problems->mtime_ms
					    : problems->last_mtime_ms,
		};
	mutex_unlock(&problems->lock);
	return text ? 0 : -ESTALE;
}

int problems_read(struct problems *problems, uint64_t generation, off_t offset,
		  size_t n, struct blob **ret_blob)
{
	const struct buf *text;
	struct blob *blob = NULL;

	mutex_lock(&problems->lock);
	text = text_of(problems, generation);
	if (text && offset >= 0) {
		size_t from = (size_t)offset;

		if (from > text->len)
			from = text->len;
		if (n > text->len - from)
			n = text->len - from;
		blob = blob_new(n ? text->data + from : "", n);
	}
	mutex_unlock(&problems->lock);
	if (!blob)
		return -ESTALE;
	*ret_blob = blob;
	return 0;
}

void problems_tail(struct problems *problems, size_t n, struct buf *out)
{
	mutex_lock(&problems->lock);
	if (problems->text.len > 0) {
		size_t from = tail_offset(&problems->text, n);

		buf_add(out, problems->text.data + from,
			problems->text.len - from);
	}
	mutex_unlock(&problems->lock);
}
