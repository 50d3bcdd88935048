/*
 * base/mem: memory that never fails, and the heap as a whole. buf.c and blob.c
 * are what lies on it.
 */
#include "base/mem.h"

#include <malloc.h>
#include <stdarg.h>

void *mem_alloc(size_t size)
{
	void *p = malloc(size ? size : 1);
	check(p);
	return p;
}

void *mem_calloc(size_t n, size_t size)
{
	void *p = calloc(n ? n : 1, size ? size : 1);
	check(p);
	return p;
}

void *mem_realloc(void *old, size_t size)
{
	void *p = realloc(old, size ? size : 1);
	check(p);
	return p;
}

char *mem_strdup(const char *s)
{
	char *copy = strdup(s);
	check(copy);
	return copy;
}

char *mem_dup0(const void *p, size_t n)
{
	check(n < SIZE_MAX);
	char *copy = mem_alloc(n + 1);
	if (n)
		memcpy(copy, p, n);
	copy[n] = '\0';
	return copy;
}

char *mem_asprintf(const char *fmt, ...)
{
	char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	int n = vasprintf(&text, fmt, ap);
	va_end(ap);
	check(n >= 0);
	return text;
}

void mem_give_back(void)
{
	malloc_trim(0);
}
