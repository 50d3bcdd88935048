/*
 * model/dirs/snapshot: a text as it was when it was looked up. Other bytes are
 * another inode.
 */
#ifndef MODEL_DIRS_SNAPSHOT_H
#define MODEL_DIRS_SNAPSHOT_H

#include "model/provider.h"

/* What a file with these bytes is; takes the blob. */
void snapshot_found(struct model *, struct blob *, int64_t left_ms,
		    struct found *ret_found);

#endif
