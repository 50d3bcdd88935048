/*
 * wire/http: what is sent where, and what is understood of the answer.
 */
#include "wire/http.h"

#include "base/clock.h"
#include "corpora.h"
#include "http-fixture.h"

static int set_up(void **state)
{
	struct http_config config = {.user_agent = "bitbucketfs-test"};

	return set_up_with(state, &config);
}

/* ---- Answers ------------------------------------------------------------- */

static void test_get(void **state)
{
	struct fixture *f = *state;
	const struct tiny_request *request;

	assert_int_equal(get(f, "/hello"), 0);
	assert_got(f, 200, "hello");
	assert_int_equal(f->told.n_begins, 1);
	assert_int_equal(f->told.content_length, 5);
	assert_string_equal(f->response.etag, "\"abc\"");
	assert_string_equal(f->response.content_type, "text/plain");
	assert_int_equal(f->response.n_received, 5);
	assert_int_equal(f->response.n_asked, 1);
	assert_int_equal(f->response.retry_after_s, -1);
	assert_int_equal(f->response.rate_limit, -1);
	assert_false(f->response.other_host);
	request = tiny_got(f->world.tiny, 0);
	assert_string_equal(request->method, "GET");
	assert_string_equal(tiny_header(request, "Authorization"), AUTH);
	assert_string_equal(tiny_header(request, "User-Agent"),
			    "bitbucketfs-test");
	assert_null(tiny_header(request, "Accept-Encoding"));
	assert_null(tiny_header(request, "Cookie"));
}

static void test_a_connection_is_kept(void **state)
{
	struct fixture *f = *state;

	for (unsigned i = 0; i < 5; i++) {
		assert_int_equal(get(f, i % 2 ? "/hello" : "/missing"), 0);
		assert_int_equal(tiny_got(f->world.tiny, i)->connection, 0);
	}
	assert_int_equal(http_n_requests(f->http), 5);
}

static void test_chunks_and_trailers(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(get(f, "/chunked"), 0);
	assert_got(f, 200, "hello world");
	assert_int_equal(f->told.content_length, -1);
	assert_string_equal(f->response.etag, "");
	assert_int_equal(f->response.rate_limit, -1);
}

static void test_early_hints_are_no_answer(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(get(f, "/early"), 0);
	assert_got(f, 200, "");
	assert_int_equal(f->told.n_begins, 1);
	assert_string_equal(f->response.etag, "");
}

static void test_an_error_is_an_answer(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(get(f, "/missing"), 0);
	assert_got(f, 404, "");
	assert_int_equal(f->told.n_begins, 0);
	assert_int_equal(f->response.n_error_body, 7);
	assert_string_equal(f->response.error_body, "nothing");
}

static void test_an_error_body_has_a_maximum(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(get(f, "/big-error"), 0);
	assert_got(f, 500, "");
	assert_int_equal(f->response.n_error_body, 64 * KIB);
	assert_int_equal(f->response.error_body[64 * KIB], '\0');
}

static void test_without_a_sink_the_body_is_dropped(void **state)
{
	struct fixture *f = *state;
	cleanup(free) char *url = mem_asprintf("%s/big", f->world.tiny->url);
	struct http_request request = {.url = url};

	assert_int_equal(
		http_perform(&f->ctx, f->http, &request, NULL, &f->response),
		0);
	assert_int_equal(f->response.status, 200);
	assert_int_equal(f->response.n_received, BIG);
}

static void test_the_sink_can_end_it(void **state)
{
	struct fixture *f = *state;

	f->told.answer = -EDQUOT;
	assert_int_equal(get(f, "/big"), -EDQUOT);
	assert_true(f->told.bytes.len > 0 && f->told.bytes.len < BIG);
	f->told.answer = 0;
	assert_int_equal(get(f, "/hello"), 0);
	assert_got(f, 200, "hello");
}

static void test_a_large_body_goes_up(void **state)
{
	struct fixture *f = *state;
	cleanup(free) char *url = mem_asprintf("%s/echo", f->world.tiny->url);
	cleanup(free) char *body = mem_calloc(1, BIG);
	static const char *const headers[] = {
		"Content-Type: application/x-test", NULL};
	struct http_request request = {
		.url = url, .headers = headers, .body = body, .n_body = BIG};
	const struct tiny_request *got;

	for (int i = 0; i < BIG; i++)
		body[i] = (char)(i * 7);
	assert_int_equal(perform(f, &request), 0);
	assert_int_equal(f->told.bytes.len, BIG);
	assert_memory_equal(f->told.bytes.data, body, BIG);
	got = tiny_got(f->world.tiny, 0);
	assert_string_equal(got->method, "POST");
	assert_null(tiny_header(got, "Expect"));
	assert_string_equal(tiny_header(got, "Content-Type"),
			    "application/x-test");
}

static void test_gzip(void **state)
{
	struct fixture *f = *state;
	cleanup(free) char *url = mem_asprintf("%s/gzip", f->world.tiny->url);
	cleanup(free) char *bad =
		mem_asprintf("%s/bad-gzip", f->world.tiny->url);
	struct http_request request = {.url = url, .compressed = true};

	assert_int_equal(perform(f, &request), 0);
	assert_int_equal(f->response.status, 200);
	assert_int_equal(f->told.bytes.len, 136);
	assert_memory_equal(f->told.bytes.data, "hello hhhh", 10);
	assert_int_equal(f->told.content_length, -1);
	assert_int_equal(f->response.n_received, sizeof(hello_gz));
	assert_string_equal(
		tiny_header(tiny_got(f->world.tiny, 0), "Accept-Encoding"),
		"gzip");
	request.url = bad;
	assert_int_equal(perform(f, &request), -EPROTO);
	assert_non_null(strstr(f->ctx.sentence, "127.0.0.1"));
}

static void test_head(void **state)
{
	struct fixture *f = *state;
	cleanup(free) char *url = mem_asprintf("%s/hello", f->world.tiny->url);
	struct http_request request = {.url = url, .method = "HEAD"};

	/* The server sends a body all the same: curl must not wait for it. */
	assert_int_equal(perform(f, &request), 0);
	assert_got(f, 200, "");
	assert_string_equal(tiny_got(f->world.tiny, 0)->method, "HEAD");
}

/* ---- Redirects and credentials ------------------------------------------- */

static void test_a_redirect_at_home_keeps_the_credential(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(get(f, "/here"), 0);
	assert_got(f, 200, "hello");
	assert_int_equal(f->response.n_asked, 2);
	assert_false(f->response.other_host);
	assert_null(f->response.error_body);
	assert_string_equal(
		tiny_header(tiny_got(f->world.tiny, 1), "Authorization"), AUTH);
}

static void test_a_redirect_elsewhere_drops_it(void **state)
{
	struct fixture *f = *state;
	const struct tiny_request *got;

	assert_int_equal(get(f, "/there"), 0);
	assert_got(f, 200, "proxy");
	assert_true(f->response.other_host);
	assert_int_equal(f->response.n_asked, 1);
	got = tiny_got(f->world.other, 0);
	assert_string_equal(got->path, "/hello?token=x");
	assert_null(tiny_header(got, "Authorization"));
	assert_non_null(
		tiny_header(tiny_got(f->world.tiny, 0), "Authorization"));
}

static void test_back_home_it_is_sent_again(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(get(f, "/and-back"), 0);
	assert_got(f, 200, "hello");
	assert_int_equal(f->response.n_asked, 2);
	assert_false(f->response.other_host);
	assert_null(tiny_header(tiny_got(f->world.other, 0), "Authorization"));
	assert_non_null(
		tiny_header(tiny_got(f->world.tiny, 1), "Authorization"));
}

static void test_a_user_in_a_url_is_not_sent(void **state)
{
	struct fixture *f = *state;
	cleanup(free) char *url = mem_asprintf(
		"http://me:pw@127.0.0.1:%u/hello", f->world.tiny->port);
	struct http_request request = {.url = url};

	assert_int_equal(perform(f, &request), 0);
	assert_null(tiny_header(tiny_got(f->world.tiny, 0), "Authorization"));
	assert_int_equal(get(f, "/with-user"), 0);
	assert_got(f, 200, "hello");
	assert_null(tiny_header(tiny_got(f->world.other, 0), "Authorization"));
}

static void test_redirects_end(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(get(f, "/circle"), -EPROTO);
	assert_int_equal(f->response.n_asked, 6);
	assert_int_equal(tiny_n_requests(f->world.tiny), 6);
	assert_non_null(strstr(f->ctx.sentence, "circles"));
}

static void test_redirects_lead_to_http_only(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(get(f, "/to-file"), 0);
	assert_got(f, 302, "");
	assert_string_equal(f->response.location, "");
	assert_int_equal(get(f, "/to-nowhere"), 0);
	assert_got(f, 302, "");
}

static void test_redirects_are_handed_out_if_asked(void **state)
{
	struct fixture *f = *state;
	cleanup(free) char *url = mem_asprintf("%s/here", f->world.tiny->url);
	cleanup(free) char *hello =
		mem_asprintf("%s/hello", f->world.tiny->url);
	struct http_request request = {.url = url, .no_redirects = true};

	assert_int_equal(perform(f, &request), 0);
	assert_got(f, 302, "");
	assert_string_equal(f->response.location, hello);
	assert_string_equal(f->response.error_body, "gone");
}

static void test_a_body_stays_with_its_origin(void **state)
{
	struct fixture *f = *state;
	struct {
		const char *path;
		long status;
		const char *body;
	} cases[] = {
		{"/here-307", 200, "secret"}, {"/here-303", 200, "hello"},
		{"/there-307", 307, ""},      {"/here", 302, ""},
		{"/there", 302, ""},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cleanup(free) char *url =
			mem_asprintf("%s%s", f->world.tiny->url, cases[i].path);
		struct http_request request = {
			.url = url, .body = "secret", .n_body = 6};

		assert_int_equal(perform(f, &request), 0);
		assert_got(f, cases[i].status, cases[i].body);
	}
	assert_int_equal(tiny_n_requests(f->world.other), 0);
}

static void test_no_credential_over_plain_http(void **state)
{
	struct fixture *f = *state;
	struct http_request request = {.url = "http://192.0.2.1/",
				       .authorization = AUTH};

	assert_int_equal(perform(f, &request), -EPERM);
	assert_non_null(strstr(f->ctx.sentence, "192.0.2.1"));
	assert_null(strstr(f->ctx.sentence, "dGVzd"));
	assert_int_equal(http_n_requests(f->http), 0);
}

static void test_no_other_scheme(void **state)
{
	static const char *const urls[] = {
		"file:///etc/passwd",
		"ftp://127.0.0.1/",
		"127.0.0.1",
		"",
		"http://",

		"http://a b/",
		"http://a/\r\nX: y",
		"gopher://127.0.0.1/1",
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(urls); i++) {
		struct http_request request = {.url = urls[i]};

		assert_int_equal(perform(f, &request), -EINVAL);
	}
}

static void test_no_line_end_in_a_header(void **state)
{
	struct fixture *f = *state;
	cleanup(free) char *url = mem_asprintf("%s/hello", f->world.tiny->url);
	static const char *const headers[] = {"A: b\r\nC: d", NULL};
	struct http_request request = {.url = url, .headers = headers};

	assert_int_equal(perform(f, &request), -EINVAL);
	request.headers = NULL;
	request.authorization = "Basic x\nX: y";
	assert_int_equal(perform(f, &request), -EINVAL);
	assert_int_equal(tiny_n_requests(f->world.tiny), 0);
}

static void check_parts(const char *text, const char *whole, const char *base,
			const char *authority, const char *origin,
			const char *host)
{
	cleanup(http_url_done) struct http_url url = {0};

	assert_int_equal(http_url_parse(text, &url), 0);
	assert_string_equal(url.text, whole);
	assert_string_equal(url.base, base);
	assert_string_equal(url.authority, authority);
	assert_string_equal(url.origin, origin);
	assert_string_equal(url.host, host);
}

static void test_parts(void **state)
{
	struct http_url url = {.https = true};

	(void)state;
	check_parts("https://A.org/a/../b?q#f", "https://A.org/a/../b?q",
		    "https://A.org", "A.org", "https://a.org:443", "a.org");
	check_parts("HTTP://u:p@[::1]:8080", "http://[::1]:8080/",
		    "http://[::1]:8080", "[::1]:8080", "http://[::1]:8080",
		    "[::1]");
	check_parts("https://a.org:443?x=/", "https://a.org:443/?x=/",
		    "https://a.org:443", "a.org:443", "https://a.org:443",
		    "a.org");
	assert_int_equal(http_url_parse("https://a:65536/", &url), -ERANGE);
	assert_int_equal(http_url_parse("https://a b/", &url), -EINVAL);
	assert_int_equal(http_url_parse("ssh://a/", &url), -EINVAL);
	assert_int_equal(http_url_parse("https://", &url), -EINVAL);
	/* What failed left nothing behind. */
	assert_true(url.https && !url.text);
}

static bool is_here(const char *text)
{
	cleanup(http_url_done) struct http_url url = {0};

	assert_int_equal(http_url_parse(text, &url), 0);
	return url.here;
}

static void test_origins(void **state)
{
	(void)state;
	assert_true(http_same_origin("https://a.org/x", "https://A.org:443/"));
	assert_true(http_same_origin("http://a/", "HTTP://u:p@a:80/?q#f"));
	assert_false(http_same_origin("http://a/", "https://a/"));
	assert_false(http_same_origin("https://a/", "https://a:444/"));
	assert_false(http_same_origin("https://a.org/", "https://a.org.b/"));
	assert_false(http_same_origin("https://a/", "https://a@b/"));
	assert_false(http_same_origin("nonsense", "nonsense"));
	assert_true(http_is_loopback("http://127.0.0.1:8080/"));
	assert_true(http_is_loopback("http://127.255.3.4/"));
	assert_true(http_is_loopback("https://LOCALHOST/"));
	assert_true(http_is_loopback("http://[::1]:8/"));
	assert_false(http_is_loopback("http://localhost.example.org/"));
	assert_false(http_is_loopback("http://127.0.0.1.example.org/"));
	assert_false(http_is_loopback("http://127.0.0.1@example.org/"));
	assert_false(http_is_loopback("http://example.org/127.0.0.1"));
	assert_false(http_is_loopback("http://10.0.0.1/"));
	assert_false(http_is_loopback("http://[::2]/"));
	assert_true(is_here("https://127.0.0.1/"));
	assert_true(is_here("https://127.1/"));
	assert_true(is_here("https://0.0.0.0/"));
	assert_true(is_here("https://localhost./"));
	assert_true(is_here("https://a.localhost/"));
	assert_true(is_here("https://[::]/"));
	assert_true(is_here("https://[0:0:0:0:0:0:0:1]/"));
	assert_true(is_here("https://[::ffff:127.0.0.1]/"));
	assert_true(is_here("https://[::ffff:7f00:2]/"));
	assert_false(is_here("https://example.org/"));
	assert_false(is_here("https://notlocalhost/"));
	assert_false(is_here("https://10.0.0.1/"));
	assert_false(is_here("https://[::2:0:0:1]/"));
	assert_false(is_here("https://[::ffff:10.0.0.1]/"));
	assert_false(http_is_loopback("file://localhost/"));
}

/* ---- The environment's proxies ------------------------------------------- */

static void test_proxies(void **state)
{
	struct fixture *f = *state;
	cleanup(free) char *proxy =
		mem_asprintf("http://127.0.0.1:%u", f->world.other->port);
	struct http_request request = {.url = "http://example.invalid/p"};

	setenv("http_proxy", proxy, 1);
	assert_int_equal(get(f, "/hello"), 0);
	assert_int_equal(tiny_n_requests(f->world.other), 0);
	assert_int_equal(perform(f, &request), 0);
	assert_got(f, 200, "proxy");
	assert_string_equal(tiny_got(f->world.other, 0)->path,
			    "http://example.invalid/p");
	unsetenv("http_proxy");
}

/* ---- Heads: the corpora -------------------------------------------------- */

static struct fixture *corpus_fixture;

/* A head as it is sent, a line "--", and what must be understood of it. */
static void corpus_file(const char *name, const char *data, size_t n, bool ok)
{
	struct fixture *f = corpus_fixture;
	const char *end = memmem(data, n, "\n--\n", 4);
	cleanup(buf_done) struct buf head = BUF_INIT(0);
	cleanup(buf_done) struct buf understood = BUF_INIT(0);
	struct http_response *r = &f->response;
	int result;

	for (const char *s = data; s < (end ? end + 1 : data + n); s++) {
		if (*s == '\n' && ok)
			buf_putc(&head, '\r');
		buf_putc(&head, *s);
	}
	f->world.head = head.data;
	f->world.n_head = head.len;
	result = get(f, "/corpus");
	tiny_await_idle(f->world.tiny);
	if (!ok) {
		if (result >= 0)
			fail_msg("%s: taken", name);
		return;
	}
	if (result < 0)
		fail_msg("%s: %d (%s)", name, result, f->ctx.sentence);
	buf_printf(&understood,
		   "%ld\netag %s\ncontent_type %s\nretry_after_s %lld\n"
		   "rate %lld %lld %lld%s\n",
		   r->status, r->etag, r->content_type,
		   (long long)r->retry_after_s, (long long)r->rate_limit,
		   (long long)r->rate_remaining, (long long)r->rate_reset_s,
		   r->rate_near_limit ? " near" : "");
	if (!end || strcmp(understood.data, end + 4))
		fail_msg("%s: understood\n%s", name, understood.data);
}

static void test_heads(void **state)
{
	corpus_fixture = *state;
	/* 2026-11-24T06:49:58Z */
	clock_fake(clock_mono_ms(), INT64_C(1795502998000));
	assert_true(corpora_each("headers/ok", NULL, corpus_file, true) > 0);
	assert_true(corpora_each("headers/should-fail", NULL, corpus_file,
				 false) > 0);
	clock_real();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_get),
		TEST(test_a_connection_is_kept),
		TEST(test_chunks_and_trailers),
		TEST(test_early_hints_are_no_answer),
		TEST(test_an_error_is_an_answer),
		TEST(test_an_error_body_has_a_maximum),
		TEST(test_without_a_sink_the_body_is_dropped),
		TEST(test_the_sink_can_end_it),
		TEST(test_a_large_body_goes_up),
		TEST(test_gzip),
		TEST(test_head),
		TEST(test_a_redirect_at_home_keeps_the_credential),
		TEST(test_a_redirect_elsewhere_drops_it),
		TEST(test_back_home_it_is_sent_again),
		TEST(test_a_user_in_a_url_is_not_sent),
		TEST(test_redirects_end),
		TEST(test_redirects_lead_to_http_only),
		TEST(test_redirects_are_handed_out_if_asked),
		TEST(test_a_body_stays_with_its_origin),
		TEST(test_no_credential_over_plain_http),
		TEST(test_no_other_scheme),
		TEST(test_no_line_end_in_a_header),
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_origins),
		TEST(test_proxies),
		TEST(test_heads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
