/*
 * store/pack_read: what git packed comes out as git would give it; what a
 * stranger made up is an error, and ends.
 */
#include "git-scratch.h"

#include "store/pack_read.h"

#include "base/digest.h"

#include <zlib.h>

#define OBJECTS "repo/.git/objects"
/* Versions of a file, each a line more than the one before. */
#define MAKE_VERSIONS(n)                                                  \
	"git init -q -b main repo && cd repo && git config gc.auto 0 && " \
	"seq 1 3000 >a && for i in $(seq 1 " n "); do "                   \
	"echo \"line $i\" >>a && git add a && git commit -q -m x; done"

static int scratch_file(void *arg, int *ret_fd)
{
	struct scratch *s = arg;
	cleanup(free) char *path = mem_asprintf("%s/base-XXXXXX", s->dir);

	*ret_fd = mkstemp(path);
	if (*ret_fd < 0)
		return -errno;
	unlink(path);
	return 0;
}

static int no_space(void *arg, int *ret_fd)
{
	(void)arg;
	(void)ret_fd;
	return -ENOSPC;
}

struct bounds {
	uint64_t bytes;
	unsigned chain;
	int (*file)(void *arg, int *ret_fd);
	const struct ctx *ctx;
};
static const struct bounds usual = {64 * MIB, 50, scratch_file, NULL};

/* The file is dir/out. */
static int read_it(struct scratch *s, const struct bounds *b,
		   const char *objects, const struct oid *oid, uint64_t size)
{
	cleanup(free) char *dir = mem_asprintf("%s/%s", s->dir, objects);
	cleanup(free) char *out = mem_asprintf("%s/out", s->dir);
	cleanup(fd) int fd = open(out, O_RDWR | O_CREAT | O_TRUNC, 0600);
	const struct pack_read how = {
		.objects = dir,
		.bytes_most = b->bytes,
		.chain_most = b->chain,
		.scratch = b->file,
		.arg = s,
		.ctx = b->ctx,
	};

	assert_true(fd >= 0);
	return pack_read_blob(&how, oid, size, fd);
}

struct blobs {
	struct oid oids[256];
	uint64_t sizes[256];
	size_t n;
};

static void list_blobs(struct scratch *s, struct blobs *ret_blobs)
{
	cleanup(buf_done) struct buf said =
		scratch_run(s, "git -C repo cat-file --batch-all-objects "
			       "--batch-check | grep blob");
	char *line = said.data;

	ret_blobs->n = 0;
	while (line && *line && ret_blobs->n < 256) {
		size_t i = ret_blobs->n++;
		char *end;

		line[40] = '\0';
		assert_int_equal(oid_parse(line, &ret_blobs->oids[i]), 0);
		ret_blobs->sizes[i] = strtoull(line + 46, &end, 10);
		line = end + 1;
	}
	assert_true(ret_blobs->n > 0);
}

/* By git's own word. */
static void expect_all(struct scratch *s, const struct bounds *b)
{
	struct blobs blobs;
	char hex[42];

	list_blobs(s, &blobs);
	for (size_t i = 0; i < blobs.n; i++) {
		assert_int_equal(
			read_it(s, b, OBJECTS, &blobs.oids[i], blobs.sizes[i]),
			0);
		oid_hex(&blobs.oids[i], hex);
		hex[40] = '\n';
		hex[41] = '\0';
		scratch_expect(s, "git hash-object out", hex);
	}
}

static void expect_packed(struct scratch *s, unsigned n_deltas)
{
	cleanup(free) char *line = mem_asprintf("%u\n", n_deltas);

	scratch_expect(s, "ls repo/.git/objects/?? 2>/dev/null | wc -l", "0\n");
	scratch_expect(s,
		       "git verify-pack -v repo/.git/objects/pack/*.idx | "
		       "grep -c 'blob .* [0-9a-f]\\{40\\}$'",
		       line);
}

static void test_loose(void **state)
{
	struct scratch *s = *state;
	struct oid oid;

	scratch_do(s, MAKE_VERSIONS("2"));
	scratch_do(s, ": >repo/e && git -C repo hash-object -w e");
	expect_all(s, &usual);
	oid = scratch_oid(s, "git -C repo rev-parse HEAD");
	assert_int_equal(read_it(s, &usual, OBJECTS, &oid, 200), -EBADMSG);
	oid = scratch_oid(s, "git -C repo rev-parse HEAD:a");
	assert_int_equal(read_it(s, &usual, OBJECTS, &oid, 200), -EBADMSG);
	scratch_do(s, "f=$(find repo/.git/objects -type f -size +4k | head -1);"
		      " chmod 600 $f; truncate -s 4000 $f; echo $f >cut");
	oid = scratch_oid(s, "sed 's,.*objects/,,;s,/,,' cut");
	assert_int_equal(read_it(s, &usual, OBJECTS, &oid, 13900), -EBADMSG);
	assert_int_equal(read_it(s, &usual, OBJECTS, &oid, 13907), -EBADMSG);
}

static void test_deltas_by_place(void **state)
{
	struct scratch *s = *state;

	scratch_do(s, MAKE_VERSIONS("12"));
	scratch_do(s, "git -C repo repack -q -adf --depth=50");
	expect_packed(s, 11);
	expect_all(s, &usual);
}

static void test_deltas_by_name(void **state)
{
	struct scratch *s = *state;

	scratch_do(s, MAKE_VERSIONS("12"));
	scratch_do(s, "git -C repo -c repack.useDeltaBaseOffset=false repack "
		      "-q -adf --depth=50");
	expect_packed(s, 11);
	expect_all(s, &usual);
}

static void test_offsets_of_eight_bytes(void **state)
{
	struct scratch *s = *state;

	scratch_do(s, MAKE_VERSIONS("5"));
	scratch_do(s, "git -C repo repack -q -adf && cd repo && "
		      "p=$(ls .git/objects/pack/*.pack) && "
		      "rm -f ${p%.pack}.idx && "
		      "git index-pack --index-version=2,0x40 $p");
	expect_all(s, &usual);
}

static void test_several_packs(void **state)
{
	struct scratch *s = *state;

	scratch_do(s, MAKE_VERSIONS("3"));
	scratch_do(s, "git -C repo repack -q -d && cd repo && echo b >b && "
		      "git add b && git commit -q -m b && git repack -q -d && "
		      "echo garbage >.git/objects/pack/pack-1.idx && "
		      "echo garbage >.git/objects/pack/.idx");
	scratch_expect(s, "ls repo/.git/objects/pack/*.pack | wc -l", "2\n");
	expect_all(s, &usual);
}

static void test_what_is_not_there(void **state)
{
	struct scratch *s = *state;
	struct oid oid;

	scratch_do(s, MAKE_VERSIONS("3"));
	scratch_do(s, "git -C repo repack -q -adf");
	oid_parse("1234567890123456789012345678901234567890", &oid);
	assert_int_equal(read_it(s, &usual, OBJECTS, &oid, 10), -ENOENT);
	assert_int_equal(read_it(s, &usual, "nowhere", &oid, 10), -ENOENT);
	oid = scratch_oid(s, "git -C repo rev-parse HEAD^{tree}");
	assert_int_equal(read_it(s, &usual, OBJECTS, &oid, 29), -EBADMSG);
	oid = scratch_oid(s, "git -C repo rev-parse HEAD:a");
	assert_int_equal(read_it(s, &usual, OBJECTS, &oid, 13913), -EBADMSG);
}

static void test_bounds(void **state)
{
	struct scratch *s = *state;
	struct bounds b = usual;
	cleanup(buf_done) struct buf depth = {0};
	struct oid oid;

	scratch_do(s, MAKE_VERSIONS("20"));
	scratch_do(s, "git -C repo repack -q -adf --depth=4095 --window=2");
	/* A later version is the base of an earlier one. */
	oid = scratch_oid(s, "git -C repo rev-parse HEAD~19:a");
	depth = scratch_run(s, "git verify-pack -v repo/.git/objects/pack/*.idx"
			       " | awk -v o=$(git -C repo rev-parse HEAD~19:a) "
			       "'$1 == o {print $6}'");
	b.chain = (unsigned)strtoul(depth.data, NULL, 10);
	assert_true(b.chain >= 1 && b.chain <= 19);
	assert_int_equal(read_it(s, &b, OBJECTS, &oid, 13900), 0);
	b.chain--;
	assert_int_equal(read_it(s, &b, OBJECTS, &oid, 13900), -EFBIG);
	/* Its own size is allowed; what it is made from is larger. */
	b = usual;
	b.bytes = 13900;
	assert_int_equal(read_it(s, &b, OBJECTS, &oid, 13900), -EFBIG);
	b.bytes = 13899;
	assert_int_equal(read_it(s, &b, OBJECTS, &oid, 13900), -EFBIG);
	b = usual;
	b.file = no_space;
	assert_int_equal(read_it(s, &b, OBJECTS, &oid, 13900), -ENOSPC);
}

static struct ctx leaving;

/* In the middle of it: what it is a delta of is about to be inflated. */
static int leave(void *arg, int *ret_fd)
{
	ctx_cancel(&leaving);
	return scratch_file(arg, ret_fd);
}

/* Nobody waits for it any more. */
static void test_leaving(void **state)
{
	struct scratch *s = *state;
	struct bounds b = usual;
	struct oid oid;

	scratch_do(s, MAKE_VERSIONS("3"));
	oid = scratch_oid(s, "git -C repo rev-parse HEAD~2:a");
	ctx_init(&leaving, NULL, -1);
	b.ctx = &leaving;
	assert_int_equal(read_it(s, &b, OBJECTS, &oid, 13900), 0);
	scratch_do(s, "git -C repo repack -q -adf");
	assert_int_equal(read_it(s, &b, OBJECTS, &oid, 13900), 0);
	b.file = leave;
	assert_int_equal(read_it(s, &b, OBJECTS, &oid, 13900), -EINTR);
	scratch_expect(s, "stat -c %s out", "0\n");
	b.file = scratch_file;
	assert_int_equal(read_it(s, &b, OBJECTS, &oid, 13900), -EINTR);
	ctx_done(&leaving);
}

/* ---- packs that no git wrote ---- */

struct made {
	struct buf pack;
	struct oid oids[4];
	uint32_t offsets[4];
	unsigned n;
};

static void put32(struct buf *out, uint32_t n)
{
	const unsigned char bytes[4] = {n >> 24, n >> 16, n >> 8, n};

	buf_add(out, bytes, 4);
}

/* Ids in ascending order of their first byte. claims: the size that the header
 * has. extra: of a delta, after the size. */
static void add_entry(struct made *m, unsigned char id, unsigned type,
		      uint64_t claims, const void *extra, size_t n_extra,
		      const void *data, size_t n)
{
	unsigned char deflated[1024], c;
	unsigned long n_deflated = sizeof(deflated);

	memset(m->oids[m->n].bytes, id, 20);
	m->offsets[m->n++] = 12 + (uint32_t)m->pack.len;
	c = (unsigned char)(type << 4 | (claims & 15));
	for (claims >>= 4; claims; claims >>= 7) {
		buf_putc(&m->pack, (char)(c | 128));
		c = claims & 127;
	}
	buf_putc(&m->pack, (char)c);
	buf_add(&m->pack, extra, n_extra);
	assert_int_equal(compress2(deflated, &n_deflated, data, n, 9), Z_OK);
	buf_add(&m->pack, deflated, n_deflated);
}

static void write_made(struct scratch *s, struct made *m)
{
	static const char zeros[40];
	cleanup(buf_done) struct buf pack = BUF_INIT(MIB);
	cleanup(buf_done) struct buf index = BUF_INIT(MIB);
	cleanup(free) char *base = mem_asprintf("%s/made/pack/pack-1", s->dir);
	cleanup(free) char *pack_path = mem_asprintf("%s.pack", base);
	cleanup(free) char *index_path = mem_asprintf("%s.idx", base);

	scratch_do(s, "rm -rf made && mkdir -p made/pack");
	buf_add(&pack, "PACK\0\0\0\2", 8);
	put32(&pack, m->n);
	buf_add(&pack, m->pack.data, m->pack.len);
	buf_add(&pack, zeros, 20);
	buf_add(&index, "\377tOc\0\0\0\2", 8);
	for (unsigned i = 0; i < 256; i++) {
		uint32_t n = 0;

		while (n < m->n && m->oids[n].bytes[0] <= i)
			n++;
		put32(&index, n);
	}
	for (unsigned i = 0; i < m->n; i++)
		buf_add(&index, m->oids[i].bytes, 20);
	buf_add(&index, zeros, 4 * m->n);
	for (unsigned i = 0; i < m->n; i++)
		put32(&index, m->offsets[i]);
	buf_add(&index, zeros, 40);
	assert_int_equal(
		file_write_atomic(pack_path, 0600, pack.data, pack.len), 0);
	assert_int_equal(
		file_write_atomic(index_path, 0600, index.data, index.len), 0);
	buf_done(&m->pack);
}

/* Two deltas, each of the other; and one of itself. */
static void test_a_circle(void **state)
{
	static const char delta[] = {10, 10, (char)0x90, 10};
	struct scratch *s = *state;
	struct made m = {.pack = BUF_INIT(MIB)};
	struct oid a, b;

	memset(a.bytes, 0x11, 20);
	memset(b.bytes, 0x22, 20);
	add_entry(&m, 0x11, 7, 4, b.bytes, 20, delta, 4);
	add_entry(&m, 0x22, 7, 4, a.bytes, 20, delta, 4);
	memset(b.bytes, 0x33, 20);
	add_entry(&m, 0x33, 7, 4, b.bytes, 20, delta, 4);
	write_made(s, &m);
	assert_int_equal(read_it(s, &usual, "made", &a, 10), -EFBIG);
	assert_int_equal(read_it(s, &usual, "made", &b, 10), -EFBIG);
}

#define TEN "0123456789"

/* cmocka takes SIGBUS for itself while a test runs. */
void page_guard_init(void);

static int base_fd = -1;

/* The second file: the first one is mapped by then, and is cut. */
static int cut_the_base(void *arg, int *ret_fd)
{
	int r = scratch_file(arg, ret_fd);

	if (base_fd < 0)
		base_fd = dup(*ret_fd);
	else
		assert_int_equal(ftruncate(base_fd, 0), 0);
	return r;
}

/* Two changes, one upon the other: good, up to the hash. */
static void test_a_base_that_cannot_be_read(void **state)
{
	static const char delta[] = {10, 10, (char)0x90, 10};
	struct scratch *s = *state;
	struct bounds b = usual;
	struct made m = {.pack = BUF_INIT(MIB)};
	struct oid middle;
	char back;

	page_guard_init();
	memset(middle.bytes, 0x22, 20);
	add_entry(&m, 0x11, 3, 10, "", 0, TEN, 10);
	back = (char)m.pack.len;
	add_entry(&m, 0x22, 6, 4, &back, 1, delta, 4);
	add_entry(&m, 0x33, 7, 4, middle.bytes, 20, delta, 4);
	write_made(s, &m);
	assert_int_equal(read_it(s, &usual, "made", &m.oids[2], 10), -EBADMSG);
	b.file = cut_the_base;
	assert_int_equal(read_it(s, &b, "made", &m.oids[2], 10), -EIO);
	close(base_fd);
	base_fd = -1;
}

static void test_made_up_deltas(void **state)
{
	/* To a base of ten bytes, for a result of ten. The last is good, up to
	 * its hash. */
	static const struct {
		const char *what, *bytes;
		size_t n;
		int extra; /* what the header claims more */
	} cases[] = {
		{"nothing", "", 0, 0},
		{"no second size", "\12", 1, 0},
		{"a size without end",
		 "\377\377\377\377\377\377\377\377\377\377"
		 "\377\377",
		 12, 0},
		{"another base", "\13\12\220\12", 4, 0},
		{"another result", "\12\13\220\13", 4, 0},
		{"a huge result", "\12\377\377\377\377\377\377\177\220\12", 10,
		 0},
		{"no operation", "\12\12", 2, 0},
		{"too little", "\12\12\220\11", 4, 0},
		{"too much", "\12\12\220\12\1x", 6, 0},
		{"past the end of the base", "\12\12\220\13", 4, 0},
		{"from past the end", "\12\12\221\13\12", 5, 0},
		{"64 KiB of it", "\12\12\200", 3, 0},
		{"far away", "\12\12\217\377\377\377\377", 7, 0},
		{"the reserved one", "\12\12\0", 3, 0},
		{"a cut copy", "\12\12\220", 3, 0},
		{"a cut insertion", "\12\12\12abc", 6, 0},
		{"more claimed", "\12\12\220\12", 4, 1},
		{"less claimed", "\12\12\220\12", 4, -1},
		{"another hash", "\12\12\220\11\1x", 6, 0},
	};
	struct scratch *s = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct made m = {.pack = BUF_INIT(MIB)};
		char back;

		add_entry(&m, 0x11, 3, 10, "", 0, TEN, 10);
		back = (char)m.pack.len;
		add_entry(&m, 0x22, 6, cases[i].n + (uint64_t)cases[i].extra,
			  &back, 1, cases[i].bytes, cases[i].n);
		write_made(s, &m);
		if (read_it(s, &usual, "made", &m.oids[1], 10) != -EBADMSG)
			fail_msg("%s", cases[i].what);
	}
}

static void test_made_up_entries(void **state)
{
	static const struct {
		const char *what;
		unsigned type;
		uint64_t claims;
		const char *extra;
		size_t n_extra;
	} cases[] = {
		{"a commit", 1, 10, "", 0},
		{"of no type", 0, 10, "", 0},
		{"of the reserved type", 5, 10, "", 0},
		{"smaller than its bytes", 3, 9, "", 0},
		{"larger than its bytes", 3, 11, "", 0},
		{"a delta of itself", 6, 10, "\0", 1},
		{"a delta of what is before the pack", 6, 10, "\177", 1},
		{"a delta of what is nowhere", 7, 10, TEN TEN, 20},
		{"a base without end", 6, 10,
		 "\377\377\377\377\377\377\377\377\377\377\377\377\377\377",
		 14},
	};
	struct scratch *s = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct made m = {.pack = BUF_INIT(MIB)};

		add_entry(&m, 0x11, cases[i].type, cases[i].claims,
			  cases[i].extra, cases[i].n_extra, TEN, 10);
		write_made(s, &m);
		if (read_it(s, &usual, "made", &m.oids[0], 10) != -EBADMSG)
			fail_msg("%s", cases[i].what);
	}
}

static void put_file(struct scratch *s, const char *name,
		     const struct buf *bytes, unsigned *seed, bool spoil)
{
	cleanup(free) char *path =
		mem_asprintf("%s/made/pack/pack-1.%s", s->dir, name);
	cleanup(free) char *copy = mem_dup0(bytes->data, bytes->len);
	size_t n = bytes->len;

	for (int i = rand_r(seed) % 3; spoil && i >= 0; i--)
		copy[(size_t)rand_r(seed) % n] ^= (char)(1 << rand_r(seed) % 8);
	if (spoil && rand_r(seed) % 16 == 0)
		n = (size_t)rand_r(seed) % n;
	assert_int_equal(file_write_atomic(path, 0600, copy, n), 0);
}

/* Bits fall over in the pack or the index: the right content, or an error. */
static void test_mutations(void **state)
{
	struct scratch *s = *state;
	cleanup(buf_done) struct buf pack, index;
	unsigned seed = 1;
	struct blobs blobs;
	char hex[41];

	scratch_do(s, MAKE_VERSIONS("4"));
	scratch_do(s, "git -C repo repack -q -adf && mkdir -p made/pack");
	list_blobs(s, &blobs);
	pack = scratch_run(s, "cat repo/.git/objects/pack/*.pack");
	index = scratch_run(s, "cat repo/.git/objects/pack/*.idx");
	for (int round = 0; round < 500; round++) {
		bool in_pack = round % 2;

		put_file(s, "pack", &pack, &seed, in_pack);
		put_file(s, "idx", &index, &seed, !in_pack);
		for (size_t i = 0; i < blobs.n; i++) {
			cleanup(buf_done) struct buf out = BUF_INIT(MIB);
			cleanup(free) char *path = NULL;
			cleanup(buf_done) struct buf whole = BUF_INIT(MIB);
			char is[41];
			int r = read_it(s, &usual, "made", &blobs.oids[i],
					blobs.sizes[i]);

			if (r < 0) {
				assert_true(r == -EBADMSG || r == -ENOENT ||
					    r == -EFBIG);
				continue;
			}
			path = mem_asprintf("%s/out", s->dir);
			assert_int_equal(file_read(path, MIB, &out), 0);
			buf_printf(&whole, "blob %zu", out.len);
			buf_putc(&whole, '\0');
			buf_add(&whole, out.data, out.len);
			digest_sha1_hex(whole.data, whole.len, is);
			assert_string_equal(is, oid_hex(&blobs.oids[i], hex));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCRATCH_TEST(test_loose),
		SCRATCH_TEST(test_deltas_by_place),
		SCRATCH_TEST(test_deltas_by_name),
		SCRATCH_TEST(test_offsets_of_eight_bytes),
		SCRATCH_TEST(test_several_packs),
		SCRATCH_TEST(test_what_is_not_there),
		SCRATCH_TEST(test_bounds),
		SCRATCH_TEST(test_a_base_that_cannot_be_read),
		SCRATCH_TEST(test_leaving),
		SCRATCH_TEST(test_a_circle),
		SCRATCH_TEST(test_made_up_deltas),
		SCRATCH_TEST(test_made_up_entries),
		SCRATCH_TEST(test_mutations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
