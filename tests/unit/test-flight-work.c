/*
 * store/flight: work that somebody else does, for all who entered.
 */
#include "store/flight.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* The group counts those who wait: they are in the queue by then. */
static void await_waiting(struct ctx_group *group, unsigned n)
{
	for (int i = 0; i < 10000; i++) {
		struct ctx pause;

		if (ctx_group_waiting(group) == n)
			return;
		ctx_init(&pause, NULL, -1);
		ctx_sleep(&pause, 1);
		ctx_done(&pause);
	}
	fail_msg("never %u waiting", n);
}

struct scene {
	struct flight *f;
	struct ctx_group *group;
	struct ctx ctx;
};

static struct scene *scene_new(int64_t remember_ms)
{
	struct scene *s = mem_calloc(1, sizeof(*s));

	s->f = flight_new(remember_ms);
	s->group = ctx_group_new(100);
	ctx_init(&s->ctx, NULL, -1);
	return s;
}

static void scene_free(struct scene *s)
{
	ctx_done(&s->ctx);
	flight_free(s->f);
	ctx_group_free(s->group);
	free(s);
}

struct passenger {
	struct flight_work *work;
	struct ctx ctx;
	struct thread *thread;
	atomic_int outcome;
};

static void wait_aboard(void *arg)
{
	struct passenger *p = arg;

	atomic_store(&p->outcome, flight_wait(&p->ctx, p->work, NULL));
}

static void passenger_start(struct passenger *p, struct flight *f,
			    struct ctx_group *group)
{
	assert_int_equal(flight_enter(f, "key", &p->work), FLIGHT_JOINED);
	ctx_init(&p->ctx, group, -1);
	assert_int_equal(thread_start("passenger", wait_aboard, p, &p->thread),
			 0);
}

static int passenger_end(struct passenger *p)
{
	p->thread = thread_join(p->thread);
	ctx_done(&p->ctx);
	return atomic_load(&p->outcome);
}

static void test_work_ends_for_all(void **state)
{
	struct scene *s = scene_new(2000);
	struct passenger p[3] = {0};
	struct flight_work *work;

	(void)state;
	assert_int_equal(flight_enter(s->f, "key", &work), FLIGHT_LEAD);
	for (size_t i = 0; i < 3; i++)
		passenger_start(&p[i], s->f, s->group);
	await_waiting(s->group, 3);
	flight_end(work, &(struct flight_landing){.result = 0});
	assert_int_equal(flight_wait(&s->ctx, work, NULL), FLIGHT_LANDED);
	assert_false(flight_give_up(work));
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(passenger_end(&p[i]), FLIGHT_LANDED);
		assert_false(flight_give_up(p[i].work));
	}
	/* A failure is everybody's, and of who comes within 2 s. */
	assert_int_equal(flight_enter(s->f, "key", &work), FLIGHT_LEAD);
	passenger_start(&p[0], s->f, s->group);
	await_waiting(s->group, 1);
	flight_end(work, &(struct flight_landing){-EIO, "No.", NULL, 0});
	assert_int_equal(passenger_end(&p[0]), -EIO);
	assert_false(flight_give_up(p[0].work));
	assert_false(flight_give_up(work));
	assert_int_equal(flight_enter(s->f, "key", &work), FLIGHT_JOINED);
	assert_int_equal(flight_work_result(work), -EIO);
	assert_int_equal(flight_wait(&s->ctx, work, NULL), -EIO);
	assert_string_equal(s->ctx.sentence, "No.");
	assert_false(flight_give_up(work));
	flight_forget(s->f, "key");
	assert_int_equal(flight_enter(s->f, "key", &work), FLIGHT_LEAD);
	assert_true(flight_give_up(work));
	/* What nobody waits for any more is not remembered. */
	flight_end(work, &(struct flight_landing){-EIO, "No.", NULL, 0});
	assert_int_equal(flight_enter(s->f, "key", &work), FLIGHT_LEAD);
	flight_end(work, &(struct flight_landing){.result = 0});
	assert_false(flight_give_up(work));
	scene_free(s);
}

static void test_last_who_gives_up_cancels(void **state)
{
	struct scene *s = scene_new(2000);
	struct flight_work *work, *same, *other;

	(void)state;
	assert_int_equal(flight_enter(s->f, "key", &work), FLIGHT_LEAD);
	assert_int_equal(flight_enter(s->f, "key", &same), FLIGHT_JOINED);
	assert_ptr_equal(same, work);
	assert_false(flight_give_up(same));
	assert_int_equal(ctx_check(flight_work_ctx(work)), 0);
	assert_true(flight_give_up(work));
	assert_int_equal(ctx_check(flight_work_ctx(work)), -EINTR);
	/* Whoever comes now has work of his own, though the other one is still
	 * ending. */
	assert_int_equal(flight_enter(s->f, "key", &other), FLIGHT_LEAD);
	assert_ptr_not_equal(other, work);
	flight_end(work, &(struct flight_landing){.result = -EINTR});
	assert_int_equal(ctx_check(flight_work_ctx(other)), 0);
	flight_end(other, &(struct flight_landing){.result = 0});
	/* Nobody gives up what has ended. */
	assert_false(flight_give_up(other));
	scene_free(s);
}

static void test_closed_and_broken_off(void **state)
{
	struct scene *s = scene_new(2000);
	struct flight_work *work, *other;
	struct passenger p = {0};

	(void)state;
	assert_int_equal(flight_enter(s->f, "key", &work), FLIGHT_LEAD);
	passenger_start(&p, s->f, s->group);
	await_waiting(s->group, 1);
	flight_close(work);
	assert_int_equal(flight_enter(s->f, "key", &other), FLIGHT_LEAD);
	flight_end(other, &(struct flight_landing){.result = 0});
	assert_false(flight_give_up(other));
	flight_end(work, &(struct flight_landing){.result = -EINTR});
	assert_int_equal(passenger_end(&p), FLIGHT_BROKEN_OFF);
	assert_false(flight_give_up(p.work));
	assert_false(flight_give_up(work));
	assert_int_equal(flight_enter(s->f, "key", &work), FLIGHT_LEAD);
	flight_end(work, &(struct flight_landing){.result = 0});
	assert_false(flight_give_up(work));
	scene_free(s);
}

/* People who come, wait a moment for what a thread does, and give up: each
 * work has one thread, what is given up is cancelled, and none is cancelled
 * that somebody still waits for. */
struct hall {
	struct flight *f;
	atomic_uint n_landed, n_broken_off;
	unsigned seed;
};

struct doer {
	struct hall *hall;
	struct flight_work *work;
	struct thread *thread;
	struct doer *next;
};

static void do_work(void *arg)
{
	struct doer *d = arg;
	struct ctx *ctx = flight_work_ctx(d->work);
	int r = ctx_sleep(ctx, 3);

	flight_end(d->work, &(struct flight_landing){.result = r});
}

static void come_and_go(void *arg)
{
	struct hall *h = arg;
	unsigned n = __atomic_fetch_add(&h->seed, 7919, __ATOMIC_RELAXED);
	struct doer *doers = NULL, *d;

	for (unsigned i = 0; i < 200; i++) {
		struct flight_work *work;
		struct ctx ctx;
		int r;

		ctx_init(&ctx, NULL, (n + i) % 5);
		if (flight_enter(h->f, "key", &work) == FLIGHT_LEAD) {
			d = mem_calloc(1, sizeof(*d));
			*d = (struct doer){h, work, NULL, doers};
			doers = d;
			check(thread_start("doer", do_work, d, &d->thread) ==
			      0);
		}
		r = flight_wait(&ctx, work, NULL);
		/* Somebody waited for it all the time. */
		check(r != FLIGHT_BROKEN_OFF);
		atomic_fetch_add(&h->n_broken_off, flight_give_up(work));
		atomic_fetch_add(&h->n_landed, r == FLIGHT_LANDED);
		ctx_done(&ctx);
	}
	while ((d = doers)) {
		doers = d->next;
		thread_join(d->thread);
		free(d);
	}
}

static void test_hall(void **state)
{
	struct hall h = {.f = flight_new(0)};
	struct thread *threads[6];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		assert_int_equal(
			thread_start("guest", come_and_go, &h, &threads[i]), 0);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		thread_join(threads[i]);
	assert_true(atomic_load(&h.n_landed) > 0);
	flight_free(h.f);
}

/* Somebody's time was over: the work is not his alone any more. */
static void test_left_work_goes_on(void **state)
{
	struct scene *s = scene_new(2000);
	struct flight_work *work, *same, *fresh;

	(void)state;
	assert_int_equal(flight_enter(s->f, "key", &work), FLIGHT_LEAD);
	assert_true(flight_leave(work));
	/* It is found, and whoever gives it up does not end it. */
	assert_int_equal(flight_enter(s->f, "key", &same), FLIGHT_JOINED);
	assert_ptr_equal(same, work);
	assert_false(flight_give_up(same));
	assert_false(ctx_is_cancelled(flight_work_ctx(work)));
	assert_int_equal(flight_enter(s->f, "key", &same), FLIGHT_JOINED);
	flight_end(work, &(struct flight_landing){.result = 0});
	assert_int_equal(flight_wait(&s->ctx, same, NULL), FLIGHT_LANDED);
	assert_false(flight_leave(same));
	/* A failure for which nobody waited is not remembered. */
	assert_int_equal(flight_enter(s->f, "key", &work), FLIGHT_LEAD);
	assert_true(flight_leave(work));
	flight_end(work, &(struct flight_landing){.result = -EIO});
	assert_int_equal(flight_enter(s->f, "key", &fresh), FLIGHT_LEAD);
	flight_end(fresh, &(struct flight_landing){.result = 0});
	assert_false(flight_give_up(fresh));
	scene_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_work_ends_for_all),
		cmocka_unit_test(test_last_who_gives_up_cancels),
		cmocka_unit_test(test_left_work_goes_on),
		cmocka_unit_test(test_closed_and_broken_off),
		cmocka_unit_test(test_hall),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
