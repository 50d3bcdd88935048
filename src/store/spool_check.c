/*
 * store/spool, what is known of the bytes: which pieces are there, and a sum of
 * each, by which one that the disk or somebody else has damaged is told. It is
 * looked at when a piece is first read, and again after somebody else wrote to
 * the file; what does not match is no longer there, so that it is fetched
 * again.
 *
 * Marks live in memory; the map on the disk gets those whose bytes were synced
 * before, so a piece that the map has is whole, whenever the power went. A mark
 * and its sum are one record of 8 bytes, which the disk writes as one; another
 * process's mark is never undone but for a piece that was found damaged, only,
 * at worst, not known.
 */
#include "spool_private.h"

#include "base/digest.h"
#include "store/say.h"

#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

#define SYNC_EVERY 32 /* pieces */
#define CHUNK (256 * KIB)
#define LOOKS 3

struct record {
	uint32_t has; /* 1: it is there */
	uint32_t sum;
};

static size_t record_size(bool is_old)
{
	return is_old ? 1 : sizeof(struct record);
}

uint64_t spool_map_size(uint64_t size, bool is_old)
{
	return spool_n_pieces(size) * record_size(is_old);
}

/* ---- who wrote ---- */

static bool is_same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static bool is_later(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec != b->tv_sec ? a->tv_sec > b->tv_sec
				      : a->tv_nsec > b->tv_nsec;
}

/* Begins a new round when somebody else wrote. */
static void look_for_others(struct spool_file *f)
{
	uint64_t n_writes;
	bool writing;
	struct stat st;

	mutex_lock(&f->lock);
	n_writes = f->n_writes;
	writing = f->n_writing > 0;
	mutex_unlock(&f->lock);
	if (writing || fstat(f->fd, &st) < 0)
		return;
	mutex_lock(&f->lock);
	if (!f->n_writing && f->n_writes == n_writes &&
	    !is_same_time(&st.st_mtim, &f->mtime)) {
		f->mtime = st.st_mtim;
		f->round++;
	}
	mutex_unlock(&f->lock);
}

void spool_write_begin(struct spool_file *f)
{
	look_for_others(f);
	mutex_lock(&f->lock);
	f->n_writing++;
	mutex_unlock(&f->lock);
}

void spool_write_end(struct spool_file *f)
{
	struct stat st;
	bool ok = fstat(f->fd, &st) == 0;

	mutex_lock(&f->lock);
	f->n_writing--;
	f->n_writes++;
	if (ok && is_later(&st.st_mtim, &f->mtime))
		f->mtime = st.st_mtim;
	mutex_unlock(&f->lock);
}

/* ---- sums ---- */

/* Of the bytes on the disk. -ENODATA: there are not so many. */
static int sum_of(const struct spool_file *f, uint64_t piece, uint64_t n,
		  uint32_t *ret_sum)
{
	cleanup(free) char *chunk = xmalloc(CHUNK);
	uint64_t at = piece * SPOOL_PIECE, end = at + n;
	uint32_t sum = 0;

	while (at < end) {
		size_t some = end - at < CHUNK ? (size_t)(end - at) : CHUNK;
		ssize_t got = spool_read_at(f->fd, at, chunk, some);

		if (got < 0)
			return (int)got;
		if ((size_t)got < some)
			return -ENODATA;
		sum = digest_crc32(sum, chunk, some);
		at += some;
	}
	*ret_sum = sum;
	return 0;
}

static uint64_t length_of(const struct spool_file *f, uint64_t piece)
{
	uint64_t left = f->size - piece * SPOOL_PIECE;

	return left < SPOOL_PIECE ? left : SPOOL_PIECE;
}

void spool_sum_more(struct spool_file *f, uint64_t offset, const void *data,
		    size_t n)
{
	const char *at = data;

	mutex_lock(&f->lock);
	/* Out of order: the sums are made of what is on the disk then. */
	if (f->n_summed != offset)
		f->n_summed = UINT64_MAX;
	while (n && f->n_summed != UINT64_MAX) {
		uint64_t piece = f->n_summed / SPOOL_PIECE;
		size_t room = (size_t)(SPOOL_PIECE - f->n_summed % SPOOL_PIECE);
		size_t some = n < room ? n : room;
		struct spool_piece *p;

		if (piece == f->n_room) {
			f->n_room = f->n_room ? 2 * f->n_room : 4;
			f->pieces = xrealloc(f->pieces,
					     f->n_room * sizeof(*f->pieces));
		}
		p = &f->pieces[piece];
		if (f->n_summed % SPOOL_PIECE == 0)
			*p = (struct spool_piece){.is_summed = true,
						  .checked = f->round};
		p->sum = digest_crc32(p->sum, at, some);
		f->n_summed += some;
		at += some;
		n -= some;
	}
	mutex_unlock(&f->lock);
}

/* ---- the map ---- */

int spool_map_read(struct spool_file *f)
{
	size_t size = record_size(f->is_old), n = (size_t)f->n_pieces * size;
	cleanup(free) char *map = xmalloc(n + 1);

	if (spool_read_at(f->fd, spool_map_offset(f->size), map, n) !=
	    (ssize_t)n)
		return -ENOENT;
	for (uint64_t i = 0; i < f->n_pieces; i++) {
		struct spool_piece *p = &f->pieces[i];
		struct record record = {.has = (uint32_t)map[i * size]};

		if (!f->is_old)
			memcpy(&record, map + i * size, sizeof(record));
		p->has = p->kept = record.has == 1;
		p->is_summed = p->has && !f->is_old;
		p->sum = record.sum;
	}
	return 0;
}

static int write_record(struct spool_file *f, uint64_t piece,
			const struct spool_piece *p)
{
	const struct record record = {.has = p->has, .sum = p->sum};
	const char has = p->has;
	size_t size = record_size(f->is_old);

	return spool_write_at(f->fd, spool_map_offset(f->size) + piece * size,
			      f->is_old ? (const void *)&has : &record, size);
}

int spool_map_keep(struct spool_file *f)
{
	cleanup(free) struct spool_piece *now = NULL;
	int r = 0;

	mutex_lock(&f->lock);
	if (f->keeping || !f->n_unkept) {
		mutex_unlock(&f->lock);
		return 0;
	}
	f->keeping = true;
	now = xcalloc(f->n_pieces + 1, sizeof(*now));
	memcpy(now, f->pieces, f->n_pieces * sizeof(*now));
	f->n_unkept = 0;
	mutex_unlock(&f->lock);

	if (fdatasync(f->fd) < 0)
		r = -errno;
	spool_write_begin(f);
	for (uint64_t i = 0; r == 0 && i < f->n_pieces; i++)
		if (now[i].has && !now[i].kept &&
		    (now[i].is_summed || f->is_old))
			r = write_record(f, i, &now[i]);
	spool_write_end(f);

	mutex_lock(&f->lock);
	for (uint64_t i = 0; r == 0 && i < f->n_pieces; i++)
		/* What has no sum was not written. */
		f->pieces[i].kept =
			f->pieces[i].has && now[i].has &&
			(now[i].kept || now[i].is_summed || f->is_old);
	if (r < 0)
		f->n_unkept++; /* so that the last reference tries again */
	f->keeping = false;
	mutex_unlock(&f->lock);
	return r;
}

/* ---- pieces ---- */

void spool_mark(struct spool_file *f, uint64_t piece)
{
	struct spool_piece now;
	bool due = false;

	check(f->settled && piece < f->n_pieces);
	mutex_lock(&f->lock);
	now = f->pieces[piece];
	if (!now.is_summed)
		now.checked = f->round;
	mutex_unlock(&f->lock);
	if (now.has)
		return;
	/* Without a sum it is here, but for this process alone. */
	if (!now.is_summed)
		now.is_summed =
			sum_of(f, piece, length_of(f, piece), &now.sum) == 0;
	now.has = true;
	mutex_lock(&f->lock);
	if (!f->pieces[piece].has) {
		f->pieces[piece] = now;
		f->n_marks++;
		due = ++f->n_unkept >= SYNC_EVERY;
	}
	mutex_unlock(&f->lock);
	if (due)
		(void)spool_map_keep(f);
}

bool spool_has(struct spool_file *f, uint64_t piece)
{
	bool has;

	mutex_lock(&f->lock);
	has = f->settled && piece < f->n_pieces && f->pieces[piece].has;
	mutex_unlock(&f->lock);
	return has;
}

/* What it was marked with is not what is on the disk. */
static void drop(struct spool_file *f, uint64_t piece, bool was_kept, bool say)
{
	static const struct spool_piece none;

	if (was_kept) {
		spool_write_begin(f);
		(void)write_record(f, piece, &none);
		spool_write_end(f);
	}
	if (say)
		store_say(f->path, EIO,
			  "A download or the log of a step that is kept here "
			  "was damaged, %" PRIu64 " MiB from its start: what "
			  "is damaged is fetched again.",
			  piece);
}

/* The outcome of a look at the bytes of piece `p` (as it was before the look).
 * 1: right; 0: dropped; -EAGAIN: it was written meanwhile. */
static int judge(struct spool_file *f, uint64_t piece,
		 const struct spool_piece *p, uint64_t n_marks, unsigned round,
		 int r, uint32_t sum)
{
	struct spool_piece *now = &f->pieces[piece];
	bool was_kept, say;

	mutex_lock(&f->lock);
	if (r == 0 && (!p->is_summed || sum == p->sum)) {
		bool has = now->has;

		if (has && !now->is_summed) {
			now->is_summed = true;
			now->sum = sum;
			f->n_unkept += !now->kept;
		}
		if (has)
			now->checked = round;
		mutex_unlock(&f->lock);
		return has;
	}
	if (f->n_marks != n_marks || !now->has) {
		mutex_unlock(&f->lock);
		return -EAGAIN;
	}
	was_kept = now->kept;
	*now = (struct spool_piece){0};
	say = !f->said;
	f->said = true;
	mutex_unlock(&f->lock);
	drop(f, piece, was_kept, say);
	return 0;
}

bool spool_check(struct spool_file *f, uint64_t piece)
{
	look_for_others(f);
	for (unsigned i = 0; i < LOOKS; i++) {
		struct spool_piece p;
		uint64_t n_marks;
		uint32_t sum = 0;
		unsigned round;
		int r;

		if (!spool_has(f, piece))
			return false;
		mutex_lock(&f->lock);
		p = f->pieces[piece];
		n_marks = f->n_marks;
		round = f->round;
		mutex_unlock(&f->lock);
		if (p.checked == round)
			return true;
		r = sum_of(f, piece, length_of(f, piece), &sum);
		r = judge(f, piece, &p, n_marks, round, r, sum);
		if (r >= 0)
			return r > 0;
	}
	return false;
}

bool spool_check_growing(struct spool_file *f, uint64_t offset, uint64_t n)
{
	uint64_t piece = offset / SPOOL_PIECE;

	look_for_others(f);
	for (; piece * SPOOL_PIECE < offset + n; piece++) {
		uint64_t begin = piece * SPOOL_PIECE, length = 0;
		struct spool_piece p = {0};
		uint32_t sum = 0;
		unsigned round;

		mutex_lock(&f->lock);
		round = f->round;
		if (!f->settled && f->n_summed != UINT64_MAX &&
		    begin < f->n_summed) {
			p = f->pieces[piece];
			length = f->n_summed - begin;
		}
		mutex_unlock(&f->lock);
		if (length > SPOOL_PIECE)
			length = SPOOL_PIECE;
		if (!length || p.checked == round)
			continue;
		if (sum_of(f, piece, length, &sum) < 0 || sum != p.sum)
			return false;
		mutex_lock(&f->lock);
		if (!f->settled)
			f->pieces[piece].checked = round;
		mutex_unlock(&f->lock);
	}
	return true;
}
