/*
 * The clones of a mount: finding one, opening its store, reading what is there.
 *
 * A clone is in the table of clones as long as somebody holds it, and so are
 * its tracking refs.
 */
#include "clone/clone_private.h"

#include "store/flight.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"

#include <unistd.h>

static void sweep(void *arg)
{
	struct clone_set *cs = arg;

	/* So that the first tree need not wait for it. */
	(void)objects_library_begin();
	objects_sweep_all(cs->dir, &cs->stop_sweeping);
}

static void server_init(struct clone_server *server, const char *text)
{
	cleanup(http_url_done) struct http_url url = {0};
	size_t n = strlen(text);

	while (n && text[n - 1] == '/')
		n--;
	server->url = mem_dup0(text, n);
	server->is_ssh = ssh_is_url(server->url);
	server->origin = mem_strdup(
		http_url_parse(server->url, &url) < 0 ? server->url : url.base);
}

static void server_done(struct clone_server *server)
{
	free(server->url);
	free(server->origin);
}

static void init_servers(struct clone_set *cs,
			 const struct clone_set_config *config)
{
	server_init(&cs->server, config->git_url);
	cs->server.is_own = !config->is_mirror;
	cs->server.authorized = true;
	cs->own_url = config->own_url ? mem_strdup(config->own_url) : NULL;
	if (!config->git_fallback)
		return;
	server_init(&cs->fallback, config->git_fallback);
	cs->fallback.is_own = config->fallback_is_own;
	cs->fallback.authorized = config->fallback_is_own;
}

int clone_set_new(const struct clone_set_config *config,
		  struct clone_set **ret_clones)
{
	cleanup(clone_set_free) struct clone_set *cs =
		mem_calloc(1, sizeof(*cs));
	int r;

	mutex_init(&cs->lock);
	cond_init(&cs->work);
	cs->opening = flight_new_with(&(struct flight_config){.local = true});
	cond_init(&cs->published);
	cond_init(&cs->fold);
	ctx_init(&cs->folding, NULL, -1);
	clone_attributes_init(cs);
	init_servers(cs, config);
	cs->dir = mem_strdup(config->dir);
	cs->credential = config->credential;
	cs->http = config->http;
	cs->ssh = config->ssh;
	cs->cache = config->cache;
	cs->budget = config->budget;
	cs->ask_names = config->names;
	cs->max_trees = config->max_trees ? config->max_trees
					  : CLONE_TREES_DEFAULT;
	cs->fetched_ms = mem_calloc(cs->max_trees, sizeof(*cs->fetched_ms));
	objects_global_init();
	if (config->big_file)
		objects_limit_big(config->big_file);
	r = file_mkdirs(cs->dir, 0700);
	if (r >= 0)
		r = clone_queue_start(cs);
	if (r >= 0)
		r = thread_start("sweep", sweep, cs, &cs->sweeper);
	if (r >= 0)
		r = clone_fold_start(cs);
	if (r < 0)
		return r;
	*ret_clones = steal(&cs);
	return 0;
}

uint64_t clone_set_requests(const struct clone_set *cs)
{
	return http_n_requests(cs->http) + ssh_n_sessions(cs->ssh);
}

const char *clone_set_server(const struct clone_set *cs)
{
	return cs->server.url;
}

void clone_set_cancel(struct clone_set *cs)
{
	clone_queue_cancel(cs);
	clone_fold_cancel(cs);
}

struct clone_set *clone_set_free(struct clone_set *cs)
{
	if (!cs)
		return NULL;
	clone_set_cancel(cs);
	clone_queue_stop(cs);
	clone_fold_stop(cs);
	atomic_store(&cs->stop_sweeping, true);
	thread_join(cs->sweeper);
	check(!cs->clones);
	mutex_done(&cs->lock);
	cond_done(&cs->work);
	flight_free(cs->opening);
	lru_done(&cs->attributes);
	cond_done(&cs->published);
	cond_done(&cs->fold);
	free(cs->fetched_ms);
	server_done(&cs->server);
	server_done(&cs->fallback);
	free(cs->own_url);
	free(cs->dir);
	free(cs);
	return NULL;
}

void clone_set_renewed(struct clone_set *cs)
{
	struct clone *c, *next;

	mutex_lock(&cs->lock);
	HASH_ITER (hh, cs->clones, c, next)
		flight_forget(c->jobs, "");
	mutex_unlock(&cs->lock);
}

/* ---- one clone ---- */

/* dir/<uuid without braces>.git */
static char *path_of(const struct clone_set *cs, const char *uuid)
{
	cleanup(buf_done) struct buf name = BUF_INIT(KIB);
	size_t n = strlen(uuid);
	cleanup(free) char *bare = NULL;

	if (n > 2 && uuid[0] == '{' && uuid[n - 1] == '}')
		bare = mem_dup0(uuid + 1, n - 2);
	else
		bare = mem_strdup(uuid);
	text_file_name(&name, bare, NULL);
	return mem_asprintf("%s/%s.git", cs->dir, name.data);
}

bool clone_is_name(const char *s)
{
	return s && s[0] && strcmp(s, ".") != 0 && strcmp(s, "..") != 0;
}

static bool replace(char **p, const char *s)
{
	if (*p && s ? strcmp(*p, s) == 0 : !*p && !s)
		return false;
	free(*p);
	*p = s ? mem_strdup(s) : NULL;
	return true;
}

bool clone_rename(struct clone_set *cs, struct clone *c, const char *workspace,
		  const char *slug) requires_lock(cs->lock)
{
	bool changed;

	check(c->clones == cs);
	changed = replace(&c->workspace, workspace);
	changed = replace(&c->slug, slug) || changed;
	/* What failed did so under the old name. */
	if (changed)
		flight_forget(c->jobs, "");
	return changed;
}

int clone_open(struct clone_set *cs, const char *uuid, const char *workspace,
	       const char *slug, const char *main_branch,
	       struct clone **ret_clone)
{
	struct clone *c;

	if (!uuid || !uuid[0] || !clone_is_name(workspace) ||
	    !clone_is_name(slug))
		return -EINVAL;
	mutex_lock(&cs->lock);
	HASH_FIND_STR(cs->clones, uuid, c);
	if (c) {
		c->refcount++;
	} else {
		c = mem_calloc(1, sizeof(*c));
		c->clones = cs;
		c->refcount = 1;
		c->uuid = mem_strdup(uuid);
		c->path = path_of(cs, uuid);
		c->jobs = flight_new(CLONE_REMEMBER_MS);
		(void)clone_rename(cs, c, workspace, slug);
		atomic_init(&c->objects, NULL);
		HASH_ADD_KEYPTR(hh, cs->clones, c->uuid, strlen(c->uuid), c);
	}
	replace(&c->main_branch, main_branch);
	mutex_unlock(&cs->lock);
	clone_name_offered(c, workspace, slug);
	*ret_clone = c;
	return 0;
}

bool clone_is_named(struct clone *c, const char *workspace, const char *slug)
{
	return mutex_with(&c->clones->lock,
			  strcmp(c->workspace, workspace) == 0 &&
				  strcmp(c->slug, slug) == 0);
}

struct clone *clone_ref(struct clone *c)
{
	mutex_lock(&c->clones->lock);
	c->refcount++;
	mutex_unlock(&c->clones->lock);
	return c;
}

struct clone *clone_unref(struct clone *c)
{
	struct clone_tracking *tracking, *next;
	struct clone_set *cs;
	bool last;

	if (!c)
		return NULL;
	cs = c->clones;
	mutex_lock(&cs->lock);
	check(c->refcount > 0);
	last = --c->refcount == 0;
	if (last)
		HASH_DEL(cs->clones, c);
	mutex_unlock(&cs->lock);
	if (!last)
		return NULL;
	objects_close(atomic_load(&c->objects));
	HASH_ITER (hh, c->trackings, tracking, next) {
		HASH_DEL(c->trackings, tracking);
		clone_tracking_free(tracking);
	}
	flight_free(c->jobs);
	clone_session_free(c->session);
	clone_refs_unref(c->names);
	clone_directories_free(c->directories);
	clone_lfs_free(c->lfs);
	free(c->no_trees);
	free(c->learnt_as);
	free(c->former);
	free(c->uuid);
	free(c->path);
	free(c->workspace);
	free(c->slug);
	free(c->main_branch);
	free(c);
	return NULL;
}

static int open_store(struct clone *c)
{
	struct objects *objects;
	int r = objects_open(c->path, &objects);

	/* Somebody removed the cache under us: it is begun anew. */
	if (r == -ENOENT && file_mkdirs(c->clones->dir, 0700) == 0)
		r = objects_open(c->path, &objects);
	if (r >= 0)
		atomic_store(&c->objects, objects);
	return r;
}

/*
 * One opens it for all who want it:
 * 1. A looks: it is not open.
 * 2. B, who leads, opens it and lands.
 * 3. A joins and leads, and would open it a second time: so A looks again.
 */
int clone_store(struct clone *c, struct objects **ret_objects)
{
	int r = FLIGHT_LANDED;

	while (r == FLIGHT_LANDED && !atomic_load(&c->objects))
		r = flight_join(NULL, c->clones->opening, c->path);
	if (r == FLIGHT_LEAD) {
		if (!atomic_load(&c->objects))
			r = open_store(c);
		flight_land(c->clones->opening, c->path, r < 0 ? r : 0, NULL);
	}
	if (r < 0)
		return r;
	*ret_objects = atomic_load(&c->objects);
	return 0;
}

/* ---- reading what is here ---- */

int clone_read_tree(struct ctx *ctx, struct clone *c, const struct oid *oid,
		    struct tree_list **ret_list)
{
	struct objects *objects;
	int r = clone_store(c, &objects);

	return r < 0 ? r : objects_read_tree(ctx, objects, oid, ret_list);
}

int clone_blob_size(struct ctx *ctx, struct clone *c, const struct oid *oid,
		    uint64_t *ret_size)
{
	struct objects *objects;
	int r = clone_store(c, &objects);

	return r < 0 ? r : objects_blob_size(ctx, objects, oid, ret_size);
}

int clone_read_blob(struct ctx *ctx, struct clone *c, const struct oid *oid,
		    struct blob **ret_blob)
{
	struct objects *objects;
	int r = clone_store(c, &objects);

	return r < 0 ? r
		     : objects_read_blob(ctx, objects, oid, CLONE_BIG,
					 ret_blob);
}

void clone_peek_blobs(struct clone *c, const struct oid *oids, size_t n,
		      size_t max, struct blob **ret_blobs)
{
	struct objects *objects;

	memset(ret_blobs, 0, n * sizeof(*ret_blobs));
	if (clone_store(c, &objects) == 0)
		objects_peek_blobs(objects, oids, n, max, ret_blobs);
}

bool clone_has(struct clone *c, const struct oid *oid)
{
	struct objects *objects;

	return clone_store(c, &objects) >= 0 && objects_has(objects, oid);
}

int clone_blob_file(struct ctx *ctx, struct clone *c, const struct oid *oid,
		    uint64_t offset, uint64_t n, int *ret_fd,
		    uint64_t *ret_size)
{
	struct objects *objects;
	int r = clone_store(c, &objects);

	return r < 0 ? r
		     : objects_blob_file(ctx, objects, oid, offset, n, ret_fd,
					 ret_size);
}

int clone_check(struct ctx *ctx, struct clone *c)
{
	struct objects *objects;
	int r = clone_store(c, &objects);

	return r < 0 ? r : objects_check(ctx, objects);
}

void clone_note_read(struct clone *c, const struct oid *commit)
{
	struct objects *objects;

	if (clone_store(c, &objects) >= 0)
		objects_note_read(objects, commit);
}

bool clone_has_store(struct clone *c)
{
	return atomic_load(&c->objects) || access(c->path, F_OK) == 0;
}

int clone_resolve_short(struct clone *c, const char *hex, size_t n,
			struct oid *ret_commit)
{
	struct objects *objects;
	int r = clone_store(c, &objects);

	return r < 0 ? r : objects_resolve_short(objects, hex, n, ret_commit);
}
