/*
 * wire/http_authorize: a request is sent with the secret of now, and once more
 * after a 401 if there is another one; and that a link to git does so.
 */
#include "wire/link.h"

#include "tiny-server.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define OLD "Basic b2xkOnNlY3JldA=="
#define NEW "Basic bmV3OnNlY3JldA=="

struct fixture {
	struct tiny *tiny, *other;
	struct http *http;
	struct ctx ctx;
	/* The server: who is let in, the rest gets 401; git's content type. */
	const char *only, *type;
	/* The authorizer: what it does … */
	bool is_new, is_nobody, may_renew;
	int refuses, fails_to_renew;
	/* … and what it was told. */
	unsigned n_authorized, n_heard, n_renewed;
	long heard;
	bool heard_authorized;
	/* The sink. */
	struct buf got;
};

static bool answer(struct tiny_connection *c,
		   const struct tiny_request *request, void *arg)
{
	struct fixture *f = arg;
	const char *given = tiny_header(request, "Authorization");
	cleanup(free) char *text = NULL;

	if (!strncmp(request->path, "/away", 5)) {
		text = mem_asprintf(
			"HTTP/1.1 302 Found\r\nLocation: %s/there\r\n"
			"Content-Length: 0\r\n\r\n",
			f->other->url);
		tiny_say(c, text);
		return true;
	}
	if (!given || strcmp(given, f->only)) {
		tiny_say(c, "HTTP/1.1 401 Unauthorized\r\n"
			    "Content-Length: 6\r\n\r\nGo off");
		return true;
	}
	text = mem_asprintf("HTTP/1.1 200 OK\r\nContent-Type: %s\r\n"
			    "Content-Length: %zu\r\n\r\n%s",
			    f->type ? f->type : "text/plain",
			    request->n_body + 2,
			    request->n_body ? request->body : "");
	tiny_say(c, text);
	tiny_say(c, "ok");
	return true;
}

static int authorize(void *arg, struct ctx *ctx, struct http_authorization *ret)
{
	struct fixture *f = arg;

	f->n_authorized++;
	if (f->refuses)
		return ctx_fail(ctx, f->refuses, "It may not be sent.");
	if (f->is_nobody)
		return 0;
	ret->value = mem_strdup(f->is_new ? NEW : OLD);
	ret->version = f->is_new ? 2 : 1;
	return 0;
}

static void heard(void *arg, struct ctx *ctx,
		  const struct http_authorization *sent,
		  const struct http_response *response)
{
	struct fixture *f = arg;

	(void)ctx;
	assert_int_equal(sent->version, f->is_nobody ? 0 : f->is_new ? 2 : 1);
	f->n_heard++;
	f->heard = response->status;
	f->heard_authorized = response->authorized;
}

static int renew(void *arg, struct ctx *ctx,
		 const struct http_authorization *refused)
{
	struct fixture *f = arg;

	f->n_renewed++;
	assert_int_equal(refused->version, f->is_new ? 2 : 1);
	assert_string_equal(refused->value, f->is_new ? NEW : OLD);
	if (f->fails_to_renew)
		return ctx_fail(ctx, f->fails_to_renew, "The helper failed.");
	if (f->may_renew)
		f->is_new = true;
	return f->may_renew;
}

static int take(void *arg, const void *data, size_t n)
{
	struct fixture *f = arg;

	return buf_add(&f->got, data, n);
}

static int set_up(void **state)
{
	const struct http_config config = {.user_agent = "test"};
	struct fixture *f = mem_calloc(1, sizeof(*f));

	f->only = NEW;
	f->tiny = tiny_new(answer, f);
	f->other = tiny_new(answer, f);
	assert_int_equal(http_new(&config, &f->http), 0);
	ctx_init(&f->ctx, NULL, 60000);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	ctx_done(&f->ctx);
	http_free(f->http);
	tiny_free(f->tiny);
	tiny_free(f->other);
	buf_done(&f->got);
	free(f);
	return 0;
}

static int perform(struct fixture *f, const char *path,
		   struct http_response *ret_response)
{
	cleanup(free) char *url = mem_asprintf("%s%s", f->tiny->url, path);
	const struct http_request request = {.url = url};
	const struct http_authorizer as = {authorize, heard, renew, f};
	const struct http_sink sink = {.write = take, .arg = f};

	f->ctx.sentence[0] = '\0';
	f->n_authorized = f->n_heard = f->n_renewed = 0;
	buf_clear(&f->got);
	return http_perform_as(&f->ctx, f->http, &request, &as, &sink,
			       ret_response);
}

static void assert_told(const struct fixture *f, unsigned n_authorized,
			unsigned n_heard, unsigned n_renewed)
{
	assert_int_equal(f->n_authorized, n_authorized);
	assert_int_equal(f->n_heard, n_heard);
	assert_int_equal(f->n_renewed, n_renewed);
}

static void another_secret_is_tried_once(void **state)
{
	struct fixture *f = *state;
	cleanup(http_response_done) struct http_response response = {0};

	f->may_renew = true;
	assert_int_equal(perform(f, "/", &response), 0);
	assert_int_equal(response.status, 200);
	/* Nothing of the first answer is left. */
	assert_null(response.error_body);
	assert_string_equal(f->got.data, "ok");
	assert_told(f, 2, 2, 1);
	assert_int_equal(tiny_n_requests(f->tiny), 2);
	assert_string_equal(tiny_header(tiny_got(f->tiny, 0), "Authorization"),
			    OLD);
	assert_string_equal(tiny_header(tiny_got(f->tiny, 1), "Authorization"),
			    NEW);
	/* It is refused, too. */
	f->only = "nothing";
	assert_int_equal(perform(f, "/", &response), 0);
	assert_int_equal(response.status, 401);
	assert_told(f, 2, 2, 1);
	assert_int_equal(tiny_n_requests(f->tiny), 4);
	assert_string_equal(response.error_body, "Go off");
}

static void the_same_secret_is_not_tried_again(void **state)
{
	struct fixture *f = *state;
	cleanup(http_response_done) struct http_response response = {0};

	assert_int_equal(perform(f, "/", &response), 0);
	assert_int_equal(response.status, 401);
	assert_told(f, 1, 1, 1);
	assert_int_equal(tiny_n_requests(f->tiny), 1);
}

static void what_may_not_be_sent_is_not(void **state)
{
	struct fixture *f = *state;
	cleanup(http_response_done) struct http_response response = {0};

	f->refuses = -EACCES;
	assert_int_equal(perform(f, "/", &response), -EACCES);
	assert_string_equal(f->ctx.sentence, "It may not be sent.");
	assert_told(f, 1, 0, 0);
	assert_int_equal(tiny_n_requests(f->tiny), 0);
}

static void a_source_that_fails_is_what_failed(void **state)
{
	struct fixture *f = *state;
	cleanup(http_response_done) struct http_response response = {0};

	f->fails_to_renew = -EIO;
	assert_int_equal(perform(f, "/", &response), -EIO);
	assert_string_equal(f->ctx.sentence, "The helper failed.");
	assert_int_equal(tiny_n_requests(f->tiny), 1);
}

/* A 401 to a request without a secret, and of a host that was not sent it,
 * accuse no secret. */
static void who_saw_no_secret_refused_none(void **state)
{
	struct fixture *f = *state;
	cleanup(http_response_done) struct http_response response = {0};

	f->may_renew = true;
	assert_int_equal(perform(f, "/away", &response), 0);
	assert_int_equal(response.status, 401);
	assert_told(f, 1, 1, 0);
	assert_false(f->heard_authorized);
	assert_int_equal(tiny_n_requests(f->other), 1);
	assert_null(tiny_header(tiny_got(f->other, 0), "Authorization"));
	f->is_nobody = true;
	http_response_done(&response);
	assert_int_equal(perform(f, "/", &response), 0);
	assert_int_equal(response.status, 401);
	assert_told(f, 1, 1, 0);
	assert_false(f->heard_authorized);
}

static void a_link_asks_again(void **state)
{
	struct fixture *f = *state;
	cleanup(free) char *url = mem_asprintf("%s/a/b.git", f->tiny->url);
	cleanup(link_free) struct link *link = NULL;
	const struct http_authorizer as = {authorize, heard, renew, f};
	const struct http_sink sink = {.write = take, .arg = f};

	f->type = "application/x-git-upload-pack-advertisement";
	assert_int_equal(link_http_new(f->http, url, &as, &link), 0);
	assert_int_equal(link->ops->advertise(&f->ctx, link, &sink), -EACCES);
	assert_non_null(strstr(f->ctx.sentence, "refuses these credentials"));
	assert_told(f, 1, 1, 1);
	assert_int_equal(f->got.len, 0);
	f->may_renew = true;
	assert_int_equal(link->ops->advertise(&f->ctx, link, &sink), 0);
	assert_string_equal(f->got.data, "ok");
	assert_told(f, 3, 3, 2);
	/* A request with a body is sent again whole. */
	f->type = "application/x-git-upload-pack-result";
	f->is_new = false;
	buf_clear(&f->got);
	assert_int_equal(
		link->ops->exchange(&f->ctx, link, true, "0000", 4, &sink), 0);
	assert_string_equal(f->got.data, "0000ok");
	assert_told(f, 5, 5, 3);
	assert_int_equal(tiny_n_requests(f->tiny), 5);
	/* Nobody is signed in. */
	f->is_nobody = true;
	assert_int_equal(link->ops->advertise(&f->ctx, link, &sink), -EACCES);
	assert_non_null(strstr(f->ctx.sentence, "wants credentials"));
	assert_int_equal(tiny_n_requests(f->tiny), 6);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(another_secret_is_tried_once),
		T(the_same_secret_is_not_tried_again),
		T(what_may_not_be_sent_is_not),
		T(a_source_that_fails_is_what_failed),
		T(who_saw_no_secret_refused_none),
		T(a_link_asks_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
