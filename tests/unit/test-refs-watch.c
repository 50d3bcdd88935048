/*
 * model/git/refs_watch: the plays in which the kernel could go on believing in
 * a branch that is gone.
 */
#include "git-world.h"

/* ---- what happens ---- */

const void *__real_listed_tell_begin(struct listed *);
const void *__wrap_listed_tell_begin(struct listed *);

/* What happens before the next thread asks for its turn to tell. */
static _Atomic(void (*)(void)) before_turn;

const void *__wrap_listed_tell_begin(struct listed *d)
{
	void (*play)(void) = atomic_exchange(&before_turn, NULL);

	if (play)
		play();
	return __real_listed_tell_begin(d);
}

/* A program looks a name up: whether it is there. */
static bool look(const char *name)
{
	struct found found = {0};
	struct ctx ctx;
	int r;

	ctx_init(&ctx, NULL, 60000);
	r = refs_lookup(&ctx, &scene.model, scene.top, CLONE_BRANCHES, name,
			&found);
	ctx_done(&ctx);
	assert_int_equal(r, 0);
	if (!found.what.provider)
		return false;
	node_unref(scene.model.nodes, node_make(scene.model.nodes, scene.top,
						name, &found.what, NULL, true));
	return true;
}

/* The worker asks. */
static void check_now(void)
{
	struct ctx ctx;

	ctx_init(&ctx, NULL, 60000);
	ctx.who = CTX_REFRESH;
	assert_int_equal(
		refs_check(&ctx, &scene.model, scene.top, REFRESH_POLL, NULL),
		0);
	ctx_done(&ctx);
}

static void check_in_thread(void *arg)
{
	(void)arg;
	check_now();
}

/* ---- plays ---- */

static void what_changes_is_told(void **state)
{
	(void)state;
	assert_true(look("main"));
	assert_int_equal(scene.n_watched, 1);
	expect_told("");
	server("branch feature/x main");
	server("branch y main");
	check_now();
	expect_told("feature y listing ");
	assert_true(look("feature"));
	server("branch feature/z main");
	server("branch -D y");
	check_now();
	/* feature is a directory as before: its own listing changed. */
	expect_told("below/z listing-below y listing ");
	check_now();
	expect_told("");
}

/* The play in model/listed.h. */
static void the_older_list_is_not_shown_last(void **state)
{
	struct thread *a;

	(void)state;
	assert_true(look("main"));
	server("branch y main");
	a = hold(check_in_thread);
	server("branch x main");
	check_now();
	expect_told("x y listing ");
	assert_true(look("x"));
	let_go(a);
	/* Not that x is gone: a shell in it would be cut off. */
	expect_told("");
	assert_true(look("x"));
	server("branch -D x");
	check_now();
	expect_told("x listing ");
}

/*
 * 1. Another watch of the repository brings a list with x.
 * 2. A program looks x up in it, before the worker shows that list.
 * 3. x is gone from the next list.
 */
static void no_name_is_answered_from_a_list_that_was_not_told(void **state)
{
	(void)state;
	assert_true(look("main"));
	server("branch x main");
	ask_elsewhere();
	assert_true(look("x"));
	expect_told("x listing ");
	/* The worker sees that other watch's answer first. */
	check_now();
	expect_told("");
	server("branch -D x");
	check_now();
	expect_told("x listing ");
}

/* The play at refresh_age_ms: the answer that another watch got is taken,
 * however old it has become meanwhile, and not asked for again. */
static void what_another_watch_asked_for_is_not_asked_for_again(void **state)
{
	(void)state;
	assert_true(look("main"));
	server("branch x main");
	ask_elsewhere();
	assert_int_equal(scene.how->due_ms(&scene.model, scene.top), 0);
	server("branch y main");
	check_now();
	expect_told("x listing ");
	assert_true(scene.how->due_ms(&scene.model, scene.top) > 0);
	check_now();
	expect_told("y listing ");
}

/* A look between the worker's question whether anybody looks, and the end. */
static void a_look_at_the_end_keeps_the_watch(void **state)
{
	(void)state;
	clock_fake(1000000, T0 * INT64_C(1000));
	assert_true(look("main"));
	an_hour();
	assert_int_equal(scene.how->due_ms(&scene.model, scene.top), INT64_MAX);
	assert_true(look("main"));
	assert_false(scene.how->end(&scene.model, scene.top));
	assert_true(scene.how->due_ms(&scene.model, scene.top) != INT64_MAX);
	forget_told();
	server("branch x main");
	check_now();
	expect_told("x listing ");
}

static void x_is_looked_up(void)
{
	assert_true(look("x"));
}

/* The play at watch_end. */
static void a_look_before_the_list_goes_keeps_both(void **state)
{
	(void)state;
	clock_fake(1000000, T0 * INT64_C(1000));
	server("branch x main");
	assert_true(look("main"));
	an_hour();
	atomic_store(&before_turn, x_is_looked_up);
	assert_false(scene.how->end(&scene.model, scene.top));
	assert_null(atomic_load(&before_turn));
	forget_told();
	server("branch -D x");
	check_now();
	expect_told("x listing ");
}

static void after_the_end_a_look_begins_anew(void **state)
{
	(void)state;
	clock_fake(1000000, T0 * INT64_C(1000));
	assert_true(look("main"));
	an_hour();
	assert_true(scene.how->end(&scene.model, scene.top));
	assert_int_equal(scene.how->due_ms(&scene.model, scene.top), INT64_MAX);
	/* Asked again, although a list is known; and watched again. */
	server("branch x main");
	assert_true(look("x"));
	assert_int_equal(scene.n_watched, 2);
	assert_true(scene.how->due_ms(&scene.model, scene.top) != INT64_MAX);
	/* The kernel may have a listing of the time before: with cookies, as
	 * one that was read. */
	an_hour();
	node_book(scene.model.nodes, scene.top, true);
	assert_true(scene.how->end(&scene.model, scene.top));
	forget_told();
	assert_true(look("x"));
	expect_told("listing ");
}

/* A directory that has lost its name is watched for nobody, whoever stands in
 * it. */
static void an_unlinked_one_ends(void **state)
{
	(void)state;
	assert_true(look("main"));
	node_unlink(scene.model.nodes, scene.top);
	assert_int_equal(scene.how->due_ms(&scene.model, scene.top), INT64_MAX);
	assert_true(scene.how->end(&scene.model, scene.top));
}

static void look_often(void *arg)
{
	for (unsigned i = 0; i < 300; i++) {
		struct ctx ctx;
		struct clone_refs *refs = NULL;

		ctx_init(&ctx, NULL, 60000);
		assert_int_equal(refs_ensure(&ctx, &scene.model, scene.top,
					     CLONE_BRANCHES, &refs),
				 0);
		ctx_done(&ctx);
		clone_refs_unref(refs);
		if (arg && i % 50 == 0)
			check_now();
		if (arg)
			scene.how->end(&scene.model, scene.top);
	}
}

static void many_at_once(void **state)
{
	struct thread *threads[4];
	int worker = 1;

	(void)state;
	assert_true(look("main"));
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(thread_start("looks", look_often,
					      i ? NULL : &worker, &threads[i]),
				 0);
	for (size_t i = 0; i < 4; i++)
		thread_join(threads[i]);
	forget_told();
	server("branch x main");
	check_now();
	expect_told("x listing ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(what_changes_is_told),
		T(the_older_list_is_not_shown_last),
		T(no_name_is_answered_from_a_list_that_was_not_told),
		T(what_another_watch_asked_for_is_not_asked_for_again),
		T(a_look_at_the_end_keeps_the_watch),
		T(a_look_before_the_list_goes_keeps_both),
		T(after_the_end_a_look_begins_anew),
		T(an_unlinked_one_ends),
		T(many_at_once),
	};

	world_environment();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
