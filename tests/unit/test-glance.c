/*
 * What is seen at a glance, of what is at hand: runs by branch, the builds of
 * commits, main branches that fail. No request beyond those of the lists.
 */
#include "model-world.h"

#define RUN(number, result, branch, commit)                           \
	"{\"build_number\":" #number ",\"uuid\":\"{p" #number         \
	"}\",\"state\":{\"name\":\"COMPLETED\",\"result\":{\"name\":" \
	"\"" result "\"}},\"creator\":{\"nickname\":\"ada\"},"        \
	"\"created_on\":\"2026-01-02T03:04:05Z\",\"target\":{"        \
	"\"ref_type\":\"branch\",\"ref_name\":\"" branch "\","        \
	"\"commit\":{\"hash\":\"" commit "\"}}}"
#define A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define WIDGETS "/repositories/acme/widgets"
#define PIPELINES "acme/widgets/pipelines"
#define PULL(id, commit)                                       \
	"{\"id\":" #id ",\"state\":\"OPEN\",\"title\":\"t\","  \
	"\"updated_on\":\"2026-01-02T03:04:05Z\",\"source\":{" \
	"\"commit\":{\"hash\":\"" commit "\"}}}"

static int set_up(void **state)
{
	static const char repository[] =
		"{\"slug\":\"widgets\",\"full_name\":\"acme/widgets\","
		"\"uuid\":\"{widgets}\",\"name\":\"widgets\","
		"\"mainbranch\":{\"name\":\"main\"},\"workspace\":{"
		"\"slug\":\"acme\",\"uuid\":\"{acme}\"},"
		"\"updated_on\":\"2026-01-02T03:04:05+00:00\"}";
	cleanup(free) char *list =
		mem_asprintf("{\"values\":[%s]}", repository);
	struct world *w;

	world_set_up(state);
	w = *state;
	world_says(w, WIDGETS, repository);
	world_says(w, "/repositories/acme", list);
	world_says(w, "/workspaces/acme",
		   "{\"slug\":\"acme\",\"uuid\":\"{acme}\"}");
	return 0;
}

static void runs_are(struct world *w, const char *runs)
{
	cleanup(free) char *body = mem_asprintf("{\"values\":[%s]}", runs);

	world_says(w, WIDGETS "/pipelines", body);
}

static void names_of_branches(void **state)
{
	struct world *w = *state;

	/* Numbers tell the newest, not the order; of a branch and one below
	 * its name the newer has it; what cannot be a name is escaped. */
	runs_are(
		w,
		RUN(3, "FAILED", "main", A) "," RUN(9, "SUCCESSFUL", "main", A) "," RUN(
			4, "FAILED", "a",
			A) "," RUN(5, "FAILED", "a/b/c",
				   A) "," RUN(6, "FAILED", "x",
					      A) "," RUN(2, "FAILED", "x/y",
							 A) "," RUN(7, "FAILED",
								    "..",
								    A) "," RUN(8,
									       "FAILED",
									       "index.tsv",
									       A));
	expect(world_ls(w, PIPELINES "/by-branch"),
	       "%2E. a/ index.tsv main x ");
	expect(world_link(w, PIPELINES "/by-branch/main"), "../9");
	expect(world_link(w, PIPELINES "/by-branch/%2E."), "../7");
	expect(world_ls(w, PIPELINES "/by-branch/a"), "b/ ");
	expect(world_link(w, PIPELINES "/by-branch/a/b/c"), "../../../5");
	expect(world_link(w, PIPELINES "/by-branch/x"), "../6");
	expect(world_link(w, PIPELINES "/by-branch/none"), "-2");
	expect(world_link(w, PIPELINES "/by-branch/a/none"), "-2");
	assert_int_equal(world_asked(w, "/pipelines"), 1);
}

static void a_newer_run_is_told(void **state)
{
	struct world *w = *state;

	runs_are(w, RUN(1, "FAILED", "f/x", A));
	expect(world_link(w, PIPELINES "/by-branch/f/x"), "../../1");
	free(world_told(w));
	runs_are(w, RUN(2, "FAILED", "f/x", A) "," RUN(1, "FAILED", "f/x", A));
	free(world_cat(w, ".bitbucketfs/refresh/" PIPELINES "/.now"));
	expect_in(world_told(w), "x ");
	expect(world_link(w, PIPELINES "/by-branch/f/x"), "../../2");
}

static char *builds(struct world *w, const char *index)
{
	cleanup(free) char *text = world_cat(w, index);
	struct buf out = BUF_INIT(0);
	char *line = strchr(text, '\n'), *rest = NULL;
	unsigned column = 0;

	for (char *cell = strtok_r(text, "\t\n", &rest);
	     cell && strcmp(cell, "builds") != 0; column++)
		cell = strtok_r(NULL, "\t\n", &rest);
	for (line = line ? line + 1 : NULL; line && *line;
	     line = strchr(line, '\n') + 1) {
		const char *cell = line;

		for (unsigned i = 0; i < column; i++)
			cell = strchr(cell, '\t') + 1;
		buf_printf(&out, "%.*s;", (int)strcspn(cell, "\t"), cell);
	}
	return buf_steal(&out, NULL);
}

static void builds_of_commits(void **state)
{
	struct world *w = *state;
	struct model_entry was, is;

	world_says(w, WIDGETS "/pullrequests",
		   "{\"values\":[" PULL(1, "aaaaaaaaaaaa") "," PULL(
			   2, "bbbbbbbbbbbb") "]}");
	world_says(w, WIDGETS "/commits",
		   "{\"values\":[{\"hash\":\"" A "\"},{\"hash\":\"" B "\"}]}");
	expect(builds(w, "acme/widgets/pullrequests/index.tsv"), ";;");
	runs_are(w, RUN(1, "FAILED", "main", A) "," RUN(2, "SUCCESSFUL", "main",
							A) "," RUN(3, "EXPIRED",
								   "main", B));
	free(world_told(w));
	expect_in(world_ls(w, PIPELINES), "index.tsv");
	expect_in(world_told(w), "index.tsv");
	expect(builds(w, "acme/widgets/pullrequests/index.tsv"),
	       "SUCCESSFUL;FAILED;");
	expect(builds(w, "acme/widgets/commits/index.tsv"),
	       "SUCCESSFUL;FAILED;");
	/* Another server's word of the commit; and of one that the pull
	 * request had before. */
	world_says(w, WIDGETS "/pullrequests/1/statuses",
		   "{\"values\":[{\"key\":\"k\",\"state\":\"INPROGRESS\","
		   "\"commit\":{\"hash\":\"" A "\"}},{\"key\":\"o\","
		   "\"state\":\"FAILED\",\"commit\":{\"hash\":\"" B "\"}}]}");
	expect_in(world_ls(w, "acme/widgets/pullrequests/1/statuses"),
		  "index.tsv");
	expect(builds(w, "acme/widgets/pullrequests/index.tsv"),
	       "INPROGRESS;FAILED;");
	/* Brought anew without a change it is the same file. */
	assert_int_equal(
		world_look(w, "acme/widgets/pullrequests/index.tsv", &was), 0);
	free(world_cat(w, ".bitbucketfs/refresh/acme/widgets/pullrequests/"
			  ".now"));
	assert_int_equal(
		world_look(w, "acme/widgets/pullrequests/index.tsv", &is), 0);
	assert_true(was.ino == is.ino);
	assert_int_equal(world_asked(w, "/commits"), 1);
}

static void what_is_red(void **state)
{
	struct world *w = *state;

	expect_in(world_ls(w, "acme"), "widgets/");
	expect_in(world_ls(w, "acme/.workspace"), "red.tsv ");
	expect_in(world_cat(w, "acme/.workspace/red.tsv"),
		  "repository\tbranch\tnumber\tresult\tpushed_by\t");
	runs_are(w, RUN(1, "SUCCESSFUL", "main", A) "," RUN(
			    2, "ERROR", "main",
			    A) "," RUN(3, "STOPPED", "main",
				       A) "," RUN(4, "SUCCESSFUL", "x", A));
	expect_in(world_ls(w, PIPELINES), "index.tsv");
	clock_advance(2000);
	expect_in(
		world_cat(w, "acme/.workspace/red.tsv"),
		"\nacme/widgets\tmain\t2\tERROR\tada\t2026-01-02T03:04:05Z\t" A
		"\t1\t2026-01-02T03:04:05Z\t");
	runs_are(w, RUN(2, "ERROR", "main", A) "," RUN(5, "SUCCESSFUL", "main",
						       A));
	free(world_cat(w, ".bitbucketfs/refresh/" PIPELINES "/.now"));
	clock_advance(2000);
	expect(world_cat(w, "acme/.workspace/red.tsv"),
	       "repository\tbranch\tnumber\tresult\tpushed_by\tcompleted\t"
	       "commit\tgreen\tgreen_completed\tfetched\turl\n");
}

#define G(name) cmocka_unit_test_setup_teardown(name, set_up, world_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		G(names_of_branches),
		G(a_newer_run_is_told),
		G(builds_of_commits),
		G(what_is_red),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
