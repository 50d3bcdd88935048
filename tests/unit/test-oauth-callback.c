/*
 * cmd/login/oauth_callback: what a browser may bring, and what else comes to a
 * port.
 */
#include "cmd/login/oauth_callback.h"

#include "base/file.h"
#include "base/text.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static unsigned port;
static unsigned n_refused;

static void refused(const char *sentence)
{
	assert_non_null(strstr(sentence, "wrong state"));
	n_refused++;
}

static int connect_to(void)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_port = htons((uint16_t)port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const struct timeval patience = {.tv_sec = 10};

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(connect(fd, (const struct sockaddr *)&to, sizeof(to)),
			 0);
	return fd;
}

static int send_target(const char *method, const char *target, const char *host)
{
	cleanup(free) char *head =
		mem_asprintf("%s %s HTTP/1.1\r\nHost: %s:%u\r\n\r\n", method,
			     target, host, port);
	int fd = connect_to();

	assert_int_equal(send(fd, head, strlen(head), 0), strlen(head));
	return fd;
}

/* A port that nobody has. */
static struct oauth_callback *new_callback(struct ctx *ctx)
{
	struct oauth_callback *cb = NULL;

	for (port = 20000 + (unsigned)getpid() % 10000;; port++) {
		int r = oauth_callback_new(ctx, port, "the-state", &cb);

		if (r != -EADDRINUSE) {
			assert_int_equal(r, 0);
			return cb;
		}
	}
}

static void expect(int fd, const char *begin, const char *has)
{
	char text[4096];
	size_t n = 0;
	ssize_t got;

	while ((got = recv(fd, text + n, sizeof(text) - 1 - n, 0)) > 0)
		n += (size_t)got;
	text[n] = 0;
	if (strncmp(text, begin, strlen(begin)) != 0 || !strstr(text, has))
		fail_msg("'%s' does not begin with %s or lacks %s", text, begin,
			 has);
	assert_null(strstr(text, "secret-code"));
	file_close(fd);
}

static void test_what_comes(void **state)
{
	static const char right[] = "/?code=secret%2Dcode&state=the-state";
	cleanup(ctx_done) struct ctx ctx;
	struct oauth_callback *cb, *other = NULL;
	char *code = NULL;
	int fds[8];
	cleanup(free) char *long_target = mem_calloc(1, 40000);

	(void)state;
	ctx_init(&ctx, NULL, 20000);
	cb = new_callback(&ctx);
	n_refused = 0;
	memset(long_target, 'x', 30000);
	long_target[0] = '/';
	fds[0] = connect_to();
	fds[1] = send_target("GET", "/?code=secret-code&state=other",
			     "localhost");
	fds[2] = send_target("GET", "/?code=secret-code", "localhost");
	fds[3] = send_target("GET", right, "evil.example");
	fds[4] = send_target("POST", right, "localhost");
	fds[5] = send_target("GET", "/favicon.ico", "localhost");
	fds[6] = send_target("GET", long_target, "localhost");
	fds[7] = send_target("GET", right, "127.0.0.1");
	assert_int_equal(oauth_callback_await(&ctx, cb, refused, &code), 0);
	assert_string_equal(code, "secret-code");
	text_wipe(code);
	assert_int_equal(n_refused, 2);
	expect(fds[1], "HTTP/1.1 400 ", "was refused");
	expect(fds[2], "HTTP/1.1 400 ", "was refused");
	expect(fds[3], "HTTP/1.1 404 ", "nothing here");
	expect(fds[4], "HTTP/1.1 404 ", "nothing here");
	expect(fds[5], "HTTP/1.1 404 ", "nothing here");
	file_close(fds[6]);
	expect(fds[7], "HTTP/1.1 303 ", "Location: /done\r\n");
	file_close(fds[0]);
	/* It asked before it was known how the sign-in ended. */
	fds[0] = send_target("GET", "/done", "localhost");
	oauth_callback_show(cb, "Done & <good>.", 5000);
	expect(fds[0], "HTTP/1.1 200 ", "Done &#38; &#60;good&#62;.");

	assert_int_equal(oauth_callback_new(&ctx, port, "x", &other),
			 -EADDRINUSE);
	assert_non_null(strstr(ctx.sentence, "is in use"));
	oauth_callback_free(cb);
}

/* Those who only connect make room, the oldest first. */
static void test_many_who_say_nothing(void **state)
{
	cleanup(ctx_done) struct ctx ctx;
	cleanup(oauth_callback_free) struct oauth_callback *cb = NULL;
	char *code = NULL;
	int fds[40];

	(void)state;
	ctx_init(&ctx, NULL, 20000);
	cb = new_callback(&ctx);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		cleanup(ctx_done) struct ctx moment;

		ctx_init(&moment, NULL, 5);
		fds[i] = connect_to();
		(void)oauth_callback_await(&moment, cb, NULL, &code);
	}
	assert_int_equal(dprintf(fds[30],
				 "GET /?code=x&state=the-state HTTP/1.1\r\n"
				 "Host: localhost:%u\r\n\r\n",
				 port) > 0,
			 1);
	assert_int_equal(oauth_callback_await(&ctx, cb, NULL, &code), 0);
	text_wipe(code);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		file_close(fds[i]);
}

static const char right_state[] = "/?code=secret-code&state=the-state";

/* Until the test ends, however it does. */
static void answer_as_nobody(const int ends[2])
{
	pid_t pid = fork();
	char byte;

	assert_true(pid >= 0);
	if (pid)
		return;
	file_close(ends[1]);
	if (setuid(65534))
		_exit(1);
	(void)send_target("GET", right_state, "localhost");
	(void)!read(ends[0], &byte, 1);
	_exit(0);
}

static unsigned n_others;
static struct ctx *awaits;

static void refused_other(const char *sentence)
{
	assert_non_null(strstr(sentence, n_others == 0 ? "nobody knows"
						       : "another user"));
	n_others++;
	ctx_cancel(awaits);
}

/* Whoever is gone when he is looked for could be anybody. */
static void test_other_users(void **state)
{
	cleanup(ctx_done) struct ctx ctx;
	cleanup(oauth_callback_free) struct oauth_callback *cb = NULL;
	char *code = NULL;
	int ends[2], fd;

	(void)state;
	ctx_init(&ctx, NULL, 20000);
	cb = new_callback(&ctx);
	assert_int_equal(pipe(ends), 0);
	n_others = 0;
	for (int others = 0; others < (getuid() ? 1 : 2); others++) {
		cleanup(ctx_done) struct ctx moment;

		ctx_init(&moment, NULL, 20000);
		awaits = &moment;
		if (others)
			answer_as_nobody(ends);
		else
			file_close(
				send_target("GET", right_state, "localhost"));
		assert_int_equal(
			oauth_callback_await(&moment, cb, refused_other, &code),
			-EINTR);
		assert_int_equal(n_others, others + 1);
	}
	fd = send_target("GET", "/?code=mine&state=the-state", "localhost");
	assert_int_equal(oauth_callback_await(&ctx, cb, NULL, &code), 0);
	assert_string_equal(code, "mine");
	text_wipe(code);
	file_close(fd);
	file_close(ends[0]);
	file_close(ends[1]);
}

static void test_who_says_no(void **state)
{
	cleanup(ctx_done) struct ctx ctx;
	cleanup(oauth_callback_free) struct oauth_callback *cb = NULL;
	char *code = NULL;
	int fd;

	(void)state;
	ctx_init(&ctx, NULL, 20000);
	cb = new_callback(&ctx);
	fd = send_target("GET", "/?error=access_denied&state=the-state",
			 "localhost");
	assert_int_equal(oauth_callback_await(&ctx, cb, NULL, &code),
			 -ECANCELED);
	assert_non_null(strstr(ctx.sentence, "refused in the browser"));
	expect(fd, "HTTP/1.1 303 ", "/done");
	fd = send_target("GET",
			 "/?error=server_error%1b[2J&code=&state=the-state",
			 "localhost");
	assert_int_equal(oauth_callback_await(&ctx, cb, NULL, &code),
			 -ECANCELED);
	assert_non_null(strstr(ctx.sentence, "an error (server_error):"));
	expect(fd, "HTTP/1.1 303 ", "/done");
}

static void test_nobody_comes(void **state)
{
	cleanup(ctx_done) struct ctx ctx;
	cleanup(oauth_callback_free) struct oauth_callback *cb = NULL;
	char *code = NULL;
	int fd;

	(void)state;
	ctx_init(&ctx, NULL, 100);
	cb = new_callback(&ctx);
	fd = connect_to();
	assert_int_equal(oauth_callback_await(&ctx, cb, NULL, &code),
			 -ETIMEDOUT);
	assert_non_null(strstr(ctx.sentence, "No browser has come back"));
	/* Nor does it wait for ever for somebody to be shown the end. */
	oauth_callback_show(cb, "x", 50);
	file_close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_comes),
		cmocka_unit_test(test_many_who_say_nothing),
		cmocka_unit_test(test_other_users),
		cmocka_unit_test(test_who_says_no),
		cmocka_unit_test(test_nobody_comes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
