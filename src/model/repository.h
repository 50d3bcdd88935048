/*
 * model/repository: which repository a node is in, and its copy.
 */
#ifndef MODEL_REPOSITORY_H
#define MODEL_REPOSITORY_H

#include "model/dirs/row_dir.h"

/* Of a repository's node (PROVIDER_REPOSITORY). */
struct repository_data {
	struct row_dir dir; /* an item of resource_repositories; id: its uuid */
	char *slug;         /* as the service says */
};
const struct repository_data *repository_of(const struct node *);
/* How API paths name the repository: its uuid, or its slug where the uuid is
 * not known. */
const char *repository_id(const struct repository_data *);
/* The node of the repository at or above a node, borrowed; NULL: there is
 * none. */
struct node *repository_above(struct node *);
/* The copy of the repository that a node is in; -EINVAL: it is in none. */
int repository_clone(struct model *, struct node *, struct clone **ret_clone);

#endif
