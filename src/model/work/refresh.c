/*
 * model/work/refresh: a queue of work without doubles, a list of watched
 * directories, one thread. The thread sleeps until something is queued or a
 * directory is due.
 *
 * A machine that slept is seen by CLOCK_BOOTTIME running ahead of
 * CLOCK_MONOTONIC: then everything that can change is asked for again when a
 * program looks.
 */
#include "model/work/refresh.h"

#include "model/provider.h"

#include "base/clock.h"

#include <inttypes.h>

#define JOB_TIMEOUT_MS (INT64_C(120) * 1000)
#define SUSPENDED_MS 5000
#define POLL_MS (INT64_C(30) * 1000)
#define MOST_DOUBLED 3

struct job {
	const struct refresh_work *work;
	struct job *next;
	UT_hash_handle hh;
	char *workspace, *name;
	struct node *node; /* a reference */
	char key[];
};

struct watched {
	struct node *node; /* a reference */
	const struct refresh_watching *how;
	struct watched *next;
};

struct refresh {
	struct model *model;
	struct thread *thread;
	int64_t ahead_ms; /* boottime - monotonic; the worker's own */
	struct mutex lock;
	struct cond cond;
	/* Under lock: */
	bool stopping;
	struct job *jobs;        /* by key */
	struct job *first;       /* in order */
	struct watched *watched; /* the worker alone takes entries out */
};

static void job_free(struct refresh *refresh, struct job *job)
{
	node_unref(refresh->model->nodes, job->node);
	free(job->workspace);
	free(job->name);
	free(job);
}

void refresh_queue(struct refresh *refresh, const struct refresh_work *work,
		   const char *workspace, const char *name, struct node *node)
{
	cleanup(buf_done) struct buf key = BUF_INIT(0);
	struct job *job, *known;

	if (!refresh)
		return;
	buf_printf(&key, "%s/%s/%s/%" PRIu64, work->name,
		   workspace ? workspace : "", name ? name : "",
		   node ? node->ino : 0);
	job = mem_calloc(1, sizeof(*job) + key.len + 1);
	memcpy(job->key, key.data, key.len);
	job->work = work;
	job->workspace = workspace ? mem_strdup(workspace) : NULL;
	job->name = name ? mem_strdup(name) : NULL;
	job->node = node ? node_ref(refresh->model->nodes, node) : NULL;

	mutex_lock(&refresh->lock);
	HASH_FIND(hh, refresh->jobs, job->key, key.len, known);
	if (!known && !refresh->stopping) {
		HASH_ADD_KEYPTR(hh, refresh->jobs, job->key, key.len, job);
		LL_APPEND(refresh->first, job);
		job = NULL;
		cond_signal(&refresh->cond);
	}
	mutex_unlock(&refresh->lock);
	if (job)
		job_free(refresh, job);
}

static int refresh_one(struct ctx *ctx, struct model *model,
		       const struct refresh_item *item)
{
	return item->node->provider->refresh(ctx, model, item->node, NULL,
					     NULL);
}

static const struct refresh_work work_node = {"node", refresh_one};

void refresh_node(struct ctx *for_whom, struct refresh *refresh,
		  struct node *node)
{
	if (!ctx_is_barred(for_whom))
		refresh_queue(refresh, &work_node, NULL, NULL, node);
}

void refresh_watch(struct refresh *refresh, struct node *node,
		   const struct refresh_watching *how)
{
	struct watched *w, *found;

	if (!refresh)
		return;
	w = mem_calloc(1, sizeof(*w));
	w->node = node_ref(refresh->model->nodes, node);
	w->how = how;
	mutex_lock(&refresh->lock);
	LL_SEARCH_SCALAR(refresh->watched, found, node, node);
	if (!found && !refresh->stopping) {
		LL_PREPEND(refresh->watched, w);
		w = NULL;
	}
	cond_signal(&refresh->cond);
	mutex_unlock(&refresh->lock);
	if (w) {
		node_unref(refresh->model->nodes, w->node);
		free(w);
	}
}

int64_t refresh_pause_ms(const struct model *model, unsigned n_quiet)
{
	return model->config.ttl_ms
	       << (n_quiet < MOST_DOUBLED ? n_quiet : MOST_DOUBLED);
}

/*
 * One answer is for all watches of a repository, but they do not come to it at
 * the same moment:
 * 1. The first watch that is due asks. The answer takes long, or the machine is
 *    busy.
 * 2. The other watches become due, because the answer is another one than
 *    theirs, and are checked one after the other.
 * 3. When the last of them is checked the answer is no longer new: its age is
 *    counted from before the question. The last one must not ask again, so an
 *    answer that a watch has not seen is taken at any age
 *    (REFRESH_NEWS_AGE_MS). And its pause is counted from the answer: counted
 *    from 3., it would ask next time between two questions of the first.
 * 4. A watch that has seen the answer is due a moment before the others: it
 *    takes one that is younger than most of its pause.
 */
int64_t refresh_age_ms(const struct model *model, unsigned n_quiet)
{
	return refresh_pause_ms(model, n_quiet) / 10 * 9;
}

int64_t refresh_asked_ms(int64_t began_ms, int64_t checked_ms,
			 int64_t max_age_ms)
{
	int64_t age_ms = clock_wall_ms() - checked_ms;

	/* The wall clock was set, or the answer is older than asked for:
	 * counted from so long ago, the watch would be due again at once. */
	if (age_ms < 0 || age_ms > max_age_ms)
		return began_ms;
	return clock_mono_ms() - age_ms;
}

/* A refusal (no budget, no network) is not recorded as a problem, nor a list
 * that is still coming (EBUSY): nobody waits for the background, status tells
 * of it, and a program that looks is told. */
static void end(struct model *model, struct ctx *ctx, const char *path, int r)
{
	if (r < 0 && r != -EINTR && r != -EBUSY && !ctx->refused) {
		r = model_promised(r);
		problems_add(model->problems, path, -r,
			     ctx->sentence[0] ? ctx->sentence : strerror(-r));
	}
	ctx_done(ctx);
}

static void run_job(struct refresh *refresh, const struct job *job)
{
	struct model *model = refresh->model;
	const struct refresh_item item = {job->workspace, job->name, job->node};
	cleanup(buf_done) struct buf path = BUF_INIT(0);
	struct ctx ctx;
	int r;

	ctx_init(&ctx, model->config.group, JOB_TIMEOUT_MS);
	ctx.who = CTX_REFRESH;
	if (job->node)
		node_path(job->node, &path);
	else
		buf_printf(&path, "%s%s%s",
			   job->workspace ? job->workspace : "",
			   job->name ? "/" : "", job->name ? job->name : "");
	ctx_because(&ctx, "a refresh of %s", path.len ? path.data : "/");
	r = job->work->run(&ctx, model, &item);
	end(model, &ctx, path.len ? path.data : "/", r);
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

/* A copy of the list of watched directories, with a reference on each. */
static size_t watched_now(struct refresh *refresh, struct watched **ret)
{
	struct watched *w;
	size_t n = 0;

	mutex_lock(&refresh->lock);
	LL_COUNT(refresh->watched, w, n);
	*ret = mem_calloc(n + 1, sizeof(**ret));
	n = 0;
	LL_FOREACH (refresh->watched, w) {
		(*ret)[n] = *w;
		node_ref(refresh->model->nodes, (*ret)[n++].node);
	}
	mutex_unlock(&refresh->lock);
	return n;
}

static int64_t due_ms(struct refresh *refresh, const struct watched *w)
{
	return w->how->due_ms(refresh->model, w->node);
}

/* True: it is watched no more. */
static bool unwatch(struct refresh *refresh, const struct watched *what)
{
	struct watched *w;
	bool ended;

	mutex_lock(&refresh->lock);
	LL_SEARCH_SCALAR(refresh->watched, w, node, what->node);
	if (w)
		LL_DELETE(refresh->watched, w);
	mutex_unlock(&refresh->lock);
	if (w)
		node_unref(refresh->model->nodes, w->node);
	free(w);
	/*
	 * 1. This thread finds that nobody has looked for an hour.
	 * 2. A program looks: refresh_watch finds the directory on the list,
	 *    and adds nothing.
	 * 3. This thread takes the directory off the list: a program looks, and
	 *    nobody would ask again.
	 * So it is decided now, when the directory is off the list: a look from
	 * here on adds it.
	 */
	ended = what->how->end ? what->how->end(refresh->model, what->node)
			       : due_ms(refresh, what) == INT64_MAX;
	if (!ended)
		refresh_watch(refresh, what->node, what->how);
	return ended;
}

static void check_watched(struct refresh *refresh, const struct watched *w)
{
	struct model *model = refresh->model;
	cleanup(buf_done) struct buf path = BUF_INIT(64 * KIB);
	struct ctx ctx;
	int r;

	ctx_init(&ctx, model->config.group, -1);
	ctx.who = CTX_REFRESH;
	r = w->how->ask(&ctx, model, w->node, REFRESH_POLL);
	node_path(w->node, &path);
	end(model, &ctx, path.data, r);
}

static void run_jobs(struct refresh *refresh)
{
	struct job *job;

	while ((job = next_job(refresh))) {
		run_job(refresh, job);
		job_free(refresh, job);
	}
}

/* Asks for the directories that are due; ms until the next one is. */
static int64_t check_all(struct refresh *refresh)
{
	cleanup(free) struct watched *all = NULL;
	size_t n = watched_now(refresh, &all);
	int64_t next = POLL_MS;

	for (size_t i = 0; i < n; i++) {
		int64_t due = due_ms(refresh, &all[i]);

		/* Queued work goes between two questions: otherwise it would
		 * wait until a slow git server has answered all of them. */
		run_jobs(refresh);
		if (due == 0) {
			check_watched(refresh, &all[i]);
			due = due_ms(refresh, &all[i]);
		}
		if (due == INT64_MAX && !unwatch(refresh, &all[i]))
			due = due_ms(refresh, &all[i]);
		if (due < next)
			next = due;
		node_unref(refresh->model->nodes, all[i].node);
	}
	return next;
}

static void expire(void *arg, struct node *node)
{
	struct model *model = arg;

	switch (node->provider->expiry) {
	case PROVIDER_KEEPS:
		break;
	case PROVIDER_EXPIRES_NAME:
		if (node->parent)
			model_changed_entry(model, node->parent, node->name);
		break;
	case PROVIDER_EXPIRES_LISTING:
		model_changed_inode(model, node, true);
		break;
	}
}

static void look_for_suspend(struct refresh *refresh)
{
	int64_t ahead = clock_boot_ms() - clock_mono_ms();
	struct model *model = refresh->model;
	cleanup(free) struct watched *all = NULL;
	size_t n;

	if (ahead - refresh->ahead_ms > SUSPENDED_MS) {
		n = watched_now(refresh, &all);
		for (size_t i = 0; i < n; i++) {
			all[i].how->expire(model, all[i].node);
			node_unref(model->nodes, all[i].node);
		}
		node_each(model->nodes, NULL, expire, model);
	}
	refresh->ahead_ms = ahead;
}

/* After a walk: what was kept for speed and is not used any more goes, and the
 * memory of what went is the system's again. The kernel forgets thousands of
 * nodes at a time. */
static void give_back(struct model *model)
{
	size_t n_pins = listed_all_pins(model->listings);
	bool much = clone_expire_all();

	/* Also where only the kernel's copies were read, and no store. */
	if (!listed_all_expire(model->listings) && n_pins > MIB)
		much = true;
	if (node_many_went(model->nodes) || much)
		mem_give_back();
}

static void refresh_main(void *arg)
{
	struct refresh *refresh = arg;
	bool stopping = false;
	int64_t next;

	while (!stopping) {
		look_for_suspend(refresh);
		run_jobs(refresh);
		next = check_all(refresh);
		give_back(refresh->model);
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
	struct refresh *refresh = mem_calloc(1, sizeof(*refresh));
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
	LL_FOREACH_SAFE (refresh->first, job, after)
		job_free(refresh, job);
	LL_FOREACH_SAFE (refresh->watched, w, next_w) {
		node_unref(refresh->model->nodes, w->node);
		free(w);
	}
	cond_done(&refresh->cond);
	mutex_done(&refresh->lock);
	free(refresh);
	return NULL;
}
