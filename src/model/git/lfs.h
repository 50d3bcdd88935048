/*
 * model/git/lfs: files of a tree whose content is LFS content: which they are,
 * and their nodes. A tree without .gitattributes that have the word lfs pays a
 * look into a table for each small file, and nothing else.
 */
#ifndef MODEL_GIT_LFS_H
#define MODEL_GIT_LFS_H

#include "model/provider.h"

#include "clone/lfs.h"

extern const struct provider provider_lfs;

/* What the directories that were looked at last are governed by. */
struct lfs_places;
struct lfs_places *lfs_places_new(void);
struct lfs_places *lfs_places_free(struct lfs_places *);

/* Files of the directory may be LFS content, as far as is known. */
bool lfs_may_be_in(struct ctx *, struct model *, const struct node *dir,
		   const struct node *tree);
/* Files of a directory are looked at, one or several. Begins as zeros. */
struct lfs_looking {
	struct lfs_pointer pointer;   /* of the last one that is */
	struct clone_lfs_needs needs; /* of the last one that failed */
	struct clone_attributes *attributes_private;
	bool known_private;
};
void lfs_looking_done(struct lfs_looking *);
DEFINE_CLEANUP_DONE(struct lfs_looking, lfs_looking_done);
/* A regular file of a directory of the tree, by its name and its blob, which
 * has so many bytes: as clone_lfs_pointer. -ENOENT: needs says which blobs are
 * to be brought, then ask again. Never waits for the network. */
int lfs_look(struct ctx *, struct model *, const struct node *dir,
	     const struct node *tree, const char *name, const struct oid *blob,
	     uint64_t size, struct lfs_looking *);
/* Blobs that have to be here before files of the directory can be looked at. */
void lfs_look_ahead(struct ctx *, struct model *, const struct node *dir,
		    const struct node *tree, struct clone_lfs_needs *ret);
/* Makes of what lookup found (a file of git's) one whose content that is. */
void lfs_found(const struct lfs_pointer *, struct found *);
/* Of a node. NULL: its content is none. */
const struct lfs_pointer *lfs_pointer_of(const struct node *);

/* The tree has another root, with other .gitattributes: files of it that the
 * kernel knows, those of git's provider among them, and that are something else
 * by them, lose their names. */
void lfs_moved(struct model *, const struct node *tree,
	       const struct provider *git);

/* The files of a directory beside one whose content is LFS content, as they
 * are now: the node may go. NULL: none. */
struct lfs_beside;
struct lfs_beside *lfs_beside_new(struct ctx *, struct model *,
				  const struct node *file);
struct lfs_beside *lfs_beside_free(struct lfs_beside *);
/* The content of those whose pointers are here, at most n, those after the file
 * first: how many. Local. beside may be NULL. */
size_t lfs_beside_find(struct ctx *, const struct lfs_beside *,
		       struct lfs_pointer *ret, size_t n);

/* Blobs of the directory that may be pointers, by their size and what governs
 * them, and are not here, at most n: how many. */
size_t lfs_lacking(struct ctx *, struct model *, const struct node *dir,
		   const struct node *tree, struct oid *ret, size_t n);

#endif
