/*
 * content/documents, review-requested/: the open pull requests of a workspace
 * that wait for the account's review: it is a reviewer, and has neither
 * approved nor asked for changes. The service has no such list; this one is
 * made of the lists of pull requests that are at hand, asks for nothing, and
 * says in `more` how much of the workspace that is.
 *
 * The files are stored with what they were made of (a digest of the lists'
 * versions and ages) as their etag, and made anew when that is another one.
 */
#include "content/documents_private.h"

#include "base/clock.h"
#include "base/digest.h"

#include <inttypes.h>

#define BELIEVED_MS 1000 /* a list may come at any time */

const char *const documents_review_files[] = {
	"index.json",
	"index.tsv",
	"more",
	NULL,
};

struct review {
	struct documents *documents;
	struct scope *listing;
	struct collection *repositories;
	char *me;
	/* Lists at hand, how old the oldest and the newest are: wall clock. */
	size_t n_lists;
	int64_t oldest_ms, newest_ms;
	struct documents_index index;
	struct buf more;
	char mark[41];
};

static void review_done(struct review *v)
{
	scope_unref(v->listing);
	collection_unref(v->repositories);
	free(v->me);
	documents_index_done(&v->index);
	buf_done(&v->more);
}
DEFINE_CLEANUP_DONE(struct review, review_done);

static char *key_of(const struct review *v, const char *name)
{
	return mem_asprintf("about/%s/review-requested#%s",
			    v->listing->workspace_id, name);
}

static struct cache_entry *list_of(const struct review *v, size_t i, bool body)
{
	cleanup(free) char *repository =
		scope_item_key(&resource_repositories, v->listing,
			       v->repositories->items[i].id);
	cleanup(free) char *key =
		mem_asprintf("%s/pullrequests#index.json", repository);

	return answer_at_hand(v->documents->config.cache, key, body);
}

/* ---- of what it is made ---- */

/* Without a listing there are no repositories. */
static void look_at_lists(struct ctx *ctx, struct review *v)
{
	cleanup(buf_done) struct buf of = BUF_INIT(0);
	struct answer_age age;

	if (documents_collection(ctx, v->documents, &resource_repositories,
				 v->listing, READ_CACHED, &v->repositories,
				 &age) < 0)
		v->repositories = NULL;
	buf_printf(&of, "%s %s %zd", documents_derivation, v->me,
		   v->repositories ? (ssize_t)v->repositories->n_items : -1);
	for (size_t i = 0; v->repositories && i < v->repositories->n_items;
	     i++) {
		cleanup(cache_entry_free) struct cache_entry *e =
			list_of(v, i, false);

		if (!e)
			continue;
		buf_printf(&of, "\n%s %" PRIu64 " %" PRId64,
			   v->repositories->items[i].id, e->version,
			   e->fetched_ms);
		if (!v->n_lists++ || e->fetched_ms < v->oldest_ms)
			v->oldest_ms = e->fetched_ms;
		if (e->fetched_ms > v->newest_ms)
			v->newest_ms = e->fetched_ms;
	}
	digest_sha1_hex(of.data, of.len, v->mark);
}

/* ---- making it ---- */

static bool waits_for_me(const struct json *pull, const char *me)
{
	const struct json *said =
		json_find(json_at(pull, "participants"), "user.uuid", me);
	const char *is = json_str(pull, "state");
	const char *state = json_str(said, "state");

	return is && !strcmp(is, "OPEN") &&
	       json_find(json_at(pull, "reviewers"), "uuid", me) &&
	       !json_bool(said, "approved", false) &&
	       !(state && !strcmp(state, "changes_requested"));
}

static int add_list(struct review *v, size_t i)
{
	cleanup(cache_entry_free) struct cache_entry *e = list_of(v, i, true);
	cleanup(json_free) struct json *list = NULL;
	int r = 0;

	/* Most lists have nothing of the account, and need not be parsed. */
	if (e && e->body &&
	    memmem(blob_data(e->body), e->n_body, v->me, strlen(v->me)))
		list = answer_json(e);
	if (!json_is_array(list))
		return 0;
	for (const struct json *p = json_first(list); p && r == 0;
	     p = json_next(p))
		if (waits_for_me(p, v->me))
			r = documents_index_add(&v->index, p, p);
	return r;
}

static void say_more(struct review *v)
{
	char oldest[24], newest[24];

	if (!v->repositories)
		buf_puts(&v->more, "The repositories of this workspace were "
				   "not listed yet.\n");
	else
		buf_printf(&v->more,
			   "Made of the pull requests of %zu of %zu "
			   "repositories: of those whose list is at hand.\n",
			   v->n_lists, v->repositories->n_items);
	if (v->n_lists)
		buf_printf(&v->more,
			   "The oldest list is of %s, the newest of %s.\n",
			   clock_format_iso8601(v->oldest_ms, oldest),
			   clock_format_iso8601(v->newest_ms, newest));
	buf_puts(&v->more, "To have more of them, or newer ones, look at "
			   "pullrequests/ of the repositories.\n");
}

static int store(struct ctx *ctx, struct review *v)
{
	const struct buf *texts[] = {&v->index.json, &v->index.tsv, &v->more};
	cleanup(answer_batch_done) struct answer_batch batch = {0};

	for (size_t i = 0; documents_review_files[i]; i++)
		answer_batch_add(&batch, key_of(v, documents_review_files[i]),
				 texts[i]->data, texts[i]->len, v->mark,
				 FINAL_MS);
	return answer_put(ctx, v->documents->config.cache, batch.puts, batch.n);
}

static int make(struct ctx *ctx, struct review *v)
{
	for (size_t i = 0; v->repositories && i < v->repositories->n_items; i++)
		if (add_list(v, i) < 0)
			return ctx_fail(ctx, -EFBIG,
					"What waits for a review in %s is "
					"larger than 64 MiB.",
					v->listing->slug);
	documents_index_end(&v->index);
	say_more(v);
	return store(ctx, v);
}

/* One of those who want it makes it. */
static int make_once(struct ctx *ctx, struct review *v)
{
	struct flight *making = v->documents->making;
	cleanup(free) char *key = key_of(v, v->mark);
	int r = flight_join(ctx, making, key);

	if (r != FLIGHT_LEAD)
		return r < 0 ? r : 0;
	r = make(ctx, v);
	flight_land(making, key, r, ctx->sentence);
	return r;
}

int documents_review(struct ctx *ctx, struct documents *d,
		     const char *workspace, const char *name,
		     struct document_file *ret_file)
{
	cleanup(review_done) struct review v = {
		.documents = d,
		.listing = documents_listing_scope(d, workspace),
		.more = BUF_INIT(64 * KIB),
	};
	cleanup(free) char *key = key_of(&v, name);
	int r = documents_me(ctx, d, READ_CACHED, &v.me);

	if (r < 0)
		return r;
	documents_index_begin(&v.index, pullrequest_review_columns,
			      pullrequest_review_newest, CACHE_MAX_BODY);
	look_at_lists(ctx, &v);
	if (!documents_stored(d, key, v.mark, ret_file)) {
		r = make_once(ctx, &v);
		/* Who saw a list that came meanwhile, or is another program on
		 * the same cache, may have made it anew since. */
		if (r == 0 && !documents_stored(d, key, NULL, ret_file))
			r = ctx_fail(ctx, -EIO,
				     "The cache did not keep what waits for a "
				     "review in %s.",
				     workspace);
	}
	if (r == 0)
		ret_file->age = (struct answer_age){.left_ms = BELIEVED_MS};
	return r;
}
