/*
 * cmd/config: precedence, the file's syntax, what is refused and how it is
 * said.
 */
#include "setup/config_private.h"

#include "corpora.h"

#include <sys/stat.h>
#include <unistd.h>

extern char **environ;

static int setup(void **state)
{
	(void)state;
	for (size_t i = 0; config_setting(i); i++) {
		cleanup(free) char *variable =
			config_variable(config_setting(i)->name);

		unsetenv(variable);
	}
	setenv("HOME", "/home/nobody", 1);
	unsetenv("XDG_CACHE_HOME");
	return 0;
}

static int parse(struct config *config, const char *text)
{
	bool secret;

	return config_parse(config, "file", text, strlen(text), &secret);
}

static void parse_each(const char *name, const char *data, size_t n, bool ok)
{
	cleanup(config_done) struct config config;
	bool secret = false;
	int r;

	config_init(&config);
	r = config_parse(&config, "file", data, n, &secret);
	if ((r == 0) != ok)
		fail_msg("%s: %d %s", name, r, config.why);
	assert_int_equal(r != 0, config.why[0] != 0);
	/* One sentence: one line, naming the file. */
	assert_null(strchr(config.why, '\n'));
	if (r)
		assert_int_equal(strncmp(config.why, "file:", 5), 0);
	/* No prefix of it is a crash either. */
	for (size_t cut = 0; cut < n && n < 4096; cut++) {
		cleanup(config_done) struct config other;

		config_init(&other);
		config_parse(&other, "file", data, cut, &secret);
	}
}

static void test_corpora(void **state)
{
	(void)state;
	assert_true(corpora_each("config/ok", NULL, parse_each, true) > 5);
	assert_true(corpora_each("config/should-fail", NULL, parse_each,
				 false) > 20);
}

static void test_precedence(void **state)
{
	cleanup(config_done) struct config config;

	(void)state;
	config_init(&config);
	assert_int_equal(config.ttl_ms, 60000);
	assert_int_equal(config.trees, 100);
	assert_int_equal(config.history, 500);
	assert_int_equal(config.listed, 10);
	assert_int_equal(config.big_file, (uint64_t)16 << 30);
	assert_int_equal(config.hydrate, (uint64_t)500 << 20);
	assert_int_equal(config.lfs, (uint64_t)100 << 20);
	assert_int_equal(config.cache_size, 0);
	assert_int_equal(config.walk, 100);
	assert_int_equal(
		parse(&config,
		      "api_url = https://file.example/2.0\n"
		      "git_url = https://file.example\n"
		      "cache_dir = /file\nttl = 5m\ntrees = 5\nwalk = 7\n"
		      "history = 2000\n"
		      "listed = 25\n"
		      "big_file = 500M\n"
		      "hydrate = 1G\n"
		      "lfs = 2M\n"
		      "cache_size = 10G\n"
		      "email = file@example.com\ntoken = filetoken\n"),
		0);
	setenv("BITBUCKETFS_API_URL", "https://env.example/2.0/", 1);
	setenv("BITBUCKETFS_CACHE_DIR", "/env", 1);
	setenv("BITBUCKETFS_TOKEN", "envtoken", 1);
	assert_int_equal(config_read_environment(&config), 0);
	assert_int_equal(
		config_read_options(&config, "cache_dir=/option,ttl=2h", false),
		0);
	assert_int_equal(config_finish(&config), 0);
	assert_string_equal(config.api_url, "https://env.example/2.0");
	assert_string_equal(config.git_url, "https://file.example");
	assert_string_equal(config.cache_dir, "/option");
	assert_int_equal(config.ttl_ms, 7200000);
	assert_int_equal(config.trees, 5);
	assert_int_equal(config.history, 2000);
	assert_int_equal(config.listed, 25);
	assert_int_equal(config.big_file, 500 << 20);
	assert_int_equal(config.hydrate, (uint64_t)1 << 30);
	assert_int_equal(config.lfs, (uint64_t)2 << 20);
	assert_int_equal(config.cache_size, (uint64_t)10 << 30);
	assert_int_equal(config.walk, 7);
	assert_string_equal(config.email, "file@example.com");
	assert_string_equal(config.token, "envtoken");
}

static void test_names_hide_names_below(void **state)
{
	cleanup(config_done) struct config config;

	(void)state;
	config_init(&config);
	assert_int_equal(parse(&config, "email = a@b.c\ntoken = filetoken\n"),
			 0);
	setenv("BITBUCKETFS_USERNAME", "ada", 1);
	assert_int_equal(config_read_environment(&config), 0);
	assert_null(config.email);
	assert_string_equal(config.username, "ada");
	/* Both in one place: the e-mail, as everywhere. */
	setenv("BITBUCKETFS_EMAIL", "ada@b.c", 1);
	assert_int_equal(config_read_environment(&config), 0);
	assert_string_equal(config.email, "ada@b.c");
	assert_null(config.username);
	/* Given as nothing: an access token though the file has an e-mail. */
	setenv("BITBUCKETFS_EMAIL", "", 1);
	unsetenv("BITBUCKETFS_USERNAME");
	assert_int_equal(config_read_environment(&config), 0);
	assert_null(config.email);
}

static void test_token_leaves_the_environment(void **state)
{
	cleanup(config_done) struct config config;
	static char first[] = "BITBUCKETFS_TOKEN=first-secret";
	static char second[] = "BITBUCKETFS_TOKEN=second-secret";
	static char home[] = "HOME=/home/nobody";
	char *mine[] = {first, home, second, NULL};
	char **before = environ;

	(void)state;
	config_init(&config);
	environ = mine;
	assert_int_equal(config_read_environment(&config), 0);
	assert_null(getenv("BITBUCKETFS_TOKEN"));
	environ = before;
	assert_string_equal(config.token, "first-secret");
	/* The memory itself, of both. */
	assert_null(memmem(first, sizeof(first), "first-secret", 12));
	assert_null(memmem(second, sizeof(second), "second", 6));
	assert_string_equal(first, "BITBUCKETFS_TOKEN=");
}

static void test_token_leaves_also_after_a_failure(void **state)
{
	cleanup(config_done) struct config config;

	(void)state;
	config_init(&config);
	setenv("BITBUCKETFS_API_URL", "ftp://x", 1);
	setenv("BITBUCKETFS_TOKEN", "s3cret-s3cret", 1);
	assert_int_equal(config_read_environment(&config), -EINVAL);
	assert_non_null(strstr(config.why, "BITBUCKETFS_API_URL"));
	assert_null(getenv("BITBUCKETFS_TOKEN"));
}

static void options(const char *text, const char *sentence)
{
	cleanup(config_done) struct config config;
	int r;

	config_init(&config);
	r = config_read_options(&config, text, false);
	if (!sentence && r)
		fail_msg("%s: %s", text, config.why);
	if (sentence && (!r || !strstr(config.why, sentence)))
		fail_msg("%s: '%s' lacks '%s'", text, config.why, sentence);
	assert_null(strstr(config.why, "hunter2"));
}

static void test_options(void **state)
{
	(void)state;
	options("", NULL);
	options(",,", NULL);
	options("ro,rw,nosuid,nodev,default_permissions,fsname=x,subtype=y",
		NULL);
	options("noauto,user,users,user=ada,nofail,_netdev,defaults,noatime,"
		"nodiratime,relatime,async,sync,suid,dev,exec,comment=a b,"
		"x-systemd.automount,x-gvfs-show,X-mount.mkdir",
		NULL);
	options("submodules=off,lfs=off", NULL);
	options("submodules=tree,submodules=link", NULL);
	options("submodules=on",
		"submodules 'on' is none of tree, link and off");
	options("lfs=all", NULL);
	options("lfs=2M", NULL);
	options("lfs=0", "off shows pointers");
	options("lfs=on", "'on' is no size");
	options("lfs", "-o lfs needs a value: -o lfs=SIZE|off|all");
	options("colour=blue", "there is no option -o colour");
	options("colour=hunter2", "there is no option -o colour");
	options("ATATT3xhunter2=0A1B2C3D", "there is no such option -o");
	options("token=hunter2", "BITBUCKETFS_TOKEN");
	options("Password=hunter2", "BITBUCKETFS_TOKEN");
	options("secret=hunter2", "BITBUCKETFS_TOKEN");
	options("token", "BITBUCKETFS_TOKEN");
	options("proxy=http://me:hunter2@proxy.corp:3128", "BITBUCKETFS_PROXY");
	options("proxy=http://hunter2@proxy.corp", "BITBUCKETFS_PROXY");
	options("proxy=http://me:hunter/2@proxy.corp", "BITBUCKETFS_PROXY");
	options("proxy=socks5h://[::1]:1080", NULL);
	options("proxy=proxy.corp:3128", "does not begin with");
	options("proxy=http://x:0", "impossible port");
	options("proxy=http:// x", "a blank");
	options("ca_file=/dev/null/x", "'/dev/null/x' cannot be read");
	options("ca_file=/etc", "'/etc' is no regular file");
	options("allow_other=1", "neither true nor false");
	options("workspace=acme", "did you mean workspaces?");
	options("TTL=5m", "did you mean ttl?");
	options("cachedir=/x", "did you mean cache_dir?");
	options("clone_fd,max_threads=9,max_idle_threads=9", NULL);
	options("ttl=abc", "-o ttl 'abc' is no time");
	options("ttl", "needs a value");
	options("oauth_port=0", "from 1 to 65535");
	options("oauth_client_id=hunter2 hunter2", "is no key of an OAuth");
	options("trees=0", "from 1 to");
	options("big_file=1tb", NULL);
	options("big_file=8388608", NULL);
	options("big_file=8388607", "the least is 8M");
	options("big_file=1025T", "is no size up to 1024T");
	options("big_file=99999999999999999999", "is no size");
	options("big_file=G", "is no size");
	options("big_file=1GiB", "is no size");
	options("big_file=-1", "is no size");
	options("hydrate=off", NULL);
	options("hydrate=all", NULL);
	options("hydrate=1G", NULL);
	options("hydrate=0", "off brings nothing unasked");
	options("hydrate=none", "'none' is no size");
	options("cache_size=off", NULL);
	options("cache_size=500M", NULL);
	options("cache_size=0", "off lets the cache fill the disk");
	options("cache_size=7M", "the least is 8M");
	options("cache_size=none", "'none' is no size");
	options("cache_size=10%", "'10%' is no size");
	options("indexers=off", NULL);
	options("indexers=baloo_file:updatedb*", NULL);
	options("indexers=/usr/bin/updatedb", "without its directory");
	options("indexers=:", "names no program");
	options("history=0", "from 1 to");
	options("listed=0", "from 1 to");
	options("listed=10001", "from 1 to 10000");
	options("history=100001", "from 1 to 100000");
	options("walk=0", "from 1 to 1000000");
	options("walk=1000001", "from 1 to");
	options("api_url=ftp://x", "https://");
	options("api_url=https://ada:hunter2@x/2.0", "password");
	options("api_url=https://x:8443/2.0", NULL);
	options("api_url=HTTPS://X/2.0", NULL);
	options("api_url=https://[::1]:8443/2.0", NULL);
	options("api_url=https:///2.0", "has no host");
	options("api_url=https://:80/2.0", "has no host");
	options("api_url=https://[]/2.0", "has no host");
	options("api_url=https://[::1]x/2.0", "impossible port");
	options("api_url=https://x:/2.0", "impossible port");
	options("api_url=https://x:0/2.0", "impossible port");
	options("api_url=https://x:65536/2.0", "impossible port");
	options("api_url=https://x:8y/2.0", "impossible port");
	options("api_url=https://x/2.0?a=b", "a query");
	options("api_url=https://x#a", "a fragment");
	options("workspaces=A/B", "no workspace id");
	options("max_read=many", "no such number");
	options("uid=no-such-user", "no user of this system");
	options("gid=4294967295", "no group of this system");
	options("umask=089", "no mask of modes");
	options("umask=1000", "no mask of modes");
	options("uid=0,gid=root,umask=0077", NULL);
}

static void test_options_of_libfuse(void **state)
{
	cleanup(config_done) struct config config;

	(void)state;
	config_init(&config);
	assert_int_equal(
		config_read_options(&config,
				    "allow_other,ro,max_read=4096,noexec,"
				    "workspaces=acme:edge:acme,"
				    "cache_dir=/a\\,b\\\\c",
				    false),
		0);
	assert_int_equal(config.n_fuse_options, 3);
	assert_string_equal(config.fuse_options[0], "allow_other");
	assert_string_equal(config.fuse_options[1], "max_read=4096");
	assert_string_equal(config.fuse_options[2], "noexec");
	assert_null(config.fuse_options[3]);
	assert_string_equal(config.cache_dir, "/a,b\\c");
	assert_string_equal(config.workspaces[0], "acme");
	assert_string_equal(config.workspaces[1], "edge");
	assert_null(config.workspaces[2]);
	/* mount -s */
	assert_int_equal(config_read_options(&config, "colour", true), 0);
	assert_int_equal(config_read_options(&config, "token=x", true),
			 -EINVAL);
}

/* ---- the table: each setting in each of the places ---- */

/* Two values of each. */
static const struct {
	const char *name, *values[2];
} examples[] = {
	{"profile", {"work", "home"}},
	{"mountpoint", {"/one", "~/two"}},
	{"email", {"ada@example.com", "ben@example.com"}},
	{"username", {"ada", "ben"}},
	{"token", {"a#b", "b;c"}},
	{"token_command", {"pass show bitbucket", "'/a b/c' 'd'"}},
	{"oauth_client_id", {"Abc123", "dEf_456"}},
	{"oauth_port", {"7", "65535"}},
	{"api_url", {"https://one.example/2.0", "https://two.example/2.0"}},
	{"git_url", {"https://one.example", "https://two.example"}},
	{"git_fallback", {"https://one.example", "https://two.example"}},
	{"transport", {"https", "ssh"}},
	{"ssh_fallback", {"one.example:443", "off"}},
	{"ssh_agent", {"/one", "~/two"}},
	{"ca_file", {"/proc/self/status", "/proc/self/maps"}},
	{"proxy", {"http://one.example:3128", "socks5h://two.example"}},
	{"cache_dir", {"/one", "~/two"}},
	{"log_file", {"/one/log", "~/log"}},
	{"jira_url", {"https://one.example", "https://two.example/jira"}},
	{"debug", {"http", "http"}},
	{"workspaces", {"acme:edge", "acme"}},
	{"ttl", {"5m", "2h"}},
	{"trees", {"7", "8"}},
	{"walk", {"7", "8"}},
	{"history", {"7", "8"}},
	{"listed", {"7", "8"}},
	{"big_file", {"500M", "1T"}},
	{"hydrate", {"1G", "off"}},
	{"cache_size", {"500M", "off"}},
	{"indexers", {"baloo_file:updatedb*", "off"}},
	{"uid", {"7", "8"}},
	{"gid", {"7", "8"}},
	{"umask", {"027", "077"}},
	{"submodules", {"link", "off"}},
	{"lfs", {"2M", "all"}},
	{"allow_other", {"true", "false"}},
	{"allow_root", {"true", "false"}},
	{"auto_unmount", {"true", "false"}},
	{"noexec", {"true", "false"}},
	{"max_read", {"4096", "8192"}},
	{"context", {"one", "two"}},
	{"fscontext", {"one", "two"}},
	{"defcontext", {"one", "two"}},
	{"rootcontext", {"one", "two"}},
};

static void add_list(struct buf *out, char **list)
{
	for (; list && *list; list++)
		buf_printf(out, " %s", *list);
	buf_puts(out, ";");
}

/* All that was said. */
static char *whole(const struct config *c)
{
	struct buf out = BUF_INIT(0);

	buf_printf(&out, "%s %s %s %s %s %s %s %s %s %s", c->email, c->username,
		   c->token, c->api_url, c->git_url, c->git_fallback,
		   c->ca_file, c->proxy, c->cache_dir, c->log_file);
	buf_printf(&out, " %s %s %s %s %u", c->token_command, c->profile,
		   c->mountpoint, c->oauth_client_id, c->oauth_port);
	buf_printf(&out, " %d %d %s %s %s %d", c->tells_requests, c->transport,
		   c->ssh_fallback, c->ssh_agent, c->jira_url, c->submodules);
	add_list(&out, c->workspaces);
	add_list(&out, c->indexers);
	buf_printf(&out, " %lld %u %u %u %u %llu %llu %llu %llu %u %u %o",
		   (long long)c->ttl_ms, c->trees, c->walk, c->history,
		   c->listed, (unsigned long long)c->big_file,
		   (unsigned long long)c->hydrate, (unsigned long long)c->lfs,
		   (unsigned long long)c->cache_size, c->uid, c->gid, c->umask);
	add_list(&out, c->fuse_options);
	return buf_steal(&out, NULL);
}

enum place {
	PLACE_FILE = 1,
	PLACE_ENVIRONMENT = 2,
	PLACE_OPTION = 4,
};

/* The whole after it was given there, in a line each; or "-EINVAL". */
static char *given(const char *name, const char *const values[3],
		   unsigned places)
{
	cleanup(config_done) struct config config;
	cleanup(free) char *line = mem_asprintf("%s = %s\n", name, values[0]);
	cleanup(free) char *option = mem_asprintf("%s=%s", name, values[2]);
	cleanup(free) char *variable = config_variable(name);
	int r = 0;

	config_init(&config);
	if (places & PLACE_FILE)
		r = parse(&config, line);
	if (places & PLACE_ENVIRONMENT)
		setenv(variable, values[1], 1);
	if (!r)
		r = config_read_environment(&config);
	unsetenv(variable);
	if (!r && (places & PLACE_OPTION))
		r = config_read_options(&config, option, false);
	return r ? mem_strdup(config.why) : whole(&config);
}

static void expect_given(const char *name, const char *const values[3],
			 unsigned places, const char *want)
{
	cleanup(free) char *is = given(name, values, places);

	if (strcmp(is, want) != 0)
		fail_msg("%s in %u: '%s' is not '%s'", name, places, is, want);
}

static void each_in_each_place(const char *name, const char *one,
			       const char *two, bool is_option)
{
	const char *const same[3] = {one, one, one};
	const char *const rise[3] = {two, one, two};
	cleanup(free) char *nothing = given(name, same, 0);
	cleanup(free) char *want = given(name, same, PLACE_FILE);
	cleanup(free) char *other = given(name, rise, PLACE_FILE);
	cleanup(free) char *refused = NULL;

	/* What is off already has no effect. */
	assert_true(!strcmp(want, nothing) == !strcmp(one, "off"));
	expect_given(name, same, PLACE_ENVIRONMENT, want);
	/* The environment is stronger than the file ... */
	expect_given(name, rise, PLACE_FILE | PLACE_ENVIRONMENT, want);
	if (!is_option) {
		refused = given(name, same, PLACE_OPTION);
		assert_non_null(
			strstr(refused, strcmp(name, "token_command") != 0
						? "can be seen by everybody"
						: "what is run is no option"));
		return;
	}
	expect_given(name, same, PLACE_OPTION, want);
	/* ... and the command line than both. */
	expect_given(name, rise, PLACE_ENVIRONMENT | PLACE_OPTION, other);
	expect_given(name, rise, PLACE_FILE | PLACE_ENVIRONMENT | PLACE_OPTION,
		     other);
}

static void test_each_setting_in_each_place(void **state)
{
	const struct config_setting *setting;

	(void)state;
	for (size_t i = 0; (setting = config_setting(i)); i++) {
		size_t e = 0;

		while (e < ARRAY_SIZE(examples) &&
		       strcmp(examples[e].name, setting->name) != 0)
			e++;
		if (e == ARRAY_SIZE(examples))
			fail_msg("%s has no example", setting->name);
		each_in_each_place(setting->name, examples[e].values[0],
				   examples[e].values[1],
				   config_is_option(setting));
	}
}

static void test_comments(void **state)
{
	cleanup(config_done) struct config config;

	(void)state;
	config_init(&config);
	assert_int_equal(parse(&config,
			       "; one\n # two\nemail = a@b.c # me\n"
			       "token=#a#b;c \t;mine\nttl = 5m ;\ntrees = #9\n"
			       "cache_dir = /a;b#c\n"),
			 0);
	assert_string_equal(config.email, "a@b.c");
	assert_string_equal(config.token, "#a#b;c");
	assert_int_equal(config.ttl_ms, 300000);
	assert_int_equal(config.trees, 100);
	assert_string_equal(config.cache_dir, "/a;b#c");
	assert_int_equal(parse(&config, "Email = a@b.c\n"), -EINVAL);
	assert_non_null(strstr(config.why, "did you mean email?"));
}

static void test_a_proxy_s_password_is_a_secret(void **state)
{
	static const char line[] = "proxy = http://me:hunter2@proxy.corp\n";
	static char variable[] =
		"BITBUCKETFS_PROXY=http://me:hunter2@proxy.corp";
	cleanup(config_done) struct config config;
	char *mine[] = {variable, NULL};
	char **before = environ;
	bool secret;

	(void)state;
	config_init(&config);
	assert_int_equal(
		config_parse(&config, "file", line, strlen(line), &secret), 0);
	assert_true(secret);
	assert_int_equal(config_parse(&config, "file", "proxy = http://x\n", 17,
				      &secret),
			 0);
	assert_false(secret);
	environ = mine;
	assert_int_equal(config_read_environment(&config), 0);
	environ = before;
	assert_string_equal(config.proxy, "http://me:hunter2@proxy.corp");
	assert_null(memmem(variable, sizeof(variable), "hunter2", 7));
	assert_int_equal(parse(&config, "proxy = ftp://me:hunter2@x\n"),
			 -EINVAL);
	assert_null(strstr(config.why, "hunter2"));
	for (const char *c = "/?#@"; *c; c++) {
		cleanup(free) char *text = mem_asprintf(
			"proxy = http://me:hunter2%c@proxy.corp\n", *c);

		assert_int_equal(parse(&config, text), -EINVAL);
		assert_non_null(strstr(config.why, "%23"));
		assert_null(strstr(config.why, "hunter2"));
	}
}

static int finish(const char *text, struct config *config)
{
	config_init(config);
	assert_int_equal(parse(config, text), 0);
	return config_finish(config);
}

static void test_defaults(void **state)
{
	struct config config;

	(void)state;
	assert_int_equal(finish("", &config), 0);
	assert_string_equal(config.api_url, "https://api.bitbucket.org/2.0");
	assert_string_equal(config.git_url, "https://bitbucket.org");
	assert_string_equal(config.oauth_url,
			    "https://bitbucket.org/site/oauth2");
	assert_string_equal(config.cache_dir,
			    "/home/nobody/.cache/bitbucketfs");
	config_done(&config);
	/* The credential of another server stays there. */
	assert_int_equal(
		finish("api_url = https://bb.example:8443/2.0\n", &config), 0);
	assert_string_equal(config.git_url, "https://bb.example:8443");
	assert_string_equal(config.oauth_url,
			    "https://bb.example:8443/site/oauth2");
	config_done(&config);
	assert_int_equal(finish("cache_dir = ~/x\n", &config), 0);
	assert_string_equal(config.cache_dir, "/home/nobody/x");
	config_done(&config);
}

/* Whose git host it is decides who is shown the secret, and whether what is
 * missing there is a mirror's fault. */
static void test_git_hosts(void **state)
{
	static const struct {
		const char *text;
		bool is_mirror, fallback_is_own;
	} cases[] = {
		{"", false, false},
		{"git_fallback = https://bitbucket.org\n", false, true},
		{"git_url = https://git.example/mirror\n"
		 "git_fallback = https://bitbucket.org\n",
		 true, true},
		{"git_fallback = https://bitbucket.org.example.com\n", false,
		 false},
		{"git_fallback = http://bitbucket.org\n", false, false},
		{"git_fallback = https://bitbucket.org:444\n", false, false},
		{"api_url = https://team.example/2.0\n"
		 "git_url = https://team.example/mirror\n"
		 "git_fallback = https://team.example\n",
		 true, true},
		/* The secret is of the server that api_url names, whatever that
		 * passes on. */
		{"api_url = https://team.example/2.0\n"
		 "git_url = https://team.example/mirror\n"
		 "git_fallback = https://bitbucket.org\n",
		 true, false},
		{"api_url = https://team.example/2.0\n"
		 "git_url = https://bitbucket.org\n",
		 false, false},
		/* Of a mirror, neither. */
		{"git_url = https://git.example/mirror\n"
		 "git_fallback = https://git.example\n",
		 true, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct config config;

		assert_int_equal(finish(cases[i].text, &config), 0);
		assert_int_equal(config.is_mirror, cases[i].is_mirror);
		assert_int_equal(config.fallback_is_own,
				 cases[i].fallback_is_own);
		config_done(&config);
	}
}

/* What is asked by SSH in place of git_url, and what is a mirror of what. */
static void test_transport(void **state)
{
	static const struct {
		const char *text, *ssh_url, *git_url;
		bool is_mirror;
	} good[] = {
		{"transport = https\n", NULL, CONFIG_GIT_URL, false},
		{"transport = ssh\n", "ssh://git@ssh.bitbucket.org",
		 CONFIG_GIT_URL, false},
		{"git_url = git@bitbucket.org:\n",
		 "ssh://git@ssh.bitbucket.org", CONFIG_GIT_URL, false},
		{"transport = ssh\ngit_url = https://bitbucket.org\n",
		 "ssh://git@ssh.bitbucket.org", CONFIG_GIT_URL, false},
		{"transport = ssh\ngit_url = ssh://me@git.example:22/srv/\n",
		 "ssh://me@git.example:22/srv", CONFIG_GIT_URL, true},
		{"transport = ssh\napi_url = https://bb.example:1/2.0\n",
		 "ssh://git@bb.example", "https://bb.example:1", false},
		{"git_url = ssh://bb.example:7/\n"
		 "api_url = https://bb.example:1/2.0\n",
		 "ssh://git@bb.example:7", "https://bb.example:1", false},
	};
	static const char *const bad[] = {
		"transport = https\ngit_url = git@bitbucket.org:\n",
		"transport = ssh\ngit_url = https://mirror.example\n",
	};
	struct config config;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		assert_int_equal(finish(good[i].text, &config), 0);
		assert_string_equal(config.git_url, good[i].git_url);
		assert_string_equal(config.ssh_url ? config.ssh_url : "",
				    good[i].ssh_url ? good[i].ssh_url : "");
		assert_int_equal(config.is_mirror, good[i].is_mirror);
		config_done(&config);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(finish(bad[i], &config), -EINVAL);
		assert_non_null(strstr(config.why, "transport is "));
		config_done(&config);
	}
}

static void test_one_way_to_the_token(void **state)
{
	cleanup(config_done) struct config config;

	(void)state;
	config_init(&config);
	assert_int_equal(parse(&config, "token_command = t\n"), 0);
	setenv("BITBUCKETFS_TOKEN", "hunter2", 1);
	assert_int_equal(config_read_environment(&config), 0);
	assert_int_equal(config_finish(&config), -EINVAL);
	assert_non_null(strstr(config.why, "a token and a token_command"));
	setenv("BITBUCKETFS_TOKEN_COMMAND", "", 1);
	assert_int_equal(config_read_environment(&config), 0);
	assert_null(config.token_command);
	assert_int_equal(config_finish(&config), 0);
}

static void test_cleartext(void **state)
{
	static const struct {
		const char *text;
		int r;
	} cases[] = {
		{"api_url = http://example.com/2.0\n", 0}, /* anonymous */
		{"token = t\napi_url = http://example.com/2.0\n", -EINVAL},
		{"token = t\ngit_url = HTTP://example.com\n", -EINVAL},
		{"token = t\ngit_url = http://127.0.0.1.example.com\n",
		 -EINVAL},
		{"token_command = t\napi_url = http://example.com/2.0\n",
		 -EINVAL},
		{"token = t\napi_url = http://127.0.0.1:80/2.0\n", 0},
		{"token = t\napi_url = http://[::1]:80/2.0\n", 0},
		{"token = t\napi_url = http://localhost/2.0\n", 0},
		{"token = t\napi_url = https://example.com/2.0\n", 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct config config;
		int r = finish(cases[i].text, &config);

		if (r != cases[i].r)
			fail_msg("%s: %d %s", cases[i].text, r, config.why);
		if (r)
			assert_non_null(strstr(config.why, "plain http"));
		config_done(&config);
	}
}

static void write_file(const char *path, const char *text, mode_t mode)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(path, mode), 0);
}

static void test_file(void **state)
{
	char dir[] = "/tmp/test-config-XXXXXX";
	cleanup(config_done) struct config config;
	cleanup(free) char *path = NULL;

	(void)state;
	assert_non_null(mkdtemp(dir));
	path = mem_asprintf("%s/config", dir);
	config_init(&config);
	assert_int_equal(config_read_file(&config, path), 0);

	write_file(path, "email = a@b.c\ntoken = hunter2\n", 0640);
	assert_int_equal(config_read_file(&config, path), -EINVAL);
	assert_non_null(strstr(config.why, "chmod 600"));
	assert_null(strstr(config.why, "hunter2"));
	assert_int_equal(chmod(path, 0604), 0);
	assert_int_equal(config_read_file(&config, path), -EINVAL);
	assert_int_equal(chmod(path, 0600), 0);
	assert_int_equal(config_read_file(&config, path), 0);
	assert_string_equal(config.token, "hunter2");
	config_wipe_token(&config);
	assert_null(config.token);

	/* Without a secret anybody may read it. */
	write_file(path, "email = a@b.c\n\nfoo = bar\n", 0644);
	assert_int_equal(config_read_file(&config, path), -EINVAL);
	assert_non_null(strstr(config.why, "config:3:1: there"));
	write_file(path, "ttl = 5m\n", 0644);
	assert_int_equal(config_read_file(&config, path), 0);

	/* So may what is run, which nobody else may write. */
	write_file(path, "token_command = pass show x\n", 0644);
	assert_int_equal(config_read_file(&config, path), 0);
	assert_string_equal(config.token_command, "pass show x");
	assert_int_equal(chmod(path, 0664), 0);
	assert_int_equal(config_read_file(&config, path), -EINVAL);
	assert_non_null(strstr(config.why, "chmod go-w"));

	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(config_read_file(&config, path), -EINVAL);
	assert_int_equal(file_remove_tree(dir), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_corpora, setup),
		cmocka_unit_test_setup(test_precedence, setup),
		cmocka_unit_test_setup(test_names_hide_names_below, setup),
		cmocka_unit_test_setup(test_token_leaves_the_environment,
				       setup),
		cmocka_unit_test_setup(test_token_leaves_also_after_a_failure,
				       setup),
		cmocka_unit_test_setup(test_options, setup),
		cmocka_unit_test_setup(test_options_of_libfuse, setup),
		cmocka_unit_test_setup(test_each_setting_in_each_place, setup),
		cmocka_unit_test_setup(test_comments, setup),
		cmocka_unit_test_setup(test_a_proxy_s_password_is_a_secret,
				       setup),
		cmocka_unit_test_setup(test_defaults, setup),
		cmocka_unit_test_setup(test_git_hosts, setup),
		cmocka_unit_test_setup(test_transport, setup),
		cmocka_unit_test_setup(test_one_way_to_the_token, setup),
		cmocka_unit_test_setup(test_cleartext, setup),
		cmocka_unit_test_setup(test_file, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
