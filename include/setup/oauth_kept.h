/*
 * setup/oauth_kept: what an OAuth sign-in has been given, which changes
 * every hour.
 *
 * Owns where that is: a file of this user's, 0600, below the XDG state
 * directory (bitbucketfs/oauth/HOST, or HOST@PROFILE), what is in it, and the
 * lock by which one process at a time asks for new tokens. It is not in a
 * keyring, which may be locked in the moment in which a token was used up. Must
 * never know the network.
 */
#ifndef SETUP_OAUTH_KEPT_H
#define SETUP_OAUTH_KEPT_H

#include "base/ctx.h"
#include "base/mem.h"

/* An account begins so of a consumer that acts by itself. */
#define OAUTH_BY_ITSELF "client:"

/* Strings are owned; NULL: none. */
struct oauth_kept {
	char *consumer; /* the id of the one that they were given to */
	char *account;  /* credential_secret's: whose they are */
	char *name;     /* the same for people */
	char *access;
	int64_t until_s; /* the wall clock's: the access token's end */
	int64_t lifetime_s;
	char *refresh;
	char *before; /* the refresh token that refresh came for */
};
void oauth_kept_done(struct oauth_kept *); /* wipes the tokens */
DEFINE_CLEANUP_DONE(struct oauth_kept, oauth_kept_done);

/* All of these return 0 or -errno with a sentence in ctx. profile: NULL
 * or "" is the one without a name. */
int oauth_kept_path(struct ctx *, const char *profile, const char *api_url,
		    char **ret_path);
/* -ENOENT: there is none; -EPERM: it is not this user's alone; -EBADMSG: it is
 * not what write has written. */
int oauth_kept_read(struct ctx *, const char *path, struct oauth_kept *ret);
/* In the place of what there is, which stays until this is on the disk. */
int oauth_kept_write(struct ctx *, const char *path, const struct oauth_kept *);
/* With its lock file. That there is none is fine. */
int oauth_kept_erase(struct ctx *, const char *path);
/* A descriptor; closed, it lets go. It waits until ctx's end, or -EBUSY after
 * half a minute. Makes the directory. */
int oauth_kept_lock(struct ctx *, const char *path);
/* False: it was erased since, and nothing may be written in its place. */
bool oauth_kept_is_locked(int fd, const char *path);

#endif
