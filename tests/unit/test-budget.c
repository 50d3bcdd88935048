/*
 * remote/budget: pauses, their ends, and the count of an hour.
 */
#include "remote/budget.h"

#include "base/clock.h"
#include "base/sync.h"

#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

#define MINUTE (INT64_C(60) * 1000)
#define WALL INT64_C(1790000000000)

static struct http_response answer(long status)
{
	return (struct http_response){
		.status = status,
		.retry_after_s = -1,
		.rate_limit = -1,
		.rate_remaining = -1,
		.rate_reset_s = -1,
		.content_length = -1,
	};
}

static int64_t observe(struct budget *b, long status)
{
	struct http_response a = answer(status);

	return budget_observe(b, &a);
}

static int fake_time(void **state)
{
	(void)state;
	clock_fake(1000 * MINUTE, WALL);
	return 0;
}

static int real_time(void **state)
{
	(void)state;
	clock_real();
	return 0;
}

static void says_nothing_at_first(void **state)
{
	cleanup(budget_free) struct budget *b = budget_new();
	cleanup(ctx_done) struct ctx ctx;
	struct budget_state s;

	(void)state;
	ctx_init(&ctx, NULL, 1000);
	assert_int_equal(budget_admit(&ctx, b), 0);
	budget_state(b, &s);
	assert_int_equal(s.n_requests, 0);
	assert_int_equal(s.n_last_hour, 0);
	assert_int_equal(s.limit, -1);
	assert_int_equal(s.remaining, -1);
	assert_int_equal(s.reset_s, -1);
	assert_int_equal(s.paused_until_ms, 0);
	assert_null(budget_free(NULL));
}

static void reads_the_headers(void **state)
{
	cleanup(budget_free) struct budget *b = budget_new();
	struct http_response a = answer(200);
	struct budget_state s;

	(void)state;
	a.rate_limit = 1000;
	a.rate_remaining = 0;
	a.rate_reset_s = 394;
	/* Nothing is left, but this one was answered. */
	assert_int_equal(budget_observe(b, &a), 0);
	clock_advance(4000);
	budget_state(b, &s);
	assert_int_equal(s.limit, 1000);
	assert_int_equal(s.remaining, 0);
	assert_int_equal(s.reset_s, 390);
	assert_int_equal(s.paused_until_ms, 0);
	clock_advance(400 * 1000);
	budget_state(b, &s);
	assert_int_equal(s.remaining, -1);
	assert_int_equal(s.reset_s, -1);
}

static void counts_an_hour(void **state)
{
	cleanup(budget_free) struct budget *b = budget_new();
	struct budget_state s;

	(void)state;
	for (int minute = 0; minute < 59; minute++) {
		observe(b, 200);
		observe(b, 404);
		clock_advance(MINUTE);
	}
	budget_state(b, &s);
	assert_int_equal(s.n_requests, 118);
	assert_int_equal(s.n_last_hour, 118);
	clock_advance(MINUTE);
	budget_state(b, &s);
	assert_int_equal(s.n_last_hour, 116);
	clock_advance(30 * MINUTE);
	budget_state(b, &s);
	assert_int_equal(s.n_last_hour, 56);
	observe(b, 200);
	budget_state(b, &s);
	assert_int_equal(s.n_last_hour, 57);
	clock_advance(10000 * MINUTE);
	budget_state(b, &s);
	assert_int_equal(s.n_last_hour, 0);
	observe(b, 200);
	budget_state(b, &s);
	assert_int_equal(s.n_last_hour, 1);
	assert_int_equal(s.n_requests, 120);
}

static void expect_pause(int64_t pause, int64_t asked)
{
	assert_in_range(pause, asked, asked + asked / 4 + 50);
}

static void backs_off(void **state)
{
	cleanup(budget_free) struct budget *b = budget_new();
	int64_t want = 1000, pause;

	(void)state;
	for (int i = 0; i < 8; i++) {
		pause = observe(b, 429);
		expect_pause(pause, want);
		/* Others were under way and come to nothing new. */
		assert_int_equal(observe(b, 429), pause);
		/* One of them was lucky: that ends nothing. */
		assert_int_equal(observe(b, 200), 0);
		clock_advance(pause);
		want = want * 2 < 60000 ? want * 2 : 60000;
	}
	assert_int_equal(want, 60000);
	observe(b, 200);
	expect_pause(observe(b, 429), 1000);
}

static void does_what_it_is_told(void **state)
{
	cleanup(budget_free) struct budget *b = budget_new();
	cleanup(ctx_done) struct ctx ctx;
	struct http_response a = answer(429);
	struct budget_state s;
	int64_t pause;

	(void)state;
	ctx_init(&ctx, NULL, 60000);
	a.retry_after_s = 600;
	pause = budget_observe(b, &a);
	expect_pause(pause, 600000);
	budget_state(b, &s);
	assert_int_equal(s.paused_until_ms, WALL + pause);
	/* At once: not waited for. */
	assert_int_equal(budget_admit(&ctx, b), -EDQUOT);
	assert_non_null(strstr(ctx.sentence, "request limit"));
	assert_non_null(strstr(ctx.sentence, "2026-"));
	/* Time in suspend is time. */
	clock_suspend(pause);
	assert_int_equal(budget_admit(&ctx, b), 0);
	budget_state(b, &s);
	assert_int_equal(s.paused_until_ms, 0);

	a.retry_after_s = -1;
	a.rate_remaining = 0;
	a.rate_reset_s = 745;
	expect_pause(budget_observe(b, &a), 745000);
	clock_advance(1000 * 1000);
	/* Something is left: the burst limit, which says nothing. */
	a.rate_remaining = 12;
	expect_pause(budget_observe(b, &a), 1000);
}

static void waits_out_a_short_pause(void **state)
{
	cleanup(budget_free) struct budget *b = budget_new();
	cleanup(ctx_done) struct ctx ctx;
	int64_t began = clock_mono_ms(), pause;

	(void)state;
	ctx_init(&ctx, NULL, 20000);
	pause = observe(b, 429);
	assert_int_equal(budget_admit(&ctx, b), 0);
	assert_true(clock_mono_ms() - began >= pause);
}

/* No time for the pause: the reason is the pause, not the clock. */
static void has_no_time(void **state)
{
	cleanup(budget_free) struct budget *b = budget_new();
	cleanup(ctx_done) struct ctx ctx;
	int64_t began = clock_mono_ms();

	(void)state;
	ctx_init(&ctx, NULL, 500);
	observe(b, 429);
	assert_int_equal(budget_admit(&ctx, b), -EDQUOT);
	assert_true(clock_mono_ms() - began < 500);
}

struct waiting {
	struct ctx ctx;
	struct budget *budget;
	int result;
};

static void wait_in_pause(void *arg)
{
	struct waiting *w = arg;

	w->result = budget_admit(&w->ctx, w->budget);
}

static void is_interrupted(void **state)
{
	cleanup(budget_free) struct budget *b = budget_new();
	cleanup(ctx_group_free) struct ctx_group *group = ctx_group_new(4);
	struct waiting w = {.budget = b};
	struct http_response a = answer(429);
	struct thread *thread = NULL;

	(void)state;
	a.retry_after_s = 7;
	budget_observe(b, &a);
	ctx_init(&w.ctx, group, -1);
	assert_int_equal(thread_start("waiting", wait_in_pause, &w, &thread),
			 0);
	/* It waits when it has a waiting place. */
	while (!ctx_group_waiting(group))
		usleep(1000);
	ctx_cancel(&w.ctx);
	thread_join(thread);
	assert_int_equal(w.result, -EINTR);
	assert_int_equal(ctx_group_waiting(group), 0);
	ctx_done(&w.ctx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(says_nothing_at_first,
						fake_time, real_time),
		cmocka_unit_test_setup_teardown(reads_the_headers, fake_time,
						real_time),
		cmocka_unit_test_setup_teardown(counts_an_hour, fake_time,
						real_time),
		cmocka_unit_test_setup_teardown(backs_off, fake_time,
						real_time),
		cmocka_unit_test_setup_teardown(does_what_it_is_told, fake_time,
						real_time),
		cmocka_unit_test(waits_out_a_short_pause),
		cmocka_unit_test(has_no_time),
		cmocka_unit_test(is_interrupted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
