/*
 * setup/token_command: the source of a credential.
 *
 * Of a secret that was refused a keyed hash is kept, so that a program that
 * alternates between two does not send a refused one for another again and
 * again (src/api/README.md, 3).
 */
#include "setup/token_command.h"

#include "base/digest.h"
#include "base/text.h"

#define N_KEY 32
#define N_REFUSED ((size_t)8)

struct source {
	struct mutex lock;
	char **argv, *email, *username;
	unsigned char key[N_KEY];
	char *token under_lock;
	uint64_t version under_lock;
	/* The latest; used by renew alone, which one thread at a time calls. */
	char refused[N_REFUSED][65];
	size_t n_refused;
};

/* Nobody else has it any more. */
static no_lock_analysis void free_source(void *arg)
{
	struct source *source = arg;

	token_command_free(source->argv);
	free(source->email);
	free(source->username);
	text_wipe(source->token);
	mutex_done(&source->lock);
	free(source);
}

static int get(void *arg, struct ctx *, struct credential_secret *ret)
{
	struct source *source = arg;

	ret->email = source->email ? mem_strdup(source->email) : NULL;
	ret->username = source->username ? mem_strdup(source->username) : NULL;
	mutex_lock(&source->lock);
	ret->token = mem_strdup(source->token);
	ret->version = source->version;
	mutex_unlock(&source->lock);
	return 0;
}

static void hash(const struct source *source, const char *token,
		 char hex[static 65])
{
	digest_hmac_sha256_hex(source->key, N_KEY, token, strlen(token), hex);
}

static bool was_refused(const struct source *source, const char *token)
{
	char hex[65];

	hash(source, token, hex);
	for (size_t i = 0; i < source->n_refused && i < N_REFUSED; i++)
		if (!strcmp(source->refused[i], hex))
			return true;
	return false;
}

static int renew(void *arg, struct ctx *ctx, uint64_t version)
{
	struct source *source = arg;
	cleanup(credential_secret_done) struct credential_secret now = {0};
	char *token = NULL;
	int r = get(source, ctx, &now);

	if (r || now.version != version)
		return r;
	if (!was_refused(source, now.token))
		hash(source, now.token,
		     source->refused[source->n_refused++ % N_REFUSED]);
	r = token_command_run(ctx, source->argv, false, TOKEN_COMMAND_MS,
			      &token);
	if (r)
		return r;
	if (!was_refused(source, token)) {
		char *old;

		mutex_lock(&source->lock);
		old = source->token;
		source->token = steal(&token);
		source->version++;
		mutex_unlock(&source->lock);
		text_wipe(old);
	}
	text_wipe(token);
	return 0;
}

int token_source_new(struct ctx *ctx, const char *email, const char *username,
		     const char *command, struct credential_source *ret)
{
	cleanup(token_command_free) char **argv = NULL;
	const char *why = token_command_split(command, &argv);
	struct source *source;
	char *token = NULL;
	int r;

	if (why)
		return ctx_fail(ctx, -EACCES, "token_command %s.", why);
	r = token_command_run(ctx, argv, true, TOKEN_COMMAND_MS, &token);
	if (r)
		return r;
	source = mem_calloc(1, sizeof(*source));
	*source = (struct source){
		.argv = steal(&argv),
		.email = email ? mem_strdup(email) : NULL,
		.username = username ? mem_strdup(username) : NULL,
		.token = token,
		.version = 1,
	};
	mutex_init(&source->lock);
	*ret = (struct credential_source){
		.get = get,
		.renew = renew,
		.free = free_source,
		.arg = source,
	};
	r = digest_random(source->key, N_KEY);
	if (!r)
		return 0;
	free_source(source);
	return ctx_fail(ctx, -EACCES, "There is no randomness: %s.",
			strerror(-r));
}
