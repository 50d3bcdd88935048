/*
 * content/stream_source: where the bytes of a stream are.
 *
 * A source is asked for a range and hands on what comes. It keeps what it
 * learned about the place (a link and until when it is good), and decides how
 * often to try the place itself; whoever asks goes on after a break. Sources
 * here: a path of the API, a place. Whoever has bytes elsewhere (an object of
 * git, a file in memory) brings his own: two functions.
 *
 * Must never know chunks, files, readers.
 */
#ifndef CONTENT_STREAM_SOURCE_H
#define CONTENT_STREAM_SOURCE_H

#include "base/ctx.h"
#include "base/defs.h"

struct bitbucket;
struct http;

struct stream_range {
	uint64_t first, n; /* n 0: to the end */
};
/* What a source says of its answer before the bytes of it. */
enum stream_span {
	STREAM_SPAN_RANGE, /* the bytes that were asked for */
	STREAM_SPAN_WHOLE, /* all bytes from 0 on, whatever was asked for */
	STREAM_SPAN_NONE,  /* none: the range begins at the end, or beyond */
};
struct stream_head {
	enum stream_span span;
	int64_t total; /* how long the whole is; -1: not said */
	/* What the bytes are called (an ETag): other bytes have another one. ""
	 * when they have none. */
	char tag[128];
};
struct stream_sink {
	int (*begin)(void *arg, const struct stream_head *); /* once */
	int (*take)(void *arg, const void *data, size_t n);
	void *arg;
};

struct stream_source;
struct stream_source_ops {
	/*
	 * Hands the range on, as it comes: begin, then take as often as needed.
	 * Called by several threads at once; may wait for the network. 0: all
	 * of it came, or all that there is. What begin or take answered below 0
	 * ends it, and is returned. -ECONNRESET: it broke off, and what came
	 * counts; the rest may be asked for. -ENOENT: there is no such thing.
	 * With a sentence in ctx.
	 */
	int (*get)(struct ctx *, struct stream_source *,
		   const struct stream_range *, const struct stream_sink *);
	/* All but `name` and the struct itself. NULL: there is nothing else. */
	void (*done)(struct stream_source *);
};
/* The beginning of a struct that whoever implements it allocates. */
struct stream_source {
	const struct stream_source_ops *ops;
	char *name; /* for people; no secret */
};
struct stream_source *stream_source_free(struct stream_source *);
DEFINE_CLEANUP(struct stream_source *, stream_source_free);

/*
 * A path of the API, as for bitbucket_get. The API has the bytes, or says in
 * which storage they are; then its answer is good for ten minutes, so that not
 * every range costs a request of the quota, and is asked for anew when the
 * storage refuses it. storage: the client for storage hosts.
 */
struct stream_source *stream_source_api(struct bitbucket *,
					struct http *storage, const char *path);
/*
 * Where a place is known by somebody: it is asked for with what the place has,
 * and with no credential else; what a redirect leads to at another host gets
 * none of it. Plain http, and this machine, are not asked, unless the place may
 * be here.
 */
struct http_place;
struct stream_places {
	/* The place; not the one of that url (NULL: any), which was refused.
	 * May wait. From several threads at once. */
	int (*find)(void *arg, struct ctx *, const char *refused,
		    struct http_place *ret_place);
	void (*done)(void *arg);
	void *arg;
};
struct stream_source *stream_source_place(struct http *storage,
					  const char *name,
					  const struct stream_places *);

#endif
