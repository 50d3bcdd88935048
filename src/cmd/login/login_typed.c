/*
 * cmd/login/login_typed: what is odd is said, and at the terminal it is asked
 * for again.
 */
#include "cmd/login/login_typed.h"
#include "cmd/login/ask.h"
#include "cmd/mount/daemon.h"
#include "cmd/git_helper.h"
#include "cmd/login/login_form.h"

#include "base/file.h"
#include "base/text.h"

#include <unistd.h>

#define TOKEN_PAGE "https://id.atlassian.com/manage-profile/security/api-tokens"
#define SCOPES                                              \
	"read:user:bitbucket read:workspace:bitbucket "     \
	"read:project:bitbucket read:repository:bitbucket " \
	"read:pullrequest:bitbucket read:pipeline:bitbucket"

static const char advice[] =
	"Bitbucket takes an API token in the place of a password. One is made "
	"at\n"
	"  " TOKEN_PAGE "\n"
	"(Create API token with scopes, app Bitbucket), with these scopes:\n"
	"  " SCOPES "\n"
	"Who has no account yet makes one at "
	"https://bitbucket.org/account/signup,\n"
	"and a workspace at https://bitbucket.org/workspaces (Create).\n"
	"An access token of a repository, project or workspace does as well.\n"
	"\n";

#define TRIES 3 /* of what is typed, before the service is asked */

struct entry {
	const struct config *config;
	struct sign_in *sign_in;
	int terminal; /* -1: it is not asked there */
	bool is_named;
	char *name; /* that was given beforehand; or NULL */
};

static void say_note(const char *note)
{
	if (note)
		command_say("note: %s", note);
}

/* At the service itself; what else is called so, a server of one's own may
 * take. */
static bool is_dead(const struct entry *entry, enum login_form form)
{
	return form == LOGIN_FORM_APP_PASSWORD &&
	       !strcmp(entry->config->api_url, CONFIG_API_URL);
}

static enum command_exit app_passwords_are_gone(void)
{
	command_say("this has the form of an app password (ATBB…), which "
		    "Bitbucket takes no more since 2026-07-28: make an API "
		    "token with scopes at " TOKEN_PAGE);
	return COMMAND_FAILED;
}

static enum command_exit ask_name(struct entry *entry, enum login_form form)
{
	const char *question = form == LOGIN_FORM_API_TOKEN
				       ? "E-mail of the Atlassian account: "
				       : "E-mail or user name (none: an empty "
					 "line): ";
	cleanup(free) char *typed = NULL;
	int r = ask_line(entry->terminal, question, false, &typed);

	if (r)
		return COMMAND_FAILED;
	entry->name = login_form_name(typed);
	return COMMAND_OK;
}

/* COMMAND_USAGE: it cannot be, and was said why; it may be typed anew. known:
 * a name that comes with it, or NULL. */
static enum command_exit take(struct entry *entry, const char *typed,
			      const char *known)
{
	cleanup(free) char *name = NULL;
	const char *note = NULL, *why;
	enum login_form form;
	char *token = NULL;
	enum command_exit end = COMMAND_OK;

	why = login_form_token(typed, &token, &form, &name, &note);
	if (why)
		return command_usage("what was given as the token %s", why);
	say_note(note);
	if (is_dead(entry, form)) {
		text_wipe(token);
		return app_passwords_are_gone();
	}
	if (form == LOGIN_FORM_APP_PASSWORD)
		form = LOGIN_FORM_UNKNOWN;
	/* git knows an API token by other names than the API. */
	if (!name && known &&
	    (form == LOGIN_FORM_UNKNOWN || strchr(known, '@')))
		name = login_form_name(known);
	if (!entry->is_named && entry->terminal >= 0 && !name &&
	    form != LOGIN_FORM_ACCESS_TOKEN)
		end = ask_name(entry, form);
	note = NULL;
	why = end != COMMAND_OK
		      ? NULL
		      : login_form_join(form, &token,
					entry->name ? entry->name : name,
					entry->sign_in, &note);
	text_wipe(token);
	if (!entry->is_named) {
		free(entry->name);
		entry->name = NULL;
	}
	say_note(note);
	return why ? command_usage("%s", why) : end;
}

/* What git has for the host may do. COMMAND_USAGE: it is not taken. */
static enum command_exit offer(struct entry *entry, const char *name,
			       const char *secret)
{
	cleanup(free) char *typed = NULL;
	cleanup(free) char *question = mem_asprintf(
		"git has a credential for %s (%s). Take that? "
		"[y/N] ",
		entry->config->git_url, name ? name : "without a name");

	if (ask_line(entry->terminal, question, false, &typed) || !*typed ||
	    !strchr("yY", *typed))
		return COMMAND_USAGE;
	return take(entry, secret, name);
}

/* 1. It is said how to make a token. 2. git is asked, which may take seconds.
 * 3. Somebody pastes the token, and the terminal shows it. So git is first. */
static enum command_exit say_and_offer(struct entry *entry)
{
	const struct config *config = entry->config;
	cleanup(free) char *name = NULL;
	cleanup(ctx_done) struct ctx ctx;
	enum command_exit end = COMMAND_USAGE;
	char *secret = NULL;

	ctx_init(&ctx, NULL, -1);
	/* A mirror's is not for the service. */
	if (!config->is_mirror)
		(void)git_helper_others(&ctx, config->git_url, &name, &secret);
	ask_say(entry->terminal, advice);
	if (secret)
		end = offer(entry, name, secret);
	text_wipe(secret);
	return end;
}

static enum command_exit ask_all(struct entry *entry)
{
	enum command_exit end = say_and_offer(entry);

	for (int i = 0; i < TRIES && end == COMMAND_USAGE; i++) {
		char *typed = NULL;
		int r = ask_line(entry->terminal,
				 "Token (it is not shown): ", true, &typed);

		if (r) {
			command_say("nobody has signed in: %s",
				    r == -ENODATA ? "nothing was typed"
						  : strerror(-r));
			return COMMAND_FAILED;
		}
		end = take(entry, typed, NULL);
		text_wipe(typed);
	}
	return end;
}

static enum command_exit read_token(struct entry *entry)
{
	struct buf typed = BUF_INIT(ASK_MAX);
	enum command_exit end;
	int r = isatty(STDIN_FILENO)
			? -ENOTTY
			: file_read_fd(STDIN_FILENO, ASK_MAX, &typed);

	if (r == -ENOTTY) {
		end = command_usage("--with-token reads the token from "
				    "standard input, which is a terminal: "
				    "write login alone, and it is asked for");
	} else if (r) {
		end = command_usage("the token on standard input cannot be "
				    "read: %s",
				    strerror(-r));
	} else {
		if (typed.len && typed.data[typed.len - 1] == '\n')
			typed.data[--typed.len] = 0;
		end = memchr(typed.data ? typed.data : "", 0, typed.len)
			      ? command_usage("what was given as the token has "
					      "a zero byte in it")
			      : take(entry, typed.data ? typed.data : "", NULL);
	}
	if (typed.data)
		explicit_bzero(typed.data, typed.size);
	buf_done(&typed);
	return end;
}

enum command_exit login_typed(const struct config *config, const char *name,
			      bool from_input, struct sign_in *ret)
{
	struct entry entry = {
		.config = config,
		.sign_in = ret,
		.terminal = -1,
		.is_named = name != NULL,
		.name = name ? login_form_name(name) : NULL,
	};
	enum command_exit end;

	/* Before git is written to, too. */
	daemon_harden();
	if (!from_input)
		entry.terminal = ask_open();
	if (from_input)
		end = read_token(&entry);
	else if (entry.terminal < 0)
		end = command_usage("there is no terminal to ask at: give "
				    "the token with login --with-token < "
				    "FILE, an API token with "
				    "--email=ADDRESS besides");
	else
		end = ask_all(&entry);
	file_close(entry.terminal);
	free(entry.name);
	return end;
}
