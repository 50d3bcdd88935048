/*
 * model/work/fetch, inside: one that runs, and what is to be asked for.
 */
#ifndef MODEL_WORK_FETCH_PRIVATE_H
#define MODEL_WORK_FETCH_PRIVATE_H

#include "model/work/fetch.h"

struct fetch {
	struct fetch *prev, *next;
	const char *path;
	struct ctx *ctx; /* of whoever asked */
	struct fetch_all *of;
	int64_t since_ms;
	bool lfs; /* of objects of LFS, with their bytes */
	/* Under the lock of `of`: */
	size_t done, all, failed;
	uint64_t n_bytes, n_bytes_all;
	int64_t waits_until_ms; /* wall clock; 0: it goes on */
	unsigned n_stoppers;    /* who is about to cancel ctx */
};
struct fetch_all {
	struct mutex lock;
	struct cond stopped; /* n_stoppers is less */
	struct fetch *running under_lock;
};
/* From begin to end it is shown, and may be stopped: ctx is cancelled. path and
 * ctx are borrowed meanwhile. */
void fetch_begin(struct fetch *, struct model *, struct ctx *,
		 const char *path);
void fetch_end(struct fetch *);
/* The sentence of one that was stopped. -EINTR. */
int fetch_stopped(const struct fetch *);
/* There is no use in going on after that failure. */
bool fetch_is_ended_by(int r);

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
/* The node of a path below the root, through links of the mount. -ENOENT. */
int fetch_find_place(struct ctx *, struct model *, const char *path,
		     struct node **ret);

#endif
