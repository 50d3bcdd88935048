/* model/stream/downloads: sizes from the list, bytes when they are read. */
#include "model-world.h"

#define LIST "/repositories/acme/widgets/downloads"
#define DIR "acme/widgets/downloads"

static void says_file(struct world *w, const char *created, const char *size)
{
	cleanup(free) char *list = mem_asprintf(
		"{\"values\":[{\"name\":\"a.zip\",%s\"created_on\":\"%s\"}]}",
		size, created);

	world_says(w, LIST, list);
}

static int set_up(void **state)
{
	world_set_up(state);
	says_file(*state, "2026-01-02T03:04:05Z", "\"size\":6,");
	world_says(*state, LIST "/a.zip", "abcdef");
	return 0;
}

static void looking_costs_the_list(void **state)
{
	struct world *w = *state;
	struct model_entry entry;

	expect_in(world_ls(w, DIR), "a.zip ");
	assert_int_equal(world_look(w, DIR "/a.zip", &entry), 0);
	assert_int_equal(entry.attr.st.st_size, 6);
	assert_int_equal(entry.attr.st.st_mtim.tv_sec, 1767323045);
	assert_int_equal(world_stat(w, DIR "/b.zip"), -ENOENT);
	assert_int_equal(world_stat(w, DIR "/.git"), -ENOENT);
	assert_int_equal(world_asked(w, "a.zip"), 0);
	expect(world_cat(w, DIR "/a.zip"), "abcdef");
	expect(world_cat(w, DIR "/a.zip"), "abcdef");
	assert_int_equal(world_asked(w, "a.zip"), 1);
}

static void a_file_that_is_replaced_is_another_inode(void **state)
{
	struct world *w = *state;
	struct model_entry before, same, after;

	assert_int_equal(world_look(w, DIR "/a.zip", &before), 0);
	assert_int_equal(world_look(w, DIR "/a.zip", &same), 0);
	assert_int_equal(before.ino, same.ino);
	says_file(w, "2026-01-03T03:04:05Z", "\"size\":6,");
	world_says(w, LIST "/a.zip", "ABCDEF");
	expect_in(world_cat(w, ".bitbucketfs/refresh/" DIR "/.now"),
		  "a.zip: updated\n");
	assert_int_equal(world_look(w, DIR "/a.zip", &after), 0);
	assert_int_not_equal(before.ino, after.ino);
	expect(world_cat(w, DIR "/a.zip"), "ABCDEF");
}

/* The list has no size: the download says it, when it is looked up. */
static void a_size_that_the_list_lacks_is_asked_for(void **state)
{
	struct world *w = *state;
	struct model_entry entry;

	says_file(w, "2026-01-02T03:04:05Z", "");
	expect_in(world_ls(w, DIR), "a.zip ");
	assert_int_equal(world_asked(w, "a.zip"), 0);
	assert_int_equal(world_look(w, DIR "/a.zip", &entry), 0);
	assert_int_equal(entry.attr.st.st_size, 6);
	expect(world_cat(w, DIR "/a.zip"), "abcdef");
}

/* It was there when its inode was made: not "no such file". */
static void one_that_went_is_stale(void **state)
{
	struct world *w = *state;

	assert_int_equal(world_stat(w, DIR "/a.zip"), 0);
	world_refuses(w, LIST "/a.zip", 404);
	expect(world_cat(w, DIR "/a.zip"), "-116");
}

#define D(name) cmocka_unit_test_setup_teardown(name, set_up, world_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		D(looking_costs_the_list),
		D(a_file_that_is_replaced_is_another_inode),
		D(a_size_that_the_list_lacks_is_asked_for),
		D(one_that_went_is_stale),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
