/*
 * clone/lfs: files of a tree whose content is not in git but in LFS: what the
 * blob of such a file says (a pointer), and which files they are.
 *
 * Must never know nodes, streams.
 */
#ifndef CLONE_LFS_H
#define CLONE_LFS_H

#include "clone/clone.h"

/* What a pointer says of the content. */
struct lfs_pointer {
	unsigned char oid[32]; /* its SHA-256 */
	uint64_t size;         /* at most INT64_MAX */
};
/* Blobs of fewer bytes, or of so many and more, are no pointers. */
#define LFS_POINTER_LEAST 100
#define LFS_POINTER_LIMIT 1024
/* A valid pointer, as git-lfs reads one (its lfs/pointer.go): 0; -EBADMSG. One
 * with extensions whose content is not empty is -EBADMSG, too: what the file
 * has is known only after programs of the user's, and git-lfs itself leaves
 * the pointer where it has not got them. Local. */
int lfs_pointer_parse(const void *data, size_t n, struct lfs_pointer *ret);
/* 64 digits. Returns out. */
char *lfs_oid_hex(const struct lfs_pointer *, char out[static 65]);

#define CLONE_ATTRIBUTES ".gitattributes"
/* The .gitattributes from the root of a tree down to one of its directories.
 * Immutable, counted. */
struct clone_attributes;
struct clone_attributes *clone_attributes_ref(struct clone_attributes *);
struct clone_attributes *clone_attributes_unref(struct clone_attributes *);
DEFINE_CLEANUP(struct clone_attributes *, clone_attributes_unref);
/* False: no file of the directory can be LFS content. */
bool clone_attributes_have_lfs(const struct clone_attributes *);

/* Blobs that are not here. */
#define CLONE_LFS_NEEDS 16
struct clone_lfs_needs {
	struct oid oids[CLONE_LFS_NEEDS];
	size_t n;
};
/* Of the directory at that path ("" is the root itself) of the tree root. 0;
 * -ENOENT: the blobs in ret_needs are not here, of many some (none: a tree is
 * not); -EINTR; the store's errors. Local. */
int clone_attributes_get(struct ctx *, struct clone *, const struct oid *root,
			 const char *path, struct clone_attributes **ret,
			 struct clone_lfs_needs *ret_needs);
/* The same of a directory of that one, without looking at what is above. */
int clone_attributes_below(struct ctx *, struct clone *,
			   const struct clone_attributes *, const char *name,
			   struct clone_attributes **ret,
			   struct clone_lfs_needs *ret_needs);
/* What a regular file of that directory is, by its name and its blob: 1, LFS
 * content; 0, what git has; -ENOENT: the blob is not here; others as above.
 * Local. */
int clone_lfs_pointer(struct ctx *, struct clone *,
		      const struct clone_attributes *, const char *name,
		      const struct oid *blob, struct lfs_pointer *ret);

/* One request asks for so many objects at most. */
#define LFS_BATCH 100
/*
 * Where the content is, as the LFS server of the repository says (of git_url's,
 * then of git_fallback's): known, or by one request, which asks for the first
 * LFS_BATCH - 1 of `also` as well. All who want the same wait for one. Not the
 * place of that url (NULL: any), which was refused. -ENOENT the server has not
 * got it; -EACCES; -EDQUOT it gives no more; -EIO; -EPERM what it names may not
 * be asked; as http_perform, and as ssh where git is asked by it.
 */
int clone_lfs_place(struct ctx *, struct clone *, const struct lfs_pointer *,
		    const struct lfs_pointer *also, size_t n_also,
		    const char *refused, struct http_place *ret_place);
/* That is known: nobody would be asked. Local. */
bool clone_lfs_is_placed(struct clone *, const struct lfs_pointer *);

#endif
