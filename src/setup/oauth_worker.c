/*
 * setup/oauth_worker: a thread that begins with the first work, and a
 * queue, which has two works at most: of a version that has just been brought,
 * and of the one after it.
 */
#include "setup/oauth_worker.h"

#include "base/clock.h"
#include "base/mem.h"
#include "store/flight.h"

#include <inttypes.h>

/* Unmounting waits so long for an answer. */
#define GRACE_MS 5000

struct job {
	struct flight_work *work;
	uint64_t version;
	struct job *next;
};

struct oauth_worker {
	struct oauth_work does;
	struct flight *flight; /* by the version that is to be replaced */
	struct ctx_group *group;
	struct thread *thread; /* NULL: not begun */
	struct mutex lock;
	struct cond changed;
	struct job *jobs under_lock;
	bool is_begun under_lock, ends under_lock, holds under_lock;
};

static void end(struct job *job, int r, const char *sentence,
		int64_t remember_ms)
{
	flight_end(job->work, &(struct flight_landing){
				      .result = r,
				      .sentence = sentence,
				      .remember_ms = remember_ms,
			      });
	free(job);
}

static void run_one(struct oauth_worker *w, struct job *job)
{
	cleanup(ctx_done) struct ctx ctx;
	int64_t remember_ms = 0;
	int r;

	ctx_init(&ctx, w->group, -1);
	r = ctx_check(&ctx);
	if (!r)
		r = w->does.run(w->does.arg, &ctx, job->version, &remember_ms);
	end(job, r, ctx.sentence, remember_ms);
}

static void work(void *arg)
{
	struct oauth_worker *w = arg;

	mutex_lock(&w->lock);
	while (!w->ends || w->jobs) {
		struct job *job = w->jobs;

		if (!job) {
			cond_wait(&w->changed, &w->lock);
			continue;
		}
		w->jobs = job->next;
		mutex_unlock(&w->lock);
		run_one(w, job);
		mutex_lock(&w->lock);
	}
	mutex_unlock(&w->lock);
}

struct oauth_worker *oauth_worker_new(const struct oauth_work *does,
				      int64_t remember_ms)
{
	struct oauth_worker *w = mem_calloc(1, sizeof(*w));

	w->does = *does;
	w->flight = flight_new(remember_ms);
	w->group = ctx_group_new(1);
	mutex_init(&w->lock);
	cond_init(&w->changed);
	return w;
}

struct oauth_worker *oauth_worker_free(struct oauth_worker *w)
{
	int64_t until_ms = clock_mono_ms() + GRACE_MS;

	if (!w)
		return NULL;
	mutex_lock(&w->lock);
	w->ends = true;
	cond_broadcast(&w->changed);
	while (w->holds && cond_wait_until(&w->changed, &w->lock, until_ms))
		;
	mutex_unlock(&w->lock);
	ctx_group_cancel(w->group);
	thread_join(w->thread);
	flight_free(w->flight);
	ctx_group_free(w->group);
	cond_done(&w->changed);
	mutex_done(&w->lock);
	free(w);
	return NULL;
}

/* Behind what waits. True: nobody works yet. */
static bool queue_up(struct oauth_worker *w, struct job *job)
{
	struct job **last;
	bool begins;

	mutex_lock(&w->lock);
	for (last = &w->jobs; *last; last = &(*last)->next)
		;
	*last = job;
	begins = !w->is_begun;
	w->is_begun = true;
	cond_broadcast(&w->changed);
	mutex_unlock(&w->lock);
	return begins;
}

/* Whoever had it begin does it himself where there is no thread to be had. */
static void have_done(struct oauth_worker *w, struct flight_work *of,
		      uint64_t version)
{
	struct job *job = mem_calloc(1, sizeof(*job));

	*job = (struct job){.work = of, .version = version};
	if (!queue_up(w, job) || !thread_start("oauth", work, w, &w->thread))
		return;
	mutex_lock(&w->lock);
	w->is_begun = false;
	job = w->jobs;
	w->jobs = NULL;
	mutex_unlock(&w->lock);
	while (job) {
		struct job *next = job->next;

		run_one(w, job);
		job = next;
	}
}

int oauth_worker_do(struct ctx *ctx, struct oauth_worker *w, uint64_t version)
{
	struct flight_work *of;
	char key[24];
	int r;

	snprintf(key, sizeof(key), "%" PRIu64, version);
	if (flight_enter(w->flight, key, &of) == FLIGHT_LEAD)
		have_done(w, of, version);
	r = flight_wait(ctx, of, NULL);
	(void)flight_leave(of);
	return r == FLIGHT_LANDED ? 0 : r == FLIGHT_BROKEN_OFF ? -EINTR : r;
}

void oauth_worker_hold(struct oauth_worker *w, bool holds)
{
	mutex_lock(&w->lock);
	w->holds = holds;
	cond_broadcast(&w->changed);
	mutex_unlock(&w->lock);
}
