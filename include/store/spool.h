/*
 * store/spool: large things as files of the cache, of which some chunks may be
 * there and others not yet. A chunk's bytes (SPOOL_CHUNK, aligned) count when
 * the chunk is whole, after a crash only if it had been synced, and as long as
 * they are those that came.
 *
 * A file has no name while its size is not known: it grows, and is gone with
 * its last reference. Once published it has a name and outlives the program,
 * until the sum of the files is over the bound: those used longest ago go;
 * whoever has one open keeps it. Several processes may share the directory.
 *
 * Must never know where the bytes come from. Safe from any thread.
 */
#ifndef STORE_SPOOL_H
#define STORE_SPOOL_H

#include "base/defs.h"

#define SPOOL_CHUNK ((uint64_t)1 << 20)
#define SPOOL_MAX_BYTES ((uint64_t)4 << 30) /* over it the oldest go */
/* No file is larger: -EFBIG. */
#define SPOOL_MAX_FILE ((uint64_t)64 << 30)

struct spool;
/* Opens or makes the directory (its parent exists). Sweeps what dead processes
 * left. max_bytes 0: SPOOL_MAX_BYTES. */
int spool_open(const char *dir, uint64_t max_bytes, struct spool **ret_spool);
struct spool *spool_close(struct spool *); /* no file may be left */
DEFINE_CLEANUP(struct spool *, spool_close);
uint64_t spool_disk_bytes(struct spool *);

/* Each published file of a directory, whoever uses it; a negative errno of each
 * ends it. A path may be unlinked: who has the file open keeps it. */
struct spool_seen {
	const char *path;
	const char *key;  /* its beginning; "": not known */
	uint64_t n_bytes; /* on the disk */
	int64_t used_ms;  /* wall clock */
};
int spool_each(const char *dir,
	       int (*each)(void *arg, const struct spool_seen *), void *arg);

struct spool_file;
/* The published file of that key (any text), with one reference. -ENOENT: there
 * is none, or what is there is no file of this program's; -EMFILE, -EIO and
 * their like: it could not be read. */
int spool_find(struct spool *, const char *key, struct spool_file **ret_file);
/* On the disk there is one of that size, whole and verified. To look is no use:
 * it goes as early as if nobody had. */
bool spool_is_kept(struct spool *, const char *key, uint64_t size);
/* A nameless one, with one reference. */
int spool_new(struct spool *, struct spool_file **ret_file);
struct spool_file *spool_file_ref(struct spool_file *);
/* The last one syncs what is to be kept. NULL is fine; returns NULL. */
struct spool_file *spool_file_unref(struct spool_file *);
DEFINE_CLEANUP(struct spool_file *, spool_file_unref);

/*
 * The nameless file gets its name and size; what was written stays. tag: what
 * the bytes were called by whoever had them (an ETag), "" for nothing, less
 * than 256 bytes. Another file of that key is replaced. The oldest files go.
 */
int spool_publish(struct spool_file *, const char *key, uint64_t size,
		  const char *tag);
/* Of a published file. */
uint64_t spool_file_size(const struct spool_file *);
const char *spool_file_tag(const struct spool_file *);

/* Without a place on the disk older files go first, then it is -ENOSPC. Of a
 * published file nothing beyond its size may be written. */
int spool_write(struct spool_file *, uint64_t offset, const void *data,
		size_t n);
/* The chunk is whole, on a published file. Every so often marks are synced; a
 * failure of that costs them in a crash alone. */
void spool_mark(struct spool_file *, uint64_t chunk);
bool spool_has(struct spool_file *, uint64_t chunk);
/* The same, and its bytes are those that it was marked with: before it is read.
 * One whose bytes are not is not there any more; that is said once a file. */
bool spool_check(struct spool_file *, uint64_t chunk);
/* Whether what was written to a nameless file, one after the other, is what
 * these bytes of it are. */
bool spool_check_growing(struct spool_file *, uint64_t offset, uint64_t n);
static inline uint64_t spool_n_chunks(uint64_t size)
{
	return (size + SPOOL_CHUNK - 1) / SPOOL_CHUNK;
}
/* All chunks of the published file are there. */
bool spool_is_whole(struct spool_file *);
/* How often chunks that were there went: what was found out of their bytes
 * before is not true of what came since. */
uint64_t spool_n_dropped(struct spool_file *);
/*
 * Whoever knows what the bytes should be has found that they are it, as of
 * n_dropped: synced, and remembered until a chunk of it goes. -EAGAIN: one
 * went.
 */
int spool_verify(struct spool_file *, uint64_t n_dropped);
/* That was found, and it is whole. */
bool spool_is_verified(struct spool_file *);
/* Its bytes are not what they should be: none of them is there any more, here
 * and on the disk. Nobody may be writing to it. */
void spool_clear(struct spool_file *);
/* Another descriptor on its bytes, to be closed by the caller. */
int spool_dup(const struct spool_file *, int *ret_fd);
/* At most n bytes from there: for what checks them. */
ssize_t spool_read(const struct spool_file *, uint64_t offset, void *data,
		   size_t n);

#endif
