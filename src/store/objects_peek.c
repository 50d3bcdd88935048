/*
 * Reading what is at hand, for somebody who can do without: nothing is looked
 * for, checked or mended on its behalf, and one handle reads all of it.
 */
#include "objects_private.h"

#include "store/pack_map.h"

#include <git2.h>

/* NULL: there is none in this build. */
static struct pack_map *map_of(const struct objects *o,
			       struct objects_handle *h)
{
	cleanup(free) char *dir = NULL;

	if (h->map && h->map_generation == h->generation)
		return h->map;
	pack_map_free(h->map);
	dir = mem_asprintf("%s/objects", o->path);
	h->map = pack_map_new(dir);
	h->map_generation = h->generation;
	return h->map;
}

bool objects_peek_size(const struct objects *o, struct objects_handle *h,
		       const struct oid *oid, uint64_t *ret_size)
{
	struct pack_map *map = map_of(o, h);

	return map && pack_map_size(map, oid, ret_size) && *ret_size > 0;
}

static struct blob *peek_mapped(const struct objects *o,
				struct objects_handle *h, const struct oid *oid,
				size_t max)
{
	struct pack_map *map = map_of(o, h);
	unsigned n_lost = page_guard_n_lost();
	struct blob *blob = map ? pack_map_blob(map, oid, max) : NULL;

	return page_guard_n_lost() == n_lost ? blob : blob_unref(blob);
}

static struct blob *peek(struct objects_handle *h, const struct oid *oid,
			 size_t max)
{
	git_odb_object *object = NULL;
	unsigned n_lost = page_guard_n_lost();
	struct blob *blob = NULL;
	git_object_t type;
	size_t size;
	git_oid id;
	int r;

	git_oid_fromraw(&id, oid->bytes);
	if (!git_odb_exists_ext(h->odb, &id, GIT_ODB_LOOKUP_NO_REFRESH))
		return NULL;
	/* Before anything is allocated for what it claims to be. */
	r = git_odb_read_header(&size, &type, h->odb, &id);
	if (r == GIT_OK && type == GIT_OBJECT_BLOB && size <= max)
		r = git_odb_read(&object, h->odb, &id);
	if (r < 0)
		objects_errno(r);
	/* Some of it may be zeros in the place of lost pages. */
	if (object && page_guard_n_lost() == n_lost)
		blob = blob_new(git_odb_object_data(object),
				git_odb_object_size(object));
	git_odb_object_free(object);
	return blob;
}

void objects_peek_blobs(struct objects *o, const struct oid *oids, size_t n,
			size_t max, struct blob **ret_blobs)
{
	struct objects_handle *h;
	uint64_t n_bytes = 0;

	memset(ret_blobs, 0, n * sizeof(*ret_blobs));
	if (objects_take(o, &h) < 0)
		return;
	for (size_t i = 0; i < n; i++) {
		ret_blobs[i] = peek_mapped(o, h, &oids[i], max);
		if (!ret_blobs[i])
			ret_blobs[i] = peek(h, &oids[i], max);
		if (ret_blobs[i])
			n_bytes += blob_len(ret_blobs[i]);
	}
	objects_give(o, h);
	objects_was_read(o, n_bytes);
}
