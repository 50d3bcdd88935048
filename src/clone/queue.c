/*
 * Who waits for what, and the workers that bring it.
 *
 * There are two kinds of jobs, each with its queue: asking a repository for its
 * refs (short), and bringing a commit. A clone has at most one of each that
 * newcomers join: a question (of all refs, if that is wanted), and the same
 * commit. Four workers take from both queues, but at most two of them bring, so
 * a question never waits behind fetches. A job that was abandoned may still be
 * ending when the next one of its kind is queued: that one waits for it.
 *
 * The last waiter to leave takes its job with it: out of its queue, or by
 * cancelling the worker's ctx. ctx_cancel, ctx_watch and ctx_unwatch are called
 * with no lock held.
 */
#include "clone/private.h"

#include "base/clock.h"

static void copy_sources(struct clone_job *j,
			 const struct clone_source *sources, size_t n)
{
	struct clone_source *copies = xcalloc(n + 1, sizeof(*copies));

	j->texts = xcalloc(2 * n + 1, sizeof(*j->texts));
	for (size_t i = 0; i < n; i++) {
		size_t k = j->n_sources;

		if (!clone_is_name(sources[i].workspace) ||
		    !clone_is_name(sources[i].slug))
			continue;
		j->n_sources++;
		j->texts[2 * k] = xstrdup(sources[i].workspace);
		j->texts[2 * k + 1] = xstrdup(sources[i].slug);
		copies[k].workspace = j->texts[2 * k];
		copies[k].slug = j->texts[2 * k + 1];
	}
	j->copies = copies;
	j->sources = copies;
}

static struct clone_job *job_new(struct clones *cs, struct clone *c,
				 const struct clone_job *what)
	requires_lock(cs->lock)
{
	struct clone_job *j = xcalloc(1, sizeof(*j));

	j->kind = what->kind;
	j->all = what->all;
	j->commit = what->commit;
	j->want = what->want;
	copy_sources(j, what->sources, what->n_sources);
	j->clone = c;
	c->refs++;
	j->clones = cs;
	j->workspace = xstrdup(c->workspace);
	j->slug = xstrdup(c->slug);
	if (c->main_branch)
		j->main_branch = xstrdup(c->main_branch);
	j->since_ms = clock_mono_ms();
	ctx_init(&j->ctx, NULL, -1);
	cond_init(&j->changed);
	j->refs = 1;
	j->stage = CLONE_JOB_QUEUED;
	return j;
}

static void job_unref(struct clone_job *j)
{
	struct clones *cs = j->clones;
	bool last;

	mutex_lock(&cs->lock);
	last = --j->refs == 0;
	mutex_unlock(&cs->lock);
	if (!last)
		return;
	clone_job_done(j);
	ctx_done(&j->ctx);
	cond_done(&j->changed);
	for (size_t i = 0; i < 2 * j->n_sources; i++)
		free(j->texts[i]);
	free(j->texts);
	free(j->copies);
	free(j->workspace);
	free(j->slug);
	free(j->main_branch);
	clone_unref(j->clone);
	free(j);
}

static struct clone_job **queue_of(struct clones *cs, enum clone_job_kind kind)
{
	return kind == CLONE_JOB_LS_REFS ? &cs->ls_refs : &cs->fetches;
}

/* No newcomer joins the job from now on. */
static void close_job(struct clones *cs, struct clone_job *j)
	requires_lock(cs->lock)
{
	struct clone_job *other;

	check(j->clones == cs);
	LL_FOREACH2 (j->clone->joinable, other, next_joinable) {
		if (other == j)
			break;
	}
	if (other)
		LL_DELETE2(j->clone->joinable, j, next_joinable);
}

/* Takes a queued job out; its reference is now the caller's to drop. */
static void unqueue(struct clones *cs, struct clone_job *j)
	requires_lock(cs->lock)
{
	struct clone_job **queue = queue_of(cs, j->kind);

	DL_DELETE(*queue, j);
	j->stage = CLONE_JOB_DONE;
	j->result = -EINTR;
	close_job(cs, j);
	cond_broadcast(&j->changed);
}

/* ---- the workers ---- */

static bool same_work(const struct clone_job *a, const struct clone_job *b)
{
	return a->clone == b->clone && a->kind == b->kind &&
	       (a->kind == CLONE_JOB_LS_REFS ||
		oid_equal(&a->commit, &b->commit));
}

/* The first whose like is not at work. */
static struct clone_job *first_of(struct clones *cs, struct clone_job *queue)
	requires_lock(cs->lock)
{
	struct clone_job *j, *other;

	DL_FOREACH (queue, j) {
		DL_FOREACH (cs->running, other) {
			if (same_work(j, other))
				break;
		}
		if (!other)
			break;
	}
	return j;
}

static struct clone_job *next_job(struct clones *cs) requires_lock(cs->lock)
{
	struct clone_job *j = NULL, **queue;

	if (cs->n_fetching < CLONE_FETCHES)
		j = first_of(cs, cs->fetches);
	if (!j)
		j = first_of(cs, cs->ls_refs);
	if (!j)
		return NULL;
	queue = queue_of(cs, j->kind);
	DL_DELETE(*queue, j);
	j->stage = CLONE_JOB_RUNNING;
	cs->n_fetching += j->kind == CLONE_JOB_FETCH;
	DL_APPEND(cs->running, j);
	return j;
}

static void remember(struct clones *cs, struct clone_job *j, int r)
	requires_lock(cs->lock)
{
	struct clone *c = j->clone;
	struct clone_failure *f = &c->failures[c->next_failure];

	check(j->clones == cs);
	c->next_failure = (c->next_failure + 1) % CLONE_FAILURES;
	free(f->sentence);
	*f = (struct clone_failure){
		.kind = j->kind,
		.commit = j->commit,
		.errnum = r,
		.until_ms = clock_mono_ms() + (r == -EFBIG
						       ? CLONE_REMEMBER_LARGE_MS
						       : CLONE_REMEMBER_MS),
		.sentence = xstrdup(j->sentence),
	};
}

static void end(struct clone_job *j, int r)
{
	struct clones *cs = j->clones;
	bool wanted;

	mutex_lock(&cs->lock);
	DL_DELETE(cs->running, j);
	cs->n_fetching -= j->kind == CLONE_JOB_FETCH;
	wanted = j->n_waiters > 0;
	j->stage = CLONE_JOB_DONE;
	j->result = r;
	memcpy(j->sentence, j->ctx.sentence, sizeof(j->sentence));
	close_job(cs, j);
	if (wanted && r < 0 && r != -EINTR)
		remember(cs, j, r);
	cond_broadcast(&j->changed);
	cond_broadcast(&cs->work);
	mutex_unlock(&cs->lock);
	job_unref(j);
}

static void work(void *arg)
{
	struct clones *cs = arg;
	struct clone_job *j;
	int r;

	for (;;) {
		mutex_lock(&cs->lock);
		while (!(j = next_job(cs)) && !cs->stop)
			cond_wait(&cs->work, &cs->lock);
		mutex_unlock(&cs->lock);
		if (!j)
			return;
		r = j->kind == CLONE_JOB_LS_REFS ? clone_job_ls_refs(j)
						 : clone_job_fetch(j);
		clone_job_done(j);
		end(j, r);
	}
}

int clone_queue_start(struct clones *cs)
{
	char name[16];
	int r;

	for (unsigned i = 0; i < CLONE_WORKERS; i++) {
		snprintf(name, sizeof(name), "clone-%u", i + 1);
		r = thread_start(name, work, cs, &cs->workers[i]);
		if (r < 0)
			return r;
	}
	return 0;
}

void clone_queue_stop(struct clones *cs)
{
	mutex_lock(&cs->lock);
	cs->stop = true;
	cond_broadcast(&cs->work);
	mutex_unlock(&cs->lock);
	for (unsigned i = 0; i < CLONE_WORKERS; i++)
		cs->workers[i] = thread_join(cs->workers[i]);
}

void clone_queue_cancel(struct clones *cs)
{
	struct clone_job *gone[CLONE_WORKERS], *queued = NULL, *j, *next;
	size_t n = 0;

	mutex_lock(&cs->lock);
	cs->cancelled = true;
	DL_FOREACH_SAFE (cs->ls_refs, j, next) {
		unqueue(cs, j);
		DL_APPEND(queued, j);
	}
	DL_FOREACH_SAFE (cs->fetches, j, next) {
		unqueue(cs, j);
		DL_APPEND(queued, j);
	}
	DL_FOREACH (cs->running, j) {
		check(n < CLONE_WORKERS);
		j->refs++;
		gone[n++] = j;
	}
	mutex_unlock(&cs->lock);
	while (n) {
		ctx_cancel(&gone[--n]->ctx);
		job_unref(gone[n]);
	}
	DL_FOREACH_SAFE (queued, j, next) {
		job_unref(j);
	}
}

/* ---- those who wait ---- */

static void wake_waiters(void *arg)
{
	struct clone_job *j = arg;

	mutex_lock(&j->clones->lock);
	cond_broadcast(&j->changed);
	mutex_unlock(&j->clones->lock);
}

/* A job of the clone that does what is wanted. A question that was sent already
 * cannot be widened to all refs. */
static struct clone_job *find_job(struct clones *cs, struct clone *c,
				  const struct clone_job *what)
	requires_lock(cs->lock)
{
	struct clone_job *j;

	check(c->clones == cs);
	LL_FOREACH2 (c->joinable, j, next_joinable) {
		if (!same_work(j, what))
			continue;
		if (what->all && !j->all && j->stage == CLONE_JOB_RUNNING)
			continue;
		if (what->all && !j->all)
			j->all = true;
		break;
	}
	return j;
}

static const struct clone_failure *find_failure(struct clones *cs,
						const struct clone *c,
						const struct clone_job *what)
	requires_lock(cs->lock)
{
	check(c->clones == cs);
	for (size_t i = 0; i < CLONE_FAILURES; i++) {
		const struct clone_failure *f = &c->failures[i];

		if (f->errnum && f->kind == what->kind &&
		    clock_mono_ms() < f->until_ms &&
		    (f->kind == CLONE_JOB_LS_REFS ||
		     oid_equal(&f->commit, &what->commit)))
			return f;
	}
	return NULL;
}

static int join(struct ctx *ctx, struct clone *c, const struct clone_job *what,
		struct clone_job **ret_job)
{
	struct clones *cs = c->clones;
	char sentence[sizeof(ctx->sentence)] = "";
	const struct clone_failure *failure;
	struct clone_job *j, **queue;
	int r = 0;

	mutex_lock(&cs->lock);
	j = find_job(cs, c, what);
	failure = j ? NULL : find_failure(cs, c, what);
	if (failure && failure->errnum == -EFBIG && ctx->urgent)
		failure = NULL; /* just this is asked for now */
	if (cs->cancelled) {
		r = -EINTR;
		snprintf(sentence, sizeof(sentence), "the mount is ending");
	} else if (failure) {
		r = failure->errnum;
		snprintf(sentence, sizeof(sentence), "%s", failure->sentence);
	} else {
		if (!j) {
			j = job_new(cs, c, what);
			j->ctx.urgent = ctx->urgent;
			j->who = ctx->who;
			LL_PREPEND2(c->joinable, j, next_joinable);
			queue = queue_of(cs, j->kind);
			DL_APPEND(*queue, j);
			cond_signal(&cs->work);
		}
		if (ctx->who <= j->who) {
			j->who = ctx->who;
			j->caller = ctx->caller;
		}
		j->refs++;
		j->n_waiters++;
		*ret_job = j;
	}
	mutex_unlock(&cs->lock);
	return r < 0 ? ctx_fail(ctx, r, "%s", sentence) : 0;
}

/* Gives up waiting, if it is not over. */
static void leave(struct clone_job *j)
{
	struct clones *cs = j->clones;
	bool unqueued = false, cancel = false;

	mutex_lock(&cs->lock);
	if (--j->n_waiters == 0 && j->stage != CLONE_JOB_DONE) {
		unqueued = j->stage == CLONE_JOB_QUEUED;
		cancel = !unqueued;
		if (unqueued)
			unqueue(cs, j);
		else
			close_job(cs, j);
	}
	mutex_unlock(&cs->lock);
	if (cancel)
		ctx_cancel(&j->ctx);
	if (unqueued)
		job_unref(j);
	job_unref(j);
}

static int wait_for(struct ctx *ctx, struct clone_job *j)
{
	struct ctx_waker waker = {.wake = wake_waiters, .arg = j};
	char sentence[sizeof(j->sentence)] = "";
	struct clones *cs = j->clones;
	bool done, failed = false;
	int r = 0;

	ctx_watch(ctx, &waker);
	mutex_lock(&cs->lock);
	/* Before each wait: who was cancelled before it began to watch will not
	 * be woken again. */
	while (j->stage != CLONE_JOB_DONE && (r = ctx_check(ctx)) >= 0)
		(void)cond_wait_until(&j->changed, &cs->lock, ctx->deadline_ms);
	done = j->stage == CLONE_JOB_DONE;
	if (done) {
		r = j->result;
		failed = r < 0;
		if (failed)
			memcpy(sentence, j->sentence, sizeof(sentence));
	}
	mutex_unlock(&cs->lock);
	ctx_unwatch(ctx, &waker);
	leave(j);
	return failed ? ctx_fail(ctx, r, "%s", sentence) : r;
}

static int await_job(struct ctx *ctx, struct clone *c,
		     const struct clone_job *what)
{
	struct clone_job *j;
	/* Asked here and not by the job: the job is for all classes that wait.
	 */
	int r = credential_look(ctx, c->clones->credential, CREDENTIAL_GIT);

	if (r >= 0)
		r = join(ctx, c, what, &j);

	return r < 0 ? r : wait_for(ctx, j);
}

int clone_queue_ls_refs(struct ctx *ctx, struct clone *c, bool all)
{
	struct clone_job what = {
		.kind = CLONE_JOB_LS_REFS, .clone = c, .all = all};

	if (!all) {
		mutex_lock(&c->clones->lock);
		what.all = c->wanted_ms &&
			   clock_mono_ms() - c->wanted_ms < CLONE_WANTED_MS;
		mutex_unlock(&c->clones->lock);
	}
	return await_job(ctx, c, &what);
}

int clone_queue_fetch(struct ctx *ctx, struct clone *c,
		      const struct oid *commit, const struct oid *want,
		      const struct clone_source *sources, size_t n_sources)
{
	const struct clone_job what = {
		.kind = CLONE_JOB_FETCH,
		.clone = c,
		.commit = *commit,
		.want = *want,
		.sources = sources,
		.n_sources = n_sources,
	};
	/* Otherwise the refusal would come only after waiting for a worker. */
	int r = clone_admit_tree(ctx, c->clones, false);

	return r < 0 ? r : await_job(ctx, c, &what);
}
