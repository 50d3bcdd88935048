/*
 * store/objects_evict, inside: objects_evict.c has the order of the steps,
 * objects_evict_reach.c what commits lead to, objects_evict_packs.c which packs
 * go.
 */
#ifndef STORE_OBJECTS_EVICT_PRIVATE_H
#define STORE_OBJECTS_EVICT_PRIVATE_H

#include "objects_private.h"

#include "base/map.h"

/* Of an object. */
enum evict_kind {
	EVICT_COMMIT,
	EVICT_TREE,
	EVICT_BLOB,
	EVICT_LINK,
	EVICT_ATTRIBUTES /* a .gitattributes */
};
struct evict_member {
	struct oid oid;
	enum evict_kind kind;
	unsigned n_packs; /* of those that stay, how many have it; of what is in
			   * rest: promisor packs, if parts go */
	bool goes;        /* a pack that goes has it */
	UT_hash_handle hh;
};
struct evict_pack {
	char *name; /* without suffix */
	uint64_t size;
	int64_t came_ms; /* wall clock */
};
struct eviction {
	struct ctx *ctx;
	struct objects *o;
	struct objects_handle *h;
	int64_t before_ms;
	bool is_of_parts;      /* objects_evict_parts; then: */
	uint64_t n_bytes_most; /* so much is enough */
	struct oid *cold;      /* commits whose blobs go */
	size_t n_cold, room_cold;
	struct evict_member *warm; /* all that must stay as it is */
	struct evict_member *rest; /* what else the other commits lead to */
	struct evict_pack *packs;  /* that go */
	size_t n_packs, room_packs;
};

/* Of a set; NULL: it is not in it. */
struct evict_member *objects_evict_find(struct evict_member *set,
					const struct oid *);
/* Fills in cold, warm and rest. 0 or -errno; what is missing is left out. */
int objects_evict_reach(struct eviction *);
void objects_evict_reach_done(struct eviction *);

/* Fills in packs: those go whose objects need not stay as they are, or are in
 * another pack that stays. Of what they have besides, nothing is lost: it is
 * written anew, or nobody leads to it. */
int objects_evict_choose(struct eviction *);
void objects_evict_choose_done(struct eviction *);
/* False: what would go is the pack of an earlier eviction, which has nothing to
 * spare. */
bool objects_evict_is_worth(const struct eviction *);
/* Whether the store has another pack than that of an earlier eviction. */
bool objects_evict_has_spare(const char *path);
/* Removes them. kept (may be NULL): the pack that was just written, which has
 * the name of one that was to go if it has the same objects. Adds what went. */
int objects_evict_remove(struct eviction *, const char *kept,
			 uint64_t *ret_freed);
/* Removes a file; the bytes that it had. */
uint64_t objects_evict_unlink(const char *path);

/* evict.lock: LOCK_SH, nothing is evicted; LOCK_EX, nothing is fetched either.
 * -EBUSY, at once. To be closed. */
int objects_evict_lock(const char *path, int how, int *ret_fd);

/* The packs of a store, the largest first; objects_packs_free. */
int objects_packs_list(const char *store, struct evict_pack **ret_packs,
		       size_t *ret_n);
void objects_packs_free(struct evict_pack *packs, size_t n);
/* What its objects lead to may be missing (gitformat-pack). */
bool objects_pack_is_promisor(const char *store, const char *name);
bool objects_pack_has_no_blobs(const char *store, const char *name);
/* The store's lock is held. The index goes first: without it the pack is not
 * seen. Adds the bytes that went. */
int objects_pack_remove(const struct objects *, const char *name,
			uint64_t *ret_freed);

#endif
