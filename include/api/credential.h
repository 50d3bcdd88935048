/*
 * api/credential: the secret, turned into what each door needs.
 *
 * Owns which kind a pair of strings is (src/api/README.md, 1: an API token is
 * Basic with the e-mail for REST and x-bitbucket-api-token-auth for git; an
 * access token is Bearer for REST and x-token-auth for git), and whether it may
 * be sent: refused often, the account is locked until somebody solves a captcha
 * (src/api/README.md, 3). Must never know FUSE or the cache. Its strings are
 * registered with log_redact and wiped when freed.
 */
#ifndef API_CREDENTIAL_H
#define API_CREDENTIAL_H

#include "base/ctx.h"

enum credential_kind {
	CREDENTIAL_ANONYMOUS,
	CREDENTIAL_API_TOKEN, /* e-mail + token */
	CREDENTIAL_BASIC,     /* user name + token: plain Basic, REST and git */
	CREDENTIAL_ACCESS_TOKEN, /* token alone */
};
struct credential;
/* NULL or "" means not given; e-mail wins over user name. With a sentence in
 * *ret_why (static): -EINVAL for what cannot be (an e-mail or user name without
 * a token, control bytes, a colon in a user name), -EACCES for what the service
 * is known to refuse (an API token, told by its prefix, without an e-mail). */
int credential_new(const char *email, const char *username, const char *token,
		   struct credential **ret_credential, const char **ret_why);
struct credential *credential_free(struct credential *);
DEFINE_CLEANUP(struct credential *, credential_free);

enum credential_kind credential_kind(const struct credential *);
/* "ada@example.com", "ada", "access-token", "anonymous": no secret in it. */
const char *credential_label(const struct credential *);
/* Whole values of the Authorization header; NULL: none. */
const char *credential_rest(const struct credential *);
const char *credential_git(const struct credential *);
/* What names this account before the service was asked: "email:…", "user:…",
 * "anonymous", or "token:" and an HMAC-SHA-256 under key (a random value kept
 * in the cache directory). Free it. */
char *credential_identity(const struct credential *, const void *key,
			  size_t n_key);
/* One sentence for people whose credential got a 401: what may be wrong with
 * this kind and what to do (app passwords are gone since 2026-07-28; the user
 * name was given where the e-mail belongs; the token ran out …). Static. */
const char *credential_hint(const struct credential *);

/*
 * Each door asks before it sends the credential and tells what the answer's
 * status was. After three 401 in a row at a door, or one where the other door
 * has had one, too, the credential is not sent there for a minute, then once a
 * minute until a 2xx or 3xx comes; the background stops at the first. An
 * urgent ctx may try once a minute besides. What other statuses say of a
 * credential nobody knows: they change nothing. From any thread.
 */
enum credential_door {
	CREDENTIAL_REST,
	CREDENTIAL_GIT,
};
#define CREDENTIAL_DOORS 2
/* 0, and it may be sent now; -EACCES with the sentence that says what to do and
 * until when. ctx->refused is set where that is of ctx's class. */
int credential_admit(struct ctx *, const struct credential *,
		     enum credential_door);
/* The same for who joins what others began: promises nothing. */
int credential_look(struct ctx *, const struct credential *,
		    enum credential_door);
void credential_heard(const struct credential *, enum credential_door,
		      long status);
/* Somebody signed in anew: it may be sent at once. */
void credential_renewed(const struct credential *);

#endif
