/*
 * base/ctx: deadlines, cancelling, waiting places, sentences.
 */
#include "base/clock.h"
#include "base/ctx.h"
#include "base/log.h"
#include "shared.h"

#include <unistd.h>

static void deadlines(void **state)
{
	(void)state;
	cleanup(ctx_done) struct ctx none, some;
	int64_t old;

	clock_fake(10000, 0);
	ctx_init(&none, NULL, -1);
	ctx_init(&some, NULL, 500);
	assert_int_equal(ctx_check(&none), 0);
	assert_true(ctx_left_ms(&none) == INT64_MAX);
	assert_int_equal(ctx_left_ms(&some), 500);
	clock_advance(499);
	assert_int_equal(ctx_check(&some), 0);
	assert_int_equal(ctx_left_ms(&some), 1);

	old = ctx_narrow(&some, 1000);
	assert_int_equal(ctx_left_ms(&some), 1);
	ctx_widen(&some, old);
	old = ctx_narrow(&none, 1000);
	assert_int_equal(ctx_left_ms(&none), 1000);
	assert_true(old == INT64_MAX);
	assert_int_equal(ctx_narrow(&none, -1), 11499);
	assert_int_equal(ctx_left_ms(&none), 1000);
	ctx_widen(&none, old);
	assert_true(ctx_left_ms(&none) == INT64_MAX);
	assert_true(ctx_narrow(&none, INT64_MAX) == INT64_MAX);
	assert_true(ctx_left_ms(&none) == INT64_MAX);

	clock_advance(1);
	assert_int_equal(ctx_check(&some), -ETIMEDOUT);
	clock_advance(100000);
	assert_int_equal(ctx_left_ms(&some), 0);
	assert_int_equal(ctx_check(&none), 0);
	/* Somebody gave up: that says more. */
	ctx_cancel(&some);
	assert_int_equal(ctx_check(&some), -EINTR);
	clock_real();
}

static void works_for_the_same(void **state)
{
	(void)state;
	cleanup(ctx_group_free) struct ctx_group *group = ctx_group_new(1);
	cleanup(ctx_done) struct ctx parent, child, other;

	ctx_init(&parent, group, 500);
	assert_int_equal(parent.who, CTX_PERSON);
	assert_int_equal(parent.caller, 0);
	parent.who = CTX_REFRESH;
	parent.caller = 4711;
	parent.refused = true;
	ctx_init_like(&child, &parent);
	assert_int_equal(child.who, CTX_REFRESH);
	assert_int_equal(child.caller, 4711);
	assert_int_equal(child.deadline_ms, parent.deadline_ms);
	assert_false(child.refused);
	ctx_init(&other, group, -1);
	ctx_group_cancel(group);
	assert_int_equal(ctx_check(&child), -EINTR);
}

static void count_wake(void *arg)
{
	++*(int *)arg;
}

static void watchers_wake_once(void **state)
{
	(void)state;
	cleanup(ctx_done) struct ctx ctx;
	int n[4] = {0};
	struct ctx_waker wakers[4];

	ctx_init(&ctx, NULL, -1);
	for (size_t i = 0; i < 4; i++) {
		wakers[i].wake = count_wake;
		wakers[i].arg = &n[i];
	}
	for (size_t i = 0; i < 3; i++)
		ctx_watch(&ctx, &wakers[i]);
	ctx_unwatch(&ctx, &wakers[1]);
	assert_int_equal(n[0] + n[1] + n[2], 0);
	ctx_cancel(&ctx);
	ctx_cancel(&ctx);
	assert_int_equal(n[0], 1);
	assert_int_equal(n[1], 0);
	assert_int_equal(n[2], 1);
	/* Cancelled already: at once. */
	ctx_watch(&ctx, &wakers[3]);
	assert_int_equal(n[3], 1);
	ctx_cancel(&ctx);
	assert_int_equal(n[3], 1);
	ctx_unwatch(&ctx, &wakers[0]);
	ctx_unwatch(&ctx, &wakers[2]);
	ctx_unwatch(&ctx, &wakers[3]);
}

/* Cancelled from elsewhere while watchers come and go: after ctx_unwatch none
 * runs any more (its frame is gone: the sanitizers see a late one). */
static void cancel_now(void *arg)
{
	ctx_cancel(arg);
}

static void watch_and_unwatch(struct ctx *ctx)
{
	int n = 0;
	struct ctx_waker waker = {.wake = count_wake, .arg = &n};

	ctx_watch(ctx, &waker);
	ctx_unwatch(ctx, &waker);
	assert_in_range(n, 0, 1);
	memset(&waker, 0xff, sizeof(waker));
}

static void watching_races_with_cancelling(void **state)
{
	(void)state;
	for (int i = 0; i < 200; i++) {
		cleanup(ctx_done) struct ctx ctx;
		struct thread *thread;

		ctx_init(&ctx, NULL, -1);
		start(cancel_now, &ctx, &thread);
		do
			watch_and_unwatch(&ctx);
		while (ctx_check(&ctx) == 0);
		thread_join(thread);
	}
}

static void sleeping(void **state)
{
	(void)state;
	cleanup(ctx_done) struct ctx ctx, soon, over, cancelled;
	struct thread *thread;
	int64_t before = clock_mono_ms();

	ctx_init(&ctx, NULL, -1);
	assert_int_equal(ctx_sleep(&ctx, 30), 0);
	assert_true(clock_mono_ms() >= before + 30);
	assert_int_equal(ctx_sleep(&ctx, 0), 0);
	assert_int_equal(ctx_sleep(&ctx, -5), 0);
	/* It would not be over in time: at once. */
	ctx_init(&soon, NULL, 1000 * 1000);
	before = clock_mono_ms();
	assert_int_equal(ctx_sleep(&soon, 2000 * 1000), -ETIMEDOUT);
	assert_int_equal(ctx_sleep(&soon, INT64_MAX), -ETIMEDOUT);
	ctx_init(&over, NULL, 0);
	assert_int_equal(ctx_sleep(&over, 0), -ETIMEDOUT);
	ctx_init(&cancelled, NULL, -1);
	ctx_cancel(&cancelled);
	assert_int_equal(ctx_sleep(&cancelled, 1000 * 1000), -EINTR);
	/* Woken, by the time that an hour is not over. */
	start(cancel_now, &ctx, &thread);
	assert_int_equal(ctx_sleep(&ctx, 3600 * 1000), -EINTR);
	thread_join(thread);
	assert_true(clock_mono_ms() - before < 600 * 1000);
}

struct sleeper {
	struct ctx_group *group;
	struct shared *shared;
	int outcome;
};

static void sleep_in_group(void *arg)
{
	struct sleeper *s = arg;
	cleanup(ctx_done) struct ctx ctx;

	ctx_init(&ctx, s->group, -1);
	check(ctx_wait_begin(&ctx) == 0);
	add_one(s->shared);
	s->outcome = ctx_sleep(&ctx, 3600 * 1000);
	/* ctx_done gives the place back. */
}

static void groups_are_cancelled(void **state)
{
	(void)state;
	cleanup(ctx_group_free) struct ctx_group *group = ctx_group_new(8);
	struct sleeper sleepers[8];
	struct thread *threads[8];
	struct shared s;

	shared_init(&s);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++) {
		sleepers[i] = (struct sleeper){.group = group, .shared = &s};
		start(sleep_in_group, &sleepers[i], &threads[i]);
	}
	await_n(&s, 8);
	assert_int_equal(ctx_group_waiting(group), 8);
	ctx_group_cancel(group);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++) {
		thread_join(threads[i]);
		assert_int_equal(sleepers[i].outcome, -EINTR);
	}
	assert_int_equal(ctx_group_waiting(group), 0);
	/* Whoever comes later, too. */
	struct ctx late;
	int n = 0;
	struct ctx_waker waker = {.wake = count_wake, .arg = &n};
	ctx_init(&late, group, -1);
	assert_int_equal(ctx_check(&late), -EINTR);
	ctx_watch(&late, &waker);
	assert_int_equal(n, 1);
	ctx_unwatch(&late, &waker);
	ctx_group_cancel(group);
	assert_int_equal(n, 1);
	ctx_done(&late);
	assert_null(ctx_group_free(NULL));
	shared_done(&s);
}

static void come_and_go(void *arg)
{
	struct ctx_group *group = arg;

	for (int i = 0; i < 2000; i++) {
		struct ctx a, b;

		ctx_init(&a, group, -1);
		ctx_init(&b, group, 1000);
		if (ctx_wait_begin(&a) == 0)
			check(ctx_group_waiting(group) <= 3);
		ctx_wait_begin(&b);
		ctx_done(&a);
		ctx_done(&b);
	}
}

static void groups_are_shared(void **state)
{
	(void)state;
	cleanup(ctx_group_free) struct ctx_group *group = ctx_group_new(3);
	struct thread *threads[4];

	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		start(come_and_go, group, &threads[i]);
	for (int i = 0; i < 100; i++)
		ctx_group_cancel(group);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		thread_join(threads[i]);
	assert_int_equal(ctx_group_waiting(group), 0);
}

static void waiting_places(void **state)
{
	(void)state;
	cleanup(ctx_group_free) struct ctx_group *group = ctx_group_new(2);
	struct ctx a, b, c, alone;

	ctx_init(&a, group, -1);
	ctx_init(&b, group, -1);
	ctx_init(&c, group, -1);
	ctx_init(&alone, NULL, -1);
	assert_int_equal(ctx_wait_begin(&a), 0);
	assert_int_equal(ctx_wait_begin(&a), 0); /* nested */
	assert_int_equal(ctx_group_waiting(group), 1);
	assert_int_equal(ctx_wait_begin(&b), 0);
	assert_int_equal(ctx_wait_begin(&c), -EAGAIN);
	assert_string_not_equal(c.sentence, "");
	assert_int_equal(ctx_group_waiting(group), 2);
	ctx_wait_end(&c); /* has none */
	assert_int_equal(ctx_group_waiting(group), 2);
	ctx_wait_end(&a);
	ctx_wait_end(&a);
	assert_int_equal(ctx_group_waiting(group), 1);
	assert_int_equal(ctx_wait_begin(&c), 0);
	ctx_done(&c);
	ctx_done(&b);
	assert_int_equal(ctx_group_waiting(group), 0);
	ctx_done(&a);
	/* Without a group there is always room. */
	assert_int_equal(ctx_wait_begin(&alone), 0);
	ctx_wait_end(&alone);
	ctx_done(&alone);
}

static int shut(void *arg, struct ctx *ctx)
{
	++*(int *)arg;
	return ctx->caller == 7 ? ctx_fail(ctx, -EACCES, "not you") : 0;
}

static void gates(void **state)
{
	(void)state;
	cleanup(ctx_group_free) struct ctx_group *group = ctx_group_new(2);
	struct ctx a, b;
	int n_asked = 0;

	ctx_group_set_gate(group, shut, &n_asked);
	ctx_init(&a, group, -1);
	ctx_init(&b, group, -1);
	a.caller = 7;
	assert_int_equal(ctx_wait_begin(&a), -EACCES);
	assert_string_equal(a.sentence, "not you");
	assert_true(a.barred && a.refused);
	assert_int_equal(ctx_group_waiting(group), 0);
	/* Of what is done behind nobody is told. */
	assert_true(ctx_is_barred(&a));
	assert_string_equal(a.sentence, "");
	assert_false(ctx_is_barred(NULL));
	/* Who has passed is not asked about again. */
	n_asked = 0;
	assert_int_equal(ctx_wait_begin(&b), 0);
	ctx_wait_end(&b);
	assert_false(ctx_is_barred(&b));
	assert_int_equal(n_asked, 1);
	ctx_done(&b);
	ctx_done(&a);
}

static void sentences(void **state)
{
	(void)state;
	cleanup(ctx_done) struct ctx ctx;
	char much[1000];

	ctx_init(&ctx, NULL, -1);
	assert_string_equal(ctx.sentence, "");
	assert_int_equal(ctx_fail(&ctx, -EIO, "It said %d.\n", 500), -EIO);
	assert_string_equal(ctx.sentence, "It said 500.");
	ctx_fail(&ctx, -EIO, "Fetching failed: %s", ctx.sentence);
	assert_string_equal(ctx.sentence, "Fetching failed: It said 500.");
	log_redact("a-secret-token");
	ctx_fail(&ctx, -EACCES, "a-secret-token is wrong");
	assert_string_equal(ctx.sentence, "\xe2\x80\xa6 is wrong");
	/* Cut at a character, and no secret is cut in two. */
	for (size_t i = 0; i < sizeof(much); i++)
		much[i] = i % 2 ? '\xa9' : '\xc3';
	much[sizeof(much) - 2] = '\0';
	ctx_fail(&ctx, -EIO, "%s", much);
	assert_int_equal(strlen(ctx.sentence), 510);
	memset(much, 'x', sizeof(much));
	memcpy(much + 505, "a-secret-token", 15);
	ctx_fail(&ctx, -EIO, "%s", much);
	assert_null(strstr(ctx.sentence, "a-"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(deadlines),
		cmocka_unit_test(works_for_the_same),
		cmocka_unit_test(watchers_wake_once),
		cmocka_unit_test(watching_races_with_cancelling),
		cmocka_unit_test(sleeping),
		cmocka_unit_test(groups_are_cancelled),
		cmocka_unit_test(groups_are_shared),
		cmocka_unit_test(waiting_places),
		cmocka_unit_test(gates),
		cmocka_unit_test(sentences),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
