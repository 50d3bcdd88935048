/*
 * model/provider: a provider answers requests for its kind of node; the model
 * hands each request to the provider of the node. And what providers use of the
 * model: its state, telling the kernel, recording a failure.
 *
 * Implementations are in model/dirs, model/git and model/stream; this header
 * names none of them, and neither do the model's other files but wiring.c.
 */
#ifndef MODEL_PROVIDER_H
#define MODEL_PROVIDER_H

#include "api/budget.h"
#include "clone/clone.h"
#include "content/documents.h"
#include "model/model.h"
#include "model/node.h"
#include "model/events.h"
#include "model/problems.h"
#include "model/work/refresh.h"

/* The answer of provider->lookup, before a node is made of it. */
struct found {
	struct node_what what; /* provider NULL: no such name */
	int64_t left_ms;       /* for how long the answer is true */
	/* attributes have a lifetime of their own: attr() tells it */
	bool ask_attr;
	bool checked; /* `expect` is the directory's git object (node_make) */
	struct oid expect;
	/* Not yet: what.size is known only by asking for it (provider->size).
	 * LOOKUP asks before it replies; READDIRPLUS tells the name alone, so
	 * that a listing of many costs nothing. what.data may be NULL then. */
	bool no_size;
};

/* What a provider's nodes are, for code that must know. */
enum provider_kind {
	PROVIDER_OTHER,
	PROVIDER_REPOSITORY, /* data: struct repository_data */
	PROVIDER_CHECKOUT,   /* the directory of the files at one commit */
};
/* After the machine slept: what of a node the kernel is told to drop. It was
 * promised entries and listings for longer than they may be true by now. */
enum provider_expiry {
	PROVIDER_KEEPS,
	PROVIDER_EXPIRES_NAME,
	PROVIDER_EXPIRES_LISTING,
};

/* Calls may wait; they hold no lock. Members may be NULL where they cannot be
 * reached. */
struct provider {
	const char *name;
	enum provider_kind kind;
	enum provider_expiry expiry;
	/* Files of this provider grow under their inodes (src/model/README.md,
	 * 10): a lookup of a known name also raises its size. */
	bool grows;
	/* -errno. A name that does not exist is 0, with found->what.provider
	 * NULL. */
	int (*lookup)(struct ctx *, struct model *, struct node *dir,
		      const char *name, struct found *ret_found);
	/* Of what lookup found with no_size: asks for the size, sets it and
	 * what else is known only then. 1: there is no such name, for
	 * found->left_ms. The name is in dir, what.data stays the found's. */
	int (*size)(struct ctx *, struct model *, struct node *dir,
		    const char *name, struct found *found);
	/* The kernel is told of the node, by a lookup. NULL: that is nothing
	 * to it. Never waits. */
	void (*looked_up)(struct model *, const struct node *);
	/* Brings the names of a directory, as a sealed listing. The only call
	 * that tells a provider that somebody looks: READDIR asks nobody.
	 * `newest` is the listing that was brought last, or NULL; returning a
	 * reference to it says that it is still true. Not called before the
	 * listing's left_ms is over. */
	int (*open)(struct ctx *, struct model *, struct node *dir,
		    struct dirlist *newest, struct dirlist **ret_listing);
	/* A program opens the directory, also when its listing is at hand.
	 * NULL: that is nothing to it. Never waits. */
	void (*entered)(struct ctx *, struct model *, struct node *dir);
	/* Called before attributes of the node are told, to bring them up to
	 * date (NULL: they never change). For a directory it never fails and
	 * never waits for the network: readdir(3) would show the error. */
	int (*attr)(struct ctx *, struct model *, struct node *,
		    int64_t *ret_left_ms, uint64_t *ret_size);
	int (*read)(struct ctx *, struct model *, struct node *, off_t offset,
		    size_t n, struct model_data *ret_data);
	/* See model_ahead. NULL: nothing is given. */
	void (*ahead)(struct ctx *, struct model *, struct node *,
		      model_give *give, void *arg);
	/* See model_ahead_listed, of a directory. NULL: nothing is given. */
	void (*ahead_listed)(struct ctx *, struct model *, struct node *,
			     model_give *give, void *arg);
	int (*readlink)(struct ctx *, struct model *, struct node *,
			struct blob **ret_target);
	/* Asks the service again for a directory, or for a file in it (file
	 * NULL: the directory itself), and tells the kernel what changed. said:
	 * what changed, in words for people, is added. said NULL: in the
	 * background, where an answer that is still fresh is not asked for
	 * again. NULL: nothing can be asked for. */
	int (*refresh)(struct ctx *, struct model *, struct node *dir,
		       struct node *file, struct buf *said);
	/* Of PROVIDER_CHECKOUT: whether the node shows that commit and no
	 * other. */
	bool (*is_at)(const struct node *, const char *hash);
	/* Whether the directory may be found under another name, in another
	 * directory, and is the same one. NULL: never. */
	bool (*roams)(const struct node_what *);
	/* Whether two nodes are the same by their data. NULL: always. */
	bool (*same_data)(const struct node_what *a, const struct node_what *b);
	uint64_t (*hash_data)(const struct node_what *what, uint64_t seed);
	void (*free_data)(void *data);
	/* The model ends: frees what it keeps for this provider. */
	void (*end)(struct model *);
};

/* An `open` for directories that list nothing: names can only be looked up. */
int provider_open_nothing(struct ctx *, struct model *, struct node *dir,
			  struct dirlist *newest, struct dirlist **ret_listing);
/* What lookup found, of whose members these are set; data is taken. The second:
 * a directory. */
void provider_found(struct found *, const struct provider *, mode_t mode,
		    int64_t mtime_ms, int64_t left_ms, void *data);
void provider_found_dir(struct found *, const struct provider *,
			int64_t mtime_ms, int64_t left_ms, void *data);
/* Nothing was found; frees what a node would have been made of. */
void provider_found_nothing(struct found *);
/* A line for people. said may be NULL: nobody asked, nothing happens. */
void provider_say(struct buf *said, const char *fmt, ...) printf_like(2, 3);

struct hydrate;
struct large;
struct lfs_places;
struct lfs_pointer;
struct prefetch;
struct row_dir_special;
struct walk_all;

struct model {
	struct model_config config;
	struct node_table *nodes;
	struct absent *absent;
	struct problems *problems;
	struct events *events;
	struct refresh *refresh;
	/* Set by wiring.c, so that files below need not know whose they are. */
	const struct provider *control;         /* of .bitbucketfs/ */
	const struct row_dir_special *specials; /* by enum resource_special */
	struct prefetch *prefetch;
	struct fetch_all *fetches;
	struct walk_all *walks;      /* of git/checkout */
	struct warm_all *warm;       /* of dirs/warm */
	struct hydrate *hydrate;     /* likewise; NULL: nothing comes unasked */
	struct ahead *ahead;         /* of git/ahead */
	struct lfs_places *lfs;      /* of git/lfs */
	struct large *large;         /* of git/large */
	struct large_counts *counts; /* of git/large_count */
	/* Of model_refresh. */
	int (*refresh_place)(struct ctx *, struct model *, const char *path,
			     struct buf *said);
	/* Of model_heard. */
	int (*heard)(struct ctx *, struct model *, const struct model_news *,
		     struct buf *said);
	/* checkout_heard, for git/lfs, which git/checkout calls. */
	void (*checkout_heard)(struct model *, struct node *);
	/* The read of git/lfs' files: git/large, which needs git/lfs. */
	int (*lfs_read)(struct ctx *, struct model *, struct node *,
			const struct lfs_pointer *, off_t offset, size_t n,
			struct model_data *ret_data);
	/* Of model_untrue. */
	void (*untrue)(struct model *, const char *key, const char *sentence);
	/* A file of a collection is being looked up. */
	void (*collection_seen)(struct ctx *, struct model *,
				struct node *collection);
	struct listed_all *listings;
	atomic_bool signed_out;
	atomic_int_fast64_t renewed_ms; /* clock_mono_ms: signed in anew */
	int64_t started_ms;             /* wall clock */
	bool started;                   /* kernel is set */
	struct model_kernel kernel;
	struct mutex lock; /* a leaf */
	/* Under lock: */
	struct rendered *rendered; /* by dirs/row_file: recent files */
	struct refs_watch *refs_watches;
};

/* Records a failure of a node among the problems, with the ctx's sentence.
 * (This and model_fill_entry: model.c, for model_dir.c.) */
int model_failed(struct model *, struct ctx *, const struct node *, int r);
/* Fills in a reply from what the node table told. */
void model_fill_entry(struct model *, const struct node_told *,
		      const struct found *, struct model_entry *entry);
/* -EIO for each of the errnos that are a server's fault (src/model/README.md,
 * 8), others as they are. */
int model_promised(int r);
/* Why reading from the store failed, for a sentence. */
const char *model_why(int r);
/* The node of a path below dir, made as the kernel's lookups would make it, but
 * not counted as the kernel's. *ret_node is a reference. -ENOENT. May wait. */
int model_resolve(struct ctx *, struct model *, struct node *dir,
		  const char *path, struct node **ret_node);
/* For the log: the ctx is for that operation on the node, or on a name in it
 * (NULL: none). */
void model_because(struct ctx *, const char *operation, const struct node *,
		   const char *name);
/* Telling the kernel of a change; before model_start nothing happens. */
void model_changed_entry(struct model *, const struct node *parent,
			 const char *name);
void model_changed_inode(struct model *, struct node *, bool content);
/* The newest listing is outdated: the next opener asks the provider. The kernel
 * is not told. */
void model_outdated(struct model *, struct node *dir);
/* Whether the directory was opened since the kernel knows it. */
bool model_was_opened(struct model *, struct node *dir);
/* Unlinks the child, if the table knows one, and tells the kernel of the name.
 */
void model_drop_child(struct model *, struct node *parent, const char *name);
/* A part of a blob as the answer to a READ; takes the blob's reference. */
int model_slice(struct blob *blob, off_t offset, size_t n,
		struct model_data *ret_data);

#endif
