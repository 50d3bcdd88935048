/*
 * What is in the packs that are folded. An object that several have is written
 * once, as the first pack has it: whatever that entry is a delta of is in that
 * pack, or in one before, so no deltas go round in a circle.
 */
#include "objects_fold_private.h"

/* Git makes no longer chains (--depth), and who reads follows no longer ones
 * (objects_big.c). */
#define DEPTH_MOST 50
/* At a time: each takes 80 bytes of memory meanwhile. */
#define ENTRIES_MOST 100000

static int by_offset(const void *a, const void *b)
{
	const struct fold_entry *x = a, *y = b;

	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

static int add_entry(void *arg, const struct oid *oid, uint64_t offset)
{
	struct fold *f = arg;

	mem_grow(f->entries, f->n_entries, f->room_entries);
	f->entries[f->n_entries++] =
		(struct fold_entry){.oid = *oid, .offset = offset};
	return 0;
}

/* An entry ends where the next one begins, the last at the pack's checksum. */
static void find_ends(struct fold *f, struct fold_pack *p)
{
	struct fold_entry *e = f->entries + p->from;

	if (p->n)
		qsort(e, p->n, sizeof(*e), by_offset);
	for (size_t i = 0; i < p->n; i++)
		e[i].end = i + 1 < p->n ? e[i + 1].offset
					: p->pack->size - OID_BYTES;
}

static int read_index(struct fold *f, struct fold_pack *p)
{
	cleanup(free) char *objects = mem_asprintf("%s/objects", f->o->path);
	cleanup(free) char *index = mem_asprintf("%s.idx", p->name);
	int r = pack_open(objects, index, &p->pack);

	p->from = f->n_entries;
	if (r == 0)
		r = pack_each(p->pack, add_entry, f);
	if (r < 0)
		return r;
	p->n = f->n_entries - p->from;
	find_ends(f, p);
	return 0;
}

/* The entries of a pack come after those of the packs before it. */
static int by_id(const void *a, const void *b)
{
	const struct fold_entry *x = *(struct fold_entry *const *)a;
	const struct fold_entry *y = *(struct fold_entry *const *)b;
	int order = memcmp(x->oid.bytes, y->oid.bytes, OID_BYTES);

	return order ? order : x < y ? -1 : x > y;
}

static void find_firsts(struct fold *f)
{
	f->by_id = mem_calloc(f->n_entries + 1, sizeof(struct fold_entry *));
	for (size_t i = 0; i < f->n_entries; i++)
		f->by_id[i] = &f->entries[i];
	if (f->n_entries)
		qsort(f->by_id, f->n_entries, sizeof(*f->by_id), by_id);
	for (size_t i = 0; i < f->n_entries; i++) {
		struct fold_entry *e = f->by_id[i];

		if (i && oid_equal(&e->oid, &f->by_id[i - 1]->oid))
			e->first = f->by_id[i - 1]->first;
		else
			e->first = e;
		f->n_kept += e->first == e;
	}
}

struct fold_entry *objects_fold_find(const struct fold *f,
				     const struct oid *oid)
{
	size_t from = 0, to = f->n_entries;

	while (from < to) {
		size_t mid = from + (to - from) / 2;
		int order =
			memcmp(oid->bytes, f->by_id[mid]->oid.bytes, OID_BYTES);

		if (order == 0)
			return f->by_id[mid]->first;
		if (order < 0)
			to = mid;
		else
			from = mid + 1;
	}
	return NULL;
}

struct fold_entry *objects_fold_at(const struct fold *f,
				   const struct fold_pack *p, uint64_t offset)
{
	const struct fold_entry key = {.offset = offset};

	return bsearch(&key, f->entries + p->from, p->n, sizeof(key),
		       by_offset);
}

/* What a delta is a delta of; *ret_base NULL: the entry is no delta. */
static int find_base(const struct fold *f, const struct fold_pack *p,
		     const struct fold_entry *e, struct fold_entry **ret_base)
{
	struct pack_entry head;
	int r = pack_read_entry(p->pack, e->offset, &head);

	*ret_base = NULL;
	if (r < 0)
		return r;
	if (head.data >= e->end)
		return -EBADMSG;
	if (head.type == PACK_OFS_DELTA)
		*ret_base = objects_fold_at(f, p, head.base_offset);
	else if (head.type == PACK_REF_DELTA)
		*ret_base = objects_fold_find(f, &head.base_oid);
	else
		return 0;
	return *ret_base ? 0 : -EBADMSG;
}

/* Of an entry that is written, and before it of those that it is a delta of. */
static int find_depth(struct fold *f, const struct fold_pack *p,
		      struct fold_entry *e, unsigned level)
{
	struct fold_entry *base;
	int r = 0;

	if (e->depth)
		return 0;
	if (level > DEPTH_MOST)
		return -EBADMSG;
	r = find_base(f, p, e, &base);
	if (r < 0)
		return r;
	if (base) {
		base = base->first;
		/* One of a pack before has its depth. One of a pack that is to
		 * come: this pack has not all that its deltas need. */
		if (base >= f->entries + p->from + p->n)
			return -EBADMSG;
		r = find_depth(f, p, base, level + 1);
	}
	if (r < 0)
		return r;
	e->depth = base ? base->depth + 1 : 1;
	return e->depth > DEPTH_MOST + 1 ? -EBADMSG : 0;
}

static int check_pack(struct fold *f, const struct fold_pack *p)
{
	int r = 0;

	for (size_t i = p->from; r == 0 && i < p->from + p->n; i++) {
		if (ctx_is_cancelled(f->ctx))
			return -EINTR;
		if (f->entries[i].first == &f->entries[i])
			r = find_depth(f, p, &f->entries[i], 0);
	}
	return r;
}

void objects_fold_forget(struct fold *f)
{
	for (size_t i = 0; i < f->n_packs; i++)
		f->packs[i].pack = pack_close(f->packs[i].pack);
	free(f->entries);
	free(f->by_id);
	f->entries = NULL;
	f->by_id = NULL;
	f->n_entries = f->room_entries = f->n_kept = 0;
}

static void take_out(struct fold *f, struct fold_pack *p)
{
	size_t n_after = f->n_packs - (size_t)(p - f->packs) - 1;

	pack_close(p->pack);
	free(p->name);
	memmove(p, p + 1, n_after * sizeof(*p));
	f->n_packs--;
}

/* The packs stay as they are that are damaged, or whose chains would become too
 * long. */
static int without(struct fold *f, struct fold_pack *p, int r)
{
	if (r != -EBADMSG && r != -ENOENT)
		return r;
	take_out(f, p);
	return 1;
}

static int read_indexes(struct fold *f)
{
	for (size_t i = 0; i < f->n_packs; i++) {
		int r = read_index(f, &f->packs[i]);

		if (r < 0)
			return without(f, &f->packs[i], r);
		if (f->n_entries <= ENTRIES_MOST)
			continue;
		f->n_entries = f->packs[i].from;
		while (f->n_packs > i)
			take_out(f, &f->packs[f->n_packs - 1]);
	}
	return 0;
}

int objects_fold_read(struct fold *f)
{
	int r;

	objects_fold_forget(f);
	r = read_indexes(f);
	if (r != 0)
		return r;
	find_firsts(f);
	for (size_t i = 0; i < f->n_packs; i++) {
		r = check_pack(f, &f->packs[i]);
		if (r < 0)
			return without(f, &f->packs[i], r);
	}
	return 0;
}
