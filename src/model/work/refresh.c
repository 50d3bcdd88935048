/*
 * model/work/refresh: a queue of names without doubles, a list of watched
 * directories (trees, and those of branches and tags), one thread. The thread
 * sleeps until something is queued or a ref is due.
 *
 * A machine that slept is seen by CLOCK_BOOTTIME running ahead of
 * CLOCK_MONOTONIC: then everything mutable is asked for again when somebody
 * looks.
 */
#include "model/work/refresh.h"

#include "model/dirs/row_dir.h"
#include "model/git/refs.h"

#include "base/clock.h"

#include <inttypes.h>

#define JOB_TIMEOUT_MS (INT64_C(120) * 1000)
#define SUSPENDED_MS 5000
#define POLL_MS (INT64_C(30) * 1000)
#define MOST_DOUBLED 3

enum job_kind {
	JOB_ROOT,
	JOB_WORKSPACE,
	JOB_REPOSITORY,
	JOB_USER,
	JOB_PLACE,
};

struct job {
	enum job_kind kind;
	struct job *next;
	UT_hash_handle hh;
	char *workspace, *name;
	struct node *place; /* a reference */
	char key[];
};

struct watched {
	struct node *tree; /* a reference */
	struct watched *next;
};

struct refresh {
	struct model *model;
	struct thread *thread;
	struct mutex lock;
	struct cond cond;
	bool stopping;           /* all of it under lock */
	struct job *jobs;        /* by key */
	struct job *first;       /* in order */
	struct watched *watched; /* the thread alone takes entries out */
	int64_t ahead_ms;        /* boottime - monotonic; the thread's own */
};

static void job_free(struct refresh *refresh, struct job *job)
{
	node_unref(refresh->model->nodes, job->place);
	free(job->workspace);
	free(job->name);
	free(job);
}

static void queue(struct refresh *refresh, enum job_kind kind,
		  const char *workspace, const char *name, struct node *place)
{
	char key[16];
	struct job *job, *known;
	size_t n, w, len;

	if (!refresh)
		return;
	snprintf(key, sizeof(key), "%d/", (int)kind);
	n = strlen(key);
	w = workspace ? strlen(workspace) : 0;
	len = n + w + 1 + (name ? strlen(name) : 0);
	job = xcalloc(1, sizeof(*job) + len + 1);
	snprintf(job->key, len + 1, "%s%s/%s", key, workspace ? workspace : "",
		 name ? name : "");
	job->kind = kind;
	job->workspace = workspace ? xstrdup(workspace) : NULL;
	job->name = name ? xstrdup(name) : NULL;
	job->place = place ? node_ref(refresh->model->nodes, place) : NULL;

	mutex_lock(&refresh->lock);
	HASH_FIND(hh, refresh->jobs, job->key, len, known);
	if (!known && !refresh->stopping) {
		HASH_ADD_KEYPTR(hh, refresh->jobs, job->key, len, job);
		LL_APPEND(refresh->first, job);
		job = NULL;
		cond_signal(&refresh->cond);
	}
	mutex_unlock(&refresh->lock);
	if (job)
		job_free(refresh, job);
}

void refresh_root(struct refresh *refresh)
{
	queue(refresh, JOB_ROOT, NULL, NULL, NULL);
}

void refresh_workspace(struct refresh *refresh, const char *workspace)
{
	queue(refresh, JOB_WORKSPACE, workspace, NULL, NULL);
}

void refresh_repository(struct refresh *refresh, const char *workspace,
			const char *name)
{
	queue(refresh, JOB_REPOSITORY, workspace, name, NULL);
}

void refresh_user(struct refresh *refresh)
{
	queue(refresh, JOB_USER, NULL, NULL, NULL);
}

void refresh_row_dir(struct refresh *refresh, struct node *place)
{
	char number[24];

	snprintf(number, sizeof(number), "%" PRIu64, place->ino);
	queue(refresh, JOB_PLACE, NULL, number, place);
}

void refresh_watch(struct refresh *refresh, struct node *tree)
{
	struct watched *w, *found;

	if (!refresh)
		return;
	w = xcalloc(1, sizeof(*w));
	w->tree = node_ref(refresh->model->nodes, tree);
	mutex_lock(&refresh->lock);
	LL_SEARCH_SCALAR(refresh->watched, found, tree, tree);
	if (!found && !refresh->stopping) {
		LL_PREPEND(refresh->watched, w);
		w = NULL;
	}
	cond_signal(&refresh->cond);
	mutex_unlock(&refresh->lock);
	if (w) {
		node_unref(refresh->model->nodes, w->tree);
		free(w);
	}
}

int64_t refresh_pause_ms(const struct model *model, unsigned n_quiet)
{
	return model->config.ttl_ms
	       << (n_quiet < MOST_DOUBLED ? n_quiet : MOST_DOUBLED);
}

/*
 * One question is for all the watches of a repository, yet not at the same
 * moment:
 *   1. The first one that is due asks; its answer takes long, or the machine is
 *      busy.
 *   2. The others are due because there is news, one after the other.
 *   3. The last of them comes to it when the answer is no longer new.
 * It must not ask again, so what is young enough goes by the pause. And it
 * counts its pause from the answer: counted from 3., it would ask the next time
 * in between.
 */
int64_t refresh_age_ms(const struct model *model, unsigned n_quiet)
{
	return refresh_pause_ms(model, n_quiet) / 10 * 9;
}

int64_t refresh_asked_ms(int64_t began_ms, int64_t checked_ms,
			 int64_t max_age_ms)
{
	int64_t age_ms = clock_wall_ms() - checked_ms;

	/* A clock that was set, or an answer that nobody may hear: what is of
	 * long ago would be due again at once. */
	if (age_ms < 0 || age_ms > max_age_ms)
		return began_ms;
	return clock_mono_ms() - age_ms;
}

static int refresh_user_now(struct ctx *ctx, struct model *model)
{
	cleanup(catalog_document_done) struct catalog_document document = {0};
	int r;

	if (!catalog_has_user(model->config.catalog))
		return catalog_check_token(ctx, model->config.catalog);
	r = catalog_user(ctx, model->config.catalog, READ_REFRESH, &document);
	return r == -ENOENT ? 0 : r;
}

/* The check behind the mount is over. */
static void say_checked(struct model *model, const struct ctx *ctx, int r)
{
	const struct model_config *c = &model->config;
	bool failed = r < 0 && r != -EINTR && !ctx->refused;

	r = model_promised(r);
	if (c->check_behind && c->checked)
		c->checked(c->checked_arg, failed ? -r : 0,
			   ctx->sentence[0] ? ctx->sentence : strerror(-r));
}

static void run_job(struct refresh *refresh, const struct job *job)
{
	struct model *model = refresh->model;
	cleanup(buf_done) struct buf path = BUF_INIT(0);
	struct ctx ctx;
	int r = 0;

	ctx_init(&ctx, model->config.group, JOB_TIMEOUT_MS);
	ctx.who = CTX_REFRESH;
	switch (job->kind) {
	case JOB_ROOT:
		r = hierarchy_refresh_root(&ctx, model, NULL);
		break;
	case JOB_WORKSPACE:
		r = hierarchy_refresh_workspace(&ctx, model, job->workspace,
						NULL);
		break;
	case JOB_REPOSITORY:
		r = hierarchy_refresh_repository(&ctx, model, job->workspace,
						 job->name, NULL);
		break;
	case JOB_USER:
		r = refresh_user_now(&ctx, model);
		say_checked(model, &ctx, r);
		break;
	case JOB_PLACE:
		r = row_dir_refresh(&ctx, model, job->place, NULL);
		break;
	}
	/* What the background may not spend, or send, nobody misses: status
	 * says it, and whoever looks is told. */
	if (r < 0 && r != -EINTR && !ctx.refused) {
		if (job->place)
			node_path(job->place, &path);
		else
			buf_printf(&path, "%s%s%s",
				   job->workspace ? job->workspace : "/",
				   job->name ? "/" : "",
				   job->name ? job->name : "");
		r = model_promised(r);
		problems_add(model->problems, path.data, -r,
			     ctx.sentence[0] ? ctx.sentence : strerror(-r));
	}
	ctx_done(&ctx);
}

static struct job *next_job(struct refresh *refresh)
{
	struct job *job;

	mutex_lock(&refresh->lock);
	job = refresh->stopping ? NULL : refresh->first;
	if (job) {
		LL_DELETE(refresh->first, job);
		HASH_DEL(refresh->jobs, job);
	}
	mutex_unlock(&refresh->lock);
	return job;
}

/* Watched trees as an array with references. */
static size_t watched_now(struct refresh *refresh, struct node ***ret_trees)
{
	struct watched *w;
	size_t n = 0;

	mutex_lock(&refresh->lock);
	LL_COUNT(refresh->watched, w, n);
	*ret_trees = xcalloc(n + 1, sizeof(**ret_trees));
	n = 0;
	LL_FOREACH (refresh->watched, w)
		(*ret_trees)[n++] = node_ref(refresh->model->nodes, w->tree);
	mutex_unlock(&refresh->lock);
	return n;
}

static bool is_tree(const struct node *watched)
{
	return watched->what.provider == &provider_tree;
}

static int64_t due_ms(struct model *model, struct node *watched)
{
	return is_tree(watched) ? checkout_due_ms(model, watched)
				: refs_due_ms(model, watched);
}

static void unwatch(struct refresh *refresh, struct node *tree)
{
	struct watched *w;

	mutex_lock(&refresh->lock);
	LL_SEARCH_SCALAR(refresh->watched, w, tree, tree);
	if (w)
		LL_DELETE(refresh->watched, w);
	mutex_unlock(&refresh->lock);
	if (w)
		node_unref(refresh->model->nodes, w->tree);
	free(w);
	/* Somebody may have looked again meanwhile. */
	if (due_ms(refresh->model, tree) != INT64_MAX)
		refresh_watch(refresh, tree);
	else if (!is_tree(tree))
		refs_forget(refresh->model, tree);
}

static void check_tree(struct refresh *refresh, struct node *tree)
{
	struct model *model = refresh->model;
	cleanup(buf_done) struct buf path = BUF_INIT(64 * KIB);
	struct ctx ctx;
	int r;

	ctx_init(&ctx, model->config.group, -1);
	ctx.who = CTX_REFRESH;
	r = is_tree(tree)
		    ? checkout_check(&ctx, model, tree, REFRESH_POLL, NULL)
		    : refs_check(&ctx, model, tree, REFRESH_POLL, NULL);
	if (r < 0 && r != -EINTR && !ctx.refused) {
		node_path(tree, &path);
		r = model_promised(r);
		problems_add(model->problems, path.data, -r,
			     ctx.sentence[0] ? ctx.sentence : strerror(-r));
	}
	ctx_done(&ctx);
}

static void run_jobs(struct refresh *refresh)
{
	struct job *job;

	while ((job = next_job(refresh))) {
		run_job(refresh, job);
		job_free(refresh, job);
	}
}

/* Asks for the refs that are due; ms until the next one is. */
static int64_t check_trees(struct refresh *refresh)
{
	struct node **trees;
	size_t n = watched_now(refresh, &trees);
	int64_t next = POLL_MS;

	for (size_t i = 0; i < n; i++) {
		int64_t due = due_ms(refresh->model, trees[i]);

		/* A slow git server is not to delay them. */
		run_jobs(refresh);
		if (due == 0) {
			check_tree(refresh, trees[i]);
			due = due_ms(refresh->model, trees[i]);
		}
		if (due == INT64_MAX)
			unwatch(refresh, trees[i]);
		else if (due < next)
			next = due;
		node_unref(refresh->model->nodes, trees[i]);
	}
	free(trees);
	return next;
}

static void outdated_file(void *arg, struct node *node)
{
	struct model *model = arg;

	if (node->parent)
		model_changed_entry(model, node->parent, node->name);
}

static void outdated_dir(void *arg, struct node *node)
{
	model_changed_inode(arg, node, true);
}

static void look_for_suspend(struct refresh *refresh)
{
	int64_t ahead = clock_boot_ms() - clock_mono_ms();
	struct model *model = refresh->model;
	struct node **trees;
	size_t n;

	if (ahead - refresh->ahead_ms > SUSPENDED_MS) {
		n = watched_now(refresh, &trees);
		for (size_t i = 0; i < n; i++) {
			if (is_tree(trees[i]))
				checkout_expire(trees[i]);
			else
				refs_expire(model, trees[i]);
			node_unref(model->nodes, trees[i]);
		}
		free(trees);
		node_each(model->nodes, &provider_meta, outdated_file, model);
		node_each(model->nodes, &provider_stored, outdated_file, model);
		node_each(model->nodes, &provider_link, outdated_file, model);
		node_each(model->nodes, &provider_row_dir, outdated_dir, model);
		node_each(model->nodes, &provider_workspace, outdated_dir,
			  model);
		node_each(model->nodes, &provider_root, outdated_dir, model);
	}
	refresh->ahead_ms = ahead;
}

static void refresh_main(void *arg)
{
	struct refresh *refresh = arg;
	bool stopping = false;
	int64_t next;

	while (!stopping) {
		look_for_suspend(refresh);
		run_jobs(refresh);
		next = check_trees(refresh);
		clones_expire();
		/* The kernel forgets thousands at a time. */
		if (node_many_went(refresh->model->nodes))
			mem_give_back();
		mutex_lock(&refresh->lock);
		if (!refresh->first && !refresh->stopping)
			cond_wait_until(&refresh->cond, &refresh->lock,
					clock_mono_ms() +
						(next > 50 ? next : 50));
		stopping = refresh->stopping;
		mutex_unlock(&refresh->lock);
	}
}

int refresh_start(struct model *model, struct refresh **ret_refresh)
{
	struct refresh *refresh = xcalloc(1, sizeof(*refresh));
	int r;

	refresh->model = model;
	refresh->ahead_ms = clock_boot_ms() - clock_mono_ms();
	mutex_init(&refresh->lock);
	cond_init(&refresh->cond);
	*ret_refresh = refresh;
	r = thread_start("refresh", refresh_main, refresh, &refresh->thread);
	if (r < 0)
		*ret_refresh = refresh_stop(refresh);
	return r;
}

struct refresh *refresh_stop(struct refresh *refresh)
{
	struct watched *w, *next_w;
	struct job *job, *after;

	if (!refresh)
		return NULL;
	mutex_lock(&refresh->lock);
	refresh->stopping = true;
	cond_signal(&refresh->cond);
	mutex_unlock(&refresh->lock);
	thread_join(refresh->thread);
	HASH_CLEAR(hh, refresh->jobs);
	LL_FOREACH_SAFE(refresh->first, job, after)
	job_free(refresh, job);
	LL_FOREACH_SAFE(refresh->watched, w, next_w)
	{
		node_unref(refresh->model->nodes, w->tree);
		free(w);
	}
	cond_done(&refresh->cond);
	mutex_done(&refresh->lock);
	free(refresh);
	return NULL;
}
