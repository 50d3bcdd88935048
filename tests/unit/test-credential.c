/*
 * api/credential: which kind a pair is, what each door is told, and that no
 * secret shows.
 */
#include "api/credential.h"

#include "base/clock.h"
#include "base/log.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct credential *made(const char *email, const char *username,
			       const char *token)
{
	struct credential *c = NULL;
	const char *why = NULL;

	assert_int_equal(credential_new(email, username, token, &c, &why), 0);
	assert_non_null(c);
	assert_null(why);
	return c;
}

/* What a door is told; NULL: nothing. Free it. */
static char *told(struct credential *c, enum credential_door door)
{
	cleanup(http_authorization_done) struct http_authorization use = {0};
	cleanup(ctx_done) struct ctx ctx;

	ctx_init(&ctx, NULL, -1);
	assert_int_equal(credential_authorize(&ctx, c, door, &use), 0);
	return steal(&use.value);
}

static void assert_told(struct credential *c, const char *rest, const char *git)
{
	cleanup(free) char *to_rest = told(c, CREDENTIAL_REST);
	cleanup(free) char *to_git = told(c, CREDENTIAL_GIT);

	assert_string_equal(to_rest, rest);
	assert_string_equal(to_git, git);
}

static char *identity_of(const struct credential *c, const char *key)
{
	cleanup(ctx_done) struct ctx ctx;
	char *identity = NULL;

	ctx_init(&ctx, NULL, -1);
	assert_int_equal(
		credential_identity(&ctx, c, key, strlen(key), &identity), 0);
	return identity;
}

static void api_token(void **state)
{
	cleanup(credential_free) struct credential *c =
		made("ada@example.com", "", "ATATsecret");
	cleanup(free) char *identity = identity_of(c, "k");

	(void)state;
	assert_int_equal(credential_kind(c), CREDENTIAL_API_TOKEN);
	assert_string_equal(credential_label(c), "ada@example.com");
	/* ada@example.com:ATATsecret, x-bitbucket-api-token-auth:ATATsecret */
	assert_told(c, "Basic YWRhQGV4YW1wbGUuY29tOkFUQVRzZWNyZXQ=",
		    "Basic eC1iaXRidWNrZXQtYXBpLXRva2VuLWF1dGg6"
		    "QVRBVHNlY3JldA==");
	assert_string_equal(identity, "email:ada@example.com");
	assert_non_null(strstr(credential_hint(c), "e-mail"));
}

static void basic_pair(void **state)
{
	cleanup(credential_free) struct credential *c =
		made(NULL, "ada", "app-password");
	cleanup(free) char *identity = identity_of(c, "k");

	(void)state;
	assert_int_equal(credential_kind(c), CREDENTIAL_BASIC);
	assert_told(c, "Basic YWRhOmFwcC1wYXNzd29yZA==",
		    "Basic YWRhOmFwcC1wYXNzd29yZA==");
	assert_string_equal(identity, "user:ada");
	assert_non_null(strstr(credential_hint(c), "app passwords"));
}

static void access_token(void **state)
{
	cleanup(credential_free) struct credential *c =
		made("", NULL, "ATCTTsecret");
	cleanup(free) char *one = identity_of(c, "one");
	cleanup(free) char *again = identity_of(c, "one");
	cleanup(free) char *other = identity_of(c, "two");

	(void)state;
	assert_int_equal(credential_kind(c), CREDENTIAL_ACCESS_TOKEN);
	assert_string_equal(credential_label(c), "access-token");
	/* x-token-auth:ATCTTsecret */
	assert_told(c, "Bearer ATCTTsecret",
		    "Basic eC10b2tlbi1hdXRoOkFUQ1RUc2VjcmV0");
	assert_string_equal(one, again);
	assert_string_not_equal(one, other);
	assert_int_equal(strlen(one), strlen("token:") + 64);
	assert_null(strstr(one, "ATCTT"));
}

static void nobody(void **state)
{
	cleanup(credential_free) struct credential *c = made(NULL, "", NULL);
	cleanup(free) char *identity = identity_of(c, "k");

	(void)state;
	assert_int_equal(credential_kind(c), CREDENTIAL_ANONYMOUS);
	assert_null(told(c, CREDENTIAL_REST));
	assert_null(told(c, CREDENTIAL_GIT));
	assert_string_equal(credential_label(c), "anonymous");
	assert_string_equal(identity, "anonymous");
	assert_non_null(credential_hint(c));
}

/* An e-mail and a user name: the e-mail wins. */
static void both_names(void **state)
{
	cleanup(credential_free) struct credential *c =
		made("ada@example.com", "ada", "ATATother");

	(void)state;
	assert_int_equal(credential_kind(c), CREDENTIAL_API_TOKEN);
}

static void impossible_ones(void **state)
{
	static const char *const bad[][3] = {
		{"ada@example.com", NULL, NULL},
		{"ada@example.com", NULL, ""},
		{NULL, "ada", NULL},
		{NULL, "a:da", "token"},
		{"a:da@example.com", NULL, "token"},
		{NULL, "ada", "to\nken"},
		{NULL, "a\rda", "token"},
		{"ada@example.com\x7f", NULL, "token"},
		{NULL, NULL, "token\n"},
		{"ATATT3xToken", NULL, "ada@example.com"},
		{NULL, "ATCTT3xToken", "ada"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct credential *c = NULL;
		const char *why = NULL;

		assert_int_equal(credential_new(bad[i][0], bad[i][1], bad[i][2],
						&c, &why),
				 -EINVAL);
		assert_null(c);
		assert_non_null(why);
		assert_null(strstr(why, "ken\n"));
	}
	assert_null(credential_free(NULL));
}

/* What was registered is taken out of every message. */
static void is_redacted(void **state)
{
	char plain[] = "the token ATATsecret was sent";
	char coded[] = "Authorization: Basic YWRhOmFwcC1wYXNzd29yZA==";

	(void)state;
	log_clean(plain);
	assert_null(strstr(plain, "ATATsecret"));
	log_clean(coded);
	assert_null(strstr(coded, "YWRhOmFwcC1wYXNzd29yZA=="));
}

/* An account's token, and an API token that is told by how it begins. */
static void an_api_token_needs_an_email(void **state)
{
	struct credential *c = NULL;
	const char *why = NULL;

	(void)state;
	assert_int_equal(credential_new(NULL, NULL, "ATATT3xSecret", &c, &why),
			 -EACCES);
	assert_non_null(strstr(why, "BITBUCKETFS_EMAIL"));
	assert_int_equal(credential_new("", "ada", "ATATT3xSecret", &c, &why),
			 -EACCES);
	assert_null(c);
}

/* ---- refusals ---- */

#define REST CREDENTIAL_REST
#define GIT CREDENTIAL_GIT
#define MINUTE INT64_C(60000)

static int fake_time(void **state)
{
	(void)state;
	clock_fake(1000 * MINUTE, INT64_C(29833333) * MINUTE);
	return 0;
}

static int real_time(void **state)
{
	(void)state;
	clock_real();
	return 0;
}

/* An answer to what was sent with the secret of that version. */
static void heard_of(struct credential *c, enum credential_door door,
		     uint64_t version, long status)
{
	char value[] = "Basic x";
	const struct http_authorization use = {value, version};

	credential_heard(c, door, &use, status);
}

#define heard(c, door, status) heard_of(c, door, 1, status)

static int may(struct credential *c, enum credential_door door,
	       enum ctx_class who, bool urgent)
{
	cleanup(http_authorization_done) struct http_authorization use = {0};
	struct ctx ctx;
	int r;

	ctx_init(&ctx, NULL, -1);
	ctx.who = who;
	ctx.urgent = urgent;
	/* Looking takes nothing. */
	r = credential_look(&ctx, c, door);
	assert_int_equal(credential_authorize(&ctx, c, door, &use), r);
	assert_true(r == 0 ? !ctx.refused
			   : ctx.refused == (who == CTX_REFRESH));
	if (r < 0) {
		assert_non_null(strstr(ctx.sentence, "not sent again before "
						     "2026-"));
		assert_non_null(strstr(ctx.sentence, credential_hint(c)));
	}
	ctx_done(&ctx);
	return r;
}

#define person(c, door) may(c, door, CTX_PERSON, false)

static void refuse_often(struct credential *c, enum credential_door door,
			 unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		assert_int_equal(person(c, door), 0);
		heard(c, door, 401);
	}
}

static void a_dead_one_is_sent_once_a_minute(void **state)
{
	cleanup(credential_free) struct credential *c =
		made("ada@example.com", NULL, "ATATsecret");

	(void)state;
	refuse_often(c, REST, 1);
	/* Nobody waits for the background. */
	assert_int_equal(may(c, REST, CTX_REFRESH, false), -EACCES);
	refuse_often(c, REST, 2);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(person(c, REST), -EACCES);
		assert_int_equal(may(c, REST, CTX_WALK, false), -EACCES);
		clock_advance(MINUTE - 1);
		assert_int_equal(person(c, REST), -EACCES);
		clock_advance(1);
		/* One takes the turn, whatever becomes of it. */
		assert_int_equal(person(c, REST), 0);
		assert_int_equal(person(c, REST), -EACCES);
		heard(c, REST, i ? 401 : 500);
	}
	/* It works again. */
	clock_suspend(MINUTE);
	assert_int_equal(may(c, REST, CTX_REFRESH, false), 0);
	heard(c, REST, 200);
	refuse_often(c, REST, 3);
	assert_int_equal(person(c, REST), -EACCES);
	/* Another one was given. */
	credential_become(c, made("ada@example.com", NULL, "ATATother"));
	assert_int_equal(person(c, REST), 0);
}

static void only_a_row_counts(void **state)
{
	cleanup(credential_free) struct credential *c =
		made(NULL, NULL, "ATCTTsecret");
	static const long neither[] = {0, 403, 404, 429, 500};

	(void)state;
	/* An endpoint that is not for access tokens, among others. */
	for (int i = 0; i < 5; i++) {
		refuse_often(c, REST, 2);
		heard(c, REST, 304);
	}
	refuse_often(c, REST, 2);
	for (size_t i = 0; i < ARRAY_SIZE(neither); i++)
		heard(c, REST, neither[i]);
	refuse_often(c, REST, 1);
	assert_int_equal(person(c, REST), -EACCES);
}

static void the_doors_know_of_each_other(void **state)
{
	cleanup(credential_free) struct credential *c =
		made("ada@example.com", NULL, "ATATsecret");

	(void)state;
	/* Refused by REST alone: git goes on. */
	refuse_often(c, REST, 3);
	heard(c, GIT, 200);
	assert_int_equal(person(c, GIT), 0);
	/* By both. */
	heard(c, GIT, 401);
	assert_int_equal(person(c, GIT), -EACCES);
	clock_advance(MINUTE);
	assert_int_equal(person(c, REST), 0);
	heard(c, REST, 200);
	assert_int_equal(person(c, GIT), 0);
}

static void an_urgent_one_may_try_besides(void **state)
{
	cleanup(credential_free) struct credential *c =
		made("ada@example.com", NULL, "ATATsecret");

	(void)state;
	refuse_often(c, REST, 3);
	assert_int_equal(may(c, REST, CTX_PERSON, true), 0);
	heard(c, REST, 401);
	assert_int_equal(may(c, REST, CTX_PERSON, true), -EACCES);
	clock_advance(MINUTE);
	assert_int_equal(person(c, REST), 0);
	heard(c, REST, 401);
	assert_int_equal(may(c, REST, CTX_PERSON, true), 0);
}

static void nobody_is_never_refused(void **state)
{
	cleanup(credential_free) struct credential *c = made(NULL, NULL, NULL);

	(void)state;
	refuse_often(c, REST, 10);
	assert_int_equal(person(c, REST), 0);
}

static void somebody_signs_in_anew_or_out(void **state)
{
	cleanup(credential_free) struct credential *c =
		made("ada@example.com", NULL, "ATATsecret");
	cleanup(http_authorization_done) struct http_authorization old = {0};
	cleanup(http_authorization_done) struct http_authorization use = {0};
	cleanup(http_authorization_done) struct http_authorization none = {0};
	cleanup(ctx_done) struct ctx ctx;

	(void)state;
	ctx_init(&ctx, NULL, -1);
	assert_int_equal(credential_authorize(&ctx, c, REST, &old), 0);
	refuse_often(c, REST, 3);
	credential_become(c, made("ada@example.com", NULL, "ATATother"));
	/* What is still under way was refused: it may be made once more. */
	credential_heard(c, REST, &old, 401);
	assert_int_equal(credential_renew(&ctx, c, &old), 1);
	assert_int_equal(credential_authorize(&ctx, c, REST, &use), 0);
	assert_true(use.version > old.version);
	assert_string_not_equal(use.value, old.value);
	assert_int_equal(credential_kind(c), CREDENTIAL_API_TOKEN);
	credential_lose(c, "Signed out.");
	assert_int_equal(credential_authorize(&ctx, c, GIT, &none), -EACCES);
	assert_string_equal(ctx.sentence, "Signed out.");
	credential_become(c, made("ada@example.com", NULL, "ATATthird"));
	assert_int_equal(person(c, GIT), 0);
}

static void nobody_is_not_accused(void **state)
{
	cleanup(credential_free) struct credential *c =
		made("ada@example.com", NULL, "ATATsecret");
	const struct http_authorization none = {0};

	(void)state;
	/* What was sent without a secret says nothing of it. */
	for (int i = 0; i < 5; i++)
		credential_heard(c, REST, &none, 401);
	assert_int_equal(person(c, REST), 0);
}

/* ---- a source whose secret changes ---- */

struct changing {
	atomic_uint version, newest; /* given now; what renewing brings */
	atomic_uint n_got, n_renewed, n_freed;
	int renewing;      /* the errno of it */
	bool holds_up;     /* renewing waits until it is let go */
	const char *token; /* NULL: "token-VERSION" */
	struct mutex lock;
	struct cond changed;
	bool began, let_go; /* under lock */
};

static int get_changing(void *arg, struct ctx *ctx,
			struct credential_secret *ret)
{
	struct changing *s = arg;
	unsigned version = atomic_load(&s->version);

	(void)ctx;
	atomic_fetch_add(&s->n_got, 1);
	ret->version = version;
	ret->token = s->token ? mem_strdup(s->token)
			      : mem_asprintf("token-%u", version);
	return 0;
}

static int renew_changing(void *arg, struct ctx *ctx, uint64_t version)
{
	struct changing *s = arg;

	atomic_fetch_add(&s->n_renewed, 1);
	assert_int_equal(version, atomic_load(&s->version));
	mutex_lock(&s->lock);
	s->began = true;
	cond_broadcast(&s->changed);
	while (s->holds_up && !s->let_go)
		cond_wait(&s->changed, &s->lock);
	mutex_unlock(&s->lock);
	if (s->renewing)
		return ctx_fail(ctx, s->renewing, "The helper has failed.");
	atomic_store(&s->version, atomic_load(&s->newest));
	return 0;
}

static void free_changing(void *arg)
{
	struct changing *s = arg;

	atomic_fetch_add(&s->n_freed, 1);
}

static struct credential *from(struct changing *s, bool renewable)
{
	const struct credential_source source = {
		.get = get_changing,
		.renew = renewable ? renew_changing : NULL,
		.free = free_changing,
		.arg = s,
	};
	cleanup(ctx_done) struct ctx ctx;
	struct credential *c = NULL;

	mutex_init(&s->lock);
	cond_init(&s->changed);
	atomic_init(&s->version, 1);
	atomic_init(&s->newest, 2);
	ctx_init(&ctx, NULL, -1);
	assert_int_equal(credential_new_from(&ctx, &source, &c), 0);
	return c;
}

static void done_with(struct changing *s, struct credential *c)
{
	credential_free(c);
	assert_int_equal(atomic_load(&s->n_freed), 1);
	cond_done(&s->changed);
	mutex_done(&s->lock);
}

static int renew(struct credential *c, uint64_t version, char *ret_sentence)
{
	char value[] = "Bearer x";
	const struct http_authorization refused = {value, version};
	cleanup(ctx_done) struct ctx ctx;
	int r;

	ctx_init(&ctx, NULL, -1);
	r = credential_renew(&ctx, c, &refused);
	if (ret_sentence)
		memcpy(ret_sentence, ctx.sentence, sizeof(ctx.sentence));
	return r;
}

/* The source is asked for each request, and what it gives is what is sent and
 * what no log shows. */
static void each_use_asks_the_source(void **state)
{
	struct changing s = {0};
	struct credential *c = from(&s, false);
	char line[] = "Bearer token-77 and token-78";

	(void)state;
	atomic_store(&s.version, 77);
	assert_told(c, "Bearer token-77", "Basic eC10b2tlbi1hdXRoOnRva2VuLTc3");
	atomic_store(&s.version, 78);
	assert_told(c, "Bearer token-78", "Basic eC10b2tlbi1hdXRoOnRva2VuLTc4");
	assert_string_equal(credential_label(c), "access-token");
	assert_int_equal(atomic_load(&s.n_got), 5);
	log_clean(line);
	assert_null(strstr(line, "token-7"));
	done_with(&s, c);
}

static void a_secret_that_cannot_be_is_not_sent(void **state)
{
	struct changing s = {0};
	struct credential *c = from(&s, false);
	cleanup(http_authorization_done) struct http_authorization use = {0};
	cleanup(ctx_done) struct ctx ctx;

	(void)state;
	ctx_init(&ctx, NULL, -1);
	s.token = "evil\r\nX-Header: 1";
	assert_int_equal(credential_authorize(&ctx, c, REST, &use), -EINVAL);
	assert_null(use.value);
	assert_non_null(strstr(ctx.sentence, "control character"));
	assert_null(strstr(ctx.sentence, "evil"));
	done_with(&s, c);
}

static void another_one_is_there_or_is_brought(void **state)
{
	struct changing s = {0};
	struct credential *c = from(&s, true);
	const struct http_authorization none = {0};
	cleanup(ctx_done) struct ctx ctx;

	(void)state;
	/* The source has changed since: it need not be renewed. */
	atomic_store(&s.version, 2);
	assert_int_equal(renew(c, 1, NULL), 1);
	assert_int_equal(atomic_load(&s.n_renewed), 0);
	/* It has not. */
	atomic_store(&s.newest, 3);
	assert_int_equal(renew(c, 2, NULL), 1);
	assert_int_equal(atomic_load(&s.n_renewed), 1);
	/* Nobody was signed in. */
	ctx_init(&ctx, NULL, -1);
	assert_int_equal(credential_renew(&ctx, c, &none), 0);
	done_with(&s, c);
}

static void no_other_one_is_asked_for_once(void **state)
{
	struct changing s = {0};
	struct credential *c = from(&s, true);

	(void)state;
	atomic_store(&s.newest, 1);
	for (int i = 0; i < 10; i++)
		assert_int_equal(renew(c, 1, NULL), 0);
	assert_int_equal(atomic_load(&s.n_renewed), 1);
	/* Signed in meanwhile. */
	atomic_store(&s.version, 2);
	assert_int_equal(renew(c, 1, NULL), 1);
	atomic_store(&s.version, 1);
	/* A while later. */
	clock_advance(MINUTE);
	assert_int_equal(renew(c, 1, NULL), 0);
	assert_int_equal(atomic_load(&s.n_renewed), 2);
	done_with(&s, c);
}

static void a_source_that_fails_says_why(void **state)
{
	struct changing s = {.renewing = -EIO};
	struct credential *c = from(&s, true);
	char sentence[512];

	(void)state;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(renew(c, 1, sentence), -EIO);
		assert_string_equal(sentence, "The helper has failed.");
	}
	assert_int_equal(atomic_load(&s.n_renewed), 1);
	done_with(&s, c);
}

struct refused_one {
	struct credential *c;
	struct thread *thread;
	int r;
};

static void is_refused(void *arg)
{
	struct refused_one *one = arg;

	one->r = renew(one->c, 1, NULL);
}

#define AT_ONCE 8

/* Real time: threads wait for each other. */
static void many_refused_renew_once(void **state)
{
	struct changing s = {.holds_up = true};
	struct credential *c = from(&s, true);
	struct refused_one ones[AT_ONCE];

	(void)state;
	for (int i = 0; i < AT_ONCE; i++) {
		ones[i] = (struct refused_one){.c = c};
		assert_int_equal(thread_start("refused", is_refused, &ones[i],
					      &ones[i].thread),
				 0);
	}
	mutex_lock(&s.lock);
	while (!s.began)
		cond_wait(&s.changed, &s.lock);
	s.let_go = true;
	cond_broadcast(&s.changed);
	mutex_unlock(&s.lock);
	for (int i = 0; i < AT_ONCE; i++) {
		thread_join(ones[i].thread);
		assert_int_equal(ones[i].r, 1);
	}
	assert_int_equal(atomic_load(&s.n_renewed), 1);
	done_with(&s, c);
}

/* A new secret is tried at once, whatever became of the old one; a source that
 * brings a new one after each refusal is stopped all the same. */
static void a_row_is_of_all_secrets(void **state)
{
	struct changing s = {0};
	struct credential *c = from(&s, false);

	(void)state;
	refuse_often(c, REST, 3);
	assert_int_equal(person(c, REST), -EACCES);
	for (unsigned version = 2; version < 5; version++) {
		atomic_store(&s.version, version);
		assert_int_equal(may(c, REST, CTX_REFRESH, false), 0);
		/* As many as leave before the answer comes. */
		assert_int_equal(person(c, REST), 0);
		heard_of(c, REST, version, 401);
		assert_int_equal(person(c, REST), -EACCES);
	}
	atomic_store(&s.version, 5);
	assert_int_equal(person(c, REST), 0);
	heard_of(c, REST, 5, 200);
	/* The answers of what had left with the old one. */
	for (int i = 0; i < 5; i++)
		heard_of(c, REST, 4, 401);
	assert_int_equal(may(c, REST, CTX_REFRESH, false), 0);
	done_with(&s, c);
}

#define TIMED(name) cmocka_unit_test_setup_teardown(name, fake_time, real_time)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(api_token),
		cmocka_unit_test(basic_pair),
		cmocka_unit_test(is_redacted),
		cmocka_unit_test(access_token),
		cmocka_unit_test(nobody),
		cmocka_unit_test(both_names),
		cmocka_unit_test(impossible_ones),
		cmocka_unit_test(an_api_token_needs_an_email),
		TIMED(a_dead_one_is_sent_once_a_minute),
		TIMED(only_a_row_counts),
		TIMED(the_doors_know_of_each_other),
		TIMED(an_urgent_one_may_try_besides),
		TIMED(nobody_is_never_refused),
		TIMED(somebody_signs_in_anew_or_out),
		TIMED(nobody_is_not_accused),
		cmocka_unit_test(each_use_asks_the_source),
		cmocka_unit_test(a_secret_that_cannot_be_is_not_sent),
		TIMED(another_one_is_there_or_is_brought),
		TIMED(no_other_one_is_asked_for_once),
		TIMED(a_source_that_fails_says_why),
		cmocka_unit_test(many_refused_renew_once),
		TIMED(a_row_is_of_all_secrets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
