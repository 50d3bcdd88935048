/*
 * cmd/login/login_oauth: the browser, the code, and whose tokens they are.
 */
#include "cmd/login/login_oauth.h"
#include "cmd/login/ask.h"
#include "cmd/browser.h"
#include "cmd/mount/daemon.h"
#include "cmd/login/login_consumer.h"
#include "cmd/login/oauth_callback.h"
#include "setup/oauth_kept.h"

#include "api/oauth.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/log.h"
#include "base/text.h"

#include <unistd.h>

#define BROWSER_MS (5 * 60 * 1000)
#define SHOW_MS 1500
#define STATE_BYTES 16
#define BODY_MAX (256 * KIB)

bool login_oauth_is_wanted(const struct command_line *line)
{
	return line->oauth || line->oauth_client;
}

/* ---- the browser ---- */

static void send_browser(const struct config *config, const char *page)
{
	bool opened = browser_open(page);
	cleanup(free) char *text = mem_asprintf(
		"%s\n\n  %s\n\n"
		"It comes back to http://localhost:%u/ of this machine (from "
		"another one:\n"
		"ssh -L %u:localhost:%u …). Waiting for 5 minutes; Ctrl-C ends "
		"it.\n",
		opened ? "A browser is opened. If it is not, open this "
			 "address:"
		       : "Open this address in a browser:",
		page, config->oauth_port, config->oauth_port,
		config->oauth_port);

	ask_say(STDERR_FILENO, text);
}

static int make_state(struct ctx *ctx, char state[static 2 * STATE_BYTES + 1])
{
	unsigned char bytes[STATE_BYTES];
	int r = digest_random(bytes, sizeof(bytes));

	if (r)
		return ctx_fail(ctx, r, "There is no randomness: %s.",
				strerror(-r));
	for (size_t i = 0; i < STATE_BYTES; i++)
		snprintf(state + 2 * i, 3, "%02x", bytes[i]);
	return 0;
}

static void say_refused(const char *sentence)
{
	command_say("%s", sentence);
}

static int get_code(struct login_oauth *oauth, const struct config *config,
		    const struct oauth_consumer *consumer, struct ctx *ctx,
		    char **ret_code)
{
	cleanup(free) char *callback = login_consumer_callback(config);
	cleanup(free) char *page = NULL;
	cleanup(ctx_done) struct ctx waiting;
	char state[2 * STATE_BYTES + 1];
	int r = make_state(ctx, state);

	ctx_init(&waiting, NULL, BROWSER_MS);
	if (!r)
		r = oauth_callback_new(ctx, config->oauth_port, state,
				       &oauth->callback);
	if (r)
		return r;
	page = oauth_page(consumer, callback, state);
	send_browser(config, page);
	r = oauth_callback_await(&waiting, oauth->callback, say_refused,
				 ret_code);
	return r ? ctx_fail(ctx, r, "%s", waiting.sentence) : 0;
}

static int get_tokens(struct login_oauth *oauth, const struct config *config,
		      const struct oauth_consumer *consumer, struct http *http,
		      struct ctx *ctx, bool by_itself, struct oauth_tokens *ret)
{
	cleanup(free) char *callback = login_consumer_callback(config);
	char *code = NULL;
	int r;

	if (by_itself)
		return oauth_ask(ctx, http, consumer, OAUTH_CLIENT, NULL, NULL,
				 ret);
	r = get_code(oauth, config, consumer, ctx, &code);
	if (!r)
		r = oauth_ask(ctx, http, consumer, OAUTH_CODE, code, callback,
			      ret);
	text_wipe(code);
	return r;
}

/* ---- whose they are ---- */

static int take(void *arg, const void *data, size_t n)
{
	return buf_add(arg, data, n);
}

/* The cache is an account's, and the account stays as its tokens change. Where
 * the consumer may not see whose it is, each sign-in is one of its own. */
static int name_account(struct ctx *ctx, const struct config *config,
			struct http *http, struct oauth_kept *kept)
{
	cleanup(http_response_done) struct http_response answer = {0};
	cleanup(buf_done) struct buf body = BUF_INIT(BODY_MAX);
	cleanup(json_free) struct json *user = NULL;
	cleanup(free) char *url = mem_asprintf("%s/user", config->api_url);
	char *bearer = mem_asprintf("Bearer %s", kept->access);
	const struct http_request request = {.url = url,
					     .authorization = bearer};
	const struct http_sink sink = {.write = take, .arg = &body};
	char random[2 * STATE_BYTES + 1];
	int r = http_perform(ctx, http, &request, &sink, &answer);
	const char *uuid, *name;

	text_wipe(bearer);
	/* A sign-in of its own because the service was busy would be another
	 * account than that of the mounts that run, and of their cache. */
	if (!r && (answer.status == 429 || answer.status >= 500))
		r = ctx_fail(ctx, -EIO,
			     "%s answered %ld, so that nobody knows who has "
			     "signed in: try again.",
			     url, answer.status);
	if (!r)
		r = make_state(ctx, random);
	if (r)
		return r;
	if (answer.status == 200 && body.len)
		(void)json_parse(body.data, body.len, &user);
	uuid = user ? json_str(user, "uuid") : NULL;
	name = user ? json_str(user, "nickname") : NULL;
	if (!kept->account)
		kept->account = uuid && !strpbrk(uuid, "\t\n")
					? mem_asprintf("user:%s", uuid)
					: mem_asprintf("sign-in:%s", random);
	if (name && *name && !strpbrk(name, "\r\n\t"))
		kept->name = mem_strdup(name);
	return 0;
}

/* ---- a credential of what was given just now ---- */

static int get_given(void *arg, struct ctx *, struct credential_secret *ret)
{
	const struct oauth_kept *kept = arg;

	ret->account = mem_strdup(kept->account);
	ret->username = kept->name ? mem_strdup(kept->name) : NULL;
	ret->token = mem_strdup(kept->access);
	ret->version = 1;
	return 0;
}

static int make(struct login_oauth *oauth, struct remote *remote,
		const struct oauth_consumer *consumer, struct ctx *ctx,
		bool by_itself)
{
	cleanup(http_free) struct http *http = NULL;
	cleanup(oauth_tokens_done) struct oauth_tokens tokens = {0};
	struct credential_source source = {.get = get_given};
	struct oauth_kept *kept;
	int r = remote_new_http(remote, 1, &http);

	if (!r)
		r = get_tokens(oauth, &remote->config, consumer, http, ctx,
			       by_itself, &tokens);
	if (r)
		return r;
	kept = oauth->tokens = mem_calloc(1, sizeof(*kept));
	*kept = (struct oauth_kept){
		.consumer = mem_strdup(consumer->id),
		.account = by_itself ? mem_asprintf(OAUTH_BY_ITSELF "%s",
						    consumer->id)
				     : NULL,
		.access = steal(&tokens.access),
		.until_s = clock_wall_ms() / 1000 + tokens.lifetime_s,
		.lifetime_s = tokens.lifetime_s,
		.refresh = by_itself ? NULL : tokens.refresh,
	};
	if (!by_itself)
		tokens.refresh = NULL;
	r = name_account(ctx, &remote->config, http, kept);
	source.arg = kept;
	return r ? r : credential_new_from(ctx, &source, &remote->credential);
}

enum command_exit login_oauth_get(struct login_oauth *oauth,
				  struct remote *remote,
				  const struct command_line *line,
				  struct sign_in *ret)
{
	struct config *config = &remote->config;
	struct oauth_consumer consumer = {.url = config->oauth_url};
	cleanup(ctx_done) struct ctx ctx;
	char *secret = NULL;
	enum command_exit end;
	int r;

	ctx_init(&ctx, NULL, -1);
	if (config_check_cleartext(config))
		return command_usage("%s", config->why);
	end = login_consumer_ask(config, line, &secret);
	if (end != COMMAND_OK)
		return end;
	daemon_harden();
	log_redact(secret);
	*ret = (struct sign_in){
		.kind = line->oauth_client ? SIGN_IN_OAUTH_CLIENT
					   : SIGN_IN_OAUTH_CODE,
		.username = mem_strdup(config->oauth_client_id),
		.token = secret,
	};
	consumer.id = ret->username;
	consumer.secret = ret->token;
	r = make(oauth, remote, &consumer, &ctx, line->oauth_client);
	if (!r)
		return COMMAND_OK;
	if (*ctx.sentence)
		command_say("%s", ctx.sentence);
	return r == -EKEYREJECTED || r == -EACCES ? COMMAND_SIGN_IN
						  : COMMAND_FAILED;
}

enum command_exit login_oauth_keep(const struct login_oauth *oauth,
				   const struct remote *remote)
{
	const struct config *config = &remote->config;
	cleanup(free) char *path = NULL;
	cleanup(ctx_done) struct ctx ctx;
	cleanup(fd) int lock = -1;
	int r;

	ctx_init(&ctx, NULL, -1);
	if (!oauth->tokens)
		return COMMAND_OK;
	r = oauth_kept_path(&ctx, config->profile, config->api_url, &path);
	if (!r)
		r = lock = oauth_kept_lock(&ctx, path);
	if (r >= 0)
		r = oauth_kept_write(&ctx, path, oauth->tokens);
	if (r < 0)
		command_say("%s", ctx.sentence);
	return r < 0 ? COMMAND_FAILED : COMMAND_OK;
}

void login_oauth_done(struct login_oauth *oauth, enum command_exit end)
{
	if (oauth->callback)
		oauth_callback_show(
			oauth->callback,
			end == COMMAND_OK
				? "You are signed in. This page can be closed."
				: "Nobody is signed in: the terminal says why. "
				  "This page can be closed.",
			SHOW_MS);
	oauth->callback = oauth_callback_free(oauth->callback);
	if (oauth->tokens)
		oauth_kept_done(oauth->tokens);
	free(oauth->tokens);
	oauth->tokens = NULL;
}
