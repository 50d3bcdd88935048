/*
 * api/bitbucket, one request: refusals and their sentences, retries; and the
 * workspaces.
 */
#include "bitbucket-world.h"

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
	/* ada@example.com:ATATsecret */
	assert_string_equal(tiny_header(request, "Authorization"),
			    "Basic YWRhQGV4YW1wbGUuY29tOkFUQVRzZWNyZXQ=");
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

/* ---- a secret that changes ---- */

struct changing {
	/* The version now, and what renewing makes it; 0: nothing. */
	atomic_uint version, next;
	atomic_uint n_renewed;
};

static int get_changing(void *arg, struct ctx *ctx,
			struct credential_secret *ret)
{
	struct changing *s = arg;

	(void)ctx;
	ret->version = atomic_load(&s->version);
	ret->token = mem_asprintf("token-%u", (unsigned)ret->version);
	return 0;
}

static int renew_changing(void *arg, struct ctx *ctx, uint64_t version)
{
	struct changing *s = arg;
	unsigned next = atomic_load(&s->next);

	(void)ctx;
	(void)version;
	atomic_fetch_add(&s->n_renewed, 1);
	if (next)
		atomic_store(&s->version, next);
	return 0;
}

static void sign_in_changing(struct world *w, struct changing *s)
{
	const struct credential_source source = {
		.get = get_changing, .renew = renew_changing, .arg = s};

	atomic_store(&s->version, 1);
	world_say(w, &w->body, "{}");
	world_say(w, &w->only, "Bearer token-2");
	world_sign_in_from(w, &source);
}

/* One request with the secret of version `first`, one more with `then` (0:
 * none) came. */
static void assert_asked(struct world *w, unsigned n_before, unsigned first,
			 unsigned then)
{
	char expected[32];

	assert_int_equal(tiny_n_requests(w->tiny), n_before + 1 + !!then);
	snprintf(expected, sizeof(expected), "Bearer token-%u", first);
	assert_string_equal(
		tiny_header(tiny_got(w->tiny, n_before), "Authorization"),
		expected);
	if (!then)
		return;
	snprintf(expected, sizeof(expected), "Bearer token-%u", then);
	assert_string_equal(
		tiny_header(tiny_got(w->tiny, n_before + 1), "Authorization"),
		expected);
}

static void a_401_is_asked_again_with_another_secret(void **state)
{
	struct world *w = *state;
	struct changing s = {.next = 2};
	char sentence[512];

	sign_in_changing(w, &s);
	assert_int_equal(get(w, "/body", sentence), 0);
	assert_asked(w, 0, 1, 2);
	assert_int_equal(atomic_load(&s.n_renewed), 1);
	assert_int_equal(get(w, "/body", sentence), 0);
	assert_asked(w, 2, 2, 0);
	/* Of another secret, which is refused as well, no third is sought. */
	atomic_store(&s.next, 4);
	atomic_store(&s.version, 3);
	assert_int_equal(get(w, "/body", sentence), -EACCES);
	assert_asked(w, 3, 3, 4);
	assert_int_equal(atomic_load(&s.n_renewed), 2);
	assert_non_null(strstr(sentence, "(401)"));
}

static void a_401_is_never_asked_again_with_the_same(void **state)
{
	struct world *w = *state;
	struct changing s = {.next = 0};
	char sentence[512];

	sign_in_changing(w, &s);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(get(w, "/body", sentence), -EACCES);
		assert_asked(w, i, 1, 0);
	}
	/* Then it is not sent at all. */
	assert_int_equal(get(w, "/body", sentence), -EACCES);
	assert_int_equal(tiny_n_requests(w->tiny), 3);
	assert_non_null(strstr(sentence, "not sent again before"));
	/* Until there is another one. */
	atomic_store(&s.version, 2);
	assert_int_equal(get(w, "/body", sentence), 0);
	assert_asked(w, 3, 2, 0);
}

static int drop(void *arg, const void *data, size_t n)
{
	size_t *n_bytes = arg;

	(void)data;
	*n_bytes += n;
	return 0;
}

/* Downloads and logs go the same way, and their sink sees one answer. */
static void bytes_are_asked_again_with_another_secret(void **state)
{
	struct world *w = *state;
	struct changing s = {.next = 2};
	size_t n_bytes = 0;
	const struct http_sink sink = {.write = drop, .arg = &n_bytes};
	cleanup(http_response_done) struct http_response answer = {0};
	cleanup(ctx_done) struct ctx ctx;

	sign_in_changing(w, &s);
	ctx_init(&ctx, NULL, 60000);
	assert_int_equal(bitbucket_get_bytes(&ctx, w->bitbucket, "/body",
					     &(struct bitbucket_range){0},
					     &sink, &answer),
			 0);
	assert_int_equal(answer.status, 200);
	assert_int_equal(n_bytes, 2);
	assert_asked(w, 0, 1, 2);
}

#define AT_ONCE 4

struct one_of_many {
	struct world *w;
	struct thread *thread;
	int r;
};

static void get_body(void *arg)
{
	struct one_of_many *one = arg;
	char sentence[512];

	one->r = get(one->w, "/body", sentence);
}

static void refusals_at_once_renew_once(void **state)
{
	struct world *w = *state;
	struct changing s = {.next = 2};
	struct one_of_many ones[AT_ONCE];

	sign_in_changing(w, &s);
	w->n_refuse_at_once = AT_ONCE;
	for (int i = 0; i < AT_ONCE; i++) {
		ones[i] = (struct one_of_many){.w = w};
		assert_int_equal(thread_start("one", get_body, &ones[i],
					      &ones[i].thread),
				 0);
	}
	for (int i = 0; i < AT_ONCE; i++) {
		thread_join(ones[i].thread);
		assert_int_equal(ones[i].r, 0);
	}
	assert_int_equal(tiny_n_requests(w->tiny), 2 * AT_ONCE);
	assert_int_equal(atomic_load(&s.n_renewed), 1);
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
	{"HTTP/1.1 202 Accepted\r\n\r\n", -EBUSY, "still preparing", "(202)"},
	{"HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\n\r\n"
	 "{\"values\":[]}",
	 -EBUSY, "still preparing", "(202)"},
	{"HTTP/1.1 204 No Content\r\n\r\n", -ENODATA, "nothing (204)", NULL},
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
		w->budget = budget_new(NULL);
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

/* How long a name stays unknown. */
static void unknown_for_a_moment_or_a_day(void **state)
{
	struct world *w = *state;
	struct ctx ctx;

	assert_int_equal(bitbucket_unknown_ms(w->bitbucket, NULL), 5000);
	ctx_init(&ctx, NULL, -1);
	for (int announced = 0; announced < 2; announced++) {
		cleanup(bitbucket_reply_done) struct bitbucket_reply reply;

		world_say(w, &w->fault,
			  announced
				  ? "HTTP/1.1 410 Gone\r\n\r\n"
				    "{\"error\":{\"message\":\"CHANGE-2770\"},"
				    "\"data\":{\"announcement_url\":\"x\"}}"
				  : "HTTP/1.1 410 Gone\r\n\r\n"
				    "{\"error\":{\"message\":\"No\"}}");
		w->n_faulty = 1000;
		assert_int_equal(bitbucket_get(&ctx, w->bitbucket, "/faulty",
					       NULL, &reply),
				 -ENOENT);
		assert_int_equal(bitbucket_unknown_ms(w->bitbucket, &ctx),
				 announced ? 24 * 3600 * 1000 : 5000);
	}
	/* Once it has answered well. */
	world_say(w, &w->body, "{}");
	for (int i = 0; i < 2; i++) {
		cleanup(bitbucket_reply_done) struct bitbucket_reply reply;

		assert_int_equal(bitbucket_get(&ctx, w->bitbucket, "/body",
					       NULL, &reply),
				 0);
		assert_int_equal(bitbucket_unknown_ms(w->bitbucket, &ctx),
				 60000);
	}
	ctx_done(&ctx);
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

static void read_errors(const char *dir, void *arg)
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
	struct world *w = arg;

	w->n_faulty = 1000;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		cleanup(buf_done) struct buf text = BUF_INIT(0);
		cleanup(json_free) struct json *json = NULL;
		cleanup(free) char *answer = NULL;
		const char *message;
		char sentence[512], start[20];

		recorded_read(dir, names[i], &text);
		assert_int_equal(json_parse(text.data, text.len, &json), 0);
		answer = mem_asprintf("HTTP/1.1 404 No\r\n\r\n%s", text.data);
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

static void recorded_errors(void **state)
{
	recorded_each(read_errors, *state);
}

/* ---- workspaces ---- */

struct workspaces {
	struct bitbucket_workspace items[4];
	size_t n_items;
	enum bitbucket_came came;
};

static void workspaces_done(struct workspaces *all)
{
	for (size_t i = 0; i < all->n_items; i++)
		bitbucket_workspace_done(&all->items[i]);
	*all = (struct workspaces){.n_items = 0};
}
DEFINE_CLEANUP_DONE(struct workspaces, workspaces_done);

static int take_workspace(void *arg, const struct json *item)
{
	struct workspaces *all = arg;
	const struct json *workspace = json_at(item, "workspace");

	all->n_items += !bitbucket_read_workspace(workspace ? workspace : item,
						  &all->items[all->n_items]);
	return 0;
}

static int read_workspaces(struct world *w, struct workspaces *all)
{
	cleanup(ctx_done) struct ctx ctx;
	struct bitbucket_list list = {
		.path = "/user/workspaces?pagelen=100",
		.id = "workspace.uuid",
		.each = take_workspace,
		.arg = all,
	};
	bool more;
	int r;

	ctx_init(&ctx, NULL, 60000);
	r = bitbucket_list(&ctx, w->bitbucket, &list, &more);
	all->came = list.came;
	return r;
}

static void workspaces(void **state)
{
	struct world *w = *state;
	cleanup(workspaces_done) struct workspaces all = {.n_items = 0};
	/* Malformed as the service once sent it: & for ?. */
	cleanup(free) char *body = mem_asprintf(
		"{\"values\":[null,{\"workspace\":{\"slug\":\"acme\",\"uuid\":"
		"\"{ab-12}\"}},{\"workspace\":null},{\"workspace\":{\"uuid\":"
		"\"{1}\"}},{\"slug\":\"flat\"}],"
		"\"next\":\"%s/2.0/user/workspaces&page=2\"}",
		w->tiny->url);

	world_say(w, &w->body, body);
	assert_int_equal(read_workspaces(w, &all), 0);
	assert_int_equal(all.n_items, 3);
	assert_string_equal(all.items[0].slug, "acme");
	assert_string_equal(all.items[0].uuid, "{ab-12}");
	assert_string_equal(all.items[1].slug, "flat");
	assert_string_equal(all.items[2].slug, "second");
	assert_string_equal(all.items[2].uuid, "");
	assert_string_equal(tiny_got(w->tiny, 1)->path,
			    "/2.0/user/workspaces?page=2");
}

static int list_workspaces(struct world *w, const char *values,
			   const char *next, struct workspaces *all)
{
	cleanup(free) char *body =
		mem_asprintf("{\"values\":[%s],\"next\":\"%s\"}", values, next);

	world_say(w, &w->body, body);
	return read_workspaces(w, all);
}

static void workspaces_go_on_elsewhere(void **state)
{
	struct world *w = *state;
	cleanup(workspaces_done) struct workspaces all = {.n_items = 0};

	/* An error is never an empty list. */
	assert_int_equal(list_workspaces(w, "", "https://evil.example/", &all),
			 -EIO);
	assert_int_equal(tiny_n_requests(w->tiny), 1);
	assert_int_equal(list_workspaces(w, "{\"slug\":\"a\"}",
					 "https://evil.example/", &all),
			 0);
	assert_int_equal(all.n_items, 1);
	assert_int_equal(all.came, BITBUCKET_CAME_CUT);
	workspaces_done(&all);
	/* The service's other door is rewritten to the one we know. */
	assert_int_equal(list_workspaces(w, "",
					 "https://bitbucket.org/!api/2.0/user/"
					 "workspaces?page=2",
					 &all),
			 0);
	assert_int_equal(all.n_items, 1);
	assert_int_equal(all.came, BITBUCKET_CAME_WHOLE);
	assert_string_equal(tiny_got(w->tiny, 3)->path,
			    "/2.0/user/workspaces?page=2");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(one_get),
		T(a_401_is_asked_again_with_another_secret),
		T(a_401_is_never_asked_again_with_the_same),
		T(bytes_are_asked_again_with_another_secret),
		T(refusals_at_once_renew_once),
		T(conditional),
		T(refused),
		T(other_credentials),
		T(unknown_for_a_moment_or_a_day),
		T(tried_again),
		T(cut_off),
		T(no_network),
		T(deadline_in_backoff),
		T(recorded_errors),
		T(workspaces),
		T(workspaces_go_on_elsewhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
