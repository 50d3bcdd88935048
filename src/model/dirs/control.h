/*
 * model/dirs/control: .bitbucketfs/: texts about the mount, and names that ask
 * again.
 */
#ifndef MODEL_DIRS_CONTROL_H
#define MODEL_DIRS_CONTROL_H

#include "model/provider.h"

extern const struct provider provider_control;

/* Asks again for a place, for model_refresh; no failure is recorded. */
int control_refresh_place(struct ctx *, struct model *, const char *path,
			  struct buf *said);

/* Queues the question who the user is; in the background, once. */
void control_refresh_user(struct model *);

#endif
