/*
 * store/pack_delta: what it makes, and that no byte of it may be believed.
 */
#include "store/pack_delta.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define BASE "0123456789"

/* NULL: it was refused. The bytes are a block of their own, so that a sanitizer
 * sees who reads behind them. */
static char *apply(const char *bytes, size_t n)
{
	cleanup(free) unsigned char *own = mem_alloc(n + !n);
	cleanup(free) char *made = NULL;
	struct pack_delta d;

	memcpy(own, bytes, n);
	if (!pack_delta_open(own, n, &d) || d.base_size != strlen(BASE) ||
	    d.size > 1 << 20)
		return NULL;
	made = mem_alloc(d.size + 1);
	made[d.size] = '\0';
	return pack_delta_apply(&d, (const unsigned char *)BASE,
				(unsigned char *)made)
		       ? steal(&made)
		       : NULL;
}

#define APPLY(bytes) apply(bytes, sizeof(bytes) - 1)

static void what_it_makes(void **state)
{
	cleanup(free) char *both = APPLY("\x0a\x06\x91\x02\x04\x02xy");
	cleanup(free) char *none = APPLY("\x0a\x00");
	cleanup(free) char *first = APPLY("\x0a\x01\x90\x01");
	cleanup(free) char *all = APPLY("\x8a\x00\x0a\xb0\x0a\x00");

	(void)state;
	assert_string_equal(both, "2345xy");
	assert_string_equal(none, "");
	assert_string_equal(first, "0");
	assert_string_equal(all, BASE);
}

static void what_is_refused(void **state)
{
	(void)state;
	assert_null(APPLY(""));
	assert_null(APPLY("\x0a"));
	assert_null(APPLY("\x0a\x80"));
	assert_null(APPLY("\x8a\x80\x80\x80\x80\x80\x00\x00"));
	assert_null(APPLY("\x0a\x01"));             /* nothing follows */
	assert_null(APPLY("\x0a\x01\x00"));         /* not in use */
	assert_null(APPLY("\x0a\x01\x02xy"));       /* too much */
	assert_null(APPLY("\x0a\x03\x02xy"));       /* too little */
	assert_null(APPLY("\x0a\x02\x02x"));        /* cut off */
	assert_null(APPLY("\x0a\x02\x91\x00"));     /* cut off */
	assert_null(APPLY("\x0a\x04\x91\x07\x04")); /* behind the base */
	assert_null(APPLY("\x0a\x04\x98\xff\x04")); /* far behind it */
	assert_null(APPLY("\x0a\x04\x9f\xff\xff\xff\xff\x04"));
	assert_null(APPLY("\x0a\x04\x80")); /* 64 kB of it */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_it_makes),
		cmocka_unit_test(what_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
