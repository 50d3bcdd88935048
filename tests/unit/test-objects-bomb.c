/*
 * store/objects: a pack of some kB whose objects are changes of one another,
 * each many times as long as the one before: it costs no memory, and is refused
 * where it goes too far.
 */
#include "git-scratch.h"

#include "base/digest.h"

#include <sys/resource.h>
#include <zlib.h>

#include "../../src/store/objects_private.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED true
#else
#define SANITIZED false
#endif

#define COPY_MOST 0xffffffU

struct bomb {
	struct buf pack;
	size_t last; /* where the last entry is */
	uint64_t size;
	unsigned char n;
};

static void put_number(struct buf *out, uint64_t n)
{
	for (; n > 127; n >>= 7)
		buf_putc(out, (char)(n | 128));
	buf_putc(out, (char)n);
}

static void put_entry(struct bomb *b, unsigned type, const struct buf *data)
{
	unsigned long n = compressBound(data->len);
	cleanup(free) unsigned char *deflated = mem_alloc(n);
	size_t back = b->pack.len - b->last, at = 9;
	unsigned char distance[10];

	b->last = b->pack.len;
	buf_putc(&b->pack, (char)(type << 4 | (data->len & 15) |
				  (data->len > 15 ? 128 : 0)));
	if (data->len > 15)
		put_number(&b->pack, data->len >> 4);
	if (type == 6) {
		distance[at] = back & 127;
		while (back >>= 7)
			distance[--at] = 128 | (--back & 127);
		buf_add(&b->pack, distance + at, 10 - at);
	}
	assert_int_equal(
		compress2(deflated, &n, (void *)data->data, data->len, 9),
		Z_OK);
	buf_add(&b->pack, deflated, n);
	b->n++;
}

static void begin(struct bomb *b)
{
	struct buf zeros = BUF_INIT(MIB);

	*b = (struct bomb){.pack = BUF_INIT(MIB), .size = MIB / 2};
	buf_add(&b->pack, "PACK\0\0\0\2\0\0\0\0", 12);
	for (size_t i = 0; i < b->size; i++)
		buf_putc(&zeros, '\0');
	put_entry(b, 3, &zeros);
	buf_done(&zeros);
}

/* All of the one before, so many times. */
static void multiply(struct bomb *b, unsigned times)
{
	struct buf delta = BUF_INIT(MIB);

	put_number(&delta, b->size);
	put_number(&delta, b->size * times);
	for (unsigned i = 0; i < times; i++)
		for (uint64_t at = 0, n; at < b->size; at += n) {
			n = b->size - at < COPY_MOST ? b->size - at : COPY_MOST;
			buf_putc(&delta, (char)0xff);
			for (unsigned j = 0; j < 4; j++)
				buf_putc(&delta, (char)(at >> 8 * j));
			for (unsigned j = 0; j < 3; j++)
				buf_putc(&delta, (char)(n >> 8 * j));
		}
	put_entry(b, 6, &delta);
	buf_done(&delta);
	b->size *= times;
}

static int take_as(struct ctx *ctx, struct scratch *s, bool thin,
		   struct bomb *b)
{
	char hex[41], byte[3] = "";
	int r;

	b->pack.data[11] = (char)b->n;
	digest_sha1_hex(b->pack.data, b->pack.len, hex);
	for (size_t i = 0; i < 40; i += 2) {
		memcpy(byte, hex + i, 2);
		buf_putc(&b->pack, (char)strtoul(byte, NULL, 16));
	}
	assert_true(b->pack.len < 16 * KIB);
	r = scratch_take_as(ctx, s->o, thin, &b->pack, 4096, NULL, 0);
	buf_done(&b->pack);
	return r;
}

static int take(struct scratch *s, struct bomb *b)
{
	return take_as(NULL, s, false, b);
}

static uint64_t data_now(const struct scratch *s)
{
	cleanup(free) char *line =
		mem_asprintf("sed -n 's/VmData:\\s*\\([0-9]*\\) kB/\\1/p' "
			     "/proc/%d/status",
			     getpid());
	cleanup(buf_done) struct buf said = scratch_run(s, line);

	return strtoull(said.data, NULL, 10) * KIB;
}

/* What asks for more memory than that is refused it. */
static void limit_memory(const struct scratch *s, uint64_t more)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_DATA, &limit), 0);
	limit.rlim_cur = more && !SANITIZED ? data_now(s) + more
					    : limit.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_DATA, &limit), 0);
}

/* 512 MB at the end, from 512 kB. */
static void test_it_costs_no_memory(void **state)
{
	struct scratch *s = *state;
	struct bomb b;

	begin(&b);
	multiply(&b, 32);
	multiply(&b, 32);
	limit_memory(s, 48 * MIB);
	assert_int_equal(take(s, &b), 0);
	limit_memory(s, 0);
	assert_true(objects_alloc_most() > 512 * MIB);
	scratch_expect(s,
		       "git --git-dir=store.git cat-file --batch-all-objects "
		       "--batch-check='%(objecttype) %(objectsize)' | sort",
		       "blob 16777216\nblob 524288\nblob 536870912\n");
	scratch_expect_clean(s);
}

static void test_it_is_refused_over_the_bound(void **state)
{
	struct scratch *s = *state;
	uint64_t before = objects_alloc_most();
	struct bomb b;

	begin(&b);
	multiply(&b, 32);
	multiply(&b, 32);
	multiply(&b, 3);
	limit_memory(s, 48 * MIB);
	assert_int_equal(take(s, &b), -EFBIG);
	limit_memory(s, 0);
	assert_true(objects_alloc_most() - before < 2ULL * OBJECTS_BLOCK_MOST);
	scratch_expect(s, "ls store.git/objects/pack", "");
	scratch_expect_clean(s);
	/* It is no word about the next one. */
	begin(&b);
	multiply(&b, 32);
	assert_int_equal(take(s, &b), 0);
}

/* libgit2 cannot say by how much it is too large. */
static void test_it_is_refused_over_what_libgit2_knows(void **state)
{
	static const unsigned times[] = {4, 64};
	struct scratch *s = *state;
	struct bomb b;

	for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
		begin(&b);
		multiply(&b, 32);
		multiply(&b, 32);
		multiply(&b, times[i]);
		assert_int_equal(take(s, &b), -EFBIG);
		scratch_expect(s, "ls store.git/objects/pack", "");
	}
	scratch_expect_clean(s);
}

static void begin_over_what_libgit2_knows(struct bomb *b)
{
	begin(b);
	multiply(b, 32);
	multiply(b, 32);
	multiply(b, 4);
}

/* Why it cannot be taken in is found by inflating all of it: who is cancelled
 * does not wait for that. */
static void test_looking_why_is_broken_off(void **state)
{
	struct scratch *s = *state;
	struct ctx ctx;
	struct bomb b;

	ctx_init(&ctx, NULL, -1);
	ctx_cancel(&ctx);
	begin_over_what_libgit2_knows(&b);
	assert_int_equal(take_as(&ctx, s, false, &b), -EINTR);
	ctx_done(&ctx);
	scratch_expect(s, "ls store.git/objects/pack", "");
	scratch_expect_clean(s);
}

/* A base that is here may be what is damaged: that is what the caller hears,
 * who fetches once more then, without building on what is here. */
static void test_of_a_thin_one_too_large_is_damaged(void **state)
{
	struct scratch *s = *state;
	struct bomb b;

	begin_over_what_libgit2_knows(&b);
	assert_int_equal(take_as(NULL, s, true, &b), -EBADMSG);
	begin_over_what_libgit2_knows(&b);
	assert_int_equal(take_as(NULL, s, false, &b), -EFBIG);
	scratch_expect(s, "ls store.git/objects/pack", "");
	scratch_expect_clean(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCRATCH_TEST(test_it_costs_no_memory),
		SCRATCH_TEST(test_it_is_refused_over_the_bound),
		SCRATCH_TEST(test_it_is_refused_over_what_libgit2_knows),
		SCRATCH_TEST(test_looking_why_is_broken_off),
		SCRATCH_TEST(test_of_a_thin_one_too_large_is_damaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
