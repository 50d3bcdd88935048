/*
 * cmd/login/logout: all that this program has of this user, taken away.
 *
 * Owns what that is. Must never know what is in it.
 */
#ifndef CMD_LOGOUT_H
#define CMD_LOGOUT_H

#include "cmd/remote.h"

#define LOGOUT_NOBODY "Nobody has signed in by bitbucketfs login."

/* User units, sign-ins, caches of all profiles, sockets, and if --config says
 * so the configuration. A mount that no unit ends is named first, and nothing
 * is removed then. Each thing is said. */
enum command_exit logout_all(struct remote *, const struct command_line *);

#endif
