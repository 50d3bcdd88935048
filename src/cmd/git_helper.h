/*
 * cmd/git_helper: this program as a helper of git's (gitcredentials(7)),
 * and what git has of others.
 *
 * Owns the value in git's global configuration by which git asks this program.
 * Must never know what is answered.
 */
#ifndef CMD_GIT_HELPER_H
#define CMD_GIT_HELPER_H

#include "cmd/command.h"

#include "base/ctx.h"

/* Set in the environment of a git whose answer is to be without this program's.
 */
#define GIT_HELPER_ASKED "BITBUCKETFS_ASKS_GIT"

/* What is done, or why it was not, is said. The profile may be NULL. */
enum command_exit git_helper_install(const char *url, const char *profile);
/* Only why it was not is said. */
enum command_exit git_helper_uninstall(const char *url, bool *ret_was_there);

/* The same for every URL that git has this program for; without git there is
 * none. */
enum command_exit git_helper_uninstall_all(bool *ret_was_there);

/* What git has for the host of a URL, of its other helpers; nobody is asked
 * anything. 0 and what to wipe (text_wipe) and free (the name, or NULL); else
 * -errno: -ENOENT it has nothing, or git is not installed. Takes 5 s at most.
 * SIGPIPE has to be ignored. */
int git_helper_others(struct ctx *, const char *git_url, char **ret_name,
		      char **ret_secret);

#endif
