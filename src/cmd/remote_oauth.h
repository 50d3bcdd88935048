/*
 * cmd/remote_oauth: the credential of an OAuth consumer, of what is
 * configured and of what login keeps.
 */
#ifndef CMD_REMOTE_OAUTH_H
#define CMD_REMOTE_OAUTH_H

#include "cmd/remote.h"

/* The configuration has a consumer's secret: it acts by itself. */
bool remote_oauth_is_configured(const struct config *);
/* It has a consumer, and no other way; without a sign-in that is nobody, who
 * is asked to sign in. */
bool remote_oauth_is_wanted(const struct config *);
enum command_exit remote_oauth_sign_in_first(const struct config *);
/* Both say why they failed. */
enum command_exit remote_oauth_configured(struct remote *);
/* login keeps a consumer's secret, and tokens beside it. */
enum command_exit remote_oauth_kept(struct remote *);

#endif
