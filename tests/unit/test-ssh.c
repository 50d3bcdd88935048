/*
 * wire/ssh: addresses, what ssh's words mean, and links over a false ssh, which
 * runs what it is told to right here.
 */
#include "link-scratch.h"

#include "base/clock.h"
#include "base/sync.h"
#include "wire/ssh_private.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>

/* ---- Addresses ----------------------------------------------------------- */

static void test_places(void **state)
{
	static const struct {
		const char *text, *url;
	} good[] = {
		{"ssh://git@ssh.bitbucket.org", "ssh://git@ssh.bitbucket.org"},
		{"ssh://ssh.bitbucket.org/", "ssh://git@ssh.bitbucket.org"},
		{"git@bitbucket.org:", "ssh://git@ssh.bitbucket.org"},
		{"git@Bitbucket.org", NULL},
		{"ssh://git@bitbucket.org", "ssh://git@ssh.bitbucket.org"},
		{"ssh://git@bitbucket.org:22/", "ssh://git@ssh.bitbucket.org"},
		{"ssh://git@altssh.bitbucket.org",
		 "ssh://git@ssh.bitbucket.org"},
		{"ssh://git@altssh.bitbucket.org:443",
		 "ssh://git@altssh.bitbucket.org:443"},
		{"SSH://me@example.org:2222/srv/git//",
		 "ssh://me@example.org:2222/srv/git"},
		{"me@example.org:team/x/", "ssh://me@example.org/~/team/x"},
		{"me@example.org:/srv", "ssh://me@example.org/srv"},
		{"ssh://me@h/~/team", "ssh://me@h/~/team"},
		{"ssh://me@h/~ada/team", "ssh://me@h/~ada/team"},
		{"me@h:~ada/team", "ssh://me@h/~ada/team"},
		{"ssh://[::1]:22", "ssh://git@[::1]:22"},
		{"git@[::1]:x", "ssh://git@[::1]/~/x"},
		{"ssh://-oProxyCommand=x", NULL},
		{"ssh://git@-host", NULL},
		{"ssh://-l@host", NULL},
		{"ssh://a:b@host", NULL},
		{"ssh://host:0", NULL},
		{"ssh://host:65536", NULL},
		{"ssh://host:x", NULL},
		{"ssh://", NULL},
		{"ssh://git@", NULL},
		{"ssh://ho st", NULL},
		{"ssh://host/a b", NULL},
		{"ssh://ho`st`", NULL},
		{"git@host:-x", NULL},
		{"ssh://[::1", NULL},
		{"https://bitbucket.org", NULL},
		{"host:path", NULL},
		{"", NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		cleanup(ssh_place_done) struct ssh_place place = {0};
		cleanup(free) char *url = NULL;
		const char *why = ssh_place_parse(good[i].text, &place);

		if (!why != !!good[i].url)
			fail_msg("%s: %s", good[i].text, why ? why : "taken");
		if (why)
			continue;
		url = ssh_place_url(&place);
		assert_string_equal(url, good[i].url);
	}
}

/* ---- Words --------------------------------------------------------------- */

static void test_words(void **state)
{
	static const struct {
		const char *said;
		enum ssh_kind kind;
		int errnum;
		const char *sentence; /* a part of it */
	} cases[] = {
		{"", SSH_UNKNOWN, ECONNRESET, "to h:22 ended"},
		{"odd \x1b[31m words\r\n", SSH_UNKNOWN, ECONNRESET,
		 "ended: odd  [31m words"},
		{"noise\nForbidden\n\n \r\n", SSH_UNKNOWN, ECONNRESET,
		 "ended: Forbidden"},
		/* What the one on the way says is not the service's. */
		{"bob@jump: Permission denied (publickey).\r\n"
		 "kex_exchange_identification: Connection closed by remote "
		 "host\r\nConnection closed by UNKNOWN port 65535\r\n",
		 SSH_NOT_CONNECTED, ECONNRESET,
		 "does not get there: bob@jump: Permission denied "
		 "(publickey)."},
		{"Received disconnect from UNKNOWN port 65535:2: Too many "
		 "authentication failures\r\n"
		 "Disconnected from UNKNOWN port 65535\r\n",
		 SSH_OTHER, EACCES, "IdentitiesOnly"},
		{"Connection closed by UNKNOWN port 65535\r\n", SSH_OTHER,
		 ECONNRESET, "h:22 hung up"},
		/* A banner, which anybody is shown. */
		{"Unauthorized access denied.\nConnection closed by ::1\r\n",
		 SSH_OTHER, ECONNRESET, "hung up"},
		{"ssh: Could not resolve hostname h: Name or service not known",
		 SSH_OTHER, ENETUNREACH, "the name h:22 cannot be resolved"},
		{"ssh: connect to host h port 22: Connection refused\r\n",
		 SSH_NOT_CONNECTED, ENETUNREACH, "h:22 refuses SSH"},
		{"ssh: connect to host h port 22: Connection timed out\r\n",
		 SSH_NOT_CONNECTED, ETIMEDOUT, "in time"},
		{"ssh: connect to host h port 22: No route to host\r\n",
		 SSH_NOT_CONNECTED, ENETUNREACH, "no route to h:22"},
		{"ssh: connect to host h port 22: Network is unreachable",
		 SSH_NOT_CONNECTED, ENETUNREACH, "no route to h:22"},
		{"Connection timed out during banner exchange\r\n"
		 "Connection to h port 22 timed out\r\n",
		 SSH_NOT_CONNECTED, ETIMEDOUT, "does not answer by SSH"},
		{"kex_exchange_identification: Connection closed by remote "
		 "host\r\n",
		 SSH_NOT_CONNECTED, ECONNRESET, "hung up before"},
		{"kex_exchange_identification: banner line contains invalid "
		 "characters\r\n",
		 SSH_NOT_CONNECTED, EPROTO, "h:22 is no SSH"},
		{"No ED25519 host key is known for h and you have requested "
		 "strict checking.\r\nHost key verification failed.\r\n",
		 SSH_HOST_KEY_UNKNOWN, EACCES, "not in your known_hosts"},
		{"Host key verification failed.\r\n", SSH_HOST_KEY_UNKNOWN,
		 EACCES, "not in your known_hosts"},
		{"@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\n"
		 "Host key verification failed.\r\n",
		 SSH_OTHER, EACCES, "another than the one"},
		{"@       WARNING: REVOKED HOST KEY DETECTED!               @\n"
		 "The ED25519 host key for h is marked as revoked.\n"
		 "Host key verification failed.\r\n",
		 SSH_OTHER, EACCES, "marked as revoked"},
		{"Unable to negotiate with ::1 port 22: no matching host key "
		 "type found. Their offer: ssh-dss\r\n",
		 SSH_OTHER, EPROTO, "type of host key in common"},
		{"Unable to negotiate with ::1 port 22: no matching cipher "
		 "found. Their offer: x\r\n",
		 SSH_OTHER, EPROTO, "no matching cipher"},
		{"@         WARNING: UNPROTECTED PRIVATE KEY FILE!          @\n"
		 "Permissions 0644 for '/home/a b/id' are too open.\n"
		 "git@h: Permission denied (publickey).\r\n",
		 SSH_OTHER, EACCES, "the key /home/a b/id, which others"},
		{"Load key \"/k/id\": bad permissions\r\n"
		 "git@h: Permission denied (publickey).\r\n",
		 SSH_OTHER, EACCES, "the key /k/id, which others"},
		{"Bad owner or permissions on /home/a/.ssh/config\r\n",
		 SSH_OTHER, EACCES, "/home/a/.ssh/config, which others"},
		{"/home/a/.ssh/config: line 3: Bad configuration option: x\r\n"
		 "/home/a/.ssh/config: terminating, 1 bad configuration "
		 "options\r\n",
		 SSH_OTHER, EINVAL, "line 3: Bad configuration option: x"},
		{"sign_and_send_pubkey: signing failed for ED25519 \"x\" from "
		 "agent: agent refused operation\r\n"
		 "git@h: Permission denied (publickey).\r\n",
		 SSH_OTHER, EACCES, "does not sign"},
		{"Received disconnect from ::1 port 22:2: Too many "
		 "authentication failures\r\n",
		 SSH_OTHER, EACCES, "IdentitiesOnly"},
		{"git@h: Permission denied (publickey).\r\n", SSH_KEY_REFUSED,
		 EACCES, "none of your SSH keys"},
		{"conq: repository access denied.\n", SSH_OTHER, ENOENT,
		 "no such repository"},
		{"Repository not found\n", SSH_OTHER, ENOENT,
		 "no such repository"},
		{"conq: repository does not exist.\n", SSH_OTHER, ENOENT,
		 "no such repository"},
		{"The requested repository either does not exist or you do not "
		 "have access.",
		 SSH_OTHER, ENOENT, "no such repository"},
		{"fatal: '/x' does not appear to be a git repository\n",
		 SSH_OTHER, ENOENT, "no such repository"},
		{"fatal: not a git repository: '/x'\n", SSH_OTHER, ENOENT,
		 "no such repository"},
		{"remote: ip not in allowlist\n", SSH_OTHER, EACCES,
		 "from this address: remote: ip not in allowlist"},
		{"ip not in the Whitelist\n", SSH_OTHER, EACCES,
		 "from this address"},
		{"Your rate limit is reached\n", SSH_OTHER, EDQUOT,
		 "no more git requests"},
		{"Too many requests\n", SSH_OTHER, EDQUOT,
		 "no more git requests"},
		{"bash: line 1: git-upload-pack: command not found\n",
		 SSH_OTHER, EPROTO, "no git-upload-pack"},
		{"sh: 1: git-upload-pack: not found\n", SSH_OTHER, EPROTO,
		 "no git-upload-pack"},
		{"Timeout, server h not responding.\r\n", SSH_OTHER, ETIMEDOUT,
		 "not answer any more"},
		{"Connection closed by ::1 port 22\r\n", SSH_OTHER, ECONNRESET,
		 "h:22 hung up"},
		{"Connection reset by ::1 port 22\r\n", SSH_OTHER, ECONNRESET,
		 "h:22 hung up"},
		{"Connection to h closed by remote host.\r\n", SSH_OTHER,
		 ECONNRESET, "h:22 hung up"},
		{"client_loop: send disconnect: Broken pipe\r\n", SSH_OTHER,
		 ECONNRESET, "h:22 hung up"},
	};
	cleanup(ssh_place_done) struct ssh_place place = {0};

	(void)state;
	assert_null(ssh_place_parse("ssh://h:22", &place));
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct ssh_verdict verdict;

		ssh_judge(&place, cases[i].said, &verdict);
		if (verdict.kind != cases[i].kind ||
		    verdict.errnum != -cases[i].errnum ||
		    !strstr(verdict.sentence, cases[i].sentence))
			fail_msg("%s: %d %d %s", cases[i].said, verdict.kind,
				 verdict.errnum, verdict.sentence);
		assert_int_equal(verdict.missing, cases[i].errnum == ENOENT);
		for (const char *c = verdict.sentence; *c; c++)
			assert_true(*c >= ' ');
	}
}

#define ED25519                                                             \
	" ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIazEu89wgQZ4bqs3d63QSMzYVa0" \
	"MuJ2e2gKTKqu+UUO"

static void test_host_key(void **state)
{
	cleanup(ssh_place_done) struct ssh_place place = {0};
	char said[500] = "", rsa[600] = "git.example.org ssh-rsa ";

	(void)state;
	assert_null(ssh_place_parse("git@bitbucket.org:", &place));
	ssh_say_host_key(&place,
			 "# ssh.bitbucket.org:22 SSH-2.0-conker\n"
			 "ssh.bitbucket.org ssh-rsa AAAA\n"
			 "ssh.bitbucket.org" ED25519 "\n",
			 "2048 SHA256:x ssh.bitbucket.org (RSA)\n"
			 "256 SHA256:ybgmFkzwOSotHTHLJgHO0QN8L0xErw6vd0VhFA9m3S"
			 "M ssh.bitbucket.org (ED25519)\n",
			 said, sizeof(said));
	assert_non_null(strstr(said, "which Atlassian has published"));
	assert_non_null(strstr(said, "line ssh.bitbucket.org" ED25519));
	ssh_say_host_key(&place, "ssh.bitbucket.org ssh-ed25519 AAAA\n",
			 "256 SHA256:other ssh.bitbucket.org (ED25519)\n", said,
			 sizeof(said));
	assert_non_null(strstr(said, "NOT one that Atlassian"));
	assert_null(strstr(said, "AAAA"));
	ssh_place_done(&place);
	assert_null(ssh_place_parse("ssh://git.example.org", &place));
	ssh_say_host_key(&place, "git.example.org ecdsa-sha2-nistp256 AAAA\n",
			 "256 SHA256:other git.example.org (ECDSA)\n", said,
			 sizeof(said));
	assert_non_null(strstr(said, "if whoever runs that host says so"));
	assert_non_null(strstr(said, "nistp256 AAAA"));
	/* What a server calls itself is no key. */
	ssh_say_host_key(&place,
			 "# git.example.org:22 SSH-2.0-x ssh-ed25519 EVIL\n"
			 "git.example.org ssh-ed25519 AAAA\n",
			 "256 SHA256:other git.example.org (ED25519)\n", said,
			 sizeof(said));
	assert_non_null(strstr(said, "the line git.example.org ssh-ed25519"));
	/* No line is cut: it would be another key. */
	memset(rsa + 24, 'A', sizeof(rsa) - 25);
	ssh_say_host_key(&place, rsa,
			 "3072 SHA256:other git.example.org (RSA)\n", said,
			 sizeof(said));
	assert_null(strstr(said, "AAAA"));
	assert_non_null(strstr(said, "what ssh-keyscan -t rsa -p 22 "
				     "git.example.org prints"));
	/* Nothing is made up of an answer that is none. */
	snprintf(said, sizeof(said), "as it was");
	ssh_say_host_key(&place, "", "", said, sizeof(said));
	assert_string_equal(said, "as it was");
}

/* ---- The agent ----------------------------------------------------------- */

static int listen_at(const char *name, char path[static 108])
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(path, 108, "%s/%s", scratch, name);
	memcpy(address.sun_path, path, 108);
	assert_int_equal(
		bind(fd, (const struct sockaddr *)&address, sizeof(address)),
		0);
	assert_int_equal(listen(fd, 8), 0);
	return fd;
}

static void expect_agent(struct ctx *ctx, struct ssh *ssh, const char *path)
{
	cleanup(free) char *found = ssh_agent_find(ctx, ssh);

	assert_string_equal(found ? found : "none", path);
}

/* Each that listens goes before the next; one at which nobody does is passed
 * over. */
static void test_agents(void **state)
{
	char named[108], brought[108], own[108], managers[108];
	int fds[] = {listen_at("named", named), listen_at("brought", brought),
		     listen_at("own", own), listen_at("managers", managers)};
	struct ssh_config config = {.agent = named};
	cleanup(free) char *systemctl = mem_asprintf(
		"printf '#!/bin/sh\\necho A=b\\necho SSH_AUTH_SOCK=%s\\n"
		"echo C=d\\n' >bin/systemctl; chmod +x bin/systemctl",
		managers);
	cleanup(ctx_done) struct ctx ctx;
	struct ssh *ssh;

	(void)state;
	assert_int_equal(ssh_new(&config, &ssh), 0);
	ctx_init(&ctx, NULL, 9000);
	shell(systemctl);
	setenv("SSH_AUTH_SOCK", own, 1);
	ssh_use_agent(ssh, "relative");
	expect_agent(&ctx, ssh, named);
	close(fds[0]);
	expect_agent(&ctx, ssh, own);
	ssh_use_agent(ssh, brought);
	expect_agent(&ctx, ssh, brought);
	close(fds[1]);
	expect_agent(&ctx, ssh, own);
	close(fds[2]);
	expect_agent(&ctx, ssh, managers);
	close(fds[3]);
	expect_agent(&ctx, ssh, "none");
	unsetenv("SSH_AUTH_SOCK");
	ssh_free(ssh);
}

/* ---- Links --------------------------------------------------------------- */

static struct ssh *make_ssh(const char *fallback)
{
	struct ssh_config config = {.fallback = fallback};
	struct ssh *ssh;

	assert_int_equal(ssh_new(&config, &ssh), 0);
	return ssh;
}

/* The false ssh: the last word is what it runs; "refuses" is a host that does.
 */
static const char false_ssh[] =
	"mkdir -p bin; cat >bin/ssh <<'E'\n"
	"#!/bin/sh\n"
	"for last; do before=$word; word=$last; done\n"
	"echo \"$*\" >>$SCRATCH/args; echo $$ >>$SCRATCH/pids\n"
	"case $before in\n"
	"refuses) echo 'x port 22: Connection refused' >&2; exit 255;;\n"
	"talks) head -c 100000 /dev/zero >&2;;\n"
	"hangs) sleep 1000 & echo $! >>$SCRATCH/pids; wait;;\n"
	"old) unset GIT_PROTOCOL;;\n"
	"esac\n"
	"cd $SCRATCH; eval \"exec $last\"\n"
	"E\n"
	"chmod +x bin/ssh; mkdir -p acme; for r in full empty sha256; do\n"
	"ln -s ../$r.git acme/; done\n";

static int make_world(void **state)
{
	cleanup(free) char *path = NULL;
	int r = make_scratch(state);

	signal(SIGPIPE, SIG_IGN);
	path = mem_asprintf("%s/bin:%s", scratch, getenv("PATH"));
	setenv("PATH", path, 1);
	setenv("SCRATCH", scratch, 1);
	setenv("GIT_CONFIG_COUNT", "1", 1);
	setenv("GIT_CONFIG_KEY_0", "safe.directory", 1);
	setenv("GIT_CONFIG_VALUE_0", "*", 1);
	return r ? r : shell(false_ssh);
}

static int count_refs_of(struct ssh *ssh, const char *url, const char *whose,
			 const char *slug, unsigned n_times, int64_t timeout_ms,
			 char *why)
{
	static const char *const all[] = {"HEAD", "refs/heads/", NULL};
	struct upload_pack_caps caps = {0};
	cleanup(ctx_done) struct ctx ctx;
	struct upload_pack *up;
	struct link *link;
	int n = 0, r = link_ssh_new(ssh, url, whose, "acme", slug, &link);

	ctx_init(&ctx, NULL, timeout_ms);
	assert_int_equal(r, 0);
	assert_int_equal(upload_pack_new(link, &caps, &up), 0);
	for (; r >= 0 && n_times; n_times--) {
		cleanup(upload_pack_refs_done) struct upload_pack_refs refs = {
			0};

		r = upload_pack_ls_refs(&ctx, up, all, &refs);
		n = (int)refs.n_refs;
	}
	snprintf(why, sizeof(ctx.sentence), "%s", ctx.sentence);
	upload_pack_free(up);
	link_free(link);
	return r < 0 ? r : n;
}

static int count_refs(struct ssh *ssh, const char *url, const char *slug,
		      unsigned n_times, int64_t timeout_ms, char *why)
{
	return count_refs_of(ssh, url, "", slug, n_times, timeout_ms, why);
}

static unsigned lines(const char *file)
{
	cleanup(free) char *command = mem_asprintf("wc -l <%s", file);
	char text[32];

	ask(command, text, sizeof(text));
	return (unsigned)strtoul(text, NULL, 10);
}

/* Whose end nobody has asked for yet has ended, too. */
static bool all_are_gone(void)
{
	return !shell(
		"for p in $(cat pids); do n=0; while [ -e /proc/$p/exe ]; "
		"do n=$((n + 1)); [ $n -lt 200 ] || exit 1; sleep 0.01; "
		"done; done");
}

static void begin(void)
{
	if (!has_git)
		skip();
	shell(": >args; : >pids");
}

static void test_one_session_for_all(void **state)
{
	struct ssh *ssh = make_ssh(NULL);
	char why[512];

	(void)state;
	begin();
	assert_int_equal(
		count_refs(ssh, "ssh://git@host:7/", "full", 3, 9000, why), 3);
	assert_int_equal(
		count_refs(ssh, "ssh://git@host:7/", "full", 1, 9000, why), 3);
	assert_int_equal(lines("args"), 1);
	assert_int_equal(ssh_n_sessions(ssh), 1);
	assert_int_equal(count_refs(ssh, "ssh://git@old", "full", 2, 9000, why),
			 3);
	assert_int_equal(lines("args"), 2);
	assert_false(shell("grep -q -- '-p 7 -l git -- host git-upload-pack "
			   "'\\''acme/full.git'\\' args"));
	/* Ended behind our back: another one. */
	shell("kill -9 $(head -n 1 pids); while [ -e /proc/$(head -n 1 "
	      "pids)/exe ]; do sleep 0.01; done");
	assert_int_equal(
		count_refs(ssh, "ssh://git@host:7/", "full", 1, 9000, why), 3);
	assert_int_equal(lines("args"), 3);
	ssh_free(ssh);
	assert_true(all_are_gone());
}

/* Whose name it has become hears the repository that has it now; and nobody
 * goes on for ever with what was allowed once. */
static void test_whose_a_connection_is(void **state)
{
	struct ssh *ssh = make_ssh(NULL);
	struct ssh_connection *c;
	int64_t until_ms;
	char why[512];

	(void)state;
	begin();
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(count_refs_of(ssh, "ssh://git@host",
					       i < 2 ? "one" : "two", "full", 1,
					       9000, why),
				 3);
	assert_int_equal(lines("args"), 2);
	c = ssh_take(ssh, "ssh://git@host acme/full.git two", NULL);
	assert_non_null(c);
	until_ms = c->until_ms;
	assert_true(until_ms > clock_boot_ms());
	ssh_keep(ssh, c);
	assert_ptr_equal(
		ssh_take(ssh, "ssh://git@host acme/full.git two", NULL), c);
	assert_int_equal(c->until_ms, until_ms);
	c->since_ms -= 60000;
	ssh_keep(ssh, c);
	assert_null(ssh_take(ssh, "ssh://git@host acme/full.git two", NULL));
	ssh_free(ssh);
	assert_true(all_are_gone());
}

static void test_the_fallback(void **state)
{
	struct ssh *ssh = make_ssh("host:443");
	char why[512];

	(void)state;
	begin();
	assert_int_equal(
		count_refs(ssh, "ssh://git@refuses", "full", 1, 9000, why), 3);
	assert_int_equal(lines("args"), 2);
	/* From now on it is the first. */
	assert_int_equal(
		count_refs(ssh, "ssh://git@refuses", "empty", 1, 9000, why), 1);
	assert_int_equal(lines("args"), 3);
	ssh_free(ssh);
	ssh = make_ssh("off");
	assert_int_equal(
		count_refs(ssh, "ssh://git@refuses", "full", 1, 9000, why),
		-ENETUNREACH);
	assert_non_null(strstr(why, "refuses refuses SSH connections"));
	/* Without a word of a fallback none but the service's own has one. */
	ssh_free(ssh);
	ssh = make_ssh(NULL);
	assert_int_equal(
		count_refs(ssh, "ssh://git@refuses", "full", 1, 9000, why),
		-ENETUNREACH);
	ssh_free(ssh);
	assert_true(all_are_gone());
}

static void test_a_hang_ends_in_time(void **state)
{
	struct ssh *ssh = make_ssh(NULL);
	int64_t began = clock_mono_ms();
	char why[512];

	(void)state;
	begin();
	assert_int_equal(
		count_refs(ssh, "ssh://git@hangs", "full", 1, 500, why),
		-ETIMEDOUT);
	assert_non_null(strstr(why, "does not answer by SSH"));
	assert_true(clock_mono_ms() - began < 5000);
	assert_int_equal(lines("pids"), 2);
	assert_true(all_are_gone());
	ssh_free(ssh);
}

static void ask_often(void *arg)
{
	static const char *const slugs[] = {"full", "full", "empty", "none"};
	struct ssh *ssh = arg;
	char why[512];

	for (size_t i = 0; i < ARRAY_SIZE(slugs); i++) {
		int r = count_refs(ssh, "ssh://git@host", slugs[i], 2, 30000,
				   why);

		check(r == (i < 2 ? 3 : i == 2 ? 1 : -ENOENT));
		ssh_use_agent(ssh, "/nowhere");
	}
}

static void test_many_at_once(void **state)
{
	struct ssh *ssh = make_ssh(NULL);
	struct thread *threads[6];

	(void)state;
	begin();
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		assert_int_equal(
			thread_start("ask", ask_often, ssh, &threads[i]), 0);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		thread_join(threads[i]);
	ssh_free(ssh);
	assert_true(all_are_gone());
}

static void test_names(void **state)
{
	struct ssh *ssh = make_ssh(NULL);
	struct link *link;

	(void)state;
	assert_int_equal(link_ssh_new(ssh, "ssh://h", "", "-x", "s", &link),
			 -ENAMETOOLONG);
	assert_int_equal(link_ssh_new(ssh, "ssh://h", "", "w/../x", "s", &link),
			 -ENAMETOOLONG);
	assert_int_equal(link_ssh_new(ssh, "ssh://h", "", "w", "a\nb", &link),
			 -ENAMETOOLONG);
	assert_int_equal(link_ssh_new(ssh, "ssh://h", "", "w", "-s", &link), 0);
	link_free(link);
	ssh_free(ssh);
}

/* Of much that is said the end is kept, where the cause is; a NUL ends no text.
 */
static void test_what_is_said_last(void **state)
{
	struct ssh *ssh = make_ssh(NULL);
	char why[512];

	(void)state;
	begin();
	assert_int_equal(
		count_refs(ssh, "ssh://git@talks", "none", 1, 9000, why),
		-ENOENT);
	assert_non_null(strstr(why, "talks has no such repository"));
	ssh_free(ssh);
}

/* The prefix is the server's shell's to read, too. */
static void test_a_prefix_with_quotes(void **state)
{
	struct ssh *ssh = make_ssh(NULL);
	char why[512];

	(void)state;
	begin();
	assert_int_equal(
		count_refs(ssh, "ssh://git@host/it's", "full", 1, 9000, why),
		-ENOENT);
	assert_false(shell("grep -qF \"git-upload-pack '/it'\\\\''s/acme\" "
			   "args"));
	ssh_free(ssh);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_host_key),
		cmocka_unit_test(test_agents),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_what_is_said_last),
		cmocka_unit_test(test_a_prefix_with_quotes),
		cmocka_unit_test(test_one_session_for_all),
		cmocka_unit_test(test_whose_a_connection_is),
		cmocka_unit_test(test_the_fallback),
		cmocka_unit_test(test_a_hang_ends_in_time),
		cmocka_unit_test(test_many_at_once),
	};

	return cmocka_run_group_tests(tests, make_world, drop_scratch);
}
