/*
 * cmd/login/login_consumer: which OAuth consumer one signs in with, and its
 * secret.
 *
 * Must never know what they are good for.
 */
#ifndef CMD_LOGIN_CONSUMER_H
#define CMD_LOGIN_CONSUMER_H

#include "cmd/command.h"
#include "setup/config.h"

/* Says how one is made, where its key is asked for, which goes into the
 * configuration. The secret: text_wipe it. */
enum command_exit login_consumer_ask(struct config *,
				     const struct command_line *,
				     char **ret_secret);
/* What its callback has to be: "http://localhost:34117/". Free it. */
char *login_consumer_callback(const struct config *);

#endif
