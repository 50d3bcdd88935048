/*
 * store/objects, inside.
 *
 * objects.c owns reading, objects_handle.c handles, objects_files.c the
 * directory and its locks, objects_keep.c what is kept in memory,
 * objects_pack.c taking in, objects_alloc.c libgit2's memory, objects_big.c big
 * files, objects_big_sums.c what they must be, objects_refs.c refs and
 * shallow, objects_diff.c comparing, objects_check.c what may be damaged,
 * objects_warm.c how many files are open, objects_evict.c what goes,
 * objects_sizes.c what is remembered of it, objects_fold.c how many packs
 * become one, objects_lack.c what is not here, objects_rest.c what came of a
 * broken pack.
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
struct pack_map;
struct stat;

/* A repository of libgit2's, used by one thread at a time. */
struct objects_handle {
	struct git_repository *repo;
	struct git_odb *odb;
	unsigned generation;  /* the store's, when it last looked for packs */
	unsigned epoch;       /* the store's, when it was opened */
	struct pack_map *map; /* of its packs, or NULL; objects_peek.c */
	unsigned map_generation;
	struct objects_handle *next;
};

/* The index of a pack, as it was when its bytes were hashed. */
struct objects_index {
	ino_t inode;
	off_t size;
	struct timespec mtime;
};

struct objects {
	char *path;
	uint64_t id; /* of this struct; unique in the process, for keys */
	unsigned handles_most;
	struct mutex lock;
	struct cond freed;     /* a handle was given back */
	struct cond tmp_moved; /* tmp_moving is false again */
	struct cond checked;   /* checking is false again */

	/* Under the lock of objects_warm.c: */
	bool warm, cooling;
	unsigned n_fds;
	struct objects *prev, *next;
	/* Under lock: */
	struct objects_handle *idle;
	/* When a tree or a blob was last read, or the first handle opened. A
	 * look at commits, as a watched ref has one a minute, keeps no handle
	 * open. */
	int64_t used_ms;
	unsigned n_handles; /* idle and busy */
	unsigned n_busy;    /* of n_handles */
	uint64_t n_read;    /* bytes, since handles were closed */
	/* Grows with each pack that came: a handle of an older one looks for
	 * packs before it is used. */
	unsigned generation;
	/* Grows when a pack went or got another file under its name: a handle
	 * of an older one is closed, for it has the old file mapped. */
	unsigned epoch;
	int64_t looked_ms; /* when a miss last made a handle look for packs */
	/* A directory for this process alone, there while the store is warm or
	 * a name in it is used. */
	char *tmp;    /* path/tmp-<pid>-<n>, or NULL */
	int tmp_lock; /* held: other processes see that the owner lives */
	unsigned n_tmp_users;
	bool tmp_moving;        /* a thread makes or removes tmp */
	unsigned n_tmp;         /* names given in tmp */
	bool checking;          /* a thread is in objects_check.c: check_all */
	bool check_missing;     /* which looks at marks, too */
	unsigned n_checks;      /* that ended */
	int check_result;       /* of the last one */
	uint64_t sound_stamp;   /* of the packs on the disk … */
	int64_t sound_until_ms; /* … which until then count as sound */
	unsigned n_packs;       /* about */
	int64_t watched_ms;     /* when indexes were last looked for */
	struct objects_index *indexes; /* that were hashed and are sound */
	size_t n_indexes;
	char **unsynced; /* objects_sync.c: names of files, of packs */
	size_t n_unsynced, room_unsynced;
	struct objects_sizes *sizes; /* NULL: not loaded */
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
/* The size of a blob of some bytes, by a handle that was taken, where that is
 * quick. False: objects_find and libgit2 tell. objects_peek.c */
bool objects_peek_size(const struct objects *, struct objects_handle *,
		       const struct oid *, uint64_t *ret_size);
/* 0 or -ENOENT; looks for new packs, not too often. */
int objects_find(struct objects *, struct objects_handle *, const struct oid *);
/* Says that so many bytes were read: once in a while handles are closed. */
void objects_was_read(struct objects *, uint64_t n);
/* A pack came: every handle looks for packs before its next use. */
void objects_packs_changed(struct objects *);
/* A pack went, or has another file under its name: every handle is closed, not
 * used again. */
void objects_packs_replaced(struct objects *);
/* Closes what is open for speed alone. */
void objects_close_idle(struct objects *);

/* ---- which stores have files open ---- */

void objects_warm_init(void);
/* The store is being used. The stores that were used longest ago close their
 * files when the process has too many open. */
void objects_warm_use(struct objects *);
/* Closes the handles of stores that nobody used for so long. True: of some. */
bool objects_warm_expire(int64_t unused_ms);
void objects_warm_grew(struct objects *); /* by a pack */
void objects_warm_shrank(struct objects *, unsigned n_packs);
/* The store is being closed. */
void objects_warm_forget(struct objects *);

/* Packs of the store at that path went, or will: of all who have it open in
 * this process each handle that is not in use now is closed, not used again. */
void objects_warm_replaced(const struct objects *);

/* ---- libgit2's memory ---- */

/* libgit2 holds an object in one block; a larger one is refused. Git makes no
 * deltas of objects over 512 MB (core.bigFileThreshold). */
#define OBJECTS_BLOCK_MOST ((size_t)1 << 30)
void objects_alloc_init(void);
/* Large blocks that this thread makes libgit2 allocate are files of that store
 * (NULL: memory) until this is called with what it returned. */
const struct objects *objects_alloc_for(const struct objects *);
/* Why this thread was refused a block since the last call: 0; -EFBIG, over the
 * bound; or what the disk said. */
int objects_alloc_refused(void);
/* The most bytes that were mapped at a time so far. */
uint64_t objects_alloc_most(void);

/* ---- a tree's own bytes ---- */

/* "<mode> <name>\0<20 bytes>" one after the other, also those that are not
 * shown: the next one's id, and where its mode begins. False: there is none, or
 * garbage. */
static inline bool objects_next_entry(const char **at, const char *end,
				      const char **ret_mode,
				      struct oid *ret_oid)
{
	const char *nul = *at < end ? memchr(*at, '\0', (size_t)(end - *at))
				    : NULL;

	if (!nul || end - nul <= OID_BYTES)
		return false;
	*ret_mode = *at;
	memcpy(ret_oid->bytes, nul + 1, OID_BYTES);
	*at = nul + 1 + OID_BYTES;
	return true;
}

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

/* ---- evicting ---- */

/* When a file of a commit was last read, wall clock; or when its last mark was
 * set. */
int64_t objects_read_ms(struct objects *, const struct oid *commit);
void objects_set_read_ms(struct objects *, const struct oid *commit,
			 int64_t at_ms);
/* Whether there is a commit with that mark whose time is before that; any:
 * whether there is one at all. */
bool objects_marks_before(const char *path, enum objects_presence,
			  int64_t before_ms, bool *ret_any);
/* For objects_was_evicted. */
void objects_note_evicted(const char *store, bool evicted);
/* Filled in when the pack is committed, "pack-…": free it. */
void objects_pack_tell_name(struct objects_pack *, char **ret_name);
/* What a .promisor file says of a pack that has blobs. Git reads none. */
#define OBJECTS_HAS_BLOBS "blobs\n"

/* The end of the name of a store that objects_remove was removing. */
#define OBJECTS_GONE ".gone"
/* After the name of one that is being made; then something at random. */
#define OBJECTS_NEW ".new-"

/* objects_note_sizes, of the store at that path; sync: on the disk when it
 * returns, with all that were there. */
int objects_sizes_add(const char *path, const struct objects_size *, size_t n,
		      bool sync);
int objects_sizes_find(struct objects *, const struct oid *,
		       uint64_t *ret_size);  /* -ENOENT */
void objects_sizes_forget(struct objects *); /* in memory */

/* ---- packs that were broken off (objects_rest.c) ---- */

/* The pack in that directory is one of those. */
int objects_rest_mark(const char *dir);
/* If it is, its bytes are kept in the store: of that directory; of all those of
 * a process that is dead. */
void objects_rest_keep(const char *store, const char *dir);
void objects_rest_rescue(const char *store, const char *tmp);

/* ---- the directory ---- */

/* flock(2) of a file that is made if need be. To be closed. */
int objects_flock(const char *path, int how, int *ret_fd);
/* Waits; LOCK_SH or LOCK_EX over all processes. To be closed. */
int objects_lock(const char *path, int how, int *ret_fd);
/* If there is nothing at that path: all at once, or nothing. */
int objects_make_store(const char *path);
/* The same; and, with the exclusive lock held, makes what is missing or garbage
 * of what git asks of a repository. */
int objects_make_dirs(const char *path);
/* False when a pack is not what its index says, by a quick look. Counts them.
 */
bool objects_packs_are_sound(struct objects *);
/* With the exclusive lock held: renames the store, in the place of one that was
 * set aside before. */
int objects_set_aside(const char *path, const char *why);
/* With the exclusive lock held: makes the directory of this process, and
 * removes those of processes that are dead. */
int objects_tmp_open(struct objects *);
/* Removes those of processes that are dead. Takes the lock, and waits for it.
 */
void objects_tmp_sweep(const char *path);
/* Whether a process has a directory there, so that the store is in use. */
bool objects_tmp_lives(const char *path);
void objects_tmp_close(struct objects *);
/* Removes the directory unless a name in it is being used. */
void objects_tmp_cool(struct objects *);
/* A new name in the directory, in use until objects_tmp_done; makes the
 * directory if need be. */
int objects_tmp_name(struct objects *, const char *what, char **ret_path);
void objects_tmp_done(struct objects *);
/* Bytes of the regular files in path/below. */
uint64_t objects_dir_bytes(const char *path, const char *below);
int objects_fsync_dir(const char *path, const char *below);

/* ---- syncing ---- */

/* dir/pack-<name>.pack and .idx. */
int objects_sync_pack(const char *dir, const char *name);
/* It is among those of objects_sync. name: of a file in the store; of a pack
 * without its suffix. */
void objects_sync_later(struct objects *, const char *name);
/* All but refs: what must be on the disk before a mark. */
int objects_sync_packs(struct objects *);
void objects_sync_forget(struct objects *);

/* ---- big files ---- */

void objects_big_init(void);

/* The sums of a big file, while it is written. */
struct big_sums {
	uint32_t before;  /* of each: of whose content it is */
	uint64_t n_bytes; /* of content, so far */
	size_t n_room;
	uint32_t *sums; /* of each chunk */
};
void objects_big_sums_begin(struct big_sums *, const struct oid *);
void objects_big_sums_add(struct big_sums *, const void *data, size_t n);
/* Behind the content, all of which is right. */
int objects_big_sums_write(const struct big_sums *, int fd);
void objects_big_sums_done(struct big_sums *);
/* st: as it is now. So long is a file of that content, with its sums. */
bool objects_big_is_whole(const struct stat *st, uint64_t size);
/* These bytes of the content, which may end before: this process has compared
 * them, or written the file, since it has been as it is (st). */
bool objects_big_is_known(const struct stat *st, uint64_t size, uint64_t offset,
			  uint64_t n);
/* Compares them. -ENOENT: they are not what git has; -EINTR, -errno. */
int objects_big_check(const struct ctx *, int fd, const struct stat *st,
		      const struct oid *, uint64_t size, uint64_t offset,
		      uint64_t n);
/* All of the file is right. */
void objects_big_know(const struct stat *st, uint64_t size);
/* Bytes that were compared so far, by all stores of this process. */
uint64_t objects_big_compared(void);

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
