/*
 * base/mem, blob: bytes shared by readers. Nothing of a blob changes after it
 * was made but its count, so it is read without a lock.
 */
#include "base/mem.h"
#include "base/sync.h"

struct blob {
	struct refcount refcount;
	char *data;
	size_t len;
};

static struct blob *blob_wrap(char *data, size_t n)
{
	struct blob *b = mem_calloc(1, sizeof(*b));

	refcount_init(&b->refcount);
	b->data = data;
	b->len = n;
	return b;
}

struct blob *blob_new(const void *data, size_t n)
{
	return blob_wrap(mem_dup0(data, n), n);
}

struct blob *blob_take(void *data, size_t n)
{
	check(n < SIZE_MAX);
	char *own = mem_realloc(data, n + 1);
	own[n] = '\0';
	return blob_wrap(own, n);
}

struct blob *blob_ref(struct blob *b)
{
	refcount_take(&b->refcount);
	return b;
}

struct blob *blob_unref(struct blob *b)
{
	if (b && refcount_drop(&b->refcount)) {
		free(b->data);
		free(b);
	}
	return NULL;
}

const char *blob_data(const struct blob *b)
{
	return b->data;
}

size_t blob_len(const struct blob *b)
{
	return b->len;
}
