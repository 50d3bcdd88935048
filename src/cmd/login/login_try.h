/*
 * cmd/login/login_try: a credential is tried where it will be used, at the API
 * and at git, side by side.
 *
 * Owns which repository git is asked for: the first that is found. Must never
 * know where the credential came from.
 */
#ifndef CMD_LOGIN_TRY_H
#define CMD_LOGIN_TRY_H

#include "cmd/who.h"

struct login_try {
	struct json *answer; /* of who_ask */
	enum {
		LOGIN_GIT_UNTRIED, /* sentence says why */
		LOGIN_GIT_GOOD,
		LOGIN_GIT_BAD, /* sentence says how */
	} git;
	char *repository; /* "acme/widgets", that git was asked for; or NULL */
	char sentence[512];
};
void login_try_done(struct login_try *);
DEFINE_CLEANUP_DONE(struct login_try, login_try_done);

/* After remote_build. How the API ended, which is said where it is bad; git's
 * end is in ret. */
enum command_exit login_try(struct remote *, struct login_try *ret);

#endif
