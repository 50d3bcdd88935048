/*
 * remote/catalog against a tiny Bitbucket whose workspaces and repositories
 * the test changes: identity by uuid, what costs a request, what vanishes.
 */
#include "remote/catalog.h"

#include "base/clock.h"
#include "base/file.h"
#include "tiny-server.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define MINUTE (INT64_C(60) * 1000)
#define WALL INT64_C(1790000000000)
#define MOST 32

struct repo {
	const char *workspace, *slug, *uuid, *description;
	bool hidden; /* not in the listing, but there by itself */
	bool gone;
	long status; /* of its own page, if not 200 */
};

struct ws {
	const char *slug, *uuid;
	bool member; /* listed among the account's */
	bool gone;
	long status; /* of its own page; 0: 200 */
	long listing_status;
};

struct world {
	struct tiny *tiny;
	struct http *http;
	struct budget *budget;
	struct credential *credential;
	struct bitbucket *bitbucket;
	char dir[64];
	struct cache *cache;
	struct source *source;
	struct catalog *catalog;
	const char *const *configured;
	char said[4096]; /* what catalog wanted said */
	/* The service; changed only between requests. */
	struct mutex lock;
	struct ws workspaces[MOST];
	size_t n_workspaces;
	struct repo repos[MOST];
	size_t n_repos;
	bool odd_in_listing;
	long account_status; /* of /user/workspaces and /user */
	unsigned asked;      /* requests seen by expect_requests */
};

/* ---- the service ---- */

static void answer(struct tiny_connection *c, long status, const char *headers,
		   const char *body)
{
	cleanup(free) char *head =
		xasprintf("HTTP/1.1 %ld X\r\nContent-Type: application/json\r\n"
			  "%sContent-Length: %zu\r\n\r\n",
			  status, headers, strlen(body));

	tiny_say(c, head);
	tiny_say(c, body);
}

static void refuse(struct tiny_connection *c, long status)
{
	answer(c, status, "",
	       "{\"type\":\"error\",\"error\":{\"message\":\"Not for you\"}}");
}

static const char *ws_uuid(const struct world *w, const char *slug)
{
	for (size_t i = 0; i < w->n_workspaces; i++)
		if (!strcmp(w->workspaces[i].slug, slug))
			return w->workspaces[i].uuid;
	return "";
}

static void add_repo(struct buf *out, const struct world *w,
		     const struct repo *r)
{
	buf_printf(out,
		   "{\"slug\":\"%s\",\"full_name\":\"%s/%s\",\"uuid\":\"%s\","
		   "\"description\":\"%s\",\"workspace\":{\"slug\":\"%s\","
		   "\"uuid\":\"%s\"},"
		   "\"updated_on\":\"2026-01-02T03:04:05+00:00\"}",
		   r->slug, r->workspace, r->slug, r->uuid,
		   r->description ? r->description : "", r->workspace,
		   ws_uuid(w, r->workspace));
}

static void serve_listing(struct tiny_connection *c, struct world *w,
			  const struct ws *ws)
{
	cleanup(buf_done) struct buf body = BUF_INIT(0);
	unsigned n = 0;

	if (ws->listing_status) {
		refuse(c, ws->listing_status);
		return;
	}
	buf_puts(&body, "{\"values\":[");
	if (w->odd_in_listing)
		buf_puts(&body, "{\"type\":\"repository\"},");
	for (size_t i = 0; i < w->n_repos; i++) {
		struct repo *r = &w->repos[i];

		if (r->gone || r->hidden || strcmp(r->workspace, ws->slug))
			continue;
		if (n++)
			buf_putc(&body, ',');
		add_repo(&body, w, r);
	}
	if (w->odd_in_listing)
		buf_printf(&body, "%s7", n ? "," : "");
	buf_puts(&body, "]}");
	answer(c, 200, "", body.data);
}

static void serve_workspaces(struct tiny_connection *c, struct world *w)
{
	cleanup(buf_done) struct buf body = BUF_INIT(0);
	unsigned n = 0;

	buf_puts(&body, "{\"values\":[");
	for (size_t i = 0; i < w->n_workspaces; i++) {
		const struct ws *ws = &w->workspaces[i];

		if (!ws->member || ws->gone)
			continue;
		buf_printf(
			&body,
			"%s{\"workspace\":{\"slug\":\"%s\",\"uuid\":\"%s\"}}",
			n++ ? "," : "", ws->slug, ws->uuid);
	}
	buf_puts(&body, "]}");
	answer(c, 200, "", body.data);
}

/* "%7Bab%7D" and "ab" are both understood. */
static bool names(const char *path, const char *slug, const char *uuid)
{
	cleanup(free) char *coded = NULL;

	if (!strcmp(path, slug))
		return true;
	if (*uuid != '{')
		return false;
	coded = xasprintf("%%7B%.*s%%7D", (int)strlen(uuid) - 2, uuid + 1);
	return !strcmp(path, coded);
}

static void serve_repository(struct tiny_connection *c, struct world *w,
			     const struct tiny_request *request,
			     const char *workspace, const char *name)
{
	for (size_t i = 0; i < w->n_repos; i++) {
		const struct repo *r = &w->repos[i];
		const char *given = tiny_header(request, "If-None-Match");
		cleanup(buf_done) struct buf body = BUF_INIT(0);
		cleanup(free) char *etag = NULL;
		char sha[48];

		if (r->gone || strcmp(r->workspace, workspace) ||
		    !names(name, r->slug, r->uuid))
			continue;
		if (r->status) {
			refuse(c, r->status);
			return;
		}
		snprintf(sha, sizeof(sha), "%zu-%zu", strlen(r->slug),
			 strlen(r->description ? r->description : ""));
		etag = xasprintf("ETag: \"%s\"\r\n", sha);
		if (given && strstr(etag, given)) {
			answer(c, 304, etag, "");
			return;
		}
		add_repo(&body, w, r);
		answer(c, 200, etag, body.data);
		return;
	}
	refuse(c, 404);
}

static void serve_workspace(struct tiny_connection *c, struct world *w,
			    const char *slug, bool listing)
{
	for (size_t i = 0; i < w->n_workspaces; i++) {
		const struct ws *ws = &w->workspaces[i];
		cleanup(free) char *body = NULL;

		if (ws->gone || strcmp(ws->slug, slug))
			continue;
		if (listing) {
			serve_listing(c, w, ws);
			return;
		}
		if (ws->status) {
			refuse(c, ws->status);
			return;
		}
		body = xasprintf("{\"slug\":\"%s\",\"uuid\":\"%s\"}", ws->slug,
				 ws->uuid);
		answer(c, 200, "", body);
		return;
	}
	refuse(c, 404);
}

static bool serve(struct tiny_connection *c, const struct tiny_request *request,
		  void *arg)
{
	struct world *w = arg;
	cleanup(free) char *path = xstrdup(request->path);
	char *rest, *slash;

	path[strcspn(path, "?")] = '\0';
	mutex_lock(&w->lock);
	if (!strncmp(path, "/user", 5) && w->account_status) {
		refuse(c, w->account_status);
	} else if (!strcmp(path, "/user/workspaces")) {
		serve_workspaces(c, w);
	} else if (!strcmp(path, "/user")) {
		answer(c, 200, "", "{\"display_name\":\"Ada\"}");
	} else if (!strncmp(path, "/workspaces/", 12)) {
		serve_workspace(c, w, path + 12, false);
	} else if (!strncmp(path, "/repositories/", 14)) {
		rest = path + 14;
		slash = strchr(rest, '/');
		if (slash)
			*slash = '\0';
		if (slash)
			serve_repository(c, w, request, rest, slash + 1);
		else
			serve_workspace(c, w, rest, true);
	} else {
		refuse(c, 404);
	}
	mutex_unlock(&w->lock);
	return true;
}

/* ---- the world ---- */

static void say(void *arg, const char *path, int errnum, const char *sentence)
{
	struct world *w = arg;
	size_t n = strlen(w->said);

	assert_true(errnum > 0);
	snprintf(w->said + n, sizeof(w->said) - n, "%s: %s\n", path, sentence);
}

static void open_catalog(struct world *w)
{
	const struct catalog_config config = {
		.bitbucket = w->bitbucket,
		.source = w->source,
		.cache = w->cache,
		.credential = w->credential,
		.workspaces = w->configured,
		.say = say,
		.say_arg = w,
	};

	catalog_free(w->catalog);
	w->catalog = NULL;
	assert_int_equal(catalog_new(&config, &w->catalog), 0);
}

static void sign_in(struct world *w, const char *email, const char *token,
		    const char *const *configured)
{
	const char *why;

	w->catalog = catalog_free(w->catalog);
	bitbucket_free(w->bitbucket);
	credential_free(w->credential);
	w->bitbucket = NULL;
	w->credential = NULL;
	w->configured = configured;
	assert_int_equal(
		credential_new(email, NULL, token, &w->credential, &why), 0);
	assert_int_equal(bitbucket_new(w->tiny->url, w->credential, w->http,
				       w->budget, &w->bitbucket),
			 0);
	open_catalog(w);
}

/* As after an unmount and a mount. */
static void remount(struct world *w)
{
	w->catalog = catalog_free(w->catalog);
	source_free(w->source);
	cache_close(w->cache);
	w->cache = NULL;
	assert_int_equal(cache_open(w->dir, &w->cache), 0);
	w->source = source_new(w->cache);
	open_catalog(w);
}

static int set_up(void **state)
{
	static const struct ws workspaces[] = {
		{.slug = "zoo", .uuid = "{02}", .member = true},
		{.slug = "acme", .uuid = "{01}", .member = true},
		{.slug = "foreign", .uuid = "{03}"},
		{.slug = "secret", .uuid = "{04}", .status = 403},
	};
	static const struct repo repos[] = {
		{.workspace = "acme", .slug = "widgets", .uuid = "{a1}"},
		{.workspace = "acme", .slug = "gadgets", .uuid = "{a2}"},
		{.workspace = "acme", .slug = "old", .uuid = "{a3}"},
		{.workspace = "foreign", .slug = "public", .uuid = "{f1}"},
	};
	const struct http_config config = {.user_agent = "test"};
	struct world *w = xcalloc(1, sizeof(*w));

	clock_fake(1000000, WALL);
	mutex_init(&w->lock);
	memcpy(w->workspaces, workspaces, sizeof(workspaces));
	w->n_workspaces = ARRAY_SIZE(workspaces);
	memcpy(w->repos, repos, sizeof(repos));
	w->n_repos = ARRAY_SIZE(repos);
	snprintf(w->dir, sizeof(w->dir), "/tmp/test-catalog-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	w->tiny = tiny_new(serve, w);
	assert_int_equal(http_new(&config, &w->http), 0);
	w->budget = budget_new();
	assert_int_equal(cache_open(w->dir, &w->cache), 0);
	w->source = source_new(w->cache);
	sign_in(w, "ada@example.com", "ATATsecret", NULL);
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	catalog_free(w->catalog);
	source_free(w->source);
	cache_close(w->cache);
	bitbucket_free(w->bitbucket);
	http_free(w->http);
	tiny_free(w->tiny);
	budget_free(w->budget);
	credential_free(w->credential);
	file_remove_tree(w->dir);
	mutex_done(&w->lock);
	free(w);
	clock_real();
	return 0;
}

static struct repo *repo(struct world *w, const char *uuid)
{
	for (size_t i = 0; i < w->n_repos; i++)
		if (!strcmp(w->repos[i].uuid, uuid))
			return &w->repos[i];
	fail_msg("no %s", uuid);
	return NULL;
}

static struct repo *add(struct world *w, const char *workspace,
			const char *slug, const char *uuid)
{
	struct repo *r = &w->repos[w->n_repos++];

	*r = (struct repo){.workspace = workspace, .slug = slug, .uuid = uuid};
	return r;
}

static struct ws *ws(struct world *w, const char *slug)
{
	for (size_t i = 0; i < w->n_workspaces; i++)
		if (!strcmp(w->workspaces[i].slug, slug))
			return &w->workspaces[i];
	fail_msg("no %s", slug);
	return NULL;
}

/* So many since this was asked last. */
static void expect_requests_at(struct world *w, unsigned n, int line)
{
	unsigned all = tiny_n_requests(w->tiny);

	if (all - w->asked != n) {
		for (unsigned i = w->asked; i < all; i++)
			print_message("%s\n", tiny_got(w->tiny, i)->path);
		fail_msg("line %d: %u requests, not %u", line, all - w->asked,
			 n);
	}
	w->asked = all;
}
#define expect_requests(w, n) expect_requests_at(w, n, __LINE__)

/* "acme zoo": the names of the root. Or "-13". */
static void expect_root_at(struct world *w, enum source_mode mode,
			   const char *want, int line)
{
	cleanup(catalog_workspaces_free) struct catalog_workspaces *all = NULL;
	cleanup(buf_done) struct buf is = BUF_INIT(0);
	cleanup(ctx_done) struct ctx ctx;
	int r;

	ctx_init(&ctx, NULL, -1);
	r = catalog_workspaces(&ctx, w->catalog, mode, &all);
	if (r)
		buf_printf(&is, "%d", r);
	for (size_t i = 0; all && i < all->n_items; i++)
		buf_printf(&is, "%s%s", i ? " " : "", all->items[i].slug);
	if (strcmp(is.data ? is.data : "", want))
		fail_msg("line %d: '%s', not '%s' (%s)", line, is.data, want,
			 ctx.sentence);
}
#define expect_root(w, mode, want) expect_root_at(w, mode, want, __LINE__)

/* "gadgets={a2} …" */
static uint64_t expect_listing_at(struct world *w, const char *workspace,
				  enum source_mode mode, const char *want,
				  int line)
{
	cleanup(catalog_repositories_free) struct catalog_repositories *all =
		NULL;
	cleanup(buf_done) struct buf is = BUF_INIT(0);
	cleanup(ctx_done) struct ctx ctx;
	int r;

	ctx_init(&ctx, NULL, -1);
	r = catalog_repositories(&ctx, w->catalog, workspace, mode, &all);
	if (r)
		buf_printf(&is, "%d", r);
	for (size_t i = 0; all && i < all->n_items; i++)
		buf_printf(&is, "%s%s=%s", i ? " " : "", all->items[i].name,
			   all->items[i].uuid);
	if (strcmp(is.data ? is.data : "", want))
		fail_msg("line %d: '%s', not '%s' (%s)", line, is.data, want,
			 ctx.sentence);
	return all ? all->version : 0;
}
#define expect_listing(w, ws, mode, want) \
	expect_listing_at(w, ws, mode, want, __LINE__)

static int enter(struct world *w, const char *name, struct catalog_age *age)
{
	cleanup(catalog_workspace_done) struct catalog_workspace one = {0};
	cleanup(ctx_done) struct ctx ctx;
	int r;

	*age = (struct catalog_age){.left_ms = -1};
	ctx_init(&ctx, NULL, -1);
	r = catalog_workspace(&ctx, w->catalog, name, &one, age);
	if (r == 0)
		assert_string_equal(one.slug, name);
	else
		assert_true(*ctx.sentence);
	return r;
}

static void expect_enter_at(struct world *w, const char *name, int want,
			    int line)
{
	struct catalog_age age;
	int r = enter(w, name, &age);

	if (r != want)
		fail_msg("line %d: %s: %d, not %d", line, name, r, want);
	if (r == 0 || r == -ENOENT)
		assert_true(age.left_ms >= 0);
}
#define expect_enter(w, name, want) expect_enter_at(w, name, want, __LINE__)

/* The repository's uuid, or "-2". */
static void expect_repo_at(struct world *w, const char *workspace,
			   const char *name, const char *want, int line)
{
	cleanup(catalog_repository_done) struct catalog_repository one = {0};
	cleanup(ctx_done) struct ctx ctx;
	struct catalog_age age = {.left_ms = -1};
	char number[16];
	const char *is;
	int r;

	ctx_init(&ctx, NULL, -1);
	r = catalog_repository(&ctx, w->catalog, workspace, name, &one, &age);
	snprintf(number, sizeof(number), "%d", r);
	is = r ? number : one.uuid;
	if (strcmp(is, want))
		fail_msg("line %d: %s: %s, not %s (%s)", line, name, is, want,
			 ctx.sentence);
	if (r == 0) {
		assert_string_equal(one.name, name);
		assert_int_equal(one.updated_ms, INT64_C(1767323045000));
	} else {
		assert_true(*ctx.sentence);
	}
	if (r == 0 || r == -ENOENT)
		assert_true(age.left_ms >= 0);
}
#define expect_repo(w, ws, name, want) \
	expect_repo_at(w, ws, name, want, __LINE__)

/* A word of the document of a repository found by name; returns its version. */
static uint64_t expect_document_at(struct world *w, const char *workspace,
				   const char *name, enum source_mode mode,
				   int want, const char *word, int line)
{
	cleanup(catalog_repository_done) struct catalog_repository one = {0};
	cleanup(catalog_document_done) struct catalog_document document = {0};
	cleanup(ctx_done) struct ctx ctx;
	struct catalog_age age;
	int r;

	ctx_init(&ctx, NULL, -1);
	r = catalog_repository(&ctx, w->catalog, workspace, name, &one, &age);
	if (r)
		fail_msg("line %d: %s: %d", line, name, r);
	r = catalog_document(&ctx, w->catalog, workspace, &one, mode,
			     &document);
	if (r != want)
		fail_msg("line %d: %d, not %d (%s)", line, r, want,
			 ctx.sentence);
	if (r)
		return 0;
	if (!strstr(blob_data(document.body), word))
		fail_msg("line %d: no '%s' in %s", line, word,
			 blob_data(document.body));
	assert_int_equal(document.updated_ms, INT64_C(1767323045000));
	return document.version;
}
#define expect_document(w, ws, name, mode, want, word) \
	expect_document_at(w, ws, name, mode, want, word, __LINE__)

/* ---- the root ---- */

static void the_root(void **state)
{
	struct world *w = *state;

	expect_root(w, SOURCE_CACHED, "-2");
	expect_requests(w, 0);
	expect_root(w, SOURCE_READ, "acme zoo");
	expect_root(w, SOURCE_READ, "acme zoo");
	expect_enter(w, "acme", 0);
	expect_requests(w, 1);
	assert_string_equal(tiny_got(w->tiny, 0)->path,
			    "/user/workspaces?pagelen=100");
	remount(w);
	expect_root(w, SOURCE_READ, "acme zoo");
	expect_requests(w, 0);
}

static void entered_by_name(void **state)
{
	struct world *w = *state;

	expect_root(w, SOURCE_READ, "acme zoo");
	expect_enter(w, "foreign", 0);
	expect_requests(w, 2);
	expect_enter(w, "foreign", 0);
	expect_root(w, SOURCE_READ, "acme foreign zoo");
	expect_requests(w, 0);
	/* For this mount. */
	remount(w);
	expect_root(w, SOURCE_READ, "acme zoo");
	expect_enter(w, "foreign", 0);
	expect_root(w, SOURCE_READ, "acme foreign zoo");
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
	expect_root(w, SOURCE_READ, "acme zoo");
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
	struct catalog_age age;

	expect_enter(w, "nobody", -ENOENT);
	expect_requests(w, 2);
	assert_int_equal(enter(w, "nobody", &age), -ENOENT);
	assert_int_equal(age.left_ms, 5 * MINUTE);
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

	expect_root(w, SOURCE_READ, "acme zoo");
	expect_enter(w, "secret", -EACCES);
	expect_requests(w, 2);
	/* Remembered for a moment only. */
	expect_enter(w, "secret", -EACCES);
	expect_requests(w, 0);
	clock_advance(2000);
	expect_enter(w, "secret", -EACCES);
	expect_requests(w, 1);
	expect_root(w, SOURCE_READ, "acme zoo");
}

static void refused_list(void **state)
{
	struct world *w = *state;

	w->account_status = 403;
	expect_root(w, SOURCE_READ, "-13");
	/* By name it may do all the same. */
	expect_enter(w, "acme", 0);
	expect_enter(w, "nobody", -ENOENT);
}

static void vanished_workspaces(void **state)
{
	struct world *w = *state;

	expect_root(w, SOURCE_READ, "acme zoo");
	/* Not listed any more, but there: stays. */
	ws(w, "zoo")->member = false;
	expect_root(w, SOURCE_REFRESH, "acme zoo");
	expect_requests(w, 3);
	assert_string_equal(w->said, "");
	/* A server fault takes nothing away. */
	ws(w, "zoo")->status = 400;
	expect_root(w, SOURCE_REFRESH, "acme zoo");
	/* A failing list neither. */
	w->account_status = 403;
	expect_root(w, SOURCE_REFRESH, "-13");
	clock_advance(60 * MINUTE);
	expect_root(w, SOURCE_READ, "acme zoo");
	w->account_status = 0;
	ws(w, "zoo")->status = 403;
	expect_root(w, SOURCE_REFRESH, "acme");
	assert_non_null(strstr(w->said, "zoo: "));
}

static void renamed_workspace(void **state)
{
	struct world *w = *state;
	uint64_t version;

	expect_root(w, SOURCE_READ, "acme zoo");
	expect_listing(w, "acme", SOURCE_READ,
		       "gadgets={a2} old={a3} widgets={a1}");
	version = expect_document(w, "acme", "old", SOURCE_READ, 0, "\"old\"");
	expect_requests(w, 2);
	ws(w, "acme")->slug = "apex";
	for (size_t i = 0; i < 3; i++)
		w->repos[i].workspace = "apex";
	expect_root(w, SOURCE_REFRESH, "apex zoo");
	expect_requests(w, 1);
	/* Nothing is fetched again. */
	expect_listing(w, "apex", SOURCE_READ,
		       "gadgets={a2} old={a3} widgets={a1}");
	assert_int_equal(
		expect_document(w, "apex", "old", SOURCE_READ, 0, "\"old\""),
		version);
	expect_requests(w, 0);
}

static void odd_workspace_names(void **state)
{
	struct world *w = *state;

	w->workspaces[w->n_workspaces++] = (struct ws){
		.slug = ".bitbucketfs", .uuid = "{06}", .member = true};
	w->workspaces[w->n_workspaces++] =
		(struct ws){.slug = "a/B c", .uuid = "{07}", .member = true};
	add(w, "a/B c", "x", "{b1}");
	expect_root(w, SOURCE_READ, "%2Ebitbucketfs a%2FB c acme zoo");
	expect_enter(w, "a%2FB c", 0);
	expect_enter(w, "%2Ebitbucketfs", 0);
	expect_requests(w, 1);
	/* It is asked for by its true name (which this server does not know
	 * percent-encoded). */
	expect_listing(w, "a%2FB c", SOURCE_READ, "-2");
	assert_string_equal(tiny_got(w->tiny, 1)->path,
			    "/repositories/a%2FB%20c?sort=created_on&"
			    "pagelen=100");
}

static void configured_ones(void **state)
{
	static const char *const configured[] = {"foreign", "acme", NULL};
	struct world *w = *state;

	sign_in(w, NULL, NULL, configured);
	expect_root(w, SOURCE_READ, "acme foreign");
	expect_root(w, SOURCE_REFRESH, "acme foreign");
	expect_enter(w, "foreign", 0);
	expect_requests(w, 0);
	expect_listing(w, "foreign", SOURCE_READ, "public={f1}");
	expect_repo(w, "foreign", "public", "{f1}");
	expect_requests(w, 1);
	expect_enter(w, "zoo", 0);
	expect_requests(w, 1);
	expect_root(w, SOURCE_READ, "acme foreign zoo");
	sign_in(w, NULL, "ATCTTtoken", configured + 1);
	expect_root(w, SOURCE_READ, "acme");
	expect_requests(w, 0);
	/* Beside those of an account. */
	sign_in(w, "ada@example.com", "ATATsecret", configured);
	expect_root(w, SOURCE_READ, "acme foreign zoo");
	expect_requests(w, 1);
}

/* ---- listings ---- */

static void listing_costs_once(void **state)
{
	struct world *w = *state;

	w->odd_in_listing = true;
	expect_root(w, SOURCE_READ, "acme zoo");
	expect_requests(w, 1);
	expect_listing(w, "acme", SOURCE_CACHED, "-2");
	expect_listing(w, "acme", SOURCE_READ,
		       "gadgets={a2} old={a3} widgets={a1}");
	expect_requests(w, 1);
	assert_non_null(strstr(w->said, "acme: 2 objects"));
	expect_listing(w, "zoo", SOURCE_READ, "");
	expect_requests(w, 1);
	expect_document(w, "acme", "widgets", SOURCE_READ, 0, "acme/widgets");
	expect_document(w, "acme", "gadgets", SOURCE_READ, 0, "acme/gadgets");
	expect_repo(w, "acme", "nothing", "-2");
	expect_repo(w, "acme", ".git", "-2");
	expect_repo(w, "zoo", "widgets", "-2");
	expect_requests(w, 0);
	remount(w);
	expect_listing(w, "acme", SOURCE_READ,
		       "gadgets={a2} old={a3} widgets={a1}");
	expect_document(w, "acme", "widgets", SOURCE_READ, 0, "acme/widgets");
	expect_requests(w, 0);
}

static void equal_versions(void **state)
{
	struct world *w = *state;
	uint64_t first, second;

	first = expect_listing(w, "acme", SOURCE_READ,
			       "gadgets={a2} old={a3} widgets={a1}");
	second = expect_listing(w, "acme", SOURCE_REFRESH,
				"gadgets={a2} old={a3} widgets={a1}");
	assert_int_equal(first, second);
	add(w, "acme", "fresh", "{a9}");
	second = expect_listing(w, "acme", SOURCE_REFRESH,
				"fresh={a9} gadgets={a2} old={a3} "
				"widgets={a1}");
	assert_int_not_equal(first, second);
}

static void vanished_repositories(void **state)
{
	struct world *w = *state;

	expect_listing(w, "acme", SOURCE_READ,
		       "gadgets={a2} old={a3} widgets={a1}");
	expect_requests(w, 1);
	/* A listing with a hole in it: what answers itself stays. */
	repo(w, "{a3}")->hidden = true;
	expect_listing(w, "acme", SOURCE_REFRESH,
		       "gadgets={a2} old={a3} widgets={a1}");
	expect_requests(w, 2);
	/* What cannot be asked stays. */
	repo(w, "{a3}")->status = 400;
	expect_listing(w, "acme", SOURCE_REFRESH,
		       "gadgets={a2} old={a3} widgets={a1}");
	assert_string_equal(w->said, "");
	/* A single 404 changes nothing while the listing has it. */
	repo(w, "{a3}")->hidden = false;
	repo(w, "{a3}")->status = 404;
	expect_document(w, "acme", "old", SOURCE_REFRESH, -ENOENT, "");
	expect_document(w, "acme", "old", SOURCE_READ, 0, "acme/old");
	expect_listing(w, "acme", SOURCE_REFRESH,
		       "gadgets={a2} old={a3} widgets={a1}");
	/* Both. */
	repo(w, "{a3}")->hidden = true;
	expect_listing(w, "acme", SOURCE_REFRESH, "gadgets={a2} widgets={a1}");
	assert_non_null(strstr(w->said, "acme/old"));
	expect_repo(w, "acme", "old", "-2");
	/* And back again. */
	repo(w, "{a3}")->hidden = false;
	repo(w, "{a3}")->status = 0;
	expect_listing(w, "acme", SOURCE_REFRESH,
		       "gadgets={a2} old={a3} widgets={a1}");
	expect_document(w, "acme", "old", SOURCE_READ, 0, "acme/old");
}

static void many_vanish(void **state)
{
	static char slugs[25][8], uuids[25][8];
	struct world *w = *state;
	cleanup(catalog_repositories_free) struct catalog_repositories *all =
		NULL;
	cleanup(ctx_done) struct ctx ctx;

	for (size_t i = 0; i < 25; i++) {
		snprintf(slugs[i], sizeof(slugs[i]), "r%zu", i);
		snprintf(uuids[i], sizeof(uuids[i]), "{c%zu}", i);
		add(w, "zoo", slugs[i], uuids[i]);
	}
	ctx_init(&ctx, NULL, -1);
	assert_int_equal(catalog_repositories(&ctx, w->catalog, "zoo",
					      SOURCE_READ, &all),
			 0);
	assert_int_equal(all->n_items, 25);
	all = catalog_repositories_free(all);
	expect_requests(w, 1);
	for (size_t i = 0; i < 25; i++)
		repo(w, uuids[i])->gone = true;
	/* Twenty a refresh. */
	assert_int_equal(catalog_repositories(&ctx, w->catalog, "zoo",
					      SOURCE_REFRESH, &all),
			 0);
	assert_int_equal(all->n_items, 5);
	expect_requests(w, 21);
	expect_listing(w, "zoo", SOURCE_REFRESH, "");
	expect_requests(w, 6);
}

static void renamed_repository(void **state)
{
	struct world *w = *state;

	expect_listing(w, "acme", SOURCE_READ,
		       "gadgets={a2} old={a3} widgets={a1}");
	repo(w, "{a3}")->slug = "new";
	expect_listing(w, "acme", SOURCE_REFRESH,
		       "gadgets={a2} new={a3} widgets={a1}");
	expect_requests(w, 2);
	expect_repo(w, "acme", "old", "-2");
	expect_document(w, "acme", "new", SOURCE_READ, 0, "acme/new");
	expect_requests(w, 0);
	/* Seen first in its own document: the listing is due then. */
	repo(w, "{a3}")->slug = "newer";
	expect_document(w, "acme", "new", SOURCE_REFRESH, 0, "acme/newer");
	expect_requests(w, 1);
	expect_repo(w, "acme", "newer", "{a3}");
	expect_repo(w, "acme", "new", "-2");
	expect_requests(w, 1);
}

static void made_again(void **state)
{
	struct world *w = *state;

	expect_listing(w, "acme", SOURCE_READ,
		       "gadgets={a2} old={a3} widgets={a1}");
	repo(w, "{a3}")->gone = true;
	add(w, "acme", "old", "{a4}")->description = "another one";
	expect_listing(w, "acme", SOURCE_REFRESH,
		       "gadgets={a2} old={a4} widgets={a1}");
	expect_document(w, "acme", "old", SOURCE_READ, 0, "another one");
	expect_requests(w, 2);
}

static void same_file_name(void **state)
{
	struct world *w = *state;

	/* The second would be named like the first. */
	add(w, "acme", ".workspace", "{a7}");
	add(w, "acme", "%2Eworkspace", "{a8}");
	expect_listing(w, "acme", SOURCE_READ,
		       "%2Eworkspace={a7} gadgets={a2} old={a3} "
		       "widgets={a1}");
	assert_non_null(strstr(w->said, "{a8}"));
	assert_null(strstr(w->said, "{a7}"));
	expect_repo(w, "acme", "%2Eworkspace", "{a7}");
	expect_repo(w, "acme", ".workspace", "-2");
	expect_requests(w, 1);
}

static void refused_listing(void **state)
{
	struct world *w = *state;

	expect_listing(w, "acme", SOURCE_READ,
		       "gadgets={a2} old={a3} widgets={a1}");
	ws(w, "acme")->listing_status = 410;
	ws(w, "zoo")->listing_status = 403;
	/* An error is never an empty directory. */
	expect_listing(w, "zoo", SOURCE_READ, "-13");
	expect_listing(w, "acme", SOURCE_REFRESH, "-2");
	/* What is cached stays served, how old it may be. */
	clock_advance(24 * 60 * MINUTE);
	expect_listing(w, "acme", SOURCE_READ,
		       "gadgets={a2} old={a3} widgets={a1}");
	expect_repo(w, "acme", "old", "{a3}");
	expect_document(w, "acme", "old", SOURCE_READ, 0, "acme/old");
}

static void unreadable_bytes(void **state)
{
	struct world *w = *state;
	const struct cache_put puts[] = {
		{.key = "workspaces", .body = "<p>", .n_body = 3, .ttl_ms = 9},
		{.key = "repositories/{01}",
		 .body = "[{}",
		 .n_body = 3,
		 .ttl_ms = 9},
	};

	expect_root(w, SOURCE_READ, "acme zoo");
	assert_int_equal(cache_put(w->cache, puts + 1, 1, NULL), 0);
	expect_listing(w, "acme", SOURCE_READ,
		       "gadgets={a2} old={a3} widgets={a1}");
	assert_int_equal(cache_put(w->cache, puts, 1, NULL), 0);
	expect_root(w, SOURCE_READ, "-5");
	expect_root(w, SOURCE_READ, "acme zoo");
}

/* ---- one by one ---- */

static void one_of_an_unlisted(void **state)
{
	struct world *w = *state;

	expect_enter(w, "foreign", 0);
	expect_requests(w, 2);
	expect_repo(w, "foreign", "public", "{f1}");
	assert_string_equal(tiny_got(w->tiny, 2)->path,
			    "/repositories/foreign/public");
	expect_document(w, "foreign", "public", SOURCE_READ, 0,
			"foreign/public");
	expect_repo(w, "foreign", "public", "{f1}");
	expect_requests(w, 1);
	expect_repo(w, "foreign", "nothing", "-2");
	expect_requests(w, 1);
	expect_repo(w, "foreign", "nothing", "-2");
	expect_repo(w, "foreign", "Public", "-2");
	expect_repo(w, "foreign", "..", "-2");
	expect_requests(w, 0);
	/* Negative for five minutes. */
	add(w, "foreign", "nothing", "{f2}");
	clock_advance(11 * MINUTE);
	expect_repo(w, "foreign", "nothing", "{f2}");
	/* A listing decides from now on. */
	expect_listing(w, "foreign", SOURCE_READ, "nothing={f2} public={f1}");
	expect_requests(w, 2);
	expect_repo(w, "foreign", "third", "-2");
	expect_requests(w, 0);
}

static void one_that_went(void **state)
{
	struct world *w = *state;

	expect_enter(w, "foreign", 0);
	expect_repo(w, "foreign", "public", "{f1}");
	/* A single 404 changes nothing. */
	repo(w, "{f1}")->gone = true;
	clock_advance(24 * 60 * MINUTE);
	expect_repo(w, "foreign", "public", "{f1}");
	expect_document(w, "foreign", "public", SOURCE_READ, 0,
			"foreign/public");
}

static void one_renamed(void **state)
{
	struct world *w = *state;
	struct repo *r;

	expect_enter(w, "foreign", 0);
	expect_repo(w, "foreign", "public", "{f1}");
	r = repo(w, "{f1}");
	r->slug = "published";
	expect_requests(w, 3);
	/* Its document tells of it; the old alias goes with it. */
	expect_document(w, "foreign", "public", SOURCE_REFRESH, 0,
			"foreign/published");
	expect_requests(w, 1);
	expect_repo(w, "foreign", "published", "{f1}");
	expect_requests(w, 0);
	expect_repo(w, "foreign", "public", "-2");
	expect_requests(w, 1);
}

/* ---- documents ---- */

static void conditional_document(void **state)
{
	struct world *w = *state;
	uint64_t first, second;

	expect_listing(w, "acme", SOURCE_READ,
		       "gadgets={a2} old={a3} widgets={a1}");
	expect_requests(w, 1);
	first = expect_document(w, "acme", "old", SOURCE_REFRESH, 0, "old");
	assert_null(tiny_header(tiny_got(w->tiny, 1), "If-None-Match"));
	assert_string_equal(tiny_got(w->tiny, 1)->path,
			    "/repositories/acme/%7Ba3%7D");
	second = expect_document(w, "acme", "old", SOURCE_REFRESH, 0, "old");
	assert_non_null(tiny_header(tiny_got(w->tiny, 2), "If-None-Match"));
	assert_int_equal(first, second);
	expect_requests(w, 2);
	repo(w, "{a3}")->description = "changed";
	second =
		expect_document(w, "acme", "old", SOURCE_REFRESH, 0, "changed");
	assert_int_not_equal(first, second);
	expect_requests(w, 1);
}

static void old_versions(void **state)
{
	struct world *w = *state;
	cleanup(blob_unref) struct blob *body = NULL;
	uint64_t first;

	first = expect_document(w, "acme", "old", SOURCE_READ, 0, "acme/old");
	repo(w, "{a3}")->description = "changed";
	expect_document(w, "acme", "old", SOURCE_REFRESH, 0, "changed");
	assert_int_equal(catalog_version(w->catalog, first, &body), 0);
	assert_null(strstr(blob_data(body), "changed"));
	body = blob_unref(body);
	assert_int_equal(catalog_version(w->catalog, 123456789, &body),
			 -ESTALE);
}

static void no_uuid(void **state)
{
	struct world *w = *state;

	add(w, "zoo", "nameless", "");
	expect_listing(w, "zoo", SOURCE_READ, "nameless=name:zoo/nameless");
	expect_document(w, "zoo", "nameless", SOURCE_READ, 0, "zoo/nameless");
	expect_requests(w, 1);
	expect_document(w, "zoo", "nameless", SOURCE_REFRESH, 0,
			"zoo/nameless");
	assert_string_equal(tiny_got(w->tiny, 1)->path,
			    "/repositories/zoo/nameless");
}

static void the_user(void **state)
{
	struct world *w = *state;
	cleanup(catalog_document_done) struct catalog_document document = {0};
	cleanup(ctx_done) struct ctx ctx;

	ctx_init(&ctx, NULL, -1);
	assert_int_equal(catalog_user(&ctx, w->catalog, SOURCE_READ, &document),
			 0);
	assert_non_null(strstr(blob_data(document.body), "Ada"));
	assert_int_equal(document.age.left_ms, 24 * 60 * MINUTE);
	catalog_document_done(&document);
	assert_int_equal(catalog_user(&ctx, w->catalog, SOURCE_READ, &document),
			 0);
	expect_requests(w, 1);
	catalog_document_done(&document);
	sign_in(w, NULL, NULL, NULL);
	assert_int_equal(catalog_user(&ctx, w->catalog, SOURCE_READ, &document),
			 -ENOENT);
	sign_in(w, NULL, "ATCTTtoken", NULL);
	assert_int_equal(catalog_user(&ctx, w->catalog, SOURCE_READ, &document),
			 -ENOENT);
	expect_requests(w, 0);
}

/* ---- many at once ---- */

static void look_around(void *arg)
{
	struct world *w = arg;

	for (int i = 0; i < 10; i++) {
		expect_root(w, SOURCE_READ, "acme zoo");
		expect_enter(w, "zoo", 0);
		expect_listing(w, "acme", SOURCE_READ,
			       "gadgets={a2} old={a3} widgets={a1}");
		expect_document(w, "acme", "old", SOURCE_READ, 0, "acme/old");
		expect_repo(w, "acme", "none", "-2");
	}
}

static void many_at_once(void **state)
{
	struct world *w = *state;
	struct thread *threads[8];

	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		assert_int_equal(
			thread_start("look", look_around, w, &threads[i]), 0);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		thread_join(threads[i]);
	expect_requests(w, 2);
}

static void without_network(void **state)
{
	struct world *w = *state;
	cleanup(free) char *url = xstrdup("http://127.0.0.1:1");

	expect_listing(w, "acme", SOURCE_READ,
		       "gadgets={a2} old={a3} widgets={a1}");
	expect_root(w, SOURCE_READ, "acme zoo");
	expect_listing(w, "acme", SOURCE_REFRESH,
		       "gadgets={a2} old={a3} widgets={a1}");
	w->catalog = catalog_free(w->catalog);
	w->bitbucket = bitbucket_free(w->bitbucket);
	assert_int_equal(bitbucket_new(url, w->credential, w->http, w->budget,
				       &w->bitbucket),
			 0);
	remount(w);
	clock_advance(7 * 24 * 60 * MINUTE);
	expect_root(w, SOURCE_READ, "acme zoo");
	expect_listing(w, "acme", SOURCE_READ,
		       "gadgets={a2} old={a3} widgets={a1}");
	expect_document(w, "acme", "old", SOURCE_READ, 0, "acme/old");
	expect_repo(w, "acme", "none", "-2");
	expect_listing(w, "zoo", SOURCE_READ, "-101");
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

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
		T(odd_workspace_names),
		T(configured_ones),
		T(listing_costs_once),
		T(equal_versions),
		T(vanished_repositories),
		T(many_vanish),
		T(renamed_repository),
		T(made_again),
		T(same_file_name),
		T(refused_listing),
		T(unreadable_bytes),
		T(one_of_an_unlisted),
		T(one_that_went),
		T(one_renamed),
		T(conditional_document),
		T(old_versions),
		T(no_uuid),
		T(the_user),
		T(many_at_once),
		T(without_network),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
