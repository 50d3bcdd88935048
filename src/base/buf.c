/*
 * base/mem, buf: growable bytes with a maximum.
 *
 * Invariants: data is NULL or has size bytes and data[len] is NUL; len <= max;
 * after `failed` nothing changes but through buf_clear and buf_steal.
 */
#include "base/mem.h"

#define DEFAULT_MAX ((size_t)64 * MIB)

void buf_done(struct buf *b)
{
	free(b->data);
	b->data = NULL;
	b->len = b->size = 0;
	b->failed = 0;
}

/* Room for n more bytes and the NUL. */
static int buf_grow(struct buf *b, size_t n)
{
	size_t max = b->max ? b->max : DEFAULT_MAX;

	if (b->failed)
		return b->failed;
	if (max == SIZE_MAX)
		max--;
	if (b->len > max || n > max - b->len)
		return b->failed = -EMSGSIZE;
	size_t need = b->len + n + 1;
	if (need <= b->size)
		return 0;
	size_t size = b->size > SIZE_MAX / 2 ? need : b->size * 2;
	if (size < 64)
		size = 64;
	if (size > max + 1)
		size = max + 1;
	if (size < need)
		size = need;
	b->data = mem_realloc(b->data, size);
	b->size = size;
	b->data[b->len] = '\0';
	return 0;
}

int buf_add(struct buf *b, const void *data, size_t n)
{
	int r = buf_grow(b, n);

	if (r < 0)
		return r;
	if (n)
		memcpy(b->data + b->len, data, n);
	b->len += n;
	b->data[b->len] = '\0';
	return 0;
}

int buf_puts(struct buf *b, const char *s)
{
	return buf_add(b, s, strlen(s));
}

int buf_putc(struct buf *b, char c)
{
	return buf_add(b, &c, 1);
}

int buf_vprintf(struct buf *b, const char *fmt, va_list ap)
{
	va_list again;

	if (b->failed)
		return b->failed;
	size_t room = b->size ? b->size - b->len : 0;
	va_copy(again, ap);
	int n = vsnprintf(b->data ? b->data + b->len : NULL, room, fmt, again);
	va_end(again);
	check(n >= 0);
	if ((size_t)n >= room) {
		/* The text was cut. If it is too long nothing of it may stay:
		 * what one call adds is there wholly or not at all. */
		if (b->data)
			b->data[b->len] = '\0';
		int r = buf_grow(b, (size_t)n);
		if (r < 0)
			return r;
		n = vsnprintf(b->data + b->len, b->size - b->len, fmt, ap);
		check(n >= 0 && (size_t)n < b->size - b->len);
	}
	b->len += (size_t)n;
	return 0;
}

int buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	int r = buf_vprintf(b, fmt, ap);
	va_end(ap);
	return r;
}

void buf_cut(struct buf *b, size_t len)
{
	check(len <= b->len);
	b->len = len;
	if (b->data)
		b->data[len] = '\0';
	b->failed = 0;
}

void buf_clear(struct buf *b)
{
	b->len = 0;
	b->failed = 0;
	if (b->data)
		b->data[0] = '\0';
}

char *buf_steal(struct buf *b, size_t *ret_len)
{
	char *data = b->data ? b->data : mem_dup0(NULL, 0);

	if (ret_len)
		*ret_len = b->len;
	b->data = NULL;
	b->len = b->size = 0;
	b->failed = 0;
	return data;
}
