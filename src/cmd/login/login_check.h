/*
 * cmd/login/login_check: what a credential may see, by one request a scope, and
 * what of the mount each one that it lacks would show.
 *
 * Must never know where the credential came from.
 */
#ifndef CMD_LOGIN_CHECK_H
#define CMD_LOGIN_CHECK_H

#include "cmd/remote.h"

/* After remote_build. At most nine requests. Good when none of the six scopes
 * is missing that login recommends; COMMAND_SIGN_IN where the credential was
 * refused. */
enum command_exit login_check(struct remote *);

#endif
