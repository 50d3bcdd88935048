/* model/tell: what is told of a newer list, to whom, and in which order. */
#include "model/tell.h"

#include "model/provider.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct item {
	const char *name;
	int what, value;
};

static const struct provider plain = {.name = "plain"};

static struct scene {
	struct model model;
	struct node *root;
	struct buf told; /* what the kernel was told, in its order */
} scene;

static void told_entry(void *arg, uint64_t parent_ino, const char *name)
{
	(void)arg;
	assert_int_equal(parent_ino, NODE_ROOT_INO);
	buf_printf(&scene.told, "%s ", name);
}

static void told_inode(void *arg, uint64_t ino, bool content)
{
	(void)arg;
	assert_int_equal(ino, NODE_ROOT_INO);
	buf_puts(&scene.told, content ? "listing " : "attributes ");
}

static int set_up(void **state)
{
	const struct node_what root = {.provider = &plain,
				       .mode = NODE_DIRECTORY};

	(void)state;
	scene = (struct scene){.told = BUF_INIT(0)};
	scene.model.listings = listed_all_new(0, 0);
	scene.model.nodes = node_table_new(&root, scene.model.listings);
	scene.model.kernel =
		(struct model_kernel){.entry = told_entry, .inode = told_inode};
	scene.model.started = true;
	scene.root = node_get(scene.model.nodes, NODE_ROOT_INO);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	node_unref(scene.model.nodes, scene.root);
	node_table_free(scene.model.nodes);
	listed_all_free(scene.model.listings);
	buf_done(&scene.told);
	return 0;
}

static enum tell_change differs(const void *was, const void *is)
{
	const struct item *a = was, *b = is;

	if (a->what != b->what)
		return TELL_REPLACED;
	return a->value != b->value ? TELL_UPDATED : TELL_SAME;
}

static void tell_one(const struct tell *tell, const struct compare_pair *pair,
		     enum tell_change change)
{
	assert_ptr_equal(tell->arg, &scene);
	assert_true(change != TELL_SAME);
	model_changed_entry(tell->model, tell->dir, pair->name);
}

static const struct tell_how by_value = {
	.differs = differs,
	.name = tell_one,
	.replaced = "another one",
};
static const struct tell_how by_name = {.name = tell_one};

static const struct item before[] = {
	{"a", 1, 1}, {"b", 1, 1}, {"c", 1, 1}, {"d", 1, 1}};
static const struct item after[] = {
	{"b", 1, 1}, {"c", 1, 2}, {"d", 2, 1}, {"e", 1, 1}};

static void expect(const struct tell_how *how, bool renewed, size_t from,
		   size_t n, const char *told, const char *said, size_t n_told)
{
	cleanup(buf_done) struct buf words = BUF_INIT(0);
	const struct tell tell = {
		.model = &scene.model,
		.dir = scene.root,
		.before = COMPARE_SIDE(&before[from], n),
		.after = COMPARE_SIDE(&after[from], n),
		.how = how,
		.arg = &scene,
		.said = &words,
		.renewed = renewed,
	};

	buf_clear(&scene.told);
	assert_int_equal(tell_changes(&tell), n_told);
	assert_string_equal(scene.told.len ? scene.told.data : "", told);
	assert_string_equal(words.len ? words.data : "", said);
}

static void names_first_then_the_directory(void **state)
{
	(void)state;
	expect(&by_value, false, 0, 4, "a c d e listing ",
	       "a: gone\nc: updated\nd: another one\ne: new\n", 4);
}

static void names_alone_are_compared_without_more(void **state)
{
	(void)state;
	expect(&by_name, false, 0, 4, "a e listing ", "a: gone\ne: new\n", 2);
}

/* Nothing came or went: the kernel keeps its copy of the listing. */
static void of_an_update_the_listing_is_kept(void **state)
{
	static const struct item was[] = {{"c", 1, 1}};
	static const struct item is[] = {{"c", 1, 2}};
	struct tell tell = {
		.model = &scene.model,
		.dir = scene.root,
		.before = COMPARE_SIDE(was, 1),
		.after = COMPARE_SIDE(is, 1),
		.how = &by_value,
		.arg = &scene,
	};

	(void)state;
	assert_int_equal(tell_changes(&tell), 1);
	assert_string_equal(scene.told.data, "c attributes ");
	buf_clear(&scene.told);
	tell.renewed = true;
	assert_int_equal(tell_changes(&tell), 1);
	assert_string_equal(scene.told.data, "c listing ");
}

static void of_nothing_nothing_is_told(void **state)
{
	(void)state;
	expect(&by_value, false, 0, 0, "", "", 0);
	expect(&by_value, true, 0, 0, "listing ", "", 0);
}

/* The kernel does not know the directory: people are told all the same. */
static void without_a_directory_people_alone_are_told(void **state)
{
	cleanup(buf_done) struct buf words = BUF_INIT(0);
	const struct tell tell = {
		.model = &scene.model,
		.before = COMPARE_SIDE(before, 4),
		.after = COMPARE_SIDE(after, 4),
		.how = &by_value,
		.arg = &scene,
		.said = &words,
		.renewed = true,
	};

	(void)state;
	assert_int_equal(tell_changes(&tell), 4);
	assert_int_equal(scene.told.len, 0);
	assert_non_null(strstr(words.data, "e: new\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(names_first_then_the_directory,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			names_alone_are_compared_without_more, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(
			of_an_update_the_listing_is_kept, set_up, tear_down),
		cmocka_unit_test_setup_teardown(of_nothing_nothing_is_told,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			without_a_directory_people_alone_are_told, set_up,
			tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
