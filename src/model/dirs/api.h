/*
 * model/dirs/api: .bitbucketfs/api/: the API's own paths as names.
 */
#ifndef MODEL_DIRS_API_H
#define MODEL_DIRS_API_H

#include "model/provider.h"

/* What the directory .bitbucketfs/api is. */
void api_found(struct model *, struct found *ret_found);

#endif
