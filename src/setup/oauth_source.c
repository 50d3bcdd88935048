/*
 * setup/oauth_source: new tokens are asked for under the lock of what is
 * kept, where another process may have put some meanwhile.
 *
 * A refresh token is used up by the request that it is in, whether its answer
 * arrives or not:
 * 1. A asks with R1. 2. The service gives R2 and forgets R1. 3. A dies before
 * R2 is on the disk. 4. B finds R1.
 * A server that forgives R1 for a while gives R3; one that does not makes
 * somebody sign in. So between the answer and the write there is nothing, and
 * it was tried before that the file can be written. And the other way round:
 * 2. The service answers R2, and loses that it did. So R1 stays beside R2 until
 * R2 was taken once.
 */
#include "setup/oauth_source.h"
#include "setup/oauth_kept.h"
#include "setup/oauth_worker.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/text.h"

/* Asked for so long before the end, or a tenth of the lifetime. */
#define EARLY_S 60
/* A failure is everybody's for so long; what was refused is not shown to the
 * service again for a minute (src/api/README.md, 3). */
#define FAILED_MS 2000
/* An answer that is no token is not asked for again and again: twice as long
 * each time, and as long as the service says. */
#define FAILED_MOST_MS 60000
#define PAUSE_MOST_MS INT64_C(900000)
/* While the one of now is good for a while yet. */
#define PATIENCE_MS 3000
#define REFUSED_MS INT64_C(60000)
#define ASK_MS (30 * 1000)
/* A 401 may be an endpoint's and not the token's: so many times in so long a
 * new token is asked for because of one. */
#define N_BY_401 ((size_t)3)
#define BY_401_MS INT64_C(900000)

struct oauth_source {
	struct oauth_consumer consumer;
	bool by_itself;
	char *path, *account, *name;
	struct oauth_worker *worker;
	_Atomic(struct http *) http;
	struct mutex lock;
	char *access under_lock;
	int64_t until_s under_lock, lifetime_s under_lock;
	uint64_t version under_lock;
	bool is_refused under_lock;
	atomic_bool urgent; /* whoever wanted a token last */
	/* The worker's: */
	int lock_fd;
	struct oauth_kept unsaved; /* given, and not on the disk */
	char *refused_why; /* in other words than sign_in_again's; NULL */
	int64_t failed_ms, pause_s;
	char *refused; /* refresh token, or "": by itself; NULL */
	int64_t refused_ms, by_401_ms[N_BY_401];
	size_t n_by_401;
};

static char *copy(const char *s)
{
	return s ? mem_strdup(s) : NULL;
}

/* Nobody else has it any more. */
static no_lock_analysis void free_source(void *arg)
{
	struct oauth_source *s = arg;

	oauth_worker_free(s->worker);
	free((char *)(uintptr_t)s->consumer.url);
	free((char *)(uintptr_t)s->consumer.id);
	text_wipe((char *)(uintptr_t)s->consumer.secret);
	free(s->path);
	free(s->account);
	free(s->name);
	text_wipe(s->access);
	oauth_kept_done(&s->unsaved);
	text_wipe(s->refused);
	free(s->refused_why);
	mutex_done(&s->lock);
	free(s);
}

static int64_t now_s(void)
{
	return clock_wall_ms() / 1000;
}

static int64_t early_s(int64_t lifetime_s)
{
	return lifetime_s / 10 < EARLY_S ? lifetime_s / 10 : EARLY_S;
}

/* A token whose whole life is to come, and more, is one of a clock that was
 * wrong. */
static bool is_good_for(int64_t until_s, int64_t lifetime_s, int64_t ahead_s)
{
	int64_t left_s = until_s - now_s();

	return left_s > ahead_s && left_s <= lifetime_s + 2 * EARLY_S;
}

/* ---- one who asks ---- */

static void publish(struct oauth_source *s, const struct oauth_kept *kept)
{
	char *old;

	mutex_lock(&s->lock);
	old = s->access;
	s->access = mem_strdup(kept->access);
	s->until_s = kept->until_s;
	s->lifetime_s = kept->lifetime_s;
	s->version++;
	s->is_refused = false;
	mutex_unlock(&s->lock);
	text_wipe(old);
	log_redact(kept->access);
}

/* Another process has brought one, or somebody signed in anew. */
static bool take_kept(struct oauth_source *s, const struct oauth_kept *kept)
{
	bool is_other;

	if (!kept->access || !is_good_for(kept->until_s, kept->lifetime_s,
					  early_s(kept->lifetime_s)))
		return false;
	mutex_lock(&s->lock);
	is_other = !s->access || strcmp(s->access, kept->access) != 0;
	mutex_unlock(&s->lock);
	if (is_other)
		publish(s, kept);
	return is_other;
}

/* The answer goes to the disk before anything else is done with it. */
static int keep(struct ctx *ctx, struct oauth_source *s,
		struct oauth_tokens *tokens, const char *used)
{
	struct oauth_kept kept = {
		.consumer = mem_strdup(s->consumer.id),
		.account = mem_strdup(s->account),
		.name = copy(s->name),
		.access = steal(&tokens->access),
		.until_s = now_s() + tokens->lifetime_s,
		.lifetime_s = tokens->lifetime_s,
		.refresh = tokens->refresh ? steal(&tokens->refresh)
					   : copy(used),
		.before = copy(used),
	};
	int r;

	/* Logout does not wait for an answer, and leaves no secret behind. */
	if (!oauth_kept_is_locked(s->lock_fd, s->path)) {
		oauth_kept_done(&kept);
		return ctx_fail(ctx, -EACCES,
				"Somebody has signed out while a new OAuth "
				"token was asked for.");
	}
	r = oauth_kept_write(ctx, s->path, &kept);
	publish(s, &kept);
	oauth_kept_done(&s->unsaved);
	if (r) {
		log_error("%s Somebody has to sign in again when this process "
			  "ends.",
			  ctx->sentence);
		s->unsaved = kept;
	} else {
		oauth_kept_done(&kept);
	}
	return 0;
}

static bool was_refused(const struct oauth_source *s, const struct ctx *ctx,
			const char *given)
{
	return s->refused && !strcmp(s->refused, given ? given : "") &&
	       !ctx->urgent && clock_boot_ms() - s->refused_ms < REFUSED_MS;
}

static void remember_refused(struct oauth_source *s, const char *given,
			     const char *why)
{
	free(s->refused_why);
	s->refused_why = copy(why);
	text_wipe(s->refused);
	s->refused = mem_strdup(given ? given : "");
	s->refused_ms = clock_boot_ms();
	mutex_lock(&s->lock);
	s->is_refused = true;
	mutex_unlock(&s->lock);
}

static int sign_in_again(struct ctx *ctx, const struct oauth_source *s)
{
	if (s->refused_why)
		return ctx_fail(ctx, -EACCES, "%s", s->refused_why);
	return ctx_fail(ctx, -EACCES,
			s->by_itself
				? "Bitbucket refuses the OAuth consumer %s "
				  "(\"This is a private consumer\" has to be "
				  "ticked): sign in again with bitbucketfs "
				  "login --oauth-client."
				: "Bitbucket takes no refresh token of the "
				  "OAuth consumer %s any more: sign in again "
				  "with bitbucketfs login --oauth.",
			s->consumer.id);
}

/* 1: it was refused, and another one may be tried. */
static int ask_with(struct ctx *ctx, struct oauth_source *s, const char *given)
{
	cleanup(oauth_tokens_done) struct oauth_tokens tokens = {0};
	int r = oauth_ask(ctx, atomic_load(&s->http), &s->consumer,
			  s->by_itself ? OAUTH_CLIENT : OAUTH_REFRESH, given,
			  NULL, &tokens);

	s->pause_s = tokens.pause_s;
	if (r == -EKEYREJECTED)
		return 1;
	/* Whoever wants the token would try again at once, as with any request
	 * whose connection broke: with one that may be used up. */
	if (r == -ECONNRESET)
		r = ctx_fail(ctx, -EIO, "No new OAuth token came: %s",
			     ctx->sentence);
	return r ? r : keep(ctx, s, &tokens, given);
}

static int ask(struct ctx *ctx, struct oauth_source *s,
	       const struct oauth_kept *kept)
{
	const char *const given[] = {s->unsaved.refresh, kept->refresh,
				     kept->before};
	const char *first = NULL, *last = NULL;
	int r = 1;

	if (s->by_itself && was_refused(s, ctx, NULL))
		return sign_in_again(ctx, s);
	if (s->by_itself)
		r = ask_with(ctx, s, NULL);
	for (size_t i = 0; r == 1 && !s->by_itself && i < ARRAY_SIZE(given);
	     i++) {
		if (!given[i] || (last && !strcmp(last, given[i])))
			continue;
		first = first ? first : given[i];
		if (was_refused(s, ctx, first))
			break;
		last = given[i];
		r = ask_with(ctx, s, given[i]);
	}
	if (r == 1 && !was_refused(s, ctx, first))
		remember_refused(s, first, NULL);
	/* The consumer's own secret is wrong: that is said as it is. */
	if (r == -EACCES)
		remember_refused(s, first, ctx->sentence);
	return r == 1 ? sign_in_again(ctx, s) : r;
}

/* *ret is empty where there is nothing, or another consumer's. */
static int read_kept(struct ctx *ctx, struct oauth_source *s,
		     struct oauth_kept *ret)
{
	int r = oauth_kept_read(ctx, s->path, ret);

	/* What is damaged is written anew by who needs nothing of it. */
	if (r == -ENOENT || (r == -EBADMSG && s->by_itself))
		return 0;
	if (r)
		return r == -EBADMSG
			       ? ctx_fail(ctx, -EACCES, "%s", ctx->sentence)
			       : r;
	if (!strcmp(ret->consumer, s->consumer.id) &&
	    !strcmp(ret->account, s->account))
		return 0;
	oauth_kept_done(ret);
	return s->by_itself ? 0
			    : ctx_fail(ctx, -EACCES,
				       "Somebody else has signed in with "
				       "bitbucketfs login --oauth since: this "
				       "mount keeps to its account.");
}

/* Whoever cannot write what comes does not ask for it. */
static int check_writable(struct ctx *ctx, struct oauth_source *s,
			  const struct oauth_kept *kept)
{
	return kept->refresh ? oauth_kept_write(ctx, s->path, kept) : 0;
}

static int bring_locked(struct ctx *ctx, struct oauth_source *s)
{
	cleanup(oauth_kept_done) struct oauth_kept kept = {0};
	int r = read_kept(ctx, s, &kept);

	if (r || take_kept(s, &kept))
		return r;
	r = check_writable(ctx, s, &kept);
	return r ? r : ask(ctx, s, &kept);
}

static uint64_t version_of(struct oauth_source *s)
{
	uint64_t version;

	mutex_lock(&s->lock);
	version = s->version;
	mutex_unlock(&s->lock);
	return version;
}

static int lead(struct ctx *ctx, struct oauth_source *s, uint64_t version)
{
	cleanup(fd) int fd = -1;
	int r;

	ctx->urgent = atomic_load(&s->urgent);
	if (version_of(s) != version)
		return 0;
	fd = oauth_kept_lock(ctx, s->path);
	if (fd < 0)
		return fd;
	s->lock_fd = fd;
	ctx_narrow(ctx, ASK_MS);
	oauth_worker_hold(s->worker, true);
	r = bring_locked(ctx, s);
	oauth_worker_hold(s->worker, false);
	return r;
}

/* For how long nobody asks again. */
static int64_t remember_ms(struct oauth_source *s, int r)
{
	bool answered = r == -EIO || r == -EBADMSG || r == -EDQUOT;
	int64_t pause_ms = s->pause_s * 1000;

	s->failed_ms = !answered || !s->failed_ms ? FAILED_MS
						  : 2 * s->failed_ms;
	if (s->failed_ms > FAILED_MOST_MS)
		s->failed_ms = FAILED_MOST_MS;
	if (!answered || pause_ms < s->failed_ms)
		return s->failed_ms;
	return pause_ms < PAUSE_MOST_MS ? pause_ms : PAUSE_MOST_MS;
}

static int run(void *arg, struct ctx *ctx, uint64_t version,
	       int64_t *ret_remember_ms)
{
	struct oauth_source *s = arg;
	int r;

	s->pause_s = 0;
	r = lead(ctx, s, version);
	if (r)
		*ret_remember_ms = remember_ms(s, r);
	else
		s->failed_ms = 0;
	return r;
}

/* Another token in the place of that version. */
static int bring(struct ctx *ctx, struct oauth_source *s, uint64_t version)
{
	atomic_store(&s->urgent, ctx->urgent);
	return oauth_worker_do(ctx, s->worker, version);
}

/* ---- the source ---- */

static bool is_due(struct oauth_source *s, bool *ret_over,
		   uint64_t *ret_version)
{
	bool due;

	mutex_lock(&s->lock);
	*ret_over = !s->access || !is_good_for(s->until_s, s->lifetime_s, 0);
	due = *ret_over ||
	      !is_good_for(s->until_s, s->lifetime_s, early_s(s->lifetime_s));
	*ret_version = s->version;
	mutex_unlock(&s->lock);
	return due;
}

static int get(void *arg, struct ctx *ctx, struct credential_secret *ret)
{
	struct oauth_source *s = arg;
	bool is_over;
	uint64_t version;

	if (is_due(s, &is_over, &version) && atomic_load(&s->http)) {
		int64_t old =
			ctx_narrow(ctx, is_over ? INT64_MAX : PATIENCE_MS);
		int r = bring(ctx, s, version);

		ctx_widen(ctx, old);
		if (r < 0 && is_over)
			return *ctx->sentence
				       ? r
				       : ctx_fail(ctx, r,
						  "No new OAuth token came "
						  "from %s yet.",
						  s->consumer.url);
	}
	ret->account = mem_strdup(s->account);
	ret->username = copy(s->name);
	mutex_lock(&s->lock);
	ret->token = copy(s->access);
	ret->version = s->version;
	mutex_unlock(&s->lock);
	return 0;
}

/* One thread at a time. */
static int renew(void *arg, struct ctx *ctx, uint64_t version)
{
	struct oauth_source *s = arg;
	int64_t now = clock_boot_ms();
	int64_t *oldest = &s->by_401_ms[s->n_by_401 % N_BY_401];

	if (s->n_by_401 >= N_BY_401 && now - *oldest < BY_401_MS)
		return 0;
	*oldest = now;
	s->n_by_401++;
	return bring(ctx, s, version);
}

/* ---- life ---- */

/* Nobody else has it yet. */
static no_lock_analysis void take_first(struct oauth_source *s,
					struct oauth_kept *kept)
{
	s->name = kept->name ? steal(&kept->name) : NULL;
	s->account = steal(&kept->account);
	s->access = kept->access ? steal(&kept->access) : NULL;
	s->until_s = kept->until_s;
	s->lifetime_s = kept->lifetime_s;
	log_redact(s->access);
	log_redact(kept->refresh);
	log_redact(kept->before);
}

/* What one consumer was given is no other's, and a person's is not what the
 * consumer is given by itself. */
static bool is_of(const struct oauth_kept *kept,
		  const struct oauth_source_config *config)
{
	bool by_itself = !strncmp(kept->account, OAUTH_BY_ITSELF,
				  strlen(OAUTH_BY_ITSELF));

	return !strcmp(kept->consumer, config->consumer.id) &&
	       by_itself == config->by_itself;
}

int oauth_source_new(struct ctx *ctx, const struct oauth_source_config *config,
		     struct credential_source *ret,
		     struct oauth_source **ret_self)
{
	cleanup(oauth_kept_done) struct oauth_kept kept = {0};
	const char *id = config->consumer.id;
	cleanup(free) char *path = NULL;
	struct oauth_source *s;
	int r = oauth_kept_path(ctx, config->profile, config->api_url, &path);

	if (!r)
		r = oauth_kept_read(ctx, path, &kept);
	if (r == -ENOENT || (r == -EBADMSG && config->by_itself))
		r = 0;
	if (r)
		return r;
	if (kept.consumer && !is_of(&kept, config))
		oauth_kept_done(&kept);
	if (!kept.consumer && !config->by_itself)
		return ctx_fail(ctx, -EACCES,
				"Nobody has signed in with the OAuth consumer "
				"%s: run bitbucketfs login --oauth.",
				id);
	if (!kept.account)
		kept.account = mem_asprintf(OAUTH_BY_ITSELF "%s", id);
	s = mem_calloc(1, sizeof(*s));
	*s = (struct oauth_source){
		.consumer = {.url = mem_strdup(config->consumer.url),
			     .id = mem_strdup(id),
			     .secret = mem_strdup(config->consumer.secret)},
		.by_itself = config->by_itself,
		.path = steal(&path),
		.version = 1,
	};
	mutex_init(&s->lock);
	s->worker = oauth_worker_new(&(struct oauth_work){.run = run, .arg = s},
				     FAILED_MS);
	log_redact(s->consumer.secret);
	take_first(s, &kept);
	*ret = (struct credential_source){
		.get = get,
		.renew = renew,
		.free = free_source,
		.arg = s,
	};
	*ret_self = s;
	return 0;
}

void oauth_source_use(struct oauth_source *s, struct http *http)
{
	atomic_store(&s->http, http);
}

bool oauth_source_is_refused(struct oauth_source *s)
{
	bool refused;

	mutex_lock(&s->lock);
	refused = s->is_refused;
	mutex_unlock(&s->lock);
	return refused;
}
