/*
 * wire/http: what each of curl's codes means, and whose fault it is.
 */
#include "../../src/wire/http_private.h"
#include "http-fixture.h"

#include <fcntl.h>
#include <sys/resource.h>

#include <curl/curl.h>

#define URL "https://api.example.org/2.0/secret"

struct meaning {
	int result;
	long os_errno;
	int errnum;
	const char *says;
};

static const struct meaning table[] = {
	{CURLE_OPERATION_TIMEDOUT, 0, -ETIMEDOUT, "no connection to api."},
	{CURLE_COULDNT_RESOLVE_HOST, 0, -ENETUNREACH, "the name api."},
	{CURLE_COULDNT_RESOLVE_PROXY, 0, -ENETUNREACH, "name of the proxy"},
	{CURLE_PROXY, 0, -ENETUNREACH, "the proxy"},
	{CURLE_COULDNT_CONNECT, 0, -ENETUNREACH, "no connection to api."},
	{CURLE_COULDNT_CONNECT, ECONNREFUSED, -ENETUNREACH, "refused"},
	{CURLE_COULDNT_CONNECT, EHOSTUNREACH, -ENETUNREACH, "No route"},
	{CURLE_COULDNT_CONNECT, ETIMEDOUT, -ETIMEDOUT, "in time"},
	{CURLE_COULDNT_CONNECT, EMFILE, -EMFILE, "ulimit -n"},
	{CURLE_COULDNT_CONNECT, ENFILE, -ENFILE, "this machine"},
	{CURLE_COULDNT_CONNECT, ENOBUFS, -ENOMEM, "this machine"},
	{CURLE_COULDNT_CONNECT, ENOMEM, -ENOMEM, "this machine"},
	{CURLE_COULDNT_CONNECT, EPERM, -ENETUNREACH, "this machine does not"},
	{CURLE_COULDNT_CONNECT, EACCES, -ENETUNREACH, "this machine does not"},
	{CURLE_COULDNT_CONNECT, EADDRNOTAVAIL, -ENETUNREACH, "this machine"},
	{CURLE_PARTIAL_FILE, 0, -ECONNRESET, "broke off"},
	{CURLE_RECV_ERROR, ECONNRESET, -ECONNRESET, "broke off"},
	{CURLE_SEND_ERROR, EPIPE, -ECONNRESET, "broke off"},
	{CURLE_SEND_FAIL_REWIND, 0, -ECONNRESET, "broke off"},
	{CURLE_GOT_NOTHING, 0, -ECONNRESET, "broke off"},
	{CURLE_SSL_CONNECT_ERROR, 0, -EPROTO, "no trusted connection"},
	{CURLE_SSL_CONNECT_ERROR, ECONNRESET, -ECONNRESET, "broke off"},
	{CURLE_PEER_FAILED_VERIFICATION, 0, -EPROTO, "clock"},
	{CURLE_SSL_ISSUER_ERROR, 0, -EPROTO, "clock"},
	{CURLE_SSL_INVALIDCERTSTATUS, 0, -EPROTO, "clock"},
	{CURLE_SSL_CACERT_BADFILE, 0, -EPROTO, "ca-certificates"},
	{CURLE_SSL_CRL_BADFILE, 0, -EPROTO, "ca-certificates"},
	{CURLE_SSL_CERTPROBLEM, 0, -EPROTO, "no trusted connection"},
	{CURLE_SSL_CIPHER, 0, -EPROTO, "no trusted connection"},
	{CURLE_SSL_PINNEDPUBKEYNOTMATCH, 0, -EPROTO, "no trusted connection"},
	{CURLE_OUT_OF_MEMORY, 0, -ENOMEM, "no memory"},
	{CURLE_URL_MALFORMAT, 0, -EINVAL, "URL"},
	{CURLE_FAILED_INIT, 0, -EIO, "curl failed inside"},
	{CURLE_BAD_FUNCTION_ARGUMENT, 0, -EIO, "curl failed inside"},
	{CURLE_RECURSIVE_API_CALL, 0, -EIO, "curl failed inside"},
	{CURLE_ABORTED_BY_CALLBACK, 0, -EIO, "curl failed inside"},
	{CURLE_READ_ERROR, 0, -EIO, "curl failed inside"},
	{CURLE_UNKNOWN_OPTION, 0, -EIO, "curl failed inside"},
	{CURLE_NOT_BUILT_IN, 0, -EIO, "curl failed inside"},
	{CURLE_WEIRD_SERVER_REPLY, 0, -EPROTO, "HTTP server"},
	{CURLE_UNSUPPORTED_PROTOCOL, 0, -EPROTO, "HTTP server"},
	{CURLE_BAD_CONTENT_ENCODING, 0, -EPROTO, "HTTP server"},
	{CURLE_WRITE_ERROR, 0, -EPROTO, "HTTP server"},
	{CURLE_HTTP2, 0, -EPROTO, "HTTP server"},
};

static void assert_means(const struct http_failure *f, int errnum,
			 const char *says)
{
	struct ctx ctx;
	int r;

	ctx_init(&ctx, NULL, -1);
	r = http_explain(&ctx, f);
	if (r != errnum || !strstr(ctx.sentence, says) ||
	    strstr(ctx.sentence, "secret"))
		fail_msg("%d, errno %ld, CONNECT %ld: %d, %s", f->result,
			 f->os_errno, f->connect_code, r, ctx.sentence);
	ctx_done(&ctx);
}

static void each_code_has_its_errno(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		assert_means(
			&(struct http_failure){
				.result = table[i].result,
				.os_errno = table[i].os_errno,
				.host = "api.example.org",
				.url = URL,
				.why = "",
			},
			table[i].errnum, table[i].says);
	/* Whatever else curl may say: an errno, a sentence, the host. */
	for (int code = 1; code < CURL_LAST; code++) {
		const struct http_failure f = {.result = code,
					       .host = "api.example.org",
					       .url = URL,
					       .why = ""};

		assert_true(http_explain(&(struct ctx){0}, &f) < 0);
	}
	/* Our socket() said so, and curl could only not connect. */
	assert_means(&(struct http_failure){.result = CURLE_COULDNT_CONNECT,
					    .host = "api.example.org",
					    .url = URL,
					    .why = "",
					    .socket_errno = EMFILE},
		     -EMFILE, "ulimit -n");
}

static void a_proxy_is_named(void **state)
{
	static const struct {
		int result;
		long os_errno, connect_code;
		const char *why;
		int errnum;
		const char *says;
	} cases[] = {
		{CURLE_RECV_ERROR, 0, 407, "", -ENETUNREACH,
		 "proxy proxy.corp:3128 wants a user and a password"},
		{CURLE_RECV_ERROR, 0, 403, "", -ENETUNREACH,
		 "proxy proxy.corp:3128 does not connect to api.example.org "
		 "(403)"},
		{CURLE_COULDNT_CONNECT, 0, 502, "", -ENETUNREACH, "(502)"},
		{CURLE_COULDNT_CONNECT, ECONNREFUSED, 0,
		 "Failed to connect to proxy.corp port 3128", -ENETUNREACH,
		 "no connection to the proxy proxy.corp:3128: Connection "
		 "refused"},
		{CURLE_OPERATION_TIMEDOUT, 0, 0,
		 "Failed to connect to proxy.corp port 3128", -ETIMEDOUT,
		 "the proxy proxy.corp:3128"},
		{CURLE_COULDNT_RESOLVE_PROXY, 0, 0, "", -ENETUNREACH,
		 "the proxy proxy.corp:3128 cannot be resolved"},
		{CURLE_PROXY, 0, 0, "", -ENETUNREACH, "proxy.corp:3128"},
		/* The host itself: no_proxy, or through the proxy. */
		{CURLE_COULDNT_CONNECT, ECONNREFUSED, 0,
		 "Failed to connect to api.example.org port 443", -ENETUNREACH,
		 "no connection to api.example.org: Connection refused"},
		{CURLE_RECV_ERROR, ECONNRESET, 200, "", -ECONNRESET,
		 "api.example.org broke off"},
	};

	(void)state;
	setenv("https_proxy", "http://me:secret@proxy.corp:3128/", 1);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_means(
			&(struct http_failure){
				.result = cases[i].result,
				.os_errno = cases[i].os_errno,
				.connect_code = cases[i].connect_code,
				.host = "api.example.org",
				.url = URL,
				.why = cases[i].why,
			},
			cases[i].errnum, cases[i].says);
	assert_means(
		&(struct http_failure){
			.result = CURLE_OPERATION_TIMEDOUT,
			.host = "api.example.org",
			.url = URL,
			.why = "Resolving timed out after 5000 milliseconds",
			.is_unresolved = true,
		},
		-ETIMEDOUT, "the name proxy.corp:3128 was not resolved");
	setenv("https_proxy", "http://me:sec#ret@proxy.corp:3128/", 1);
	assert_means(
		&(struct http_failure){
			.result = CURLE_COULDNT_RESOLVE_PROXY,
			.host = "api.example.org",
			.url = URL,
			.why = "",
		},
		-ENETUNREACH, "the proxy proxy.corp:3128 cannot");
	unsetenv("https_proxy");
}

/* ---- As it happens ------------------------------------------------------- */

static int set_up(void **state)
{
	struct http_config config = {.n_connections = 1};

	return set_up_with(state, &config);
}

static bool refuse(struct tiny_connection *c,
		   const struct tiny_request *request, void *arg)
{
	char head[128];

	(void)request;
	snprintf(head, sizeof(head),
		 "HTTP/1.1 %d No\r\nContent-Length: 2\r\n"
		 "Connection: close\r\n\r\nno",
		 *(const int *)arg);
	tiny_say(c, head);
	return false;
}

static void a_proxy_refuses(void **state)
{
	static const int statuses[] = {407, 403, 502};
	struct fixture *f = *state;
	struct http_request https = {.url = "https://api.invalid/secret"};
	struct http_request http = {.url = "http://api.invalid/secret"};

	for (size_t i = 0; i < ARRAY_SIZE(statuses); i++) {
		int status = statuses[i];
		struct tiny *proxy = tiny_new(refuse, &status);
		char code[8], name[32];

		snprintf(code, sizeof(code), "(%d)", status);
		snprintf(name, sizeof(name), "127.0.0.1:%u", proxy->port);
		setenv("https_proxy", proxy->url, 1);
		setenv("http_proxy", proxy->url, 1);
		assert_int_equal(perform(f, &https), -ENETUNREACH);
		assert_non_null(strstr(f->ctx.sentence, code));
		assert_non_null(strstr(f->ctx.sentence, name));
		assert_non_null(strstr(f->ctx.sentence, "api.invalid"));
		/* No request of the service's quota. */
		assert_int_equal(f->response.n_asked, 0);
		if (status == 407) {
			assert_int_equal(perform(f, &http), -ENETUNREACH);
			assert_non_null(strstr(f->ctx.sentence, name));
		}
		unsetenv("https_proxy");
		unsetenv("http_proxy");
		tiny_free(proxy);
	}
}

static void a_proxy_is_not_there(void **state)
{
	struct fixture *f = *state;
	struct http_request https = {.url = "https://api.invalid/secret"};

	setenv("https_proxy", "http://127.0.0.1:1", 1);
	assert_int_equal(perform(f, &https), -ENETUNREACH);
	assert_non_null(strstr(f->ctx.sentence,
			       "no connection to the proxy 127.0.0.1:1: "
			       "Connection refused"));
	setenv("https_proxy", "http://proxy.invalid:3128", 1);
	assert_true(perform(f, &https) < 0);
	assert_non_null(strstr(f->ctx.sentence, "proxy.invalid:3128"));
	unsetenv("https_proxy");
}

/* From here on no descriptor is free; the limit of before. */
static struct rlimit take_all_descriptors(void)
{
	struct rlimit before, tight;
	int fd = open("/", O_PATH | O_CLOEXEC);

	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	tight = before;
	tight.rlim_cur = (rlim_t)fd;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
	return before;
}

static void with_no_descriptor(struct fixture *f,
			       const struct http_request *request)
{
	struct rlimit before = take_all_descriptors();

	assert_int_equal(perform(f, request), -EMFILE);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_non_null(strstr(f->ctx.sentence, "ulimit -n"));
}

/* Of the test's own server: one that came while no descriptor was left is
 * answered once there is one. */
static void the_server_outlives_it(void **state)
{
	struct fixture *f = *state;
	struct tiny *tiny = f->world.tiny;
	struct sockaddr_in address = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const char *ask = "GET /hello HTTP/1.1\r\n\r\n";
	struct rlimit before;
	char byte;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	address.sin_port = htons((in_port_t)tiny->port);
	before = take_all_descriptors();
	assert_int_equal(
		connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	mutex_lock(&tiny->lock);
	while (!tiny->n_no_room)
		cond_wait(&tiny->changed, &tiny->lock);
	mutex_unlock(&tiny->lock);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(send(fd, ask, strlen(ask), MSG_NOSIGNAL), strlen(ask));
	assert_int_equal(recv(fd, &byte, 1, 0), 1);
	close(fd);
}

static void no_descriptor_is_left(void **state)
{
	struct fixture *f = *state;
	cleanup(free) char *url = mem_asprintf("%s/hello", f->world.tiny->url);
	cleanup(free) char *other =
		mem_asprintf("%s/hello", f->world.other->url);
	struct http_request here = {.url = url}, there = {.url = other};
	struct http_request far = {.url = "https://api.invalid/secret"};

	/* Before curl has anything, and with all but the connection. */
	with_no_descriptor(f, &here);
	assert_int_equal(perform(f, &here), 0);
	with_no_descriptor(f, &there);
	/* In the resolver. */
	with_no_descriptor(f, &far);
	assert_int_equal(perform(f, &here), 0);
	assert_got(f, 200, "hello");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_code_has_its_errno),
		cmocka_unit_test(a_proxy_is_named),
		TEST(a_proxy_refuses),
		TEST(a_proxy_is_not_there),
		TEST(the_server_outlives_it),
		TEST(no_descriptor_is_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
