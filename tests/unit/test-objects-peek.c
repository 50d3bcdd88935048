/*
 * store/objects_peek: what is at hand, byte for byte as objects_read_blob has
 * it, whatever it is stored as; and nothing of what is missing or damaged.
 */
#include "git-scratch.h"

#include "../../src/store/page_guard.h"

#define MANY 400

static const char make[] =
	"git init -q -b main repo && cd repo && "
	"for i in 1 2 3 4 5 6 7 8; do seq $i 3 3000 >b; seq $i 900 >c$i; "
	": >empty; git add .; git commit -q -m $i; done; git repack -adfq";

/* All blobs of the repository. */
static size_t blobs_of(struct scratch *s, struct oid oids[MANY])
{
	cleanup(buf_done) struct buf list =
		scratch_run(s, "git -C repo cat-file --batch-all-objects "
			       "--batch-check | grep blob | cut -c1-40");
	size_t n = 0;

	for (char *save, *line = strtok_r(list.data, "\n", &save);
	     line && n < MANY; line = strtok_r(NULL, "\n", &save))
		assert_int_equal(oid_parse(line, &oids[n++]), 0);
	assert_true(n > 15);
	return n;
}

/* Whole ones, deltas and an empty one; beside other packs. */
static void test_as_they_are(void **state)
{
	struct scratch *s = *state;
	struct blob *peeked[MANY];
	struct oid oids[MANY];
	size_t n;

	scratch_do(s, "git init -q -b main other && cd other && echo 1 >f && "
		      "git add . && git commit -q -m 1");
	scratch_take_all(s, "other");
	scratch_do(s, make);
	scratch_take_all(s, "repo");
	n = blobs_of(s, oids);
	objects_peek_blobs(s->o, oids, n, MIB, peeked);
	for (size_t i = 0; i < n; i++) {
		cleanup(blob_unref) struct blob *b = NULL;

		assert_int_equal(
			objects_read_blob(NULL, s->o, &oids[i], MIB, &b), 0);
		assert_non_null(peeked[i]);
		assert_int_equal(blob_len(peeked[i]), blob_len(b));
		assert_memory_equal(blob_data(peeked[i]), blob_data(b),
				    blob_len(b));
		blob_unref(peeked[i]);
	}
}

/* For who can do without what is missing, long or no blob. */
static void test_what_is_not_given(void **state)
{
	struct scratch *s = *state;
	struct blob *blobs[4];
	struct oid oids[4];

	scratch_do(s, "git init -q -b main repo && cd repo && "
		      "echo changed >file && git add . && git commit -q -m 1");
	scratch_take_all(s, "repo");
	oids[0] = scratch_oid(s, "git -C repo rev-parse HEAD^{tree}");
	oids[1] = scratch_oid(s, "git -C repo rev-parse HEAD:file");
	oids[2] = oids[1];
	oids[2].bytes[7] ^= 1;
	oids[3] = oids[1];
	objects_peek_blobs(s->o, oids, 4, 8, blobs);
	assert_null(blobs[0]);
	assert_string_equal(blob_data(blobs[1]), "changed\n");
	assert_null(blobs[2]);
	assert_string_equal(blob_data(blobs[3]), "changed\n");
	blob_unref(blobs[1]);
	blob_unref(blobs[3]);
	objects_peek_blobs(s->o, oids, 2, 7, blobs);
	assert_null(blobs[1]);
}

/* A pack that comes later is seen by a handle that has mapped those before. */
static void test_a_pack_that_comes_later(void **state)
{
	struct scratch *s = *state;
	struct blob *b;
	struct oid oid;

	scratch_do(s, "git init -q -b main repo && cd repo && "
		      "echo one >file && git add . && git commit -q -m 1");
	scratch_take_all(s, "repo");
	oid = scratch_oid(s, "git -C repo rev-parse HEAD:file");
	objects_peek_blobs(s->o, &oid, 1, MIB, &b);
	assert_string_equal(blob_data(b), "one\n");
	blob_unref(b);
	scratch_do(s, "cd repo && echo two >file && git commit -qam 2");
	oid = scratch_oid(s, "git -C repo rev-parse HEAD:file");
	objects_peek_blobs(s->o, &oid, 1, MIB, &b);
	assert_null(b);
	scratch_take_all(s, "repo");
	objects_peek_blobs(s->o, &oid, 1, MIB, &b);
	assert_string_equal(blob_data(b), "two\n");
	blob_unref(b);
}

/* Each third byte of a pack in turn is another one; then the file is cut:
 * nothing wrong is given, and nothing is the end of the program. */
static void test_damage(void **state)
{
	struct scratch *s = *state;
	cleanup(buf_done) struct buf content = {0}, size = {0};
	unsigned n_right = 0, n_none = 0, n_bytes;
	struct blob *b;
	struct oid oid;

	scratch_do(s, "git init -q -b main repo && cd repo && "
		      "seq 40 >file && git add . && git commit -q -m 1");
	scratch_take_all(s, "repo");
	scratch_do(s, "P=$(ls -S store.git/objects/pack/*.pack | head -1); "
		      "chmod u+w $P; cp $P sound; ln -s $P pack");
	oid = scratch_oid(s, "git -C repo rev-parse HEAD:file");
	content = scratch_run(s, "seq 40");
	size = scratch_run(s, "stat -c %s sound");
	n_bytes = (unsigned)strtoul(size.data, NULL, 10);
	for (unsigned i = 12; i < n_bytes; i += 3) {
		cleanup(free) char *flip = mem_asprintf(
			"cat sound >pack && printf '\\252' | "
			"dd of=pack bs=1 seek=%u conv=notrunc status=none",
			i);

		scratch_do(s, flip);
		objects_peek_blobs(s->o, &oid, 1, MIB, &b);
		n_none += !b;
		n_right += b != NULL;
		if (b) {
			assert_int_equal(blob_len(b), content.len);
			assert_memory_equal(blob_data(b), content.data,
					    content.len);
		}
		blob_unref(b);
	}
	assert_true(n_right > 10 && n_none > 10);
	page_guard_init(); /* cmocka has taken the signal */
	scratch_do(s, ": >pack");
	objects_peek_blobs(s->o, &oid, 1, MIB, &b);
	assert_null(b);
}

/* The same of a delta and what it is a delta of, and of their sizes. */
static void test_damaged_deltas(void **state)
{
	struct scratch *s = *state;
	cleanup(buf_done) struct buf size = {0};
	struct buf content[2] = {0};
	struct oid oids[2];
	unsigned n_right = 0, n_none = 0, n_bytes;

	scratch_do(s, "git init -q -b main repo && cd repo && seq 400 >a && "
		      "(seq 300; echo more) >b && git add . && "
		      "git commit -q -m 1 && git repack -adfq && "
		      "git verify-pack -v .git/objects/pack/*.idx | "
		      "grep -q 'chain length = 1: 1'");
	scratch_take_all(s, "repo");
	scratch_do(s, "P=$(ls -S store.git/objects/pack/*.pack | head -1); "
		      "chmod u+w $P; cp $P sound; ln -s $P pack");
	oids[0] = scratch_oid(s, "git -C repo rev-parse HEAD:b");
	oids[1] = scratch_oid(s, "git -C repo rev-parse HEAD:a");
	content[0] = scratch_run(s, "cat repo/b");
	content[1] = scratch_run(s, "cat repo/a");
	size = scratch_run(s, "stat -c %s sound");
	n_bytes = (unsigned)strtoul(size.data, NULL, 10);
	for (unsigned i = 12; i < n_bytes; i += 7) {
		cleanup(free) char *flip = mem_asprintf(
			"cat sound >pack && printf '\\252' | "
			"dd of=pack bs=1 seek=%u conv=notrunc status=none",
			i);
		struct blob *b[2];

		scratch_do(s, flip);
		objects_peek_blobs(s->o, oids, 2, MIB, b);
		for (unsigned j = 0; j < 2; j++) {
			n_none += !b[j];
			n_right += b[j] != NULL;
			if (b[j])
				assert_string_equal(blob_data(b[j]),
						    content[j].data);
			blob_unref(b[j]);
		}
	}
	assert_true(n_right > 10 && n_none > 10);
	buf_done(&content[0]);
	buf_done(&content[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCRATCH_TEST(test_as_they_are),
		SCRATCH_TEST(test_what_is_not_given),
		SCRATCH_TEST(test_a_pack_that_comes_later),
		SCRATCH_TEST(test_damage),
		SCRATCH_TEST(test_damaged_deltas),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
