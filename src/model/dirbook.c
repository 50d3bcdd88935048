/*
 * model/dirbook: a hash of names that were ever seen in a directory. Names that
 * are gone stay in it, so that they have their old cookie when they come back:
 * few names come and go in the life of one directory.
 */
#include "model/dirbook.h"

#include "base/map.h"
#include "base/sync.h"

struct seen {
	uint64_t cookie;
	UT_hash_handle hh;
	char name[];
};

struct dirbook {
	struct mutex lock;
	/* Under lock: */
	struct seen *seen;
	uint64_t last; /* the largest cookie that was given */
};

struct dirbook *dirbook_new(void)
{
	struct dirbook *book = mem_calloc(1, sizeof(*book));

	mutex_init(&book->lock);
	return book;
}

struct dirbook *dirbook_free(struct dirbook *book)
{
	struct seen *s, *next;

	if (!book)
		return NULL;
	HASH_ITER (hh, book->seen, s, next) {
		HASH_DEL(book->seen, s);
		free(s);
	}
	mutex_done(&book->lock);
	free(book);
	return NULL;
}

static uint64_t cookie_of(struct dirbook *book, const char *name)
	requires_lock(book->lock)
{
	size_t n = strlen(name);
	struct seen *s = NULL;

	HASH_FIND(hh, book->seen, name, n, s);
	if (!s) {
		s = mem_calloc(1, sizeof(*s) + n + 1);
		memcpy(s->name, name, n + 1);
		s->cookie = ++book->last;
		HASH_ADD_KEYPTR(hh, book->seen, s->name, n, s);
	}
	return s->cookie;
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
