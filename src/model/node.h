/*
 * model/node: the node table: (parent, name) ↔ inode number ↔ node.
 *
 * Owns identity and the kernel's counts. One lock, and the only lock order of
 * the program: nothing else is ever taken under it. Must never know FUSE or
 * the network.
 *
 * An inode number is computed from the parent's, the name and what the node is
 * (a file's object id or version), so that a node that the kernel forgot comes
 * back under the number it had: a directory keeps its number while it exists, a
 * file while its content stays. A number is never two things at once: while the
 * kernel knows it, a newcomer with the same number takes the next free one.
 *
 * A directory whose place is told by what it is (provider->roams: a pull
 * request, which leaves the list of the open ones when it is merged) has a
 * number of its own, whatever its parent: it keeps it when it is found
 * elsewhere, and is at one place at a time.
 */
#ifndef MODEL_NODE_H
#define MODEL_NODE_H

#include "base/map.h"
#include "base/sync.h"
#include "clone/clone.h"
#include "model/dirbook.h"
#include "model/dirlist.h"

#include <sys/stat.h>

#define NODE_ROOT_INO 1

/* git's own modes for everything (layout rule 7): what one copies out of the
 * mount can be edited and removed. That nothing changes in the mount itself is
 * the kernel's matter, which has it mounted ro. */
#define NODE_FILE (S_IFREG | 0644)
#define NODE_EXECUTABLE (S_IFREG | 0755)
#define NODE_LINK (S_IFLNK | 0777)
#define NODE_DIRECTORY (S_IFDIR | 0755)

struct provider;
struct resource_file;
struct checkout;

/* What a node is beside its name: fixed for its life but for what is marked. */
struct node_what {
	const struct provider *provider;
	mode_t mode; /* type and permissions */
	/* Of files and symlinks: what was there when it was found. Of a
	 * provider whose files grow it is under the lock (node_size). */
	uint64_t size;
	int64_t mtime_ms; /* may be renewed, under the lock */
	uint64_t version; /* of a document; a serial of other contents; of a
			   * file in a tree when its path got its content */
	struct oid oid; /* a git object; a directory's moves, under the lock */
	const struct resource_file *file;
	struct checkout *view; /* borrowed: the node of tree/ keeps it */
	void *data;            /* owned: provider->free_data */
};

struct node {
	/* Fixed. */
	uint64_t ino;
	struct node *parent; /* a reference; NULL for the root */
	struct node_what what;

	/* Under the table's lock. */
	unsigned refs;    /* the kernel's lookups hold one together */
	uint64_t nlookup; /* the kernel's count */
	bool linked;      /* the name leads here */
	bool retired;     /* its number is another node's: see former */
	/* A directory that is found under another name now is a node of its
	 * own there, with the number and the kernel's count of this one. */
	struct node *former;   /* a reference, or NULL; fixed */
	struct dirbook *book;  /* cookies, for a directory whose names change */
	struct listed *listed; /* of a directory that was opened */
	/* Of model/node_index; of the retired, which are in none of its tables,
	 * the row that they are in. */
	struct node *next_by_ino, *next_by_name;
	uint32_t name_hash; /* fixed */

	char name[]; /* fixed */
};

struct node_table;
struct node_table *node_table_new(const struct node_what *root);
struct node_table *node_table_free(struct node_table *);

/* A reference, or NULL: the number is not known (any more). */
struct node *node_get(struct node_table *, uint64_t ino);
struct node *node_ref(struct node_table *, struct node *);
void node_unref(struct node_table *, struct node *); /* NULL is fine */
/* The linked child of that name, with a reference, or NULL. Creates nothing. */
struct node *node_child(struct node_table *, struct node *parent,
			const char *name);

/*
 * The child of that name that is what `what` says: the one there (its mtime is
 * renewed if it is a directory, and one that grows has grown), or a new one, in
 * which case another one that had the name loses it. One critical section.
 * `what->data` is taken in every case. With expect, a git directory's object:
 * NULL when the parent has moved from it meanwhile (look again). kernel: the
 * reply will add one to the kernel's count.
 */
struct node *node_make(struct node_table *, struct node *parent,
		       const char *name, const struct node_what *what,
		       const struct oid *expect, bool kernel);
/* What a reply tells of a node. */
struct node_told {
	uint64_t ino;
	mode_t mode;
	uint64_t size;
	int64_t mtime_ms;
};
/* The same for the kernel's count alone, in one look at the table: a listing
 * does it for each of its names. False instead of NULL. */
bool node_tell(struct node_table *, struct node *parent, const char *name,
	       const struct node_what *what, const struct oid *expect,
	       struct node_told *ret_told);
void node_now(struct node_table *, const struct node *,
	      struct node_told *ret_told);
/* The kernel gives n of its count back; also what was counted for a reply that
 * could not be sent. */
void node_forget(struct node_table *, uint64_t ino, uint64_t n);
/* The name leads here no more; who holds the node keeps it. */
void node_unlink(struct node_table *, struct node *);

/* A directory's object now; moving it from one object to another (false: it is
 * not at from). */
struct oid node_oid(struct node_table *, const struct node *);
bool node_move(struct node_table *, struct node *, const struct oid *from,
	       const struct oid *to, int64_t mtime_ms);
int64_t node_mtime_ms(struct node_table *, const struct node *);
void node_set_mtime_ms(struct node_table *, struct node *, int64_t mtime_ms);
uint64_t node_size(struct node_table *, const struct node *);
/* A file that grows is this large, as of this time. What another thread has
 * told already is never taken back: neither becomes less. */
void node_grow(struct node_table *, struct node *, uint64_t size,
	       int64_t mtime_ms);
bool node_is_linked(struct node_table *, const struct node *);
/* The directory's book, made at the first call with make; borrowed, lives as
 * long as the node. */
struct dirbook *node_book(struct node_table *, struct node *, bool make);
/* Who has the directory open, and its newest listing: made at the first call
 * with listings, NULL without; borrowed, lives as long as the node. */
struct listed *node_listed(struct node_table *, struct node *,
			   struct dirlists *);

/* Calls each for every known node whose provider is this one (NULL: of any),
 * with a reference each, after the lock was released. */
void node_each(struct node_table *, const struct provider *,
	       void (*each)(void *arg, struct node *), void *arg);

/* "acme/widgets/info", "" for the root. Adds to out. */
void node_path(const struct node *, struct buf *out);
/* The path below an ancestor, "" for the ancestor itself. */
void node_path_below(const struct node *, const struct node *ancestor,
		     struct buf *out);
size_t node_count(struct node_table *);
/* True once after so many nodes went that their memory is worth giving back. */
bool node_many_went(struct node_table *);

#endif
