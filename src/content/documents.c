/*
 * content/documents: answers, made of what source has or brings.
 *
 * An item is as fresh as its collection: a hundred outdated items are two
 * requests for the pages that have them, not a hundred.
 */
#include "content/documents_private.h"

#include "base/clock.h"
#include "base/text.h"

#define DOCUMENT_MS 60000
#define COMPUTED_MS 120000
#define NO_MORE_MS 60000

static void *collection_ref(void *collection)
{
	struct collection *c = collection;

	refcount_take(&c->refcount_private);
	return c;
}

static void collection_let_go(void *collection)
{
	collection_unref(collection);
}

static const struct lru_values collections = {
	.ref = collection_ref,
	.unref = collection_let_go,
};

struct documents *documents_new(const struct documents_config *config)
{
	struct documents *d = xcalloc(1, sizeof(*d));

	d->config = *config;
	if (!d->config.history)
		d->config.history = 500;
	d->making = flight_new(0);
	mutex_init(&d->lock);
	lru_init(&d->kept, N_COLLECTIONS, &collections);
	return d;
}

struct documents *documents_free(struct documents *d)
{
	if (!d)
		return NULL;
	lru_done(&d->kept);
	flight_free(d->making);
	mutex_done(&d->lock);
	free(d);
	return NULL;
}

/* ---- scopes ---- */

struct scope *scope_new(const char *key, const char *workspace,
			const char *workspace_id, const char *repository_id)
{
	struct scope *s = xcalloc(1, sizeof(*s));

	refcount_init(&s->refcount);
	s->key = xstrdup(key);
	s->workspace = xstrdup(workspace);
	s->workspace_id = xstrdup(workspace_id);
	s->repository_id = xstrdup(repository_id);
	return s;
}

static struct scope *scope_copy(const struct scope *from, char *key)
{
	struct scope *s = xcalloc(1, sizeof(*s));

	refcount_init(&s->refcount);
	s->key = key;
	s->workspace = xstrdup(from->workspace);
	s->workspace_id = xstrdup(from->workspace_id);
	s->repository_id = xstrdup(from->repository_id);
	for (; s->n_ids < from->n_ids; s->n_ids++)
		s->ids[s->n_ids] = xstrdup(from->ids[s->n_ids]);
	return s;
}

struct scope *scope_below(const struct scope *scope, const char *row_name)
{
	return scope_copy(scope, xasprintf("%s/%s", scope->key, row_name));
}

struct scope *scope_item(const struct scope *scope, const struct resource *row,
			 const char *id)
{
	struct scope *s = scope_copy(scope, documents_item_key(row, scope, id));

	check(s->n_ids < SCOPE_IDS);
	s->ids[s->n_ids++] = xstrdup(id);
	return s;
}

struct scope *scope_ref(struct scope *s)
{
	refcount_take(&s->refcount);
	return s;
}

struct scope *scope_unref(struct scope *s)
{
	if (!s || !refcount_drop(&s->refcount))
		return NULL;
	for (unsigned i = 0; i < s->n_ids; i++)
		free(s->ids[i]);
	free(s->workspace);
	free(s->workspace_id);
	free(s->repository_id);
	free(s->key);
	free(s);
	return NULL;
}

char *documents_item_key(const struct resource *row, const struct scope *scope,
			 const char *id)
{
	size_t n = strlen(scope->key);
	struct buf key = BUF_INIT(0);

	if (row->is_beside)
		n -= strlen(row->name) + 1;
	buf_add(&key, scope->key, n);
	buf_puts(&key, "/@");
	text_percent_encode(&key, id, "{}");
	return buf_steal(&key, NULL);
}

/* ---- endpoints ---- */

static int fetch_user(struct ctx *ctx, void *arg, const struct cache_entry *old)
{
	struct documents *d = arg;

	return answer_fetch_user(ctx, d->config.bitbucket, d->config.cache,
				 old);
}

/* The account's uuid, from the document of /user. */
static int find_me(struct ctx *ctx, struct documents *d, char **ret_uuid)
{
	cleanup(cache_entry_free) struct cache_entry *e = NULL;
	cleanup(json_free) struct json *json = NULL;
	const char *uuid = NULL;
	bool stale;
	int r;

	if (!catalog_has_user(d->config.catalog))
		return ctx_fail(ctx, -ENOENT,
				"Nobody is signed in as a user, so there is "
				"nothing of theirs.");
	r = read_through_get(ctx, d->config.source, ANSWER_USER, READ_THROUGH,
			     fetch_user, d, &e, &stale);
	if (r < 0)
		return r;
	if (e->body && !json_parse(blob_data(e->body), e->n_body, &json))
		uuid = json_str(json, "uuid");
	if (!uuid)
		return ctx_fail(ctx, -ENOENT,
				"Bitbucket does not say who is signed in.");
	*ret_uuid = xstrdup(uuid);
	return 0;
}

static int fill_in(struct ctx *ctx, struct documents *d,
		   const struct scope *scope, const char *name, size_t n,
		   struct buf *path)
{
	cleanup(free) char *me = NULL;
	const char *value = NULL;
	int r;

	if (n == 2 && !memcmp(name, "ws", 2)) {
		value = scope->workspace_id;
	} else if (n == 4 && !memcmp(name, "repo", 4)) {
		value = scope->repository_id;
	} else if (n == 2 && !memcmp(name, "me", 2)) {
		r = find_me(ctx, d, &me);
		if (r < 0)
			return r;
		value = me;
	} else {
		unsigned i = (unsigned)(name[0] - '1');

		check(n == 1 && i < scope->n_ids);
		value = scope->ids[i];
	}
	return text_percent_encode(path, value, "");
}

int documents_path(struct ctx *ctx, struct documents *d, const char *endpoint,
		   const struct scope *scope, char **ret_path)
{
	cleanup(buf_done) struct buf path = BUF_INIT(64 * KIB);
	int r;

	while (*endpoint) {
		size_t n = strcspn(endpoint, "{");

		buf_add(&path, endpoint, n);
		endpoint += n;
		if (!*endpoint)
			break;
		n = strcspn(++endpoint, "}");
		r = fill_in(ctx, d, scope, endpoint, n, &path);
		if (r < 0)
			return r;
		endpoint += n + 1;
	}
	if (path.failed)
		return path.failed;
	*ret_path = buf_steal(&path, NULL);
	return 0;
}

/* ---- storing ---- */

int documents_refused(struct ctx *ctx, struct documents *d, const char *key,
		      const struct cache_entry *old, int r, long status)
{
	if ((old && old->body) || !answer_is_gone(status))
		return r;
	return answer_put_failure(
		ctx, d->config.cache, key, r,
		status == 403 ? REFUSED_MS
			      : bitbucket_unknown_ms(d->config.bitbucket, ctx));
}

static int64_t most_ms(const struct resource *row)
{
	return row->kind == RESOURCE_TEXT || row->is_computed ? COMPUTED_MS
							      : DOCUMENT_MS;
}

/* ---- objects and texts ---- */

/* An object without members. */
static int put_nothing(struct ctx *ctx, const struct documents_fetch *f)
{
	return answer_put(ctx, f->documents->config.cache,
			  &(struct cache_put){
				  .key = f->scope->key,
				  .body = "{}",
				  .n_body = 2,
				  .ttl_ms = f->row->ttl_s * 1000,
			  },
			  1);
}

static int get_plain(struct ctx *ctx, const struct documents_fetch *f,
		     const char *path, const struct cache_entry *old,
		     struct bitbucket_reply *ret_reply)
{
	return (f->row->kind == RESOURCE_TEXT ? bitbucket_get_text
					      : bitbucket_get)(
		ctx, f->documents->config.bitbucket, path,
		old && old->body ? old->etag : NULL, ret_reply);
}

static int fetch_plain(struct ctx *ctx, void *arg,
		       const struct cache_entry *old)
{
	struct documents_fetch *f = arg;
	struct documents *d = f->documents;
	cleanup(bitbucket_reply_done) struct bitbucket_reply reply = {0};
	cleanup(json_free) struct json *json = NULL;
	cleanup(free) char *path = NULL, *direct = NULL;
	int64_t ttl_ms = f->row->ttl_s * 1000, left_ms = 0;
	int r = documents_path(ctx, d, f->row->endpoint, f->scope, &path);

	if (r < 0)
		return r;
	direct = documents_direct(ctx, f, old, &left_ms);
	r = get_plain(ctx, f, direct ? direct : path, old, &reply);
	if (direct && r < 0 && documents_direct_failed(ctx, reply.status)) {
		bitbucket_reply_done(&reply);
		reply = (struct bitbucket_reply){0};
		r = get_plain(ctx, f, path, old, &reply);
	} else if (direct && ttl_ms > left_ms) {
		ttl_ms = left_ms;
	}
	if (r == -ENOENT && f->row->may_lack && reply.status == 404)
		return put_nothing(ctx, f);
	if (r < 0)
		return documents_refused(ctx, d, f->scope->key, old, r,
					 reply.status);
	if (reply.not_modified)
		return answer_touch(ctx, d->config.cache, f->scope->key,
				    ttl_ms);
	if (f->row->kind == RESOURCE_OBJECT) {
		r = bitbucket_parse(ctx, &reply, path, &json);
		if (r < 0)
			return r;
		if (!json_is_object(json))
			return ctx_fail(ctx, -EIO,
					"Bitbucket's answer to %s is no "
					"object.",
					path);
	}
	return answer_put(
		ctx, d->config.cache,
		&(struct cache_put){
			.key = f->scope->key,
			.body = reply.body.data ? reply.body.data : "",
			.n_body = reply.body.len,
			.etag = reply.etag,
			.ttl_ms = ttl_ms,
		},
		1);
}

int documents_object(struct ctx *ctx, struct documents *d,
		     const struct resource *row, const struct scope *scope,
		     enum read_through_mode mode,
		     struct answer_document *ret_document)
{
	cleanup(cache_entry_free) struct cache_entry *e = NULL;
	struct documents_fetch f = {d, row, scope, NULL, mode == READ_ANEW};
	bool stale = false;
	int r = read_through_get(ctx, d->config.source, scope->key, mode,
				 fetch_plain, &f, &e, &stale);

	return r < 0 ? r
		     : answer_document_of(ctx, e, stale, ANSWER_TIME,
					  ret_document);
}

int documents_text(struct ctx *ctx, struct documents *d,
		   const struct resource *row, const struct scope *scope,
		   enum read_through_mode mode, struct document_file *ret_file)
{
	cleanup(cache_entry_free) struct cache_entry *e = NULL;
	struct documents_fetch f = {d, row, scope, NULL, mode == READ_ANEW};
	bool stale = false;
	int r = read_through_get_within(ctx, d->config.source, most_ms(row),
					scope->key, mode, fetch_plain, &f, &e,
					&stale);

	if (r < 0)
		return r;
	if (!e->body)
		return answer_failed(ctx, e);
	*ret_file = (struct document_file){e->version, e->n_body,
					   answer_age_of(e, stale)};
	return 0;
}

int documents_read(struct documents *d, uint64_t version, uint64_t offset,
		   size_t n, struct blob **ret_piece)
{
	return cache_read_version(d->config.cache, version, offset, n,
				  ret_piece);
}

/* ---- collections ---- */

/* The decoded collection, if it is of this version; a reference. */
static struct collection *kept(struct documents *d, const char *key,
			       uint64_t version)
{
	struct collection *c = lru_get(&d->kept, key, strlen(key));

	return c && c->version != version ? collection_unref(c) : c;
}

static int collection_of(struct ctx *ctx, struct documents *d, const char *key,
			 const struct cache_entry *e, struct collection **ret)
{
	struct collection *c;

	if (!e->body)
		return answer_failed(ctx, e);
	c = kept(d, key, e->version);
	if (!c) {
		if (collection_decode(blob_data(e->body), e->n_body, &c)) {
			(void)cache_remove(d->config.cache, key);
			return ctx_fail(ctx, -EBADMSG,
					"The cached %s is unreadable.", key);
		}
		c->version = e->version;
		lru_put(&d->kept, key, strlen(key), c, 1);
		if (c->n_items > MANY_ITEMS)
			mem_give_back();
	}
	*ret = c;
	return 0;
}

/* The same without the bytes of what is decoded already: a look at each of a
 * thousand items reads the list of their names once. */
static bool kept_and_fresh(struct documents *d, const char *key,
			   enum read_through_mode mode, struct collection **ret,
			   struct answer_age *ret_age)
{
	cleanup(cache_entry_free) struct cache_entry *e = NULL;

	if (mode == READ_REFRESH || mode == READ_ANEW ||
	    cache_stat(d->config.cache, key, &e) <= CACHE_MISS || e->negative ||
	    (mode == READ_THROUGH && e->left_ms < 0))
		return false;
	*ret = kept(d, key, e->version);
	if (*ret)
		*ret_age = answer_age_of(e, false);
	return *ret != NULL;
}

static int get_collection(struct ctx *ctx, struct documents *d,
			  const struct resource *row, const struct scope *scope,
			  enum read_through_mode mode,
			  struct collection **ret_collection,
			  struct answer_age *ret_age)
{
	cleanup(cache_entry_free) struct cache_entry *e = NULL;
	struct documents_fetch f = {d, row, scope, NULL, mode == READ_ANEW};
	bool stale = false;
	int r;

	if (kept_and_fresh(d, scope->key, mode, ret_collection, ret_age))
		return 0;
	for (unsigned tries = 0;; tries++) {
		r = read_through_get_within(
			ctx, d->config.source, most_ms(row), scope->key, mode,
			documents_fetch_collection, &f, &e, &stale);
		if (r < 0)
			return r;
		*ret_age = answer_age_of(e, stale);
		r = collection_of(ctx, d, scope->key, e, ret_collection);
		/* Garbage, and removed: as if it had never been here. */
		if (r != -EBADMSG || tries > 0)
			return r;
		ctx->sentence[0] = '\0';
		e = cache_entry_free(e);
	}
}

static bool may_ask_for_more(struct documents *d)
{
	bool may;

	mutex_lock(&d->lock);
	may = d->no_more_until_ms <= clock_mono_ms();
	mutex_unlock(&d->lock);
	return may;
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
	int r = get_collection(ctx, d, row, scope, mode, ret_collection,
			       ret_age);

	/* Of a mount that wanted fewer. */
	if (r < 0 || mode != READ_THROUGH || !row->is_history ||
	    !(*ret_collection)->more ||
	    (*ret_collection)->most >= d->config.history ||
	    !may_ask_for_more(d))
		return r;
	r = get_collection(ctx, d, row, scope, READ_ANEW, &more, ret_age);
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

int documents_file(struct documents *d, const struct scope *scope,
		   const char *name, struct document_file *ret_file)
{
	cleanup(free) char *key = xasprintf("%s#%s", scope->key, name);
	cleanup(cache_entry_free) struct cache_entry *e = NULL;

	if (cache_stat(d->config.cache, key, &e) <= CACHE_MISS || e->negative ||
	    !cache_is_sound(d->config.cache, e->version, key))
		return -ENOENT;
	*ret_file = (struct document_file){e->version, e->n_body,
					   answer_age_of(e, e->left_ms < 0)};
	return 0;
}

/* ---- items ---- */

/* The key that the item has by its own id; NULL: it does not say. */
static char *own_key(const struct documents_fetch *f, const struct json *item)
{
	const struct resource_column id = {"", f->row->items->id_path, NULL};
	cleanup(buf_done) struct buf value = BUF_INIT(64 * KIB);

	resource_value(&id, item, &value);
	return value.len ? documents_item_key(f->row, f->scope, value.data)
			 : NULL;
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
	};
	puts[1] = puts[0];
	own = own_key(f, json);
	if (own && strcmp(own, scope->key) != 0)
		puts[n_puts++].key = own;
	return answer_put(ctx, d->config.cache, puts, n_puts);
}

/* Brings the collection up to date if it is the one that has the item. */
static bool freshen(struct ctx *ctx, struct documents *d,
		    const struct resource *row, const struct scope *scope,
		    const char *id, struct answer_age *ret_age)
{
	cleanup(collection_unref) struct collection *c = NULL, *newer = NULL;

	/* Where no walk meets the items, one that was entered by its name is
	 * one request, and the collection would be ten. */
	if (row->listing == RESOURCE_LISTS_NONE && row->items->endpoint)
		return false;
	if (documents_collection(ctx, d, row, scope, READ_CACHED, &c, ret_age) <
		    0 ||
	    !collection_find_id(c, id))
		return false;
	if (ret_age->left_ms > 0)
		return true;
	return documents_collection(ctx, d, row, scope, READ_THROUGH, &newer,
				    ret_age) == 0;
}

int documents_item(struct ctx *ctx, struct documents *d,
		   const struct resource *row, const struct scope *scope,
		   const char *id, enum read_through_mode mode,
		   struct answer_document *ret_document)
{
	cleanup(free) char *key = documents_item_key(row, scope, id);
	cleanup(cache_entry_free) struct cache_entry *e =
		answer_peek(d->config.cache, key);
	struct documents_fetch f = {d, row, scope, id, false};
	struct answer_age age = {0};
	bool stale = false;
	int r;

	if (mode == READ_CACHED && !e)
		return -ENOENT;
	if (mode == READ_THROUGH && e && e->left_ms <= 0 &&
	    freshen(ctx, d, row, scope, id, &age)) {
		cache_entry_free(e);
		e = answer_peek(d->config.cache, key);
		/* It is not in the newer one. */
		stale = age.stale || (e && e->left_ms <= 0);
		mode = e ? READ_CACHED : mode;
	}
	if (!e || mode == READ_REFRESH || mode == READ_ANEW ||
	    (mode == READ_THROUGH && e->left_ms <= 0)) {
		if (!row->items->endpoint)
			return e ? answer_document_of(ctx, e, true,
						      row->items->time_path,
						      ret_document)
				 : ctx_fail(ctx, -ENOENT, "There is no %s.",
					    id);
		e = cache_entry_free(e);
		r = read_through_get(ctx, d->config.source, key, mode,
				     fetch_item, &f, &e, &stale);
		if (r < 0)
			return r;
	}
	return answer_document_of(ctx, e, stale, row->items->time_path,
				  ret_document);
}
