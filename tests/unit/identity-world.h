/*
 * A tiny Bitbucket whose workspaces and repositories the test changes, a
 * documents on top of it, and what is expected of both.
 */
#ifndef TESTS_IDENTITY_WORLD_H
#define TESTS_IDENTITY_WORLD_H

#include "content/documents.h"

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
	const char *updated; /* NULL: 2026-01-02T03:04:05+00:00 */
	const char *answers; /* what its own page says that its uuid is */
	bool hidden;         /* not in the listing, but there by itself */
	bool gone;
	long status; /* of its own page, if not 200 */
};

struct ws {
	const char *slug, *uuid;
	const char *former; /* a slug that leads there, too */
	bool member;        /* listed among the account's */
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
	struct read_through *source;
	struct documents *documents;
	const char *const *configured;
	char said[4096]; /* what documents wanted said */
	/* The service; changed only between requests. */
	struct mutex lock;
	struct ws workspaces[MOST];
	size_t n_workspaces;
	struct repo repos[MOST];
	size_t n_repos;
	bool odd_in_listing;
	int uncounted;   /* not 0: a listing's size is that much too large */
	bool slugs_only; /* knows no workspace by its uuid */
	long account_status; /* of /user/workspaces and /user */
	unsigned asked;      /* requests seen by expect_requests */
};

/* ---- the service ---- */

__attribute__((unused)) static void answer(struct tiny_connection *c,
					   long status, const char *headers,
					   const char *body)
{
	cleanup(free) char *head = mem_asprintf(
		"HTTP/1.1 %ld X\r\nContent-Type: application/json\r\n"
		"%sContent-Length: %zu\r\n\r\n",
		status, headers, strlen(body));

	tiny_say(c, head);
	tiny_say(c, body);
}

__attribute__((unused)) static void refuse(struct tiny_connection *c,
					   long status)
{
	answer(c, status, "",
	       "{\"type\":\"error\",\"error\":{\"message\":\"Not for you\"}}");
}

/* "%7Bab%7D" and "ab" are both understood. */
__attribute__((unused)) static bool names(const char *path, const char *slug,
					  const char *uuid)
{
	cleanup(free) char *coded = NULL;

	if (!strcmp(path, slug))
		return true;
	if (*uuid != '{')
		return false;
	coded = mem_asprintf("%%7B%.*s%%7D", (int)strlen(uuid) - 2, uuid + 1);
	return !strcmp(path, coded);
}

static const char *ws_uuid(const struct world *w, const char *slug)
{
	for (size_t i = 0; i < w->n_workspaces; i++)
		if (!strcmp(w->workspaces[i].slug, slug))
			return w->workspaces[i].uuid;
	return "";
}

static const char *updated_on(const struct repo *r)
{
	return r->updated ? r->updated : "2026-01-02T03:04:05+00:00";
}

/* What q=updated_on>=… of the path wants, to the second. */
static bool is_wanted(const struct repo *r, const char *path)
{
	const char *since = strstr(path, "updated_on%3E%3D");
	char day[11], seconds[9];

	if (!since)
		return true;
	assert_int_equal(sscanf(since,
				"updated_on%%3E%%3D%10[^T]T%2c%%3A"
				"%2c%%3A%2c",
				day, seconds, seconds + 3, seconds + 6),
			 4);
	seconds[2] = seconds[5] = ':';
	return strncmp(updated_on(r), day, 10) > 0 ||
	       (strncmp(updated_on(r), day, 10) == 0 &&
		strncmp(updated_on(r) + 11, seconds, 8) >= 0);
}

__attribute__((unused)) static void
add_repo(struct buf *out, const struct world *w, const struct repo *r)
{
	buf_printf(out,
		   "{\"slug\":\"%s\",\"full_name\":\"%s/%s\",\"uuid\":\"%s\","
		   "\"description\":\"%s\",\"workspace\":{\"slug\":\"%s\","
		   "\"uuid\":\"%s\"},"
		   "\"updated_on\":\"%s\"}",
		   r->slug, r->workspace, r->slug, r->uuid,
		   r->description ? r->description : "", r->workspace,
		   ws_uuid(w, r->workspace), updated_on(r));
}

__attribute__((unused)) static void serve_listing(struct tiny_connection *c,
						  struct world *w,
						  const struct ws *ws,
						  const char *path)
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

		if (r->gone || r->hidden || strcmp(r->workspace, ws->slug) ||
		    !is_wanted(r, path))
			continue;
		if (n++)
			buf_putc(&body, ',');
		add_repo(&body, w, r);
	}
	if (w->odd_in_listing)
		buf_printf(&body, "%s7", n ? "," : "");
	buf_puts(&body, "]");
	if (w->uncounted)
		buf_printf(&body, ",\"size\":%d", (int)n + w->uncounted);
	buf_putc(&body, '}');
	answer(c, 200, "", body.data);
}

__attribute__((unused)) static void serve_workspaces(struct tiny_connection *c,
						     struct world *w)
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

__attribute__((unused)) static void
serve_repository(struct tiny_connection *c, struct world *w,
		 const struct tiny_request *request, const char *workspace,
		 const char *name)
{
	for (size_t i = 0; i < w->n_repos; i++) {
		const struct repo *r = &w->repos[i];
		struct repo shown;
		const char *given = tiny_header(request, "If-None-Match");
		cleanup(buf_done) struct buf body = BUF_INIT(0);
		cleanup(free) char *etag = NULL;
		char sha[48];

		if (r->gone ||
		    !names(workspace, r->workspace,
			   w->slugs_only ? "" : ws_uuid(w, r->workspace)) ||
		    !names(name, r->slug, r->uuid))
			continue;
		if (r->status) {
			refuse(c, r->status);
			return;
		}
		snprintf(sha, sizeof(sha), "%zu-%zu", strlen(r->slug),
			 strlen(r->description ? r->description : ""));
		etag = mem_asprintf("ETag: \"%s\"\r\n", sha);
		if (given && strstr(etag, given)) {
			answer(c, 304, etag, "");
			return;
		}
		shown = *r;
		if (r->answers)
			shown.uuid = r->answers;
		add_repo(&body, w, &shown);
		answer(c, 200, r->answers ? "" : etag, body.data);
		return;
	}
	refuse(c, 404);
}

__attribute__((unused)) static void serve_workspace(struct tiny_connection *c,
						    struct world *w,
						    const char *slug,
						    const char *listing)
{
	for (size_t i = 0; i < w->n_workspaces; i++) {
		const struct ws *ws = &w->workspaces[i];
		cleanup(free) char *body = NULL;

		if (ws->gone ||
		    !(names(slug, ws->slug, w->slugs_only ? "" : ws->uuid) ||
		      (ws->former && !strcmp(slug, ws->former))))
			continue;
		if (listing) {
			serve_listing(c, w, ws, listing);
			return;
		}
		if (ws->status) {
			refuse(c, ws->status);
			return;
		}
		body = mem_asprintf("{\"slug\":\"%s\",\"uuid\":\"%s\"}",
				    ws->slug, ws->uuid);
		answer(c, 200, "", body);
		return;
	}
	refuse(c, 404);
}

__attribute__((unused)) static bool
serve(struct tiny_connection *c, const struct tiny_request *request, void *arg)
{
	struct world *w = arg;
	cleanup(free) char *path = mem_strdup(request->path);
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
		serve_workspace(c, w, path + 12, NULL);
	} else if (!strncmp(path, "/repositories/", 14)) {
		rest = path + 14;
		slash = strchr(rest, '/');
		if (slash)
			*slash = '\0';
		if (slash)
			serve_repository(c, w, request, rest, slash + 1);
		else
			serve_workspace(c, w, rest, request->path);
	} else {
		refuse(c, 404);
	}
	mutex_unlock(&w->lock);
	return true;
}

/* ---- the world ---- */

__attribute__((unused)) static void say(void *arg, const char *path, int errnum,
					const char *sentence)
{
	struct world *w = arg;
	size_t n = strlen(w->said);

	assert_true(errnum > 0);
	snprintf(w->said + n, sizeof(w->said) - n, "%s: %s\n", path, sentence);
}

__attribute__((unused)) static void open_documents(struct world *w)
{
	const struct documents_config config = {
		.bitbucket = w->bitbucket,
		.source = w->source,
		.cache = w->cache,
		.credential = w->credential,
		.workspaces = w->configured,
		.say = say,
		.say_arg = w,
	};

	documents_free(w->documents);
	w->documents = NULL;
	w->documents = documents_new(&config);
}

__attribute__((unused)) static void sign_in(struct world *w, const char *email,
					    const char *token,
					    const char *const *configured)
{
	const char *why;

	w->documents = documents_free(w->documents);
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
	open_documents(w);
}

/* As after an unmount and a mount. */
__attribute__((unused)) static void remount(struct world *w)
{
	w->documents = documents_free(w->documents);
	read_through_free(w->source);
	cache_close(w->cache);
	w->cache = NULL;
	assert_int_equal(cache_open(w->dir, &w->cache), 0);
	w->source = read_through_new(w->cache);
	open_documents(w);
}

__attribute__((unused)) static int set_up(void **state)
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
	struct world *w = mem_calloc(1, sizeof(*w));

	clock_fake(1000000, WALL);
	mutex_init(&w->lock);
	memcpy(w->workspaces, workspaces, sizeof(workspaces));
	w->n_workspaces = ARRAY_SIZE(workspaces);
	memcpy(w->repos, repos, sizeof(repos));
	w->n_repos = ARRAY_SIZE(repos);
	snprintf(w->dir, sizeof(w->dir), "/tmp/test-identity-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	w->tiny = tiny_new(serve, w);
	assert_int_equal(http_new(&config, &w->http), 0);
	w->budget = budget_new(NULL);
	assert_int_equal(cache_open(w->dir, &w->cache), 0);
	w->source = read_through_new(w->cache);
	sign_in(w, "ada@example.com", "ATATsecret", NULL);
	*state = w;
	return 0;
}

__attribute__((unused)) static int tear_down(void **state)
{
	struct world *w = *state;

	documents_free(w->documents);
	read_through_free(w->source);
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

__attribute__((unused)) static struct repo *repo(struct world *w,
						 const char *uuid)
{
	for (size_t i = 0; i < w->n_repos; i++)
		if (!strcmp(w->repos[i].uuid, uuid))
			return &w->repos[i];
	fail_msg("no %s", uuid);
	return NULL;
}

__attribute__((unused)) static struct repo *
add(struct world *w, const char *workspace, const char *slug, const char *uuid)
{
	struct repo *r = &w->repos[w->n_repos++];

	*r = (struct repo){.workspace = workspace, .slug = slug, .uuid = uuid};
	return r;
}

__attribute__((unused)) static struct ws *ws(struct world *w, const char *slug)
{
	for (size_t i = 0; i < w->n_workspaces; i++)
		if (!strcmp(w->workspaces[i].slug, slug))
			return &w->workspaces[i];
	fail_msg("no %s", slug);
	return NULL;
}

/* So many since this was asked last. */
__attribute__((unused)) static void expect_requests_at(struct world *w,
						       unsigned n, int line)
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
__attribute__((unused)) static void expect_root_at(struct world *w,
						   enum read_through_mode mode,
						   const char *want, int line)
{
	cleanup(scope_unref) struct scope *root = documents_root_scope();
	cleanup(collection_unref) struct collection *all = NULL;
	struct answer_age age;
	cleanup(buf_done) struct buf is = BUF_INIT(0);
	cleanup(ctx_done) struct ctx ctx;
	int r;

	ctx_init(&ctx, NULL, -1);
	r = documents_collection(&ctx, w->documents, &resource_workspaces, root,
				 mode, &all, &age);
	if (r)
		buf_printf(&is, "%d", r);
	for (size_t i = 0; all && i < all->n_items; i++)
		buf_printf(&is, "%s%s", i ? " " : "", all->items[i].name);
	if (strcmp(is.data ? is.data : "", want))
		fail_msg("line %d: '%s', not '%s' (%s)", line, is.data, want,
			 ctx.sentence);
}
#define expect_root(w, mode, want) expect_root_at(w, mode, want, __LINE__)

__attribute__((unused)) static int
repositories(struct ctx *ctx, struct world *w, const char *workspace,
	     enum read_through_mode mode, struct collection **ret)
{
	cleanup(scope_unref) struct scope *scope =
		documents_listing_scope(w->documents, workspace);
	struct answer_age age;

	return documents_collection(ctx, w->documents, &resource_repositories,
				    scope, mode, ret, &age);
}

__attribute__((unused)) static int
document_of(struct ctx *ctx, struct world *w, const char *,
	    const struct documents_repository *repository,
	    enum read_through_mode mode, struct answer_document *ret)
{
	return documents_item(ctx, w->documents, &resource_repositories,
			      repository->listing, repository->uuid, mode, ret);
}

/* "gadgets={a2} …" */
__attribute__((unused)) static uint64_t
expect_listing_at(struct world *w, const char *workspace,
		  enum read_through_mode mode, const char *want, int line)
{
	cleanup(collection_unref) struct collection *all = NULL;
	cleanup(buf_done) struct buf is = BUF_INIT(0);
	cleanup(ctx_done) struct ctx ctx;
	int r;

	ctx_init(&ctx, NULL, -1);
	r = repositories(&ctx, w, workspace, mode, &all);
	if (r)
		buf_printf(&is, "%d", r);
	for (size_t i = 0; all && i < all->n_items; i++)
		buf_printf(&is, "%s%s=%s", i ? " " : "", all->items[i].name,
			   all->items[i].id);
	if (strcmp(is.data ? is.data : "", want))
		fail_msg("line %d: '%s', not '%s' (%s)", line, is.data, want,
			 ctx.sentence);
	return all ? all->version : 0;
}
#define expect_listing(w, ws, mode, want) \
	expect_listing_at(w, ws, mode, want, __LINE__)

__attribute__((unused)) static int enter(struct world *w, const char *name,
					 struct answer_age *age)
{
	cleanup(ctx_done) struct ctx ctx;
	int r;

	*age = (struct answer_age){.left_ms = -1};
	ctx_init(&ctx, NULL, -1);
	r = documents_find_workspace(&ctx, w->documents, name, age);
	if (r != 0)
		assert_true(*ctx.sentence);
	return r;
}

__attribute__((unused)) static void
expect_enter_at(struct world *w, const char *name, int want, int line)
{
	struct answer_age age;
	int r = enter(w, name, &age);

	if (r != want)
		fail_msg("line %d: %s: %d, not %d", line, name, r, want);
	if (r == 0 || r == -ENOENT)
		assert_true(age.left_ms >= 0);
}
#define expect_enter(w, name, want) expect_enter_at(w, name, want, __LINE__)

/* What the service says of the one with that uuid (or without any). */
__attribute__((unused)) static int64_t updated_ms(struct world *w,
						  const char *uuid)
{
	int64_t ms = INT64_C(1767323045000);

	for (size_t i = 0; i < w->n_repos; i++)
		if (!strcmp(w->repos[i].uuid, uuid))
			assert_int_equal(clock_parse_iso8601(
						 updated_on(&w->repos[i]), &ms),
					 0);
	return ms;
}

/* The repository's uuid, or "-2". */
__attribute__((unused)) static void expect_repo_at(struct world *w,
						   const char *workspace,
						   const char *name,
						   const char *want, int line)
{
	cleanup(documents_repository_done) struct documents_repository one = {
		0};
	cleanup(ctx_done) struct ctx ctx;
	struct answer_age age = {.left_ms = -1};
	char number[16];
	const char *is;
	int r;

	ctx_init(&ctx, NULL, -1);
	r = documents_find_repository(&ctx, w->documents, workspace, name, &one,
				      &age);
	snprintf(number, sizeof(number), "%d", r);
	is = r ? number : one.uuid;
	if (strcmp(is, want))
		fail_msg("line %d: %s: %s, not %s (%s)", line, name, is, want,
			 ctx.sentence);
	if (r == 0) {
		assert_string_equal(one.name, name);
		assert_int_equal(one.updated_ms, updated_ms(w, one.uuid));
	} else {
		assert_true(*ctx.sentence);
	}
	if (r == 0 || r == -ENOENT)
		assert_true(age.left_ms >= 0);
}
#define expect_repo(w, ws, name, want) \
	expect_repo_at(w, ws, name, want, __LINE__)

/* A word of the document of a repository found by name; returns its version. */
__attribute__((unused)) static uint64_t
expect_document_at(struct world *w, const char *workspace, const char *name,
		   enum read_through_mode mode, int want, const char *word,
		   int line)
{
	cleanup(documents_repository_done) struct documents_repository one = {
		0};
	cleanup(answer_document_done) struct answer_document document = {0};
	cleanup(ctx_done) struct ctx ctx;
	struct answer_age age;
	int r;

	ctx_init(&ctx, NULL, -1);
	r = documents_find_repository(&ctx, w->documents, workspace, name, &one,
				      &age);
	if (r)
		fail_msg("line %d: %s: %d", line, name, r);
	r = document_of(&ctx, w, workspace, &one, mode, &document);
	if (r != want)
		fail_msg("line %d: %d, not %d (%s)", line, r, want,
			 ctx.sentence);
	if (r)
		return 0;
	if (!strstr(blob_data(document.body), word))
		fail_msg("line %d: no '%s' in %s", line, word,
			 blob_data(document.body));
	assert_int_equal(document.updated_ms, updated_ms(w, one.uuid));
	return document.version;
}
#define expect_document(w, ws, name, mode, want, word) \
	expect_document_at(w, ws, name, mode, want, word, __LINE__)

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
