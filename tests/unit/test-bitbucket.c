/*
 * remote/bitbucket against a tiny server that pages, refuses, stalls and lies.
 */
#include "remote/bitbucket.h"

#include "base/clock.h"
#include "corpora.h"
#include "recorded.h"
#include "tiny-server.h"

struct world {
	struct tiny *tiny;
	struct http *http;
	struct budget *budget;
	struct credential *credential;
	struct bitbucket *bitbucket;
	/* What the server does. */
	unsigned n_repositories, n_announced; /* of /repositories/many */
	unsigned fail_page;                   /* of it; 0: none */
	/* Texts below: under lock, copied before they are said. */
	struct mutex lock;
	char *fail_with; /* an answer's head and body */
	bool sizeless;   /* pages without size */
	bool shrinks;    /* the first walk misses one, the second does not */
	atomic_uint n_walks, n_faults;
	unsigned n_faulty; /* answers of /faulty before a good one */
	char *fault;
	bool stall; /* pages after the first do not come */
	char *body;
};

static void world_say(struct world *w, char **place, const char *text)
{
	mutex_lock(&w->lock);
	free(*place);
	*place = xstrdup(text);
	mutex_unlock(&w->lock);
}

static char *world_text(struct world *w, char *const *place)
{
	char *text;

	mutex_lock(&w->lock);
	text = xstrdup(*place);
	mutex_unlock(&w->lock);
	return text;
}

/* ---- the server ---- */

static void say_json(struct tiny_connection *c, const char *status,
		     const char *headers, const char *body)
{
	cleanup(free) char *head =
		xasprintf("HTTP/1.1 %s\r\nContent-Type: application/json\r\n"
			  "%sContent-Length: %zu\r\n\r\n",
			  status, headers, strlen(body));

	tiny_say(c, head);
	tiny_say(c, body);
}

/* An answer of a test, which it frees: its length is told, unless it tells one
 * itself. */
static bool say_fault(struct tiny_connection *c, char *answer)
{
	cleanup(free) char *text = answer;
	const char *body = strstr(text, "\r\n\r\n");

	if (!body || strstr(text, "Content-Length")) {
		tiny_say(c, text);
		return false;
	}
	body += 4;
	{
		cleanup(free) char *length =
			xasprintf("Content-Length: %zu\r\n\r\n", strlen(body));

		tiny_send(c, text, (size_t)(body - text) - 2);
		tiny_say(c, length);
		tiny_say(c, body);
	}
	return true;
}

static void add_repository(struct buf *out, unsigned i)
{
	buf_printf(out,
		   "{\"slug\":\"r%u\",\"full_name\":\"many/r%u\","
		   "\"uuid\":\"{00000000-0000-4000-8000-%012u}\","
		   "\"workspace\":{\"slug\":\"many\",\"uuid\":\"{aa}\"}}",
		   i, i, i);
}

/* Repositories first to last - 1 of the world. */
static void say_page(struct tiny_connection *c, struct world *w, unsigned page,
		     unsigned first, unsigned last)
{
	cleanup(buf_done) struct buf body = BUF_INIT(0);

	buf_printf(&body, "{\"pagelen\":100,\"page\":%u,", page);
	if (!w->sizeless)
		buf_printf(&body, "\"size\":%u,", w->n_announced);
	if (last < w->n_repositories)
		buf_printf(&body,
			   "\"next\":\"%s/2.0/repositories/many?"
			   "sort=created_on&pagelen=100&page=%u\",",
			   w->tiny->url, page + 1);
	buf_puts(&body, "\"values\":[");
	for (unsigned i = first; i < last; i++) {
		if (i > first)
			buf_putc(&body, ',');
		add_repository(&body, i);
	}
	buf_puts(&body, "]}");
	say_json(c, "200 OK", "", body.data);
}

static bool many(struct tiny_connection *c, struct world *w, const char *path)
{
	const char *number = strstr(path, "&page=");
	unsigned page = number ? (unsigned)strtoul(number + 6, NULL, 10) : 1;
	unsigned first = (page - 1) * 100, last = page * 100;

	if (page == 1)
		atomic_fetch_add(&w->n_walks, 1);
	if (page > 1 && w->stall) {
		tiny_await_gone(c);
		return false;
	}
	if (page == w->fail_page) {
		atomic_fetch_add(&w->n_faults, 1);
		return say_fault(c, world_text(w, &w->fail_with));
	}
	if (last > w->n_repositories)
		last = w->n_repositories;
	if (first > last) {
		say_json(c, "404 Not Found", "", "{}");
		return true;
	}
	/* One was deleted from page 1 after that was read: all move up. */
	if (w->shrinks && page > 1 && atomic_load(&w->n_walks) == 1)
		first++;
	say_page(c, w, page, first, last);
	return true;
}

static bool serve(struct tiny_connection *c, const struct tiny_request *request,
		  void *arg)
{
	struct world *w = arg;
	const char *path = request->path;

	if (!strncmp(path, "/2.0/repositories/many?", 23))
		return many(c, w, path);
	if (!strncmp(path, "/2.0/body", 9) ||
	    !strncmp(path, "/2.0/repositories/body?", 23) ||
	    (!strncmp(path, "/2.0/user/workspaces", 20) &&
	     !strstr(path, "page=2"))) {
		cleanup(free) char *body = world_text(w, &w->body);

		say_json(c, "200 OK", "ETag: \"e1\"\r\n", body);
	} else if (!strncmp(path, "/2.0/faulty", 11)) {
		if (atomic_fetch_add(&w->n_faults, 1) >= w->n_faulty) {
			say_json(c, "200 OK", "", "{}");
			return true;
		}
		return say_fault(c, world_text(w, &w->fault));
	} else if (!strcmp(path, "/2.0/etag")) {
		const char *given = tiny_header(request, "If-None-Match");

		if (given && !strcmp(given, "\"e1\""))
			tiny_say(c, "HTTP/1.1 304 Not Modified\r\n"
				    "ETag: \"e1\"\r\n\r\n");
		else
			say_json(c, "200 OK", "ETag: \"e1\"\r\n", "{\"a\":1}");
	} else if (!strcmp(path, "/2.0/workspaces/acme")) {
		say_json(c, "200 OK", "",
			 "{\"slug\":\"acme\",\"uuid\":\"{ab-12}\"}");
	} else if (strstr(path, "page=2")) {
		const char *page = "{\"values\":[{\"workspace\":{\"slug\":"
				   "\"second\",\"uuid\":null}}]}";

		say_json(c, "200 OK", "", page);
	} else {
		say_json(c, "404 Not Found", "",
			 "{\"type\":\"error\",\"error\":{\"message\":\"No "
			 "such thing.\"}}");
	}
	return true;
}

static void world_sign_in(struct world *w, const char *email, const char *token)
{
	cleanup(free) char *url = xasprintf("%s/2.0/", w->tiny->url);
	const char *why;

	bitbucket_free(w->bitbucket);
	credential_free(w->credential);
	w->bitbucket = NULL;
	w->credential = NULL;
	assert_int_equal(
		credential_new(email, NULL, token, &w->credential, &why), 0);
	assert_int_equal(bitbucket_new(url, w->credential, w->http, w->budget,
				       &w->bitbucket),
			 0);
}

static int set_up(void **state)
{
	struct world *w = xcalloc(1, sizeof(*w));
	const struct http_config config = {.user_agent = "test",
					   .n_connections = 4};

	mutex_init(&w->lock);
	w->tiny = tiny_new(serve, w);
	assert_int_equal(http_new(&config, &w->http), 0);
	w->budget = budget_new();
	world_sign_in(w, "ada@example.com", "ATATsecret");
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	bitbucket_free(w->bitbucket);
	http_free(w->http);
	tiny_free(w->tiny);
	budget_free(w->budget);
	credential_free(w->credential);
	free(w->fail_with);
	free(w->fault);
	free(w->body);
	mutex_done(&w->lock);
	free(w);
	return 0;
}

static int get(struct world *w, const char *path, char sentence[512])
{
	cleanup(ctx_done) struct ctx ctx;
	cleanup(bitbucket_reply_done) struct bitbucket_reply reply = {0};
	int r;

	ctx_init(&ctx, NULL, 60000);
	r = bitbucket_get(&ctx, w->bitbucket, path, NULL, &reply);
	snprintf(sentence, 512, "%s", ctx.sentence);
	return r;
}

/* ---- one GET ---- */

static void one_get(void **state)
{
	struct world *w = *state;
	cleanup(ctx_done) struct ctx ctx;
	cleanup(bitbucket_reply_done) struct bitbucket_reply reply = {0};
	const struct tiny_request *request;

	ctx_init(&ctx, NULL, 60000);
	world_say(w, &w->body, "{\"a\":1}");
	assert_int_equal(
		bitbucket_get(&ctx, w->bitbucket, "/body?x=%7B", NULL, &reply),
		0);
	assert_int_equal(reply.status, 200);
	assert_false(reply.not_modified);
	assert_string_equal(reply.body.data, "{\"a\":1}");
	assert_string_equal(reply.etag, "\"e1\"");
	request = tiny_got(w->tiny, 0);
	assert_string_equal(request->path, "/2.0/body?x=%7B");
	assert_string_equal(tiny_header(request, "Authorization"),
			    credential_rest(w->credential));
	assert_string_equal(tiny_header(request, "Accept"), "application/json");
	assert_null(tiny_header(request, "If-None-Match"));
	assert_int_equal(ctx_left_ms(&ctx) > 50000, true);
}

static void conditional(void **state)
{
	struct world *w = *state;
	cleanup(ctx_done) struct ctx ctx;
	cleanup(bitbucket_reply_done) struct bitbucket_reply reply = {0};

	ctx_init(&ctx, NULL, 60000);
	assert_int_equal(
		bitbucket_get(&ctx, w->bitbucket, "/etag", "\"e0\"", &reply),
		0);
	assert_false(reply.not_modified);
	bitbucket_reply_done(&reply);
	assert_int_equal(
		bitbucket_get(&ctx, w->bitbucket, "/etag", "\"e1\"", &reply),
		0);
	assert_true(reply.not_modified);
	assert_int_equal(reply.status, 304);
	assert_string_equal(reply.etag, "\"e1\"");
}

struct refusal {
	const char *answer;
	int errnum;
	const char *says, *says_too;
};

static const struct refusal refusals[] = {
	{"HTTP/1.1 401 Unauthorized\r\n\r\n", -EACCES,
	 "refused the credential (401)", "e-mail"},
	{"HTTP/1.1 403 Forbidden\r\n\r\n"
	 "{\"type\":\"error\",\"error\":{\"message\":\"Your credentials lack "
	 "one.\",\"detail\":{\"required\":[\"project\",7],\"granted\":["
	 "\"account\",\"issue:write\"]}}}",
	 -EACCES,
	 "lacks the scope project (of an API token: "
	 "read:project:bitbucket)",
	 "it has account, issue:write"},
	{"HTTP/1.1 403 Forbidden\r\n\r\n"
	 "{\"error\":{\"message\":\"No.\",\"detail\":\"Because of a plain "
	 "string\\n.\"}}",
	 -EACCES, "(403): No: Because of a plain string", NULL},
	{"HTTP/1.1 403 Forbidden\r\n\r\n"
	 "{\"error\":{\"message\":[],\"detail\":{\"required\":[],\"x\":1}}}   ",
	 -EACCES, "refuses /faulty (403)", NULL},
	{"HTTP/1.1 404 Not Found\r\n\r\n"
	 "{\"error\":{\"message\":\"Not here\"}}",
	 -ENOENT, "no /faulty (404): Not here.", NULL},
	{"HTTP/1.1 410 Gone\r\n\r\n", -ENOENT, "is gone", "(410)"},
	{"HTTP/1.1 400 Bad Request\r\nContent-Type: text/html\r\n"
	 "\r\n<p>",
	 -EIO, "answered 400 to /faulty.", NULL},
	{"HTTP/1.1 302 Found\r\n\r\n", -EIO, "answered 302", NULL},
	{"HTTP/1.1 429 Too Many\r\nRetry-After: 600\r\n"
	 "Content-Type: text/plain\r\n\r\n"
	 "Rate limit for this resource has been exceeded",
	 -EDQUOT, "request limit", " s)"},
	{"HTTP/1.1 503 Busy\r\nRetry-After: 600\r\n\r\n", -EIO, "answered 503",
	 NULL},
};

static void refused(void **state)
{
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
		const struct refusal *f = &refusals[i];
		unsigned before = tiny_n_requests(w->tiny);
		char sentence[512];

		/* Each begins without the pause of another. */
		budget_free(w->budget);
		w->budget = budget_new();
		world_sign_in(w, "ada@example.com", "ATATsecret");
		world_say(w, &w->fault, f->answer);
		w->n_faulty = 1000;
		assert_int_equal(get(w, "/faulty", sentence), f->errnum);
		if (!strstr(sentence, f->says) ||
		    (f->says_too && !strstr(sentence, f->says_too)))
			fail_msg("%zu: %s", i, sentence);
		assert_int_equal(sentence[strlen(sentence) - 1], '.');
		assert_null(strstr(sentence, "ATAT"));
		assert_null(strchr(sentence, '\n'));
		assert_int_equal(tiny_n_requests(w->tiny) - before, 1);
	}
}

static void other_credentials(void **state)
{
	struct world *w = *state;
	char sentence[512];

	world_say(w, &w->fault,
		  "HTTP/1.1 403 No\r\n\r\n"
		  "{\"error\":{\"detail\":{\"required\":\"project\","
		  "\"granted\":null}}}");
	w->n_faulty = 1000;
	world_sign_in(w, NULL, "ATCTT");
	assert_int_equal(get(w, "/faulty", sentence), -EACCES);
	assert_non_null(
		strstr(sentence, "lacks the scope project; it has none"));
	assert_string_equal(tiny_header(tiny_got(w->tiny, 0), "Authorization"),
			    "Bearer ATCTT");
	world_sign_in(w, NULL, NULL);
	world_say(w, &w->fault, "HTTP/1.1 401 No\r\n\r\n");
	assert_int_equal(get(w, "/faulty", sentence), -EACCES);
	assert_non_null(strstr(sentence, "nobody is signed in"));
	assert_null(tiny_header(tiny_got(w->tiny, 1), "Authorization"));
}

static void tried_again(void **state)
{
	static const char *const faults[] = {
		"HTTP/1.1 500 Oops\r\n\r\n",
		"HTTP/1.1 555 Slow\r\n\r\n",
		"HTTP/1.1 503 Busy\r\nRetry-After: 0\r\n"
		"\r\n",
		"HTTP/1.1 429 Burst\r\nRetry-After: 0\r\n"
		"\r\n",
		/* Closed behind it. */
		" ",
	};
	struct world *w = *state;
	char sentence[512];

	for (size_t i = 0; i < ARRAY_SIZE(faults); i++) {
		world_say(w, &w->fault, faults[i]);
		w->n_faulty = 1;
		atomic_store(&w->n_faults, 0);
		if (get(w, "/faulty", sentence) && faults[i][0] != ' ')
			fail_msg("%zu: %s", i, sentence);
	}
	world_say(w, &w->fault, faults[0]);
	w->n_faulty = 1000;
	atomic_store(&w->n_faults, 0);
	assert_int_equal(get(w, "/faulty", sentence), -EIO);
	assert_int_equal(atomic_load(&w->n_faults), 4);
	assert_non_null(strstr(sentence, "answered 500"));
}

static void cut_off(void **state)
{
	struct world *w = *state;
	char sentence[512];

	world_say(w, &w->fault,
		  "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n"
		  "Connection: close\r\n\r\n{");
	w->n_faulty = 1;
	/* The server goes on: it says more of the next answer than this. */
	assert_int_equal(get(w, "/faulty", sentence), 0);
}

static void no_network(void **state)
{
	struct world *w = *state;
	cleanup(bitbucket_free) struct bitbucket *b = NULL;
	cleanup(ctx_done) struct ctx ctx;
	cleanup(bitbucket_reply_done) struct bitbucket_reply reply = {0};

	ctx_init(&ctx, NULL, 60000);
	/* Nobody listens on port 1. */
	assert_int_equal(bitbucket_new("http://127.0.0.1:1/2.0", w->credential,
				       w->http, w->budget, &b),
			 0);
	assert_int_equal(bitbucket_get(&ctx, b, "/user", NULL, &reply),
			 -ENETUNREACH);
	assert_int_equal(reply.status, 0);
	assert_int_equal(ctx.sentence[strlen(ctx.sentence) - 1], '.');
}

static void deadline_in_backoff(void **state)
{
	struct world *w = *state;
	cleanup(ctx_done) struct ctx ctx;
	cleanup(bitbucket_reply_done) struct bitbucket_reply reply = {0};

	ctx_init(&ctx, NULL, 400);
	world_say(w, &w->fault, "HTTP/1.1 500 Oops\r\n\r\n");
	w->n_faulty = 1000;
	/* The reason is what the service said, not that time ran out. */
	assert_int_equal(
		bitbucket_get(&ctx, w->bitbucket, "/faulty", NULL, &reply),
		-EIO);
	assert_int_equal(reply.status, 500);
}

/* ---- workspaces ---- */

static void workspaces(void **state)
{
	struct world *w = *state;
	cleanup(bitbucket_workspaces_done) struct bitbucket_workspaces all = {
		0};
	cleanup(bitbucket_workspace_done) struct bitbucket_workspace one = {0};
	cleanup(ctx_done) struct ctx ctx;
	/* Malformed as the service once sent it: & for ?. */
	cleanup(free) char *body = xasprintf(
		"{\"values\":[null,{\"workspace\":{\"slug\":\"acme\",\"uuid\":"
		"\"{ab-12}\"}},{\"workspace\":null},{\"workspace\":{\"uuid\":"
		"\"{1}\"}},{\"slug\":\"flat\"}],"
		"\"next\":\"%s/2.0/user/workspaces&page=2\"}",
		w->tiny->url);

	ctx_init(&ctx, NULL, 60000);
	world_say(w, &w->body, body);
	assert_int_equal(bitbucket_list_workspaces(&ctx, w->bitbucket, &all),
			 0);
	assert_int_equal(all.n_items, 3);
	assert_string_equal(all.items[0].slug, "acme");
	assert_string_equal(all.items[0].uuid, "{ab-12}");
	assert_string_equal(all.items[1].slug, "flat");
	assert_string_equal(all.items[2].slug, "second");
	assert_string_equal(all.items[2].uuid, "");
	assert_string_equal(tiny_got(w->tiny, 1)->path,
			    "/2.0/user/workspaces?page=2");
	assert_int_equal(
		bitbucket_get_workspace(&ctx, w->bitbucket, "acme", &one), 0);
	assert_string_equal(one.uuid, "{ab-12}");
}

static void endless_workspaces(void **state)
{
	struct world *w = *state;
	cleanup(bitbucket_workspaces_done) struct bitbucket_workspaces all = {
		0};
	cleanup(ctx_done) struct ctx ctx;

	ctx_init(&ctx, NULL, 60000);
	world_say(w, &w->body,
		  "{\"values\":[],\"next\":\"https://evil.example/\"}");
	assert_int_equal(bitbucket_list_workspaces(&ctx, w->bitbucket, &all),
			 -EPROTO);
	assert_int_equal(tiny_n_requests(w->tiny), 1);
	world_say(w, &w->body,
		  "{\"values\":[],\"next\":"
		  "\"https://bitbucket.org/!api/2.0/user/workspaces?page=2\"}");
	/* The service's other door is rewritten to the one we know. */
	assert_int_equal(bitbucket_list_workspaces(&ctx, w->bitbucket, &all),
			 0);
	assert_int_equal(all.n_items, 1);
	assert_string_equal(tiny_got(w->tiny, 2)->path,
			    "/2.0/user/workspaces?page=2");
}

/* ---- repositories ---- */

static int list(struct world *w, const char *workspace,
		struct bitbucket_repositories *ret, char sentence[512])
{
	cleanup(ctx_done) struct ctx ctx;
	int r;

	ctx_init(&ctx, NULL, 60000);
	r = bitbucket_list_repositories(&ctx, w->bitbucket, workspace, ret);
	snprintf(sentence, 512, "%s", ctx.sentence);
	return r;
}

static void expect_many(struct world *w, unsigned n, unsigned n_requests)
{
	cleanup(bitbucket_repositories_done) struct bitbucket_repositories all =
		{0};
	unsigned before = tiny_n_requests(w->tiny);
	cleanup(free) bool *seen = xcalloc(n + 1, sizeof(*seen));
	char sentence[512];
	int r = list(w, "many", &all, sentence);

	if (r)
		fail_msg("%d: %s", r, sentence);
	assert_int_equal(all.n_items, n);
	assert_int_equal(all.n_odd, 0);
	for (size_t i = 0; i < n; i++) {
		unsigned long id = strtoul(all.items[i].slug + 1, NULL, 10);

		assert_true(id < n && !seen[id]);
		seen[id] = true;
	}
	assert_int_equal(tiny_n_requests(w->tiny) - before, n_requests);
}

static void a_thousand(void **state)
{
	struct world *w = *state;

	w->n_repositories = w->n_announced = 1000;
	expect_many(w, 1000, 10);
	assert_string_equal(tiny_got(w->tiny, 0)->path,
			    "/2.0/repositories/many?sort=created_on&"
			    "pagelen=100");
	assert_true(w->tiny->most_busy <= 4);
	w->n_repositories = w->n_announced = 0;
	expect_many(w, 0, 1);
	w->n_repositories = w->n_announced = 100;
	expect_many(w, 100, 1);
	w->n_repositories = w->n_announced = 101;
	expect_many(w, 101, 2);
}

static void side_by_side(void **state)
{
	struct world *w = *state;
	cleanup(bitbucket_repositories_done) struct bitbucket_repositories all =
		{0};
	cleanup(ctx_done) struct ctx ctx;
	int64_t began = clock_mono_ms();

	w->n_repositories = w->n_announced = 1000;
	w->stall = true;
	ctx_init(&ctx, NULL, 1000);
	assert_int_equal(
		bitbucket_list_repositories(&ctx, w->bitbucket, "many", &all),
		-ETIMEDOUT);
	assert_true(clock_mono_ms() - began < 10000);
	/* The first, and four that wait at once. */
	assert_int_equal(tiny_n_requests(w->tiny), 5);
	assert_int_equal(w->tiny->most_busy, 4);
	assert_null(all.items);
}

struct listing_thread {
	struct world *world;
	struct ctx ctx;
	int result;
};

static void list_in_thread(void *arg)
{
	struct listing_thread *t = arg;
	struct bitbucket_repositories all = {0};

	t->result = bitbucket_list_repositories(&t->ctx, t->world->bitbucket,
						"many", &all);
	bitbucket_repositories_done(&all);
}

static void cancelled(void **state)
{
	struct world *w = *state;
	struct ctx_group *group = ctx_group_new(10);
	struct listing_thread t = {.world = w};

	w->n_repositories = w->n_announced = 1000;
	w->stall = true;
	/* By Ctrl-C, then by an unmount. */
	for (int i = 0; i < 2; i++) {
		struct thread *thread = NULL;

		ctx_init(&t.ctx, group, -1);
		assert_int_equal(
			thread_start("list", list_in_thread, &t, &thread), 0);
		tiny_await(w->tiny, 5 * (unsigned)(i + 1));
		if (i == 0)
			ctx_cancel(&t.ctx);
		else
			ctx_group_cancel(group);
		thread_join(thread);
		assert_int_equal(t.result, -EINTR);
		assert_int_equal(ctx_group_waiting(group), 0);
		ctx_done(&t.ctx);
	}
	ctx_group_free(group);
}

static void one_page_fails(void **state)
{
	struct world *w = *state;
	cleanup(bitbucket_repositories_done) struct bitbucket_repositories all =
		{0};
	char sentence[512];

	w->n_repositories = w->n_announced = 1000;
	w->fail_page = 4;
	world_say(w, &w->fail_with, "HTTP/1.1 403 No\r\n\r\n");
	assert_int_equal(list(w, "many", &all, sentence), -EACCES);
	assert_non_null(strstr(sentence, "403"));
	assert_null(all.items);
	world_say(w, &w->fail_with, "HTTP/1.1 200 OK\r\n\r\n{}");
	assert_int_equal(list(w, "many", &all, sentence), -EIO);
	assert_non_null(strstr(sentence, "not a listing"));
	w->fail_page = 1;
	world_say(w, &w->fail_with, "HTTP/1.1 404 No\r\n\r\n");
	assert_int_equal(list(w, "many", &all, sentence), -ENOENT);
}

static void without_size(void **state)
{
	struct world *w = *state;

	w->n_repositories = 250;
	w->sizeless = true;
	expect_many(w, 250, 3);
}

/* More came while it was walked: `next` of the last page leads to them. */
static void grows(void **state)
{
	struct world *w = *state;

	w->n_repositories = 305;
	w->n_announced = 300;
	expect_many(w, 305, 4);
}

static void misses_one(void **state)
{
	struct world *w = *state;

	w->n_repositories = w->n_announced = 300;
	w->shrinks = true;
	expect_many(w, 300, 6);
}

static void never_enough(void **state)
{
	struct world *w = *state;
	cleanup(bitbucket_repositories_done) struct bitbucket_repositories all =
		{0};
	char sentence[512];

	/* The third page is not there (404) and the count is wrong. */
	w->n_repositories = 199;
	w->n_announced = 300;
	assert_int_equal(list(w, "many", &all, sentence), -EIO);
	assert_non_null(strstr(sentence, "300"));
	assert_int_equal(tiny_n_requests(w->tiny), 6);
	assert_null(all.items);
}

static void encoded_paths(void **state)
{
	struct world *w = *state;
	cleanup(bitbucket_repository_done) struct bitbucket_repository one = {
		0};
	cleanup(ctx_done) struct ctx ctx;
	char sentence[512];
	struct bitbucket_repositories all;

	ctx_init(&ctx, NULL, 60000);
	assert_int_equal(bitbucket_get_repository(&ctx, w->bitbucket, "acme",
						  "{ab-12}", &one),
			 -ENOENT);
	assert_string_equal(tiny_got(w->tiny, 0)->path,
			    "/2.0/repositories/acme/%7Bab-12%7D");
	assert_int_equal(list(w, "../a?b/c", &all, sentence), -ENOENT);
	assert_string_equal(tiny_got(w->tiny, 1)->path,
			    "/2.0/repositories/..%2Fa%3Fb%2Fc?"
			    "sort=created_on&pagelen=100");
}

/* ---- bodies ---- */

static int list_body(struct world *w, const char *data,
		     struct bitbucket_repositories *all, char sentence[512])
{
	world_say(w, &w->body, data);
	return list(w, "body", all, sentence);
}

static struct world *corpus_world;

static void corpus_file(const char *name, const char *data, size_t n, bool ok)
{
	cleanup(bitbucket_repositories_done) struct bitbucket_repositories all =
		{0};
	char sentence[512];
	int r = list_body(corpus_world, data, &all, sentence);

	assert_int_equal(strlen(data), n);
	if (ok && (r || all.n_items != strtoul(name, NULL, 10)))
		fail_msg("%s: %d, %zu items (%s)", name, r, all.n_items,
			 sentence);
	if (!ok && r != -EIO && r != -EPROTO)
		fail_msg("%s: %d", name, r);
	for (size_t i = 0; i < all.n_items; i++) {
		assert_non_null(all.items[i].slug);
		assert_non_null(all.items[i].json);
		assert_null(strstr(all.items[i].uuid, ".."));
	}
}

static void corpora(void **state)
{
	corpus_world = *state;
	assert_true(corpora_each("repositories/ok", NULL, corpus_file, true) >
		    10);
	assert_true(corpora_each("repositories/should-fail", NULL, corpus_file,
				 false) > 10);
}

static void recorded_listings(void **state)
{
	static const char *const names[] = {"drone__go-scm/repos.json",
					    "drone__go-scm/repos-2.json",
					    "drone__go-scm/repos_empty.json",
					    "drone__go-scm/repos_filter.json"};
	struct world *w = *state;
	cleanup(free) char *dir = recorded_dir();

	if (!dir)
		skip();
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		cleanup(buf_done) struct buf text = BUF_INIT(0),
					     page = BUF_INIT(0);
		cleanup(json_free) struct json *json = NULL;
		cleanup(bitbucket_repositories_done) struct
			bitbucket_repositories all = {0};
		const struct json *values;
		char sentence[512];

		recorded_read(dir, names[i], &text);
		assert_int_equal(json_parse(text.data, text.len, &json), 0);
		values = json_at(json, "values");
		/* One page alone: its size and next are of the whole walk. */
		buf_puts(&page, "{\"values\":");
		json_compact(values, &page);
		buf_putc(&page, '}');
		assert_int_equal(list_body(w, page.data, &all, sentence), 0);
		assert_int_equal(all.n_items, json_n_items(values));
		assert_int_equal(all.n_odd, 0);
		for (size_t k = 0; k < all.n_items; k++) {
			assert_true(all.items[k].uuid[0] == '{');
			assert_true(all.items[k].updated_ms > 0);
			assert_true(*all.items[k].workspace);
		}
	}
}

static void recorded_errors(void **state)
{
	static const char *const names[] = {
		"_live_errors/401-token.json",
		"_live_errors/403-forbidden.json",
		"_live_errors/404-file-missing.json",
		"_live_errors/404-noapi.json",
		"_live_errors/404-pr.json",
		"_live_errors/404-ref-missing.json",
		"_live_errors/404-repo.json",
		"_live_errors/410-change-2770.json",
		"drone__go-scm/error.json",
		"gildas__bitbucket-cli/error-badrequest.json",
		"gildas__bitbucket-cli/error-badrequest-nobranch.json",
		"gildas__bitbucket-cli/error-noapi.json",
		"gildas__bitbucket-cli/error-privileges.json",
	};
	struct world *w = *state;
	cleanup(free) char *dir = recorded_dir();

	if (!dir)
		skip();
	w->n_faulty = 1000;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		cleanup(buf_done) struct buf text = BUF_INIT(0);
		cleanup(json_free) struct json *json = NULL;
		cleanup(free) char *answer = NULL;
		const char *message;
		char sentence[512], start[20];

		recorded_read(dir, names[i], &text);
		assert_int_equal(json_parse(text.data, text.len, &json), 0);
		answer = xasprintf("HTTP/1.1 404 No\r\n\r\n%s", text.data);
		world_say(w, &w->fault, answer);
		assert_int_equal(get(w, "/faulty", sentence), -ENOENT);
		/* What the service said is told. */
		message = json_str(json, "error.message");
		assert_non_null(message);
		snprintf(start, sizeof(start), "%s", message);
		if (start[strlen(start) - 1] == '.')
			start[strlen(start) - 1] = '\0';
		if (!strstr(sentence, start))
			fail_msg("%s: %s", names[i], sentence);
	}
}

/* ---- mutations ---- */

static void read_mutated(const char *text, size_t n, void *arg)
{
	cleanup(json_free) struct json *json = NULL;
	struct bitbucket_repository r = {0};
	struct bitbucket_workspace w = {0};
	int result;

	(void)arg;
	if (json_parse(text, n, &json))
		return;
	result = bitbucket_read_repository(json, &r);
	if (result == 0) {
		assert_true(*r.slug);
		assert_true(*r.uuid == '{' || !strncmp(r.uuid, "name:", 5));
		assert_int_equal(strlen(r.json), r.n_json);
	} else {
		assert_int_equal(result, -EBADMSG);
		assert_null(r.slug);
	}
	bitbucket_repository_done(&r);
	if (bitbucket_read_workspace(json, &w) == 0)
		assert_true(*w.slug);
	bitbucket_workspace_done(&w);
}

static void mutated_objects(void **state)
{
	static const char ours[] =
		"{\"slug\":\"w\",\"full_name\":\"acme/w\",\"uuid\":\"{ab}\","
		"\"workspace\":{\"slug\":\"acme\",\"uuid\":\"{cd}\"},"
		"\"updated_on\":\"2026-01-02T03:04:05+00:00\","
		"\"created_on\":\"2026-01-02T03:04:05+00:00\"}";
	static const char *const names[] = {
		"drone__go-scm/repo.json",
		"gildas__bitbucket-cli/repository.json",
		"gildas__bitbucket-cli/workspace.json",
	};
	cleanup(free) char *dir = recorded_dir();

	(void)state;
	assert_true(mutate(ours, strlen(ours), read_mutated, NULL) > 80);
	for (size_t i = 0; dir && i < ARRAY_SIZE(names); i++) {
		cleanup(buf_done) struct buf text = BUF_INIT(0);

		recorded_read(dir, names[i], &text);
		assert_true(mutate(text.data, text.len, read_mutated, NULL) >
			    300);
	}
}

/* A page of three of which the first is mutated: the others are there. */
static void list_mutated(const char *text, size_t n, void *arg)
{
	cleanup(buf_done) struct buf page = BUF_INIT(0);
	cleanup(json_free) struct json *json = NULL;
	cleanup(bitbucket_repositories_done) struct bitbucket_repositories all =
		{0};
	unsigned found = 0;
	char sentence[512];
	int r;

	/* What is no JSON is no page. */
	if (json_parse(text, n, &json))
		return;
	buf_puts(&page, "{\"size\":3,\"values\":[");
	buf_add(&page, text, n);
	buf_putc(&page, ',');
	add_repository(&page, 1);
	buf_putc(&page, ',');
	add_repository(&page, 2);
	buf_puts(&page, "]}");
	r = list_body(arg, page.data, &all, sentence);
	if (r)
		fail_msg("%d: %s", r, sentence);
	for (size_t i = 0; i < all.n_items; i++)
		found += !strcmp(all.items[i].slug, "r1") ||
			 !strcmp(all.items[i].slug, "r2");
	assert_int_equal(found, 2);
	assert_int_equal(all.n_items + all.n_odd, 3);
}

static void mutated_listing(void **state)
{
	static const char ours[] =
		"{\"slug\":\"w\",\"full_name\":\"acme/w\",\"uuid\":\"{ab}\","
		"\"workspace\":{\"slug\":\"acme\",\"uuid\":\"{cd}\"}}";

	mutate(ours, strlen(ours), list_mutated, *state);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(one_get),
		T(conditional),
		T(refused),
		T(other_credentials),
		T(tried_again),
		T(cut_off),
		T(no_network),
		T(deadline_in_backoff),
		T(workspaces),
		T(endless_workspaces),
		T(a_thousand),
		T(side_by_side),
		T(cancelled),
		T(one_page_fails),
		T(without_size),
		T(grows),
		T(misses_one),
		T(never_enough),
		T(encoded_paths),
		T(corpora),
		T(recorded_listings),
		T(recorded_errors),
		cmocka_unit_test(mutated_objects),
		T(mutated_listing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
