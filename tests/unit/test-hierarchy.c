/*
 * model/dirs/hierarchy: workspaces and repositories as directories: who is
 * there, under which name, and what the kernel is told when that changes.
 */
#include "model-world.h"

#define REPOSITORY(slug, uuid, updated)                           \
	"{\"slug\":\"" slug "\",\"full_name\":\"acme/" slug "\"," \
	"\"uuid\":\"{" uuid "}\",\"name\":\"" slug "\","          \
	"\"workspace\":{\"slug\":\"acme\",\"uuid\":\"{acme}\"},"  \
	"\"updated_on\":\"2026-01-" updated "T03:04:05+00:00\"}"

static void says(struct world *w, const char *path, const char *repositories)
{
	cleanup(free) char *list =
		mem_asprintf("{\"values\":[%s]}", repositories);

	world_says(w, path, list);
}

static uint64_t number(struct world *w, const char *path)
{
	struct model_entry entry;

	assert_int_equal(world_look(w, path, &entry), 0);
	return entry.ino;
}

static char *again(struct world *w, const char *path)
{
	cleanup(free) char *now =
		mem_asprintf(".bitbucketfs/refresh/%s.now", path);

	return world_cat(w, now);
}

static void who_is_there(void **state)
{
	struct world *w = *state;

	expect(world_ls(w, ""), "acme/ .bitbucketfs/ ");
	expect(world_ls(w, "acme"), "widgets/ .workspace/ ");
	expect_in(world_ls(w, "acme/widgets"), "info ");
	expect_in(world_cat(w, "acme/widgets/info"), "widgets");
	assert_int_equal(world_asked(w, "/user/workspaces"), 1);
	assert_int_equal(world_asked(w, "/repositories/acme"), 1);
	/* What desktops and shells look for costs nothing. */
	assert_int_equal(world_stat(w, ".git"), -ENOENT);
	assert_int_equal(world_stat(w, "acme/.git"), -ENOENT);
	assert_int_equal(world_stat(w, "acme/.hidden"), -ENOENT);
	assert_int_equal(world_asked(w, "/"), 4);
}

/* A workspace that is not the account's can be entered, and is then listed. */
static void another_workspace_is_entered_by_name(void **state)
{
	struct world *w = *state;

	world_says(w, "/workspaces/zoo",
		   "{\"slug\":\"zoo\",\"uuid\":\"{zoo}\"}");
	says(w, "/repositories/zoo", "");
	expect(world_ls(w, ""), "acme/ .bitbucketfs/ ");
	assert_int_equal(world_stat(w, "zoo"), 0);
	expect(world_ls(w, "zoo"), ".workspace/ ");
	expect(world_ls(w, ""), "acme/ .bitbucketfs/ zoo/ ");
	assert_int_equal(world_stat(w, "nobody"), -ENOENT);
}

/* The same name, another repository: a shell that stands in the old one is not
 * moved into the new one. */
static void a_name_that_is_anothers_now(void **state)
{
	struct world *w = *state;
	uint64_t ino;

	says(w, "/repositories/acme", REPOSITORY("x", "1", "02"));
	world_says(w, "/repositories/acme/1", REPOSITORY("x", "1", "02"));
	expect_in(world_ls(w, "acme"), "x/");
	ino = number(w, "acme/x");
	free(world_told(w));
	says(w, "/repositories/acme", REPOSITORY("x", "2", "02"));
	world_says(w, "/repositories/acme/2", REPOSITORY("x", "2", "02"));
	world_refuses(w, "/repositories/acme/1", 404);
	expect_in(again(w, "acme/"), "x: another repository now\n");
	expect_in(world_told(w), "x :content");
	assert_int_not_equal(number(w, "acme/x"), ino);
}

/* Its files have new bytes; the directory is the same one. */
static void a_repository_is_updated(void **state)
{
	struct world *w = *state;
	cleanup(free) char *told = NULL;
	uint64_t ino, info;

	says(w, "/repositories/acme", REPOSITORY("x", "1", "02"));
	world_says(w, "/repositories/acme/1", REPOSITORY("x", "1", "02"));
	expect_in(world_ls(w, "acme"), "x/");
	ino = number(w, "acme/x");
	info = number(w, "acme/x/info");
	free(world_told(w));
	says(w, "/repositories/acme", REPOSITORY("x", "1", "03"));
	world_says(w, "/repositories/acme/1", REPOSITORY("x", "1", "03"));
	expect_in(again(w, "acme/"), "x: updated\n");
	told = world_told(w);
	assert_non_null(strstr(told, "info "));
	/* The listing of names is as it was: the kernel keeps its copy. Of the
	 * workspace the attributes alone are told, of x its listing. */
	assert_non_null(strstr(told, ":content :attributes "));
	assert_int_equal(number(w, "acme/x"), ino);
	assert_int_not_equal(number(w, "acme/x/info"), info);
}

/*
 * 1. A document says that its repository has another name.
 * 2. The listing is outdated before its time; the old name goes.
 */
static void a_rename_is_seen_by_its_document(void **state)
{
	struct world *w = *state;

	says(w, "/repositories/acme", REPOSITORY("x", "1", "02"));
	world_says(w, "/repositories/acme/1", REPOSITORY("x", "1", "02"));
	expect_in(world_ls(w, "acme"), "x/");
	assert_int_equal(world_stat(w, "acme/x/info"), 0);
	says(w, "/repositories/acme", REPOSITORY("y", "1", "03"));
	world_says(w, "/repositories/acme/1", REPOSITORY("y", "1", "03"));
	free(world_told(w));
	expect(again(w, "acme/x/"), "x: gone\n");
	expect_in(world_told(w), "x ");
	expect_in(world_ls(w, "acme"), "y/");
	assert_int_equal(world_stat(w, "acme/x"), -ENOENT);
}

/* In the background nobody asks for what is fresh; what the kernel knows is
 * compared with it all the same. */
static void the_background_asks_for_what_is_old(void **state)
{
	struct world *w = *state;

	expect_in(world_ls(w, "acme"), "widgets/");
	world_start(w);
	clock_advance(INT64_C(40) * 24 * 3600 * 1000);
	says(w, "/repositories/acme", REPOSITORY("new", "new", "02"));
	world_refuses(w, "/repositories/acme/widgets", 404);
	/* Too old to be believed: asked for at once, and waited for. */
	expect_in(world_ls(w, "acme"), "new/");
	assert_int_equal(world_stat(w, "acme/widgets"), -ENOENT);
}

static void what_fails_is_no_empty_directory(void **state)
{
	struct world *w = *state;

	world_refuses(w, "/repositories/acme", 403);
	expect(world_ls(w, "acme"), "-13");

	world_refuses(w, "/repositories/acme", 404);
	clock_advance(3000);
	expect(world_ls(w, "acme"), "-61");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(who_is_there),
		T(another_workspace_is_entered_by_name),
		T(a_name_that_is_anothers_now),
		T(a_repository_is_updated),
		T(a_rename_is_seen_by_its_document),
		T(the_background_asks_for_what_is_old),
		T(what_fails_is_no_empty_directory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
