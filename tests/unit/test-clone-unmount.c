/*
 * clone/clone when a mount ends: what clone_set_cancel breaks off lets go of
 * its clone while clone_set_cancel still holds on to it. The linker leads the
 * calls below through here (tests/meson.build), so that it is no matter of luck
 * who comes first.
 */
#include "clone-world.h"

void __real_ctx_cancel(struct ctx *);
void __wrap_ctx_cancel(struct ctx *);
struct clone *__real_clone_unref(struct clone *);
struct clone *__wrap_clone_unref(struct clone *);
struct flight *__real_flight_free(struct flight *);
struct flight *__wrap_flight_free(struct flight *);

static struct mutex lock;
static struct cond changed;
/* By a worker: a question's job, then the fetch's. */
#define N_JOBS 2
static unsigned n_let_go under_lock;
static atomic_uint n_flights_freed;

/* Of the thread that unmounts. */
static _Thread_local struct world *unmounting;
static struct caller {
	struct thread *thread;
	struct clone *clone;
	struct ctx ctx;
	int result;
} caller;

static void call(void *arg)
{
	struct clone_head head;

	(void)arg;
	caller.result = clone_tracking_get(
		&caller.ctx, clone_tracking(caller.clone, NULL), 0, &head);
}

struct clone *__wrap_clone_unref(struct clone *c)
{
	(void)__real_clone_unref(c);
	if (!unmounting) {
		mutex_lock(&lock);
		n_let_go++;
		cond_broadcast(&changed);
		mutex_unlock(&lock);
	}
	return NULL;
}

struct flight *__wrap_flight_free(struct flight *f)
{
	atomic_fetch_add(&n_flights_freed, 1);
	return __real_flight_free(f);
}

/* All but whoever cancels lets go of the clone. */
void __wrap_ctx_cancel(struct ctx *ctx)
{
	struct world *w = unmounting;

	__real_ctx_cancel(ctx);
	/* The second one is the folder's. */
	if (!w || w->n_clones == 0)
		return;
	caller.thread = thread_join(caller.thread);
	clone_unref(w->clones[--w->n_clones]);
	mutex_lock(&lock);
	while (n_let_go < N_JOBS)
		cond_wait(&changed, &lock);
	mutex_unlock(&lock);
	/* The work's ctx is a part of it, and the work one of the flight. */
	assert_int_equal(atomic_load(&n_flights_freed), 0);
}

static void test_cancelled_by_the_last(void **state)
{
	struct world *w = *state;

	make_repository(w, "one");
	caller.clone = open_clone(w, "one");
	ctx_init(&caller.ctx, NULL, -1);
	git_server_hold(&w->server, 99);
	assert_int_equal(thread_start("caller", call, NULL, &caller.thread), 0);
	git_server_await_held(&w->server, 1);
	unmounting = w;
	clone_set_cancel(w->mount.clones);
	unmounting = NULL;
	assert_int_equal(w->n_clones, 0);
	assert_int_equal(caller.result, -EINTR);
	assert_int_equal(atomic_load(&n_flights_freed), 1);
	ctx_done(&caller.ctx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(test_cancelled_by_the_last),
	};

	mutex_init(&lock);
	cond_init(&changed);
	world_environment();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
