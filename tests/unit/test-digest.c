/*
 * base/digest: the published test vectors (RFC 3174, RFC 4231, RFC 4648).
 */
#include "base/digest.h"
#include "base/ctx.h"
#include "base/file.h"

#include <sys/mman.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void sha1(void **state)
{
	(void)state;
	char out[41];

	digest_sha1_hex("", 0, out);
	assert_string_equal(out, "da39a3ee5e6b4b0d3255bfef95601890afd80709");
	digest_sha1_hex("abc", 3, out);
	assert_string_equal(out, "a9993e364706816aba3e25717850c26c9cd0d89d");
	digest_sha1_hex(NULL, 0, out);
	assert_string_equal(out, "da39a3ee5e6b4b0d3255bfef95601890afd80709");
}

static void sha1_in_pieces(void **state)
{
	(void)state;
	struct digest_sha1 *d = digest_sha1_new();
	char out[41];

	digest_sha1_add(d, "a", 1);
	digest_sha1_add(d, "", 0);
	digest_sha1_add(d, "bc", 2);
	digest_sha1_end(d, out);
	assert_string_equal(out, "a9993e364706816aba3e25717850c26c9cd0d89d");
	digest_sha1_free(d);
}

static void sha1_of_a_file(void **state)
{
	(void)state;
	cleanup(fd) int fd = memfd_create("abc", MFD_CLOEXEC);
	static const unsigned char abc[] = {0xa9, 0x99, 0x3e, 0x36};
	unsigned char out[20];
	struct ctx ctx;

	assert_int_equal(write(fd, "xbc", 3), 3);
	ctx_init(&ctx, NULL, -1);
	assert_int_equal(file_sha1(&ctx, "a", 1, fd, 1, 2, out), 0);
	assert_memory_equal(out, abc, sizeof(abc));
	assert_int_equal(file_sha1(NULL, "a", 1, fd, 1, 2, out), 0);
	assert_memory_equal(out, abc, sizeof(abc));
	assert_int_equal(file_sha1(&ctx, "a", 1, fd, 1, 3, out), -ENODATA);
	ctx_cancel(&ctx);
	assert_int_equal(file_sha1(&ctx, "a", 1, fd, 1, 2, out), -EINTR);
	ctx_done(&ctx);
}

/* FIPS 180-4's examples. */
static void sha256_in_pieces(void **state)
{
	(void)state;
	static const unsigned char nothing[] = {0xe3, 0xb0, 0xc4, 0x42},
				   abc[] = {0xba, 0x78, 0x16, 0xbf};
	unsigned char out[DIGEST_SHA256_SIZE];
	struct digest_sha256 *d = digest_sha256_new();

	digest_sha256_end(d, out);
	assert_memory_equal(out, nothing, sizeof(nothing));
	digest_sha256_free(d);
	d = digest_sha256_new();
	digest_sha256_add(d, "a", 1);
	digest_sha256_add(d, "", 0);
	digest_sha256_add(d, "bc", 2);
	digest_sha256_end(d, out);
	assert_memory_equal(out, abc, sizeof(abc));
	digest_sha256_free(d);
}

static void hmac_sha256(void **state)
{
	(void)state;
	char out[65];

	digest_hmac_sha256_hex("Jefe", 4, "what do ya want for nothing?", 28,
			       out);
	assert_string_equal(out, "5bdcc146bf60754e6a042426089575c7"
				 "5a003f089d2739839dec58b964ec3843");
	/* A key longer than a block is hashed first. */
	char key[131];
	memset(key, 0xaa, sizeof(key));
	digest_hmac_sha256_hex(
		key, sizeof(key),
		"Test Using Larger Than Block-Size Key - Hash Key First", 54,
		out);
	assert_string_equal(out, "60e431591ee0b67f0d8a26aacbf5b77f"
				 "8e0bc6213728c5140546040f0ee37f54");
}

static void base64(void **state)
{
	(void)state;
	static const char *const vectors[][2] = {
		{"", ""},
		{"f", "Zg=="},
		{"fo", "Zm8="},
		{"foo", "Zm9v"},
		{"foob", "Zm9vYg=="},
		{"fooba", "Zm9vYmE="},
		{"foobar", "Zm9vYmFy"},
		{"\xfb\xff\xfe", "+//+"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
		cleanup(free) char *text = NULL;
		digest_base64(vectors[i][0], strlen(vectors[i][0]), &text);
		assert_string_equal(text, vectors[i][1]);
	}
}

static void random_bytes(void **state)
{
	(void)state;
	unsigned char a[1000] = {0}, b[1000] = {0};
	size_t n_zero = 0;

	assert_int_equal(digest_random(a, sizeof(a)), 0);
	assert_int_equal(digest_random(b, sizeof(b)), 0);
	assert_memory_not_equal(a, b, sizeof(a));
	/* 4 of them on the average: the whole buffer was filled. */
	for (size_t i = 0; i < sizeof(a); i++)
		n_zero += a[i] == 0;
	assert_true(n_zero < 50);
	assert_int_equal(digest_random(NULL, 0), 0);
}

static void crc32_values(void **state)
{
	(void)state;
	assert_int_equal(digest_crc32(0, "", 0), 0);
	assert_int_equal(digest_crc32(0, "123456789", 9), 0xcbf43926);
	assert_int_equal(digest_crc32(digest_crc32(0, "1234", 4), "56789", 5),
			 0xcbf43926);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(crc32_values),
		cmocka_unit_test(sha1),
		cmocka_unit_test(sha1_in_pieces),
		cmocka_unit_test(sha1_of_a_file),
		cmocka_unit_test(sha256_in_pieces),
		cmocka_unit_test(hmac_sha256),
		cmocka_unit_test(base64),
		cmocka_unit_test(random_bytes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
