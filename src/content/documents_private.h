/*
 * content/documents, inside: what its files share.
 *
 * Keys in the cache, with K a scope's key ("repo/{uuid}/pullrequests"):
 *   K            an object, a text, or a collection's names (collection.c)
 *   K#<file>     a file of a collection, as the mount shows it
 *   K/@<id>      an item of it, compact; of rows beside the items (merged/)
 *                under the key of the row above, so that an item has one
 */
#ifndef CONTENT_DOCUMENTS_PRIVATE_H
#define CONTENT_DOCUMENTS_PRIVATE_H

#include "content/answer_private.h"
#include "content/documents.h"
#include "store/flight.h"

#include "base/lru.h"

#define N_COLLECTIONS 8 /* kept decoded */
#define MANY_ITEMS 20   /* more leave a heap behind that is worth trimming */
#define FINAL_MS (INT64_C(10) * 365 * 24 * 3600 * 1000)
#define REFUSED_MS (INT64_C(5) * 60 * 1000)

struct documents {
	struct documents_config config;
	struct flight *making; /* of what is made without the network */
	struct lru kept;       /* decoded collections, by key */
	struct mutex lock;
	/* Under lock: more of a history could not be had; clock_mono_ms. */
	int64_t no_more_until_ms;
};

struct documents_fetch {
	struct documents *documents;
	const struct resource *row;
	const struct scope *scope;
	const char *id; /* of an item */
	bool anew;      /* READ_ANEW */
};

char *documents_item_key(const struct resource *, const struct scope *,
			 const char *id);
/* After a failure with that status: remembered as the answer (0) where nothing
 * better is known and asking again soon is of no use, else r. */
int documents_refused(struct ctx *, struct documents *, const char *key,
		      const struct cache_entry *old, int r, long status);
/* documents_direct: the path to which the row's endpoint would redirect, from
 * the item that it is in, and how long that can be believed. NULL: the endpoint
 * itself has to be asked; likewise after an answer that _failed. */
char *documents_direct(struct ctx *, const struct documents_fetch *,
		       const struct cache_entry *old, int64_t *ret_left_ms);
bool documents_direct_failed(struct ctx *, long status);

/* documents_collect: what source calls for a collection. */
read_through_fetch documents_fetch_collection;
struct collecting;
/* One item, in the order of the index. */
int documents_collect_item(struct collecting *, const struct json *item);
/* One that is not of this collection (any more): its document alone. */
void documents_collect_other(struct collecting *, const struct json *item);
/* documents_update: the items of a dated collection from what is stored and
 * what was changed since. 1: it has to be walked whole; 0; -errno. */
int documents_update(struct ctx *, struct documents_fetch *, const char *path,
		     const struct cache_entry *old, struct collecting *,
		     bool *ret_more);
/* An item as jq prints it inside of an array, which began with "[". */
void documents_add_indented(struct buf *out, const struct json *item);
int collection_decode(const char *text, size_t n, struct collection **ret);

#endif
