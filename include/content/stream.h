/*
 * content/stream: things too large for the cache of documents, and things that
 * grow: downloads and logs, chunk by chunk in the spool.
 *
 * A stream is the bytes of one source (content/stream_source). Of a sized one,
 * chunks come when they are read: neighbours in one exchange, which runs a
 * little ahead of its reader and ends when nobody reads on; never is a chunk
 * asked for twice, or held in memory. A growing one gets what was appended, and
 * becomes a sized one when it has ended. Who waits may leave (ctx); the
 * exchange of the last one ends with him.
 *
 * Must never know nodes or FUSE. Every call that may wait takes a ctx.
 */
#ifndef CONTENT_STREAM_H
#define CONTENT_STREAM_H

#include "base/ctx.h"
#include "api/bitbucket.h"
#include "content/stream_source.h"
#include "store/spool.h"

struct stream_set;
struct stream_set_config {
	struct bitbucket *bitbucket; /* borrowed, as all here */
	struct http *http;           /* for the storage hosts */
	struct spool *spool;
	/* Of a stream whose bytes are known by their SHA-256: what came was
	 * something else. Those who were given some of it are to be told; from
	 * any thread, no lock is held. NULL: nobody is. */
	void (*untrue)(void *arg, const char *key, const char *sentence);
	void *untrue_arg;
	/* How often a growing one is asked for, at most; 0: 5 s. */
	int64_t grow_ms;
};
struct stream_set *stream_set_new(const struct stream_set_config *);
/* The client for storage hosts. */
struct http *stream_set_http(const struct stream_set *);
/* Ends what is under way, and whatever would begin: before threads of the
 * mount are waited for. From then on nobody is told of anything (untrue). */
void stream_set_cancel(struct stream_set *);
struct stream_set *
stream_set_free(struct stream_set *); /* no stream may be left */
DEFINE_CLEANUP(struct stream_set *, stream_set_free);

struct stream;
/*
 * The stream of that key, counted: the same for all who ask while anybody has
 * it. Equal keys are equal bytes, for ever. path: the endpoint, as for
 * bitbucket_get. size: as the service told it; -1: it did not. Never waits.
 */
struct stream *stream_get(struct stream_set *, const char *key,
			  const char *path, int64_t size);
/* The same of a source, which is the stream's from now on. */
struct stream *stream_get_from(struct stream_set *, const char *key,
			       struct stream_source *, int64_t size);
/*
 * The same of bytes whose size and SHA-256 are known. file_key: of the bytes,
 * whichever stream they are of: what came for another one is there. What comes
 * is hashed; who reads the last of what was missing waits for that. What is
 * something else is dropped, and each read is -EBADMSG for a minute.
 */
struct stream_truth {
	const char *file_key;
	uint64_t size;
	const unsigned char *sha256; /* 32 bytes */
};
struct stream *stream_get_true(struct stream_set *, const char *key,
			       struct stream_source *,
			       const struct stream_truth *);
/* Which bytes of such a stream are at hand: those of that range; all, and they
 * are true. Opens its file if need be; never waits for the network. */
bool stream_has(struct stream *, uint64_t offset, size_t n);
bool stream_is_whole(struct stream *);
/* All of such a stream is on the disk, and true, whether anybody has it open or
 * not. Not a use of it. Local. */
bool stream_set_is_kept(struct stream_set *, const char *file_key,
			uint64_t size);
struct stream *stream_ref(struct stream *);
struct stream *stream_unref(struct stream *); /* NULL is fine; returns NULL */
DEFINE_CLEANUP(struct stream *, stream_unref);
const char *stream_key(const struct stream *);

/* Those of which bytes are coming just now, and whose size is known: for
 * `status`. Told with no lock held; what is borrowed for the call. Local. */
struct stream_progress {
	const char *what; /* as its source is called */
	uint64_t n_bytes; /* that are here */
	uint64_t size;
};
void stream_set_running(struct stream_set *,
			void (*each)(void *arg, const struct stream_progress *),
			void *arg);

struct stream_growth {
	uint64_t size;
	int64_t grew_ms; /* wall clock, when it last did; 0: it did not */
	bool ended;      /* it is a sized one now */
	/* The service has less than it had, or something else: nothing comes
	 * to this stream any more; stream_get makes another one. */
	bool dead;
};
/*
 * What there is of it by now. has_ended: nothing is appended any more. Of one
 * that has ended the size is asked for, with its first chunk, unless it is
 * known. Of a growing one the service is asked for what was appended, when that
 * was not done for a while: 5 s, a quarter of the time since it last grew, at
 * most 30 s; one caller asks, others get what is there. A failure, with the
 * sentence in ctx (-ENOENT: there is no such thing), is returned only when
 * nothing is there; else *ret_failure says it (0: none).
 */
int stream_grow(struct ctx *, struct stream *, bool has_ended,
		struct stream_growth *ret_growth, int *ret_failure);

/*
 * Brings the bytes from offset on, at most n, onto the disk: *ret_fd (to be
 * closed) has them at their offsets; *ret_n: how many there are before the
 * end. -EIO when what comes is not what its size promised.
 */
int stream_read(struct ctx *, struct stream *, uint64_t offset, size_t n,
		int *ret_fd, size_t *ret_n);

#endif
