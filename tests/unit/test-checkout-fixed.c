/*
 * model/git/checkout_fixed: a directory of the files at one commit: which
 * directory it is, and what looking inside costs.
 */
#include "git-world.h"

#define F(name) cmocka_unit_test_setup_teardown(name, git_set_up, git_tear_down)

/* The first n digits of what a revision is. */
static char *digits(const char *what, size_t n)
{
	struct oid oid = rev(scene.world, "widgets", what);
	char hex[41];

	return mem_dup0(oid_hex(&oid, hex), n);
}

/* A node `name` of that commit, below branches/ (any directory will do). */
static struct node *at_commit(const char *name, const char *hash)
{
	const struct checkout_target target = {.hash = hash, .branch = "main"};
	struct found found = {0};
	struct ctx ctx;
	int r;

	ctx_init(&ctx, NULL, 60000);
	r = checkout_fixed_found(&ctx, &scene.model, scene.top, &target,
				 &found);
	ctx_done(&ctx);
	if (r < 0)
		return NULL;
	return node_make(scene.model.nodes, scene.top, name, &found.what, NULL,
			 true);
}

static int ensure(struct node *tree)
{
	struct ctx ctx;
	int r;

	ctx_init(&ctx, NULL, 60000);
	r = checkout_ensure(&ctx, &scene.model, tree);
	ctx_done(&ctx);
	return r;
}

static void expect_at(struct node *tree, const char *what)
{
	struct oid is, want = rev(scene.world, "widgets", what);

	assert_true(checkout_commit(tree, &is));
	assert_true(oid_equal(&is, &want));
}

static void looking_inside_fetches_once(void **state)
{
	cleanup(free) char *hash = digits("main", 40);
	struct node *tree = at_commit("tree", hash);

	(void)state;
	assert_counts(scene.world, 0, 0, 0);
	assert_int_equal(ensure(tree), 0);
	expect_at(tree, "main");
	assert_int_equal(git_server_counts(&scene.world->server).fetches, 1);
	push(scene.world, "widgets", T0 + 1, "echo two >a.txt");
	assert_int_equal(ensure(tree), 0);
	expect_at(tree, "main~");
	assert_int_equal(git_server_counts(&scene.world->server).fetches, 1);
	/* Nobody follows what never changes. */
	assert_int_equal(scene.n_watched, 0);
	node_unref(scene.model.nodes, tree);
}

/* The service tells twelve digits: the branch's tip says the others. */
static void a_short_id_is_completed_by_git(void **state)
{
	cleanup(free) char *hash = digits("main", 12);
	struct node *tree = at_commit("tree", hash);

	(void)state;
	assert_int_equal(ensure(tree), 0);
	expect_at(tree, "main");
	node_unref(scene.model.nodes, tree);
}

/* Twelve digits and forty are one commit, so one directory; another commit is
 * another. */
static void which_directory_it_is(void **state)
{
	cleanup(free) char *shorter = digits("main", 12);
	cleanup(free) char *whole = digits("main", 40);
	cleanup(free) char *next = NULL;
	struct node *a = at_commit("tree", shorter), *b, *c;

	(void)state;
	b = at_commit("tree", whole);
	assert_ptr_equal(a, b);
	assert_true(checkout_fixed_is_at(a, whole));
	assert_true(checkout_fixed_is_at(a, shorter));
	push(scene.world, "widgets", T0 + 1, "echo two >a.txt");
	next = digits("main", 12);
	assert_false(checkout_fixed_is_at(a, next));
	c = at_commit("tree", next);
	assert_int_not_equal(a->ino, c->ino);
	node_unref(scene.model.nodes, a);
	node_unref(scene.model.nodes, b);
	node_unref(scene.model.nodes, c);
}

static void what_is_no_id(void **state)
{
	(void)state;
	assert_null(at_commit("tree", NULL));
	assert_null(at_commit("tree", "0123456789a"));
	assert_null(at_commit("tree", "0123456789AB"));
	assert_null(at_commit("tree", "0123456789abcdef0123456789abcdef"
				      "0123456789"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		F(looking_inside_fetches_once),
		F(a_short_id_is_completed_by_git),
		F(which_directory_it_is),
		F(what_is_no_id),
	};

	world_environment();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
