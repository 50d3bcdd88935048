/* model/dirlist: who has which listing open, and what is kept. */
#include "model/dirlist.h"

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
		dirlist_add_taken(l, xmemdup0(names, 1), ++cookie, S_IFREG, 0);
	return dirlist_seal(l, left_ms);
}

static struct opened *open_one(struct listed *d, struct dirlist *l,
			       const struct dirlist *seen)
{
	struct opened *o = NULL;
	struct listed_look look;
	enum shown_reply reply;

	dirlist_unref(listed_newest(d, &look));
	look.newest = seen;
	assert_int_equal(listed_open(d, NULL, l, &look, &o, &reply), 0);
	return o;
}

static int set_up(void **state)
{
	*state = dirlists_new(1000000, 2000000);
	atomic_store(&n_freed, 0);
	return 0;
}

static int tear_down(void **state)
{
	dirlists_free(*state);
	return 0;
}

static void names_are_found_by_their_cookie(void **state)
{
	struct dirlist *l = dirlist_new(&ops, NULL, 0);
	struct dirlist_name name;

	(void)state;
	dirlist_add(l, "c", 300, S_IFREG, 3);
	dirlist_add(l, "a", 1, S_IFREG, 1);
	dirlist_add(l, "b", 7, S_IFDIR, 2);
	dirlist_seal(l, 0);
	assert_int_equal(dirlist_seek(l, 0), 0);
	assert_int_equal(dirlist_seek(l, 1), 1);
	assert_int_equal(dirlist_seek(l, 299), 2);
	assert_int_equal(dirlist_seek(l, 300), 3);
	dirlist_at(l, 1, &name);
	assert_string_equal(name.name, "b");
	assert_int_equal(name.tag, 2);
	dirlist_unref(l);
}

static void the_version_is_of_the_names(void **state)
{
	struct dirlist *a = of("abc", 0, 0), *b = of("abc", 99, 5);
	struct dirlist *c = of("abd", 0, 0);

	(void)state;
	assert_int_equal(a->version, b->version);
	assert_int_not_equal(a->version, c->version);
	dirlist_unref(a);
	dirlist_unref(b);
	dirlist_unref(c);
}

static void of_racing_openers_the_second_takes_the_firsts(void **state)
{
	struct listed *d = listed_new(*state);
	struct opened *a, *b, *c;

	a = open_one(d, of("ab", 10, 0), NULL);
	b = open_one(d, of("ab", 10, 0), NULL);
	assert_ptr_equal(opened_listing(a), opened_listing(b));
	assert_int_equal(n_freed, 1);
	/* A newer one: each finishes its own. */
	c = open_one(d, of("abc", 10, 0), opened_listing(a));
	assert_ptr_not_equal(opened_listing(a), opened_listing(c));
	assert_false(opened_is_newest(a));
	assert_true(opened_is_newest(c));
	assert_int_equal(opened_listing(b)->n_names, 2);
	opened_close(c);
	opened_close(a);
	assert_int_equal(n_freed, 1);
	opened_close(b);
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
	enum shown_reply reply;

	assert_null(listed_newest(d, &look));
	listed_forget(d);
	assert_int_equal(listed_open(d, NULL, of("a", 1, MINUTE_MS), &look,
				     &late, &reply),
			 0);
	assert_false(opened_is_newest(late));
	assert_null(listed_newest(d, &look));
	next = open_one(d, of("ab", 1, MINUTE_MS), NULL);
	assert_true(opened_is_newest(next));
	opened_close(late);
	opened_close(next);
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
		opened_close(open_one(d[i], of("x", 600000, MINUTE_MS), NULL));
	}
	dirlists_bytes(*state, &n_open, &n_kept);
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
	dirlists_bytes(*state, &n_open, &n_kept);
	assert_int_equal(n_kept, 0);
	assert_int_equal(n_freed, 4);
}

static void what_is_open_is_bounded(void **state)
{
	struct listed *a = listed_new(*state), *b = listed_new(*state);
	struct opened *first, *second, *third = NULL;
	struct dirlist *again;
	enum shown_reply reply;
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
	opened_close(first);
	opened_close(second);
	/* One that is larger than all by itself is open alone. */
	third = open_one(b, of("b", 5000000, 0), NULL);
	assert_int_equal(
		listed_open(a, NULL, of("a", 1, 0), &look, &first, &reply),
		-ENOMEM);
	opened_close(third);
	dirlists_bytes(*state, &n_open, &n_kept);
	assert_int_equal(n_open, 0);
	/* It does not fit into what is kept, either. */
	assert_true(n_kept < 2000000);
	listed_free(a);
	listed_free(b);
}

/* The kernel closes nothing when it is gone. */
static void what_is_left_open_is_freed(void **state)
{
	struct dirlists *all = dirlists_new(0, 0);
	struct listed *d = listed_new(all);

	(void)state;
	open_one(d, of("a", 1, 0), NULL);
	open_one(d, of("b", 1, 0), NULL);
	listed_free(d);
	dirlists_free(all);
	assert_int_equal(n_freed, 2);
}

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

		opened_read(o);
		if (i % 7 == 0)
			listed_forget(d);
		opened_close(o);
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
	dirlists_bytes(*state, &n_open, &n_kept);
	assert_int_equal(n_open, 0);
	listed_free(d);
	dirlists_bytes(*state, &n_open, &n_kept);
	assert_int_equal(n_kept, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_found_by_their_cookie),
		cmocka_unit_test(the_version_is_of_the_names),
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
		cmocka_unit_test_setup_teardown(many_at_once, set_up,
						tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
