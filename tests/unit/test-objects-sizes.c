/*
 * store/objects_sizes: sizes of blobs that are not here: a few at a time, many,
 * by several processes, one of which is killed anywhere; what is damaged of
 * them.
 */
#include "../../src/store/objects_private.h"
#include "git-scratch.h"

/* The i-th id, spread as hashes are; its size is i. */
static struct oid id_of(unsigned i)
{
	struct oid oid = {{0}};
	uint32_t at = i * 2654435761u;

	memcpy(oid.bytes, &at, sizeof(at));
	memcpy(oid.bytes + sizeof(at), &i, sizeof(i));
	return oid;
}

static void note(struct objects *o, unsigned from, unsigned n)
{
	struct objects_size *sizes = mem_calloc(n, sizeof(*sizes));

	for (unsigned i = 0; i < n; i++)
		sizes[i] = (struct objects_size){id_of(from + i), from + i};
	assert_int_equal(objects_note_sizes(o, sizes, n), 0);
	free(sizes);
}

static unsigned n_known(struct objects *o, unsigned from, unsigned n)
{
	unsigned known = 0;

	for (unsigned i = from; i < from + n; i++) {
		struct oid oid = id_of(i);
		uint64_t size = UINT64_MAX;
		int r = objects_blob_size(NULL, o, &oid, &size);

		assert_true(r == -ENOENT || (r == 0 && size == i));
		known += r == 0;
	}
	return known;
}

static off_t file_size(const struct scratch *s)
{
	cleanup(free) char *file = mem_asprintf("%s/sizes", s->store);
	struct stat st;

	assert_int_equal(stat(file, &st), 0);
	return st.st_size;
}

static void test_few(void **state)
{
	struct scratch *s = *state;

	assert_int_equal(n_known(s->o, 0, 10), 0);
	note(s->o, 0, 300);
	assert_int_equal(n_known(s->o, 0, 400), 300);
	/* What is known is not written again. */
	note(s->o, 0, 300);
	assert_int_equal(file_size(s), 32 + 300 * 32);
	note(s->o, 200, 200);
	assert_int_equal(file_size(s), 32 + 400 * 32);
	assert_int_equal(n_known(s->o, 0, 401), 400);
	scratch_reopen(s);
	assert_int_equal(n_known(s->o, 0, 401), 400);
}

/* A few hundred at a time up to 30,000: no more than ten times the bytes. */
static void test_many(void **state)
{
	struct scratch *s = *state;
	const unsigned n = 30000;
	uint64_t n_written = 0;
	ino_t inode = 0;
	off_t before = 0;

	for (unsigned i = 0; i < n; i += 300) {
		cleanup(free) char *file = mem_asprintf("%s/sizes", s->store);
		struct stat st;

		note(s->o, i, 300);
		assert_int_equal(stat(file, &st), 0);
		n_written += (uint64_t)(st.st_ino == inode ? st.st_size - before
							   : st.st_size);
		inode = st.st_ino;
		before = st.st_size;
	}
	assert_int_equal(before, 32 + n * 32);
	assert_true(n_written < (uint64_t)n * 32 * 10);
	assert_int_equal(n_known(s->o, 0, n + 1), n);
	scratch_reopen(s);
	assert_int_equal(n_known(s->o, 0, n + 1), n);
}

/* Two who have the store open at once: each sees what the other adds, also
 * after the file was made anew. */
static void test_two(void **state)
{
	struct scratch *s = *state;
	struct objects *other;

	assert_int_equal(objects_open(s->store, &other), 0);
	for (unsigned i = 0; i < 12000; i += 600) {
		note(s->o, i, 300);
		note(other, i + 300, 300);
		assert_int_equal(n_known(s->o, i, 600), 600);
		assert_int_equal(n_known(other, i, 600), 600);
	}
	assert_int_equal(n_known(s->o, 0, 12000), 12000);
	objects_close(other);
}

static void add_for_ever(const struct scratch *s, unsigned from)
{
	struct objects *o;

	if (objects_open(s->store, &o) < 0)
		_exit(1);
	for (unsigned i = 0;; i = (i + 100) % 40000)
		note(o, from + i, 100);
}

/* Processes that add, each killed anywhere: what was added before is there, and
 * more can be added. */
static void test_killed(void **state)
{
	struct scratch *s = *state;

	note(s->o, 0, 5000);
	for (unsigned i = 0; i < 20; i++) {
		pid_t pids[2];

		for (unsigned k = 0; k < 2; k++) {
			pids[k] = fork();
			if (pids[k] == 0)
				add_for_ever(s, 10000 + k * 50000);
		}
		usleep(3000 + 2000 * i);
		for (unsigned k = 0; k < 2; k++) {
			kill(pids[k], SIGKILL);
			assert_int_equal(waitpid(pids[k], NULL, 0), pids[k]);
		}
		note(s->o, 200000 + i * 100, 100);
		assert_int_equal(n_known(s->o, 200000, (i + 1) * 100),
				 (i + 1) * 100);
	}
	assert_int_equal(n_known(s->o, 0, 5000), 5000);
}

/* A write that ended in the middle of a record; a record with other bytes. */
static void test_damaged_tail(void **state)
{
	struct scratch *s = *state;

	note(s->o, 0, 10);
	scratch_do(s, "truncate -s -7 store.git/sizes");
	assert_int_equal(n_known(s->o, 0, 10), 9);
	note(s->o, 9, 1);
	note(s->o, 10, 1);
	assert_int_equal(n_known(s->o, 0, 11), 11);
	scratch_do(s, "printf xy | dd of=store.git/sizes bs=1 seek=70 "
		      "conv=notrunc status=none");
	scratch_reopen(s);
	assert_int_equal(n_known(s->o, 0, 11), 10);
	note(s->o, 0, 11);
	assert_int_equal(n_known(s->o, 0, 11), 11);
}

static void test_damaged_sorted(void **state)
{
	struct scratch *s = *state;

	note(s->o, 0, 5000);
	scratch_do(s, "printf xy | dd of=store.git/sizes bs=1 seek=72042 "
		      "conv=notrunc status=none");
	scratch_reopen(s);
	assert_int_equal(n_known(s->o, 0, 5000), 4999);
	note(s->o, 0, 5000);
	assert_int_equal(n_known(s->o, 0, 5000), 5000);
}

/* Of another version, cut, or with a damaged head: begun anew. */
static void test_damaged_head(void **state)
{
	static const char *const ways[] = {
		"echo 'bitbucketfs sizes 1' >store.git/sizes && "
		"seq 100 >>store.git/sizes",
		"printf x | dd of=store.git/sizes bs=1 seek=27 conv=notrunc "
		"status=none",
		"truncate -s 5 store.git/sizes",
		"truncate -s 0 store.git/sizes",
	};
	struct scratch *s = *state;

	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		note(s->o, 0, 10);
		scratch_do(s, ways[i]);
		scratch_reopen(s);
		assert_int_equal(n_known(s->o, 0, 10), 0);
		note(s->o, 0, 10);
		assert_int_equal(n_known(s->o, 0, 10), 10);
	}
}

/* Somebody removed the store. */
static void test_no_store(void **state)
{
	struct scratch *s = *state;
	const struct objects_size size = {id_of(1), 1};

	scratch_do(s, "mv store.git away");
	assert_int_equal(objects_note_sizes(s->o, &size, 1), -ENOENT);
	scratch_do(s, "mv away store.git");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCRATCH_TEST(test_few),
		SCRATCH_TEST(test_many),
		SCRATCH_TEST(test_two),
		SCRATCH_TEST(test_killed),
		SCRATCH_TEST(test_damaged_tail),
		SCRATCH_TEST(test_damaged_sorted),
		SCRATCH_TEST(test_damaged_head),
		SCRATCH_TEST(test_no_store),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
