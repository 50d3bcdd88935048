/*
 * content/documents, lists that are broken off: the pages that came are kept,
 * and whoever looks again goes on from there; each page is asked for once.
 */
#include "documents-world.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(goes_on_by_number),     T(only_of_what_was_broken_off),
		T(not_when_they_are_old), T(numbers_that_shifted),
		T(not_the_only_page),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
