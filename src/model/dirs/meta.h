/*
 * model/dirs/meta: files made of one answer, and files and links as they are
 * stored.
 */
#ifndef MODEL_DIRS_META_H
#define MODEL_DIRS_META_H

#include "model/provider.h"

extern const struct provider provider_meta, provider_stored, provider_link;

/* What a file is that is made of a document. */
int meta_found(struct model *, const struct resource_file *,
	       const struct answer_document *, struct found *ret_found);

#endif
