/*
 * store/spool, inside: a file. spool.c has the directory and the files,
 * spool_check.c what is known of their bytes, spool_verify.c of all of them.
 */
#ifndef STORE_SPOOL_PRIVATE_H
#define STORE_SPOOL_PRIVATE_H

#include "store/spool.h"

#include "base/sync.h"

#include <sys/types.h>
#include <time.h>

/* The most bytes of one file that goes on in memory. */
#define SPOOL_MEMORY_FILE SPOOL_CHUNK

struct spool {
	char *dir;
	uint64_t max_bytes;
	atomic_uint serial;
	atomic_uint_fast64_t n_memory; /* bytes that files may have in memory */
	atomic_bool homeless; /* people were told that the disk is full */
};

/*
 * What is known of one chunk, under the lock of its file.
 *
 * Somebody else (an editor, another process, a disk that lies) may write into
 * the file: what is read then must be looked at again. Each such write begins a
 * round, and a chunk's bytes are right as of one round (`checked`).
 */
#define N_SUMMED_NONE UINT32_MAX
struct spool_chunk {
	bool has;         /* its bytes are here; of a published file */
	bool kept;        /* and the map on the disk says so */
	bool is_summed;   /* sum is known */
	uint32_t sum;     /* CRC-32 of its bytes */
	unsigned checked; /* the last round in which they matched the sum */
	/* While it comes: the sum is that of so many bytes from its start on.
	 * N_SUMMED_NONE: they did not come one after the other. */
	uint32_t n_summed;
};

/*
 * A file: nameless while its size is not known, then published (for good), with
 * the size, the map and a name.
 *
 * That somebody else wrote is told by the file's mtime, which our own writes
 * change as well:
 * 1. A writes a chunk: the file has a new mtime.
 * 2. B looks: the mtime is not the one that is known. B would begin a round,
 * and hash every chunk anew though nobody else wrote.
 * 3. A notes the new mtime, too late.
 * So writes are announced (spool_write_begin, n_writing), and nobody judges the
 * mtime while one is under way; and a write that began and ended while B was in
 * fstat is told by n_writes.
 *
 * Marks go to the map on the disk after their bytes, by one thread at a time
 * (`keeping`), with no lock held:
 * 1. A copies the chunks, and syncs the bytes.
 * 2. B marks another chunk, whose bytes are not synced.
 * 3. A writes the map. From its copy: if it wrote what the chunks are now, a
 *    power cut would leave B's mark without B's bytes.
 *
 * A chunk whose bytes do not match is dropped, unless it was written meanwhile:
 * 1. A reads the bytes of a damaged chunk.
 * 2. B finds the same, drops it, fetches it, and marks it anew.
 * 3. A drops it: B's good bytes would be fetched once more.
 * So A compares n_marks, and looks again if it has grown.
 */
struct spool_file {
	struct refcount refcount;
	struct spool *spool;
	int fd;
	char *path; /* of a nameless file: a temporary one */

	/* Fixed once published. */
	bool published;
	bool is_old; /* the map is of a version that had no sums */
	uint64_t size, n_chunks;
	char tag[256];

	struct mutex lock;
	/* Under lock: */
	bool in_memory; /* the disk had no place for it */
	bool moving;    /* into memory: writes are refused meanwhile */
	/* Of a nameless file: the first so many bytes came in their order and
	 * are in the sums (UINT64_MAX: they did not); room in chunks. */
	uint64_t n_summed, n_room;
	struct timespec mtime; /* after the last write that is known */
	unsigned round;        /* see struct spool_chunk */
	unsigned n_writing;    /* of our writes, under way */
	uint64_t n_writes;     /* of our writes, ended */
	struct spool_chunk *chunks;
	unsigned n_unkept; /* chunks that are here and not in the map */
	bool keeping;      /* a thread syncs and writes the map */
	uint64_t n_marks;  /* that were ever made */
	uint64_t n_has;    /* chunks that are here */
	uint64_t n_dropped;
	bool verified; /* spool_verify */
	/* From the first marks that are due on, until the last reference: a
	 * thread keeps them, behind whoever brings the bytes. */
	bool has_keeper, ending;
	struct cond keeper_wanted;
	bool said; /* to people: that it was damaged */

	struct thread *keeper; /* has_keeper's; for the last reference */
};

ssize_t spool_read_at(int fd, uint64_t offset, void *data, size_t n);

/* The disk refused bytes up to `end`: moves the file into memory. -ENOSPC:
 * there is no room for it, or it is there already. */
int spool_memory_move(struct spool_file *, uint64_t end);
void spool_memory_drop(struct spool_file *);

/* Around every write of ours to the file: see struct spool_file. */
void spool_write_begin(struct spool_file *);
void spool_write_end(struct spool_file *);
/* What was written: to a nameless file; to a published one. */
void spool_sum_more(struct spool_file *, uint64_t offset, const void *data,
		    size_t n);
/* Into the head on the disk: whether the file is verified. */
int spool_head_note(struct spool_file *, bool verified);
void spool_sum_pieces(struct spool_file *, uint64_t offset, const void *data,
		      size_t n);
/* The map of a file that was found. -ENOENT: it cannot be read. */
int spool_map_read(struct spool_file *);
/* Syncs the bytes of marked chunks, then writes their marks to the map. */
int spool_map_keep(struct spool_file *);
/* With the last reference. */
void spool_keeper_end(struct spool_file *);
/* While chunks are missing the kernel is to read no further than it is asked
 * to: else it fills its pages with zeros of the hole ahead, which takes longer
 * than all the rest of a download, and the bytes that come overwrite them. */
void spool_advise(struct spool_file *);
static inline uint64_t spool_map_offset(uint64_t size)
{
	return (size + 4095) / 4096 * 4096;
}
uint64_t spool_map_size(uint64_t size, bool is_old);

#endif
