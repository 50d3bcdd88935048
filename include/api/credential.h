/*
 * api/credential: the secret, turned into what each door needs.
 *
 * Owns which kind a pair of strings is (src/api/README.md, 1: an API token is
 * Basic with the e-mail for REST and x-bitbucket-api-token-auth for git; an
 * access token, of OAuth too, is Bearer for REST and x-token-auth for git), and
 * whether it may
 * be sent: refused often, the account is locked until somebody solves a captcha
 * (src/api/README.md, 3). A source is asked for the secret at each use, because
 * it may change while the mount lives. Must never know FUSE or the cache, or
 * how a source comes by a secret. Its strings are registered with log_redact
 * and wiped when freed.
 */
#ifndef API_CREDENTIAL_H
#define API_CREDENTIAL_H

#include "base/ctx.h"
#include "wire/http.h"

enum credential_kind {
	CREDENTIAL_ANONYMOUS,
	CREDENTIAL_API_TOKEN, /* e-mail + token */
	CREDENTIAL_BASIC,     /* user name + token: plain Basic, REST and git */
	CREDENTIAL_ACCESS_TOKEN, /* token alone */
	CREDENTIAL_OAUTH, /* account: of a consumer, renewed as it ends */
};
/* What a source gives: owned, wiped by credential_secret_done. */
struct credential_secret {
	/* NULL or "": not given; an e-mail wins over a user name */
	char *email, *username, *token;
	/* Whose OAuth token it is, in the source's words; NULL: no such. The
	 * token may be missing where it is not sent, and the user name is for
	 * people. */
	char *account;
	uint64_t version; /* larger for each later secret */
};
void credential_secret_done(struct credential_secret *);
DEFINE_CLEANUP_DONE(struct credential_secret, credential_secret_done);

/*
 * Where the secret comes from. All that a source gives is of one account.
 */
struct credential_source {
	/* The secret of now. From any thread, which holds no lock; it may wait
	 * (for a program, for the network). 0, or -errno and a sentence. */
	int (*get)(void *arg, struct ctx *, struct credential_secret *ret);
	/* Bitbucket refused this version, and it is still what get gives:
	 * brings another one. 0, whether there is one or not, or -errno and a
	 * sentence. One thread at a time: whoever was refused with the same
	 * version waits for it. NULL: nothing can be done. */
	int (*renew)(void *arg, struct ctx *, uint64_t version);
	void (*free)(void *arg);
	void *arg;
};

struct credential;
/* Asks the source once, for what stays as it is: the label. The source is freed
 * with the credential, also when there is none to return. -EINVAL, -EACCES as
 * below and the source's own errno, with a sentence in ctx. */
int credential_new_from(struct ctx *, const struct credential_source *,
			struct credential **ret_credential);
/* From strings that never change. NULL or "" means not given. With a sentence
 * in *ret_why (static): -EINVAL for what cannot be (an e-mail or user name
 * without a token, control bytes, a colon in a user name), -EACCES for what the
 * service is known to refuse (an API token, told by its prefix, without an
 * e-mail). */
int credential_new(const char *email, const char *username, const char *token,
		   struct credential **ret_credential, const char **ret_why);
struct credential *credential_free(struct credential *);
DEFINE_CLEANUP(struct credential *, credential_free);

/* The source becomes another's, of the same account, from the next request on:
 * somebody signed in anew, or out. other is freed. Nothing that was refused is
 * held against what comes now. */
void credential_become(struct credential *, struct credential *other);

/* Its secret is gone: each use is -EACCES with that sentence. */
void credential_lose(struct credential *, const char *why);

/* Of the secret that the source gave last. */
enum credential_kind credential_kind(const struct credential *);
/* "ada@example.com", "ada", "access-token", "anonymous": no secret in it. */
const char *credential_label(const struct credential *);
/* What names this account before the service was asked: "email:…", "user:…",
 * "oauth:…" (without asking the source), "anonymous", or "token:" and an
 * HMAC-SHA-256 under key (a random value kept in the cache directory). Free it.
 * Fails as the source does. */
int credential_identity(struct ctx *, const struct credential *,
			const void *key, size_t n_key, char **ret_identity);
/* What git's own programs sign in with, as user name and token (both NULL:
 * nobody is signed in); the e-mail stays NULL. Not counted as sent. Fails as
 * the source does. */
int credential_for_git(struct ctx *, const struct credential *,
		       struct credential_secret *ret);
/* One sentence for people whose credential got a 401: what may be wrong with
 * this kind and what to do (app passwords are gone since 2026-07-28; the user
 * name was given where the e-mail belongs; the token ran out …). Static. */
const char *credential_hint(const struct credential *);

/*
 * Each door asks before each request and tells what the answer's status was.
 * After three 401 in a row at a door, or one where the other door has had one,
 * too, the credential is not sent there for a minute, then once a minute until
 * a 2xx or 3xx comes; the background stops at the first. An urgent ctx may try
 * once a minute besides, and a secret that was never refused may be tried at
 * any time. What other statuses say of a credential nobody knows: they change
 * nothing. From any thread.
 */
enum credential_door {
	CREDENTIAL_REST,
	CREDENTIAL_GIT,
};
#define CREDENTIAL_DOORS 2
/* 0: what this request is sent with (value NULL: nobody is signed in). -EACCES
 * with the sentence that says what to do and until when; ctx->refused is set
 * where that is of ctx's class. Otherwise as the source fails. */
int credential_authorize(struct ctx *, struct credential *,
			 enum credential_door, struct http_authorization *ret);
/* Whether the next one would be authorized, for who joins what others began:
 * promises nothing. */
int credential_look(struct ctx *, struct credential *, enum credential_door);
void credential_heard(struct credential *, enum credential_door,
		      const struct http_authorization *, long status);
/* After a 401 to a request sent with that: 1 when another secret is there by
 * now, so that the request can be made once more; 0 when there is none, and
 * nothing would change; -errno as the source fails, or as flight_join. */
int credential_renew(struct ctx *, struct credential *,
		     const struct http_authorization *);

#endif
