/* model/git/git_refresh: what .now says of trees and of names of refs. */
#include "git-world.h"

#include "model/git/git_refresh.h"

#define G(name) cmocka_unit_test_setup_teardown(name, git_set_up, git_tear_down)

static void which_paths_git_answers(void **state)
{
	(void)state;
	assert_true(git_refresh_is_path("tree"));
	assert_true(git_refresh_is_path("tree/src/x"));
	assert_true(git_refresh_is_path("branches/feature"));
	assert_true(git_refresh_is_path("tags"));
	assert_false(git_refresh_is_path("trees"));
	assert_false(git_refresh_is_path("pullrequests/1/tree"));
	assert_false(git_refresh_is_path(""));
}

static void expect_said(const char *path, const char *want, int line)
{
	cleanup(buf_done) struct buf said = BUF_INIT(0);
	struct ctx ctx;
	int r;

	ctx_init(&ctx, NULL, 60000);
	r = git_refresh_path(&ctx, &scene.model, scene.top->parent, "acme",
			     "widgets", path, &said);
	ctx_done(&ctx);
	if (r < 0 || strcmp(said.len ? said.data : "", want))
		fail_msg("line %d: %d, \"%s\", not \"%s\"", line, r,
			 said.len ? said.data : "", want);
}
#define expect(path, want) expect_said(path, want, __LINE__)

static void of_a_tree_the_two_commits(void **state)
{
	struct found found = {0};
	struct node *tree;
	struct oid before = rev(scene.world, "widgets", "main"), after;
	cleanup(free) char *moved = NULL, *same = NULL;
	char a[41], b[41];
	struct ctx ctx;

	(void)state;
	assert_int_equal(
		checkout_found_default(&scene.model, scene.top->parent, &found),
		0);
	tree = node_make(scene.model.nodes, scene.top->parent, "tree",
			 &found.what, NULL, true);
	ctx_init(&ctx, NULL, 60000);
	assert_int_equal(checkout_ensure(&ctx, &scene.model, tree), 0);
	ctx_done(&ctx);
	same = mem_asprintf("tree: unchanged, commit %.12s\n",
			    oid_hex(&before, a));
	expect("tree", same);
	push(scene.world, "widgets", T0 + 1, "echo two >a.txt");
	after = rev(scene.world, "widgets", "main");
	moved = mem_asprintf("tree: %.12s -> %.12s\n", oid_hex(&before, a),
			     oid_hex(&after, b));
	/* Of a path below it is the tree that is asked for. */
	expect("tree/dir/c.txt", moved);
	node_unref(scene.model.nodes, tree);
}

static void of_names_what_came_and_went(void **state)
{
	struct clone_refs *refs = NULL;
	struct ctx ctx;

	(void)state;
	ctx_init(&ctx, NULL, 60000);
	assert_int_equal(refs_ensure(&ctx, &scene.model, scene.top,
				     CLONE_BRANCHES, &refs),
			 0);
	ctx_done(&ctx);
	clone_refs_unref(refs);
	/* Listed once, so the kernel knows names of it. */
	node_book(scene.model.nodes, scene.top, true);
	server("branch x main");
	expect("branches", "x: new\nbranches: 2, 1 changed\n");
	server("branch -D x");
	server("branch feature/y main");
	expect("branches", "feature/y: new\nx: gone\nbranches: 2, 2 changed\n");
	expect("branches", "branches: 2, 0 changed\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		G(which_paths_git_answers),
		G(of_a_tree_the_two_commits),
		G(of_names_what_came_and_went),
	};

	world_environment();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
