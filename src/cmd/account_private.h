/*
 * cmd/account inside: what its files share.
 */
#ifndef CMD_ACCOUNT_PRIVATE_H
#define CMD_ACCOUNT_PRIVATE_H

#include "cmd/account.h"

/* In the map, in the place of what was there; name NULL: it is forgotten. */
int account_remember(const struct account *, const char *name);
/* Goes on with a removal in the middle of which somebody was killed. */
void account_sweep(const char *host_dir);

#endif
