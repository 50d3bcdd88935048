/*
 * setup/oauth_source: the source of a credential that an OAuth consumer is
 * given, and that is given anew as it ends.
 *
 * Owns when new tokens are asked for, by whom (one of all processes that share
 * the sign-in: the others take what it brought), and that a refresh token,
 * which is good once, is not lost. Must never know how one signs in.
 */
#ifndef SETUP_OAUTH_SOURCE_H
#define SETUP_OAUTH_SOURCE_H

#include "api/credential.h"
#include "api/oauth.h"

struct oauth_source;
struct oauth_source_config {
	const char *profile, *api_url;  /* where the tokens are kept */
	struct oauth_consumer consumer; /* copied, as all texts here */
	/* It acts by itself, for who made it; else refresh tokens are kept,
	 * which login got for a code. */
	bool by_itself;
};
/* Reads what is kept; waits for nothing. *ret_self lives as long as the
 * source. 0; -EACCES: nobody has signed in with this consumer; -errno; with a
 * sentence. */
int oauth_source_new(struct ctx *, const struct oauth_source_config *,
		     struct credential_source *ret,
		     struct oauth_source **ret_self);
/* From now on it may ask. Until then it gives what it has, be it too old. The
 * client stays the caller's, until the credential's last use. */
void oauth_source_use(struct oauth_source *, struct http *);
/* The service takes nothing that is kept: somebody has to sign in. */
bool oauth_source_is_refused(struct oauth_source *);

#endif
