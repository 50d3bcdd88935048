/*
 * store/cache: documents, facts, the bound, several users at once.
 */
#include "store/cache.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/sync.h"

#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define DAY_MS (INT64_C(24) * 3600 * 1000)
#define START_MS INT64_C(1700000000000)

struct scene {
	char dir[64];
	struct cache *c;
};

static int set_up(void **state)
{
	struct scene *s = mem_calloc(1, sizeof(*s));

	snprintf(s->dir, sizeof(s->dir), "/tmp/test-cache-XXXXXX");
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

static void reopen(struct scene *s)
{
	s->c = cache_close(s->c);
	assert_int_equal(cache_open(s->dir, &s->c), 0);
}

static uint64_t put(struct cache *c, const char *key, const char *body,
		    int64_t ttl_ms)
{
	struct cache_put p = {
		.key = key,
		.body = body,
		.n_body = strlen(body),
		.ttl_ms = ttl_ms,
	};
	uint64_t version = 0;

	assert_int_equal(cache_put(c, &p, 1, &version), 0);
	assert_true(version > 0);
	return version;
}

static void put_negative(struct cache *c, const char *key, int negative,
			 int64_t ttl_ms)
{
	struct cache_put p = {
		.key = key,
		.negative = negative,
		.note = "It is not there.",
		.ttl_ms = ttl_ms,
	};
	uint64_t version = 99;

	assert_int_equal(cache_put(c, &p, 1, &version), 0);
	assert_int_equal(version, 0);
}

static enum cache_verdict verdict(struct cache *c, const char *key)
{
	struct cache_entry *e = NULL;
	int r = cache_get(c, key, &e);

	assert_int_equal(r == CACHE_MISS, e == NULL);
	if (e) {
		assert_int_equal(r == CACHE_FRESH, e->left_ms >= 0);
		assert_int_equal(e->body != NULL, e->negative == 0);
	}
	cache_entry_free(e);
	return (enum cache_verdict)r;
}

static struct cache_entry *get(struct cache *c, const char *key)
{
	struct cache_entry *e = NULL;

	assert_int_not_equal(cache_get(c, key, &e), CACHE_MISS);
	return e;
}

static void expect_body(struct cache *c, const char *key, const char *body)
{
	cleanup(cache_entry_free) struct cache_entry *e = get(c, key);

	assert_non_null(e->body);
	assert_int_equal(blob_len(e->body), strlen(body));
	assert_string_equal(blob_data(e->body), body);
}

static void expect_version(struct cache *c, uint64_t version, const char *body)
{
	cleanup(blob_unref) struct blob *b = NULL;
	int r = cache_get_version(c, version, &b);

	if (!body) {
		assert_int_equal(r, -ESTALE);
		return;
	}
	assert_int_equal(r, 0);
	assert_string_equal(blob_data(b), body);
}

static void test_miss_fresh_stale(void **state)
{
	struct scene *s = *state;
	cleanup(cache_entry_free) struct cache_entry *e = NULL;

	assert_int_equal(verdict(s->c, "key"), CACHE_MISS);
	put(s->c, "key", "body", 60000);
	assert_int_equal(verdict(s->c, "key"), CACHE_FRESH);
	assert_int_equal(verdict(s->c, "ke"), CACHE_MISS);
	clock_advance(60000);
	assert_int_equal(verdict(s->c, "key"), CACHE_FRESH);
	clock_advance(1);
	assert_int_equal(verdict(s->c, "key"), CACHE_STALE);
	clock_advance(999);
	e = get(s->c, "key");
	assert_int_equal(e->left_ms, -1000);
	assert_int_equal(e->ttl_ms, 60000);
	assert_int_equal(e->fetched_ms, START_MS);
	assert_string_equal(e->etag, "");
	assert_string_equal(e->note, "");
	reopen(s);
	assert_int_equal(verdict(s->c, "key"), CACHE_STALE);
	expect_body(s->c, "key", "body");
}

static void test_lifetimes_at_the_ends(void **state)
{
	struct scene *s = *state;
	cleanup(cache_entry_free) struct cache_entry *e = NULL;

	put(s->c, "none", "body", 0);
	put(s->c, "negative", "body", -5);
	put(s->c, "for ever", "body", INT64_MAX);
	clock_advance(1);
	assert_int_equal(verdict(s->c, "none"), CACHE_STALE);
	assert_int_equal(verdict(s->c, "negative"), CACHE_STALE);
	clock_advance(100 * 365 * DAY_MS);
	assert_int_equal(verdict(s->c, "for ever"), CACHE_FRESH);
	cache_expire(s->c, "for ever");
	e = get(s->c, "for ever");
	assert_true(e->left_ms < -e->ttl_ms);
}

static void test_clock_that_went_back(void **state)
{
	struct scene *s = *state;

	clock_advance(5000);
	put(s->c, "key", "body", 60000);
	clock_advance(-1);
	assert_int_equal(verdict(s->c, "key"), CACHE_STALE);
	clock_advance(-100 * 365 * DAY_MS);
	assert_int_equal(verdict(s->c, "key"), CACHE_STALE);
	clock_advance(100 * 365 * DAY_MS + 1);
	assert_int_equal(verdict(s->c, "key"), CACHE_FRESH);
}

static void test_etag_note_and_odd_bodies(void **state)
{
	struct scene *s = *state;
	cleanup(free) char *long_etag = mem_alloc(5001);
	char body[] = "a\0b\0";
	struct cache_put puts[] = {
		{.key = "etag", .body = "x", .n_body = 1, .etag = "W/\"1\""},
		{.key = "zeros", .body = body, .n_body = sizeof(body)},
		{.key = "empty", .body = "", .n_body = 0},
		{.key = "", .body = "k", .n_body = 1},
		{.key = "long", .body = "x", .n_body = 1, .etag = long_etag},
		{.key = "no", .negative = EACCES, .note = long_etag},
	};
	struct cache_entry *e;

	memset(long_etag, 'e', 5000);
	long_etag[5000] = '\0';
	assert_int_equal(cache_put(s->c, puts, ARRAY_SIZE(puts), NULL), 0);
	e = get(s->c, "etag");
	assert_string_equal(e->etag, "W/\"1\"");
	cache_entry_free(e);
	e = get(s->c, "zeros");
	assert_int_equal(blob_len(e->body), sizeof(body));
	assert_memory_equal(blob_data(e->body), body, sizeof(body));
	cache_entry_free(e);
	expect_body(s->c, "empty", "");
	expect_body(s->c, "", "k");
	e = get(s->c, "long"); /* half an etag would be a wrong one */
	assert_string_equal(e->etag, "");
	cache_entry_free(e);
	e = get(s->c, "no");
	assert_int_equal(strlen(e->note), 1024);
	cache_entry_free(e);
}

static void test_versions(void **state)
{
	struct scene *s = *state;
	uint64_t first = put(s->c, "key", "one", 1000), second, other;

	/* Same bytes, also with another lifetime: the same version. */
	assert_int_equal(put(s->c, "key", "one", 5), first);
	second = put(s->c, "key", "two", 1000);
	assert_true(second > first);
	other = put(s->c, "other", "two", 1000);
	assert_true(other > second);
	expect_version(s->c, first, "one");
	expect_version(s->c, second, "two");
	expect_version(s->c, other + 1, NULL);
	expect_version(s->c, 0, NULL);
	expect_version(s->c, UINT64_MAX, NULL);
	reopen(s);
	expect_version(s->c, first, "one");
	clock_advance(DAY_MS + 1);
	reopen(s);
	expect_version(s->c, first, NULL);
	expect_version(s->c, second, "two");
	/* A version never comes again, even when the last one is gone. */
	assert_int_equal(cache_remove(s->c, "key"), 0);
	assert_int_equal(cache_remove(s->c, "other"), 0);
	expect_version(s->c, other, "two");
	clock_advance(DAY_MS + 1);
	reopen(s);
	expect_version(s->c, other, NULL);
	assert_true(put(s->c, "key", "one", 1) > other);
}

/* What was shown under a key is what the next version is younger than. */
static void test_times(void **state)
{
	const int64_t hour = 3600 * 1000, was = START_MS - 10 * hour;
	struct scene *s = *state;
	uint64_t one, two, three, other;

	one = put(s->c, "key", "one", 1000);
	assert_int_equal(cache_mtime_ms(s->c, one, was, 0), was);
	/* Told once, for ever. */
	assert_int_equal(cache_mtime_ms(s->c, one, was + hour, 0), was);
	/* Its own time, where that is later; else a second after. */
	two = put(s->c, "key", "two", 1000);
	assert_int_equal(cache_mtime_ms(s->c, two, was + hour, 0), was + hour);
	reopen(s);
	one = put(s->c, "key", "one", 1000);
	assert_true(one > two);
	assert_int_equal(cache_mtime_ms(s->c, one, was, 0), was + hour + 1000);
	/* The same bytes once more are no change. */
	assert_int_equal(put(s->c, "key", "one", 1000), one);
	assert_int_equal(cache_mtime_ms(s->c, one, 0, 0), was + hour + 1000);
	/* One that nobody looked at hands on what it has to be after. */
	two = put(s->c, "key", "two", 1000);
	three = put(s->c, "key", "three", 1000);
	assert_true(three > two);
	assert_int_equal(cache_mtime_ms(s->c, three, was, 0),
			 was + hour + 2000);
	/* What lies in the future is of now. */
	other = put(s->c, "other", "x", 1000);
	assert_int_equal(cache_mtime_ms(s->c, other, START_MS + hour, 0),
			 clock_wall_ms());
	/* What is made of the same bytes in another way is younger, and so is
	 * what comes after them. */
	assert_int_equal(cache_mtime_ms(s->c, three, was, was + 2 * hour),
			 was + 2 * hour);
	assert_int_equal(cache_mtime_ms(s->c, three, was, 0), was + 2 * hour);
	assert_int_equal(cache_mtime_ms(s->c, three, was, was + hour),
			 was + 2 * hour);
	two = put(s->c, "key", "two", 1000);
	assert_int_equal(cache_mtime_ms(s->c, two, was, 0),
			 was + 2 * hour + 1000);
	/* Bytes that are in no cache have the time that they say. */
	assert_int_equal(cache_mtime_ms(s->c, 0, was, 0), was);
	assert_int_equal(cache_mtime_ms(s->c, 1 << 20, was, 0), was);
}

static int put_instead(struct cache *c, const char *body, uint64_t of,
		       uint64_t *ret_version)
{
	uint64_t versions[2];
	const struct cache_put puts[] = {
		{.key = "beside", .body = body, .n_body = strlen(body)},
		{
			.key = "key",
			.body = body,
			.n_body = strlen(body),
			.etag = "made",
			.instead_of = of,
		},
	};
	int r = cache_put(c, puts, ARRAY_SIZE(puts), versions);

	if (r == 0)
		*ret_version = versions[1];
	return r;
}

/* The same answer in other bytes is as old as it was. */
static void test_put_instead(void **state)
{
	struct scene *s = *state;
	uint64_t one = put(s->c, "key", "one", 60000), two = 0, same = 0;
	struct cache_entry *e;

	clock_advance(20000);
	assert_int_equal(put_instead(s->c, "two", one, &two), 0);
	assert_true(two > one);
	e = get(s->c, "key");
	assert_string_equal(blob_data(e->body), "two");
	assert_string_equal(e->etag, "made");
	assert_int_equal(e->fetched_ms, START_MS);
	assert_int_equal(e->left_ms, 40000);
	cache_entry_free(e);
	expect_version(s->c, one, "one");
	/* Whoever made it of what is no longer the newest changes nothing. */
	assert_int_equal(put_instead(s->c, "old", one, &same), -ESTALE);
	expect_body(s->c, "key", "two");
	expect_body(s->c, "beside", "two");
	/* The same bytes are the same version; what is expired stays so. */
	cache_expire(s->c, "key");
	assert_int_equal(put_instead(s->c, "two", two, &same), 0);
	assert_int_equal(same, two);
	assert_int_equal(verdict(s->c, "key"), CACHE_STALE);
	assert_int_equal(cache_remove(s->c, "key"), 0);
	assert_int_equal(put_instead(s->c, "two", two, &same), -ESTALE);
	assert_int_equal(verdict(s->c, "key"), CACHE_MISS);
}

static void test_hourly_sweep(void **state)
{
	struct scene *s = *state;
	uint64_t first = put(s->c, "key", "one", 1000);

	put(s->c, "key", "two", 1000);
	clock_advance(DAY_MS - 1);
	put(s->c, "other", "x", 1000); /* an hour went by: sweeps */
	expect_version(s->c, first, "one");
	clock_advance(3600 * 1000);
	put(s->c, "other", "y", 1000);
	expect_version(s->c, first, NULL);
	expect_body(s->c, "key", "two");
}

/* In the transaction that puts something in its place, bytes and all. */
static void test_drop(void **state)
{
	struct scene *s = *state;
	uint64_t a = put(s->c, "~list#a", "page a", 1000);
	struct cache_entry *e = NULL;
	struct cache_put puts[] = {
		{.key = "list", .body = "items", .n_body = 5, .ttl_ms = 1000},
		{.key = "~list#", .drop = true},
	};

	put(s->c, "~list#b", "page b", 1000);
	put(s->c, "~list$", "another", 1000);
	put(s->c, "~lis", "another", 1000);
	assert_int_equal(cache_put(s->c, puts, 2, NULL), 0);
	expect_body(s->c, "list", "items");
	expect_body(s->c, "~list$", "another");
	expect_body(s->c, "~lis", "another");
	assert_int_equal(cache_get(s->c, "~list#a", &e), CACHE_MISS);
	assert_int_equal(cache_get(s->c, "~list#b", &e), CACHE_MISS);
	/* Not kept for a day, as what was shown is. */
	expect_version(s->c, a, NULL);
}

/* What passes goes by itself when its lifetime is over. */
static void test_passing(void **state)
{
	struct scene *s = *state;
	uint64_t old = put(s->c, "~list#a", "page a", 3600 * 1000);
	struct cache_entry *e = NULL;

	put(s->c, "list", "items", 1000);
	clock_advance(1800 * 1000);
	put(s->c, "~list#b", "page b", 3600 * 1000);
	clock_advance(1800 * 1000 + 1);
	put(s->c, "other", "x", 1000); /* an hour went by: sweeps */
	assert_int_equal(cache_get(s->c, "~list#a", &e), CACHE_MISS);
	expect_version(s->c, old, NULL);
	expect_body(s->c, "~list#b", "page b");
	expect_body(s->c, "list", "items");
}

static void test_negative(void **state)
{
	struct scene *s = *state;
	uint64_t version = put(s->c, "key", "body", 60000);
	struct cache_entry *e;

	put_negative(s->c, "key", ENOENT, 1000);
	assert_int_equal(verdict(s->c, "key"), CACHE_FRESH);
	e = get(s->c, "key");
	assert_int_equal(e->negative, ENOENT);
	assert_null(e->body);
	assert_int_equal(e->version, 0);
	assert_string_equal(e->note, "It is not there.");
	cache_entry_free(e);
	/* Whoever reads the old bytes finishes. */
	expect_version(s->c, version, "body");
	clock_advance(1001);
	assert_int_equal(verdict(s->c, "key"), CACHE_STALE);
	assert_true(put(s->c, "key", "body", 1000) > version);
	expect_body(s->c, "key", "body");
	/* They may be of another credential. */
	put_negative(s->c, "refused", EACCES, 1000);
	assert_int_equal(cache_expire_negative(s->c), 0);
	assert_int_equal(verdict(s->c, "refused"), CACHE_STALE);
	assert_int_equal(verdict(s->c, "key"), CACHE_FRESH);
	/* Negative answers are swept a week after their end. */
	put_negative(s->c, "gone", EACCES, 1000);
	clock_advance(6 * DAY_MS);
	reopen(s);
	assert_int_equal(verdict(s->c, "gone"), CACHE_STALE);
	clock_advance(2 * DAY_MS);
	reopen(s);
	assert_int_equal(verdict(s->c, "gone"), CACHE_MISS);
	expect_body(s->c, "key", "body");
}

static void test_touch_expire_remove(void **state)
{
	struct scene *s = *state;
	uint64_t version = put(s->c, "key", "body", 1000);
	struct cache_entry *e;

	clock_advance(5000);
	assert_int_equal(verdict(s->c, "key"), CACHE_STALE);
	assert_int_equal(cache_touch(s->c, "key", 2000), 0);
	e = get(s->c, "key");
	assert_int_equal(e->left_ms, 2000);
	assert_int_equal(e->version, version);
	cache_entry_free(e);
	assert_int_equal(cache_touch(s->c, "other", 2000), -ENOENT);
	assert_int_equal(cache_expire(s->c, "key"), 0);
	e = get(s->c, "key");
	assert_true(e->left_ms < -e->ttl_ms);
	assert_int_equal(e->fetched_ms, START_MS + 5000);
	cache_entry_free(e);
	assert_int_equal(cache_touch(s->c, "key", 2000), 0);
	assert_int_equal(verdict(s->c, "key"), CACHE_FRESH);
	cache_expire(s->c, "key");
	put(s->c, "key", "body", 2000);
	assert_int_equal(verdict(s->c, "key"), CACHE_FRESH);
	assert_int_equal(cache_expire(s->c, "other"), 0);
	assert_int_equal(cache_remove(s->c, "other"), 0);
	assert_int_equal(cache_remove(s->c, "key"), 0);
	assert_int_equal(verdict(s->c, "key"), CACHE_MISS);
	expect_version(s->c, version, "body");
}

static void expect_stale(struct cache *c, const char *const *keys,
			 unsigned bits)
{
	for (size_t i = 0; keys[i]; i++) {
		bool stale = verdict(c, keys[i]) == CACHE_STALE;

		if (stale != ((bits >> i) & 1))
			fail_msg("%s", keys[i]);
		put(c, keys[i], "body", 1000);
	}
}

static void test_expire_one(void **state)
{
	struct scene *s = *state;
	static const char *const keys[] = {
		"repo/a",  "repo/a/x", "repo/ab", "repo",
		"repo/a/", "repo/A",   "repo/%",  NULL,
	};

	for (size_t i = 0; keys[i]; i++)
		put(s->c, keys[i], "body", 1000);
	assert_int_equal(cache_expire(s->c, "repo/a"), 0);
	expect_stale(s->c, keys, 1 << 0);
	assert_int_equal(cache_expire(s->c, "repo/%"), 0);
	expect_stale(s->c, keys, 1 << 6);
	assert_int_equal(cache_expire(s->c, "nothing"), 0);
	expect_stale(s->c, keys, 0);
}

static void test_put_many(void **state)
{
	struct scene *s = *state;
	struct cache_put puts[] = {
		{.key = "a", .body = "1", .n_body = 1, .ttl_ms = 1000},
		{.key = "b", .negative = ENOENT, .ttl_ms = 1000},
		{.key = "c", .body = "3", .n_body = 1, .ttl_ms = 1000},
		{.key = "a", .body = "4", .n_body = 1, .ttl_ms = 1000},
	};
	uint64_t versions[4];

	assert_int_equal(cache_put(s->c, puts, 4, versions), 0);
	assert_int_equal(versions[1], 0);
	assert_true(versions[3] > versions[0]);
	expect_body(s->c, "a", "4");
	expect_body(s->c, "c", "3");
	assert_int_equal(cache_put(s->c, NULL, 0, NULL), 0);
	/* One that is too large spoils all. */
	puts[0].body = "5";
	puts[2].n_body = CACHE_MAX_BODY + 1;
	assert_int_equal(cache_put(s->c, puts, 4, versions), -EFBIG);
	expect_body(s->c, "a", "4");
}

static void test_size_bound(void **state)
{
	struct scene *s = *state;
	cleanup(free) char *body = mem_calloc(1, 100001);
	struct cache_stats stats;
	uint64_t superseded;
	char key[16];

	memset(body, 'x', 100000);
	cache_set_max_bytes(s->c, 1000000);
	put(s->c, "9", "small", 1000);
	superseded = put(s->c, "8", "old", 1000);
	put(s->c, "8", "new", 1000);
	put_negative(s->c, "7", ENOENT, 1000);
	for (int i = 0; i < 30; i++) {
		clock_advance(10);
		snprintf(key, sizeof(key), "key %d", i);
		put(s->c, key, body, 1000);
		if (i == 5)
			expect_version(s->c, superseded, "old");
	}
	assert_int_equal(cache_stats(s->c, &stats), 0);
	/* 9 or 10 of the large ones, and the negative one. */
	assert_in_range(stats.n_documents, 9, 12);
	assert_int_equal(verdict(s->c, "key 0"), CACHE_MISS);
	assert_int_equal(verdict(s->c, "9"), CACHE_MISS);
	assert_int_equal(verdict(s->c, "key 21"), CACHE_FRESH);
	assert_int_equal(verdict(s->c, "key 29"), CACHE_FRESH);
	expect_version(s->c, superseded, NULL);
	/* Freed pages are used again. */
	assert_true(stats.n_bytes < 8000000);
}

static void test_stats(void **state)
{
	struct scene *s = *state;
	struct cache_stats stats;

	assert_int_equal(cache_stats(s->c, &stats), 0);
	assert_int_equal(stats.n_documents, 0);
	assert_true(stats.n_bytes > 0);
	put(s->c, "a", "body", 1);
	put_negative(s->c, "b", ENOENT, 1);
	assert_int_equal(cache_stats(s->c, &stats), 0);
	assert_int_equal(stats.n_documents, 2);
}

/* ---- facts ---- */

static void expect_fact(struct cache *c, const char *space, const char *key,
			const char *value)
{
	cleanup(blob_unref) struct blob *b = NULL;
	int r = cache_fact_get(c, space, key, strlen(key), &b);

	assert_int_equal(r, value ? 0 : -ENOENT);
	if (value)
		assert_string_equal(blob_data(b), value);
}

static int put_fact(struct cache *c, const char *space, const char *key,
		    const char *value)
{
	return cache_fact_put(c, space, key, strlen(key), value, strlen(value));
}

static void test_facts(void **state)
{
	struct scene *s = *state;
	struct cache_fact many[] = {
		{.key = "a", .n_key = 1, .value = "new", .n_value = 3},
		{.key = "b", .n_key = 1, .value = "x", .n_value = 1},
		{.key = "b",
		 .n_key = 1,
		 .value = "y",
		 .n_value = 1,
		 .keep = true},
		{.key = "c",
		 .n_key = 1,
		 .value = "z",
		 .n_value = 1,
		 .keep = true},
		{.key = "", .n_key = 0, .value = NULL, .n_value = 0},
	};

	expect_fact(s->c, "space", "a", NULL);
	assert_int_equal(put_fact(s->c, "space", "a", "1"), 0);
	assert_int_equal(put_fact(s->c, "spac", "a", "2"), 0);
	expect_fact(s->c, "space", "a", "1");
	assert_int_equal(
		cache_fact_put_many(s->c, "space", many, ARRAY_SIZE(many)), 0);
	expect_fact(s->c, "space", "a", "new");
	expect_fact(s->c, "space", "b", "x");
	expect_fact(s->c, "space", "c", "z");
	expect_fact(s->c, "space", "", "");
	assert_int_equal(cache_fact_replace(s->c, "space", many, 1), 0);
	expect_fact(s->c, "space", "a", "new");
	expect_fact(s->c, "space", "b", NULL);
	/* No value is that large: nothing of the others may be lost. */
	many[1].n_value = (size_t)3 << 30;
	assert_int_equal(cache_fact_replace(s->c, "space", many, 2), -EIO);
	expect_fact(s->c, "space", "a", "new");
	assert_int_equal(cache_fact_replace(s->c, "space", NULL, 0), 0);
	expect_fact(s->c, "space", "a", NULL);
	expect_fact(s->c, "spac", "a", "2");
	reopen(s);
	expect_fact(s->c, "spac", "a", "2");
}

struct walk {
	struct cache *c;
	unsigned n;
	unsigned char last[8];
	size_t n_last;
	unsigned stop_at;
};

static int each_fact(void *arg, const struct cache_fact *f)
{
	struct walk *w = arg;
	size_t n = f->n_key < w->n_last ? f->n_key : w->n_last;
	int order = memcmp(w->last, f->key, n);

	if (w->n)
		assert_true(order < 0 || (order == 0 && w->n_last < f->n_key));
	assert_int_equal(f->n_key, f->n_value);
	assert_memory_equal(f->key, f->value, f->n_key);
	memcpy(w->last, f->key, f->n_key);
	w->n_last = f->n_key;
	/* The cache may be used from here. */
	if (w->n % 100 == 0)
		assert_int_equal(put_fact(w->c, "elsewhere", "k", "v"), 0);
	return ++w->n == w->stop_at ? -ECANCELED : 0;
}

static void test_each_fact(void **state)
{
	struct scene *s = *state;
	struct walk w = {.c = s->c};
	struct cache_fact facts[1000];
	unsigned char keys[1000][8];
	unsigned n = 0;

	assert_int_equal(cache_fact_each(s->c, "space", each_fact, &w), 0);
	assert_int_equal(w.n, 0);
	/* Keys that end in zeros or are the beginning of others. */
	for (unsigned i = 0; i < 1000; i++) {
		unsigned v = i * 7919 % 1000;

		memset(keys[i], 0, 8);
		keys[i][0] = (unsigned char)(v / 8);
		facts[n] = (struct cache_fact){
			.key = keys[i],
			.n_key = v % 8,
			.value = keys[i],
			.n_value = v % 8,
		};
		n += v % 8 > 0;
	}
	assert_int_equal(cache_fact_put_many(s->c, "space", facts, n), 0);
	assert_int_equal(cache_fact_each(s->c, "space", each_fact, &w), 0);
	assert_int_equal(w.n, n);
	w = (struct walk){.c = s->c, .stop_at = 300};
	assert_int_equal(cache_fact_each(s->c, "space", each_fact, &w),
			 -ECANCELED);
	assert_int_equal(w.n, 300);
}

/* ---- several at once ---- */

#define N_THREADS 8
#define N_ROUNDS 150

struct crowd {
	struct cache *caches[2]; /* as two processes would */
	atomic_uint next;
};

static void write_and_read(void *arg)
{
	struct crowd *crowd = arg;
	unsigned me = atomic_fetch_add(&crowd->next, 1);
	struct cache *c = crowd->caches[me % 2];
	char body[64];

	for (unsigned i = 0; i < N_ROUNDS; i++) {
		struct cache_put puts[] = {
			{.key = "x", .ttl_ms = 1000, .body = body},
			{.key = "y", .ttl_ms = 1000, .body = body},
		};
		struct cache_entry *e = NULL;
		struct blob *b = NULL;
		uint64_t versions[2];

		puts[0].n_body = puts[1].n_body =
			(size_t)snprintf(body, sizeof(body), "%u of %u", i, me);
		if (me < 3) {
			check(cache_put(c, puts, 2, versions) == 0);
			check(cache_get_version(c, versions[0], &b) == 0);
			check(strcmp(blob_data(b), body) == 0);
			blob_unref(b);
			check(cache_fact_put(c, "s", &me, sizeof(me), &i,
					     sizeof(i)) == 0);
		} else if (cache_get(c, i % 2 ? "x" : "y", &e) != CACHE_MISS) {
			check(strstr(blob_data(e->body), " of "));
			check(cache_get_version(c, e->version, &b) == 0);
			check(!strcmp(blob_data(b), blob_data(e->body)));
			blob_unref(b);
		}
		cache_entry_free(e);
	}
}

static void test_threads(void **state)
{
	struct scene *s = *state;
	struct crowd crowd = {.caches = {s->c}};
	struct thread *threads[N_THREADS];
	struct cache_stats stats;

	clock_real();
	assert_int_equal(cache_open(s->dir, &crowd.caches[1]), 0);
	for (size_t i = 0; i < N_THREADS; i++)
		assert_int_equal(thread_start("cache", write_and_read, &crowd,
					      &threads[i]),
				 0);
	for (size_t i = 0; i < N_THREADS; i++)
		thread_join(threads[i]);
	cache_close(crowd.caches[1]);
	assert_int_equal(cache_stats(s->c, &stats), 0);
	assert_int_equal(stats.n_documents, 2);
	assert_int_equal(access(s->dir, F_OK), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_miss_fresh_stale),
		TEST(test_lifetimes_at_the_ends),
		TEST(test_clock_that_went_back),
		TEST(test_etag_note_and_odd_bodies),
		TEST(test_versions),
		TEST(test_times),
		TEST(test_put_instead),
		TEST(test_hourly_sweep),
		TEST(test_drop),
		TEST(test_passing),
		TEST(test_negative),
		TEST(test_touch_expire_remove),
		TEST(test_expire_one),
		TEST(test_put_many),
		TEST(test_size_bound),
		TEST(test_stats),
		TEST(test_facts),
		TEST(test_each_fact),
		TEST(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
