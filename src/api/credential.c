/*
 * api/credential: all that is derived from the secret is made once, at the
 * start, and wiped at the end.
 */
#include "api/credential_private.h"

#include "base/digest.h"
#include "base/log.h"

/* Git over HTTPS wants these fixed names, never the e-mail (src/api/README.md,
 * 1). */
#define GIT_USER_API_TOKEN "x-bitbucket-api-token-auth"
#define GIT_USER_ACCESS_TOKEN "x-token-auth"

struct credential {
	enum credential_kind kind;
	char *label; /* the e-mail or user name; "access-token", "anonymous" */
	char *token;
	char *rest, *git; /* NULL: anonymous */
	struct credential_rows *rows;
};

static void wipe(char *secret)
{
	if (!secret)
		return;
	explicit_bzero(secret, strlen(secret));
	free(secret);
}

static char *basic(const char *user, const char *token)
{
	char *pair = xasprintf("%s:%s", user, token);
	char *coded, *value;

	digest_base64(pair, strlen(pair), &coded);
	wipe(pair);
	log_redact(coded);
	value = xasprintf("Basic %s", coded);
	wipe(coded);
	return value;
}

static bool has_control(const char *s)
{
	for (; s && *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			return true;
	return false;
}

static const char *given(const char *s)
{
	return s && *s ? s : NULL;
}

/* The token of an account; access tokens begin otherwise (src/api/README.md,
 * 1). */
static bool is_api_token(const char *token)
{
	return token && !strncmp(token, "ATAT", 4);
}

static const char *what_is_wrong(const char *email, const char *username,
				 const char *token)
{
	if (has_control(email) || has_control(username))
		return "the e-mail or user name has a control character in it";
	if (has_control(token))
		return "the token has a control character (a line end?) in it";
	if (email && !token)
		return "there is an e-mail but no token";
	if (username && !token)
		return "there is a user name but no token";
	if (email && strchr(email, ':'))
		return "the e-mail has a colon in it";
	if (username && strchr(username, ':'))
		return "the user name has a colon in it";
	return NULL;
}

int credential_new(const char *email, const char *username, const char *token,
		   struct credential **ret_credential, const char **ret_why)
{
	cleanup(credential_free) struct credential *c = xcalloc(1, sizeof(*c));
	const char *why;

	email = given(email);
	username = given(username);
	token = given(token);
	why = what_is_wrong(email, username, token);
	if (why) {
		*ret_why = why;
		return -EINVAL;
	}
	if (is_api_token(token) && !email) {
		*ret_why = "this is an API token (it begins with ATAT), which "
			   "Bitbucket takes only together with the e-mail of "
			   "the Atlassian account: set BITBUCKETFS_EMAIL, or "
			   "email in the configuration";
		return -EACCES;
	}
	c->rows = credential_rows_new();
	if (!token) {
		c->kind = CREDENTIAL_ANONYMOUS;
		c->label = xstrdup("anonymous");
		*ret_credential = steal(&c);
		return 0;
	}
	c->token = xstrdup(token);
	log_redact(token);
	if (email) {
		c->kind = CREDENTIAL_API_TOKEN;
		c->label = xstrdup(email);
		c->rest = basic(email, token);
		c->git = basic(GIT_USER_API_TOKEN, token);
	} else if (username) {
		c->kind = CREDENTIAL_BASIC;
		c->label = xstrdup(username);
		c->rest = basic(username, token);
		c->git = xstrdup(c->rest);
	} else {
		c->kind = CREDENTIAL_ACCESS_TOKEN;
		c->label = xstrdup("access-token");
		c->rest = xasprintf("Bearer %s", token);
		c->git = basic(GIT_USER_ACCESS_TOKEN, token);
	}
	*ret_credential = steal(&c);
	return 0;
}

struct credential *credential_free(struct credential *c)
{
	if (!c)
		return NULL;
	credential_rows_free(c->rows);
	wipe(c->token);
	wipe(c->rest);
	wipe(c->git);
	free(c->label);
	free(c);
	return NULL;
}

enum credential_kind credential_kind(const struct credential *c)
{
	return c->kind;
}

const char *credential_label(const struct credential *c)
{
	return c->label;
}

const char *credential_rest(const struct credential *c)
{
	return c->rest;
}

const char *credential_git(const struct credential *c)
{
	return c->git;
}

char *credential_identity(const struct credential *c, const void *key,
			  size_t n_key)
{
	char hex[65];

	switch (c->kind) {
	case CREDENTIAL_ANONYMOUS:
		return xstrdup("anonymous");
	case CREDENTIAL_API_TOKEN:
		return xasprintf("email:%s", c->label);
	case CREDENTIAL_BASIC:
		return xasprintf("user:%s", c->label);
	case CREDENTIAL_ACCESS_TOKEN:
		break;
	}
	digest_hmac_sha256_hex(key, n_key, c->token, strlen(c->token), hex);
	return xasprintf("token:%s", hex);
}

const char *credential_hint(const struct credential *c)
{
	switch (c->kind) {
	case CREDENTIAL_ANONYMOUS:
		return "nobody is signed in: set BITBUCKETFS_EMAIL and "
		       "BITBUCKETFS_TOKEN to an API token with scopes";
	case CREDENTIAL_API_TOKEN:
		return "the API token is wrong, expired or revoked, or the "
		       "e-mail is not that of the Atlassian account it "
		       "belongs to; make a new one at id.atlassian.com "
		       "(Create API token with scopes, app Bitbucket)";
	case CREDENTIAL_BASIC:
		return "Bitbucket removed app passwords on 2026-07-28: make an "
		       "API token with scopes at id.atlassian.com and give it "
		       "with the e-mail of the Atlassian account "
		       "(BITBUCKETFS_EMAIL), not with the user name";
	case CREDENTIAL_ACCESS_TOKEN:
		break;
	}
	return "the access token is wrong, expired or revoked; if it is an API "
	       "token (it begins with ATAT), give the e-mail of the Atlassian "
	       "account with it (BITBUCKETFS_EMAIL)";
}

struct credential_rows *credential_rows(const struct credential *c)
{
	return c->kind == CREDENTIAL_ANONYMOUS ? NULL : c->rows;
}
