/*
 * content/documents: answers, made of what is read through the cache: objects
 * and texts; and what all of documents share.
 *
 * Nothing is held in memory but the workspaces entered by name, what
 * repositories were lately confirmed to be called, and a few decoded
 * collections, which are found again by key and version: the cache is the one
 * place where things are.
 */
#include "content/documents_private.h"

#include "base/clock.h"
#include "base/text.h"

#include <stdarg.h>

#define DOCUMENT_MS 60000
#define COMPUTED_MS 120000

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
	struct documents *d = mem_calloc(1, sizeof(*d));
	size_t n = 0;

	d->config = *config;
	if (!d->config.history)
		d->config.history = 500;
	if (!d->config.index_bytes)
		d->config.index_bytes = CACHE_MAX_BODY;
	while (config->workspaces && config->workspaces[n])
		n++;
	d->workspaces = mem_calloc(n + 1, sizeof(*d->workspaces));
	for (size_t i = 0; i < n; i++)
		d->workspaces[i] = mem_strdup(config->workspaces[i]);
	d->config.workspaces = NULL;
	if (config->names_dir)
		d->names_dir = mem_strdup(config->names_dir);
	d->config.names_dir = NULL;
	d->making = flight_new(0);
	mutex_init(&d->lock);
	lru_init(&d->kept, N_COLLECTIONS, &collections);
	documents_names_init(d);
	if (d->config.cache)
		documents_derived_init(d);
	return d;
}

struct documents *documents_free(struct documents *d)
{
	if (!d)
		return NULL;
	read_through_break_off(d->config.source);
	for (size_t i = 0; d->workspaces[i]; i++)
		free(d->workspaces[i]);
	free(d->workspaces);
	free(d->names_dir);
	for (size_t i = 0; i < d->n_entered; i++)
		free(d->entered[i]);
	free(d->entered);
	lru_done(&d->confirmed);
	lru_done(&d->kept);
	flight_free(d->making);
	mutex_done(&d->lock);
	free(d);
	return NULL;
}

void documents_say(struct documents *d, int errnum, const char *path,
		   const char *fmt, ...)
{
	cleanup(buf_done) struct buf text = BUF_INIT(4 * KIB);
	va_list ap;

	if (!d->config.say)
		return;
	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	d->config.say(d->config.say_arg, path, errnum,
		      text.data ? text.data : "");
}

/* ---- endpoints ---- */

int documents_me(struct ctx *ctx, struct documents *d,
		 enum read_through_mode mode, char **ret_uuid)
{
	cleanup(answer_document_done) struct answer_document user = {0};
	cleanup(json_free) struct json *json = NULL;
	const char *uuid;
	int r = documents_user(ctx, d, mode, &user);

	if (r < 0)
		return r;
	json = json_of(user.body);
	uuid = json_str(json, "uuid");
	if (!uuid || !*uuid)
		return ctx_fail(ctx, -ENOENT,
				"Bitbucket does not say who is signed in.");
	*ret_uuid = mem_strdup(uuid);
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
		r = documents_me(ctx, d, READ_THROUGH, &me);
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

int64_t documents_most_ms(const struct resource *row)
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
	return bitbucket_get_as(ctx, f->documents->config.bitbucket, path,
				f->row->kind == RESOURCE_TEXT ? BITBUCKET_TEXT
							      : BITBUCKET_JSON,
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
	if (r < 0 && documents_is_nothing(f->row, reply.status))
		return put_nothing(ctx, f);
	/* Stored, a refusal of /user would pass for an answer that came: status
	 * and log would call well an account that is refused, and a token that
	 * was given its scope meanwhile would be of no use for minutes. */
	if (r < 0 && f->row == &resource_user)
		return r;
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
			.time_ms = resource_time(json, ANSWER_TIME),
		},
		1);
}

static int get_row(struct ctx *ctx, struct documents *d,
		   const struct resource *row, const struct scope *scope,
		   enum read_through_mode mode, struct cache_entry **ret_entry,
		   bool *ret_stale)
{
	struct documents_fetch f = {
		.documents = d,
		.row = row,
		.scope = scope,
		.anew = mode == READ_ANEW,
	};

	return read_through_get_within(ctx, d->config.source,
				       documents_most_ms(row), scope->key, mode,
				       fetch_plain, &f, ret_entry, ret_stale);
}

int documents_object(struct ctx *ctx, struct documents *d,
		     const struct resource *row, const struct scope *scope,
		     enum read_through_mode mode,
		     struct answer_document *ret_document)
{
	cleanup(cache_entry_free) struct cache_entry *e = NULL;
	bool stale = false;
	int r = get_row(ctx, d, row, scope, mode, &e, &stale);

	return r < 0 ? r
		     : answer_document_of(ctx, e, stale, ANSWER_TIME,
					  ret_document);
}

int documents_file_of(struct ctx *ctx, const struct cache_entry *e, bool stale,
		      struct document_file *ret_file)
{
	if (!e->body)
		return answer_failed(ctx, e);
	*ret_file = (struct document_file){e->version, e->n_body,
					   answer_age_of(e, stale)};
	return 0;
}

int documents_text(struct ctx *ctx, struct documents *d,
		   const struct resource *row, const struct scope *scope,
		   enum read_through_mode mode, struct document_file *ret_file)
{
	cleanup(cache_entry_free) struct cache_entry *e = NULL;
	bool stale = false;
	int r = get_row(ctx, d, row, scope, mode, &e, &stale);

	return r < 0 ? r : documents_file_of(ctx, e, stale, ret_file);
}

bool documents_stored(struct documents *d, const char *key, const char *mark,
		      struct document_file *ret_file)
{
	struct cache *cache = d->config.cache;
	cleanup(cache_entry_free) struct cache_entry *e =
		answer_at_hand(cache, key, false);

	if (!e || (mark && strcmp(e->etag, mark) != 0) ||
	    !cache_is_sound(cache, e->version, key))
		return false;
	*ret_file = (struct document_file){e->version, e->n_body,
					   answer_age_of(e, e->left_ms < 0)};
	return true;
}

int documents_read(struct documents *d, uint64_t version, uint64_t offset,
		   size_t n, struct blob **ret_piece)
{
	return cache_read_version(d->config.cache, version, offset, n,
				  ret_piece);
}

int documents_version(struct documents *d, uint64_t version,
		      struct blob **ret_body)
{
	return cache_get_version(d->config.cache, version, ret_body);
}

int64_t documents_mtime_ms(struct documents *d, uint64_t version,
			   int64_t time_ms)
{
	return cache_mtime_ms(d->config.cache, version, time_ms, 0);
}

int64_t documents_unknown_ms(struct documents *d)
{
	return bitbucket_unknown_ms(d->config.bitbucket, NULL);
}

/* ---- the account ---- */

bool documents_has_user(const struct documents *d)
{
	enum credential_kind kind = credential_kind(d->config.credential);

	return kind == CREDENTIAL_API_TOKEN || kind == CREDENTIAL_BASIC ||
	       kind == CREDENTIAL_OAUTH;
}

bool documents_is_refused(struct ctx *ctx, struct documents *d)
{
	cleanup(ctx_done) struct ctx look;

	ctx_init_like(&look, ctx);
	/* The class for which one refusal is enough. */
	look.who = CTX_REFRESH;
	return credential_look(&look, d->config.credential, CREDENTIAL_REST) ==
	       -EACCES;
}

int documents_user(struct ctx *ctx, struct documents *d,
		   enum read_through_mode mode,
		   struct answer_document *ret_document)
{
	cleanup(scope_unref) struct scope *scope = NULL;

	if (!documents_has_user(d))
		return ctx_fail(ctx, -ENOENT,
				"Nobody is signed in as a user, so there is "
				"nothing of theirs.");
	scope = scope_new(resource_user.name, "", "", "", "");
	return documents_object(ctx, d, &resource_user, scope, mode,
				ret_document);
}

int documents_check_token(struct ctx *ctx, struct documents *d)
{
	cleanup(bitbucket_reply_done) struct bitbucket_reply reply = {0};
	cleanup(free) char *path = NULL;
	int r;

	if (credential_kind(d->config.credential) != CREDENTIAL_ACCESS_TOKEN ||
	    !d->workspaces[0])
		return 0;
	path = bitbucket_workspace_path(d->workspaces[0]);
	r = bitbucket_get(ctx, d->config.bitbucket, path, NULL, &reply);
	return answer_is_gone(reply.status) ? 0 : r;
}
