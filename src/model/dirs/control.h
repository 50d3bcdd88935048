/*
 * model/dirs/control: .bitbucketfs/: texts about the mount, and names that ask
 * again.
 */
#ifndef MODEL_DIRS_CONTROL_H
#define MODEL_DIRS_CONTROL_H

#include "model/provider.h"

extern const struct provider provider_control;

/* Queues the question who the user is; in the background, once. */
void control_refresh_user(struct model *);

#endif
