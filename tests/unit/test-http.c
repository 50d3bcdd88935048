/*
 * wire/http against a tiny server that is slow, silent, cut off or wrong.
 */
#include "wire/http.h"

#include "base/clock.h"
#include "corpora.h"
#include "tiny-server.h"

#define AUTH "Basic dGVzdDpzZWNyZXQ="
#define BIG (3 * MIB)

/* ---- The server's answers ------------------------------------------------ */

/* What some answers need to know of the world round them. */
struct world {
	struct tiny *tiny, *other;
	const char *head; /* of /corpus */
	size_t n_head;
	atomic_uint n_stale;
};

static const unsigned char hello_gz[] = {
	0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0xff,
	0xcb, 0x48, 0xcd, 0xc9, 0xc9, 0x57, 0xc8, 0x18, 0x70, 0x00,
	0x00, 0x54, 0xc3, 0x1c, 0x20, 0x88, 0x00, 0x00, 0x00};

static void answer_big(struct tiny_connection *c, const char *status)
{
	char line[256];
	char *bytes = xcalloc(1, BIG);

	memset(bytes, 'b', BIG);
	snprintf(line, sizeof(line),
		 "HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n", status, BIG);
	tiny_say(c, line);
	tiny_send(c, bytes, BIG);
	free(bytes);
}

/* A second between bytes would be too long, this is not. */
static void answer_drip(struct tiny_connection *c)
{
	tiny_say(c, "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n");
	for (int i = 0; i < 8; i++) {
		struct pollfd gone = {.fd = c->fd, .events = POLLIN};

		if (poll(&gone, 1, 60) > 0)
			return;
		tiny_say(c, "d");
	}
}

static void redirect_to(struct tiny_connection *c, int status, const char *base,
			const char *path)
{
	char text[512];

	snprintf(text, sizeof(text),
		 "HTTP/1.1 %d Elsewhere\r\nLocation: %s%s\r\n"
		 "Content-Length: 4\r\n\r\ngone",
		 status, base, path);
	tiny_say(c, text);
}

#define IS(p) (!strcmp(request->path, p))
#define SAY(...) tiny_say(c, __VA_ARGS__)

static bool answer(struct tiny_connection *c,
		   const struct tiny_request *request, void *arg)
{
	struct world *world = arg;
	char text[128];

	if (IS("/hello")) {
		SAY("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
		    "ETag: \"abc\"\r\nContent-Length: 5\r\n\r\nhello");
	} else if (IS("/chunked")) {
		SAY("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
		    "5\r\nhello\r\n6\r\n world\r\n0\r\n"
		    "ETag: \"trailer\"\r\nX-RateLimit-Limit: 7\r\n\r\n");
	} else if (IS("/early")) {
		SAY("HTTP/1.1 103 Early Hints\r\nETag: \"early\"\r\n\r\n"
		    "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	} else if (IS("/missing")) {
		SAY("HTTP/1.1 404 Not Found\r\nContent-Length: 7\r\n\r\n"
		    "nothing");
	} else if (IS("/big-error")) {
		answer_big(c, "500 Oh");
		return false;
	} else if (IS("/big")) {
		answer_big(c, "200 OK");
	} else if (IS("/echo")) {
		snprintf(text, sizeof(text),
			 "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n",
			 request->n_body);
		SAY(text);
		tiny_send(c, request->body, request->n_body);
	} else if (IS("/silent")) {
		tiny_await_gone(c);
		return false;
	} else if (IS("/stall")) {
		SAY("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello");
		tiny_await_gone(c);
		return false;
	} else if (IS("/stall-head")) {
		SAY("HTTP/1.1 200 OK\r\nContent-");
		tiny_await_gone(c);
		return false;
	} else if (IS("/drip")) {
		answer_drip(c);
	} else if (IS("/cut-length")) {
		SAY("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello");
		return false;
	} else if (IS("/cut-chunk")) {
		SAY("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
		    "5\r\nhello\r\n");
		return false;
	} else if (IS("/cut-head")) {
		SAY("HTTP/1.1 200 OK\r\nContent-Le");
		return false;
	} else if (IS("/nothing")) {
		return false;
	} else if (IS("/reset")) {
		struct linger hard = {.l_onoff = 1};

		SAY("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello");
		setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
		return false;
	} else if (IS("/garbage")) {
		SAY("this is not HTTP at all\r\n\r\n");
		return false;
	} else if (IS("/binary")) {
		tiny_send(c, "\0\1\2\3\r\n\r\n", 8);
		return false;
	} else if (IS("/endless-head")) {
		SAY("HTTP/1.1 200 OK\r\n");
		for (int i = 0; i < 10000; i++)
			SAY("X-Filler: 0123456789012345678901234567890\r\n");
		return false;
	} else if (IS("/gzip")) {
		snprintf(text, sizeof(text),
			 "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n"
			 "Content-Length: %zu\r\n\r\n",
			 sizeof(hello_gz));
		SAY(text);
		tiny_send(c, hello_gz, sizeof(hello_gz));
	} else if (IS("/bad-gzip")) {
		SAY("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n"
		    "Content-Length: 12\r\n\r\nnot gzip, no");
	} else if (IS("/stale")) {
		/* The second request of a connection gets no answer. */
		SAY("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfresh");
		if (atomic_fetch_add(&world->n_stale, 1) == 0) {
			struct tiny_request dropped = {0};

			if (tiny_read_request(c, &dropped)) {
				free(dropped.head);
				free(dropped.body);
			}
			return false;
		}
	} else if (IS("/idle-close")) {
		SAY("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
		return false;
	} else if (IS("/here")) {
		redirect_to(c, 302, "", "/hello");
	} else if (IS("/there")) {
		redirect_to(c, 302, world->other->url, "/hello?token=x");
	} else if (IS("/there-307")) {
		redirect_to(c, 307, world->other->url, "/echo");
	} else if (IS("/here-307")) {
		redirect_to(c, 307, "", "/echo");
	} else if (IS("/here-303")) {
		redirect_to(c, 303, "", "/hello");
	} else if (IS("/and-back")) {
		redirect_to(c, 301, world->other->url, "/back");
	} else if (IS("/back")) {
		redirect_to(c, 301, world->tiny->url, "/hello");
	} else if (IS("/circle")) {
		redirect_to(c, 302, "", "/circle");
	} else if (IS("/to-file")) {
		redirect_to(c, 302, "file:///etc", "/passwd");
	} else if (IS("/to-nowhere")) {
		SAY("HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n");
	} else if (IS("/with-user")) {
		SAY("HTTP/1.1 302 Found\r\nLocation: http://me:pw@127.0.0.1");
		snprintf(text, sizeof(text),
			 ":%u/hello\r\nContent-Length: 0\r\n\r\n",
			 world->other->port);
		SAY(text);
	} else if (IS("/corpus")) {
		tiny_send(c, world->head, world->n_head);
		return false;
	} else {
		SAY("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nproxy");
	}
	return true;
}

/* ---- The client's side --------------------------------------------------- */

struct told {
	struct buf bytes;
	unsigned n_begins;
	int64_t content_length;
	int answer;
};

static int told_begin(void *arg, const struct http_response *response)
{
	struct told *told = arg;

	assert_int_equal(told->bytes.len, 0);
	assert_true(response->status >= 200 && response->status < 300);
	told->n_begins++;
	told->content_length = response->content_length;
	return 0;
}

static int told_write(void *arg, const void *data, size_t n)
{
	struct told *told = arg;

	buf_add(&told->bytes, data, n);
	return told->answer;
}

struct fixture {
	struct world world;
	struct http *http;
	struct ctx ctx;
	struct told told;
	struct http_sink sink;
	struct http_response response;
};

static int set_up_with(void **state, const struct http_config *config)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	f->world.tiny = tiny_new(answer, &f->world);
	f->world.other = tiny_new(answer, &f->world);
	assert_int_equal(http_new(config, &f->http), 0);
	ctx_init(&f->ctx, NULL, 20000);
	f->sink = (struct http_sink){
		.begin = told_begin, .write = told_write, .arg = &f->told};
	*state = f;
	return 0;
}

static int set_up(void **state)
{
	struct http_config config = {.user_agent = "bitbucketfs-test"};

	return set_up_with(state, &config);
}

static int set_up_impatient(void **state)
{
	struct http_config config = {.n_connections = 2,
				     .stall_timeout_ms = 300};

	return set_up_with(state, &config);
}

static int set_up_single(void **state)
{
	struct http_config config = {.n_connections = 1};

	return set_up_with(state, &config);
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	http_response_done(&f->response);
	ctx_done(&f->ctx);
	http_free(f->http);
	buf_done(&f->told.bytes);
	tiny_free(f->world.tiny);
	tiny_free(f->world.other);
	free(f);
	return 0;
}

static int perform(struct fixture *f, const struct http_request *request)
{
	http_response_done(&f->response);
	buf_clear(&f->told.bytes);
	f->told.n_begins = 0;
	return http_perform(&f->ctx, f->http, request, &f->sink, &f->response);
}

static int get(struct fixture *f, const char *path)
{
	cleanup(free) char *url = xasprintf("%s%s", f->world.tiny->url, path);
	struct http_request request = {.url = url, .authorization = AUTH};

	return perform(f, &request);
}

static void assert_got(struct fixture *f, long status, const char *body)
{
	assert_int_equal(f->response.status, status);
	assert_string_equal(f->told.bytes.data ? f->told.bytes.data : "", body);
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
	cleanup(free) char *url = xasprintf("%s/big", f->world.tiny->url);
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
	cleanup(free) char *url = xasprintf("%s/echo", f->world.tiny->url);
	cleanup(free) char *body = xcalloc(1, BIG);
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
	cleanup(free) char *url = xasprintf("%s/gzip", f->world.tiny->url);
	cleanup(free) char *bad = xasprintf("%s/bad-gzip", f->world.tiny->url);
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
	cleanup(free) char *url = xasprintf("%s/hello", f->world.tiny->url);
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
	assert_false(f->response.other_host);
	assert_null(tiny_header(tiny_got(f->world.other, 0), "Authorization"));
	assert_non_null(
		tiny_header(tiny_got(f->world.tiny, 1), "Authorization"));
}

static void test_a_user_in_a_url_is_not_sent(void **state)
{
	struct fixture *f = *state;
	cleanup(free) char *url = xasprintf("http://me:pw@127.0.0.1:%u/hello",
					    f->world.tiny->port);
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
	cleanup(free) char *url = xasprintf("%s/here", f->world.tiny->url);
	cleanup(free) char *hello = xasprintf("%s/hello", f->world.tiny->url);
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
			xasprintf("%s%s", f->world.tiny->url, cases[i].path);
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
	cleanup(free) char *url = xasprintf("%s/hello", f->world.tiny->url);
	static const char *const headers[] = {"A: b\r\nC: d", NULL};
	struct http_request request = {.url = url, .headers = headers};

	assert_int_equal(perform(f, &request), -EINVAL);
	request.headers = NULL;
	request.authorization = "Basic x\nX: y";
	assert_int_equal(perform(f, &request), -EINVAL);
	assert_int_equal(tiny_n_requests(f->world.tiny), 0);
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
	assert_false(http_is_loopback("file://localhost/"));
}

/* ---- Failures ------------------------------------------------------------ */

static void assert_fails(struct fixture *f, const char *path, int errnum)
{
	int r = get(f, path);

	if (r != errnum)
		fail_msg("%s: %d (%s)", path, r, f->ctx.sentence);
	assert_non_null(strstr(f->ctx.sentence, "127.0.0.1"));
	assert_null(strstr(f->ctx.sentence, path));
}

static void test_broken_off(void **state)
{
	struct fixture *f = *state;

	assert_fails(f, "/cut-length", -ECONNRESET);
	assert_string_equal(f->told.bytes.data, "hello");
	assert_fails(f, "/cut-chunk", -ECONNRESET);
	assert_fails(f, "/nothing", -ECONNRESET);
	assert_fails(f, "/reset", -ECONNRESET);
	assert_true(get(f, "/cut-head") < 0);
	assert_int_equal(get(f, "/hello"), 0);
}

static void test_not_http(void **state)
{
	struct fixture *f = *state;

	assert_fails(f, "/garbage", -EPROTO);
	assert_fails(f, "/binary", -EPROTO);
	assert_fails(f, "/endless-head", -EPROTO);
	assert_int_equal(get(f, "/hello"), 0);
}

static void test_nobody_there(void **state)
{
	struct fixture *f = *state;
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t n = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cleanup(free) char *url = NULL;
	struct http_request request = {0};

	/* Bound, so that nobody else can listen there, but not listening. */
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, n), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &n), 0);
	url = xasprintf("http://127.0.0.1:%u/", ntohs(address.sin_port));
	request.url = url;
	assert_int_equal(perform(f, &request), -ENETUNREACH);
	assert_non_null(strstr(f->ctx.sentence, "refused"));
	close(fd);
}

static void test_no_such_name(void **state)
{
	struct fixture *f = *state;
	struct http_request request = {.url = "https://no.invalid/secret"};

	int r = perform(f, &request);

	/* A resolver that cannot be reached takes its time. */
	assert_true(r == -ENETUNREACH || r == -ETIMEDOUT);
	assert_non_null(strstr(f->ctx.sentence, "no.invalid"));
	assert_null(strstr(f->ctx.sentence, "secret"));
}

static void test_no_tls_there(void **state)
{
	struct fixture *f = *state;
	cleanup(free) char *url =
		xasprintf("https://127.0.0.1:%u/hello", f->world.tiny->port);
	struct http_request request = {.url = url, .authorization = AUTH};

	/* The tiny server waits for the end of a head that never comes. */
	ctx_narrow(&f->ctx, 500);
	assert_int_equal(perform(f, &request), -ETIMEDOUT);
}

static void test_stalls_end(void **state)
{
	struct fixture *f = *state;

	assert_fails(f, "/silent", -ETIMEDOUT);
	assert_fails(f, "/stall-head", -ETIMEDOUT);
	assert_fails(f, "/stall", -ETIMEDOUT);
	assert_string_equal(f->told.bytes.data, "hello");
	assert_int_equal(get(f, "/hello"), 0);
}

static void test_what_drips_goes_on(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(get(f, "/drip"), 0);
	assert_got(f, 200, "dddddddd");
}

static void test_a_deadline_ends_it(void **state)
{
	struct fixture *f = *state;
	int64_t began = clock_mono_ms();

	ctx_narrow(&f->ctx, 200);
	assert_fails(f, "/silent", -ETIMEDOUT);
	assert_true(clock_mono_ms() - began < 5000);
	/* And nothing is sent after it. */
	assert_int_equal(get(f, "/hello"), -ETIMEDOUT);
	assert_int_equal(tiny_n_requests(f->world.tiny), 1);
}

static void test_an_idle_connection_may_close(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 3; i++) {
		assert_int_equal(get(f, "/idle-close"), 0);
		assert_got(f, 200, "hello");
	}
}

static void test_a_stale_connection_is_no_failure(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(get(f, "/stale"), 0);
	assert_got(f, 200, "fresh");
	assert_int_equal(get(f, "/stale"), 0);
	assert_got(f, 200, "fresh");
	assert_int_equal(f->told.n_begins, 1);
	assert_int_equal(tiny_got(f->world.tiny, 1)->connection, 1);
}

static void test_a_waiting_place_is_needed(void **state)
{
	struct fixture *f = *state;
	cleanup(ctx_group_free) struct ctx_group *group = ctx_group_new(1);
	struct ctx first, second;
	cleanup(free) char *url = xasprintf("%s/hello", f->world.tiny->url);
	struct http_request request = {.url = url};

	ctx_init(&first, group, 10000);
	ctx_init(&second, group, 10000);
	assert_int_equal(ctx_wait_begin(&first), 0);
	assert_int_equal(
		http_perform(&second, f->http, &request, NULL, &f->response),
		-EAGAIN);
	http_response_done(&f->response);
	ctx_wait_end(&first);
	assert_int_equal(
		http_perform(&second, f->http, &request, NULL, &f->response),
		0);
	ctx_done(&first);
	ctx_done(&second);
	assert_int_equal(ctx_group_waiting(group), 0);
}

/* ---- Many at once -------------------------------------------------------- */

struct runner {
	struct fixture *f;
	const char *path;
	struct ctx ctx;
	struct thread *thread;
	int result;
	long status;
};

static void run(void *arg)
{
	struct runner *runner = arg;
	cleanup(free) char *url =
		xasprintf("%s%s", runner->f->world.tiny->url, runner->path);
	struct http_request request = {.url = url};
	struct http_response response;

	runner->result = http_perform(&runner->ctx, runner->f->http, &request,
				      NULL, &response);
	runner->status = response.status;
	http_response_done(&response);
}

static void start(struct runner *runner, struct fixture *f, const char *path)
{
	runner->f = f;
	runner->path = path;
	ctx_init(&runner->ctx, NULL, 20000);
	assert_int_equal(thread_start("run", run, runner, &runner->thread), 0);
}

static void finish(struct runner *runner, int result)
{
	thread_join(runner->thread);
	assert_int_equal(runner->result, result);
	ctx_done(&runner->ctx);
}

static void test_a_cancelled_exchange_ends_at_once(void **state)
{
	struct fixture *f = *state;
	struct runner runner;
	int64_t began;

	start(&runner, f, "/silent");
	tiny_await(f->world.tiny, 1);
	began = clock_mono_ms();
	ctx_cancel(&runner.ctx);
	finish(&runner, -EINTR);
	assert_true(clock_mono_ms() - began < 1000);
}

static void test_cancelled_before_it_began(void **state)
{
	struct fixture *f = *state;

	ctx_cancel(&f->ctx);
	assert_int_equal(get(f, "/hello"), -EINTR);
	assert_int_equal(http_n_requests(f->http), 0);
}

static void test_who_waits_for_a_place_can_be_cancelled(void **state)
{
	struct fixture *f = *state;
	struct runner holder, waiting, third;
	int64_t began;

	start(&holder, f, "/silent");
	tiny_await(f->world.tiny, 1);
	start(&waiting, f, "/hello");
	start(&third, f, "/hello");
	began = clock_mono_ms();
	ctx_cancel(&waiting.ctx);
	finish(&waiting, -EINTR);
	assert_true(clock_mono_ms() - began < 1000);
	ctx_cancel(&holder.ctx);
	finish(&holder, -EINTR);
	finish(&third, 0);
	assert_int_equal(third.status, 200);
	assert_int_equal(tiny_n_requests(f->world.tiny), 2);
}

static void test_a_place_has_a_deadline(void **state)
{
	struct fixture *f = *state;
	struct runner holder;

	start(&holder, f, "/silent");
	tiny_await(f->world.tiny, 1);
	ctx_narrow(&f->ctx, 100);
	assert_int_equal(get(f, "/hello"), -ETIMEDOUT);
	assert_non_null(strstr(f->ctx.sentence, "connection"));
	ctx_cancel(&holder.ctx);
	finish(&holder, -EINTR);
}

static void test_no_more_connections_than_said(void **state)
{
	struct fixture *f = *state;
	struct runner runners[24];

	for (size_t i = 0; i < ARRAY_SIZE(runners); i++)
		start(&runners[i], f, i % 3 ? "/hello" : "/big");
	for (size_t i = 0; i < ARRAY_SIZE(runners); i++)
		finish(&runners[i], 0);
	assert_int_equal(tiny_n_requests(f->world.tiny), 24);
	assert_in_range(f->world.tiny->most_busy, 1, 2);
	assert_in_range(f->world.tiny->n_connections, 1, 2);
}

static void test_many_are_cancelled(void **state)
{
	struct fixture *f = *state;
	struct runner runners[32];

	for (size_t i = 0; i < ARRAY_SIZE(runners); i++)
		start(&runners[i], f, i % 2 ? "/silent" : "/big");
	for (size_t i = 0; i < ARRAY_SIZE(runners); i++)
		ctx_cancel(&runners[i].ctx);
	for (size_t i = 0; i < ARRAY_SIZE(runners); i++) {
		thread_join(runners[i].thread);
		assert_true(runners[i].result == -EINTR ||
			    (i % 2 == 0 && runners[i].result == 0));
		ctx_done(&runners[i].ctx);
	}
	assert_int_equal(get(f, "/hello"), 0);
}

/* ---- The environment's proxies ------------------------------------------- */

static void test_proxies(void **state)
{
	struct fixture *f = *state;
	cleanup(free) char *proxy =
		xasprintf("http://127.0.0.1:%u", f->world.other->port);
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
#define IMPATIENT(name) \
	cmocka_unit_test_setup_teardown(name, set_up_impatient, tear_down)
#define SINGLE(name) \
	cmocka_unit_test_setup_teardown(name, set_up_single, tear_down)

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
		cmocka_unit_test(test_origins),
		TEST(test_broken_off),
		TEST(test_not_http),
		TEST(test_nobody_there),
		TEST(test_no_such_name),
		TEST(test_no_tls_there),
		IMPATIENT(test_stalls_end),
		IMPATIENT(test_what_drips_goes_on),
		TEST(test_a_deadline_ends_it),
		TEST(test_an_idle_connection_may_close),
		TEST(test_a_stale_connection_is_no_failure),
		TEST(test_a_waiting_place_is_needed),
		TEST(test_a_cancelled_exchange_ends_at_once),
		TEST(test_cancelled_before_it_began),
		SINGLE(test_who_waits_for_a_place_can_be_cancelled),
		SINGLE(test_a_place_has_a_deadline),
		IMPATIENT(test_no_more_connections_than_said),
		TEST(test_many_are_cancelled),
		TEST(test_proxies),
		SINGLE(test_heads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
