/*
 * api/oauth: what is asked of the token page, and what each answer means.
 */
#include "api/oauth.h"

#include "tiny-server.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct fixture {
	struct tiny *server;
	struct http *http;
	char *url;
	const char *answer; /* raw, of every request */
};

static bool answer(struct tiny_connection *c, const struct tiny_request *,
		   void *arg)
{
	const struct fixture *f = arg;

	tiny_say(c, f->answer);
	return false;
}

static int setup(void **state)
{
	struct fixture *f = mem_calloc(1, sizeof(*f));
	struct http_config config = {.user_agent = "test"};

	f->server = tiny_new(answer, f);
	f->url = mem_asprintf("%s/site/oauth2", f->server->url);
	assert_int_equal(http_new(&config, &f->http), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	http_free(f->http);
	tiny_free(f->server);
	free(f->url);
	free(f);
	return 0;
}

static int ask(struct fixture *f, struct ctx *ctx, enum oauth_grant grant,
	       const char *given, struct oauth_tokens *ret)
{
	const struct oauth_consumer consumer = {
		.url = f->url,
		.id = "key-1",
		.secret = "hunter2:hunter2",
	};
	int r;

	ctx_init(ctx, NULL, 10000);
	*ret = (struct oauth_tokens){0};
	r = oauth_ask(ctx, f->http, &consumer, grant, given,
		      grant == OAUTH_CODE ? "http://localhost:1/" : NULL, ret);
	assert_int_equal(r != 0, ctx->sentence[0] != 0);
	assert_null(strstr(ctx->sentence, "hunter2"));
	return r;
}

static char *json_answer(const char *status, const char *json)
{
	return mem_asprintf("HTTP/1.1 %s\r\nContent-Type: application/json\r\n"
			    "Content-Length: %zu\r\n\r\n%s",
			    status, strlen(json), json);
}

static void test_what_is_asked(void **state)
{
	static const struct {
		enum oauth_grant grant;
		const char *given, *body;
	} cases[] = {
		{OAUTH_CODE, "a b&c",
		 "grant_type=authorization_code&code=a%20b%26c"
		 "&redirect_uri=http%3A%2F%2Flocalhost%3A1%2F"},
		{OAUTH_REFRESH,
		 "r+/=", "grant_type=refresh_token&refresh_token=r%2B%2F%3D"},
		{OAUTH_CLIENT, NULL, "grant_type=client_credentials"},
	};
	struct fixture *f = *state;
	cleanup(free) char *good = json_answer(
		"200 OK", "{\"access_token\": \"acc=\", \"expires_in\": 7200, "
			  "\"refresh_token\": \"ref\", \"scopes\": \"x\"}");

	f->answer = good;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		cleanup(oauth_tokens_done) struct oauth_tokens tokens;
		cleanup(ctx_done) struct ctx ctx;
		const struct tiny_request *got;

		assert_int_equal(
			ask(f, &ctx, cases[i].grant, cases[i].given, &tokens),
			0);
		assert_string_equal(tokens.access, "acc=");
		assert_string_equal(tokens.refresh, "ref");
		assert_int_equal(tokens.lifetime_s, 7200);
		got = tiny_got(f->server, i);
		assert_string_equal(got->method, "POST");
		assert_string_equal(got->path, "/site/oauth2/access_token");
		assert_string_equal(got->body, cases[i].body);
		/* key-1:hunter2:hunter2 */
		assert_string_equal(tiny_header(got, "Authorization"),
				    "Basic a2V5LTE6aHVudGVyMjpodW50ZXIy");
		assert_string_equal(tiny_header(got, "Content-Type"),
				    "application/x-www-form-urlencoded");
	}
}

/* The answers of the service, of a page in between, and of nobody. */
static void test_answers(void **state)
{
	static const struct {
		const char *status, *body;
		enum oauth_grant grant;
		int r;
		const char *words;
	} cases[] = {
		{"200 OK", "{\"access_token\": \"a\"}", OAUTH_REFRESH, 0, ""},
		{"200 OK", "{\"access_token\": \"a\", \"expires_in\": -5}",
		 OAUTH_REFRESH, 0, ""},
		{"200 OK", "", OAUTH_REFRESH, -EBADMSG, "no token"},
		{"200 OK", "<html>", OAUTH_REFRESH, -EBADMSG, "no token"},
		{"200 OK", "[]", OAUTH_REFRESH, -EBADMSG, "no token"},
		{"200 OK", "{\"access_token\": 7}", OAUTH_REFRESH, -EBADMSG,
		 "no token"},
		{"200 OK", "{\"access_token\": \"a\\r\\nb\"}", OAUTH_REFRESH,
		 -EBADMSG, "no token"},
		{"200 OK", "{\"access_token\": \"a\", \"refresh_token\": \"\"}",
		 OAUTH_REFRESH, -EBADMSG, "no token"},
		{"400 Bad",
		 "{\"error\": \"invalid_request\", \"error_description\": "
		 "\"Invalid refresh_token\"}",
		 OAUTH_REFRESH, -EKEYREJECTED,
		 "(400, Invalid refresh_token): sign in"},
		{"400 Bad", "{\"error\": \"invalid_grant\"}", OAUTH_CODE,
		 -EKEYREJECTED, "does not take the code"},
		{"400 Bad",
		 "{\"error\": \"unauthorized_client\", \"error_description\": "
		 "\"Requests must be authenticated using OAuth client "
		 "credentials\"}",
		 OAUTH_REFRESH, -EACCES, "does not know the OAuth consumer"},
		{"400 Bad", "{\"error\": \"unauthorized_client\"}",
		 OAUTH_CLIENT, -EKEYREJECTED, "This is a private consumer"},
		{"403 No", "<html>", OAUTH_REFRESH, -EIO, "answered 403"},
		{"302 Go\r\nLocation: http://elsewhere.example/", "",
		 OAUTH_REFRESH, -EIO, "answered 302"},
		{"429 Slow", "", OAUTH_REFRESH, -EDQUOT, "too often"},
		{"503 Busy", "", OAUTH_REFRESH, -EIO, "answered 503"},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cleanup(oauth_tokens_done) struct oauth_tokens tokens;
		cleanup(ctx_done) struct ctx ctx;
		cleanup(free) char *raw =
			json_answer(cases[i].status, cases[i].body);
		int r;

		f->answer = raw;
		r = ask(f, &ctx, cases[i].grant,
			cases[i].grant == OAUTH_CLIENT ? NULL : "given",
			&tokens);
		if (r != cases[i].r || !strstr(ctx.sentence, cases[i].words))
			fail_msg("%s %s: %d %s", cases[i].status, cases[i].body,
				 r, ctx.sentence);
		if (!r) {
			assert_null(tokens.refresh);
			assert_int_equal(tokens.lifetime_s, 3600);
		} else {
			assert_null(tokens.access);
		}
		assert_int_equal(tiny_n_requests(f->server), i + 1);
	}
}

static void test_the_page(void **state)
{
	const struct oauth_consumer consumer = {
		.url = "https://bitbucket.org/site/oauth2",
		.id = "key&1",
		.secret = "hunter2",
	};
	cleanup(free) char *page =
		oauth_page(&consumer, "http://localhost:34117/", "s t");

	(void)state;
	assert_string_equal(page,
			    "https://bitbucket.org/site/oauth2/authorize?"
			    "response_type=code&client_id=key%261&redirect_uri="
			    "http%3A%2F%2Flocalhost%3A34117%2F&state=s%20t");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_what_is_asked, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_answers, setup, teardown),
		cmocka_unit_test(test_the_page),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
