/*
 * A client and two tiny servers, which are slow, silent, cut off or wrong as
 * the path asks: what the tests of wire/http share.
 */
#ifndef TESTS_HTTP_FIXTURE_H
#define TESTS_HTTP_FIXTURE_H

#include "wire/http.h"

#include "tiny-server.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

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

static inline void answer_big(struct tiny_connection *c, const char *status)
{
	char line[256];
	char *bytes = mem_calloc(1, BIG);

	memset(bytes, 'b', BIG);
	snprintf(line, sizeof(line),
		 "HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n", status, BIG);
	tiny_say(c, line);
	tiny_send(c, bytes, BIG);
	free(bytes);
}

/* As long as a stall in all, but never silent for so long. */
static void answer_drip(struct tiny_connection *c)
{
	tiny_say(c, "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n");
	for (int i = 0; i < 8; i++) {
		struct pollfd gone = {.fd = c->fd, .events = POLLIN};

		if (poll(&gone, 1, 120) > 0)
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

static inline int set_up_with(void **state, const struct http_config *config)
{
	struct fixture *f = mem_calloc(1, sizeof(*f));

	f->world.tiny = tiny_new(answer, &f->world);
	f->world.other = tiny_new(answer, &f->world);
	assert_int_equal(http_new(config, &f->http), 0);
	ctx_init(&f->ctx, NULL, 20000);
	f->sink = (struct http_sink){
		.begin = told_begin, .write = told_write, .arg = &f->told};
	*state = f;
	return 0;
}

static inline int tear_down(void **state)
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

static inline int perform(struct fixture *f, const struct http_request *request)
{
	http_response_done(&f->response);
	buf_clear(&f->told.bytes);
	f->told.n_begins = 0;
	return http_perform(&f->ctx, f->http, request, &f->sink, &f->response);
}

static inline int get(struct fixture *f, const char *path)
{
	cleanup(free) char *url =
		mem_asprintf("%s%s", f->world.tiny->url, path);
	struct http_request request = {.url = url, .authorization = AUTH};

	return perform(f, &request);
}

static inline void assert_got(struct fixture *f, long status, const char *body)
{
	assert_int_equal(f->response.status, status);
	assert_string_equal(f->told.bytes.data ? f->told.bytes.data : "", body);
}

#endif
