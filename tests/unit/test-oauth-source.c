/*
 * setup/oauth_source: a refresh token is good once, whoever dies in
 * between.
 */
#include "setup/oauth_kept.h"
#include "setup/oauth_source.h"

#include "base/clock.h"
#include "base/file.h"
#include "tiny-server.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define N_THREADS 8

struct fixture {
	char dir[64];
	char *path;
	struct tiny *server;
	struct http *http;
	struct ctx ctx;
	/* The service's: */
	struct mutex lock;
	unsigned now under_lock; /* "r7" is good, and r6 if it forgives */
	bool forgives under_lock;
	bool loses under_lock; /* gives the next one, and dies */
};

/* "r7" → 7; 0: it is none. */
static unsigned number_of(const char *body)
{
	const char *token = strstr(body, "refresh_token=r");

	return token ? (unsigned)strtoul(token + strlen("refresh_token=r"),
					 NULL, 10)
		     : 0;
}

static bool answer(struct tiny_connection *c, const struct tiny_request *got,
		   void *arg)
{
	struct fixture *f = arg;
	unsigned n = number_of(got->body), next = 0;
	cleanup(free) char *body = NULL;
	cleanup(free) char *raw = NULL;
	bool loses;

	mutex_lock(&f->lock);
	if (n && (n == f->now || (f->forgives && n + 1 == f->now)))
		next = ++f->now;
	loses = f->loses;
	f->loses = false;
	mutex_unlock(&f->lock);
	if (loses)
		return false;
	body = next ? mem_asprintf("{\"access_token\": \"a%u\", "
				   "\"refresh_token\": \"r%u\", "
				   "\"expires_in\": 3600}",
				   next, next)
		    : mem_strdup("{\"error\": \"invalid_request\"}");
	raw = mem_asprintf("HTTP/1.1 %s\r\nContent-Length: %zu\r\n\r\n%s",
			   next ? "200 OK" : "400 Bad", strlen(body), body);
	tiny_say(c, raw);
	return false;
}

/* What is kept: access a<n>, refresh r<n>, over or good for an hour. */
static void keep(struct fixture *f, unsigned n, bool over)
{
	struct oauth_kept kept = {
		.consumer = mem_strdup("key"),
		.account = mem_strdup("user:{ada}"),
		.name = mem_strdup("ada"),
		.access = mem_asprintf("a%u", n),
		.until_s = over ? 1 : clock_wall_ms() / 1000 + 3600,
		.lifetime_s = 3600,
		.refresh = mem_asprintf("r%u", n),
	};

	assert_int_equal(oauth_kept_write(&f->ctx, f->path, &kept), 0);
	oauth_kept_done(&kept);
}

static void set_now(struct fixture *f, unsigned now)
{
	mutex_lock(&f->lock);
	f->now = now;
	mutex_unlock(&f->lock);
}

static int setup(void **state)
{
	struct fixture *f = mem_calloc(1, sizeof(*f));
	struct http_config config = {.user_agent = "test"};
	int fd;

	snprintf(f->dir, sizeof(f->dir), "/tmp/test-oauth-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	setenv("XDG_STATE_HOME", f->dir, 1);
	mutex_init(&f->lock);
	ctx_init(&f->ctx, NULL, -1);
	set_now(f, 1);
	f->server = tiny_new(answer, f);
	assert_int_equal(http_new(&config, &f->http), 0);
	assert_int_equal(
		oauth_kept_path(&f->ctx, NULL, "https://h/2.0", &f->path), 0);
	fd = oauth_kept_lock(&f->ctx, f->path);
	assert_true(fd >= 0);
	file_close(fd);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	http_free(f->http);
	tiny_free(f->server);
	assert_int_equal(file_remove_tree(f->dir), 0);
	ctx_done(&f->ctx);
	mutex_done(&f->lock);
	free(f->path);
	free(f);
	return 0;
}

static struct credential_source new_source(struct fixture *f,
					   struct oauth_source **ret_self)
{
	cleanup(free) char *url = mem_asprintf("%s/o", f->server->url);
	const struct oauth_source_config config = {
		.api_url = "https://h/2.0",
		.consumer = {.url = url, .id = "key", .secret = "secret"},
	};
	struct credential_source source;

	if (oauth_source_new(&f->ctx, &config, &source, ret_self))
		fail_msg("%s", f->ctx.sentence);
	oauth_source_use(*ret_self, f->http);
	return source;
}

/* The token, or "-EACCES". */
static char *token_of(struct fixture *f, const struct credential_source *source)
{
	cleanup(credential_secret_done) struct credential_secret secret = {0};
	int r = source->get(source->arg, &f->ctx, &secret);

	if (r == -EACCES)
		return mem_strdup("-EACCES");
	if (r)
		fail_msg("%d %s", r, f->ctx.sentence);
	assert_string_equal(secret.account, "user:{ada}");
	return mem_strdup(secret.token);
}

static void expect(struct fixture *f, const struct credential_source *source,
		   const char *token, unsigned n_requests)
{
	cleanup(free) char *is = token_of(f, source);

	assert_string_equal(is, token);
	assert_int_equal(tiny_n_requests(f->server), n_requests);
}

/* As renew is asked after a 401 to the version of now. */
static void refuse(struct fixture *f, const struct credential_source *source)
{
	cleanup(credential_secret_done) struct credential_secret secret = {0};

	assert_int_equal(source->get(source->arg, &f->ctx, &secret), 0);
	assert_int_equal(source->renew(source->arg, &f->ctx, secret.version),
			 0);
}

struct asking {
	const struct credential_source *source;
	char token[16];
};

static void ask(void *arg)
{
	struct asking *a = arg;
	cleanup(credential_secret_done) struct credential_secret secret = {0};
	cleanup(ctx_done) struct ctx ctx;

	ctx_init(&ctx, NULL, 20000);
	if (!a->source->get(a->source->arg, &ctx, &secret))
		snprintf(a->token, sizeof(a->token), "%s", secret.token);
}

/* Two processes' sources, and threads in each. */
static void test_one_asks(void **state)
{
	struct fixture *f = *state;
	struct oauth_source *self[2];
	struct credential_source sources[2];
	struct asking asking[N_THREADS] = {{0}};
	struct thread *threads[N_THREADS];

	keep(f, 1, true);
	for (size_t i = 0; i < 2; i++)
		sources[i] = new_source(f, &self[i]);
	for (size_t i = 0; i < N_THREADS; i++) {
		asking[i].source = &sources[i % 2];
		assert_int_equal(
			thread_start("ask", ask, &asking[i], &threads[i]), 0);
	}
	for (size_t i = 0; i < N_THREADS; i++) {
		thread_join(threads[i]);
		assert_string_equal(asking[i].token, "a2");
	}
	assert_int_equal(tiny_n_requests(f->server), 1);
	/* A 401 to both: one asks, the other takes it. */
	refuse(f, &sources[0]);
	refuse(f, &sources[1]);
	expect(f, &sources[0], "a3", 2);
	expect(f, &sources[1], "a3", 2);
	for (size_t i = 0; i < 2; i++)
		sources[i].free(sources[i].arg);
}

static void test_an_answer_is_lost(void **state)
{
	struct fixture *f = *state;
	struct oauth_source *self;
	struct credential_source source;

	for (int forgives = 1; forgives >= 0; forgives--) {
		cleanup(credential_secret_done) struct credential_secret
			secret = {0};
		unsigned n = mutex_with(&f->lock, f->now),
			 before = tiny_n_requests(f->server);
		cleanup(free) char *next = mem_asprintf("a%u", n + 2);

		keep(f, n, true);
		source = new_source(f, &self);
		mutex_lock(&f->lock);
		f->loses = true;
		f->forgives = forgives;
		mutex_unlock(&f->lock);
		assert_int_equal(source.get(source.arg, &f->ctx, &secret),
				 -EIO);
		/* The process ends; the next one finds what was there. */
		source.free(source.arg);
		source = new_source(f, &self);
		expect(f, &source, forgives ? next : "-EACCES", before + 2);
		assert_int_equal(oauth_source_is_refused(self), !forgives);
		if (!forgives) {
			/* It is not shown again, but looked for. */
			expect(f, &source, "-EACCES", before + 2);
			assert_non_null(
				strstr(f->ctx.sentence, "login --oauth"));
			keep(f, 50, false);
			source.renew(source.arg, &f->ctx, 1);
		}
		source.free(source.arg);
	}
	/* Somebody has signed in anew: another process takes it at once. */
	source = new_source(f, &self);
	expect(f, &source, "a50", tiny_n_requests(f->server));
	source.free(source.arg);
}

/* The service has answered r2, and lost that it did. */
static void test_the_one_before(void **state)
{
	struct fixture *f = *state;
	struct oauth_kept kept = {0};
	struct oauth_source *self;
	struct credential_source source;

	keep(f, 1, true);
	source = new_source(f, &self);
	expect(f, &source, "a2", 1);
	assert_int_equal(oauth_kept_read(&f->ctx, f->path, &kept), 0);
	assert_string_equal(kept.refresh, "r2");
	assert_string_equal(kept.before, "r1");
	oauth_kept_done(&kept);
	set_now(f, 1);
	/* r2 is refused, r1 is taken, and gives another r2. */
	refuse(f, &source);
	expect(f, &source, "a2", 3);
	source.free(source.arg);
}

/* Kept while the clock was a year ahead: nobody knows how old it is. */
static void test_a_clock_that_was_wrong(void **state)
{
	struct fixture *f = *state;
	struct oauth_kept kept = {0};
	struct oauth_source *self;
	struct credential_source source;

	keep(f, 1, false);
	assert_int_equal(oauth_kept_read(&f->ctx, f->path, &kept), 0);
	kept.until_s += INT64_C(365) * 24 * 3600;
	assert_int_equal(oauth_kept_write(&f->ctx, f->path, &kept), 0);
	oauth_kept_done(&kept);
	source = new_source(f, &self);
	expect(f, &source, "a2", 1);
	expect(f, &source, "a2", 1);
	source.free(source.arg);
}

/* An endpoint that refuses every token must not use up one after the other. */
static void test_401_after_401(void **state)
{
	struct fixture *f = *state;
	struct oauth_source *self;
	struct credential_source source;

	keep(f, 1, false);
	source = new_source(f, &self);
	for (int i = 0; i < 10; i++)
		refuse(f, &source);
	expect(f, &source, "a4", 3);
	source.free(source.arg);
}

static void test_what_is_kept(void **state)
{
	static const char *const damaged[] = {
		"", "consumer key\n", "consumer key\naccount x\nrefresh r1"};
	struct fixture *f = *state;
	struct oauth_kept kept = {0};

	keep(f, 1, false);
	for (size_t n = 0; n < ARRAY_SIZE(damaged); n++) {
		assert_int_equal(file_write_atomic(f->path, 0600, damaged[n],
						   strlen(damaged[n])),
				 0);
		assert_int_equal(oauth_kept_read(&f->ctx, f->path, &kept),
				 -EBADMSG);
	}
	assert_int_equal(file_write_atomic(f->path, 0640, "x", 1), 0);
	assert_int_equal(oauth_kept_read(&f->ctx, f->path, &kept), -EPERM);
	assert_int_equal(oauth_kept_erase(&f->ctx, f->path), 0);
	assert_int_equal(oauth_kept_read(&f->ctx, f->path, &kept), -ENOENT);
	assert_int_equal(oauth_kept_erase(&f->ctx, f->path), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_one_asks),       TEST(test_an_answer_is_lost),
		TEST(test_the_one_before), TEST(test_401_after_401),
		TEST(test_what_is_kept),   TEST(test_a_clock_that_was_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
