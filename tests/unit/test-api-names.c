/* model/dirs/api: names of .bitbucketfs/api/ as paths of the service. */
#include "model-world.h"

#define API ".bitbucketfs/api/"

static char *last_asked(struct world *w)
{
	unsigned n = tiny_n_requests(w->tiny);

	return mem_strdup(n ? tiny_got(w->tiny, n - 1)->path : "");
}

/* Looks the name up; the last path that was asked for. */
static char *asks(struct world *w, const char *name)
{
	(void)world_stat(w, name);
	return last_asked(w);
}

static void directories_cost_nothing(void **state)
{
	struct world *w = *state;

	assert_int_equal(world_stat(w, API "repositories/acme/widgets"), 0);
	expect(world_ls(w, API "repositories/acme"), "");
	assert_int_equal(world_stat(w, API ".git"), -ENOENT);
	assert_int_equal(tiny_n_requests(w->tiny), 0);
}

static void an_ending_asks(void **state)
{
	struct world *w = *state;

	world_says(w, "/repositories/acme", "{\"values\":[1]}");
	expect_in(world_cat(w, API "repositories/acme.json"), "values");
	expect(last_asked(w), "/repositories/acme?pagelen=50");
	/* What is given is not given twice. */
	expect(asks(w, API "repositories/acme.json?pagelen=7"),
	       "/repositories/acme?pagelen=7");
	expect(asks(w, API "repositories/acme.json?sort=-x"),
	       "/repositories/acme?sort=-x&pagelen=50");
	expect(asks(w, API "repositories/acme.txt"), "/repositories/acme");
	assert_int_equal(world_stat(w, API "no/such.json"), -ENOENT);
}

/* What people type is made a URL, what is one stays. */
static void bytes_are_encoded(void **state)
{
	struct world *w = *state;

	expect(asks(w, API "a b/c#d.txt"), "/a%20b/c%23d");
	expect(asks(w, API "a%20b.txt"), "/a%20b");
	expect(asks(w, API "x.txt?q=a+b%2Fc"), "/x?q=a%2Bb%2Fc");
}

/* Nobody climbs out of the API. */
static void dots_ask_nobody(void **state)
{
	static const char *const names[] = {
		API "%2e%2e/x.txt",   API ".%2e.txt",       API "a%2f...txt",
		API "a%2F%2e%2E.txt", API "%2e%2e%2fx.txt", API "..txt",
	};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (world_stat(w, names[i]) != -ENOENT)
			fail_msg("%s is there", names[i]);
	assert_int_equal(tiny_n_requests(w->tiny), 0);
	/* Three of them are no step up. */
	expect(asks(w, API "....txt"), "/...");
}

static void it_is_asked_again(void **state)
{
	struct world *w = *state;

	world_says(w, "/x", "{\"a\":1}");
	expect_in(world_cat(w, API "x.json"), "1");
	world_says(w, "/x", "{\"a\":2}");
	free(world_told(w));
	expect(world_cat(w, ".bitbucketfs/refresh/" API "x.json/.now"),
	       "x.json: updated\n");
	expect(world_told(w), "x.json .now ");
	expect_in(world_cat(w, API "x.json"), "2");
	expect(world_cat(w, ".bitbucketfs/refresh/" API "x.json/.now"),
	       "x.json: unchanged\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(directories_cost_nothing), T(an_ending_asks),
		T(bytes_are_encoded),        T(dots_ask_nobody),
		T(it_is_asked_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
