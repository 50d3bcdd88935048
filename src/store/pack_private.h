/*
 * store/pack_read, inside: pack_index.c finds an object in the packs,
 * pack_entry.c reads the header of its entry, pack_read.c its content.
 */
#ifndef STORE_PACK_PRIVATE_H
#define STORE_PACK_PRIVATE_H

#include "store/oid.h"

struct pack {
	int fd, index;
	uint64_t size;
	uint32_t n_objects;
	uint64_t n_long; /* offsets that have eight bytes */
	char *name;
	struct pack *next;
};
/* The packs of a store. One is opened when an object is looked for in it, and
 * stays open until pack_index_done. */
struct packs {
	const char *objects; /* the directory of that name */
	struct pack *first;
};
/* -ENOENT: in no pack, and packs that were made since the last call were looked
 * at. One that cannot be read does not end the search; but if no other pack has
 * the object, its errno is the answer, for the object may be in it. */
int pack_index_find(struct packs *, const struct oid *,
		    const struct pack **ret_pack, uint64_t *ret_offset);
void pack_index_done(struct packs *);

/* One pack of the directory `objects`, by the name of its index. */
int pack_open(const char *objects, const char *name, struct pack **ret_pack);
struct pack *pack_close(struct pack *);
DEFINE_CLEANUP(struct pack *, pack_close);
/* Each object of the pack, in the order of ids; as pack_index_each. */
int pack_each(const struct pack *,
	      int (*each)(void *arg, const struct oid *, uint64_t offset),
	      void *arg);

/* -EBADMSG: no entry can begin there. */
int pack_check_offset(const struct pack *, uint64_t offset);
/* Types of entries. */
#define PACK_BLOB 3
#define PACK_OFS_DELTA 6
#define PACK_REF_DELTA 7
struct pack_entry {
	const struct pack *pack;
	unsigned type;
	uint64_t size;        /* of what its bytes inflate to */
	uint64_t data;        /* where those bytes begin */
	uint64_t base_offset; /* of a PACK_OFS_DELTA, in the same pack */
	struct oid base_oid;  /* of a PACK_REF_DELTA */
};
/* -EBADMSG: there is none at that offset. */
int pack_read_entry(const struct pack *, uint64_t offset,
		    struct pack_entry *ret_entry);

/* A regular file, to be closed. */
int pack_open_file(const char *path, int *ret_fd, uint64_t *ret_size);
/* All n bytes from that offset; -EBADMSG when the file ends before. */
int pack_read_at(int fd, void *data, size_t n, uint64_t at);

#endif
