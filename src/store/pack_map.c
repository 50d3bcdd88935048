/*
 * store/pack_map: an index of version 2 is 256 counts, the sorted ids, a CRC
 * each, an offset each (git's Documentation/gitformat-pack.txt). Each place in
 * a map is checked against the map before it is read.
 */
#include "store/pack_map.h"

#include "pack_private.h"

#include "store/pack_delta.h"

#include "base/file.h"

#ifdef HAVE_LIBDEFLATE

#include <dirent.h>
#include <libdeflate.h>
#include <sys/mman.h>

/* Those of a store that is being filled are many and small, until they are
 * folded. */
#define MAPS_MOST 16

#define PACK_HEAD 12
#define PACK_TAIL 20
#define INDEX_HEAD 8
#define INDEX_FANOUT 1024
#define INDEX_EACH 28
#define INDEX_TAIL 40
#define OFFSET_IS_LONG 0x80000000U

/* Deltas, one upon the other; git makes 50. */
#define CHAIN_MOST 64
/* Of a blob that others are deltas of. */
#define BASE_MOST MIB
/* Bases are kept: those of a directory's files are mostly the same few. */
#define KEPT 64
#define KEPT_LONGEST (8 * KIB)

struct map {
	const unsigned char *bytes;
	size_t n;
};
struct kept {
	const struct map *pack;
	size_t at;
	struct blob *blob; /* NULL: none */
};
struct pack_map {
	struct libdeflate_decompressor *inflater;
	struct kept kept[KEPT];
	size_t n;
	struct map packs[MAPS_MOST], indexes[MAPS_MOST];
};

static uint32_t be32(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	       (uint32_t)p[2] << 8 | p[3];
}

static void unmap(struct map *m)
{
	if (m->bytes)
		munmap((void *)(uintptr_t)m->bytes, m->n);
	*m = (struct map){0};
}

static bool map_file(const char *objects, const char *name, int n_stem,
		     const char *end, size_t least, struct map *ret_map)
{
	cleanup(free) char *path =
		mem_asprintf("%s/pack/%.*s%s", objects, n_stem, name, end);
	cleanup(fd) int fd = -1;
	uint64_t size;
	void *bytes;

	if (pack_open_file(path, &fd, &size) < 0 || size < least ||
	    size > SIZE_MAX)
		return false;
	bytes = mmap(NULL, (size_t)size, PROT_READ, MAP_SHARED, fd, 0);
	if (bytes == MAP_FAILED)
		return false;
	*ret_map = (struct map){bytes, (size_t)size};
	return true;
}

/* How many objects an index has; 0: it is none of version 2. */
static size_t n_objects(const struct map *index)
{
	size_t n = be32(index->bytes + INDEX_HEAD + INDEX_FANOUT - 4);

	return memcmp(index->bytes, "\377tOc\0\0\0\2", INDEX_HEAD) == 0 &&
			       n <= (index->n - INDEX_HEAD - INDEX_FANOUT -
				     INDEX_TAIL) /
					       INDEX_EACH
		       ? n
		       : 0;
}

struct pack_map *pack_map_new(const char *objects)
{
	struct pack_map *m = mem_calloc(1, sizeof(*m));
	cleanup(free) char *dir = mem_asprintf("%s/pack", objects);
	DIR *d = opendir(dir);
	struct dirent *e;

	m->inflater = libdeflate_alloc_decompressor();
	while (d && m->inflater && m->n < MAPS_MOST && (e = readdir(d))) {
		struct map *index = &m->indexes[m->n];
		int n = (int)strlen(e->d_name) - 4;

		if (n <= 0 || strcmp(e->d_name + n, ".idx") != 0 ||
		    !map_file(objects, e->d_name, n, ".idx",
			      INDEX_HEAD + INDEX_FANOUT + INDEX_TAIL, index))
			continue;
		if (map_file(objects, e->d_name, n, ".pack",
			     PACK_HEAD + PACK_TAIL, &m->packs[m->n]))
			m->n++;
		else
			unmap(index);
	}
	if (d)
		closedir(d);
	return m;
}

struct pack_map *pack_map_free(struct pack_map *m)
{
	if (!m)
		return NULL;
	for (size_t i = 0; i < m->n; i++) {
		unmap(&m->indexes[i]);
		unmap(&m->packs[i]);
	}
	for (size_t i = 0; i < KEPT; i++)
		blob_unref(m->kept[i].blob);
	if (m->inflater)
		libdeflate_free_decompressor(m->inflater);
	free(m);
	return NULL;
}

/* The offset of the object's entry in the pack; 0: it has none that begins
 * within the first 2 GiB. */
static size_t find(const struct map *index, const struct oid *oid)
{
	const unsigned char *fanout = index->bytes + INDEX_HEAD;
	const unsigned char *ids = fanout + INDEX_FANOUT;
	size_t n = n_objects(index), first = oid->bytes[0];
	size_t from = first ? be32(fanout + 4 * (first - 1)) : 0;
	size_t to = be32(fanout + 4 * first);
	uint32_t offset;

	if (to > n)
		return 0;
	while (from < to) {
		size_t mid = from + (to - from) / 2;
		int order =
			memcmp(oid->bytes, ids + OID_BYTES * mid, OID_BYTES);

		if (order == 0) {
			offset = be32(ids + (OID_BYTES + 4) * n + 4 * mid);
			return offset & OFFSET_IS_LONG ? 0 : offset;
		}
		if (order < 0)
			to = mid;
		else
			from = mid + 1;
	}
	return 0;
}

struct entry {
	unsigned type;
	size_t size; /* of what its bytes inflate to */
	size_t data; /* where they begin */
	size_t base; /* of a PACK_OFS_DELTA: where that begins */
};

/* As pack_entry.c reads it from a file. */
static bool read_distance(const struct map *pack, size_t *at,
			  size_t *ret_distance)
{
	const size_t end = pack->n - PACK_TAIL;
	unsigned char c = 128;
	size_t distance = 0;

	for (unsigned i = 0; c & 128; i++) {
		if (*at >= end || i > 4)
			return false;
		c = pack->bytes[(*at)++];
		distance = ((distance + (i > 0)) << 7) | (c & 127);
	}
	*ret_distance = distance;
	return true;
}

static bool read_entry(const struct map *pack, size_t at, struct entry *e)
{
	const size_t begin = at, end = pack->n - PACK_TAIL;
	unsigned char c;
	size_t distance;

	if (at < PACK_HEAD || at >= end)
		return false;
	c = pack->bytes[at++];
	*e = (struct entry){.type = (c >> 4) & 7, .size = c & 15};
	for (unsigned shift = 4; (c & 128) && at < end && shift < 32;
	     shift += 7) {
		c = pack->bytes[at++];
		e->size |= (size_t)(c & 127) << shift;
	}
	if (c & 128)
		return false;
	if (e->type == PACK_OFS_DELTA) {
		if (!read_distance(pack, &at, &distance) || distance == 0 ||
		    distance >= begin)
			return false;
		e->base = begin - distance;
	}
	e->data = at;
	return e->type == PACK_BLOB || e->type == PACK_OFS_DELTA;
}

/* With a NUL behind it. */
static unsigned char *inflate(struct pack_map *m, const struct map *pack,
			      const struct entry *e)
{
	unsigned char *bytes;
	size_t used;

	if (e->size > BASE_MOST)
		return NULL;
	bytes = mem_alloc(e->size + 1);
	if (libdeflate_zlib_decompress_ex(m->inflater, pack->bytes + e->data,
					  pack->n - PACK_TAIL - e->data, bytes,
					  e->size, &used,
					  NULL) != LIBDEFLATE_SUCCESS) {
		free(bytes);
		return NULL;
	}
	bytes[e->size] = '\0';
	return bytes;
}

static struct kept *kept_of(struct pack_map *m, size_t at)
{
	return &m->kept[(at ^ at >> 6 ^ at >> 12) % KEPT];
}

static struct blob *kept_at(struct pack_map *m, const struct map *pack,
			    size_t at)
{
	const struct kept *k = kept_of(m, at);

	return k->blob && k->pack == pack && k->at == at ? blob_ref(k->blob)
							 : NULL;
}

static void keep(struct pack_map *m, const struct map *pack, size_t at,
		 struct blob *blob)
{
	struct kept *k = kept_of(m, at);

	if (blob_len(blob) > KEPT_LONGEST)
		return;
	blob_unref(k->blob);
	*k = (struct kept){pack, at, blob_ref(blob)};
}

/* An entry, and what it is a delta of: entries down to a blob. */
struct chain {
	size_t n;
	size_t at[CHAIN_MOST];
	struct entry entries[CHAIN_MOST];
};

/* Down to one that is kept (*ret_kept), or whole. */
static bool chain_read(struct pack_map *m, const struct map *pack, size_t at,
		       struct chain *chain, struct blob **ret_kept)
{
	struct entry *e;

	*ret_kept = NULL;
	for (chain->n = 0; chain->n < CHAIN_MOST; at = e->base) {
		*ret_kept = kept_at(m, pack, at);
		if (*ret_kept)
			return true;
		e = &chain->entries[chain->n];
		if (!read_entry(pack, at, e))
			return false;
		chain->at[chain->n++] = at;
		if (e->type == PACK_BLOB)
			return true;
	}
	return false;
}

/* base NULL: the entry is whole. */
static struct blob *make(struct pack_map *m, const struct map *pack,
			 const struct entry *e, const struct blob *base)
{
	cleanup(free) unsigned char *bytes = inflate(m, pack, e);
	cleanup(free) unsigned char *target = NULL;
	struct pack_delta delta;

	if (!bytes)
		return NULL;
	if (!base)
		return e->type == PACK_BLOB ? blob_take(steal(&bytes), e->size)
					    : NULL;
	if (!pack_delta_open(bytes, e->size, &delta) ||
	    delta.base_size != blob_len(base) || delta.size > BASE_MOST)
		return NULL;
	target = mem_alloc(delta.size + 1);
	if (!pack_delta_apply(&delta, (const void *)blob_data(base), target))
		return NULL;
	target[delta.size] = '\0';
	return blob_take(steal(&target), delta.size);
}

static struct blob *read_blob(struct pack_map *m, const struct map *pack,
			      size_t at)
{
	struct blob *blob, *base;
	struct chain chain;

	if (!chain_read(m, pack, at, &chain, &blob))
		return NULL;
	while (chain.n-- > 0) {
		base = blob;
		blob = make(m, pack, &chain.entries[chain.n], base);
		blob_unref(base);
		if (!blob)
			return NULL;
		if (chain.n > 0)
			keep(m, pack, chain.at[chain.n], blob);
	}
	return blob;
}

static bool find_in_any(struct pack_map *m, const struct oid *oid,
			const struct map **ret_pack, size_t *ret_at)
{
	for (size_t i = 0; i < m->n; i++) {
		*ret_pack = &m->packs[i];
		*ret_at = find(&m->indexes[i], oid);
		if (*ret_at)
			return true;
	}
	return false;
}

struct blob *pack_map_blob(struct pack_map *m, const struct oid *oid,
			   size_t max)
{
	const struct map *pack;
	struct blob *blob;
	size_t at;

	if (!find_in_any(m, oid, &pack, &at))
		return NULL;
	blob = read_blob(m, pack, at);
	return blob && blob_len(blob) > max ? blob_unref(blob) : blob;
}

bool pack_map_size(struct pack_map *m, const struct oid *oid,
		   uint64_t *ret_size)
{
	cleanup(blob_unref) struct blob *kept = NULL;
	cleanup(free) unsigned char *bytes = NULL;
	const struct map *pack;
	struct pack_delta delta;
	struct chain chain;
	size_t at;

	if (!find_in_any(m, oid, &pack, &at) ||
	    !chain_read(m, pack, at, &chain, &kept))
		return false;
	if (chain.n == 0) {
		*ret_size = blob_len(kept);
	} else if (chain.entries[0].type == PACK_BLOB) {
		*ret_size = chain.entries[0].size;
	} else {
		bytes = inflate(m, pack, &chain.entries[0]);
		if (!bytes ||
		    !pack_delta_open(bytes, chain.entries[0].size, &delta))
			return false;
		*ret_size = delta.size;
	}
	return true;
}

#else

struct pack_map *pack_map_new(const char *)
{
	return NULL;
}

struct pack_map *pack_map_free(struct pack_map *)
{
	return NULL;
}

struct blob *pack_map_blob(struct pack_map *, const struct oid *, size_t)
{
	return NULL;
}

bool pack_map_size(struct pack_map *, const struct oid *, uint64_t *)
{
	return false;
}

#endif
