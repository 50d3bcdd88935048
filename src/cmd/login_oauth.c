/*
 * cmd/login_oauth: the consumer's key and secret, the browser, the code, and
 * whose tokens they are.
 */
#include "cmd/login_oauth.h"
#include "cmd/ask.h"
#include "cmd/browser.h"
#include "cmd/daemon.h"
#include "cmd/oauth_callback.h"
#include "cmd/oauth_kept.h"

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

/* ---- the consumer ---- */

static char *callback_of(const struct config *config)
{
	return mem_asprintf("http://localhost:%u/", config->oauth_port);
}

static void say_advice(const struct config *config, bool by_itself)
{
	cleanup(free) char *callback = callback_of(config);
	cleanup(free) char *text = mem_asprintf(
		"An OAuth consumer of your own is made in the settings of a "
		"workspace\n"
		"(Workspace settings, OAuth consumers, Add consumer):\n"
		"  Callback URL:  %s\n"
		"  %s\n"
		"  Permissions:   Account, Workspace membership, Projects,\n"
		"                 Repositories, Pull requests, Pipelines: "
		"Read\n"
		"Its Key and its Secret are shown there afterwards.\n"
		"\n",
		callback,
		by_itself ? "This is a private consumer:  ticked"
			  : "This is a private consumer:  as you like");

	ask_say(STDERR_FILENO, text);
}

static enum command_exit cannot_ask(const char *what)
{
	return command_usage("there is no terminal to ask at for the "
			     "consumer's %s: give the key with -o "
			     "oauth_client_id=KEY, and the secret with "
			     "login --oauth --with-token < FILE",
			     what);
}

static enum command_exit ask_key(struct config *config, bool by_itself)
{
	int terminal;
	char *typed = NULL;
	enum command_exit end = COMMAND_OK;

	if (config->oauth_client_id)
		return COMMAND_OK;
	terminal = ask_open();
	if (terminal < 0)
		return cannot_ask("key");
	say_advice(config, by_itself);
	if (ask_line(terminal, "Key of the consumer: ", false, &typed))
		end = command_usage("nobody has signed in: no key was typed");
	else if (config_give_consumer(config, typed))
		end = command_usage("%s", config->why);
	free(typed);
	file_close(terminal);
	return end;
}

static enum command_exit read_secret(char **ret_secret)
{
	cleanup(buf_done) struct buf typed = BUF_INIT(ASK_MAX);
	int r = isatty(STDIN_FILENO)
			? -ENOTTY
			: file_read_fd(STDIN_FILENO, ASK_MAX, &typed);

	if (!r)
		*ret_secret =
			mem_dup0(typed.data ? typed.data : "",
				 typed.data ? strcspn(typed.data, "\r\n") : 0);
	if (typed.data)
		explicit_bzero(typed.data, typed.size);
	return r ? command_usage("the consumer's secret cannot be read from "
				 "standard input: %s",
				 strerror(-r))
		 : COMMAND_OK;
}

/* Of a sign-in by the same consumer: to sign in again asks for nothing. */
static char *kept_secret(const struct config *config)
{
	cleanup(sign_in_done) struct sign_in kept = {0};
	cleanup(ctx_done) struct ctx ctx;

	ctx_init(&ctx, NULL, -1);
	if (sign_in_read(&ctx, config->profile, config->api_url, &kept) ||
	    (kept.kind != SIGN_IN_OAUTH_CLIENT &&
	     kept.kind != SIGN_IN_OAUTH_CODE) ||
	    strcmp(kept.username, config->oauth_client_id) != 0)
		return NULL;
	return steal(&kept.token);
}

static enum command_exit ask_secret(const struct config *config,
				    bool from_stdin, char **ret_secret)
{
	int terminal, r;

	if (from_stdin)
		return read_secret(ret_secret);
	if (config->token && !config->email && !config->username) {
		*ret_secret = mem_strdup(config->token);
		return COMMAND_OK;
	}
	*ret_secret = kept_secret(config);
	if (*ret_secret)
		return COMMAND_OK;
	terminal = ask_open();
	if (terminal < 0)
		return cannot_ask("secret");
	r = ask_line(terminal,
		     "Secret of the consumer (it is not shown): ", true,
		     ret_secret);
	file_close(terminal);
	return r ? command_usage("nobody has signed in: no secret was typed")
		 : COMMAND_OK;
}

static enum command_exit check_secret(const char *secret)
{
	if (!*secret)
		return command_usage("the consumer's secret is empty");
	for (const char *c = secret; *c; c++)
		if ((unsigned char)*c <= ' ' || *c == 0x7f)
			return command_usage("the consumer's secret has a "
					     "blank or a control character in "
					     "it");
	return COMMAND_OK;
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
	cleanup(free) char *callback = callback_of(config);
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
	cleanup(free) char *callback = callback_of(config);
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
	end = ask_key(config, line->oauth_client);
	if (end == COMMAND_OK)
		end = ask_secret(config, line->with_token, &secret);
	if (end == COMMAND_OK)
		end = check_secret(secret);
	if (end != COMMAND_OK) {
		text_wipe(secret);
		return end;
	}
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
