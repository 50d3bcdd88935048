/*
 * What a big file must be. Behind its content, from the next 4 KiB on, it has a
 * CRC-32 of each chunk of it, made as the chunk was written and its hash was
 * looked at. Each begins with the object's id, so that a file under another's
 * name is found out; a sum that was damaged itself, or never reached the disk,
 * does not match either. The length tells a file that was cut.
 */
#include "objects_private.h"

#include "store/spool.h"

#include "base/digest.h"
#include "base/file.h"

#include <sys/stat.h>
#include <unistd.h>

#define CHUNK SPOOL_CHUNK

static uint64_t sums_offset(uint64_t size)
{
	return (size + 4095) / 4096 * 4096;
}

/* ---- as they are made ---- */

void objects_big_sums_begin(struct big_sums *s, const struct oid *oid)
{
	s->n_bytes = 0;
	s->before = digest_crc32(0, oid->bytes, sizeof(oid->bytes));
}

void objects_big_sums_add(struct big_sums *s, const void *data, size_t n)
{
	const unsigned char *at = data;

	while (n) {
		size_t chunk = (size_t)(s->n_bytes / CHUNK);
		size_t room = (size_t)(CHUNK - s->n_bytes % CHUNK);
		size_t some = n < room ? n : room;

		mem_grow(s->sums, chunk, s->n_room);
		if (room == CHUNK)
			s->sums[chunk] = s->before;
		s->sums[chunk] = digest_crc32(s->sums[chunk], at, some);
		s->n_bytes += some;
		at += some;
		n -= some;
	}
}

int objects_big_sums_write(const struct big_sums *s, int fd)
{
	return file_write_at(fd, sums_offset(s->n_bytes), s->sums,
			     (size_t)spool_n_chunks(s->n_bytes) *
				     sizeof(*s->sums));
}

void objects_big_sums_done(struct big_sums *s)
{
	free(s->sums);
	*s = (struct big_sums){0};
}

bool objects_big_is_whole(const struct stat *st, uint64_t size)
{
	return (uint64_t)st->st_size ==
	       sums_offset(size) + spool_n_chunks(size) * sizeof(uint32_t);
}

/* ---- what was found to be right ---- */

/* Files of which this process has compared something or which it has written,
 * as they were then: what is right of one that is still the same is not
 * compared again. */
#define KNOWN_MOST 256
struct known {
	struct stat st;
	uint64_t *right; /* a bit for each chunk */
};
static struct {
	struct mutex lock;
	struct known files[KNOWN_MOST]; /* under lock; a ring */
	unsigned next;                  /* under lock */
} known_files = {.lock = MUTEX_INITIALIZER};

static atomic_uint_fast64_t n_compared;

uint64_t objects_big_compared(void)
{
	return atomic_load(&n_compared);
}

/* Under lock, like the three below. */
static struct known *find(const struct stat *st)
{
	for (unsigned i = 0; i < KNOWN_MOST; i++) {
		const struct stat *k = &known_files.files[i].st;

		if (k->st_ino == st->st_ino && k->st_dev == st->st_dev &&
		    k->st_size == st->st_size &&
		    k->st_mtim.tv_sec == st->st_mtim.tv_sec &&
		    k->st_mtim.tv_nsec == st->st_mtim.tv_nsec)
			return &known_files.files[i];
	}
	return NULL;
}

static bool is_right(const struct known *k, uint64_t chunk)
{
	return k->right[chunk / 64] >> chunk % 64 & 1;
}

static void set_right(struct known *k, uint64_t chunk)
{
	k->right[chunk / 64] |= (uint64_t)1 << chunk % 64;
}

static struct known *find_or_add(const struct stat *st, uint64_t size)
{
	struct known *k = find(st);

	if (!k) {
		k = &known_files.files[known_files.next++ % KNOWN_MOST];
		free(k->right);
		k->st = *st;
		k->right = mem_calloc(spool_n_chunks(size) / 64 + 1,
				      sizeof(*k->right));
	}
	return k;
}

/* The chunks from *first up to before ret_end have these bytes. */
static void chunks_of(uint64_t size, uint64_t offset, uint64_t n,
		      uint64_t *ret_first, uint64_t *ret_end)
{
	offset = offset < size ? offset : size;
	n = n < size - offset ? n : size - offset;
	*ret_first = offset / CHUNK;
	*ret_end = n ? spool_n_chunks(offset + n) : *ret_first;
}

bool objects_big_is_known(const struct stat *st, uint64_t size, uint64_t offset,
			  uint64_t n)
{
	const struct known *k;
	uint64_t chunk, end;
	bool known;

	chunks_of(size, offset, n, &chunk, &end);
	mutex_lock(&known_files.lock);
	k = find(st);
	for (known = k || chunk == end; known && chunk < end; chunk++)
		known = is_right(k, chunk);
	mutex_unlock(&known_files.lock);
	return known;
}

void objects_big_know(const struct stat *st, uint64_t size)
{
	struct known *k;

	mutex_lock(&known_files.lock);
	k = find_or_add(st, size);
	for (uint64_t i = 0; i < spool_n_chunks(size); i++)
		set_right(k, i);
	mutex_unlock(&known_files.lock);
}

static int check_chunk(int fd, const struct oid *oid, uint64_t size,
		       uint64_t chunk)
{
	uint64_t at = chunk * CHUNK;
	uint64_t n = size - at < CHUNK ? size - at : CHUNK;
	uint32_t before = digest_crc32(0, oid->bytes, sizeof(oid->bytes));
	uint32_t says, is = 0;
	ssize_t got = pread(fd, &says, sizeof(says),
			    (off_t)(sums_offset(size) + chunk * sizeof(says)));
	int r = got < 0                   ? -errno
		: got < (int)sizeof(says) ? -ENODATA
					  : file_crc32(fd, at, n, before, &is);

	atomic_fetch_add(&n_compared, n);
	/* A sector that cannot be read is as good as garbage. */
	if (r == -EIO || r == -ENODATA)
		return -ENOENT;
	return r < 0 ? r : is == says ? 0 : -ENOENT;
}

int objects_big_check(const struct ctx *ctx, int fd, const struct stat *st,
		      const struct oid *oid, uint64_t size, uint64_t offset,
		      uint64_t n)
{
	uint64_t chunk, end;
	int r = 0;

	chunks_of(size, offset, n, &chunk, &end);
	for (; r == 0 && chunk < end; chunk++) {
		struct known *k;

		if (objects_big_is_known(st, size, chunk * CHUNK, 1))
			continue;
		r = ctx_is_cancelled(ctx) ? -EINTR
					  : check_chunk(fd, oid, size, chunk);
		if (r < 0)
			break;
		mutex_lock(&known_files.lock);
		k = find_or_add(st, size);
		set_right(k, chunk);
		mutex_unlock(&known_files.lock);
	}
	return r;
}
