/*
 * setup/account: whose cache a credential has, and what is said when the
 * service does not like it.
 */
#include "setup/account.h"

#include "base/file.h"
#include "tiny-server.h"

#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
	char dir[64];
	struct tiny *server;
	char *api_url;
	const char *answer; /* raw, of every request */
	struct http *http;
	struct budget *budget;
	struct credential *credential;
	struct bitbucket *bitbucket;
	struct account account;
	char why[1024], note[512];
};

static bool answer(struct tiny_connection *c,
		   const struct tiny_request *request, void *arg)
{
	struct fixture *f = arg;

	(void)request;
	tiny_say(c, f->answer);
	return false;
}

static void begin(struct fixture *f, const char *email, const char *token)
{
	struct http_config config = {.user_agent = "test"};
	const char *why;

	memset(f, 0, sizeof(*f));
	snprintf(f->dir, sizeof(f->dir), "/tmp/test-account-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	f->server = tiny_new(answer, f);
	f->api_url = mem_asprintf("%s/2.0", f->server->url);
	assert_int_equal(http_new(&config, &f->http), 0);
	f->budget = budget_new(NULL);
	assert_int_equal(
		credential_new(email, NULL, token, &f->credential, &why), 0);
	assert_int_equal(bitbucket_new(f->api_url, f->credential, f->http,
				       f->budget, &f->bitbucket),
			 0);
}

static void end(struct fixture *f)
{
	account_done(&f->account);
	bitbucket_free(f->bitbucket);
	credential_free(f->credential);
	budget_free(f->budget);
	http_free(f->http);
	tiny_free(f->server);
	free(f->api_url);
	assert_int_equal(file_remove_tree(f->dir), 0);
}

static int find(struct fixture *f)
{
	cleanup(ctx_done) struct ctx ctx;

	account_done(&f->account);
	ctx_init(&ctx, NULL, -1);
	return account_find(&ctx, &f->account, f->dir, f->api_url,
			    f->credential, f->why);
}

static int sign_in(struct fixture *f, const char *raw,
		   const char *const *workspaces)
{
	struct ctx ctx;
	int r;

	f->answer = raw;
	f->why[0] = 0;
	ctx_init(&ctx, NULL, 10000);
	r = account_sign_in(&ctx, &f->account, f->bitbucket, f->credential,
			    f->api_url, (char *const *)(uintptr_t)workspaces,
			    f->why, f->note);
	ctx_done(&ctx);
	assert_int_equal(r != 0, f->why[0] != 0);
	assert_null(strchr(f->why, '\n'));
	return r;
}

static mode_t mode_of(const char *dir, const char *name)
{
	cleanup(free) char *path = mem_asprintf("%s/%s", dir, name);
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st.st_mode & 07777;
}

#define USER                                                    \
	"{\"uuid\":\"{c788b2da-b7a2-404c-9e26-d3f077557007}\"," \
	"\"display_name\":\"Ada\"}"
#define OK                                                      \
	"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n" \
	"ETag: \"abc\"\r\nConnection: close\r\n\r\n"
#define STATUS(line)                                        \
	"HTTP/1.1 " line "\r\nContent-Type: text/plain\r\n" \
	"Content-Length: 2\r\nConnection: close\r\n\r\nno"

static void test_api_token(void **state)
{
	struct fixture f;
	cleanup(free) char *dir = NULL;
	cleanup(free) char *map = NULL;
	cleanup(buf_done) struct buf text = BUF_INIT(0);

	(void)state;
	begin(&f, "ada@example.com", "hunter2hunter2");
	assert_int_equal(find(&f), 0);
	assert_null(f.account.dir);
	assert_int_equal(sign_in(&f, OK USER, NULL), 0);
	assert_string_equal(f.account.user_json, USER);
	assert_string_equal(f.account.user_etag, "\"abc\"");
	dir = mem_asprintf("%s/c788b2da-b7a2-404c-9e26-d3f077557007",
			   f.account.host_dir);
	assert_string_equal(f.account.dir, dir);
	assert_int_equal(f.server->n_requests, 1);
	assert_string_equal(f.server->requests[0]->path, "/2.0/user");

	/* From now on it is found without asking. */
	assert_int_equal(find(&f), 0);
	assert_string_equal(f.account.dir, dir);
	assert_int_equal(f.server->n_requests, 1);
	assert_int_equal(mode_of(dir, "."), 0700);
	assert_int_equal(mode_of(f.account.host_dir, "."), 0700);
	assert_int_equal(mode_of(f.account.host_dir, "accounts"), 0600);
	assert_int_equal(mode_of(f.account.host_dir, "accounts.key"), 0600);
	map = mem_asprintf("%s/accounts", f.account.host_dir);
	assert_int_equal(file_read(map, MIB, &text), 0);
	assert_null(strstr(text.data, "hunter2"));

	/* A cache that somebody removed is no cache. */
	assert_int_equal(file_remove_tree(dir), 0);
	assert_int_equal(find(&f), 0);
	assert_null(f.account.dir);
	end(&f);
}

static void test_access_token(void **state)
{
	static const char *const workspaces[] = {"acme", "edge", NULL};
	struct fixture f;
	cleanup(buf_done) struct buf text = BUF_INIT(0);
	cleanup(free) char *map = NULL;

	(void)state;
	begin(&f, NULL, "hunter2hunter2");
	assert_int_equal(find(&f), 0);
	/* Without a workspace there is nothing to ask. */
	assert_int_equal(sign_in(&f, STATUS("401 Unauthorized"), NULL), 0);
	assert_int_equal(f.server->n_requests, 0);
	assert_non_null(strstr(f.note, "-o workspaces="));
	assert_non_null(f.account.dir);
	/* So nobody knows whether it is good. */
	assert_int_equal(find(&f), 0);
	assert_null(f.account.dir);
	assert_int_equal(sign_in(&f, STATUS("404 Not Found"), workspaces), 0);
	assert_non_null(strstr(f.note, "no workspace 'acme'"));
	assert_int_equal(find(&f), 0);
	assert_null(f.account.dir);
	end(&f);

	begin(&f, NULL, "hunter2hunter2");
	assert_int_equal(find(&f), 0);
	assert_int_equal(sign_in(&f, STATUS("401 Unauthorized"), workspaces),
			 -EACCES);
	assert_string_equal(f.server->requests[0]->path,
			    "/2.0/workspaces/acme");
	assert_null(f.account.dir);
	/* Good, but without that scope. */
	assert_int_equal(sign_in(&f, STATUS("403 Forbidden"), workspaces), 0);
	assert_non_null(strstr(f.account.dir, "/token-"));
	map = mem_asprintf("%s/accounts", f.account.host_dir);
	assert_int_equal(file_read(map, MIB, &text), 0);
	assert_null(strstr(text.data, "hunter2"));
	assert_int_equal(find(&f), 0);
	assert_non_null(f.account.dir);
	end(&f);
}

static void test_anonymous(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, NULL, NULL);
	assert_int_equal(find(&f), 0);
	assert_int_equal(sign_in(&f, "", NULL), 0);
	assert_int_equal(f.server->n_requests, 0);
	assert_non_null(strstr(f.account.dir, "/anonymous"));
	end(&f);
}

static void test_refusals(void **state)
{
	static const struct {
		const char *raw;
		int r;
		const char *sentence;
	} cases[] = {
		{STATUS("401 Unauthorized"), -EACCES, "refused the credential"},
		{STATUS("404 Not Found"), -ENOENT, "knows no /user"},
		{OK "<html>Welcome to the hotel</html>", -EBADMSG,
		 "no account"},
		{OK "{\"uuid\":\"{../../x}\"}", -EBADMSG, "no account"},
		{OK "{\"uuid\":\"accounts\"}", -EBADMSG, "no account"},
		{OK "{\"uuid\":\"\"}", -EBADMSG, "no account"},
		{OK "{\"uuid\":7}", -EBADMSG, "no account"},
		{OK "[]", -EBADMSG, "no account"},
		{OK "", -EBADMSG, "no account"},
	};
	struct fixture f;

	(void)state;
	begin(&f, "ada@example.com", "hunter2hunter2");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(find(&f), 0);
		assert_null(f.account.dir);
		assert_int_equal(sign_in(&f, cases[i].raw, NULL), cases[i].r);
		if (!strstr(f.why, cases[i].sentence))
			fail_msg("'%s' lacks '%s'", f.why, cases[i].sentence);
		assert_null(strstr(f.why, "hunter2"));
	}
	/* A scope is missing: good all the same, by another name. */
	assert_int_equal(find(&f), 0);
	assert_int_equal(sign_in(&f, STATUS("403 Forbidden"), NULL), 0);
	assert_non_null(strstr(f.account.dir, "/user-"));
	assert_non_null(strstr(f.note, "read:user:bitbucket"));
	end(&f);
}

static void test_no_network(void **state)
{
	struct fixture f;
	cleanup(bitbucket_free) struct bitbucket *bitbucket = NULL;

	(void)state;
	begin(&f, "ada@example.com", "hunter2hunter2");
	assert_int_equal(bitbucket_new("http://127.0.0.1:1/2.0", f.credential,
				       f.http, f.budget, &bitbucket),
			 0);
	assert_int_equal(find(&f), 0);
	bitbucket_free(f.bitbucket);
	f.bitbucket = steal(&bitbucket);
	assert_int_equal(sign_in(&f, "", NULL), -ENETUNREACH);
	assert_non_null(strstr(f.why, "nothing is cached"));
	end(&f);
}

/* A map that was cut or written by somebody else is a request more, no more. */
static void test_odd_maps(void **state)
{
	static const char *const maps[] = {
		"",
		"\n\n",
		"email:ada@example.com",
		"email:ada@example.com\t",
		"email:ada@example.com\t../..\n",
		"email:ada@example.com\taccounts\n",
		"email:ada@example.comx\tanonymous\n",
	};
	struct fixture f;

	(void)state;
	begin(&f, "ada@example.com", "hunter2hunter2");
	assert_int_equal(find(&f), 0);
	for (size_t i = 0; i < ARRAY_SIZE(maps); i++) {
		cleanup(free) char *map =
			mem_asprintf("%s/accounts", f.account.host_dir);

		assert_int_equal(
			file_write_atomic(map, 0600, maps[i], strlen(maps[i])),
			0);
		assert_int_equal(find(&f), 0);
		assert_null(f.account.dir);
	}
	assert_int_equal(sign_in(&f, OK USER, NULL), 0);
	assert_int_equal(find(&f), 0);
	assert_non_null(f.account.dir);
	end(&f);
}

static void test_host_names(void **state)
{
	static const char *const cases[][2] = {
		{"https://api.bitbucket.org/2.0", "api.bitbucket.org"},
		{"http://127.0.0.1:8080/2.0", "127.0.0.1_8080"},
		{"https://API.Example.com", "api.example.com"},
		{"http://[::1]:80/2.0", "___1__80"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cleanup(free) char *name = account_host_name(cases[i][0]);

		assert_string_equal(name, cases[i][1]);
	}
}

/* ---- all of them ---- */

static char *at(const struct fixture *f, const char *name)
{
	return mem_asprintf("%s/%s", f->dir, name);
}

static void put(const struct fixture *f, const char *name, size_t n)
{
	cleanup(free) char *path = at(f, name);
	cleanup(free) char *dir = mem_dup0(path, strrchr(path, '/') - path);
	char bytes[64] = "";

	assert_int_equal(file_mkdirs(dir, 0700), 0);
	assert_int_equal(file_write_atomic(path, 0600, bytes, n), 0);
}

static bool is_there(const struct fixture *f, const char *name)
{
	cleanup(free) char *path = at(f, name);

	return !access(path, F_OK);
}

static void add_path(void *arg, const char *path)
{
	buf_printf(arg, "%s\n", path);
}

/* The cache directory is a home, with what somebody has there. */
static void test_what_is_not_ours_stays(void **state)
{
	static const char *const theirs[] = {
		"project/accounts.key",  "project/thesis",
		"@stuff/a/accounts.key", "@stuff/a/x",
		".removed-photos/x",     "host/notes",
		"host/backup/x",         "host/accounts.csv",
	};
	static const char *const ours[] = {
		"host/accounts",
		"host/accounts.lock",
		"host/accounts.key.77",
		"host/anonymous/cache.lock",
		"host/anonymous/git/pack",
		"host/.removed-user-1/cache.db",
		"@work/host/anonymous/cache.db",
	};
	cleanup(buf_done) struct buf said = BUF_INIT(4 * KIB);
	struct fixture f;

	(void)state;
	begin(&f, NULL, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(theirs); i++)
		put(&f, theirs[i], 7);
	for (size_t i = 0; i < ARRAY_SIZE(ours); i++)
		put(&f, ours[i], 7);
	put(&f, "host/accounts.key", 32);
	put(&f, "@work/host/accounts.key", 32);
	assert_int_equal(account_remove_all(f.dir, add_path, &said), 0);
	for (size_t i = 0; i < ARRAY_SIZE(theirs); i++)
		if (!is_there(&f, theirs[i]))
			fail_msg("%s is gone", theirs[i]);
	for (size_t i = 0; i < ARRAY_SIZE(ours); i++)
		if (is_there(&f, ours[i]))
			fail_msg("%s is left", ours[i]);
	assert_false(is_there(&f, "@work"));
	assert_false(is_there(&f, "host/accounts.key"));
	assert_non_null(strstr(said.data, "/host, where other things are"));
	assert_non_null(strstr(said.data, "/@work/host\n"));
	assert_null(strstr(said.data, "project"));
	end(&f);
}

/* What is left of an account is not found by the next mount, and goes when
 * somebody runs it again. */
static void test_killed_in_the_middle(void **state)
{
	char name[64];
	struct fixture f;
	pid_t child;

	(void)state;
	begin(&f, NULL, NULL);
	for (int i = 0; i < 2000; i++) {
		cleanup(free) char *path = NULL;
		cleanup(fd) int fd = -1;

		if (i == 0)
			put(&f, "host/anonymous/git/0", 0);
		snprintf(name, sizeof(name), "host/anonymous/git/%d", i);
		path = at(&f, name);
		fd = open(path, O_WRONLY | O_CREAT, 0600);
		assert_true(fd >= 0);
	}
	put(&f, "host/anonymous/cache.lock", 0);
	put(&f, "host/accounts.key", 32);
	child = fork();
	if (!child) {
		cleanup(buf_done) struct buf said = BUF_INIT(4 * KIB);

		_exit(account_remove_all(f.dir, add_path, &said) != 0);
	}
	while (is_there(&f, "host/anonymous/git/1999") &&
	       is_there(&f, "host/anonymous/git/0"))
		sched_yield();
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_false(is_there(&f, "host/anonymous"));
	{
		cleanup(buf_done) struct buf said = BUF_INIT(4 * KIB);

		assert_int_equal(account_remove_all(f.dir, add_path, &said), 0);
	}
	assert_false(is_there(&f, ""));
	/* As end() has it. */
	assert_int_equal(file_mkdirs(f.dir, 0700), 0);
	end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_api_token),
		cmocka_unit_test(test_access_token),
		cmocka_unit_test(test_anonymous),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_no_network),
		cmocka_unit_test(test_odd_maps),
		cmocka_unit_test(test_host_names),
		cmocka_unit_test(test_what_is_not_ours_stays),
		cmocka_unit_test(test_killed_in_the_middle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
