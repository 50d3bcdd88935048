/*
 * model/git/checkout: private to tree/: the state behind one directory that
 * shows a tree, and what git.c needs of it.
 *
 * Three kinds: the default branch and any other ref are followed, so that what
 * the kernel knows moves with them; a commit is what it is for ever.
 */
#ifndef MODEL_GIT_CHECKOUT_H
#define MODEL_GIT_CHECKOUT_H

#include "model/provider.h"

extern const struct provider provider_tree, provider_git;

struct fixed_commit; /* checkout_fixed.c: which commit, and who has it */

struct checkout {
	/* Fixed. */
	struct clone *clone;        /* a reference */
	char *ref;                  /* NULL: the default branch, or a commit */
	struct fixed_commit *fixed; /* NULL: a ref is followed */

	_Atomic(struct clone_tracking *) line; /* from the first look inside */
	_Atomic int64_t heard_ms; /* monotonic: the kernel last asked */
	_Atomic int64_t asked_ms; /* monotonic: the ref was last asked for */
	_Atomic int64_t seen_ms;  /* wall: the server's answer we know of */
	_Atomic unsigned n_quiet; /* asked behind since the kernel asked */
	_Atomic int64_t time_s;   /* of a commit that is shown */
	struct mutex lock;
	struct cond idle;
	bool have, moving, expired; /* under lock */
	bool missing; /* under lock: the default branch is a name alone */
	struct clone_head head; /* under lock */
};

/* Takes fixed. ref as in clone_tracking. */
int checkout_new(struct model *, struct node *repository, const char *ref,
		 struct fixed_commit *fixed, struct checkout **ret_view);
/* Of provider_tree's nodes, whose data it is. */
bool checkout_same(const struct node_what *a, const struct node_what *b);
uint64_t checkout_hash(const struct node_what *what, uint64_t seed);
void checkout_free_data(void *data);
/* A directory that shows it; takes the view. */
void checkout_found(struct checkout *, int64_t mtime_ms, int64_t left_ms,
		    struct found *ret_found);
/* Somebody looks inside: the first look brings the head; after an idle hour (or
 * with a head from an earlier mount) the ref is waited for, at most 3 s. */
int checkout_ensure(struct ctx *, struct model *, struct node *tree);
/* Somebody uses what is known of the tree that a node is of. */
void checkout_heard(struct model *, struct node *);
bool checkout_is_shown(struct node *tree); /* somebody has looked inside */
/* Layout rule 4: the mtime of name (NULL: of dir itself) in dir. */
int64_t checkout_path_time_ms(const struct checkout *, const struct node *dir,
			      const struct node *tree, const char *name,
			      const struct oid *);

/* If the repository, which the node is below, told another name when git was
 * asked: its workspace's listing is asked for. */
void checkout_tell_renamed(struct model *, struct node *, struct clone *);

/* checkout_fixed.c */
struct fixed_commit *checkout_fixed_free(struct fixed_commit *);
bool checkout_fixed_same(const struct fixed_commit *,
			 const struct fixed_commit *);
uint64_t checkout_fixed_hash(const struct fixed_commit *, uint64_t seed);
/* Its id, whole; asks for it where only the first digits are known. */
int checkout_fixed_id(struct ctx *, struct model *, struct checkout *,
		      struct oid *ret_commit);
/* The same, if that needs no question. */
bool checkout_fixed_known_id(struct checkout *, struct oid *ret_commit);
/* provider_tree's is_at. */
bool checkout_fixed_is_at(const struct node *, const char *hash);
/* Brings it. */
int checkout_fixed_get(struct ctx *, struct model *, struct checkout *,
		       struct clone_head *ret_head);

/*
 * A directory of the files at one commit, below any node of a repository.
 * Looking the name up fetches nothing; looking inside does, once. Lookups may
 * shorten ret_found->left_ms (an hour) where the commit may become another:
 * that one is another directory.
 */
struct resource;
struct scope;
struct checkout_target {
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
int checkout_fixed_found(struct ctx *, struct model *, struct node *dir,
			 const struct checkout_target *,
			 struct found *ret_found);

/* tree/ of a repository's node. */
int checkout_found_default(struct model *, struct node *repository,
			   struct found *ret_found);

/* Of the node of a tree. Asks for the ref (max_age_ms as in
 * clone_tracking_get) and moves what the kernel knows; *ret_moved may be NULL.
 */
int checkout_check(struct ctx *, struct model *, struct node *tree,
		   int64_t max_age_ms, bool *ret_moved);
bool checkout_commit(struct node *tree, struct oid *ret_commit);

#endif
