/*
 * model/stream/streams: files whose bytes are streams (content/stream). Private
 * to model/.
 *
 * step_log.c has the logs, downloads.c the downloads; both are specials of the
 * resource table (model/dirs/row_dir).
 */
#ifndef MODEL_STREAM_STREAMS_H
#define MODEL_STREAM_STREAMS_H

#include "model/provider.h"

#include "content/stream.h"

struct scope;
struct row_dir_names;

/* What the file of a step's log is. */
int step_log_found(struct ctx *, struct model *, struct node *dir,
		   const struct resource *, const struct scope *,
		   enum read_through_mode, struct found *ret_found);

/* The directory of a step's services. */
int step_log_services_lookup(struct ctx *, struct model *, struct node *dir,
			     const char *name, struct found *ret_found);
int step_log_services_open(struct ctx *, struct model *, struct node *dir,
			   struct row_dir_names *,
			   const struct row_dir_names *newest,
			   struct dirlist *);

/* The items of the collection of downloads. */
int downloads_lookup(struct ctx *, struct model *, struct node *dir,
		     const char *name, struct found *ret_found);
int downloads_open(struct ctx *, struct model *, struct node *dir,
		   struct row_dir_names *, const struct row_dir_names *newest,
		   struct dirlist *);
bool downloads_found(struct dirlist_piece *, const struct row_dir_names *,
		     size_t i, struct found *ret_found);

/* For a provider's read and hash_data (stream_node.c). */
int stream_node_read(struct ctx *, struct stream *, off_t offset, size_t n,
		     struct model_data *ret_data);
uint64_t stream_node_hash(const struct stream *, uint64_t seed);

#endif
