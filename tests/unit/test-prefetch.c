/*
 * model/work/prefetch: what a program that goes from repository to repository
 * will read next is fetched before it asks, and nothing else is.
 */
#include "model-world.h"

#include "model/work/prefetch.h"

#define MANY 30
#define WINDOW 8

static char names[MANY][16];

static int set_up(void **state)
{
	const char *list[MANY + 1] = {NULL};
	struct world *w;

	world_set_up(state);
	w = *state;
	for (unsigned i = 0; i < MANY; i++) {
		snprintf(names[i], sizeof(names[i]), "r%02u", i);
		list[i] = names[i];
	}
	world_has_repositories(w, list);
	expect_in(world_ls(w, "acme"), "r00/ r01/");
	w->model->prefetch = prefetch_new(w->model);
	return 0;
}

static char *index_of(unsigned i)
{
	return mem_asprintf("acme/%s/pipelines/index.tsv", names[i]);
}

/* A program reads the index of the i-th repository. */
static void read_index(struct world *w, unsigned i)
{
	cleanup(free) char *path = index_of(i);
	cleanup(free) char *answer =
		mem_asprintf("/repositories/acme/%s/pipelines", names[i]);

	world_says(w, answer, "{\"values\":[]}");
	assert_int_equal(world_stat(w, path), 0);
}

static unsigned n_asked(struct world *w, unsigned i)
{
	cleanup(free) char *path = mem_asprintf("/%s/pipelines", names[i]);

	return world_asked(w, path);
}

/* Until the i-th was asked for; fails the test after a minute. */
static void await(struct world *w, unsigned i)
{
	for (unsigned n = 0; n < 6000 && !n_asked(w, i); n++)
		usleep(10000);
	assert_true(n_asked(w, i) > 0);
}

/* All that was queued is done: the threads are joined. */
static void settle(struct world *w)
{
	tiny_await_idle(w->tiny);
	w->model->prefetch = prefetch_free(w->model->prefetch);
}

static void expect_asked(struct world *w, unsigned from, unsigned until)
{
	for (unsigned i = 0; i < MANY; i++)
		if (n_asked(w, i) != (i >= from && i < until))
			fail_msg("r%02u was asked for %u times", i,
				 n_asked(w, i));
}

static void after_the_third_the_next_ones(void **state)
{
	struct world *w = *state;

	for (unsigned i = 0; i < MANY; i++) {
		cleanup(free) char *path = mem_asprintf(
			"/repositories/acme/%s/pipelines", names[i]);

		world_says(w, path, "{\"values\":[]}");
	}
	read_index(w, 4);
	read_index(w, 5);
	assert_int_equal(n_asked(w, 6), 0);
	read_index(w, 6);
	for (unsigned i = 7; i < 7 + WINDOW; i++)
		await(w, i);
	settle(w);
	expect_asked(w, 4, 7 + WINDOW);
	/* The reader who comes there finds it: no further request. */
	read_index(w, 7);
	expect_asked(w, 4, 7 + WINDOW);
}

static void two_are_no_walk(void **state)
{
	struct world *w = *state;

	read_index(w, 4);
	read_index(w, 5);
	read_index(w, 5);
	settle(w);
	expect_asked(w, 4, 6);
}

/* Backwards, or in jumps, is not the order of a walk. */
static void nor_is_another_order(void **state)
{
	struct world *w = *state;

	read_index(w, 20);
	read_index(w, 19);
	read_index(w, 18);
	settle(w);
	expect_asked(w, 18, 21);
}

static void nor_are_jumps(void **state)
{
	struct world *w = *state;

	for (unsigned i = 0; i < MANY; i += 5)
		read_index(w, i);
	settle(w);
	for (unsigned i = 0; i < MANY; i++)
		assert_int_equal(n_asked(w, i), i % 5 == 0);
}

/* After a minute it is another program, or the same one at something else. */
static void nor_is_one_a_minute(void **state)
{
	struct world *w = *state;

	for (unsigned i = 0; i < 5; i++) {
		read_index(w, i);
		clock_advance(61000);
	}
	settle(w);
	expect_asked(w, 0, 5);
}

/* Two programs, each at its own kind: two walks. */
static void each_collection_is_followed_by_itself(void **state)
{
	struct world *w = *state;

	world_says(w, "/repositories/acme/r01/environments", "{\"values\":[]}");
	read_index(w, 0);
	assert_int_equal(world_stat(w, "acme/r01/environments/index.tsv"), 0);
	read_index(w, 2);
	settle(w);
	for (unsigned i = 0; i < MANY; i++)
		assert_int_equal(n_asked(w, i), i == 0 || i == 2);
}

static void the_last_ones_end_the_walk(void **state)
{
	struct world *w = *state;

	world_says(w, "/repositories/acme/r29/pipelines", "{\"values\":[]}");
	read_index(w, MANY - 4);
	read_index(w, MANY - 3);
	read_index(w, MANY - 2);
	await(w, MANY - 1);
	settle(w);
	expect_asked(w, MANY - 4, MANY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(after_the_third_the_next_ones,
						set_up, world_tear_down),
		cmocka_unit_test_setup_teardown(two_are_no_walk, set_up,
						world_tear_down),
		cmocka_unit_test_setup_teardown(nor_is_another_order, set_up,
						world_tear_down),
		cmocka_unit_test_setup_teardown(nor_are_jumps, set_up,
						world_tear_down),
		cmocka_unit_test_setup_teardown(nor_is_one_a_minute, set_up,
						world_tear_down),
		cmocka_unit_test_setup_teardown(
			each_collection_is_followed_by_itself, set_up,
			world_tear_down),
		cmocka_unit_test_setup_teardown(the_last_ones_end_the_walk,
						set_up, world_tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
