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

struct fixed_commit; /* fixed_commit.c: which commit, and who has it */

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
int checkout_new(struct model *, const struct node *repository, const char *ref,
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
void checkout_tell_renamed(struct model *, const struct node *, struct clone *);

/* fixed_commit.c. The node of the repository below which a node is. */
struct node *checkout_repository(struct node *);
struct fixed_commit *fixed_commit_free(struct fixed_commit *);
bool fixed_commit_same(const struct fixed_commit *,
		       const struct fixed_commit *);
uint64_t fixed_commit_hash(const struct fixed_commit *, uint64_t seed);
/* Its id, whole; asks for it where only the first digits are known. */
int fixed_commit_id(struct ctx *, struct model *, struct checkout *,
		    struct oid *ret_commit);
/* The same, if that needs no question. */
bool fixed_commit_known_id(struct checkout *, struct oid *ret_commit);
/* Brings it. */
int fixed_commit_get(struct ctx *, struct model *, struct checkout *,
		     struct clone_head *ret_head);

#endif
