/*
 * model/work/fetch: a place brought whole: the lists of a repository, of a
 * workspace, the files of a tree; the LFS objects of a tree.
 *
 * Owns which fetches run, how far each is, and that it leaves to others what
 * walks leave. Must never know who asked for it, or who looks at it.
 */
#ifndef MODEL_WORK_FETCH_H
#define MODEL_WORK_FETCH_H

#include "model/provider.h"

struct fetch_all *fetch_all_new(void);
struct fetch_all *fetch_all_free(struct fetch_all *); /* none runs */

/* These four as in model/model.h. */
int fetch_run(struct ctx *, struct model *, const char *path, struct buf *said);
int fetch_run_lfs(struct ctx *, struct model *, const char *path,
		  struct buf *said);
int fetch_cost(struct ctx *, struct model *, const char *path, struct buf *out);
void fetch_stop(struct model *, const char *path, struct buf *said);
/* Those that run, as an array of the root object: path, done, all, failed, lfs
 * (of objects of LFS), bytes and bytes_total (of those; else 0), since,
 * waits_until (for the quota; null). */
void fetch_json(struct model *, struct json *root);

#endif
