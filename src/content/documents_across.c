/*
 * content/documents, across a workspace: see documents_across.h.
 */
#include "content/documents_across.h"

#include "base/digest.h"

#include <inttypes.h>

char *documents_across_key(const struct documents_across *a, size_t i)
{
	return scope_item_key(&resource_repositories, a->listing,
			      a->repositories->items[i].id);
}

static struct cache_entry *list_of(const struct documents_across *a,
				   const char *repository, bool body)
{
	cleanup(free) char *key =
		mem_asprintf("%s/%s#index.json", repository, a->row);

	return answer_at_hand(a->documents->config.cache, key, body);
}

struct cache_entry *documents_across_list(const struct documents_across *a,
					  size_t i)
{
	cleanup(free) char *repository = documents_across_key(a, i);

	return list_of(a, repository, true);
}

static void add_time(struct documents_across *a, int64_t fetched_ms)
{
	if (!a->n_lists++ || fetched_ms < a->oldest_ms)
		a->oldest_ms = fetched_ms;
	if (fetched_ms > a->newest_ms)
		a->newest_ms = fetched_ms;
}

void documents_across_init(struct ctx *ctx, struct documents_across *a,
			   struct documents *d, const char *workspace,
			   const char *row, const char *of,
			   void (*also)(const struct documents_across *,
					const char *repository_key,
					struct buf *))
{
	cleanup(buf_done) struct buf text = BUF_INIT(0);
	struct answer_age age;

	*a = (struct documents_across){
		.documents = d,
		.listing = documents_listing_scope(d, workspace),
		.row = row,
	};
	/* Without a listing there are no repositories. */
	if (documents_collection(ctx, d, &resource_repositories, a->listing,
				 READ_CACHED, &a->repositories, &age) < 0)
		a->repositories = NULL;
	buf_printf(&text, "%s %s %zd", documents_derivation, of,
		   a->repositories ? (ssize_t)a->repositories->n_items : -1);
	for (size_t i = 0; a->repositories && i < a->repositories->n_items;
	     i++) {
		cleanup(free) char *key = documents_across_key(a, i);
		cleanup(cache_entry_free) struct cache_entry *e =
			list_of(a, key, false);

		if (!e)
			continue;
		buf_printf(&text, "\n%s %" PRIu64 " %" PRId64 " ",
			   a->repositories->items[i].id, e->version,
			   e->fetched_ms);
		if (also)
			also(a, key, &text);
		add_time(a, e->fetched_ms);
	}
	digest_sha1_hex(text.data, text.len, a->mark);
}

void documents_across_done(struct documents_across *a)
{
	scope_unref(a->listing);
	collection_unref(a->repositories);
}

static int make_once(struct ctx *ctx, const struct documents_across *a,
		     const char *key, int (*make)(struct ctx *, void *arg),
		     void *arg)
{
	struct flight *making = a->documents->making;
	cleanup(free) char *of = mem_asprintf("%s %s", key, a->mark);
	int r = flight_join(ctx, making, of);

	if (r != FLIGHT_LEAD)
		return r < 0 ? r : 0;
	r = make(ctx, arg);
	flight_land(making, of, r, ctx->sentence);
	return r;
}

int documents_across_file(struct ctx *ctx, const struct documents_across *a,
			  const char *key, int (*make)(struct ctx *, void *arg),
			  void *arg, struct document_file *ret_file)
{
	int r = 0;

	if (!documents_stored(a->documents, key, a->mark, ret_file)) {
		r = make_once(ctx, a, key, make, arg);
		/* Who saw a list that came meanwhile, or is another program on
		 * the same cache, may have made it anew since. */
		if (r == 0 &&
		    !documents_stored(a->documents, key, NULL, ret_file))
			r = ctx_fail(ctx, -EIO,
				     "The cache did not keep what it makes of "
				     "the %s of %s.",
				     a->row, a->listing->slug);
	}
	if (r == 0)
		ret_file->age =
			(struct answer_age){.left_ms = DOCUMENTS_ACROSS_MS};
	return r;
}
