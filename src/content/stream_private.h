/*
 * content/stream, inside: what its files share.
 *
 * All members of all streams are under the lock of streams, a leaf; it is held
 * for moments. Exchanges run on threads of their own (stream_run.c) or, of what
 * grows, on the thread of whoever asks (stream_grow.c).
 */
#ifndef CONTENT_STREAM_PRIVATE_H
#define CONTENT_STREAM_PRIVATE_H

#include "content/stream.h"

#include "base/digest.h"
#include "base/map.h"
#include "store/flight.h"

#define STREAM_RUNS 4         /* exchanges of one stream at once */
#define STREAM_ALL_RUNS 48    /* of all */
#define STREAM_CHUNKS_MOST 64 /* of one exchange */
#define STREAM_FAILED_MS 2000 /* a failure is remembered */

/* Somebody who waits for a chunk, on his own stack. */
struct stream_waiter {
	struct stream *stream;
	uint64_t chunk;
	struct stream_waiter *prev, *next;
};

/* A thread that brings bytes: those of [start, at) have come. */
struct stream_run {
	struct refcount refcount;
	struct stream *stream; /* a reference */
	struct thread *thread;
	struct ctx ctx;
	uint64_t start, at, end;
	uint64_t n_chunks; /* of this exchange: the next has twice as many */
	uint64_t near;     /* how far its readers are */
	int64_t read_ms;   /* when one of them last read */
	bool started;      /* thread is set */
	bool ending;       /* it brings nothing more */
	struct stream_run *prev, *next;
};

struct stream {
	struct refcount refcount;
	struct stream_set *streams;
	char *key;
	char *file_key; /* of its spool file; mostly the key */
	struct stream_source *source;
	struct stream_truth_state *truth; /* NULL: nobody knows its bytes */
	char id[24]; /* of no other stream, also of the same key */
	UT_hash_handle hh;
	bool in_table; /* found by its key */
	int64_t size;  /* -1: not known */
	char tag[256];
	struct spool_file *file; /* NULL: not open */
	unsigned n_using;        /* of file, without the lock */
	int64_t used_ms;
	struct cond changed;
	uint64_t n_changes; /* for who looked without the lock before */
	struct stream_waiter *waiters;
	struct stream_run *runs;
	unsigned n_runs;
	uint64_t next_at, next_n; /* where a run ended, and its n_chunks */
	bool no_range;            /* the server gives the whole alone */
	uint64_t n_failures;
	int failed;
	int64_t failed_until_ms;
	char sentence[512];
	/* Of a growing one: file is nameless and has `length` bytes. */
	bool growing;
	bool asking; /* the leader of the flight of its id asks the service */
	bool dead;
	uint64_t length;
	int64_t ask_again_ms, grew_mono_ms, grew_wall_ms;
};

struct stream_set {
	struct stream_set_config config;
	struct mutex lock;
	struct stream *table;     /* by key */
	struct stream_run *ended; /* threads to join */
	uint64_t n_made;
	unsigned n_runs, n_open;
	bool stopping;
	unsigned n_telling; /* calls of config.untrue that are under way */
	/* Who asks for what was appended, by the stream's id (stream_grow.c).
	 */
	struct flight *asking;
};

/* One exchange with the source, as stream_source_ops.get; -EIO also when the
 * answer is of other bytes than the stream's. In the sink's head a length that
 * the source did not say is the stream's size. */
int stream_exchange(struct ctx *, struct stream *, const struct stream_range *,
		    const struct stream_sink *);

/* Wakes everybody who waits for a change of the stream. */
void stream_changed(struct stream *s) requires_lock(s->streams->lock);
/* Fails the readers who wait now, and whoever asks within STREAM_FAILED_MS,
 * also for what grows: else each of them would ask the service again, and be
 * told the same. */
void stream_failed(struct stream *s, int r, const char *sentence)
	requires_lock(s->streams->lock);
/* A growing stream gets no more bytes, and no new reader finds it. */
void stream_die(struct stream *);
/* The stream's published file, opened anew if need be, until stream_unuse.
 * -ENOENT: there is none, and no size to make one. -EINPROGRESS: it grows, so
 * its file has no size. */
int stream_use(struct ctx *, struct stream *, struct spool_file **ret_file);
/* A published file, whose reference is taken, becomes the stream's, unless it
 * has one already; the caller uses what is the stream's now. -EINPROGRESS: that
 * grows. */
int stream_adopt(struct stream *, struct spool_file *,
		 struct spool_file **ret_file);
/* The same when the size is known: makes the file. */
int stream_be_sized(struct ctx *, struct stream *, uint64_t size,
		    const char *tag, struct spool_file **ret_file);
void stream_unuse(struct stream *);
/* The same, asking for the size (and the first chunk) if need be. */
int stream_use_sized(struct ctx *, struct stream *,
		     struct spool_file **ret_file);

/* ---- bytes that are known (stream_truth.c); of others nothing happens ---- */

struct stream_truth_state *
stream_truth_new(const unsigned char sha256[static DIGEST_SHA256_SIZE]);
struct stream_truth_state *stream_truth_free(struct stream_truth_state *);
/* A chunk has come: hashes on, unless somebody does. */
void stream_truth_came(struct stream *, struct spool_file *);
/* -EBADMSG, with the sentence: something else came a moment ago. */
int stream_truth_look(struct ctx *, const struct stream *s)
	requires_lock(s->streams->lock);
/* Before a read of it is answered. 0: as far as is known the bytes are true; of
 * a file that is whole all of them are. -EBADMSG, with the sentence: they are
 * not; -EINTR, -ETIMEDOUT as ctx says. */
int stream_truth_await(struct ctx *, struct stream *, struct spool_file *);

/* ---- which run brings which chunks (stream_plan.c) ---- */

/*
 * A new run that brings the chunk; the caller starts it, without the lock
 * (stream_start). NULL: a run brings the chunk already, or every slot for a run
 * is taken. n_missing: how many chunks from this one on are not there.
 */
struct stream_run *stream_plan(struct stream *s, uint64_t chunk,
			       uint64_t n_missing, const struct ctx *for_whom)
	requires_lock(s->streams->lock);
/* A reader of the stream waits for a chunk that the run will bring. */
bool stream_run_is_awaited(const struct stream *s, const struct stream_run *)
	requires_lock(s->streams->lock);
/* A reader of the stream waits for a chunk that no run will bring, and every
 * slot for a run is taken. */
bool stream_run_blocks_reader(const struct stream *s)
	requires_lock(s->streams->lock);
/* The run, which is at its end, gets a new end: at most n_chunks further. Bytes
 * up to there. */
uint64_t stream_run_extend(const struct stream *s, struct stream_run *,
			   uint64_t n_chunks) requires_lock(s->streams->lock);
/* A reader reads [from, to): the runs there keep going. */
void stream_note_read(struct stream *s, uint64_t from, uint64_t to)
	requires_lock(s->streams->lock);
/* A reader who waited for the chunk gave up, and is out of the list of waiters.
 * The run that nobody waits for any more, with a reference, for the caller to
 * cancel without the lock; or NULL. */
struct stream_run *stream_abandoned(struct stream *s, uint64_t chunk)
	requires_lock(s->streams->lock);

/* ---- runs (stream_run.c) ---- */

int stream_start(struct stream_run *);
/* The file could not be made, or took no more of what came. */
int stream_no_disk(struct ctx *, int r);
int stream_no_place(struct ctx *, const struct stream *, int r);
struct stream_run *stream_run_unref(struct stream_run *);
void stream_join_ended(struct stream_set *);

/* How many chunks from there on are missing, at most max. */
uint64_t stream_n_missing(struct spool_file *, uint64_t chunk, uint64_t max);

#endif
