/*
 * api/bitbucket, the listing of repositories: side by side, cut off, lying.
 */
#include "bitbucket-world.h"
#include "corpora.h"

static int list(struct world *w, const char *workspace,
		struct bitbucket_repositories *ret, char sentence[512])
{
	cleanup(ctx_done) struct ctx ctx;
	int r;

	ctx_init(&ctx, NULL, 60000);
	r = bitbucket_list_repositories(&ctx, w->bitbucket, workspace, NULL,
					NULL, ret);
	snprintf(sentence, 512, "%s", ctx.sentence);
	return r;
}

static void expect_many(struct world *w, unsigned n, unsigned n_requests)
{
	cleanup(bitbucket_repositories_done) struct bitbucket_repositories all =
		{0};
	unsigned before = tiny_n_requests(w->tiny);
	cleanup(free) bool *seen = mem_calloc(n + 1, sizeof(*seen));
	char sentence[512];
	int r = list(w, "many", &all, sentence);

	if (r)
		fail_msg("%d: %s", r, sentence);
	assert_int_equal(all.n_items, n);
	assert_int_equal(all.n_odd, 0);
	for (size_t i = 0; i < n; i++) {
		unsigned long id = strtoul(all.items[i].slug + 1, NULL, 10);

		assert_true(id < n && !seen[id]);
		seen[id] = true;
	}
	assert_int_equal(tiny_n_requests(w->tiny) - before, n_requests);
}

static void a_thousand(void **state)
{
	struct world *w = *state;

	w->n_repositories = w->n_announced = 1000;
	expect_many(w, 1000, 10);
	assert_string_equal(tiny_got(w->tiny, 0)->path,
			    "/2.0/repositories/many?sort=created_on&"
			    "pagelen=100");
	assert_true(w->tiny->most_busy <= 4);
	w->n_repositories = w->n_announced = 0;
	expect_many(w, 0, 1);
	w->n_repositories = w->n_announced = 100;
	expect_many(w, 100, 1);
	w->n_repositories = w->n_announced = 101;
	expect_many(w, 101, 2);
}

static void side_by_side(void **state)
{
	struct world *w = *state;
	cleanup(bitbucket_repositories_done) struct bitbucket_repositories all =
		{0};
	cleanup(ctx_done) struct ctx ctx;
	int64_t began = clock_mono_ms();

	w->n_repositories = w->n_announced = 1000;
	w->stall = true;
	ctx_init(&ctx, NULL, 1000);
	assert_int_equal(bitbucket_list_repositories(&ctx, w->bitbucket, "many",
						     NULL, NULL, &all),
			 -ETIMEDOUT);
	assert_true(clock_mono_ms() - began < 10000);
	/* The first, and four that wait at once. */
	assert_int_equal(tiny_n_requests(w->tiny), 5);
	assert_int_equal(w->tiny->most_busy, 4);
	assert_null(all.items);
}

struct listing_thread {
	struct world *world;
	struct ctx ctx;
	int result;
};

static void list_in_thread(void *arg)
{
	struct listing_thread *t = arg;
	struct bitbucket_repositories all = {0};

	t->result = bitbucket_list_repositories(&t->ctx, t->world->bitbucket,
						"many", NULL, NULL, &all);
	bitbucket_repositories_done(&all);
}

static void cancelled(void **state)
{
	struct world *w = *state;
	struct ctx_group *group = ctx_group_new(10);
	struct listing_thread t = {.world = w};

	w->n_repositories = w->n_announced = 1000;
	w->stall = true;
	/* By Ctrl-C, then by an unmount. */
	for (int i = 0; i < 2; i++) {
		struct thread *thread = NULL;

		ctx_init(&t.ctx, group, -1);
		assert_int_equal(
			thread_start("list", list_in_thread, &t, &thread), 0);
		tiny_await(w->tiny, 5 * (unsigned)(i + 1));
		if (i == 0)
			ctx_cancel(&t.ctx);
		else
			ctx_group_cancel(group);
		thread_join(thread);
		assert_int_equal(t.result, -EINTR);
		assert_int_equal(ctx_group_waiting(group), 0);
		ctx_done(&t.ctx);
	}
	ctx_group_free(group);
}

static void one_page_fails(void **state)
{
	struct world *w = *state;
	cleanup(bitbucket_repositories_done) struct bitbucket_repositories all =
		{0};
	char sentence[512];

	w->n_repositories = w->n_announced = 1000;
	w->fail_page = 4;
	world_say(w, &w->fail_with, "HTTP/1.1 403 No\r\n\r\n");
	assert_int_equal(list(w, "many", &all, sentence), -EACCES);
	assert_non_null(strstr(sentence, "403"));
	assert_null(all.items);
	world_say(w, &w->fail_with, "HTTP/1.1 200 OK\r\n\r\n{}");
	assert_int_equal(list(w, "many", &all, sentence), -EIO);
	assert_non_null(strstr(sentence, "not a listing"));
	w->fail_page = 1;
	world_say(w, &w->fail_with, "HTTP/1.1 404 No\r\n\r\n");
	assert_int_equal(list(w, "many", &all, sentence), -ENOENT);
}

/* The others are not waited for. */
static void one_fails_others_hang(void **state)
{
	struct world *w = *state;
	cleanup(bitbucket_repositories_done) struct bitbucket_repositories all =
		{0};
	int64_t began = clock_mono_ms();
	char sentence[512];

	w->n_repositories = w->n_announced = 1000;
	w->stall = true;
	w->fail_page = 3;
	world_say(w, &w->fail_with, "HTTP/1.1 403 No\r\n\r\n");
	assert_int_equal(list(w, "many", &all, sentence), -EACCES);
	assert_non_null(strstr(sentence, "403"));
	assert_true(clock_mono_ms() - began < 15000);
}

static void without_size(void **state)
{
	struct world *w = *state;

	w->n_repositories = 250;
	w->sizeless = true;
	expect_many(w, 250, 3);
}

/* More came while it was walked: `next` of the last page leads to them. */
static void grows(void **state)
{
	struct world *w = *state;

	w->n_repositories = 305;
	w->n_announced = 300;
	expect_many(w, 305, 4);
}

static void misses_one(void **state)
{
	struct world *w = *state;

	w->n_repositories = w->n_announced = 300;
	w->shrinks = true;
	expect_many(w, 300, 6);
}

/* The only one of page 3 was deleted after page 2 said that it is `next`. */
static void last_page_goes(void **state)
{
	struct world *w = *state;

	w->n_repositories = w->n_announced = 201;
	w->last_goes = true;
	expect_many(w, 200, 5);
}

static void expect_known(struct world *w, struct bitbucket_known *known,
			 size_t n, enum bitbucket_came came, unsigned at_least,
			 unsigned n_requests)
{
	cleanup(bitbucket_repositories_done) struct bitbucket_repositories all =
		{0};
	unsigned before = tiny_n_requests(w->tiny);
	cleanup(ctx_done) struct ctx ctx;

	ctx_init(&ctx, NULL, 60000);
	assert_int_equal(bitbucket_list_repositories(&ctx, w->bitbucket, "many",
						     known, NULL, &all),
			 0);
	assert_int_equal(all.n_items, n);
	assert_int_equal(all.came, came);
	assert_in_range(tiny_n_requests(w->tiny) - before, at_least,
			n_requests);
}

static void never_enough(void **state)
{
	struct world *w = *state;
	struct bitbucket_known known = BITBUCKET_UNKNOWN;

	/* The third page is not there (404) and the count is wrong. */
	w->n_repositories = 199;
	w->n_announced = 300;
	expect_known(w, &known, 199, BITBUCKET_CAME_SHORT, 6, 6);
	assert_int_equal(known.size, 300);
	assert_int_equal(known.n, 199);
	expect_known(w, &known, 199, BITBUCKET_CAME_AS_BEFORE, 3, 3);
	/* One more, by both: as many are missing as before. */
	w->n_repositories = 200;
	w->n_announced = 301;
	expect_known(w, &known, 200, BITBUCKET_CAME_AS_BEFORE, 8, 8);
	w->n_repositories = 190;
	expect_known(w, &known, 190, BITBUCKET_CAME_SHORT, 8, 8);
	w->n_announced = 190;
	expect_known(w, &known, 190, BITBUCKET_CAME_WHOLE, 2, 2);
	assert_int_equal(known.size, -1);
}

/* Numbers are an optimisation, `next` is the way back. */
static void numbers_are_refused(void **state)
{
	struct world *w = *state;
	struct bitbucket_known known = BITBUCKET_UNKNOWN;

	w->n_repositories = w->n_announced = 1000;
	w->coded = true;
	expect_known(w, &known, 1000, BITBUCKET_CAME_WHOLE, 11, 10 + 4);
	/* Or not known: the first page comes again. */
	w->coded = false;
	w->unnumbered = true;
	expect_known(w, &known, 1000, BITBUCKET_CAME_WHOLE, 11, 10 + 4);
}

/* The account may not see what is on them. */
static void empty_pages(void **state)
{
	struct world *w = *state;
	struct bitbucket_known known = BITBUCKET_UNKNOWN;

	w->n_repositories = 6050;
	w->hidden = 6000;
	w->sizeless = true;
	expect_known(w, &known, 50, BITBUCKET_CAME_WHOLE, 61, 61);
}

static void encoded_paths(void **state)
{
	struct world *w = *state;
	cleanup(bitbucket_repository_done) struct bitbucket_repository one = {
		0};
	cleanup(ctx_done) struct ctx ctx;
	char sentence[512];
	struct bitbucket_repositories all;

	ctx_init(&ctx, NULL, 60000);
	assert_int_equal(bitbucket_get_repository(&ctx, w->bitbucket, "acme",
						  "{ab-12}", &one),
			 -ENOENT);
	assert_string_equal(tiny_got(w->tiny, 0)->path,
			    "/2.0/repositories/acme/%7Bab-12%7D");
	assert_int_equal(list(w, "../a?b/c", &all, sentence), -ENOENT);
	assert_string_equal(tiny_got(w->tiny, 1)->path,
			    "/2.0/repositories/..%2Fa%3Fb%2Fc?"
			    "sort=created_on&pagelen=100");
}

/* ---- bodies ---- */

static int list_body(struct world *w, const char *data,
		     struct bitbucket_repositories *all, char sentence[512])
{
	world_say(w, &w->body, data);
	return list(w, "body", all, sentence);
}

/* Uuids that are none tell nothing apart: their names do. */
static void no_uuids(void **state)
{
	static const char *const uuids[] = {"\"\"", "\"odd\"", "null", "7"};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(uuids); i++) {
		cleanup(bitbucket_repositories_done) struct
			bitbucket_repositories all = {0};
		cleanup(free) char *body =
			mem_asprintf("{\"size\":2,\"values\":["
				     "{\"full_name\":\"w/a\",\"uuid\":%s},"
				     "{\"full_name\":\"w/a\",\"uuid\":%s},"
				     "{\"full_name\":\"w/b\",\"uuid\":%s}]}",
				     uuids[i], uuids[i], uuids[i]);
		char sentence[512];
		int r = list_body(w, body, &all, sentence);

		if (r)
			fail_msg("%s: %d: %s", uuids[i], r, sentence);
		assert_int_equal(all.n_items, 2);
		assert_string_equal(all.items[0].uuid, "name:w/a");
		assert_string_equal(all.items[1].uuid, "name:w/b");
	}
}

static struct world *corpus_world;

static void corpus_file(const char *name, const char *data, size_t n, bool ok)
{
	cleanup(bitbucket_repositories_done) struct bitbucket_repositories all =
		{0};
	char sentence[512];
	int r = list_body(corpus_world, data, &all, sentence);

	assert_int_equal(strlen(data), n);
	if (ok && (r || all.n_items != strtoul(name, NULL, 10)))
		fail_msg("%s: %d, %zu items (%s)", name, r, all.n_items,
			 sentence);
	if (!ok && r != -EIO && r != -EPROTO)
		fail_msg("%s: %d", name, r);
	for (size_t i = 0; i < all.n_items; i++) {
		assert_non_null(all.items[i].slug);
		assert_non_null(all.items[i].json);
		assert_null(strstr(all.items[i].uuid, ".."));
	}
}

static void corpora(void **state)
{
	corpus_world = *state;
	assert_true(corpora_each("repositories/ok", NULL, corpus_file, true) >
		    10);
	assert_true(corpora_each("repositories/should-fail", NULL, corpus_file,
				 false) > 10);
}

static void read_listings(const char *dir, void *arg)
{
	static const char *const names[] = {"drone__go-scm/repos.json",
					    "drone__go-scm/repos-2.json",
					    "drone__go-scm/repos_empty.json",
					    "drone__go-scm/repos_filter.json"};
	struct world *w = arg;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		cleanup(buf_done) struct buf text = BUF_INIT(0),
					     page = BUF_INIT(0);
		cleanup(json_free) struct json *json = NULL;
		cleanup(bitbucket_repositories_done) struct
			bitbucket_repositories all = {0};
		const struct json *values;
		char sentence[512];

		recorded_read(dir, names[i], &text);
		assert_int_equal(json_parse(text.data, text.len, &json), 0);
		values = json_at(json, "values");
		/* One page alone: its size and next are of the whole walk. */
		buf_puts(&page, "{\"values\":");
		json_compact(values, &page);
		buf_putc(&page, '}');
		assert_int_equal(list_body(w, page.data, &all, sentence), 0);
		assert_int_equal(all.n_items, json_n_items(values));
		assert_int_equal(all.n_odd, 0);
		for (size_t k = 0; k < all.n_items; k++) {
			assert_true(all.items[k].uuid[0] == '{');
			assert_true(all.items[k].updated_ms > 0);
			assert_true(*all.items[k].workspace);
		}
	}
}

static void recorded_listings(void **state)
{
	recorded_each(read_listings, *state);
}

/* ---- mutations ---- */

static void read_mutated(const char *text, size_t n, void *arg)
{
	cleanup(json_free) struct json *json = NULL;
	struct bitbucket_repository r = {0};
	struct bitbucket_workspace w = {0};
	int result;

	(void)arg;
	if (json_parse(text, n, &json))
		return;
	result = bitbucket_read_repository(json, &r);
	if (result == 0) {
		assert_true(*r.slug);
		assert_true(*r.uuid == '{' || !strncmp(r.uuid, "name:", 5));
		assert_int_equal(strlen(r.json), r.n_json);
	} else {
		assert_int_equal(result, -EBADMSG);
		assert_null(r.slug);
	}
	bitbucket_repository_done(&r);
	if (bitbucket_read_workspace(json, &w) == 0)
		assert_true(*w.slug);
	bitbucket_workspace_done(&w);
}

static void read_objects(const char *dir, void *arg)
{
	static const char *const names[] = {
		"drone__go-scm/repo.json",
		"gildas__bitbucket-cli/repository.json",
		"gildas__bitbucket-cli/workspace.json",
	};

	(void)arg;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		cleanup(buf_done) struct buf text = BUF_INIT(0);

		recorded_read(dir, names[i], &text);
		assert_true(mutate(text.data, text.len, read_mutated, NULL) >
			    300);
	}
}

static void mutated_objects(void **state)
{
	static const char ours[] =
		"{\"slug\":\"w\",\"full_name\":\"acme/w\",\"uuid\":\"{ab}\","
		"\"workspace\":{\"slug\":\"acme\",\"uuid\":\"{cd}\"},"
		"\"updated_on\":\"2026-01-02T03:04:05+00:00\","
		"\"created_on\":\"2026-01-02T03:04:05+00:00\"}";

	(void)state;
	assert_true(mutate(ours, strlen(ours), read_mutated, NULL) > 80);
	recorded_each(read_objects, NULL);
}

/* A page of three of which the first is mutated: the others are there. */
static void list_mutated(const char *text, size_t n, void *arg)
{
	cleanup(buf_done) struct buf page = BUF_INIT(0);
	cleanup(json_free) struct json *json = NULL;
	cleanup(bitbucket_repositories_done) struct bitbucket_repositories all =
		{0};
	unsigned found = 0;
	char sentence[512];
	int r;

	/* What is no JSON is no page. */
	if (json_parse(text, n, &json))
		return;
	buf_puts(&page, "{\"size\":3,\"values\":[");
	buf_add(&page, text, n);
	buf_putc(&page, ',');
	add_repository(&page, 1);
	buf_putc(&page, ',');
	add_repository(&page, 2);
	buf_puts(&page, "]}");
	r = list_body(arg, page.data, &all, sentence);
	if (r)
		fail_msg("%d: %s", r, sentence);
	for (size_t i = 0; i < all.n_items; i++)
		found += !strcmp(all.items[i].slug, "r1") ||
			 !strcmp(all.items[i].slug, "r2");
	assert_int_equal(found, 2);
	assert_int_equal(all.n_items + all.n_odd, 3);
}

static void mutated_listing(void **state)
{
	static const char ours[] =
		"{\"slug\":\"w\",\"full_name\":\"acme/w\",\"uuid\":\"{ab}\","
		"\"workspace\":{\"slug\":\"acme\",\"uuid\":\"{cd}\"}}";

	mutate(ours, strlen(ours), list_mutated, *state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_thousand),
		T(side_by_side),
		T(cancelled),
		T(one_page_fails),
		T(one_fails_others_hang),
		T(without_size),
		T(grows),
		T(misses_one),
		T(last_page_goes),
		T(never_enough),
		T(numbers_are_refused),
		T(empty_pages),
		T(encoded_paths),
		T(no_uuids),
		T(corpora),
		T(recorded_listings),
		cmocka_unit_test(mutated_objects),
		T(mutated_listing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
