/*
 * api/budget: pauses and their ends.
 */
#include "budget-world.h"

static int64_t observe_all(struct budget *b, const struct http_response *answer)
{
	return observed(b, &anybody, answer);
}

static int64_t observe(struct budget *b, long status)
{
	struct http_response a = answer(status);

	return observe_all(b, &a);
}

static void says_nothing_at_first(void **state)
{
	cleanup(budget_free) struct budget *b = budget_new(NULL);
	struct budget_state s;

	(void)state;
	budget_state(b, &s);
	assert_int_equal(s.n_requests, 0);
	assert_int_equal(s.api.used, 0);
	assert_int_equal(s.api.limit, 1000);
	assert_int_equal(s.api.left, 1000);
	assert_false(s.api.told);
	assert_int_equal(s.api.reset_ms, 0);
	assert_int_equal(s.git.limit, 60000);
	assert_int_equal(s.paused_until_ms, 0);
	assert_int_equal(s.n_walks, 0);
	assert_null(budget_free(NULL));
}

static void expect_pause(int64_t pause, int64_t asked)
{
	assert_in_range(pause, asked, asked + asked / 4 + 50);
}

static void backs_off(void **state)
{
	cleanup(budget_free) struct budget *b = budget_new(NULL);
	struct http_response no = answer(429), yes = answer(200);
	struct ctx ctx[3];
	int64_t want = 1000, pause;

	(void)state;
	for (int i = 0; i < 8; i++) {
		for (size_t j = 0; j < ARRAY_SIZE(ctx); j++)
			assert_int_equal(admit(b, &anybody, &ctx[j]), 0);
		pause = budget_observe(&ctx[0], b, &no);
		expect_pause(pause, want);
		/* Others were under way and come to nothing new. */
		assert_int_equal(budget_observe(&ctx[1], b, &no), pause);
		/* One of them was lucky: that ends nothing. */
		assert_int_equal(budget_observe(&ctx[2], b, &yes), 0);
		for (size_t j = 0; j < ARRAY_SIZE(ctx); j++)
			ctx_done(&ctx[j]);
		clock_advance(pause);
		want = want * 2 < 60000 ? want * 2 : 60000;
	}
	assert_int_equal(want, 60000);
	observe(b, 200);
	expect_pause(observe(b, 429), 1000);
}

static void does_what_it_is_told(void **state)
{
	cleanup(budget_free) struct budget *b = budget_new(NULL);
	cleanup(ctx_done) struct ctx ctx;
	struct http_response a = answer(429);
	struct budget_state s;
	int64_t pause;

	(void)state;
	ctx_init(&ctx, NULL, 60000);
	a.retry_after_s = 600;
	pause = observe_all(b, &a);
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
	expect_pause(budget_observe(&ctx, b, &a), 745000);
	clock_advance(1000 * 1000);
	/* Something is left: the burst limit, which says nothing. */
	a.rate_remaining = 12;
	expect_pause(observe_all(b, &a), 1000);
	/* However long it is told to, the quota's hour is enough. */
	clock_advance(10 * 1000);
	a.retry_after_s = INT64_C(366) * 24 * 3600;
	assert_int_equal(observe_all(b, &a), HOUR);
}

static struct http_response shut_out(void)
{
	struct http_response a = answer(429);

	a.retry_after_s = 86400;
	return a;
}

static int admit_urgent(struct budget *b, struct ctx *ctx)
{
	ctx_init(ctx, NULL, 20000);
	ctx->urgent = true;
	return budget_admit(ctx, b);
}

static void one_tries_now_and_then(void **state)
{
	cleanup(budget_free) struct budget *b = budget_new(NULL);
	struct http_response no = shut_out(), busy = answer(503);
	struct http_response yes = answer(200);
	struct budget_state s;
	struct ctx ctx, other;

	(void)state;
	assert_int_equal(observe_all(b, &no), HOUR);
	budget_state(b, &s);
	assert_int_equal(s.paused_until_ms, WALL + HOUR);
	assert_int_equal(s.tries_ms, WALL + 5 * MINUTE);
	clock_advance(5 * MINUTE - 1);
	assert_int_equal(admit(b, &anybody, &ctx), -EDQUOT);
	/* It says when the next one tries, not when the pause ends. */
	assert_non_null(strstr(ctx.sentence, "(in 1 s)"));
	ctx_done(&ctx);
	/* One, whoever comes first; it hears the same and pauses anew. */
	clock_advance(1);
	assert_int_equal(admit(b, &anybody, &ctx), 0);
	assert_true(ctx.tries);
	assert_int_equal(admit(b, &anybody, &other), -EDQUOT);
	ctx_done(&other);
	assert_int_equal(budget_observe(&ctx, b, &no), HOUR);
	ctx_done(&ctx);
	assert_int_equal(admit(b, &anybody, &ctx), -EDQUOT);
	ctx_done(&ctx);
	/* A fault of the server says nothing of its limits. */
	clock_advance(5 * MINUTE);
	assert_int_equal(observe_all(b, &busy), 0);
	budget_state(b, &s);
	assert_int_equal(s.paused_until_ms, WALL + 5 * MINUTE + HOUR);
	/* An answer ends it, for all. */
	clock_advance(5 * MINUTE);
	assert_int_equal(observe_all(b, &yes), 0);
	budget_state(b, &s);
	assert_int_equal(s.paused_until_ms, 0);
	assert_int_equal(observe(b, 200), 0);
}

static void an_urgent_one_tries_at_once(void **state)
{
	cleanup(budget_free) struct budget *b = budget_new(NULL);
	struct http_response no = shut_out(), yes = answer(200);
	int64_t gap = 1000;
	struct ctx ctx;

	(void)state;
	observe_all(b, &no);
	for (int i = 0; i < 8; i++) {
		clock_advance(gap);
		assert_int_equal(admit_urgent(b, &ctx), 0);
		assert_int_equal(budget_observe(&ctx, b, &no), HOUR);
		/* Its own retry is none of them. */
		assert_false(ctx.urgent);
		assert_int_equal(budget_admit(&ctx, b), -EDQUOT);
		ctx_done(&ctx);
		gap = gap * 2 < MINUTE ? gap * 2 : MINUTE;
	}
	/* Over and over it is no way round the pause. */
	assert_int_equal(admit_urgent(b, &ctx), -EDQUOT);
	ctx_done(&ctx);
	clock_advance(gap);
	assert_int_equal(admit_urgent(b, &ctx), 0);
	assert_int_equal(budget_observe(&ctx, b, &yes), 0);
	ctx_done(&ctx);
	assert_int_equal(observe(b, 200), 0);
}

/* "x-ratelimit-remaining: 0" forbids as much as a 429. */
static void tries_when_told_that_nothing_is_left(void **state)
{
	cleanup(budget_free) struct budget *b = budget_new(NULL);
	struct http_response none = answer(200), some = answer(200);
	struct ctx ctx;

	(void)state;
	none.rate_limit = some.rate_limit = 1000;
	none.rate_remaining = 0;
	none.rate_reset_s = 3600;
	some.rate_remaining = 900;
	observe_all(b, &none);
	assert_int_equal(admit(b, &anybody, &ctx), -EDQUOT);
	ctx_done(&ctx);
	clock_advance(5 * MINUTE);
	assert_int_equal(admit(b, &refresher, &ctx), -EDQUOT);
	ctx_done(&ctx);
	observe_all(b, &some);
	assert_int_equal(observe(b, 200), 0);
}

/* A limit of which nobody could live is not believed for a day. */
static void believes_a_limit_for_an_hour(void **state)
{
	cleanup(budget_free) struct budget *b = budget_new(NULL);
	struct http_response one = answer(200);
	struct budget_state s;

	(void)state;
	one.rate_limit = 1;
	observe_all(b, &one);
	budget_state(b, &s);
	assert_int_equal(s.api.limit, 1);
	clock_advance(HOUR);
	budget_state(b, &s);
	assert_int_equal(s.api.limit, 1000);
}

static void waits_out_a_short_pause(void **state)
{
	cleanup(budget_free) struct budget *b = budget_new(NULL);
	cleanup(ctx_done) struct ctx ctx;
	int64_t began = clock_mono_ms(), pause;

	(void)state;
	ctx_init(&ctx, NULL, 20000);
	pause = observe(b, 429);
	assert_int_equal(budget_admit(&ctx, b), 0);
	assert_true(clock_mono_ms() - began >= pause);
	assert_int_equal(ctx.who, CTX_PERSON);
}

/* No time for the pause: the reason is the pause, not the clock. */
static void has_no_time(void **state)
{
	cleanup(budget_free) struct budget *b = budget_new(NULL);
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
	cleanup(budget_free) struct budget *b = budget_new(NULL);
	cleanup(ctx_group_free) struct ctx_group *group = ctx_group_new(4);
	struct waiting w = {.budget = b};
	struct http_response a = answer(429);
	struct thread *thread = NULL;

	(void)state;
	a.retry_after_s = 7;
	observe_all(b, &a);
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
		cmocka_unit_test_setup_teardown(backs_off, fake_time,
						real_time),
		cmocka_unit_test_setup_teardown(does_what_it_is_told, fake_time,
						real_time),
		cmocka_unit_test_setup_teardown(one_tries_now_and_then,
						fake_time, real_time),
		cmocka_unit_test_setup_teardown(an_urgent_one_tries_at_once,
						fake_time, real_time),
		cmocka_unit_test_setup_teardown(
			tries_when_told_that_nothing_is_left, fake_time,
			real_time),
		cmocka_unit_test_setup_teardown(believes_a_limit_for_an_hour,
						fake_time, real_time),
		cmocka_unit_test(waits_out_a_short_pause),
		cmocka_unit_test(has_no_time),
		cmocka_unit_test(is_interrupted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
