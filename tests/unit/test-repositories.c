/*
 * content/documents, repositories: identity by uuid, what costs a
 * request, what vanishes.
 */
#include "identity-world.h"

/* ---- listings ---- */

static void listing_costs_once(void **state)
{
	struct world *w = *state;

	w->odd_in_listing = true;
	expect_root(w, READ_THROUGH, "acme zoo");
	expect_requests(w, 1);
	expect_listing(w, "acme", READ_CACHED, "-2");
	expect_listing(w, "acme", READ_THROUGH,
		       "gadgets={a2} old={a3} widgets={a1}");
	expect_requests(w, 1);
	assert_non_null(strstr(w->said, "acme: 2 objects"));
	expect_listing(w, "zoo", READ_THROUGH, "");
	expect_requests(w, 1);
	expect_document(w, "acme", "widgets", READ_THROUGH, 0, "acme/widgets");
	expect_document(w, "acme", "gadgets", READ_THROUGH, 0, "acme/gadgets");
	expect_repo(w, "acme", "nothing", "-2");
	expect_repo(w, "acme", ".git", "-2");
	expect_repo(w, "zoo", "widgets", "-2");
	expect_requests(w, 0);
	remount(w);
	expect_listing(w, "acme", READ_THROUGH,
		       "gadgets={a2} old={a3} widgets={a1}");
	expect_document(w, "acme", "widgets", READ_THROUGH, 0, "acme/widgets");
	expect_requests(w, 0);
}

static void equal_versions(void **state)
{
	struct world *w = *state;
	uint64_t first, second;

	first = expect_listing(w, "acme", READ_THROUGH,
			       "gadgets={a2} old={a3} widgets={a1}");
	second = expect_listing(w, "acme", READ_ANEW,
				"gadgets={a2} old={a3} widgets={a1}");
	assert_int_equal(first, second);
	add(w, "acme", "fresh", "{a9}");
	second = expect_listing(w, "acme", READ_ANEW,
				"fresh={a9} gadgets={a2} old={a3} "
				"widgets={a1}");
	assert_int_not_equal(first, second);
}

/* One request for what was updated since; what was deleted is seen when all of
 * it is walked: on demand, and once an hour. */
static void updated_since(void **state)
{
	struct world *w = *state;

	expect_listing(w, "acme", READ_THROUGH,
		       "gadgets={a2} old={a3} widgets={a1}");
	expect_requests(w, 1);
	assert_null(strstr(tiny_got(w->tiny, w->asked - 1)->path, "q="));
	clock_advance(9 * MINUTE);
	expect_document(w, "acme", "gadgets", READ_THROUGH, 0, "acme/gadgets");
	repo(w, "{a3}")->description = "changed";
	repo(w, "{a3}")->updated = "2026-02-03T04:05:06.789+00:00";
	repo(w, "{a2}")->description = "not told";
	add(w, "acme", "fresh", "{a9}");
	repo(w, "{a9}")->updated = "2026-02-03T04:05:07+00:00";
	repo(w, "{a1}")->gone = true;
	expect_listing(w, "acme", READ_REFRESH,
		       "fresh={a9} gadgets={a2} old={a3} widgets={a1}");
	expect_requests(w, 1);
	assert_non_null(strstr(tiny_got(w->tiny, w->asked - 1)->path,
			       "q=updated_on%3E%3D2026-01-02T03%3A04%3A05Z"));
	/* The lifetimes of all begin anew, of what was not told too. */
	clock_advance(9 * MINUTE);
	expect_document(w, "acme", "old", READ_THROUGH, 0, "changed");
	expect_document(w, "acme", "gadgets", READ_THROUGH, 0, "acme/gadgets");
	expect_requests(w, 0);
	/* To the second: what changed in that very one comes again. */
	expect_listing(w, "acme", READ_REFRESH,
		       "fresh={a9} gadgets={a2} old={a3} widgets={a1}");
	expect_requests(w, 1);
	assert_non_null(strstr(tiny_got(w->tiny, w->asked - 1)->path,
			       "q=updated_on%3E%3D2026-02-03T04%3A05%3A07Z"));
	/* Renamed. */
	repo(w, "{a9}")->slug = "fresher";
	repo(w, "{a9}")->updated = "2026-02-03T04:05:08+00:00";
	expect_listing(w, "acme", READ_REFRESH,
		       "fresher={a9} gadgets={a2} old={a3} widgets={a1}");
	expect_repo(w, "acme", "fresh", "-2");
	/* An hour after the walk. */
	clock_advance(60 * MINUTE);
	w->asked = tiny_n_requests(w->tiny);
	expect_listing(w, "acme", READ_REFRESH,
		       "fresher={a9} gadgets={a2} old={a3}");
	expect_requests(w, 2);
}

/* Its newest went: what is left may be all from before. */
static void updated_since_nothing(void **state)
{
	struct world *w = *state;

	repo(w, "{a3}")->updated = "2026-02-03T04:05:06+00:00";
	expect_listing(w, "acme", READ_THROUGH,
		       "gadgets={a2} old={a3} widgets={a1}");
	repo(w, "{a3}")->gone = true;
	expect_listing(w, "acme", READ_REFRESH, "gadgets={a2} widgets={a1}");
	expect_requests(w, 4);
}

static void vanished_repositories(void **state)
{
	struct world *w = *state;

	expect_listing(w, "acme", READ_THROUGH,
		       "gadgets={a2} old={a3} widgets={a1}");
	expect_requests(w, 1);
	/* A listing with a hole in it: what answers itself stays. */
	repo(w, "{a3}")->hidden = true;
	expect_listing(w, "acme", READ_ANEW,
		       "gadgets={a2} old={a3} widgets={a1}");
	expect_requests(w, 2);
	/* What cannot be asked stays. */
	repo(w, "{a3}")->status = 400;
	expect_listing(w, "acme", READ_ANEW,
		       "gadgets={a2} old={a3} widgets={a1}");
	assert_string_equal(w->said, "");
	/* A single 404 changes nothing while the listing has it. */
	repo(w, "{a3}")->hidden = false;
	repo(w, "{a3}")->status = 404;
	expect_document(w, "acme", "old", READ_REFRESH, -ENOENT, "");
	expect_document(w, "acme", "old", READ_THROUGH, 0, "acme/old");
	expect_listing(w, "acme", READ_ANEW,
		       "gadgets={a2} old={a3} widgets={a1}");
	/* Both. */
	repo(w, "{a3}")->hidden = true;
	expect_listing(w, "acme", READ_ANEW, "gadgets={a2} widgets={a1}");
	assert_non_null(strstr(w->said, "acme/old"));
	expect_repo(w, "acme", "old", "-2");
	/* And back again. */
	repo(w, "{a3}")->hidden = false;
	repo(w, "{a3}")->status = 0;
	expect_listing(w, "acme", READ_ANEW,
		       "gadgets={a2} old={a3} widgets={a1}");
	expect_document(w, "acme", "old", READ_THROUGH, 0, "acme/old");
}

/* A listing that lacks more than ever is no sign that something went. */
static void vanished_from_a_short_listing(void **state)
{
	struct world *w = *state;

	expect_listing(w, "acme", READ_THROUGH,
		       "gadgets={a2} old={a3} widgets={a1}");
	expect_requests(w, 1);
	repo(w, "{a3}")->hidden = true;
	repo(w, "{a3}")->status = 404;
	w->uncounted = 1;
	expect_listing(w, "acme", READ_ANEW,
		       "gadgets={a2} old={a3} widgets={a1}");
	/* Looked for once more, and not asked itself. */
	expect_requests(w, 2);
	assert_non_null(strstr(w->said, "there are 3 and lists 2"));
	/* By as many as the last time: that is how this service counts. */
	expect_listing(w, "acme", READ_ANEW, "gadgets={a2} widgets={a1}");
	expect_requests(w, 2);
}

static void many_vanish(void **state)
{
	static char slugs[25][8], uuids[25][8];
	struct world *w = *state;
	cleanup(collection_unref) struct collection *all = NULL;
	cleanup(ctx_done) struct ctx ctx;

	for (size_t i = 0; i < 25; i++) {
		snprintf(slugs[i], sizeof(slugs[i]), "r%zu", i);
		snprintf(uuids[i], sizeof(uuids[i]), "{c%zu}", i);
		add(w, "zoo", slugs[i], uuids[i]);
	}
	ctx_init(&ctx, NULL, -1);
	assert_int_equal(repositories(&ctx, w, "zoo", READ_THROUGH, &all), 0);
	assert_int_equal(all->n_items, 25);
	all = collection_unref(all);
	expect_requests(w, 1);
	for (size_t i = 0; i < 25; i++)
		repo(w, uuids[i])->gone = true;
	/* Twenty a refresh. */
	assert_int_equal(repositories(&ctx, w, "zoo", READ_ANEW, &all), 0);
	assert_int_equal(all->n_items, 5);
	expect_requests(w, 21);
	expect_listing(w, "zoo", READ_ANEW, "");
	expect_requests(w, 6);
}

static void renamed_repository(void **state)
{
	struct world *w = *state;

	expect_listing(w, "acme", READ_THROUGH,
		       "gadgets={a2} old={a3} widgets={a1}");
	repo(w, "{a3}")->slug = "new";
	expect_listing(w, "acme", READ_ANEW,
		       "gadgets={a2} new={a3} widgets={a1}");
	expect_requests(w, 2);
	expect_repo(w, "acme", "old", "-2");
	expect_document(w, "acme", "new", READ_THROUGH, 0, "acme/new");
	expect_requests(w, 0);
	/* Seen first in its own document: the listing is due then. */
	repo(w, "{a3}")->slug = "newer";
	expect_document(w, "acme", "new", READ_REFRESH, 0, "acme/newer");
	expect_requests(w, 1);
	expect_repo(w, "acme", "newer", "{a3}");
	expect_repo(w, "acme", "new", "-2");
	expect_requests(w, 1);
}

/* Whoever stands in a directory with its old name asks for no more than the
 * object, once the listing knows the new one. */
static void asked_under_its_old_name(void **state)
{
	struct world *w = *state;
	cleanup(documents_repository_done) struct documents_repository old = {
		0};
	struct answer_age age;
	struct ctx ctx;

	expect_listing(w, "acme", READ_THROUGH,
		       "gadgets={a2} old={a3} widgets={a1}");
	ctx_init(&ctx, NULL, -1);
	assert_int_equal(documents_find_repository(&ctx, w->documents, "acme",
						   "old", &old, &age),
			 0);
	w->asked = tiny_n_requests(w->tiny);
	repo(w, "{a3}")->slug = "new";
	for (unsigned i = 0; i < 3; i++) {
		cleanup(answer_document_done) struct answer_document d = {0};

		assert_int_equal(
			document_of(&ctx, w, "acme", &old, READ_REFRESH, &d),
			0);
		expect_requests(w, 1);
		expect_listing(w, "acme", READ_THROUGH,
			       "gadgets={a2} new={a3} widgets={a1}");
		/* The first one's answer told of the name. */
		expect_requests(w, i ? 0 : 1);
	}
	ctx_done(&ctx);
}

/* What an outdated document of a repository known by its name is answered
 * with, and says of itself. */
static struct answer_age document_age(struct world *w, const char *workspace,
				      const struct documents_repository *one,
				      enum read_through_mode mode)
{
	cleanup(answer_document_done) struct answer_document d = {0};
	cleanup(ctx_done) struct ctx ctx;

	ctx_init(&ctx, NULL, -1);
	assert_int_equal(document_of(&ctx, w, workspace, one, mode, &d), 0);
	return d.age;
}

static void outdated_documents_come_with_the_listing(void **state)
{
	static const char *const names[] = {"gadgets", "old", "widgets"};
	struct documents_repository known[3] = {{0}};
	struct world *w = *state;
	cleanup(ctx_done) struct ctx ctx;
	struct answer_age age;

	expect_listing(w, "acme", READ_THROUGH,
		       "gadgets={a2} old={a3} widgets={a1}");
	expect_requests(w, 1);
	ctx_init(&ctx, NULL, -1);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(documents_find_repository(&ctx, w->documents,
							   "acme", names[i],
							   &known[i], &age),
				 0);
	/* Outdated by less than their lifetime: served, and what is to be
	 * asked for is the listing, whether or not somebody would wait. */
	clock_advance(11 * MINUTE);
	for (size_t i = 0; i < 3; i++) {
		age = document_age(w, "acme", &known[i], READ_THROUGH);
		assert_true(age.stale && age.from_collection && !age.asked);
		age = document_age(w, "acme", &known[i], READ_CACHED);
		assert_true(age.stale && age.from_collection);
	}
	expect_requests(w, 0);
	/* By more: waited for, once for all of them. */
	clock_advance(24 * MINUTE);
	for (size_t i = 0; i < 3; i++) {
		age = document_age(w, "acme", &known[i], READ_THROUGH);
		assert_true(!age.stale && !age.asked && age.left_ms > 0);
	}
	expect_requests(w, 1);
	for (size_t i = 0; i < 3; i++)
		documents_repository_done(&known[i]);
}

static void of_a_workspace_never_listed_by_itself(void **state)
{
	struct world *w = *state;
	cleanup(documents_repository_done) struct documents_repository one = {
		0};
	cleanup(ctx_done) struct ctx ctx;
	struct answer_age age;

	ctx_init(&ctx, NULL, -1);
	assert_int_equal(documents_find_repository(&ctx, w->documents, "acme",
						   "widgets", &one, &age),
			 0);
	assert_false(age.from_collection);
	w->asked = tiny_n_requests(w->tiny);
	clock_advance(25 * MINUTE);
	age = document_age(w, "acme", &one, READ_THROUGH);
	assert_true(age.asked && !age.from_collection && !age.stale);
	expect_requests(w, 1);
	age = document_age(w, "acme", &one, READ_THROUGH);
	assert_true(!age.asked);
	expect_requests(w, 0);
}

static void made_again(void **state)
{
	struct world *w = *state;

	expect_listing(w, "acme", READ_THROUGH,
		       "gadgets={a2} old={a3} widgets={a1}");
	repo(w, "{a3}")->gone = true;
	add(w, "acme", "old", "{a4}")->description = "another one";
	expect_listing(w, "acme", READ_ANEW,
		       "gadgets={a2} old={a4} widgets={a1}");
	expect_document(w, "acme", "old", READ_THROUGH, 0, "another one");
	/* The one that had the name was asked for itself. */
	expect_requests(w, 3);
}

/* Two swap their names, which tells nobody: then one of them is updated. */
static void swapped_names(void **state)
{
	struct world *w = *state;

	expect_listing(w, "acme", READ_THROUGH,
		       "gadgets={a2} old={a3} widgets={a1}");
	repo(w, "{a1}")->slug = "gadgets";
	repo(w, "{a2}")->slug = "widgets";
	expect_listing(w, "acme", READ_REFRESH,
		       "gadgets={a1} old={a3} widgets={a2}");
	/* All were of the second that was asked for: seen at once. Else: */
	repo(w, "{a1}")->slug = "widgets";
	repo(w, "{a2}")->slug = "gadgets";
	repo(w, "{a3}")->updated = "2026-02-03T04:05:06+00:00";
	expect_listing(w, "acme", READ_ANEW,
		       "gadgets={a2} old={a3} widgets={a1}");
	repo(w, "{a1}")->slug = "gadgets";
	repo(w, "{a2}")->slug = "widgets";
	repo(w, "{a1}")->updated = "2026-02-03T04:05:07+00:00";
	w->asked = tiny_n_requests(w->tiny);
	expect_listing(w, "acme", READ_REFRESH,
		       "gadgets={a1} old={a3} widgets={a2}");
	/* What was updated, and all of it. */
	expect_requests(w, 2);
	expect_document(w, "acme", "gadgets", READ_THROUGH, 0, "{a1}");
	expect_document(w, "acme", "widgets", READ_THROUGH, 0, "{a2}");
}

/* Renamed without being updated, and a new one made of its name: the update
 * shows the new one alone. */
static void name_reused(void **state)
{
	struct world *w = *state;

	repo(w, "{a3}")->updated = "2026-02-03T04:05:06+00:00";
	expect_listing(w, "acme", READ_THROUGH,
		       "gadgets={a2} old={a3} widgets={a1}");
	repo(w, "{a1}")->slug = "widgets-old";
	add(w, "acme", "widgets", "{a9}")->updated =
		"2026-02-03T04:05:07+00:00";
	expect_listing(w, "acme", READ_REFRESH,
		       "gadgets={a2} old={a3} widgets={a9} widgets-old={a1}");
	expect_requests(w, 3);
	/* And the name comes back. */
	repo(w, "{a9}")->gone = true;
	repo(w, "{a1}")->slug = "widgets";
	expect_listing(w, "acme", READ_ANEW,
		       "gadgets={a2} old={a3} widgets={a1}");
	expect_document(w, "acme", "widgets", READ_THROUGH, 0, "{a1}");
}

/* An answer about another repository is nobody's document. */
static void answer_of_another(void **state)
{
	struct world *w = *state;

	expect_listing(w, "acme", READ_THROUGH,
		       "gadgets={a2} old={a3} widgets={a1}");
	repo(w, "{a1}")->answers = "{a2}";
	expect_document(w, "acme", "widgets", READ_REFRESH, -EIO, "");
	repo(w, "{a1}")->answers = NULL;
	/* The names are not believed any more: all are asked for. */
	w->asked = tiny_n_requests(w->tiny);
	expect_document(w, "acme", "widgets", READ_THROUGH, 0, "{a1}");
	assert_null(strstr(tiny_got(w->tiny, w->asked)->path, "q="));
	expect_requests(w, 1);
	/* It has gone from the list, and what answers is another: it stays. */
	repo(w, "{a1}")->hidden = true;
	repo(w, "{a1}")->answers = "{a2}";
	expect_listing(w, "acme", READ_ANEW,
		       "gadgets={a2} old={a3} widgets={a1}");
}

static void same_file_name(void **state)
{
	struct world *w = *state;

	/* The second would be named like the first. */
	add(w, "acme", ".workspace", "{a7}");
	add(w, "acme", "%2Eworkspace", "{a8}");
	expect_listing(w, "acme", READ_THROUGH,
		       "%2Eworkspace={a7} gadgets={a2} old={a3} "
		       "widgets={a1}");
	assert_non_null(strstr(w->said, "{a8}"));
	assert_null(strstr(w->said, "{a7}"));
	expect_repo(w, "acme", "%2Eworkspace", "{a7}");
	expect_repo(w, "acme", ".workspace", "-2");
	expect_requests(w, 1);
}

static void refused_listing(void **state)
{
	struct world *w = *state;

	expect_listing(w, "acme", READ_THROUGH,
		       "gadgets={a2} old={a3} widgets={a1}");
	ws(w, "acme")->listing_status = 410;
	ws(w, "zoo")->listing_status = 403;
	/* An error is never an empty directory. */
	expect_listing(w, "zoo", READ_THROUGH, "-13");
	expect_listing(w, "acme", READ_ANEW, "-2");
	/* What is cached stays served, how old it may be. */
	clock_advance(24 * 60 * MINUTE);
	expect_listing(w, "acme", READ_THROUGH,
		       "gadgets={a2} old={a3} widgets={a1}");
	expect_repo(w, "acme", "old", "{a3}");
	expect_document(w, "acme", "old", READ_THROUGH, 0, "acme/old");
}

static void unreadable_bytes(void **state)
{
	struct world *w = *state;
	const struct cache_put puts[] = {
		{.key = "workspaces", .body = "<p>", .n_body = 3, .ttl_ms = 9},
		{.key = "repositories/{01}",
		 .body = "[{}",
		 .n_body = 3,
		 .ttl_ms = 9},
	};

	expect_root(w, READ_THROUGH, "acme zoo");
	assert_int_equal(cache_put(w->cache, puts + 1, 1, NULL), 0);
	expect_listing(w, "acme", READ_THROUGH,
		       "gadgets={a2} old={a3} widgets={a1}");
	assert_int_equal(cache_put(w->cache, puts, 1, NULL), 0);
	expect_root(w, READ_THROUGH, "acme zoo");
}

/* Lines without a project, of another program or another time. */
static void line_without_project(void **state)
{
	static const char body[] = "[{\"slug\":\"gadgets\",\"uuid\":\"{a2}\"},"
				   "{\"slug\":\"old\",\"uuid\":\"{a3}\","
				   "\"project\":null,\"updated\":7}]";
	const struct cache_put put = {.key = "repositories/{01}",
				      .body = body,
				      .n_body = strlen(body),
				      .ttl_ms = MINUTE};
	struct world *w = *state;
	cleanup(collection_unref) struct collection *all = NULL;
	cleanup(ctx_done) struct ctx ctx;

	ctx_init(&ctx, NULL, -1);
	expect_root(w, READ_THROUGH, "acme zoo");
	assert_int_equal(cache_put(w->cache, &put, 1, NULL), 0);
	assert_int_equal(repositories(&ctx, w, "acme", READ_CACHED, &all), 0);
	assert_int_equal(all->n_items, 2);
	for (size_t i = 0; i < all->n_items; i++)
		assert_string_equal(all->items[i].project, "");
}

/* ---- one by one ---- */

static void one_of_an_unlisted(void **state)
{
	struct world *w = *state;

	expect_enter(w, "foreign", 0);
	expect_requests(w, 2);
	expect_repo(w, "foreign", "public", "{f1}");
	assert_string_equal(tiny_got(w->tiny, 2)->path,
			    "/repositories/foreign/public");
	expect_document(w, "foreign", "public", READ_THROUGH, 0,
			"foreign/public");
	expect_repo(w, "foreign", "public", "{f1}");
	expect_requests(w, 1);
	expect_repo(w, "foreign", "nothing", "-2");
	expect_requests(w, 1);
	expect_repo(w, "foreign", "nothing", "-2");
	expect_repo(w, "foreign", "Public", "-2");
	expect_repo(w, "foreign", "..", "-2");
	expect_requests(w, 0);
	/* Negative for five minutes. */
	add(w, "foreign", "nothing", "{f2}");
	clock_advance(11 * MINUTE);
	expect_repo(w, "foreign", "nothing", "{f2}");
	/* A listing decides from now on. */
	expect_listing(w, "foreign", READ_THROUGH, "nothing={f2} public={f1}");
	expect_requests(w, 2);
	expect_repo(w, "foreign", "third", "-2");
	expect_requests(w, 0);
}

static void one_that_went(void **state)
{
	struct world *w = *state;

	expect_enter(w, "foreign", 0);
	expect_repo(w, "foreign", "public", "{f1}");
	/* A single 404 changes nothing. */
	repo(w, "{f1}")->gone = true;
	clock_advance(24 * 60 * MINUTE);
	expect_repo(w, "foreign", "public", "{f1}");
	expect_document(w, "foreign", "public", READ_THROUGH, 0,
			"foreign/public");
}

static void one_renamed(void **state)
{
	struct world *w = *state;
	struct repo *r;

	expect_enter(w, "foreign", 0);
	expect_repo(w, "foreign", "public", "{f1}");
	r = repo(w, "{f1}");
	r->slug = "published";
	expect_requests(w, 3);
	/* Its document tells of it; the old alias goes with it. */
	expect_document(w, "foreign", "public", READ_REFRESH, 0,
			"foreign/published");
	expect_requests(w, 1);
	expect_repo(w, "foreign", "published", "{f1}");
	expect_requests(w, 0);
	expect_repo(w, "foreign", "public", "-2");
	expect_requests(w, 1);
}

/* ---- documents ---- */

static void conditional_document(void **state)
{
	struct world *w = *state;
	uint64_t first, second;

	expect_listing(w, "acme", READ_THROUGH,
		       "gadgets={a2} old={a3} widgets={a1}");
	expect_requests(w, 1);
	first = expect_document(w, "acme", "old", READ_REFRESH, 0, "old");
	assert_null(tiny_header(tiny_got(w->tiny, 1), "If-None-Match"));
	assert_string_equal(tiny_got(w->tiny, 1)->path,
			    "/repositories/acme/%7Ba3%7D");
	second = expect_document(w, "acme", "old", READ_REFRESH, 0, "old");
	assert_non_null(tiny_header(tiny_got(w->tiny, 2), "If-None-Match"));
	assert_int_equal(first, second);
	expect_requests(w, 2);
	repo(w, "{a3}")->description = "changed";
	second = expect_document(w, "acme", "old", READ_REFRESH, 0, "changed");
	assert_int_not_equal(first, second);
	expect_requests(w, 1);
}

static void old_versions(void **state)
{
	struct world *w = *state;
	cleanup(blob_unref) struct blob *body = NULL;
	uint64_t first;

	first = expect_document(w, "acme", "old", READ_THROUGH, 0, "acme/old");
	repo(w, "{a3}")->description = "changed";
	expect_document(w, "acme", "old", READ_REFRESH, 0, "changed");
	assert_int_equal(documents_version(w->documents, first, &body), 0);
	assert_null(strstr(blob_data(body), "changed"));
	body = blob_unref(body);
	assert_int_equal(documents_version(w->documents, 123456789, &body),
			 -ESTALE);
}

static void no_uuid(void **state)
{
	struct world *w = *state;

	add(w, "zoo", "nameless", "");
	expect_listing(w, "zoo", READ_THROUGH, "nameless=name:zoo/nameless");
	expect_document(w, "zoo", "nameless", READ_THROUGH, 0, "zoo/nameless");
	expect_requests(w, 1);
	expect_document(w, "zoo", "nameless", READ_REFRESH, 0, "zoo/nameless");
	assert_string_equal(tiny_got(w->tiny, 1)->path,
			    "/repositories/zoo/nameless");
}

static void the_user(void **state)
{
	struct world *w = *state;
	cleanup(answer_document_done) struct answer_document document = {0};
	cleanup(ctx_done) struct ctx ctx;

	ctx_init(&ctx, NULL, -1);
	assert_int_equal(
		documents_user(&ctx, w->documents, READ_THROUGH, &document), 0);
	assert_non_null(strstr(blob_data(document.body), "Ada"));
	assert_int_equal(document.age.left_ms, 24 * 60 * MINUTE);
	answer_document_done(&document);
	assert_int_equal(
		documents_user(&ctx, w->documents, READ_THROUGH, &document), 0);
	expect_requests(w, 1);
	answer_document_done(&document);
	sign_in(w, NULL, NULL, NULL);
	assert_int_equal(
		documents_user(&ctx, w->documents, READ_THROUGH, &document),
		-ENOENT);
	sign_in(w, NULL, "ATCTTtoken", NULL);
	assert_int_equal(
		documents_user(&ctx, w->documents, READ_THROUGH, &document),
		-ENOENT);
	expect_requests(w, 0);
}

/* An error of the moment: nothing of it is stored, and it is no success. */
static void the_user_refused(void **state)
{
	struct world *w = *state;
	cleanup(answer_document_done) struct answer_document document = {0};
	cleanup(ctx_done) struct ctx ctx;
	struct read_through_health health;

	ctx_init(&ctx, NULL, -1);
	for (unsigned i = 0; i < 2; i++) {
		w->account_status = i ? 404 : 403;
		for (unsigned k = 0; k < 2; k++)
			assert_int_equal(documents_user(&ctx, w->documents,
							READ_THROUGH,
							&document),
					 i ? -ENOENT : -EACCES);
		expect_requests(w, 1);
		read_through_health(w->source, &health);
		assert_int_equal(health.last_errno, i ? ENOENT : EACCES);
		assert_int_equal(health.last_ok_ms, 0);
		clock_advance(3000);
	}
	w->account_status = 0;
	assert_int_equal(
		documents_user(&ctx, w->documents, READ_THROUGH, &document), 0);
	expect_requests(w, 1);
}

/* ---- many at once ---- */

static void look_around(void *arg)
{
	struct world *w = arg;

	for (int i = 0; i < 10; i++) {
		expect_root(w, READ_THROUGH, "acme zoo");
		expect_enter(w, "zoo", 0);
		expect_listing(w, "acme", READ_THROUGH,
			       "gadgets={a2} old={a3} widgets={a1}");
		expect_document(w, "acme", "old", READ_THROUGH, 0, "acme/old");
		expect_repo(w, "acme", "none", "-2");
	}
}

static void many_at_once(void **state)
{
	struct world *w = *state;
	struct thread *threads[8];

	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		assert_int_equal(
			thread_start("look", look_around, w, &threads[i]), 0);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		thread_join(threads[i]);
	expect_requests(w, 2);
}

static void without_network(void **state)
{
	struct world *w = *state;
	cleanup(free) char *url = mem_strdup("http://127.0.0.1:1");

	expect_listing(w, "acme", READ_THROUGH,
		       "gadgets={a2} old={a3} widgets={a1}");
	expect_root(w, READ_THROUGH, "acme zoo");
	expect_listing(w, "acme", READ_ANEW,
		       "gadgets={a2} old={a3} widgets={a1}");
	w->documents = documents_free(w->documents);
	w->bitbucket = bitbucket_free(w->bitbucket);
	assert_int_equal(bitbucket_new(url, w->credential, w->http, w->budget,
				       &w->bitbucket),
			 0);
	remount(w);
	clock_advance(7 * 24 * 60 * MINUTE);
	expect_root(w, READ_THROUGH, "acme zoo");
	expect_listing(w, "acme", READ_THROUGH,
		       "gadgets={a2} old={a3} widgets={a1}");
	expect_document(w, "acme", "old", READ_THROUGH, 0, "acme/old");
	expect_repo(w, "acme", "none", "-2");
	expect_listing(w, "zoo", READ_THROUGH, "-101");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(listing_costs_once),
		T(equal_versions),
		T(updated_since),
		T(updated_since_nothing),
		T(vanished_repositories),
		T(vanished_from_a_short_listing),
		T(many_vanish),
		T(renamed_repository),
		T(asked_under_its_old_name),
		T(outdated_documents_come_with_the_listing),
		T(of_a_workspace_never_listed_by_itself),
		T(made_again),
		T(swapped_names),
		T(name_reused),
		T(answer_of_another),
		T(same_file_name),
		T(refused_listing),
		T(unreadable_bytes),
		T(line_without_project),
		T(one_of_an_unlisted),
		T(one_that_went),
		T(one_renamed),
		T(conditional_document),
		T(old_versions),
		T(no_uuid),
		T(the_user),
		T(the_user_refused),
		T(many_at_once),
		T(without_network),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
