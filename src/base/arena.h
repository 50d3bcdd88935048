/*
 * base/arena: many small pieces of memory that end together.
 *
 * A piece costs its bytes and no header, is given back only with the whole (or
 * at once, while it is the newest), and the whole goes with one free a chunk.
 * AddressSanitizer finds who reads or writes past a piece. One thread at a
 * time.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/mem.h"

struct arena;

/* For about so many bytes; takes more as they are needed. What is never used is
 * at most as much again as what is, and no page of it is touched. */
struct arena *arena_new(size_t expected);
struct arena *arena_free(struct arena *);
DEFINE_CLEANUP(struct arena *, arena_free);

void *arena_alloc(struct arena *, size_t n); /* for 8-byte alignment */
void arena_take_back(struct arena *, const void *piece);

#endif
