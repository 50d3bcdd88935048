/*
 * store/pack_read: one blob of a repository's packs or loose objects, written
 * into a file as a stream, however large it is.
 *
 * Owns reading the formats of a pack, its index (version 2), a delta and a
 * loose object (git's Documentation/gitformat-pack.txt); any byte of them may
 * be wrong, or a stranger's. For blobs that libgit2 would inflate whole in
 * memory; the door to zlib. Must never know what the blob is for.
 */
#ifndef STORE_PACK_READ_H
#define STORE_PACK_READ_H

#include "store/objects.h"

#include "base/ctx.h"

struct pack_read {
	const char *objects; /* the directory of that name */
	uint64_t bytes_most; /* of the blob, and of what it is a delta of */
	unsigned chain_most; /* deltas, one upon the other */
	/* Makes an empty file for reading and writing, which pack_read_blob
	 * closes: the base of a delta is inflated into it, and mapped. Two are
	 * open at a time at most. */
	int (*scratch)(void *arg, int *ret_fd);
	/* What was written of the blob itself, in its order; may be NULL. */
	void (*wrote)(void *arg, const void *data, size_t n);
	void *arg;
	const struct ctx *ctx; /* NULL: nobody breaks it off */
};
/* Writes the blob's size bytes to fd, from its beginning. The hash is verified.
 * -ENOENT; -EINTR, cancelled; -EFBIG over the bounds; -EBADMSG not a blob of
 * that size, or damaged; or what reading and writing gave. */
int pack_read_blob(const struct pack_read *, const struct oid *, uint64_t size,
		   int fd);

/* The size of the largest object that a delta of the pack file claims to make,
 * of the entries up to one that cannot be read. Inflates the whole file, which
 * may be GBs: -EINTR, cancelled (ctx as above). */
int pack_read_largest_delta(const struct ctx *, const char *path,
			    uint64_t *ret_size);

/* How many entries from its beginning on are whole, of a pack file that was cut
 * off, and where the last of them ends. -EINTR, -errno of the file. */
int pack_read_whole(const struct ctx *, const char *path, uint32_t *ret_n,
		    uint64_t *ret_end);

/* Each object of an index, in the order of ids, until each returns other than
 * 0; that, or 0, or -errno; -EBADMSG. */
int pack_index_each(const char *path,
		    int (*each)(void *arg, const struct oid *), void *arg);

#endif
