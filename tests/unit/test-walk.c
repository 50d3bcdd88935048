/* model/git/walk: programs that go through a tree, and people who do not. */
#include "model/git/walk.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const char tree;
static int64_t now = 1000000;

static struct walk_step step_of(int32_t process, uint64_t dir, uint64_t parent)
{
	return (struct walk_step){
		.who = {.session = 7, .group = 70, .process = process},
		.tree = &tree,
		.dir = dir,
		.parent = parent,
		.now_ms = now,
	};
}

static void opens(struct walk_all *all, int32_t process, uint64_t dir,
		  uint64_t parent)
{
	const struct walk_step step = step_of(process, dir, parent);

	walk_opened(all, &step);
}

static uint64_t top;

static enum walk_reach needs(struct walk_all *all, int32_t process,
			     uint64_t dir, uint64_t parent)
{
	const struct walk_step step = step_of(process, dir, parent);

	return walk_needs(all, &step, &top);
}

static void was_brought(struct walk_all *all, int32_t process, uint64_t dir)
{
	const struct walk_step step = step_of(process, dir, 0);

	walk_brought(all, &step);
}

static int begin(void **state)
{
	*state = walk_all_new();
	now += 1000000;
	return 0;
}

static int end(void **state)
{
	walk_all_free(*state);
	return 0;
}

/* grep -r: the files of the root, then those of the first directory. */
static void a_program_goes_down(void **state)
{
	opens(*state, 100, 1, 99);
	assert_int_equal(needs(*state, 100, 1, 99), WALK_DIRECTORY);
	now += 5000;
	was_brought(*state, 100, 1);
	now += 2;
	opens(*state, 100, 2, 1);
	assert_int_equal(needs(*state, 100, 2, 1), WALK_TREE);
	assert_int_equal(top, 1);
	/* From now on wherever it is. */
	assert_int_equal(needs(*state, 100, 9, 8), WALK_TREE);
}

/* cp -r: down first; the first file that it needs is far below. */
static void a_program_goes_down_first(void **state)
{
	opens(*state, 100, 1, 99);
	opens(*state, 100, 2, 1);
	opens(*state, 100, 3, 2);
	assert_int_equal(needs(*state, 100, 3, 2), WALK_TREE);
	assert_int_equal(top, 1);
	/* grep -r one two: the second one. */
	opens(*state, 100, 50, 99);
	opens(*state, 100, 51, 50);
	assert_int_equal(needs(*state, 100, 51, 50), WALK_TREE);
	assert_int_equal(top, 50);
}

/* A file manager: one process, and a person who clicks. */
static void a_person_goes_down(void **state)
{
	for (uint64_t dir = 1; dir < 5; dir++) {
		opens(*state, 100, dir, dir - 1);
		assert_int_equal(needs(*state, 100, dir, dir - 1),
				 WALK_DIRECTORY);
		was_brought(*state, 100, dir);
		now += 3000;
	}
}

/* ls -l a b; cat a/x b/y */
static void some_places_are_no_tree(void **state)
{
	opens(*state, 100, 2, 1);
	assert_int_equal(needs(*state, 100, 2, 1), WALK_DIRECTORY);
	opens(*state, 100, 3, 1);
	assert_int_equal(needs(*state, 100, 3, 1), WALK_DIRECTORY);
	assert_int_equal(needs(*state, 101, 4, 1), WALK_NONE);
	assert_int_equal(needs(*state, 101, 5, 1), WALK_NONE);
}

/* grep x * */
static void file_after_file(void **state)
{
	assert_int_equal(needs(*state, 100, 2, 1), WALK_NONE);
	assert_int_equal(needs(*state, 100, 2, 1), WALK_DIRECTORY);
}

/* ls; cat one; cat two: in a script. */
static void one_file_after_a_listing(void **state)
{
	opens(*state, 100, 2, 1);
	assert_int_equal(needs(*state, 101, 2, 1), WALK_NONE);
	assert_int_equal(needs(*state, 102, 2, 1), WALK_DIRECTORY);
}

/* make; find | xargs: many processes of one group, many directories. */
static void a_group_needs_much(void **state)
{
	enum walk_reach reach = WALK_NONE;

	for (uint64_t dir = 2; dir < 8; dir++)
		reach = needs(*state, 100 + (int32_t)dir, dir, 1);
	assert_int_equal(reach, WALK_TREE);
}

/* The same, at the pace of a person. */
static void a_shell_needs_one_now_and_then(void **state)
{
	for (uint64_t dir = 2; dir < 30; dir++) {
		assert_int_equal(needs(*state, 100 + (int32_t)dir, dir, 1),
				 WALK_NONE);
		now += 2500;
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_program_goes_down), TEST(a_program_goes_down_first),
		TEST(a_person_goes_down),  TEST(some_places_are_no_tree),
		TEST(file_after_file),     TEST(one_file_after_a_listing),
		TEST(a_group_needs_much),  TEST(a_shell_needs_one_now_and_then),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
