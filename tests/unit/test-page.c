/*
 * table/page: both directions of one table.
 */
#include "table/page.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define COMMIT "3bb054083701e4f432c5751408e2ca4d82e92732"
#define STEP "{a4c0d5f1-0000-4000-8000-000000000001}"

static const struct page_known nothing;

static void assert_page(const char *place, const struct page_known *known,
			const char *page)
{
	char *path = mem_strdup(place);
	struct page_lines lines = page_take_lines(path);
	char *made = page_of_place(path, known, lines);

	if (page)
		assert_string_equal(made, page);
	else
		assert_null(made);
	free(made);
	free(path);
}

/* As the command writes it, with the lines. */
static char *place_of(const char *page)
{
	struct page_place place;
	char *text;

	if (!page_to_place(page, &place))
		return NULL;
	text = !place.lines.first ? mem_strdup(place.path)
	       : place.lines.first == place.lines.last
		       ? mem_asprintf("%s:%u", place.path, place.lines.first)
		       : mem_asprintf("%s:%u-%u", place.path, place.lines.first,
				      place.lines.last);
	page_place_done(&place);
	return text;
}

static void assert_place(const char *page, const char *place)
{
	char *made = place_of(page);

	if (place) {
		assert_non_null(made);
		assert_string_equal(made, place);
	} else {
		assert_null(made);
	}
	free(made);
}

#define W "acme/widgets/"

static void test_round_trips(void **)
{
	static const char *const pairs[][2] = {
		{"", ""},
		{"acme", "acme/"},
		{"acme/.workspace", "acme/workspace/overview"},
		{"acme/.workspace/repositories",
		 "acme/workspace/repositories/"},
		{"acme/.workspace/my-pullrequests",
		 "acme/workspace/pull-requests/"},
		{"acme/.workspace/projects/PUB", "acme/workspace/projects/PUB"},
		{"acme/.workspace/snippets", "acme/workspace/snippets/"},
		{"acme/.workspace/snippets/kypj", "snippets/acme/kypj"},
		{"acme/.workspace/snippets/kypj/files/foo.txt",
		 "snippets/acme/kypj#file-foo.txt"},
		{"acme/.workspace/snippets/kypj/files/%69ndex.tsv",
		 "snippets/acme/kypj#file-index.tsv"},
		{"acme/widgets", "acme/widgets"},
		{W "tree", W "src/HEAD/"},
		{W "tree/src/main.c", W "src/HEAD/src/main.c"},
		{W "tree/src/main.c:12", W "src/HEAD/src/main.c#lines-12"},
		{W "tree/src/main.c:12-20",
		 W "src/HEAD/src/main.c#lines-12:20"},
		{W "tree/a b/100%/\xc3\xa9?#.c",
		 W "src/HEAD/a%20b/100%25/%C3%A9%3F%23.c"},
		{W "tree/file:x", W "src/HEAD/file:x"},
		{W "branches", W "branches/"},
		{W "branches/main", W "branch/main"},
		{W "branches/main/src/main.c:7",
		 W "src/main/src/main.c#lines-7"},
		{W "branches/50%/a", W "src/50%25/a"},
		{W "commits", W "commits/"},
		{W "commits/" COMMIT, W "commits/" COMMIT},
		{W "commits/3bb0540", W "commits/3bb0540"},
		{W "commits/" COMMIT "/tree", W "src/" COMMIT "/"},
		{W "commits/" COMMIT "/tree/a/b:3",
		 W "src/" COMMIT "/a/b#lines-3"},
		{W "tags/v1.0", W "commits/tag/v1.0"},
		{W "pullrequests", W "pull-requests/"},
		{W "pullrequests/merged", W "pull-requests/?state=MERGED"},
		{W "pullrequests/12", W "pull-requests/12"},
		{W "pullrequests/12/changes", W "pull-requests/12/diff"},
		{W "pullrequests/12/commits", W "pull-requests/12/commits"},
		{W "pullrequests/12/activity", W "pull-requests/12/activity"},
		{W "pipelines", W "pipelines"},
		{W "pipelines/318", W "pipelines/results/318"},
		{W "deployments", W "deployments"},
		{W "downloads", W "downloads/"},
		{W "downloads/a b.tar.gz", W "downloads/a%20b.tar.gz"},
		{W "downloads/a%2Fb", W "downloads/a%2Fb"},
		{W "downloads/%25%2F", W "downloads/%25%2F"},
		{W "downloads/100%25", W "downloads/100%2525"},
		{W "downloads/%69ndex.tsv", W "downloads/index.tsv"},
		{W "issues/3", W "issues/3"},
		{W "settings", W "admin"},
		{W "settings/hooks", W "admin/webhooks"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		assert_page(pairs[i][0], &nothing, pairs[i][1]);
		assert_place(pairs[i][1], pairs[i][0]);
	}
}

static void test_branch_with_slash(void **)
{
	const struct page_known known = {.n_ref = 2, .commit = COMMIT};
	const struct page_known two = {.n_ref = 2};
	const struct page_known one = {.n_ref = 1, .commit = COMMIT};

	assert_page(W "branches/feature/x", &known, W "branch/feature/x");
	assert_place(W "branch/feature/x", W "branches/feature/x");
	assert_page(W "branches/feature/x/a/b.c:4", &known,
		    W "src/" COMMIT "/a/b.c?at=feature%2Fx#lines-4");
	assert_place(W "src/" COMMIT "/a/b.c?at=feature%2Fx#lines-4",
		     W "branches/feature/x/a/b.c:4");
	assert_place(W "src/feature%2Fx/a/b.c", W "branches/feature/x/a/b.c");
	/* No page of the file without the commit: that of the branch. */
	assert_page(W "branches/feature/x/a", &two, W "branch/feature/x");
	assert_page(W "branches/main/a", &one, W "src/main/a");
	assert_page(W "tags/v/1/a", &known, W "src/" COMMIT "/a?at=v%2F1");
	assert_page(W "tags/v/1/a", &two, W "commits/tag/v/1");
	assert_page(W "tags/v1/a", &one, W "src/v1/a");
	/* The part is written so because it is one of ours. */
	assert_page(W "branches/%69ndex.tsv/a", &nothing, W "src/index.tsv/a");
}

static void test_other_addresses(void **)
{
	static const char *const pairs[][2] = {
		{"Acme/Widgets/", "acme/widgets"},
		{W "src", W "tree"},
		{W "src/", W "tree"},
		{W "src//HEAD//a/", W "tree/a"},
		{W "src/main/a.c?mode=edit&at=main&x", W "branches/main/a.c"},
		{W "src/HEAD/a.c#cl-12", W "tree/a.c:12"},
		{W "src/HEAD/a.c#a.c-12:9", W "tree/a.c:9-12"},
		{W "src/HEAD/a.c#lines-12:20,30", W "tree/a.c:12-20"},
		{W "src/HEAD/a.c#lines-0", W "tree/a.c"},
		{W "src/HEAD/a.txt#some-heading", W "tree/a.txt"},
		{W "src/HEAD/a#lines-99999999999999999999", W "tree/a"},
		{W "raw/" COMMIT "/a.c", W "commits/" COMMIT "/tree/a.c"},
		{W "commit/" COMMIT "?at=main", W "commits/" COMMIT},
		{W "commits/branch/feature%2Fx", W "branches/feature/x"},
		{W "commits/tag/v/1", W "tags/v/1"},
		{W "branches/compare/" COMMIT "..main", W "branches"},
		{W "pull-requests/12/overview", W "pullrequests/12"},
		{W "pull-requests/12/mend-it/diff",
		 W "pullrequests/12/changes"},
		{W "pull-requests/12/_/diff#comment-419",
		 W "pullrequests/12/comments"},
		{W "pull-requests/12#comment-419",
		 W "pullrequests/12/comments"},
		{W "pull-requests/12/diff#chg-src/main.c",
		 W "pullrequests/12/changes"},
		{W "pull-requests/new?source=feature/x&t=1", W "pullrequests"},
		{W "pull-requests/?page=2&state=MERGED",
		 W "pullrequests/merged"},
		{W "addon/pipelines/home#!/results/4", W "pipelines/4"},
		{W "addon/pipelines/home#!/results/4/steps/" STEP,
		 W "pipelines/4"},
		{W "wiki/Home", "acme/widgets"},
		{W "issues/3/it-breaks", W "issues/3"},
		{"acme/workspace/settings/plans", "acme/.workspace"},
		{"acme/workspace/snippets/kypj/notes",
		 "acme/.workspace/snippets/kypj"},
		/* Bytes that make no %XX stay. */
		{W "src/HEAD/100%", W "tree/100%"},
		{W "src/HEAD/%zz", W "tree/%zz"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++)
		assert_place(pairs[i][0], pairs[i][1]);
}

static void test_nearest(void **)
{
	static const char *const pairs[][2] = {
		{"acme/widgets/info", "acme/widgets"},
		{"acme/widgets/network/forks/index.tsv", "acme/widgets"},
		{W "pullrequests/12/summary.md:3", W "pull-requests/12"},
		{W "pullrequests/merged/9/changes/diff",
		 W "pull-requests/9/diff"},
		{W "pullrequests/declined/9", W "pull-requests/9"},
		{W "pullrequests/12/comments/419",
		 W "pull-requests/12/_/diff#comment-419"},
		{W "pullrequests/12/comments/thread.md", W "pull-requests/12"},
		{W "pipelines/318/steps/1-build/log",
		 W "pipelines/results/318"},
		{W "pipelines/by-branch/main", W "pipelines"},
		{W "commits/" COMMIT "/statuses/index.tsv",
		 W "commits/" COMMIT},
		{W "environments/3", W "deployments"},
		{"acme/.workspace/projects/PUB/widgets",
		 "acme/workspace/projects/PUB"},
		{".bitbucketfs/user.json", "account/settings/"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++)
		assert_page(pairs[i][0], &nothing, pairs[i][1]);
	assert_page(".bitbucketfs/errors", &nothing, NULL);
}

static void test_step(void **)
{
	const struct page_known known = {.step = STEP};
	struct page_place place;

	assert_page(W "pipelines/318/steps/1-build/log", &known,
		    W "pipelines/results/318/steps/%7Ba4c0d5f1-0000-4000-8000-"
		      "000000000001%7D");
	assert_true(
		page_to_place(W "pipelines/results/318/steps/" STEP, &place));
	assert_string_equal(place.path, W "pipelines/318/steps");
	assert_string_equal(place.step, STEP);
	page_place_done(&place);
}

/* What would lead out, or move a terminal. */
static void test_bad(void **)
{
	static const char *const pages[] = {
		W "src/HEAD/../../../etc/passwd",
		W "src/HEAD/%2e%2e/x",
		W "src/HEAD/a%2F..%2Fb",
		W "downloads/%1b[2J",
		W "src/HEAD/a%00b",
		W "src/HEAD/%E2%80%AE",
		"%7B470c176d-0000-4000-8000-000000000001%7D/widgets",
	};

	for (size_t i = 0; i < ARRAY_SIZE(pages); i++)
		assert_place(pages[i], NULL);
}

/* Of any length, at once: each part that is left out is another round. */
static void test_deep(void **)
{
	static const char head[] = W "src/main";
	size_t n = sizeof(head) - 1, n_parts = 60 * 1000;
	char *page = mem_calloc(n + 2 * n_parts + 1, 1), *place;

	memcpy(page, head, n);
	for (size_t i = 0; i < n_parts; i++)
		memcpy(page + n + 2 * i, "/a", 2);
	assert_place(page, NULL);
	assert_page(page, &nothing, NULL);
	/* As deep as a kernel goes. */
	page[n + 4000] = 0;
	place = place_of(page);
	assert_non_null(place);
	assert_string_equal(place + strlen(W "branches/main"), page + n);
	free(place);
	free(page);
}

/* Whatever the text is. */
static void test_anything(void **)
{
	static const char alphabet[] = "aW/%2F:.-?#&=$1{}\xc3\xa9\x80 ~";
	uint64_t seed = 7;

	for (int i = 0; i < 3000; i++) {
		char text[48] = "acme/widgets/";
		size_t n = 13;
		char *made;

		while (n < 40) {
			seed = seed * 6364136223846793005 + 1442695040888963407;
			text[n++] =
				alphabet[(seed >> 33) % (sizeof(alphabet) - 1)];
		}
		made = place_of(text);
		free(made);
		made = page_of_place(text, &nothing, (struct page_lines){0});
		assert_non_null(made);
		free(made);
	}
}

static void test_long_name(void **)
{
	char name[600] = W "downloads/";
	struct page_place place;
	size_t n = strlen(name);

	memset(name + n, 'x', 400);
	assert_true(page_to_place(name, &place));
	assert_int_equal(strlen(place.path), n + 255);
	/* What it was is in the index alone. */
	assert_page(place.path, &nothing, W "downloads/");
	page_place_done(&place);
}

static void test_lines(void **)
{
	static const struct {
		const char *text, *path;
		unsigned first, last;
	} all[] = {
		{"a", "a", 0, 0},         {"a:1", "a", 1, 1},
		{"a:1:", "a", 1, 1},      {"a:12:5", "a", 12, 12},
		{"a:12:5:", "a", 12, 12}, {"a:3-9", "a", 3, 9},
		{"a:9-3", "a", 3, 9},     {"a:0", "a:0", 0, 0},
		{"a:b", "a:b", 0, 0},     {"a:-3", "a:-3", 0, 0},
		{":3", ":3", 0, 0},       {"a:3-", "a:3-", 0, 0},
		{"", "", 0, 0},           {"a:", "a:", 0, 0},
		{"a:1:2:3", "a:1", 2, 2},
	};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		char *path = mem_strdup(all[i].text);
		struct page_lines lines = page_take_lines(path);

		assert_string_equal(path, all[i].path);
		assert_int_equal(lines.first, all[i].first);
		assert_int_equal(lines.last, all[i].last);
		free(path);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trips),
		cmocka_unit_test(test_branch_with_slash),
		cmocka_unit_test(test_other_addresses),
		cmocka_unit_test(test_nearest),
		cmocka_unit_test(test_step),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_deep),
		cmocka_unit_test(test_anything),
		cmocka_unit_test(test_long_name),
		cmocka_unit_test(test_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
