/*
 * model/dirs/status, inside.
 */
#ifndef MODEL_DIRS_STATUS_H
#define MODEL_DIRS_STATUS_H

#include "model/provider.h"

/* The texts of .bitbucketfs. */
void status_text(struct model *, struct buf *out);
struct json *status_json(struct model *);
extern const char status_readme[];

/* Requests and quotas, as lines and as members of the root object. */
void status_budget_text(struct model *, struct buf *out);
void status_budget_json(struct model *, struct json *root);

/* The newest problems by their kinds (the errno), the kind of the newest first:
 * how many, and the newest of each. */
void status_problems_json(struct model *, struct json *root);

/* What is at hand of the repository that path names, or that path is in: a
 * member `repository`; nothing where it names none, or none is at hand. */
void status_repository_json(struct ctx *, struct model *, const char *path,
			    struct json *root);

/* A time, or null when there is none (0). */
void status_json_time(struct json *, const char *key, int64_t wall_ms);

#endif
