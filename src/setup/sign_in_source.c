/*
 * setup/sign_in: the source of a credential. A refused secret is looked
 * for again where it is kept, where login may have put another one since.
 */
#include "setup/sign_in.h"

#include "base/log.h"

struct source {
	char *profile, *api_url;
	struct mutex lock;
	struct sign_in now under_lock;
	uint64_t version under_lock;
};

static void free_source(void *arg)
{
	struct source *source = arg;

	free(source->profile);
	free(source->api_url);
	sign_in_done(&source->now);
	mutex_done(&source->lock);
	free(source);
}

static char *copy(const char *s)
{
	return s ? mem_strdup(s) : NULL;
}

static int get(void *arg, struct ctx *ctx, struct credential_secret *ret)
{
	struct source *source = arg;

	(void)ctx;
	mutex_lock(&source->lock);
	ret->email = copy(source->now.email);
	ret->username = copy(source->now.username);
	ret->token = copy(source->now.token);
	ret->version = source->version;
	mutex_unlock(&source->lock);
	return 0;
}

/* That there is none any more is no failure: the old one was refused. */
static int renew(void *arg, struct ctx *ctx, uint64_t version)
{
	struct source *source = arg;
	cleanup(sign_in_done) struct sign_in found = {0};
	int r = sign_in_read(ctx, source->profile, source->api_url, &found);
	bool is_other, is_ours;

	if (r == -ENOENT)
		return 0;
	if (r)
		return r;
	mutex_lock(&source->lock);
	is_ours = sign_in_is_same_account(&source->now, &found);
	is_other = source->version == version && is_ours &&
		   strcmp(source->now.token, found.token) != 0;
	if (is_other) {
		struct sign_in old = source->now;

		source->now = found;
		found = old;
		source->version++;
	}
	mutex_unlock(&source->lock);
	if (!is_ours)
		log_warn("another account has signed in since: this mount "
			 "does not take its secret");
	return 0;
}

int sign_in_source_new(struct ctx *ctx, const char *profile,
		       const char *api_url, struct credential_source *ret,
		       char **ret_where)
{
	cleanup(sign_in_done) struct sign_in found = {0};
	struct source *source;
	int r = sign_in_read(ctx, profile, api_url, &found);

	if (r)
		return r;
	if (found.kind > SIGN_IN_ACCESS_TOKEN)
		return ctx_fail(ctx, -EOPNOTSUPP,
				"%s: this kind of sign-in (%s) "
				"cannot be used here.",
				found.where, sign_in_kind_name(found.kind));
	*ret_where = mem_strdup(found.where);
	source = mem_calloc(1, sizeof(*source));
	*source = (struct source){
		.profile = copy(profile),
		.api_url = mem_strdup(api_url),
		.now = found,
		.version = 1,
	};
	found = (struct sign_in){0};
	mutex_init(&source->lock);
	*ret = (struct credential_source){
		.get = get,
		.renew = renew,
		.free = free_source,
		.arg = source,
	};
	return 0;
}
