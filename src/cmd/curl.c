/*
 * bitbucketfs curl PATH [-q QUERY]: prints the line of curl for `api --raw`.
 *
 * The secret is not in it: the line reads it, without echo, and hands it to
 * curl as a configuration on standard input, because others see the arguments
 * of a process. For sh as for bash: read -s is bash's alone, stty is not.
 */
#include "cmd/command.h"
#include "cmd/remote.h"
#include "cmd/target.h"

/* Each byte of special after a backslash. */
static char *escaped(const char *text, const char *special)
{
	struct buf out = BUF_INIT(0);

	for (; *text; text++) {
		if (strchr(special, *text))
			buf_putc(&out, '\\');
		buf_putc(&out, *text);
	}
	buf_puts(&out, "");
	return buf_steal(&out, NULL);
}

/* As one word of the shell. */
static void add_quoted(struct buf *out, const char *text)
{
	buf_putc(out, '\'');
	for (; *text; text++)
		if (*text == '\'')
			buf_puts(out, "'\\''");
		else
			buf_putc(out, *text);
	buf_putc(out, '\'');
}

static bool is_bearer(const struct remote *remote)
{
	enum credential_kind kind = credential_kind(remote->credential);

	return kind == CREDENTIAL_ACCESS_TOKEN || kind == CREDENTIAL_OAUTH;
}

/* What makes a line of curl's configuration of the secret: both quoted as curl
 * wants it, the name also as sed does. */
static char *script(const struct remote *remote)
{
	const char *name = credential_label(remote->credential);
	cleanup(free) char *for_curl = escaped(name, "\\\"");
	cleanup(free) char *for_sed = escaped(for_curl, "\\&/");

	if (is_bearer(remote))
		return mem_strdup("s/[\\\\\"]/\\\\&/g; "
				  "s/.*/oauth2-bearer = \"&\"/");
	return mem_asprintf("s/[\\\\\"]/\\\\&/g; s/.*/user = \"%s:&\"/",
			    for_sed);
}

/* unset: were the variable exported before, curl's environment had the secret.
 * Ctrl-C gives the echo back. */
static void add_reading(struct buf *out, const struct remote *remote)
{
	cleanup(free) char *sed = script(remote);
	/* Nobody was shown the token that a consumer got. */
	bool is_got = credential_kind(remote->credential) == CREDENTIAL_OAUTH;
	cleanup(free) char *prompt = mem_asprintf(
		"Secret of %s%s: ", credential_label(remote->credential),
		is_got ? " (what bitbucketfs credential get prints)" : "");

	buf_puts(out, "trap 'stty echo 2>/dev/null' 0; trap 'exit 130' 2; "
		      "stty -echo 2>/dev/null; printf %s ");
	add_quoted(out, prompt);
	buf_puts(out, " >&2; unset BITBUCKETFS_SECRET; "
		      "IFS= read -r BITBUCKETFS_SECRET; "
		      "printf '%s\\n' \"$BITBUCKETFS_SECRET\" | sed ");
	add_quoted(out, sed);
	buf_puts(out, " | ");
}

/* Without the proxy's user, who may have a password. */
static void add_proxy(struct buf *out, const char *url)
{
	const char *host = strstr(url, "://") + 3, *at = strrchr(host, '@');
	cleanup(free) char *bare = mem_asprintf("%.*s%s", (int)(host - url),
						url, at ? at + 1 : host);

	buf_puts(out, " --proxy ");
	add_quoted(out, bare);
}

static void add_curl(struct buf *out, const struct remote *remote,
		     const char *path, bool signed_in)
{
	cleanup(free) char *url =
		mem_asprintf("%s%s", remote->config.api_url, path);

	buf_puts(out, "curl --fail --silent --show-error --location");
	if (signed_in)
		buf_puts(out, " --config -");
	if (remote->config.ca_file) {
		buf_puts(out, " --cacert ");
		add_quoted(out, remote->config.ca_file);
	}
	if (remote->config.proxy)
		add_proxy(out, remote->config.proxy);
	buf_putc(out, ' ');
	add_quoted(out, url);
}

static enum command_exit print(const struct remote *remote, const char *path)
{
	cleanup(buf_done) struct buf out = BUF_INIT(0);
	bool signed_in = credential_kind(remote->credential) !=
			 CREDENTIAL_ANONYMOUS;

	if (signed_in) {
		buf_putc(&out, '(');
		add_reading(&out, remote);
	}
	add_curl(&out, remote, path, signed_in);
	buf_puts(&out, signed_in ? ")\n" : "\n");
	return command_print(out.data, out.len);
}

enum command_exit curl_command(const struct command_line *line)
{
	cleanup(free) char *path = NULL;
	struct remote remote = {0};
	enum command_exit end;

	if (!line->n_operands)
		return command_usage("curl needs a PATH, like /user");
	end = remote_configure(&remote, line);
	if (end == COMMAND_OK)
		end = target_path(remote.config.api_url, line->operands[0],
				  line->query, false, &path);
	if (end == COMMAND_OK)
		end = print(&remote, path);
	remote_done(&remote);
	return end;
}
