/*
 * What was typed as a token or a name: what it is, and what is odd about it.
 */
#include "cmd/login/login_form.h"

#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define API "ATATT3xFfGF0abc=1234ABCD"
#define ACCESS "ATCTT3xFfGN0abc=1234ABCD"
#define APP "ATBBabcdefgh12345678"

static void test_token(void **state)
{
	static const struct {
		const char *typed, *token;
		enum login_form form;
		const char *name; /* NULL: none */
		bool noted;
	} cases[] = {
		{API, API, LOGIN_FORM_API_TOKEN, NULL, false},
		{ACCESS, ACCESS, LOGIN_FORM_ACCESS_TOKEN, NULL, false},
		{APP, APP, LOGIN_FORM_APP_PASSWORD, NULL, false},
		{"secret", "secret", LOGIN_FORM_UNKNOWN, NULL, false},
		{"a b:c", "a b:c", LOGIN_FORM_UNKNOWN, NULL, false},
		{" " API "\t\r\n", API, LOGIN_FORM_API_TOKEN, NULL, true},
		{"\"" API "\"", API, LOGIN_FORM_API_TOKEN, NULL, true},
		{" ' " API "' ", API, LOGIN_FORM_API_TOKEN, NULL, true},
		{"Bearer " ACCESS, ACCESS, LOGIN_FORM_ACCESS_TOKEN, NULL, true},
		{"Authorization: Bearer " ACCESS, ACCESS,
		 LOGIN_FORM_ACCESS_TOKEN, NULL, true},
		{"token = " API, API, LOGIN_FORM_API_TOKEN, NULL, true},
		{"export BITBUCKETFS_TOKEN='" API "'", API,
		 LOGIN_FORM_API_TOKEN, NULL, true},
		{"https://x-token-auth:" ACCESS "@bitbucket.org/a/b.git",
		 ACCESS, LOGIN_FORM_ACCESS_TOKEN, NULL, true},
		{"https://x-bitbucket-api-token-auth:" API "@bitbucket.org",
		 API, LOGIN_FORM_API_TOKEN, NULL, true},
		{"https://ada:p%40ss%3d@bitbucket.org/",
		 "p@ss=", LOGIN_FORM_UNKNOWN, "ada", true},
		{"ada@example.com:" API, API, LOGIN_FORM_API_TOKEN,
		 "ada@example.com", true},
		{"https", "https", LOGIN_FORM_UNKNOWN, NULL, false},
		{"'", "'", LOGIN_FORM_UNKNOWN, NULL, false},
		{"p%zz@x", "p%zz@x", LOGIN_FORM_UNKNOWN, NULL, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cleanup(free) char *name = NULL;
		const char *note, *why;
		enum login_form form;
		char *token = NULL;

		why = login_form_token(cases[i].typed, &token, &form, &name,
				       &note);
		if (why)
			print_message("%s: %s\n", cases[i].typed, why);
		assert_null(why);
		assert_string_equal(token, cases[i].token);
		assert_int_equal(form, cases[i].form);
		assert_string_equal(name ? name : "-",
				    cases[i].name ? cases[i].name : "-");
		assert_int_equal(note != NULL, cases[i].noted);
		text_wipe(token);
	}
}

static void test_no_token(void **state)
{
	static const struct {
		const char *typed, *why;
	} cases[] = {
		{"", "empty"},
		{"  \n", "empty"},
		{"''", "empty"},
		{"ATATT3x\nFfGF0", "line end"},
		{"a\x7f", "control character"},
		{API " and more", "more was copied"},
		{"ATATT3x", "not copied whole"},
		{"ada@example.com", "an e-mail"},
		{"ssh-ed25519 AAAA ada@host", "SSH key"},
		{"-----BEGIN OPENSSH PRIVATE KEY-----", "SSH key"},
		{"https://bitbucket.org/acme/widgets.git", "without a token"},
		{"https://ada@bitbucket.org/acme", "without a token"},
		{"https://bitbucket.org/a:b@c", "without a token"},
		{"https://", "without a token"},
		{"Basic YWRhOnNlY3JldA==", "header of a request"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char *name = NULL, *token = NULL;
		const char *note, *why;
		enum login_form form;

		why = login_form_token(cases[i].typed, &token, &form, &name,
				       &note);
		assert_non_null(why);
		assert_non_null(strstr(why, cases[i].why));
		assert_null(token);
	}
}

static void test_join(void **state)
{
	static const struct {
		enum login_form form;
		const char *name;
		enum sign_in_kind kind;
		const char *email, *username, *note; /* NULL: none */
		const char *why; /* it cannot be; NULL: it can */
	} cases[] = {
		{LOGIN_FORM_API_TOKEN, "ada@x.y", SIGN_IN_API_TOKEN, "ada@x.y",
		 NULL, NULL, NULL},
		{LOGIN_FORM_API_TOKEN, "ada", .why = "not with the user name"},
		{LOGIN_FORM_API_TOKEN, "", .why = "none was given"},
		{LOGIN_FORM_API_TOKEN, NULL, .why = "none was given"},
		{LOGIN_FORM_ACCESS_TOKEN, NULL, SIGN_IN_ACCESS_TOKEN, NULL,
		 NULL, NULL, NULL},
		{LOGIN_FORM_ACCESS_TOKEN, "ada@x.y", SIGN_IN_ACCESS_TOKEN, NULL,
		 NULL, "goes alone", NULL},
		{LOGIN_FORM_UNKNOWN, "ada", SIGN_IN_BASIC, NULL, "ada", NULL,
		 NULL},
		{LOGIN_FORM_UNKNOWN, "ada@x.y", SIGN_IN_API_TOKEN, "ada@x.y",
		 NULL, "ATATT", NULL},
		{LOGIN_FORM_UNKNOWN, NULL, SIGN_IN_ACCESS_TOKEN, NULL, NULL,
		 "form of a token", NULL},
		{LOGIN_FORM_UNKNOWN, "a:b", .why = "colon"},
		{LOGIN_FORM_UNKNOWN, "Ada Lindqvist", .why = "blank"},
		{LOGIN_FORM_UNKNOWN, "a\tb", .why = "control"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cleanup(sign_in_done) struct sign_in got = {0};
		char *token = mem_strdup("t");
		const char *note = NULL;
		const char *why = login_form_join(cases[i].form, &token,
						  cases[i].name, &got, &note);

		assert_int_equal(why != NULL, cases[i].why != NULL);
		text_wipe(token);
		if (why) {
			assert_non_null(strstr(why, cases[i].why));
			continue;
		}
		assert_int_equal(got.kind, cases[i].kind);
		assert_string_equal(got.token, "t");
		assert_string_equal(got.email ? got.email : "-",
				    cases[i].email ? cases[i].email : "-");
		assert_string_equal(got.username ? got.username : "-",
				    cases[i].username ? cases[i].username
						      : "-");
		assert_int_equal(note != NULL, cases[i].note != NULL);
		if (note)
			assert_non_null(strstr(note, cases[i].note));
	}
}

static void test_name(void **state)
{
	static const char *const cases[][2] = {
		{"ada@x.y", "ada@x.y"},
		{" ada@x.y\n", "ada@x.y"},
		{"<ada@x.y>", "ada@x.y"},
		{"mailto:ada@x.y", "ada@x.y"},
		{"Ada <ada@x.y>", "Ada <ada@x.y>"},
		{"", ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cleanup(free) char *name = login_form_name(cases[i][0]);

		assert_string_equal(name, cases[i][1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_token),
		cmocka_unit_test(test_no_token),
		cmocka_unit_test(test_join),
		cmocka_unit_test(test_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
