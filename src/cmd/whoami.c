/*
 * bitbucketfs whoami [--json]: whose credential is configured, asked of the
 * service, not of the cache: by one request, anonymously by none.
 */
#include "cmd/command.h"
#include "cmd/mount/daemon.h"
#include "cmd/who.h"

#include "base/json.h"
#include "base/log.h"
#include "base/text.h"

static void add_line(struct buf *out, const char *name, const char *value)
{
	if (!value)
		return;
	buf_printf(out, "%s: ", name);
	/* The service's words may have codes for the terminal in them. */
	text_clean(out, value, strlen(value), "");
	buf_putc(out, '\n');
}

static void add_text(struct buf *out, const struct json *all)
{
	static const char *const lines[][2] = {
		{"profile", "profile"},       {"name", "display_name"},
		{"nickname", "nickname"},     {"user name", "username"},
		{"e-mail", "email"},          {"workspace", "workspace"},
		{"account id", "account_id"}, {"api_url", "api_url"},
		{"credential from", "from"},  {"note", "note"},
	};

	/* Alone on the line, for anonymous is all that there is to say. */
	buf_printf(out, "%s\n", json_str(all, "kind"));
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		add_line(out, lines[i][0], json_str(all, lines[i][1]));
	buf_printf(out, "requests left: %lld of %lld%s\n",
		   (long long)json_int(all, "quota.left", 0),
		   (long long)json_int(all, "quota.limit", 0),
		   json_bool(all, "quota.told", false) ? "" : ", counted here");
}

enum command_exit whoami_command(const struct command_line *line)
{
	cleanup(json_free) struct json *answer = NULL;
	cleanup(buf_done) struct buf out = BUF_INIT(64 * KIB);
	struct remote remote = {0};
	enum command_exit end;

	/* What is odd is a line of the answer. */
	log_to_stderr(LOG_LEVEL_ERROR);
	end = remote_configure(&remote, line);
	daemon_harden();
	if (end == COMMAND_OK && remote_build(&remote))
		end = COMMAND_FAILED;
	if (end == COMMAND_OK)
		end = who_ask(&remote, &answer);
	if (end == COMMAND_OK) {
		cleanup(json_free) struct json *all = who_told(&remote, answer);

		if (line->json)
			json_pretty(all, &out);
		else
			add_text(&out, all);
	}
	remote_done(&remote);
	return end == COMMAND_OK ? command_print(out.data, out.len) : end;
}
