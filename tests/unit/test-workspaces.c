/*
 * content/documents, the root: what is listed, entered by name, refused,
 * renamed.
 */
#include "identity-world.h"

static void the_root(void **state)
{
	struct world *w = *state;

	expect_root(w, READ_CACHED, "-2");
	expect_requests(w, 0);
	expect_root(w, READ_THROUGH, "acme zoo");
	expect_root(w, READ_THROUGH, "acme zoo");
	expect_enter(w, "acme", 0);
	expect_requests(w, 1);
	assert_string_equal(tiny_got(w->tiny, 0)->path,
			    "/user/workspaces?pagelen=100");
	remount(w);
	expect_root(w, READ_THROUGH, "acme zoo");
	expect_requests(w, 0);
}

static void entered_by_name(void **state)
{
	struct world *w = *state;

	expect_root(w, READ_THROUGH, "acme zoo");
	expect_enter(w, "foreign", 0);
	expect_requests(w, 2);
	expect_enter(w, "foreign", 0);
	expect_root(w, READ_THROUGH, "acme foreign zoo");
	expect_requests(w, 0);
	/* For this mount. */
	remount(w);
	expect_root(w, READ_THROUGH, "acme zoo");
	expect_enter(w, "foreign", 0);
	expect_root(w, READ_THROUGH, "acme foreign zoo");
	expect_requests(w, 0);
}

static void impossible_names(void **state)
{
	static const char *const bad[] = {
		".git",        ".Trash-1000", ".hidden", "Acme", "a.b",
		"desktop.ini", "a b",         "\xff",    "%41",  "{01}"};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		expect_enter(w, bad[i], -ENOENT);
	expect_requests(w, 0);
	expect_root(w, READ_THROUGH, "acme zoo");
	expect_requests(w, 1);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		expect_enter(w, bad[i], -ENOENT);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (strcmp(bad[i], "a.b") && strcmp(bad[i], ".git") &&
		    strcmp(bad[i], ".hidden") &&
		    strcmp(bad[i], "desktop.ini") && bad[i][1] != 'T')
			expect_repo(w, "acme", bad[i], "-2");
	expect_requests(w, 0);
}

static void unknown_names(void **state)
{
	struct world *w = *state;
	struct answer_age age;

	expect_enter(w, "nobody", -ENOENT);
	expect_requests(w, 2);
	assert_int_equal(enter(w, "nobody", &age), -ENOENT);
	assert_int_equal(age.left_ms, MINUTE);
	expect_requests(w, 0);
	/* Made meanwhile: seen when the negative answer is too old. */
	w->workspaces[w->n_workspaces++] =
		(struct ws){.slug = "nobody", .uuid = "{05}"};
	clock_advance(11 * MINUTE);
	expect_enter(w, "nobody", 0);
	expect_requests(w, 1);
}

static void refused_workspace(void **state)
{
	struct world *w = *state;

	expect_root(w, READ_THROUGH, "acme zoo");
	expect_enter(w, "secret", -EACCES);
	expect_requests(w, 2);
	/* Remembered for a moment only. */
	expect_enter(w, "secret", -EACCES);
	expect_requests(w, 0);
	clock_advance(2000);
	expect_enter(w, "secret", -EACCES);
	expect_requests(w, 1);
	expect_root(w, READ_THROUGH, "acme zoo");
}

static void refused_list(void **state)
{
	struct world *w = *state;

	w->account_status = 403;
	expect_root(w, READ_THROUGH, "-13");
	/* By name it may do all the same. */
	expect_enter(w, "acme", 0);
	expect_enter(w, "nobody", -ENOENT);
}

static void vanished_workspaces(void **state)
{
	struct world *w = *state;

	expect_root(w, READ_THROUGH, "acme zoo");
	/* Not listed any more, but there: stays. */
	ws(w, "zoo")->member = false;
	expect_root(w, READ_REFRESH, "acme zoo");
	expect_requests(w, 3);
	assert_string_equal(w->said, "");
	/* A server fault takes nothing away. */
	ws(w, "zoo")->status = 400;
	expect_root(w, READ_REFRESH, "acme zoo");
	/* A failing list neither. */
	w->account_status = 403;
	expect_root(w, READ_REFRESH, "-13");
	clock_advance(60 * MINUTE);
	expect_root(w, READ_THROUGH, "acme zoo");
	w->account_status = 0;
	ws(w, "zoo")->status = 403;
	expect_root(w, READ_REFRESH, "acme");
	assert_non_null(strstr(w->said, "zoo: "));
}

static void renamed_workspace(void **state)
{
	struct world *w = *state;
	uint64_t version;

	expect_root(w, READ_THROUGH, "acme zoo");
	expect_listing(w, "acme", READ_THROUGH,
		       "gadgets={a2} old={a3} widgets={a1}");
	version = expect_document(w, "acme", "old", READ_THROUGH, 0, "\"old\"");
	expect_requests(w, 2);
	ws(w, "acme")->slug = "apex";
	for (size_t i = 0; i < 3; i++)
		w->repos[i].workspace = "apex";
	expect_root(w, READ_REFRESH, "apex zoo");
	expect_requests(w, 1);
	/* Nothing is fetched again. */
	expect_listing(w, "apex", READ_THROUGH,
		       "gadgets={a2} old={a3} widgets={a1}");
	assert_int_equal(
		expect_document(w, "apex", "old", READ_THROUGH, 0, "\"old\""),
		version);
	expect_requests(w, 0);
}

/* A name that the service still knows it by, or that was configured, is no
 * second directory. */
static void former_workspace_name(void **state)
{
	static const char *const configured[] = {"foreign", NULL};
	struct world *w = *state;

	sign_in(w, "ada@example.com", "ATATsecret", configured);
	expect_root(w, READ_THROUGH, "acme foreign zoo");
	ws(w, "acme")->former = "acme-old";
	expect_enter(w, "acme-old", -ENOENT);
	expect_root(w, READ_THROUGH, "acme foreign zoo");
	/* One that was entered, and has another name by now. */
	expect_enter(w, "secret", -EACCES);
	ws(w, "secret")->status = 0;
	clock_advance(3000);
	expect_enter(w, "secret", 0);
	expect_root(w, READ_THROUGH, "acme foreign secret zoo");
	ws(w, "secret")->member = true;
	ws(w, "secret")->former = "secret";
	ws(w, "secret")->slug = "secrets";
	expect_root(w, READ_REFRESH, "acme foreign secrets zoo");
}

/* A server between that knows no uuids of workspaces. */
static void without_uuids(void **state)
{
	struct world *w = *state;

	w->slugs_only = true;
	expect_root(w, READ_THROUGH, "acme zoo");
	expect_listing(w, "acme", READ_THROUGH,
		       "gadgets={a2} old={a3} widgets={a1}");
	expect_requests(w, 3);
	/* It is tried once. */
	expect_listing(w, "acme", READ_ANEW,
		       "gadgets={a2} old={a3} widgets={a1}");
	expect_document(w, "acme", "old", READ_REFRESH, 0, "old");
	assert_string_equal(tiny_got(w->tiny, 4)->path,
			    "/repositories/acme/%7Ba3%7D");
	expect_requests(w, 2);
	/* Another one's listing is not its. */
	ws(w, "acme")->slug = "apex";
	for (size_t i = 0; i < 3; i++)
		w->repos[i].workspace = "apex";
	ws(w, "foreign")->slug = "acme";
	repo(w, "{f1}")->workspace = "acme";
	expect_listing(w, "acme", READ_ANEW, "-5");
	expect_listing(w, "acme", READ_THROUGH,
		       "gadgets={a2} old={a3} widgets={a1}");
	expect_root(w, READ_REFRESH, "apex zoo");
	expect_listing(w, "apex", READ_ANEW,
		       "gadgets={a2} old={a3} widgets={a1}");
}

/* The uuid is gone, and the name another's: that is a 404. */
static void uuid_of_another(void **state)
{
	struct world *w = *state;

	expect_root(w, READ_THROUGH, "acme zoo");
	ws(w, "acme")->slug = "gone";
	ws(w, "gone")->gone = true;
	for (size_t i = 0; i < 3; i++)
		w->repos[i].workspace = "gone";
	ws(w, "foreign")->slug = "acme";
	repo(w, "{f1}")->workspace = "acme";
	expect_listing(w, "acme", READ_THROUGH, "-2");
}

static void odd_workspace_names(void **state)
{
	struct world *w = *state;

	w->workspaces[w->n_workspaces++] = (struct ws){
		.slug = ".bitbucketfs", .uuid = "{06}", .member = true};
	w->workspaces[w->n_workspaces++] =
		(struct ws){.slug = "a/B c", .uuid = "{07}", .member = true};
	add(w, "a/B c", "x", "{b1}");
	expect_root(w, READ_THROUGH, "%2Ebitbucketfs a%2FB c acme zoo");
	expect_enter(w, "a%2FB c", 0);
	expect_enter(w, "%2Ebitbucketfs", 0);
	expect_requests(w, 1);
	/* It is asked for by its uuid, for which no name is odd. */
	expect_listing(w, "a%2FB c", READ_THROUGH, "x={b1}");
	assert_string_equal(tiny_got(w->tiny, 1)->path,
			    "/repositories/%7B07%7D?sort=created_on&"
			    "pagelen=100");
}

/* Its uuid is told only after directories were made by its name: there is one
 * listing of it from then on, and they are brought up to date by that. */
static void uuid_known_later(void **state)
{
	static const char *const configured[] = {"acme", NULL};
	struct world *w = *state;
	cleanup(documents_repository_done) struct documents_repository one = {
		0};
	cleanup(answer_document_done) struct answer_document document = {0};
	cleanup(ctx_done) struct ctx ctx;
	struct answer_age age;

	ctx_init(&ctx, NULL, -1);
	sign_in(w, "ada@example.com", "ATATsecret", configured);
	w->account_status = 403;
	expect_root(w, READ_THROUGH, "-13");
	expect_listing(w, "acme", READ_THROUGH,
		       "gadgets={a2} old={a3} widgets={a1}");
	assert_int_equal(documents_find_repository(&ctx, w->documents, "acme",
						   "old", &one, &age),
			 0);
	assert_string_equal(one.listing->workspace_id, "acme");
	w->account_status = 0;
	expect_root(w, READ_REFRESH, "acme zoo");
	expect_listing(w, "acme", READ_THROUGH,
		       "gadgets={a2} old={a3} widgets={a1}");
	expect_requests(w, 4);
	clock_advance(60 * MINUTE);
	assert_int_equal(
		document_of(&ctx, w, "acme", &one, READ_THROUGH, &document), 0);
	assert_true(document.age.left_ms > 0);
	assert_non_null(strstr(tiny_got(w->tiny, w->asked)->path,
			       "/repositories/%7B01%7D?"));
	expect_listing(w, "acme", READ_THROUGH,
		       "gadgets={a2} old={a3} widgets={a1}");
	expect_requests(w, 1);
}

/* A workspace without a uuid whose file name is not its name. */
static void scope_of_a_repository(void **state)
{
	struct world *w = *state;
	cleanup(documents_repository_done) struct documents_repository one = {
		0};
	cleanup(ctx_done) struct ctx ctx;
	struct answer_age age;

	w->workspaces[w->n_workspaces++] =
		(struct ws){.slug = ".bitbucketfs", .uuid = "", .member = true};
	add(w, ".bitbucketfs", "x", "{b1}");
	expect_root(w, READ_THROUGH, "%2Ebitbucketfs acme zoo");
	expect_listing(w, "%2Ebitbucketfs", READ_THROUGH, "x={b1}");
	ctx_init(&ctx, NULL, -1);
	assert_int_equal(documents_find_repository(&ctx, w->documents,
						   "%2Ebitbucketfs", "x", &one,
						   &age),
			 0);
	assert_string_equal(one.listing->workspace, "%2Ebitbucketfs");
	assert_string_equal(one.listing->slug, ".bitbucketfs");
}

static void configured_ones(void **state)
{
	static const char *const configured[] = {"foreign", "acme", NULL};
	struct world *w = *state;

	sign_in(w, NULL, NULL, configured);
	expect_root(w, READ_THROUGH, "acme foreign");
	expect_root(w, READ_REFRESH, "acme foreign");
	expect_enter(w, "foreign", 0);
	expect_requests(w, 0);
	expect_listing(w, "foreign", READ_THROUGH, "public={f1}");
	expect_repo(w, "foreign", "public", "{f1}");
	expect_requests(w, 1);
	expect_enter(w, "zoo", 0);
	expect_requests(w, 1);
	expect_root(w, READ_THROUGH, "acme foreign zoo");
	sign_in(w, NULL, "ATCTTtoken", configured + 1);
	expect_root(w, READ_THROUGH, "acme");
	expect_requests(w, 0);
	/* Beside those of an account. */
	sign_in(w, "ada@example.com", "ATATsecret", configured);
	expect_root(w, READ_THROUGH, "acme foreign zoo");
	expect_requests(w, 1);
}

/* Configured, entered and the account's: each once, however often named. */
static void each_once(void **state)
{
	static const char *const configured[] = {"foreign", "acme", "foreign",
						 "b", NULL};
	struct world *w = *state;

	ws(w, "secret")->status = 0;
	sign_in(w, "ada@example.com", "ATATsecret", configured);
	expect_enter(w, "secret", 0);
	expect_enter(w, "foreign", 0);
	expect_root(w, READ_THROUGH, "acme b foreign secret zoo");
	/* One that was configured by a name that it no longer has. */
	ws(w, "foreign")->member = true;
	ws(w, "foreign")->slug = "zz";
	expect_root(w, READ_REFRESH, "acme b foreign secret zoo zz");
	ws(w, "secret")->member = true;
	ws(w, "secret")->slug = "open";
	expect_root(w, READ_REFRESH, "acme b foreign open zoo zz");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(the_root),
		T(entered_by_name),
		T(impossible_names),
		T(unknown_names),
		T(refused_workspace),
		T(refused_list),
		T(vanished_workspaces),
		T(renamed_workspace),
		T(former_workspace_name),
		T(without_uuids),
		T(uuid_of_another),
		T(odd_workspace_names),
		T(uuid_known_later),
		T(scope_of_a_repository),
		T(configured_ones),
		T(each_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
