/*
 * model/stream/streams: files whose bytes are streams (content/stream). Private to
 * tree/.
 *
 * log.c has the logs, downloads.c the downloads; both are specials of the
 * resource table (model/dirs/row_dir).
 */
#ifndef MODEL_STREAM_STREAMS_H
#define MODEL_STREAM_STREAMS_H

#include "model/provider.h"

#include "content/stream.h"

struct scope;
struct place_names;

/* A row's file. */
int log_found(struct ctx *, struct model *, struct node *dir,
	      const struct resource *, const struct scope *, enum source_mode,
	      struct found *ret_found);

/* The directory of a step's services. */
int log_services_lookup(struct ctx *, struct model *, struct node *dir,
			const char *name, struct found *ret_found);
int log_services_open(struct ctx *, struct model *, struct node *dir,
		      struct place_names *, const struct place_names *newest,
		      struct dirlist *);

/* The items of a collection. */
int downloads_lookup(struct ctx *, struct model *, struct node *dir,
		     const char *name, struct found *ret_found);
int downloads_open(struct ctx *, struct model *, struct node *dir,
		   struct place_names *, const struct place_names *newest,
		   struct dirlist *);
bool downloads_found(struct dirlist_piece *, const struct place_names *,
		     size_t i, struct found *ret_found);

/* For a provider's read and hash_data. */
int streams_read(struct ctx *, struct stream *, off_t offset, size_t n,
		 struct model_data *ret_data);
uint64_t streams_hash(const struct stream *, uint64_t seed);

#endif
