/*
 * model/dirs/repository_lists: a workspace's listing as two files and as links
 * in its projects, for no request beyond the listing's.
 */
#include "model-world.h"

#define REPOSITORY(name, project)                                 \
	"{\"slug\":\"" name "\",\"full_name\":\"acme/" name "\"," \
	"\"uuid\":\"{" name "}\",\"name\":\"" name "\","          \
	"\"project\":{\"key\":\"" project "\"},"                  \
	"\"workspace\":{\"slug\":\"acme\",\"uuid\":\"{acme}\"},"  \
	"\"updated_on\":\"2026-01-02T03:04:05+00:00\"}"

static int set_up(void **state)
{
	struct world *w;

	world_set_up(state);
	w = *state;
	world_says(w, "/repositories/acme",
		   "{\"values\":[" REPOSITORY("gadgets", "CORE") "," REPOSITORY(
			   "info", "CORE") "," REPOSITORY("site", "WEB") "]}");
	world_says(w, "/workspaces/acme/projects",
		   "{\"values\":[{\"key\":\"CORE\",\"uuid\":\"{c}\"},"
		   "{\"key\":\"WEB\",\"uuid\":\"{w}\"}]}");
	world_says(w, "/workspaces/acme",
		   "{\"slug\":\"acme\",\"uuid\":\"{acme}\"}");
	return 0;
}

static void the_listing_as_files(void **state)
{
	struct world *w = *state;

	expect_in(world_ls(w, "acme"), "gadgets/ info/ site/");
	expect_in(world_cat(w, "acme/.workspace/repositories/index.tsv"),
		  "gadgets");
	expect_in(world_cat(w, "acme/.workspace/repositories/index.json"),
		  "\"full_name\": \"acme/site\"");
	assert_int_equal(world_asked(w, "/repositories/acme"), 1);
	expect(world_ls(w, "acme/.workspace/repositories"),
	       "index.json index.tsv ");
}

static void links_in_projects(void **state)
{
	struct world *w = *state;

	expect_in(world_ls(w, "acme"), "gadgets/ info/ site/");
	expect_in(world_ls(w, "acme/.workspace/projects/CORE"), "gadgets ");
	expect(world_link(w, "acme/.workspace/projects/CORE/gadgets"),
	       "../../../gadgets");
	/* Of another project, of none, and a probe. */
	expect(world_link(w, "acme/.workspace/projects/CORE/site"), "-2");
	expect(world_link(w, "acme/.workspace/projects/WEB/site"),
	       "../../../site");
	expect(world_link(w, "acme/.workspace/projects/CORE/.git"), "-2");
	/* One that is called as a project's own file gives way. */
	expect(world_link(w, "acme/.workspace/projects/CORE/%69nfo"),
	       "../../../info");
	assert_int_equal(world_asked(w, "/repositories/acme"), 1);
}

static void a_newer_listing_is_told(void **state)
{
	struct world *w = *state;

	expect_in(world_ls(w, "acme"), "site/");
	expect_in(world_ls(w, "acme/.workspace/projects/WEB"), "site ");
	expect_in(world_cat(w, "acme/.workspace/repositories/index.tsv"),
		  "site");
	free(world_told(w));
	world_says(w, "/repositories/acme",
		   "{\"values\":[" REPOSITORY("gadgets", "WEB") "]}");
	world_refuses(w, "/repositories/acme/info", 404);
	world_refuses(w, "/repositories/acme/site", 404);
	expect_in(world_cat(w, ".bitbucketfs/refresh/acme/.now"),
		  "site: gone\n");
	expect_in(world_told(w), "index.tsv");
	expect(world_link(w, "acme/.workspace/projects/WEB/gadgets"),
	       "../../../gadgets");
	expect(world_link(w, "acme/.workspace/projects/WEB/site"), "-2");
}

#define L(name) cmocka_unit_test_setup_teardown(name, set_up, world_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		L(the_listing_as_files),
		L(links_in_projects),
		L(a_newer_listing_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
