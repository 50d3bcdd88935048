/*
 * content/stream, the exchanges of what is sized: a run is a thread that brings
 * neighbouring chunks; which ones, stream_plan.c decides.
 *
 * The first exchange of a reader is one chunk, each that goes on where it ended
 * has twice as many. A run does not get far ahead of its readers: it pauses (in
 * the sink: the connection's windows hold the server back) until they come, and
 * ends when they do not. So a look at the end of a large file costs one chunk,
 * and a copy of it few requests.
 *
 * A server that gives nothing but the whole is read from the start, once, and
 * further ahead, because a run that ends would have to begin anew.
 *
 * A chunk is damaged while a run passes over it:
 * 1. Run R comes to chunk 3, which is there already: R drops the server's
 * bytes.
 * 2. In the middle of it A reads chunk 3, and the spool finds it damaged: it is
 *    not there any more.
 * 3. R writes the rest of the chunk. If it marked it at its end, the damaged
 *    first half would count as right.
 * So R marks a chunk only if it wrote all of it: sink.written.
 *
 * A run ends before it is known:
 * 1. A makes run R, puts it into the list of runs, and starts its thread.
 * 2. The thread ends at once; R is in the list of those that are to be joined.
 * 3. B joins that list; but A has not stored R's thread yet.
 * So the thread waits until `started`, which is set with `thread`.
 */
#include "content/stream_private.h"

#include "base/clock.h"

#include <inttypes.h>

#define LINGER_MS 300 /* whether somebody reads on, after one chunk */
#define IDLE_MS 2000
#define IDLE_WHOLE_MS 30000
#define AHEAD_WHOLE (64 * SPOOL_CHUNK)
#define TRIES 4
#define BACKOFF_MS 250
#define HELD (128 * KIB) /* curl gives 16 KiB at a time */

/* ---- what comes ---- */

struct sink {
	struct stream_run *run;
	struct spool_file *file;     /* NULL: its size is not known yet */
	struct spool_file *nameless; /* the server does not tell the size */
	uint64_t at, end;            /* copied from and to run, with the lock */
	uint64_t written;            /* from there on this run wrote */
	size_t n_held; /* bytes before `at`, of one chunk, not written yet */
	char *held;    /* of HELD bytes */
	char tag[128];
};

/* Tells the readers how far the run is, and takes over its end, which a new run
 * may have brought forward. False: the run has been told to end. */
static bool show_progress(struct sink *sink)
{
	struct stream_run *run = sink->run;
	struct stream *s = run->stream;
	bool go_on;

	mutex_lock(&s->streams->lock);
	run->at = sink->at;
	sink->end = run->end;
	go_on = !run->ending && !s->streams->stopping;
	stream_changed(s);
	mutex_unlock(&s->streams->lock);
	return go_on;
}

/* The server gives another range than was asked for. */
static void set_range(struct sink *sink, uint64_t at, uint64_t end, bool whole)
{
	struct stream_run *run = sink->run;
	struct stream *s = run->stream;

	mutex_lock(&s->streams->lock);
	sink->at = run->at = at;
	sink->end = run->end = end;
	if (sink->written > at)
		sink->written = at;
	if (whole) {
		run->start = 0;
		s->no_range = true;
	}
	stream_changed(s);
	mutex_unlock(&s->streams->lock);
}

/* With the total the file is made; without it, one that has no name yet. */
static int open_file(struct sink *sink, int64_t total)
{
	struct stream *s = sink->run->stream;
	struct ctx *ctx = &sink->run->ctx;
	int r;

	if (total < 0) {
		spool_file_unref(sink->nameless);
		sink->nameless = NULL;
		r = spool_new(s->streams->config.spool, &sink->nameless);
		return r < 0 ? stream_no_place(ctx, s, r) : 0;
	}
	r = stream_use(ctx, s, &sink->file);
	return r == -ENOENT ? stream_be_sized(ctx, s, (uint64_t)total,
					      sink->tag, &sink->file)
			    : r;
}

/* The file is empty: no range of it exists. */
static int take_nothing(struct sink *sink, const struct stream_head *head)
{
	struct stream_run *run = sink->run;

	if (sink->at != 0 || head->total > 0 || sink->file)
		return ctx_fail(&run->ctx, -EIO,
				"%s is shorter than it was said to be.",
				run->stream->source->name);
	set_range(sink, 0, 0, false);
	return open_file(sink, 0);
}

static int begin(void *arg, const struct stream_head *head)
{
	struct sink *sink = arg;
	struct stream_run *run = sink->run;
	bool whole = head->span == STREAM_SPAN_WHOLE;
	uint64_t end;
	int r = 0;

	if (head->span == STREAM_SPAN_NONE)
		return take_nothing(sink, head);
	memcpy(sink->tag, head->tag, sizeof(sink->tag));
	if (!sink->file)
		r = open_file(sink, head->total);
	if (r < 0)
		return r;
	end = whole ? UINT64_MAX : sink->end;
	if (sink->file && end > spool_file_size(sink->file))
		end = spool_file_size(sink->file);
	if (!sink->file && !whole)
		return ctx_fail(&run->ctx, -EIO,
				"The server gives pieces of %s, but does not "
				"say how large it is.",
				run->stream->source->name);
	if (whole || end != sink->end)
		set_range(sink, whole ? 0 : sink->at, end, whole);
	return 0;
}

/* With how many bytes more than its readers have read a run goes on. */
static uint64_t may_be_ahead(const struct stream *s,
			     const struct stream_run *run)
{
	return s->no_range         ? AHEAD_WHOLE
	       : run->n_chunks > 1 ? SPOOL_CHUNK
				   : SPOOL_CHUNK / 2;
}

/* For how long a run pauses for readers who do not come. */
static int64_t patience_ms(const struct stream *s, const struct stream_run *run,
			   bool at_end)
{
	return s->no_range                    ? IDLE_WHOLE_MS
	       : at_end && run->n_chunks == 1 ? LINGER_MS
					      : IDLE_MS;
}

/* Pauses at the end of a chunk (at_end: of an exchange) until a reader is near
 * enough for the run to go on. False: it ends. */
static bool pause_for_readers(struct stream_run *run, bool at_end)
{
	struct stream *s = run->stream;
	bool go_on = false;

	mutex_lock(&s->streams->lock);
	for (;;) {
		int64_t until = run->read_ms + patience_ms(s, run, at_end);

		if (run->ending || s->streams->stopping)
			break;
		go_on = run->near + may_be_ahead(s, run) >= run->at ||
			stream_run_is_awaited(s, run);
		if (go_on || clock_mono_ms() >= until ||
		    stream_run_blocks_reader(s))
			break;
		cond_wait_until(&s->changed, &s->streams->lock, until);
	}
	mutex_unlock(&s->streams->lock);
	return go_on;
}

static int write_held(struct sink *sink)
{
	uint64_t from = sink->at - sink->n_held;
	int r = 0;

	if (!sink->n_held)
		return 0;
	if (!sink->file)
		r = spool_write(sink->nameless, from, sink->held, sink->n_held);
	else if (!spool_has(sink->file, from / SPOOL_CHUNK))
		r = spool_write(sink->file, from, sink->held, sink->n_held);
	else
		sink->written = sink->at;
	/* What could not be written is not passed over. */
	if (r < 0)
		sink->at = from;
	sink->n_held = 0;
	return r < 0 ? stream_no_place(&sink->run->ctx, sink->run->stream, r)
		     : 0;
}

/* A write costs the spool the same whether it is small or large. */
static int hold(struct sink *sink, const char *data, size_t n)
{
	int r = 0;

	while (r == 0 && n) {
		size_t room = HELD - sink->n_held;
		size_t some = n < room ? n : room;

		memcpy(sink->held + sink->n_held, data, some);
		sink->n_held += some;
		sink->at += some;
		data += some;
		n -= some;
		if (sink->n_held == HELD)
			r = write_held(sink);
	}
	return r;
}

/* Bytes of one chunk. -ECANCELED: the run ends here. */
static int take_in_chunk(struct sink *sink, const char *data, size_t n)
{
	uint64_t chunk = sink->at / SPOOL_CHUNK, to = sink->at + n;
	bool ends = to % SPOOL_CHUNK == 0 || to == sink->end;
	int r = hold(sink, data, n);

	if (r == 0 && ends)
		r = write_held(sink);
	if (r < 0)
		return r;
	if (!ends)
		return 0;
	/* See "A chunk is damaged while a run passes over it". */
	if (sink->file && sink->written <= chunk * SPOOL_CHUNK)
		spool_mark(sink->file, chunk);
	stream_truth_came(sink->run->stream, sink->file);
	if (!show_progress(sink))
		return -ECANCELED;
	return to >= sink->end || pause_for_readers(sink->run, false)
		       ? 0
		       : -ECANCELED;
}

static int take(void *arg, const void *data, size_t n)
{
	struct sink *sink = arg;
	const char *at = data;

	while (n) {
		size_t room = (size_t)(SPOOL_CHUNK - sink->at % SPOOL_CHUNK);
		size_t some = n < room ? n : room;
		int r;

		/* More than was asked for, or a new run has taken the rest. */
		if (sink->at >= sink->end)
			return -ECANCELED;
		if (some > sink->end - sink->at)
			some = (size_t)(sink->end - sink->at);
		r = take_in_chunk(sink, at, some);
		if (r < 0)
			return r;
		at += some;
		n -= some;
	}
	return 0;
}

/* The server told no size, and its answer is over: its length is the size. */
static int publish_nameless(struct sink *sink)
{
	struct stream_run *run = sink->run;
	uint64_t size = sink->at;
	int r = spool_publish(sink->nameless, run->stream->file_key, size, "");

	if (r < 0)
		return stream_no_place(&run->ctx, run->stream, r);
	for (uint64_t i = 0; i < spool_n_chunks(size); i++)
		spool_mark(sink->nameless, i);
	set_range(sink, size, size, true);
	return stream_adopt(run->stream, steal(&sink->nameless), &sink->file);
}

/* ---- the thread ---- */

static int exchange(struct stream_run *run, struct sink *sink)
{
	const struct stream_range range = {sink->at, sink->end - sink->at};
	const struct stream_sink taker = {begin, take, sink};
	int r = stream_exchange(&run->ctx, run->stream, &range, &taker);
	int written = write_held(sink);

	r = written < 0 ? written : r;
	return r == 0 && sink->nameless && !sink->file ? publish_nameless(sink)
						       : r;
}

/* Brings what is missing up to the run's end. An exchange that broke off is
 * followed by one for the rest. */
static int bring(struct stream_run *run)
{
	cleanup(free) char *held = mem_alloc(HELD);
	struct sink sink = {
		.run = run,
		.at = run->at,
		.written = run->at,
		.held = held,
	};
	unsigned tries = 0;
	int r = stream_use(&run->ctx, run->stream, &sink.file);

	if (r == -ENOENT)
		r = 0;
	show_progress(&sink);
	while (r == 0 && sink.at < sink.end) {
		uint64_t before = sink.at;

		r = exchange(run, &sink);
		if (sink.at > before)
			tries = 0;
		if (r == 0 && sink.at == before && sink.at < sink.end)
			r = ctx_fail(&run->ctx, -EIO, "Nothing of %s came.",
				     run->stream->source->name);
		if (r == -ECONNRESET && ++tries < TRIES)
			r = ctx_sleep(&run->ctx, (int64_t)BACKOFF_MS << tries);
	}
	show_progress(&sink);
	spool_file_unref(sink.nameless);
	if (sink.file)
		stream_unuse(run->stream);
	return r;
}

/* Another exchange, where the last one ended: from before the pause on the run
 * covers its chunks, so that a reader who comes to them waits for this run. */
static bool go_on(struct stream_run *run)
{
	struct stream *s = run->stream;
	struct spool_file *file;
	uint64_t n;

	if (stream_use(&run->ctx, s, &file) < 0)
		return false;
	n = run->at < spool_file_size(file) && run->at % SPOOL_CHUNK == 0
		    ? stream_n_missing(file, run->at / SPOOL_CHUNK,
				       run->n_chunks * 2)
		    : 0;
	stream_unuse(s);
	if (n == 0)
		return false;
	mutex_lock(&s->streams->lock);
	/* What was found untrue was dropped, and lacks all chunks: what is
	 * brought in their place would be left for the next mount. */
	n = stream_truth_look(&run->ctx, s) < 0 ? 0
						: stream_run_extend(s, run, n);
	mutex_unlock(&s->streams->lock);
	if (n == 0 || !pause_for_readers(run, true))
		return false;
	run->n_chunks = spool_n_chunks(n);
	return true;
}

static void end_run(struct stream_run *run, int r)
{
	struct stream *s = run->stream;

	mutex_lock(&s->streams->lock);
	run->ending = true;
	s->next_at = run->at / SPOOL_CHUNK;
	s->next_n = run->n_chunks;
	/* -EINPROGRESS: it grows now; its readers look again. */
	if (r < 0 && r != -ECANCELED && r != -EINTR && r != -EINPROGRESS)
		stream_failed(s, r, run->ctx.sentence);
	DL_DELETE(s->runs, run);
	s->n_runs--;
	s->streams->n_runs--;
	stream_changed(s);
	LL_PREPEND(s->streams->ended, run);
	mutex_unlock(&s->streams->lock);
	stream_unref(s);
}

static void run_main(void *arg)
{
	struct stream_run *run = arg;
	struct stream_set *all = run->stream->streams;
	int r;

	mutex_lock(&all->lock);
	while (!run->started)
		cond_wait(&run->stream->changed, &all->lock);
	mutex_unlock(&all->lock);
	do
		r = bring(run);
	while (r == 0 && go_on(run));
	end_run(run, r);
}

int stream_start(struct stream_run *run)
{
	struct stream *s = run->stream;
	struct thread *thread = NULL;
	int r;

	stream_join_ended(s->streams);
	r = thread_start("stream", run_main, run, &thread);
	mutex_lock(&s->streams->lock);
	run->thread = thread;
	run->started = true;
	stream_changed(s);
	mutex_unlock(&s->streams->lock);
	if (r < 0) {
		snprintf(run->ctx.sentence, sizeof(run->ctx.sentence),
			 "No thread could be started: %s.", strerror(-r));
		end_run(run, r);
	}
	return r;
}

struct stream_run *stream_run_unref(struct stream_run *run)
{
	if (!run || !refcount_drop(&run->refcount))
		return NULL;
	ctx_done(&run->ctx);
	free(run);
	return NULL;
}

void stream_join_ended(struct stream_set *all)
{
	struct stream_run *run, *next;

	mutex_lock(&all->lock);
	run = all->ended;
	all->ended = NULL;
	mutex_unlock(&all->lock);
	for (; run; run = next) {
		next = run->next;
		thread_join(run->thread);
		stream_run_unref(run);
	}
}
