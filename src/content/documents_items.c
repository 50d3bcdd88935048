/*
 * content/documents: collections, and the items that they have.
 *
 * An item is as fresh as its collection: a hundred outdated items are two
 * requests for the pages that have them, not a hundred.
 */
#include "content/documents_private.h"

#include "base/clock.h"
#include "base/log.h"

#define NO_MORE_MS 60000

/* ---- collections ---- */

/*
 * The decoded collection, if it is of this version; a reference. Decoded ones
 * are kept by key, while others bring new ones:
 * 1. A reads in the cache that the collection is of version 7, and how old.
 * 2. B has the last page of version 8, stores it, and keeps it in 7's place.
 * 3. A finds 8, and would say of it the age of 7.
 * 4. C, slower than B, keeps 7 in 8's place: D would list what is outdated.
 * So everybody compares, and decodes what the cache has.
 */
static struct collection *kept(struct documents *d, const char *key,
			       uint64_t version)
{
	struct collection *c = lru_get(&d->kept, key, strlen(key));

	return c && c->version != version ? collection_unref(c) : c;
}

static struct collection *decoded(struct documents *d,
				  const struct resource *row, const char *key,
				  const struct cache_entry *e)
{
	struct collection *c = kept(d, key, e->version);

	if (c)
		return c;
	if (collection_decode(row, blob_data(e->body), e->n_body, &c)) {
		log_warn("the cached %s is unreadable", key);
		(void)cache_remove(d->config.cache, key);
		return NULL;
	}
	c->version = e->version;
	lru_put(&d->kept, key, strlen(key), c, 1);
	if (c->n_items > MANY_ITEMS)
		mem_give_back();
	return c;
}

/* Without the bytes of what is decoded already: a look at each of a thousand
 * items reads the list of their names once. */
static struct collection *known(struct documents *d, const struct resource *row,
				const char *key, const struct cache_entry *e,
				struct answer_age *ret_age)
{
	cleanup(cache_entry_free) struct cache_entry *whole = NULL;
	struct collection *c;

	if (!e || e->negative)
		return NULL;
	c = kept(d, key, e->version);
	if (!c) {
		e = whole = answer_peek(d->config.cache, key);
		c = e && e->body ? decoded(d, row, key, e) : NULL;
	}
	if (c)
		*ret_age = answer_age_of(e, e->left_ms < 0);
	return c;
}

struct collection *documents_known(struct documents *d,
				   const struct resource *row, const char *key,
				   struct answer_age *ret_age)
{
	cleanup(cache_entry_free) struct cache_entry *e =
		answer_peek_version(d->config.cache, key);

	return known(d, row, key, e, ret_age);
}

/* One of all who look does it: an upgraded mount is looked at by many at once,
 * and a large list would be in memory once for each. */
static void collect_again(struct documents *d, const struct resource *row,
			  const struct scope *scope)
{
	cleanup(free) char *key = mem_asprintf("again/%s", scope->key);
	cleanup(cache_entry_free) struct cache_entry *e = NULL;
	cleanup(ctx_done) struct ctx ctx;

	ctx_init(&ctx, NULL, -1);
	if (flight_join(&ctx, d->making, key) != FLIGHT_LEAD)
		return;
	e = answer_peek_version(d->config.cache, scope->key);
	if (e && !e->negative && !documents_is_of_today(d, row, scope, e))
		documents_collect_again(d, row, scope, e);
	flight_land(d->making, key, 0, NULL);
}

/* The same, as this program derives it. What a listing has is derived when it
 * is decoded. */
static struct collection *known_of_today(struct documents *d,
					 const struct resource *row,
					 const struct scope *scope,
					 struct answer_age *ret_age)
{
	cleanup(cache_entry_free) struct cache_entry *e =
		answer_peek_version(d->config.cache, scope->key);

	if (e && !e->negative && !collection_is_listing(row) &&
	    !documents_is_of_today(d, row, scope, e)) {
		collect_again(d, row, scope);
		cache_entry_free(e);
		e = answer_peek_version(d->config.cache, scope->key);
	}
	return known(d, row, scope->key, e, ret_age);
}

static read_through_fetch *fetch_of(const struct resource *row)
{
	return row->special == RESOURCE_WORKSPACES ? documents_fetch_workspaces
	       : row->special == RESOURCE_REPOSITORIES
		       ? documents_fetch_repositories
		       : documents_fetch_collection;
}

/* The list as people call it: "acme's repositories", "comments of 12 of
 * acme/widgets". */
static char *what_is(const struct resource *row, const struct scope *scope)
{
	struct buf what = BUF_INIT(0);

	if (row->special == RESOURCE_WORKSPACES)
		return mem_strdup("the workspaces");
	if (row->special == RESOURCE_REPOSITORIES)
		return mem_asprintf("%s's repositories", scope->workspace);
	buf_puts(&what, row->name);
	for (unsigned i = scope->n_ids; i > 0; i--)
		buf_printf(&what, " of %s", scope->ids[i - 1]);
	if (*scope->workspace)
		buf_printf(&what, " of %s", scope->workspace);
	if (*scope->slug && *scope->repository_id)
		buf_printf(&what, "/%s", scope->slug);
	return buf_steal(&what, NULL);
}

static void *keep_fetch(void *arg)
{
	const struct documents_fetch *f = arg;
	struct documents_fetch *kept = mem_alloc(sizeof(*kept));

	*kept = *f;
	kept->id = NULL;
	kept->scope = kept->own_scope = scope_copy(f->scope);
	return kept;
}

static void let_fetch_go(void *arg)
{
	struct documents_fetch *kept = arg;

	scope_unref(kept->own_scope);
	free(kept);
}

int documents_collection_stored(struct ctx *ctx, struct documents *d,
				const struct resource *row,
				const struct scope *scope,
				enum read_through_mode mode,
				struct collection **ret_collection,
				struct answer_age *ret_age)
{
	struct documents_fetch f = {
		.documents = d,
		.row = row,
		.scope = scope,
		.anew = mode == READ_ANEW,
	};
	cleanup(free) char *what = NULL;
	struct read_through_list list = {
		.fetch = fetch_of(row),
		.keep = keep_fetch,
		.let_go = let_fetch_go,
	};

	/* The scope of a workspace's directory is its name alone: with it, the
	 * listings of all workspaces would be one. */
	check(*scope->key);
	if (mode == READ_THROUGH || mode == READ_CACHED) {
		struct collection *c = known_of_today(d, row, scope, ret_age);

		if (c && (mode == READ_CACHED || !ret_age->stale)) {
			*ret_collection = c;
			return 0;
		}
		collection_unref(c);
	}
	list.what = what = what_is(row, scope);
	/* Twice: garbage is removed, as if it had never been here. */
	for (unsigned i = 0; i < 2; i++) {
		cleanup(cache_entry_free) struct cache_entry *e = NULL;
		bool stale = false;
		int r = read_through_get_list(
			ctx, d->config.source, documents_most_ms(row),
			scope->key, mode, &list, &f, &e, &stale);

		if (r < 0)
			return r;
		if (!e->body)
			return answer_failed(ctx, e);
		*ret_age = answer_age_of(e, stale);
		*ret_collection = decoded(d, row, scope->key, e);
		if (*ret_collection)
			return 0;
	}
	return ctx_fail(ctx, -EIO, "The cached %s is unreadable.", scope->key);
}

static bool may_ask_for_more(struct documents *d)
{
	return mutex_with(&d->lock, d->no_more_until_ms <= clock_mono_ms());
}

static void ask_for_no_more(struct documents *d)
{
	mutex_lock(&d->lock);
	d->no_more_until_ms = clock_mono_ms() + NO_MORE_MS;
	mutex_unlock(&d->lock);
}

int documents_collection(struct ctx *ctx, struct documents *d,
			 const struct resource *row, const struct scope *scope,
			 enum read_through_mode mode,
			 struct collection **ret_collection,
			 struct answer_age *ret_age)
{
	struct collection *more = NULL;
	int r;

	if (row->special == RESOURCE_WORKSPACES)
		return documents_workspaces(ctx, d, mode, ret_collection,
					    ret_age);
	r = documents_collection_stored(ctx, d, row, scope, mode,
					ret_collection, ret_age);
	/* What is stored may be bounded to fewer items than this mount wants
	 * (-o history): then all are brought anew. */
	if (r < 0 || mode != READ_THROUGH || !row->is_history ||
	    !(*ret_collection)->more ||
	    (*ret_collection)->most >= d->config.history ||
	    !may_ask_for_more(d))
		return r;
	r = documents_collection_stored(ctx, d, row, scope, READ_ANEW, &more,
					ret_age);
	if (r == -EINTR) {
		*ret_collection = collection_unref(*ret_collection);
		return r;
	}
	if (r == 0) {
		collection_unref(*ret_collection);
		*ret_collection = more;
	} else {
		ask_for_no_more(d);
	}
	return 0;
}

bool documents_outdated(struct documents *d, const struct resource *row,
			const struct scope *scope, const char *id)
{
	cleanup(free) char *key = id ? scope_item_key(row, scope, id)
				     : mem_strdup(scope->key);
	cleanup(cache_entry_free) struct cache_entry *e =
		answer_peek_version(d->config.cache, key);

	return e && cache_expire(d->config.cache, key) == 0;
}

int documents_file(struct documents *d, const struct scope *scope,
		   const char *name, struct document_file *ret_file)
{
	cleanup(free) char *key = mem_asprintf("%s#%s", scope->key, name);

	return documents_stored(d, key, NULL, ret_file) ? 0 : -ENOENT;
}

/* ---- items ---- */

/* The key that the item has by its own id; NULL: it does not say. */
static char *own_key(const struct documents_fetch *f, const struct json *item)
{
	const struct resource_column id = {"", f->row->items->id_path, NULL};
	cleanup(buf_done) struct buf value = BUF_INIT(64 * KIB);

	resource_value(&id, item, &value);
	return value.len ? scope_item_key(f->row, f->scope, value.data) : NULL;
}

static int fetch_item(struct ctx *ctx, void *arg, const struct cache_entry *old)
{
	struct documents_fetch *f = arg;
	struct documents *d = f->documents;
	const struct resource_items *items = f->row->items;
	cleanup(scope_unref) struct scope *scope =
		scope_item(f->scope, f->row, f->id);
	cleanup(bitbucket_reply_done) struct bitbucket_reply reply = {0};
	cleanup(json_free) struct json *json = NULL;
	cleanup(buf_done) struct buf text = BUF_INIT(0);
	cleanup(free) char *path = NULL, *own = NULL;
	struct cache_put puts[2];
	size_t n_puts = 1;
	bool final;
	int r = documents_path(ctx, d, items->endpoint, scope, &path);

	if (r < 0)
		return r;
	r = bitbucket_get(ctx, d->config.bitbucket, path, NULL, &reply);
	if (r < 0)
		return documents_refused(ctx, d, scope->key, old, r,
					 reply.status);
	r = bitbucket_parse(ctx, &reply, path, &json);
	if (r < 0)
		return r;
	if (!json_is_object(json) || json_compact(json, &text) < 0)
		return ctx_fail(ctx, -EIO,
				"Bitbucket's answer to %s is no object.", path);
	final = items->is_final && items->is_final(json);
	puts[0] = (struct cache_put){
		.key = scope->key,
		.body = text.data,
		.n_body = text.len,
		.ttl_ms = final ? FINAL_MS : f->row->ttl_s * 1000,
		.time_ms = resource_time(json, items->time_path),
	};
	puts[1] = puts[0];
	own = own_key(f, json);
	if (own && strcmp(own, scope->key) != 0)
		puts[n_puts++].key = own;
	return answer_put(ctx, d->config.cache, puts, n_puts);
}

/*
 * Brings the collection up to date if it is the one that has the item, as the
 * policy says of that. *ret_age: the collection's. False: the item is asked for
 * by itself.
 *
 * All repositories of a workspace that was ever listed are as fresh as the
 * listing, also one that left it: a failure says nothing, what is cached will
 * do.
 */
static bool freshen(struct ctx *ctx, struct documents *d,
		    const struct resource *row, const struct scope *scope,
		    const char *id, enum read_through_mode mode,
		    struct answer_age *ret_age)
{
	cleanup(collection_unref) struct collection *c = NULL, *newer = NULL;
	cleanup(scope_unref) struct scope *now = NULL;
	bool all = row->special == RESOURCE_REPOSITORIES;

	/* Where no walk meets the items, one that was entered by its name is
	 * one request, and the collection would be ten. */
	if (row->listing == RESOURCE_LISTS_NONE && row->items->endpoint)
		return false;
	/* The directory was made when nobody had told the workspace's uuid: by
	 * now it may be listed by that, and would be listed by its name, too.
	 */
	if (all && !documents_is_uuid(scope->workspace_id)) {
		now = documents_listing_scope(d, scope->workspace);
		c = documents_known(d, row, now->key, ret_age);
		if (c)
			scope = now;
	}
	if (!c)
		c = documents_known(d, row, scope->key, ret_age);
	if (!c || (!all && !collection_find_id(c, id)))
		return false;
	if (ret_age->left_ms > 0 || mode == READ_CACHED)
		return true;
	return documents_collection(ctx, d, row, scope, READ_THROUGH, &newer,
				    ret_age) == 0 ||
	       all;
}

/*
 * Whoever wants it at once (READ_THROUGH, READ_CACHED) gets, in this order:
 *   1. what the cache has, while that is fresh;
 *   2. what the cache has, once the collection that lists it was brought up
 *      to date (freshen); with READ_CACHED as it is, or -ENOENT, and no more;
 *   3. of a row whose items have no endpoint: what the cache has, of any age,
 *      else -ENOENT;
 *   4. the answer to a GET of its own. READ_REFRESH and READ_ANEW begin here,
 *      but for the rows of 3.
 */
int documents_item(struct ctx *ctx, struct documents *d,
		   const struct resource *row, const struct scope *scope,
		   const char *id, enum read_through_mode mode,
		   struct answer_document *ret_document)
{
	cleanup(free) char *key = scope_item_key(row, scope, id);
	cleanup(cache_entry_free) struct cache_entry *e = NULL;
	struct documents_fetch f = {
		.documents = d, .row = row, .scope = scope, .id = id};
	struct answer_age age = {0};
	bool stale = false, from_collection = false, asked = false;
	int r;

	if (mode == READ_THROUGH || mode == READ_CACHED ||
	    !row->items->endpoint)
		e = answer_peek(d->config.cache, key);
	if (mode == READ_CACHED && !e)
		return -ENOENT;
	if ((mode == READ_THROUGH || mode == READ_CACHED) && e &&
	    e->left_ms <= 0) {
		from_collection = freshen(ctx, d, row, scope, id, mode, &age);
		if (from_collection && mode == READ_THROUGH) {
			cache_entry_free(e);
			e = answer_peek(d->config.cache, key);
		}
		/* It is not in the newer one. */
		stale = age.stale || (e && e->left_ms <= 0);
		if (from_collection && e)
			mode = READ_CACHED;
	}
	if (mode != READ_CACHED && !(e && e->left_ms > 0)) {
		if (!row->items->endpoint)
			return e ? answer_document_of(ctx, e, true,
						      row->items->time_path,
						      ret_document)
				 : ctx_fail(ctx, -ENOENT, "There is no %s.",
					    id);
		e = cache_entry_free(e);
		r = read_through_get(ctx, d->config.source, key, mode,
				     row->special == RESOURCE_REPOSITORIES
					     ? documents_fetch_repository
					     : fetch_item,
				     &f, &e, &stale);
		if (r < 0)
			return r;
		asked = true;
	}
	r = answer_document_of(ctx, e, stale, row->items->time_path,
			       ret_document);
	if (r == 0) {
		ret_document->age.from_collection = from_collection &&
						    age.left_ms <= 0;
		ret_document->age.asked = asked;
	}
	return r;
}
