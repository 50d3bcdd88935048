/*
 * content/read_through: what is served, what is waited for, what is asked once.
 */
#include "content/read_through.h"

#include "base/clock.h"
#include "base/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

#define TTL 60000
#define WALL INT64_C(1790000000000)

struct bed {
	char dir[64];
	struct cache *cache;
	struct read_through *source;
};

/* A document's far end: stores body, or fails. */
struct end {
	struct cache *cache;
	const char *key, *body;
	int result;           /* of a failure */
	const char *sentence; /* of it */
	int negative;         /* stored instead of body */
	bool silent;          /* stores nothing and says 0 */
	bool no_refreshes;    /* the background may not ask */
	int64_t takes_ms;     /* of the fake clock */
	int64_t left_ms;      /* ctx's, when it was called */
	bool had_old;
	atomic_uint n_calls;
	/* A gate: opened by the test, or by cancellation. */
	bool gated;
	struct mutex lock;
	struct cond changed;
	bool open;
};

static void end_open(void *arg)
{
	struct end *e = arg;

	mutex_lock(&e->lock);
	e->open = true;
	cond_broadcast(&e->changed);
	mutex_unlock(&e->lock);
}

static void end_pass(struct ctx *ctx, struct end *e)
{
	struct ctx_waker waker = {.wake = end_open, .arg = e};

	ctx_watch(ctx, &waker);
	mutex_lock(&e->lock);
	while (!e->open)
		cond_wait(&e->changed, &e->lock);
	mutex_unlock(&e->lock);
	ctx_unwatch(ctx, &waker);
}

static int fetch(struct ctx *ctx, void *arg, const struct cache_entry *old)
{
	struct end *e = arg;
	struct cache_put put = {.key = e->key, .ttl_ms = TTL};

	e->had_old = old != NULL;
	e->left_ms = ctx_left_ms(ctx);
	/* Last: who sees the call may change what it looked at. */
	atomic_fetch_add(&e->n_calls, 1);
	if (e->gated)
		end_pass(ctx, e);
	if (e->takes_ms) {
		clock_advance(e->takes_ms);
		if (ctx_check(ctx))
			return ctx_check(ctx);
	}
	if (e->no_refreshes && ctx->who == CTX_REFRESH) {
		ctx->refused = true;
		return ctx_fail(ctx, -EDQUOT, "Not now.");
	}
	if (e->result)
		return e->sentence ? ctx_fail(ctx, e->result, "%s", e->sentence)
				   : e->result;
	if (e->silent)
		return 0;
	if (e->negative) {
		put.negative = e->negative;
		put.note = "nothing there";
	} else {
		put.body = e->body;
		put.n_body = strlen(e->body);
	}
	return cache_put(e->cache, &put, 1, NULL);
}

static int set_up(void **state)
{
	struct bed *bed = mem_calloc(1, sizeof(*bed));

	clock_fake(1000000, WALL);
	snprintf(bed->dir, sizeof(bed->dir), "/tmp/test-source-XXXXXX");
	assert_non_null(mkdtemp(bed->dir));
	assert_int_equal(cache_open(bed->dir, &bed->cache), 0);
	bed->source = read_through_new(bed->cache);
	*state = bed;
	return 0;
}

static int tear_down(void **state)
{
	struct bed *bed = *state;

	read_through_free(bed->source);
	cache_close(bed->cache);
	file_remove_tree(bed->dir);
	free(bed);
	clock_real();
	return 0;
}

static void end_init(struct end *e, struct bed *bed, const char *key)
{
	*e = (struct end){.cache = bed->cache, .key = key, .body = "one"};
	mutex_init(&e->lock);
	cond_init(&e->changed);
}

static void end_done(struct end *e)
{
	mutex_done(&e->lock);
	cond_done(&e->changed);
}

/* The body, or NULL and the result. */
static const char *got(struct bed *bed, struct end *e,
		       enum read_through_mode mode, int *ret_r, bool *ret_stale,
		       char sentence[512])
{
	static _Thread_local char body[64];
	cleanup(ctx_done) struct ctx ctx;
	cleanup(cache_entry_free) struct cache_entry *entry = NULL;

	ctx_init(&ctx, NULL, -1);
	*ret_stale = false;
	*ret_r = read_through_get(&ctx, bed->source, e->key, mode, fetch, e,
				  &entry, ret_stale);
	/* The deadline is the caller's again. */
	assert_int_equal(ctx_left_ms(&ctx), INT64_MAX);
	snprintf(sentence, 512, "%s", ctx.sentence);
	if (*ret_r)
		return NULL;
	assert_non_null(entry);
	snprintf(body, sizeof(body), "%s",
		 entry->body ? blob_data(entry->body) : "(negative)");
	return body;
}

static void expect(struct bed *bed, struct end *e, enum read_through_mode mode,
		   const char *body, bool stale)
{
	char sentence[512];
	bool is_stale;
	int r;
	const char *is = got(bed, e, mode, &r, &is_stale, sentence);

	if (!is)
		fail_msg("%s: %s (%s)", e->key, strerror(-r), sentence);
	assert_string_equal(is, body);
	assert_int_equal(is_stale, stale);
}

static void expect_failure(struct bed *bed, struct end *e,
			   enum read_through_mode mode, int failure,
			   const char *says)
{
	char sentence[512];
	bool stale;
	int r;

	got(bed, e, mode, &r, &stale, sentence);
	assert_int_equal(r, failure);
	if (says && !strstr(sentence, says))
		fail_msg("'%s' is not in '%s'", says, sentence);
}

static void expect_calls(struct end *e, unsigned n)
{
	assert_int_equal(atomic_load(&e->n_calls), n);
}

static void miss_then_fresh(void **state)
{
	struct bed *bed = *state;
	struct end e;

	end_init(&e, bed, "repo/a");
	expect_failure(bed, &e, READ_CACHED, -ENOENT, NULL);
	expect_calls(&e, 0);
	expect(bed, &e, READ_THROUGH, "one", false);
	assert_false(e.had_old);
	assert_int_equal(e.left_ms, 60000);
	e.body = "two";
	clock_advance(TTL - 1);
	expect(bed, &e, READ_THROUGH, "one", false);
	expect(bed, &e, READ_CACHED, "one", false);
	expect_calls(&e, 1);
	end_done(&e);
}

static void stale_for_a_lifetime(void **state)
{
	struct bed *bed = *state;
	struct end e;

	end_init(&e, bed, "repo/a");
	expect(bed, &e, READ_THROUGH, "one", false);
	e.body = "two";
	clock_advance(TTL + 1);
	expect(bed, &e, READ_THROUGH, "one", true);
	clock_advance(TTL - 2);
	expect(bed, &e, READ_THROUGH, "one", true);
	expect_calls(&e, 1);
	/* What the background does then. */
	expect(bed, &e, READ_REFRESH, "two", false);
	assert_true(e.had_old);
	assert_int_equal(e.left_ms, 60000);
	expect(bed, &e, READ_THROUGH, "two", false);
	expect_calls(&e, 2);
	end_done(&e);
}

static void older_waits(void **state)
{
	struct bed *bed = *state;
	struct end e;

	end_init(&e, bed, "repo/a");
	expect(bed, &e, READ_THROUGH, "one", false);
	e.body = "two";
	clock_advance(2 * TTL + 1);
	expect(bed, &e, READ_CACHED, "one", true);
	expect_calls(&e, 1);
	expect(bed, &e, READ_THROUGH, "two", false);
	assert_int_equal(e.left_ms, 3000);
	end_done(&e);
}

static void impatience(void **state)
{
	struct bed *bed = *state;
	struct read_through_health health;
	struct end e, f;

	end_init(&e, bed, "repo/a");
	end_init(&f, bed, "repo/b");
	expect(bed, &e, READ_THROUGH, "one", false);
	expect(bed, &f, READ_THROUGH, "one", false);
	clock_advance(3 * TTL);
	e.takes_ms = 3001;
	e.body = "two";
	expect(bed, &e, READ_THROUGH, "one", true);
	expect_calls(&e, 2);
	read_through_health(bed->source, &health);
	/* Slow is not away. */
	assert_false(health.offline);
	assert_int_equal(health.last_errno, ETIMEDOUT);
	/* For a moment nobody else waits 3 s. */
	f.body = "two";
	expect(bed, &f, READ_THROUGH, "one", true);
	expect_calls(&f, 1);
	/* But the background has 60 s, and ends the disappointment. */
	expect(bed, &e, READ_REFRESH, "two", false);
	expect(bed, &f, READ_THROUGH, "two", false);
	end_done(&e);
	end_done(&f);
}

static void failure_with_old_bytes(void **state)
{
	static const int failures[] = {-ENETUNREACH, -EACCES, -ENOENT, -EIO,
				       -EDQUOT};
	struct bed *bed = *state;
	struct read_through_health health;
	struct end e;

	end_init(&e, bed, "repo/a");
	expect(bed, &e, READ_THROUGH, "one", false);
	for (size_t i = 0; i < ARRAY_SIZE(failures); i++) {
		clock_advance(3 * TTL);
		e.result = failures[i];
		e.sentence = "No luck today.";
		expect(bed, &e, READ_THROUGH, "one", true);
		expect_calls(&e, 2 + (unsigned)i);
		read_through_health(bed->source, &health);
		assert_int_equal(health.last_errno, -failures[i]);
		assert_string_equal(health.last_sentence, "No luck today.");
		assert_int_equal(health.offline, i == 0);
		assert_int_equal(health.last_failure_ms, clock_wall_ms());
		assert_int_equal(health.last_ok_ms, WALL);
	}
	/* A refresh on demand is told. */
	expect_failure(bed, &e, READ_REFRESH, -EDQUOT, "No luck");
	expect(bed, &e, READ_CACHED, "one", true);
	e.result = 0;
	e.body = "two";
	expect(bed, &e, READ_REFRESH, "two", false);
	read_through_health(bed->source, &health);
	assert_int_equal(health.last_ok_ms, clock_wall_ms());
	end_done(&e);
}

static void failure_without(void **state)
{
	struct bed *bed = *state;
	struct read_through_health health;
	struct end e;

	end_init(&e, bed, "repo/a");
	e.result = -ENETUNREACH;
	e.sentence = "No connection to api.example.";
	expect_failure(bed, &e, READ_THROUGH, -ENETUNREACH,
		       "No connection to api.example, and nothing of it is "
		       "cached yet.");
	read_through_health(bed->source, &health);
	assert_true(health.offline);
	assert_int_equal(health.last_ok_ms, 0);
	/* Remembered for 2 s. */
	expect_failure(bed, &e, READ_THROUGH, -ENETUNREACH, "No connection");
	clock_advance(1999);
	expect_failure(bed, &e, READ_THROUGH, -ENETUNREACH, "No connection");
	expect_calls(&e, 1);
	clock_advance(1);
	expect_failure(bed, &e, READ_THROUGH, -ENETUNREACH, "No connection");
	expect_calls(&e, 2);
	/* Whoever asks for a refresh means it. */
	e.result = 0;
	expect(bed, &e, READ_REFRESH, "one", false);
	read_through_health(bed->source, &health);
	assert_false(health.offline);
	end_done(&e);
}

static void failure_without_words(void **state)
{
	struct bed *bed = *state;
	struct end e;

	end_init(&e, bed, "repo/a");
	e.result = -EPROTO;
	expect_failure(bed, &e, READ_THROUGH, -EPROTO, "could not be asked");
	end_done(&e);
}

static void nothing_was_kept(void **state)
{
	struct bed *bed = *state;
	struct end e;

	end_init(&e, bed, "repo/a");
	e.silent = true;
	expect_failure(bed, &e, READ_THROUGH, -EIO, "did not keep");
	end_done(&e);
}

static void negative_is_an_entry(void **state)
{
	struct bed *bed = *state;
	struct end e;

	end_init(&e, bed, "slug/x/y");
	e.negative = ENOENT;
	expect(bed, &e, READ_THROUGH, "(negative)", false);
	expect(bed, &e, READ_THROUGH, "(negative)", false);
	expect_calls(&e, 1);
	e.negative = 0;
	clock_advance(TTL + 1);
	/* Not beyond its lifetime, unless nobody can be asked. */
	e.result = -ENETUNREACH;
	expect(bed, &e, READ_THROUGH, "(negative)", true);
	e.result = 0;
	clock_advance(10000);
	expect(bed, &e, READ_THROUGH, "one", false);
	end_done(&e);
}

static void interrupted(void **state)
{
	struct bed *bed = *state;
	struct end e;
	cleanup(ctx_done) struct ctx ctx;
	struct cache_entry *entry = NULL;
	bool stale;

	end_init(&e, bed, "repo/a");
	expect(bed, &e, READ_THROUGH, "one", false);
	clock_advance(3 * TTL);
	ctx_init(&ctx, NULL, -1);
	ctx_cancel(&ctx);
	/* Old bytes or not: whoever pressed Ctrl-C wants to go. */
	assert_int_equal(read_through_get(&ctx, bed->source, e.key,
					  READ_THROUGH, fetch, &e, &entry,
					  &stale),
			 -EINTR);
	assert_null(entry);
	expect_calls(&e, 1);
	end_done(&e);
}

/* ---- several at once ---- */

struct reader {
	struct bed *bed;
	struct end *end;
	struct ctx ctx;
	struct thread *thread;
	int result;
	bool stale;
	char body[16];
};

static void read_it(void *arg)
{
	struct reader *r = arg;
	cleanup(cache_entry_free) struct cache_entry *entry = NULL;

	r->result = read_through_get(&r->ctx, r->bed->source, r->end->key,
				     READ_THROUGH, fetch, r->end, &entry,
				     &r->stale);
	if (r->result == 0 && entry->body)
		snprintf(r->body, sizeof(r->body), "%s",
			 blob_data(entry->body));
}

static void reader_start(struct reader *r, struct bed *bed, struct end *end,
			 struct ctx_group *group)
{
	*r = (struct reader){.bed = bed, .end = end};
	ctx_init(&r->ctx, group, -1);
	assert_int_equal(thread_start("reader", read_it, r, &r->thread), 0);
}

static void reader_end(struct reader *r)
{
	thread_join(r->thread);
	ctx_done(&r->ctx);
}

static void await_waiting(struct ctx_group *group, unsigned n)
{
	while (ctx_group_waiting(group) < n)
		usleep(1000);
}

static void fifty_readers(void **state)
{
	struct bed *bed = *state;
	struct ctx_group *group = ctx_group_new(100);
	struct reader readers[50];
	struct end e;

	clock_real();
	end_init(&e, bed, "repo/a");
	e.gated = true;
	for (size_t i = 0; i < ARRAY_SIZE(readers); i++)
		reader_start(&readers[i], bed, &e, group);
	await_waiting(group, ARRAY_SIZE(readers) - 1);
	end_open(&e);
	for (size_t i = 0; i < ARRAY_SIZE(readers); i++) {
		reader_end(&readers[i]);
		assert_int_equal(readers[i].result, 0);
		assert_string_equal(readers[i].body, "one");
	}
	expect_calls(&e, 1);
	end_done(&e);
	ctx_group_free(group);
}

/* The leader leaves: the next one leads, and nobody fails. */
static void leader_interrupted(void **state)
{
	struct bed *bed = *state;
	struct ctx_group *group = ctx_group_new(100);
	struct reader leader, other;
	struct end e;

	clock_real();
	end_init(&e, bed, "repo/a");
	e.gated = true;
	reader_start(&leader, bed, &e, group);
	while (!atomic_load(&e.n_calls))
		usleep(1000);
	reader_start(&other, bed, &e, group);
	await_waiting(group, 1);
	/* Opens the gate, too. */
	ctx_cancel(&leader.ctx);
	reader_end(&leader);
	reader_end(&other);
	assert_true(leader.result == -EINTR || leader.result == 0);
	assert_int_equal(other.result, 0);
	assert_string_equal(other.body, "one");
	end_done(&e);
	ctx_group_free(group);
}

/* The leader's time is over, not everybody's: the next one leads. */
static void leader_out_of_time(void **state)
{
	struct bed *bed = *state;
	struct ctx_group *group = ctx_group_new(100);
	struct reader leader, other;
	struct end e;

	end_init(&e, bed, "repo/a");
	e.gated = true;
	e.takes_ms = 1001;
	reader_start(&leader, bed, &e, group);
	while (!atomic_load(&e.n_calls))
		usleep(1000);
	reader_start(&other, bed, &e, group);
	await_waiting(group, 1);
	leader.ctx.deadline_ms = clock_mono_ms() + 1000;
	end_open(&e);
	reader_end(&leader);
	reader_end(&other);
	assert_int_equal(leader.result, -ETIMEDOUT);
	assert_int_equal(other.result, 0);
	assert_string_equal(other.body, "one");
	expect_calls(&e, 2);
	end_done(&e);
	ctx_group_free(group);
}

/* What the background may not spend a person may: who waited leads, and the
 * next one is not told of it. */
static void leader_refused(void **state)
{
	struct bed *bed = *state;
	struct ctx_group *group = ctx_group_new(100);
	struct reader leader, other;
	struct read_through_health health;
	struct end e;

	end_init(&e, bed, "repo/a");
	e.gated = true;
	e.no_refreshes = true;
	reader_start(&leader, bed, &e, group);
	while (!atomic_load(&e.n_calls))
		usleep(1000);
	reader_start(&other, bed, &e, group);
	await_waiting(group, 1);
	leader.ctx.who = CTX_REFRESH;
	end_open(&e);
	reader_end(&leader);
	reader_end(&other);
	assert_int_equal(leader.result, -EDQUOT);
	assert_int_equal(other.result, 0);
	assert_string_equal(other.body, "one");
	expect_calls(&e, 2);
	read_through_health(bed->source, &health);
	assert_int_equal(health.last_failure_ms, 0);
	end_done(&e);

	end_init(&e, bed, "repo/b");
	e.gated = true;
	e.no_refreshes = true;
	reader_start(&leader, bed, &e, group);
	while (!atomic_load(&e.n_calls))
		usleep(1000);
	leader.ctx.who = CTX_REFRESH;
	end_open(&e);
	reader_end(&leader);
	assert_int_equal(leader.result, -EDQUOT);
	expect(bed, &e, READ_THROUGH, "one", false);
	end_done(&e);
	ctx_group_free(group);
}

/* Between a reader's look and its lead another one may have landed. */
static void races(void **state)
{
	struct bed *bed = *state;

	clock_real();
	for (unsigned round = 0; round < 200; round++) {
		cleanup(free) char *key = mem_asprintf("repo/%u", round);
		struct reader readers[4];
		struct end e;

		end_init(&e, bed, key);
		for (size_t i = 0; i < ARRAY_SIZE(readers); i++)
			reader_start(&readers[i], bed, &e, NULL);
		for (size_t i = 0; i < ARRAY_SIZE(readers); i++) {
			reader_end(&readers[i]);
			assert_int_equal(readers[i].result, 0);
		}
		expect_calls(&e, 1);
		end_done(&e);
	}
}

/* While one document hangs, another one is served. */
static void one_hangs(void **state)
{
	struct bed *bed = *state;
	struct reader hanging;
	struct end e, f;

	clock_real();
	end_init(&e, bed, "repo/a");
	end_init(&f, bed, "repo/b");
	e.gated = true;
	reader_start(&hanging, bed, &e, NULL);
	while (!atomic_load(&e.n_calls))
		usleep(1000);
	expect(bed, &f, READ_THROUGH, "one", false);
	expect(bed, &f, READ_THROUGH, "one", false);
	end_open(&e);
	reader_end(&hanging);
	assert_int_equal(hanging.result, 0);
	end_done(&e);
	end_done(&f);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(miss_then_fresh),
		T(stale_for_a_lifetime),
		T(older_waits),
		T(impatience),
		T(failure_with_old_bytes),
		T(failure_without),
		T(failure_without_words),
		T(nothing_was_kept),
		T(negative_is_an_entry),
		T(interrupted),
		T(fifty_readers),
		T(leader_interrupted),
		T(leader_out_of_time),
		T(leader_refused),
		T(races),
		T(one_hangs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
