/*
 * wire/ssh, the door: OpenSSH's programs are started here alone.
 *
 * The user's configuration holds, but for what would wait for a person, last
 * longer than the request, run something else or write into ~/.ssh: nothing is
 * asked (BatchMode, no askpass, no terminal), no ssh leaves its group for the
 * background, and none becomes a master for others, whose end would end theirs.
 * What ssh says has to be in English, at its usual level, to be found in the
 * table.
 */
#include "ssh_private.h"

#include "base/clock.h"

#include <strings.h>

#define SCAN_MS 6000
#define LOOK_MS 3000
#define SAID_MAX (64 * KIB)

static const char *const without[] = {
	"BITBUCKETFS_*", "SSH_AUTH_SOCK", "SSH_ASKPASS*", "GIT_PROTOCOL",
	"LC_*",          "LANG",          "LANGUAGE",     NULL};

static char **environment(struct ctx *ctx, struct ssh *ssh)
{
	cleanup(free) char *agent = ssh_agent_find(ctx, ssh);
	cleanup(free) char *named =
		agent ? mem_asprintf("SSH_AUTH_SOCK=%s", agent) : NULL;
	const char *const with[] = {"LC_ALL=C", "SSH_ASKPASS_REQUIRE=never",
				    "GIT_PROTOCOL=version=2", named, NULL};

	return program_environment(without, with);
}

/* ---- a connection ---- */

static bool same_host(const char *a, const char *b)
{
	return !strcasecmp(a, b);
}

bool ssh_fallback_place(const struct ssh *ssh, const struct ssh_place *place,
			struct ssh_place *ret_place)
{
	cleanup(free) char *url = NULL;

	if (ssh->fallback && !strcmp(ssh->fallback, "off"))
		return false;
	if (!ssh->fallback && (!same_host(place->host, SSH_HOST) ||
			       (place->port && place->port != 22)))
		return false;
	url = mem_asprintf("ssh://%s@%s", place->user,
			   ssh->fallback ? ssh->fallback : SSH_FALLBACK);
	if (ssh_place_parse(url, ret_place))
		return false;
	free(ret_place->prefix);
	ret_place->prefix = mem_strdup(place->prefix);
	return true;
}

/* Between quotes, for the server's shell. */
static void put_quoted(struct buf *command, const char *path)
{
	for (; *path; path++)
		if (*path == '\'' || *path == '!')
			buf_printf(command, "'\\%c'", *path);
		else
			buf_putc(command, *path);
}

static char *command_of(const struct ssh_place *place, const char *name,
			const char *path, const char *argument)
{
	struct buf command = BUF_INIT(0);

	buf_printf(&command, "%s '", name);
	put_quoted(&command, place->prefix);
	put_quoted(&command, path);
	buf_printf(&command, "'%s%s", argument ? " " : "",
		   argument ? argument : "");
	return buf_steal(&command, NULL);
}

/* The first n of argv: how any ssh of ours begins. */
static size_t begin_argv(const struct ssh_place *place, char port[static 16],
			 const char **argv)
{
	/* clang-format off */
	static const char *const options[] = {
		"ssh",
		"-o", "BatchMode=yes",
		"-o", "SendEnv=GIT_PROTOCOL",
		"-o", "ConnectTimeout=5",
		/* A mount that was killed kills nothing any more. */
		"-o", "ServerAliveInterval=10",
		"-o", "LogLevel=INFO",
		"-o", "ControlMaster=no",
		"-o", "ForkAfterAuthentication=no",
		"-o", "StdinNull=no",
		"-o", "SessionType=default",
		"-o", "RemoteCommand=none",
		"-o", "RequestTTY=no",
		"-o", "PermitLocalCommand=no",
		"-o", "ClearAllForwardings=yes",
		"-o", "ForwardAgent=no",
		"-o", "ForwardX11=no",
		"-o", "UpdateHostKeys=no",
	};
	/* clang-format on */
	size_t n = 0;

	for (; n < ARRAY_SIZE(options); n++)
		argv[n] = options[n];
	if (place->port) {
		snprintf(port, 16, "%u", place->port);
		argv[n++] = "-p";
		argv[n++] = port;
	}
	argv[n++] = "-l";
	argv[n++] = place->user;
	return n;
}
#define ARGV_MAX 48

int ssh_connect(struct ctx *ctx, struct ssh *ssh, const struct ssh_place *place,
		const char *path, struct ssh_connection **ret_connection)
{
	cleanup(ssh_connection_free) struct ssh_connection *c =
		mem_calloc(1, sizeof(*c));
	cleanup(program_environment_free) char **envp = environment(ctx, ssh);
	cleanup(free) char *command =
		command_of(place, "git-upload-pack", path, NULL);
	const char *argv[ARGV_MAX] = {NULL};
	char port[16];
	size_t n = begin_argv(place, port, argv);
	int r;

	argv[n++] = "--";
	argv[n++] = place->host;
	argv[n] = command;
	c->program = (struct program)PROGRAM_NONE;
	c->said = (struct buf)BUF_INIT(SSH_SAID_MAX);
	c->greeting = (struct buf)BUF_INIT(SSH_GREETING_MAX);
	c->greets = true;
	c->since_ms = clock_boot_ms();
	r = program_start(argv, envp, &c->program);
	if (r == -ENOENT)
		return ctx_fail(ctx, -EIO,
				"there is no ssh on this machine: install "
				"openssh-client, or take away transport=ssh");
	if (r)
		return ctx_fail(ctx, r, "ssh cannot be started: %s",
				strerror(-r));
	*ret_connection = steal(&c);
	return 0;
}

int ssh_sign_in(struct ctx *ctx, struct ssh *ssh, const struct ssh_place *place,
		int64_t timeout_ms, struct buf *said, int *ret_status)
{
	cleanup(program_environment_free) char **envp = environment(ctx, ssh);
	cleanup(buf_done) struct buf out = BUF_INIT(SAID_MAX);
	const char *argv[ARGV_MAX] = {NULL};
	char port[16];
	size_t n = begin_argv(place, port, argv);

	argv[n++] = "-T";
	argv[n++] = "--";
	argv[n] = place->host;
	return program_run(ctx, argv, envp, NULL, timeout_ms, &out, said,
			   ret_status);
}

int ssh_run(struct ctx *ctx, struct ssh *ssh, const struct ssh_place *place,
	    const char *command, const char *path, const char *argument,
	    int64_t timeout_ms, struct buf *out, struct buf *said,
	    int *ret_status)
{
	cleanup(program_environment_free) char **envp = environment(ctx, ssh);
	cleanup(free) char *whole = command_of(place, command, path, argument);
	const char *argv[ARGV_MAX] = {NULL};
	char port[16];
	size_t n = begin_argv(place, port, argv);

	argv[n++] = "--";
	argv[n++] = place->host;
	argv[n] = whole;
	return program_run(ctx, argv, envp, NULL, timeout_ms, out, said,
			   ret_status);
}

struct ssh_connection *ssh_connection_free(struct ssh_connection *c)
{
	if (!c)
		return NULL;
	program_end(&c->program, 0);
	buf_done(&c->said);
	buf_done(&c->greeting);
	free(c->key);
	free(c);
	return NULL;
}

/* ---- what can be found out ---- */

/* What it printed, if it ended well. */
static char *printed(struct ctx *ctx, const char *const *argv,
		     const char *input, int64_t timeout_ms)
{
	static const char *const with[] = {"LC_ALL=C", NULL};
	cleanup(program_environment_free) char **envp =
		program_environment(without, with);
	cleanup(buf_done) struct buf out = BUF_INIT(SAID_MAX);
	cleanup(buf_done) struct buf err = BUF_INIT(SAID_MAX);
	int status, r = program_run(ctx, argv, envp, input, timeout_ms, &out,
				    &err, &status);

	return r || status || !out.len ? NULL : buf_steal(&out, NULL);
}

char *ssh_scan_keys(struct ctx *ctx, const char *host, const char *port)
{
	const char *const argv[] = {"ssh-keyscan", "-T", "5",  "-p",
				    port,          "--", host, NULL};

	return printed(ctx, argv, NULL, SCAN_MS);
}

char *ssh_fingerprints(struct ctx *ctx, const char *lines)
{
	static const char *const argv[] = {"ssh-keygen", "-l", "-f", "-", NULL};

	return printed(ctx, argv, lines, LOOK_MS);
}

char *ssh_settings(struct ctx *ctx, const struct ssh_place *place)
{
	const char *argv[ARGV_MAX] = {NULL};
	char port[16];
	size_t n = begin_argv(place, port, argv);

	argv[n++] = "-G";
	argv[n++] = "--";
	argv[n] = place->host;
	return printed(ctx, argv, NULL, LOOK_MS);
}

bool ssh_is_encrypted(struct ctx *ctx, const char *file)
{
	const char *const argv[] = {"ssh-keygen", "-y", "-P", "",
				    "-f",         file, NULL};
	static const char *const with[] = {"LC_ALL=C", NULL};
	cleanup(program_environment_free) char **envp =
		program_environment(without, with);
	cleanup(buf_done) struct buf out = BUF_INIT(SAID_MAX);
	cleanup(buf_done) struct buf err = BUF_INIT(SAID_MAX);
	int status, r = program_run(ctx, argv, envp, NULL, LOOK_MS, &out, &err,
				    &status);

	buf_puts(&err, "");
	return !r && status && strstr(err.data, "incorrect passphrase");
}
