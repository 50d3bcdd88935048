/*
 * content/documents: lists whole while items come and go, their files, their
 * items, what is remembered of a refusal, and one request for what changed.
 */
#include "documents-world.h"

static void many(struct world *w, unsigned n)
{
	for (unsigned i = 1; i <= n; i++)
		add(w, i, "OPEN", i);
}

/* ---- lists ---- */

static void newest_are_first(void **state)
{
	struct world *w = *state;

	expect_list(w, &open_things, READ_THROUGH, "");
	expect_requests(w, 1);
	many(w, 12);
	add(w, 13, "CLOSED", 3);
	expect_list(w, &open_things, READ_ANEW, "12 11 10 9 8 7 6 5 4 3 2 1");
	expect_requests(w, 3);
	expect_list(w, &open_things, READ_THROUGH,
		    "12 11 10 9 8 7 6 5 4 3 2 1");
	expect_requests(w, 0);
}

static void exact_pages(void **state)
{
	struct world *w = *state;

	many(w, 10);
	expect_list(w, &open_things, READ_THROUGH, "10 9 8 7 6 5 4 3 2 1");
	expect_requests(w, 2);
}

/* Made in the same moment, on both sides of a page's end. */
static void ties_at_a_page_end(void **state)
{
	struct world *w = *state;

	for (unsigned i = 1; i <= 4; i++)
		add(w, i, "OPEN", 9);
	add(w, 5, "OPEN", 1);
	for (unsigned i = 6; i <= 8; i++)
		add(w, i, "OPEN", 20);
	expect_list(w, &open_things, READ_THROUGH, "6 7 8 1 2 3 4 5");
	/* One page that lacked some, asked for again with that moment. */
	expect_requests(w, 3);
}

static void more_in_a_moment_than_a_page(void **state)
{
	struct world *w = *state;

	for (unsigned i = 1; i <= 7; i++)
		add(w, i, "OPEN", 9);
	add(w, 8, "OPEN", 1);
	/* Not to be told apart by time: by `next`, from there on. */
	expect_list(w, &open_things, READ_THROUGH, "1 2 3 4 5 6 7 8");
	w->sizeless = true;
	expect_list(w, &open_things, READ_ANEW, "1 2 3 4 5 6 7 8");
}

static void one_goes_while_pages_are_walked(void **state)
{
	struct world *w = *state;

	many(w, 12);
	w->goes_after = 11;
	expect_list(w, &open_things, READ_THROUGH,
		    "12 11 10 9 8 7 6 5 4 3 2 1");
	thing(w, 11)->gone = false;
	w->goes_after = 3;
	expect_list(w, &open_things, READ_ANEW, "12 11 10 9 8 7 6 5 4 2 1");
}

static void pages_without_next(void **state)
{
	struct world *w = *state;

	many(w, 12);
	/* By number: one that goes moves the others up, and one is missed; it
	 * is looked for. */
	w->goes_after = 12;
	expect_list(w, &numbered_things, READ_THROUGH,
		    "12 11 10 9 8 6 5 4 3 2 1 7");
}

static void without_sizes(void **state)
{
	struct world *w = *state;

	many(w, 12);
	w->sizeless = true;
	expect_list(w, &open_things, READ_THROUGH,
		    "12 11 10 9 8 7 6 5 4 3 2 1");
	/* Each page once. */
	expect_requests(w, 3);
}

/* Whole seconds, as of what was imported: the moment is included. */
static void ties_without_sizes(void **state)
{
	struct world *w = *state;

	for (unsigned i = 1; i <= 12; i++)
		add(w, i, "OPEN", 20 - i / 3);
	for (unsigned i = 1; i <= 12; i++)
		memcpy(strchr(thing(w, i)->created, '.'), "+00:00", 7);
	w->sizeless = true;
	expect_list(w, &open_things, READ_THROUGH,
		    "1 2 3 4 5 6 7 8 9 10 11 12");
	expect_requests(w, 4);
}

static void sizes_that_lie(void **state)
{
	struct world *w = *state;

	many(w, 7);
	w->size_lies = -100;
	expect_list(w, &open_things, READ_THROUGH, "7 6 5 4 3 2 1");
	expect_list(w, &numbered_things, READ_ANEW, "7 6 5 4 3 2 1");
	w->size_lies = 100;
	expect_list(w, &numbered_things, READ_ANEW, "7 6 5 4 3 2 1");
	assert_in_range(tiny_n_requests(w->tiny), 1, 20);
}

/* A `next` that was asked for is none: the count leads on. */
static void a_list_in_circles(void **state)
{
	struct world *w = *state;

	many(w, 12);
	w->in_circles = true;
	expect_list(w, &numbered_things, READ_THROUGH,
		    "12 11 10 9 8 7 6 5 4 3 2 1");
	expect_requests(w, 3);
}

/* Looked for once, and again when the count is another one. */
static void a_count_that_is_too_large(void **state)
{
	struct world *w = *state;

	many(w, 7);
	w->size_lies = 1;
	expect_list(w, &numbered_things, READ_THROUGH, "7 6 5 4 3 2 1");
	expect_requests(w, 4);
	expect_said(w, "acme EBADMSG Bitbucket says that there are 8 and lists "
		       "7,");
	expect_list(w, &numbered_things, READ_ANEW, "7 6 5 4 3 2 1");
	expect_requests(w, 2);
	expect_said(w, "");
	thing(w, 3)->gone = true;
	expect_list(w, &numbered_things, READ_ANEW, "7 6 5 4 2 1");
	expect_requests(w, 4);
	expect_said(w, "");
	w->size_lies = 0;
	expect_list(w, &numbered_things, READ_ANEW, "7 6 5 4 2 1");
	expect_requests(w, 2);
	/* Of the newest first each page is walked once. */
	w->size_lies = 30;
	expect_list(w, &open_things, READ_ANEW, "7 6 5 4 2 1");
	expect_requests(w, 2);
	expect_said(w, "acme EBADMSG Bitbucket says that there are 36 and "
		       "lists 6,");
}

/* In the cache: the next mount knows. */
static void a_page_length_that_is_refused(void **state)
{
	struct world *w = *state;

	many(w, 7);
	w->no_pagelen = true;
	expect_list(w, &long_things, READ_THROUGH, "7 6 5 4 3 2 1");
	expect_requests(w, 3);
	assert_string_equal(tiny_got(w->tiny, 1)->path, "/things?a=b");
	remount(w);
	expect_list(w, &long_things, READ_ANEW, "7 6 5 4 3 2 1");
	expect_requests(w, 2);
}

/* An error is never an empty directory. */
static void entries_that_are_no_objects(void **state)
{
	struct world *w = *state;

	many(w, 3);
	expect_list(w, &numbered_things, READ_THROUGH, "3 2 1");
	w->odd = true;
	expect_list(w, &numbered_things, READ_ANEW, "-5");
	expect_list(w, &open_things, READ_ANEW, "-5");
	expect_list(w, &numbered_things, READ_THROUGH, "3 2 1");
}

static void more_of_a_history_that_cannot_be_had(void **state)
{
	struct world *w = *state;
	const struct documents_config config = {
		.bitbucket = w->bitbucket,
		.source = w->source,
		.cache = w->cache,
		.history = 50,
	};

	for (unsigned i = 1; i <= 13; i++)
		add(w, i, "CLOSED", i);
	expect_list(w, &closed_things, READ_THROUGH,
		    "13 12 11 10 9 8 7 6 5 4 3 2");
	documents_free(w->documents);
	w->documents = documents_new(&config);
	w->status = 400;
	w->asked = tiny_n_requests(w->tiny);
	for (unsigned i = 0; i < 5; i++)
		expect_list(w, &closed_things, READ_THROUGH,
			    "13 12 11 10 9 8 7 6 5 4 3 2");
	expect_requests(w, 1);
	w->status = 0;
	clock_advance(2 * MINUTE);
	expect_list(w, &closed_things, READ_THROUGH,
		    "13 12 11 10 9 8 7 6 5 4 3 2 1");
}

static void a_history_is_bounded(void **state)
{
	struct world *w = *state;
	struct document_file file;

	for (unsigned i = 1; i <= 12; i++)
		add(w, i, "CLOSED", i);
	expect_list(w, &closed_things, READ_THROUGH,
		    "12 11 10 9 8 7 6 5 4 3 2 1");
	assert_int_equal(documents_file(w->documents, w->scope, "more", &file),
			 -ENOENT);
	add(w, 13, "CLOSED", 13);
	w->asked = tiny_n_requests(w->tiny);
	expect_list(w, &closed_things, READ_ANEW,
		    "13 12 11 10 9 8 7 6 5 4 3 2");
	expect_requests(w, 3);
	assert_int_equal(documents_file(w->documents, w->scope, "more", &file),
			 0);
	assert_true(file.size > 50);
}

/* A list is not refused because an index has no room for all of it. */
static void what_an_index_has_no_room_for(void **state)
{
	struct world *w = *state;
	const struct documents_config config = {
		.bitbucket = w->bitbucket,
		.source = w->source,
		.cache = w->cache,
		.index_bytes = 700,
		.say = say,
		.say_arg = w,
	};
	cleanup(blob_unref) struct blob *body = NULL;
	struct document_file file;

	documents_free(w->documents);
	w->documents = documents_new(&config);
	for (unsigned i = 1; i <= 23; i++)
		add(w, i, "OPEN", i);
	w->asked = tiny_n_requests(w->tiny);
	expect_list(w, &dated_things, READ_THROUGH, "23 22 21");
	expect_requests(w, 1);
	expect_said(w, "acme EFBIG The list is too long for an index of 0 MiB: "
		       "the first 3 are shown.");
	assert_int_equal(documents_file(w->documents, w->scope, "more", &file),
			 0);
	assert_int_equal(documents_version(w->documents, file.version, &body),
			 0);
	assert_memory_equal(blob_data(body), "These are the first 3;", 22);
	assert_int_equal(
		documents_file(w->documents, w->scope, "index.json", &file), 0);
	assert_true(file.size <= 700);
	/* With what changed, by one request: the newest are first. */
	memcpy(thing(w, 2)->updated, "2026-02-01", 10);
	add(w, 24, "OPEN", 24);
	memcpy(thing(w, 24)->updated, "2026-02-02", 10);
	expect_list(w, &dated_things, READ_REFRESH, "24 23 22");
	expect_requests(w, 1);
	/* There is room again, for what only a walk brings: there is more. */
	thing(w, 24)->state = thing(w, 23)->state = "CLOSED";
	memcpy(thing(w, 24)->updated, "2026-02-03", 10);
	memcpy(thing(w, 23)->updated, "2026-02-03", 10);
	expect_list(w, &dated_things, READ_REFRESH, "22");
	expect_requests(w, 1);
	assert_int_equal(documents_file(w->documents, w->scope, "more", &file),
			 0);
}

/* ---- names ---- */

static const char *name_of(struct world *w, const char *title)
{
	static char name[300];
	cleanup(collection_unref) struct collection *c = NULL;
	cleanup(ctx_done) struct ctx ctx;
	struct answer_age age;

	w->name = title;
	ctx_init(&ctx, NULL, -1);
	assert_int_equal(
		ASK(w, documents_collection(&ctx, w->documents, &open_things,
					    w->scope, READ_ANEW, &c, &age)),
		0);
	assert_int_equal(c->n_items, 1);
	snprintf(name, sizeof(name), "%s", c->items[0].name);
	return name;
}

static void names_are_safe(void **state)
{
	struct world *w = *state;

	add(w, 1, "OPEN", 1);
	assert_string_equal(name_of(w, "plain"), "plain");
	assert_string_equal(name_of(w, "a/b"), "a%2Fb");
	assert_string_equal(name_of(w, ".."), "%2E.");
	assert_string_equal(name_of(w, ""), "%");
	assert_string_equal(name_of(w, "index.tsv"), "%69ndex.tsv");
	assert_string_equal(name_of(w, "index.json"), "%69ndex.json");
	assert_string_equal(name_of(w, "more"), "%6Dore");
}

static void equal_names_are_told_apart(void **state)
{
	struct world *w = *state;
	cleanup(collection_unref) struct collection *c = NULL;
	cleanup(ctx_done) struct ctx ctx;
	struct answer_age age;

	many(w, 3);
	w->name = "same";
	ctx_init(&ctx, NULL, -1);
	assert_int_equal(
		ASK(w, documents_collection(&ctx, w->documents, &open_things,
					    w->scope, READ_THROUGH, &c, &age)),
		0);
	assert_int_equal(c->n_items, 3);
	assert_non_null(collection_find(c, "same"));
	assert_string_equal(collection_find(c, "same")->id, "3");
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(strlen(c->items[i].name), i == 0 ? 4 : 13);
		assert_ptr_equal(collection_find(c, c->items[i].name),
				 &c->items[i]);
		assert_ptr_equal(collection_find_id(c, c->items[i].id),
				 &c->items[i]);
	}
}

/* ---- items ---- */

static uint64_t n_stored(struct world *w)
{
	struct cache_stats stats;

	assert_int_equal(cache_stats(w->cache, &stats), 0);
	return stats.n_bytes;
}

static void items_cost_nothing_after_their_list(void **state)
{
	struct world *w = *state;
	uint64_t n;

	many(w, 12);
	expect_list(w, &open_things, READ_THROUGH,
		    "12 11 10 9 8 7 6 5 4 3 2 1");
	expect_requests(w, 3);
	n = n_stored(w);
	for (unsigned i = 1; i <= 12; i++) {
		char id[8], word[16];

		snprintf(id, sizeof(id), "%u", i);
		snprintf(word, sizeof(word), "\"thing %u\"", i);
		expect_item(w, &open_things, id, READ_THROUGH, 0, word);
		expect_item(w, &open_things, id, READ_CACHED, 0, word);
	}
	expect_requests(w, 0);
	/* The times of their files came with the list: nothing is written. */
	assert_int_equal(n_stored(w), n);
	/* All of them outdated: the list's pages, once. */
	clock_advance(15 * MINUTE);
	for (unsigned i = 1; i <= 12; i++) {
		char id[8];

		snprintf(id, sizeof(id), "%u", i);
		expect_item(w, &open_things, id, READ_THROUGH, 0, "thing");
	}
	expect_requests(w, 0); /* good enough for its own lifetime */
	clock_advance(15 * MINUTE);
	for (unsigned i = 1; i <= 12; i++) {
		char id[8];

		snprintf(id, sizeof(id), "%u", i);
		expect_item(w, &open_things, id, READ_THROUGH, 0, "thing");
	}
	expect_requests(w, 3);
}

static void an_item_alone(void **state)
{
	struct world *w = *state;

	add(w, 7, "OPEN", 1);
	expect_item(w, &open_things, "7", READ_CACHED, -ENOENT, "");
	expect_requests(w, 0);
	expect_item(w, &open_things, "7", READ_THROUGH, 0, "thing 7");
	expect_item(w, &open_things, "7", READ_THROUGH, 0, "thing 7");
	expect_requests(w, 1);
	/* Of a row beside them it is the same document. */
	free(w->scope->key);
	w->scope->key = mem_strdup("place/things/closed");
	expect_item(w, &closed_things, "7", READ_THROUGH, 0, "thing 7");
	expect_requests(w, 0);
}

static void an_item_that_is_not_there(void **state)
{
	struct world *w = *state;

	for (unsigned i = 0; i < 3; i++)
		expect_item(w, &open_things, "9", READ_THROUGH, -ENOENT, "");
	expect_requests(w, 1);
	add(w, 9, "OPEN", 1);
	clock_advance(11 * MINUTE);
	expect_item(w, &open_things, "9", READ_THROUGH, 0, "thing 9");
}

static void a_final_item(void **state)
{
	struct world *w = *state;

	add(w, 7, "FINAL", 1);
	expect_item(w, &open_things, "7", READ_THROUGH, 0, "thing 7");
	clock_advance(1000 * 24 * 60 * MINUTE);
	expect_item(w, &open_things, "7", READ_THROUGH, 0, "thing 7");
	expect_requests(w, 1);
}

/* ---- refusals ---- */

static void refusals_are_remembered(void **state)
{
	static const struct {
		long status;
		const char *want;
		unsigned n_requests; /* of three reads */
	} cases[] = {{404, "-2", 1}, {403, "-13", 1}, {410, "-2", 1}};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		w->status = cases[i].status;
		for (unsigned k = 0; k < 3; k++)
			expect_list(w, &open_things, READ_THROUGH,
				    cases[i].want);
		expect_requests(w, cases[i].n_requests);
		assert_int_equal(cache_remove(w->cache, "place/things"), 0);
		clock_advance(MINUTE);
	}
	/* Signing in anew mends a 401: it is not kept. */
	w->status = 401;
	expect_list(w, &open_things, READ_THROUGH, "-13");
	w->status = 0;
	clock_advance(MINUTE);
	expect_list(w, &open_things, READ_THROUGH, "");
}

static void nothing_of_what_may_lack(void **state)
{
	struct world *w = *state;

	for (long status = 204; status <= 404; status += 200) {
		w->status = status;
		expect_list(w, &lacking_things, READ_ANEW, "");
		expect_requests(w, 1);
	}
	w->status = 202;
	expect_list(w, &lacking_things, READ_ANEW, "-16");
	expect_list(w, &open_things, READ_ANEW, "-16");
	/* Of another list it is an error. */
	w->status = 204;
	expect_list(w, &open_things, READ_ANEW, "-61");
}

static void a_refusal_takes_nothing_away(void **state)
{
	static const long statuses[] = {401, 403, 404, 410, 400};
	struct world *w = *state;

	many(w, 3);
	expect_list(w, &open_things, READ_THROUGH, "3 2 1");
	for (size_t i = 0; i < ARRAY_SIZE(statuses); i++) {
		clock_advance(100 * MINUTE);
		w->status = statuses[i];
		expect_list(w, &open_things, READ_THROUGH, "3 2 1");
		expect_item(w, &open_things, "2", READ_THROUGH, 0, "thing 2");
	}
}

static void an_object(void **state)
{
	struct world *w = *state;
	cleanup(answer_document_done) struct answer_document document = {0};
	cleanup(ctx_done) struct ctx ctx;

	ctx_init(&ctx, NULL, -1);
	assert_int_equal(
		ASK(w, documents_object(&ctx, w->documents, &one_thing,
					w->scope, READ_THROUGH, &document)),
		-ENOENT);
	assert_true(*ctx.sentence);
	add(w, 7, "OPEN", 1);
	assert_int_equal(
		ASK(w, documents_object(&ctx, w->documents, &one_thing,
					w->scope, READ_THROUGH, &document)),
		-ENOENT);
	expect_requests(w, 1);
	assert_int_equal(
		ASK(w, documents_object(&ctx, w->documents, &one_thing,
					w->scope, READ_REFRESH, &document)),
		0);
	assert_non_null(strstr(blob_data(document.body), "thing 7"));
}

/* ---- what was changed since ---- */

static void one_request_for_what_changed(void **state)
{
	struct world *w = *state;

	many(w, 12);
	expect_list(w, &dated_things, READ_THROUGH,
		    "12 11 10 9 8 7 6 5 4 3 2 1");
	expect_requests(w, 3);
	expect_list(w, &dated_things, READ_REFRESH,
		    "12 11 10 9 8 7 6 5 4 3 2 1");
	expect_requests(w, 1);
	/* One changed, one left, one came. */
	memcpy(thing(w, 4)->updated, "2026-02-01", 10);
	memcpy(thing(w, 11)->updated, "2026-02-01", 10);
	thing(w, 11)->state = "CLOSED";
	add(w, 13, "OPEN", 13);
	memcpy(thing(w, 13)->updated, "2026-02-02", 10);
	expect_list(w, &dated_things, READ_REFRESH,
		    "13 12 10 9 8 7 6 5 4 3 2 1");
	expect_requests(w, 1);
	expect_item(w, &dated_things, "4", READ_THROUGH, 0, "2026-02-01");
	/* It is known where it is now. */
	expect_item(w, &dated_things, "11", READ_THROUGH, 0, "CLOSED");
	expect_requests(w, 0);
	/* What was deleted tells nobody, but people who ask see it. */
	thing(w, 2)->gone = true;
	expect_list(w, &dated_things, READ_REFRESH,
		    "13 12 10 9 8 7 6 5 4 3 2 1");
	expect_requests(w, 1);
	expect_list(w, &dated_things, READ_ANEW, "13 12 10 9 8 7 6 5 4 3 1");
	expect_requests(w, 3);
	/* And now and then it is seen anyway. */
	thing(w, 3)->gone = true;
	expect_list(w, &dated_things, READ_REFRESH, "13 12 10 9 8 7 6 5 4 3 1");
	clock_advance(6 * 60 * MINUTE);
	w->asked = tiny_n_requests(w->tiny);
	expect_list(w, &dated_things, READ_REFRESH, "13 12 10 9 8 7 6 5 4 1");
	expect_requests(w, 2);
}

static void too_much_changed(void **state)
{
	struct world *w = *state;
	struct buf want = BUF_INIT(0);

	many(w, 200);
	for (unsigned i = 200; i >= 1; i--)
		buf_printf(&want, "%s%u", i < 200 ? " " : "", i);
	expect_list(w, &dated_things, READ_THROUGH, want.data);
	expect_requests(w, 40);
	for (unsigned i = 1; i <= 200; i++)
		memcpy(thing(w, i)->updated, "2026-02-01", 10);
	thing(w, 100)->gone = true;
	buf_clear(&want);
	for (unsigned i = 200; i >= 1; i--)
		if (i != 100)
			buf_printf(&want, "%s%u", i < 200 ? " " : "", i);
	expect_list(w, &dated_things, READ_REFRESH, want.data);
	buf_done(&want);
}

static void same_bytes_same_version(void **state)
{
	struct world *w = *state;
	uint64_t first;

	many(w, 3);
	first = expect_list(w, &dated_things, READ_THROUGH, "3 2 1");
	assert_int_equal(expect_list(w, &dated_things, READ_REFRESH, "3 2 1"),
			 first);
	assert_int_equal(expect_list(w, &dated_things, READ_ANEW, "3 2 1"),
			 first);
	memcpy(thing(w, 1)->updated, "2026-02-01", 10);
	assert_int_not_equal(
		expect_list(w, &dated_things, READ_REFRESH, "3 2 1"), first);
}

/* ---- what another program derived ---- */

/* As if it had made other names and another index of the same answer. */
static void derive_otherwise(struct world *w, int64_t left_ms, bool json)
{
	static const char names[] = "{\"more\":true,\"most\":3,\"items\":["
				    "{\"name\":\"old\",\"id\":\"2\","
				    "\"hash\":\"\",\"time\":1}]}";
	const struct cache_put puts[] = {
		{
			.key = "place/things",
			.body = names,
			.n_body = strlen(names),
			.etag = "another",
			.ttl_ms = left_ms,
		},
		{
			.key = "place/things#index.tsv",
			.body = "2\n",
			.n_body = 2,
			.ttl_ms = left_ms,
		},
	};

	assert_int_equal(cache_put(w->cache, puts, ARRAY_SIZE(puts), NULL), 0);
	if (!json)
		assert_int_equal(
			cache_remove(w->cache, "place/things#index.json"), 0);
}

static void expect_names(struct world *w, enum read_through_mode mode,
			 int64_t left_ms, const char *want)
{
	cleanup(collection_unref) struct collection *c = NULL;
	cleanup(buf_done) struct buf names = BUF_INIT(0);
	cleanup(ctx_done) struct ctx ctx;
	struct answer_age age;

	ctx_init(&ctx, NULL, -1);
	assert_int_equal(
		ASK(w, documents_collection(&ctx, w->documents, &open_things,
					    w->scope, mode, &c, &age)),
		0);
	for (size_t i = 0; i < c->n_items; i++)
		buf_printf(&names, "%s%s", i ? "," : "", c->items[i].name);
	assert_string_equal(names.data, want);
	assert_int_equal(age.left_ms, left_ms);
}

static struct document_file stored_file(struct world *w, const char *name)
{
	struct document_file file;

	assert_int_equal(documents_file(w->documents, w->scope, name, &file),
			 0);
	return file;
}

static void derived_anew_without_a_request(void **state)
{
	struct world *w = *state;
	struct document_file was, is;

	many(w, 2);
	expect_list(w, &open_things, READ_THROUGH, "2 1");
	expect_requests(w, 1);
	derive_otherwise(w, 5 * MINUTE, true);
	was = stored_file(w, "index.tsv");
	clock_advance(2 * MINUTE);
	expect_names(w, READ_CACHED, 3 * MINUTE, "thing 1,thing 2");
	is = stored_file(w, "index.tsv");
	assert_true(is.version > was.version);
	/* How the list was bounded when it was walked is kept. */
	assert_true(stored_file(w, "more").size > 0);
	expect_list(w, &open_things, READ_THROUGH, "2 1");
	assert_int_equal(stored_file(w, "index.tsv").version, is.version);
	/* What had expired is not fresh by that. */
	derive_otherwise(w, 0, true);
	clock_advance(1);
	expect_names(w, READ_CACHED, 0, "thing 1,thing 2");
	expect_requests(w, 0);
	/* An item is as old as it was, too. */
	clock_advance(9 * MINUTE);
	expect_item(w, &open_things, "1", READ_THROUGH, 0, "thing 1");
	expect_requests(w, 1);
}

static void too_little_kept_to_derive(void **state)
{
	struct world *w = *state;

	many(w, 2);
	expect_list(w, &open_things, READ_THROUGH, "2 1");
	expect_requests(w, 1);
	derive_otherwise(w, 60 * MINUTE, false);
	/* Without a network it is all that there is. */
	expect_names(w, READ_CACHED, 0, "old");
	expect_requests(w, 0);
	expect_names(w, READ_THROUGH, 10 * MINUTE, "thing 1,thing 2");
	expect_requests(w, 1);
}

/* What is rendered at each look has no bytes to compare. */
static void rendered_by_another_program(void **state)
{
	struct world *w = *state;
	const struct documents_config config = {
		.bitbucket = w->bitbucket,
		.credential = w->credential,
		.source = w->source,
		.cache = w->cache,
	};
	const struct cache_put put = {
		.key = "old", .body = "{}", .n_body = 2, .ttl_ms = MINUTE};
	uint64_t old, new;

	assert_int_equal(cache_put(w->cache, &put, 1, &old), 0);
	assert_int_equal(cache_fact_put(w->cache, "derived", "", 0, "x", 1), 0);
	documents_free(w->documents);
	clock_advance(MINUTE);
	w->documents = documents_new(&config);
	assert_int_equal(documents_rendered_ms(w->documents, old, WALL),
			 WALL + MINUTE);
	/* Once: the next start is of the same program. */
	documents_free(w->documents);
	clock_advance(MINUTE);
	w->documents = documents_new(&config);
	assert_int_equal(documents_rendered_ms(w->documents, old, WALL),
			 WALL + MINUTE);
	assert_int_equal(cache_put(w->cache,
				   &(struct cache_put){.key = "new",
						       .body = "{}",
						       .n_body = 2},
				   1, &new),
			 0);
	assert_int_equal(documents_rendered_ms(w->documents, new, WALL), WALL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(newest_are_first),
		T(exact_pages),
		T(ties_at_a_page_end),
		T(more_in_a_moment_than_a_page),
		T(one_goes_while_pages_are_walked),
		T(pages_without_next),
		T(without_sizes),
		T(ties_without_sizes),
		T(sizes_that_lie),
		T(a_list_in_circles),
		T(a_count_that_is_too_large),
		T(a_page_length_that_is_refused),
		T(entries_that_are_no_objects),
		T(a_history_is_bounded),
		T(more_of_a_history_that_cannot_be_had),
		T(what_an_index_has_no_room_for),
		T(names_are_safe),
		T(equal_names_are_told_apart),
		T(items_cost_nothing_after_their_list),
		T(an_item_alone),
		T(an_item_that_is_not_there),
		T(a_final_item),
		T(refusals_are_remembered),
		T(nothing_of_what_may_lack),
		T(a_refusal_takes_nothing_away),
		T(an_object),
		T(one_request_for_what_changed),
		T(too_much_changed),
		T(same_bytes_same_version),
		T(derived_anew_without_a_request),
		T(too_little_kept_to_derive),
		T(rendered_by_another_program),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
