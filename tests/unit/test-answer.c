/*
 * content/answer: what is done with every answer, whatever it is about.
 */
#include "content/answer_private.h"

#include "base/clock.h"
#include "base/file.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

#define TTL 60000
#define WALL INT64_C(1790000000000)

struct bed {
	char dir[64];
	struct cache *cache;
};

static int set_up(void **state)
{
	struct bed *bed = mem_calloc(1, sizeof(*bed));

	clock_fake(1000, WALL);
	snprintf(bed->dir, sizeof(bed->dir), "/tmp/test-answer-XXXXXX");
	assert_non_null(mkdtemp(bed->dir));
	assert_int_equal(cache_open(bed->dir, &bed->cache), 0);
	*state = bed;
	return 0;
}

static int tear_down(void **state)
{
	struct bed *bed = *state;

	cache_close(bed->cache);
	file_remove_tree(bed->dir);
	free(bed);
	clock_real();
	return 0;
}

static void put(struct bed *bed, const char *key, const char *body)
{
	struct ctx ctx;

	ctx_init(&ctx, NULL, -1);
	assert_int_equal(answer_put(&ctx, bed->cache,
				    &(struct cache_put){.key = key,
							.body = body,
							.n_body = strlen(body),
							.ttl_ms = TTL},
				    1),
			 0);
	ctx_done(&ctx);
}

static void a_document_has_its_age_and_its_time(void **state)
{
	struct bed *bed = *state;
	cleanup(cache_entry_free) struct cache_entry *e = NULL;
	cleanup(answer_document_done) struct answer_document d = {0},
							     other = {0};
	struct ctx ctx;

	ctx_init(&ctx, NULL, -1);
	assert_null(answer_peek(bed->cache, "a"));
	put(bed, "a", "{\"created_on\": \"2026-01-02T03:04:05Z\"}");
	clock_advance(1000);
	e = answer_peek(bed->cache, "a");
	assert_non_null(e);
	assert_int_equal(answer_document_of(&ctx, e, false, ANSWER_TIME, &d),
			 0);
	assert_int_equal(d.updated_ms, INT64_C(1767323045000));
	assert_int_equal(d.age.left_ms, TTL - 1000);
	assert_false(d.age.stale);
	assert_int_equal(d.version, e->version);
	/* Where it says nothing of when, it has no time. */
	assert_int_equal(answer_document_of(&ctx, e, true, NULL, &other), 0);
	assert_int_equal(other.updated_ms, 0);
	assert_true(other.age.stale);
	ctx_done(&ctx);
}

/* A date that nobody can read is as good as none: the next one counts. */
static void a_time_that_is_none_is_passed_over(void **state)
{
	struct bed *bed = *state;
	cleanup(cache_entry_free) struct cache_entry *e = NULL;
	cleanup(answer_document_done) struct answer_document d = {0};
	struct ctx ctx;

	ctx_init(&ctx, NULL, -1);
	put(bed, "a",
	    "{\"updated_on\": \"yesterday\", "
	    "\"created_on\": \"2026-01-02T03:04:05Z\"}");
	e = answer_peek(bed->cache, "a");
	assert_int_equal(answer_document_of(&ctx, e, false, ANSWER_TIME, &d),
			 0);
	assert_int_equal(d.updated_ms, INT64_C(1767323045000));
	ctx_done(&ctx);
}

static void an_outdated_one_has_no_time_left(void **state)
{
	struct bed *bed = *state;
	cleanup(cache_entry_free) struct cache_entry *e = NULL, *version = NULL;

	put(bed, "a", "{}");
	clock_advance(TTL + 1);
	e = answer_peek(bed->cache, "a");
	assert_int_equal(answer_age_of(e, true).left_ms, 0);
	version = answer_peek_version(bed->cache, "a");
	assert_int_equal(version->version, e->version);
	assert_null(version->body);
}

static void a_failure_is_remembered_with_its_sentence(void **state)
{
	struct bed *bed = *state;
	cleanup(cache_entry_free) struct cache_entry *e = NULL;
	cleanup(answer_document_done) struct answer_document d = {0};
	struct ctx ctx;

	ctx_init(&ctx, NULL, -1);
	ctx_fail(&ctx, -EACCES, "It is not for you.");
	assert_int_equal(
		answer_put_failure(&ctx, bed->cache, "a", -EACCES, TTL), 0);
	ctx.sentence[0] = '\0';
	e = answer_peek(bed->cache, "a");
	assert_int_equal(answer_document_of(&ctx, e, false, ANSWER_TIME, &d),
			 -EACCES);
	assert_string_equal(ctx.sentence, "It is not for you.");
	assert_true(answer_is_gone(403) && answer_is_gone(404) &&
		    answer_is_gone(410));
	assert_false(answer_is_gone(401) || answer_is_gone(500) ||
		     answer_is_gone(0));
	ctx_done(&ctx);
}

static void a_batch_owns_what_it_was_given(void **state)
{
	struct bed *bed = *state;
	cleanup(cache_entry_free) struct cache_entry *e = NULL, *old = NULL;
	cleanup(answer_batch_done) struct answer_batch batch = {0};
	struct ctx ctx;

	ctx_init(&ctx, NULL, -1);
	put(bed, "old", "1");
	clock_advance(TTL - 1);
	for (unsigned i = 0; i < 40; i++)
		answer_batch_own(&batch, mem_asprintf("own/%u", i),
				 mem_asprintf("%u", i), i < 10 ? 1 : 2, TTL);
	answer_batch_add(&batch, mem_strdup("borrowed"), "b", 1, "etag", TTL);
	answer_batch_touch(&batch, mem_strdup("old"), TTL);
	assert_int_equal(answer_put(&ctx, bed->cache, batch.puts, batch.n), 0);
	e = answer_peek(bed->cache, "own/39");
	assert_string_equal(blob_data(e->body), "39");
	old = answer_peek(bed->cache, "old");
	assert_int_equal(old->left_ms, TTL);
	assert_string_equal(blob_data(old->body), "1");
	ctx_done(&ctx);
}

static void a_list_is_walked_whole_now_and_then(void **state)
{
	struct bed *bed = *state;
	cleanup(cache_entry_free) struct cache_entry *e = NULL;

	assert_true(answer_walk_is_due(bed->cache, "list", 1000));
	put(bed, "list", "[]");
	answer_was_walked(bed->cache, "list", clock_wall_ms());
	assert_int_equal(answer_walked_ms(bed->cache, "list"), clock_wall_ms());
	assert_false(answer_walk_is_due(bed->cache, "list", 1000));
	clock_advance(999);
	assert_false(answer_walk_is_due(bed->cache, "list", 1000));
	clock_advance(1);
	assert_true(answer_walk_is_due(bed->cache, "list", 1000));
	/* At once, and who looks asks. */
	answer_was_walked(bed->cache, "list", clock_wall_ms());
	answer_walk_next(bed->cache, "list");
	assert_true(answer_walk_is_due(bed->cache, "list", 1000));
	assert_int_equal(answer_walked_ms(bed->cache, "list"), 0);
	e = answer_peek(bed->cache, "list");
	assert_true(e->left_ms < -e->ttl_ms);
}

int main(void)
{
#define ONE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		ONE(a_document_has_its_age_and_its_time),
		ONE(a_time_that_is_none_is_passed_over),
		ONE(an_outdated_one_has_no_time_left),
		ONE(a_failure_is_remembered_with_its_sentence),
		ONE(a_batch_owns_what_it_was_given),
		ONE(a_list_is_walked_whole_now_and_then),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
