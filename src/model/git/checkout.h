/*
 * model/git/checkout: private to tree/: the state behind one directory that shows a
 * tree, and what git.c needs of it.
 *
 * Three kinds: the default branch and any other ref are followed, so that what
 * the kernel knows moves with them; a commit is what it is for ever.
 */
#ifndef MODEL_GIT_CHECKOUT_H
#define MODEL_GIT_CHECKOUT_H

#include "model/provider.h"

struct git_fixed; /* git_commit.c: which commit, and who has it */

struct git_view {
	/* Fixed. */
	struct clone *clone;     /* a reference */
	char *ref;               /* NULL: the default branch, or a commit */
	struct git_fixed *fixed; /* NULL: a ref is followed */

	_Atomic(struct clone_line *) line; /* from the first look inside */
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

/* Takes fixed. ref as in clone_line. */
int git_view_new(struct model *, const struct node *repository, const char *ref,
		 struct git_fixed *fixed, struct git_view **ret_view);
/* Of provider_tree's nodes, whose data it is. */
bool git_view_same(const struct node_what *a, const struct node_what *b);
uint64_t git_view_hash(const struct node_what *what, uint64_t seed);
void git_view_free_data(void *data);
/* A directory that shows it; takes the view. */
void git_view_found(struct git_view *, int64_t mtime_ms, int64_t left_ms,
		    struct found *ret_found);
/* Somebody looks inside: the first look brings the head; after an idle hour (or
 * with a head from an earlier mount) the ref is waited for, at most 3 s. */
int git_view_ensure(struct ctx *, struct model *, struct node *tree);
/* Somebody uses what is known of the tree that a node is of. */
void git_view_heard(struct model *, struct node *);
bool git_view_is_shown(struct node *tree); /* somebody has looked inside */
/* Layout rule 4: the mtime of name (NULL: of dir itself) in dir. */
int64_t git_path_time_ms(const struct git_view *, const struct node *dir,
			 const struct node *tree, const char *name,
			 const struct oid *);

/* If the repository, which the node is below, told another name when git was
 * asked: its workspace's listing is asked for. */
void git_tell_renamed(struct model *, const struct node *, struct clone *);

/* git_commit.c. The node of the repository below which a node is. */
struct node *git_repository(struct node *);
struct git_fixed *git_fixed_free(struct git_fixed *);
bool git_fixed_same(const struct git_fixed *, const struct git_fixed *);
uint64_t git_fixed_hash(const struct git_fixed *, uint64_t seed);
/* Its id, whole; asks for it where only the first digits are known. */
int git_fixed_id(struct ctx *, struct model *, struct git_view *,
		 struct oid *ret_commit);
/* The same, if that needs no question. */
bool git_fixed_known_id(struct git_view *, struct oid *ret_commit);
/* Brings it. */
int git_fixed_get(struct ctx *, struct model *, struct git_view *,
		  struct clone_head *ret_head);

#endif
