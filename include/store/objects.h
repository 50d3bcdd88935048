/*
 * store/objects: the door to libgit2. One bare repository as an object store.
 *
 * Owns a pool of handles (a shared odb serialises), taking in packs, reading
 * objects, refs, `shallow`. It never fetches: what is missing is -ENOENT. Safe
 * from any thread and, by atomic renames, from several processes. At all times
 * it is a valid repository that git itself can read.
 *
 * Reading takes long when a damaged pack is found out or a big file is made:
 * cancelling the ctx breaks that off, -EINTR; others who wait for it go on with
 * it. The ctx may be NULL: nobody breaks it off. Its deadline is not looked at,
 * for what is begun serves the next one too.
 */
#ifndef STORE_OBJECTS_H
#define STORE_OBJECTS_H

#include "base/mem.h"
#include "base/ctx.h"
#include "store/oid.h"

#include <stdatomic.h>

/* Once per process, after forking and before threads; idempotent. */
void objects_global_init(void);
/* libgit2 reads all certificates of the system when it begins, which takes it
 * longer than all the rest of a mount. The first store that is opened waits for
 * that; whoever has time before calls this. From any thread; -ENOMEM. */
int objects_library_begin(void);
/* "1.5.1": of the library that is loaded, and that this was built with. Free
 * the first. */
char *objects_library(void);
const char *objects_library_built(void);

/* Files of a store: one reads its time as when a file was last read; the store
 * is not to be evicted (store/evict.h); the sizes of blobs that are not here;
 * blobs were evicted, and not fetched again as a whole since then; what came of
 * a pack that was broken off. */
#define OBJECTS_USED "used"
#define OBJECTS_KEPT "kept"
#define OBJECTS_SIZES "sizes"
#define OBJECTS_EVICTED "evicted"
#define OBJECTS_REST "rest.pack"

struct objects;
/* Opens or makes the bare repository at path (its parent exists). Sweeps the
 * temporary files of processes that are dead. Something broken there is set
 * aside and begun anew. */
int objects_open(const char *path, struct objects **ret_objects);
/* Removes what dead processes were taking in, of all stores in a directory that
 * nobody has open: for the start. Ends when *stop is true. */
void objects_sweep_all(const char *dir, const atomic_bool *stop);
struct objects *objects_close(struct objects *);
DEFINE_CLEANUP(struct objects *, objects_close);
/* Gives back what was kept for speed alone (idle handles with libgit2's caches
 * of deltas, trees, blobs): for quiet moments. */
void objects_trim(struct objects *);
/* Lets go of trees, blobs and handles, of all stores, that nobody used for a
 * minute. Call it now and then. True: it was much (mem_give_back). */
bool objects_expire_all(void);

/* Something that ought to be here is not: packs are checked, damaged ones set
 * aside, and commits of which less is here than their mark says lose it, so
 * that they are fetched again. 0, or -errno of the machine. Reads that fail do
 * the first part themselves: a damaged object is read from elsewhere, or
 * -ENOENT.
 */
int objects_check(struct ctx *, struct objects *);

/* Packs that were taken in by another process are seen too. */
bool objects_has(struct objects *, const struct oid *);

enum tree_kind {
	TREE_FILE,
	TREE_EXECUTABLE,
	TREE_SYMLINK,
	TREE_DIRECTORY,
	TREE_SUBMODULE,
};
/* Somewhere in the bytes of its list; never altered. */
struct tree_entry {
	struct oid oid;
	unsigned char kind; /* enum tree_kind */
	char name[];
};
/* A tree as the mount shows it: in git's order, without the entries that no
 * file system can show or git forbids (src/model/README.md, 11). Immutable,
 * shared. */
struct tree_list {
	size_t n_entries;
	size_t n_left_out;
	char left_out[256]; /* "" or a sentence naming the first ones */
	/* private from here */
	unsigned refcount_private;
	unsigned *at_private;      /* where each entry begins */
	unsigned *by_name_private; /* NULL: they are in the order of names */
	size_t n_bytes_private;
	char *bytes_private;
};
/* i < n_entries. */
static inline const struct tree_entry *
tree_list_entry(const struct tree_list *l, size_t i)
{
	return (const struct tree_entry *)(l->bytes_private + l->at_private[i]);
}
/* The same in the order of names. */
static inline const struct tree_entry *
tree_list_by_name(const struct tree_list *l, size_t i)
{
	return tree_list_entry(l,
			       l->by_name_private ? l->by_name_private[i] : i);
}
/* Counted; -ENOENT absent, -EBADMSG not a tree. A few recent ones are kept, of
 * large ones at least the newest; of all who read the same tree at a time one
 * parses it. */
int objects_read_tree(struct ctx *, struct objects *, const struct oid *,
		      struct tree_list **ret_list);
struct tree_list *tree_list_ref(struct tree_list *);
struct tree_list *tree_list_unref(struct tree_list *);
DEFINE_CLEANUP(struct tree_list *, tree_list_unref);
/* What it takes in memory. */
size_t tree_list_size(const struct tree_list *);
/* By all stores of this process so far. */
uint64_t objects_trees_parsed(void);
/* NULL when it has no such name; by bisection. */
const struct tree_entry *tree_list_find(const struct tree_list *,
					const char *name);
/* Its place in the tree's own order; n_entries: there is no such name. */
size_t tree_list_place(const struct tree_list *, const char *name);

struct commit_info {
	struct oid tree;
	int64_t time_s; /* committer's */
};
int objects_read_commit(struct ctx *, struct objects *, const struct oid *,
			struct commit_info *ret_info);
/* Also of a blob that was evicted, or whose size was noted. */
int objects_blob_size(struct ctx *, struct objects *, const struct oid *,
		      uint64_t *ret_size);
/* Sizes that are known of blobs which are not here: answered by
 * objects_blob_size from now on, in all processes. Cheap for a few hundred; not
 * synced. */
struct objects_size {
	struct oid oid;
	uint64_t size;
};
int objects_note_sizes(struct objects *, const struct objects_size *, size_t n);
/* The whole content; for what is small (see objects_blob_file). -EFBIG over
 * max. Recently read blobs over 128 KiB are kept for the next piece. */
int objects_read_blob(struct ctx *, struct objects *, const struct oid *,
		      uint64_t max, struct blob **ret_blob);
/* Of n blobs those that can be read at once, at most max bytes long, for who
 * can do without: ret_blobs is NULL for the others. No new pack is looked for,
 * and no damage. */
void objects_peek_blobs(struct objects *, const struct oid *, size_t n,
			size_t max, struct blob **ret_blobs);
/* Of the big files of all stores in one directory, over it (or over what one
 * file may have, if that is more) those go that were not used for ten minutes,
 * the one used longest ago first; over twice that, those that were not used for
 * half a minute. */
#define OBJECTS_BIG_BYTES ((uint64_t)4 << 30)
#define OBJECTS_BIG_FILE ((uint64_t)16 << 30)
/* For the whole process; OBJECTS_BIG_FILE, if it is not called. */
void objects_limit_big(uint64_t n);
/* Of the files of all stores; OBJECTS_BIG_BYTES, if it is not called. */
void objects_keep_big(uint64_t n);
/* The content as a file descriptor on a file of the store (path/big/<oid>),
 * streamed there once, one at a time, so that memory stays bounded: for blobs
 * over 8 MB. Only these n bytes, from offset on, were looked at and are right;
 * behind the content the file has bytes of ours. ret_size: of the content. The
 * caller closes it. -EFBIG over objects_limit_big, and what is stored as a
 * longer chain of deltas than git makes. */
int objects_blob_file(struct ctx *, struct objects *, const struct oid *,
		      uint64_t offset, uint64_t n, int *ret_fd,
		      uint64_t *ret_size);

/* Taking in a pack, in pieces, as it comes from the network. Nothing of it is
 * visible before objects_pack_commit; dropping it leaves nothing behind. */
struct objects_pack;
/* thin: it may have changes of objects that are here, and not in it. */
int objects_pack_begin(struct objects *, bool thin,
		       struct objects_pack **ret_pack);
int objects_pack_write(struct objects_pack *, const void *data, size_t n);
/* Before it is committed: its objects may lead to some that are not here, as a
 * filter left them out (git's promisor pack). has_blobs: evicting it frees
 * something. */
void objects_pack_promise(struct objects_pack *, bool has_blobs);
/* Before it is committed: it is not synced now, but with the next mark or
 * objects_sync. For what comes again if the machine goes down. */
void objects_pack_relax(struct objects_pack *);
/* Syncs the packs and refs that were not; how many there are. */
int objects_sync(struct objects *);
unsigned objects_n_unsynced(struct objects *);
struct objects_progress {
	uint64_t n_bytes;
	unsigned n_objects, n_objects_total; /* total 0: not known yet */
};
void objects_pack_progress(const struct objects_pack *,
			   struct objects_progress *ret_progress);
/* shallow: commits whose parents are not here (40 hex digits each, added to
 * the repository's `shallow` file under a lock, before the pack appears). An
 * empty pack (0 objects) is fine. -EBADMSG, damaged: the pack, or, of a thin
 * one, what is here; -EFBIG, an object is too large as a change of another one
 * (of a thin pack not always told from -EBADMSG); -EINTR. Consumes the pack,
 * also on failure. */
int objects_pack_commit(struct ctx *, struct objects_pack *,
			const char *const *shallow, size_t n_shallow);
/* What comes of it is of use without the end: if it is dropped, or the process
 * is killed, the bytes so far are kept in the store, for objects_take_rest. */
int objects_pack_keep_rest(struct objects_pack *);
/* Takes in what such a pack left, also one of a process that was killed since
 * the store was opened. 1: objects came; 0: nothing did; -EINTR, and it is
 * still there. */
int objects_take_rest(struct ctx *, struct objects *);
/* One at a time over all processes, and until the descriptor is closed: for who
 * brings what nobody waits for. -EBUSY, at once: another one does. */
int objects_lock_rest(struct objects *, int *ret_fd);
struct objects_pack *objects_pack_drop(struct objects_pack *);
DEFINE_CLEANUP(struct objects_pack *, objects_pack_drop);

/*
 * How much of a commit is here; each degree has all of those before it. What is
 * shown needs a degree: names and kinds OBJECTS_TREES, sizes and bytes
 * OBJECTS_COMPLETE. A tree that a tag leads to counts as a commit.
 *
 * A degree is what a mark says (a ref, which keeps git gc from it, too): set
 * when so much had come, taken back by objects_check. So to ask costs no walk.
 * A fetch brings all, and marks OBJECTS_COMPLETE, or all trees, OBJECTS_TREES,
 * which is also what objects_evict leaves.
 */
enum objects_presence {
	OBJECTS_ABSENT,
	OBJECTS_COMMIT,   /* the commit: its tree's id and its time */
	OBJECTS_TREES,    /* all trees below it */
	OBJECTS_COMPLETE, /* all blobs in them */
};
int objects_mark(struct objects *, const struct oid *commit,
		 enum objects_presence);
/* At least so much of it is here. */
bool objects_is_present(struct objects *, const struct oid *commit,
			enum objects_presence at_least);
/* What a tree leads to that is not here, whatever the marks say: all of it is
 * read. */
struct objects_lacking {
	size_t n_blobs;      /* in all, here or not; one at two places is two */
	struct oid *missing; /* of them those that are not here */
	size_t n_missing;
	size_t n_trees_missing; /* what is below these is not counted */
};
int objects_lacking(struct ctx *, struct objects *, const struct oid *tree,
		    struct objects_lacking *ret);
void objects_lacking_done(struct objects_lacking *);
DEFINE_CLEANUP_DONE(struct objects_lacking, objects_lacking_done);
/* Commits that are marked so, newest mark last, at most max. */
int objects_marked(struct objects *, enum objects_presence, size_t max,
		   struct oid **ret_oids, size_t *ret_n);
/* The commit whose id begins with n digits (4 to 40). -ENOENT; -EEXIST when
 * several objects do; -EINVAL. */
int objects_resolve_short(struct objects *, const char *hex, size_t n,
			  struct oid *ret_commit);
bool objects_is_shallow(struct objects *, const struct oid *commit);
/* refs/heads/<branch> and HEAD, so that `git log` works in the store. */
int objects_set_branch(struct objects *, const char *branch,
		       const struct oid *commit);
uint64_t objects_disk_bytes(struct objects *); /* packs and big files */

/* ---- evicting ---- */

/* A file of that commit was read, now (whoever asks more often than once in a
 * second or so asks in vain): remembered, though not synced. */
void objects_note_read(struct objects *, const struct oid *commit);
/* While the descriptor is open nothing is evicted from the store: for a fetch,
 * from the look at what is here to the mark. Waits for an eviction that is
 * under way; -EINTR, -ETIMEDOUT as ctx says. */
int objects_hold(struct ctx *, struct objects *, int *ret_fd);
/*
 * Of commits that were not read since then (wall clock) all blobs go that no
 * other commit here has, whoever has the store open. They are no longer
 * OBJECTS_COMPLETE, but OBJECTS_TREES; the sizes of their blobs are still
 * answered. ret_freed: bytes. 0; -EBUSY, something is being fetched into it, or
 * it is being evicted from; -EINTR; -errno of the machine: what went is gone,
 * what did not is as it was.
 */
int objects_evict(struct ctx *, const char *path, int64_t before_ms,
		  uint64_t *ret_freed);
/*
 * For who reads more than there is room for: of the packs that brought a part
 * of a commit those go that came before then, the oldest first, until so many
 * bytes went, whether or not the commit is being read. Of one that is
 * OBJECTS_COMPLETE nothing goes. Waits up to two seconds for fetches; those
 * that begin in the first one go behind it. Else as objects_evict.
 */
int objects_evict_parts(struct ctx *, const char *path, int64_t before_ms,
			uint64_t n_bytes, uint64_t *ret_freed);
/* Blobs went, by objects_evict, and no commit was marked as complete since. */
bool objects_was_evicted(const struct objects *);
/* The store goes, whole. -EBUSY while anybody uses it. */
int objects_remove(const char *path);

/* ---- folding ---- */

/* How many packs there are, about. */
unsigned objects_n_packs(struct objects *);
/*
 * Many small packs, of fetches that took a part alone, become one: some MB of
 * them, so it takes some seconds. Nobody waits for it but an eviction, and a
 * fetch for milliseconds. It waits until nobody fetches into the store; ctx
 * ends that, and all of it. ret_n: how many packs went, 0 when there are few.
 * -EBUSY: somebody evicts, or has; -EINTR; -EBADMSG: a pack is damaged; -errno
 * of the machine: what there was is there still, some of it twice perhaps.
 */
int objects_fold(struct ctx *, struct objects *, unsigned *ret_n);

/*
 * What differs between two trees (either may be NULL: everything was added or
 * removed), subtrees included, directories before what is in them; equal
 * subtrees are not entered. before or after is NULL where there is none. path
 * is relative, without a leading slash. A directory that became a file, or the
 * other way round, is one call with both; what is in it comes with NULL for the
 * other side. A negative errno of each ends it; -ELOOP over 4096 levels, -EFBIG
 * over two million entries.
 */
int objects_diff_trees(struct ctx *, struct objects *, const struct oid *before,
		       const struct oid *after,
		       int (*each)(void *arg, const char *path,
				   const struct tree_entry *before,
				   const struct tree_entry *after),
		       void *arg);

#endif
