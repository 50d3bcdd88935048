/*
 * content/stream, the exchanges of what is sized: a run is a thread that brings
 * neighbouring chunks.
 *
 * The first exchange of a reader is one chunk, each that goes on where it ended
 * has twice as many. A run does not get far ahead of its readers: it pauses (in
 * the sink: the connection's windows hold the server back) until they come, and
 * ends when they do not. So a look at the end of a large file costs one chunk,
 * and a copy of it few requests.
 *
 * A server that gives the whole alone is read from the start, once, and further
 * ahead, because a run that ends would have to begin anew.
 */
#include "content/stream_private.h"

#include "base/clock.h"

#include <inttypes.h>

#define PIECES_MOST 64
#define FAR 8
#define LINGER_MS 300 /* whether somebody reads on, after one chunk */
#define IDLE_MS 2000
#define IDLE_WHOLE_MS 30000
#define AHEAD_WHOLE (64 * SPOOL_CHUNK)
#define TRIES 4
#define BACKOFF_MS 250

/* ---- with the lock ---- */

static uint64_t first_piece(const struct stream_run *run)
{
	return run->at / SPOOL_CHUNK;
}

static bool covers(const struct stream_run *run, uint64_t chunk)
{
	return !run->ending && chunk >= first_piece(run) &&
	       chunk * SPOOL_CHUNK < run->end;
}

static bool is_wanted(const struct stream_run *run)
{
	struct stream_waiter *w;

	DL_FOREACH (run->stream->waiters, w)
		if (covers(run, w->chunk))
			return true;
	return false;
}

/* A reader waits for bytes that no run will bring, and there is no slot for one
 * more run. */
static bool is_in_the_way(const struct stream_run *run)
{
	const struct stream *s = run->stream;
	struct stream_waiter *w;
	struct stream_run *other;
	bool covered;

	if (s->n_runs < STREAM_RUNS && s->streams->n_runs < STREAM_ALL_RUNS)
		return false;
	DL_FOREACH (s->waiters, w) {
		covered = false;
		DL_FOREACH (s->runs, other)
			covered |= covers(other, w->chunk);
		if (!covered)
			return true;
	}
	return false;
}

/* Where a run that begins at `at` has to end, so that it does not bring bytes
 * that another run is bringing. */
static uint64_t limit(const struct stream *s, const struct stream_run *but,
		      uint64_t at, uint64_t end)
{
	struct stream_run *run;

	DL_FOREACH (s->runs, run) {
		uint64_t start = first_piece(run) * SPOOL_CHUNK;

		if (run != but && !run->ending && start >= at && start < end)
			end = start;
	}
	return end;
}

static uint64_t end_of(const struct stream *s, uint64_t at, uint64_t n_chunks)
{
	uint64_t end = at + n_chunks * SPOOL_CHUNK;

	return s->size >= 0 && end > (uint64_t)s->size ? (uint64_t)s->size
						       : end;
}

/* Whether a run will bring the chunk soon. A run that will come to it only
 * after many other chunks leaves it, and what follows, to a new run. */
static bool is_coming(struct stream *s, uint64_t chunk, bool room,
		      uint64_t *ret_end)
{
	struct stream_run *run;

	DL_FOREACH (s->runs, run) {
		if (!covers(run, chunk))
			continue;
		if (!room || s->no_range || chunk - first_piece(run) < FAR)
			return true;
		*ret_end = run->end;
		run->end = chunk * SPOOL_CHUNK;
	}
	return false;
}

struct stream_run *stream_plan(struct stream *s, uint64_t chunk,
			       uint64_t n_missing, const struct ctx *for_whom)
{
	bool room = s->n_runs < STREAM_RUNS &&
		    s->streams->n_runs < STREAM_ALL_RUNS && n_missing;
	uint64_t n = chunk == s->next_at ? s->next_n * 2 : 1;
	uint64_t end = UINT64_MAX;
	struct stream_run *run;

	if (is_coming(s, chunk, room, &end) || !room)
		return NULL;
	if (n > n_missing)
		n = n_missing;
	if (n > PIECES_MOST)
		n = PIECES_MOST;
	if (n == 0)
		n = 1;
	run = xcalloc(1, sizeof(*run));
	refcount_init(&run->refcount);
	run->start = run->at = chunk * SPOOL_CHUNK;
	if (end > end_of(s, run->at, n))
		end = end_of(s, run->at, n);
	run->end = limit(s, NULL, run->at, end);
	run->n_chunks = n;
	run->read_ms = clock_mono_ms();
	run->stream = s;
	refcount_take(&s->refcount);
	/* Of no group: the places of the group are for threads that answer the
	 * kernel. streams_cancel ends it. */
	ctx_init(&run->ctx, NULL, -1);
	run->ctx.who = for_whom->who;
	run->ctx.caller = for_whom->caller;
	DL_APPEND(s->runs, run);
	s->n_runs++;
	s->streams->n_runs++;
	return run;
}

void stream_note_read(struct stream *s, uint64_t from, uint64_t to)
{
	struct stream_run *run;

	DL_FOREACH (s->runs, run) {
		if (to <= run->start || from > run->end)
			continue;
		if (to > run->near)
			run->near = to;
		run->read_ms = clock_mono_ms();
		stream_changed(s);
	}
}

struct stream_run *stream_abandoned(struct stream *s, uint64_t chunk)
{
	struct stream_run *run;

	DL_FOREACH (s->runs, run) {
		if (!covers(run, chunk) || is_wanted(run))
			continue;
		run->ending = true;
		refcount_take(&run->refcount);
		stream_changed(s);
		return run;
	}
	return NULL;
}

/* ---- what comes ---- */

struct sink {
	struct stream_run *run;
	struct spool_file *file;     /* NULL: its size is not known yet */
	struct spool_file *nameless; /* the server does not tell the size */
	uint64_t at, end;            /* as in run, where others look */
	uint64_t written;            /* from there on it was we who wrote */
	char tag[128];
};

/* Shows how far it is, and sees whether others have taken some of what was to
 * come; false: it has been told to end. */
static bool show(struct sink *sink)
{
	struct stream_run *run = sink->run;
	struct streams *all = run->stream->streams;
	bool go_on;

	mutex_lock(&all->lock);
	run->at = sink->at;
	sink->end = run->end;
	go_on = !run->ending && !all->stopping;
	stream_changed(run->stream);
	mutex_unlock(&all->lock);
	return go_on;
}

/* The server gives another range than was asked for. */
static void set_range(struct sink *sink, uint64_t at, uint64_t end, bool whole)
{
	struct stream_run *run = sink->run;
	struct streams *all = run->stream->streams;

	mutex_lock(&all->lock);
	sink->at = run->at = at;
	sink->end = run->end = end;
	if (sink->written > at)
		sink->written = at;
	if (whole) {
		run->start = 0;
		run->stream->no_range = true;
	}
	stream_changed(run->stream);
	mutex_unlock(&all->lock);
}

static int fail_write(struct stream_run *run, int r)
{
	return ctx_fail(&run->ctx, r,
			r == -EFBIG ? "%s is larger than any file here."
				    : "The cache has no place for %s.",
			run->stream->path);
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
		return r < 0 ? fail_write(sink->run, r) : 0;
	}
	r = stream_use(ctx, s, &sink->file);
	if (r == -ENOENT) {
		r = stream_be_sized(ctx, s, (uint64_t)total, sink->tag);
		if (r == 0)
			r = stream_use(ctx, s, &sink->file);
	}
	return r;
}

static int begin(void *arg, const struct http_response *response)
{
	struct sink *sink = arg;
	struct stream_run *run = sink->run;
	struct stream_answer answer;
	bool whole = response->status == 200;
	uint64_t end;
	int r = stream_read_answer(&run->ctx, run->stream, response, sink->at,
				   &answer);

	if (r < 0)
		return r;
	memcpy(sink->tag, response->etag, sizeof(sink->tag));
	if (!sink->file)
		r = open_file(sink, answer.total);
	if (r < 0)
		return r;
	end = whole ? UINT64_MAX : sink->end;
	if (sink->file && end > spool_file_size(sink->file))
		end = spool_file_size(sink->file);
	if (!sink->file && !whole)
		return ctx_fail(&run->ctx, -EIO,
				"The server gives pieces of %s, but does not "
				"say how large it is.",
				run->stream->path);
	if (whole || end != sink->end)
		set_range(sink, whole ? 0 : sink->at, end, whole);
	return 0;
}

/* At the end of a chunk: whether a reader is near enough for the run to go on.
 */
static bool may_go_on(struct stream_run *run, bool at_end)
{
	struct stream *s = run->stream;
	struct streams *all = s->streams;
	bool go_on = false;

	mutex_lock(&all->lock);
	for (;;) {
		int64_t idle = s->no_range                    ? IDLE_WHOLE_MS
			       : at_end && run->n_chunks == 1 ? LINGER_MS
							      : IDLE_MS;
		uint64_t ahead = s->no_range         ? AHEAD_WHOLE
				 : run->n_chunks > 1 ? SPOOL_CHUNK
						     : SPOOL_CHUNK / 2;
		int64_t left = run->read_ms + idle - clock_mono_ms();

		if (run->ending || all->stopping)
			break;
		go_on = run->near + ahead >= run->at || is_wanted(run);
		if (go_on || left <= 0 || is_in_the_way(run))
			break;
		cond_wait_until(&s->changed, &all->lock,
				clock_mono_ms() + left);
	}
	mutex_unlock(&all->lock);
	return go_on;
}

/* Up to the end of the chunk at most. */
static int take_some(struct sink *sink, const char *data, size_t n)
{
	uint64_t chunk = sink->at / SPOOL_CHUNK, to = sink->at + n;
	int r = 0;

	if (!sink->file)
		r = spool_write(sink->nameless, sink->at, data, n);
	else if (!spool_has(sink->file, chunk))
		r = spool_write(sink->file, sink->at, data, n);
	else
		sink->written = to;
	if (r < 0)
		return fail_write(sink->run, r);
	sink->at = to;
	if (to % SPOOL_CHUNK != 0 && to != sink->end)
		return 0;
	/* A chunk that was found damaged while the run passed over it begins
	 * with bytes that this run did not write: not marked. */
	if (sink->file && sink->written <= chunk * SPOOL_CHUNK)
		spool_mark(sink->file, chunk);
	if (!show(sink))
		return -ECANCELED;
	return to >= sink->end || may_go_on(sink->run, false) ? 0 : -ECANCELED;
}

static int take(void *arg, const void *data, size_t n)
{
	struct sink *sink = arg;
	const char *at = data;

	while (n) {
		size_t room = (size_t)(SPOOL_CHUNK - sink->at % SPOOL_CHUNK);
		size_t some = n < room ? n : room;
		int r;

		/* The rest is surplus, or another run has taken it over. */
		if (sink->at >= sink->end)
			return -ECANCELED;
		if (some > sink->end - sink->at)
			some = (size_t)(sink->end - sink->at);
		r = take_some(sink, at, some);
		if (r < 0)
			return r;
		at += some;
		n -= some;
	}
	return 0;
}

/* All of what had no size has come. */
static int settle_nameless(struct sink *sink)
{
	struct stream_run *run = sink->run;
	uint64_t size = sink->at;
	int r = spool_settle(sink->nameless, run->stream->key, size, "");

	if (r < 0)
		return fail_write(run, r);
	for (uint64_t i = 0; i < spool_n_pieces(size); i++)
		spool_mark(sink->nameless, i);
	set_range(sink, size, size, true);
	return stream_use(&run->ctx, run->stream, &sink->file);
}

/* 416: the file is empty, and no range of it exists. */
static int take_nothing(struct sink *sink, const struct http_response *answer)
{
	struct stream_run *run = sink->run;

	if (sink->at != 0 || answer->range_total > 0 || sink->file)
		return ctx_fail(&run->ctx, -EIO,
				"%s is shorter than it was said to be.",
				run->stream->path);
	set_range(sink, 0, 0, false);
	return open_file(sink, 0);
}

/* ---- the thread ---- */

static int exchange(struct stream_run *run, struct sink *sink)
{
	cleanup(http_response_done) struct http_response answer = {0};
	const struct bitbucket_range chunk = {sink->at, sink->end - sink->at};
	const struct http_sink http_sink = {take, begin, sink};
	int r;

	run->ctx.sentence[0] = '\0';
	r = stream_exchange(&run->ctx, run->stream, &chunk, &http_sink,
			    &answer);
	if (r < 0)
		return r;
	if (answer.status == 416)
		return take_nothing(sink, &answer);
	return sink->nameless && !sink->file ? settle_nameless(sink) : 0;
}

/* Brings what is missing up to the run's end; what broke off goes on where it
 * broke. */
static int bring(struct stream_run *run)
{
	struct sink sink = {.run = run, .at = run->at, .written = run->at};
	unsigned tries = 0;
	int r = stream_use(&run->ctx, run->stream, &sink.file);

	if (r == -ENOENT)
		r = 0;
	show(&sink);
	while (r == 0 && sink.at < sink.end) {
		uint64_t before = sink.at;

		r = exchange(run, &sink);
		if (sink.at > before)
			tries = 0;
		if (r == 0 && sink.at == before && sink.at < sink.end)
			r = ctx_fail(&run->ctx, -EIO, "Nothing of %s came.",
				     run->stream->path);
		if (r == -ECONNRESET && ++tries < TRIES)
			r = ctx_sleep(&run->ctx, (int64_t)BACKOFF_MS << tries);
	}
	show(&sink);
	spool_file_unref(sink.nameless);
	if (sink.file)
		stream_unuse(run->stream);
	return r;
}

/* Another exchange, where the last one ended. */
static bool go_on(struct stream_run *run)
{
	struct stream *s = run->stream;
	struct streams *all = s->streams;
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
	/* From here on it brings what comes next, should somebody want it. */
	mutex_lock(&all->lock);
	run->end = limit(s, run, run->at,
			 end_of(s, run->at, n < PIECES_MOST ? n : PIECES_MOST));
	n = run->end - run->at;
	mutex_unlock(&all->lock);
	if (n == 0 || !may_go_on(run, true))
		return false;
	run->n_chunks = spool_n_pieces(n);
	return true;
}

static void end_run(struct stream_run *run, int r)
{
	struct stream *s = run->stream;
	struct streams *all = s->streams;

	mutex_lock(&all->lock);
	run->ending = true;
	s->next_at = run->at / SPOOL_CHUNK;
	s->next_n = run->n_chunks;
	if (r < 0 && r != -ECANCELED && r != -EINTR)
		stream_failed(s, r, run->ctx.sentence);
	DL_DELETE(s->runs, run);
	s->n_runs--;
	all->n_runs--;
	stream_changed(s);
	LL_PREPEND(all->ended, run);
	mutex_unlock(&all->lock);
	stream_unref(s);
}

static void run_main(void *arg)
{
	struct stream_run *run = arg;
	struct streams *all = run->stream->streams;
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
	struct streams *all = s->streams;
	struct thread *thread = NULL;
	int r;

	stream_join_ended(all);
	r = thread_start("stream", run_main, run, &thread);
	mutex_lock(&all->lock);
	run->thread = thread;
	run->started = true;
	stream_changed(s);
	mutex_unlock(&all->lock);
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

void stream_join_ended(struct streams *all)
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
