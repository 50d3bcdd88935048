/*
 * table/resource: the files of a repository, from whole, odd and broken
 * objects.
 */
#include "table/resource.h"

#include "corpora.h"
#include "recorded.h"

static const char whole[] =
	"{\"type\":\"repository\",\"full_name\":\"acme/widgets\","
	"\"name\":\"Widgets\",\"slug\":\"widgets\","
	"\"uuid\":\"{00000000-0000-4000-8000-000000000001}\","
	"\"workspace\":{\"slug\":\"acme\"},\"project\":{\"key\":\"WID\"},"
	"\"description\":\"Things\\nthat turn.\",\"is_private\":true,"
	"\"language\":\"c\",\"size\":4711,"
	"\"created_on\":\"2020-01-02T03:04:05.678901+00:00\","
	"\"updated_on\":\"2026-11-01T00:00:00+00:00\","
	"\"mainbranch\":{\"type\":\"branch\",\"name\":\"main\"},"
	"\"scm\":\"git\",\"fork_policy\":\"allow_forks\","
	"\"parent\":{\"full_name\":\"forge/widgets\"},"
	"\"website\":\"https://example.com\",\"has_issues\":false,"
	"\"has_wiki\":false,\"owner\":{\"display_name\":\"Ada \\u0007L.\"},"
	"\"links\":{\"html\":{\"href\":\"https://bitbucket.org/acme/widgets\"},"
	"\"clone\":[{\"name\":\"https\",\"href\":"
	"\"https://ada@bitbucket.org/acme/widgets.git\"},"
	"{\"name\":\"ssh\",\"href\":"
	"\"git@bitbucket.org:acme/widgets.git\"}]}}";

static const char whole_info[] =
	"name: Widgets\n"
	"full_name: acme/widgets\n"
	"slug: widgets\n"
	"uuid: {00000000-0000-4000-8000-000000000001}\n"
	"workspace: acme\n"
	"project: WID\n"
	"description: Things that turn.\n"
	"private: true\n"
	"language: c\n"
	"size: 4711\n"
	"created: 2020-01-02T03:04:05Z\n"
	"updated: 2026-11-01T00:00:00Z\n"
	"main_branch: main\n"
	"scm: git\n"
	"fork_policy: allow_forks\n"
	"parent: forge/widgets\n"
	"website: https://example.com\n"
	"has_issues: false\n"
	"has_wiki: false\n"
	"owner: Ada \\x07L.\n"
	"url: https://bitbucket.org/acme/widgets\n"
	"clone_https: https://bitbucket.org/acme/widgets.git\n"
	"clone_ssh: git@ssh.bitbucket.org:acme/widgets.git\n";

/* Of both places. */
static const struct resource_file *find(const char *name)
{
	const struct resource_file *file =
		resource_find_file(resource_repository.files, name);

	return file ? file : resource_find_file(resource_user.files, name);
}

static void expect(const char *name, const char *json, const char *want)
{
	const struct resource_file *row = find(name);
	cleanup(buf_done) struct buf out = BUF_INIT(0);

	assert_non_null(row);
	assert_int_equal(resource_render(row, json, strlen(json), &out), 0);
	assert_string_equal(out.data ? out.data : "", want);
	assert_int_equal(out.len, strlen(want));
}

static void expect_info(const char *json, const char *want)
{
	expect("info", json, want);
}

static void the_table(void **state)
{
	const struct resource_file *files = resource_repository.files;

	(void)state;
	assert_int_equal(resource_n_files(files), 3);
	assert_string_equal(files[0].name, "description");
	assert_string_equal(files[1].name, "info");
	assert_string_equal(files[2].name, "repository.json");
	for (size_t i = 0; i < 3; i++)
		assert_ptr_equal(resource_find_file(files, files[i].name),
				 &files[i]);
	assert_int_equal(resource_n_files(resource_user.files), 1);
	assert_int_equal(resource_n_files(NULL), 0);
	assert_null(resource_find_file(resource_user.files, "info"));
	assert_null(resource_find_file(files, ""));
	assert_non_null(resource_find_row(resource_repository.rows, "tree"));
	assert_null(resource_find_row(resource_repository.rows, "info"));
}

static void a_whole_one(void **state)
{
	(void)state;
	expect_info(whole, whole_info);
	expect("description", whole, "Things\nthat turn.\n");
	expect("repository.json", "{\"slug\":\"a\"}",
	       "{\n  \"slug\": \"a\"\n}\n");
	expect("user.json", "{}", "{}\n");
}

static void descriptions(void **state)
{
	static const char *const pairs[][2] = {
		{"{}", ""},
		{"{\"description\":null}", ""},
		{"{\"description\":\"\"}", ""},
		{"{\"description\":7}", ""},
		{"{\"description\":\"\\n\"}", "\n"},
		{"{\"description\":\"a\"}", "a\n"},
		{"{\"description\":\"a\\n\"}", "a\n"},
		{"{\"description\":\"\\u00fcber\\t\"}", "\xc3\xbc"
							"ber\t\n"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++)
		expect("description", pairs[i][0], pairs[i][1]);
}

static void odd_members(void **state)
{
	(void)state;
	expect_info("{}", "");
	expect_info("{\"language\":\"\"}", "");
	expect_info("{\"is_private\":\"yes\",\"size\":-1,\"has_wiki\":1,"
		    "\"website\":null,\"mainbranch\":null,\"parent\":null,"
		    "\"owner\":[],\"links\":{\"clone\":{}}}",
		    "");
	expect_info("{\"links\":{\"clone\":[null,1,{\"name\":\"ssh\"},"
		    "{\"href\":\"x\"},{\"name\":\"https\",\"href\":7}]}}",
		    "");
	/* One line stays one line, whatever it holds. */
	expect_info("{\"name\":\"a\\nlanguage: c\"}", "name: a language: c\n");
}

static void clone_links(void **state)
{
	static const char *const https[][2] = {
		{"https://x:y@h/p", "https://h/p"},
		{"https://a@b@h/p", "https://h/p"},
		{"https://h/p@q", "https://h/p@q"},
		{"https://u@h", "https://h"},
		{"https://h?x=@", "https://h?x=@"},
		{"nonsense", "nonsense"},
	};
	static const char *const ssh[][2] = {
		{"ssh://git@bitbucket.org/a/b.git",
		 "ssh://git@ssh.bitbucket.org/a/b.git"},
		{"git@ssh.bitbucket.org:a/b.git",
		 "git@ssh.bitbucket.org:a/b.git"},
		{"git@bitbucket.org.evil:a/b", "git@bitbucket.org.evil:a/b"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(https); i++) {
		cleanup(free) char *json = mem_asprintf(
			"{\"links\":{\"clone\":[{\"name\":\"https\","
			"\"href\":\"%s\"}]}}",
			https[i][0]);
		cleanup(free) char *want =
			mem_asprintf("clone_https: %s\n", https[i][1]);

		expect_info(json, want);
	}
	for (size_t i = 0; i < ARRAY_SIZE(ssh); i++) {
		cleanup(free) char *json =
			mem_asprintf("{\"links\":{\"clone\":[{\"name\":\"ssh\","
				     "\"href\":\"%s\"}]}}",
				     ssh[i][0]);
		cleanup(free) char *want =
			mem_asprintf("clone_ssh: %s\n", ssh[i][1]);

		expect_info(json, want);
	}
}

static void no_object(void **state)
{
	static const char *const bad[] = {"",   "[]",  "null",   "\"{}\"",
					  "12", "{",   "{}x",    "{\"a\":}",
					  " ",  "<p>", "{\"a\"}"};
	const struct resource_file *row = find("info");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		cleanup(buf_done) struct buf out = BUF_INIT(0);

		assert_int_equal(
			resource_render(row, bad[i], strlen(bad[i]), &out),
			-EBADMSG);
	}
}

static void too_long(void **state)
{
	const struct resource_file *row = find("info");
	cleanup(buf_done) struct buf out = BUF_INIT(100);

	(void)state;
	assert_int_equal(resource_render(row, whole, strlen(whole), &out),
			 -EMSGSIZE);
}

/* Every row of both places; with arg twice, and twice the same. */
static void render_all(const char *text, size_t n, void *arg)
{
	const struct resource_file *const places[] = {resource_repository.files,
						      resource_user.files};

	for (size_t p = 0; p < ARRAY_SIZE(places); p++) {
		const struct resource_file *file = places[p];

		for (; file->name; file++) {
			cleanup(buf_done) struct buf one = BUF_INIT(0);
			cleanup(buf_done) struct buf two = BUF_INIT(0);
			int r = resource_render(file, text, n, &one);

			assert_true(r == 0 || r == -EBADMSG);
			if (!arg)
				continue;
			assert_int_equal(resource_render(file, text, n, &two),
					 r);
			assert_int_equal(one.len, two.len);
			if (one.len)
				assert_memory_equal(one.data, two.data,
						    one.len);
		}
	}
}

static void mutations(void **state)
{
	int one = 1;

	(void)state;
	assert_true(mutate(whole, strlen(whole), render_all, &one) > 300);
}

static void render_bodies(const char *dir, void *arg)
{
	static const char *const names[] = {
		"drone__go-scm/repo.json",
		"drone__go-scm/user.json",
		"gildas__bitbucket-cli/repository.json",
	};
	int own = 1;

	(void)arg;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		cleanup(buf_done) struct buf text = BUF_INIT(0);

		recorded_read(dir, names[i], &text);
		render_all(text.data, text.len, &own);
		mutate(text.data, text.len, render_all, NULL);
	}
}

static void recorded_bodies(void **state)
{
	(void)state;
	recorded_each(render_bodies, NULL);
}

static void corpus_file(const char *name, const char *data, size_t n, bool ok)
{
	const struct resource_file *row = find("repository.json");
	cleanup(buf_done) struct buf out = BUF_INIT(0);
	int r = resource_render(row, data, n, &out);

	render_all(data, n, out.data);
	if (!ok && r != -EBADMSG)
		fail_msg("%s: %d", name, r);
	if (ok && r != 0 && (r != -EBADMSG || strchr(data, '{') == data))
		fail_msg("%s: %d", name, r);
}

static void corpora(void **state)
{
	(void)state;
	assert_true(corpora_each("json/ok", NULL, corpus_file, true) > 0);
	assert_true(corpora_each("json/should-fail", NULL, corpus_file, false) >
		    0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_table),
		cmocka_unit_test(a_whole_one),
		cmocka_unit_test(descriptions),
		cmocka_unit_test(odd_members),
		cmocka_unit_test(clone_links),
		cmocka_unit_test(no_object),
		cmocka_unit_test(too_long),
		cmocka_unit_test(mutations),
		cmocka_unit_test(recorded_bodies),
		cmocka_unit_test(corpora),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
