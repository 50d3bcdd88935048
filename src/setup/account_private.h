/*
 * setup/account inside: what its files share.
 */
#ifndef SETUP_ACCOUNT_PRIVATE_H
#define SETUP_ACCOUNT_PRIVATE_H

#include "setup/account.h"

/* In the map, in the place of what was there; name NULL: it is forgotten. */
int account_remember(const struct account *, const char *name);
#define ACCOUNT_KEY_BYTES 32 /* of the map */

/* Whether an account's directory may have that name. */
bool account_is_name(const char *name);
/* A descriptor of an account's directory with its flock(2), or -errno; -EBUSY:
 * LOCK_NB, and it is held. */
int account_open_locked(const char *dir, int how);
/* Gives an account's directory a name that says that it is to go. */
int account_set_aside(const char *dir);
/* Removes what has such a name, also that of somebody who was killed. 0 or the
 * first -errno. */
int account_sweep(const char *host_dir);

#endif
