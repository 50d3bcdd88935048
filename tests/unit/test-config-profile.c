/*
 * cmd/config: profiles, and where in a file it is that something is wrong.
 */
#include "setup/config_private.h"

#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

static const char two[] = "email = a@b.c\ntoken = general\nttl = 5m\n"
			  "[profile work]\nusername = ada\ntoken = working\n"
			  "mountpoint = /work\n"
			  "[profile home] # mine\n\ttoken_command = pass home\n"
			  "email =\nca_file = /nowhere/at/all\n";

static int setup(void **state)
{
	(void)state;
	unsetenv("BITBUCKETFS_PROFILE");
	setenv("HOME", "/home/nobody", 1);
	unsetenv("XDG_CACHE_HOME");
	return 0;
}

/* With profile as -o, or NULL. */
static int read_as(struct config *config, const char *text, const char *profile)
{
	cleanup(free) char *option = mem_asprintf("ro,profile=%s", profile);
	const char *options[] = {option};
	bool secret;
	int r;

	config_init(config);
	r = config_choose_profile(config, options, profile ? 1 : 0);
	if (!r)
		r = config_parse(config, "file", text, strlen(text), &secret);
	if (!r && profile)
		r = config_read_options(config, option, false);
	return r ? r : config_finish(config);
}

static void test_a_section_wins(void **state)
{
	cleanup(config_done) struct config general, work;

	(void)state;
	assert_int_equal(read_as(&general, two, NULL), 0);
	assert_null(general.profile);
	assert_null(general.mountpoint);
	assert_string_equal(general.email, "a@b.c");
	assert_string_equal(general.token, "general");
	assert_string_equal(general.cache_dir,
			    "/home/nobody/.cache/bitbucketfs");

	assert_int_equal(read_as(&work, two, "work"), 0);
	assert_string_equal(work.profile, "work");
	assert_null(work.email);
	assert_string_equal(work.username, "ada");
	assert_string_equal(work.token, "working");
	assert_string_equal(work.mountpoint, "/work");
	assert_int_equal(work.ttl_ms, 300000);
	assert_string_equal(work.cache_dir,
			    "/home/nobody/.cache/bitbucketfs/@work");
}

/* A section's token_command beside the general token is not two ways at once,
 * and an empty value hides the general one. */
static void test_a_section_hides(void **state)
{
	cleanup(config_done) struct config config, token, none, consumer;

	(void)state;
	assert_int_equal(read_as(&config,
				 "email = a@b.c\ntoken = t\n[profile home]\n"
				 "token_command = pass home\nemail =\n",
				 "home"),
			 0);
	assert_null(config.token);
	assert_null(config.email);
	assert_string_equal(config.token_command, "pass home");
	assert_int_equal(read_as(&token,
				 "token_command = pass all\n[profile home]\n"
				 "token = t\n",
				 "home"),
			 0);
	assert_null(token.token_command);
	assert_string_equal(token.token, "t");
	assert_int_equal(
		read_as(&none, "token = t\n[profile home]\ntoken =\n", "home"),
		0);
	assert_null(none.token);
	/* The general token is not this consumer's secret. */
	assert_int_equal(read_as(&consumer,
				 "token = t\n[profile home]\n"
				 "oauth_client_id = abc\n",
				 "home"),
			 0);
	assert_null(consumer.token);
	assert_string_equal(consumer.oauth_client_id, "abc");
}

static void test_an_email_wins_in_a_section_too(void **state)
{
	cleanup(config_done) struct config config;

	(void)state;
	assert_int_equal(read_as(&config,
				 "email = a@b.c\ntoken = t\n[profile p]\n"
				 "email = a@b.c\nusername = ada\n",
				 "p"),
			 0);
	assert_string_equal(config.email, "a@b.c");
}

static void test_who_chooses(void **state)
{
	cleanup(config_done) struct config option, environment, file, none;
	static const char named[] = "profile = home\n[profile work]\n"
				    "[profile home]\n";

	(void)state;
	assert_int_equal(read_as(&file, named, NULL), 0);
	assert_string_equal(file.profile, "home");
	setenv("BITBUCKETFS_PROFILE", "work", 1);
	assert_int_equal(read_as(&environment, named, NULL), 0);
	assert_string_equal(environment.profile, "work");
	assert_int_equal(read_as(&option, named, "home"), 0);
	assert_string_equal(option.profile, "home");
	setenv("BITBUCKETFS_PROFILE", "", 1);
	assert_int_equal(read_as(&none, named, NULL), 0);
	assert_null(none.profile);
}

static void refused(const char *text, const char *profile, const char *sentence)
{
	cleanup(config_done) struct config config;

	assert_int_equal(read_as(&config, text, profile), -EINVAL);
	if (!strstr(config.why, sentence))
		fail_msg("%s: '%s' lacks '%s'", text, config.why, sentence);
	assert_null(strstr(config.why, "hunter2"));
}

/* Also where the file takes one; but one of that name is one. */
static void test_default_is_none(void **state)
{
	cleanup(config_done) struct config none, chosen, called;

	(void)state;
	assert_int_equal(read_as(&none, two, "default"), 0);
	assert_null(none.profile);
	assert_string_equal(none.cache_dir, "/home/nobody/.cache/bitbucketfs");
	assert_int_equal(read_as(&chosen,
				 "profile = work\n[profile work]\n"
				 "mountpoint = /work\n",
				 "default"),
			 0);
	assert_null(chosen.profile);
	assert_null(chosen.mountpoint);
	assert_int_equal(read_as(&called,
				 "[profile default]\nmountpoint = /here\n",
				 "default"),
			 0);
	assert_string_equal(called.profile, "default");
	assert_string_equal(called.mountpoint, "/here");
}

static void test_an_unknown_profile(void **state)
{
	(void)state;
	refused(two, "wrok",
		"there is no profile 'wrok' in the configuration file (work, "
		"home): did you mean work?");
	refused("ttl = 5m\n", "work", "has no [profile work]");
	refused(two, "a/b", "(the name of one) has only letters");
	refused(two, "../hunter2", "has only letters");
	refused("profile = x\n", NULL, "has no [profile x]");
	setenv("BITBUCKETFS_PROFILE", "-x", 1);
	refused(two, NULL, "BITBUCKETFS_PROFILE (the name of one) has only");
}

static void test_line_and_column(void **state)
{
	(void)state;
	refused("ttl = 5m\n  hunter2\n", NULL, "file:2:3: this is no line");
	refused("\tttl =  soon\n", NULL, "file:1:9: ttl 'soon' is no time");
	refused("\xef\xbb\xbftokn = hunter2\n", NULL,
		"file:1:1: there is no setting tokn: did you mean token?");
	refused("ttl = 5m\r\nttl = 6m\r\n", NULL, "file:2:1: ttl is there");
	refused("ATATT3xhunter2=0A1B2C3D\n", NULL,
		"file:1:1: there is no such setting");
	refused("hunter2hunter2hunter2hunter2=0A1B2C3D\n", NULL,
		"file:1:1: there is no such setting");
	refused("Token = hunter2\n", NULL,
		"there is no setting Token: did you mean token?");
	refused("token = 'hunter2'\n", NULL, "file:1:9: the value of token is");
	refused("[profile work\n", NULL, "file:1:1: this is no line of the");
	refused("[profile work] hunter2\n", NULL, "file:1:15: this is no line");
	refused("[ work ]\n", NULL, "file:1:3: the sections of this file");
	refused("[profile]\n", NULL, "file:1:2: the sections");
	refused("[profile ]\n", NULL, "file:1:10: the name of a profile is");
	refused("[profile \"work\"]\n", NULL, "file:1:10: the name of a");
	refused("[profile a]\n[profile b]\n[profile a]\n", NULL,
		"file:3:10: the profile a is there twice");
	refused("[profile a]\nprofile = b\n", "a",
		"file:2:1: a profile has no profile of its own");
	refused("[profile a]\nttl = soon\n", "a", "file:2:7: ttl 'soon'");
	/* Below wherever one stands it would be another one each time. */
	refused("cache_dir = cache\n", NULL,
		"file:1:13: cache_dir is a path that begins with / or ~/");
	refused("[profile a]\nmountpoint = ~ada/work\n", "a",
		"file:2:14: mountpoint is a path that begins");
	refused("ca_file = ./ca.pem\n", NULL, "file:1:11: ca_file is a path");
	/* Of a section that is not used the words are judged, no values. */
	refused("[profile a]\nttk = 5m\n", NULL, "file:2:1: there is no");
	refused("[profile a]\nttl = 1m\n ttl = 2m\n", NULL, "file:3:2: ttl is");
}

/* Each section may have each setting once, and a secret in any of them is one
 * of the file. */
static void test_sections_by_themselves(void **state)
{
	cleanup(config_done) struct config config;
	static const char text[] = "ttl = 5m\n[profile a]\nttl = 6m\n"
				   "[profile b]\nttl = soon\ntoken = t\n";
	bool secret = false;

	(void)state;
	config_init(&config);
	config_put(&config.profile, "a");
	assert_int_equal(
		config_parse(&config, "f", text, strlen(text), &secret), 0);
	assert_true(secret);
	assert_null(config.token);
	assert_int_equal(config.ttl_ms, 360000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_a_section_wins, setup),
		cmocka_unit_test_setup(test_a_section_hides, setup),
		cmocka_unit_test_setup(test_an_email_wins_in_a_section_too,
				       setup),
		cmocka_unit_test_setup(test_who_chooses, setup),
		cmocka_unit_test_setup(test_default_is_none, setup),
		cmocka_unit_test_setup(test_an_unknown_profile, setup),
		cmocka_unit_test_setup(test_line_and_column, setup),
		cmocka_unit_test_setup(test_sections_by_themselves, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
