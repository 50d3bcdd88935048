/*
 * clone/lfs: what is believed of an LFS server's answer.
 */
#include "../../src/clone/lfs_private.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define OID                                \
	"00000000000000000000000000000000" \
	"00000000000000000000000000000000"

static const struct lfs_pointer zero = {.size = 5};

/* Of an answer with that one object: how it ends, and what is said. */
static int read_one(const char *object, struct lfs_said *said)
{
	cleanup(free) char *body = mem_asprintf(
		"{\"objects\": [{\"oid\": \"" OID "\", %s}]}", object);
	cleanup(ctx_done) struct ctx ctx;
	int r;

	*said = (struct lfs_said){.pointer = &zero};
	ctx_init(&ctx, NULL, -1);
	r = lfs_answer_read(&ctx, body, strlen(body), false, said, 1);
	return r < 0 ? r : said->r;
}

static int read_action(const char *action, struct lfs_said *said)
{
	cleanup(free) char *object =
		mem_asprintf("\"actions\": {\"download\": {%s}}", action);

	return read_one(object, said);
}

static void a_place(void **state)
{
	struct lfs_said said;

	(void)state;
	assert_int_equal(
		read_action("\"href\": \"https://h/x?a=b\", "
			    "\"expires_in\": 60, \"header\": "
			    "{\"authorization\": \"A b\", "
			    "\"Range\": \"bytes=0-\", \"X-Key\": \"k\", "
			    "\"host\": \"other\"}",
			    &said),
		0);
	assert_string_equal(said.place.url, "https://h/x?a=b");
	assert_string_equal(said.place.authorization, "A b");
	assert_string_equal(said.place.headers[0], "X-Key: k");
	assert_null(said.place.headers[1]);
	assert_true(said.until_ms > clock_mono_ms() + 40000 &&
		    said.until_ms <= clock_mono_ms() + 50000);
	lfs_said_done(&said, 1);
	/* What has ended already is good for this once. */
	assert_int_equal(read_action("\"href\": \"https://h/x\", "
				     "\"expires_at\": \"2016-11-10T15:29:07Z\"",
				     &said),
			 0);
	assert_true(said.until_ms <= clock_mono_ms());
	lfs_said_done(&said, 1);
}

static void no_place(void **state)
{
	static const char *const actions[] = {
		"",
		"\"href\": 5",
		"\"href\": \"https://h/\", \"header\": {\"A\\r\\nB\": \"c\"}",
		"\"href\": \"https://h/\", \"header\": {\"A\": \"b\\r\\nC\"}",
		"\"href\": \"https://h/\", \"header\": {\"A: b\": \"c\"}",
		"\"href\": \"https://h/\", \"header\": {\"\": \"c\"}",
		"\"href\": \"https://h/\", \"header\": {\"A\": {}}",
	};
	struct lfs_said said;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(actions); i++) {
		assert_int_equal(read_action(actions[i], &said), -EIO);
		assert_null(said.place.url);
		lfs_said_done(&said, 1);
	}
	assert_int_equal(read_one("\"error\": {\"code\": 410}", &said),
			 -ENOENT);
	assert_int_equal(read_one("\"error\": {\"code\": 403}", &said),
			 -EACCES);
	assert_int_equal(read_one("\"error\": {}", &said), -EIO);
	assert_int_equal(read_one("\"size\": 5", &said), -EIO);
}

static void no_answer(void **state)
{
	static const char *const bodies[] = {
		"",
		"[]",
		"{}",
		"{\"objects\": {}}",
		"<html>",
		"{\"objects\": [], \"transfer\": \"ssh\"}",
		"{\"objects\": [], \"hash_algo\": \"sha512\"}",
	};
	struct lfs_said said = {.pointer = &zero};
	cleanup(ctx_done) struct ctx ctx;

	(void)state;
	ctx_init(&ctx, NULL, -1);
	for (size_t i = 0; i < ARRAY_SIZE(bodies); i++)
		assert_int_equal(lfs_answer_read(&ctx, bodies[i],
						 strlen(bodies[i]), false,
						 &said, 1),
				 -EIO);
	/* One that is about something else alone. */
	assert_int_equal(lfs_answer_read(&ctx, "{\"objects\": [7, {}]}", 20,
					 false, &said, 1),
			 0);
	assert_int_equal(said.r, -EIO);
}

static void test_until_when(void **state)
{
	/* What is said, and how much time that leaves, in seconds. */
	static const struct {
		const char *said;
		int64_t least, most;
	} times[] = {
		{"", 300, 3600},
		{",\"expires_in\":3600", 1800, 3600},
		{",\"expires_in\":1", 0, 0},
		{",\"expires_in\":-1", 0, 0},
		{",\"expires_in\":-9223372036854775807", 0, 0},
		{",\"expires_in\":9223372036854775807", 3600, 86400},
		{",\"expires_in\":1e300", 300, 3600},
		{",\"expires_in\":0", 300, 3600},
		{",\"expires_in\":0,\"expires_at\":\"2000-01-01T00:00:00Z\"", 0,
		 0},
		{",\"expires_at\":\"0001-01-01T00:00:00Z\"", 300, 3600},
		{",\"expires_at\":\"9999-12-31T23:59:59Z\"", 3600, 86400},
		{",\"expires_in\":3600,\"expires_at\":\"2000-01-01T00:00:00Z\"",
		 1800, 3600},
		{",\"expires_at\":\"soon\"", 300, 3600},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
		cleanup(free) char *action = mem_asprintf(
			"\"href\": \"https://192.0.2.1/x\"%s", times[i].said);
		int64_t before = clock_mono_ms(), left;
		struct lfs_said said;
		int r = read_action(action, &said);

		left = (said.until_ms - before) / 1000;
		if (r || left < times[i].least || left > times[i].most + 5)
			fail_msg("%s: %d, %lld s", times[i].said, r,
				 (long long)left);
		lfs_said_done(&said, 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_until_when),
		cmocka_unit_test(a_place),
		cmocka_unit_test(no_place),
		cmocka_unit_test(no_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
