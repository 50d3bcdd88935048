/*
 * model/git/checkout: a tree that follows its ref: what the kernel is told when
 * it moves, and that it never goes back.
 */
#include "git-world.h"

static struct node *tree;

static int set_up(void **state)
{
	struct found found = {0};

	git_set_up(state);
	assert_int_equal(
		checkout_found_default(&scene.model, scene.top->parent, &found),
		0);
	tree = node_make(scene.model.nodes, scene.top->parent, "tree",
			 &found.what, NULL, true);
	return 0;
}

static int tear_down(void **state)
{
	node_unref(scene.model.nodes, tree);
	return git_tear_down(state);
}

#define C(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

/* A program looks a path up, as the kernel does. */
static int look(const char *path)
{
	struct node *node = node_ref(scene.model.nodes, tree), *child;
	char name[64];
	struct ctx ctx;
	int r = 0;

	ctx_init(&ctx, NULL, 60000);
	while (r == 0 && *path) {
		struct found found = {0};
		size_t n = strcspn(path, "/");

		memcpy(name, path, n);
		name[n] = '\0';
		path += n + (path[n] == '/');
		r = node->provider->lookup(&ctx, &scene.model, node, name,
					   &found);
		child = r == 0 && found.what.provider
				? node_make(scene.model.nodes, node, name,
					    &found.what, NULL, true)
				: NULL;
		if (r == 0 && !child)
			r = -ENOENT;
		node_unref(scene.model.nodes, node);
		node = child;
	}
	ctx_done(&ctx);
	node_unref(scene.model.nodes, node);
	return r;
}

static int check_tree(bool *ret_moved)
{
	struct ctx ctx;
	int r;

	ctx_init(&ctx, NULL, 60000);
	ctx.who = CTX_REFRESH;
	r = checkout_check(&ctx, &scene.model, tree, REFRESH_POLL, ret_moved);
	ctx_done(&ctx);
	return r;
}

static void check_in_thread(void *arg)
{
	(void)arg;
	assert_int_equal(check_tree(NULL), 0);
}

static void expect_commit(const char *what)
{
	struct oid is, want = rev(scene.world, "widgets", what);

	assert_true(checkout_commit(tree, &is));
	assert_true(oid_equal(&is, &want));
}

static void the_first_head_is_not_told(void **state)
{
	(void)state;
	assert_false(checkout_is_shown(tree));
	assert_int_equal(look("dir/c.txt"), 0);
	assert_true(checkout_is_shown(tree));
	expect_commit("main");
	expect_told("");
	assert_int_equal(scene.n_watched, 1);
	assert_ptr_equal(scene.watched, tree);
}

/* Directories keep their inodes; changed, new and vanished names are told. */
static void what_changes_is_told(void **state)
{
	struct node *dir;
	bool moved = false;
	uint64_t ino;

	(void)state;
	assert_int_equal(look("dir/c.txt"), 0);
	assert_int_equal(look("a.txt"), 0);
	dir = node_child(scene.model.nodes, tree, "dir");
	ino = dir->ino;
	push(scene.world, "widgets", T0 + 1,
	     "echo two >dir/c.txt && rm b.txt && echo new >n.txt");
	assert_int_equal(check_tree(&moved), 0);
	assert_true(moved);
	expect_commit("main");
	/* scene.top is branches/: all of these are elsewhere. */
	expect_told("below/b.txt below/c.txt listing-below below/n.txt "
		    "listing-below ");
	assert_true(node_is_linked(scene.model.nodes, dir));
	assert_int_equal(dir->ino, ino);
	assert_int_equal(look("b.txt"), -ENOENT);
	assert_int_equal(look("n.txt"), 0);
	assert_int_equal(check_tree(&moved), 0);
	assert_false(moved);
	expect_told("");
	node_unref(scene.model.nodes, dir);
}

/* As in test-refs-watch: the play at refresh_age_ms. */
static void what_another_watch_asked_for_is_not_asked_for_again(void **state)
{
	(void)state;
	assert_int_equal(look("a.txt"), 0);
	push(scene.world, "widgets", T0 + 1, "echo two >a.txt");
	ask_elsewhere();
	assert_int_equal(scene.how->due_ms(&scene.model, tree), 0);
	push(scene.world, "widgets", T0 + 2, "echo three >a.txt");
	assert_int_equal(check_tree(NULL), 0);
	expect_commit("main~");
	assert_true(scene.how->due_ms(&scene.model, tree) > 0);
	assert_int_equal(check_tree(NULL), 0);
	expect_commit("main");
}

/* The play at show_known. */
static void an_older_head_is_not_shown_last(void **state)
{
	struct thread *a;

	(void)state;
	assert_int_equal(look("a.txt"), 0);
	push(scene.world, "widgets", T0 + 1, "echo two >a.txt");
	a = hold(check_in_thread);
	push(scene.world, "widgets", T0 + 2, "echo three >a.txt");
	assert_int_equal(check_tree(NULL), 0);
	expect_commit("main");
	expect_told("below/a.txt listing-below ");
	let_go(a);
	expect_commit("main");
	expect_told("");
}

/* The branch that is shown is empty of commits: whoever opens is told so. */
static void a_lost_branch_is_told_once(void **state)
{
	(void)state;
	assert_int_equal(look("a.txt"), 0);
	server("symbolic-ref HEAD refs/heads/none");
	assert_int_equal(check_tree(NULL), -ENODATA);
	expect_told("listing-below ");
	assert_int_equal(check_tree(NULL), -ENODATA);
	expect_told("");
	server("symbolic-ref HEAD refs/heads/main");
	assert_int_equal(check_tree(NULL), 0);
	assert_int_equal(look("a.txt"), 0);
}

static void nobody_looks_for_an_hour(void **state)
{
	const struct refresh_watching *how;

	(void)state;
	clock_fake(1000000, T0 * INT64_C(1000));
	assert_int_equal(look("a.txt"), 0);
	how = scene.how;
	assert_true(how->due_ms(&scene.model, tree) <= 60000);
	clock_advance(61000);
	assert_int_equal(how->due_ms(&scene.model, tree), 0);
	an_hour();
	assert_int_equal(how->due_ms(&scene.model, tree), INT64_MAX);
	/* A look begins it anew, and asks. */
	push(scene.world, "widgets", T0 + 1, "echo two >a.txt");
	assert_int_equal(look("a.txt"), 0);
	expect_commit("main");
	assert_int_equal(scene.n_watched, 2);
}

/* After a sleep the next look asks, however young the last one was. */
static void after_a_sleep_a_look_asks(void **state)
{
	(void)state;
	clock_fake(1000000, T0 * INT64_C(1000));
	assert_int_equal(look("a.txt"), 0);
	push(scene.world, "widgets", T0 + 1, "echo two >a.txt");
	assert_int_equal(look("a.txt"), 0);
	expect_commit("main~");
	clock_suspend(3600000);
	scene.how->expire(&scene.model, tree);
	assert_int_equal(look("a.txt"), 0);
	expect_commit("main");
}

static void unlinked_it_is_followed_no_more(void **state)
{
	(void)state;
	assert_int_equal(look("a.txt"), 0);
	node_unlink(scene.model.nodes, tree);
	assert_int_equal(scene.how->due_ms(&scene.model, tree), INT64_MAX);
}

static void look_often(void *arg)
{
	for (unsigned i = 0; i < 200; i++) {
		assert_int_equal(look("dir/c.txt"), 0);
		if (arg && i % 40 == 0)
			check_in_thread(NULL);
	}
}

static void many_at_once(void **state)
{
	struct thread *threads[4];
	int worker = 1;

	(void)state;
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(thread_start("looks", look_often,
					      i ? NULL : &worker, &threads[i]),
				 0);
	for (unsigned i = 1; i < 4; i++)
		push(scene.world, "widgets", T0 + i, "date >>dir/c.txt");
	for (size_t i = 0; i < 4; i++)
		thread_join(threads[i]);
	assert_int_equal(check_tree(NULL), 0);
	expect_commit("main");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		C(the_first_head_is_not_told),
		C(what_changes_is_told),
		C(what_another_watch_asked_for_is_not_asked_for_again),
		C(an_older_head_is_not_shown_last),
		C(a_lost_branch_is_told_once),
		C(nobody_looks_for_an_hour),
		C(after_a_sleep_a_look_asks),
		C(unlinked_it_is_followed_no_more),
		C(many_at_once),
	};

	world_environment();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
