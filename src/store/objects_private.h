/*
 * store/objects, inside.
 *
 * objects.c owns reading, objects_handle.c handles, objects_files.c the
 * directory and its locks, objects_keep.c what is kept in memory,
 * objects_pack.c taking in, objects_big.c big files, objects_refs.c refs and
 * shallow, objects_diff.c comparing.
 */
#ifndef STORE_OBJECTS_PRIVATE_H
#define STORE_OBJECTS_PRIVATE_H

#include "store/objects.h"

#include "base/sync.h"

struct git_indexer;
struct git_odb;
struct git_odb_object;
struct git_repository;

/* One user at a time. */
struct objects_handle {
	struct git_repository *repo;
	struct git_odb *odb;
	unsigned generation; /* of the packs that it knows */
	struct objects_handle *next;
};

/* A tree or a blob that somebody is reading: others who want the same one
 * wait. */
struct objects_reading {
	struct oid oid;
	struct objects_reading *prev, *next;
};

struct objects {
	char *path;
	uint64_t id; /* of this object, never used again in this process */
	char *tmp;   /* path/tmp-<pid>-<n>, ours alone */
	unsigned handles_most;
	int tmp_lock; /* holds the lock that says: its owner lives */
	struct mutex lock;
	struct cond freed;
	struct objects_handle *idle; /* under lock */
	unsigned n_handles;          /* idle and busy; under lock */
	unsigned n_busy;             /* of n_handles; under lock */
	uint64_t n_read;     /* bytes, since handles were closed; under lock */
	unsigned generation; /* of the packs on the disk; under lock */
	int64_t looked_ms;   /* when a miss last looked; under lock */
	unsigned n_tmp;      /* names given in tmp; under lock */
	struct cond read_done;
	struct objects_reading *reading; /* under lock */
};

/* ---- handles ---- */

/* What libgit2 returned (< 0) as an errno, on the same thread. */
int objects_errno(int result);
/* A handle that knows every pack of our own process. */
int objects_take(struct objects *, struct objects_handle **ret_handle);
void objects_give(struct objects *, struct objects_handle *);
/* 0 or -ENOENT; looks for new packs, not too often. */
int objects_find(struct objects *, struct objects_handle *, const struct oid *);
/* The whole object; -EBADMSG when it is of another type, -EFBIG over max. To
 * be freed with git_odb_object_free. */
int objects_read_raw(struct objects *, const struct oid *, int type,
		     uint64_t max, struct git_odb_object **ret_object);
/* Says that so many bytes were read: once in a while handles are closed. */
void objects_was_read(struct objects *, uint64_t n);
/* The packs on the disk are others: every handle looks before its next use. */
void objects_packs_changed(struct objects *);

/* ---- the directory ---- */

/* Waits; LOCK_SH or LOCK_EX over all processes. To be closed. */
int objects_lock(const char *path, int how, int *ret_fd);
/* With the exclusive lock held: makes what is missing or garbage of what git
 * asks of a repository. */
int objects_make_dirs(const char *path);
/* False when a pack is not what its index says. */
bool objects_packs_are_sound(const char *path);
/* With the exclusive lock held; keeps the last one only. */
int objects_set_aside(const char *path, const char *why);
/* With the exclusive lock held: our own directory, and the dead's away. */
int objects_tmp_open(struct objects *);
void objects_tmp_close(struct objects *);
/* A name in it that nobody has; makes the directory again if it was lost. */
int objects_tmp_name(struct objects *, const char *what, char **ret_path);
/* Bytes of the regular files in path/below. */
uint64_t objects_dir_bytes(const char *path, const char *below);
int objects_fsync_dir(const char *path, const char *below);

/* ---- big files ---- */

void objects_big_init(void);

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

#endif
