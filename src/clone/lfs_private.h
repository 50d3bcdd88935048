/*
 * clone/lfs, inside: where objects of LFS are. lfs_places.c has what is known
 * of that, lfs_batch.c asks the server, lfs_answer.c reads what it says.
 */
#ifndef CLONE_LFS_PRIVATE_H
#define CLONE_LFS_PRIVATE_H

#include "clone/clone_private.h"
#include "clone/lfs.h"

#define LFS_TYPE "application/vnd.git-lfs+json"

/* What a batch says of one object. */
struct lfs_said {
	const struct lfs_pointer *pointer;
	int r; /* -ENOENT: the server has it not; -EIO … */
	char sentence[300];
	struct http_place place; /* of 0 */
	int64_t until_ms;        /* clock_mono_ms */
};
void lfs_said_done(struct lfs_said *, size_t n);

/* Where an LFS server answers, and what it is asked with. */
struct lfs_server {
	struct http_place place; /* url: ".../info/lfs" */
	int64_t until_ms;        /* clock_mono_ms: of what SSH said */
	bool authorized;         /* with the credential */
};
void lfs_server_done(struct lfs_server *);
DEFINE_CLEANUP_DONE(struct lfs_server, lfs_server_done);

/* lfs_places.c: what SSH said of that server a while ago. */
bool lfs_server_recall(struct clone *, const struct clone_server *,
		       struct lfs_server *ret);
void lfs_server_note(struct clone *, const struct lfs_server *); /* NULL: none
								  */

/* The first object, and others if the server takes so many, by one request. 0:
 * each has its word; else none has. */
int lfs_batch(struct ctx *, struct clone *, struct lfs_said *, size_t n);

/* lfs_answer.c: of objects that are asked for, by n_body bytes of an answer.
 * may_be_here: as http_place's. */
int lfs_answer_read(struct ctx *, const char *body, size_t n_body,
		    bool may_be_here, struct lfs_said *, size_t n);
/* What `git-lfs-authenticate` printed. */
int lfs_answer_read_ssh(struct ctx *, const char *text, size_t n,
			struct lfs_server *ret);
/* The message of an answer that is a refusal, a stranger's words. */
void lfs_answer_message(const char *body, size_t n, char *out, size_t size);

#endif
