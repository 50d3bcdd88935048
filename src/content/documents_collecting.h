/*
 * content/documents, a collection while its items come: documents_collect.c has
 * what is made of them, documents_fetch.c where they come from.
 */
#ifndef CONTENT_DOCUMENTS_COLLECTING_H
#define CONTENT_DOCUMENTS_COLLECTING_H

#include "content/documents_builds.h"

#include "api/multipart.h"
#include "base/map.h"

struct taken {
	UT_hash_handle hh;
	char name[];
};

struct collecting {
	struct documents *documents;
	const struct resource *row;
	const struct scope *scope;
	struct json *names;  /* what is stored of the collection itself */
	struct json *whole;  /* of those whose row makes files of all */
	struct json *beside; /* the list that names are taken from; or NULL */
	char *mark;
	struct documents_builds builds; /* of a row that has them */
	char *builds_mark;              /* NULL: it has none */
	struct documents_index index;
	struct taken *taken; /* names */
	size_t n_items;
	bool is_full; /* the indexes have no room for more items */
	bool is_cut;  /* the list goes on where it cannot be followed */
	int64_t ttl_ms;
	int64_t newest_ms; /* of items that say their time; else 0 */
	int64_t most;      /* of a history, or when it is full */
	/* Not 0: made anew of that version of index.json. The documents of
	 * items stay as they are. */
	uint64_t again;
	struct answer_batch batch;
};

/* Before the list is asked for; ttl_ms is the caller's to set. */
void documents_collecting_init(struct collecting *, struct documents *,
			       const struct resource *, const struct scope *);
void documents_collecting_end(struct collecting *);
/* Of a row of parts: a file as it is, instead of an item. */
int documents_collect_part(void *collecting, const struct multipart_part *);
/* After the last item; or after the last part. */
int documents_collecting_store(struct ctx *, struct collecting *, bool more);
int documents_collecting_store_names(struct ctx *, struct collecting *,
				     bool more);

#endif
