/*
 * model/dirbook: a hash of names that were ever seen in a directory. Names that
 * are gone stay in it, so that they have their old cookie when they come back:
 * few names come and go in the life of one directory.
 */
#include "model/dirbook.h"

#include "base/hash.h"
#include "base/sync.h"

#define SLOTS_LEAST 64

struct dirbook {
	struct mutex lock;
	/* Under lock: */
	/* Names that were seen, each with its NUL, in the order of cookies. */
	char *bytes;
	size_t n_bytes, n_bytes_room;
	size_t *at; /* where the name of cookie i + 1 begins */
	size_t n_names, n_names_room;
	/* Cookies by the hash of the name, or the next free place; 0: free. */
	uint32_t *slots;
	size_t n_slots; /* a power of two, at least twice n_names */
};

struct dirbook *dirbook_new(void)
{
	struct dirbook *book = mem_calloc(1, sizeof(*book));

	mutex_init(&book->lock);
	return book;
}

struct dirbook *dirbook_free(struct dirbook *book)
{
	if (!book)
		return NULL;
	free(book->bytes);
	free(book->at);
	free(book->slots);
	mutex_done(&book->lock);
	free(book);
	return NULL;
}

/* The name's slot, or the free one where it belongs. */
static uint32_t *slot_of(const struct dirbook *book, const char *name)
	requires_lock(book->lock)
{
	size_t mask = book->n_slots - 1;
	size_t i = hash_mix(hash_text(HASH_INIT, name)) & mask;

	while (book->slots[i] &&
	       strcmp(book->bytes + book->at[book->slots[i] - 1], name) != 0)
		i = (i + 1) & mask;
	return &book->slots[i];
}

static void more_slots(struct dirbook *book) requires_lock(book->lock)
{
	book->n_slots = book->n_slots ? 2 * book->n_slots : SLOTS_LEAST;
	free(book->slots);
	book->slots = mem_calloc(book->n_slots, sizeof(*book->slots));
	for (size_t i = 0; i < book->n_names; i++)
		*slot_of(book, book->bytes + book->at[i]) = (uint32_t)i + 1;
}

static void add(struct dirbook *book, const char *name)
	requires_lock(book->lock)
{
	size_t n = strlen(name) + 1;

	check(book->n_names < UINT32_MAX);
	while (book->n_bytes_room - book->n_bytes < n) {
		book->n_bytes_room += book->n_bytes_room / 2 + 256;
		book->bytes = mem_realloc(book->bytes, book->n_bytes_room);
	}
	memcpy(book->bytes + book->n_bytes, name, n);
	mem_grow(book->at, book->n_names, book->n_names_room);
	book->at[book->n_names++] = book->n_bytes;
	book->n_bytes += n;
}

static uint64_t cookie_of(struct dirbook *book, const char *name)
	requires_lock(book->lock)
{
	uint32_t *slot;

	if (2 * (book->n_names + 1) > book->n_slots)
		more_slots(book);
	slot = slot_of(book, name);
	if (!*slot) {
		add(book, name);
		*slot = (uint32_t)book->n_names;
	}
	return *slot;
}

static int by_cookie(const void *a, const void *b)
{
	uint64_t x = ((const struct dirbook_entry *)a)->cookie;
	uint64_t y = ((const struct dirbook_entry *)b)->cookie;

	return (x > y) - (x < y);
}

void dirbook_order(struct dirbook *book, size_t n,
		   const char *(*name)(const void *names, size_t i),
		   const void *names, uint64_t after,
		   struct dirbook_entry **ret_entries, size_t *ret_n)
{
	struct dirbook_entry *entries = mem_calloc(n + 1, sizeof(*entries));
	size_t kept = 0;

	mutex_lock(&book->lock);
	for (size_t i = 0; i < n; i++) {
		uint64_t cookie = cookie_of(book, name(names, i));

		if (cookie > after)
			entries[kept++] = (struct dirbook_entry){cookie, i};
	}
	mutex_unlock(&book->lock);
	qsort(entries, kept, sizeof(*entries), by_cookie);
	*ret_entries = entries;
	*ret_n = kept;
}
