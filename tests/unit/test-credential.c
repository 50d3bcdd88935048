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

static void api_token(void **state)
{
	cleanup(credential_free) struct credential *c =
		made("ada@example.com", "", "ATATsecret");
	cleanup(free) char *identity = credential_identity(c, "k", 1);

	(void)state;
	assert_int_equal(credential_kind(c), CREDENTIAL_API_TOKEN);
	assert_string_equal(credential_label(c), "ada@example.com");
	/* ada@example.com:ATATsecret */
	assert_string_equal(credential_rest(c),
			    "Basic YWRhQGV4YW1wbGUuY29tOkFUQVRzZWNyZXQ=");
	/* x-bitbucket-api-token-auth:ATATsecret */
	assert_string_equal(credential_git(c),
			    "Basic eC1iaXRidWNrZXQtYXBpLXRva2VuLWF1dGg6"
			    "QVRBVHNlY3JldA==");
	assert_string_equal(identity, "email:ada@example.com");
	assert_non_null(strstr(credential_hint(c), "e-mail"));
}

static void basic_pair(void **state)
{
	cleanup(credential_free) struct credential *c =
		made(NULL, "ada", "app-password");
	cleanup(free) char *identity = credential_identity(c, "k", 1);

	(void)state;
	assert_int_equal(credential_kind(c), CREDENTIAL_BASIC);
	assert_string_equal(credential_rest(c),
			    "Basic YWRhOmFwcC1wYXNzd29yZA==");
	assert_string_equal(credential_git(c), credential_rest(c));
	assert_string_equal(identity, "user:ada");
	assert_non_null(strstr(credential_hint(c), "app passwords"));
}

static void access_token(void **state)
{
	cleanup(credential_free) struct credential *c =
		made("", NULL, "ATCTTsecret");
	cleanup(free) char *one = credential_identity(c, "one", 3);
	cleanup(free) char *again = credential_identity(c, "one", 3);
	cleanup(free) char *other = credential_identity(c, "two", 3);

	(void)state;
	assert_int_equal(credential_kind(c), CREDENTIAL_ACCESS_TOKEN);
	assert_string_equal(credential_label(c), "access-token");
	assert_string_equal(credential_rest(c), "Bearer ATCTTsecret");
	/* x-token-auth:ATCTTsecret */
	assert_string_equal(credential_git(c),
			    "Basic eC10b2tlbi1hdXRoOkFUQ1RUc2VjcmV0");
	assert_string_equal(one, again);
	assert_string_not_equal(one, other);
	assert_int_equal(strlen(one), strlen("token:") + 64);
	assert_null(strstr(one, "ATCTT"));
}

static void nobody(void **state)
{
	cleanup(credential_free) struct credential *c = made(NULL, "", NULL);
	cleanup(free) char *identity = credential_identity(c, "k", 1);

	(void)state;
	assert_int_equal(credential_kind(c), CREDENTIAL_ANONYMOUS);
	assert_null(credential_rest(c));
	assert_null(credential_git(c));
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

static int may(const struct credential *c, enum credential_door door,
	       enum ctx_class who, bool urgent)
{
	struct ctx ctx;
	int r;

	ctx_init(&ctx, NULL, -1);
	ctx.who = who;
	ctx.urgent = urgent;
	/* Looking takes nothing. */
	r = credential_look(&ctx, c, door);
	assert_int_equal(credential_admit(&ctx, c, door), r);
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

static void refuse_often(const struct credential *c, enum credential_door door,
			 unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		assert_int_equal(person(c, door), 0);
		credential_heard(c, door, 401);
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
		credential_heard(c, REST, i ? 401 : 500);
	}
	/* It works again. */
	clock_suspend(MINUTE);
	assert_int_equal(may(c, REST, CTX_REFRESH, false), 0);
	credential_heard(c, REST, 200);
	refuse_often(c, REST, 3);
	assert_int_equal(person(c, REST), -EACCES);
	/* Another one was given. */
	credential_renewed(c);
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
		credential_heard(c, REST, 304);
	}
	refuse_often(c, REST, 2);
	for (size_t i = 0; i < ARRAY_SIZE(neither); i++)
		credential_heard(c, REST, neither[i]);
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
	credential_heard(c, GIT, 200);
	assert_int_equal(person(c, GIT), 0);
	/* By both. */
	credential_heard(c, GIT, 401);
	assert_int_equal(person(c, GIT), -EACCES);
	clock_advance(MINUTE);
	assert_int_equal(person(c, REST), 0);
	credential_heard(c, REST, 200);
	assert_int_equal(person(c, GIT), 0);
}

static void an_urgent_one_may_try_besides(void **state)
{
	cleanup(credential_free) struct credential *c =
		made("ada@example.com", NULL, "ATATsecret");

	(void)state;
	refuse_often(c, REST, 3);
	assert_int_equal(may(c, REST, CTX_PERSON, true), 0);
	credential_heard(c, REST, 401);
	assert_int_equal(may(c, REST, CTX_PERSON, true), -EACCES);
	clock_advance(MINUTE);
	assert_int_equal(person(c, REST), 0);
	credential_heard(c, REST, 401);
	assert_int_equal(may(c, REST, CTX_PERSON, true), 0);
}

static void nobody_is_never_refused(void **state)
{
	cleanup(credential_free) struct credential *c = made(NULL, NULL, NULL);

	(void)state;
	refuse_often(c, REST, 10);
	credential_renewed(c);
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
