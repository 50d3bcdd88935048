/*
 * cmd/mount/graph: what a mount is made of below FUSE, as one account sees it:
 * the service, the cache, what is kept in it, the model.
 *
 * Owns the order in which it is built and taken down. Must never know FUSE, or
 * for whom a mount is built anew.
 */
#ifndef CMD_GRAPH_H
#define CMD_GRAPH_H

#include "cmd/remote.h"

#include "clone/clone.h"
#include "content/documents.h"
#include "content/stream.h"
#include "model/model.h"
#include "store/evict.h"

/* In the order in which it is built; begins as {0}, but for the configuration
 * and the credential of remote. */
struct graph {
	struct remote remote;
	struct http *git_http, *storage_http;
	struct read_through *source;
	struct documents *documents;
	struct spool *spool;
	struct stream_set *streams;
	struct clone_set *clones;
	struct evictor *evictor;     /* of all that the mount caches */
	struct ctx_group *group;     /* of all requests of the mount */
	const char *const *indexers; /* who may cause none */
	struct model *model;
	bool is_checked_behind; /* `checked` will be called */
};

struct graph_config {
	const char *mountpoint;
	struct ssh *ssh;     /* NULL: nothing is fetched by it; the caller's */
	uint64_t generation; /* model_config */
	/* Told once how the first check of the credential went. */
	void (*checked)(void *arg, int errnum, const char *sentence);
	void *checked_arg;
};
/* 0 or -errno; what is wrong is said. What was built is there to be taken down
 * in each case. */
int graph_build(struct graph *, const struct graph_config *);
/* Problems of the stores are this mount's to tell; NULL: nobody's. */
void graph_listen(struct graph *);
/* Who waits is told to stop, and the threads below the requests end: nothing is
 * asked or told any more. */
void graph_stop(struct graph *);
/* The rest, when no request is in it any more: in reverse. */
void graph_done(struct graph *);

#endif
