/*
 * base/defs: what every file of the program may take for granted.
 *
 * Owns the cleanup idiom, a few macros and the list of banned functions.
 * Must never know that this is a filesystem.
 */
#ifndef BASE_DEFS_H
#define BASE_DEFS_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define KIB (1024)
#define MIB (1024 * 1024)
#define printf_like(fmt, first) __attribute__((format(printf, fmt, first)))
#define must_check __attribute__((warn_unused_result))

/*
 * `cleanup(thing_free) struct thing *t = NULL;` frees t at the end of its
 * scope; the last line of a constructor hands it out with steal(&t).
 * DEFINE_CLEANUP(struct thing *, thing_free) makes the helper it needs.
 */
#define cleanup(func) __attribute__((cleanup(func##_cleanup)))
#define DEFINE_CLEANUP(type, func)                 \
	static inline void func##_cleanup(type *p) \
	{                                          \
		if (*p)                            \
			func(*p);                  \
	}                                          \
	struct defs_semicolon
/* The same for objects embedded by value: x_done(struct x *). */
#define DEFINE_CLEANUP_DONE(type, func)            \
	static inline void func##_cleanup(type *p) \
	{                                          \
		func(p);                           \
	}                                          \
	struct defs_semicolon

#define steal(pp)                                       \
	__extension__({                                 \
		__typeof__(*(pp)) steal_value_ = *(pp); \
		*(pp) = NULL;                           \
		steal_value_;                           \
	})

static inline void free_cleanup(void *p)
{
	free(*(void **)p);
}

/* An assert that stays on in release builds: for our own bugs only. */
#define check(condition)       \
	((condition) ? (void)0 \
		     : defs_check_failed(#condition, __FILE__, __LINE__))
__attribute__((noreturn)) void defs_check_failed(const char *condition,
						 const char *file, int line);

/* Who says that a check failed, instead of standard error: base/log, once it
 * knows where messages go. */
typedef void defs_say(const char *condition, const char *file, int line);
void defs_say_by(defs_say *);

/* Allocation never fails in this program: these abort with a message
 * (src/base/mem.c). They are here because every file may use them. */
void *mem_alloc(size_t size) __attribute__((malloc, returns_nonnull));
void *mem_calloc(size_t n, size_t size)
	__attribute__((malloc, returns_nonnull));
void *mem_realloc(void *p, size_t size) __attribute__((returns_nonnull));
/* Room for one more item in an array of n, which has room for size. */
#define mem_grow(array, n, size)                                          \
	do {                                                              \
		if ((n) == (size)) {                                      \
			(size) = (size) ? 2 * (size) : 16;                \
			(array) = mem_realloc((array),                    \
					      (size) * sizeof(*(array))); \
		}                                                         \
	} while (0)
char *mem_strdup(const char *s) __attribute__((malloc, returns_nonnull));
char *mem_dup0(const void *p, size_t n)
	__attribute__((malloc, returns_nonnull)); /* adds a final NUL */
char *mem_asprintf(const char *fmt, ...) printf_like(1, 2)
	__attribute__((malloc, returns_nonnull));

/* Banned: they cannot say how much they write, or hide errors. */
#pragma GCC poison strcpy strcat sprintf vsprintf gets strtok atoi atol

#endif
