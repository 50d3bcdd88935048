/*
 * What a webhook's payload names, and whose it is.
 */
#include "table/webhook.h"

#include "cmd/webhook.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define OID "0123456789012345678901234567890123456789"
#define REPOSITORY \
	"\"repository\":{\"full_name\":\"acme/widgets\",\"uuid\":\"{w}\"}"
#define REF(type, name) "{\"type\":\"" type "\",\"name\":\"" name "\"}"
#define PUSH(changes) "{\"push\":{\"changes\":[" changes "]}," REPOSITORY "}"
#define PULL(more) "{\"pullrequest\":{\"id\":12" more "}," REPOSITORY "}"

/* "event: ask a, outdated b", or "-ERRNO". */
static char *read_places(const char *text, const char *event)
{
	cleanup(webhook_done) struct webhook w = {0};
	cleanup(json_free) struct json *json = NULL;
	struct buf out = BUF_INIT(0);
	int r = json_parse(text, strlen(text), &json);

	if (r == 0)
		r = webhook_read(json, event, &w);
	if (r < 0) {
		buf_printf(&out, "%d", r);
		return buf_steal(&out, NULL);
	}
	buf_printf(&out, "%s%s:", r ? "?" : "", w.event ? w.event : "");
	for (size_t i = 0; i < w.n_places; i++)
		buf_printf(&out, "%s %s%s", i ? "," : "",
			   w.places[i].how == WEBHOOK_ASK ? "" : "~",
			   w.places[i].path);
	return buf_steal(&out, NULL);
}

static void places(void **state)
{
	static const char *const cases[][3] = {
		{PUSH("{\"old\":" REF("branch", "main") ",\"new\":" REF(
			 "branch", "main") "}"),
		 NULL, "repo:push: branches/main, ~branches, ~commits"},
		{PUSH("{\"old\":" REF("branch", "f/x") ",\"new\":" REF(
			 "branch", "f/x") "}"),
		 "repo:push", "repo:push: branches/f/x, ~branches, ~commits"},
		{PUSH("{\"old\":null,\"new\":" REF("branch", "x") "}"), NULL,
		 "repo:push: branches, ~branches, ~commits"},
		{PUSH("{\"old\":" REF("branch", "x") ",\"new\":null}"), NULL,
		 "repo:push: branches, ~branches, ~commits"},
		{PUSH("{\"new\":" REF("annotated_tag",
				      "v1") "},{\"new\":" REF("tag", "v2") "}"),
		 NULL, "repo:push: tags, ~tags"},
		{PUSH("{\"old\":" REF("branch", "..") ",\"new\":" REF(
			 "branch", "..") "}"),
		 NULL, "repo:push: branches/%2E., ~branches, ~commits"},
		{PUSH("{\"old\":" REF("branch", "index.tsv") ",\"new\":" REF(
			 "branch", "index.tsv") "}"),
		 NULL, "repo:push: branches/%69ndex.tsv, ~branches, ~commits"},
		{PUSH(""), NULL, "repo:push:"},
		{PULL(""), NULL,
		 "pullrequest:updated: pullrequests/12, ~pullrequests, "
		 "~pullrequests/12/activity, ~pullrequests/12/changes, "
		 "~pullrequests/12/commits, ~pullrequests/12/conflicts, "
		 "~pullrequests/12/statuses, ~pullrequests/12/tasks"},
		{PULL(",\"state\":\"MERGED\""), "pullrequest:approved",
		 "pullrequest:approved: pullrequests/12, ~pullrequests, "
		 "~pullrequests/merged, ~pullrequests/12/activity"},
		{"{\"comment\":{\"id\":1},\"pullrequest\":{\"id\":12}"
		 "," REPOSITORY "}",
		 NULL,
		 "pullrequest:comment_created: pullrequests/12, ~pullrequests, "
		 "~pullrequests/12/activity, ~pullrequests/12/comments, "
		 "~pullrequests/12/tasks"},
		{"{\"comment\":{\"id\":1},\"commit\":{\"hash\":\"" OID
		 "\"}," REPOSITORY "}",
		 NULL,
		 "repo:commit_comment_created: ~commits/" OID "/comments"},
		{"{\"commit_status\":{\"url\":\"https://b/addon/pipelines/"
		 "home#!/results/4\",\"commit\":{\"hash\":\"" OID
		 "\"}}," REPOSITORY "}",
		 NULL,
		 "repo:commit_status_updated: ~commits/" OID "/statuses, "
		 "~pipelines, ~pipelines/4/steps"},
		{"{\"changes\":{}," REPOSITORY "}", NULL,
		 "repo:updated: , ~.."},
		{"{" REPOSITORY "}", "repo:transfer", "repo:transfer: , ~.."},
		{"{" REPOSITORY "}", "repo:deleted", "repo:deleted: .."},
		{"{\"fork\":{}," REPOSITORY "}", NULL,
		 "repo:fork: ~network/forks"},
		{"{" REPOSITORY "}", "pipeline:span_created",
		 "pipeline:span_created: ~pipelines"},
		/* Unknown: whatever it has. */
		{"{" REPOSITORY "}", NULL, "?:"},
		{"{}", "something:new", "?something:new:"},
		{"{" REPOSITORY "}", "pullrequest:", "?pullrequest::"},
		/* No payload of that event. */
		{"{}", "repo:push", "-74"},
		{"[]", NULL, "-74"},
		{"7", "repo:push", "-74"},
		{PUSH("{}"), NULL, "-74"},
		{"{\"push\":{\"changes\":{}}," REPOSITORY "}", NULL, "-74"},
		{"{\"pullrequest\":{\"id\":0}," REPOSITORY "}", NULL, "-74"},
		{"{\"commit_status\":{\"commit\":{\"hash\":\"../"
		 "x\"}}," REPOSITORY "}",
		 NULL, "-74"},
		{"{\"push\":{\"changes\":[]},\"repository\":{\"full_name\":"
		 "\"acme/../x\"}}",
		 NULL, "-74"},
		{"{\"push\":{\"changes\":[]},\"repository\":{\"full_name\":"
		 "\"acme\"}}",
		 NULL, "-74"},
	};

	(void)state;
	assert_int_equal(EBADMSG, 74);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cleanup(free) char *is = read_places(cases[i][0], cases[i][1]);

		assert_string_equal(is, cases[i][2]);
	}
}

/* A push of many refs is a few questions. */
static void many_refs(void **state)
{
	cleanup(buf_done) struct buf text = BUF_INIT(0);
	cleanup(webhook_done) struct webhook w = {0};
	cleanup(json_free) struct json *json = NULL;

	(void)state;
	buf_puts(&text, "{\"push\":{\"changes\":[");
	for (unsigned i = 0; i < 1000; i++)
		buf_printf(&text,
			   "%s{\"old\":{\"name\":\"b%u\"},"
			   "\"new\":{\"name\":\"b%u\"}}",
			   i ? "," : "", i, i);
	buf_puts(&text, "]}," REPOSITORY "}");
	assert_int_equal(json_parse(text.data, text.len, &json), 0);
	assert_int_equal(webhook_read(json, NULL, &w), 0);
	assert_int_equal(w.n_places, 13);
}

/* Whatever is cut off or changed in a payload, it is read or refused. */
static void mutations(void **state)
{
	static const char payload[] =
		PUSH("{\"old\":null,\"new\":" REF("branch", "f/x") "}");

	(void)state;
	for (size_t i = 0; i < sizeof(payload) - 1; i++) {
		cleanup(free) char *text = mem_strdup(payload);

		for (const char *c = "\"{}[],:0 \\/"; *c; c++) {
			cleanup(free) char *is = NULL;

			text[i] = *c;
			is = read_places(text, NULL);
			assert_true(is[0] == '-' || strchr(is, ':'));
		}
		text[i] = '\0';
		free(read_places(text, "repo:push"));
	}
}

static void signatures(void **state)
{
	/* Made by openssl dgst -sha256 -hmac secret. */
	static const char good[] = "sha256=88aab3ede8d3adf94d26ab90d3bafd4a2083"
				   "070c3bcce9c014ee04a443847c0b";
	cleanup(free) char *text = mem_strdup(good);

	(void)state;
	assert_int_equal(webhook_check(good, "secret", 6, "hello", 5), 0);
	assert_int_equal(webhook_check(good, "secret", 6, "hellO", 5), -EPERM);
	assert_int_equal(webhook_check(good, "secre", 5, "hello", 5), -EPERM);
	assert_int_equal(webhook_check(NULL, "secret", 6, "hello", 5),
			 -EBADMSG);
	assert_int_equal(webhook_check("sha256=", "secret", 6, "hello", 5),
			 -EBADMSG);
	for (size_t i = 0; i < sizeof(good) - 1; i++) {
		text[i] ^= 1;
		assert_true(webhook_check(text, "secret", 6, "hello", 5) < 0);
		text[i] ^= 1;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(places),
		cmocka_unit_test(many_refs),
		cmocka_unit_test(mutations),
		cmocka_unit_test(signatures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
