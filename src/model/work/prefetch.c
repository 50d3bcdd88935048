/*
 * model/work/prefetch: `grep OPEN acme/x/pullrequests/index.tsv` asks for one
 * repository after the other, each a round trip. Once the third sibling in a
 * row is looked at, the collections of the next ones are fetched in the
 * background, four at a time, as far as the budget allows. The reader who comes
 * to one of them finds it in the cache, or joins the flight that is bringing
 * it.
 *
 * Siblings are followed in the order of names, which is also the shell's and
 * readdir's, except for what a locale makes of dashes.
 */
#include "model/work/prefetch.h"

#include "model/dirs/row_dir.h"
#include "model/repository.h"

#include "base/clock.h"
#include "base/search.h"

#define THREADS 4
#define RUNS 8     /* collections that are being followed */
#define IN_A_ROW 3 /* siblings looked at before anything is fetched */
#define WINDOW 8   /* siblings beyond the last one that was looked at */
#define NEAR 4     /* a gap of so many siblings is still the same walk */
#define FORGET_MS (INT64_C(60) * 1000)
#define JOB_MS (INT64_C(60) * 1000)

/* A program goes through the repositories of a workspace. */
struct run {
	char *workspace, *path; /* path: the collection's, in a repository */
	size_t last;            /* the sibling that was looked at */
	size_t until;           /* the siblings before this one were queued */
	unsigned in_a_row;
	int64_t at_ms;
};

struct job {
	struct job *next;
	char *path;     /* below the root */
	int32_t caller; /* the process that walks */
};

struct prefetch {
	struct model *model;
	struct mutex lock;
	struct cond cond;
	/* Under lock: */
	struct run runs[RUNS];
	struct job *jobs;
	struct thread *threads[THREADS];
	unsigned n_threads, n_idle;
	bool stopping;
};

static void run_done(struct run *run)
{
	free(run->workspace);
	free(run->path);
	*run = (struct run){0};
}

static void job_free(struct job *job)
{
	free(job->path);
	free(job);
}

/* ---- fetching ---- */

static void fetch(struct prefetch *prefetch, const struct job *job)
{
	struct model *model = prefetch->model;
	struct node *root = node_get(model->nodes, NODE_ROOT_INO), *node = NULL;
	cleanup(collection_unref) struct collection *c = NULL;
	struct answer_age age;
	struct ctx ctx;

	ctx_init(&ctx, model->config.group, JOB_MS);
	ctx.who = CTX_REFRESH;
	ctx.caller = job->caller;
	ctx_because(&ctx, "what comes next, %s", job->path);
	/* Failures are not recorded: the reader who comes here meets them
	 * again, and is told. */
	if (model_resolve(&ctx, model, root, job->path, &node) == 0 &&
	    node->provider == &provider_row_dir)
		(void)row_dir_collection(&ctx, model, node, READ_THROUGH, &c,
					 &age);
	ctx_done(&ctx);
	node_unref(model->nodes, node);
	node_unref(model->nodes, root);
}

static void work(void *arg)
{
	struct prefetch *prefetch = arg;

	mutex_lock(&prefetch->lock);
	while (!prefetch->stopping) {
		struct job *job = prefetch->jobs;

		if (!job) {
			prefetch->n_idle++;
			cond_wait(&prefetch->cond, &prefetch->lock);
			prefetch->n_idle--;
			continue;
		}
		LL_DELETE(prefetch->jobs, job);
		mutex_unlock(&prefetch->lock);
		fetch(prefetch, job);
		job_free(job);
		mutex_lock(&prefetch->lock);
	}
	mutex_unlock(&prefetch->lock);
}

/* ---- noticing ---- */

/* The run of that collection; else the one that was used longest ago, which is
 * given to the collection. */
static struct run *run_of(struct prefetch *prefetch, const char *workspace,
			  const char *path) requires_lock(prefetch->lock)
{
	struct run *oldest = &prefetch->runs[0];

	for (size_t i = 0; i < RUNS; i++) {
		struct run *run = &prefetch->runs[i];

		if (run->path && !strcmp(run->path, path) &&
		    !strcmp(run->workspace, workspace))
			return run;
		if (run->at_ms < oldest->at_ms)
			oldest = run;
	}
	run_done(oldest);
	oldest->workspace = mem_strdup(workspace);
	oldest->path = mem_strdup(path);
	return oldest;
}

/* The siblings from *ret_from to before *ret_until are to be fetched. */
static bool take_note(struct run *run, size_t at, size_t n_siblings,
		      size_t *ret_from, size_t *ret_until)
{
	int64_t now = clock_mono_ms();
	bool same = run->in_a_row && at == run->last;
	bool next = run->in_a_row && at > run->last && at <= run->last + NEAR &&
		    now - run->at_ms < FORGET_MS;

	run->at_ms = now;
	if (same)
		return false;
	run->in_a_row = next ? run->in_a_row + 1 : 1;
	run->last = at;
	if (!next)
		run->until = 0;
	if (run->in_a_row < IN_A_ROW)
		return false;
	*ret_from = run->until > at + 1 ? run->until : at + 1;
	*ret_until = at + 1 + WINDOW < n_siblings ? at + 1 + WINDOW
						  : n_siblings;
	if (*ret_from < *ret_until)
		run->until = *ret_until;
	return *ret_from < *ret_until;
}

static void queue(struct prefetch *prefetch, int32_t caller, char *path)
{
	struct job *job = mem_calloc(1, sizeof(*job));
	unsigned slot = THREADS;

	job->path = path;
	job->caller = caller;
	mutex_lock(&prefetch->lock);
	LL_APPEND(prefetch->jobs, job);
	if (prefetch->n_idle == 0 && prefetch->n_threads < THREADS)
		slot = prefetch->n_threads++;
	cond_signal(&prefetch->cond);
	mutex_unlock(&prefetch->lock);
	/* If it cannot be started there is one thread less. */
	if (slot < THREADS)
		(void)thread_start("prefetch", work, prefetch,
				   &prefetch->threads[slot]);
}

static bool is_before(const void *list, size_t i, const void *name)
{
	const struct collection *all = list;

	return strcmp(all->items[i].name, name) < 0;
}

void prefetch_note(struct ctx *ctx, struct model *model,
		   struct node *collection)
{
	struct prefetch *prefetch = model->prefetch;
	cleanup(scope_unref) struct scope *scope = NULL;
	cleanup(collection_unref) struct collection *list = NULL;
	cleanup(buf_done) struct buf path = BUF_INIT(64 * KIB);
	const struct node *repository;
	const char *workspace;
	struct answer_age age;
	size_t at, from, until;
	bool any;

	if (!prefetch || ctx->who == CTX_REFRESH ||
	    row_dir_of(collection)->scope->n_ids > 0)
		return;
	repository = repository_above(collection);
	if (!repository)
		return;
	workspace = repository->parent->name;
	scope = documents_listing_scope(model->config.documents, workspace);
	if (documents_collection(ctx, model->config.documents,
				 &resource_repositories, scope, READ_CACHED,
				 &list, &age) < 0)
		return;
	node_path_below(collection, repository, &path);
	at = search_first(list, list->n_items, repository->name, is_before);
	mutex_lock(&prefetch->lock);
	any = take_note(run_of(prefetch, workspace, path.data), at,
			list->n_items, &from, &until);
	mutex_unlock(&prefetch->lock);
	if (!any || !budget_may_prefetch(prefetch->model->config.budget,
					 (unsigned)(until - from)))
		return;
	for (; from < until; from++)
		queue(prefetch, ctx->caller,
		      mem_asprintf("%s/%s/%s", workspace,
				   list->items[from].name, path.data));
}

/* ---- life ---- */

struct prefetch *prefetch_new(struct model *model)
{
	struct prefetch *prefetch = mem_calloc(1, sizeof(*prefetch));

	prefetch->model = model;
	mutex_init(&prefetch->lock);
	cond_init(&prefetch->cond);
	return prefetch;
}

struct prefetch *prefetch_free(struct prefetch *prefetch)
{
	struct job *job, *next;

	if (!prefetch)
		return NULL;
	mutex_lock(&prefetch->lock);
	prefetch->stopping = true;
	cond_broadcast(&prefetch->cond);
	mutex_unlock(&prefetch->lock);
	for (unsigned i = 0; i < prefetch->n_threads; i++)
		thread_join(prefetch->threads[i]);
	LL_FOREACH_SAFE (prefetch->jobs, job, next)
		job_free(job);
	for (size_t i = 0; i < RUNS; i++)
		run_done(&prefetch->runs[i]);
	cond_done(&prefetch->cond);
	mutex_done(&prefetch->lock);
	free(prefetch);
	return NULL;
}
