/*
 * model/stream/streams: files whose bytes are streams (content/stream). Private
 * to model/.
 *
 * step_log.c has the logs, downloads.c the downloads; both are specials of the
 * resource table (model/dirs/row_dir).
 */
#ifndef MODEL_STREAM_STREAMS_H
#define MODEL_STREAM_STREAMS_H

#include "model/dirs/row_dir.h"

#include "content/stream.h"

/* What the file of a step's log is; the directory of its services. */
row_dir_special_found step_log_found;
row_dir_special_lookup step_log_services_lookup;
row_dir_special_open step_log_services_open;

/* The items of the collection of downloads. */
row_dir_special_lookup downloads_lookup;
row_dir_special_name downloads_found;

/* For a provider's read and hash_data (stream_node.c). */
int stream_node_read(struct ctx *, struct stream *, off_t offset, size_t n,
		     struct model_data *ret_data);
uint64_t stream_node_hash(const struct stream *, uint64_t seed);

#endif
