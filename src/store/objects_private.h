/*
 * store/objects, inside.
 *
 * objects.c owns reading, objects_handle.c handles, objects_files.c the
 * directory and its locks, objects_keep.c what is kept in memory,
 * objects_pack.c taking in, objects_alloc.c libgit2's memory, objects_big.c big
 * files, objects_refs.c refs and shallow, objects_diff.c comparing,
 * objects_check.c what may be damaged, objects_warm.c how many files are open.
 */
#ifndef STORE_OBJECTS_PRIVATE_H
#define STORE_OBJECTS_PRIVATE_H

#include "store/objects.h"
#include "store/page_guard.h"

#include "base/ctx.h"

#include <sys/types.h>

struct git_indexer;
struct git_odb;
struct git_odb_object;
struct git_repository;

/* One user at a time. */
struct objects_handle {
	struct git_repository *repo;
	struct git_odb *odb;
	unsigned generation; /* of the packs that it knows */
	unsigned epoch;      /* another one's is never used again */
	struct objects_handle *next;
};

/* An index, as it was when its bytes were looked at. */
struct objects_index {
	ino_t inode;
	off_t size;
	struct timespec mtime;
};

struct objects {
	char *path;
	uint64_t id; /* of this object, never used again in this process */
	unsigned handles_most;
	struct mutex lock;
	struct cond freed;

	struct cond tmp_moved;

	struct cond checked;

	/* Under the lock of those that are warm (objects_warm.c). */
	bool warm, cooling;
	unsigned n_fds;
	struct objects *prev, *next;
	/* Under lock: */
	struct objects_handle *idle;
	unsigned n_handles;  /* idle and busy */
	unsigned n_busy;     /* of n_handles */
	uint64_t n_read;     /* bytes, since handles were closed */
	unsigned generation; /* of the packs on the disk */
	unsigned epoch;      /* of the files behind them */
	int64_t looked_ms;   /* when a miss last looked */
	/* Ours alone, there while the store is warm or a name in it is used. */
	char *tmp;    /* path/tmp-<pid>-<n>, or NULL */
	int tmp_lock; /* says: its owner lives */
	unsigned n_tmp_users;
	bool tmp_moving; /* somebody makes or removes it */
	unsigned n_tmp;  /* names given in tmp */
	bool checking;
	bool check_missing;            /* and the marks of commits */
	unsigned n_checks;             /* that ended */
	int check_result;              /* of the last check */
	uint64_t sound_stamp;          /* of the packs … */
	int64_t sound_until_ms;        /* … that were found sound */
	unsigned n_packs;              /* about */
	int64_t watched_ms;            /* when indexes were looked at */
	struct objects_index *indexes; /* that are sound */
	size_t n_indexes;
};

/* ---- handles ---- */

/* What libgit2 returned (< 0) as an errno, on the same thread. */
int objects_errno(int result);
/* 0 when a file of the store can be opened now, else what is in the way:
 * libgit2 passes over what it cannot open, whatever the cause. */
int objects_probe(const struct objects *);
/* A handle that knows every pack of our own process. */
int objects_take(struct objects *, struct objects_handle **ret_handle);
void objects_give(struct objects *, struct objects_handle *);
/* 0 or -ENOENT; looks for new packs, not too often. */
int objects_find(struct objects *, struct objects_handle *, const struct oid *);
/* Says that so many bytes were read: once in a while handles are closed. */
void objects_was_read(struct objects *, uint64_t n);
/* The packs on the disk are more: every handle looks before its next use. */
void objects_packs_changed(struct objects *);
/* Some went, or others have their names: no handle is used any more. */
void objects_packs_replaced(struct objects *);
/* Closes what is open for speed alone. */
void objects_close_idle(struct objects *);

/* ---- which stores have files open ---- */

void objects_warm_init(void);
/* It is being used; those used longest ago close their files when there are too
 * many in the process. */
void objects_warm_use(struct objects *);
void objects_warm_grew(struct objects *); /* by a pack */
/* Its owner closes it. */
void objects_warm_forget(struct objects *);

/* ---- libgit2's memory ---- */

/* Nothing larger is made a change of another object by git (512 MB), nor does
 * libgit2 hold it whole here. */
#define OBJECTS_BLOCK_MOST ((size_t)1 << 30)
void objects_alloc_init(void);
/* What this thread asks libgit2 for is of that store, until the one before is
 * given back: large blocks are files of it. NULL: of none. */
const struct objects *objects_alloc_for(const struct objects *);
/* Why this thread was refused a block since the last call: 0; -EFBIG, over the
 * bound; or what the disk said. */
int objects_alloc_refused(void);
/* The most bytes that were mapped at a time so far. */
uint64_t objects_alloc_most(void);

/* ---- what is in doubt ---- */

/* After a read that failed with r, by a handle of that epoch. 1: read again;
 * 0: r has nothing to do with what is on the disk; -errno of the machine. */
int objects_doubt(struct ctx *, struct objects *, int r, unsigned epoch);
/* Garbage among the indexes is set aside before a handle sees it. */
void objects_watch(struct objects *);
/* With the exclusive lock held: how many packs were set aside; -errno. */
int objects_check_locked(struct objects *);
/* The same of objects/pack/<name>: 1, 0. */
int objects_check_pack_locked(struct objects *, const char *name);
/* locked: the exclusive lock is held. */
int objects_unmark(struct objects *, const struct oid *commit,
		   enum objects_presence, bool locked);

/* ---- the directory ---- */

/* Waits; LOCK_SH or LOCK_EX over all processes. To be closed. */
int objects_lock(const char *path, int how, int *ret_fd);
/* With the exclusive lock held: makes what is missing or garbage of what git
 * asks of a repository. */
int objects_make_dirs(const char *path);
/* False when a pack is not what its index says, by a quick look. Counts them.
 */
bool objects_packs_are_sound(struct objects *);
/* With the exclusive lock held; keeps the last one only. */
int objects_set_aside(const char *path, const char *why);
/* With the exclusive lock held: our own directory, and the dead's away. */
int objects_tmp_open(struct objects *);
void objects_tmp_close(struct objects *);
/* Removes it unless a name in it is being used. */
void objects_tmp_cool(struct objects *);
/* A name in it that nobody has, in use until objects_tmp_done; makes the
 * directory if it is not there. */
int objects_tmp_name(struct objects *, const char *what, char **ret_path);
void objects_tmp_done(struct objects *);
/* Bytes of the regular files in path/below. */
uint64_t objects_dir_bytes(const char *path, const char *below);
int objects_fsync_dir(const char *path, const char *below);

/* ---- big files ---- */

void objects_big_init(void);
/* Files whose hash was looked at so far, by all stores of this process. */
uint64_t objects_big_hashed(void);

/* ---- what is kept, for the whole process ---- */

/* A parsed tree over it is not kept among the others, of which it would push
 * out all. */
#define OBJECTS_LARGE_TREE ((size_t)512 * KIB)

/* Values are counted; get takes a reference, put one of its own. */
enum objects_kept {
	KEPT_TREES,       /* struct tree_list */
	KEPT_LARGE_TREES, /* the same, over OBJECTS_LARGE_TREE bytes */
	KEPT_BLOBS,       /* struct blob */
	N_KEPT,
};
void objects_keep_init(void);
void *objects_keep_get(enum objects_kept, const struct objects *,
		       const struct oid *);
void objects_keep_put(enum objects_kept, const struct objects *,
		      const struct oid *, void *value, size_t size);
void objects_keep_forget(const struct objects *); /* all of this store */
/* Of all who want the same thing one reads it. FLIGHT_LEAD: this caller, who
 * looks once more with get, and ends with land; FLIGHT_LANDED, with a reference
 * to what the reader got; how the reader failed; -EINTR. Trees, large or not,
 * are KEPT_TREES here. */
int objects_keep_join(struct ctx *, enum objects_kept, const struct objects *,
		      const struct oid *, void **ret_value);
void objects_keep_land(enum objects_kept, const struct objects *,
		       const struct oid *, int r, void *value);

#endif
