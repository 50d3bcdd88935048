/*
 * model/stream/step_log: the log of a step that runs grows under its inode; of
 * one that has ended it stays; a step without one has none.
 */
#include "model-world.h"

#define PIPELINES "/repositories/acme/widgets/pipelines"
#define STEPS PIPELINES "/p1/steps"
#define STEP STEPS "/s1"
#define PATH "acme/widgets/pipelines/1/steps/1-build"

static void says_step(struct world *w, const char *state, const char *more)
{
	cleanup(free) char *step = mem_asprintf(
		"{\"uuid\":\"{s1}\",\"name\":\"Build\",\"started_on\":"
		"\"2026-09-21T14:00:00Z\",\"state\":{\"name\":\"%s\"}%s}",
		state, more);
	cleanup(free) char *steps = mem_asprintf("{\"values\":[%s]}", step);

	world_says(w, STEP, step);
	world_says(w, STEPS, steps);
}

static int set_up(void **state)
{
	static const char pipeline[] =
		"{\"uuid\":\"{p1}\",\"build_number\":1,"
		"\"created_on\":\"2026-09-21T14:00:00Z\","
		"\"state\":{\"name\":\"IN_PROGRESS\"}}";
	cleanup(free) char *list = mem_asprintf("{\"values\":[%s]}", pipeline);
	struct world *w;

	world_set_up(state);
	w = *state;
	world_says(w, PIPELINES, list);
	world_says(w, PIPELINES "/p1", pipeline);
	world_says(w, PIPELINES "/1", pipeline);
	says_step(w, "IN_PROGRESS", "");
	return 0;
}

static uint64_t number(struct world *w, const char *path)
{
	struct model_entry entry;

	assert_int_equal(world_look(w, path, &entry), 0);
	return entry.ino;
}

static uint64_t size_now(struct world *w, uint64_t ino, double *ret_timeout)
{
	struct model_attr attr;
	struct ctx ctx;

	ctx_init(&ctx, NULL, 60000);
	assert_int_equal(model_getattr(&ctx, w->model, ino, &attr), 0);
	ctx_done(&ctx);
	*ret_timeout = attr.attr_timeout;
	return (uint64_t)attr.st.st_size;
}

static void it_grows_under_its_inode(void **state)
{
	struct world *w = *state;
	double timeout;
	uint64_t ino;

	world_says(w, STEP "/log", "one\n");
	ino = number(w, PATH "/log");
	expect(world_cat(w, PATH "/log"), "one\n");
	world_says(w, STEP "/log", "one\ntwo\n");
	/* Not asked again at once: tail(1) looks each second. */
	assert_int_equal(size_now(w, ino, &timeout), 4);
	assert_true(timeout == 1);
	clock_advance(6000);
	assert_int_equal(size_now(w, ino, &timeout), 8);
	assert_true(timeout == 1);
	assert_int_equal(number(w, PATH "/log"), ino);
	expect(world_cat(w, PATH "/log"), "one\ntwo\n");
}

/* The last bytes come after the step said that it has ended. */
static void it_ends_with_the_step(void **state)
{
	struct world *w = *state;
	double timeout = 0;
	uint64_t ino;

	world_says(w, STEP "/log", "one\n");
	ino = number(w, PATH "/log");
	says_step(w, "COMPLETED", "");
	world_says(w, STEP "/log", "one\nlast\n");
	for (unsigned i = 0; i < 20 && timeout < 100; i++) {
		clock_advance(10000);
		size_now(w, ino, &timeout);
	}
	assert_true(timeout > 100);
	assert_int_equal(size_now(w, ino, &timeout), 9);
	assert_int_equal(number(w, PATH "/log"), ino);
	expect(world_cat(w, PATH "/log"), "one\nlast\n");
}

static void of_an_ended_step_it_is_asked_for_once(void **state)
{
	struct world *w = *state;
	struct model_entry entry;
	unsigned n;

	says_step(w, "COMPLETED", "");
	world_says(w, STEP "/log", "all\n");
	assert_int_equal(world_look(w, PATH "/log", &entry), 0);
	assert_true(entry.entry_timeout > 100);
	expect(world_cat(w, PATH "/log"), "all\n");
	n = world_asked(w, STEP "/log");
	clock_advance(3600000);
	expect(world_cat(w, PATH "/log"), "all\n");
	assert_int_equal(world_asked(w, STEP "/log"), n);
}

/* Of a step that runs it may come soon; of one that has ended it never will. */
static void a_step_may_have_none(void **state)
{
	struct world *w = *state;
	struct model_entry entry;

	assert_int_equal(world_look(w, PATH "/log", &entry), -ENOENT);
	assert_true(entry.entry_timeout == 5);
	clock_advance(60000);
	says_step(w, "COMPLETED", "");
	assert_int_equal(world_look(w, PATH "/log", &entry), -ENOENT);
	assert_true(entry.entry_timeout == 600);
}

/* Shorter than it was: the step was run again, and has another log. */
static void a_log_that_shrank_is_another_file(void **state)
{
	struct world *w = *state;
	double timeout;
	uint64_t ino;

	world_says(w, STEP "/log", "one\ntwo\nthree\n");
	ino = number(w, PATH "/log");
	world_says(w, STEP "/log", "x\n");
	free(world_told(w));
	clock_advance(30000);
	assert_int_equal(size_now(w, ino, &timeout), 14);
	expect(world_told(w), "log ");
	assert_int_not_equal(number(w, PATH "/log"), ino);
	expect(world_cat(w, PATH "/log"), "x\n");
}

/* What fails while the file is known: its size stays, errors says why, once. */
static void a_failure_is_recorded_once(void **state)
{
	struct world *w = *state;
	cleanup(free) char *errors = NULL;
	double timeout;
	uint64_t ino;

	world_says(w, STEP "/log", "one\n");
	ino = number(w, PATH "/log");
	world_refuses(w, STEP "/log", 403);
	for (unsigned i = 0; i < 3; i++) {
		clock_advance(40000);
		assert_int_equal(size_now(w, ino, &timeout), 4);
		assert_true(timeout == 1);
	}
	errors = world_cat(w, ".bitbucketfs/errors");
	assert_non_null(strstr(errors, "1-build/log\tEACCES\t"));
	assert_null(strstr(strstr(errors, "EACCES") + 1, "EACCES"));
}

/* ---- services ---- */

#define UUID "{0a1b2c3d-0000-4000-8000-000000000001}"
#define BARE "0a1b2c3d-0000-4000-8000-000000000001"

static void services_have_names(void **state)
{
	struct world *w = *state;
	unsigned n;

	says_step(w, "COMPLETED",
		  ",\"services\":[{\"uuid\":\"" UUID "\",\"name\":\"my/db\"}]");
	world_says(w, STEP "/logs/" BARE, "db\n");
	expect(world_ls(w, PATH "/services"), "my%2Fdb ");
	expect(world_cat(w, PATH "/services/my%2Fdb"), "db\n");
	/* Others are named by their uuid. */
	expect(world_cat(w, PATH "/services/" UUID), "db\n");
	n = world_asked(w, STEP "/logs/");
	assert_int_equal(world_stat(w, PATH "/services/other"), -ENOENT);
	assert_int_equal(world_stat(w, PATH "/services/.git"), -ENOENT);
	assert_int_equal(world_stat(w, PATH "/services/{not-a-uuid}"), -ENOENT);
	assert_int_equal(world_asked(w, STEP "/logs/"), n);
}

#define L(name) cmocka_unit_test_setup_teardown(name, set_up, world_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		L(it_grows_under_its_inode),
		L(it_ends_with_the_step),
		L(of_an_ended_step_it_is_asked_for_once),
		L(a_step_may_have_none),
		L(a_log_that_shrank_is_another_file),
		L(a_failure_is_recorded_once),
		L(services_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
