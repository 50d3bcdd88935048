/*
 * Who waits for which head, and the workers that bring them.
 *
 * A clone has at most one job that newcomers join. It goes through two queues:
 * `checks` (asking for the ref: short) and, when its commit is not here,
 * `fetches`. Four workers take from both, but at most two of them fetch, so a
 * check never waits behind fetches. A clone is in the hands of one worker at a
 * time: a job that was abandoned may still be ending when the next one is
 * queued.
 *
 * The last waiter to leave takes its job with it: out of its queue, or by
 * cancelling the worker's ctx. ctx_cancel, ctx_watch and ctx_unwatch are called
 * with no lock held.
 */
#include "remote/clone_private.h"

#include "base/clock.h"

static struct clone_job *job_new(struct clones *cs, struct clone *c)
	requires_lock(cs->lock)
{
	struct clone_job *j = xcalloc(1, sizeof(*j));

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
	j->stage = JOB_QUEUED;
	return j;
}

void job_unref(struct clone_job *j)
{
	struct clones *cs = j->clones;
	bool last;

	mutex_lock(&cs->lock);
	last = --j->refs == 0;
	mutex_unlock(&cs->lock);
	if (!last)
		return;
	job_done(j);
	ctx_done(&j->ctx);
	cond_done(&j->changed);
	free(j->workspace);
	free(j->slug);
	free(j->main_branch);
	clone_unref(j->clone);
	free(j);
}

/* Takes a queued job out; its reference is now the caller's to drop. */
static void unqueue(struct clones *cs, struct clone_job *j)
	requires_lock(cs->lock)
{
	if (j->stage == JOB_QUEUED)
		DL_DELETE(cs->checks, j);
	else
		DL_DELETE(cs->fetches, j);
	j->stage = JOB_DONE;
	j->result = -EINTR;
	if (j->clone->job == j)
		j->clone->job = NULL;
	cond_broadcast(&j->changed);
}

/* ---- the workers ---- */

static struct clone_job *next_job(struct clones *cs) requires_lock(cs->lock)
{
	struct clone_job *j = cs->fetches;

	if (j && cs->n_fetching < CLONE_FETCHES) {
		DL_DELETE(cs->fetches, j);
		j->stage = JOB_FETCHING;
		cs->n_fetching++;
	} else {
		DL_FOREACH (cs->checks, j) {
			if (!j->clone->busy)
				break;
		}
		if (!j)
			return NULL;
		DL_DELETE(cs->checks, j);
		j->stage = JOB_CHECKING;
	}
	j->clone->busy = true;
	DL_APPEND(cs->running, j);
	return j;
}

/* From the running to those who wait for one of the two places; false when
 * nobody wants it any more. */
static bool queue_fetch(struct clone_job *j)
{
	struct clones *cs = j->clones;
	bool wanted;

	mutex_lock(&cs->lock);
	wanted = j->n_waiters > 0 && !cs->cancelled;
	if (wanted) {
		DL_DELETE(cs->running, j);
		j->clone->busy = false;
		j->stage = JOB_WAITING;
		DL_APPEND(cs->fetches, j);
		cond_broadcast(&cs->work);
	}
	mutex_unlock(&cs->lock);
	return wanted;
}

static void end(struct clone_job *j, int r)
{
	struct clones *cs = j->clones;
	struct clone *c = j->clone;

	mutex_lock(&cs->lock);
	DL_DELETE(cs->running, j);
	if (j->stage == JOB_FETCHING)
		cs->n_fetching--;
	c->busy = false;
	j->stage = JOB_DONE;
	j->result = r;
	j->head = j->found;
	memcpy(j->sentence, j->ctx.sentence, sizeof(j->sentence));
	if (c->job == j) {
		c->job = NULL;
		if (r < 0 && r != -EINTR) {
			c->failure = r;
			c->failure_until_ms = clock_mono_ms() +
					      CLONE_REMEMBER_MS;
			memcpy(c->failure_sentence, j->sentence,
			       sizeof(c->failure_sentence));
		} else {
			c->failure = 0;
		}
	}
	cond_broadcast(&j->changed);
	cond_broadcast(&cs->work);
	mutex_unlock(&cs->lock);
	job_unref(j);
}

/* Only the worker that has it changes a running job's stage. */
static void run(struct clone_job *j, enum job_stage stage)
{
	bool fetch = false;
	int r;

	if (stage == JOB_CHECKING) {
		r = job_check(j, &fetch);
		if (r >= 0 && fetch) {
			if (queue_fetch(j))
				return;
			r = -EINTR;
		}
	} else {
		r = job_fetch(j);
	}
	if (r >= 0)
		job_finish(j);
	job_done(j);
	end(j, r);
}

static void work(void *arg)
{
	struct clones *cs = arg;
	struct clone_job *j;
	enum job_stage stage = JOB_DONE;

	for (;;) {
		mutex_lock(&cs->lock);
		while (!(j = next_job(cs)) && !cs->stop)
			cond_wait(&cs->work, &cs->lock);
		if (j)
			stage = j->stage;
		mutex_unlock(&cs->lock);
		if (!j)
			return;
		run(j, stage);
	}
}

int queue_start(struct clones *cs)
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

void queue_stop(struct clones *cs)
{
	mutex_lock(&cs->lock);
	cs->stop = true;
	cond_broadcast(&cs->work);
	mutex_unlock(&cs->lock);
	for (unsigned i = 0; i < CLONE_WORKERS; i++)
		cs->workers[i] = thread_join(cs->workers[i]);
}

void queue_cancel(struct clones *cs)
{
	struct clone_job *gone[CLONE_WORKERS], *queued = NULL, *j, *next;
	size_t n = 0;

	mutex_lock(&cs->lock);
	cs->cancelled = true;
	DL_FOREACH_SAFE (cs->checks, j, next) {
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

/* since_ms: when the caller began to want it; *ret_old: the job asked for the
 * ref too long before that. */
static int join(struct ctx *ctx, struct clone *c, int64_t since_ms,
		int64_t max_age_ms, struct clone_job **ret_job, bool *ret_old)
{
	struct clones *cs = c->clones;
	char sentence[sizeof(c->failure_sentence)] = "";
	struct clone_job *j = NULL;
	int r = 0;

	mutex_lock(&cs->lock);
	if (cs->cancelled) {
		r = -EINTR;
		snprintf(sentence, sizeof(sentence), "the mount is ending");
	} else if (c->job) {
		j = c->job;
	} else if (c->failure && clock_mono_ms() < c->failure_until_ms) {
		r = c->failure;
		memcpy(sentence, c->failure_sentence, sizeof(sentence));
	} else {
		c->job = j = job_new(cs, c);
		DL_APPEND(cs->checks, j);
		cond_signal(&cs->work);
	}
	if (j) {
		j->refs++;
		j->n_waiters++;
		*ret_job = j;
		*ret_old = j->asked_ms && max_age_ms != INT64_MAX &&
			   since_ms - j->asked_ms > max_age_ms;
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
	if (--j->n_waiters == 0 && j->stage != JOB_DONE) {
		if (j->clone->job == j)
			j->clone->job = NULL;
		unqueued = j->stage == JOB_QUEUED || j->stage == JOB_WAITING;
		if (unqueued)
			unqueue(cs, j);
		else
			cancel = true;
	}
	mutex_unlock(&cs->lock);
	if (cancel)
		ctx_cancel(&j->ctx);
	if (unqueued)
		job_unref(j);
	job_unref(j);
}

static int wait_for(struct ctx *ctx, struct clone_job *j,
		    struct clone_head *ret_head)
{
	struct ctx_waker waker = {.wake = wake_waiters, .arg = j};
	char sentence[sizeof(j->sentence)] = "";
	struct clones *cs = j->clones;
	bool done, failed = false;
	int r = 0;

	ctx_watch(ctx, &waker);
	mutex_lock(&cs->lock);
	while (j->stage != JOB_DONE && r >= 0) {
		/* The time is over when the clock says so, not this. */
		(void)cond_wait_until(&j->changed, &cs->lock, ctx->deadline_ms);
		r = ctx_check(ctx);
	}
	done = j->stage == JOB_DONE;
	if (done) {
		r = j->result;
		failed = r < 0;
		if (failed)
			memcpy(sentence, j->sentence, sizeof(sentence));
		else
			*ret_head = j->head;
	}
	mutex_unlock(&cs->lock);
	ctx_unwatch(ctx, &waker);
	leave(j);
	return failed ? ctx_fail(ctx, r, "%s", sentence) : r;
}

static bool is_recent(const struct clone_head *head, int64_t since_ms,
		      int64_t max_age_ms)
{
	int64_t age_ms = since_ms - head->checked_ms;

	/* A check from the future: the clock was set back since. */
	return max_age_ms == INT64_MAX || (age_ms >= 0 && age_ms <= max_age_ms);
}

int clone_get_head(struct ctx *ctx, struct clone *c, int64_t max_age_ms,
		   struct clone_head *ret_head)
{
	int64_t since_ms = clock_wall_ms();
	struct clone_job *j = NULL;
	struct clone_head head;
	bool old = false;
	int r = ctx_check(ctx);

	if (r < 0)
		return r;
	if (clone_load_head(c, &head) >= 0 &&
	    is_recent(&head, since_ms, max_age_ms)) {
		*ret_head = head;
		return 0;
	}
	r = ctx_wait_begin(ctx);
	if (r < 0)
		return r;
	do {
		r = join(ctx, c, since_ms, max_age_ms, &j, &old);
		if (r >= 0)
			r = wait_for(ctx, j, &head);
	} while (r >= 0 && old);
	ctx_wait_end(ctx);
	if (r >= 0)
		*ret_head = head;
	return r;
}
