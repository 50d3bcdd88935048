/*
 * setup/keyring: how bitbucketfs-keyring ends, for it and for who runs it.
 */
#ifndef SETUP_KEYRING_END_H
#define SETUP_KEYRING_END_H

enum keyring_end {
	KEYRING_GOOD = 0,
	KEYRING_FAILED = 1, /* a reason is on standard output */
	KEYRING_USAGE = 2,
	KEYRING_NONE = 3,   /* it has no such secret */
	KEYRING_LOCKED = 4, /* and nobody may be asked to unlock it */
	KEYRING_ABSENT = 5, /* no bus, or nobody there who has secrets */
};

#endif
