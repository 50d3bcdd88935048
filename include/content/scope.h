/*
 * content/scope: where a row of the resource table is meant.
 *
 * Must never know what is stored there. Immutable and counted; nothing waits.
 */
#ifndef CONTENT_SCOPE_H
#define CONTENT_SCOPE_H

#include "base/sync.h"
#include "table/resource.h"

/* Where a row is meant: what its endpoint's placeholders stand for, and the
 * key that its things have in the cache. Immutable, counted. */
#define SCOPE_IDS 3
struct scope {
	struct refcount refcount;
	char *workspace; /* its name in the mount; "" outside of one */
	char *slug;      /* the service's name of it */
	/* What paths call them: uuids, or slugs where nobody told these. */
	char *workspace_id, *repository_id;
	char *key;
	char *ids[SCOPE_IDS]; /* of items, outermost first */
	unsigned n_ids;
};
struct scope *scope_new(const char *key, const char *workspace,
			const char *slug, const char *workspace_id,
			const char *repository_id);
/* One that is another thread's. */
struct scope *scope_copy(const struct scope *);
struct scope *scope_below(const struct scope *, const char *row_name);
/* Of an item of that row's collection, whose scope this is. */
struct scope *scope_item(const struct scope *, const struct resource *row,
			 const char *id);
/* The key of that item's document in the cache; free it. */
char *scope_item_key(const struct resource *, const struct scope *collection,
		     const char *id);
struct scope *scope_ref(struct scope *);
struct scope *scope_unref(struct scope *);
DEFINE_CLEANUP(struct scope *, scope_unref);

#endif
