/*
 * Finding an object in the packs of a directory. The index of each is bisected
 * by reading, and not mapped: if somebody cut a mapped file, SIGBUS would end
 * the program.
 */
#include "pack_private.h"

#include "store/pack_read.h"

#include "base/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define PACK_HEAD 12 /* "PACK", version, number of objects */
#define PACK_TAIL 20 /* the hash of all before it */
#define INDEX_HEAD 8
#define INDEX_FANOUT (256 * 4)
#define INDEX_EACH (20 + 4 + 4) /* oid, CRC, offset */
#define INDEX_TAIL 40
#define OFFSET_IS_LONG 0x80000000U

int pack_read_at(int fd, void *data, size_t n, uint64_t at)
{
	char *to = data;

	if (at > INT64_MAX - n)
		return -EBADMSG;
	while (n > 0) {
		ssize_t got = pread(fd, to, n, (off_t)at);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			return -EBADMSG;
		to += got;
		at += (uint64_t)got;
		n -= (size_t)got;
	}
	return 0;
}

static uint32_t be32(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	       (uint32_t)p[2] << 8 | p[3];
}

static uint64_t be64(const unsigned char *p)
{
	return (uint64_t)be32(p) << 32 | be32(p + 4);
}

struct pack *pack_close(struct pack *p)
{
	if (!p)
		return NULL;
	if (p->fd >= 0)
		close(p->fd);
	if (p->index >= 0)
		close(p->index);
	free(p->name);
	free(p);
	return NULL;
}

void pack_index_done(struct packs *packs)
{
	struct pack *p;

	while ((p = packs->first)) {
		packs->first = p->next;
		pack_close(p);
	}
}

int pack_open_file(const char *path, int *ret_fd, uint64_t *ret_size)
{
	cleanup(fd) int fd =
		open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EBADMSG;
	*ret_fd = fd;
	*ret_size = (uint64_t)st.st_size;
	fd = -1;
	return 0;
}

static int read_index_head(struct pack *p, uint64_t size)
{
	static const unsigned char magic[INDEX_HEAD] = "\377tOc\0\0\0\2";
	unsigned char head[INDEX_HEAD], n[4];
	uint64_t least;
	int r = pack_read_at(p->index, head, sizeof(head), 0);

	if (r == 0)
		r = pack_read_at(p->index, n, sizeof(n), INDEX_HEAD + 255 * 4);
	if (r < 0)
		return r;
	p->n_objects = be32(n);
	least = INDEX_HEAD + INDEX_FANOUT + INDEX_TAIL +
		(uint64_t)INDEX_EACH * p->n_objects;
	if (memcmp(head, magic, sizeof(magic)) != 0 || size < least)
		return -EBADMSG;
	p->n_long = (size - least) / 8;
	return 0;
}

int pack_open(const char *objects, const char *name, struct pack **ret_pack)
{
	cleanup(pack_close) struct pack *p = mem_calloc(1, sizeof(*p));
	int n = (int)strlen(name) - 4;
	cleanup(free) char *index = mem_asprintf("%s/pack/%s", objects, name);
	cleanup(free) char *pack =
		mem_asprintf("%s/pack/%.*s.pack", objects, n, name);
	uint64_t size;
	int r;

	p->fd = p->index = -1;
	p->name = mem_strdup(name);
	r = pack_open_file(index, &p->index, &size);
	if (r == 0)
		r = read_index_head(p, size);
	if (r == 0)
		r = pack_open_file(pack, &p->fd, &p->size);
	if (r == 0 && p->size < PACK_HEAD + PACK_TAIL)
		r = -EBADMSG;
	if (r == 0)
		*ret_pack = steal(&p);
	return r;
}

int pack_check_offset(const struct pack *p, uint64_t offset)
{
	return offset >= PACK_HEAD && offset < p->size - PACK_TAIL ? 0
								   : -EBADMSG;
}

/* bytes: the four that the index has of an object. */
static int offset_of(const struct pack *p, const unsigned char *bytes,
		     uint64_t *ret_offset)
{
	const uint64_t longs = INDEX_HEAD + INDEX_FANOUT +
			       (uint64_t)INDEX_EACH * p->n_objects;
	uint64_t offset = be32(bytes);
	unsigned char eight[8];
	int r;

	if (offset & OFFSET_IS_LONG) {
		offset &= ~(uint64_t)OFFSET_IS_LONG;
		if (offset >= p->n_long)
			return -EBADMSG;
		r = pack_read_at(p->index, eight, 8, longs + 8 * offset);
		if (r < 0)
			return r;
		offset = be64(eight);
	}
	*ret_offset = offset;
	return pack_check_offset(p, offset);
}

static uint64_t place_of_offset(const struct pack *p, uint32_t i)
{
	return INDEX_HEAD + INDEX_FANOUT + (uint64_t)24 * p->n_objects +
	       (uint64_t)4 * i;
}

static int read_offset(const struct pack *p, uint32_t i, uint64_t *ret_offset)
{
	unsigned char bytes[4];
	int r = pack_read_at(p->index, bytes, 4, place_of_offset(p, i));

	return r < 0 ? r : offset_of(p, bytes, ret_offset);
}

/* -ENOENT: not in this pack. */
static int pack_find(const struct pack *p, const struct oid *oid,
		     uint64_t *ret_offset)
{
	const unsigned first = oid->bytes[0];
	unsigned char bounds[8] = {0}, id[OID_BYTES];
	uint32_t from, to;
	int r;

	if (first)
		r = pack_read_at(p->index, bounds, 8,
				 INDEX_HEAD + 4 * (first - 1));
	else
		r = pack_read_at(p->index, bounds + 4, 4, INDEX_HEAD);
	if (r < 0)
		return r;
	from = be32(bounds);
	to = be32(bounds + 4);
	if (from > to || to > p->n_objects)
		return -EBADMSG;
	while (from < to) {
		uint32_t mid = from + (to - from) / 2;
		int order;

		r = pack_read_at(p->index, id, sizeof(id),
				 INDEX_HEAD + INDEX_FANOUT +
					 (uint64_t)20 * mid);
		if (r < 0)
			return r;
		order = memcmp(oid->bytes, id, sizeof(id));
		if (order == 0)
			return read_offset(p, mid, ret_offset);
		if (order < 0)
			to = mid;
		else
			from = mid + 1;
	}
	return -ENOENT;
}

static bool is_open(const struct packs *packs, const char *name)
{
	for (const struct pack *p = packs->first; p; p = p->next)
		if (strcmp(p->name, name) == 0)
			return true;
	return false;
}

int pack_index_find(struct packs *packs, const struct oid *oid,
		    const struct pack **ret_pack, uint64_t *ret_offset)
{
	cleanup(free) char *dir = mem_asprintf("%s/pack", packs->objects);
	struct dirent *e;
	int r = -ENOENT, said = -ENOENT;
	DIR *d;

	for (const struct pack *p = packs->first; p; p = p->next) {
		r = pack_find(p, oid, ret_offset);
		if (r == 0)
			*ret_pack = p;
		if (r != -ENOENT)
			return r;
	}
	d = opendir(dir);
	if (!d)
		return -errno;
	while ((e = readdir(d))) {
		cleanup(pack_close) struct pack *p = NULL;
		size_t n = strlen(e->d_name);

		if (n <= 4 || strcmp(e->d_name + n - 4, ".idx") != 0 ||
		    is_open(packs, e->d_name))
			continue;
		r = pack_open(packs->objects, e->d_name, &p);
		if (r == 0)
			r = pack_find(p, oid, ret_offset);
		if (r < 0 && r != -ENOENT)
			said = r;
		if (r == 0) {
			*ret_pack = p;
			p->next = packs->first;
			packs->first = steal(&p);
			break;
		}
	}
	closedir(d);
	return r == 0 ? 0 : said;
}

#define IDS_AT_ONCE 1024

int pack_index_each(const char *path,
		    int (*each)(void *arg, const struct oid *), void *arg)
{
	cleanup(pack_close) struct pack *p = mem_calloc(1, sizeof(*p));
	struct oid ids[IDS_AT_ONCE];
	uint64_t size;
	int r;

	p->fd = p->index = -1;
	r = pack_open_file(path, &p->index, &size);
	if (r == 0)
		r = read_index_head(p, size);
	for (uint32_t i = 0; r == 0 && i < p->n_objects; i += IDS_AT_ONCE) {
		uint32_t n = p->n_objects - i;

		if (n > IDS_AT_ONCE)
			n = IDS_AT_ONCE;
		r = pack_read_at(p->index, ids, n * sizeof(*ids),
				 INDEX_HEAD + INDEX_FANOUT + (uint64_t)20 * i);
		for (uint32_t k = 0; r == 0 && k < n; k++)
			r = each(arg, &ids[k]);
	}
	return r;
}

int pack_each(const struct pack *p,
	      int (*each)(void *arg, const struct oid *, uint64_t offset),
	      void *arg)
{
	unsigned char offsets[IDS_AT_ONCE * 4];
	struct oid ids[IDS_AT_ONCE];
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < p->n_objects; i += IDS_AT_ONCE) {
		uint32_t n = p->n_objects - i;
		uint64_t offset;

		if (n > IDS_AT_ONCE)
			n = IDS_AT_ONCE;
		r = pack_read_at(p->index, ids, n * sizeof(*ids),
				 INDEX_HEAD + INDEX_FANOUT + (uint64_t)20 * i);
		if (r == 0)
			r = pack_read_at(p->index, offsets, (size_t)4 * n,
					 place_of_offset(p, i));
		for (uint32_t k = 0; r == 0 && k < n; k++) {
			r = offset_of(p, offsets + (size_t)4 * k, &offset);
			if (r == 0)
				r = each(arg, &ids[k], offset);
		}
	}
	return r;
}
