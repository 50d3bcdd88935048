/*
 * base/lru: what is used stays, what is not goes, and nobody loses a value that
 * they hold.
 */
#include "base/lru.h"

#include "base/clock.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static size_t n_bytes(struct lru *lru)
{
	size_t n;

	mutex_lock(&lru->lock);
	n = lru->n_bytes;
	mutex_unlock(&lru->lock);
	return n;
}

static void *ref(void *value)
{
	return blob_ref(value);
}

static void unref(void *value)
{
	blob_unref(value);
}

static const struct lru_values blobs = {.ref = ref, .unref = unref};

static void put(struct lru *lru, const char *key, const char *text, size_t size)
{
	struct blob *blob = blob_new(text, strlen(text));

	lru_put(lru, key, strlen(key), blob, size);
	blob_unref(blob);
}

static void has(struct lru *lru, const char *key, const char *text)
{
	struct blob *blob = lru_get(lru, key, strlen(key));

	if (text)
		assert_string_equal(blob_data(blob), text);
	else
		assert_null(blob);
	blob_unref(blob);
}

static void test_least_used_goes(void **state)
{
	struct lru lru;

	(void)state;
	lru_init(&lru, 3, &blobs);
	put(&lru, "a", "A", 1);
	put(&lru, "b", "B", 1);
	put(&lru, "c", "C", 1);
	has(&lru, "a", "A");
	put(&lru, "d", "D", 1);
	has(&lru, "b", NULL);
	has(&lru, "a", "A");
	has(&lru, "c", "C");
	has(&lru, "d", "D");
	lru_done(&lru);
}

/* The old value counts no more, and who has it keeps it. */
static void test_replaced(void **state)
{
	struct lru lru;
	struct blob *old;

	(void)state;
	lru_init(&lru, 4, &blobs);
	put(&lru, "a", "old", 3);
	put(&lru, "b", "B", 1);
	old = lru_get(&lru, "a", 1);
	put(&lru, "a", "new", 3);
	has(&lru, "a", "new");
	has(&lru, "b", "B");
	assert_int_equal(n_bytes(&lru), 4);
	lru_done(&lru);
	assert_string_equal(blob_data(old), "old");
	blob_unref(old);
}

static void test_newest_stays_however_large(void **state)
{
	struct lru lru;

	(void)state;
	lru_init(&lru, 4, &blobs);
	put(&lru, "a", "A", 1);
	put(&lru, "b", "B", 100);
	has(&lru, "a", NULL);
	has(&lru, "b", "B");
	put(&lru, "c", "C", 1);
	has(&lru, "b", NULL);
	has(&lru, "c", "C");
	lru_done(&lru);
}

static void test_forget_by_prefix(void **state)
{
	struct lru lru;

	(void)state;
	lru_init(&lru, 100, &blobs);
	put(&lru, "1/a", "A", 1);
	put(&lru, "2/a", "B", 1);
	put(&lru, "1/b", "C", 1);
	put(&lru, "1", "D", 1);
	lru_forget(&lru, "1/", 2);
	has(&lru, "1/a", NULL);
	has(&lru, "1/b", NULL);
	has(&lru, "2/a", "B");
	has(&lru, "1", "D");
	lru_forget(&lru, "", 0);
	has(&lru, "2/a", NULL);
	assert_int_equal(n_bytes(&lru), 0);
	lru_done(&lru);
}

static void test_unused_expire(void **state)
{
	struct lru lru;

	(void)state;
	lru_init(&lru, 100, &blobs);
	put(&lru, "a", "A", 1);
	lru_expire(&lru, 3600 * 1000);
	has(&lru, "a", "A");
	lru_expire(&lru, 0);
	has(&lru, "a", NULL);
	lru_done(&lru);
}

static struct lru shared;

static void use(void *arg)
{
	unsigned from = *(const unsigned *)arg;

	for (unsigned i = 0; i < 2000; i++) {
		char key[16];
		struct blob *blob;
		int n = snprintf(key, sizeof(key), "%u", (from + i) % 20);

		blob = lru_get(&shared, key, (size_t)n);
		if (blob)
			check(strcmp(blob_data(blob), key) == 0);
		else
			put(&shared, key, key, 1);
		blob_unref(blob);
		if (i % 100 == 0)
			lru_forget(&shared, "1", 1);
	}
}

static void test_many_threads(void **state)
{
	unsigned from[4] = {0, 5, 10, 15};
	struct thread *threads[4];

	(void)state;
	lru_init(&shared, 10, &blobs);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(
			thread_start("user", use, &from[i], &threads[i]), 0);
	for (size_t i = 0; i < 4; i++)
		thread_join(threads[i]);
	assert_true(n_bytes(&shared) <= 10);
	lru_done(&shared);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_least_used_goes),
		cmocka_unit_test(test_replaced),
		cmocka_unit_test(test_newest_stays_however_large),
		cmocka_unit_test(test_forget_by_prefix),
		cmocka_unit_test(test_unused_expire),
		cmocka_unit_test(test_many_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
