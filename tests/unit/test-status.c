/* model/dirs/status: what .bitbucketfs/status and status.json say. */
#include "model-world.h"

#include "model/dirs/status.h"

#include "base/json.h"

static char *text(struct world *w)
{
	struct buf out = BUF_INIT(0);

	status_text(w->model, &out);
	return buf_steal(&out, NULL);
}

static struct json *json(struct world *w)
{
	return status_json(w->model);
}

static void of_a_mount_that_did_nothing(void **state)
{
	struct world *w = *state;
	cleanup(free) char *head =
		mem_asprintf("bitbucketfs: " VERSION "\n"
			     "account: ada@example.com\n"
			     "service: https://api.example.com/2.0\n"
			     "git: %s\n"
			     "mounted: /mnt since 2026-09-21T14:13:20Z\n"
			     "cache: /cache, 0 documents, ",
			     w->tiny->url);
	struct json *o = json(w);

	expect_in(text(w), head);
	expect_in(text(w), "\nproblems: none\n");
	assert_string_equal(json_str(o, "account"), "ada@example.com");
	assert_string_equal(json_str(o, "mounted"), "2026-09-21T14:13:20Z");
	assert_false(json_bool(o, "network.offline", true));
	assert_null(json_str(o, "network.last_ok"));
	assert_int_equal(json_int(o, "cache.documents", -1), 0);
	json_free(o);
}

/* Equal states are equal bytes: no clock that always runs is shown. */
static void no_clock_runs(void **state)
{
	struct world *w = *state;
	char *before;

	expect_in(world_ls(w, "acme"), "widgets");
	before = text(w);
	clock_advance(3000);
	expect(text(w), before);
	free(before);
}

static void what_is_kept_is_counted(void **state)
{
	struct world *w = *state;
	struct json *o;

	expect_in(world_ls(w, "acme"), "widgets");
	o = json(w);
	assert_true(json_int(o, "cache.documents", -1) > 0);
	assert_true(json_int(o, "cache.bytes", -1) > 0);
	assert_non_null(json_str(o, "network.last_ok"));
	json_free(o);
}

static void a_failure_is_told_until_it_is_mended(void **state)
{
	struct world *w = *state;
	struct json *o;

	world_refuses(w, "/repositories/acme", 500);
	expect(world_ls(w, "acme"), "-5");
	expect_in(text(w), "last failure: 2026-09-21T14:13:20Z, EIO: ");
	o = json(w);
	assert_non_null(json_str(o, "network.last_failure"));
	assert_non_null(strstr(json_str(o, "network.last_sentence"), "500"));
	json_free(o);
}

/* A name or a sentence of the service moves no terminal. */
static void control_bytes_are_written_out(void **state)
{
	struct world *w = *state;
	cleanup(free) char *is = NULL;

	model_say(w->model, "acme/\x1b[2J", EIO, "evil\x07");
	is = text(w);
	assert_null(strchr(is, '\x1b'));
	assert_null(strchr(is, '\x07'));
	assert_non_null(strstr(is, "evil"));
}

static void the_newest_ten_problems(void **state)
{
	struct world *w = *state;
	cleanup(free) char *is = NULL;
	char path[32], sentence[32];

	for (unsigned i = 0; i < 12; i++) {
		snprintf(path, sizeof(path), "path-%u", i);
		snprintf(sentence, sizeof(sentence), "%c broke", 'a' + i);
		model_say(w->model, path, EIO, sentence);
	}
	is = text(w);
	assert_non_null(strstr(is, "problems:\n"));
	assert_null(strstr(is, "path-1\t"));
	assert_non_null(strstr(is, "path-2\t"));
	assert_non_null(strstr(is, "path-11\t"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(of_a_mount_that_did_nothing),
		T(no_clock_runs),
		T(what_is_kept_is_counted),
		T(a_failure_is_told_until_it_is_mended),
		T(control_bytes_are_written_out),
		T(the_newest_ten_problems),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
