/*
 * setup/sign_in: what `login` keeps, one sign-in a profile and host of the
 * API.
 *
 * Owns where that is: a file of this user's, 0600, below the XDG state
 * directory (bitbucketfs/sign-in/HOST, or HOST@PROFILE), and what is in it; the
 * secret is in the desktop's keyring, where there is one, else in the file.
 * Must never know whether a sign-in is good. What options, environment or
 * configuration give wins over a sign-in; see remote_read_credential.
 */
#ifndef SETUP_SIGN_IN_H
#define SETUP_SIGN_IN_H

#include "api/credential.h"

enum sign_in_kind {
	SIGN_IN_API_TOKEN,    /* email, token */
	SIGN_IN_BASIC,        /* username, token */
	SIGN_IN_ACCESS_TOKEN, /* token */
	SIGN_IN_OAUTH_CLIENT, /* username: the consumer's id, token: its secret
			       */
	SIGN_IN_OAUTH_CODE,   /* the same */
};
#define SIGN_IN_KINDS 5
/* For people: "API token", "user name and secret" … */
const char *sign_in_kind_name(enum sign_in_kind);

/* Strings are owned; those that the kind has not are NULL. */
struct sign_in {
	enum sign_in_kind kind;
	char *email, *username, *token;
	char *where;     /* for people; set by read and write */
	bool in_keyring; /* set by read and write */
	/* For write: the secret is to be in the file in any case. */
	bool in_file;
	char *note; /* of write: why it is not in the keyring, or NULL */
};
void sign_in_done(struct sign_in *); /* wipes the token */
DEFINE_CLEANUP_DONE(struct sign_in, sign_in_done);
/* Whether both are one account's, as far as can be told without asking: of two
 * access tokens only when they are the same. */
bool sign_in_is_same_account(const struct sign_in *, const struct sign_in *);

/*
 * All of these return 0 or -errno with a sentence in ctx, and may wait for the
 * keyring (setup/keyring), whose -EACCES is theirs. profile: NULL and
 * "" are the one without a name. -EPERM: the file is not this user's alone;
 * -EBADMSG: it is not what write has written.
 */
/* -ENOENT: there is none. */
int sign_in_read(struct ctx *, const char *profile, const char *api_url,
		 struct sign_in *ret);
/* In the place of the one that there is, which stays until this one is on the
 * disk. Sets where. */
int sign_in_write(struct ctx *, const char *profile, const char *api_url,
		  struct sign_in *);
/* Before it the tokens that OAuth gave (setup/oauth_kept). -ENOENT: there
 * was none. While the keyring cannot be asked it stays, and so does the secret.
 */
int sign_in_erase(struct ctx *, const char *profile, const char *api_url);
/* Held by who changes what is kept, as long as the descriptor is open: no other
 * login asks meanwhile. -EBUSY: another one does. */
int sign_in_lock(struct ctx *);
/* The file's path. Free it. */
int sign_in_path(const char *profile, const char *api_url, char **ret_path);

/* Reads it now and makes a source of it, which reads it again when a secret was
 * refused, and passes over another account's. Of API token, user name and
 * access token; -EOPNOTSUPP of the others. *ret_where (free it): for people. */
int sign_in_source_new(struct ctx *, const char *profile, const char *api_url,
		       struct credential_source *ret, char **ret_where);

#endif
