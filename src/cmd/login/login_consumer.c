/*
 * cmd/login/login_consumer: what is not configured and not kept is asked for.
 */
#include "cmd/login/login_consumer.h"
#include "cmd/login/ask.h"
#include "setup/sign_in.h"

#include "base/file.h"
#include "base/text.h"

#include <unistd.h>

char *login_consumer_callback(const struct config *config)
{
	return mem_asprintf("http://localhost:%u/", config->oauth_port);
}

static void say_advice(const struct config *config, bool by_itself)
{
	cleanup(free) char *callback = login_consumer_callback(config);
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

enum command_exit login_consumer_ask(struct config *config,
				     const struct command_line *line,
				     char **ret_secret)
{
	char *secret = NULL;
	enum command_exit end = ask_key(config, line->oauth_client);

	if (end == COMMAND_OK)
		end = ask_secret(config, line->with_token, &secret);
	if (end == COMMAND_OK)
		end = check_secret(secret);
	if (end == COMMAND_OK)
		*ret_secret = steal(&secret);
	text_wipe(secret);
	return end;
}
