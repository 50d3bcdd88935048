/*
 * store/pack_map: an index of version 2 is 256 counts, the sorted ids, a CRC
 * each, an offset each (git's Documentation/gitformat-pack.txt). Each place in
 * a map is checked against the map before it is read.
 */
#include "store/pack_map.h"

#include "pack_private.h"

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
#define ENTRY_BLOB 3

struct map {
	const unsigned char *bytes;
	size_t n;
};
struct pack_map {
	struct libdeflate_decompressor *inflater;
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

static struct blob *inflate(struct pack_map *m, const struct map *pack,
			    size_t at, size_t max)
{
	const size_t end = pack->n - PACK_TAIL;
	unsigned char c, *content;
	size_t size, used;
	unsigned type;

	if (at < PACK_HEAD || at >= end)
		return NULL;
	c = pack->bytes[at++];
	type = (c >> 4) & 7;
	size = c & 15;
	for (unsigned shift = 4; (c & 128) && at < end && shift < 32;
	     shift += 7) {
		c = pack->bytes[at++];
		size |= (size_t)(c & 127) << shift;
	}
	if (type != ENTRY_BLOB || (c & 128) || size > max)
		return NULL;
	content = mem_alloc(size + 1);
	if (libdeflate_zlib_decompress_ex(m->inflater, pack->bytes + at,
					  end - at, content, size, &used,
					  NULL) != LIBDEFLATE_SUCCESS) {
		free(content);
		return NULL;
	}
	content[size] = '\0';
	return blob_take(content, size);
}

struct blob *pack_map_blob(struct pack_map *m, const struct oid *oid,
			   size_t max)
{
	for (size_t i = 0; i < m->n; i++) {
		size_t at = find(&m->indexes[i], oid);

		if (at)
			return inflate(m, &m->packs[i], at, max);
	}
	return NULL;
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

#endif
