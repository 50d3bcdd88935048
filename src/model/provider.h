/*
 * model/provider: what stands behind a node: the model hands a request to the
 * provider of its node. And what providers use of the model: its state, telling
 * the kernel, recording a failure.
 *
 * Implementations are in model/dirs, model/git and model/stream; this knows
 * none of them, and neither do the model's other files but wiring.c.
 */
#ifndef MODEL_PROVIDER_H
#define MODEL_PROVIDER_H

#include "api/budget.h"
#include "clone/clone.h"
#include "content/catalog.h"
#include "content/documents.h"
#include "model/model.h"
#include "model/node.h"
#include "model/problems.h"
#include "model/work/refresh.h"

/* What a name in a directory is, before a node is made of it. */
struct found {
	struct node_what what; /* provider NULL: no such name */
	int64_t left_ms;       /* how long that is true */
	bool ask_attr;         /* attributes have another lifetime: attr() */
	bool checked;          /* `expect` holds the directory's object */
	struct oid expect;
};

/* What others ask a node's provider for what it is. */
enum provider_kind {
	PROVIDER_OTHER,
	PROVIDER_REPOSITORY, /* data: struct repository_data */
	PROVIDER_CHECKOUT,   /* the directory of the files at one commit */
};
/* What the kernel is told of its nodes when the machine slept: entries and
 * listings were promised for longer than they may be true. */
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
	/* Its files grow under their inodes (layout rule 10): a name that is
	 * looked up again tells the size that there is by now. */
	bool grows;
	/* -errno; an unknown name is 0 and found->what.provider NULL. */
	int (*lookup)(struct ctx *, struct model *, struct node *dir,
		      const char *name, struct found *ret_found);
	/*
	 * Brings the names of a directory, sealed. This is where it is heard
	 * that somebody looks; after it READDIR asks nobody. `newest` is the
	 * last one that was brought, if it is at hand (else NULL): a reference
	 * to it as the result says that it is still true. Not called while
	 * what the listing's left_ms says has not passed.
	 */
	int (*open)(struct ctx *, struct model *, struct node *dir,
		    struct dirlist *newest, struct dirlist **ret_listing);
	/* Before the attributes of this node are told: brings them up to date
	 * (NULL: they never change). Of a directory it never fails and never
	 * waits for the network: its error would come out of readdir(3). */
	int (*attr)(struct ctx *, struct model *, struct node *,
		    int64_t *ret_left_ms, uint64_t *ret_size);
	int (*read)(struct ctx *, struct model *, struct node *, off_t offset,
		    size_t n, struct model_data *ret_data);
	int (*readlink)(struct ctx *, struct model *, struct node *,
			struct blob **ret_target);
	/* Asks again for what is behind a directory, or a file in it (NULL: the
	 * directory itself), and tells the kernel what changed; what changed,
	 * for people, adds to said (may be NULL: in the background, where what
	 * is fresh is not asked for). NULL: nothing can be asked for. */
	int (*refresh)(struct ctx *, struct model *, struct node *dir,
		       struct node *file, struct buf *said);
	/* Of PROVIDER_CHECKOUT: whether it shows that commit for ever. */
	bool (*is_at)(const struct node *, const char *hash);
	/* A directory that may be found under another name, in another
	 * directory, and is the same one. NULL: none of the provider is. */
	bool (*roams)(const struct node_what *);
	/* Identity by data; NULL: all of the provider are the same. */
	bool (*same_data)(const struct node_what *a, const struct node_what *b);
	uint64_t (*hash_data)(const struct node_what *what, uint64_t seed);
	void (*free_data)(void *data);
	/* The model ends: what is kept for this provider goes. */
	void (*end)(struct model *);
};

/* `open` of a directory whose names are looked up alone. */
int provider_open_nothing(struct ctx *, struct model *, struct node *dir,
			  struct dirlist *newest, struct dirlist **ret_listing);
/* A line for people, if somebody asked: said may be NULL. */
void provider_say(struct buf *said, const char *fmt, ...) printf_like(2, 3);

#define FOREVER_MS (INT64_C(3600) * 1000) /* the kernel's "long": an hour */

struct prefetch;
struct row_dir_special;

struct model {
	struct model_config config;
	struct node_table *nodes;
	struct problems *problems;
	struct refresh *refresh;
	/* What wiring.c puts together, so that nobody below knows who it is. */
	const struct provider *control;         /* of .bitbucketfs/ */
	const struct row_dir_special *specials; /* by enum resource_special */
	struct prefetch *prefetch;
	/* Somebody looks for a file of a collection. */
	void (*collection_seen)(struct ctx *, struct model *,
				struct node *collection);
	struct dirlists *listings;
	int64_t started_ms; /* wall clock */
	bool started;       /* kernel is set */
	struct model_kernel kernel;
	struct mutex lock;         /* a leaf */
	struct rendered *rendered; /* under lock: recent files of documents */
	size_t n_rendered;         /* under lock: bytes */
	struct refs_watch *refs_watches; /* under lock */
};

/* model.c, for model_dir.c: a failure is recorded, with its sentence; an entry
 * of what was told of a node. */
int model_failed(struct model *, struct ctx *, const struct node *, int r);
/* What the layout calls a server's fault (rule 8), whichever way it failed; why
 * a store's read failed, for a sentence. */
int model_promised(int r);
const char *model_why(int r);
void model_fill_entry(struct model *, const struct node_told *,
		      const struct found *, struct model_entry *entry);
/* The node of a path below dir, made as the kernel's lookups would make it but
 * not counted as its; *ret_node is a reference. -ENOENT. May wait. */
int model_resolve(struct ctx *, struct model *, struct node *dir,
		  const char *path, struct node **ret_node);
/* Telling the kernel; nothing before model_start. */
void model_changed_entry(struct model *, const struct node *parent,
			 const char *name);
void model_changed_inode(struct model *, struct node *, bool content);
/* The listing at hand is outdated: whoever opens the directory next asks. The
 * kernel needs no word of it. */
void model_outdated(struct model *, struct node *dir);
/* Somebody has opened the directory since the kernel knows it. */
bool model_was_opened(struct model *, struct node *dir);
/* Unlinks the known child, if there is one, and tells of the name. */
void model_drop_child(struct model *, struct node *parent, const char *name);
/* A slice of a blob for read; takes the reference. */
int model_slice(struct blob *blob, off_t offset, size_t n,
		struct model_data *ret_data);

#endif
