/*
 * setup/keyring: the desktop's keyring, by a program of its own
 * (bitbucketfs-keyring), so that no other process links what that needs. A
 * secret goes through pipes alone.
 *
 * Owns whether somebody may be asked to unlock it: only where standard error is
 * a terminal and there is a display. Must never know what a secret is for.
 */
#ifndef SETUP_KEYRING_H
#define SETUP_KEYRING_H

#include "base/ctx.h"

/*
 * All of them take 3 s at most, or 2 minutes where somebody may be asked. 0, or
 * with a sentence: -EOPNOTSUPP there is no keyring here; -ENOENT it has no such
 * secret; -EACCES it is locked, does not answer, or failed. -EINTR and
 * -ETIMEDOUT as ctx_check. The profile may be NULL.
 */
int keyring_get(struct ctx *, const char *host, const char *profile,
		char **ret_secret); /* wipe it (text_wipe) */
int keyring_put(struct ctx *, const char *host, const char *profile,
		const char *secret);
int keyring_erase(struct ctx *, const char *host, const char *profile);
/* Those of all hosts and profiles. */
int keyring_erase_all(struct ctx *);

#endif
