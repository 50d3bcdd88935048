/*
 * content/collection: the items of a paged set, decoded.
 *
 * Must never know where they come from. Immutable and counted; nothing waits.
 */
#ifndef CONTENT_COLLECTION_H
#define CONTENT_COLLECTION_H

#include "base/sync.h"

struct collection_item {
	const char *name; /* file name, safe and unique in the collection */
	const char *id;   /* for endpoints */
	const char *hash; /* of its document */
	/* Of workspaces and repositories, whose ids are uuids ("" of a
	 * workspace: not told): as the service says; else NULL. */
	const char *slug;
	const char *project; /* of repositories, "" when not told; else NULL */
	int64_t time_ms;
};
struct collection {
	struct refcount refcount_private;
	struct collection_item *items; /* sorted by name */
	size_t n_items;
	bool more;    /* bounded: there are older ones … */
	int64_t most; /* … than so many */
	bool is_cut;  /* it went on where it cannot be followed */
	uint64_t version;
	char *bytes_private;
};
struct collection *collection_unref(struct collection *);
DEFINE_CLEANUP(struct collection *, collection_unref);
const struct collection_item *collection_find(const struct collection *,
					      const char *name);
const struct collection_item *collection_find_id(const struct collection *,
						 const char *id);
/* The newest time; 0: there is none. */
int64_t collection_newest(const struct collection *);

#endif
