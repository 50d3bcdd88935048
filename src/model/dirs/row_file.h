/*
 * model/dirs/row_file: what is in directories of rows and no directory: files
 * made of one document (info, …json), files as they are stored, links.
 */
#ifndef MODEL_DIRS_ROW_FILE_H
#define MODEL_DIRS_ROW_FILE_H

#include "model/provider.h"

extern const struct provider provider_row_file, provider_stored, provider_link;

/* What a file is that is made of a document. */
int row_file_found(struct model *, const struct resource_file *,
		   const struct answer_document *, struct found *ret_found);

#endif
