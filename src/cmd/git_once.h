/*
 * cmd/git_once: git's part of the service is asked for one repository, and
 * nothing is asked again: a credential that is refused has been sent once.
 *
 * Must never know what is done with what comes of it.
 */
#ifndef CMD_GIT_ONCE_H
#define CMD_GIT_ONCE_H

#include "cmd/remote.h"

#include "wire/http.h"

/* Over HTTPS, for the advertisement of WORKSPACE/REPOSITORY. as: with the
 * remote's credential, which a mirror is not to be shown. One request to git,
 * none to the API. 0, or -errno and a sentence as link_http_new says. Waits. */
int git_once(struct ctx *, const struct remote *, struct http *,
	     const char *repository, bool as);

#endif
