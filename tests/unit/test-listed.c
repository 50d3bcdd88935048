/* model/listed: who has which listing open, what is kept, what was told. */
#include "model/listed.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define MINUTE_MS 60000
#define N_THREADS 8

static atomic_int n_freed;

static void count_free(void *data)
{
	(void)data;
	atomic_fetch_add(&n_freed, 1);
}

static const struct dirlist_ops ops = {.free_data = count_free};

static struct dirlist *of(const char *names, size_t n_bytes, int64_t left_ms)
{
	struct dirlist *l = dirlist_new(&ops, NULL, n_bytes);
	uint64_t cookie = 0;

	for (; *names; names++)
		dirlist_add_taken(l, mem_dup0(names, 1), ++cookie, S_IFREG, 0);
	return dirlist_seal(l, left_ms);
}

static struct opened *open_one(struct listed *d, struct dirlist *l,
			       const struct dirlist *seen)
{
	struct opened *o = NULL;
	struct listed_look look;
	enum listed_copy_reply reply;

	dirlist_unref(listed_newest(d, &look));
	look.newest = seen;
	assert_int_equal(listed_open(d, NULL, l, &look, &o, &reply), 0);
	return o;
}

static int set_up(void **state)
{
	*state = listed_all_new(1000000, 2000000);
	atomic_store(&n_freed, 0);
	return 0;
}

static int tear_down(void **state)
{
	listed_all_free(*state);
	return 0;
}

static void of_racing_openers_the_second_takes_the_firsts(void **state)
{
	struct listed *d = listed_new(*state);
	struct opened *a, *b, *c;

	a = open_one(d, of("ab", 10, 0), NULL);
	b = open_one(d, of("ab", 10, 0), NULL);
	assert_ptr_equal(listed_opened_listing(a), listed_opened_listing(b));
	assert_int_equal(n_freed, 1);
	/* A newer one: each finishes its own. */
	c = open_one(d, of("abc", 10, 0), listed_opened_listing(a));
	assert_ptr_not_equal(listed_opened_listing(a),
			     listed_opened_listing(c));
	assert_false(listed_opened_is_newest(a));
	assert_true(listed_opened_is_newest(c));
	assert_int_equal(listed_opened_listing(b)->n_names, 2);
	listed_close(c);
	listed_close(a);
	assert_int_equal(n_freed, 1);
	listed_close(b);
	assert_int_equal(n_freed, 2);
	listed_free(d);
	assert_int_equal(n_freed, 3);
}

/* Forgotten between the question and the opening: what was brought may be of
 * before. */
static void what_is_late_is_not_the_newest(void **state)
{
	struct listed *d = listed_new(*state);
	struct listed_look look;
	struct opened *late = NULL, *next;
	enum listed_copy_reply reply;

	assert_null(listed_newest(d, &look));
	listed_forget(d);
	assert_int_equal(listed_open(d, NULL, of("a", 1, MINUTE_MS), &look,
				     &late, &reply),
			 0);
	assert_false(listed_opened_is_newest(late));
	assert_null(listed_newest(d, &look));
	next = open_one(d, of("ab", 1, MINUTE_MS), NULL);
	assert_true(listed_opened_is_newest(next));
	listed_close(late);
	listed_close(next);
	listed_free(d);
}

static void what_is_kept_is_bounded_and_the_oldest_goes(void **state)
{
	struct listed *d[4];
	struct dirlist *l;
	size_t n_open, n_kept;
	struct listed_look look;

	for (size_t i = 0; i < 4; i++) {
		d[i] = listed_new(*state);
		listed_close(open_one(d[i], of("x", 600000, MINUTE_MS), NULL));
	}
	listed_all_bytes(*state, &n_open, &n_kept);
	assert_int_equal(n_open, 0);
	assert_true(n_kept > 1800000 && n_kept <= 2000000);
	assert_int_equal(n_freed, 1);
	assert_null(listed_newest(d[0], &look));
	assert_false(look.fresh);
	l = listed_newest(d[1], &look);
	assert_non_null(l);
	assert_true(look.fresh);
	dirlist_unref(l);
	/* Outdated: who opens it next asks. */
	listed_forget(d[1]);
	assert_null(listed_newest(d[1], &look));
	for (size_t i = 0; i < 4; i++)
		listed_free(d[i]);
	listed_all_bytes(*state, &n_open, &n_kept);
	assert_int_equal(n_kept, 0);
	assert_int_equal(n_freed, 4);
}

static void what_is_open_is_bounded(void **state)
{
	struct listed *a = listed_new(*state), *b = listed_new(*state);
	struct opened *first, *second, *third = NULL;
	struct dirlist *again;
	enum listed_copy_reply reply;
	size_t n_open, n_kept;
	struct listed_look look;

	first = open_one(a, of("a", 600000, 0), NULL);
	/* The same one again takes nothing. */
	again = listed_newest(a, &look);
	second = open_one(a, dirlist_ref(again), again);
	dirlist_unref(again);
	assert_int_equal(
		listed_open(b, NULL, of("b", 600000, 0), &look, &third, &reply),
		-ENOMEM);
	assert_null(third);
	assert_int_equal(n_freed, 1);
	listed_close(first);
	listed_close(second);
	/* One that is larger than all by itself is open alone. */
	third = open_one(b, of("b", 5000000, 0), NULL);
	assert_int_equal(
		listed_open(a, NULL, of("a", 1, 0), &look, &first, &reply),
		-ENOMEM);
	listed_close(third);
	listed_all_bytes(*state, &n_open, &n_kept);
	assert_int_equal(n_open, 0);
	/* It does not fit into what is kept, either. */
	assert_true(n_kept < 2000000);
	listed_free(a);
	listed_free(b);
}

/* The kernel closes nothing when it is gone. */
static void what_is_left_open_is_freed(void **state)
{
	struct listed_all *all = listed_all_new(0, 0);
	struct listed *d = listed_new(all);

	(void)state;
	open_one(d, of("a", 1, 0), NULL);
	open_one(d, of("b", 1, 0), NULL);
	listed_free(d);
	listed_all_free(all);
	assert_int_equal(n_freed, 2);
}

/* ---- telling ---- */

static void free_list(void *list)
{
	count_free(list);
	free(list);
}

static void what_was_told_is_kept_until_the_next(void **state)
{
	struct listed *d = listed_new(*state);
	char *a = mem_strdup("a"), *b = mem_strdup("b");

	assert_null(listed_told(d));
	assert_null(listed_tell_begin(d));
	listed_tell_keep(d, a, free_list);
	listed_tell_end(d);
	assert_ptr_equal(listed_told(d), a);
	assert_ptr_equal(listed_tell_begin(d), a);
	listed_tell_keep(d, b, free_list);
	assert_int_equal(n_freed, 1);
	listed_tell_end(d);
	/* Who has its turn and leaves nothing changes nothing. */
	assert_ptr_equal(listed_tell_begin(d), b);
	listed_tell_end(d);
	assert_ptr_equal(listed_told(d), b);
	(void)listed_tell_begin(d);
	assert_ptr_equal(listed_tell_take(d), b);
	assert_null(listed_tell_take(d));
	listed_tell_end(d);
	assert_null(listed_told(d));
	assert_int_equal(n_freed, 1);
	(void)listed_tell_begin(d);
	listed_tell_keep(d, b, free_list);
	listed_tell_end(d);
	listed_free(d);
	assert_int_equal(n_freed, 2);
}

static struct listed *told_of;
static atomic_int n_telling, n_told;

static void take_turns(void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < 500; i++) {
		const int *told = listed_tell_begin(told_of);
		int *next = mem_alloc(sizeof(*next));

		assert_int_equal(atomic_fetch_add(&n_telling, 1), 0);
		*next = (told ? *told : 0) + 1;
		listed_tell_keep(told_of, next, free);
		atomic_fetch_sub(&n_telling, 1);
		listed_tell_end(told_of);
		atomic_fetch_add(&n_told, 1);
	}
}

static void one_tells_at_a_time(void **state)
{
	struct thread *threads[N_THREADS];

	told_of = listed_new(*state);
	for (size_t i = 0; i < N_THREADS; i++)
		assert_int_equal(
			thread_start("tells", take_turns, NULL, &threads[i]),
			0);
	for (size_t i = 0; i < N_THREADS; i++)
		thread_join(threads[i]);
	assert_int_equal(*(const int *)listed_told(told_of), n_told);
	listed_free(told_of);
}

/* ---- threads ---- */

static void open_and_close(void *arg)
{
	struct listed *d = arg;

	for (unsigned i = 0; i < 2000; i++) {
		struct listed_look look;
		struct dirlist *seen = listed_newest(d, &look);
		struct dirlist *l =
			seen && i % 3 ? dirlist_ref(seen)
				      : of(i % 2 ? "a" : "b", 10, MINUTE_MS);
		struct opened *o = open_one(d, l, seen);

		listed_opened_read(o);
		if (i % 7 == 0)
			listed_forget(d);
		listed_close(o);
		dirlist_unref(seen);
	}
}

static void many_at_once(void **state)
{
	struct listed *d = listed_new(*state);
	struct thread *threads[N_THREADS];
	size_t n_open, n_kept;

	for (size_t i = 0; i < N_THREADS; i++)
		assert_int_equal(
			thread_start("opens", open_and_close, d, &threads[i]),
			0);
	for (size_t i = 0; i < N_THREADS; i++)
		thread_join(threads[i]);
	listed_all_bytes(*state, &n_open, &n_kept);
	assert_int_equal(n_open, 0);
	listed_free(d);
	listed_all_bytes(*state, &n_open, &n_kept);
	assert_int_equal(n_kept, 0);
}

static atomic_int n_pins;
static char a_pin;

static int make_pin(struct dirlist_piece *piece, void **ret_pin)
{
	if (piece->own)
		return -EIO;
	atomic_fetch_add(&n_pins, 1);
	*ret_pin = &a_pin;
	return 0;
}

static void drop_pin(void *pin)
{
	assert_ptr_equal(pin, &a_pin);
	atomic_fetch_sub(&n_pins, 1);
}

static const struct dirlist_ops ops_pinned = {.pin = make_pin,
					      .unpin = drop_pin};

static struct dirlist *pinned(void)
{
	struct dirlist *l =
		dirlist_seal(dirlist_new(&ops_pinned, NULL, 1), MINUTE_MS);

	l->n_pin = 4000000;
	atomic_store(&l->pin, &a_pin);
	atomic_fetch_add(&n_pins, 1);
	return l;
}

static void pins_that_nobody_needs_go(void **state)
{
	struct listed *d[3];
	struct dirlist_piece piece = {0};
	struct listed_look look;
	struct opened *o;

	clock_fake(1000000, 1000000);
	for (size_t i = 0; i < 3; i++) {
		d[i] = listed_new(*state);
		o = open_one(d[i], pinned(), NULL);
		/* Of those that are open none goes. */
		assert_int_equal(n_pins, i ? 2 : 1);
		listed_close(o);
	}
	assert_int_equal(n_pins, 1);
	assert_int_equal(listed_all_pins(*state), 4000000);
	/* A listing without its pin is still the newest, and is read again. */
	piece.listing = listed_newest(d[0], &look);
	assert_true(look.fresh);
	o = open_one(d[0], piece.listing, piece.listing);
	piece.own = o;
	assert_int_equal(dirlist_pin(&piece), -EIO);
	piece.own = NULL;
	assert_int_equal(dirlist_pin(&piece), 0);
	assert_int_equal(dirlist_pin(&piece), 0);
	assert_int_equal(n_pins, 2);
	listed_close(o);
	assert_int_equal(n_pins, 1);
	/* Nor does that of a listing that somebody has a reference to. */
	piece.listing = listed_newest(d[0], &look);
	clock_advance(MINUTE_MS);
	assert_true(listed_all_expire(*state));
	assert_int_equal(n_pins, 1);
	dirlist_unref(piece.listing);
	assert_false(listed_all_expire(*state));
	assert_int_equal(n_pins, 0);
	assert_int_equal(listed_all_pins(*state), 0);
	clock_real();
	for (size_t i = 0; i < 3; i++)
		listed_free(d[i]);
	assert_int_equal(n_pins, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			of_racing_openers_the_second_takes_the_firsts, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(what_is_late_is_not_the_newest,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			what_is_kept_is_bounded_and_the_oldest_goes, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(what_is_open_is_bounded, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(what_is_left_open_is_freed,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			what_was_told_is_kept_until_the_next, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(one_tells_at_a_time, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(many_at_once, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(pins_that_nobody_needs_go,
						set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
