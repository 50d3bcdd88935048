/*
 * wire/http: what fails, what is waited for, and many at once.
 */
#include "wire/http.h"

#include "base/clock.h"
#include "http-fixture.h"

/* Long against the pauses of a busy machine, short for who waits here. */
#define STALL_MS 800

static int set_up(void **state)
{
	struct http_config config = {.n_connections = 0};

	return set_up_with(state, &config);
}

static int set_up_impatient(void **state)
{
	struct http_config config = {.stall_timeout_ms = STALL_MS};

	return set_up_with(state, &config);
}

static int set_up_two(void **state)
{
	struct http_config config = {.n_connections = 2};

	return set_up_with(state, &config);
}

static int set_up_single(void **state)
{
	struct http_config config = {.n_connections = 1};

	return set_up_with(state, &config);
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
	assert_int_equal(f->response.n_asked, 1);
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
	url = mem_asprintf("http://127.0.0.1:%u/", ntohs(address.sin_port));
	request.url = url;
	assert_int_equal(perform(f, &request), -ENETUNREACH);
	assert_non_null(strstr(f->ctx.sentence, "refused"));
	assert_int_equal(f->response.n_asked, 0);
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
		mem_asprintf("https://127.0.0.1:%u/hello", f->world.tiny->port);
	struct http_request request = {.url = url, .authorization = AUTH};

	/* The tiny server waits for the end of a head that never comes. */
	ctx_narrow(&f->ctx, 500);
	assert_int_equal(perform(f, &request), -ETIMEDOUT);
}

/* Takes one connection, says this, and closes it. */
struct rude {
	int fd;
	const char *word;
};

static void be_rude(void *arg)
{
	struct rude *rude = arg;
	int fd = accept4(rude->fd, NULL, NULL, SOCK_CLOEXEC);
	char byte;

	check(fd >= 0 && recv(fd, &byte, 1, 0) == 1);
	send(fd, rude->word, strlen(rude->word), MSG_NOSIGNAL);
	close(fd);
}

static void test_no_handshake(void **state)
{
	static const struct {
		const char *word;
		int errnum;
	} cases[] = {{"", -ECONNRESET},
		     {"HTTP/1.1 400 This is not TLS\r\n\r\n", -EPROTO}};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct sockaddr_in address = {.sin_family = AF_INET};
		socklen_t n = sizeof(address);
		struct rude rude = {.word = cases[i].word};
		cleanup(free) char *url = NULL;
		struct http_request request = {.authorization = AUTH};
		struct thread *thread;
		int r;

		address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		rude.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		check(!bind(rude.fd, (struct sockaddr *)&address, n));
		check(!listen(rude.fd, 1));
		check(!getsockname(rude.fd, (struct sockaddr *)&address, &n));
		check(!thread_start("rude", be_rude, &rude, &thread));
		url = mem_asprintf("https://127.0.0.1:%u/",
				   ntohs(address.sin_port));
		request.url = url;
		r = perform(f, &request);
		thread_join(thread);
		close(rude.fd);
		if (r != cases[i].errnum)
			fail_msg("%zu: %d %s", i, r, f->ctx.sentence);
	}
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
	assert_int_equal(f->response.n_asked, 1);
	assert_int_equal(tiny_got(f->world.tiny, 1)->connection, 1);
}

static void test_a_waiting_place_is_needed(void **state)
{
	struct fixture *f = *state;
	cleanup(ctx_group_free) struct ctx_group *group = ctx_group_new(1);
	struct ctx first, second;
	cleanup(free) char *url = mem_asprintf("%s/hello", f->world.tiny->url);
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
	unsigned nth; /* of those whose answer came */
};

static atomic_uint n_begun;

/* The runner has its place still. */
static int count_begun(void *arg, const struct http_response *response)
{
	struct runner *runner = arg;

	(void)response;
	runner->nth = atomic_fetch_add(&n_begun, 1) + 1;
	return 0;
}

static void run(void *arg)
{
	struct runner *runner = arg;
	cleanup(free) char *url =
		mem_asprintf("%s%s", runner->f->world.tiny->url, runner->path);
	struct http_request request = {.url = url};
	struct http_sink sink = {.begin = count_begun, .arg = runner};
	struct http_response response;

	runner->result = http_perform(&runner->ctx, runner->f->http, &request,
				      &sink, &response);
	runner->status = response.status;
	http_response_done(&response);
}

static void prepare(struct runner *runner, struct fixture *f, const char *path,
		    struct ctx_group *group)
{
	runner->f = f;
	runner->path = path;
	ctx_init(&runner->ctx, group, 20000);
}

static void go(struct runner *runner)
{
	assert_int_equal(thread_start("run", run, runner, &runner->thread), 0);
}

static void start(struct runner *runner, struct fixture *f, const char *path)
{
	prepare(runner, f, path, NULL);
	go(runner);
}

/* Asserts come only when all have ended: runners live on the test's stack. */
static int finish(struct runner *runner)
{
	thread_join(runner->thread);
	ctx_done(&runner->ctx);
	return runner->result;
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
	assert_int_equal(finish(&runner), -EINTR);
	assert_true(clock_mono_ms() - began < 1000);
}

static void test_cancelled_before_it_began(void **state)
{
	struct fixture *f = *state;

	ctx_cancel(&f->ctx);
	assert_int_equal(get(f, "/hello"), -EINTR);
	assert_int_equal(http_n_requests(f->http), 0);
	assert_int_equal(f->response.n_asked, 0);
}

static void test_who_waits_for_a_place_can_be_cancelled(void **state)
{
	struct fixture *f = *state;
	struct runner holder, waiting, third;
	int64_t took;

	start(&holder, f, "/silent");
	tiny_await(f->world.tiny, 1);
	start(&waiting, f, "/hello");
	start(&third, f, "/hello");
	took = clock_mono_ms();
	ctx_cancel(&waiting.ctx);
	finish(&waiting);
	took = clock_mono_ms() - took;
	ctx_cancel(&holder.ctx);
	finish(&holder);
	finish(&third);
	assert_true(took < 1000);
	assert_int_equal(waiting.result, -EINTR);
	assert_int_equal(holder.result, -EINTR);
	assert_int_equal(third.result, 0);
	assert_int_equal(third.status, 200);
	assert_int_equal(tiny_n_requests(f->world.tiny), 2);
}

static void test_a_place_has_a_deadline(void **state)
{
	struct fixture *f = *state;
	struct runner holder;
	int r;

	start(&holder, f, "/silent");
	tiny_await(f->world.tiny, 1);
	ctx_narrow(&f->ctx, 100);
	r = get(f, "/hello");
	ctx_cancel(&holder.ctx);
	assert_int_equal(finish(&holder), -EINTR);
	assert_int_equal(r, -ETIMEDOUT);
	assert_non_null(strstr(f->ctx.sentence, "connection"));
}

/* Gives its places in the order of classes, not of coming. */
static void test_people_go_first(void **state)
{
	static const enum ctx_class classes[] = {CTX_REFRESH, CTX_WALK,
						 CTX_PERSON};
	struct fixture *f = *state;
	cleanup(ctx_group_free) struct ctx_group *group = ctx_group_new(8);
	struct runner holder, waiting[ARRAY_SIZE(classes)];

	atomic_store(&n_begun, 0);
	start(&holder, f, "/silent");
	tiny_await(f->world.tiny, 1);
	for (size_t i = 0; i < ARRAY_SIZE(classes); i++) {
		prepare(&waiting[i], f, "/hello", group);
		waiting[i].ctx.who = classes[i];
		go(&waiting[i]);
	}
	/* With a waiting place, the queue is the next thing they come to. */
	while (ctx_group_waiting(group) < ARRAY_SIZE(classes))
		usleep(1000);
	usleep(100000);
	ctx_cancel(&holder.ctx);
	finish(&holder);
	for (size_t i = 0; i < ARRAY_SIZE(classes); i++)
		finish(&waiting[i]);
	for (size_t i = 0; i < ARRAY_SIZE(classes); i++)
		assert_int_equal(waiting[i].nth, ARRAY_SIZE(classes) - i);
}

static void test_no_more_connections_than_said(void **state)
{
	struct fixture *f = *state;
	struct runner runners[24];

	for (size_t i = 0; i < ARRAY_SIZE(runners); i++)
		start(&runners[i], f, i % 3 ? "/hello" : "/big");
	for (size_t i = 0; i < ARRAY_SIZE(runners); i++)
		finish(&runners[i]);
	for (size_t i = 0; i < ARRAY_SIZE(runners); i++)
		assert_int_equal(runners[i].result, 0);
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
	for (size_t i = 0; i < ARRAY_SIZE(runners); i++)
		finish(&runners[i]);
	for (size_t i = 0; i < ARRAY_SIZE(runners); i++)
		assert_true(runners[i].result == -EINTR ||
			    (i % 2 == 0 && runners[i].result == 0));
	assert_int_equal(get(f, "/hello"), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define IMPATIENT(name) \
	cmocka_unit_test_setup_teardown(name, set_up_impatient, tear_down)
#define TWO(name) cmocka_unit_test_setup_teardown(name, set_up_two, tear_down)
#define SINGLE(name) \
	cmocka_unit_test_setup_teardown(name, set_up_single, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_broken_off),
		TEST(test_not_http),
		TEST(test_nobody_there),
		TEST(test_no_such_name),
		TEST(test_no_tls_there),
		TEST(test_no_handshake),
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
		SINGLE(test_people_go_first),
		TWO(test_no_more_connections_than_said),
		TEST(test_many_are_cancelled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
