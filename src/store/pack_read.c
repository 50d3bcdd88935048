/*
 * A blob's way out of a pack: the index gives its entry; an entry is a header
 * and deflated bytes; the bytes are the content, or a delta to another entry's.
 * The chain of deltas is followed down to an entry that is not a delta, whose
 * content is inflated into a file; then each delta is read as a stream and
 * applied to the mapped file before it, into the next one.
 *
 * Bounds: an entry's place is checked against its file, a delta against the
 * sizes that it and its base claim, the chain against a length (it may be a
 * circle) and against the bytes that all of it writes.
 */
#include "pack_private.h"

#include "store/page_guard.h"
#include "store/pack_read.h"

#include "base/digest.h"
#include "base/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#define PIECE (64 * KIB)

#define PACK_HEAD 12

/* So much a chain may always write. Git makes no deltas of files over 512 MB,
 * so a chain of the usual 50 writes some 25 GB: a lower bound would refuse
 * blobs that git itself has packed. */
#define CHAIN_BYTES_LEAST ((uint64_t)32 << 30)

/* ---- deflated bytes, from a place in a file on ---- */

struct inflater {
	int fd;
	uint64_t at;
	bool ended;
	z_stream z;
	unsigned char in[PIECE];
};

static struct inflater *inflater_free(struct inflater *f)
{
	if (f)
		inflateEnd(&f->z);
	free(f);
	return NULL;
}
DEFINE_CLEANUP(struct inflater *, inflater_free);

static int inflater_new(int fd, uint64_t at, struct inflater **ret_inflater)
{
	struct inflater *f = mem_calloc(1, sizeof(*f));

	f->fd = fd;
	f->at = at;
	if (inflateInit(&f->z) != Z_OK) {
		free(f);
		return -ENOMEM;
	}
	*ret_inflater = f;
	return 0;
}

static int inflater_fill(struct inflater *f)
{
	ssize_t got;

	do
		got = pread(f->fd, f->in, sizeof(f->in), (off_t)f->at);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return -errno;
	if (got == 0)
		return -EBADMSG;
	f->at += (uint64_t)got;
	f->z.next_in = f->in;
	f->z.avail_in = (unsigned)got;
	return 0;
}

/* Up to n (at most PIECE) bytes; fewer at the end only. */
static int inflater_read(struct inflater *f, void *data, size_t n,
			 size_t *ret_n)
{
	f->z.next_out = data;
	f->z.avail_out = (unsigned)n;
	while (f->z.avail_out > 0 && !f->ended) {
		int r = f->z.avail_in ? 0 : inflater_fill(f);

		if (r < 0)
			return r;
		r = inflate(&f->z, Z_NO_FLUSH);
		if (r == Z_STREAM_END)
			f->ended = true;
		else if (r == Z_MEM_ERROR)
			return -ENOMEM;
		else if (r != Z_OK && !(r == Z_BUF_ERROR && !f->z.avail_in))
			return -EBADMSG;
	}
	*ret_n = n - f->z.avail_out;
	return 0;
}

/* ---- where content goes ---- */

struct target {
	const struct pack_read *how;
	bool is_blob; /* not a base */
	int fd;
	uint64_t size, n; /* to come in all; so far */
	struct digest_sha1 *sha1;
	size_t n_buffer;
	unsigned char buffer[4 * PIECE];
};

static struct target *target_free(struct target *t)
{
	if (t)
		digest_sha1_free(t->sha1);
	free(t);
	return NULL;
}
DEFINE_CLEANUP(struct target *, target_free);

static struct target *target_new(const struct pack_read *how, bool is_blob,
				 int fd, uint64_t size)
{
	struct target *t = mem_calloc(1, sizeof(*t));
	char head[32];
	int n = snprintf(head, sizeof(head), "blob %llu",
			 (unsigned long long)size);

	t->how = how;
	t->is_blob = is_blob;
	t->fd = fd;
	t->size = size;
	t->sha1 = digest_sha1_new();
	digest_sha1_add(t->sha1, head, (size_t)n + 1);
	return t;
}

static int target_flush(struct target *t)
{
	const unsigned char *from = t->buffer;
	size_t n = t->n_buffer;

	if (ctx_is_cancelled(t->how->ctx))
		return -EINTR;
	while (n > 0) {
		ssize_t done = write(t->fd, from, n);

		if (done < 0 && errno != EINTR)
			return -errno;
		if (done > 0) {
			from += done;
			n -= (size_t)done;
		}
	}
	if (t->is_blob && t->how->wrote)
		t->how->wrote(t->how->arg, t->buffer, t->n_buffer);
	t->n_buffer = 0;
	return 0;
}

static int target_add(struct target *t, const void *data, size_t n)
{
	const unsigned char *from = data;
	int r = 0;

	if (n > t->size - t->n)
		return -EBADMSG;
	t->n += n;
	digest_sha1_add(t->sha1, data, n);
	while (r == 0 && n > 0) {
		size_t room = sizeof(t->buffer) - t->n_buffer;
		size_t piece = n < room ? n : room;

		memcpy(t->buffer + t->n_buffer, from, piece);
		t->n_buffer += piece;
		from += piece;
		n -= piece;
		if (t->n_buffer == sizeof(t->buffer))
			r = target_flush(t);
	}
	return r;
}

/* oid: the object whose content it must be. NULL: the content is that of a
 * base; if it is wrong, so is what the deltas make of it, and the blob's hash
 * tells.
 */
static int target_end(struct target *t, const struct oid *oid)
{
	char is[41], expected[41];
	int r = t->n == t->size ? target_flush(t) : -EBADMSG;

	if (r == 0 && oid) {
		digest_sha1_end(t->sha1, is);
		if (strcmp(is, oid_hex(oid, expected)) != 0)
			r = -EBADMSG;
	}
	return r;
}

static int inflate_to(struct inflater *f, struct target *t)
{
	cleanup(free) unsigned char *piece = mem_alloc(PIECE);
	size_t n;
	int r;

	do {
		r = inflater_read(f, piece, PIECE, &n);
		if (r == 0)
			r = target_add(t, piece, n);
	} while (r == 0 && n == PIECE);
	return r;
}

/* ---- deltas ---- */

struct delta {
	struct inflater *inflater;
	uint64_t size, n_read; /* of the delta's own bytes */
	size_t at, n;
	unsigned char buffer[4 * KIB];
};

/* 1: a byte; 0: the end. */
static int delta_byte(struct delta *d, unsigned char *ret_byte)
{
	int r;

	if (d->at == d->n) {
		r = inflater_read(d->inflater, d->buffer, sizeof(d->buffer),
				  &d->n);
		if (r < 0)
			return r;
		d->at = 0;
		if (d->n > d->size - d->n_read)
			return -EBADMSG;
		d->n_read += d->n;
		if (d->n == 0)
			return 0;
	}
	*ret_byte = d->buffer[d->at++];
	return 1;
}

static int delta_size(struct delta *d, uint64_t *ret_size)
{
	uint64_t size = 0;
	unsigned char c;

	for (unsigned shift = 0; shift <= 56; shift += 7) {
		int r = delta_byte(d, &c);

		if (r <= 0)
			return r < 0 ? r : -EBADMSG;
		size |= (uint64_t)(c & 127) << shift;
		if (!(c & 128)) {
			*ret_size = size;
			return 0;
		}
	}
	return -EBADMSG;
}

static int delta_open(const struct pack_entry *e, uint64_t base_size,
		      struct delta *d, uint64_t *ret_size)
{
	uint64_t base;
	int r;

	*d = (struct delta){.size = e->size};
	r = inflater_new(e->pack->fd, e->data, &d->inflater);
	if (r == 0)
		r = delta_size(d, &base);
	if (r == 0 && base != base_size)
		r = -EBADMSG;
	if (r == 0)
		r = delta_size(d, ret_size);
	return r;
}

struct mapped {
	unsigned char *bytes;
	uint64_t size;
};

static int copy(struct delta *d, unsigned char op, const struct mapped *base,
		struct target *t)
{
	uint64_t offset = 0, n = 0;
	unsigned char c;

	for (unsigned i = 0; i < 7; i++) {
		int r;

		if (!(op & (1U << i)))
			continue;
		r = delta_byte(d, &c);
		if (r <= 0)
			return r < 0 ? r : -EBADMSG;
		if (i < 4)
			offset |= (uint64_t)c << (8 * i);
		else
			n |= (uint64_t)c << (8 * (i - 4));
	}
	n = n ? n : 0x10000;
	if (offset > base->size || n > base->size - offset)
		return -EBADMSG;
	return target_add(t, base->bytes + offset, (size_t)n);
}

static int insert(struct delta *d, unsigned n, struct target *t)
{
	unsigned char bytes[127];

	for (unsigned i = 0; i < n; i++) {
		int r = delta_byte(d, &bytes[i]);

		if (r <= 0)
			return r < 0 ? r : -EBADMSG;
	}
	return target_add(t, bytes, n);
}

/* Every operation adds a byte at least, so the target's size bounds how many
 * there are. */
static int delta_apply(struct delta *d, const struct mapped *base,
		       struct target *t)
{
	unsigned char op;
	int r;

	while ((r = delta_byte(d, &op)) > 0) {
		if (op == 0)
			return -EBADMSG;
		r = op & 128 ? copy(d, op, base, t) : insert(d, op, t);
		if (r < 0)
			return r;
	}
	return r < 0 ? r : d->n_read == d->size ? 0 : -EBADMSG;
}

/* ---- a whole blob ---- */

struct reading {
	const struct pack_read *how;
	struct packs packs;
	const struct oid *oid;
	uint64_t size;
	int fd;
	struct pack_entry
		*chain; /* the blob's own first; all but the last: deltas */
	unsigned n_chain;
	uint64_t n_written;
};

static int find_chain(struct reading *g)
{
	const struct pack *pack;
	uint64_t offset;
	int r = pack_index_find(&g->packs, g->oid, &pack, &offset);

	while (r == 0) {
		struct pack_entry *e = &g->chain[g->n_chain];

		r = pack_read_entry(pack, offset, e);
		if (r < 0)
			break;
		g->n_chain++;
		if (e->type == PACK_BLOB)
			return e->size <= g->how->bytes_most ? 0 : -EFBIG;
		if (e->type != PACK_OFS_DELTA && e->type != PACK_REF_DELTA)
			return -EBADMSG;
		if (g->n_chain > g->how->chain_most)
			return -EFBIG;
		offset = e->base_offset;
		if (e->type == PACK_REF_DELTA)
			r = pack_index_find(&g->packs, &e->base_oid, &pack,
					    &offset);
		/* The base is missing. -ENOENT would mean the blob itself, and
		 * it would be looked for among the loose objects. */
		if (r == -ENOENT)
			r = -EBADMSG;
	}
	return r;
}

/* Where the content of chain[i] goes: the blob's own to the caller's file, a
 * base's to a scratch file. */
static int chain_target(struct reading *g, unsigned i, uint64_t size,
			struct target **ret_target)
{
	const struct pack_read *how = g->how;
	uint64_t most = 4 * how->bytes_most;
	int fd = g->fd, r = 0;

	if (i == 0 && size != g->size)
		return -EBADMSG;
	g->n_written += size;
	if (size > how->bytes_most ||
	    g->n_written >
		    (most > CHAIN_BYTES_LEAST ? most : CHAIN_BYTES_LEAST))
		return -EFBIG;
	if (i > 0)
		r = how->scratch(how->arg, &fd);
	if (r == 0)
		*ret_target = target_new(how, i == 0, fd, size);
	return r;
}

/* Maps the file of a base, and closes it, also on failure. */
static int map_base(struct target *t, struct mapped *ret_base)
{
	void *bytes = NULL;
	int fd = t->fd;

	if (t->size > SIZE_MAX) {
		close(fd);
		return -EFBIG;
	}
	if (t->size)
		bytes = mmap(NULL, (size_t)t->size, PROT_READ, MAP_SHARED, fd,
			     0);
	close(fd);
	if (bytes == MAP_FAILED)
		return errno == ENOMEM ? -EFBIG : -errno;
	*ret_base = (struct mapped){bytes, t->size};
	return 0;
}

static void unmap_base(struct mapped *base)
{
	if (base->bytes)
		munmap(base->bytes, (size_t)base->size);
	*base = (struct mapped){0};
}

/* A page of the base that the disk cannot read would end the program (SIGBUS);
 * page_guard puts zeroes there, and the content is given up. */
static int delta_apply_surely(struct delta *d, const struct mapped *base,
			      struct target *t)
{
	unsigned n_lost = page_guard_n_lost();
	int r;

	page_guard_begin();
	r = delta_apply(d, base, t);
	page_guard_end();
	return page_guard_n_lost() == n_lost ? r : -EIO;
}

static int write_content(struct reading *g, unsigned i,
			 const struct mapped *base, struct target **ret_target)
{
	const struct pack_entry *e = &g->chain[i];
	bool is_delta = i + 1 < g->n_chain;
	cleanup(inflater_free) struct inflater *inflater = NULL;
	struct delta *d = is_delta ? mem_calloc(1, sizeof(*d)) : NULL;
	uint64_t size = e->size;
	int r = is_delta ? delta_open(e, base->size, d, &size)
			 : inflater_new(e->pack->fd, e->data, &inflater);

	if (r == 0)
		r = chain_target(g, i, size, ret_target);
	if (r == 0)
		r = is_delta ? delta_apply_surely(d, base, *ret_target)
			     : inflate_to(inflater, *ret_target);
	if (r == 0)
		r = target_end(*ret_target, i ? NULL : g->oid);
	if (d)
		inflater_free(d->inflater);
	free(d);
	return r;
}

static int read_packed(struct reading *g)
{
	struct mapped base = {0};
	int r = find_chain(g);

	for (unsigned i = g->n_chain; r == 0 && i-- > 0;) {
		cleanup(target_free) struct target *t = NULL;

		r = write_content(g, i, &base, &t);
		unmap_base(&base);
		if (i > 0 && t && r < 0)
			close(t->fd);
		else if (i > 0 && t)
			r = map_base(t, &base);
	}
	unmap_base(&base);
	return r;
}

/* "blob <size>\0" and the content, deflated. */
static int read_loose(struct reading *g)
{
	cleanup(inflater_free) struct inflater *f = NULL;
	cleanup(target_free) struct target *t = NULL;
	cleanup(fd) int fd = -1;
	char hex[41], is[32], expected[32];
	cleanup(free) char *path = NULL;
	uint64_t size;
	size_t n, got;
	int r;

	oid_hex(g->oid, hex);
	path = mem_asprintf("%s/%.2s/%s", g->how->objects, hex, hex + 2);
	r = pack_open_file(path, &fd, &size);
	if (r == 0)
		r = inflater_new(fd, 0, &f);
	if (r < 0)
		return r;
	n = (size_t)snprintf(expected, sizeof(expected), "blob %llu",
			     (unsigned long long)g->size) +
	    1;
	r = inflater_read(f, is, n, &got);
	if (r == 0 && (got != n || memcmp(is, expected, n) != 0))
		r = -EBADMSG;
	if (r < 0)
		return r;
	t = target_new(g->how, true, g->fd, g->size);
	r = inflate_to(f, t);
	return r < 0 ? r : target_end(t, g->oid);
}

int pack_read_blob(const struct pack_read *how, const struct oid *oid,
		   uint64_t size, int fd)
{
	struct reading g = {
		.how = how,
		.packs = {.objects = how->objects},
		.oid = oid,
		.size = size,
		.fd = fd,
	};
	int r;

	if (size > how->bytes_most)
		return -EFBIG;
	g.chain = mem_calloc(how->chain_most + 1, sizeof(*g.chain));
	r = read_packed(&g);
	if (r == -ENOENT)
		r = read_loose(&g);
	free(g.chain);
	pack_index_done(&g.packs);
	return r;
}

/* ---- how large the objects are that deltas make ---- */

static int skip_rest(const struct ctx *ctx, struct inflater *f)
{
	cleanup(free) unsigned char *piece = mem_alloc(PIECE);
	size_t n = PIECE;
	int r = 0;

	while (r == 0 && n == PIECE)
		r = ctx_is_cancelled(ctx) ? -EINTR
					  : inflater_read(f, piece, PIECE, &n);
	return r;
}

/* The size of the object that a delta makes (0: the entry is not a delta), and
 * where the next entry begins. */
static int read_claim(const struct ctx *ctx, const struct pack *p,
		      uint64_t offset, uint64_t *ret_size, uint64_t *ret_next)
{
	cleanup(inflater_free) struct inflater *f = NULL;
	struct delta d = {.n = 0};
	struct pack_entry e;
	uint64_t base;
	int r = pack_read_entry(p, offset, &e);

	if (r == 0)
		r = inflater_new(p->fd, e.data, &f);
	if (r < 0)
		return r;
	*ret_size = 0;
	d.inflater = f;
	d.size = e.size;
	if (e.type == PACK_OFS_DELTA || e.type == PACK_REF_DELTA) {
		r = delta_size(&d, &base);
		if (r == 0)
			r = delta_size(&d, ret_size);
	}
	if (r == 0)
		r = skip_rest(ctx, f);
	*ret_next = f->at - f->z.avail_in;
	return r;
}

/* Each entry up to one that cannot be read. */
static int each_entry(const struct ctx *ctx, const char *path, uint64_t tail,
		      void (*each)(void *arg, uint64_t size, uint64_t end),
		      void *arg)
{
	struct pack p = {.fd = -1};
	uint64_t size, at = PACK_HEAD;
	int r = pack_open_file(path, &p.fd, &p.size);
	bool opened = r == 0;

	while (r == 0 && p.size > at + tail) {
		r = read_claim(ctx, &p, at, &size, &at);
		if (r == 0)
			each(arg, size, at);
	}
	if (p.fd >= 0)
		close(p.fd);
	return opened && r != -EINTR ? 0 : r;
}

static void note_largest(void *arg, uint64_t size, uint64_t)
{
	uint64_t *most = arg;

	*most = size > *most ? size : *most;
}

int pack_read_largest_delta(const struct ctx *ctx, const char *path,
			    uint64_t *ret_size)
{
	int r;

	*ret_size = 0;
	r = each_entry(ctx, path, OID_BYTES, note_largest, ret_size);
	return r == -EINTR ? r : 0;
}

struct whole {
	uint32_t n;
	uint64_t end;
};

static void note_whole(void *arg, uint64_t, uint64_t end)
{
	struct whole *w = arg;

	w->n++;
	w->end = end;
}

int pack_read_whole(const struct ctx *ctx, const char *path, uint32_t *ret_n,
		    uint64_t *ret_end)
{
	struct whole w = {0, PACK_HEAD};
	int r = each_entry(ctx, path, 0, note_whole, &w);

	*ret_n = w.n;
	*ret_end = w.end;
	return r;
}
