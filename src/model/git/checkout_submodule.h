/*
 * model/git/checkout_submodule: what the entry of a submodule is in the tree
 * that has it, as -o submodules says: an empty directory (checkout_files), a
 * symbolic link to its files elsewhere in the mount, or a directory of its
 * files: a checkout of its own.
 */
#ifndef MODEL_GIT_CHECKOUT_SUBMODULE_H
#define MODEL_GIT_CHECKOUT_SUBMODULE_H

#include "model/provider.h"

/* A tree in a tree in a tree …: so many at most. */
#define SUBMODULE_DEPTH 8

/* What the commit that the tree shows says of its submodules. local: only what
 * is here. -ENOENT: the tree shows nothing, or (local) that is not here. */
int checkout_submodule_all(struct ctx *, struct model *, struct node *tree,
			   bool local, struct clone_submodules **ret);

/* What such an entry is; asks nobody. link: of one that is a link its target,
 * else NULL. */
void checkout_submodule_found(const struct model *, const struct oid *commit,
			      const char *link, int64_t mtime_ms,
			      struct found *ret_found);

/* ---- directories of files ---- */

/* Of such a directory's node: whose files they are, and the commit itself, as
 * clone_get_commit. Of what is no repository of this service, or too deep, the
 * head is empty. -EACCES: it may not be read; the errors of both. */
int checkout_submodule_get(struct ctx *, struct model *, struct node *tree,
			   struct clone_head *ret_head);
/* Its first half. */
int checkout_submodule_enter(struct ctx *, struct model *, struct node *tree);
/* The head, if all of that was done; -ENOENT. */
int checkout_submodule_known(struct checkout *, struct clone_head *ret_head);
/* The tree shows another commit than `from` by now (a tree object; NULL: it
 * showed nothing): what is made of its .gitmodules is made anew. */
void checkout_submodule_moved(struct model *, struct node *tree,
			      const struct oid *from, const struct oid *to);

/* ---- links ---- */

/* Of a directory those submodules that are links, by their positions in its
 * list; NULL: none is. */
struct submodule_link {
	size_t index;
	char *target;
};
struct submodule_links {
	struct submodule_link *links;
	size_t n;
};
struct submodule_links *checkout_submodule_links_free(struct submodule_links *);
DEFINE_CLEANUP(struct submodule_links *, checkout_submodule_links_free);
/* A link leads to a repository that is known by what is at hand. May bring the
 * .gitmodules; what cannot be brought makes no links. only: that entry
 * alone; NULL: all. */
struct submodule_links *checkout_submodule_links(struct ctx *, struct model *,
						 struct node *dir,
						 struct node *tree,
						 const struct tree_list *,
						 const struct tree_entry *only);
bool checkout_submodule_is_any(const struct tree_list *);
bool checkout_submodule_links_same(const struct submodule_links *,
				   const struct submodule_links *);
/* Of a listing with these links. */
uint64_t checkout_submodule_links_version(const struct submodule_links *,
					  uint64_t version);
/* NULL: that is none. */
const char *checkout_submodule_link_at(const struct submodule_links *,
				       size_t index);

/* ---- for people ---- */

/* "ws/slug/commits/ID/tree"; nothing is added for what has no place here. */
void checkout_submodule_place(const struct clone_submodule *,
			      const struct oid *commit, struct buf *out);

#endif
