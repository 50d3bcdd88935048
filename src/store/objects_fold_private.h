/*
 * store/objects_fold, inside: objects_fold.c has the order of the steps,
 * objects_fold_entries.c what is in the packs, objects_fold_write.c the new
 * one.
 */
#ifndef STORE_OBJECTS_FOLD_PRIVATE_H
#define STORE_OBJECTS_FOLD_PRIVATE_H

#include "objects_evict_private.h"
#include "pack_private.h"

struct fold_entry {
	struct oid oid;
	uint64_t offset, end;     /* in its pack */
	uint64_t place;           /* in the new one; 0: it is not written yet */
	struct fold_entry *first; /* the same object's that is written: this
				     one, or one of a pack before */
	unsigned depth; /* deltas down to a whole object, plus 1; 0: not known
			 */
};
struct fold_pack {
	char *name; /* without suffix */
	struct pack *pack;
	size_t from, n; /* its entries, in the order of offsets */
};
struct fold {
	struct ctx *ctx;
	struct objects *o;
	struct fold_pack *packs;
	size_t n_packs, room_packs;
	struct fold_entry *entries;
	size_t n_entries, room_entries;
	struct fold_entry **by_id; /* of one object those of packs before first
				    */
	size_t n_kept;             /* entries that are written */
	bool has_blobs;
};

/* Fills in what is in the packs. 1: one that cannot be copied was taken out of
 * them, so call it again; 0; -errno. */
int objects_fold_read(struct fold *);
/* The entry that is written of that object; NULL: none. */
struct fold_entry *objects_fold_find(const struct fold *, const struct oid *);
/* The entry of a pack that begins there; NULL: none. */
struct fold_entry *objects_fold_at(const struct fold *,
				   const struct fold_pack *, uint64_t offset);
/* What objects_fold_read filled in. */
void objects_fold_forget(struct fold *);

/* The new pack, here and synced; its name: free it. */
int objects_fold_write(struct fold *, char **ret_name);

#endif
