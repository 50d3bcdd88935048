/*
 * base/hash: FNV-1a of the known values; an inode number that was handed out
 * by one version of the program is the same in the next.
 */
#include "base/hash.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* From the vectors of draft-eastlake-fnv, 64 bits, FNV-1a. */
static void test_known_values(void **state)
{
	(void)state;
	assert_int_equal(hash_text(HASH_INIT, ""), HASH_INIT);
	assert_int_equal(hash_text(HASH_INIT, "a"),
			 UINT64_C(0xaf63dc4c8601ec8c));
	assert_int_equal(hash_text(HASH_INIT, "foobar"),
			 UINT64_C(0x85944171f73967e8));
}

static void test_bytes_are_a_text_and_more(void **state)
{
	(void)state;
	assert_int_equal(hash_bytes(HASH_INIT, "foobar", 6),
			 hash_text(HASH_INIT, "foobar"));
	assert_int_equal(hash_bytes(HASH_INIT, "", 0), HASH_INIT);
	/* A NUL is a byte like another. */
	assert_int_not_equal(hash_bytes(HASH_INIT, "a\0", 2),
			     hash_text(HASH_INIT, "a"));
	/* In pieces as at once; bytes above 127 are not negative. */
	assert_int_equal(hash_text(hash_text(HASH_INIT, "foo"), "bar"),
			 hash_text(HASH_INIT, "foobar"));
	assert_int_equal(hash_text(HASH_INIT, "\xff"),
			 (HASH_INIT ^ 0xff) * UINT64_C(0x100000001b3));
}

/* Numbers that differ in the high bits only differ in the low ones, too. */
static void test_mix_moves_high_bits_down(void **state)
{
	(void)state;
	assert_int_not_equal(hash_mix(UINT64_C(1) << 40) & 0xff,
			     hash_mix(UINT64_C(1) << 32) & 0xff);
	assert_int_equal(hash_mix(0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known_values),
		cmocka_unit_test(test_bytes_are_a_text_and_more),
		cmocka_unit_test(test_mix_moves_high_bits_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
