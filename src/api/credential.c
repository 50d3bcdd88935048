/*
 * api/credential: what a door is told is made of the source's secret for each
 * request, and wiped after it. Only the label is kept: the account does not
 * change.
 *
 * A source may be replaced while others ask it, so it is counted. Versions go
 * on: those of the source after it begin beyond all that were told.
 */
#include "api/credential_private.h"

#include "store/flight.h"

#include "base/digest.h"
#include "base/log.h"
#include "base/text.h"

#include <inttypes.h>

/* Git over HTTPS wants these fixed names, never the e-mail (src/api/README.md,
 * 1). */
#define GIT_USER_API_TOKEN "x-bitbucket-api-token-auth"
#define GIT_USER_ACCESS_TOKEN "x-token-auth"

/* For so long a source that had no other secret is not asked again about the
 * same one: a 401 comes to all requests that are under way. */
#define NO_OTHER_MS 2000

struct held {
	struct refcount refcount;
	struct credential_source source;
	uint64_t before; /* versions of the sources before it */
};

struct sources {
	struct mutex lock;
	struct held *now under_lock;
	atomic_uint_fast64_t newest; /* version that was told */
};

struct credential {
	struct sources *sources;
	char *label; /* the e-mail or user name; "access-token", "anonymous" */
	char *account;           /* of OAuth; NULL */
	atomic_int kind;         /* enum credential_kind */
	struct flight *renewals; /* by the version that was refused */
	struct credential_rows *rows;
};

void credential_secret_done(struct credential_secret *secret)
{
	text_wipe(secret->token);
	free(secret->email);
	free(secret->username);
	free(secret->account);
	*secret = (struct credential_secret){0};
}

static char *basic(const char *user, const char *token)
{
	char *pair = mem_asprintf("%s:%s", user, token);
	char *coded, *value;

	digest_base64(pair, strlen(pair), &coded);
	text_wipe(pair);
	log_redact(coded);
	value = mem_asprintf("Basic %s", coded);
	text_wipe(coded);
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

/* A name is shown, in sentences and as the source of a mount. */
static bool is_some_token(const char *name)
{
	return is_api_token(name) || (name && (!strncmp(name, "ATCT", 4) ||
					       !strncmp(name, "ATBB", 4)));
}

/* 0, -EINVAL or -EACCES as credential_new. */
static int check_secret(const struct credential_secret *secret,
			const char **ret_why)
{
	const char *email = given(secret->email);
	const char *username = given(secret->username);
	const char *token = given(secret->token);
	const char *why = NULL;

	if (secret->account)
		return 0;
	if (has_control(email) || has_control(username))
		why = "the e-mail or user name has a control character in it";
	else if (has_control(token))
		why = "the token has a control character (a line end?) in it";
	else if (is_some_token(email) || is_some_token(username))
		why = "there is a token in the place of the e-mail or user "
		      "name: are the two exchanged?";
	else if (email && !token)
		why = "there is an e-mail but no token";
	else if (username && !token)
		why = "there is a user name but no token";
	else if (email && strchr(email, ':'))
		why = "the e-mail has a colon in it";
	else if (username && strchr(username, ':'))
		why = "the user name has a colon in it";
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
	return 0;
}

static enum credential_kind kind_of(const struct credential_secret *secret)
{
	if (secret->account)
		return CREDENTIAL_OAUTH;
	if (!given(secret->token))
		return CREDENTIAL_ANONYMOUS;
	if (given(secret->email))
		return CREDENTIAL_API_TOKEN;
	return given(secret->username) ? CREDENTIAL_BASIC
				       : CREDENTIAL_ACCESS_TOKEN;
}

static const char *label_of(const struct credential_secret *secret)
{
	switch (kind_of(secret)) {
	case CREDENTIAL_ANONYMOUS:
		return "anonymous";
	case CREDENTIAL_API_TOKEN:
		return secret->email;
	case CREDENTIAL_BASIC:
		return secret->username;
	case CREDENTIAL_OAUTH:
		return secret->username ? secret->username : "oauth";
	case CREDENTIAL_ACCESS_TOKEN:
		break;
	}
	return "access-token";
}

/* NULL: nobody is signed in. */
static const char *git_user(const struct credential_secret *secret)
{
	switch (kind_of(secret)) {
	case CREDENTIAL_ANONYMOUS:
		return NULL;
	case CREDENTIAL_API_TOKEN:
		return GIT_USER_API_TOKEN;
	case CREDENTIAL_BASIC:
		return secret->username;
	case CREDENTIAL_OAUTH:
	case CREDENTIAL_ACCESS_TOKEN:
		break;
	}
	return GIT_USER_ACCESS_TOKEN;
}

/* The whole value of the Authorization header; NULL: none. */
static char *header_of(const struct credential_secret *secret,
		       enum credential_door door)
{
	enum credential_kind kind = kind_of(secret);

	if (door == CREDENTIAL_GIT && kind != CREDENTIAL_ANONYMOUS)
		return basic(git_user(secret), secret->token);
	switch (kind) {
	case CREDENTIAL_ANONYMOUS:
		return NULL;
	case CREDENTIAL_API_TOKEN:
		return basic(secret->email, secret->token);
	case CREDENTIAL_BASIC:
		return basic(secret->username, secret->token);
	case CREDENTIAL_OAUTH:
	case CREDENTIAL_ACCESS_TOKEN:
		break;
	}
	return mem_asprintf("Bearer %s", secret->token);
}

/* ---- the source ---- */

static int get_fixed(void *arg, struct ctx *, struct credential_secret *ret)
{
	const struct credential_secret *fixed = arg;

	ret->email = fixed->email ? mem_strdup(fixed->email) : NULL;
	ret->username = fixed->username ? mem_strdup(fixed->username) : NULL;
	ret->token = fixed->token ? mem_strdup(fixed->token) : NULL;
	ret->version = fixed->version;
	return 0;
}

static void free_fixed(void *arg)
{
	credential_secret_done(arg);
	free(arg);
}

static struct credential_source
fixed_source(const char *email, const char *username, const char *token)
{
	struct credential_secret *fixed = mem_calloc(1, sizeof(*fixed));

	fixed->email = email ? mem_strdup(email) : NULL;
	fixed->username = username ? mem_strdup(username) : NULL;
	fixed->token = token ? mem_strdup(token) : NULL;
	fixed->version = 1;
	return (struct credential_source){
		.get = get_fixed,
		.free = free_fixed,
		.arg = fixed,
	};
}

static struct held *hold(const struct credential_source *source,
			 uint64_t before)
{
	struct held *held = mem_calloc(1, sizeof(*held));

	refcount_init(&held->refcount);
	held->source = *source;
	held->before = before;
	return held;
}

static struct held *let_go(struct held *held)
{
	if (!held || !refcount_drop(&held->refcount))
		return NULL;
	if (held->source.free)
		held->source.free(held->source.arg);
	free(held);
	return NULL;
}
DEFINE_CLEANUP(struct held *, let_go);

static struct sources *sources_new(const struct credential_source *first)
{
	struct sources *s = mem_calloc(1, sizeof(*s));

	*s = (struct sources){.now = hold(first, 0)};
	mutex_init(&s->lock);
	return s;
}

/* The one of now, counted. */
static struct held *sources_now(struct sources *s)
{
	struct held *held;

	mutex_lock(&s->lock);
	held = s->now;
	refcount_take(&held->refcount);
	mutex_unlock(&s->lock);
	return held;
}

/* Another one, or none any more (NULL). */
static void sources_put(struct sources *s, struct held *held)
{
	struct held *old;

	mutex_lock(&s->lock);
	old = s->now;
	s->now = held;
	mutex_unlock(&s->lock);
	let_go(old);
}

static void sources_free(struct sources *s)
{
	sources_put(s, NULL);
	mutex_done(&s->lock);
	free(s);
}

static void note_told(struct sources *s, uint64_t version)
{
	uint_fast64_t newest = atomic_load(&s->newest);

	while (newest < version &&
	       !atomic_compare_exchange_weak(&s->newest, &newest, version))
		;
}

/* The secret of now, which is one that may be sent. */
static int take(struct ctx *ctx, const struct credential *c,
		struct credential_secret *ret)
{
	cleanup(credential_secret_done) struct credential_secret secret = {0};
	cleanup(let_go) struct held *held = sources_now(c->sources);
	const char *why;
	int r = held->source.get(held->source.arg, ctx, &secret);

	if (r < 0)
		return r;
	r = check_secret(&secret, &why);
	if (r < 0)
		return ctx_fail(ctx, r, "The credential cannot be used: %s.",
				why);
	log_redact(given(secret.token));
	secret.version += held->before;
	note_told(c->sources, secret.version);
	*ret = secret;
	secret = (struct credential_secret){0};
	return 0;
}

int credential_new_from(struct ctx *ctx, const struct credential_source *source,
			struct credential **ret_credential)
{
	cleanup(credential_secret_done) struct credential_secret secret = {0};
	cleanup(credential_free) struct credential *c =
		mem_calloc(1, sizeof(*c));
	int r;

	c->sources = sources_new(source);
	c->rows = credential_rows_new();
	c->renewals = flight_new(NO_OTHER_MS);
	r = take(ctx, c, &secret);
	if (r < 0)
		return r;
	c->label = mem_strdup(label_of(&secret));
	atomic_init(&c->kind, (int)kind_of(&secret));
	c->account = steal(&secret.account);
	*ret_credential = steal(&c);
	return 0;
}

int credential_new(const char *email, const char *username, const char *token,
		   struct credential **ret_credential, const char **ret_why)
{
	struct credential_source source = fixed_source(email, username, token);
	cleanup(ctx_done) struct ctx ctx;
	int r;

	ctx_init(&ctx, NULL, -1);
	r = check_secret(source.arg, ret_why);
	if (r < 0) {
		free_fixed(source.arg);
		return r;
	}
	return credential_new_from(&ctx, &source, ret_credential);
}

struct credential *credential_free(struct credential *c)
{
	if (!c)
		return NULL;
	sources_free(c->sources);
	credential_rows_free(c->rows);
	flight_free(c->renewals);
	free(c->label);
	free(c->account);
	free(c);
	return NULL;
}

static void become(struct credential *c, const struct credential_source *source)
{
	sources_put(c->sources, hold(source, atomic_load(&c->sources->newest)));
	flight_forget(c->renewals, "");
	credential_rows_forget(c->rows);
}

/* Nobody else has used the other one: its source is no one else's. */
void credential_become(struct credential *c, struct credential *other)
{
	cleanup(let_go) struct held *held = sources_now(other->sources);

	atomic_store(&c->kind, atomic_load(&other->kind));
	become(c, &held->source);
	held->source.free = NULL;
	credential_free(other);
}

static int get_lost(void *arg, struct ctx *ctx, struct credential_secret *ret)
{
	(void)ret;
	return ctx_fail(ctx, -EACCES, "%s", (const char *)arg);
}

void credential_lose(struct credential *c, const char *why)
{
	become(c, &(struct credential_source){
			  .get = get_lost,
			  .free = free,
			  .arg = mem_strdup(why),
		  });
}

enum credential_kind credential_kind(const struct credential *c)
{
	return (enum credential_kind)atomic_load(&c->kind);
}

const char *credential_label(const struct credential *c)
{
	return c->label;
}

int credential_identity(struct ctx *ctx, const struct credential *c,
			const void *key, size_t n_key, char **ret_identity)
{
	cleanup(credential_secret_done) struct credential_secret secret = {0};
	char hex[65];
	int r;

	/* Its token may have run out, which only the network mends. */
	if (c->account) {
		*ret_identity = mem_asprintf("oauth:%s", c->account);
		return 0;
	}
	r = take(ctx, c, &secret);
	if (r < 0)
		return r;
	switch (kind_of(&secret)) {
	case CREDENTIAL_ANONYMOUS:
		*ret_identity = mem_strdup("anonymous");
		return 0;
	case CREDENTIAL_API_TOKEN:
		*ret_identity = mem_asprintf("email:%s", secret.email);
		return 0;
	case CREDENTIAL_BASIC:
		*ret_identity = mem_asprintf("user:%s", secret.username);
		return 0;
	case CREDENTIAL_OAUTH:
	case CREDENTIAL_ACCESS_TOKEN:
		break;
	}
	digest_hmac_sha256_hex(key, n_key, secret.token, strlen(secret.token),
			       hex);
	*ret_identity = mem_asprintf("token:%s", hex);
	return 0;
}

int credential_for_git(struct ctx *ctx, const struct credential *c,
		       struct credential_secret *ret)
{
	cleanup(credential_secret_done) struct credential_secret secret = {0};
	const char *user;
	int r = take(ctx, c, &secret);

	*ret = (struct credential_secret){0};
	if (r < 0)
		return r;
	user = git_user(&secret);
	if (user) {
		ret->username = mem_strdup(user);
		ret->token = steal(&secret.token);
	}
	ret->version = secret.version;
	return 0;
}

const char *credential_hint(const struct credential *c)
{
	switch (credential_kind(c)) {
	case CREDENTIAL_ANONYMOUS:
		return "nobody is signed in: run bitbucketfs login, which "
		       "says where an API token is made";
	case CREDENTIAL_API_TOKEN:
		return "the API token is wrong, expired or revoked, or the "
		       "e-mail is not that of the Atlassian account it "
		       "belongs to; make a new one at id.atlassian.com "
		       "(Create API token with scopes, app Bitbucket), and run "
		       "bitbucketfs login";
	case CREDENTIAL_BASIC:
		return "the user name or the secret is wrong; bitbucket.org "
		       "itself takes no secret with a user name any more, for "
		       "app passwords ended there on 2026-07-28: make an API "
		       "token with scopes at id.atlassian.com and give it with "
		       "the e-mail of the Atlassian account (bitbucketfs "
		       "login, or BITBUCKETFS_EMAIL), not with the user name";
	case CREDENTIAL_OAUTH:
		return "what the OAuth consumer was given is not taken any "
		       "more: sign in again with bitbucketfs login --oauth";
	case CREDENTIAL_ACCESS_TOKEN:
		break;
	}
	return "the access token is wrong, expired or revoked; if it is an API "
	       "token (it begins with ATAT), give the e-mail of the Atlassian "
	       "account with it (bitbucketfs login, or BITBUCKETFS_EMAIL)";
}

/* ---- the doors ---- */

int credential_authorize(struct ctx *ctx, struct credential *c,
			 enum credential_door door,
			 struct http_authorization *ret)
{
	cleanup(credential_secret_done) struct credential_secret secret = {0};
	int r = take(ctx, c, &secret);

	ctx->refused = false;
	if (r < 0)
		return r;
	atomic_store(&c->kind, (int)kind_of(&secret));
	if (kind_of(&secret) != CREDENTIAL_ANONYMOUS)
		r = credential_rows_ask(ctx, c->rows, door, secret.version,
					true, credential_hint(c));
	if (r < 0)
		return r;
	ret->value = header_of(&secret, door);
	ret->version = secret.version;
	return 0;
}

int credential_look(struct ctx *ctx, struct credential *c,
		    enum credential_door door)
{
	cleanup(credential_secret_done) struct credential_secret secret = {0};
	int r = take(ctx, c, &secret);

	ctx->refused = false;
	if (r < 0 || kind_of(&secret) == CREDENTIAL_ANONYMOUS)
		return r;
	return credential_rows_ask(ctx, c->rows, door, secret.version, false,
				   credential_hint(c));
}

void credential_heard(struct credential *c, enum credential_door door,
		      const struct http_authorization *sent, long status)
{
	if (sent->value)
		credential_rows_heard(c->rows, door, sent->version, status);
}

/* 1: the source gives another secret than that version. */
static int has_other(struct ctx *ctx, struct credential *c, uint64_t version)
{
	cleanup(credential_secret_done) struct credential_secret secret = {0};
	int r = take(ctx, c, &secret);

	return r < 0 ? r : secret.version != version;
}

/* Makes the source bring another one. Whoever comes to lead when somebody else
 * has just done so finds that and asks for nothing. */
static int bring_other(struct ctx *ctx, struct credential *c, uint64_t version)
{
	cleanup(let_go) struct held *held = sources_now(c->sources);
	int r = has_other(ctx, c, version);

	/* Of a source that was replaced meanwhile nothing is wanted. */
	if (r || !held->source.renew || version <= held->before)
		return r;
	r = held->source.renew(held->source.arg, ctx, version - held->before);
	return r < 0 ? r : has_other(ctx, c, version);
}

int credential_renew(struct ctx *ctx, struct credential *c,
		     const struct http_authorization *refused)
{
	char key[24];
	int r = refused->value ? has_other(ctx, c, refused->version) : 0;

	if (r || !refused->value)
		return r;
	snprintf(key, sizeof(key), "%" PRIu64, refused->version);
	r = flight_join(ctx, c->renewals, key);
	if (r == FLIGHT_LANDED)
		return has_other(ctx, c, refused->version);
	if (r == FLIGHT_LEAD) {
		r = bring_other(ctx, c, refused->version);
		/* That there is no other is remembered as a failure is. */
		flight_land(c->renewals, key,
			    r > 0   ? 0
			    : r < 0 ? r
				    : -ENOKEY,
			    ctx->sentence);
	}
	return r == -ENOKEY ? 0 : r;
}
