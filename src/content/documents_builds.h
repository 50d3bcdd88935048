/*
 * content/documents, builds at a glance: see documents_builds.c.
 */
#ifndef CONTENT_DOCUMENTS_BUILDS_H
#define CONTENT_DOCUMENTS_BUILDS_H

#include "content/documents_private.h"

struct run;
struct documents_builds {
	struct documents *documents;
	char *repository; /* its key */
	struct run *runs; /* the newest of each commit */
	bool has_statuses;
};
/* key: of anything in the repository. Of what its builds are known by now, ""
 * of nothing; free it. */
char *documents_builds_mark(struct documents *, const char *key);
void documents_builds_init(struct documents_builds *, struct documents *,
			   const char *key);
void documents_builds_done(struct documents_builds *);
DEFINE_CLEANUP_DONE(struct documents_builds, documents_builds_done);
/* The item with what is at hand of its builds, as RESOURCE_BUILDS; NULL:
 * nothing is. scope: the list's. */
struct json *documents_builds_of(const struct documents_builds *,
				 const struct resource *, const struct scope *,
				 const struct json *item);
/* A list of statuses comes with the batch. */
void documents_builds_came(const struct scope *, const struct buf *list,
			   struct answer_batch *);

#endif
