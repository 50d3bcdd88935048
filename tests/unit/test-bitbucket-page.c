/*
 * api/bitbucket_page: what a page says, and where its list goes on. A table.
 */
#include "api/bitbucket_private.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define API "https://proxy.example:8443/bb/2.0"
#define LIST API "/repositories/acme?sort=created_on&pagelen=100"

static struct bitbucket_page read_page(const char *api, const char *asked,
				       const char *text)
{
	cleanup(json_free) struct json *json = NULL;
	struct bitbucket_page page = {0};

	assert_int_equal(json_parse(text, strlen(text), &json), 0);
	bitbucket_page_read(api, asked, json, &page);
	return page;
}

/* ---- where `next` leads ---- */

#define ON BITBUCKET_GOES_ON
#define ELSEWHERE BITBUCKET_GOES_ELSEWHERE
#define NOWHERE BITBUCKET_GOES_NOWHERE

static const struct {
	const char *next;
	enum bitbucket_goes goes;
	const char *want; /* of ELSEWHERE: the value of `page` */
} links[] = {
	{"https://proxy.example:8443/bb/2.0/a?page=2", ON, API "/a?page=2"},
	/* The service's own names of its host. */
	{"https://api.bitbucket.org/2.0/repositories/acme?page=2", ON,
	 API "/repositories/acme?page=2"},
	{"http://api.bitbucket.org/2.0/a?page=2", ON, API "/a?page=2"},
	{"https://API.Bitbucket.org:443/2.0/a?page=2", ON, API "/a?page=2"},
	{"https://bitbucket.org/!api/2.0/a?page=2", ON, API "/a?page=2"},
	{"https://api.bitbucket.org/2.0?page=2", ON, API "?page=2"},
	/* The proxy's host, as whoever is behind it sees it. */
	{"http://proxy.example/2.0/a?page=2", ON, API "/a?page=2"},
	{"http://proxy.example/bb/2.0/a?page=2", ON, API "/a?page=2"},
	{"http://proxy.example/!api/2.0/a?page=2", ON, API "/a?page=2"},
	{"https://proxy.example:8443/other?page=2", ON,
	 "https://proxy.example:8443/other?page=2"},
	{"https://ada:secret@proxy.example:8443/bb/2.0/a#b", ON, API "/a"},
	/* Relative. */
	{"/bb/2.0/repositories/acme?page=2", ON,
	 API "/repositories/acme?page=2"},
	{"/2.0/repositories/acme?page=2", ON, API "/repositories/acme?page=2"},
	{"?page=2", ON, API "/repositories/acme?page=2"},
	/* Malformed as it was once sent; what no URL has. */
	{API "/a&page=2", ON, API "/a?page=2"},
	{API "/a?q=x >= 1&page=2", ON, API "/a?q=x%20%3E=%201&page=2"},
	{API "/a?q=\xc3\xbc&page=2", ON, API "/a?q=%C3%BC&page=2"},
	/* Another host's. */
	{"https://evil.example/2.0/repositories/acme?page=2", ELSEWHERE, "2"},
	{"https://evil.example/a?pagelen=2&page=8xhd&b=c", ELSEWHERE, "8xhd"},
	{"//evil.example/bb/2.0/a?page=2", ELSEWHERE, "2"},
	{"https://api.bitbucket.org/3.0/a?page=2", ELSEWHERE, "2"},
	{"https://api.bitbucket.org/2.0evil?page=2", ELSEWHERE, "2"},
	{"https://api.bitbucket.org.evil.example/2.0/a?page=2", ELSEWHERE, "2"},
	{"https://api.bitbucket.org@evil.example/2.0/a?page=2", ELSEWHERE, "2"},
	{"http://proxy.example/elsewhere?page=2", ELSEWHERE, "2"},
	{"https://evil.example/", ELSEWHERE, NULL},
	{"https://evil.example/?page=", ELSEWHERE, NULL},
	{"https://evil.example/?homepage=2", ELSEWHERE, NULL},
	{"file:///etc/passwd", ELSEWHERE, NULL},
	{"page 2", ELSEWHERE, NULL},
	{"https://", ELSEWHERE, NULL},
	{"", NOWHERE, NULL},
};

static void where_next_leads(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(links); i++) {
		cleanup(free) char *text = mem_asprintf(
			"{\"values\":[],\"next\":\"%s\"}", links[i].next);
		cleanup(bitbucket_page_done) struct bitbucket_page page =
			read_page(API, LIST, text);
		const char *want = links[i].want;

		if (page.goes != links[i].goes ||
		    (want ? !page.next || strcmp(page.next, want)
			  : page.next != NULL))
			fail_msg("%s: %d %s", links[i].next, page.goes,
				 page.next ? page.next : "NULL");
		if (page.goes == ON)
			assert_true(http_same_origin(page.next, API));
	}
}

/* Of the service itself. */
static void next_without_a_proxy(void **state)
{
	static const char api[] = "https://api.bitbucket.org/2.0";
	cleanup(bitbucket_page_done) struct bitbucket_page page = {0};

	(void)state;
	page = read_page(api, "https://api.bitbucket.org/2.0/a",
			 "{\"next\":\"https://bitbucket.org/!api/2.0/a?page=2"
			 "\"}");
	assert_string_equal(page.next,
			    "https://api.bitbucket.org/2.0/a?page=2");
	bitbucket_page_done(&page);
	page = read_page("http://127.0.0.1:1", "http://127.0.0.1:1/a",
			 "{\"next\":\"http://127.0.0.1:1/a?page=2\"}");
	assert_string_equal(page.next, "http://127.0.0.1:1/a?page=2");
	bitbucket_page_done(&page);
	/* Another port may be another service. */
	page = read_page("http://127.0.0.1:1", "http://127.0.0.1:1/a",
			 "{\"next\":\"http://127.0.0.1:2/a?page=2\"}");
	assert_int_equal(page.goes, ELSEWHERE);
}

/* ---- what is counted ---- */

static const struct {
	const char *text;
	int64_t size, pagelen, number;
	size_t n_values;
} counts[] = {
	{"{\"size\":5,\"page\":1,\"pagelen\":2,\"values\":[1,2]}", 5, 2, 1, 2},
	{"{\"values\":[1,2,3]}", -1, 3, -1, 3},
	{"[1,2,3]", -1, 3, -1, 3},
	{"{}", -1, 0, -1, 0},
	{"{\"size\":-1,\"page\":\"8xhd\",\"pagelen\":0,\"values\":[1]}", -1, 1,
	 -1, 1},
	{"{\"size\":\"5\",\"pagelen\":null,\"values\":null}", -1, 0, -1, 0},
	/* Beyond belief. */
	{"{\"size\":1000000000000,\"values\":[1]}", -1, 1, -1, 1},
	{"{\"size\":100000,\"values\":[1]}", 100000, 1, -1, 1},
	{"{\"size\":1e400,\"pagelen\":1e300,\"values\":[1]}", -1, 1, -1, 1},
};

static void what_is_counted(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		cleanup(bitbucket_page_done) struct bitbucket_page page =
			read_page(API, LIST, counts[i].text);

		if (page.size != counts[i].size ||
		    page.pagelen != counts[i].pagelen ||
		    page.number != counts[i].number ||
		    page.n_values != counts[i].n_values || page.goes != NOWHERE)
			fail_msg("%s: %lld %lld %lld %zu", counts[i].text,
				 (long long)page.size, (long long)page.pagelen,
				 (long long)page.number, page.n_values);
	}
}

/* ---- where the list goes on ---- */

#define END BITBUCKET_TURN_END
#define CUT BITBUCKET_TURN_CUT
#define BY_NEXT BITBUCKET_TURN_NEXT
#define BY_NUMBER BITBUCKET_TURN_NUMBER
#define BY_CODE BITBUCKET_TURN_CODE

static char code[] = "8xhd";
static const struct {
	const char *why;
	struct bitbucket_page page;
	struct bitbucket_walked walked;
	enum bitbucket_paging paging;
	enum bitbucket_turn want;
} turns[] = {
	{"an ordinary page",
	 {5, 2, 1, 2, ON, NULL},
	 {1, 2},
	 BITBUCKET_NEXT,
	 BY_NEXT},
	{"the last page",
	 {5, 2, 3, 1, NOWHERE, NULL},
	 {3, 5},
	 BITBUCKET_NEXT,
	 END},
	{"no next is the end, whatever the size",
	 {9, 2, 1, 2, NOWHERE, NULL},
	 {1, 2},
	 BITBUCKET_NEXT,
	 END},
	{"one answer alone",
	 {9, 2, 1, 2, ON, NULL},
	 {1, 2},
	 BITBUCKET_WHOLE,
	 END},
	{"numbers, where there is no next",
	 {5, 2, 1, 2, NOWHERE, NULL},
	 {1, 2},
	 BITBUCKET_NUMBERED,
	 BY_NUMBER},
	{"as many pages as there are",
	 {5, 2, 3, 1, NOWHERE, NULL},
	 {3, 5},
	 BITBUCKET_NUMBERED,
	 END},
	{"as many pages, of which the account sees less",
	 {5, 2, 3, 1, NOWHERE, NULL},
	 {3, 3},
	 BITBUCKET_NUMBERED,
	 END},
	{"an empty page ends numbers",
	 {9, 2, 2, 0, NOWHERE, NULL},
	 {2, 2},
	 BITBUCKET_NUMBERED,
	 END},
	{"next before numbers",
	 {5, 2, 1, 2, ON, NULL},
	 {1, 2},
	 BITBUCKET_NUMBERED,
	 BY_NEXT},
	{"a size too small, and a full page",
	 {3, 2, 2, 2, NOWHERE, NULL},
	 {2, 4},
	 BITBUCKET_NUMBERED,
	 BY_NUMBER},
	{"a size too small, and a page that is not full",
	 {3, 2, 3, 1, NOWHERE, NULL},
	 {3, 5},
	 BITBUCKET_NUMBERED,
	 END},
	{"no size, no next",
	 {-1, 2, 1, 2, NOWHERE, NULL},
	 {1, 2},
	 BITBUCKET_NUMBERED,
	 END},
	{"numbers that are refused",
	 {5, 2, 1, 2, NOWHERE, NULL},
	 {1, 2, .numbers_refused = true},
	 BITBUCKET_NUMBERED,
	 END},
	{"elsewhere, with a size",
	 {5, 2, 1, 2, ELSEWHERE, code},
	 {1, 2},
	 BITBUCKET_NEXT,
	 BY_NUMBER},
	{"elsewhere, all has come",
	 {2, 2, 1, 2, ELSEWHERE, code},
	 {1, 2},
	 BITBUCKET_NEXT,
	 END},
	{"elsewhere, without a size",
	 {-1, 2, 1, 2, ELSEWHERE, code},
	 {1, 2},
	 BITBUCKET_NEXT,
	 BY_CODE},
	{"elsewhere, numbers are refused",
	 {5, 2, 1, 2, ELSEWHERE, code},
	 {1, 2, .numbers_refused = true},
	 BITBUCKET_NEXT,
	 BY_CODE},
	{"elsewhere, all is refused",
	 {5, 2, 1, 2, ELSEWHERE, code},
	 {1, 2, .numbers_refused = true, .codes_refused = true},
	 BITBUCKET_NEXT,
	 CUT},
	{"elsewhere, nothing to go by",
	 {-1, 2, 1, 2, ELSEWHERE, NULL},
	 {1, 2},
	 BITBUCKET_NEXT,
	 CUT},
	{"an empty page with a next",
	 {-1, 2, 1, 0, ON, NULL},
	 {100, 2, .n_empty = 99},
	 BITBUCKET_NEXT,
	 BY_NEXT},
	{"nothing but empty pages",
	 {-1, 2, 1, 0, ON, NULL},
	 {300, 2, .n_empty = 299},
	 BITBUCKET_NEXT,
	 CUT},
	{"nothing that is new",
	 {-1, 2, 1, 2, ON, NULL},
	 {30, 2, .n_idle = 29},
	 BITBUCKET_NEXT,
	 CUT},
};

static void where_it_goes_on(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(turns); i++) {
		enum bitbucket_turn turn = bitbucket_turn(
			&turns[i].page, &turns[i].walked, turns[i].paging);

		if (turn != turns[i].want)
			fail_msg("%s: %d", turns[i].why, turn);
	}
}

static void urls(void **state)
{
	static const struct {
		const char *url, *want;
	} all[] = {
		{"/a", "/a?page=7"},
		{"/a?b=c", "/a?b=c&page=7"},
		{"/a?page=2&b=c", "/a?b=c&page=7"},
		{"/a?b=c&page=2", "/a?b=c&page=7"},
		{"/a?page=2", "/a?page=7"},
		{"/a?pagelen=2", "/a?pagelen=2&page=7"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		cleanup(free) char *url = bitbucket_numbered_url(all[i].url, 7);

		assert_string_equal(url, all[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(where_next_leads),
		cmocka_unit_test(next_without_a_proxy),
		cmocka_unit_test(what_is_counted),
		cmocka_unit_test(where_it_goes_on),
		cmocka_unit_test(urls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
