/*
 * tree/provider: what stands behind a node. Private to tree/: the model hands a
 * request to the provider of its node.
 *
 * Implementations: forge (root, workspaces, repositories), meta (rows of the
 * resource table), git (trees), control (.bitbucketfs/).
 */
#ifndef TREE_PROVIDER_H
#define TREE_PROVIDER_H

#include "tree/model.h"
#include "tree/node.h"
#include "tree/problems.h"
#include "tree/refresh.h"

/* What a name in a directory is, before a node is made of it. */
struct found {
	struct node_what what; /* provider NULL: no such name */
	int64_t left_ms;       /* how long that is true */
	bool ask_attr;         /* attributes have another lifetime: attr() */
	bool checked;          /* `expect` holds the directory's object */
	struct oid expect;
};

/* Takes one name of a listing; false: enough. `found` NULL: attributes are not
 * known without waiting. */
typedef bool provider_emit(void *arg, const char *name, uint64_t cookie,
			   mode_t type, const struct found *found);

/* Calls may wait; they hold no lock. Members may be NULL where they cannot be
 * reached. */
struct provider {
	const char *name;
	/* -errno; an unknown name is 0 and found->what.provider NULL. */
	int (*lookup)(struct ctx *, struct model *, struct node *dir,
		      const char *name, struct found *ret_found);
	int (*list)(struct ctx *, struct model *, struct node *dir,
		    uint64_t after, bool plus, provider_emit *emit, void *arg);
	/* Before the attributes of this node are told: brings them up to date
	 * (NULL: they never change). */
	int (*attr)(struct ctx *, struct model *, struct node *,
		    int64_t *ret_left_ms, uint64_t *ret_size);
	int (*read)(struct ctx *, struct model *, struct node *, off_t offset,
		    size_t n, struct model_data *ret_data);
	int (*readlink)(struct ctx *, struct model *, struct node *,
			struct blob **ret_target);
	/* Identity by data; NULL: all of the provider are the same. */
	bool (*same_data)(const struct node_what *a, const struct node_what *b);
	uint64_t (*hash_data)(const struct node_what *what, uint64_t seed);
	void (*free_data)(void *data);
};

extern const struct provider provider_root, provider_workspace,
	provider_repository, provider_place, provider_meta, provider_stored,
	provider_link, provider_api, provider_tree, provider_git,
	provider_control, provider_snapshot, provider_errors, provider_refresh;

#define FOREVER_MS (INT64_C(3600) * 1000) /* the kernel's "long": an hour */

struct model {
	struct model_config config;
	struct node_table *nodes;
	struct problems *problems;
	struct refresh *refresh;
	struct ahead *ahead;
	int64_t started_ms;          /* wall clock */
	bool started;                /* kernel is set */
	_Atomic uint64_t root_shown; /* names: what the kernel last listed */
	struct model_kernel kernel;
	struct mutex lock;         /* a leaf */
	struct rendered *rendered; /* under lock: recent files of documents */
	size_t n_rendered;         /* under lock: bytes */
};

/* The node of a path below dir, made as the kernel's lookups would make it but
 * not counted as its; *ret_node is a reference. -ENOENT. May wait. */
int model_walk(struct ctx *, struct model *, struct node *dir, const char *path,
	       struct node **ret_node);
/* Telling the kernel; nothing before model_start. */
void model_changed_entry(struct model *, const struct node *parent,
			 const char *name);
void model_changed_inode(struct model *, const struct node *, bool content);
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
const struct repository_data *forge_repository(const struct node *);
const char *forge_workspace(const struct node *); /* its slug */
/* tree/ of a repository's node. */
int forge_found_tree(struct model *, struct node *repository,
		     struct found *ret_found);
/* What desktops, shells and version control look for in every directory: it is
 * refused unless a listing has it (layout rule 5). */
bool forge_is_probe(const char *name);
/* Background and on-demand refreshes: what changed, for people, adds to said
 * (may be NULL). */
int forge_refresh_root(struct ctx *, struct model *, struct buf *said);
int forge_refresh_workspace(struct ctx *, struct model *, const char *workspace,
			    struct buf *said);
int forge_refresh_repository(struct ctx *, struct model *,
			     const char *workspace, const char *name,
			     struct buf *said);

/* views: a workspace's listing is newer than before (NULL: there was none). */
void views_changed(struct model *, const char *workspace,
		   const struct catalog_repositories *before);

/* meta: a file made of a document. */
int meta_found(struct model *, const struct resource_file *,
	       const struct catalog_document *, struct found *ret_found);
void meta_forget_rendered(struct model *);

/* git: the view behind a repository's tree/. */
int git_view_new(struct model *, const struct node *repository,
		 struct git_view **ret_view);
struct git_view *git_view_free(struct git_view *);
/* Asks for the ref (max_age_ms as in clone_get_head) and moves what the kernel
 * knows; *ret_moved may be NULL. tree is the node of tree/. */
int git_view_check(struct ctx *, struct model *, struct node *tree,
		   int64_t max_age_ms, bool *ret_moved);
/* For the background: whether its ref is due to be asked again, ms until it
 * may be (INT64_MAX: not before somebody looks). */
int64_t git_view_due_ms(struct model *, struct node *tree);
void git_view_expire(struct node *tree); /* resumed from suspend */
bool git_view_commit(struct node *tree, struct oid *ret_commit);

/* status: the texts of .bitbucketfs. */
void status_text(struct model *, struct buf *out);
void status_json(struct model *, struct buf *out);
extern const char status_readme[];

#endif
