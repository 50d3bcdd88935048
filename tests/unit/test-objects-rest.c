/* store/objects_rest: what came of a pack that was broken off. */
#include "git-scratch.h"

#include "base/file.h"

/* Cut anywhere: what is whole comes, nothing else, and git finds nothing wrong.
 */
static void test_what_came_of_a_cut_pack(void **state)
{
	struct scratch *s = *state;
	cleanup(buf_done) struct buf pack = {0};
	struct oid tree;
	size_t missing = SIZE_MAX;

	scratch_do(s, "git init -q -b main repo && cd repo && "
		      "for i in $(seq 40); do head -c 9000 /dev/urandom "
		      ">$i; seq $i 1500 >t$i; done && git add . && "
		      "git commit -q -m one");
	tree = scratch_oid(s, "git -C repo rev-parse HEAD^{tree}");
	pack = scratch_run(s, "cd repo && git pack-objects --all --revs -q "
			      "--stdout </dev/null");
	assert_true(pack.len > 350 * KIB);
	for (size_t n = 70 * KIB; n < pack.len + 40 * KIB; n += 40 * KIB) {
		cleanup(objects_lacking_done) struct objects_lacking l = {0};
		cleanup(objects_pack_drop) struct objects_pack *p = NULL;

		assert_int_equal(objects_pack_begin(s->o, false, &p), 0);
		assert_int_equal(objects_pack_keep_rest(p), 0);
		assert_int_equal(
			objects_pack_write(p, pack.data,
					   n < pack.len ? n : pack.len),
			0);
		p = objects_pack_drop(p);
		assert_int_equal(objects_take_rest(NULL, s->o), 1);
		assert_int_equal(objects_take_rest(NULL, s->o), 0);
		assert_int_equal(objects_lacking(NULL, s->o, &tree, &l), 0);
		assert_true(l.n_trees_missing || l.n_missing < missing);
		missing = l.n_trees_missing ? missing : l.n_missing;
		scratch_fsck(s);
		scratch_expect_clean(s);
	}
	assert_int_equal(missing, 0);
}

static void test_bytes_that_are_no_pack(void **state)
{
	struct scratch *s = *state;

	scratch_do(s, "head -c 100000 /dev/zero >store.git/rest.pack");
	assert_int_equal(objects_take_rest(NULL, s->o), 0);
	scratch_do(s, "{ printf 'PACK\\0\\0\\0\\2\\0\\0\\1\\0'; "
		      "head -c 100000 /dev/urandom; } >store.git/rest.pack");
	assert_int_equal(objects_take_rest(NULL, s->o), 0);
	scratch_expect(s, "ls store.git/objects/pack", "");
	scratch_expect_clean(s);
}

/* Who opens the store meanwhile leaves the lock's file. */
static void test_one_at_a_time(void **state)
{
	struct scratch *s = *state;
	cleanup(fd) int lock = -1, next = -1;
	struct objects *other = NULL;

	assert_int_equal(objects_lock_rest(s->o, &lock), 0);
	assert_int_equal(objects_open(s->store, &other), 0);
	assert_int_equal(objects_lock_rest(other, &next), -EBUSY);
	assert_int_equal(objects_lock_rest(s->o, &next), -EBUSY);
	file_close(lock);
	lock = -1;
	assert_int_equal(objects_lock_rest(other, &next), 0);
	other = objects_close(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCRATCH_TEST(test_what_came_of_a_cut_pack),
		SCRATCH_TEST(test_bytes_that_are_no_pack),
		SCRATCH_TEST(test_one_at_a_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
