/*
 * Trees and middling blobs that were read lately, for the whole process: the
 * bound is the process's memory, however many repositories are open. Keyed by
 * store and oid, because what one store has says nothing of another.
 *
 * Large trees have a room of their own, in which the newest stays however large
 * it is: otherwise each name that is looked up in a directory of 100,000 would
 * have all of them inflated and parsed again.
 *
 * What nobody used for a minute goes: a walk leaves nothing behind.
 *
 * What is kept is read by one thread for all who want it at the time: a tree of
 * 100,000 names takes a second to inflate and to parse.
 */
#include "objects_private.h"

#include "store/flight.h"
#include "store/tree_list.h"

#include "base/lru.h"

#include <inttypes.h>

#define UNUSED_MS (60 * 1000)
/* Bytes whose end is worth a look at all of the heap. */
#define MUCH (256 * KIB)
#define ENTRY_BYTES 128 /* what each takes beside its value, about */

/* The store first: objects_keep_forget forgets all that begins with it. */
struct kept_key {
	unsigned char bytes[sizeof(uint64_t) + sizeof(struct oid)];
};

static struct lru keepers[N_KEPT];
static struct flight *reads[N_KEPT];

static const size_t most[N_KEPT] = {
	[KEPT_TREES] = MIB,
	[KEPT_LARGE_TREES] = 64 * MIB,
	[KEPT_BLOBS] = 16 * MIB,
};

static void *ref_tree(void *value)
{
	return tree_list_ref(value);
}

static void unref_tree(void *value)
{
	tree_list_unref(value);
}

static void *ref_blob(void *value)
{
	return blob_ref(value);
}

static void unref_blob(void *value)
{
	blob_unref(value);
}

static const struct lru_values trees = {.ref = ref_tree, .unref = unref_tree};
static const struct lru_values blobs = {.ref = ref_blob, .unref = unref_blob};
static const struct flight_values read_trees = {ref_tree, unref_tree};
static const struct flight_values read_blobs = {ref_blob, unref_blob};

void objects_keep_init(void)
{
	for (size_t i = 0; i < N_KEPT; i++) {
		bool is_blob = i == KEPT_BLOBS;

		lru_init(&keepers[i], most[i], is_blob ? &blobs : &trees);
		reads[i] = flight_new_with(&(struct flight_config){
			.values = is_blob ? &read_blobs : &read_trees,
			.local = true,
		});
	}
}

static struct kept_key key_of(const struct objects *o, const struct oid *oid)
{
	struct kept_key key;

	memcpy(key.bytes, &o->id, sizeof(o->id));
	memcpy(key.bytes + sizeof(o->id), oid->bytes, sizeof(oid->bytes));
	return key;
}

void *objects_keep_get(enum objects_kept what, const struct objects *o,
		       const struct oid *oid)
{
	struct kept_key key = key_of(o, oid);

	return lru_get(&keepers[what], &key, sizeof(key));
}

void objects_keep_put(enum objects_kept what, const struct objects *o,
		      const struct oid *oid, void *value, size_t size)
{
	struct kept_key key = key_of(o, oid);

	/* Otherwise one value would drive half of the others out. */
	if (what != KEPT_LARGE_TREES && size > most[what] / 2)
		return;
	lru_put(&keepers[what], &key, sizeof(key), value, size + ENTRY_BYTES);
}

/* A store's number and 40 digits. */
#define READ_KEY 64

static const char *read_key(char key[READ_KEY], const struct objects *o,
			    const struct oid *oid)
{
	char hex[41];

	snprintf(key, READ_KEY, "%" PRIx64 " %s", o->id, oid_hex(oid, hex));
	return key;
}

int objects_keep_join(struct ctx *ctx, enum objects_kept what,
		      const struct objects *o, const struct oid *oid,
		      void **ret_value)
{
	char key[READ_KEY];

	return flight_join_value(ctx, reads[what], read_key(key, o, oid),
				 ret_value);
}

void objects_keep_land(enum objects_kept what, const struct objects *o,
		       const struct oid *oid, int r, void *value)
{
	char key[READ_KEY];

	flight_land_as(reads[what], read_key(key, o, oid),
		       &(struct flight_landing){
			       .result = r,
			       .value = r < 0 ? NULL : value,
		       });
}

void objects_keep_forget(const struct objects *o)
{
	for (size_t i = 0; i < N_KEPT; i++)
		lru_forget(&keepers[i], &o->id, sizeof(o->id));
}

bool objects_expire_all(void)
{
	size_t n_bytes = 0;

	for (size_t i = 0; i < N_KEPT; i++)
		n_bytes += lru_expire(&keepers[i], UNUSED_MS);
	return objects_warm_expire(UNUSED_MS) || n_bytes > MUCH;
}
