/*
 * model/problems: a growing text (model/growing) under a lock, and a short
 * memory of causes, so that a walk that is refused a thousand times, or a
 * program that tries again and again, does not push out everything else.
 *
 * A cause is an errno and a sentence without its running numbers. Its first
 * problem is a line; those that follow are counted, and summed in one further
 * line once none came for a while, or after a minute. No timer runs for that:
 * whoever adds or reads adds the sums that are due.
 *
 * Names that are left out (EILSEQ) are told by their path even when the
 * sentence is the same: no listing shows these names, so a sum would hide them.
 * Up to N_LEFT_OUT of one sentence are lines of their own.
 */
#include "model/problems.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/sync.h"
#include "base/text.h"

#define STOPPED_MS (10 * 1000)
#define SUM_MS (60 * 1000)
#define N_LEFT_OUT 16

struct cause {
	uint64_t sentence, path; /* hashes: the texts may be of any length */
	int errnum;
	int64_t at_ms; /* of the last repeat, mono; 0: the slot is free */
	/* Repeats that no line has summed yet. first_ms, last_ms: wall clock.
	 */
	unsigned n;
	int64_t since_ms; /* mono */
	int64_t first_ms, last_ms;
	char *last_path, *last_sentence;
};

struct problems {
	struct mutex lock;
	/* Under lock: */
	struct growing lines;
	struct cause causes[64];
};

struct problems *problems_new(void)
{
	struct problems *problems = mem_calloc(1, sizeof(*problems));

	mutex_init(&problems->lock);
	growing_init(&problems->lines);
	return problems;
}

struct problems *problems_free(struct problems *problems)
{
	if (!problems)
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(problems->causes); i++) {
		free(problems->causes[i].last_path);
		free(problems->causes[i].last_sentence);
	}
	growing_done(&problems->lines);
	mutex_done(&problems->lock);
	free(problems);
	return NULL;
}

/* ---- causes ---- */

/* A word that begins with a digit is a count or a time, which says nothing of
 * the cause, and is left out of the hash. A session's number stays: each
 * session is a cause of its own. (So does a number within a path or a name.) */
static uint64_t hash_sentence(const char *s)
{
	static const char session[] = "session ";
	uint64_t h = HASH_INIT;
	size_t n = strlen(session);

	for (const char *at = s; *at; at++) {
		bool begins = at == s || at[-1] == ' ' || at[-1] == '(';

		if (begins && *at >= '0' && *at <= '9' &&
		    !((size_t)(at - s) >= n && !strncmp(at - n, session, n)))
			at += strcspn(at, " )") - 1;
		else
			h = hash_bytes(h, at, 1);
	}
	return h;
}

static int format(const char *path, int errnum, const char *count,
		  const char *sentence, int64_t at_ms, struct buf *line)
{
	char when[24];

	buf_printf(line, "%s\t", clock_format_iso8601(at_ms, when));
	text_tsv_value(line, path);
	buf_printf(line, "\t%s\t%s", errnum ? strerrorname_np(errnum) : "-",
		   count);
	text_tsv_value(line, sentence);
	buf_putc(line, '\n');
	if (line->failed)
		return line->failed;
	log_clean(line->data);
	line->len = strlen(line->data);
	return 0;
}

/* "×613 07:37:50-07:38:20 " */
static int format_sum(const struct cause *c, struct buf *line)
{
	char first[24], last[24], count[64];

	clock_format_iso8601(c->first_ms, first);
	clock_format_iso8601(c->last_ms, last);
	snprintf(count, sizeof(count), "\u00d7%u %.8s-%.8s ", c->n, first + 11,
		 last + 11);
	return format(c->last_path, c->errnum, count, c->last_sentence,
		      c->last_ms, line);
}

static void sum_up(struct problems *problems, struct cause *c)
	requires_lock(problems->lock)
{
	cleanup(buf_done) struct buf line = BUF_INIT(16 * KIB);

	if (c->n && format_sum(c, &line) == 0)
		growing_append(&problems->lines, &line, c->last_ms);
	c->n = 0;
}

/* Adds the sums that are due: of causes that have stopped, and of those that
 * have been going on for a minute. */
static void bring_sums(struct problems *problems) requires_lock(problems->lock)
{
	int64_t now = clock_mono_ms();

	for (size_t i = 0; i < ARRAY_SIZE(problems->causes); i++) {
		struct cause *c = &problems->causes[i];
		bool stopped = c->at_ms && now - c->at_ms >= STOPPED_MS;

		if (stopped || (c->n && now - c->since_ms >= SUM_MS))
			sum_up(problems, c);
		if (stopped)
			c->at_ms = 0;
	}
}

/* The cause that this problem repeats; NULL: it is the first of a new one. */
static struct cause *repeated(struct problems *problems, const char *path,
			      int errnum, const char *sentence)
	requires_lock(problems->lock)
{
	uint64_t by_path = hash_text(HASH_INIT, path), by_sentence;
	struct cause *oldest = &problems->causes[0], *same = NULL;
	unsigned n_same = 0;

	by_sentence = hash_sentence(sentence);
	for (size_t i = 0; i < ARRAY_SIZE(problems->causes); i++) {
		struct cause *c = &problems->causes[i];

		if (c->at_ms && c->errnum == errnum && c->path == by_path)
			return c;
		if (c->at_ms && c->errnum == errnum &&
		    c->sentence == by_sentence) {
			same = c;
			n_same++;
		}
		if (c->at_ms < oldest->at_ms)
			oldest = c;
	}
	if (same && (errnum != EILSEQ || n_same >= N_LEFT_OUT))
		return same;
	sum_up(problems, oldest);
	oldest->sentence = by_sentence;
	oldest->path = by_path;
	oldest->errnum = errnum;
	oldest->at_ms = clock_mono_ms();
	return NULL;
}

static void count_repeat(struct cause *c, const char *path,
			 const char *sentence, int64_t now)
{
	c->at_ms = clock_mono_ms();
	if (!c->n++) {
		c->since_ms = c->at_ms;
		c->first_ms = now;
	}
	c->last_ms = now;
	free(c->last_path);
	free(c->last_sentence);
	c->last_path = mem_strdup(path);
	c->last_sentence = mem_strdup(sentence);
}

bool problems_add(struct problems *problems, const char *path, int errnum,
		  const char *sentence)
{
	cleanup(buf_done) struct buf line = BUF_INIT(16 * KIB);
	bool added = false;
	int64_t now = clock_wall_ms();
	struct cause *c;

	if (format(path, errnum, "", sentence, now, &line) < 0)
		return false;
	mutex_lock(&problems->lock);
	bring_sums(problems);
	c = repeated(problems, path, errnum, sentence);
	if (c)
		count_repeat(c, path, sentence, now);
	else
		added = growing_append(&problems->lines, &line, now);
	mutex_unlock(&problems->lock);
	if (added)
		log_info("%s: %s: %s", path,
			 errnum ? strerrorname_np(errnum) : "notice", sentence);
	return added;
}

/* ---- the text ---- */

int problems_stat(struct problems *problems, uint64_t generation,
		  struct growing_stat *ret_stat)
{
	int r;

	mutex_lock(&problems->lock);
	bring_sums(problems);
	r = growing_stat(&problems->lines, generation, ret_stat);
	mutex_unlock(&problems->lock);
	return r;
}

int problems_read(struct problems *problems, uint64_t generation, off_t offset,
		  size_t n, struct blob **ret_blob)
{
	int r;

	mutex_lock(&problems->lock);
	r = growing_read(&problems->lines, generation, offset, n, ret_blob);
	mutex_unlock(&problems->lock);
	return r;
}

void problems_tail(struct problems *problems, size_t n, struct buf *out)
{
	mutex_lock(&problems->lock);
	bring_sums(problems);
	growing_tail(&problems->lines, n, out);
	for (size_t i = 0; i < ARRAY_SIZE(problems->causes); i++) {
		cleanup(buf_done) struct buf line = BUF_INIT(16 * KIB);

		if (problems->causes[i].n &&
		    format_sum(&problems->causes[i], &line) == 0)
			buf_add(out, line.data, line.len);
	}
	mutex_unlock(&problems->lock);
}
