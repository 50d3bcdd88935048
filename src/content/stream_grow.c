/*
 * content/stream, what grows: each time the service is asked for the bytes from
 * the last known one on. What comes is appended as it comes, so an answer that
 * breaks off has lost nothing, and nothing comes twice.
 *
 * A server that does not do ranges sends all from the start: then what is there
 * already is compared, not written. Should the service have less than before or
 * something else, the stream is dead: its bytes stay as they are for whoever
 * reads them, and the next one to ask gets another stream.
 */
#include "content/stream_private.h"

#include "base/clock.h"

#include <inttypes.h>

#define PATIENCE_MS 10000 /* where there are bytes to go on with */
#define INTERVAL_MOST_MS 30000

struct sink {
	struct ctx *ctx;
	struct stream *stream;
	struct spool_file *file;
	uint64_t first; /* asked for */
	uint64_t at;    /* of what comes next */
	int64_t total;
	char tag[128];
	bool is_whole; /* all comes, from 0 on */
	bool other;    /* it is not what it was */
	bool *landed;  /* of the caller: the others who want to ask go on */
};

static int begin(void *arg, const struct stream_head *head)
{
	struct sink *sink = arg;

	sink->is_whole = head->span == STREAM_SPAN_WHOLE;
	sink->at = sink->is_whole ? 0 : sink->first;
	memcpy(sink->tag, head->tag, sizeof(sink->tag));
	if (head->total >= 0 && (uint64_t)head->total < sink->first) {
		sink->other = true;
		return -ESTALE;
	}
	if (head->span != STREAM_SPAN_NONE)
		sink->total = head->total;
	return 0;
}

static bool is_same(const struct sink *sink, const char *data, size_t n)
{
	char have[16 * KIB];

	for (size_t i = 0; i < n; i += sizeof(have)) {
		size_t some = n - i < sizeof(have) ? n - i : sizeof(have);

		if (spool_read(sink->file, sink->at + i, have, some) !=
			    (ssize_t)some ||
		    memcmp(have, data + i, some) != 0)
			return false;
	}
	return true;
}

/* Whoever waited for the asker looks at what there is. Once a flight. */
static void land(struct stream *s, bool *landed, int r, const char *sentence)
{
	if (!*landed)
		flight_land(s->streams->asking, s->id, r, sentence);
	*landed = true;
}

static int append(struct sink *sink, const char *data, size_t n)
{
	struct stream *s = sink->stream;
	int r = spool_write(sink->file, sink->at, data, n);

	if (r < 0)
		return stream_no_place(sink->ctx, s, r);
	sink->at += n;
	mutex_lock(&s->streams->lock);
	s->length = sink->at;
	s->grew_mono_ms = clock_mono_ms();
	s->grew_wall_ms = clock_wall_ms();
	stream_changed(s);
	mutex_unlock(&s->streams->lock);
	land(s, sink->landed, 0, NULL);
	return 0;
}

static int take(void *arg, const void *data, size_t n)
{
	struct sink *sink = arg;
	const char *bytes = data;
	size_t had = 0;

	if (sink->at < sink->first) {
		had = n < sink->first - sink->at
			      ? n
			      : (size_t)(sink->first - sink->at);
		if (!is_same(sink, bytes, had)) {
			sink->other = true;
			return -ESTALE;
		}
		sink->at += had;
	}
	return had < n ? append(sink, bytes + had, n - had) : 0;
}

/* ---- asking ---- */

static void fill(const struct stream *s, struct stream_growth *growth)
{
	*growth = (struct stream_growth){
		.size = s->growing || s->dead ? s->length : (uint64_t)s->size,
		.grew_ms = s->grew_wall_ms,
		.ended = !s->growing && s->size >= 0,
		.dead = s->dead,
	};
}

/* Whether a caller is served with what is there, instead of asking or waiting
 * for who asks. While somebody asks and nothing has come yet, nobody knows
 * whether there is anything: an empty file would be a lie. */
static bool is_enough(const struct stream *s) requires_lock(s->streams->lock)
{
	if (s->dead || (!s->growing && s->size >= 0))
		return true;
	if (s->asking)
		return s->growing && s->length > 0;
	return s->growing && clock_mono_ms() < s->ask_again_ms;
}

/* Whether the caller is served with what is there: *growth. */
static bool serve(struct stream *s, struct stream_growth *growth)
{
	bool enough;

	mutex_lock(&s->streams->lock);
	enough = is_enough(s);
	if (enough)
		fill(s, growth);
	mutex_unlock(&s->streams->lock);
	return enough;
}

/* The caller leads the flight. 0: he asks; 1: *growth is filled, somebody asked
 * before he led; -EINTR: nobody asks any more; or how whoever asked a moment
 * ago failed, a run too. */
static int begin_asking(struct ctx *ctx, struct stream *s,
			struct stream_growth *growth, bool *landed)
{
	bool has_some;
	int r = 0;

	mutex_lock(&s->streams->lock);
	has_some = s->length > 0;
	if (is_enough(s)) {
		fill(s, growth);
		r = 1;
	} else if (s->streams->stopping) {
		r = -EINTR;
	} else if (!s->growing && clock_mono_ms() < s->failed_until_ms) {
		r = ctx_fail(ctx, s->failed, "%s", s->sentence);
	} else {
		s->asking = true;
	}
	mutex_unlock(&s->streams->lock);
	*landed = false;
	/* The next one to lead sees for himself what this one has seen. */
	if (r != 0 || has_some)
		land(s, landed, r < 0 ? -EAGAIN : 0, NULL);
	return r;
}

/*
 * 0: the caller asks, and ends that with after(); 1: *growth is filled.
 *
 * One asks, the others wait for him only as long as nothing is there: his
 * flight lands with the first bytes, and from then on is_enough serves
 * everybody until he has ended.
 */
static int become_asker(struct ctx *ctx, struct stream *s,
			struct stream_growth *growth, bool *landed)
{
	int r;

	while (!serve(s, growth)) {
		r = flight_join(ctx, s->streams->asking, s->id);
		if (r == FLIGHT_LEAD)
			return begin_asking(ctx, s, growth, landed);
		if (r < 0)
			return r;
	}
	return 1;
}

/*
 * 0: the stream has a file that grows; 1: it has a sized one.
 *
 * 1. A finds no file, and joins the flight of who asks.
 * 2. That one gives up; or another mount of the same cache publishes the file.
 * 3. A leads. If it made a file now, it would ask again for all that is on the
 *    disk, and take the place of a sized file that others are using.
 * So A looks once more, and gives way to what somebody else made.
 */
static int make_growing(struct ctx *ctx, struct stream *s)
{
	struct spool_file *file = NULL;
	int r = stream_use(ctx, s, &file);

	if (r == 0)
		stream_unuse(s);
	if (r != -ENOENT)
		return r == -EINPROGRESS ? 0 : r == 0 ? 1 : r;
	r = spool_new(s->streams->config.spool, &file);
	if (r < 0)
		return stream_no_disk(ctx, r);
	mutex_lock(&s->streams->lock);
	r = s->file ? 1 : 0;
	if (r == 0) {
		s->file = steal(&file);
		s->growing = true;
		s->streams->n_open++;
	}
	mutex_unlock(&s->streams->lock);
	spool_file_unref(file);
	return r;
}

/* The service has no such thing (yet). */
static void make_nothing(struct stream *s)
{
	struct spool_file *file;

	mutex_lock(&s->streams->lock);
	file = steal(&s->file);
	s->growing = false;
	s->streams->n_open--;
	mutex_unlock(&s->streams->lock);
	spool_file_unref(file);
}

static int publish(struct sink *sink)
{
	struct stream *s = sink->stream;
	uint64_t size = sink->at > sink->first ? sink->at : sink->first;
	int r = spool_publish(sink->file, s->key, size, sink->tag);

	if (r < 0)
		return stream_no_disk(sink->ctx, r);
	for (uint64_t i = 0; i < spool_n_chunks(size); i++)
		spool_mark(sink->file, i);
	mutex_lock(&s->streams->lock);
	s->size = (int64_t)size;
	s->growing = false;
	mutex_unlock(&s->streams->lock);
	return 0;
}

void stream_die(struct stream *s)
{
	struct stream_set *all = s->streams;

	mutex_lock(&all->lock);
	s->dead = true;
	if (s->in_table)
		HASH_DEL(all->table, s);
	s->in_table = false;
	mutex_unlock(&all->lock);
}

static int ask(struct ctx *ctx, struct stream *s, bool has_ended, bool *landed)
{
	struct sink sink = {
		.ctx = ctx,
		.stream = s,
		.file = s->file,
		.first = s->length,
		.at = s->length,
		.total = -1,
		.landed = landed,
	};
	const struct stream_range range = {s->length, 0};
	const struct stream_sink taker = {begin, take, &sink};
	int64_t deadline = ctx_narrow(ctx, s->length ? PATIENCE_MS : INT64_MAX);
	int r = stream_exchange(ctx, s, &range, &taker);

	ctx_widen(ctx, deadline);
	if (r == 0 && sink.is_whole && sink.at < sink.first)
		sink.other = true; /* all came, and it is less */
	if (sink.other) {
		stream_die(s);
		return 0;
	}
	if (r == 0 && sink.total >= 0 && sink.at != (uint64_t)sink.total)
		r = ctx_fail(ctx, -ECONNRESET, "Not all of %s came.",
			     s->source->name);
	return r == 0 && has_ended ? publish(&sink) : r;
}

/* failure: 0, or what is everybody's. */
static void after(struct stream *s, int failure, const char *sentence,
		  struct stream_growth *growth)
{
	int64_t now = clock_mono_ms(), least = s->streams->config.grow_ms;
	int64_t interval = s->grew_mono_ms ? (now - s->grew_mono_ms) / 4
					   : least;

	mutex_lock(&s->streams->lock);
	if (interval > INTERVAL_MOST_MS)
		interval = INTERVAL_MOST_MS;
	if (interval < least)
		interval = least;
	s->ask_again_ms = now + interval;
	s->asking = false;
	if (failure < 0 && !s->growing)
		stream_failed(s, failure, sentence);
	else
		stream_changed(s);
	fill(s, growth);
	mutex_unlock(&s->streams->lock);
}

static int grow(struct ctx *ctx, struct stream *s, bool has_ended,
		struct stream_growth *ret_growth, int *ret_failure)
{
	bool had, landed, own;
	int r = become_asker(ctx, s, ret_growth, &landed);

	if (r != 0)
		return r < 0 ? r : 0;
	had = s->length > 0;
	r = make_growing(ctx, s);
	if (r == 0)
		r = ask(ctx, s, has_ended, &landed);
	if (r > 0)
		r = 0;
	if (r < 0 && !s->length && s->growing)
		make_nothing(s);
	/* What this caller alone was refused, the next one may be given. */
	own = r < 0 && (r == -EINTR || r == -EAGAIN || ctx->refused);
	after(s, own ? 0 : r, ctx->sentence, ret_growth);
	land(s, &landed, own ? -EAGAIN : r, ctx->sentence);
	if (r < 0 && !had && !s->length)
		return r;
	*ret_failure = r;
	return 0;
}

int stream_grow(struct ctx *ctx, struct stream *s, bool has_ended,
		struct stream_growth *ret_growth, int *ret_failure)
{
	struct spool_file *file;
	int r;

	*ret_failure = 0;
	/* It may have ended before, also for another mount. */
	r = has_ended ? stream_use_sized(ctx, s, &file)
		      : stream_use(ctx, s, &file);
	if (r == -EINPROGRESS || (r == -ENOENT && !has_ended))
		return grow(ctx, s, has_ended, ret_growth, ret_failure);
	if (r < 0)
		return r;
	stream_unuse(s);
	mutex_lock(&s->streams->lock);
	fill(s, ret_growth);
	mutex_unlock(&s->streams->lock);
	return 0;
}
