/*
 * base/arena: chunks that grow, pieces cut off one after the other. Chunks of
 * CHUNK_MOST and more come from the system itself: malloc would keep some of
 * them, for it takes their sizes for what is often asked for.
 */
#include "base/arena.h"

#include <sys/mman.h>

#if __has_include(<sanitizer/asan_interface.h>)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(at, n) ((void)(at), (void)(n))
#define ASAN_UNPOISON_MEMORY_REGION(at, n) ((void)(at), (void)(n))
#endif
#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define BETWEEN 16 /* so far behind a piece an access is found */
#else
#define BETWEEN 0
#endif

#define ALIGN 8
#define CHUNK_LEAST 512
#define CHUNK_MOST (256 * KIB)

struct arena_chunk {
	struct arena_chunk *before;
	size_t size;
};

struct arena {
	struct arena_chunk *chunk; /* the newest */
	char *at, *end;            /* what of it is free */
	char *newest;              /* piece; NULL: it was taken back */
};

static struct arena_chunk *new_chunk(size_t size)
{
	void *p;

	if (size < CHUNK_MOST)
		return mem_alloc(size);
	p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	check(p != MAP_FAILED);
	return p;
}

/* Whoever gets these addresses next knows of no poison. */
static void free_chunk(struct arena_chunk *chunk)
{
	ASAN_UNPOISON_MEMORY_REGION(chunk, chunk->size);
	if (chunk->size < CHUNK_MOST)
		free(chunk);
	else
		munmap(chunk, chunk->size);
}

/* Of so many bytes in all. */
static void add_chunk(struct arena *a, size_t size)
{
	struct arena_chunk *chunk = new_chunk(size);

	chunk->before = a->chunk;
	chunk->size = size;
	a->chunk = chunk;
	a->at = (char *)(chunk + 1);
	a->end = (char *)chunk + size;
	ASAN_POISON_MEMORY_REGION(a->at, (size_t)(a->end - a->at));
}

struct arena *arena_new(size_t expected)
{
	struct arena *a = mem_calloc(1, sizeof(*a));

	add_chunk(a, expected < CHUNK_LEAST  ? CHUNK_LEAST
		     : expected > CHUNK_MOST ? CHUNK_MOST
					     : expected);
	return a;
}

struct arena *arena_free(struct arena *a)
{
	struct arena_chunk *before;

	for (struct arena_chunk *c = a ? a->chunk : NULL; c; c = before) {
		before = c->before;
		free_chunk(c);
	}
	free(a);
	return NULL;
}

void *arena_alloc(struct arena *a, size_t n)
{
	size_t room;

	check(n < SIZE_MAX / 2);
	room = (n + BETWEEN + ALIGN - 1) / ALIGN * ALIGN;
	if (room > (size_t)(a->end - a->at)) {
		size_t size = 2 * a->chunk->size;
		size_t least = sizeof(struct arena_chunk) + room;

		size = size < CHUNK_MOST ? size : CHUNK_MOST;
		add_chunk(a, least > size ? least : size);
	}
	a->newest = a->at;
	a->at += room;
	ASAN_UNPOISON_MEMORY_REGION(a->newest, n);
	return a->newest;
}

void arena_take_back(struct arena *a, const void *piece)
{
	if (!piece || piece != a->newest)
		return;
	ASAN_POISON_MEMORY_REGION(a->newest, (size_t)(a->at - a->newest));
	a->at = a->newest;
	a->newest = NULL;
}
