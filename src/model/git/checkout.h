/*
 * model/git/checkout: the state of one directory that shows the files of a
 * commit, and what checkout_files.c needs of it.
 *
 * Three kinds: the default branch and any other ref are followed, so that what
 * the kernel knows moves with them; a commit never changes.
 */
#ifndef MODEL_GIT_CHECKOUT_H
#define MODEL_GIT_CHECKOUT_H

#include "model/git/walk.h"
#include "model/provider.h"

#include "clone/lfs.h"

/* A reader waits at most so long for the server's word about a ref that is
 * shown already; then it is asked in the background. */
#define CHECKOUT_WAIT_MS 3000

extern const struct provider provider_tree, provider_git;

/* checkout_fixed.c: which commit, and which repositories may have it */
struct fixed_commit;

struct checkout {
	/* Fixed. */
	/* A reference. Of a submodule's directory NULL until somebody looks
	 * inside (checkout_submodule.c), then fixed; to be looked at under lock
	 * where that may not have been. */
	struct clone *clone;
	bool is_submodule;          /* it is fixed, too */
	char *ref;                  /* NULL: the default branch, or a commit */
	struct fixed_commit *fixed; /* NULL: a ref is followed */

	/* NULL before the first look inside */
	_Atomic(struct clone_tracking *) tracking;
	/* monotonic: when the kernel last asked for anything here */
	_Atomic int64_t heard_ms;
	/* monotonic: when the ref was last asked for */
	_Atomic int64_t asked_ms;
	/* wall: when the server gave the answer that is shown */
	_Atomic int64_t seen_ms;
	/* how often the background has asked since heard_ms */
	_Atomic unsigned n_quiet;
	_Atomic int64_t time_s; /* of the commit that is shown */
	/* monotonic: when it was last noted that a file was read */
	_Atomic int64_t noted_ms;
	/* Something of the commit is not here, or was not when somebody needed
	 * it: what programs do in the tree is looked at. */
	atomic_bool lacks;
	/* Not all of the commit could be brought for a walk, which then brings
	 * what it comes to. */
	atomic_bool too_large;
	/* Files that the server had lost, one after the other. */
	atomic_uint n_lost;
	/* monotonic: when the ref was asked for because of one; 0: never */
	_Atomic int64_t lost_ms;
	/* monotonic: before it nothing more of the commit comes in the
	 * background; INT64_MAX: it came, or is coming */
	_Atomic int64_t hydrate_ms;
	struct mutex lock;
	/* Under lock: */
	bool have;    /* a head is shown */
	bool expired; /* the machine slept: the next look asks */
	bool missing; /* the default branch is a name without a commit */
	struct clone_head head;
	bool is_nothing; /* of a submodule: there are no files to show */
	/* What the commit's .gitmodules says, of the blob that was read last;
	 * a reference, or NULL. */
	struct clone_submodules *submodules;
	struct oid submodules_blob;
};

/* fixed is taken, also on failure. ref as in clone_tracking. */
int checkout_new(struct model *, struct node *repository, const char *ref,
		 struct fixed_commit *fixed, struct checkout **ret_checkout);
/* Of a submodule, whose files all have this time. */
struct checkout *checkout_new_submodule(const struct oid *commit,
					int64_t time_ms);
/* same_data, hash_data and free_data of provider_tree, whose nodes' data a
 * checkout is. */
bool checkout_same(const struct node_what *a, const struct node_what *b);
uint64_t checkout_hash(const struct node_what *what, uint64_t seed);
void checkout_free_data(void *data);
/* What a directory is that shows the checkout; takes the checkout. */
void checkout_found(struct checkout *, int64_t mtime_ms, int64_t left_ms,
		    struct found *ret_found);
/* A program looks inside. The first look waits for the head. After an hour
 * without a look, or with a head from an earlier mount, the ref is asked for
 * again, and waited for at most 3 s. */
int checkout_ensure(struct ctx *, struct model *, struct node *tree);
/* A program uses what is known of the tree that the node is in: nothing is
 * asked for, but the tree goes on being followed. */
void checkout_heard(struct model *, struct node *);
bool checkout_is_shown(struct node *tree); /* somebody has looked inside */
/* src/model/README.md, 4: the mtime of name (NULL: of dir itself) in dir. */
int64_t checkout_path_time_ms(const struct checkout *, const struct node *dir,
			      const struct node *tree, const char *name,
			      const struct oid *);

/* checkout_move.c: what the kernel knows of a tree moves from one tree object
 * to another. Both are here; one that is not is -ENOENT. */
int checkout_move(struct model *, struct node *tree, const struct oid *from,
		  const struct oid *to);

/* Git was asked for the repository that the node is in: if the server named it
 * otherwise, the workspace's listing and the list of workspaces are asked for
 * again, in the background. */
void checkout_tell_renamed(struct model *, struct node *, struct clone *);

/* checkout_fixed.c */
/* A commit whose id is known, and which its clone's own repository has. */
struct fixed_commit *checkout_fixed_new(const struct oid *commit);
struct fixed_commit *checkout_fixed_free(struct fixed_commit *);
bool checkout_fixed_same(const struct fixed_commit *,
			 const struct fixed_commit *);
uint64_t checkout_fixed_hash(const struct fixed_commit *, uint64_t seed);
/* The commit's whole id without asking anybody. False: only its first digits
 * are known. */
bool checkout_fixed_known_id(struct checkout *, struct oid *ret_commit);
/* clone_bring, from where the commit is. */
int checkout_fixed_bring(struct ctx *, struct checkout *,
			 const struct oid *commit, const struct clone_need *);
/* provider_tree's is_at. */
bool checkout_fixed_is_at(const struct node *, const char *hash);
/* The commit, fetched if the store does not have it. */
int checkout_fixed_get(struct ctx *, struct model *, struct checkout *,
		       struct clone_head *ret_head);

/* A directory of the files at one commit, below any node of a repository.
 * Looking up its name fetches nothing; looking inside fetches the commit once.
 * Where the item may name another commit later, the caller shortens
 * ret_found->left_ms (an hour here): the other commit is another directory. */
struct resource;
struct scope;
struct checkout_target {
	const char *hash; /* 12 to 40 hex digits */
	/* A collection of commits with whole ids, this one probably among them:
	 * if the collection is in the cache, nobody is asked for the id. May be
	 * NULL. */
	const struct resource *commits;
	struct scope *commits_scope;
	/* Repositories that may have it, the likeliest (a fork) first; the
	 * repository itself is asked after them. Members may be NULL. */
	const struct clone_source *sources;
	size_t n_sources;
	/* A branch of the first source (without sources: of the repository
	 * itself) whose tip it probably is; or NULL. */
	const char *branch;
};
int checkout_fixed_found(struct ctx *, struct model *, struct node *dir,
			 const struct checkout_target *,
			 struct found *ret_found);

/* tree/ of a repository's node. */
int checkout_found_default(struct model *, struct node *repository,
			   struct found *ret_found);

/* Of provider_tree's node. Asks for the ref (max_age_ms as in
 * clone_tracking_get) and moves what the kernel knows to the new commit;
 * ret_moved may be NULL. */
int checkout_check(struct ctx *, struct model *, struct node *tree,
		   int64_t max_age_ms, bool *ret_moved);
bool checkout_commit(struct node *tree, struct oid *ret_commit);
/* What the program of ctx does in a directory of the tree, for model/git/walk:
 * it has opened it; it needs something in it that is not here, which tells how
 * far what is brought should reach (ret_top: the tree object below which; none:
 * all of the commit); that was brought. */
void checkout_opened(struct ctx *, struct model *, struct node *dir);
enum walk_reach checkout_needs(struct ctx *, struct model *, struct node *dir,
			       struct oid *ret_top);
void checkout_brought(struct ctx *, struct model *, const struct node *dir);
/* A file of it was read. Asks nobody, waits for nobody. */
void checkout_note_read(struct node *tree);
/* An object of the tree is not here: it was left out of what was fetched, or
 * evicted, or the store lost it or found it damaged. It is fetched. */
int checkout_bring(struct ctx *, struct model *, struct node *tree,
		   const struct clone_need *);
/* clone_bring, of what is shown. What the server has lost of it is -ENODATA,
 * and the ref is asked for, in the background. */
int checkout_bring_lacking(struct ctx *, struct model *, struct node *tree,
			   const struct clone_need *);
/* Bytes that may come for the cache at once: what the evictor leaves of it
 * (store/evict.c). 0: any number. */
uint64_t checkout_room(struct model *);
/* All below that tree object for who goes through it (none: all of the commit;
 * so, too, where that is most of it), as far as the cache has room: 1; 0: it
 * does not, what is needed has to be brought by itself. */
int checkout_bring_all(struct ctx *, struct model *, struct node *tree,
		       const struct oid *top);
/* All of it, whatever room there is. */
int checkout_fetch(struct ctx *, struct model *, struct node *in_tree);

/* checkout_hydrate.c */
void checkout_hydrate_start(struct model *);
/* Joins its thread, whose wait ends with the group. */
void checkout_hydrate_stop(struct model *);
/* A program looks into a directory of a tree, or reads a file in it or needs
 * its size. Asks nobody. */
void checkout_hydrate_note(struct ctx *, struct model *, struct node *dir,
			   bool reads);

/* checkout_look.c */
/* Not 0 in oid: -ENOENT means that this object of that directory is not here,
 * or what tells whether it is LFS content, not that the name does not exist. */
struct checkout_lost {
	struct oid dir, oid;
	struct clone_lfs_needs needs;
};
typedef int checkout_find(struct ctx *, struct model *, struct node *dir,
			  const char *name, struct found *ret_found,
			  struct checkout_lost *ret_lost);
/* find has lost something: it is brought, and found again, way after way. */
int checkout_look(struct ctx *, struct model *, struct node *dir,
		  struct node *tree, const char *name, checkout_find *,
		  struct found *ret_found, struct checkout_lost *);
/* The blob of that file, or all that a walk will read. */
int checkout_look_read(struct ctx *, struct model *, struct node *tree,
		       struct node *file);

/* checkout_sizes.c: sizes in that directory (its tree's oid) are not known, and
 * git does not tell them: asks the service for those of the largest files,
 * once. One request to the API. 0, also when that was in vain; -errno of a ctx
 * that is cancelled. */
int checkout_ask_sizes(struct ctx *, struct model *, struct node *dir,
		       struct node *tree, const struct oid *);

/* checkout_next.c: the files of the directory after that one, in its order,
 * that are not here, as many as are worth bringing along. How many. */
#define CHECKOUT_NEXT 256
size_t checkout_next(struct ctx *, struct model *, struct node *dir,
		     const struct oid *file,
		     struct oid next[static CHECKOUT_NEXT]);

#endif
