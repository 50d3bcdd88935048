/*
 * content/read_through, lists: on a thread of their own, behind whoever waited.
 */
#include "content/read_through.h"

#include "base/clock.h"
#include "base/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

#define TTL 60000

struct bed {
	char dir[64];
	struct cache *cache;
	struct read_through *source;
};

/* The far end of a list: stands at a gate until the test, or cancelling, opens
 * it. */
struct end {
	struct bed *bed;
	const char *key;
	size_t n_pages, n_pages_all; /* that come before the gate */
	int result;
	bool no_refreshes; /* the background may not ask */
	atomic_uint n_calls, n_cancelled, n_kept, n_let_go;
	struct mutex lock;
	struct cond changed;
	unsigned n_opened, n_passed; /* under lock */
};

static void wake(void *arg)
{
	struct end *e = arg;

	mutex_lock(&e->lock);
	cond_broadcast(&e->changed);
	mutex_unlock(&e->lock);
}

/* One of those who stand there, or will, goes on. */
static void let_one_go(struct end *e)
{
	mutex_lock(&e->lock);
	e->n_opened++;
	cond_broadcast(&e->changed);
	mutex_unlock(&e->lock);
}

static bool stand_at_gate(struct ctx *ctx, struct end *e)
{
	struct ctx_waker waker = {.wake = wake, .arg = e};
	bool passed;

	ctx_watch(ctx, &waker);
	mutex_lock(&e->lock);
	while (e->n_opened == e->n_passed && !ctx_is_cancelled(ctx))
		cond_wait(&e->changed, &e->lock);
	passed = !ctx_is_cancelled(ctx);
	e->n_passed += passed;
	mutex_unlock(&e->lock);
	ctx_unwatch(ctx, &waker);
	return passed;
}

static int fetch(struct ctx *ctx, void *arg, const struct cache_entry *old)
{
	struct end *e = arg;
	struct cache_put put = {
		.key = e->key, .body = "one", .n_body = 3, .ttl_ms = TTL};

	(void)old;
	if (e->n_pages) {
		read_through_came(e->bed->source, e->key, e->n_pages,
				  e->n_pages_all);
		read_through_came(e->bed->source, e->key, e->n_pages - 1,
				  e->n_pages_all);
	}
	atomic_fetch_add(&e->n_calls, 1);
	if (!stand_at_gate(ctx, e)) {
		atomic_fetch_add(&e->n_cancelled, 1);
		return -EINTR;
	}
	if (e->no_refreshes && ctx->who == CTX_REFRESH) {
		ctx->refused = true;
		return ctx_fail(ctx, -EDQUOT, "Not now.");
	}
	if (e->result)
		return ctx_fail(ctx, e->result, "No luck today.");
	return cache_put(e->bed->cache, &put, 1, NULL);
}

static void *keep(void *arg)
{
	struct end *e = arg;

	atomic_fetch_add(&e->n_kept, 1);
	return e;
}

static void let_go(void *arg)
{
	struct end *e = arg;

	atomic_fetch_add(&e->n_let_go, 1);
}

static const struct read_through_list list = {fetch, keep, let_go,
					      "acme's repositories"};

static int set_up(void **state)
{
	struct bed *bed = mem_calloc(1, sizeof(*bed));

	snprintf(bed->dir, sizeof(bed->dir), "/tmp/test-list-XXXXXX");
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
	return 0;
}

static void end_init(struct end *e, struct bed *bed)
{
	*e = (struct end){.bed = bed, .key = "repo/a/pullrequests"};
	mutex_init(&e->lock);
	cond_init(&e->changed);
}

/* All that was kept for a thread was given back. */
static void end_done(struct end *e)
{
	read_through_break_off(e->bed->source);
	assert_int_equal(atomic_load(&e->n_kept), atomic_load(&e->n_let_go));
	mutex_done(&e->lock);
	cond_done(&e->changed);
}

struct reader {
	struct end *end;
	struct ctx ctx;
	struct thread *thread;
	enum read_through_mode mode;
	int result;
	bool stale;
	char body[16];
};

static void read_it(void *arg)
{
	struct reader *r = arg;
	cleanup(cache_entry_free) struct cache_entry *entry = NULL;

	r->result = read_through_get_list(&r->ctx, r->end->bed->source, 60000,
					  r->end->key, r->mode, &list, r->end,
					  &entry, &r->stale);
	if (r->result == 0 && entry->body)
		snprintf(r->body, sizeof(r->body), "%s",
			 blob_data(entry->body));
}

static void reader_start(struct reader *r, struct end *end,
			 struct ctx_group *group, int64_t time_ms)
{
	*r = (struct reader){.end = end, .mode = READ_THROUGH};
	ctx_init(&r->ctx, group, time_ms);
	assert_int_equal(thread_start("reader", read_it, r, &r->thread), 0);
}

static void reader_start_as(struct reader *r, struct end *end,
			    enum read_through_mode mode,
			    struct ctx_group *group)
{
	*r = (struct reader){.end = end, .mode = mode};
	ctx_init(&r->ctx, group, -1);
	assert_int_equal(thread_start("reader", read_it, r, &r->thread), 0);
}

static void reader_end(struct reader *r)
{
	r->thread = thread_join(r->thread);
	ctx_done(&r->ctx);
}

/* One who has so much time; his sentence. */
static int read_for(struct end *end, int64_t time_ms, char sentence[512])
{
	struct reader r = {.end = end, .mode = READ_THROUGH};

	ctx_init(&r.ctx, NULL, time_ms);
	read_it(&r);
	snprintf(sentence, 512, "%s", r.ctx.sentence);
	ctx_done(&r.ctx);
	return r.result;
}

static void expect_read(struct end *end, unsigned n_calls)
{
	char sentence[512];
	int r = read_for(end, -1, sentence);

	if (r)
		fail_msg("%d: %s", r, sentence);
	assert_int_equal(atomic_load(&end->n_calls), n_calls);
}

static void expect_says(struct end *end, int64_t time_ms, int failure,
			const char *says)
{
	char sentence[512];
	int r;

	/* No page has come yet on a machine that is busy: one looks again. */
	do
		r = read_for(end, time_ms, sentence);
	while (r == -ETIMEDOUT && failure == -EBUSY);
	assert_int_equal(r, failure);
	if (!strstr(sentence, says))
		fail_msg("'%s' is not in '%s'", says, sentence);
}

static void await_calls(struct end *e, unsigned n)
{
	while (atomic_load(&e->n_calls) < n)
		usleep(1000);
}

static void await_waiting(struct ctx_group *group, unsigned n)
{
	while (ctx_group_waiting(group) < n)
		usleep(1000);
}

static void count_running(void *arg, const struct read_through_progress *p)
{
	unsigned *n = arg;

	(void)p;
	++*n;
}

static unsigned n_running(struct bed *bed)
{
	unsigned n = 0;

	read_through_running(bed->source, count_running, &n);
	return n;
}

static void await_none_running(struct bed *bed)
{
	while (n_running(bed))
		usleep(1000);
}

/* ---- */

static void brought(void **state)
{
	struct end e;

	end_init(&e, *state);
	let_one_go(&e);
	expect_read(&e, 1);
	expect_read(&e, 1);
	end_done(&e);
}

/* The time of who waits is over, not the list's. */
static void goes_on_behind(void **state)
{
	struct bed *bed = *state;
	struct end e;

	end_init(&e, bed);
	e.n_pages = 40;
	e.n_pages_all = 100;
	expect_says(&e, 50, -EBUSY,
		    "Page 40 of 100 of acme's repositories; it goes on in the "
		    "background.");
	assert_int_equal(n_running(bed), 1);
	/* Who comes meanwhile joins, and is told the same; nothing of that is
	 * remembered as a failure. */
	expect_says(&e, 50, -EBUSY, "Page 40 of 100");
	assert_int_equal(atomic_load(&e.n_cancelled), 0);
	let_one_go(&e);
	expect_read(&e, 1);
	await_none_running(bed);
	end_done(&e);
}

static void number_not_known(void **state)
{
	struct end e;

	end_init(&e, *state);
	e.n_pages = 3;
	expect_says(&e, 50, -EBUSY, "Page 3 of acme's repositories; ");
	end_done(&e);
}

static void nothing_came(void **state)
{
	struct end e;

	end_init(&e, *state);
	expect_says(&e, 50, -ETIMEDOUT, "sent nothing of acme's repositories");
	/* It may come yet. */
	let_one_go(&e);
	expect_read(&e, 1);
	end_done(&e);
}

static void joined(void **state)
{
	struct ctx_group *group = ctx_group_new(100);
	struct reader readers[20];
	struct end e;

	end_init(&e, *state);
	for (size_t i = 0; i < ARRAY_SIZE(readers); i++)
		reader_start(&readers[i], &e, group, -1);
	await_waiting(group, ARRAY_SIZE(readers));
	let_one_go(&e);
	for (size_t i = 0; i < ARRAY_SIZE(readers); i++) {
		reader_end(&readers[i]);
		assert_int_equal(readers[i].result, 0);
		assert_string_equal(readers[i].body, "one");
	}
	assert_int_equal(atomic_load(&e.n_calls), 1);
	end_done(&e);
	ctx_group_free(group);
}

/* Ctrl-C of the only one who waits ends the list, too. */
static void cancelled(void **state)
{
	struct bed *bed = *state;
	struct reader reader;
	struct end e;

	end_init(&e, bed);
	e.n_pages = 2;
	reader_start(&reader, &e, NULL, -1);
	await_calls(&e, 1);
	ctx_cancel(&reader.ctx);
	reader_end(&reader);
	assert_int_equal(reader.result, -EINTR);
	await_none_running(bed);
	assert_int_equal(atomic_load(&e.n_cancelled), 1);
	let_one_go(&e);
	expect_read(&e, 2);
	end_done(&e);
}

/* But not one of two, nor of one who joined what somebody left. */
static void not_cancelled(void **state)
{
	struct ctx_group *group = ctx_group_new(100);
	struct reader one, other;
	struct end e;

	end_init(&e, *state);
	e.n_pages = 2;
	reader_start(&one, &e, group, -1);
	await_waiting(group, 1);
	reader_start(&other, &e, group, -1);
	await_waiting(group, 2);
	ctx_cancel(&one.ctx);
	reader_end(&one);
	assert_int_equal(one.result, -EINTR);
	expect_says(&e, 50, -EBUSY, "Page 2");
	ctx_cancel(&other.ctx);
	reader_end(&other);
	assert_int_equal(other.result, -EINTR);
	let_one_go(&e);
	expect_read(&e, 1);
	assert_int_equal(atomic_load(&e.n_cancelled), 0);
	end_done(&e);
	ctx_group_free(group);
}

/* What the background may not spend a person may. */
static void refused(void **state)
{
	struct ctx_group *group = ctx_group_new(100);
	struct reader leader, other;
	struct end e;

	end_init(&e, *state);
	e.no_refreshes = true;
	leader = (struct reader){.end = &e, .mode = READ_REFRESH};
	ctx_init(&leader.ctx, group, -1);
	leader.ctx.who = CTX_REFRESH;
	assert_int_equal(
		thread_start("leader", read_it, &leader, &leader.thread), 0);
	await_waiting(group, 1);
	reader_start(&other, &e, group, -1);
	await_waiting(group, 2);
	let_one_go(&e);
	await_calls(&e, 2);
	let_one_go(&e);
	reader_end(&leader);
	reader_end(&other);
	assert_int_equal(leader.result, -EDQUOT);
	assert_true(leader.ctx.refused);
	assert_string_equal(leader.ctx.sentence, "Not now.");
	assert_int_equal(other.result, 0);
	assert_int_equal(atomic_load(&e.n_calls), 2);
	end_done(&e);
	ctx_group_free(group);
}

/* One who asks now, though there are old bytes, and joins what is refused for
 * its class: those are no answer for him. */
static void refused_with_old_bytes(void **state)
{
	struct ctx_group *group = ctx_group_new(100);
	struct reader leader, other;
	struct end e;

	end_init(&e, *state);
	let_one_go(&e);
	expect_read(&e, 1);
	e.no_refreshes = true;
	leader = (struct reader){.end = &e, .mode = READ_REFRESH};
	ctx_init(&leader.ctx, group, -1);
	leader.ctx.who = CTX_REFRESH;
	assert_int_equal(
		thread_start("leader", read_it, &leader, &leader.thread), 0);
	await_waiting(group, 1);
	reader_start_as(&other, &e, READ_REFRESH, group);
	await_waiting(group, 2);
	let_one_go(&e);
	let_one_go(&e);
	reader_end(&leader);
	reader_end(&other);
	assert_int_equal(leader.result, -EDQUOT);
	assert_int_equal(other.result, 0);
	assert_int_equal(atomic_load(&e.n_calls), 3);
	end_done(&e);
	ctx_group_free(group);
}

/* What is under way has pages of before: whoever wants all anew asks when it
 * has ended, once for all who do. */
static void anew_behind_another(void **state)
{
	struct ctx_group *group = ctx_group_new(100);
	struct reader before, one, other;
	struct end e;

	end_init(&e, *state);
	reader_start(&before, &e, group, -1);
	await_waiting(group, 1);
	await_calls(&e, 1);
	reader_start_as(&one, &e, READ_ANEW, group);
	await_waiting(group, 2);
	let_one_go(&e);
	reader_end(&before);
	await_calls(&e, 2);
	reader_start_as(&other, &e, READ_ANEW, group);
	await_waiting(group, 2);
	let_one_go(&e);
	reader_end(&one);
	reader_end(&other);
	assert_int_equal(before.result, 0);
	assert_int_equal(one.result, 0);
	assert_int_equal(other.result, 0);
	assert_int_equal(atomic_load(&e.n_calls), 2);
	end_done(&e);
	ctx_group_free(group);
}

static void failed(void **state)
{
	struct end e;

	end_init(&e, *state);
	e.result = -ENETUNREACH;
	e.n_pages = 2;
	let_one_go(&e);
	expect_says(&e, -1, -ENETUNREACH, "No luck today, and nothing");
	/* Remembered, because somebody waited for it. */
	expect_says(&e, -1, -ENETUNREACH, "No luck today, and nothing");
	assert_int_equal(atomic_load(&e.n_calls), 1);
	end_done(&e);
}

/* A list that there is no room for costs all its pages: not at each look. */
static void no_room(void **state)
{
	struct end e;

	end_init(&e, *state);
	clock_fake(clock_mono_ms(), clock_wall_ms());
	e.result = -ENOSPC;
	let_one_go(&e);
	let_one_go(&e);
	expect_says(&e, -1, -ENOSPC, "No luck today.");
	clock_advance(20000);
	expect_says(&e, -1, -ENOSPC, "No luck today.");
	assert_int_equal(atomic_load(&e.n_calls), 1);
	clock_advance(20000);
	expect_says(&e, -1, -ENOSPC, "No luck today.");
	assert_int_equal(atomic_load(&e.n_calls), 2);
	clock_real();
	end_done(&e);
}

/* Nobody was told: who looks next asks. */
static void failed_behind(void **state)
{
	struct bed *bed = *state;
	struct end e;

	end_init(&e, bed);
	e.result = -ENETUNREACH;
	e.n_pages = 2;
	expect_says(&e, 50, -EBUSY, "Page 2");
	let_one_go(&e);
	await_none_running(bed);
	e.result = 0;
	let_one_go(&e);
	expect_read(&e, 2);
	end_done(&e);
}

/* Old bytes are served to whoever has no more time, and the list goes on. */
static void with_old_bytes(void **state)
{
	struct reader r;
	struct end e;

	end_init(&e, *state);
	let_one_go(&e);
	expect_read(&e, 1);
	assert_int_equal(cache_expire(e.bed->cache, e.key), 0);
	e.n_pages = 2;
	r = (struct reader){.end = &e, .mode = READ_THROUGH};
	ctx_init(&r.ctx, NULL, 50);
	read_it(&r);
	ctx_done(&r.ctx);
	assert_int_equal(r.result, 0);
	assert_true(r.stale);
	assert_string_equal(r.body, "one");
	assert_int_equal(n_running(e.bed), 1);
	let_one_go(&e);
	await_none_running(e.bed);
	expect_read(&e, 2);
	end_done(&e);
}

/* The end of the mount, with somebody who waits and without. */
static void ended(void **state)
{
	struct bed *bed = *state;
	struct reader reader;
	struct end e;

	for (int waits = 0; waits < 2; waits++) {
		end_init(&e, bed);
		e.n_pages = 2;
		if (waits)
			reader_start(&reader, &e, NULL, -1);
		else
			expect_says(&e, 50, -EBUSY, "Page 2");
		await_calls(&e, 1);
		if (waits)
			read_through_end(bed->source);
		else
			read_through_break_off(bed->source);
		assert_int_equal(n_running(bed), 0);
		assert_int_equal(atomic_load(&e.n_cancelled), 1);
		if (waits) {
			reader_end(&reader);
			assert_int_equal(reader.result, -EINTR);
			assert_int_equal(atomic_load(&e.n_calls), 1);
		}
		end_done(&e);
	}
}

/* However many are slow, so many go on; the others from what is kept. */
static void too_many(void **state)
{
	struct bed *bed = *state;
	struct end ends[20];
	char keys[20][16];

	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		end_init(&ends[i], bed);
		snprintf(keys[i], sizeof(keys[i]), "list/%zu", i);
		ends[i].key = keys[i];
		ends[i].n_pages = 1;
		expect_says(&ends[i], 10, -EBUSY,
			    i < 16 ? "in the background"
				   : "when somebody looks again");
	}
	while (n_running(bed) > 16)
		usleep(1000);
	for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
		end_done(&ends[i]);
}

/* Between a reader's look and its lead another one may have landed; threads end
 * before they are known. */
static void races(void **state)
{
	struct bed *bed = *state;

	for (unsigned round = 0; round < 200; round++) {
		cleanup(free) char *key = mem_asprintf("repo/%u", round);
		struct reader readers[4];
		struct end e;

		end_init(&e, bed);
		e.key = key;
		e.n_opened = 4;
		for (size_t i = 0; i < ARRAY_SIZE(readers); i++)
			reader_start(&readers[i], &e, NULL, -1);
		for (size_t i = 0; i < ARRAY_SIZE(readers); i++) {
			reader_end(&readers[i]);
			assert_int_equal(readers[i].result, 0);
		}
		assert_int_equal(atomic_load(&e.n_calls), 1);
		end_done(&e);
	}
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(brought),
		T(goes_on_behind),
		T(number_not_known),
		T(nothing_came),
		T(joined),
		T(cancelled),
		T(not_cancelled),
		T(refused),
		T(failed),
		T(failed_behind),
		T(with_old_bytes),
		T(ended),
		T(too_many),
		T(races),
		T(refused_with_old_bytes),
		T(anew_behind_another),
		T(no_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
