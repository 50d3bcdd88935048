/*
 * model/node: the node table: (parent, name) ↔ inode number ↔ node.
 *
 * Owns identity and the kernel's counts. One lock, and the only lock order of
 * the program: nothing else is ever taken under it. Must never know FUSE or the
 * network.
 *
 * What an inode number stands for, and what therefore can and cannot happen, is
 * told in node.c ("Version = inode").
 *
 * A directory whose place is told by its content (provider->roams: a pull
 * request, which leaves the list of the open ones when it is merged) has a
 * number of its own, whatever its parent: the directory keeps the number when
 * it is found elsewhere, and is at one place at a time.
 */
#ifndef MODEL_NODE_H
#define MODEL_NODE_H

#include "base/map.h"
#include "base/sync.h"
#include "clone/clone.h"
#include "model/listed.h"

#include <sys/stat.h>

#define NODE_ROOT_INO 1

/* git's own modes for everything (src/model/README.md, 7): what one copies out
 * of the mount can be edited and removed. That nothing changes in the mount
 * itself is the kernel's matter, which has it mounted ro. */
#define NODE_FILE (S_IFREG | 0644)
#define NODE_EXECUTABLE (S_IFREG | 0755)
#define NODE_LINK (S_IFLNK | 0777)
#define NODE_DIRECTORY (S_IFDIR | 0755)

struct provider;
struct resource_file;
struct checkout;

/* What a node is, apart from its name: what it is made of. */
struct node_what {
	const struct provider *provider;
	mode_t mode;   /* type and permissions */
	uint64_t size; /* of files and symlinks */
	int64_t mtime_ms;
	/* of a document; a serial of other contents; of a file in a tree: the
	 * time at which its path got its content, which is its mtime */
	uint64_t version;
	struct oid oid; /* a git object */
	const struct resource_file *file;
	/* of what is in a tree: borrowed from the data of the node of tree/ */
	struct checkout *checkout;
	void *data; /* owned: provider->free_data */
};

/* The kernel knows hundreds of thousands of files of trees: such a file is this
 * alone. Every other node is the last member of a struct node_more. */
struct node {
	/* Fixed. */
	uint64_t ino;
	struct node *parent; /* a reference; NULL for the root */
	const struct provider *provider;

	/* Under the table's lock: */
	/* Chains of model/node_index. A retired node is in none of its tables:
	 * the two link the table's list of retired nodes. */
	struct node *next_by_ino, *next_by_name;
	uint64_t nlookup; /* the kernel's count */
	/* Fixed but of a provider whose files grow (node_size). */
	uint64_t size;
	int64_t mtime_ms;  /* node_mtime_ms; of a file in a tree: fixed */
	unsigned refcount; /* the kernel's lookups hold one together */
	struct oid oid;    /* fixed but of a directory: node_oid */
	uint16_t mode;     /* fixed */
	bool linked : 1;   /* a lookup of the name finds this node */
	bool retired : 1;  /* its number is another node's: see former */
	bool is_tree_file; /* fixed: there is no struct node_more */

	char name[]; /* fixed */
};

/* What a node is besides, unless it is a file in a tree: that one's checkout is
 * its directory's, its version its mtime, and it has nothing else of this. */
struct node_more {
	/* As in struct node_what; fixed. */
	uint64_t version;
	const struct resource_file *file;
	struct checkout *checkout;
	void *data;
	/* A directory that is found under another name gets a new node there,
	 * with the number and the kernel's count of the old one, its former:
	 * a reference, or NULL; fixed. */
	struct node *former;
	/* Of a directory whose names the kernel knows; under the table's lock.
	 */
	struct listed *listed;
	struct node node;
};
/* Members of struct node_what; fixed. */
uint64_t node_version(const struct node *);
const struct resource_file *node_resource_file(const struct node *);
struct checkout *node_checkout(const struct node *);
void *node_data(const struct node *);

struct node_table;
/* listings: of the mount, borrowed. Tables of other generations, which are the
 * roots' versions, have other numbers, but for the root's. */
struct node_table *node_table_new(const struct node_what *root,
				  struct listed_all *listings);
struct node_table *node_table_free(struct node_table *);

/* A reference, or NULL: no node has that number (any more). */
struct node *node_get(struct node_table *, uint64_t ino);
struct node *node_ref(struct node_table *, struct node *);
void node_unref(struct node_table *, struct node *); /* NULL is fine */
/* The linked child of that name, with a reference, or NULL. Creates nothing. */
struct node *node_child(struct node_table *, struct node *parent,
			const char *name);
/* The same, if the kernel knows it. */
struct node *node_known_child(struct node_table *, struct node *parent,
			      const char *name);

/* The child of that name that is what `what` says: either the node that is
 * there (a directory's mtime is renewed, a growing file's size raised), or a
 * new one; another node that had the name then loses it. One critical section.
 * `what->data` is taken in every case. expect (may be NULL) is the git object
 * of the parent in which the name was looked up: NULL is returned when the
 * parent has another object by now, and the caller must look again. kernel: the
 * reply will add one to the kernel's count. */
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
/* node_make with kernel, without a reference for the caller, in one critical
 * section: a listing calls it for each of its names. False: as NULL there. */
bool node_tell(struct node_table *, struct node *parent, const char *name,
	       const struct node_what *what, const struct oid *expect,
	       struct node_told *ret_told);
void node_now(struct node_table *, const struct node *,
	      struct node_told *ret_told);
/* The kernel gives back n of its count (FORGET), or a reply that was counted
 * could not be sent. */
void node_forget(struct node_table *, uint64_t ino, uint64_t n);
/* A lookup of the name no longer finds the node. References stay good. */
void node_unlink(struct node_table *, struct node *);

/* A directory's git object now; node_move changes it from one to another
 * (false: the directory is not at `from`). */
struct oid node_oid(struct node_table *, const struct node *);
bool node_move(struct node_table *, struct node *, const struct oid *from,
	       const struct oid *to, int64_t mtime_ms);
int64_t node_mtime_ms(struct node_table *, const struct node *);
void node_set_mtime_ms(struct node_table *, struct node *, int64_t mtime_ms);
uint64_t node_size(struct node_table *, const struct node *);
/* A growing file has reached this size at this time. A smaller size or an older
 * time changes nothing: another thread may have told the kernel more already.
 */
void node_grow(struct node_table *, struct node *, uint64_t size,
	       int64_t mtime_ms);
bool node_is_linked(struct node_table *, const struct node *);
/* What the kernel knows of the directory's names; made at the first call with
 * make, else NULL. Borrowed, lives as long as the node. */
struct listed *node_listed(struct node_table *, struct node *, bool make);
/* Its cookies (listed_book). */
struct dirbook *node_book(struct node_table *, struct node *, bool make);

/* Calls each for every known node of this provider (NULL: of any that expires,
 * not of a million files in trees), after the lock was released; the nodes are
 * held by references meanwhile. */
void node_each(struct node_table *, const struct provider *,
	       void (*each)(void *arg, struct node *), void *arg);

/* Calls each for every node that the kernel knows. Nobody else uses the table.
 */
void node_each_known(struct node_table *,
		     void (*each)(void *arg, const struct node *), void *arg);

/* "acme/widgets/info", "" for the root. Adds to out. */
void node_path(const struct node *, struct buf *out);
/* The path below an ancestor, "" for the ancestor itself. */
void node_path_below(const struct node *, const struct node *ancestor,
		     struct buf *out);
size_t node_count(struct node_table *);
/* True once after many nodes were freed: their memory is worth giving back. */
bool node_many_went(struct node_table *);

#endif
