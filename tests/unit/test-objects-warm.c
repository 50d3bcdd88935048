/*
 * store/objects_warm: what is held open, and for how long.
 */
#include "git-scratch.h"

#include "base/clock.h"

#include "../../src/store/objects_private.h"

/* A ref that is watched has its commit looked at once a minute: libgit2 would
 * keep what deltas are made of as long. */
static void test_looks_at_a_commit_keep_nothing_open(void **state)
{
	struct scratch *s = *state;
	struct commit_info info;
	struct tree_list *l;
	struct oid commit;

	scratch_do(s,
		   "git init -q -b main repo && cd repo && echo one >file && "
		   "git add . && git commit -q -m first");
	scratch_take_all(s, "repo");
	commit = scratch_oid(s, "git -C repo rev-parse HEAD");
	clock_fake(1000000, 1000000);
	objects_expire_all();
	assert_int_equal(objects_read_commit(NULL, s->o, &commit, &info), 0);
	assert_int_equal(objects_read_tree(NULL, s->o, &info.tree, &l), 0);
	tree_list_unref(l);
	clock_advance(50000);
	assert_int_equal(objects_read_commit(NULL, s->o, &commit, &info), 0);
	assert_false(objects_expire_all());
	assert_int_equal(s->o->n_handles, 1);
	clock_advance(10000);
	assert_true(objects_expire_all());
	assert_int_equal(s->o->n_handles, 0);
	clock_real();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCRATCH_TEST(test_looks_at_a_commit_keep_nothing_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
