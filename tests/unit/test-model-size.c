/*
 * model: a size that is known only by asking. LOOKUP asks and waits,
 * READDIRPLUS tells the name alone, GETATTR tells what was asked for.
 */
#include "model/absent.h"
#include "model/dirlist.h"
#include "model/listed.h"
#include "model/provider.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct scene {
	struct model model;
	unsigned n_asked, n_made, n_freed;
	int answer; /* of the size */
	uint64_t size;
	char listed[64]; /* name, and '+' with attributes */
} scene;

static const struct provider file_provider, dir_provider;

static int ask(struct ctx *ctx, struct model *model, struct node *dir,
	       const char *name, struct found *found)
{
	(void)model;
	assert_int_equal(dir->ino, NODE_ROOT_INO);
	assert_string_equal(name, "large");
	scene.n_asked++;
	found->what.size = scene.size;
	found->left_ms = 1000;
	return scene.answer < 0 ? ctx_fail(ctx, scene.answer, "No answer.")
				: scene.answer;
}

static void free_data(void *data)
{
	scene.n_freed++;
	free(data);
}

static bool found(bool is_large, struct found *ret)
{
	*ret = (struct found){
		.what = {.provider = &file_provider,
			 .mode = NODE_FILE,
			 .size = is_large ? 0 : 7,
			 .data = mem_calloc(1, 1)},
		.left_ms = 1000,
		.no_size = is_large,
	};
	scene.n_made++;
	return true;
}

static int look_up(struct ctx *ctx, struct model *model, struct node *dir,
		   const char *name, struct found *ret_found)
{
	(void)ctx;
	(void)model;
	(void)dir;
	found(!strcmp(name, "large"), ret_found);
	return 0;
}

static bool listed(struct dirlist_piece *piece, const struct dirlist_name *name,
		   struct found *ret_found)
{
	(void)piece;
	return found(!strcmp(name->name, "large"), ret_found);
}

static const struct dirlist_ops names = {.found = listed};

static int open_dir(struct ctx *ctx, struct model *model, struct node *dir,
		    struct dirlist *newest, struct dirlist **ret_listing)
{
	struct dirlist *l = dirlist_new(&names, NULL, 0);

	(void)ctx;
	(void)model;
	(void)dir;
	(void)newest;
	dirlist_add(l, "large", 1, S_IFREG, 0);
	dirlist_add(l, "small", 2, S_IFREG, 0);
	*ret_listing = dirlist_seal(l, 1000);
	return 0;
}

static bool same(const struct node_what *a, const struct node_what *b)
{
	(void)a;
	(void)b;
	return true;
}

static const struct provider file_provider = {
	.name = "file",
	.size = ask,
	.same_data = same,
	.free_data = free_data,
};
static const struct provider dir_provider = {
	.name = "dir",
	.lookup = look_up,
	.open = open_dir,
};

static int set_up(void **state)
{
	const struct node_what root = {.provider = &dir_provider,
				       .mode = NODE_DIRECTORY};

	(void)state;
	scene = (struct scene){.size = 5};
	scene.model.listings = listed_all_new(0, 0);
	scene.model.nodes = node_table_new(&root, scene.model.listings);
	scene.model.problems = problems_new();
	scene.model.absent = absent_new();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	problems_free(scene.model.problems);
	absent_free(scene.model.absent);
	node_table_free(scene.model.nodes);
	listed_all_free(scene.model.listings);
	/* Of what became no node, too. */
	assert_int_equal(scene.n_freed, scene.n_made);
	return 0;
}

static int lookup(const char *name, struct model_entry *ret_entry)
{
	cleanup(ctx_done) struct ctx ctx;

	ctx_init(&ctx, NULL, -1);
	*ret_entry = (struct model_entry){0};
	return model_lookup(&ctx, &scene.model, NODE_ROOT_INO, name, ret_entry);
}

static void whoever_looks_is_told(void **state)
{
	cleanup(ctx_done) struct ctx ctx;
	struct model_entry entry;
	struct model_attr attr;

	(void)state;
	assert_int_equal(lookup("large", &entry), 0);
	assert_int_equal(entry.attr.st.st_size, 5);
	assert_int_equal(scene.n_asked, 1);
	ctx_init(&ctx, NULL, -1);
	assert_int_equal(model_getattr(&ctx, &scene.model, entry.ino, &attr),
			 0);
	assert_int_equal(attr.st.st_size, 5);
	model_forget(&scene.model, entry.ino, 1);
	assert_int_equal(lookup("small", &entry), 0);
	assert_int_equal(entry.attr.st.st_size, 7);
	assert_int_equal(scene.n_asked, 1);
	model_forget(&scene.model, entry.ino, 1);
}

static void there_is_none(void **state)
{
	struct model_entry entry;

	(void)state;
	scene.answer = 1;
	assert_int_equal(lookup("large", &entry), 0);
	assert_int_equal(entry.ino, 0);
	assert_true(entry.entry_timeout > 0);
}

static void it_cannot_be_asked_for(void **state)
{
	struct model_entry entry;

	(void)state;
	scene.answer = -ETIMEDOUT;
	assert_int_equal(lookup("large", &entry), -ETIMEDOUT);
}

static bool emit(void *arg, const char *name, uint64_t cookie, mode_t type,
		 const struct model_entry *entry)
{
	size_t n = strlen(scene.listed);

	(void)arg;
	(void)cookie;
	if (type == S_IFREG)
		snprintf(scene.listed + n, sizeof(scene.listed) - n, "%s%s ",
			 name, entry->ino ? "+" : "");
	if (entry->ino)
		model_forget(&scene.model, entry->ino, 1);
	return true;
}

static void a_listing_asks_nobody(void **state)
{
	cleanup(ctx_done) struct ctx ctx;
	struct model_opened opened;

	(void)state;
	ctx_init(&ctx, NULL, -1);
	assert_int_equal(
		model_opendir(&ctx, &scene.model, NODE_ROOT_INO, &opened), 0);
	model_readdir(&ctx, &scene.model, opened.opened, 0, true, emit, NULL);
	assert_string_equal(scene.listed, "large small+ ");
	assert_int_equal(scene.n_asked, 0);
	model_closedir(&scene.model, opened.opened);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(whoever_looks_is_told),
		T(there_is_none),
		T(it_cannot_be_asked_for),
		T(a_listing_asks_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
