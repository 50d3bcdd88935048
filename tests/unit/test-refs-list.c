/* model/git/refs_list: the names of branches/ as a listing. */
#include "git-world.h"

static const struct dirlist_ops ops = {.free_data = refs_names_free};

/* The listing, or NULL: the names are those of `newest`. */
static struct dirlist *list(const struct dirlist *newest)
{
	struct dirlist *l = dirlist_new(&ops, NULL, 0);
	struct refs_names *names = NULL;
	struct ctx ctx;
	int r;

	ctx_init(&ctx, NULL, 60000);
	r = refs_open(&ctx, &scene.model, scene.top, CLONE_BRANCHES,
		      newest ? newest->data : NULL, 100, 1000, l, &names);
	ctx_done(&ctx);
	assert_true(r >= 0);
	l->data = names;
	if (r == 0)
		return dirlist_seal(l, 0);
	assert_int_equal(l->n_names, 0);
	dirlist_unref(l);
	return NULL;
}

static void expect_names(const struct dirlist *l, const char *want)
{
	cleanup(buf_done) struct buf out = BUF_INIT(0);

	for (size_t i = 0; i < l->n_names; i++)
		buf_printf(&out, "%s ", l->names[i].name);
	assert_string_equal(out.data, want);
}

static void names_are_listed_once_a_list(void **state)
{
	struct dirlist *first, *second;

	(void)state;
	server("branch b main");
	first = list(NULL);
	expect_names(first, "b main ");
	assert_true(first->names[0].cookie > 1000);
	assert_int_equal(first->names[1].tag, 100);
	/* The same list of refs: nothing is made anew. */
	assert_null(list(first));
	server("branch a main");
	ask_elsewhere();
	second = list(first);
	/* By cookie: who came later is later. */
	expect_names(second, "b main a ");
	assert_int_equal(second->names[0].cookie, first->names[0].cookie);
	dirlist_unref(first);
	dirlist_unref(second);
}

static void a_name_becomes_a_tree(void **state)
{
	struct found found = {0};
	struct node *node;
	struct ctx ctx;

	(void)state;
	ctx_init(&ctx, NULL, 60000);
	assert_int_equal(refs_lookup(&ctx, &scene.model, scene.top,
				     CLONE_BRANCHES, "main", &found),
			 0);
	ctx_done(&ctx);
	assert_ptr_equal(found.what.provider, &provider_tree);
	node = node_make(scene.model.nodes, scene.top, "main", &found.what,
			 NULL, true);
	node_unref(scene.model.nodes, node);
}

/* A repository may have 20,000 branches: a name in the listing is the list of
 * refs' own, and what it leads to is made when it is looked up. */
static void a_listed_name_is_borrowed(void **state)
{
	struct clone_refs *refs = NULL;
	struct dirlist *l;

	(void)state;
	server("branch feature/x main");
	l = list(NULL);
	expect_names(l, "feature main ");
	assert_int_equal(refs_known(&scene.model, scene.top, &refs), 0);
	assert_ptr_equal(l->names[1].name, refs->names[CLONE_BRANCHES][1]);
	assert_int_equal(l->n_texts_private, 1);
	clone_refs_unref(refs);
	dirlist_unref(l);
}

#define L(name) cmocka_unit_test_setup_teardown(name, git_set_up, git_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		L(names_are_listed_once_a_list),
		L(a_name_becomes_a_tree),
		L(a_listed_name_is_borrowed),
	};

	world_environment();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
