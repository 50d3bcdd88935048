/*
 * api/bitbucket_names: workspaces are asked for by uuid, and by slug where a
 * server knows no uuids, but never for another workspace of that name.
 */
#include "api/bitbucket.h"

#include "tiny-server.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define UUID "{ab-12}"
#define BY_UUID "/2.0/workspaces/%7Bab-12%7D"
#define BY_SLUG "/2.0/workspaces/acme"

struct world {
	struct tiny *tiny;
	struct http *http;
	struct budget *budget;
	struct credential *credential;
	struct bitbucket *bitbucket;
	/* The server. */
	bool knows_uuids;
	const char *acme; /* the uuid of the workspace that is called so */
	unsigned n_asked; /* requests that were looked at */
};

static bool serve(struct tiny_connection *c, const struct tiny_request *request,
		  void *arg)
{
	struct world *w = arg;
	bool by_uuid = !strncmp(request->path, BY_UUID, strlen(BY_UUID));
	bool known =
		by_uuid ? w->knows_uuids
			: !strncmp(request->path, BY_SLUG, strlen(BY_SLUG));
	cleanup(free) char *body =
		mem_asprintf("{\"uuid\":\"%s\"}", by_uuid ? UUID : w->acme);
	cleanup(free) char *text = mem_asprintf(
		"HTTP/1.1 %s\r\nContent-Type: application/json\r\n"
		"Content-Length: %zu\r\n\r\n%s",
		known ? "200 OK" : "404 Not Found", strlen(body), body);

	tiny_say(c, text);
	return true;
}

static int set_up(void **state)
{
	struct world *w = mem_calloc(1, sizeof(*w));
	const struct http_config config = {.user_agent = "test"};
	cleanup(free) char *url = NULL;
	const char *why;

	w->acme = UUID;
	w->tiny = tiny_new(serve, w);
	url = mem_asprintf("%s/2.0", w->tiny->url);
	assert_int_equal(http_new(&config, &w->http), 0);
	w->budget = budget_new(NULL);
	assert_int_equal(credential_new(NULL, NULL, NULL, &w->credential, &why),
			 0);
	assert_int_equal(bitbucket_new(url, w->credential, w->http, w->budget,
				       &w->bitbucket),
			 0);
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	bitbucket_free(w->bitbucket);
	http_free(w->http);
	tiny_free(w->tiny);
	budget_free(w->budget);
	credential_free(w->credential);
	free(w);
	return 0;
}

static int get(struct world *w, const char *path)
{
	cleanup(ctx_done) struct ctx ctx;
	cleanup(bitbucket_reply_done) struct bitbucket_reply reply = {0};

	ctx_init(&ctx, NULL, 60000);
	return bitbucket_get(&ctx, w->bitbucket, path, NULL, &reply);
}

/* Since the last time exactly these came, NULL: only the first. */
static void assert_asked(struct world *w, const char *first, const char *then)
{
	assert_int_equal(tiny_n_requests(w->tiny), w->n_asked + 1 + !!then);
	assert_string_equal(tiny_got(w->tiny, w->n_asked++)->path, first);
	if (then)
		assert_string_equal(tiny_got(w->tiny, w->n_asked++)->path,
				    then);
}

static int get_workspace(struct world *w)
{
	return get(w, "/workspaces/%7Bab-12%7D?x=1");
}

static void a_uuid_that_is_taken_is_the_last_word(void **state)
{
	struct world *w = *state;

	w->knows_uuids = true;
	bitbucket_name_workspace(w->bitbucket, UUID, "acme");
	assert_false(bitbucket_takes_uuids(w->bitbucket));
	assert_int_equal(get_workspace(w), 0);
	assert_asked(w, BY_UUID "?x=1", NULL);
	assert_true(bitbucket_takes_uuids(w->bitbucket));
	/* It is gone: whoever is called so now is not asked for. */
	w->knows_uuids = false;
	assert_int_equal(get_workspace(w), -ENOENT);
	assert_asked(w, BY_UUID "?x=1", NULL);
}

static void a_server_without_uuids_is_asked_by_slug(void **state)
{
	struct world *w = *state;

	bitbucket_name_workspace(w->bitbucket, UUID, "acme");
	assert_int_equal(get_workspace(w), 0);
	assert_asked(w, BY_UUID "?x=1", BY_SLUG "?x=1");
	assert_false(bitbucket_takes_uuids(w->bitbucket));
	/* From now on at once. */
	assert_int_equal(get_workspace(w), 0);
	assert_asked(w, BY_SLUG "?x=1", NULL);
	/* By the name of now. */
	bitbucket_name_workspace(w->bitbucket, UUID, "renamed");
	assert_int_equal(get_workspace(w), -ENOENT);
	assert_asked(w, "/2.0/workspaces/renamed?x=1", NULL);
}

static void another_workspace_of_that_name_is_not_it(void **state)
{
	struct world *w = *state;

	w->acme = "{ff-99}";
	bitbucket_name_workspace(w->bitbucket, UUID, "acme");
	assert_int_equal(get_workspace(w), -ENOENT);
	assert_asked(w, BY_UUID "?x=1", BY_SLUG "?x=1");
	/* So nothing is known of what the server takes. */
	w->knows_uuids = true;
	assert_int_equal(get_workspace(w), 0);
	assert_asked(w, BY_UUID "?x=1", NULL);
	assert_true(bitbucket_takes_uuids(w->bitbucket));
}

static void without_a_name_there_is_only_the_uuid(void **state)
{
	struct world *w = *state;

	assert_int_equal(get_workspace(w), -ENOENT);
	assert_asked(w, BY_UUID "?x=1", NULL);
	/* No uuid, no slug: nothing that could be put in its place. */
	bitbucket_name_workspace(w->bitbucket, "acme", "acme");
	bitbucket_name_workspace(w->bitbucket, UUID, "");
	assert_int_equal(get_workspace(w), -ENOENT);
	assert_asked(w, BY_UUID "?x=1", NULL);
	/* The uuid of something else. */
	bitbucket_name_workspace(w->bitbucket, UUID, "acme");
	assert_int_equal(get(w, "/users/%7Bab-12%7D"), -ENOENT);
	assert_asked(w, "/2.0/users/%7Bab-12%7D", NULL);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_uuid_that_is_taken_is_the_last_word),
		T(a_server_without_uuids_is_asked_by_slug),
		T(another_workspace_of_that_name_is_not_it),
		T(without_a_name_there_is_only_the_uuid),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
