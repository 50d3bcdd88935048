/*
 * cmd/mount/graph: from the bottom up, and in reverse.
 */
#include "cmd/mount/graph.h"

#include "base/file.h"
#include "model/indexers.h"
#include "store/say.h"

#define GIT_CONNECTIONS 6
/* To the hosts that have logs and downloads. */
#define STORAGE_CONNECTIONS 8
/* Fewer than libfuse's threads, so that cached answers find a free one. */
#define MAX_WAITING 448

static void say_to_model(void *arg, const char *path, int errnum,
			 const char *sentence)
{
	struct graph *g = arg;

	if (g->model)
		model_say(g->model, path, errnum, sentence);
}

static void tell_untrue(void *arg, const char *key, const char *sentence)
{
	struct graph *g = arg;

	if (g->model)
		model_untrue(g->model, key, sentence);
}

static void tell_model(void *arg, const char *path, const char *what)
{
	struct graph *g = arg;

	if (g->model)
		model_event(g->model, path, what);
}

void graph_listen(struct graph *g)
{
	store_listen(g ? say_to_model : NULL, g);
}

/* Those of the doors that only a mount has, too. */
static int build_remote(struct graph *g)
{
	int r = remote_build(&g->remote);

	if (!r)
		r = remote_new_http(&g->remote, GIT_CONNECTIONS, &g->git_http);
	if (!r)
		r = remote_new_http(&g->remote, STORAGE_CONNECTIONS,
				    &g->storage_http);
	return r;
}

static int open_stores(struct graph *g)
{
	int r = remote_open_cache(&g->remote);

	if (r)
		return r;
	objects_global_init();
	return 0;
}

/* Documents have a bound of their own, for they go by the time at which they
 * were fetched: a quarter is theirs. */
#define DOCUMENTS_SHARE 4

static int hold_bound(struct graph *g, uint64_t bytes)
{
	uint64_t documents;

	documents = bytes / DOCUMENTS_SHARE;
	if (documents < CACHE_MAX_BYTES)
		cache_set_max_bytes(g->remote.cache, documents);
	return evict_start(g->remote.account.dir, bytes, &g->evictor);
}

static enum model_submodules submodules_of(const struct config *config)
{
	switch (config->submodules) {
	case CONFIG_SUBMODULES_OFF:
		break;
	case CONFIG_SUBMODULES_LINK:
		return MODEL_SUBMODULES_LINK;
	case CONFIG_SUBMODULES_TREE:
		return MODEL_SUBMODULES_TREE;
	}
	return MODEL_SUBMODULES_OFF;
}

/* Of all of the cache. */
static uint64_t bound_of(const struct graph *g)
{
	uint64_t bytes = g->remote.config.cache_size;

	return bytes ? bytes : evict_default_bytes(g->remote.account.dir);
}

static int build_content(struct graph *g, struct ssh *ssh)
{
	uint64_t bound = bound_of(g);
	const struct config *config = &g->remote.config;
	cleanup(free) char *dir = mem_asprintf("%s/git", g->remote.account.dir);
	cleanup(free) char *spool =
		mem_asprintf("%s/spool", g->remote.account.dir);
	cleanup(free) char *names =
		mem_asprintf("%s/names", g->remote.account.dir);
	struct stream_set_config streams = {
		.bitbucket = g->remote.bitbucket,
		.http = g->storage_http,
		.untrue = tell_untrue,
		.untrue_arg = g,
	};
	struct clone_set_config clones = {
		.dir = dir,
		.git_url = config->ssh_url ? config->ssh_url : config->git_url,
		.is_mirror = config->is_mirror,
		.git_fallback = config->git_fallback,
		.fallback_is_own = config->fallback_is_own,
		.own_url = config->own_url,
		.credential = g->remote.credential,
		.http = g->git_http,
		.ssh = ssh,
		.cache = g->remote.cache,
		.budget = g->remote.budget,
		.max_trees = config->trees,
		.big_file = config->big_file,
	};
	struct documents_config documents = {
		.bitbucket = g->remote.bitbucket,
		.cache = g->remote.cache,
		.credential = g->remote.credential,
		.workspaces = (const char *const *)config->workspaces,
		.history = config->history,
		.names_dir = names,
		.say = say_to_model,
		.changed = tell_model,
		.say_arg = g,
	};
	int r;

	g->source = read_through_new(g->remote.cache);
	documents.source = g->source;
	g->documents = documents_new(&documents);
	clones.names =
		(struct clone_naming){documents_name_now, documents_is_listed,
				      documents_repository_size, g->documents};
	r = file_mkdirs(dir, 0700);
	if (!r)
		r = clone_set_new(&clones, &g->clones);
	if (!r)
		r = spool_open(spool,
			       bound > SPOOL_MAX_BYTES ? bound
						       : SPOOL_MAX_BYTES,
			       &g->spool);
	streams.spool = g->spool;
	g->streams = stream_set_new(&streams);
	/* After the stores were opened, which sweep what dead processes left.
	 */
	if (!r)
		r = hold_bound(g, bound);
	return r ? command_could_not("the cache cannot be used", r) : 0;
}

static void cache_use(void *arg, uint64_t *ret_used, uint64_t *ret_most)
{
	const struct graph *g = arg;

	evict_known(g->evictor, ret_used, ret_most);
}

static int build_model(struct graph *g, const struct graph_config *config,
		       bool known)
{
	const struct config *set = &g->remote.config;
	struct model_config model = {
		.documents = g->documents,
		.streams = g->streams,
		.source = g->source,
		.clones = g->clones,
		.budget = g->remote.budget,
		.api_http = g->remote.api_http,
		.account = credential_label(g->remote.credential),
		.api_url = set->api_url,
		.cache_dir = g->remote.account.dir,
		.cache_use = cache_use,
		.cache_use_arg = g,
		.mountpoint = config->mountpoint,
		.profile = set->profile,
		.generation = config->generation,
		.uid = set->uid,
		.gid = set->gid,
		.umask = set->umask,
		.ttl_ms = set->ttl_ms,
		.hydrate = set->hydrate,
		.lfs = set->lfs,
		.listed = set->listed,
		.submodules = submodules_of(set),
		.check_behind = known &&
				credential_kind(g->remote.credential) !=
					CREDENTIAL_ANONYMOUS,
		.checked = config->checked,
		.checked_arg = config->checked_arg,
	};
	int r;

	g->is_checked_behind = model.check_behind;
	g->group = ctx_group_new(MAX_WAITING);
	g->indexers = set->indexers ? (const char *const *)set->indexers
				    : indexers_usual;
	ctx_group_set_gate(g->group, indexers_bar, &g->indexers);
	model.group = g->group;
	r = model_new(&model, &g->model);
	return r ? command_could_not("the mount cannot be built", r) : 0;
}

int graph_build(struct graph *g, const struct graph_config *config)
{
	bool known = false;
	int r = build_remote(g);

	if (!r)
		r = remote_sign_in(&g->remote, &known);
	if (!r)
		r = open_stores(g);
	if (!r)
		r = build_content(g, config->ssh);
	return r ? r : build_model(g, config, known);
}

void graph_stop(struct graph *g)
{
	if (g->group)
		ctx_group_cancel(g->group);
	if (g->clones)
		clone_set_cancel(g->clones);
	if (g->streams)
		stream_set_cancel(g->streams);
	/* Its lists tell the model of what they find. */
	if (g->source)
		read_through_end(g->source);
	if (g->model)
		model_stop(g->model);
}

void graph_done(struct graph *g)
{
	g->model = model_free(g->model);
	g->evictor = evict_stop(g->evictor);
	g->streams = stream_set_free(g->streams);
	g->spool = spool_close(g->spool);
	g->clones = clone_set_free(g->clones);
	g->documents = documents_free(g->documents);
	g->source = read_through_free(g->source);
	g->storage_http = http_free(g->storage_http);
	g->git_http = http_free(g->git_http);
	g->group = ctx_group_free(g->group);
	remote_done(&g->remote);
}
