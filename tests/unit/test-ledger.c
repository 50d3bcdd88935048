/*
 * store/cache, its ledger: adding, the hour, notes, several users at once.
 */
#include "store/cache_ledger.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/sync.h"

#include "write-lock.h"

#define MINUTE CACHE_LEDGER_MINUTE_MS
#define START_MS (INT64_C(28000000) * MINUTE)

struct scene {
	char dir[64];
	struct cache *c;
};

static int set_up(void **state)
{
	struct scene *s = mem_calloc(1, sizeof(*s));

	snprintf(s->dir, sizeof(s->dir), "/tmp/test-ledger-XXXXXX");
	assert_non_null(mkdtemp(s->dir));
	clock_fake(1000, START_MS);
	assert_int_equal(cache_open(s->dir, &s->c), 0);
	*state = s;
	return 0;
}

static int tear_down(void **state)
{
	struct scene *s = *state;

	cache_close(s->c);
	file_remove_tree(s->dir);
	clock_real();
	free(s);
	return 0;
}

static int64_t this_minute(void)
{
	return clock_wall_ms() / MINUTE;
}

static int add(struct cache *c, const char *book, unsigned who, unsigned n)
{
	struct cache_ledger more = {.n_uses = 1}, now;

	more.uses[0].minute = this_minute();
	more.uses[0].n[who] = n;
	return cache_ledger_add(c, book, &more, true, &now);
}

static struct cache_ledger read_book(struct cache *c, const char *book)
{
	struct cache_ledger l;

	assert_int_equal(cache_ledger_read(c, book, &l), 0);
	return l;
}

static unsigned in_hour(const struct cache_ledger *l, unsigned who)
{
	unsigned n = 0;

	for (size_t i = 0; i < l->n_uses; i++)
		n += l->uses[i].n[who];
	return n;
}

static void adds_and_remembers(void **state)
{
	struct scene *s = *state;
	struct cache_ledger l = read_book(s->c, "api"), more = {.n_uses = 2};

	assert_int_equal(l.total, 0);
	assert_int_equal(l.n_uses, 0);
	assert_int_equal(l.notes[0].noted_ms, 0);
	more.uses[0] = (struct cache_ledger_use){this_minute() - 1, {1, 0, 2}};
	more.uses[1] = (struct cache_ledger_use){this_minute(), {0, 7, 0}};
	assert_int_equal(cache_ledger_add(s->c, "api", &more, false, &l), 0);
	assert_int_equal(l.total, 10);
	assert_int_equal(cache_ledger_add(s->c, "api", &more, true, &l), 0);
	assert_int_equal(add(s->c, "git", 0, 5), 0);

	s->c = cache_close(s->c);
	assert_int_equal(cache_open(s->dir, &s->c), 0);
	l = read_book(s->c, "api");
	assert_int_equal(l.total, 20);
	assert_int_equal(l.n_uses, 2);
	assert_int_equal(l.uses[0].minute, this_minute() - 1);
	assert_int_equal(l.uses[0].n[0], 2);
	assert_int_equal(l.uses[0].n[1], 0);
	assert_int_equal(l.uses[0].n[2], 4);
	assert_int_equal(l.uses[1].n[1], 14);
	l = read_book(s->c, "git");
	assert_int_equal(l.total, 5);
	assert_int_equal(in_hour(&l, 0), 5);
	l = read_book(s->c, "ap");
	assert_int_equal(l.total, 0);
}

static void forgets_after_an_hour(void **state)
{
	struct scene *s = *state;
	struct cache_ledger l;

	for (int i = 0; i < 90; i++) {
		assert_int_equal(add(s->c, "api", 1, 1), 0);
		l = read_book(s->c, "api");
		assert_int_equal(in_hour(&l, 1), i < 60 ? i + 1 : 61);
		clock_advance(MINUTE);
	}
	assert_int_equal(l.total, 90);
	assert_int_equal(l.n_uses, CACHE_LEDGER_MINUTES);
	clock_advance(100 * MINUTE);
	assert_int_equal(read_book(s->c, "api").n_uses, 0);
	assert_int_equal(add(s->c, "api", 0, 1), 0);
	l = read_book(s->c, "api");
	assert_int_equal(l.n_uses, 1);
	assert_int_equal(l.total, 91);
}

static void a_clock_that_went_back(void **state)
{
	struct scene *s = *state;
	struct cache_ledger more = {.n_uses = 1}, l;

	more.uses[0] = (struct cache_ledger_use){this_minute(), {900, 0, 0}};
	more.notes[1] = (struct cache_ledger_note){clock_wall_ms(), {1}};
	assert_int_equal(cache_ledger_add(s->c, "api", &more, true, &l), 0);
	clock_fake(1000, START_MS - 300 * MINUTE);
	l = read_book(s->c, "api");
	assert_int_equal(l.n_uses, 0);
	assert_int_equal(l.notes[1].noted_ms, 0);
	/* What is put now goes over what is from the future. */
	more.uses[0] = (struct cache_ledger_use){this_minute(), {1, 0, 0}};
	more.notes[1] = (struct cache_ledger_note){clock_wall_ms(), {2}};
	assert_int_equal(cache_ledger_add(s->c, "api", &more, true, &l), 0);
	assert_int_equal(in_hour(&l, 0), 1);
	assert_int_equal(l.notes[1].numbers[0], 2);
	clock_fake(1000, START_MS);
	l = read_book(s->c, "api");
	assert_int_equal(l.n_uses, 0);
	assert_int_equal(l.notes[1].numbers[0], 2);
}

static void the_newer_note_stays(void **state)
{
	struct scene *s = *state;
	struct cache_ledger newer = {0}, older = {0}, l;

	newer.notes[0] = (struct cache_ledger_note){
		START_MS, {1, INT64_MIN, INT64_MAX, 0, -5}};
	older.notes[0] = (struct cache_ledger_note){START_MS - 1, {9}};
	older.notes[1] = (struct cache_ledger_note){START_MS - 1, {8}};
	assert_int_equal(cache_ledger_add(s->c, "api", &newer, true, &l), 0);
	assert_int_equal(cache_ledger_add(s->c, "api", &older, true, &l), 0);
	assert_int_equal(l.notes[0].noted_ms, START_MS);
	assert_memory_equal(l.notes[0].numbers, newer.notes[0].numbers,
			    sizeof(l.notes[0].numbers));
	assert_int_equal(l.notes[1].numbers[0], 8);
	assert_int_equal(l.total, 0);
	assert_int_equal(l.n_uses, 0);
}

#define N_THREADS 6
#define N_ROUNDS 100

struct crowd {
	struct cache *caches[2]; /* as two processes would */
	atomic_uint next;
};

static void add_much(void *arg)
{
	struct crowd *crowd = arg;
	unsigned me = atomic_fetch_add(&crowd->next, 1);

	for (unsigned i = 0; i < N_ROUNDS; i++)
		check(add(crowd->caches[me % 2], "api", me % 3, 1) == 0);
}

static void nothing_is_lost(void **state)
{
	struct scene *s = *state;
	struct crowd crowd = {.caches = {s->c}};
	struct thread *threads[N_THREADS];
	struct cache_ledger l;

	assert_int_equal(cache_open(s->dir, &crowd.caches[1]), 0);
	for (size_t i = 0; i < N_THREADS; i++)
		assert_int_equal(
			thread_start("ledger", add_much, &crowd, &threads[i]),
			0);
	for (size_t i = 0; i < N_THREADS; i++)
		thread_join(threads[i]);
	cache_close(crowd.caches[1]);
	l = read_book(s->c, "api");
	assert_int_equal(l.total, N_THREADS * N_ROUNDS);
	for (unsigned who = 0; who < 3; who++)
		assert_int_equal(in_hour(&l, who), 2 * N_ROUNDS);
}

static void does_not_wait_for_a_writer(void **state)
{
	struct scene *s = *state;
	struct cache_ledger more = {.n_uses = 1}, l = {.total = -7};
	struct write_lock lock;
	int64_t began, took;
	int r;

	assert_int_equal(add(s->c, "api", 0, 1), 0);
	write_lock_hold(s->dir, &lock);
	clock_real();
	more.uses[0] = (struct cache_ledger_use){this_minute(), {1, 0, 0}};
	began = clock_mono_ms();
	r = cache_ledger_add(s->c, "api", &more, false, &l);
	took = clock_mono_ms() - began;
	write_lock_drop(&lock);
	assert_int_equal(r, -EBUSY);
	assert_true(took < 1000);
	assert_int_equal(l.total, -7);
	assert_int_equal(cache_ledger_add(s->c, "api", &more, false, &l), 0);
	assert_int_equal(l.total, 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(adds_and_remembers),     TEST(forgets_after_an_hour),
		TEST(a_clock_that_went_back), TEST(the_newer_note_stays),
		TEST(nothing_is_lost),        TEST(does_not_wait_for_a_writer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
