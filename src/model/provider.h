/*
 * model/provider: what stands behind a node. Private to tree/: the model hands
 * a request to the provider of its node.
 *
 * Implementations: forge (root, workspaces, repositories), meta (rows of the
 * resource table), git (trees), control (.bitbucketfs/).
 */
#ifndef MODEL_PROVIDER_H
#define MODEL_PROVIDER_H

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

/* Calls may wait; they hold no lock. Members may be NULL where they cannot be
 * reached. */
struct provider {
	const char *name;
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
	/* A directory that may be found under another name, in another
	 * directory, and is the same one. NULL: none of the provider is. */
	bool (*roams)(const struct node_what *);
	/* Identity by data; NULL: all of the provider are the same. */
	bool (*same_data)(const struct node_what *a, const struct node_what *b);
	uint64_t (*hash_data)(const struct node_what *what, uint64_t seed);
	void (*free_data)(void *data);
};

extern const struct provider provider_root, provider_workspace,
	provider_repository, provider_row_dir, provider_meta, provider_stored,
	provider_link, provider_nowhere, provider_api, provider_tree,
	provider_git, provider_refs, provider_control, provider_snapshot,
	provider_errors, provider_refresh, provider_step_log, provider_download;

/* `open` of a directory whose names are looked up alone. */
int provider_open_nothing(struct ctx *, struct model *, struct node *dir,
			  struct dirlist *newest, struct dirlist **ret_listing);
/* A line for people, if somebody asked: said may be NULL. */
void provider_say(struct buf *said, const char *fmt, ...) printf_like(2, 3);

#define FOREVER_MS (INT64_C(3600) * 1000) /* the kernel's "long": an hour */

struct model {
	struct model_config config;
	struct node_table *nodes;
	struct problems *problems;
	struct refresh *refresh;
	struct prefetch *prefetch;
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

/* forge: of a repository's node. */
struct repository_data {
	char *workspace; /* slug */
	struct catalog_repository repository;
};
const struct repository_data *hierarchy_repository(const struct node *);
/* What paths call it: its uuid, or its slug where nobody told that. */
const char *hierarchy_repository_id(const struct repository_data *);
const char *hierarchy_workspace(const struct node *); /* its slug */
/* tree/ of a repository's node. */
int hierarchy_found_tree(struct model *, struct node *repository,
			 struct found *ret_found);
/* What desktops, shells and version control look for in every directory: it is
 * refused unless a listing has it (layout rule 5). */
bool hierarchy_is_probe(const char *name);
/* Background and on-demand refreshes: what changed, for people, adds to said
 * (may be NULL). */
int hierarchy_refresh_root(struct ctx *, struct model *, struct buf *said);
int hierarchy_refresh_workspace(struct ctx *, struct model *,
				const char *workspace, struct buf *said);
int hierarchy_refresh_repository(struct ctx *, struct model *,
				 const char *workspace, const char *name,
				 struct buf *said);

/* views: a workspace's listing is newer than before (NULL: there was none). */
void repository_lists_changed(struct model *, const char *workspace,
			      const struct catalog_repositories *before);

/* meta: a file made of a document. */
int meta_found(struct model *, const struct resource_file *,
	       const struct catalog_document *, struct found *ret_found);
void meta_forget_rendered(struct model *);

/*
 * git: a directory of the files at one commit, below any node of a repository.
 * Looking the name up fetches nothing; looking inside does, once. Lookups may
 * shorten ret_found->left_ms (an hour) where the commit may become another:
 * that one is another directory.
 */
struct resource;
struct scope;
struct git_commit_target {
	const char *hash; /* 12 to 40 hex digits */
	/* A collection whose items' ids are whole, this commit's among them: if
	 * it is at hand nobody is asked for the id. NULL: there is none. */
	const struct resource *commits;
	struct scope *commits_scope;
	/* Who has it, first where it should be (a fork); the repository itself
	 * is tried after them. Members may be NULL: passed over. */
	const struct clone_source *sources;
	size_t n_sources;
	/* A branch of the first source (of the repository itself, if there is
	 * none) whose tip it probably is; or NULL. */
	const char *branch;
};
int fixed_commit_found(struct ctx *, struct model *, struct node *dir,
		       const struct git_commit_target *,
		       struct found *ret_found);
/* Whether the node is such a directory, of that commit. */
bool fixed_commit_is(const struct node *, const char *hash);

/* "refs/heads/feature/x" as the mount calls it: "branches/feature/x"; any other
 * name part by part. Adds to out. */
void refs_path(struct buf *out, const char *ref);
/* refs: the names in branches/ or tags/, whatever the directory is otherwise,
 * as provider's members. One ls-refs (none within ttl), never a fetch. */
int refs_lookup(struct ctx *, struct model *, struct node *dir,
		enum clone_ref_kind kind, const char *name,
		struct found *ret_found);

/* refresh/…/PATH/.now for the paths in a repository that git answers (tree,
 * branches, tags): asks again, adds to said what changed. repository NULL: the
 * kernel does not know it. */
bool git_refresh_is_path(const char *path);
int git_refresh_path(struct ctx *, struct model *, struct node *repository,
		     const char *workspace, const char *name, const char *path,
		     struct buf *said);

/* git: of the node of a tree. Asks for the ref (max_age_ms as in
 * clone_tracking_get) and moves what the kernel knows; *ret_moved may be NULL.
 */
int checkout_check(struct ctx *, struct model *, struct node *tree,
		   int64_t max_age_ms, bool *ret_moved);
/* For the background: whether its ref is due to be asked again, ms until it
 * may be (INT64_MAX: not before somebody looks). */
int64_t checkout_due_ms(struct model *, struct node *tree);
void checkout_expire(struct node *tree); /* resumed from suspend */
bool checkout_commit(struct node *tree, struct oid *ret_commit);

/* status: the texts of .bitbucketfs. */
void status_text(struct model *, struct buf *out);
void status_json(struct model *, struct buf *out);
extern const char status_readme[];

#endif
