/*
 * api/oauth: the two pages of OAuth 2.0, where a consumer is given tokens
 * (src/api/README.md, 22).
 *
 * Owns what is asked there and what an answer means. Must never know where
 * tokens are kept, or when new ones are wanted. What it is given and gives is
 * secret, but for the consumer's id: it is registered with log_redact, and in
 * no sentence.
 */
#ifndef API_OAUTH_H
#define API_OAUTH_H

#include "base/ctx.h"
#include "wire/http.h"

struct oauth_consumer {
	const char *url; /* "https://bitbucket.org/site/oauth2" */
	const char *id, *secret;
};
enum oauth_grant {
	OAUTH_CODE,    /* what the callback was given */
	OAUTH_REFRESH, /* a refresh token, which is then good no more */
	OAUTH_CLIENT,  /* nothing: the consumer acts for who made it */
};
/* Owned, wiped by oauth_tokens_done. */
struct oauth_tokens {
	char *access;
	char *refresh; /* NULL: none came, the one before stays */
	int64_t lifetime_s;
	int64_t pause_s; /* of a failure: so long the service wants to be left
			  * alone; 0: it did not say */
};
void oauth_tokens_done(struct oauth_tokens *);
DEFINE_CLEANUP_DONE(struct oauth_tokens, oauth_tokens_done);

/*
 * One POST, never repeated: a refresh token may have been used up though its
 * answer did not come. given: the code or the refresh token, or NULL; callback:
 * of a code, what the browser was sent with.
 *
 * -EKEYREJECTED: what was given is not taken, or a consumer that is not private
 * wants to act by itself · -EACCES: the consumer, its id or its secret is not
 * known · -EBADMSG: an answer that is none · -EDQUOT, -EIO: the service is busy
 * or broken · as http_perform; each with a sentence.
 */
int oauth_ask(struct ctx *, struct http *, const struct oauth_consumer *,
	      enum oauth_grant, const char *given, const char *callback,
	      struct oauth_tokens *ret_tokens);
/* Where a browser is sent; free it. No secret is in it. */
char *oauth_page(const struct oauth_consumer *, const char *callback,
		 const char *state);

#endif
