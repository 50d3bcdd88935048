/*
 * cmd/mount/live: the daemon's side.
 */
#include "live_private.h"
#include "setup/oauth_source.h"
#include "cmd/mount/preflight.h"

#include "base/log.h"
#include "fs/session.h"
#include "wire/ssh.h"

/* The service is asked once at most. */
#define TAKE_MS (20 * 1000)
#define REF_MS (10 * 1000)
#define SIGNED_OUT \
	"Signed out (bitbucketfs logout): bitbucketfs login signs in again."
#define SIGNED_OUT_KEPT                                                     \
	"Signed out (bitbucketfs logout --keep-cache): what is cached is "  \
	"served, and nothing can be asked for. bitbucketfs login signs in " \
	"again."

void live_init(struct live *live)
{
	*live = (struct live){0};
	mutex_init(&live->lock);
	cond_init(&live->idle);
}

void live_done(struct live *live)
{
	if (live->graph)
		graph_done(live->graph);
	free(live->graph);
	live->graph = NULL;
	cond_done(&live->idle);
	mutex_done(&live->lock);
}

/* Two commands at once would both replace what is there. */
static int begin(struct ctx *ctx, struct live *live)
{
	struct ctx_waiting waiting;
	bool mine = false;

	ctx_waiting_begin(ctx, &waiting, &live->lock, &live->idle);
	mutex_lock(&live->lock);
	while (live->busy && !ctx_is_cancelled(ctx) &&
	       cond_wait_until(&live->idle, &live->lock, ctx->deadline_ms))
		;
	mine = !live->busy && !ctx_is_cancelled(ctx);
	if (mine)
		live->busy = true;
	mutex_unlock(&live->lock);
	ctx_waiting_end(ctx, &waiting);
	return mine ? 0
		    : ctx_fail(ctx, -EBUSY, "Another command is under way.");
}

static void end(struct live *live)
{
	mutex_lock(&live->lock);
	live->busy = false;
	cond_broadcast(&live->idle);
	mutex_unlock(&live->lock);
}

static bool is_nobodys(const struct graph *g)
{
	return credential_kind(g->remote.credential) == CREDENTIAL_ANONYMOUS;
}

/* Sign-ins are told apart by host (sign_in_path): a mount whose api_url is
 * another way to write it has the same one. */
static bool is_same_host(const char *a, const char *b)
{
	cleanup(free) char *host_a = account_host_name(a);
	cleanup(free) char *host_b = account_host_name(b);

	return !strcmp(host_a, host_b);
}

/* -ENXIO: another profile's, or another service's. -EPERM: it is not login's.
 */
static int is_meant(struct ctx *ctx, const struct live *live,
		    const char *const *words)
{
	const struct config *config = &live->graph->remote.config;

	if (strcmp(words[0], config->profile ? config->profile : "") != 0 ||
	    !is_same_host(words[1], config->api_url))
		return -ENXIO;
	if (!live->graph->remote.is_kept)
		return ctx_fail(ctx, -EPERM,
				"its credential is not what login keeps: it "
				"comes from the environment, the configuration "
				"or an option, and stays as it is");
	return 0;
}

/* ---- another graph ---- */

/* With the configuration of the one that is there, whose strings it shares: the
 * one that goes without the other leaves them. */
static struct graph *graph_like(const struct graph *g, struct ctx *ctx)
{
	struct graph *fresh = mem_calloc(1, sizeof(*fresh));

	fresh->remote.config = g->remote.config;
	fresh->remote.config.token_from = NULL;
	fresh->remote.group = ctx->group;
	return fresh;
}

static void free_graph(struct graph *g)
{
	free(g->remote.config.token_from);
	memset(&g->remote.config, 0, sizeof(g->remote.config));
	graph_done(g);
	free(g);
}

static void stop(void *arg)
{
	graph_stop(arg);
}

/* The fresh one is the mount's now, or gone. */
static int put(struct live *live, struct graph *fresh)
{
	struct graph *old = live->graph;
	struct model_kernel kernel;
	int r;

	session_kernel(live->session, &kernel);
	r = model_start(fresh->model, &kernel);
	if (!r)
		r = session_replace(live->session, fresh->model, fresh->group,
				    stop, old);
	if (r) {
		graph_stop(fresh);
		free_graph(fresh);
		return command_could_not("the mount cannot go on with it", r);
	}
	fresh->remote.group = NULL;
	live->graph = fresh;
	graph_listen(fresh);
	free_graph(old);
	mem_give_back();
	return 0;
}

static int build_and_put(struct live *live, struct graph *fresh)
{
	const struct graph_config config = {
		.mountpoint = live->mountpoint,
		.ssh = live->ssh,
		.generation = ++live->generation,
	};
	int r = graph_build(fresh, &config);

	if (!r)
		return put(live, fresh);
	graph_stop(fresh);
	free_graph(fresh);
	return r;
}

/* ---- signed in ---- */

static int become_somebodys(struct live *live, struct graph *fresh,
			    struct buf *answer)
{
	int r = build_and_put(live, fresh);

	if (!r)
		buf_printf(answer, "is %s's now",
			   credential_label(live->graph->remote.credential));
	return r;
}

/* Asks the service whose the fresh credential is. *ret_known (free it): the
 * cache that it had by the map, or NULL. */
static int ask_whose(struct ctx *ctx, const struct remote *remote,
		     const struct credential *credential,
		     struct bitbucket *bitbucket, char **ret_known,
		     struct account *ret)
{
	const struct config *config = &remote->config;
	char why[1024] = "", note[512] = "";
	int r = account_find(ctx, ret, config->cache_dir, config->api_url,
			     credential, why);

	if (!r) {
		*ret_known = steal(&ret->dir);
		r = account_sign_in(ctx, ret, bitbucket, credential,
				    config->api_url, config->workspaces, why,
				    note);
	}
	return r ? ctx_fail(ctx, r, "%s", *why ? why : strerror(-r)) : 0;
}

/* Whether the service says that it is the account of this mount. A token that
 * may not say whose it is is known by its e-mail alone. */
static int check_account(struct ctx *ctx, const struct remote *remote,
			 struct credential *credential)
{
	cleanup(bitbucket_free) struct bitbucket *bitbucket = NULL;
	cleanup(account_done) struct account told = {0};
	cleanup(free) char *known = NULL;
	const char *dir;
	int r = bitbucket_new(remote->config.api_url, credential,
			      remote->api_http, remote->budget, &bitbucket);

	if (!r)
		r = ask_whose(ctx, remote, credential, bitbucket, &known,
			      &told);
	if (r)
		return r;
	dir = told.user_json || !known ? told.dir : known;
	if (!strcmp(dir, remote->account.dir))
		return 0;
	return ctx_fail(ctx, -EPERM,
			"it is %s's, and one cache is one account's: unmount "
			"and mount again for %s",
			credential_label(remote->credential),
			credential_label(credential));
}

static int take_secret(struct ctx *ctx, struct live *live, struct graph *fresh,
		       struct buf *answer)
{
	struct graph *g = live->graph;
	int r;

	if (fresh->remote.oauth)
		oauth_source_use(fresh->remote.oauth, g->remote.api_http);
	r = check_account(ctx, &g->remote, fresh->remote.credential);
	if (!r) {
		credential_become(g->remote.credential,
				  steal(&fresh->remote.credential));
		g->remote.oauth = fresh->remote.oauth;
		read_through_renewed(g->source);
		clone_set_renewed(g->clones);
		model_signed_out(g->model, false);
		log_info("%s has signed in anew",
			 credential_label(g->remote.credential));
		buf_puts(answer, "goes on with the new sign-in");
	}
	free_graph(fresh);
	return r;
}

static int sign_in(struct ctx *ctx, struct live *live, const char *const *,
		   struct buf *answer)
{
	struct graph *fresh = graph_like(live->graph, ctx);

	if (remote_read_credential(&fresh->remote) == COMMAND_OK &&
	    !is_nobodys(fresh))
		return is_nobodys(live->graph)
			       ? become_somebodys(live, fresh, answer)
			       : take_secret(ctx, live, fresh, answer);
	free_graph(fresh);
	return ctx_fail(ctx, -ENOENT, "the sign-in could not be read");
}

/* ---- signed out ---- */

static void lose_secret(struct graph *g, const char *why)
{
	credential_lose(g->remote.credential, why);
	g->remote.oauth = NULL;
}

static int sign_out_and_keep(struct live *live, struct buf *answer)
{
	struct graph *g = live->graph;

	lose_secret(g, SIGNED_OUT_KEPT);
	model_signed_out(g->model, true);
	model_say(g->model, "/", EACCES, SIGNED_OUT_KEPT);
	buf_puts(answer, "goes on from what is cached");
	return 0;
}

static int go_anonymous(struct ctx *ctx, struct live *live, struct buf *answer)
{
	struct graph *fresh = graph_like(live->graph, ctx);
	const char *problem;
	int r = credential_new(NULL, NULL, NULL, &fresh->remote.credential,
			       &problem);

	check(!r);
	fresh->remote.is_kept = true;
	/* Whatever becomes of the mount, the secret is gone. What is under way
	 * with it ends when the mount has other parts. */
	lose_secret(live->graph, SIGNED_OUT);
	r = build_and_put(live, fresh);
	/* No request is left that could be said to have it. */
	if (!r) {
		log_forget();
		remote_redact(&live->graph->remote.config);
	}
	model_signed_out(live->graph->model, true);
	model_say(live->graph->model, "/", EACCES,
		  r ? SIGNED_OUT_KEPT : SIGNED_OUT);
	if (!r)
		buf_puts(answer, "goes on anonymously");
	return r;
}

static int sign_out(struct ctx *ctx, struct live *live,
		    const char *const *words, struct buf *answer)
{
	if (is_nobodys(live->graph)) {
		buf_puts(answer, "is nobody's");
		return 0;
	}
	return !strcmp(words[2], "keep") ? sign_out_and_keep(live, answer)
					 : go_anonymous(ctx, live, answer);
}

/* ---- a ref in a path ---- */

/* "5 3bb0540…": how many parts of the path lead to it, and its commit. */
static int find_ref(void *arg, struct ctx *ctx, const char *const *words,
		    struct buf *answer)
{
	struct live *live = arg;
	size_t n_parts;
	char hex[41];
	int r = begin(ctx, live);

	if (r)
		return r;
	r = model_find_ref(ctx, live->graph->model, words[0], &n_parts, hex);
	end(live);
	if (!r)
		buf_printf(answer, "%zu %s", n_parts, hex);
	return r;
}

static int find_submodule(void *arg, struct ctx *ctx, const char *const *words,
			  struct buf *answer)
{
	struct live *live = arg;
	int r = begin(ctx, live);

	if (r)
		return r;
	r = model_submodule(ctx, live->graph->model, words[0], answer);
	end(live);
	return r;
}

/* ---- the commands ---- */

typedef int live_work(struct ctx *, struct live *, const char *const *words,
		      struct buf *answer);

/* What is said while this thread works goes into the answer. */
static int run(struct ctx *ctx, struct live *live, const char *const *words,
	       struct buf *answer, live_work *work)
{
	int r = begin(ctx, live);

	if (r)
		return r;
	command_listen(answer);
	r = is_meant(ctx, live, words);
	if (!r)
		r = work(ctx, live, words, answer);
	command_listen(NULL);
	end(live);
	return r;
}

static int run_sign_in(void *arg, struct ctx *ctx, const char *const *words,
		       struct buf *answer)
{
	return run(ctx, arg, words, answer, sign_in);
}

static int run_sign_out(void *arg, struct ctx *ctx, const char *const *words,
			struct buf *answer)
{
	return run(ctx, arg, words, answer, sign_out);
}

int live_use_agent(const struct live *live, const char *path,
		   char why[static 512])
{
	if (!live->ssh)
		return 0;
	if (preflight_below(live->mountpoint, "the agent's socket", path, why))
		return -EINVAL;
	ssh_use_agent(live->ssh, path);
	return 0;
}

/* The agent of the session in which somebody looks at the mount. */
static int take_agent(void *arg, struct ctx *ctx, const char *const *words,
		      struct buf *answer)
{
	char why[512];
	int r = live_use_agent(arg, words[0], why);

	(void)ctx;
	if (r)
		buf_puts(answer, why);
	return r;
}

/* Of those of sign-in and sign-out the words are the profile or "", the API's
 * URL, and "keep" or "drop". */
const struct control_command live_commands[] = {
	{"agent", 1, 1000, false, take_agent},
	/* As long as it takes: it waits for the quota, too. */
	{"fetch", 1, -1, true, live_fetch},
	{"fetch-cost", 1, LIVE_REFRESH_MS, true, live_fetch_cost},
	{"fetch-lfs", 1, -1, true, live_fetch_lfs},
	{"fetch-stop", 1, 5000, false, live_fetch_stop},
	{"heard", 5, LIVE_REFRESH_MS, true, live_heard},
	{"hello", 0, 1000, false, live_hello},
	{"ref", 1, REF_MS, true, find_ref},
	{"refresh", 1, LIVE_REFRESH_MS, true, live_refresh},
	{"sign-in", 2, TAKE_MS, false, run_sign_in},
	{"sign-out", 3, TAKE_MS, false, run_sign_out},
	{"status", 2, 2000, true, live_status},
	{"submodule", 1, LIVE_REFRESH_MS, true, find_submodule},
	{0},
};
