/*
 * table/resource: pull requests, commits, refs and what is said of them:
 * columns, keys of Jira, links, and conversations, from whole, odd and broken
 * answers.
 */
#include "table/resource.h"

#include "recorded.h"

/* The row at a path like "pullrequests/merged"; "@" is an item of one. */
static const struct resource *row_at(const char *path)
{
	cleanup(free) char *copy = mem_strdup(path);
	const struct resource *row = &resource_repository;
	bool item = false;
	char *rest = copy, *name;

	while ((name = strsep(&rest, "/"))) {
		if (!strcmp(name, "@")) {
			assert_non_null(row->items);
			item = true;
			continue;
		}
		row = resource_find_row(item ? row->items->rows : row->rows,
					name);
		if (!row)
			fail_msg("no row %s", path);
		item = false;
	}
	return row;
}

static struct json *parse(const char *text)
{
	struct json *json = NULL;

	if (json_parse(text, strlen(text), &json))
		fail_msg("no JSON: %s", text);
	return json;
}

static void expect_line(const char *path, const char *item, const char *want)
{
	cleanup(json_free) struct json *json = parse(item);
	cleanup(buf_done) struct buf line = BUF_INIT(0);

	resource_tsv_line(row_at(path)->columns, json, &line);
	assert_string_equal(line.data, want);
}

static void expect_header(const char *path, const char *want)
{
	cleanup(buf_done) struct buf line = BUF_INIT(0);

	resource_tsv_header(row_at(path)->columns, &line);
	assert_string_equal(line.data, want);
}

static void expect_column(const char *path, const char *column,
			  const char *item, const char *want)
{
	const struct resource_column *c = row_at(path)->columns;
	cleanup(json_free) struct json *json = parse(item);
	cleanup(buf_done) struct buf value = BUF_INIT(0);

	while (c->name && strcmp(c->name, column) != 0)
		c++;
	assert_non_null(c->name);
	resource_value(c, json, &value);
	assert_string_equal(value.data ? value.data : "", want);
}

static void expect_file(const char *path, const char *name, const char *item,
			const char *want)
{
	const struct resource_file *file =
		resource_find_file(row_at(path)->items->files, name);
	cleanup(buf_done) struct buf out = BUF_INIT(0);

	assert_non_null(file);
	assert_int_equal(resource_render(file, item, strlen(item), &out), 0);
	assert_string_equal(out.data ? out.data : "", want);
}

/* ---- pull requests ---- */

#define ADA                                                         \
	"{\"display_name\":\"Ada Lindqvist\",\"nickname\":\"ada\"," \
	"\"account_id\":\"557058:ada\",\"uuid\":\"{a-1}\"}"
#define GRACE                                                                 \
	"{\"display_name\":\"Grace\",\"nickname\":\"grace\",\"uuid\":\"{g-2}" \
	"\"}"

static const char pull[] =
	"{\"id\":12,\"state\":\"OPEN\",\"author\":" ADA ","
	"\"title\":\"WID-3: a\\ttab\",\"draft\":true,"
	"\"description\":\"Closes WID-3, AB2-77.\",\"comment_count\":4,"
	"\"task_count\":1,\"created_on\":\"2026-11-01T10:00:00+00:00\","
	"\"updated_on\":\"2026-11-02T10:00:00+00:00\","
	"\"source\":{\"branch\":{\"name\":\"fix/WID-9\"},"
	"\"commit\":{\"hash\":\"0123456789ab\"},"
	"\"repository\":{\"full_name\":\"ada/widgets\"}},"
	"\"destination\":{\"branch\":{\"name\":\"main\"},"
	"\"commit\":{\"hash\":\"ba9876543210\"},"
	"\"repository\":{\"full_name\":\"acme/widgets\"}},"
	"\"reviewers\":[" GRACE ",{\"display_name\":\"Linus\"}],"
	"\"participants\":["
	"{\"user\":" GRACE ",\"approved\":true,\"state\":\"approved\"},"
	"{\"user\":" ADA ",\"approved\":false,\"state\":null},"
	"{\"user\":{\"nickname\":\"bob\"},\"approved\":false,"
	"\"state\":\"changes_requested\"},"
	"{\"user\":null,\"approved\":true,\"state\":\"approved\"}],"
	"\"queued\":false,\"close_source_branch\":true,\"reason\":\"\","
	"\"links\":{\"html\":{\"href\":\"https://h/12\"}}}";

static void pull_requests(void **state)
{
	(void)state;
	expect_header("pullrequests",
		      "id\tstate\tauthor\tupdated\tcreated\tsource\t"
		      "destination\treviewers\tapproved\tchanges_requested\t"
		      "comments\ttasks\tdraft\tjira\tbuilds\turl\ttitle\n");
	expect_line("pullrequests", pull,
		    "12\tOPEN\tada\t2026-11-02T10:00:00Z\t"
		    "2026-11-01T10:00:00Z\tfix/WID-9\tmain\t"
		    "grace,Linus\tgrace\tbob\t4\t1\ttrue\t"
		    "WID-3,WID-9,AB2-77\t\thttps://h/12\tWID-3: a\\ttab\n");
	expect_file("pullrequests/merged", "info", pull,
		    "id: 12\nstate: OPEN\nauthor: ada\n"
		    "updated: 2026-11-02T10:00:00Z\n"
		    "created: 2026-11-01T10:00:00Z\n"
		    "source: fix/WID-9\ndestination: main\n"
		    "reviewers: grace,Linus\napproved: grace\n"
		    "changes_requested: bob\ncomments: 4\ntasks: 1\n"
		    "draft: true\njira: WID-3,WID-9,AB2-77\n"
		    "title: WID-3: a tab\nsource_repository: ada/widgets\n"
		    "source_commit: 0123456789ab\n"
		    "destination_repository: acme/widgets\n"
		    "destination_commit: ba9876543210\n"
		    "close_source_branch: true\nqueued: false\n"
		    "url: https://h/12\n");
	expect_file("pullrequests", "title", pull, "WID-3: a\ttab\n");
	expect_file("pullrequests", "description.md", pull,
		    "Closes WID-3, AB2-77.\n");
}

static void summaries(void **state)
{
	(void)state;
	expect_file("pullrequests", "summary.md",
		    "{\"item\":{\"id\":12,\"title\":\"A \\u001b[2J cache\\n\","
		    "\"description\":\"One\\r\\n\\ttwo\\u202e\\n\\n\","
		    "\"reviewers\":[" GRACE ",{}," ADA "],\"participants\":"
		    "[{\"user\":" GRACE ",\"approved\":true},{\"user\":" ADA
		    ",\"state\":\"changes_requested\"}]},"
		    "\"tasks\":[{\"state\":\"RESOLVED\",\"content\":{\"raw\":"
		    "\"Do\\nit\"},\"creator\":" ADA "},{}],"
		    "\"statuses\":[{\"state\":\"FAILED\",\"key\":\"build\","
		    "\"url\":\"https://h/1\"},{}]}",
		    "id: 12\nreviewers: grace,ada\napproved: grace\n"
		    "changes_requested: ada\ntitle: A \\x1b[2J cache \n"
		    "\n# A \\x1b[2J cache\n\nOne\n\ttwo\\u202e\n"
		    "\n## Reviewers\n\n- grace: approved\n"
		    "- account gone: waiting\n- ada: changes requested\n"
		    "\n## Tasks\n\n- [x] Do (ada)\n- [ ]  (account gone)\n"
		    "\n## Statuses\n\n- FAILED: build https://h/1\n- : \n");
	/* Lists that are empty, or odd, and nothing at all. */
	expect_file("pullrequests", "summary.md",
		    "{\"item\":{\"reviewers\":{},\"title\":7},\"tasks\":[],"
		    "\"statuses\":{}}",
		    "title: 7\n\n# \n");
	expect_file("pullrequests", "summary.md", "{}", "\n# \n");
}

static void odd_pull_requests(void **state)
{
	static const char *const odd[] = {
		"{}",
		"{\"author\":null,\"source\":null,\"destination\":null,"
		"\"reviewers\":null,\"participants\":{},\"title\":null}",
		"{\"source\":{\"repository\":null,\"commit\":null,"
		"\"branch\":null},\"participants\":[null,1,\"x\",{}]}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(odd); i++)
		expect_line("pullrequests", odd[i],
			    "\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\n");
}

static void places(void **state)
{
	static const char *const pairs[][2] = {
		{"{}", ""},
		{"{\"state\":\"OPEN\"}", ""},
		{"{\"state\":\"MERGED\"}", "merged"},
		{"{\"state\":\"DECLINED\"}", "declined"},
		{"{\"state\":\"SUPERSEDED\"}", "superseded"},
	};
	const struct resource_items *items = row_at("pullrequests")->items;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		cleanup(json_free) struct json *json = parse(pairs[i][0]);

		assert_string_equal(items->where(json), pairs[i][1]);
		if (*pairs[i][1])
			assert_non_null(resource_find_row(
				row_at("pullrequests")->rows, pairs[i][1]));
	}
	assert_true(items->is_name("12"));
	assert_false(items->is_name("012"));
	assert_false(items->is_name("0"));
	assert_false(items->is_name("12x"));
	assert_false(items->is_name(""));
}

static void jira_keys(void **state)
{
	static const char *const pairs[][2] = {
		{"", ""},
		{"ABC-1", "ABC-1"},
		{"ABC-", ""},
		{"A-1", ""},
		{"1A-1", ""},
		{"abc-1", ""},
		{"aABC-1", ""},
		{"X9-10", "X9-10"},
		{"ABC-12def", "ABC-12"},
		{"ABC-1-2", "ABC-1"},
		{"[ABC-1](ABC-2)_ABC-3/ABC-1", "ABC-1,ABC-2,ABC-3"},
		{"ABC-10 ABC-1", "ABC-10,ABC-1"},
		{"ABC--1 ABC-x ABCDEF", ""},
		{"\xc3\x84"
		 "BC-1",
		 "BC-1"},
	};
	cleanup(buf_done) struct buf many = BUF_INIT(0);
	cleanup(buf_done) struct buf value = BUF_INIT(0);
	cleanup(json_free) struct json *json = NULL;
	size_t n = 1;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		cleanup(free) char *item =
			mem_asprintf("{\"message\":\"%s\"}", pairs[i][0]);

		expect_column("commits", "jira", item, pairs[i][1]);
	}
	/* As many as anybody wants to read. */
	buf_puts(&many, "{\"message\":\"");
	for (int i = 0; i < 100000; i++)
		buf_printf(&many, "K%d-%d ", i, i);
	buf_puts(&many, "\"}");
	json = parse(many.data);
	resource_value(&row_at("commits")->columns[3], json, &value);
	for (const char *at = value.data; (at = strchr(at, ',')); at++)
		n++;
	assert_int_equal(n, 50);
}

/* ---- below ---- */

static void events(void **state)
{
	(void)state;
	expect_line("pullrequests/@/activity",
		    "{\"pull_request\":{\"id\":1},\"approval\":{\"date\":\"d\","
		    "\"user\":" ADA "}}",
		    "d\tapproval\tada\t\t\t\t\n");
	expect_line("pullrequests/@/activity",
		    "{\"update\":{\"date\":\"d\",\"state\":\"OPEN\","
		    "\"author\":" GRACE ",\"reason\":\"\",\"title\":\"T\"},"
		    "\"pull_request\":{}}",
		    "d\tupdate\tgrace\tOPEN\t\t\tT\n");
	expect_line("pullrequests/@/activity",
		    "{\"comment\":{\"created_on\":\"c\",\"user\":null,\"id\":7,"
		    "\"inline\":{\"path\":\"a.c\"},"
		    "\"content\":{\"raw\":\"x\\ny\"}}}",
		    "c\tcomment\t\t\t7\ta.c\tx\\ny\n");
	expect_line("pullrequests/@/activity", "{\"pull_request\":{}}",
		    "\t\t\t\t\t\t\n");
	expect_line("pullrequests/@/activity", "{\"new_thing\":1}",
		    "\tnew_thing\t\t\t\t\t\n");
}

static void changes(void **state)
{
	(void)state;
	expect_header("pullrequests/@/changes",
		      "status\tadded\tremoved\told\tnew\n");
	expect_line("pullrequests/@/changes",
		    "{\"status\":\"renamed\",\"lines_added\":1,"
		    "\"lines_removed\":0,\"old\":{\"path\":\"a\"},"
		    "\"new\":{\"path\":\"b\"}}",
		    "renamed\t1\t0\ta\tb\n");
	expect_line("commits/@/changes",
		    "{\"status\":\"added\",\"lines_added\":3,"
		    "\"lines_removed\":0,\"old\":null,\"new\":{\"path\":"
		    "\"a\\nb\"}}",
		    "added\t3\t0\t\ta\\nb\n");
}

static void commits(void **state)
{
	static const char item[] =
		"{\"hash\":\"0123456789012345678901234567890123456789\","
		"\"date\":\"2026-11-01T10:00:00+00:00\",\"author\":{\"raw\":"
		"\"A <a@b>\"},\"message\":\"WID-1: one\\n\\nAnd WID-2.\","
		"\"parents\":[{\"hash\":\"aa\"},{\"hash\":\"bb\"}]}";
	const struct resource_items *items = row_at("commits")->items;
	cleanup(json_free) struct json *json = parse(item);

	(void)state;
	expect_line("commits", item,
		    "0123456789012345678901234567890123456789\t"
		    "2026-11-01T10:00:00Z\tA <a@b>\tWID-1,WID-2\t\t\t"
		    "WID-1: one\n");
	expect_file("commits", "message", item, "WID-1: one\n\nAnd WID-2.\n");
	expect_file("commits", "info", item,
		    "hash: 0123456789012345678901234567890123456789\n"
		    "date: 2026-11-01T10:00:00Z\nauthor: A <a@b>\n"
		    "author_raw: A <a@b>\nparents: aa,bb\n"
		    "jira: WID-1,WID-2\ntitle: WID-1: one\n");
	assert_true(items->is_final(json));
	json_free(json);
	json = parse("{\"hash\":\"0123\"}");
	assert_false(items->is_final(json));
}

static void refs(void **state)
{
	(void)state;
	expect_header("branches",
		      "name\thash\tdate\tauthor\tmerge_strategy\tjira\t"
		      "builds\turl\ttitle\n");
	expect_line("branches",
		    "{\"name\":\"fix/WID-2\",\"target\":{\"hash\":\"ab\","
		    "\"date\":\"d\",\"author\":{\"user\":" ADA "},"
		    "\"message\":\"WID-1\\nWID-2\"},"
		    "\"default_merge_strategy\":\"squash\"}",
		    "fix/WID-2\tab\td\tada\tsquash\tWID-2,WID-1\t\t\tWID-1\n");
	expect_header("tags", "name\thash\tdate\tauthor\tjira\turl\ttitle\n");
	expect_line("tags",
		    "{\"name\":\"v1\",\"message\":\"One\\n\",\"date\":\"t\","
		    "\"tagger\":{\"raw\":\"T <t@u>\"},\"target\":{\"hash\":"
		    "\"ab\",\"date\":\"d\",\"message\":\"Work\"}}",
		    "v1\tab\tt\tT <t@u>\t\t\tOne\n");
	expect_line("tags",
		    "{\"name\":\"v1\",\"message\":null,\"date\":null,"
		    "\"tagger\":null,\"target\":{\"hash\":\"ab\",\"date\":"
		    "\"d\",\"message\":\"Work\",\"author\":{\"user\":" ADA
		    "}}}",
		    "v1\tab\td\tada\t\t\tWork\n");
	expect_line("branches", "{\"target\":null}", "\t\t\t\t\t\t\t\t\n");
	expect_line("tags", "{}", "\t\t\t\t\t\t\n");
}

static void links(void **state)
{
	static const struct {
		const char *path, *id, *want;
	} all[] = {
		{"pullrequests/@/commits", "abc", "../../../commits/abc"},
		{"pullrequests/merged/@/commits", "abc",
		 "../../../../commits/abc"},
		/* It leads nowhere else, whatever the service calls it. */
		{"pullrequests/@/commits", "../../x",
		 "../../../commits/..%2F..%2Fx"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		cleanup(buf_done) struct buf target = BUF_INIT(0);

		row_at(all[i].path)->items->link(all[i].id, &target);
		assert_string_equal(target.data, all[i].want);
	}
	/* Nor back to where one came from. */
	assert_null(row_at("commits/@/pullrequests")->items);
}

/* ---- conversations ---- */

static void render_thread(const char *text, size_t n, struct buf *out)
{
	const struct resource_file *file =
		row_at("pullrequests/@/comments")->files;
	cleanup(json_free) struct json *json = NULL;

	if (json_parse(text, n, &json))
		return;
	assert_string_equal(file->name, "thread.md");
	assert_int_equal(file->render(file, json, out), 0);
}

static void expect_thread(const char *comments, const char *want)
{
	cleanup(buf_done) struct buf out = BUF_INIT(0);

	render_thread(comments, strlen(comments), &out);
	assert_string_equal(out.data, want);
}

#define AT(n) "\"created_on\":\"2026-10-03T14:0" n ":00+00:00\""
#define SAID(id, n, who, text)                       \
	"{\"id\":" id "," AT(n) ",\"user\":" who "," \
				"\"content\":{\"raw\":\"" text "\"}"
#define ANSWERS(id) ",\"parent\":{\"id\":" id "}"
#define OF_12 ",\"pullrequest\":{\"id\":12,\"title\":\"Add a\\ncache\"}"

static const char thread[] =
	"[" SAID("101", "1", ADA, "Why?\\r\\n\\r\\nI mean it.\\n\\n") OF_12 "},"
	/* Its answer comes before it in the list. */
	SAID("104", "6", ADA, "Ask @{557058:ada} and @{g-2} and @{x}.") ANSWERS(
		"103") "}," SAID("103", "3", GRACE,
				 "") ANSWERS("101") ",\"deleted\":true}," SAID("102",
									       "2",
									       GRACE,
									       "Because.")
		ANSWERS("101") "}," SAID(
			"106", "5", "null",
			"Not @{ this") ",\"inline\":{\"path\":\"src/"
				       "cache.c\",\"to\":42,\"from\":40,"
				       "\"outdated\":true},\"resolution\":{"
				       "\"user\":" GRACE
				       "," AT("9") "}}," SAID("105", "4", GRACE, "\\u001b[31mred\\u0007") ",\"inline\":{\"path\":\"src/cache.c\",\"to\":null,\"from\":9}}," SAID(
					       "107", "7", GRACE,
					       "One.") ",\"inline\":{"
						       "\"path\":"
						       "\"a\\tb\","
						       "\"to\":7,"
						       "\"start_to\":3}}"
						       "," SAID("108", "8",
								GRACE, "  ")
							       ANSWERS("999") ",\"pending\":true}]";

static void conversations(void **state)
{
	(void)state;
	expect_thread("[]", "No comments.\n");
	expect_thread(
		thread,
		"# 7 comments on pull request 12: Add a\n"
		"\n"
		"1 of 5 threads resolved.\n"
		"\n"
		"## Conversation\n"
		"\n"
		"- **Ada Lindqvist** · 2026-10-03T14:01:00Z · #101\n"
		"\n"
		"  Why?\n"
		"\n"
		"  I mean it.\n"
		"\n"
		"  - **Grace** · 2026-10-03T14:02:00Z · #102\n"
		"\n"
		"    Because.\n"
		"\n"
		"  - **Grace** · 2026-10-03T14:03:00Z · deleted · #103\n"
		"\n"
		"    *This comment was deleted.*\n"
		"\n"
		"    - **Ada Lindqvist** · 2026-10-03T14:06:00Z · #104\n"
		"\n"
		"      Ask @Ada Lindqvist and @Grace and @{x}.\n"
		"\n"
		"- **Grace** · 2026-10-03T14:08:00Z · pending, not sent yet · "
		"answers #999, which is gone · #108\n"
		"\n"
		"  *This comment has no text.*\n"
		"\n"
		"## a\\tb:3-7\n"
		"\n"
		"- **Grace** · 2026-10-03T14:07:00Z · #107\n"
		"\n"
		"  One.\n"
		"\n"
		"## src/cache.c:9 (before the change)\n"
		"\n"
		"- **Grace** · 2026-10-03T14:04:00Z · #105\n"
		"\n"
		"  \\x1b[31mred\\x07\n"
		"\n"
		"## src/cache.c:42\n"
		"\n"
		"- **(account gone)** · 2026-10-03T14:05:00Z · outdated · "
		"resolved by Grace, 2026-10-03T14:09:00Z · #106\n"
		"\n"
		"  Not @{ this\n");
}

static void odd_comments(void **state)
{
	(void)state;
	expect_thread("[null,1,\"x\",[]]", "No comments.\n");
	expect_thread("{}", "No comments.\n");
	expect_thread("[{}]", "# 1 comment\n\n"
			      "## Conversation\n\n- **(account gone)**\n\n"
			      "  *This comment has no text.*\n");
	/* Circles: to itself, to each other. */
	expect_thread("[{\"id\":1,\"parent\":{\"id\":1},"
		      "\"content\":{\"raw\":\"a\"}},"
		      "{\"id\":2,\"parent\":{\"id\":3},"
		      "\"content\":{\"raw\":\"b\"}},"
		      "{\"id\":3,\"parent\":{\"id\":2},"
		      "\"content\":{\"raw\":\"c\"}}]",
		      "# 3 comments\n\n## Conversation\n\n"
		      "- **(account gone)** · answers #1, which is gone · #1\n"
		      "\n  a\n\n"
		      "- **(account gone)** · answers #3, which is gone · #2\n"
		      "\n  b\n\n"
		      "  - **(account gone)** · #3\n\n    c\n");
	expect_thread("[{\"id\":5,\"commit\":{\"hash\":"
		      "\"0123456789abcdef\"},\"content\":{\"raw\":\"x\"}}]",
		      "# 1 comment on commit 0123456789ab\n\n"
		      "## Conversation\n\n- **(account gone)** · #5\n\n  x\n");
}

/* Each answers the one before: neither the stack nor the text explodes. */
static void deep_threads(void **state)
{
	cleanup(buf_done) struct buf text = BUF_INIT(0);
	cleanup(buf_done) struct buf out = BUF_INIT(0);
	size_t n = 0;

	(void)state;
	for (int i = 1; i <= 50000; i++)
		buf_printf(&text,
			   "%c{\"id\":%d,\"parent\":{\"id\":%d},"
			   "\"content\":{\"raw\":\"@{@{@{@{\"}}",
			   i == 1 ? '[' : ',', i, i - 1);
	buf_puts(&text, "]");
	render_thread(text.data, text.len, &out);
	for (const char *at = out.data; (at = strstr(at, "- **")); at++)
		n++;
	assert_int_equal(n, 50000);
	assert_true(out.len < 5 * MIB);
	assert_null(strstr(out.data, "                   - **"));
}

static void mutated_thread(const char *text, size_t n, void *arg)
{
	cleanup(buf_done) struct buf out = BUF_INIT(0);

	(void)arg;
	render_thread(text, n, &out);
}

static void mutations(void **state)
{
	(void)state;
	assert_true(mutate(thread, strlen(thread), mutated_thread, NULL) > 300);
}

/* ---- recorded bodies ---- */

static size_t count(const char *text, char c)
{
	size_t n = 0;

	while ((text = strchr(text, c))) {
		text++;
		n++;
	}
	return n;
}

static void render_item(const struct resource *row, const struct json *item)
{
	const struct resource_file *file = row->items ? row->items->files
						      : NULL;
	cleanup(buf_done) struct buf header = BUF_INIT(0), line = BUF_INIT(0);

	resource_tsv_header(row->columns, &header);
	resource_tsv_line(row->columns, item, &line);
	assert_int_equal(line.failed, 0);
	assert_int_equal(count(line.data, '\n'), 1);
	assert_int_equal(count(line.data, '\t'), count(header.data, '\t'));
	for (; file && file->name; file++) {
		cleanup(buf_done) struct buf out = BUF_INIT(0);

		assert_int_equal(file->render(file, item, &out), 0);
	}
}

static void render_answer(const char *text, size_t n, void *arg)
{
	const struct resource *row = arg;
	cleanup(json_free) struct json *json = NULL;
	const struct json *values;

	if (json_parse(text, n, &json))
		return;
	values = json_at(json, "values");
	if (!json_is_array(values)) {
		render_item(row, json);
		return;
	}
	for (const struct json *i = json_first(values); i; i = json_next(i))
		render_item(row, i);
	for (const struct resource_file *f = row->files; f && f->name; f++) {
		cleanup(buf_done) struct buf out = BUF_INIT(0);

		assert_int_equal(f->render(f, values, &out), 0);
	}
}

#define JENKINS                                                              \
	"jenkinsci__bitbucket-branch-source-plugin/2.0-repositories-amuniz-" \
	"test-repos-"

static void render_bodies(const char *dir, void *arg)
{
	static const struct {
		const char *row, *name;
	} all[] = {
		{"pullrequests", "drone__go-scm/prs.json"},
		{"pullrequests", "drone__go-scm/pr.json"},
		{"pullrequests", "gildas__bitbucket-cli/pullrequests.json"},
		{"pullrequests", "gildas__bitbucket-cli/pullrequest.json"},
		{"pullrequests",
		 "gildas__bitbucket-cli/pullrequest-no-dest-repo.json"},
		{"pullrequests/merged", JENKINS "pullrequests_pagelen_50.json"},
		{"pullrequests/declined", JENKINS "pullrequests-1.json"},
		{"pullrequests/superseded", JENKINS "pullrequests-2.json"},
		{"pullrequests/@/comments", "drone__go-scm/prcomments.json"},
		{"pullrequests/@/comments", "drone__go-scm/prcomment.json"},
		{"pullrequests/@/changes", "drone__go-scm/pr_diffstat.json"},
		{"pullrequests/@/activity",
		 "gildas__bitbucket-cli/activity-approval.json"},
		{"pullrequests/@/activity",
		 "gildas__bitbucket-cli/activity-comment.json"},
		{"pullrequests/@/activity",
		 "gildas__bitbucket-cli/activity-missing.json"},
		{"pullrequests/@/activity",
		 "gildas__bitbucket-cli/activity-update.json"},
		{"pullrequests/@/commits",
		 JENKINS "pullrequests-1-commits_fields_values.hash_2Cvalues."
			 "author.raw_2Cvalues.date_2Cvalues.message_pagelen_1."
			 "json"},
		{"commits", "drone__go-scm/commits.json"},
		{"commits", "drone__go-scm/commit.json"},
		{"commits", "gildas__bitbucket-cli/commit.json"},
		{"commits", JENKINS "commit-046d9a3c1532.json"},
		{"commits",
		 JENKINS "commits_include_feature_2Fdiffstat_exclude_174561d."
			 "json"},
		{"commits/@/changes", "drone__go-scm/diffstat.json"},
		{"commits/@/changes",
		 JENKINS "diffstat-feature_2Fdiffstat..174561d.json"},
		{"commits/@/changes",
		 "_spec_examples/"
		 "repositories__workspace__repo_slug__diffstat__spec.200.json"},
		{"commits/@/statuses", "drone__go-scm/statuses.json"},
		{"commits/@/statuses", "drone__go-scm/status.json"},
		{"commits/@/statuses",
		 JENKINS "commit-046d9a3c1532acf4cf08fe93235c00e4d673c1d2-"
			 "statuses-build.json"},
		{"branches", "drone__go-scm/branches.json"},
		{"branches", "drone__go-scm/branch.json"},
		{"branches", "gildas__bitbucket-cli/branch.json"},
		{"branches", JENKINS "refs-branches_pagelen_100.json"},
		{"branches", JENKINS "refs-branches-feature_2FBB-1.json"},
		{"branches", "_spec_examples/repositories__workspace__repo_"
			     "slug__refs__branches.200.json"},
		{"tags", "drone__go-scm/tags.json"},
		{"tags", "drone__go-scm/tag.json"},
		{"tags", "gildas__bitbucket-cli/tags.json"},
		{"tags", JENKINS "refs-tags_pagelen_100.json"},
		{"tags", JENKINS "refs-tags-v0.0.0.json"},
		{"pullrequests/@/conflicts",
		 "_spec_examples/repositories__workspace__repo_slug__file-"
		 "conflicts__spec.200.json"},
	};

	(void)arg;
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		cleanup(buf_done) struct buf text = BUF_INIT(0);
		const struct resource *row = row_at(all[i].row);

		recorded_read(dir, all[i].name, &text);
		render_answer(text.data, text.len, (void *)(uintptr_t)row);
		if (text.len < 3 * KIB)
			mutate(text.data, text.len, render_answer,
			       (void *)(uintptr_t)row);
	}
}

static void recorded_bodies(void **state)
{
	(void)state;
	recorded_each(render_bodies, NULL);
}

static void read_gone(const char *dir, void *arg)
{
	cleanup(buf_done) struct buf text = BUF_INIT(0);
	cleanup(json_free) struct json *json = NULL;

	(void)arg;
	recorded_read(dir,
		      "gildas__bitbucket-cli/pullrequest-no-dest-repo.json",
		      &text);
	json = parse(text.data);
	assert_null(json_at(json, "destination.repository"));
	expect_column("pullrequests", "id", text.data, "2");
	expect_column("pullrequests", "destination", text.data,
		      json_str(json, "destination.branch.name"));
}

static void a_repository_that_is_gone(void **state)
{
	(void)state;
	recorded_each(read_gone, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pull_requests),
		cmocka_unit_test(summaries),
		cmocka_unit_test(odd_pull_requests),
		cmocka_unit_test(places),
		cmocka_unit_test(jira_keys),
		cmocka_unit_test(events),
		cmocka_unit_test(changes),
		cmocka_unit_test(commits),
		cmocka_unit_test(refs),
		cmocka_unit_test(links),
		cmocka_unit_test(conversations),
		cmocka_unit_test(odd_comments),
		cmocka_unit_test(deep_threads),
		cmocka_unit_test(mutations),
		cmocka_unit_test(recorded_bodies),
		cmocka_unit_test(a_repository_that_is_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
