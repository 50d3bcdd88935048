/*
 * base/defs: the end of the program when it finds a bug of its own, and memory
 * that never fails.
 */
#include "base/defs.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <unistd.h>

static _Atomic(defs_say *) say_failed;

void defs_say_by(defs_say *say)
{
	atomic_store(&say_failed, say);
}

void defs_check_failed(const char *condition, const char *file, int line)
{
	static atomic_flag failing = ATOMIC_FLAG_INIT;
	defs_say *say = atomic_load(&say_failed);

	/* What says it may fail a check itself: said once, not for ever. */
	if (!atomic_flag_test_and_set(&failing)) {
		if (say)
			say(condition, file, line);
		else
			dprintf(STDERR_FILENO,
				"%s:%d: this must not happen: %s\n", file, line,
				condition);
	}
	abort();
}

void *xmalloc(size_t size)
{
	void *p = malloc(size ? size : 1);
	check(p);
	return p;
}

void *xcalloc(size_t n, size_t size)
{
	void *p = calloc(n ? n : 1, size ? size : 1);
	check(p);
	return p;
}

void *xrealloc(void *old, size_t size)
{
	void *p = realloc(old, size ? size : 1);
	check(p);
	return p;
}

char *xstrdup(const char *s)
{
	char *copy = strdup(s);
	check(copy);
	return copy;
}

char *xmemdup0(const void *p, size_t n)
{
	check(n < SIZE_MAX);
	char *copy = xmalloc(n + 1);
	if (n)
		memcpy(copy, p, n);
	copy[n] = '\0';
	return copy;
}

char *xasprintf(const char *fmt, ...)
{
	char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	int n = vasprintf(&text, fmt, ap);
	va_end(ap);
	check(n >= 0);
	return text;
}
