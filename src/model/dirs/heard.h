/*
 * model/dirs/heard: what somebody says has changed (model_heard).
 */
#ifndef MODEL_DIRS_HEARD_H
#define MODEL_DIRS_HEARD_H

#include "model/provider.h"

int heard_place(struct ctx *, struct model *, const struct model_news *,
		struct buf *said);

#endif
