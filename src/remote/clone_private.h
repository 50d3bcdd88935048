/*
 * The inside of remote/clone, shared by its files: clone.c (finding and
 * reading), clone_queue.c (who waits for what, and the workers), clone_job.c
 * (the steps of a worker: asking, fetching, recording) and clone_times.c (what
 * time a path has).
 *
 * Lock order: none. clones->lock and a clone's times.lock are leaves, never
 * held together nor across a call of the cache, the store or the network.
 */
#ifndef REMOTE_CLONE_PRIVATE_H
#define REMOTE_CLONE_PRIVATE_H

#include "base/map.h"
#include "remote/clone.h"
#include "wire/upload_pack.h"

#define CLONE_WORKERS 4
#define CLONE_FETCHES 2 /* at once; so two workers are left for checks */
#define CLONE_REMEMBER_MS 2000
#define CLONE_TREES_DEFAULT 100
#define CLONE_TREES_WINDOW_MS (INT64_C(10) * 60 * 1000)
#define CLONE_TIMES_MOST 200000

enum job_stage {
	JOB_QUEUED,   /* in clones->checks */
	JOB_CHECKING, /* a worker asks for the ref */
	JOB_WAITING,  /* in clones->fetches */
	JOB_FETCHING, /* a worker fetches */
	JOB_DONE,
};

/* Bringing one clone's head up to date, for all who want it at the time. */
struct clone_job {
	/* Fixed. */
	struct clone *clone;   /* a reference */
	struct clones *clones; /* so that waiters need not ask the clone */
	char *workspace, *slug, *main_branch; /* main_branch may be NULL */
	int64_t since_ms;                     /* clock_mono_ms */
	struct ctx ctx; /* the worker's; cancelled by who leaves last */

	/* Under clones->lock. */
	unsigned refs; /* each waiter's, and one of the queue or the worker */
	unsigned n_waiters;
	enum job_stage stage;
	int64_t asked_ms; /* wall clock, the ref's answer is there; 0: not yet
			   */
	struct objects_progress progress;
	int result; /* from here: when DONE */
	char sentence[512];
	struct clone_head head;
	struct clone_job *prev, *next; /* in one of the lists of clones */
	struct cond changed;

	/* The worker's alone. */
	struct link *link;
	struct upload_pack_caps caps;
	struct upload_pack *up;
	struct objects *objects; /* borrowed from the clone */
	struct clone_head found;
	struct objects_pack *pack; /* while its bytes come */
	char (*shallow)[41];
	size_t n_shallow;
};

struct path_time {
	UT_hash_handle hh;
	int64_t time_s;
	size_t n_key;
	char key[]; /* path, NUL, the object's 20 bytes */
};
struct clone_times {
	struct mutex lock;
	/* Under it. */
	bool has_base;
	int64_t base_s;
	struct path_time *paths;
	size_t n_paths;
};

struct clone {
	/* Fixed. */
	struct clones *clones;
	char *uuid, *path;
	struct clone_times times;

	/* Under clones->lock. */
	unsigned refs;
	char *workspace, *slug, *main_branch;
	bool opening; /* somebody is in objects_open */
	bool loaded;  /* the facts of earlier mounts were looked at */
	bool has_head;
	struct clone_head head; /* whole in the store */
	bool has_lost;          /* a head of the facts that the store lacks */
	struct oid lost;
	struct clone_job *job;    /* who comes now joins it; no reference */
	bool busy;                /* a worker is in a job of this clone */
	int failure;              /* remembered until failure_until_ms */
	int64_t failure_until_ms; /* clock_mono_ms */
	char failure_sentence[512];
	UT_hash_handle hh;

	/* Set once, under clones->lock; read without. */
	_Atomic(struct objects *) objects;
};

struct clones {
	/* Fixed. */
	char *dir, *git_url;
	char *origin; /* of git_url: what capabilities are remembered for */
	const struct credential *credential;
	struct http *http;
	struct cache *cache;
	struct budget *budget; /* may be NULL */
	unsigned max_trees;
	struct thread *workers[CLONE_WORKERS];

	struct mutex lock;
	struct cond work;   /* for the workers: something to do, or stop */
	struct cond opened; /* an objects_open ended */
	/* Under it. */
	struct clone *clones; /* by uuid */
	bool cancelled, stop;
	struct clone_job *checks, *fetches; /* queues, the first first */
	struct clone_job *running;
	unsigned n_fetching;
	int64_t *brought; /* a ring of max_trees times, clock_boot_ms */
	unsigned next_brought;
	uint64_t n_brought;
};

/* clone.c */
/* The store, opened at the first call; borrowed, lives as long as the clone. */
int clone_store(struct clone *, struct objects **ret_objects);
/* The head that memory or, at the first call, the facts of an earlier mount
 * have; -ENOENT. */
int clone_load_head(struct clone *, struct clone_head *ret_head);

/* clone_queue.c */
int queue_start(struct clones *);
void queue_cancel(struct clones *);
void queue_stop(struct clones *);
void job_unref(struct clone_job *);

/* clone_job.c: what a worker does for a job, its own failures with a sentence
 * in job->ctx. */
/* Asks for the ref. True in *ret_fetch: its commit is not here. */
int job_check(struct clone_job *, bool *ret_fetch);
int job_fetch(struct clone_job *);
/* The head is here: records it. */
void job_finish(struct clone_job *);
/* Lets go of what the steps share. */
void job_done(struct clone_job *);
/* -EDQUOT beyond the bound of layout rule 13; take: counts one. */
int trees_admit(struct clone_job *, bool take);

/* clone_times.c */
void times_init(struct clone_times *);
void times_done(struct clone_times *);
/* Takes in what the cache has; what memory has already stays. */
void times_load(struct clone *);
bool times_has_base(struct clone *);
/* Forgets all times but this one. */
void times_begin(struct clone *, int64_t base_s);
/* The head moves from one tree to another (either may be empty). */
int times_move(struct clone *, struct objects *, const struct clone_head *from,
	       const struct clone_head *to);

#endif
