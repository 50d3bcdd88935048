/*
 * content/documents, across a workspace: what is made of one list of each of
 * its repositories, of those lists that are at hand, without a request. What is
 * made is stored with what it was made of (a digest of the lists' versions and
 * ages) as its etag, and made anew when that is another one.
 */
#ifndef CONTENT_DOCUMENTS_ACROSS_H
#define CONTENT_DOCUMENTS_ACROSS_H

#include "content/documents_private.h"

#define DOCUMENTS_ACROSS_MS 1000 /* a list may come at any time */

struct documents_across {
	struct documents *documents;
	struct scope *listing;
	struct collection *repositories; /* NULL: they were not listed yet */
	const char *row;                 /* the list's */
	/* Lists at hand, how old the oldest and the newest are: wall clock. */
	size_t n_lists;
	int64_t oldest_ms, newest_ms;
	char mark[41];
};
/* Looks which lists are at hand. of: what else is part of the mark, or "";
 * also: adds what is, for each of these lists; or NULL. */
void documents_across_init(struct ctx *, struct documents_across *,
			   struct documents *, const char *workspace,
			   const char *row, const char *of,
			   void (*also)(const struct documents_across *,
					const char *repository_key,
					struct buf *));
void documents_across_done(struct documents_across *);
DEFINE_CLEANUP_DONE(struct documents_across, documents_across_done);
/* The key of a repository's document; free it. */
char *documents_across_key(const struct documents_across *, size_t i);
/* Its list, at hand, with its bytes; NULL. */
struct cache_entry *documents_across_list(const struct documents_across *,
					  size_t i);
/* The file under that key: as it is stored, else as `make` stores it, with the
 * mark as its etag, for one of all who want it. */
int documents_across_file(struct ctx *, const struct documents_across *,
			  const char *key, int (*make)(struct ctx *, void *arg),
			  void *arg, struct document_file *ret_file);

#endif
