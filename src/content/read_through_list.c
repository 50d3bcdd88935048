/*
 * content/read_through, lists: what may take longer than anybody waits is
 * fetched on a thread of its own, a job, with the class of whoever came first.
 * Who waits for it has his time; when that is over the job goes on, and the
 * next reader joins it or finds what it stored.
 *
 * Whoever is cancelled gives up: with the last one the job is broken off, for
 * nobody wants it any more; unless somebody's time was over before.
 *
 * A job that is refused for its class (a walk's, the background's) is broken
 * off for all who wait but its leader: the next of them leads a new one, with
 * his own class, and goes on from the pages that are kept.
 *
 * A thread can be joined when it is known and has come to its end, whichever
 * comes last (n_marks):
 * 1. A leads, and starts the thread of the job.
 * 2. The thread ends the job, before A has stored which thread it is.
 * 3. B, who joins threads that have ended, would find none to join, and free
 *    the job under A.
 */
#include "read_through_private.h"

#include "base/clock.h"
#include "base/map.h"

/* Jobs that go on though nobody waits: each further one is broken off when its
 * readers' time is over, and goes on from what is kept when they come again. */
#define BEHIND_MOST 16
/* There is no room for a list, of which all pages were asked for: it is not
 * asked for again at each look. */
#define NO_ROOM_MS 30000

struct read_through_job {
	/* Fixed. */
	struct refcount refcount; /* the list of jobs', and the leader's */
	struct read_through *rt;
	struct flight_work *work;
	char *key, *what;
	struct read_through_list list;
	void *arg; /* of the list */
	int64_t since_ms;
	bool is_anew; /* for READ_ANEW */
	/* The thread's. */
	struct cache_entry *old;
	/* Fixed when the work has ended. */
	int result;
	bool refused;
	/* Under the lock of rt: */
	struct thread *thread;
	unsigned n_marks;
	bool is_behind; /* somebody's time was over */
	bool is_over;
	size_t n_pages, n_pages_all; /* n_pages_all 0: not known */
	struct read_through_job *prev, *next;
};

static void job_unref(struct read_through_job *j)
{
	if (!refcount_drop(&j->refcount))
		return;
	flight_work_unref(j->work);
	cache_entry_free(j->old);
	j->list.let_go(j->arg);
	free(j->key);
	free(j->what);
	free(j);
}

static void join_ended(struct read_through *rt)
{
	struct read_through_job *j, *next;

	mutex_lock(&rt->lock);
	j = rt->ended;
	rt->ended = NULL;
	mutex_unlock(&rt->lock);
	for (; j; j = next) {
		next = j->next;
		thread_join(j->thread);
		job_unref(j);
	}
}

static void mark(struct read_through_job *j, bool is_over)
{
	struct read_through *rt = j->rt;

	mutex_lock(&rt->lock);
	j->is_over = j->is_over || is_over;
	if (++j->n_marks == 2) {
		DL_DELETE(rt->jobs, j);
		LL_PREPEND(rt->ended, j);
		cond_broadcast(&rt->job_ended);
	}
	mutex_unlock(&rt->lock);
}

/* ---- the thread ---- */

static void job_end(struct read_through_job *j, int r)
{
	struct read_through *rt = j->rt;
	struct ctx *ctx = flight_work_ctx(j->work);
	bool refused = read_through_refused(ctx, r);

	if (!refused)
		read_through_note(rt, r, ctx->sentence, false);
	j->result = r;
	j->refused = refused;
	flight_end(j->work,
		   &(struct flight_landing){
			   .result = refused ? -EINTR : r,
			   .sentence = ctx->sentence,
			   .remember_ms = r == -ENOSPC
						  ? NO_ROOM_MS
						  : read_through_remember(r),
		   });
	mark(j, true);
}

static void job_main(void *arg)
{
	struct read_through_job *j = arg;
	int r = read_through_fetch_now(flight_work_ctx(j->work), j->rt, j->key,
				       j->list.fetch, j->arg, &j->old);

	/* Whoever waits looks for himself; the thread is joined much later. */
	j->old = cache_entry_free(j->old);
	job_end(j, r);
}

/* ---- its leader ---- */

/* For the same as ctx, but of no group: unmount ends it by read_through_end,
 * and Ctrl-C when nobody is left. */
static void work_like(struct flight_work *work, const struct ctx *ctx)
{
	struct ctx *of_work = flight_work_ctx(work);

	of_work->who = ctx->who;
	ctx_work_for(of_work, ctx);
	of_work->urgent = ctx->urgent;
	of_work->walks = ctx->walks;
}

/* Takes *entry over. */
static struct read_through_job *job_new(struct read_through *rt,
					const struct read_through_ask *ask,
					struct flight_work *work,
					struct cache_entry **entry)
{
	struct read_through_job *j = mem_calloc(1, sizeof(*j));

	refcount_init(&j->refcount);
	refcount_take(&j->refcount);
	j->rt = rt;
	j->work = flight_work_ref(work);
	j->key = mem_strdup(ask->key);
	j->what = mem_strdup(ask->list->what);
	j->list = *ask->list;
	j->list.what = j->what;
	j->arg = ask->list->keep(ask->arg);
	j->old = steal(entry);
	j->since_ms = clock_wall_ms();
	j->is_anew = ask->mode == READ_ANEW;
	return j;
}

/* The caller leads: a job, with a reference for the caller. It has ended
 * already when its thread could not be started. */
static struct read_through_job *start(struct ctx *ctx, struct read_through *rt,
				      const struct read_through_ask *ask,
				      struct flight_work *work,
				      struct cache_entry **entry)
{
	struct read_through_job *j = job_new(rt, ask, work, entry);
	struct thread *thread = NULL;
	bool ending;
	int r = -EINTR;

	join_ended(rt);
	work_like(work, ctx);
	mutex_lock(&rt->lock);
	ending = rt->ending;
	DL_APPEND(rt->jobs, j);
	mutex_unlock(&rt->lock);
	if (!ending)
		r = thread_start("list", job_main, j, &thread);
	mutex_lock(&rt->lock);
	j->thread = thread;
	mutex_unlock(&rt->lock);
	if (r < 0) {
		ctx_fail(flight_work_ctx(work), r,
			 "No thread could be started: %s.", strerror(-r));
		job_end(j, r);
	}
	mark(j, false);
	return j;
}

/* ---- whoever waits ---- */

/* The job under that key that goes on; NULL. */
static struct read_through_job *find(struct read_through *rt, const char *key)
	requires_lock(rt->lock)
{
	struct read_through_job *j, *found = NULL;

	DL_FOREACH (rt->jobs, j)
		if (!j->is_over && !strcmp(j->key, key))
			found = j; /* the newest: others were given up */
	return found;
}

/* What is under way has pages of before the caller wanted all of it anew: he
 * asks when it has ended. */
static bool is_too_early(struct read_through *rt,
			 const struct read_through_ask *ask)
{
	struct read_through_job *j;
	bool anew;

	if (ask->mode != READ_ANEW)
		return false;
	mutex_lock(&rt->lock);
	j = find(rt, ask->key);
	anew = j && j->is_anew;
	mutex_unlock(&rt->lock);
	return !anew;
}

/* The caller's time is over. */
static int fail_for_now(struct ctx *ctx, const struct read_through_ask *ask,
			size_t n, size_t of, bool goes_on)
{
	const char *after = goes_on ? "it goes on in the background"
				    : "it goes on from there when somebody "
				      "looks again";

	if (!n)
		return ctx_fail(ctx, -ETIMEDOUT,
				"Bitbucket has sent nothing of %s in the time "
				"that one waits.",
				ask->list->what);
	if (!of)
		return ctx_fail(ctx, -EBUSY, "Page %zu of %s; %s.", n,
				ask->list->what, after);
	return ctx_fail(ctx, -EBUSY, "Page %zu of %zu of %s; %s.", n, of,
			ask->list->what, after);
}

/* True: the job may go on behind. How far it is. */
static bool let_behind(struct read_through *rt, const char *key, size_t *ret_n,
		       size_t *ret_of)
{
	struct read_through_job *j, *own;
	unsigned n_behind = 0;
	bool may = false;

	mutex_lock(&rt->lock);
	DL_FOREACH (rt->jobs, j)
		n_behind += j->is_behind && !j->is_over;
	own = find(rt, key);
	if (own) {
		may = own->is_behind || n_behind < BEHIND_MOST;
		own->is_behind = may;
		*ret_n = own->n_pages;
		*ret_of = own->n_pages_all;
	}
	mutex_unlock(&rt->lock);
	return may;
}

/* Nobody answered in time: 0 when somebody did after all. */
static int leave(struct ctx *ctx, struct read_through *rt,
		 const struct read_through_ask *ask, struct flight_work *work,
		 struct cache_entry **entry)
{
	size_t n = 0, of = 0;
	bool goes_on = let_behind(rt, ask->key, &n, &of);

	if (goes_on)
		goes_on = flight_leave(work);
	else
		flight_give_up(work);
	if (!goes_on && read_through_came_meanwhile(rt, ask, entry))
		return 0;
	return fail_for_now(ctx, ask, n, of, goes_on);
}

/* What the end of the job is to whoever led it. */
static int led(struct ctx *ctx, const struct read_through_job *j, int r)
{
	if (r != FLIGHT_BROKEN_OFF)
		return r;
	ctx->refused = j->refused;
	return *flight_work_ctx(j->work)->sentence
		       ? ctx_fail(ctx, j->result, "%s",
				  flight_work_ctx(j->work)->sentence)
		       : j->result;
}

/* Until the work ends or ctx does. FLIGHT_BROKEN_OFF: enter again. */
static int await(struct ctx *ctx, struct read_through *rt,
		 const struct read_through_ask *ask, struct flight_work *work,
		 const struct read_through_job *own, struct cache_entry **entry)
{
	int r = flight_wait(ctx, work, NULL);

	/* Not the work, but the waiting. */
	if (r == -ETIMEDOUT && flight_work_result(work) == 0)
		return leave(ctx, rt, ask, work, entry);
	if (own)
		r = led(ctx, own, r);
	flight_give_up(work);
	if (r == FLIGHT_LANDED)
		read_through_look(rt, ask->key, entry);
	return r;
}

static int enter(struct ctx *ctx, struct read_through *rt,
		 const struct read_through_ask *ask, struct cache_entry **entry)
{
	struct read_through_job *own = NULL;
	struct flight_work *work;
	bool too_early = false;
	int r;

	if (flight_enter(rt->lists, ask->key, &work) == FLIGHT_LEAD) {
		if (read_through_came_meanwhile(rt, ask, entry)) {
			flight_end(work, &(struct flight_landing){.result = 0});
			flight_give_up(work);
			return FLIGHT_LANDED;
		}
		own = start(ctx, rt, ask, work, entry);
	} else {
		too_early = is_too_early(rt, ask);
	}
	r = await(ctx, rt, ask, work, own, entry);
	if (own)
		job_unref(own);
	return r == FLIGHT_LANDED && too_early ? FLIGHT_BROKEN_OFF : r;
}

int read_through_bring_list(struct ctx *ctx, struct read_through *rt,
			    const struct read_through_ask *ask,
			    struct cache_entry **entry)
{
	unsigned n_landed = 0;

	while (n_landed < READ_THROUGH_TRIES) {
		int r = enter(ctx, rt, ask, entry);

		/* What was there before is no answer. */
		if (r == FLIGHT_BROKEN_OFF)
			continue;
		/* The job took over what was there. */
		if (r < 0 && !*entry)
			read_through_look(rt, ask->key, entry);
		if (r < 0 || *entry)
			return r < 0 ? r : 0;
		n_landed++;
	}
	return ctx_fail(ctx, -EIO, "The cache did not keep what was fetched.");
}

/* ---- for everybody ---- */

void read_through_came(struct read_through *rt, const char *key, size_t n_pages,
		       size_t n_pages_all)
{
	struct read_through_job *j;

	mutex_lock(&rt->lock);
	j = find(rt, key);
	/* Of two that came at once the later one may say so first. */
	if (j && n_pages > j->n_pages) {
		j->n_pages = n_pages;
		j->n_pages_all = n_pages_all;
	}
	mutex_unlock(&rt->lock);
}

void read_through_running(struct read_through *rt,
			  void (*each)(void *arg,
				       const struct read_through_progress *),
			  void *arg)
{
	struct read_through_progress *all;
	struct read_through_job *j;
	size_t n = 0;

	mutex_lock(&rt->lock);
	DL_COUNT(rt->jobs, j, n);
	all = mem_calloc(n + 1, sizeof(*all));
	n = 0;
	DL_FOREACH (rt->jobs, j)
		if (!j->is_over)
			all[n++] = (struct read_through_progress){
				.what = mem_strdup(j->what),
				.n_pages = j->n_pages,
				.n_pages_all = j->n_pages_all,
				.since_ms = j->since_ms,
				.is_behind = j->is_behind,
			};
	mutex_unlock(&rt->lock);
	for (size_t i = 0; i < n; i++) {
		each(arg, &all[i]);
		free(all[i].what);
	}
	free(all);
}

/* The works of all jobs, with a reference on each. */
static size_t works(struct read_through *rt, struct flight_work ***ret)
	requires_lock(rt->lock)
{
	struct read_through_job *j;
	size_t n = 0;

	DL_COUNT(rt->jobs, j, n);
	*ret = mem_calloc(n + 1, sizeof(struct flight_work *));
	n = 0;
	DL_FOREACH (rt->jobs, j)
		(*ret)[n++] = flight_work_ref(j->work);
	return n;
}

void read_through_end(struct read_through *rt)
{
	mutex_lock(&rt->lock);
	rt->ending = true;
	mutex_unlock(&rt->lock);
	read_through_break_off(rt);
}

void read_through_break_off(struct read_through *rt)
{
	cleanup(free) struct flight_work **all = NULL;
	size_t n;

	mutex_lock(&rt->lock);
	n = works(rt, &all);
	mutex_unlock(&rt->lock);
	for (size_t i = 0; i < n; i++) {
		ctx_cancel(flight_work_ctx(all[i]));
		flight_work_unref(all[i]);
	}
	mutex_lock(&rt->lock);
	while (rt->jobs)
		cond_wait(&rt->job_ended, &rt->lock);
	mutex_unlock(&rt->lock);
	join_ended(rt);
}

void read_through_lists_init(struct read_through *rt)
{
	cond_init(&rt->job_ended);
}

void read_through_lists_done(struct read_through *rt)
{
	read_through_end(rt);
	flight_free(rt->lists);
	cond_done(&rt->job_ended);
}
