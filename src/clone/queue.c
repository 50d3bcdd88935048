/*
 * Who waits for what, and the workers that do it.
 *
 * There are two queues of jobs: questions, which are short (for a repository's
 * refs; for what its server can do), and fetches. Those who want the same join
 * one flight of the clone (store/flight), whose work the job is: a question (of
 * all refs, if that is wanted), one commit, something of a commit. The workers
 * take from both queues (turns.c).
 * A job that was given up may still be ending when the next one of its kind is
 * queued: that one waits for it.
 *
 * When the last who waits gives up, the job goes out of its queue, or its ctx
 * is cancelled; not if somebody left it to go on (clone_queue_begin).
 *
 * Lock order: clones->lock, then the flight's. What the flight says and what is
 * in the queues are one state for whoever joins:
 * 1. A wants the head alone, and enters the flight as the first.
 * 2. B wants all refs, and enters before A's job is in the queue.
 * 3. B finds no job to widen, and would wait for an answer without the names.
 * So 1. and the queueing are one step under clones->lock.
 */
#include "clone/clone_private.h"

#include "store/flight.h"

#include "base/clock.h"

static void copy_sources(struct clone_job *j,
			 const struct clone_source *sources, size_t n)
{
	struct clone_source *copies = mem_calloc(n + 1, sizeof(*copies));

	j->texts = mem_calloc(2 * n + 1, sizeof(*j->texts));
	for (size_t i = 0; i < n; i++) {
		size_t k = j->n_sources;

		if (!clone_is_name(sources[i].workspace) ||
		    !clone_is_name(sources[i].slug))
			continue;
		j->n_sources++;
		j->texts[2 * k] = mem_strdup(sources[i].workspace);
		j->texts[2 * k + 1] = mem_strdup(sources[i].slug);
		copies[k].workspace = j->texts[2 * k];
		copies[k].slug = j->texts[2 * k + 1];
	}
	j->copies = copies;
	j->sources = copies;
}

static void copy_also(struct clone_job *j, const struct clone_need *need)
{
	j->need.also = NULL;
	if (!need->n_also)
		return;
	j->also = mem_alloc(need->n_also * sizeof(*j->also));
	memcpy(j->also, need->also, need->n_also * sizeof(*j->also));
	j->need.also = j->also;
}

struct clone_job *clone_job_new(struct clone_set *cs, struct clone *c,
				const struct clone_job *what,
				struct flight_work *work)
{
	struct clone_job *j = mem_calloc(1, sizeof(*j));

	j->kind = what->kind;
	j->all = what->all;
	j->commit = what->commit;
	j->want = what->want;
	j->need = what->need;
	copy_also(j, &what->need);
	j->is_slow = what->is_slow;
	j->behind = what->behind;
	copy_sources(j, what->sources, what->n_sources);
	j->clone = c;
	c->refcount++;
	j->clones = cs;
	j->server = &cs->server;
	j->workspace = mem_strdup(c->workspace);
	j->slug = mem_strdup(c->slug);
	if (c->main_branch)
		j->main_branch = mem_strdup(c->main_branch);
	j->since_ms = clock_mono_ms();
	j->work = work;
	j->ctx = flight_work_ctx(work);
	return j;
}

/* In no list any more. */
static void job_free(struct clone_job *j)
{
	clone_job_done(j);
	for (size_t i = 0; i < 2 * j->n_sources; i++)
		free(j->texts[i]);
	free(j->texts);
	free(j->copies);
	free(j->also);
	free(j->members);
	free(j->wants);
	free(j->workspace);
	free(j->slug);
	free(j->main_branch);
	clone_unref(j->clone);
	free(j);
}

static struct clone_job **queue_of(struct clone_set *cs,
				   enum clone_job_kind kind)
{
	return kind == CLONE_JOB_FETCH ? &cs->fetches : &cs->ls_refs;
}

static struct clone_job *find_in(struct clone_job *list,
				 const struct flight_work *work)
{
	struct clone_job *j;

	DL_FOREACH (list, j) {
		if (j->work == work)
			break;
	}
	return j;
}

/* It was never begun, or nobody wants it. */
static void break_off(struct clone_job *j)
{
	flight_end(j->work, &(struct flight_landing){.result = -EINTR});
	job_free(j);
}

/* ---- the workers ---- */

/*
 * First the flight, then the list: whoever enters in between finds no work, and
 * queues a job that waits until this one is out of the list (turns.c). The
 * other way round he would join work of which no job can be found.
 */
void clone_job_end(struct clone_job *j, int r)
{
	struct clone_set *cs = j->clones;
	/* Otherwise other work could have its address while this is listed. */
	struct flight_work *work = flight_work_ref(j->work);

	flight_end(work,
		   &(struct flight_landing){
			   .result = r < 0 ? r : 0,
			   .sentence = j->ctx->sentence,
			   .remember_ms = r == -EFBIG ? CLONE_REMEMBER_LARGE_MS
						      : 0,
		   });
	mutex_lock(&cs->lock);
	DL_DELETE(cs->running, j);
	/* Otherwise all workers would look, for nothing. */
	if (cs->ls_refs || cs->fetches)
		cond_broadcast(&cs->work);
	mutex_unlock(&cs->lock);
	flight_work_unref(work);
	if (j->kind == CLONE_JOB_FETCH)
		clone_fold_note(j->clone);
	job_free(j);
}

static int run(struct clone_job *j)
{
	switch (j->kind) {
	case CLONE_JOB_LS_REFS:
		return clone_job_ls_refs(j);
	case CLONE_JOB_GREET:
		return clone_job_greet(j);
	case CLONE_JOB_FETCH:
		break;
	}
	return clone_job_fetch(j);
}

/* A worker's thread: takes what enqueue has put into the queues. */
static void run_worker(void *arg)
{
	struct clone_set *cs = arg;
	struct clone_job *j;
	int64_t until;
	int r;

	for (;;) {
		mutex_lock(&cs->lock);
		while (!(j = clone_turns_next(cs, &until)) && !cs->stop)
			cond_wait_until(&cs->work, &cs->lock, until);
		/* The next one's time is another worker's to wait for. */
		if (j && cs->fetches)
			cond_signal(&cs->work);
		mutex_unlock(&cs->lock);
		if (!j)
			return;
		r = run(j);
		clone_note_used(j);
		clone_job_done(j);
		if (j->members)
			clone_blobs_end(j, r);
		else
			clone_job_end(j, r);
	}
}

int clone_queue_start(struct clone_set *cs)
{
	char name[16];
	int r;

	for (unsigned i = 0; i < CLONE_WORKERS; i++) {
		snprintf(name, sizeof(name), "clone-%u", i + 1);
		r = thread_start(name, run_worker, cs, &cs->workers[i]);
		if (r < 0)
			return r;
	}
	return 0;
}

void clone_queue_stop(struct clone_set *cs)
{
	mutex_lock(&cs->lock);
	cs->stop = true;
	cond_broadcast(&cs->work);
	mutex_unlock(&cs->lock);
	for (unsigned i = 0; i < CLONE_WORKERS; i++)
		cs->workers[i] = thread_join(cs->workers[i]);
}

void clone_queue_cancel(struct clone_set *cs)
{
	/* A work does not keep its flight, which is the clone's: a worker that
	 * ends its job now would let go of the last of both. */
	struct {
		struct flight_work *work;
		struct clone *clone;
	} running[CLONE_WORKERS];
	struct clone_job *queued, *j, *next;
	size_t n = 0;

	mutex_lock(&cs->lock);
	cs->cancelled = true;
	queued = cs->ls_refs;
	DL_CONCAT(queued, cs->fetches);
	cs->ls_refs = cs->fetches = NULL;
	DL_FOREACH (cs->running, j) {
		if (j->batch)
			continue;
		check(n < CLONE_WORKERS);
		running[n].work = flight_work_ref(j->work);
		running[n++].clone = j->clone;
		j->clone->refcount++;
	}
	mutex_unlock(&cs->lock);
	while (n) {
		ctx_cancel(flight_work_ctx(running[--n].work));
		flight_work_unref(running[n].work);
		clone_unref(running[n].clone);
	}
	DL_FOREACH_SAFE (queued, j, next)
		break_off(j);
}

/* ---- those who wait ---- */

/* The job does what is wanted, too. False: it is a question that was sent
 * already, which cannot be widened to all refs. */
static bool take_part(struct clone_set *cs, struct clone_job *j,
		      const struct ctx *ctx, const struct clone_job *what)
	requires_lock(cs->lock)
{
	check(j->clones == cs);
	if (what->all && !j->all && j->is_running)
		return false;
	/* Only of a job that is still queued: once it runs, its worker reads
	 * `all` without the lock. */
	if (what->all && !j->all)
		j->all = true;
	if (!what->need.most ||
	    (j->need.most && what->need.most > j->need.most))
		j->need.most = what->need.most;
	if (ctx->who <= j->who) {
		j->who = ctx->who;
		j->caller = ctx->caller;
	}
	/* A worker may wait for its time to come. */
	if (what->hurry && !j->hurry) {
		j->hurry = true;
		cond_broadcast(&cs->work);
	}
	return true;
}

/* Into its queue, from which run_worker takes it. */
static struct clone_job *enqueue(struct clone_set *cs, const struct ctx *ctx,
				 struct clone *c, const struct clone_job *what,
				 struct flight_work *work)
	requires_lock(cs->lock)
{
	struct clone_job *j = clone_job_new(cs, c, what, work), **queue;

	j->ctx->urgent = ctx->urgent;
	/* Not its caller: git asks in nobody's name. */
	if (ctx->cause[0])
		ctx_because(j->ctx, "%s, by process %d", ctx->cause,
			    (int)ctx->caller);
	j->who = ctx->who;
	queue = queue_of(cs, j->kind);
	DL_APPEND(*queue, j);
	cond_signal(&cs->work);
	return j;
}

/* Of work that somebody found when he entered. True: it serves him. False: it
 * is retired, a remembered failure forgotten or a question that is too narrow
 * closed, and whoever enters the key again finds new work. */
static bool serve_or_retire(struct clone_set *cs, const struct ctx *ctx,
			    struct clone *c, const char *key,
			    const struct clone_job *what,
			    struct flight_work *work) requires_lock(cs->lock)
{
	int failure = flight_work_result(work);
	struct clone_job *j = NULL;

	if (failure == -EFBIG && ctx->urgent) {
		/* .now asks for just this, however large it is. */
		flight_forget(c->jobs, key);
		return false;
	}
	if (failure < 0)
		return true;
	j = find_in(cs->running, work);
	if (!j)
		j = find_in(*queue_of(cs, what->kind), work);
	if (j && take_part(cs, j, ctx, what))
		return true;
	flight_close(work);
	return false;
}

static int join(struct ctx *ctx, struct clone *c, const struct clone_job *what,
		struct flight_work **ret_work)
{
	struct clone_set *cs = c->clones;
	char key[96] = "refs", hex[41], need[41];
	struct flight_work *work;
	bool joined = false;

	if (what->kind == CLONE_JOB_GREET)
		snprintf(key, sizeof(key), "greet");
	if (what->kind == CLONE_JOB_FETCH)
		snprintf(key, sizeof(key), "%s %d %s",
			 oid_hex(&what->commit, hex), what->need.kind,
			 oid_hex(&what->need.oid, need));
	while (!joined) {
		mutex_lock(&cs->lock);
		if (cs->cancelled) {
			mutex_unlock(&cs->lock);
			return ctx_fail(ctx, -EINTR, "the mount is ending");
		}
		if (flight_enter(c->jobs, key, &work) == FLIGHT_LEAD)
			joined = take_part(cs, enqueue(cs, ctx, c, what, work),
					   ctx, what);
		else
			joined = serve_or_retire(cs, ctx, c, key, what, work);
		mutex_unlock(&cs->lock);
		if (!joined)
			(void)flight_give_up(work);
	}
	*ret_work = work;
	return 0;
}

/* A job that nobody has begun goes with the last who wanted it; a batch with
 * the last who wanted any of it. */
static void unqueue(struct clone_set *cs, const struct flight_work *work)
{
	struct flight_work *batch = NULL;
	struct clone_job *j, *member;

	mutex_lock(&cs->lock);
	j = find_in(cs->ls_refs, work);
	if (j)
		DL_DELETE(cs->ls_refs, j);
	else if ((j = find_in(cs->fetches, work)))
		DL_DELETE(cs->fetches, j);
	else if ((member = find_in(cs->running, work)) && member->batch)
		batch = clone_blobs_abandon(cs, member);
	mutex_unlock(&cs->lock);
	if (j)
		break_off(j);
	if (batch)
		(void)flight_give_up(batch);
}

/* Who wants a size alone looks after a moment whether the pack has told it
 * (clone_blobs_hear): a small one is here sooner. */
static int wait_for_size(struct ctx *ctx, struct clone *c,
			 const struct oid *oid, struct flight_work *work)
{
	uint64_t size;
	int r;

	do {
		int64_t deadline_ms = ctx_narrow(ctx, CLONE_SIZE_MS);

		r = flight_wait(ctx, work, NULL);
		ctx_widen(ctx, deadline_ms);
		if (r != -ETIMEDOUT)
			return r;
		if (clone_blob_size(ctx, c, oid, &size) == 0)
			return 0;
		r = ctx_check(ctx);
	} while (r == 0);
	return r;
}

static int wait_for(struct ctx *ctx, struct clone *c,
		    const struct clone_job *what, struct flight_work *work)
{
	return what->need.size_will_do
		       ? wait_for_size(ctx, c, &what->need.oid, work)
		       : flight_wait(ctx, work, NULL);
}

static int await_job(struct ctx *ctx, struct clone *c,
		     const struct clone_job *what)
{
	struct flight_work *work = NULL;
	int r;

	do {
		/* Asked here and not by the job: the job is for all classes
		 * that wait. */
		r = credential_look(ctx, c->clones->credential, CREDENTIAL_GIT);
		if (r >= 0)
			r = join(ctx, c, what, &work);
		if (r < 0)
			return r;
		r = wait_for(ctx, c, what, work);
		flight_work_ref(work);
		if (flight_give_up(work))
			unqueue(c->clones, work);
		flight_work_unref(work);
	} while (r == FLIGHT_BROKEN_OFF);
	return r < 0 ? r : 0;
}

static bool is_queued(struct clone_set *cs, const struct flight_work *work)
{
	return mutex_with(&cs->lock, find_in(cs->fetches, work) != NULL);
}

static struct clone_job fetch_of(struct clone *c, const struct oid *commit,
				 const struct oid *want,
				 const struct clone_need *need,
				 const struct clone_source *sources,
				 size_t n_sources)
{
	return (struct clone_job){
		.kind = CLONE_JOB_FETCH,
		.clone = c,
		.commit = *commit,
		.want = *want,
		.need = *need,
		.sources = sources,
		.n_sources = n_sources,
	};
}

int clone_queue_begin(struct ctx *ctx, struct clone *c,
		      const struct oid *commit, const struct oid *want,
		      const struct clone_need *need, bool hurry,
		      const struct clone_source *sources, size_t n_sources,
		      int64_t wait_ms)
{
	struct clone_job what =
		fetch_of(c, commit, want, need, sources, n_sources);
	struct flight_work *work = NULL;
	int64_t old;
	int r = credential_look(ctx, c->clones->credential, CREDENTIAL_GIT);

	what.behind = what.is_slow = true;
	what.hurry = hurry;
	if (r >= 0)
		r = join(ctx, c, &what, &work);
	if (r < 0)
		return r;
	r = -ETIMEDOUT;
	if (wait_ms < 0) {
		r = flight_wait(ctx, work, NULL);
	} else if (wait_ms && (hurry || !is_queued(c->clones, work))) {
		old = ctx_narrow(ctx, wait_ms);
		r = flight_wait(ctx, work, NULL);
		ctx_widen(ctx, old);
	}
	(void)flight_leave(work);
	return r < 0 ? r : 0;
}

void clone_queue_greet(struct ctx *ctx, struct clone *c, bool is_known)
{
	const struct clone_job what = {
		.kind = CLONE_JOB_GREET, .clone = c, .is_slow = !is_known};
	struct flight_work *work = NULL;

	if (join(ctx, c, &what, &work) >= 0)
		(void)flight_leave(work);
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
		      const struct clone_need *need,
		      const struct clone_source *sources, size_t n_sources)
{
	struct clone_job what =
		fetch_of(c, commit, want, need, sources, n_sources);

	what.hurry = true;
	what.is_slow = need->kind == CLONE_NEED_ALL ||
		       (need->kind == CLONE_NEED_BLOB &&
			clone_blobs_is_large(c, &need->oid));
	return await_job(ctx, c, &what);
}
