/*
 * The pack that others are folded into: their entries, copied as they are. Only
 * how far back a delta's base begins is written anew. libgit2's indexer
 * verifies all of it, as of any pack that comes in.
 */
#include "objects_fold_private.h"

#include "store/pack_read.h"

#include "base/digest.h"

#define PIECE (64 * KIB)

struct folding {
	struct fold *fold;
	struct objects_pack *pack;
	struct digest_sha1 *sha1;
	uint64_t n; /* bytes so far */
	size_t n_buffer;
	unsigned char buffer[4 * PIECE];
};

static int flush(struct folding *w)
{
	size_t n = w->n_buffer;

	if (ctx_is_cancelled(w->fold->ctx))
		return -EINTR;
	w->n_buffer = 0;
	return n ? objects_pack_write(w->pack, w->buffer, n) : 0;
}

/* Room for n bytes (at most PIECE) in the buffer, which `put` follows. */
static int make_room(struct folding *w, size_t n)
{
	return sizeof(w->buffer) - w->n_buffer < n ? flush(w) : 0;
}

static void put(struct folding *w, size_t n)
{
	digest_sha1_add(w->sha1, w->buffer + w->n_buffer, n);
	w->n_buffer += n;
	w->n += n;
}

static int add(struct folding *w, const void *data, size_t n)
{
	int r = make_room(w, n);

	if (r < 0)
		return r;
	memcpy(w->buffer + w->n_buffer, data, n);
	put(w, n);
	return 0;
}

static int copy(struct folding *w, const struct pack *from, uint64_t at,
		uint64_t end)
{
	int r = 0;

	while (r == 0 && at < end) {
		size_t n = end - at < PIECE ? (size_t)(end - at) : PIECE;

		r = make_room(w, n);
		if (r == 0)
			r = pack_read_at(from->fd, w->buffer + w->n_buffer, n,
					 at);
		if (r == 0)
			put(w, n);
		at += n;
	}
	return r;
}

/* The header of a delta whose base begins so many bytes before it
 * (gitformat-pack). */
static int add_head(struct folding *w, uint64_t size, uint64_t distance)
{
	unsigned char head[32], back[16];
	size_t n = 0, at = sizeof(back);

	head[n] = PACK_OFS_DELTA << 4 | (size & 15);
	for (size >>= 4; size; size >>= 7) {
		head[n++] |= 128;
		head[n] = size & 127;
	}
	n++;
	back[--at] = distance & 127;
	while (distance >>= 7)
		back[--at] = 128 | (--distance & 127);
	memcpy(head + n, back + at, sizeof(back) - at);
	return add(w, head, n + sizeof(back) - at);
}

static int write_entry(struct folding *w, const struct fold_pack *p,
		       struct fold_entry *e)
{
	struct fold_entry *base;
	struct pack_entry head;
	int r = pack_read_entry(p->pack, e->offset, &head);

	if (r < 0)
		return r;
	e->place = w->n;
	if (head.type != PACK_OFS_DELTA)
		return copy(w, p->pack, e->offset, e->end);
	base = objects_fold_at(w->fold, p, head.base_offset);
	if (!base || !base->first->place)
		return -EBADMSG;
	r = add_head(w, head.size, e->place - base->first->place);
	return r < 0 ? r : copy(w, p->pack, head.data, e->end);
}

static int write_entries(struct folding *w)
{
	struct fold *f = w->fold;
	int r = 0;

	for (size_t k = 0; k < f->n_packs; k++) {
		const struct fold_pack *p = &f->packs[k];

		for (size_t i = p->from; r == 0 && i < p->from + p->n; i++)
			if (f->entries[i].first == &f->entries[i])
				r = write_entry(w, p, &f->entries[i]);
	}
	return r;
}

static int write_pack(struct folding *w)
{
	uint32_t n = (uint32_t)w->fold->n_kept;
	const unsigned char head[12] = {'P',
					'A',
					'C',
					'K',
					0,
					0,
					0,
					2,
					(unsigned char)(n >> 24),
					(unsigned char)(n >> 16),
					(unsigned char)(n >> 8),
					(unsigned char)n};
	unsigned char sum[20];
	int r = add(w, head, sizeof(head));

	if (r == 0)
		r = write_entries(w);
	if (r < 0)
		return r;
	digest_sha1_end_bytes(w->sha1, sum);
	r = make_room(w, sizeof(sum));
	if (r < 0)
		return r;
	memcpy(w->buffer + w->n_buffer, sum, sizeof(sum));
	w->n_buffer += sizeof(sum);
	return flush(w);
}

static int count_found(void *arg, const struct oid *oid)
{
	struct fold *f = arg;

	if (!objects_fold_find(f, oid))
		return -EBADMSG;
	f->n_kept--;
	return 0;
}

/* All objects, and no other: bytes that the disk has damaged are another
 * object. Otherwise it would be gone with the pack that had it. */
static int check_written(struct fold *f, const char *name)
{
	cleanup(free) char *index =
		mem_asprintf("%s/objects/pack/%s.idx", f->o->path, name);
	size_t n_kept = f->n_kept;
	int r = pack_index_each(index, count_found, f);

	if (r == 0 && f->n_kept)
		r = -EBADMSG;
	f->n_kept = n_kept;
	return r;
}

int objects_fold_write(struct fold *f, char **ret_name)
{
	cleanup(objects_pack_drop) struct objects_pack *pack = NULL;
	cleanup(free) struct folding *w = mem_calloc(1, sizeof(*w));
	int r = objects_pack_begin(f->o, false, &pack);

	if (r < 0)
		return r;
	objects_pack_promise(pack, f->has_blobs);
	objects_pack_tell_name(pack, ret_name);
	w->fold = f;
	w->pack = pack;
	w->sha1 = digest_sha1_new();
	r = write_pack(w);
	digest_sha1_free(w->sha1);
	if (r == 0)
		r = objects_pack_commit(f->ctx, steal(&pack), NULL, 0);
	return r < 0 ? r : check_written(f, *ret_name);
}
