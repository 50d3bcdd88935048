/*
 * store/flight: one leads, the others wait, each with its own ctx.
 */
#include "store/flight.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define N_WAITERS 50

/* Somebody who joins on a thread, and leads when told to. */
struct joiner {
	struct flight *f;
	const char *key;
	struct ctx ctx;
	struct thread *thread;
	int land;           /* with this, when it leads */
	atomic_int outcome; /* of flight_join */
	atomic_bool done;
	atomic_uint *n_leading; /* at the same time */
	atomic_uint *n_led;
};

static void join(void *arg)
{
	struct joiner *j = arg;
	int r = flight_join(&j->ctx, j->f, j->key);

	atomic_store(&j->outcome, r);
	if (r == FLIGHT_LEAD) {
		if (j->n_leading)
			check(atomic_fetch_add(j->n_leading, 1) == 0);
		if (j->n_led)
			atomic_fetch_add(j->n_led, 1);
		if (j->n_leading)
			atomic_fetch_sub(j->n_leading, 1);
		flight_land(j->f, j->key, j->land, "as it was told");
	}
	atomic_store(&j->done, true);
}

static void joiner_start(struct joiner *j, struct flight *f, const char *key,
			 struct ctx_group *group, int64_t timeout_ms)
{
	j->f = f;
	j->key = key;
	ctx_init(&j->ctx, group, timeout_ms);
	assert_int_equal(thread_start("joiner", join, j, &j->thread), 0);
}

static int joiner_end(struct joiner *j)
{
	j->thread = thread_join(j->thread);
	return atomic_load(&j->outcome);
}

static void joiner_done(struct joiner *j)
{
	joiner_end(j);
	ctx_done(&j->ctx);
}

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
	struct ctx ctx; /* of the leader, on this thread */
	struct joiner joiners[N_WAITERS];
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
	for (size_t i = 0; i < N_WAITERS; i++)
		if (s->joiners[i].f)
			joiner_done(&s->joiners[i]);
	ctx_done(&s->ctx);
	flight_free(s->f);
	ctx_group_free(s->group);
	free(s);
}

static void start_all(struct scene *s, int64_t timeout_ms)
{
	for (size_t i = 0; i < N_WAITERS; i++)
		joiner_start(&s->joiners[i], s->f, "key", s->group, timeout_ms);
	await_waiting(s->group, N_WAITERS);
}

static void test_alone(void **state)
{
	struct scene *s = scene_new(1000);

	(void)state;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(flight_join(&s->ctx, s->f, "key"),
				 FLIGHT_LEAD);
		flight_land(s->f, "key", 0, NULL);
	}
	/* Other keys are other flights. */
	assert_int_equal(flight_join(&s->ctx, s->f, "a"), FLIGHT_LEAD);
	assert_int_equal(flight_join(&s->ctx, s->f, "b"), FLIGHT_LEAD);
	flight_land(s->f, "a", 0, NULL);
	flight_land(s->f, "b", 0, NULL);
	scene_free(s);
}

static void test_one_leads_fifty_land(void **state)
{
	struct scene *s = scene_new(1000);

	(void)state;
	assert_int_equal(flight_join(&s->ctx, s->f, "key"), FLIGHT_LEAD);
	start_all(s, -1);
	flight_land(s->f, "key", 0, NULL);
	for (size_t i = 0; i < N_WAITERS; i++)
		assert_int_equal(joiner_end(&s->joiners[i]), FLIGHT_LANDED);
	assert_int_equal(ctx_group_waiting(s->group), 0);
	scene_free(s);
}

static void test_failure_is_everybodys(void **state)
{
	struct scene *s = scene_new(1000);

	(void)state;
	assert_int_equal(flight_join(&s->ctx, s->f, "key"), FLIGHT_LEAD);
	start_all(s, -1);
	flight_land(s->f, "key", -EIO, "The server is ill.");
	for (size_t i = 0; i < N_WAITERS; i++) {
		assert_int_equal(joiner_end(&s->joiners[i]), -EIO);
		assert_string_equal(s->joiners[i].ctx.sentence,
				    "The server is ill.");
	}
	scene_free(s);
}

static void test_failure_is_remembered(void **state)
{
	struct scene *s = scene_new(2000);

	(void)state;
	clock_fake(1000, 1000);
	assert_int_equal(flight_join(&s->ctx, s->f, "key"), FLIGHT_LEAD);
	flight_land(s->f, "key", -EACCES, "No.");
	clock_advance(1999);
	assert_int_equal(flight_join(&s->ctx, s->f, "key"), -EACCES);
	assert_string_equal(s->ctx.sentence, "No.");
	assert_int_equal(flight_join(&s->ctx, s->f, "other"), FLIGHT_LEAD);
	flight_land(s->f, "other", 0, NULL);
	clock_advance(1);
	assert_int_equal(flight_join(&s->ctx, s->f, "key"), FLIGHT_LEAD);
	flight_land(s->f, "key", -EIO, NULL);
	assert_int_equal(flight_join(&s->ctx, s->f, "key"), -EIO);
	flight_forget(s->f, "key");
	flight_forget(s->f, "never heard of");
	assert_int_equal(flight_join(&s->ctx, s->f, "key"), FLIGHT_LEAD);
	flight_forget(s->f, "key"); /* led: nothing to forget */
	flight_land(s->f, "key", 0, NULL);
	clock_real();
	scene_free(s);
}

static void test_nothing_is_remembered(void **state)
{
	struct scene *s = scene_new(0);

	(void)state;
	assert_int_equal(flight_join(&s->ctx, s->f, "key"), FLIGHT_LEAD);
	flight_land(s->f, "key", -EIO, "Once.");
	assert_int_equal(flight_join(&s->ctx, s->f, "key"), FLIGHT_LEAD);
	flight_land(s->f, "key", 0, NULL);
	scene_free(s);
}

static void test_many_failures_are_bounded(void **state)
{
	struct scene *s = scene_new(INT64_C(1000000));
	char key[32];

	(void)state;
	for (int i = 0; i < 10000; i++) {
		snprintf(key, sizeof(key), "key %d", i);
		assert_int_equal(flight_join(&s->ctx, s->f, key), FLIGHT_LEAD);
		flight_land(s->f, key, -EIO, "No.");
	}
	assert_int_equal(flight_join(&s->ctx, s->f, "key 9999"), -EIO);
	/* The first ones had to go. */
	assert_int_equal(flight_join(&s->ctx, s->f, "key 0"), FLIGHT_LEAD);
	flight_land(s->f, "key 0", 0, NULL);
	scene_free(s);
}

static void test_cancelled_waiter_leaves_at_once(void **state)
{
	struct scene *s = scene_new(1000);

	(void)state;
	assert_int_equal(flight_join(&s->ctx, s->f, "key"), FLIGHT_LEAD);
	start_all(s, -1);
	for (size_t i = 0; i < N_WAITERS; i += 2)
		ctx_cancel(&s->joiners[i].ctx);
	for (size_t i = 0; i < N_WAITERS; i += 2)
		assert_int_equal(joiner_end(&s->joiners[i]), -EINTR);
	assert_int_equal(ctx_group_waiting(s->group), N_WAITERS / 2);
	flight_land(s->f, "key", 0, NULL);
	for (size_t i = 1; i < N_WAITERS; i += 2)
		assert_int_equal(joiner_end(&s->joiners[i]), FLIGHT_LANDED);
	/* Who is cancelled before it comes does not even lead. */
	ctx_cancel(&s->ctx);
	assert_int_equal(flight_join(&s->ctx, s->f, "new"), -EINTR);
	scene_free(s);
}

static void test_deadline(void **state)
{
	struct scene *s = scene_new(1000);
	struct ctx late;

	(void)state;
	assert_int_equal(flight_join(&s->ctx, s->f, "key"), FLIGHT_LEAD);
	ctx_init(&late, NULL, 30);
	assert_int_equal(flight_join(&late, s->f, "key"), -ETIMEDOUT);
	assert_int_equal(flight_join(&late, s->f, "key"), -ETIMEDOUT);
	ctx_done(&late);
	flight_land(s->f, "key", 0, NULL);
	scene_free(s);
}

static void test_no_waiting_place(void **state)
{
	struct flight *f = flight_new(1000);
	struct ctx_group *group = ctx_group_new(1);
	struct ctx leader, placed, late;
	struct joiner j = {0};

	(void)state;
	ctx_init(&leader, NULL, -1);
	ctx_init(&placed, group, 20);
	ctx_init(&late, group, -1);
	assert_int_equal(flight_join(&leader, f, "key"), FLIGHT_LEAD);
	joiner_start(&j, f, "key", group, -1);
	await_waiting(group, 1);
	assert_int_equal(flight_join(&late, f, "key"), -EAGAIN);
	assert_true(late.sentence[0] != '\0');
	flight_land(f, "key", 0, NULL);
	assert_int_equal(joiner_end(&j), FLIGHT_LANDED);
	/* Who has a place already keeps it. */
	assert_int_equal(flight_join(&leader, f, "key"), FLIGHT_LEAD);
	assert_int_equal(ctx_wait_begin(&placed), 0);
	assert_int_equal(flight_join(&placed, f, "key"), -ETIMEDOUT);
	assert_int_equal(ctx_group_waiting(group), 1);
	ctx_wait_end(&placed);
	flight_land(f, "key", 0, NULL);
	joiner_done(&j);
	ctx_done(&late);
	ctx_done(&placed);
	ctx_done(&leader);
	ctx_group_free(group);
	flight_free(f);
}

static void hand_over(int result)
{
	struct scene *s = scene_new(1000);
	atomic_uint n_leading = 0, n_led = 0;
	size_t n_landed = 0;

	assert_int_equal(flight_join(&s->ctx, s->f, "key"), FLIGHT_LEAD);
	for (size_t i = 0; i < N_WAITERS; i++) {
		s->joiners[i].n_leading = &n_leading;
		s->joiners[i].n_led = &n_led;
	}
	start_all(s, -1);
	flight_land(s->f, "key", result, "my own affair");
	for (size_t i = 0; i < N_WAITERS; i++)
		n_landed += joiner_end(&s->joiners[i]) == FLIGHT_LANDED;
	assert_int_equal(atomic_load(&n_led), 1);
	assert_int_equal(n_landed, N_WAITERS - 1);
	/* And it is not remembered. */
	assert_int_equal(flight_join(&s->ctx, s->f, "key"), FLIGHT_LEAD);
	flight_land(s->f, "key", result, NULL);
	assert_int_equal(flight_join(&s->ctx, s->f, "key"), FLIGHT_LEAD);
	flight_land(s->f, "key", 0, NULL);
	scene_free(s);
}

static void test_hand_over_to_exactly_one(void **state)
{
	(void)state;
	hand_over(-EINTR);
	hand_over(-EAGAIN);
}

/* Every leader is interrupted: each waiter leads once, one after the other. */
static void test_hand_over_again_and_again(void **state)
{
	struct scene *s = scene_new(1000);
	atomic_uint n_leading = 0, n_led = 0;

	(void)state;
	assert_int_equal(flight_join(&s->ctx, s->f, "key"), FLIGHT_LEAD);
	for (size_t i = 0; i < N_WAITERS; i++) {
		s->joiners[i].land = -EINTR;
		s->joiners[i].n_leading = &n_leading;
		s->joiners[i].n_led = &n_led;
	}
	start_all(s, -1);
	flight_land(s->f, "key", -EINTR, NULL);
	for (size_t i = 0; i < N_WAITERS; i++)
		assert_int_equal(joiner_end(&s->joiners[i]), FLIGHT_LEAD);
	assert_int_equal(atomic_load(&n_led), N_WAITERS);
	scene_free(s);
}

/* Cancelled while the lead is handed to it: whoever it is lands, and nobody
 * waits for ever. */
static void test_hand_over_races_cancellation(void **state)
{
	(void)state;
	for (int round = 0; round < 200; round++) {
		struct scene *s = scene_new(0);
		unsigned n_led = 0;

		assert_int_equal(flight_join(&s->ctx, s->f, "key"),
				 FLIGHT_LEAD);
		for (size_t i = 0; i < 3; i++)
			joiner_start(&s->joiners[i], s->f, "key", s->group,
				     5000);
		await_waiting(s->group, 3);
		ctx_cancel(&s->joiners[round % 3].ctx);
		flight_land(s->f, "key", -EINTR, NULL);
		for (size_t i = 0; i < 3; i++) {
			int r = joiner_end(&s->joiners[i]);

			assert_true(r == FLIGHT_LEAD || r == FLIGHT_LANDED ||
				    (r == -EINTR && (int)i == round % 3));
			n_led += r == FLIGHT_LEAD;
		}
		assert_int_equal(n_led, 1);
		scene_free(s);
	}
}

struct crowd {
	struct flight *f;
	atomic_int leading[4];
	atomic_uint n_led;
	unsigned seed;
};

static void be_one_of_the_crowd(void *arg)
{
	static const int results[] = {0, 0, -EINTR, -EAGAIN, -EIO, 0};
	struct crowd *c = arg;
	unsigned n = __atomic_fetch_add(&c->seed, 7919, __ATOMIC_RELAXED);
	char key[8];

	for (unsigned i = 0; i < 2000; i++) {
		unsigned which = (n + i) % 4;
		struct ctx ctx;

		snprintf(key, sizeof(key), "%u", which);
		ctx_init(&ctx, NULL, 10000);
		if (flight_join(&ctx, c->f, key) == FLIGHT_LEAD) {
			check(atomic_fetch_add(&c->leading[which], 1) == 0);
			atomic_fetch_add(&c->n_led, 1);
			atomic_fetch_sub(&c->leading[which], 1);
			flight_land(c->f, key,
				    results[(n + i) % ARRAY_SIZE(results)],
				    "told");
		}
		ctx_done(&ctx);
	}
}

static void test_crowd(void **state)
{
	struct crowd c = {.f = flight_new(1)};
	struct thread *threads[8];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		assert_int_equal(thread_start("crowd", be_one_of_the_crowd, &c,
					      &threads[i]),
				 0);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		thread_join(threads[i]);
	assert_true(atomic_load(&c.n_led) > 0);
	flight_free(c.f);
}

/* ---- what a leader hands over ---- */

struct counted {
	struct refcount refcount;
	atomic_uint *n_alive;
};

static struct counted *counted_new(atomic_uint *n_alive)
{
	struct counted *c = mem_calloc(1, sizeof(*c));

	refcount_init(&c->refcount);
	c->n_alive = n_alive;
	atomic_fetch_add(n_alive, 1);
	return c;
}

static void *counted_ref(void *value)
{
	struct counted *c = value;

	refcount_take(&c->refcount);
	return value;
}

static void counted_unref(void *value)
{
	struct counted *c = value;

	if (!refcount_drop(&c->refcount))
		return;
	atomic_fetch_sub(c->n_alive, 1);
	free(c);
}

static const struct flight_values counted_values = {
	.ref = counted_ref,
	.unref = counted_unref,
};

struct taker {
	struct flight *f;
	struct ctx ctx;
	struct thread *thread;
	void *value;
	int outcome;
};

static void join_for_value(void *arg)
{
	struct taker *t = arg;

	t->outcome = flight_join_value(&t->ctx, t->f, "key", &t->value);
}

static void test_value_is_handed_to_all(void **state)
{
	struct flight *f = flight_new_with(&(struct flight_config){
		.values = &counted_values,
	});
	struct ctx_group *group = ctx_group_new(100);
	struct taker takers[8] = {0};
	atomic_uint n_alive = 0;
	struct counted *value;
	struct ctx ctx;
	void *none = &ctx;

	(void)state;
	ctx_init(&ctx, NULL, -1);
	assert_int_equal(flight_join_value(&ctx, f, "key", &none), FLIGHT_LEAD);
	for (size_t i = 0; i < ARRAY_SIZE(takers); i++) {
		takers[i].f = f;
		ctx_init(&takers[i].ctx, group, -1);
		assert_int_equal(thread_start("taker", join_for_value,
					      &takers[i], &takers[i].thread),
				 0);
	}
	await_waiting(group, ARRAY_SIZE(takers));
	value = counted_new(&n_alive);
	flight_land_as(f, "key", &(struct flight_landing){.value = value});
	for (size_t i = 0; i < ARRAY_SIZE(takers); i++) {
		thread_join(takers[i].thread);
		assert_int_equal(takers[i].outcome, FLIGHT_LANDED);
		assert_ptr_equal(takers[i].value, value);
		counted_unref(takers[i].value);
		ctx_done(&takers[i].ctx);
	}
	/* The leader's own is the last one. */
	assert_int_equal(atomic_load(&n_alive), 1);
	counted_unref(value);
	assert_int_equal(atomic_load(&n_alive), 0);
	ctx_done(&ctx);
	ctx_group_free(group);
	flight_free(f);
}

/* Of disks, not of the network: no place is needed, no deadline looked at, and
 * nobody need be there who could break it off. */
static void test_local(void **state)
{
	struct flight *f = flight_new_with(&(struct flight_config){
		.local = true,
	});
	struct ctx_group *none = ctx_group_new(0);
	struct joiner j = {0};

	(void)state;
	assert_int_equal(flight_join(NULL, f, "key"), FLIGHT_LEAD);
	joiner_start(&j, f, "key", none, 0);
	/* It comes back soon only if it does not wait. */
	for (int i = 0; i < 20 && !atomic_load(&j.done); i++) {
		struct ctx pause;

		ctx_init(&pause, NULL, -1);
		ctx_sleep(&pause, 1);
		ctx_done(&pause);
	}
	assert_false(atomic_load(&j.done));
	ctx_cancel(&j.ctx);
	assert_int_equal(joiner_end(&j), -EINTR);
	flight_land(f, "key", -EIO, "The disk.");
	assert_int_equal(flight_join(NULL, f, "key"), FLIGHT_LEAD);
	flight_land(f, "key", 0, NULL);
	joiner_done(&j);
	ctx_group_free(none);
	flight_free(f);
}

/* What a waiter has to say already is not emptied by a leader who says nothing.
 */
static void test_failure_without_a_sentence(void **state)
{
	static const char *const silent[] = {NULL, ""};
	struct scene *s = scene_new(1000);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(silent); i++) {
		struct joiner *j = &s->joiners[i];

		assert_int_equal(flight_join(&s->ctx, s->f, "key"),
				 FLIGHT_LEAD);
		joiner_start(j, s->f, "key", s->group, -1);
		await_waiting(s->group, 1);
		/* It waits: its thread looks at the sentence no earlier. */
		ctx_fail(&j->ctx, -EIO, "said before");
		flight_land(s->f, "key", -EACCES, silent[i]);
		assert_int_equal(joiner_end(j), -EACCES);
		assert_string_equal(j->ctx.sentence, "said before");
		/* Nor by one that is remembered. */
		ctx_fail(&s->ctx, -EIO, "said before");
		assert_int_equal(flight_join(&s->ctx, s->f, "key"), -EACCES);
		assert_string_equal(s->ctx.sentence, "said before");
		flight_forget(s->f, "key");
	}
	scene_free(s);
}

static void test_failures_are_remembered_as_told(void **state)
{
	struct scene *s = scene_new(2000);

	(void)state;
	clock_fake(1000, 1000);
	assert_int_equal(flight_join(&s->ctx, s->f, "large"), FLIGHT_LEAD);
	flight_land_as(s->f, "large",
		       &(struct flight_landing){
			       .result = -EFBIG,
			       .sentence = "Too large.",
			       .remember_ms = 60000,
		       });
	assert_int_equal(flight_join(&s->ctx, s->f, "key"), FLIGHT_LEAD);
	flight_land(s->f, "key", -EIO, "No.");
	clock_advance(2000);
	/* The one that came later is forgotten earlier. */
	assert_int_equal(flight_join(&s->ctx, s->f, "key"), FLIGHT_LEAD);
	flight_land(s->f, "key", -EIO, "No.");
	assert_int_equal(flight_join(&s->ctx, s->f, "large"), -EFBIG);
	assert_string_equal(s->ctx.sentence, "Too large.");
	clock_advance(57999);
	assert_int_equal(flight_join(&s->ctx, s->f, "large"), -EFBIG);
	flight_forget(s->f, "");
	assert_int_equal(flight_join(&s->ctx, s->f, "large"), FLIGHT_LEAD);
	flight_land(s->f, "large", 0, NULL);
	clock_real();
	scene_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_alone),
		cmocka_unit_test(test_one_leads_fifty_land),
		cmocka_unit_test(test_failure_is_everybodys),
		cmocka_unit_test(test_failure_is_remembered),
		cmocka_unit_test(test_nothing_is_remembered),
		cmocka_unit_test(test_many_failures_are_bounded),
		cmocka_unit_test(test_cancelled_waiter_leaves_at_once),
		cmocka_unit_test(test_deadline),
		cmocka_unit_test(test_no_waiting_place),
		cmocka_unit_test(test_hand_over_to_exactly_one),
		cmocka_unit_test(test_hand_over_again_and_again),
		cmocka_unit_test(test_hand_over_races_cancellation),
		cmocka_unit_test(test_crowd),
		cmocka_unit_test(test_value_is_handed_to_all),
		cmocka_unit_test(test_local),
		cmocka_unit_test(test_failure_without_a_sentence),
		cmocka_unit_test(test_failures_are_remembered_as_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
