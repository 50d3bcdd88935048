/* model/dirs/control: the names of .bitbucketfs/, and asking again. */
#include "model-world.h"

static void its_names(void **state)
{
	struct world *w = *state;

	expect(world_ls(w, ".bitbucketfs"),
	       "account/ api/ README errors events refresh/ status "
	       "status.json ");
	/* Somebody is signed in: known once it was looked up. */
	expect_in(world_cat(w, ".bitbucketfs/user.json"), "Ada");
	clock_advance(2000);
	expect(world_ls(w, ".bitbucketfs"),
	       "account/ api/ README errors events refresh/ status status.json "
	       "user.json ");
	expect(world_ls(w, ".bitbucketfs/refresh"), "");
	assert_int_equal(world_stat(w, ".bitbucketfs/nothing"), -ENOENT);
	assert_int_equal(world_asked(w, "/user\n"), 1);
}

static void texts_are_of_their_bytes(void **state)
{
	struct world *w = *state;
	struct model_entry a, b, c;

	expect_in(world_cat(w, ".bitbucketfs/README"), "read-only");
	assert_int_equal(world_look(w, ".bitbucketfs/status", &a), 0);
	assert_int_equal(world_look(w, ".bitbucketfs/status", &b), 0);
	/* Nothing happened: the same inode. */
	assert_int_equal(a.ino, b.ino);
	model_say(w->model, "acme", EIO, "broken");
	assert_int_equal(world_look(w, ".bitbucketfs/status", &c), 0);
	assert_int_not_equal(a.ino, c.ino);
	/* Nobody was asked. */
	assert_int_equal(world_asked(w, "/"), 0);
}

/* A terminal of 24 lines shows all of it, the best of the mount included. */
static void its_readme_is_one_screen(void **state)
{
	static const char *const best[] = {
		"/info",         "tree/",
		"pullrequests/", "index.tsv",
		"thread.md",     "pipelines/",
		".workspace/",   "Search in index.tsv\nand in tree/",
		"errors",        "api/PATH",
		"refresh/PATH/", "man 7 ",
	};
	cleanup(free) char *text = world_cat(*state, ".bitbucketfs/README");
	unsigned n_lines = 0;

	for (size_t i = 0; i < ARRAY_SIZE(best); i++)
		if (!strstr(text, best[i]))
			fail_msg("no %s in %s", best[i], text);
	for (const char *line = text; *line; n_lines++) {
		size_t n = strcspn(line, "\n");

		assert_in_range(n, 0, 79);
		line += n + 1;
	}
	assert_in_range(n_lines, 10, 24);
}

static void errors_grow_under_their_inode(void **state)
{
	struct world *w = *state;
	struct model_entry before, after;
	struct model_attr attr;
	struct ctx ctx;

	assert_int_equal(world_look(w, ".bitbucketfs/errors", &before), 0);
	assert_int_equal(before.attr.st.st_size, 0);
	model_say(w->model, "acme/widgets", EIO, "broken");
	assert_int_equal(world_look(w, ".bitbucketfs/errors", &after), 0);
	assert_int_equal(before.ino, after.ino);
	expect_in(world_cat(w, ".bitbucketfs/errors"),
		  "\tacme/widgets\tEIO\tbroken\n");
	ctx_init(&ctx, NULL, -1);
	assert_int_equal(model_getattr(&ctx, w->model, before.ino, &attr), 0);
	ctx_done(&ctx);
	assert_int_equal(attr.st.st_size, after.attr.st.st_size);
	assert_true(attr.attr_timeout == 0);
}

/* ---- .now ---- */

static void the_root_is_asked_again(void **state)
{
	struct world *w = *state;

	expect(world_ls(w, ""), "acme/ .bitbucketfs/ ");
	free(world_told(w));
	world_says(w, "/user/workspaces",
		   "{\"values\":[{\"workspace\":{\"slug\":\"acme\","
		   "\"uuid\":\"{acme}\"}},{\"workspace\":{\"slug\":\"zoo\","
		   "\"uuid\":\"{zoo}\"}}]}");
	expect(world_cat(w, ".bitbucketfs/refresh/.now"),
	       "zoo: new\n2 workspaces, 1 changed\n");
	/* The name, then the directory; .now itself is not kept. */
	expect(world_told(w), "/zoo /:content .now ");
	expect(world_cat(w, ".bitbucketfs/refresh/.now"),
	       "2 workspaces, 0 changed\n");
	assert_int_equal(world_asked(w, "/user/workspaces"), 3);
}

static void a_workspace_is_asked_again(void **state)
{
	static const char *const now[] = {"gadgets", NULL};
	struct world *w = *state;

	expect(world_ls(w, "acme"), "widgets/ .workspace/ ");
	free(world_told(w));
	world_has_repositories(w, now);
	world_refuses(w, "/repositories/acme/widgets", 404);
	expect(world_cat(w, ".bitbucketfs/refresh/acme/.now"),
	       "gadgets: new\nwidgets: gone\n1 repositories, 2 changed\n");
	expect(world_told(w), "gadgets widgets :content .now ");
	/* By cookie: who came later is later. */
	expect(world_ls(w, "acme"), ".workspace/ gadgets/ ");
}

static void a_collection_is_asked_again(void **state)
{
	struct world *w = *state;

	world_says(w, "/repositories/acme/widgets/pipelines",
		   "{\"values\":[]}");
	expect_in(world_ls(w, "acme/widgets/pipelines"), "index.tsv");
	expect(world_cat(w, ".bitbucketfs/refresh/acme/widgets/pipelines/.now"),
	       "pipelines: unchanged\n");
	free(world_told(w));
	world_says(w, "/repositories/acme/widgets/pipelines",
		   "{\"values\":[{\"uuid\":\"{p1}\",\"build_number\":1,"
		   "\"created_on\":\"2026-01-02T03:04:05Z\"}]}");
	expect_in(world_cat(w, ".bitbucketfs/refresh/acme/widgets/pipelines/"
			       ".now"),
		  "1: new\npipelines: updated, 1 items, 1 changed\n");
	expect(world_told(w),
	       "index.tsv index.json more :content 1 :content .now ");
}

/* What failed is said by the read, with the service's errno. */
static void what_cannot_be_asked_fails(void **state)
{
	struct world *w = *state;

	expect(world_ls(w, "acme"), "widgets/ .workspace/ ");
	world_refuses(w, "/repositories/acme", 403);
	expect(world_cat(w, ".bitbucketfs/refresh/acme/.now"), "-13");
	expect(world_cat(w, ".bitbucketfs/refresh/acme/nothing/.now"), "-2");
	expect(world_cat(w, ".bitbucketfs/refresh/.bitbucketfs/status/.now"),
	       "-2");
	expect_in(world_cat(w, ".bitbucketfs/errors"), "refresh/acme");
}

/* A file of .bitbucketfs that is an answer. */
static void who_the_user_is_is_asked_again(void **state)
{
	struct world *w = *state;

	expect_in(world_cat(w, ".bitbucketfs/user.json"), "Ada");
	world_says(w, "/user", "{\"display_name\":\"Eve\"}");
	free(world_told(w));
	expect(world_cat(w, ".bitbucketfs/refresh/.bitbucketfs/user.json/.now"),
	       "user.json: updated\n");
	expect(world_told(w), "user.json .now ");
	expect_in(world_cat(w, ".bitbucketfs/user.json"), "Eve");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(its_names),
		T(texts_are_of_their_bytes),
		T(its_readme_is_one_screen),
		T(errors_grow_under_their_inode),
		T(the_root_is_asked_again),
		T(a_workspace_is_asked_again),
		T(a_collection_is_asked_again),
		T(what_cannot_be_asked_fails),
		T(who_the_user_is_is_asked_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
