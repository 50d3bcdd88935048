/*
 * model/dirs/row_dir, row_file, commits: directories made from rows of the
 * table: files of documents, items, indexes, and what is told when they change.
 */
#include "model-world.h"

#define REPO "/repositories/acme/widgets"
#define LIST REPO "/pullrequests"
#define DIR "acme/widgets/pullrequests"

static char *pull(unsigned id, const char *state, const char *hash,
		  unsigned minute)
{
	return mem_asprintf(
		"{\"id\":%u,\"title\":\"change %u\",\"state\":\"%s\","
		"\"created_on\":\"2026-01-02T03:00:00+00:00\","
		"\"updated_on\":\"2026-01-02T03:%02u:00+00:00\","
		"\"source\":{\"branch\":{\"name\":\"b\"},\"commit\":{\"hash\":"
		"\"%s\"},\"repository\":{\"full_name\":\"acme/widgets\","
		"\"uuid\":\"{widgets}\"}}}",
		id, id, state, minute, hash);
}

/* Open pull requests 1 to n, changed at this minute. */
static void says_pulls(struct world *w, unsigned n, unsigned minute)
{
	cleanup(buf_done) struct buf list = BUF_INIT(0);

	buf_puts(&list, "{\"values\":[");
	for (unsigned id = n; id > 0; id--) {
		cleanup(free) char *one =
			pull(id, "OPEN", "0123456789ab", id == 1 ? minute : 4);
		cleanup(free) char *path = mem_asprintf(LIST "/%u", id);

		buf_printf(&list, "%s%s", id < n ? "," : "", one);
		world_says(w, path, one);
	}
	buf_puts(&list, "]}");
	world_says(w, LIST, list.data);
}

static int set_up(void **state)
{
	world_set_up(state);
	says_pulls(*state, 2, 4);
	return 0;
}

static uint64_t number(struct world *w, const char *path)
{
	struct model_entry entry;

	assert_int_equal(world_look(w, path, &entry), 0);
	return entry.ino;
}

static void a_collection_is_listed_by_one_question(void **state)
{
	struct world *w = *state;
	cleanup(free) char *names = NULL;

	names = world_ls(w, DIR);
	assert_non_null(strstr(names, "index.json index.tsv "));
	assert_non_null(strstr(names, "1/ "));
	assert_non_null(strstr(names, "2/ "));
	expect_in(world_cat(w, DIR "/index.tsv"), "change 2");
	expect_in(world_cat(w, DIR "/index.json"), "\"title\": \"change 1\"");
	/* The items' documents came with the list. */
	expect_in(world_cat(w, DIR "/1/info"), "change 1");
	assert_int_equal(world_asked(w, "/pullrequests"), 1);
	assert_int_equal(world_stat(w, DIR "/.git"), -ENOENT);
	assert_int_equal(world_stat(w, DIR "/nothing"), -ENOENT);
	assert_int_equal(world_asked(w, "/pullrequests"), 1);
}

static void an_item_has_its_time(void **state)
{
	struct world *w = *state;
	struct model_entry entry;

	expect_in(world_ls(w, DIR), "1/ ");
	assert_int_equal(world_look(w, DIR "/1", &entry), 0);
	assert_true(S_ISDIR(entry.attr.st.st_mode));
	assert_int_equal(entry.attr.st.st_mtim.tv_sec, 1767323040);
}

/* A directory keeps its inode, a file made of a new document has a new one. */
static void an_updated_item(void **state)
{
	struct world *w = *state;
	uint64_t dir, info, other;
	cleanup(free) char *told = NULL;

	expect_in(world_ls(w, DIR), "1/ ");
	dir = number(w, DIR "/1");
	info = number(w, DIR "/1/info");
	other = number(w, DIR "/2/info");
	free(world_told(w));
	says_pulls(w, 3, 5);
	expect_in(world_cat(w, ".bitbucketfs/refresh/" DIR "/.now"),
		  "1: updated\n3: new\npullrequests: updated, 3 items, 2 "
		  "changed\n");
	told = world_told(w);
	assert_non_null(strstr(told, "index.tsv index.json more "));
	assert_non_null(strstr(told, "info "));
	assert_int_equal(number(w, DIR "/1"), dir);
	assert_int_not_equal(number(w, DIR "/1/info"), info);
	assert_int_equal(number(w, DIR "/2/info"), other);
	expect_in(world_ls(w, DIR), "3/ ");
}

/* A pull request that was merged is found elsewhere, as the same directory. */
static void an_item_roams(void **state)
{
	struct world *w = *state;
	cleanup(free) char *merged = pull(2, "MERGED", "0123456789ab", 6);
	cleanup(free) char *list = mem_asprintf("{\"values\":[%s]}", merged);
	uint64_t ino;

	expect_in(world_ls(w, DIR), "2/ ");
	ino = number(w, DIR "/2");
	says_pulls(w, 1, 4);
	world_says(w, LIST "/2", merged);
	expect_in(world_cat(w, ".bitbucketfs/refresh/" DIR "/.now"),
		  "2: gone\n");
	/* Under its old name a link leads there. */
	world_says(w, LIST, list);
	assert_int_equal(number(w, DIR "/merged/2"), ino);
}

/* What a name of an item costs that is in no list: its own document. */
static void an_item_by_its_number(void **state)
{
	struct world *w = *state;
	cleanup(free) char *seven = pull(7, "OPEN", "0123456789ab", 6);

	expect_in(world_ls(w, DIR), "1/ ");
	world_says(w, LIST "/7", seven);
	expect_in(world_cat(w, DIR "/7/info"), "change 7");
	assert_int_equal(world_stat(w, DIR "/8"), -ENOENT);
	assert_int_equal(world_asked(w, "/pullrequests/7"), 1);
	assert_int_equal(world_asked(w, "/pullrequests/8"), 1);
	/* Unknown for a while. */
	assert_int_equal(world_stat(w, DIR "/8"), -ENOENT);
	assert_int_equal(world_asked(w, "/pullrequests/8"), 1);
}

/* A few rendered files are kept, and a new version is another text. */
static void files_are_rendered_of_documents(void **state)
{
	struct world *w = *state;
	struct model_entry entry;

	assert_int_equal(world_look(w, DIR "/1/pullrequest.json", &entry), 0);
	expect_in(world_cat(w, DIR "/1/pullrequest.json"), "\"id\": 1");
	expect_in(world_cat(w, DIR "/1/info"), "state: OPEN");
	assert_int_equal(world_stat(w, DIR "/1/nothing.json"), -ENOENT);
}

/* A walk that nobody answers is an error, no empty directory. */
static void what_fails_is_no_empty_directory(void **state)
{
	struct world *w = *state;

	world_refuses(w, LIST, 500);
	expect(world_ls(w, DIR), "-5");
	expect_in(world_cat(w, ".bitbucketfs/errors"), DIR "\tEIO\t");
}

/* ---- commits ---- */

#define HASH "0123456789abcdef0123456789abcdef01234567"

static void a_short_id_is_a_link(void **state)
{
	struct world *w = *state;
	struct model_entry entry;

	world_says(w, REPO "/commit/0123456",
		   "{\"hash\":\"" HASH "\",\"date\":\"2026-01-02T03:04:05Z\"}");
	assert_int_equal(world_look(w, "acme/widgets/commits/0123456", &entry),
			 0);
	assert_true(S_ISLNK(entry.attr.st.st_mode));
	assert_int_equal(entry.attr.st.st_size, 40);
	assert_int_equal(world_stat(w, "acme/widgets/commits/012345"), -ENOENT);
	assert_int_equal(world_stat(w, "acme/widgets/commits/7777777"),
			 -ENOENT);
	/* An answer of another commit is not believed. */
	world_says(w, REPO "/commit/8888888", "{\"hash\":\"" HASH "\"}");
	assert_int_equal(world_stat(w, "acme/widgets/commits/8888888"), -EIO);
}

#define R(name) cmocka_unit_test_setup_teardown(name, set_up, world_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		R(a_collection_is_listed_by_one_question),
		R(an_item_has_its_time),
		R(an_updated_item),
		R(an_item_roams),
		R(an_item_by_its_number),
		R(files_are_rendered_of_documents),
		R(what_fails_is_no_empty_directory),
		R(a_short_id_is_a_link),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
