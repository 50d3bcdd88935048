/*
 * cmd/login/login_typed: a token, asked for at the terminal or read from
 * standard input, with what has to be known before it can be typed.
 *
 * Owns what is said of where a token is made. Must never know whether it is
 * good.
 */
#ifndef CMD_LOGIN_TYPED_H
#define CMD_LOGIN_TYPED_H

#include "cmd/command.h"
#include "setup/config.h"
#include "setup/sign_in.h"

/* name: what is known of whose it is, or NULL. What it cannot be is said:
 * COMMAND_USAGE; COMMAND_FAILED where nobody typed it, or it is of a kind that
 * the service takes no more. */
enum command_exit login_typed(const struct config *, const char *name,
			      bool from_input, struct sign_in *ret);

#endif
