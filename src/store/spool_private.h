/*
 * store/spool, inside: a file. spool.c has the directory and the files,
 * spool_check.c what is known of their bytes.
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
	atomic_uint_fast64_t n_memory; /* bytes that may be in memory */
	atomic_bool homeless;          /* said */
};

struct spool_piece {
	bool has;         /* here; of a settled file */
	bool kept;        /* the map on the disk says so */
	bool is_summed;   /* sum is known */
	uint32_t sum;     /* CRC-32 of its bytes */
	unsigned checked; /* the round in which they were known to be right */
};

struct spool_file {
	struct refcount refcount;
	struct spool *spool;
	int fd;
	char *path; /* of a nameless one: its temporary one */
	/* Once settled; fixed from then on. */
	bool settled;
	bool is_old; /* its map has no sums */
	uint64_t size, n_chunks;
	char tag[256];
	struct mutex lock;
	/* Under lock: the disk did not take it; it is being copied. */
	bool in_memory, moving;
	/* Of a nameless one, under lock: so many bytes came in their order and
	 * are in the sums; so many chunks have room. */
	uint64_t n_summed, n_room;
	/* Whoever else writes to it makes another mtime than our last write
	 * did, and with it a new round. Under lock. */
	struct timespec mtime;
	unsigned round;
	unsigned n_writing;
	uint64_t n_writes;
	/* Under lock: */
	struct spool_piece *chunks;
	unsigned n_unkept;
	bool keeping;     /* somebody syncs */
	uint64_t n_marks; /* that were ever made */
	bool said;        /* that it was damaged */
};

int spool_write_at(int fd, uint64_t offset, const void *data, size_t n);
ssize_t spool_read_at(int fd, uint64_t offset, void *data, size_t n);

/* Moves a file into memory whose bytes up to `end` the disk refused, unless it
 * is there already. -ENOSPC: there is no room for it. */
int spool_memory_move(struct spool_file *, uint64_t end);
void spool_memory_drop(struct spool_file *);

/* Around every write of ours to the file. */
void spool_write_begin(struct spool_file *);
void spool_write_end(struct spool_file *);
/* What was appended to a nameless file. */
void spool_sum_more(struct spool_file *, uint64_t offset, const void *data,
		    size_t n);
/* The map of a file that was found. -ENOENT: it cannot be read. */
int spool_map_read(struct spool_file *);
/* Marks whose bytes were synced go to the disk. */
int spool_map_keep(struct spool_file *);
static inline uint64_t spool_map_offset(uint64_t size)
{
	return (size + 4095) / 4096 * 4096;
}
uint64_t spool_map_size(uint64_t size, bool is_old);

#endif
