/*
 * model/dirs/status, inside.
 */
#ifndef MODEL_DIRS_STATUS_H
#define MODEL_DIRS_STATUS_H

#include "model/provider.h"

/* The texts of .bitbucketfs. */
void status_text(struct model *, struct buf *out);
void status_json(struct model *, struct buf *out);
extern const char status_readme[];

/* Requests and quotas, as lines and as members of the root object. */
void status_budget_text(struct model *, struct buf *out);
void status_budget_json(struct model *, struct json *root);

/* A time, or null when there is none (0). */
void status_json_time(struct json *, const char *key, int64_t wall_ms);

#endif
