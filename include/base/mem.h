/*
 * base/mem: growable bytes with a maximum (buf), bytes that readers share
 * (blob).
 *
 * Must never know who uses them.
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include "base/defs.h"

#include <stdarg.h>

/*
 * Bytes that grow up to max (0: 64 MiB). data is always NUL-terminated once
 * something was added; len does not count the NUL. Growing past max sets
 * `failed` (-EMSGSIZE), adds nothing more, and every later call does nothing,
 * so a long sequence of buf_printf needs one check at its end. What one call
 * adds is there wholly or not at all.
 */
struct buf {
	char *data;
	size_t len, size, max;
	int failed;
};
#define BUF_INIT(maximum)        \
	{                        \
		.max = (maximum) \
	}
void buf_done(struct buf *);
int buf_add(struct buf *, const void *data, size_t n);
int buf_puts(struct buf *, const char *s);
int buf_putc(struct buf *, char c);
int buf_printf(struct buf *, const char *fmt, ...) printf_like(2, 3);
int buf_vprintf(struct buf *, const char *fmt, va_list ap) printf_like(2, 0);
void buf_clear(struct buf *);           /* keeps the memory, clears failed */
void buf_cut(struct buf *, size_t len); /* to its first bytes, the same */
/* The bytes, now the caller's (free); never NULL. *ret_len may be NULL. The buf
 * is as new, with its max: look at `failed` before. */
char *buf_steal(struct buf *, size_t *ret_len);
DEFINE_CLEANUP_DONE(struct buf, buf_done);

/* Bytes shared by readers: immutable and counted. */
struct blob;
struct blob *blob_new(const void *data, size_t n); /* copies */
struct blob *blob_take(void *data, size_t n);      /* takes; data[n] is NUL */
struct blob *blob_ref(struct blob *);
struct blob *blob_unref(struct blob *);     /* NULL is fine; returns NULL */
const char *blob_data(const struct blob *); /* NUL after the end */
size_t blob_len(const struct blob *);
DEFINE_CLEANUP(struct blob *, blob_unref);

/* Gives pages of the heap that nothing is on back to the system: after a large
 * document or many small things were freed. Takes milliseconds. */
void mem_give_back(void);

#endif
