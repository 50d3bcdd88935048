/*
 * clone/lfs_pointer: what git-lfs takes for a pointer (`git lfs pointer
 * --check` says the same of the corpus, but for "extension" and "padded-1024",
 * which git-lfs leaves as they are when it checks files out).
 */
#include "clone/lfs.h"

#include "corpora.h"

static const unsigned char oid[32] = {
	0x4d, 0x7a, 0x21, 0x46, 0x14, 0xab, 0x29, 0x35, 0xc9, 0x43, 0xf9,
	0xe0, 0xff, 0x69, 0xd2, 0x2e, 0xad, 0xbb, 0x8f, 0x32, 0xb1, 0x25,
	0x8d, 0xaa, 0xa5, 0xe2, 0xca, 0x24, 0xd1, 0x7e, 0x23, 0x93};

static uint64_t size_of(const char *name)
{
	if (strcmp(name, "most") == 0)
		return INT64_MAX;
	return strncmp(name, "size-0", 6) == 0 || strcmp(name, "minus-0") == 0
		       ? 0
		       : 12345;
}

static void each_file(const char *name, const char *data, size_t n, bool ok)
{
	struct lfs_pointer p = {.size = 77};
	char *exact = malloc(n + 1);
	char hex[65];
	int r;

	/* At its end nothing that a byte too far could be. */
	memcpy(exact + 1, data, n);
	r = lfs_pointer_parse(exact + 1, n, &p);
	free(exact);
	if (r != (ok ? 0 : -EBADMSG))
		fail_msg("%s: %d", name, r);
	if (!ok) {
		assert_int_equal(p.size, 77);
		return;
	}
	if (p.size != size_of(name))
		fail_msg("%s: %llu", name, (unsigned long long)p.size);
	assert_memory_equal(p.oid, oid, sizeof(oid));
	lfs_oid_hex(&p, hex);
	assert_string_equal(hex, "4d7a214614ab2935c943f9e0ff69d22e"
				 "adbb8f32b1258daaa5e2ca24d17e2393");
}

static void test_corpora(void **state)
{
	(void)state;
	assert_true(corpora_each("lfs-pointer/ok", NULL, each_file, true) > 10);
	assert_true(corpora_each("lfs-pointer/should-fail", NULL, each_file,
				 false) > 30);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_corpora),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
