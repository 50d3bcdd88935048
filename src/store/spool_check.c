/*
 * store/spool, what is known of the bytes: which chunks are there, and a sum of
 * each, by which a chunk is found out that the disk or somebody else damaged.
 * The bytes are compared with it when a chunk is first read, and again after
 * somebody else wrote to the file; a chunk that does not match is dropped, so
 * that it is fetched again. The races are told in spool_private.h.
 *
 * Marks live in memory. The map on the disk gets those whose bytes were synced
 * before, so a chunk that the map has is complete, whenever the power went. A
 * mark and its sum are one record of 8 bytes, which the disk writes as one. Of
 * a file that several processes have open each writes its own marks only: a
 * mark of another process is removed for a chunk that was found damaged, and is
 * otherwise at worst not known here.
 */
#include "spool_private.h"

#include "base/digest.h"
#include "base/file.h"
#include "store/say.h"

#include <inttypes.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define SYNC_EVERY 32 /* chunks */
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
	return spool_n_chunks(size) * record_size(is_old);
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

/* Begins a round if somebody else wrote. */
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

static uint64_t length_of(const struct spool_file *f, uint64_t chunk)
{
	uint64_t left = f->size - chunk * SPOOL_CHUNK;

	return left < SPOOL_CHUNK ? left : SPOOL_CHUNK;
}

/* Of the first n bytes of the chunk, as they are on the disk. -ENODATA: there
 * are not so many. */
static int sum_of(const struct spool_file *f, uint64_t chunk, uint64_t n,
		  uint32_t *ret_sum)
{
	return file_crc32(f->fd, chunk * SPOOL_CHUNK, n, 0, ret_sum);
}

void spool_sum_more(struct spool_file *f, uint64_t offset, const void *data,
		    size_t n)
{
	const char *at = data;

	mutex_lock(&f->lock);
	/* Out of order: spool_mark makes the sums, of what is on the disk. */
	if (f->n_summed != offset)
		f->n_summed = UINT64_MAX;
	while (n && f->n_summed != UINT64_MAX) {
		uint64_t chunk = f->n_summed / SPOOL_CHUNK;
		size_t room = (size_t)(SPOOL_CHUNK - f->n_summed % SPOOL_CHUNK);
		size_t some = n < room ? n : room;
		struct spool_chunk *p;

		mem_grow(f->chunks, chunk, f->n_room);
		p = &f->chunks[chunk];
		if (f->n_summed % SPOOL_CHUNK == 0)
			*p = (struct spool_chunk){.is_summed = true,
						  .checked = f->round};
		p->sum = digest_crc32(p->sum, at, some);
		f->n_summed += some;
		at += some;
		n -= some;
	}
	mutex_unlock(&f->lock);
}

/*
 * So the sum is that of what came, and spool_mark need not read the chunk. What
 * two write at once, or in another order, mark sums from the disk. Under lock.
 */
static void sum_piece(struct spool_file *f, uint64_t offset, const void *data,
		      size_t n)
{
	struct spool_chunk *p = &f->chunks[offset / SPOOL_CHUNK];
	uint64_t at = offset % SPOOL_CHUNK;

	if (p->has)
		return;
	if (at == 0)
		*p = (struct spool_chunk){.checked = f->round};
	if (p->n_summed != at) {
		p->n_summed = N_SUMMED_NONE;
		p->is_summed = false;
		return;
	}
	p->sum = digest_crc32(p->sum, data, n);
	p->n_summed += (uint32_t)n;
	p->is_summed = p->n_summed == length_of(f, offset / SPOOL_CHUNK);
}

void spool_sum_pieces(struct spool_file *f, uint64_t offset, const void *data,
		      size_t n)
{
	const char *at = data;

	while (n) {
		size_t room = (size_t)(SPOOL_CHUNK - offset % SPOOL_CHUNK);
		size_t some = n < room ? n : room;

		mutex_lock(&f->lock);
		sum_piece(f, offset, at, some);
		mutex_unlock(&f->lock);
		offset += some;
		at += some;
		n -= some;
	}
}

/* ---- the map ---- */

int spool_map_read(struct spool_file *f)
{
	size_t size = record_size(f->is_old), n = (size_t)f->n_chunks * size;
	cleanup(free) char *map = mem_alloc(n + 1);

	if (spool_read_at(f->fd, spool_map_offset(f->size), map, n) !=
	    (ssize_t)n)
		return -ENOENT;
	for (uint64_t i = 0; i < f->n_chunks; i++) {
		struct spool_chunk *p = &f->chunks[i];
		struct record record = {.has = (uint32_t)map[i * size]};

		if (!f->is_old)
			memcpy(&record, map + i * size, sizeof(record));
		p->has = p->kept = record.has == 1;
		f->n_has += p->has;
		p->is_summed = p->has && !f->is_old;
		p->sum = record.sum;
	}
	return 0;
}

static int write_record(struct spool_file *f, uint64_t chunk,
			const struct spool_chunk *p)
{
	const struct record record = {.has = p->has, .sum = p->sum};
	const char has = p->has;
	size_t size = record_size(f->is_old);

	return file_write_at(f->fd, spool_map_offset(f->size) + chunk * size,
			     f->is_old ? (const void *)&has : &record, size);
}

int spool_map_keep(struct spool_file *f)
{
	cleanup(free) struct spool_chunk *now = NULL;
	bool verified;
	int r = 0;

	mutex_lock(&f->lock);
	verified = f->verified;
	if (f->keeping || !f->n_unkept) {
		mutex_unlock(&f->lock);
		return 0;
	}
	f->keeping = true;
	now = mem_calloc(f->n_chunks + 1, sizeof(*now));
	memcpy(now, f->chunks, f->n_chunks * sizeof(*now));
	f->n_unkept = 0;
	mutex_unlock(&f->lock);

	if (fdatasync(f->fd) < 0)
		r = -errno;
	/* Another mount verified what was in their place. */
	if (!verified && r == 0)
		(void)spool_head_note(f, false);
	spool_write_begin(f);
	for (uint64_t i = 0; r == 0 && i < f->n_chunks; i++)
		if (now[i].has && !now[i].kept &&
		    (now[i].is_summed || f->is_old))
			r = write_record(f, i, &now[i]);
	spool_write_end(f);

	mutex_lock(&f->lock);
	for (uint64_t i = 0; r == 0 && i < f->n_chunks; i++)
		/* A mark without a sum was not written to the map. */
		f->chunks[i].kept =
			f->chunks[i].has && now[i].has &&
			(now[i].kept || now[i].is_summed || f->is_old);
	if (r < 0)
		f->n_unkept++; /* so that the last reference tries again */
	f->keeping = false;
	mutex_unlock(&f->lock);
	spool_advise(f);
	return r;
}

void spool_advise(struct spool_file *f)
{
	bool whole = true;

	mutex_lock(&f->lock);
	for (uint64_t i = 0; whole && i < f->n_chunks; i++)
		whole = f->chunks[i].has;
	mutex_unlock(&f->lock);
	(void)posix_fadvise(f->fd, 0, 0,
			    whole ? POSIX_FADV_NORMAL : POSIX_FADV_RANDOM);
}

static void keep_on(void *arg)
{
	struct spool_file *f = arg;

	mutex_lock(&f->lock);
	while (!f->ending) {
		if (f->n_unkept < SYNC_EVERY) {
			cond_wait(&f->keeper_wanted, &f->lock);
			continue;
		}
		mutex_unlock(&f->lock);
		(void)spool_map_keep(f);
		mutex_lock(&f->lock);
	}
	mutex_unlock(&f->lock);
}

/* Whoever brings the bytes does not wait for the disk: between a near server
 * and it the one would stand still while the other works. */
static void keep_behind(struct spool_file *f)
{
	bool had_keeper;

	mutex_lock(&f->lock);
	had_keeper = f->has_keeper;
	f->has_keeper = true;
	cond_signal(&f->keeper_wanted);
	mutex_unlock(&f->lock);
	if (had_keeper || thread_start("spool", keep_on, f, &f->keeper) == 0)
		return;
	(void)spool_map_keep(f);
	mutex_lock(&f->lock);
	f->has_keeper = false;
	mutex_unlock(&f->lock);
}

void spool_keeper_end(struct spool_file *f)
{
	mutex_lock(&f->lock);
	f->ending = true;
	cond_signal(&f->keeper_wanted);
	mutex_unlock(&f->lock);
	f->keeper = thread_join(f->keeper);
}

/* ---- chunks ---- */

void spool_mark(struct spool_file *f, uint64_t chunk)
{
	struct spool_chunk now;
	bool due = false;

	check(f->published && chunk < f->n_chunks);
	mutex_lock(&f->lock);
	now = f->chunks[chunk];
	if (!now.is_summed)
		now.checked = f->round;
	mutex_unlock(&f->lock);
	if (now.has)
		return;
	/* If no sum can be made the chunk is here for this process alone. */
	if (!now.is_summed)
		now.is_summed =
			sum_of(f, chunk, length_of(f, chunk), &now.sum) == 0;
	now.has = true;
	mutex_lock(&f->lock);
	if (!f->chunks[chunk].has) {
		f->chunks[chunk] = now;
		f->n_marks++;
		f->n_has++;
		due = ++f->n_unkept >= SYNC_EVERY;
	}
	mutex_unlock(&f->lock);
	if (due)
		keep_behind(f);
}

bool spool_has(struct spool_file *f, uint64_t chunk)
{
	return mutex_with(&f->lock, f->published && chunk < f->n_chunks &&
					    f->chunks[chunk].has);
}

/* The bytes of the chunk do not match its sum. */
static void drop(struct spool_file *f, uint64_t chunk, bool was_kept, bool say)
{
	static const struct spool_chunk none;

	/* First: with the mark gone and this left, whatever comes in the
	 * chunk's place would count as verified. */
	(void)spool_head_note(f, false);
	if (was_kept) {
		spool_write_begin(f);
		(void)write_record(f, chunk, &none);
		spool_write_end(f);
	}
	if (say)
		store_say(f->path, EIO,
			  "A download, an object of LFS or the log of a step "
			  "that is kept here was damaged, %" PRIu64
			  " MiB from its start: what "
			  "is damaged is fetched again.",
			  chunk);
}

/* The bytes of the chunk were read (r, sum); p is what was known of it before,
 * as of n_marks and round. 1: they are right; 0: dropped; -EAGAIN: it was
 * written meanwhile. */
static int judge(struct spool_file *f, uint64_t chunk,
		 const struct spool_chunk *p, uint64_t n_marks, unsigned round,
		 int r, uint32_t sum)
{
	struct spool_chunk *now = &f->chunks[chunk];
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
	*now = (struct spool_chunk){0};
	f->n_has--;
	f->n_dropped++;
	f->verified = false;
	say = !f->said;
	f->said = true;
	mutex_unlock(&f->lock);
	drop(f, chunk, was_kept, say);
	return 0;
}

bool spool_check(struct spool_file *f, uint64_t chunk)
{
	look_for_others(f);
	for (unsigned i = 0; i < LOOKS; i++) {
		struct spool_chunk p;
		uint64_t n_marks;
		uint32_t sum = 0;
		unsigned round;
		int r;

		if (!spool_has(f, chunk))
			return false;
		mutex_lock(&f->lock);
		p = f->chunks[chunk];
		n_marks = f->n_marks;
		round = f->round;
		mutex_unlock(&f->lock);
		if (p.checked == round)
			return true;
		r = sum_of(f, chunk, length_of(f, chunk), &sum);
		r = judge(f, chunk, &p, n_marks, round, r, sum);
		if (r >= 0)
			return r > 0;
	}
	return false;
}

bool spool_check_growing(struct spool_file *f, uint64_t offset, uint64_t n)
{
	uint64_t chunk = offset / SPOOL_CHUNK;

	look_for_others(f);
	for (; chunk * SPOOL_CHUNK < offset + n; chunk++) {
		uint64_t begin = chunk * SPOOL_CHUNK, length = 0;
		struct spool_chunk p = {0};
		uint32_t sum = 0;
		unsigned round;

		mutex_lock(&f->lock);
		round = f->round;
		if (!f->published && f->n_summed != UINT64_MAX &&
		    begin < f->n_summed) {
			p = f->chunks[chunk];
			length = f->n_summed - begin;
		}
		mutex_unlock(&f->lock);
		if (length > SPOOL_CHUNK)
			length = SPOOL_CHUNK;
		if (!length || p.checked == round)
			continue;
		if (sum_of(f, chunk, length, &sum) < 0 || sum != p.sum)
			return false;
		mutex_lock(&f->lock);
		if (!f->published)
			f->chunks[chunk].checked = round;
		mutex_unlock(&f->lock);
	}
	return true;
}
