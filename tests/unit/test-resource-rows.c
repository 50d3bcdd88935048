/*
 * table/resource: what holds of every row of the table, and that bodies which
 * the service once sent (or mutations of them) pass through their rows whole.
 */
#include "table/resource.h"

#include "recorded.h"

static const struct resource *const places[] = {
	&resource_repository, resource_workspace, &resource_account};

/* ---- every row ---- */

struct walk {
	size_t n_rows;
	void (*row)(const struct resource *, unsigned depth);
};

static void walk_rows(struct walk *w, const struct resource *row,
		      unsigned depth)
{
	for (; row && row->name; row++) {
		w->n_rows++;
		w->row(row, depth);
		walk_rows(w, row->rows, depth);
		/* Items of a row beside another's are that one's. */
		if (row->items && !row->is_beside)
			walk_rows(w, row->items->rows, depth + 1);
	}
}

static size_t each_row(void (*each)(const struct resource *, unsigned depth))
{
	struct walk w = {.row = each};

	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		walk_rows(&w, places[i]->rows, 0);
	return w.n_rows;
}

/* Placeholders are those that the place has a meaning for. */
static void good_endpoint(const char *endpoint, unsigned depth)
{
	assert_int_equal(endpoint[0], '/');
	assert_null(strchr(endpoint, ' '));
	for (const char *p = endpoint; (p = strchr(p, '{')); p++) {
		if (!strncmp(p, "{ws}", 4) || !strncmp(p, "{repo}", 6) ||
		    !strncmp(p, "{me}", 4))
			continue;
		if (p[1] < '1' || p[1] > '3' || p[2] != '}' ||
		    (unsigned)(p[1] - '0') > depth)
			fail_msg("%s at depth %u", endpoint, depth);
	}
}

static void good_columns(const struct resource_column *column)
{
	cleanup(json_free) struct json *json = NULL;
	cleanup(buf_done) struct buf line = BUF_INIT(0);
	size_t n_tabs = 0, n = 0;

	assert_int_equal(json_parse("{}", 2, &json), 0);
	resource_tsv_line(column, json, &line);
	for (const struct resource_column *c = column; c->name; c++, n++) {
		assert_true(!c->path != !c->render);
		assert_null(strpbrk(c->name, " \t\n:"));
		for (const struct resource_column *d = c + 1; d->name; d++)
			assert_string_not_equal(c->name, d->name);
	}
	for (const char *p = line.data; *p; p++)
		n_tabs += *p == '\t';
	assert_true(n > 0);
	assert_int_equal(n_tabs, n - 1);
}

static void good_files(const struct resource_file *file)
{
	for (; file && file->name; file++) {
		assert_non_null(file->render);
		assert_true(file->render != resource_info || file->columns);
		assert_true(file->render != resource_text || file->path);
		if (file->columns)
			good_columns(file->columns);
		if (file[1].name)
			assert_true(strcmp(file->name, file[1].name) < 0);
	}
}

static void good_row(const struct resource *row, unsigned depth)
{
	const struct resource_items *items = row->items;
	bool group = row->kind == RESOURCE_GROUP;

	assert_null(strpbrk(row->name, "/ \t\n"));
	/* One that a special makes of what is at hand asks nobody. */
	if (!group && !(row->special == RESOURCE_RED && !row->endpoint)) {
		assert_non_null(row->endpoint);
		good_endpoint(row->endpoint, depth);
		assert_true(row->ttl_s >= 5 || row->special);
	}
	good_files(row->files);
	for (const struct resource *r = row->rows; r && r->name; r++)
		assert_null(resource_find_file(row->files, r->name));
	if (row->kind == RESOURCE_COLLECTION && row->paging != RESOURCE_PARTS)
		good_columns(row->columns);
	assert_true(!row->q || row->paging == RESOURCE_NEWEST);
	assert_true(!items || row->kind == RESOURCE_COLLECTION);
	if (!items)
		return;
	assert_true(!items->name != !items->name_path);
	assert_non_null(items->id_path);
	assert_true(!items->is_name || items->endpoint);
	if (items->endpoint)
		good_endpoint(items->endpoint, depth + 1);
	good_files(items->files);
}

static void every_row(void **state)
{
	(void)state;
	assert_true(each_row(good_row) > 40);
}

/* ---- bodies ---- */

/* "settings/hooks": @ goes into the items. */
static const struct resource *row_at(const struct resource *place,
				     const char *path)
{
	cleanup(free) char *copy = mem_strdup(path);
	const struct resource *row = place;
	bool inside = false;

	for (char *at = copy, *name; (name = strsep(&at, "/"));) {
		if (!strcmp(name, "@")) {
			inside = true;
			continue;
		}
		row = resource_find_row(inside ? row->items->rows : row->rows,
					name);
		inside = false;
		if (!row)
			fail_msg("no row %s", path);
	}
	return row;
}

static size_t n_lines(const struct buf *text)
{
	size_t n = 0;

	for (size_t i = 0; i < text->len; i++)
		n += text->data[i] == '\n';
	return n;
}

static void render_files(const struct resource_file *file,
			 const struct json *json)
{
	for (; file && file->name; file++) {
		cleanup(buf_done) struct buf one = BUF_INIT(0);
		cleanup(buf_done) struct buf two = BUF_INIT(0);

		assert_int_equal(file->render(file, json, &one), 0);
		assert_int_equal(file->render(file, json, &two), 0);
		assert_int_equal(one.len, two.len);
		if (one.len)
			assert_memory_equal(one.data, two.data, one.len);
	}
}

/* What the row makes of one item; true: it has a name and an id. */
static bool take_item(const struct resource *row, const struct json *item)
{
	const struct resource_items *items = row->items;
	cleanup(buf_done) struct buf line = BUF_INIT(0);
	cleanup(buf_done) struct buf name = BUF_INIT(0);
	struct resource_column id = {"", items ? items->id_path : row->id,
				     NULL};
	cleanup(buf_done) struct buf value = BUF_INIT(0);

	resource_tsv_line(row->columns, item, &line);
	assert_int_equal(n_lines(&line), 1);
	if (!id.path)
		id.path = "uuid";
	resource_value(&id, item, &value);
	if (!items)
		return value.len > 0;
	render_files(items->files, item);
	if (items->name)
		items->name(item, &name);
	else
		resource_value(
			&(struct resource_column){"", items->name_path, NULL},
			item, &name);
	return value.len > 0 && name.len > 0;
}

/* How many entries came through, each of them whole. */
static size_t take(const struct resource *row, const struct json *body)
{
	const struct json *values =
		json_is_array(body) ? body : json_at(body, "values");
	size_t n = 0;

	if (row->kind == RESOURCE_OBJECT) {
		render_files(row->files, body);
		return 1;
	}
	if (!json_is_array(values))
		return take_item(row, body);
	for (const struct json *i = json_first(values); i; i = json_next(i))
		n += take_item(row, i);
	assert_true(n <= json_n_items(values));
	return n;
}

static void take_text(const char *text, size_t n, void *arg)
{
	cleanup(json_free) struct json *json = NULL;

	if (json_parse(text, n, &json))
		return;
	take(arg, json);
}

#define SPEC "_spec_examples/"
#define REPO SPEC "repositories__workspace__repo_slug__"
#define WS SPEC "workspaces__workspace__"
#define PRJ WS "projects__project_key__"

static const struct {
	const char *file;
	size_t place; /* 0 repository, 1 workspace, 2 account */
	const char *row;
	size_t n; /* entries */
} bodies[] = {
	{REPO "branching-model.200.json", 0, "settings/branching-model", 1},
	{REPO "branching-model.200.json", 0,
	 "settings/effective-branching-model", 1},
	{REPO "branching-model__settings.200.json", 0,
	 "settings/branching-model-settings", 1},
	{REPO "deploy-keys.200.json", 0, "settings/deploy-keys", 1},
	{REPO "deploy-keys__key_id.200.json", 0, "settings/deploy-keys", 1},
	{REPO "effective-default-reviewers.200.json", 0,
	 "settings/effective-default-reviewers", 2},
	{REPO "permissions-config__groups.200.json", 0,
	 "settings/permissions/groups", 2},
	{REPO "permissions-config__groups__group_slug.200.json", 0,
	 "settings/permissions/groups", 1},
	{REPO "permissions-config__users.200.json", 0,
	 "settings/permissions/users", 2},
	{REPO "permissions-config__users__selected_user_id.200.json", 0,
	 "settings/permissions/users", 1},
	{"drone__go-scm/hooks.json", 0, "settings/hooks", 1},
	{"drone__go-scm/hook.json", 0, "settings/hooks", 1},
	{"jenkinsci__bitbucket-branch-source-plugin/"
	 "2.0-repositories-amuniz-test-repos-hooks_pagelen_100.json",
	 0, "settings/hooks", 1},
	{"drone__go-scm/user.json", 0, "settings/default-reviewers", 1},
	{WS "permissions.200.json", 1, "permissions", 2},
	{WS "permissions.200.json", 1, "members", 2},
	{WS "permissions__repositories.200.json", 1, "repository-permissions",
	 0},
	{"drone__go-scm/perms.json", 1, "my-repository-permissions", 1},
	{SPEC "user__workspaces__workspace__permissions__repositories.200."
	      "json",
	 1, "my-repository-permissions", 1},
	{"gildas__bitbucket-cli/pullrequests.json", 1, "my-pullrequests", 2},
	{PRJ "branching-model.200.json", 1,
	 "projects/@/settings/branching-model", 1},
	{PRJ "branching-model__settings.200.json", 1,
	 "projects/@/settings/branching-model-settings", 1},
	{PRJ "default-reviewers.200.json", 1,
	 "projects/@/settings/default-reviewers", 2},
	{PRJ "deploy-keys.200.json", 1, "projects/@/settings/deploy-keys", 1},
	{PRJ "deploy-keys__key_id.200.json", 1,
	 "projects/@/settings/deploy-keys", 1},
	{PRJ "permissions-config__groups.200.json", 1,
	 "projects/@/settings/permissions/groups", 2},
	{PRJ "permissions-config__users.200.json", 1,
	 "projects/@/settings/permissions/users", 2},
	{SPEC "users__selected_user__gpg-keys.200.json", 2, "gpg-keys", 1},
	{SPEC "users__selected_user__gpg-keys__fingerprint.200.json", 2,
	 "gpg-keys", 1},
	{SPEC "users__selected_user__ssh-keys.200.json", 2, "ssh-keys", 1},
	{SPEC "users__selected_user__ssh-keys__key_id.200.json", 2, "ssh-keys",
	 1},
};

static void take_bodies(const char *dir, void *arg)
{
	(void)arg;
	for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
		const struct resource *row =
			row_at(places[bodies[i].place], bodies[i].row);
		cleanup(buf_done) struct buf text = BUF_INIT(0);
		cleanup(json_free) struct json *json = NULL;
		size_t n;

		recorded_read(dir, bodies[i].file, &text);
		assert_int_equal(json_parse(text.data, text.len, &json), 0);
		n = take(row, json);
		if (n != bodies[i].n)
			print_message("%s: %zu entries, not %zu\n",
				      bodies[i].file, n, bodies[i].n);
		assert_int_equal(n, bodies[i].n);
		mutate(text.data, text.len, take_text, (void *)(uintptr_t)row);
	}
}

static void recorded_bodies(void **state)
{
	(void)state;
	recorded_each(take_bodies, NULL);
}

/* ---- lines of an index ---- */

static const struct {
	size_t place;
	const char *row, *item, *line;
} lines[] = {
	{0, "settings/hooks",
	 "{\"uuid\":\"{1}\",\"url\":\"https://x\",\"active\":true,"
	 "\"description\":\"a\\tb\",\"events\":[\"repo:push\",1,\"repo:fork\"]"
	 "}",
	 "https://x\ttrue\ta\\tb\t\t\t{1}\trepo:push,repo:fork\n"},
	{0, "settings/branch-restrictions",
	 "{\"id\":7,\"kind\":\"push\",\"branch_match_kind\":\"glob\","
	 "\"pattern\":\"release/*\",\"value\":null,\"users\":[{\"nickname\":"
	 "\"ada\"},{\"display_name\":\"Ben\"}],\"groups\":[{\"slug\":\"devs\"}]"
	 "}",
	 "7\tpush\tglob\trelease/*\t\tada,Ben\tdevs\n"},
	{0, "settings/branch-restrictions",
	 "{\"id\":8,\"kind\":\"delete\",\"pattern\":\"\",\"branch_type\":"
	 "\"production\"}",
	 "8\tdelete\t\tproduction\t\t\t\n"},
	{0, "settings/pipelines/variables",
	 "{\"uuid\":\"{1}\",\"key\":\"A\",\"value\":\"b c\",\"secured\":false}",
	 "A\tfalse\tb c\t{1}\n"},
	{0, "settings/pipelines/variables",
	 "{\"uuid\":\"{1}\",\"key\":\"A\",\"value\":\"x\",\"secured\":true}",
	 "A\ttrue\t\t{1}\n"},
	{0, "settings/pipelines/runners",
	 "{\"name\":\"r\",\"labels\":[\"self.hosted\",\"linux\"],\"state\":{"
	 "\"status\":\"ONLINE\",\"version\":{\"version\":\"1.2\"}}}",
	 "r\tONLINE\tself.hosted,linux\t1.2\t\t\t\n"},
	{0, "deployments",
	 "{\"uuid\":\"{1}\",\"number\":3,\"state\":{\"name\":\"COMPLETED\","
	 "\"status\":{\"name\":\"FAILED\"}},\"environment\":{\"uuid\":\"{2}\"},"
	 "\"release\":{\"name\":\"#3\",\"commit\":{\"hash\":\"abc\"}}}",
	 "3\tCOMPLETED\tFAILED\t{2}\t#3\tabc\t\t\t\t{1}\t\n"},
	{1, "snippets/@/commits",
	 "{\"hash\":\"ab\",\"date\":\"d\",\"message\":\"one\\ntwo\","
	 "\"author\":{\"raw\":\"A <a@b>\"}}",
	 "ab\td\tA <a@b>\t\tone\n"},
	{1, "my-pullrequests",
	 "{\"id\":1,\"title\":\"t\",\"reviewers\":[{\"nickname\":\"a\"},null],"
	 "\"destination\":{\"repository\":null}}",
	 "\t1\t\t\t\t\t\ta\t\t\t\t\t\tt\n"},
	{2, "emails", "{\"email\":\"a@b\",\"is_primary\":true}",
	 "a@b\ttrue\t\n"},
};

static void index_lines(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		const struct resource *row =
			row_at(places[lines[i].place], lines[i].row);
		cleanup(json_free) struct json *json = NULL;
		cleanup(buf_done) struct buf line = BUF_INIT(0);

		assert_int_equal(
			json_parse(lines[i].item, strlen(lines[i].item), &json),
			0);
		resource_tsv_line(row->columns, json, &line);
		assert_string_equal(line.data, lines[i].line);
		mutate(lines[i].item, strlen(lines[i].item), take_text,
		       (void *)(uintptr_t)row);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row),
		cmocka_unit_test(recorded_bodies),
		cmocka_unit_test(index_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
