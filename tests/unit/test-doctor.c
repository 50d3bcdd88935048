/*
 * cmd/doctor: what is judged by a text alone.
 */
#include "cmd/address/address.h"
#include "cmd/doctor/indexers.h"
#include "cmd/doctor/machine.h"
#include "cmd/doctor/report.h"
#include "cmd/doctor/service.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct address_place bitbucket = {"https://bitbucket.org",
					       "https://api.bitbucket.org/2.0"};
static const struct address_place own = {"https://git.example.org:8443/scm",
					 "https://git.example.org:8443/2.0"};

static const struct {
	const char *text;
	enum address_form form;
	const char *names; /* "workspace/repository" */
	const char *wrong; /* a piece of it; NULL: nothing is */
	const char *odd;
} addresses[] = {
	/* ---- as they are ---- */
	{"acme/widgets", ADDRESS_NAME, "acme/widgets", NULL, NULL},
	{"acme", ADDRESS_NAME, "acme", NULL, NULL},
	{" acme/widgets\n", ADDRESS_NAME, "acme/widgets", NULL, NULL},
	{"https://bitbucket.org/acme/widgets.git", ADDRESS_CLONE,
	 "acme/widgets", NULL, NULL},
	{"https://ada@bitbucket.org/acme/widgets.git", ADDRESS_CLONE,
	 "acme/widgets", NULL, NULL},
	{"git clone --depth 1 https://bitbucket.org/acme/widgets.git w",
	 ADDRESS_CLONE, "acme/widgets", NULL, NULL},
	{"git -C /tmp/x clone -b a/b 'https://bitbucket.org/acme/widgets.git'",
	 ADDRESS_CLONE, "acme/widgets", NULL, NULL},
	{"$ git clone https://bitbucket.org/acme/widgets.git", ADDRESS_CLONE,
	 "acme/widgets", NULL, NULL},
	{"origin\thttps://bitbucket.org/acme/widgets.git (fetch)",
	 ADDRESS_CLONE, "acme/widgets", NULL, NULL},
	{" 'https://bitbucket.org/acme/widgets.git'  ", ADDRESS_CLONE,
	 "acme/widgets", NULL, NULL},
	{"\"acme/widgets\"", ADDRESS_NAME, "acme/widgets", NULL, NULL},
	{"<https://bitbucket.org/acme/widgets>", ADDRESS_PAGE, "acme/widgets",
	 NULL, NULL},
	{"https://bitbucket.org/acme/widgets", ADDRESS_PAGE, "acme/widgets",
	 NULL, NULL},
	{"https://bitbucket.org/snippets/acme/kMn7", ADDRESS_PAGE, "acme", NULL,
	 NULL},
	{"https://bitbucket.org/acme/widgets/src/main/src/a.c?at=x#lines-3",
	 ADDRESS_PAGE, "acme/widgets", NULL, NULL},
	{"https://bitbucket.org/acme/widgets/pull-requests/7/", ADDRESS_PAGE,
	 "acme/widgets", NULL, NULL},
	{"https://bitbucket.org/acme/workspace/projects/PROD", ADDRESS_PAGE,
	 "acme", NULL, NULL},
	{"git@ssh.bitbucket.org:acme/widgets.git", ADDRESS_SSH, "acme/widgets",
	 NULL, NULL},
	{"git clone git@ssh.bitbucket.org:acme/widgets.git", ADDRESS_SSH,
	 "acme/widgets", NULL, NULL},
	{"ssh://git@ssh.bitbucket.org/acme/widgets.git", ADDRESS_SSH,
	 "acme/widgets", NULL, NULL},
	{"ssh://git@ssh.bitbucket.org:22/acme/widgets.git", ADDRESS_SSH,
	 "acme/widgets", NULL, NULL},
	{"ssh://git@altssh.bitbucket.org:443/acme/widgets.git", ADDRESS_SSH,
	 "acme/widgets", NULL, NULL},
	{"https://api.bitbucket.org/2.0/repositories/acme/widgets/refs",
	 ADDRESS_API, "acme/widgets", NULL, NULL},
	{"https://api.bitbucket.org/2.0/workspaces/acme/members", ADDRESS_API,
	 "acme", NULL, NULL},
	{"https://api.bitbucket.org/2.0/user", ADDRESS_API, "", NULL, NULL},
	{"/repositories/acme/widgets/refs", ADDRESS_API, "acme/widgets", NULL,
	 NULL},

	/* ---- the host ---- */
	{"git@bitbucket.org:acme/widgets.git", ADDRESS_SSH, "acme/widgets",
	 "set-url origin git@ssh.bitbucket.org:acme/widgets.git", NULL},
	{"bitbucket.org:acme/widgets.git", ADDRESS_SSH, "acme/widgets",
	 "write git@ssh.bitbucket.org:acme/widgets.git", NULL},
	{"ssh://bitbucket.org/acme/widgets.git", ADDRESS_SSH, "acme/widgets",
	 "write git@ssh.bitbucket.org:acme/widgets.git", NULL},
	{"git@bitbucket.org/acme/widgets.git", ADDRESS_SSH, "acme/widgets",
	 "write git@ssh.bitbucket.org:acme/widgets.git", NULL},
	{"ssh://git@bitbucket.org:acme/widgets.git", ADDRESS_SSH, NULL,
	 "write git@ssh.bitbucket.org:acme/widgets.git or "
	 "ssh://git@ssh.bitbucket.org/acme/widgets.git",
	 NULL},
	{"ssh://git@bitbucket.org/acme/widgets.git", ADDRESS_SSH,
	 "acme/widgets", "git@ssh.bitbucket.org:acme/widgets.git", NULL},
	{"git@altssh.bitbucket.org:acme/widgets.git", ADDRESS_SSH,
	 "acme/widgets", "port 443 alone", NULL},
	{"https://ssh.bitbucket.org/acme/widgets.git", ADDRESS_CLONE,
	 "acme/widgets", "answers SSH alone", NULL},
	{"https://bitbucket.org:8443/acme/widgets.git", ADDRESS_CLONE,
	 "acme/widgets", "port 443 alone, not at 8443", NULL},
	{"https://bitbuket.org/acme/widgets.git", ADDRESS_CLONE, "acme/widgets",
	 "did you mean bitbucket.org?", NULL},
	{"git@ssh.bitbucket.com:acme/widgets.git", ADDRESS_SSH, "acme/widgets",
	 "did you mean ssh.bitbucket.org?", NULL},
	{"https://github.com/acme/widgets.git", ADDRESS_CLONE, "acme/widgets",
	 "another service", NULL},
	{"https://gist.github.com/acme/widgets.git", ADDRESS_CLONE,
	 "acme/widgets", "another service", NULL},
	{"https:///acme/widgets.git", ADDRESS_CLONE, "acme/widgets",
	 "names no host", NULL},
	{"https://example.org/acme/widgets.git", ADDRESS_CLONE, "acme/widgets",
	 "which is bitbucket.org", NULL},
	{"https://stash.example.org/scm/prod/widgets.git", ADDRESS_PAGE, "",
	 "Data Center", NULL},
	{"https://stash.example.org/projects/PROD/repos/widgets/browse",
	 ADDRESS_PAGE, "", "Data Center", NULL},

	/* ---- the form ---- */
	{"git@ssh.bitbucket.org/acme/widgets.git", ADDRESS_SSH, "acme/widgets",
	 "git@ssh.bitbucket.org:acme/widgets.git", NULL},
	{"ssh://git@ssh.bitbucket.org:acme/widgets.git", ADDRESS_SSH, NULL,
	 "mixes the two forms", NULL},
	{"git@ssh.bitbucket.org:22/acme/widgets.git", ADDRESS_SSH, NULL,
	 "takes no port", NULL},
	{"ada@ssh.bitbucket.org:acme/widgets.git", ADDRESS_SSH, "acme/widgets",
	 "the user is always git", NULL},
	{"ssh.bitbucket.org:acme/widgets.git", ADDRESS_SSH, "acme/widgets",
	 "the user is always git", NULL},
	{"git://bitbucket.org/acme/widgets.git", ADDRESS_CLONE, "acme/widgets",
	 "answers no git://", NULL},
	{"http://bitbucket.org/acme/widgets.git", ADDRESS_CLONE, "acme/widgets",
	 NULL, "not http://"},
	{"bitbucket.org/acme/widgets", ADDRESS_PAGE, "acme/widgets", NULL,
	 "https:// goes before it"},
	{"https://ada:hunter22@bitbucket.org/acme/widgets.git", ADDRESS_CLONE,
	 "acme/widgets", "secret in this address", NULL},

	/* ---- the names ---- */
	{"https://bitbucket.org/", ADDRESS_PAGE, "", "names no workspace",
	 NULL},
	{"https://bitbucket.org/account/settings/", ADDRESS_PAGE, "",
	 "of no workspace", NULL},
	{"/home/ada/bitbucket/acme/widgets", ADDRESS_NAME, "",
	 "a path of this machine", NULL},
	{"./widgets", ADDRESS_NAME, "", "a path of this machine", NULL},
	{"", ADDRESS_NAME, "", "names no workspace", NULL},
	{"git@ssh.bitbucket.org:widgets.git", ADDRESS_SSH, NULL,
	 "cannot be the name of a workspace", NULL},
	{"git@ssh.bitbucket.org:acme", ADDRESS_SSH, "acme",
	 "names no repository", NULL},
	{"git@ssh.bitbucket.org:acme/widgets/src", ADDRESS_SSH, "acme/widgets",
	 "alone", NULL},
	{"https://bitbucket.org/Acme/Widgets.git", ADDRESS_CLONE,
	 "acme/widgets", NULL, "is written acme"},
	{"https://bitbucket.org/acme/widgets.git.git", ADDRESS_CLONE,
	 "acme/widgets", NULL, "more than once"},
	{"https://bitbucket.org/acme inc/widgets", ADDRESS_PAGE, NULL,
	 "cannot be the name", NULL},
	{"acme/{repo_slug}", ADDRESS_NAME, NULL, "stands in the place", NULL},

	/* ---- the API ---- */
	{"https://api.bitbucket.org/repositories/acme/widgets", ADDRESS_API, "",
	 "https://api.bitbucket.org/2.0/repositories/acme/widgets", NULL},
	{"https://api.bitbucket.org/1.0/user", ADDRESS_API, "",
	 "https://api.bitbucket.org/2.0/user", NULL},
	{"https://api.bitbucket.org/2.0/user?access_token=hunter22",
	 ADDRESS_API, "", "revoke it", NULL},

	/* ---- lines of curl ---- */
	{"curl -s -u ada@example.com "
	 "'https://api.bitbucket.org/2.0/repositories/acme/widgets?a=1&b=2'",
	 ADDRESS_API, "acme/widgets", NULL, NULL},
	{"curl -u ada@example.com:hunter22 "
	 "https://api.bitbucket.org/2.0/user",
	 ADDRESS_API, "", "revoke it", NULL},
	{"curl -uada:hunter22 https://api.bitbucket.org/2.0/user", ADDRESS_API,
	 "", "revoke it", NULL},
	{"curl -u ada-lindqvist https://api.bitbucket.org/2.0/user",
	 ADDRESS_API, "", "-u takes the e-mail", NULL},
	{"curl -H 'Authorization: Bearer ATAThunter22' "
	 "https://api.bitbucket.org/2.0/user",
	 ADDRESS_API, "", "not sent as Bearer", NULL},
	{"curl --header \"authorization: Basic hunter22\" "
	 "https://api.bitbucket.org/2.0/user",
	 ADDRESS_API, "", "in this line", NULL},
	{"curl -H \"Authorization: Bearer $TOKEN\" "
	 "https://api.bitbucket.org/2.0/user",
	 ADDRESS_API, "", NULL, NULL},
	{"curl https://api.bitbucket.org/2.0/workspaces/acme?a=1&b=2",
	 ADDRESS_API, "acme", "takes & for the end", NULL},
	{"curl 'https://api.bitbucket.org/2.0/users/{e1f2}'", ADDRESS_API, "",
	 "for a list of URLs", NULL},
	{"curl -g 'https://api.bitbucket.org/2.0/users/{e1f2}'", ADDRESS_API,
	 "", NULL, NULL},
	{"curl https://api.bitbucket.org/repositories/acme/widgets",
	 ADDRESS_API, "", "/2.0/repositories/acme/widgets", NULL},
	{"$ curl https://api.bitbucket.org/2.0/workspaces/acme?a=1&b=2",
	 ADDRESS_API, "acme", "takes & for the end", NULL},
	{"curl", ADDRESS_NAME, "curl", NULL, NULL},
};

static const struct {
	const char *text, *names, *wrong;
	enum address_form form;
} own_addresses[] = {
	{"https://git.example.org:8443/acme/widgets.git", "acme/widgets", NULL,
	 ADDRESS_CLONE},
	{"https://git.example.org:8443/scm/acme/widgets.git", "acme/widgets",
	 NULL, ADDRESS_CLONE},
	{"git@git.example.org:acme/widgets.git", "acme/widgets", NULL,
	 ADDRESS_SSH},
	{"https://git.example.org:8443/2.0/user", "", NULL, ADDRESS_API},
	{"https://bitbucket.org/acme/widgets.git", "acme/widgets",
	 "which is git.example.org:8443", ADDRESS_CLONE},
};

static bool has(const char *text, const char *piece)
{
	return piece ? text && strstr(text, piece) : !text;
}

static void judge(const struct address *a, const char *text,
		  enum address_form form, const char *names, const char *wrong,
		  const char *odd)
{
	cleanup(free) char *is = mem_asprintf(
		"%s%s%s", a->workspace ? a->workspace : "",
		a->repository ? "/" : "", a->repository ? a->repository : "");

	if (a->form != form || (names && strcmp(is, names) != 0) ||
	    !has(a->wrong, wrong) || !has(a->odd, odd) ||
	    (a->wrong && strstr(a->wrong, "hunter22")))
		fail_msg("'%s': %s %s, wrong: %s, odd: %s", text,
			 address_form_name(a->form), is,
			 a->wrong ? a->wrong : "-", a->odd ? a->odd : "-");
}

static void an_address_is_taken_apart_in_each_form(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(addresses); i++) {
		cleanup(address_done) struct address a;

		address_read(addresses[i].text, &bitbucket, &a);
		judge(&a, addresses[i].text, addresses[i].form,
		      addresses[i].names, addresses[i].wrong, addresses[i].odd);
	}
	for (size_t i = 0; i < ARRAY_SIZE(own_addresses); i++) {
		cleanup(address_done) struct address a;

		address_read(own_addresses[i].text, &own, &a);
		judge(&a, own_addresses[i].text, own_addresses[i].form,
		      own_addresses[i].names, own_addresses[i].wrong, NULL);
	}
}

static void versions_are_compared_by_their_numbers(void **state)
{
	(void)state;
	assert_true(machine_compare("5.4", "5.4.0") == 0);
	assert_true(machine_compare("6.1.0-18-amd64", "5.4") > 0);
	assert_true(machine_compare("4.19.0", "5.4") < 0);
	assert_true(machine_compare("7.9", "7.10") < 0);
	assert_true(machine_compare("7.88.1-DEV", "7.88.1") == 0);
}

static void fuse_conf_lets_others(void **state)
{
	(void)state;
	assert_true(machine_lets_others("# x\nuser_allow_other\n"));
	assert_true(machine_lets_others("  user_allow_other # yes"));
	assert_true(machine_lets_others("user_allow_other"));
	assert_false(machine_lets_others("#user_allow_other\nmount_max = 9\n"));
	assert_false(machine_lets_others("user_allow_others\n"));
	assert_false(machine_lets_others(NULL));
}

static void updatedb_leaves_out(void **state)
{
	static const char conf[] = "PRUNE_BIND_MOUNTS=\"yes\"\n"
				   "# PRUNEFS=\"fuse.bitbucketfs\"\n"
				   "PRUNEPATHS=\"/tmp /var/spool\"\n"
				   "PRUNEFS = \"NFS fuse.sshfs\"\n";

	(void)state;
	assert_true(indexers_updatedb_prunes("PRUNEFS=\"NFS FUSE.bitbucketfs\"",
					     "/m"));
	assert_false(indexers_updatedb_prunes(conf, "/home/ada/bitbucket"));
	assert_true(indexers_updatedb_prunes(conf, "/var/spool/b"));
	assert_true(indexers_updatedb_prunes(conf, "/tmp"));
	assert_false(indexers_updatedb_prunes(conf, "/tmpfiles"));
	assert_false(indexers_updatedb_prunes("", "/m"));
}

static void tracker_goes_through(void **state)
{
	static const char dirs[] = "XDG_DOCUMENTS_DIR=\"$HOME/Dokumente\"\n";
	static const char list[] = "['&DOCUMENTS', '&MUSIC', '/srv/x']\n";

	(void)state;
	assert_true(indexers_tracker_covers(list, dirs, "/home/ada",
					    "/home/ada/Dokumente/bb"));
	assert_true(indexers_tracker_covers(list, "", "/home/ada",
					    "/home/ada/Documents/bb"));
	assert_true(indexers_tracker_covers(list, "", "/home/ada", "/srv/x/y"));
	assert_false(indexers_tracker_covers(list, dirs, "/home/ada",
					     "/home/ada/bitbucket"));
	assert_true(indexers_tracker_covers("['$HOME']", "", "/home/ada",
					    "/home/ada/bitbucket"));
	assert_false(indexers_tracker_covers("@as []", "", "/home/ada", "/m"));
}

static void baloo_goes_through(void **state)
{
	static const char home[] = "/home/ada", at[] = "/home/ada/bitbucket";

	(void)state;
	assert_true(indexers_baloo_covers("", home, at));
	assert_false(indexers_baloo_covers("", home, "/mnt/bitbucket"));
	assert_false(indexers_baloo_covers(
		"[Basic Settings]\nIndexing-Enabled=false\n", home, at));
	assert_false(indexers_baloo_covers(
		"[General]\nexclude folders[$e]=$HOME/x,$HOME/bitbucket/\n",
		home, at));
	assert_false(indexers_baloo_covers(
		"[General]\nfolders[$e]=$HOME/Documents/\n", home, at));
}

static void a_clock_is_compared(void **state)
{
	static const struct {
		int64_t ahead_s;
		const char *said;
	} cases[] = {
		{0, NULL},
		{-299, NULL},
		{600, "10 minutes ahead"},
		{-7200, "120 minutes behind"},
		{366 * 86400, "366 days ahead"},
		{-366 * 86400, "366 days behind"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cleanup(free) char *is =
			service_clock_off(cases[i].ahead_s * 1000);

		if (cases[i].said)
			assert_string_equal(is, cases[i].said);
		else
			assert_null(is);
	}
}

static void a_credential_of_the_wrong_kind_is_odd(void **state)
{
	static const struct {
		enum credential_kind kind;
		const char *label, *token, *said;
	} cases[] = {
		{CREDENTIAL_API_TOKEN, "ada@example.com",
		 "ATATT3xLocalReaderFewScopes02", NULL},
		{CREDENTIAL_API_TOKEN, "ada", "ATATT3xLocalReaderFewScopes02",
		 "is no e-mail"},
		{CREDENTIAL_API_TOKEN, "ada@example.com",
		 "ATCTT3xLocalWorkspaceToken04", "goes alone"},
		{CREDENTIAL_BASIC, "ada", "secret", NULL},
		{CREDENTIAL_BASIC, "ada@example.com", "secret",
		 "write it as email"},
		{CREDENTIAL_BASIC, "ada", "ATBBLocalDeadAppPassword0007",
		 "2026-07-28"},
		{CREDENTIAL_BASIC, "ada", "ATCTT3xLocalWorkspaceToken04",
		 "goes alone"},
		{CREDENTIAL_ACCESS_TOKEN, "access-token",
		 "ATCTT3xLocalWorkspaceToken04", NULL},
		{CREDENTIAL_ANONYMOUS, "anonymous", NULL, NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (!has(service_odd_credential(cases[i].kind, cases[i].label,
						cases[i].token),
			 cases[i].said))
			fail_msg("%s %s", cases[i].label, cases[i].said);
}

static void a_report_has_no_codes_for_the_terminal(void **state)
{
	cleanup(report_done) struct report report = {0}, more = {0};
	cleanup(buf_done) struct buf out = BUF_INIT(0);

	(void)state;
	report_add(&report, "https", REPORT_OK, "it is\x1b[31m %s.", "red");
	report_add(&more, "git", REPORT_ERROR, "two\nlines\n");
	report_take(&report, &more);
	report_append(&report, "git", "; more");
	report_text(&report, &out);
	assert_string_equal(out.data, "ok       https: it is\\x1b[31m red\n"
				      "error    git: two\\x0alines; more\n"
				      "1 error, 0 warnings\n");
	assert_int_equal(report_worst(&report), REPORT_ERROR);
	assert_int_equal(report_level_of(&report, "https"), REPORT_OK);
	assert_true(report_has(&report, "git") && !report_has(&report, "g"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_address_is_taken_apart_in_each_form),
		cmocka_unit_test(versions_are_compared_by_their_numbers),
		cmocka_unit_test(fuse_conf_lets_others),
		cmocka_unit_test(updatedb_leaves_out),
		cmocka_unit_test(tracker_goes_through),
		cmocka_unit_test(baloo_goes_through),
		cmocka_unit_test(a_clock_is_compared),
		cmocka_unit_test(a_credential_of_the_wrong_kind_is_odd),
		cmocka_unit_test(a_report_has_no_codes_for_the_terminal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
