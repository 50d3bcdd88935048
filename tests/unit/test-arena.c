/*
 * base/arena: pieces, what is taken back, and what AddressSanitizer is told.
 */
#include "base/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#if __has_include(<sanitizer/asan_interface.h>)
#include <sanitizer/asan_interface.h>
#endif

static void pieces_stand_apart(void **state)
{
	(void)state;
	cleanup(arena_free) struct arena *a = arena_new(1);
	char *pieces[5000];

	for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
		size_t n = i % 97 == 96 ? 300 * KIB : i % 50;

		pieces[i] = arena_alloc(a, n);
		assert_int_equal((uintptr_t)pieces[i] % 8, 0);
		memset(pieces[i], (int)(i % 251), n);
	}
	for (size_t i = 0; i < ARRAY_SIZE(pieces); i++)
		for (size_t k = 0; k < i % 50 && i % 97 != 96; k++)
			assert_int_equal((unsigned char)pieces[i][k], i % 251);
}

static void the_newest_is_taken_back(void **state)
{
	(void)state;
	cleanup(arena_free) struct arena *a = arena_new(100);
	char *old = arena_alloc(a, 10), *piece = arena_alloc(a, 20);

	memcpy(old, "kept", 5);
	arena_take_back(a, old); /* not the newest: stays */
	arena_take_back(a, NULL);
	assert_ptr_not_equal(arena_alloc(a, 10), old);
	arena_take_back(a, piece);
	assert_string_equal(old, "kept");
	piece = arena_alloc(a, 30);
	arena_take_back(a, piece);
	arena_take_back(a, piece); /* once only */
	assert_ptr_equal(arena_alloc(a, 30), piece);
}

/* Otherwise no run with sanitizers would find an overrun in a document. */
static void overruns_are_found(void **state)
{
	(void)state;
#ifdef __SANITIZE_ADDRESS__
	cleanup(arena_free) struct arena *a = arena_new(100);
	char *first = arena_alloc(a, 13), *second = arena_alloc(a, 8);

	assert_false(__asan_address_is_poisoned(first + 12));
	assert_true(__asan_address_is_poisoned(first + 13));
	assert_true(__asan_address_is_poisoned(second - 1));
	assert_true(__asan_address_is_poisoned(second + 8));
	arena_take_back(a, second);
	assert_true(__asan_address_is_poisoned(second));
#else
	skip();
#endif
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces_stand_apart),
		cmocka_unit_test(the_newest_is_taken_back),
		cmocka_unit_test(overruns_are_found),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
