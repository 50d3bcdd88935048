/*
 * model/dirs/warm: a connection for whoever enters a repository's directory.
 *
 * Owns who had how many lately. Never waits. Safe from any thread.
 */
#ifndef MODEL_DIRS_WARM_H
#define MODEL_DIRS_WARM_H

#include "model/provider.h"

struct warm_all *warm_all_new(void);
struct warm_all *warm_all_free(struct warm_all *);
/* Whether that process group may have one more now; counts it. */
bool warm_may(struct warm_all *, int32_t group, int64_t now_ms);
/* The `entered` of a repository's directory. */
void warm_entered(struct ctx *, struct model *, struct node *dir);

#endif
