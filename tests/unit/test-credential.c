/*
 * remote/credential: which kind a pair is, what each door is told, and that no
 * secret shows.
 */
#include "remote/credential.h"

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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
