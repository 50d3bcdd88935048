/*
 * cmd/login/login_oauth: the part of login in which a consumer of the user's
 * own is given its tokens, for a code that a browser brings or by itself.
 *
 * Must never know where a consumer's secret is kept.
 */
#ifndef CMD_LOGIN_OAUTH_H
#define CMD_LOGIN_OAUTH_H

#include "cmd/remote.h"
#include "setup/sign_in.h"

#include "base/json.h"

struct oauth_callback;
struct oauth_kept;

/* Begins as {0}. */
struct login_oauth {
	struct oauth_callback *callback; /* NULL: no browser waits */
	struct oauth_kept *tokens;       /* NULL: no OAuth */
};

/* Whether login is asked for that. */
bool login_oauth_is_wanted(const struct command_line *);
/* Makes remote's credential and the sign-in, and says what the user has to do.
 * COMMAND_SIGN_IN: the service refused. */
enum command_exit login_oauth_get(struct login_oauth *, struct remote *,
				  const struct command_line *,
				  struct sign_in *ret);
/* What was given, beside the sign-in that is kept next; nothing where it is of
 * another kind. */
enum command_exit login_oauth_keep(const struct login_oauth *,
				   const struct remote *);
/* Tells the browser how it ended. */
void login_oauth_done(struct login_oauth *, enum command_exit);

#endif
