/*
 * The clones of a mount: finding one, opening its store, reading what is there,
 * and what `status` wants to know.
 *
 * A clone is in the table of clones as long as somebody holds it; its head is
 * known from memory, or from the facts that an earlier mount left when the
 * store still has what they name.
 */
#include "remote/clone_private.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"

/* "https://host:port" of a URL. */
static char *origin_of(const char *url)
{
	const char *host = strstr(url, "://");
	size_t n;

	host = host ? host + 3 : url;
	n = (size_t)(host - url) + strcspn(host, "/?#");
	return xmemdup0(url, n);
}

int clones_new(const struct clones_config *config, struct clones **ret_clones)
{
	cleanup(clones_free) struct clones *cs = xcalloc(1, sizeof(*cs));
	size_t n = strlen(config->git_url);
	int r;

	mutex_init(&cs->lock);
	cond_init(&cs->work);
	cond_init(&cs->opened);
	while (n && config->git_url[n - 1] == '/')
		n--;
	cs->git_url = xmemdup0(config->git_url, n);
	cs->origin = origin_of(cs->git_url);
	cs->dir = xstrdup(config->dir);
	cs->credential = config->credential;
	cs->http = config->http;
	cs->cache = config->cache;
	cs->budget = config->budget;
	cs->max_trees = config->max_trees ? config->max_trees
					  : CLONE_TREES_DEFAULT;
	cs->brought = xcalloc(cs->max_trees, sizeof(*cs->brought));
	r = objects_global_init();
	if (r >= 0)
		r = file_mkdirs(cs->dir, 0700);
	if (r >= 0)
		r = queue_start(cs);
	if (r < 0)
		return r;
	*ret_clones = steal(&cs);
	return 0;
}

void clones_cancel(struct clones *cs)
{
	queue_cancel(cs);
}

struct clones *clones_free(struct clones *cs)
{
	if (!cs)
		return NULL;
	queue_cancel(cs);
	queue_stop(cs);
	check(!cs->clones);
	mutex_done(&cs->lock);
	cond_done(&cs->work);
	cond_done(&cs->opened);
	free(cs->brought);
	free(cs->git_url);
	free(cs->origin);
	free(cs->dir);
	free(cs);
	return NULL;
}

/* ---- one clone ---- */

/* dir/<uuid without braces>.git */
static char *path_of(const struct clones *cs, const char *uuid)
{
	cleanup(buf_done) struct buf name = BUF_INIT(KIB);
	size_t n = strlen(uuid);
	cleanup(free) char *bare = NULL;

	if (n > 2 && uuid[0] == '{' && uuid[n - 1] == '}')
		bare = xmemdup0(uuid + 1, n - 2);
	else
		bare = xstrdup(uuid);
	text_file_name(&name, bare, NULL);
	return xasprintf("%s/%s.git", cs->dir, name.data);
}

static bool is_part_of_url(const char *s)
{
	return s && s[0] && strcmp(s, ".") != 0 && strcmp(s, "..") != 0;
}

static bool replace(char **p, const char *s)
{
	if (*p && s ? strcmp(*p, s) == 0 : !*p && !s)
		return false;
	free(*p);
	*p = s ? xstrdup(s) : NULL;
	return true;
}

static void name_clone(struct clones *cs, struct clone *c,
		       const char *workspace, const char *slug,
		       const char *main_branch) requires_lock(cs->lock)
{
	bool changed;

	check(c->clones == cs);
	changed = replace(&c->workspace, workspace);
	changed = replace(&c->slug, slug) || changed;
	replace(&c->main_branch, main_branch);
	if (changed)
		c->failure = 0; /* it was the old name's */
}

int clone_open(struct clones *cs, const char *uuid, const char *workspace,
	       const char *slug, const char *main_branch,
	       struct clone **ret_clone)
{
	struct clone *c;

	if (!uuid || !uuid[0] || !is_part_of_url(workspace) ||
	    !is_part_of_url(slug))
		return -EINVAL;
	mutex_lock(&cs->lock);
	HASH_FIND_STR(cs->clones, uuid, c);
	if (c) {
		c->refs++;
	} else {
		c = xcalloc(1, sizeof(*c));
		c->clones = cs;
		c->refs = 1;
		c->uuid = xstrdup(uuid);
		c->path = path_of(cs, uuid);
		atomic_init(&c->objects, NULL);
		times_init(&c->times);
		HASH_ADD_KEYPTR(hh, cs->clones, c->uuid, strlen(c->uuid), c);
	}
	name_clone(cs, c, workspace, slug, main_branch);
	mutex_unlock(&cs->lock);
	*ret_clone = c;
	return 0;
}

struct clone *clone_ref(struct clone *c)
{
	mutex_lock(&c->clones->lock);
	check(c->refs > 0);
	c->refs++;
	mutex_unlock(&c->clones->lock);
	return c;
}

struct clone *clone_unref(struct clone *c)
{
	struct clones *cs;
	bool last;

	if (!c)
		return NULL;
	cs = c->clones;
	mutex_lock(&cs->lock);
	check(c->refs > 0);
	last = --c->refs == 0;
	if (last)
		HASH_DEL(cs->clones, c);
	mutex_unlock(&cs->lock);
	if (!last)
		return NULL;
	objects_close(atomic_load(&c->objects));
	times_done(&c->times);
	free(c->uuid);
	free(c->path);
	free(c->workspace);
	free(c->slug);
	free(c->main_branch);
	free(c);
	return NULL;
}

int clone_store(struct clone *c, struct objects **ret_objects)
{
	struct clones *cs = c->clones;
	struct objects *objects = atomic_load(&c->objects);
	int r;

	if (objects) {
		*ret_objects = objects;
		return 0;
	}
	mutex_lock(&cs->lock);
	while (c->opening)
		cond_wait(&cs->opened, &cs->lock);
	objects = atomic_load(&c->objects);
	c->opening = !objects;
	mutex_unlock(&cs->lock);
	if (objects) {
		*ret_objects = objects;
		return 0;
	}
	r = objects_open(c->path, &objects);
	mutex_lock(&cs->lock);
	if (r >= 0)
		atomic_store(&c->objects, objects);
	c->opening = false;
	cond_broadcast(&cs->opened);
	mutex_unlock(&cs->lock);
	if (r < 0)
		return r;
	*ret_objects = objects;
	return 0;
}

/* ---- the head ---- */

/* "commit tree time empty branch", as clone_job.c writes it. */
static bool parse_head(const char *line, struct clone_head *head)
{
	char commit[41], tree[41];
	int empty = 0, branch = 0;
	long long time_s;

	if (sscanf(line, "%40[0-9a-f] %40[0-9a-f] %lld %1d %n", commit, tree,
		   &time_s, &empty, &branch) != 4 ||
	    !branch || oid_parse(commit, &head->commit) < 0 ||
	    oid_parse(tree, &head->tree) < 0 ||
	    strlen(line + branch) >= sizeof(head->branch))
		return false;
	head->time_s = time_s;
	head->empty = empty != 0;
	snprintf(head->branch, sizeof(head->branch), "%s", line + branch);
	return true;
}

static bool recall_head(struct clone *c, struct clone_head *head)
{
	cleanup(blob_unref) struct blob *line = NULL, *checked = NULL;
	struct cache *cache = c->clones->cache;
	size_t n = strlen(c->uuid);
	uint64_t ms = 0;

	*head = (struct clone_head){0};
	if (cache_fact_get(cache, "head", c->uuid, n, &line) < 0 ||
	    !parse_head(blob_data(line), head))
		return false;
	if (cache_fact_get(cache, "head-checked", c->uuid, n, &checked) >= 0 &&
	    text_parse_u64(blob_data(checked), INT64_MAX, &ms) >= 0)
		head->checked_ms = (int64_t)ms;
	return true;
}

int clone_load_head(struct clone *c, struct clone_head *ret_head)
{
	struct clones *cs = c->clones;
	struct objects *objects;
	struct clone_head head;
	bool loaded, has, recalled, here;
	int r;

	mutex_lock(&cs->lock);
	loaded = c->loaded;
	has = c->has_head;
	if (has)
		*ret_head = c->head;
	mutex_unlock(&cs->lock);
	if (has || loaded)
		return has ? 0 : -ENOENT;

	r = clone_store(c, &objects);
	if (r < 0)
		return r;
	recalled = recall_head(c, &head);
	/* Somebody may have deleted the store since. */
	here = recalled &&
	       (head.empty || (objects_is_whole(objects, &head.commit) &&
			       objects_has(objects, &head.tree)));
	times_load(c);
	mutex_lock(&cs->lock);
	if (!c->loaded) {
		c->loaded = true;
		c->has_head = here;
		c->has_lost = recalled && !here;
		if (here)
			c->head = head;
		else if (recalled)
			c->lost = head.commit;
	}
	has = c->has_head;
	if (has)
		*ret_head = c->head;
	mutex_unlock(&cs->lock);
	return has ? 0 : -ENOENT;
}

int clone_known_head(struct clone *c, struct clone_head *ret_head)
{
	return clone_load_head(c, ret_head);
}

/* ---- reading what is here ---- */

int clone_read_tree(struct clone *c, const struct oid *oid,
		    struct tree_list **ret_list)
{
	struct objects *objects;
	int r = clone_store(c, &objects);

	return r < 0 ? r : objects_read_tree(objects, oid, ret_list);
}

int clone_blob_size(struct clone *c, const struct oid *oid, uint64_t *ret_size)
{
	struct objects *objects;
	int r = clone_store(c, &objects);

	return r < 0 ? r : objects_blob_size(objects, oid, ret_size);
}

int clone_read_blob(struct clone *c, const struct oid *oid,
		    struct blob **ret_blob)
{
	struct objects *objects;
	int r = clone_store(c, &objects);

	return r < 0 ? r : objects_read_blob(objects, oid, CLONE_BIG, ret_blob);
}

int clone_blob_file(struct clone *c, const struct oid *oid, int *ret_fd)
{
	struct objects *objects;
	int r = clone_store(c, &objects);

	return r < 0 ? r : objects_blob_file(objects, oid, ret_fd);
}

int clone_diff(struct clone *c, const struct oid *before,
	       const struct oid *after,
	       int (*each)(void *arg, const char *path,
			   const struct tree_entry *before,
			   const struct tree_entry *after),
	       void *arg)
{
	struct objects *objects;
	int r = clone_store(c, &objects);

	return r < 0 ? r
		     : objects_diff_trees(objects, before, after, each, arg);
}

/* ---- for `status`; each is called with no lock held ---- */

struct snapshot {
	char *workspace, *slug;
	struct clone_progress progress;
	struct clone_head head;
};

static void snapshot_names(struct snapshot *s, const char *workspace,
			   const char *slug)
{
	s->workspace = xstrdup(workspace);
	s->slug = xstrdup(slug);
}

static void snapshots_free(struct snapshot *snapshots, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(snapshots[i].workspace);
		free(snapshots[i].slug);
	}
	free(snapshots);
}

static void snapshot_job(struct snapshot *s, const struct clone_job *j)
{
	snapshot_names(s, j->workspace, j->slug);
	s->progress = (struct clone_progress){
		.workspace = s->workspace,
		.slug = s->slug,
		.n_bytes = j->progress.n_bytes,
		.n_objects = j->progress.n_objects,
		.n_objects_total = j->progress.n_objects_total,
		.since_ms = j->since_ms,
		.waiting = j->stage == JOB_WAITING,
	};
}

void clones_running(struct clones *cs,
		    bool (*each)(void *arg, const struct clone_progress *),
		    void *arg)
{
	struct snapshot *snapshots;
	struct clone_job *j;
	size_t n = 0, n_waiting = 0;

	mutex_lock(&cs->lock);
	DL_COUNT(cs->fetches, j, n_waiting);
	snapshots = xcalloc(n_waiting + CLONE_FETCHES, sizeof(*snapshots));
	DL_FOREACH (cs->running, j) {
		if (j->stage == JOB_FETCHING)
			snapshot_job(&snapshots[n++], j);
	}
	DL_FOREACH (cs->fetches, j) {
		snapshot_job(&snapshots[n++], j);
	}
	mutex_unlock(&cs->lock);
	for (size_t i = 0; i < n && each(arg, &snapshots[i].progress); i++)
		;
	snapshots_free(snapshots, n);
}

void clones_shown(struct clones *cs,
		  bool (*each)(void *arg, const struct clone_shown *),
		  void *arg)
{
	struct snapshot *snapshots;
	struct clone *c, *next;
	struct clone_shown shown;
	size_t n = 0;

	mutex_lock(&cs->lock);
	snapshots = xcalloc(HASH_COUNT(cs->clones) + 1, sizeof(*snapshots));
	HASH_ITER (hh, cs->clones, c, next) {
		if (!c->has_head)
			continue;
		snapshot_names(&snapshots[n], c->workspace, c->slug);
		snapshots[n++].head = c->head;
	}
	mutex_unlock(&cs->lock);
	for (size_t i = 0; i < n; i++) {
		shown.workspace = snapshots[i].workspace;
		shown.slug = snapshots[i].slug;
		shown.head = snapshots[i].head;
		if (!each(arg, &shown))
			break;
	}
	snapshots_free(snapshots, n);
}
