/*
 * api/budget: that it is remembered, and shared by mounts and threads.
 */
#include "budget-world.h"

#include "base/file.h"
#include "store/cache_ledger.h"
#include "write-lock.h"

struct scene {
	char dir[64];
	struct cache *c;
};

static int set_up(void **state)
{
	struct scene *s = mem_calloc(1, sizeof(*s));

	fake_time(NULL);
	snprintf(s->dir, sizeof(s->dir), "/tmp/test-budget-XXXXXX");
	assert_non_null(mkdtemp(s->dir));
	assert_int_equal(cache_open(s->dir, &s->c), 0);
	*state = s;
	return 0;
}

static int tear_down(void **state)
{
	struct scene *s = *state;

	cache_close(s->c);
	file_remove_tree(s->dir);
	free(s);
	return real_time(NULL);
}

static struct budget *attached(struct scene *s, int64_t hour)
{
	struct budget *b = new_budget(hour, 0);

	budget_attach(b, s->c);
	return b;
}

static void a_restart_forgets_nothing(void **state)
{
	struct scene *s = *state;
	struct budget *b = new_budget(300, 0);
	struct budget_state t;

	/* Signing in comes before the cache. */
	assert_int_equal(ask_apart(b, 1), 1);
	budget_attach(b, s->c);
	assert_int_equal(ask_often(b, PERSON(1000), 150), 150);
	assert_int_equal(ask_often(b, refresher, 2), 0);
	budget_count_git(b, 30);
	b = budget_free(b);

	clock_advance(2 * MINUTE);
	b = attached(s, 300);
	t = state_of(b);
	assert_int_equal(t.n_requests, 0);
	assert_int_equal(t.api.used, 151);
	assert_int_equal(t.api.by_class[CTX_PERSON], 101);
	assert_int_equal(t.api.by_class[CTX_WALK], 50);
	assert_int_equal(t.api.left, 149);
	assert_int_equal(t.git.used, 30);
	assert_int_equal(ask(b, refresher), -EDQUOT);
	clock_advance(59 * MINUTE);
	assert_int_equal(state_of(b).api.used, 0);
	budget_free(b);
}

static void a_word_is_remembered(void **state)
{
	struct scene *s = *state;
	struct budget *b = attached(s, 0);

	assert_int_equal(ask_apart(b, 400), 400);
	assert_int_equal(ask_said(b, PERSON(1000), 800, 77, 600, NULL), 0);
	assert_int_equal(ask_apart(b, 7), 7);
	b = budget_free(b);
	b = attached(s, 0);
	assert_int_equal(state_of(b).api.limit, 800);
	assert_int_equal(state_of(b).api.left, 70);
	b = budget_free(b);
	/* One that was said before the ledger was there. */
	b = new_budget(0, 0);
	clock_advance(10);
	assert_int_equal(ask_said(b, PERSON(1000), 800, 60, 600, NULL), 0);
	budget_attach(b, s->c);
	assert_int_equal(state_of(b).api.left, 60);
	b = budget_free(b);
	b = attached(s, 0);
	assert_int_equal(state_of(b).api.left, 60);
	budget_free(b);
}

static void a_pause_is_remembered(void **state)
{
	struct scene *s = *state;
	cleanup(budget_free) struct budget *other = attached(s, 0);
	struct budget *b = attached(s, 0);
	struct http_response a = answer(429);
	const struct asker who = PERSON(1000);
	int64_t pause;

	assert_int_equal(ask(other, who), 0);
	a.retry_after_s = 600;
	pause = observed(b, &who, &a);
	/* Of another mount, at once if it looks. */
	clock_advance(1000);
	assert_int_equal(ask(other, PERSON(2000)), -EDQUOT);
	assert_int_equal(state_of(other).paused_until_ms, WALL + pause);
	assert_false(budget_may_prefetch(other, 1));
	b = budget_free(b);
	b = attached(s, 0);
	assert_int_equal(ask(b, PERSON(2000)), -EDQUOT);
	clock_advance(pause - 1000);
	assert_int_equal(ask(b, PERSON(2000)), 0);
	assert_int_equal(ask(other, PERSON(2000)), 0);
	budget_free(b);
}

/* One mount's try was answered: all go on. */
static void the_end_of_a_pause_is_heard(void **state)
{
	struct scene *s = *state;
	cleanup(budget_free) struct budget *other = attached(s, 0);
	struct budget *b = attached(s, 0);
	struct http_response a = answer(429);
	const struct asker who = PERSON(1000);

	a.retry_after_s = 86400;
	observed(b, &who, &a);
	clock_advance(1000);
	assert_int_equal(ask(other, PERSON(2000)), -EDQUOT);
	clock_advance(5 * MINUTE - 1000);
	assert_int_equal(ask(b, who), 0);
	clock_advance(1000);
	assert_int_equal(ask(other, PERSON(2000)), 0);
	assert_int_equal(state_of(other).paused_until_ms, 0);
	b = budget_free(b);
	b = attached(s, 0);
	assert_int_equal(state_of(b).paused_until_ms, 0);
	budget_free(b);
}

/* As it was written before a pause had a bound: 30 hours, or for ever. */
static void an_old_ledgers_pause_is_an_hour_at_most(void **state)
{
	struct scene *s = *state;
	const int64_t until[] = {WALL + 30 * HOUR, INT64_MAX};

	for (size_t i = 0; i < ARRAY_SIZE(until); i++) {
		struct cache_ledger add = {
			.notes = {[1] = {clock_wall_ms(),
					 {until[i], INT64_MAX}}}};
		struct cache_ledger found;
		struct budget *b;

		assert_int_equal(
			cache_ledger_add(s->c, "api", &add, true, &found), 0);
		b = attached(s, 0);
		assert_int_equal(state_of(b).paused_until_ms,
				 clock_wall_ms() + HOUR);
		assert_int_equal(ask(b, PERSON(1000)), -EDQUOT);
		budget_free(b);
		clock_advance(1);
	}
}

/* A growing pause grows over a restart. */
static void a_backoff_is_remembered(void **state)
{
	struct scene *s = *state;
	struct budget *b = attached(s, 0);
	struct http_response a = answer(429);
	int64_t pause = 0;

	for (int i = 0; i < 3; i++) {
		clock_advance(pause);
		pause = observed(b, &anybody, &a);
		b = budget_free(b);
		b = attached(s, 0);
		assert_true(pause >= 1000 << i);
	}
	budget_free(b);
}

static void mounts_share_the_count(void **state)
{
	struct scene *s = *state;
	cleanup(cache_close) struct cache *cache = NULL;
	struct budget *one = attached(s, 300), *two = new_budget(300, 0);

	assert_int_equal(cache_open(s->dir, &cache), 0);
	budget_attach(two, cache);
	assert_int_equal(ask_often(one, PERSON(1000), 150), 150);
	assert_int_equal(ask_often(two, PERSON(2000), 150), 60);
	clock_advance(1000);
	assert_int_equal(ask(one, PERSON(1000)), -EDQUOT);
	assert_int_equal(state_of(one).api.used, 210);
	assert_int_equal(state_of(two).api.used, 210);
	assert_int_equal(ask_apart(one, 30), 30);
	clock_advance(1000);
	assert_int_equal(ask_apart(two, 70), 60);
	clock_advance(1000);
	assert_int_equal(state_of(one).api.left, 0);
	budget_free(one);
	budget_free(two);
}

static void a_clock_that_goes_back_locks_nobody_out(void **state)
{
	struct scene *s = *state;
	struct budget *b = attached(s, 300);
	struct http_response a = answer(429);
	const struct asker who = PERSON(1000);

	assert_int_equal(ask_said(b, who, 300, 0, 3600, NULL), 0);
	assert_int_equal(ask(b, PERSON(2000)), -EDQUOT);
	clock_fake(1000 * MINUTE, WALL - 5 * HOUR);
	assert_int_equal(ask(b, PERSON(2000)), 0);
	assert_int_equal(state_of(b).api.left, 299);
	a.retry_after_s = 3600;
	observed(b, &who, &a);
	b = budget_free(b);
	/* Once more, and another process. */
	clock_fake(5000, WALL - 10 * HOUR);
	b = attached(s, 300);
	assert_int_equal(state_of(b).api.left, 300);
	assert_int_equal(state_of(b).paused_until_ms, 0);
	assert_int_equal(ask(b, PERSON(3000)), 0);
	assert_int_equal(ask_said(b, PERSON(4000), 300, 17, 60, NULL), 0);
	b = budget_free(b);
	b = attached(s, 300);
	assert_int_equal(state_of(b).api.left, 17);
	assert_int_equal(state_of(b).api.used, 2);
	budget_free(b);
}

/* While another process writes, it is counted in memory. */
static void nobody_waits_for_the_ledger(void **state)
{
	struct scene *s = *state;
	cleanup(budget_free) struct budget *next = NULL;
	struct budget *b = attached(s, 300);
	struct write_lock lock;
	int64_t began, took;
	unsigned n;

	assert_int_equal(ask_often(b, PERSON(1000), 50), 50);
	write_lock_hold(s->dir, &lock);
	clock_real();
	began = clock_mono_ms();
	clock_fake(1000 * MINUTE, WALL);
	n = ask_often(b, PERSON(1000), 300);
	clock_real();
	took = clock_mono_ms() - began;
	clock_fake(1000 * MINUTE, WALL);
	write_lock_drop(&lock);
	assert_int_equal(n, 160);
	assert_true(took < 3000);
	assert_int_equal(state_of(b).api.left, 90);
	b = budget_free(b);
	next = attached(s, 300);
	assert_int_equal(state_of(next).api.used, 210);
}

/* A damaged one is begun anew; this process knows what it did. */
static void a_lost_ledger_fails_nobody(void **state)
{
	struct scene *s = *state;
	cleanup(budget_free) struct budget *b = attached(s, 300);
	cleanup(free) char *path = mem_asprintf("%s/cache.db", s->dir);

	assert_int_equal(ask_said(b, PERSON(1000), 300, 200, 600, NULL), 0);
	assert_int_equal(ask_often(b, PERSON(1000), 49), 49);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(ask_often(b, PERSON(1000), 300), 61);
	assert_int_equal(state_of(b).api.used, 111);
	assert_int_equal(state_of(b).api.left, 90);
}

#define N_THREADS 8

struct crowd {
	struct budget *budgets[2];
	atomic_uint next, n_admitted;
	unsigned n_each;
};

static void ask_among_others(void *arg)
{
	struct crowd *crowd = arg;
	unsigned me = atomic_fetch_add(&crowd->next, 1);
	struct budget *b = crowd->budgets[me % 2];

	for (unsigned i = 0; i < crowd->n_each; i++) {
		struct asker who = PERSON((int32_t)(me * 1000 + i + 1) * 1000);

		atomic_fetch_add(&crowd->n_admitted, ask(b, who) == 0);
		if (i % 16 == 0)
			state_of(b);
	}
}

static void run_crowd(struct crowd *crowd)
{
	struct thread *threads[N_THREADS];

	clock_real();
	for (size_t i = 0; i < N_THREADS; i++)
		assert_int_equal(thread_start("asking", ask_among_others, crowd,
					      &threads[i]),
				 0);
	for (size_t i = 0; i < N_THREADS; i++)
		thread_join(threads[i]);
}

static void many_threads_spend_no_more_than_there_is(void **state)
{
	struct scene *s = *state;
	cleanup(budget_free) struct budget *b = attached(s, 300);
	struct crowd crowd = {.budgets = {b, b}, .n_each = 60};

	run_crowd(&crowd);
	assert_int_equal(atomic_load(&crowd.n_admitted), 300);
	assert_int_equal(state_of(b).api.used, 300);
	assert_int_equal(state_of(b).api.left, 0);
}

static void of_what_two_mounts_ask_nothing_is_lost(void **state)
{
	struct scene *s = *state;
	cleanup(cache_close) struct cache *cache = NULL;
	struct crowd crowd = {.n_each = 50};
	struct budget *after;

	assert_int_equal(cache_open(s->dir, &cache), 0);
	crowd.budgets[0] = attached(s, 1000);
	crowd.budgets[1] = new_budget(1000, 0);
	budget_attach(crowd.budgets[1], cache);
	run_crowd(&crowd);
	budget_free(crowd.budgets[0]);
	budget_free(crowd.budgets[1]);
	assert_int_equal(atomic_load(&crowd.n_admitted), N_THREADS * 50);
	after = attached(s, 1000);
	assert_int_equal(state_of(after).api.used, N_THREADS * 50);
	budget_free(after);
}

#define SCENE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCENE(a_restart_forgets_nothing),
		SCENE(a_word_is_remembered),
		SCENE(a_pause_is_remembered),
		SCENE(the_end_of_a_pause_is_heard),
		SCENE(an_old_ledgers_pause_is_an_hour_at_most),
		SCENE(a_backoff_is_remembered),
		SCENE(mounts_share_the_count),
		SCENE(a_clock_that_goes_back_locks_nobody_out),
		SCENE(nobody_waits_for_the_ledger),
		SCENE(a_lost_ledger_fails_nobody),
		SCENE(many_threads_spend_no_more_than_there_is),
		SCENE(of_what_two_mounts_ask_nothing_is_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
