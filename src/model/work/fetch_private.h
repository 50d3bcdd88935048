/*
 * model/work/fetch, inside: what is to be asked for.
 */
#ifndef MODEL_WORK_FETCH_PRIVATE_H
#define MODEL_WORK_FETCH_PRIVATE_H

#include "model/work/fetch.h"

struct fetch_step {
	char *path; /* below the root */
	bool is_tree;
};
struct fetch_plan {
	const char *kind; /* as model_fetch_cost says */
	struct fetch_step *steps;
	size_t n, n_at_hand, n_repositories;
	size_t size; /* private */
};
/* Asks for the listing of a workspace; of a repository by its name, if nobody
 * has entered it. -ENOENT; -EINVAL with the sentence: that cannot be fetched.
 */
int fetch_plan_make(struct ctx *, struct model *, const char *path,
		    struct fetch_plan *ret);
void fetch_plan_done(struct fetch_plan *);
DEFINE_CLEANUP_DONE(struct fetch_plan, fetch_plan_done);

#endif
