/* model/probe, model/indexers, model/repository: names that nobody is asked
 * for; programs that may ask for nothing; which repository a node is in. */
#include "model/indexers.h"
#include "model/probe.h"
#include "model/repository.h"

#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

static void what_programs_look_for(void **state)
{
	(void)state;
	assert_true(probe_matches(".git"));
	assert_true(probe_matches(".Trash-1000") ||
		    probe_matches(".trash-1000"));
	assert_true(probe_matches("._a"));
	assert_true(probe_matches("desktop.ini"));
	/* A beginning or an end alone is a name as any other. */
	assert_false(probe_matches(".github"));
	assert_false(probe_matches("x.git"));
	assert_false(probe_matches("git"));
	assert_false(probe_matches("_a"));
	assert_false(probe_matches(""));
}

static void which_programs_index(void **state)
{
	static const char *const none[] = {NULL};

	(void)state;
	assert_true(indexers_have(indexers_usual, "baloo_file"));
	assert_true(indexers_have(indexers_usual, "baloo_file_extractor"));
	assert_true(indexers_have(indexers_usual, "updatedb.plocate"));
	assert_true(indexers_have(indexers_usual, "updatedb"));
	assert_false(indexers_have(indexers_usual, "baloo_fil"));
	assert_false(indexers_have(indexers_usual, "baloo_file2"));
	assert_false(indexers_have(indexers_usual, "find"));
	/* As the kernel cuts them. */
	assert_true(indexers_have(indexers_usual, "tracker-miner-f"));
	assert_false(indexers_have(indexers_usual, "tracker-miner"));
	assert_false(indexers_have(none, "baloo_file"));
}

/* This very program, by the name of its file. */
static void who_is_barred(void **state)
{
	static const char *const self[] = {"test-pro*", NULL};
	const char *const *names = self;
	cleanup(ctx_done) struct ctx ctx;

	(void)state;
	ctx_init(&ctx, NULL, -1);
	assert_int_equal(indexers_bar(&names, &ctx), 0); /* nobody's */
	ctx.caller = getpid();
	assert_int_equal(indexers_bar(&names, &ctx), -EACCES);
	assert_non_null(strstr(ctx.sentence, "test-probe"));
	names = indexers_usual;
	assert_int_equal(indexers_bar(&names, &ctx), 0);
	/* None of this system. */
	names = self;
	ctx.caller = INT32_MAX;
	assert_int_equal(indexers_bar(&names, &ctx), 0);
}

static const struct provider plain = {.name = "plain"};
static const struct provider of_repository = {.kind = PROVIDER_REPOSITORY};

static struct node *below(struct node_table *nodes, struct node *parent,
			  const char *name, const struct provider *provider,
			  void *data)
{
	const struct node_what what = {
		.provider = provider, .mode = NODE_DIRECTORY, .data = data};

	return node_make(nodes, parent, name, &what, NULL, true);
}

static void the_repository_above(void **state)
{
	const struct node_what what = {.provider = &plain,
				       .mode = NODE_DIRECTORY};
	struct repository_data d = {0};
	struct model model = {0};
	struct listed_all *listings = listed_all_new(0, 0);
	struct node_table *nodes = node_table_new(&what, listings);
	struct node *root = node_get(nodes, NODE_ROOT_INO);
	struct node *acme = below(nodes, root, "acme", &plain, NULL);
	struct node *widgets =
		below(nodes, acme, "widgets", &of_repository, &d);
	struct node *deep = below(nodes, widgets, "tree", &plain, NULL);
	struct clone *clone;

	(void)state;
	assert_ptr_equal(repository_above(deep), widgets);
	assert_ptr_equal(repository_above(widgets), widgets);
	assert_null(repository_above(acme));
	assert_int_equal(repository_clone(&model, acme, &clone), -EINVAL);
	/* A uuid if it is one, else the slug. */
	d.slug = (char[]){"widgets"};
	d.dir.id = (char[]){"widgets"};
	assert_string_equal(repository_id(repository_of(widgets)), "widgets");
	d.dir.id = (char[]){"{1}"};
	assert_string_equal(repository_id(repository_of(widgets)), "{1}");
	node_unref(nodes, deep);
	node_unref(nodes, widgets);
	node_unref(nodes, acme);
	node_unref(nodes, root);
	node_table_free(nodes);
	listed_all_free(listings);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_programs_look_for),
		cmocka_unit_test(which_programs_index),
		cmocka_unit_test(who_is_barred),
		cmocka_unit_test(the_repository_above),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
