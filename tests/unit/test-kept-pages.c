/*
 * content/documents, lists that are broken off: the pages that came are kept,
 * and whoever looks again goes on from there; each page is asked for once.
 */
#include "documents-world.h"

#include <inttypes.h>
#include <limits.h>

#define ALL_23 "23 22 21 20 19 18 17 16 15 14 13 12 11 10 9 8 7 6 5 4 3 2 1"

static void many(struct world *w, unsigned n)
{
	for (unsigned i = 1; i <= n; i++)
		add(w, i, "OPEN", i);
}

/* The list fails after so many pages, and the failure is forgotten. */
static void break_off(struct world *w, const struct resource *row,
		      enum read_through_mode mode, unsigned n_pages)
{
	w->good_pages = n_pages;
	expect_list(w, row, mode, "-5");
	expect_requests(w, n_pages + 1);
	w->status = 0;
	clock_advance(2001);
}

static unsigned n_documents(struct world *w)
{
	struct cache_stats stats;

	assert_int_equal(cache_stats(w->cache, &stats), 0);
	return (unsigned)stats.n_documents;
}

static void goes_on_by_number(void **state)
{
	struct world *w = *state;
	unsigned before = n_documents(w);

	many(w, 23);
	break_off(w, &numbered_things, READ_THROUGH, 2);
	assert_int_equal(n_documents(w), before + 2);
	break_off(w, &numbered_things, READ_THROUGH, 2);
	assert_int_equal(n_documents(w), before + 4);
	expect_list(w, &numbered_things, READ_THROUGH, ALL_23);
	expect_requests(w, 1);
	/* The names, two indexes, an item each; no page. */
	assert_int_equal(n_documents(w), before + 3 + 23);
}

/* Another mount of the same cache, which may spend so much. */
static void with_budget(struct world *w, int64_t n)
{
	const struct budget_config config = {.api_hour = n};

	unmount(w);
	bitbucket_free(w->bitbucket);
	budget_free(w->budget);
	w->budget = budget_new(&config);
	assert_int_equal(bitbucket_new(w->tiny->url, w->credential, w->http,
				       w->budget, &w->bitbucket),
			 0);
	mount(w);
}

/* The hour's requests are used up in the middle. */
static void refused_by_the_budget(void **state)
{
	struct world *w = *state;
	char too_few[8];

	many(w, 23);
	snprintf(too_few, sizeof(too_few), "%d", -EDQUOT);
	with_budget(w, 2);
	expect_list(w, &open_things, READ_THROUGH, too_few);
	expect_requests(w, 2);
	/* It is refused without another request, however often one looks. */
	clock_advance(2001);
	expect_list(w, &open_things, READ_THROUGH, too_few);
	expect_requests(w, 0);
	with_budget(w, 1000);
	clock_advance(2001);
	expect_list(w, &open_things, READ_THROUGH, ALL_23);
	expect_requests(w, 4);
}

/* Those of a list that is stored are not used again. */
static void only_of_what_was_broken_off(void **state)
{
	struct world *w = *state;

	many(w, 23);
	break_off(w, &numbered_things, READ_THROUGH, 2);
	expect_list(w, &numbered_things, READ_THROUGH, ALL_23);
	expect_requests(w, 3);
	expect_list(w, &numbered_things, READ_REFRESH, ALL_23);
	expect_requests(w, 5);
}

/* Page numbers shift: old pages are of no use. */
static void not_when_they_are_old(void **state)
{
	struct world *w = *state;

	many(w, 23);
	break_off(w, &numbered_things, READ_THROUGH, 4);
	clock_advance(10 * MINUTE);
	expect_list(w, &numbered_things, READ_THROUGH, ALL_23);
	expect_requests(w, 5);
}

/* One went in between, which moved the others up: the count says so. */
static void numbers_that_shifted(void **state)
{
	struct world *w = *state;

	many(w, 23);
	break_off(w, &numbered_things, READ_THROUGH, 2);
	thing(w, 20)->gone = true;
	expect_list(w, &numbered_things, READ_THROUGH,
		    "23 22 21 20 19 18 17 16 15 14 12 11 10 9 8 7 6 5 4 3 2 1 "
		    "13");
}

/* The only page of a list, or of one that is whole, is nothing to keep. */
static void not_the_only_page(void **state)
{
	struct world *w = *state;
	unsigned before = n_documents(w);

	many(w, 4);
	w->size_lies = 1;
	w->good_pages = 1;
	expect_list(w, &numbered_things, READ_THROUGH, "-5");
	assert_int_equal(n_documents(w), before);
}

/* That a page is refused, or not there, says nothing of the list that the
 * others are of. */
static void refused_in_the_middle(void **state)
{
	static const long statuses[] = {403, 404, 410};

	for (size_t i = 0; i < ARRAY_SIZE(statuses); i++) {
		struct world *w;

		tear_down(state);
		set_up(state);
		w = *state;
		many(w, 23);
		w->good_pages = 2;
		w->then_status = statuses[i];
		expect_list(w, &open_things, READ_THROUGH,
			    statuses[i] == 403 ? "-13" : "-2");
		w->status = 0;
		clock_advance(2001);
		expect_list(w, &open_things, READ_THROUGH, ALL_23);
	}
}

/* ---- sorted by created_on: goes on by time ---- */

/* What content/ keeps, in memory. */
struct shelf {
	struct {
		char *url, *bytes;
	} pages[64];
	size_t n;
	struct mutex lock;
};

static struct blob *shelf_look(void *arg, const char *url)
{
	struct shelf *s = arg;
	struct blob *bytes = NULL;

	mutex_lock(&s->lock);
	for (size_t i = 0; i < s->n && !bytes; i++)
		if (!strcmp(s->pages[i].url, url))
			bytes = blob_new(s->pages[i].bytes,
					 strlen(s->pages[i].bytes));
	mutex_unlock(&s->lock);
	return bytes;
}

static void shelf_came(void *arg, const struct bitbucket_kept_page *page)
{
	struct shelf *s = arg;

	if (!page->body)
		return;
	mutex_lock(&s->lock);
	check(s->n < ARRAY_SIZE(s->pages));
	s->pages[s->n].url = mem_strdup(page->url);
	s->pages[s->n++].bytes = buf_steal(page->body, NULL);
	mutex_unlock(&s->lock);
}

static void shelf_take_away(struct shelf *s, size_t i)
{
	free(s->pages[i].url);
	free(s->pages[i].bytes);
	s->pages[i] = s->pages[--s->n];
}

static void shelf_init(struct shelf *s)
{
	s->n = 0;
	mutex_init(&s->lock);
}

static void shelf_done(struct shelf *s)
{
	while (s->n)
		shelf_take_away(s, 0);
	mutex_done(&s->lock);
}
DEFINE_CLEANUP_DONE(struct shelf, shelf_done);

static int note_id(void *arg, const struct json *item)
{
	struct buf *ids = arg;

	buf_printf(ids, "%s%" PRId64, ids->len ? " " : "",
		   json_int(item, "id", -1));
	return 0;
}

static void forget_ids(void *arg)
{
	buf_clear(arg);
}

#define ANY UINT_MAX

/* The ids, or the errno; n_requests: how many that takes. */
static void expect_by_time_at(struct world *w, struct shelf *shelf,
			      unsigned n_requests, const char *want, int line)
{
	cleanup(buf_done) struct buf ids = BUF_INIT(0);
	cleanup(ctx_done) struct ctx ctx;
	const struct bitbucket_kept kept = {shelf_look, shelf_came, shelf};
	struct bitbucket_list list = {
		.path = "/things?a=b&sort=created_on",
		.paging = BITBUCKET_ABREAST,
		.by_created = true,
		.id = "id",
		.each = note_id,
		.restart = forget_ids,
		.arg = &ids,
		.kept = &kept,
	};
	bool more;
	int r;

	ctx_init(&ctx, NULL, -1);
	r = ASK(w, bitbucket_list(&ctx, w->bitbucket, &list, &more));
	if (r < 0) {
		buf_clear(&ids);
		buf_printf(&ids, "%d", r);
	}
	if (strcmp(ids.len ? ids.data : "", want))
		fail_msg("line %d: %s (%s), not %s", line, ids.data,
			 ctx.sentence, want);
	if (n_requests == ANY)
		w->asked = tiny_n_requests(w->tiny);
	else
		expect_requests_at(w, n_requests, line);
}
#define expect_by_time(w, shelf, n, want) \
	expect_by_time_at(w, shelf, n, want, __LINE__)

#define UP_TO_23 "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23"

/* All five pages of 23, of which the shelf keeps the first n. */
static void keep_first(struct world *w, struct shelf *shelf, size_t n)
{
	expect_by_time(w, shelf, 5, UP_TO_23);
	assert_int_equal(shelf->n, 5);
	for (size_t i = 0; i < shelf->n;) {
		const char *page = strstr(shelf->pages[i].url, "&page=");

		if (page && strtoul(page + 6, NULL, 10) > n)
			shelf_take_away(shelf, i);
		else
			i++;
	}
	assert_int_equal(shelf->n, n);
}

static void by_time(void **state)
{
	struct world *w = *state;
	cleanup(shelf_done) struct shelf shelf;

	shelf_init(&shelf);
	many(w, 23);
	keep_first(w, &shelf, 3);
	/* From the 15th on, which comes again: 9 of them. */
	expect_by_time(w, &shelf, 2, UP_TO_23);
	assert_non_null(strstr(tiny_got(w->tiny, 5)->path,
			       "q=created_on%3E%3D2026-01-01T00%3A15%3A00"));
	/* All that is kept: what was made since is asked for. */
	expect_by_time(w, &shelf, 1, UP_TO_23);
	expect_by_time(w, &shelf, 0, UP_TO_23);
}

/* The size says far too much: pages beyond the end are not asked for on and on,
 * neither time that one looks for what it promises. */
static void not_far_beyond_the_end(void **state)
{
	struct world *w = *state;
	cleanup(shelf_done) struct shelf shelf;

	shelf_init(&shelf);
	many(w, 7);
	w->size_lies = 300;
	expect_by_time(w, &shelf, ANY, "1 2 3 4 5 6 7");
	assert_in_range(w->asked, 4, 20);
}

/* Some go and some come in between: nothing is missed, nothing comes twice. */
static void by_time_though_it_changed(void **state)
{
	struct world *w = *state;
	cleanup(shelf_done) struct shelf shelf;

	shelf_init(&shelf);
	many(w, 23);
	keep_first(w, &shelf, 3);
	for (unsigned id = 1; id <= 15; id += 2)
		thing(w, id)->gone = true;
	thing(w, 18)->gone = true;
	add(w, 24, "OPEN", 24);
	expect_by_time(w, &shelf, 2,
		       "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 19 20 21 22 "
		       "23 24");
}

/* Broken off again and again: each page once. */
static void by_time_in_steps(void **state)
{
	struct world *w = *state;
	cleanup(shelf_done) struct shelf shelf;

	shelf_init(&shelf);
	many(w, 23);
	keep_first(w, &shelf, 1);
	/* One that is side by side with another that fails may be broken off.
	 */
	for (unsigned i = 0; i < 100 && shelf.n < 5; i++) {
		w->good_pages = 1;
		w->then_status = 403;
		expect_by_time(w, &shelf, ANY, "-13");
		w->status = 0;
		assert_in_range(shelf.n, 1, i + 2);
	}
	/* Up to the 21st; it and those after it. */
	expect_by_time(w, &shelf, 1, UP_TO_23);
}

/* Side by side, the fourth came before the third. */
static void keep_but_third(struct world *w, struct shelf *shelf)
{
	many(w, 23);
	keep_first(w, shelf, 4);
	for (size_t i = 0; i < shelf->n; i++)
		if (strstr(shelf->pages[i].url, "&page=3"))
			shelf_take_away(shelf, i);
	assert_int_equal(shelf->n, 3);
}

static void by_time_with_a_hole(void **state)
{
	struct world *w = *state;
	cleanup(shelf_done) struct shelf shelf;

	shelf_init(&shelf);
	keep_but_third(w, &shelf);
	expect_by_time(w, &shelf, 2, UP_TO_23);
}

/* One that went moved up what follows: the hole's page has what the next began
 * with, so that it is asked for what lies between, two pages. */
static void by_time_with_a_hole_that_shifted(void **state)
{
	static const unsigned ids[] = {3, 13, 17};

	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		struct world *w;
		struct shelf shelf;
		cleanup(buf_done) struct buf want = BUF_INIT(0);

		shelf_init(&shelf);
		tear_down(state);
		set_up(state);
		w = *state;
		keep_but_third(w, &shelf);
		thing(w, ids[i])->gone = true;
		/* The kept pages have what went from them. */
		for (unsigned id = 1; id <= 23; id++)
			if (id != 13 || ids[i] != 13)
				buf_printf(&want, "%s%u", id > 1 ? " " : "",
					   id);
		expect_by_time(w, &shelf, 4, want.data);
		shelf_done(&shelf);
	}
}

/* One went while the pages came that are kept: the second lacks what moved up.
 */
static void by_time_though_it_had_shifted(void **state)
{
	struct world *w = *state;
	cleanup(shelf_done) struct shelf shelf;

	shelf_init(&shelf);
	many(w, 23);
	w->goes_after = 3;
	expect_by_time(w, &shelf, ANY,
		       "1 2 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 "
		       "23");
	expect_by_time(w, &shelf, 4, UP_TO_23);
}

/* There is no going on by time: all of it is asked for. */
static void by_time_where_that_is_refused(void **state)
{
	struct world *w = *state;
	cleanup(shelf_done) struct shelf shelf;

	shelf_init(&shelf);
	many(w, 23);
	keep_first(w, &shelf, 3);
	w->no_q = true;
	thing(w, 2)->gone = true;
	expect_by_time(w, &shelf, 6,
		       "1 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 "
		       "23");
}

/* Many were made in one moment, on both sides of the end of the kept pages. */
static void by_time_with_ties(void **state)
{
	struct world *w = *state;
	cleanup(shelf_done) struct shelf shelf;

	shelf_init(&shelf);
	for (unsigned i = 1; i <= 12; i++)
		add(w, i, "OPEN", 1);
	for (unsigned i = 13; i <= 23; i++)
		add(w, i, "OPEN", i);
	keep_first(w, &shelf, 1);
	expect_by_time(w, &shelf, 5, UP_TO_23);
}

/* One goes while the rest is walked: it is looked for among the rest alone. */
static void by_time_and_missing_one(void **state)
{
	struct world *w = *state;
	cleanup(shelf_done) struct shelf shelf;

	shelf_init(&shelf);
	many(w, 23);
	keep_first(w, &shelf, 2);
	w->goes_after = 11;
	expect_by_time(w, &shelf, 6,
		       "1 2 3 4 5 6 7 8 9 10 11 12 13 14 16 17 18 19 20 21 22 "
		       "23 15");
}

/* The server sorts in another way: by number, then. */
static void not_by_time(void **state)
{
	struct world *w = *state;
	cleanup(shelf_done) struct shelf shelf;

	shelf_init(&shelf);
	many(w, 23);
	for (unsigned id = 1; id <= 23; id++)
		snprintf(thing(w, id)->created + 11, 20, "%02u:%02u:00.1+00:00",
			 23 - id, id);
	w->is_unsorted = true;
	keep_first(w, &shelf, 3);
	expect_by_time(w, &shelf, 2, UP_TO_23);
}

/* ---- the newest first ---- */

static void newest_first_goes_on(void **state)
{
	struct world *w = *state;

	many(w, 23);
	break_off(w, &open_things, READ_THROUGH, 3);
	/* What came since, and the two pages that are left. */
	expect_list(w, &open_things, READ_THROUGH, ALL_23);
	expect_requests(w, 3);
}

static void newest_first_though_it_changed(void **state)
{
	struct world *w = *state;

	many(w, 23);
	break_off(w, &open_things, READ_THROUGH, 3);
	clock_advance(50 * MINUTE);
	thing(w, 20)->gone = true;
	thing(w, 6)->gone = true;
	for (unsigned i = 24; i <= 30; i++)
		add(w, i, "OPEN", i);
	expect_list(w, &open_things, READ_THROUGH,
		    "30 29 28 27 26 25 24 23 22 21 20 19 18 17 16 15 14 13 12 "
		    "11 10 9 8 7 5 4 3 2 1");
	clock_advance(60 * MINUTE);
}

/* Past an hour all of it is asked for. */
static void newest_first_too_old(void **state)
{
	struct world *w = *state;

	many(w, 23);
	break_off(w, &open_things, READ_THROUGH, 3);
	clock_advance(61 * MINUTE);
	expect_list(w, &open_things, READ_THROUGH, ALL_23);
	expect_requests(w, 5);
}

/* What was changed behind the walk is asked for with the next changes. */
static void changed_behind_the_walk(void **state)
{
	struct world *w = *state;

	many(w, 23);
	break_off(w, &dated_things, READ_THROUGH, 3);
	clock_advance(30 * MINUTE);
	/* The page that has it is kept. */
	thing(w, 20)->state = "CLOSED";
	snprintf(thing(w, 20)->updated, 64, "2026-09-21T14:20:00.1+00:00");
	snprintf(thing(w, 3)->updated, 64, "2026-09-21T14:40:00.1+00:00");
	expect_list(w, &dated_things, READ_THROUGH, ALL_23);
	expect_requests(w, 3);
	expect_list(w, &dated_things, READ_REFRESH,
		    "23 22 21 19 18 17 16 15 14 13 12 11 10 9 8 7 6 5 4 3 2 1");
	expect_requests(w, 1);
	/* Once: from then on the newest change is enough. */
	expect_list(w, &dated_things, READ_REFRESH,
		    "23 22 21 19 18 17 16 15 14 13 12 11 10 9 8 7 6 5 4 3 2 1");
	expect_requests(w, 1);
	assert_non_null(strstr(tiny_got(w->tiny, w->asked - 2)->path,
			       "updated_on%3E%3D2026-09-21T14%3A12%3A"));
	assert_non_null(strstr(tiny_got(w->tiny, w->asked - 1)->path,
			       "updated_on%3E%3D2026-09-21T14%3A40%3A"));
}

/* Any list of the API as one file: api/PATH.json. */
static void merged_pages_go_on(void **state)
{
	struct world *w = *state;
	cleanup(ctx_done) struct ctx ctx;
	struct document_file file;
	uint64_t version;

	many(w, 23);
	w->good_pages = 3;
	ctx_init(&ctx, NULL, -1);
	assert_int_equal(
		ASK(w, documents_mirror(&ctx, w->documents, "/things?a=b",
					false, READ_THROUGH, &file)),
		-EIO);
	expect_requests(w, 4);
	w->status = 0;
	clock_advance(2001);
	assert_int_equal(
		ASK(w, documents_mirror(&ctx, w->documents, "/things?a=b",
					false, READ_THROUGH, &file)),
		0);
	expect_requests(w, 2);
	/* It is what it would be if it came at once. */
	version = file.version;
	assert_int_equal(
		ASK(w, documents_mirror(&ctx, w->documents, "/things?a=b",
					false, READ_REFRESH, &file)),
		0);
	expect_requests(w, 5);
	assert_int_equal(file.version, version);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(goes_on_by_number),
		T(refused_by_the_budget),
		T(only_of_what_was_broken_off),
		T(not_when_they_are_old),
		T(numbers_that_shifted),
		T(not_the_only_page),
		T(refused_in_the_middle),
		T(by_time),
		T(not_far_beyond_the_end),
		T(by_time_though_it_changed),
		T(by_time_in_steps),
		T(by_time_with_a_hole),
		T(by_time_with_a_hole_that_shifted),
		T(by_time_though_it_had_shifted),
		T(by_time_where_that_is_refused),
		T(by_time_with_ties),
		T(by_time_and_missing_one),
		T(not_by_time),
		T(newest_first_goes_on),
		T(newest_first_though_it_changed),
		T(newest_first_too_old),
		T(changed_behind_the_walk),
		T(merged_pages_go_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
