/*
 * content/stream, which run brings which chunks. All of this is decided under
 * the lock of streams, and nothing here waits.
 *
 * A run brings the bytes [at, end) of its stream, chunk by chunk. Two runs of a
 * stream do not bring the same chunk: a new one ends where the next one begins,
 * and takes what it brings from the run that would have come to it later:
 *
 * A reader jumps ahead of a run:
 * 1. Run R brings chunks 0 to 63, and is at chunk 3.
 * 2. A waits for chunk 40: R would come to it after 37 MiB.
 * 3. A's run N takes chunk 40 and what follows; R's end becomes chunk 40. R
 *    learns of it when it has its next chunk, and drops what the server sends
 *    beyond its end.
 * Within FAR chunks A waits for R: a new exchange would take longer.
 *
 * The last reader leaves a run, and another one comes:
 * 1. A, the only one who waits for a chunk of run R, gives up: R is to be
 *    cancelled, which may not be done with the lock held.
 * 2. B comes, and waits for a chunk of R.
 * 3. R is cancelled and brings nothing: B would wait until R has ended before a
 *    new run could begin. So R is `ending` from step 1 on, covers no chunk any
 *    more, and B starts a run.
 *
 * Runs that wait hold up one that is needed:
 * 1. Each slot for a run is taken; the readers of those runs are slow, so the
 *    runs pause.
 * 2. A waits for a chunk that no run will bring.
 * 3. Without more, A would wait until a run has paused for so long that it ends
 *    by itself. So a run that pauses ends when stream_run_blocks_reader.
 */
#include "content/stream_private.h"

#include "base/clock.h"

#define FAR 8

/* The chunk that the run is in. */
static uint64_t first_chunk(const struct stream_run *run)
{
	return run->at / SPOOL_CHUNK;
}

/* While the size is not known everybody waits for that, and a run brings it
 * however far it is: else a server that gives the whole, and does not say how
 * long it is, would be asked again by whoever waits for the first chunk. */
static bool covers(const struct stream_run *run, uint64_t chunk)
{
	if (run->stream->size < 0)
		return !run->ending;
	return !run->ending && chunk >= first_chunk(run) &&
	       chunk * SPOOL_CHUNK < run->end;
}

static struct stream_run *run_of(const struct stream *s, uint64_t chunk)
{
	struct stream_run *run;

	DL_FOREACH (s->runs, run)
		if (covers(run, chunk))
			return run;
	return NULL;
}

static bool is_slot_free(const struct stream *s)
{
	return s->n_runs < STREAM_RUNS && s->streams->n_runs < STREAM_ALL_RUNS;
}

bool stream_run_is_awaited(const struct stream *s, const struct stream_run *run)
	requires_lock(s->streams->lock)
{
	struct stream_waiter *w;

	DL_FOREACH (s->waiters, w)
		if (covers(run, w->chunk))
			return true;
	return false;
}

bool stream_run_blocks_reader(const struct stream *s)
	requires_lock(s->streams->lock)
{
	struct stream_waiter *w;

	if (is_slot_free(s))
		return false;
	DL_FOREACH (s->waiters, w)
		if (!run_of(s, w->chunk))
			return true;
	return false;
}

/* At most `end`: where the next run after `from`, other than `but`, begins. */
static uint64_t end_before_next(const struct stream *s,
				const struct stream_run *but, uint64_t from,
				uint64_t end)
{
	struct stream_run *run;

	DL_FOREACH (s->runs, run) {
		uint64_t start = first_chunk(run) * SPOOL_CHUNK;

		if (run != but && !run->ending && start >= from && start < end)
			end = start;
	}
	return end;
}

static uint64_t end_within_file(const struct stream *s, uint64_t from,
				uint64_t n_chunks)
{
	uint64_t end = from + n_chunks * SPOOL_CHUNK;

	return s->size >= 0 && end > (uint64_t)s->size ? (uint64_t)s->size
						       : end;
}

static bool is_near(const struct stream *s, const struct stream_run *run,
		    uint64_t chunk)
{
	return s->size < 0 || s->no_range || chunk - first_chunk(run) < FAR;
}

/* How many chunks the first exchange of a new run brings. */
static uint64_t first_n_chunks(const struct stream *s, uint64_t chunk,
			       uint64_t n_missing)
{
	uint64_t n = chunk == s->next_at ? s->next_n * 2 : 1;

	if (n > n_missing)
		n = n_missing;
	if (n > STREAM_CHUNKS_MOST)
		n = STREAM_CHUNKS_MOST;
	return n ? n : 1;
}

static struct stream_run *run_new(struct stream *s, uint64_t chunk,
				  const struct ctx *for_whom)
{
	struct stream_run *run = mem_calloc(1, sizeof(*run));

	refcount_init(&run->refcount);
	run->start = run->at = chunk * SPOOL_CHUNK;
	run->read_ms = clock_mono_ms();
	run->stream = s;
	refcount_take(&s->refcount);
	/* Of no group, for the places of the mount's group are for threads that
	 * answer the kernel: runs would take all of them. stream_set_cancel
	 * ends it. */
	ctx_init(&run->ctx, NULL, -1);
	run->ctx.who = for_whom->who;
	ctx_work_for(&run->ctx, for_whom);
	return run;
}

struct stream_run *stream_plan(struct stream *s, uint64_t chunk,
			       uint64_t n_missing, const struct ctx *for_whom)
	requires_lock(s->streams->lock)
{
	struct stream_run *later = run_of(s, chunk), *run;
	uint64_t end;

	if (!is_slot_free(s) || !n_missing ||
	    (later && is_near(s, later, chunk)))
		return NULL;
	run = run_new(s, chunk, for_whom);
	run->n_chunks = first_n_chunks(s, chunk, n_missing);
	end = end_within_file(s, run->at, run->n_chunks);
	if (later && end > later->end)
		end = later->end;
	if (later)
		later->end = run->at;
	run->end = end_before_next(s, NULL, run->at, end);
	DL_APPEND(s->runs, run);
	s->n_runs++;
	s->streams->n_runs++;
	return run;
}

uint64_t stream_run_extend(const struct stream *s, struct stream_run *run,
			   uint64_t n_chunks) requires_lock(s->streams->lock)
{
	if (n_chunks > STREAM_CHUNKS_MOST)
		n_chunks = STREAM_CHUNKS_MOST;
	run->end = end_before_next(s, run, run->at,
				   end_within_file(s, run->at, n_chunks));
	return run->end - run->at;
}

void stream_note_read(struct stream *s, uint64_t from, uint64_t to)
	requires_lock(s->streams->lock)
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
	requires_lock(s->streams->lock)
{
	struct stream_run *run;

	DL_FOREACH (s->runs, run) {
		if (!covers(run, chunk) || stream_run_is_awaited(s, run))
			continue;
		run->ending = true;
		refcount_take(&run->refcount);
		stream_changed(s);
		return run;
	}
	return NULL;
}
