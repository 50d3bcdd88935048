/*
 * clone/clone, inside: what its files share. README.md says what each does.
 *
 * Lock order: clones->lock, then that of a clone's flight (queue.c). Neither it
 * nor a tracking ref's times.lock is held across a call of the cache, the
 * objects or the network, nor both together.
 */
#ifndef CLONE_CLONE_PRIVATE_H
#define CLONE_CLONE_PRIVATE_H

#include "base/log.h"
#include "base/lru.h"
#include "base/map.h"
#include "clone/clone.h"
#include "wire/ssh.h"
#include "wire/upload_pack.h"

/* So much of a commit must be here to be shown. Trees that are still on their
 * way (way.c), blobs that a filter left out, and what was evicted since come
 * when one is read (clone_bring). */
#define CLONE_SHOWN OBJECTS_COMMIT

#define CLONE_WORKERS 10 /* turns.c */
#define CLONE_REMEMBER_MS 2000
#define CLONE_SIZE_MS 300 /* see wait_for_size in queue.c */
/* What comes is too large: it is the same at the next look, and costs much. */
#define CLONE_REMEMBER_LARGE_MS (INT64_C(60) * 60 * 1000)
#define CLONE_TREES_DEFAULT 100
#define CLONE_TREES_WINDOW_MS (INT64_C(10) * 60 * 1000)
#define CLONE_TIMES_MOST 200000
/* Names are asked for with the default branch as long as somebody wanted
 * them so lately. */
#define CLONE_WANTED_MS (INT64_C(3600) * 1000)

/* Where repositories are asked for. Fixed. */
struct clone_server {
	char *url;
	char *origin; /* what capabilities are remembered for */
	bool is_own;  /* the service itself */
	bool is_ssh;
	bool authorized;
};

/* What the server said that a ref is. */
struct clone_tip {
	struct oid commit;
	struct oid want; /* the ref's own object: the commit, or a tag */
	bool empty;
	bool missing; /* empty, but other refs there are: of the default branch
		       * there is a name alone */
	char branch[256];
	int64_t checked_ms; /* wall clock, which may go back */
	uint64_t serial;    /* of the question; 0: an earlier mount's */
	/* Of an answer: name.c. */
	const struct clone_server *server; /* who said so; NULL: not told */
	bool moved;           /* other than what was known, or the first */
	int64_t confirmed_ms; /* wall: when REST confirmed the name; 0: not */
	bool unsure;          /* REST could not be asked: the tip is shown, but
			       * not kept on disk */
	uint64_t n_forgotten; /* of the clone, when this was looked up */
};

enum clone_job_kind {
	CLONE_JOB_LS_REFS, /* for the refs of a repository */
	CLONE_JOB_GREET, /* what its server can do: session.c. is_slow: that is
			  * not known yet */
	CLONE_JOB_FETCH, /* a commit, or something of it */
};

/* Kinds of filters, bits. */
enum clone_filter {
	CLONE_FILTER_BLOB_NONE = 1,
	CLONE_FILTER_BLOB_LIMIT = 2,
	CLONE_FILTER_TREE = 4,
	CLONE_FILTER_COMBINE = 8,
};

/* A conversation with a repository's git server. */
struct clone_session {
	struct link *link;
	struct upload_pack_caps caps;
	struct upload_pack *up;
	int64_t since_ms; /* clock_mono_ms */
};
struct clone_session *clone_session_free(struct clone_session *);

/* Something to do for one clone, for all who want it at the time. In a queue
 * or of a worker until it is freed. */
struct clone_job {
	/* Fixed. */
	enum clone_job_kind kind;
	struct clone *clone;      /* a reference */
	struct clone_set *clones; /* the clone's */
	char *main_branch;        /* may be NULL */
	int64_t since_ms;         /* clock_mono_ms */
	struct flight_work *work; /* what those who want it entered */
	struct ctx *ctx; /* of work; cancelled by the last who gives up */
	/* Of a CLONE_JOB_FETCH: what of which commit, and the object that is
	 * wanted for CLONE_NEED_COMMIT: the commit, or a tag. */
	struct oid commit, want;
	struct clone_need need;
	struct oid *also; /* a copy of need's */
	bool behind; /* of a CLONE_JOB_FETCH: the rest of one that counts */
	const struct clone_source *sources; /* before the repository itself */
	size_t n_sources;
	struct clone_source *copies; /* what they are made of */
	char **texts;

	/* Under clones->lock. */
	char *workspace, *slug; /* the worker's alone to change */
	/* In whose name REST is asked: of those who wait the last to come of
	 * the foremost class. */
	enum ctx_class who;
	int32_t caller;
	bool is_running;
	bool all; /* of a CLONE_JOB_LS_REFS, fixed once it runs: not only the
		     head */
	bool is_slow; /* much comes: see turns.c */
	bool hurry;   /* of one that is behind: somebody waits for it */
	/* Of one of CLONE_NEED_BLOB (blobs.c): */
	struct clone_job *batch; /* in which it is done; NULL: none */
	bool alone;              /* no other is done with it */
	bool abandoned;          /* while in a batch: nobody wants it */
	/* Of a batch, members fixed: */
	struct clone_job **members;
	size_t n_members;
	struct oid *wants;
	size_t n_wants;
	unsigned char heard[32]; /* with which the pack begins */
	size_t n_heard;
	unsigned n_wanted;           /* members that were not abandoned */
	struct flight_work *entered; /* NULL: none is wanted */
	struct objects_progress progress;
	/* Of CLONE_NEED_ALL (rest.c): what packs before the one that comes
	 * brought, blobs that were missing and that are. */
	struct {
		uint64_t n_bytes;
		size_t n_all, n_left;
		bool whole; /* the commit is fetched, not they alone */
		bool waits; /* for another mount, which brings it */
	} rest;
	struct clone_job *prev, *next; /* in one of the lists of clones */

	/* The worker's alone. */
	const struct clone_server *server; /* that is asked now */
	struct clone_session *session;
	int64_t confirmed_ms;    /* see struct clone_tip */
	struct objects *objects; /* borrowed from the clone */
	/* Chosen for the session (filters.c): */
	bool whole;         /* all of the commit is fetched */
	const char *filter; /* or NULL */
	unsigned filter_kinds;
	bool filtered; /* the last pack that came */
	/* Of a directory (directory.c): the filter; or, also of a batch of
	 * rest.c, the blobs that are wanted in the place of need.oid. */
	char directory_filter[64];
	struct oid *listed;
	size_t n_listed;
	bool lists_first;          /* in the place of a filter by size */
	bool listed_too_much;      /* that was tried */
	bool keeps_rest;           /* of a pack that is broken off */
	bool is_enough;            /* need.most has come */
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
	int64_t last_s; /* no path was shown with a greater one */
	struct path_time *paths;
	size_t n_paths;
};

struct clone_tracking {
	/* Fixed. */
	struct clone *clone; /* whose it is */
	char *ref;           /* "": the default branch */
	struct clone_times times;

	/* Under clones->lock. */
	bool loaded;     /* the facts of earlier mounts were looked at */
	bool publishing; /* somebody records a move */
	bool has_head;
	struct clone_head head; /* of which CLONE_SHOWN is here */
	uint64_t serial;        /* of the question that led to it */
	bool has_lost;          /* the facts name a head that the store lacks */
	struct oid lost;
	UT_hash_handle hh;
};

struct clone {
	/* Fixed. */
	struct clone_set *clones;
	char *uuid, *path;
	struct flight *jobs; /* who wants what, and what failed lately */

	/* Under clones->lock. */
	unsigned refcount;
	char *workspace, *slug, *main_branch;
	struct clone_tracking *trackings; /* by ref */
	bool has_tip;
	struct clone_tip tip; /* of the default branch */
	bool recalled;        /* the names of earlier mounts were looked at */
	struct clone_refs *names; /* NULL: never asked for; a reference */
	int64_t names_ms;         /* wall clock: when they were asked for */
	uint64_t names_serial;
	bool names_unsure;
	/* name.c: under which name the state that is known was learnt, and
	 * whether that name was right. */
	bool learnt_loaded;
	char *learnt_as; /* "workspace/slug", or NULL: not told */
	int64_t learnt_ms, confirmed_ms; /* wall clock */
	bool unsure;                     /* its last move was not confirmed */
	bool held;                       /* a move is not shown */
	uint64_t n_forgotten; /* how often what was known was another one's */
	char *former;         /* a name that it had until former_ms, or NULL */
	int64_t former_ms;    /* clock_mono_ms */
	int64_t wanted_ms;    /* clock_mono_ms: somebody wanted names */
	struct clone_directories *directories; /* directory.c; NULL: none */
	struct clone_lfs *lfs; /* lfs_places.c; NULL: none is known */
	struct oid ahead_of;   /* the commit of which trees go ahead (way.c) */
	unsigned n_ahead;
	struct oid *no_trees; /* that are known to be no tree */
	size_t n_no_trees;
	int64_t fold_ms;    /* clock_mono_ms: packs are folded then; 0: not */
	unsigned fold_from; /* so many packs are worth a look */
	/* By the old protocol, in which a fetch needs the refs before it: the
	 * last question's, for a fetch that follows at once. */
	struct clone_session *session;
	UT_hash_handle hh;

	/* Set once, under clones->lock; read without. */
	_Atomic(struct objects *) objects;
};

struct clone_set {
	/* Fixed. */
	char *dir;
	struct clone_server server;
	struct clone_server fallback; /* url is NULL: there is none */
	char *own_url;                /* submodules.c; may be NULL */
	struct credential *credential;
	struct http *http;
	struct ssh *ssh; /* NULL where no server is asked by it */
	struct cache *cache;
	struct budget *budget; /* may be NULL */
	struct clone_naming ask_names;
	unsigned max_trees;
	struct flight *opening; /* of stores, by path */
	struct lru attributes;  /* lfs_attributes.c */
	struct thread *workers[CLONE_WORKERS];
	struct thread *sweeper;
	atomic_bool stop_sweeping;
	struct thread *folder;
	struct ctx folding; /* its */

	struct mutex lock;
	struct cond work;      /* for the workers: something to do, or stop */
	struct cond published; /* a tracking ref is no longer publishing */
	struct cond fold;      /* for the folder */
	/* Under it. */
	struct clone *clones; /* by uuid */
	bool cancelled, stop;
	struct clone_job *ls_refs, *fetches; /* queues, the first first: ls_refs
					      * has questions of all kinds */
	int64_t warm_ms; /* clock_mono_ms: a connection with the server was
			  * used, or is being made */
	struct clone_job *running;
	uint64_t n_batches;
	uint64_t n_ls_refs;  /* questions: each has the next serial */
	int64_t *fetched_ms; /* a ring of max_trees times, clock_boot_ms */
	unsigned next_fetched;
	uint64_t n_fetched;
};

/* clone.c */
/* Can be a part of a URL's path that stays where it is. */
bool clone_is_name(const char *);
/* The store, opened at the first call; borrowed, lives as long as the clone. */
int clone_store(struct clone *, struct objects **ret_objects);

/* It is called so from now on. True: it was not. */
bool clone_rename(struct clone_set *cs, struct clone *, const char *workspace,
		  const char *slug) requires_lock(cs->lock);

/* name.c */
enum clone_name_judgement {
	CLONE_NAME_TAKE,  /* the answer is the repository's, as far as is known
			   */
	CLONE_NAME_HOLD,  /* it may be another's: what there was stays */
	CLONE_NAME_OTHER, /* it is another's; the clone and the job have the new
			   * name
			   */
};
/* Of an answer to a question; or a failure. renamed: it was asked under the
 * name that the repository has just told. Fills in what tip says of that. */
int clone_name_judge(struct clone_job *, struct clone_tip *,
		     const struct clone_refs *names, bool renamed);
/* The name answers nothing; true: there is a new one, in the job too. */
bool clone_name_is_other(struct clone_job *);
/* The answer was taken. */
void clone_name_learnt(struct clone *, const struct clone_job *,
		       const struct clone_tip *);
/* A directory calls it so: it is its name from now on, unless a better one is
 * known. After a rename what may be the other one's is forgotten. */
void clone_name_offered(struct clone *, const char *workspace,
			const char *slug);

/* moved.c */
/* The URL to which the server redirected the name; NULL: it did not. Free it.
 */
char *clone_moved_recall(struct clone_set *, const struct clone_server *,
			 const char *workspace, const char *slug);
/* url "": it leads nowhere any more. */
void clone_moved_note(struct clone_set *, const char *workspace,
		      const char *slug, const char *url);

/* tracking.c */
void clone_tracking_free(struct clone_tracking *);
/* The head that memory or, at the first call, the facts of an earlier mount
 * have; -ENOENT. */
int clone_tracking_load(struct clone_tracking *, struct clone_head *ret_head);
/* What an id leads to, if it and its tree are here: fills commit, tree, time_s.
 * -ENOENT; -EBADMSG neither a commit nor a tree. */
int clone_commit_read(struct ctx *, struct objects *, const struct oid *,
		      struct clone_head *ret_head);
/* The same, if at least so much of it is here. */
bool clone_commit_is_present(struct ctx *, struct objects *, const struct oid *,
			     enum objects_presence at_least,
			     struct clone_head *ret_head);

/* refs.c */
/* What the server said; answers of branches and tags alone. */
struct clone_refs *clone_refs_new(const struct upload_pack_refs *);
/* The ref's own object. */
struct oid clone_refs_want(const struct clone_refs *, enum clone_ref_kind,
			   size_t i);
/* Takes in what earlier mounts left, once. */
void clone_refs_load(struct clone *);
/* An answer: what it says of the default branch, and, where it was asked for
 * all, the names (its reference is taken). */
void clone_refs_learn(struct clone *, const struct clone_tip *,
		      struct clone_refs *);
bool clone_refs_same(const struct clone_refs *, const struct clone_refs *);
/* That object can never be shown. */
void clone_refs_no_tree(struct clone *, const struct oid *);

/* queue.c */
int clone_queue_start(struct clone_set *);
void clone_queue_cancel(struct clone_set *);
void clone_queue_stop(struct clone_set *);
/* The server is asked what it can do; nobody waits for it. is_known: that is
 * remembered, and only the connection is wanted. */
void clone_queue_greet(struct ctx *, struct clone *, bool is_known);
/* Somebody waits: for an answer of the server, for a commit. */
int clone_queue_ls_refs(struct ctx *, struct clone *, bool all);
int clone_queue_fetch(struct ctx *, struct clone *, const struct oid *commit,
		      const struct oid *want, const struct clone_need *,
		      const struct clone_source *sources, size_t n_sources);
/* The rest of a commit, behind what others wait for. Waits at most so long (0:
 * not at all; -1: as ctx says), and not for what has not begun, unless there is
 * a hurry; the fetch goes on without who waited: 0 it has ended; -ETIMEDOUT it
 * goes on. */
int clone_queue_begin(struct ctx *, struct clone *, const struct oid *commit,
		      const struct oid *want, const struct clone_need *,
		      bool hurry, const struct clone_source *sources,
		      size_t n_sources, int64_t wait_ms);

/* Into the set's list `running`, or out of a list. */
struct clone_job *clone_job_new(struct clone_set *cs, struct clone *,
				const struct clone_job *what,
				struct flight_work *work)
	requires_lock(cs->lock);
/* The job ended so, and is freed. */
void clone_job_end(struct clone_job *, int r);

/* turns.c */
/* Takes the job whose turn it is out of its queue and into `running`. NULL:
 * none's; at *ret_until_ms it may be one's, though nothing has happened. */
struct clone_job *clone_turns_next(struct clone_set *cs, int64_t *ret_until_ms)
	requires_lock(cs->lock);

/* blobs.c */
/* The job, and others that are in the queue, are in a batch, which runs, from
 * now on. */
struct clone_job *clone_blobs_gather(struct clone_set *cs,
				     struct clone_job *first)
	requires_lock(cs->lock);
/* The batch brings it, for nobody yet. */
bool clone_blobs_bring(const struct clone_job *batch, const struct oid *);
/* Nobody wants that member of a batch any more. To be given up without the
 * lock, if not NULL. */
struct flight_work *clone_blobs_abandon(struct clone_set *cs,
					struct clone_job *member)
	requires_lock(cs->lock);
/* What is here is no longer wanted; true: all of it is here. */
bool clone_blobs_are_here(struct clone_job *batch);
/* It ended so; so do its members, but those that go into the queue again. */
void clone_blobs_end(struct clone_job *batch, int r);
/* The next bytes of a batch's pack. Of one object its head tells the size
 * before all of it is here: noted, for who waits for that alone. */
void clone_blobs_hear(struct clone_job *batch, const void *data, size_t n);
/* More than CLONE_BIG, as far as is known. */
bool clone_blobs_is_large(struct clone *, const struct oid *);

/* way.c */
/* Brings so much of the commit that it is shown; all trees of it, where what
 * was shown moves to it. */
int clone_way_commit(struct ctx *, struct clone *, const struct oid *commit,
		     const struct oid *want, bool moves,
		     const struct clone_source *sources, size_t n_sources);
/* Brings a tree of a commit of which not all trees are here. */
int clone_way_tree(struct ctx *, struct clone *, const struct oid *commit,
		   const struct clone_need *tree,
		   const struct clone_source *sources, size_t n_sources);

/* filters.c */
/* A tree of a commit can be had without those in it: false where that is not
 * known yet. */
bool clone_can_go_ahead(struct clone *);
/* Surely all of a commit comes whatever is needed, as far as is known without
 * asking. */
bool clone_comes_whole(struct clone *);
/* job->session knows what its server can do: what the fetch leaves out. */
void clone_filter_choose(struct clone_job *);
/* The server took job's filter; or refused it, with the sentence in job->ctx.
 */
void clone_filter_worked(struct clone_job *);
void clone_filter_refused(struct clone_job *);
/* Chooses that one, of those kinds. False: one of them was refused. */
bool clone_filter_try(struct clone_job *, const char *filter, unsigned kinds);

/* lfs_places.c */
struct clone_lfs *clone_lfs_free(struct clone_lfs *);

/* lfs_attributes.c */
void clone_attributes_init(struct clone_set *);
/* lfs_flips.c: calls each for every file that both trees have, the same one,
 * and that is LFS content in one of them alone, as far as that can be told by
 * what is here. -EMSGSIZE: that are too many to look at; what each says. */
int clone_lfs_flips(struct clone *, const struct oid *before,
		    const struct oid *after,
		    int (*each)(void *arg, const char *path,
				const struct oid *blob),
		    void *arg);

/* directory.c: of a job for CLONE_NEED_DIRECTORY */
struct clone_directories *clone_directories_free(struct clone_directories *);
/* The server was asked for it. */
bool clone_directory_was_asked(struct clone *, const struct oid *tree);
/* The sizes of all its files are known. */
bool clone_directory_is_here(struct clone_job *);
/* What is fetched of it: by a filter, or listed; neither: nothing. */
void clone_directory_choose(struct clone_job *);
/* So many bytes of a pack are more than can be wanted unseen. */
bool clone_directory_is_too_much(const struct clone_job *, uint64_t n_bytes);
/* What was chosen was broken off, as r says, and the next choice is another. */
bool clone_directory_goes_on(struct clone_job *, int r);
/* What was chosen came, or r says why it did not: asks the session's server for
 * the sizes that are not known yet. */
int clone_directory_end(struct clone_job *, int r);

/* session.c */
/* Of a repository at a server that is asked by HTTP; free it. NULL: the name is
 * too long. */
char *clone_url(const struct clone_server *, const char *workspace,
		const char *slug);
/* Who knows what git is asked with. */
struct http_authorizer clone_authorizer(struct clone_set *);
/* job->session is with that repository from now on, as job->server is asked. */
int clone_connect(struct clone_job *, const char *workspace, const char *slug);
/* The same with the one to whose URL the server redirected. */
int clone_connect_to(struct clone_job *, const char *url);
/* What is remembered of the host. By SSH nothing is: each connection begins
 * with it. */
bool clone_caps_recall(struct clone_set *, const struct clone_server *,
		       struct upload_pack_caps *ret_caps);
/* What a worker does for a CLONE_JOB_GREET. */
int clone_job_greet(struct clone_job *);
/* A connection with the server was used. */
void clone_note_used(const struct clone_job *);
/* For the next ones with that host. */
void clone_caps_remember(struct clone_job *);
/* By the old protocol: for the fetch that follows. */
void clone_session_keep(struct clone_job *);
/* Takes over the clone's kept session, unless it is too old to be open still.
 */
bool clone_session_take(struct clone_job *);
/* True: git_fallback is asked from now on. */
bool clone_to_fallback(struct clone_job *);

/* ls_refs.c, fetch.c: what a worker does for a job, its own failures with a
 * sentence in job->ctx. */
int clone_job_ls_refs(struct clone_job *);
int clone_job_fetch(struct clone_job *);
/* The fetch itself: of the commit, which is marked, or of what is needed. */
int clone_job_take(struct clone_job *);
/* rest.c: what a fetch of all of a commit does; and whether it goes on, called
 * for each piece that came: it may wait for others. -E2BIG: it is enough. */
int clone_job_rest(struct clone_job *);
int clone_rest_goes_on(struct clone_job *);
/* Lets go of what the steps share. */
void clone_job_done(struct clone_job *);
/* -EDQUOT beyond the bound of src/model/README.md, 13; take: counts one. */
int clone_admit_tree(struct ctx *, struct clone_set *, bool take);

/* fold.c */
int clone_fold_start(struct clone_set *);
void clone_fold_cancel(struct clone_set *);
void clone_fold_stop(struct clone_set *); /* after it was cancelled */
/* Something was fetched: if its store has many packs they become one, later. */
void clone_fold_note(struct clone *);

/* times.c */
void clone_times_init(struct clone_times *);
void clone_times_done(struct clone_times *);
/* Takes in what the cache has. */
void clone_times_load(struct clone_tracking *);
bool clone_times_has_base(struct clone_tracking *);
/* Forgets the times of all paths: from now on each has base_s, or, if something
 * was shown with that time or a later one (as memory knows, or with the time of
 * `from`; NULL: of nothing), the second after it. 0; or -errno, and the disk is
 * as it was. */
int clone_times_begin(struct clone_tracking *, int64_t base_s,
		      const struct clone_head *from);
/* The head moves from one tree to another (either may be empty). */
int clone_times_move(struct clone_tracking *, struct objects *,
		     const struct clone_head *from,
		     const struct clone_head *to);

#endif
