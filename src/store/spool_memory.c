/*
 * store/spool: a small file for which the disk has no place goes on in memory:
 * the log of a step is read, though it is not kept. From then on the file's
 * descriptor, under the same number, is one of memory; a duplicate that was
 * made before stays one of the old file, and reads what was there then.
 */
#include "spool_private.h"

#include "base/file.h"
#include "store/say.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Of all files together. */
#define MEMORY_MOST (16 * SPOOL_MEMORY_FILE)

/* All of a file: bytes, map, head. */
static int copy(int from, int to)
{
	uint64_t at = 0;
	struct stat st;

	if (fstat(from, &st) < 0 || ftruncate(to, st.st_size) < 0)
		return -errno;
	for (;;) {
		char chunk[16 * KIB];
		ssize_t n = spool_read_at(from, at, chunk, sizeof(chunk));
		int r = n > 0 ? file_write_at(to, at, chunk, (size_t)n) : 0;

		if (n <= 0 || r < 0)
			return n < 0 ? (int)n : r;
		at += (uint64_t)n;
	}
}

static bool take_room(struct spool *s)
{
	uint64_t n = atomic_fetch_add(&s->n_memory, SPOOL_MEMORY_FILE);

	if (n + SPOOL_MEMORY_FILE <= MEMORY_MOST)
		return true;
	atomic_fetch_sub(&s->n_memory, SPOOL_MEMORY_FILE);
	return false;
}

void spool_memory_drop(struct spool_file *f)
{
	if (f->in_memory)
		atomic_fetch_sub(&f->spool->n_memory, SPOOL_MEMORY_FILE);
}

/* True for the one thread that may move it; other writers are refused, as by
 * the disk. */
static bool begin(struct spool_file *f, uint64_t end)
{
	bool may;

	mutex_lock(&f->lock);
	/* Another thread's write that is under way would land in the old file,
	 * and be marked in the new one: so this write has to be the only one.
	 */
	may = !f->in_memory && !f->moving && f->n_writing <= 1 &&
	      end <= SPOOL_MEMORY_FILE &&
	      (!f->published || f->size <= SPOOL_MEMORY_FILE);
	f->moving |= may;
	mutex_unlock(&f->lock);
	if (may && !take_room(f->spool)) {
		mutex_lock(&f->lock);
		f->moving = may = false;
		mutex_unlock(&f->lock);
	}
	return may;
}

int spool_memory_move(struct spool_file *f, uint64_t end)
{
	cleanup(fd) int memory = -1;
	int r;

	if (!begin(f, end))
		return -ENOSPC;
	memory = memfd_create("bitbucketfs", MFD_CLOEXEC);
	r = memory < 0 ? -errno : copy(f->fd, memory);
	if (r == 0 && dup3(memory, f->fd, O_CLOEXEC) < 0)
		r = -errno;
	mutex_lock(&f->lock);
	f->moving = false;
	f->in_memory = r == 0;
	mutex_unlock(&f->lock);
	if (r < 0) {
		atomic_fetch_sub(&f->spool->n_memory, SPOOL_MEMORY_FILE);
		return r;
	}
	if (!f->published)
		unlink(f->path);
	if (!atomic_exchange(&f->spool->homeless, true))
		store_say(
			f->spool->dir, ENOSPC,
			"The disk of the cache is full: logs and downloads of "
			"up to 1 MiB are kept in memory while somebody looks "
			"at them, larger ones cannot be read.");
	return 0;
}
