/*
 * content/catalog: answers, made of what source has or brings.
 *
 * Nothing is held in memory but the workspaces entered by name and a few
 * decoded listings, which are found again by key and version: the cache is the
 * one place where things are.
 */
#include "content/catalog_private.h"

#include "base/clock.h"
#include "base/log.h"

#include <stdarg.h>
#include <strings.h>

#define LISTINGS "repositories/"
#define MINUTE_MS (INT64_C(60) * 1000)

static int64_t or_default(int64_t value, int64_t otherwise)
{
	return value > 0 ? value : otherwise;
}

static void *listing_ref(void *listing)
{
	struct listing *l = listing;

	refcount_take(&l->refcount);
	return l;
}

static void listing_unref(void *listing)
{
	catalog_listing_unref(listing);
}

static const struct lru_values listings = {
	.ref = listing_ref,
	.unref = listing_unref,
};

int catalog_new(const struct catalog_config *config,
		struct catalog **ret_catalog)
{
	struct catalog *c = xcalloc(1, sizeof(*c));
	size_t n = 0;

	c->config = *config;
	c->config.ttl_workspaces_ms =
		or_default(config->ttl_workspaces_ms, 10 * MINUTE_MS);
	c->config.ttl_repositories_ms =
		or_default(config->ttl_repositories_ms, 10 * MINUTE_MS);
	c->config.ttl_unknown_ms =
		or_default(config->ttl_unknown_ms, 5 * MINUTE_MS);
	while (config->workspaces && config->workspaces[n])
		n++;
	c->workspaces = xcalloc(n + 1, sizeof(*c->workspaces));
	for (size_t i = 0; i < n; i++)
		c->workspaces[i] = xstrdup(config->workspaces[i]);
	c->config.workspaces = NULL;
	mutex_init(&c->lock);
	lru_init(&c->listings, N_LISTINGS, &listings);
	*ret_catalog = c;
	return 0;
}

struct catalog *catalog_free(struct catalog *c)
{
	if (!c)
		return NULL;
	for (size_t i = 0; c->workspaces[i]; i++)
		free(c->workspaces[i]);
	free(c->workspaces);
	for (size_t i = 0; i < c->n_entered; i++)
		free(c->entered[i]);
	free(c->entered);
	lru_done(&c->listings);
	catalog_known_unref(c->known);
	catalog_names_done(c);
	mutex_done(&c->lock);
	free(c);
	return NULL;
}

void catalog_say(struct catalog *c, int errnum, const char *path,
		 const char *fmt, ...)
{
	cleanup(buf_done) struct buf text = BUF_INIT(4 * KIB);
	va_list ap;

	if (!c->config.say)
		return;
	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	c->config.say(c->config.say_arg, path ? path : "", errnum,
		      text.data ? text.data : "");
}

bool catalog_has_user(const struct catalog *c)
{
	switch (credential_kind(c->config.credential)) {
	case CREDENTIAL_API_TOKEN:
	case CREDENTIAL_BASIC:
		return true;
	case CREDENTIAL_ANONYMOUS:
	case CREDENTIAL_ACCESS_TOKEN:
		break;
	}
	return false;
}

bool catalog_is_uuid(const char *uuid)
{
	return uuid[0] == '{';
}

bool catalog_is_other(const char *expected, const char *got)
{
	return catalog_is_uuid(expected) && catalog_is_uuid(got) &&
	       strcasecmp(expected, got) != 0;
}

int catalog_unknown(struct ctx *ctx, const char *name, struct answer_age *age,
		    int64_t left_ms, bool stale)
{
	*age = (struct answer_age){.left_ms = left_ms, .stale = stale};
	return ctx_fail(ctx, -ENOENT, "There is no %s.", name);
}

int catalog_get(struct ctx *ctx, struct catalog *c, const char *key,
		enum read_through_mode mode, read_through_fetch *fetch,
		struct fetch *f, struct cache_entry **ret_entry,
		bool *ret_stale)
{
	f->catalog = c;
	f->anew = mode == READ_ANEW;
	return read_through_get(ctx, c->config.source, key, mode, fetch, f,
				ret_entry, ret_stale);
}

/* ---- what is known without waiting ---- */

bool catalog_workspaces_of(const struct cache_entry *e,
			   struct catalog_ws_list *ret)
{
	return e && e->body &&
	       !catalog_decode_workspaces(blob_data(e->body), blob_len(e->body),
					  ret);
}

const struct catalog_ws *catalog_ws_find(const struct catalog_ws_list *list,
					 const char *name)
{
	for (size_t i = 0; i < list->n_items; i++)
		if (!strcmp(list->items[i].name, name))
			return &list->items[i];
	return NULL;
}

/* The uuid that `workspace/<slug>` tells; NULL when it is none, "" when the
 * workspace is there and has none. */
char *catalog_alias_uuid(struct catalog *c, const char *slug)
{
	cleanup(free) char *key = xasprintf("workspace/%s", slug);
	cleanup(cache_entry_free) struct cache_entry *e =
		answer_peek(c->config.cache, key);

	return e && e->body ? xstrdup(blob_data(e->body)) : NULL;
}

void catalog_workspace_ref_done(struct workspace_ref *w)
{
	free(w->name);
	free(w->slug);
	free(w->uuid);
	free(w->key);
	*w = (struct workspace_ref){0};
}

struct catalog_known *catalog_known_unref(struct catalog_known *known)
{
	if (!known || !refcount_drop(&known->refcount))
		return NULL;
	catalog_ws_list_done(&known->list);
	free(known);
	return NULL;
}

static struct catalog_known *known_kept(struct catalog *c, uint64_t version)
{
	struct catalog_known *known;

	mutex_lock(&c->lock);
	known = c->known && c->known->version == version ? c->known : NULL;
	if (known)
		refcount_take(&known->refcount);
	mutex_unlock(&c->lock);
	return known;
}

static void known_keep(struct catalog *c, struct catalog_known *known)
{
	struct catalog_known *out;

	refcount_take(&known->refcount);
	mutex_lock(&c->lock);
	out = c->known;
	c->known = known;
	mutex_unlock(&c->lock);
	catalog_known_unref(out);
}

struct catalog_known *catalog_known_get(struct catalog *c,
					struct answer_age *ret_age)
{
	cleanup(cache_entry_free) struct cache_entry *e =
		answer_peek_version(c->config.cache, KEY_WORKSPACES);
	struct catalog_known *known;

	if (!e || e->negative)
		return NULL;
	known = known_kept(c, e->version);
	if (!known) {
		cache_entry_free(e);
		e = answer_peek(c->config.cache, KEY_WORKSPACES);
		known = xcalloc(1, sizeof(*known));
		refcount_init(&known->refcount);
		if (!catalog_workspaces_of(e, &known->list))
			return catalog_known_unref(known);
		known->version = e->version;
		known_keep(c, known);
	}
	if (ret_age)
		*ret_age = answer_age_of(e, e->left_ms < 0);
	return known;
}

void catalog_resolve(struct catalog *c, const char *name,
		     struct workspace_ref *ret)
{
	cleanup(catalog_known_unref) struct catalog_known *known =
		catalog_has_user(c) ? catalog_known_get(c, NULL) : NULL;
	const struct catalog_ws *w = known ? catalog_ws_find(&known->list, name)
					   : NULL;
	cleanup(free) char *uuid = NULL;

	if (w && *w->uuid)
		uuid = xstrdup(w->uuid);
	else
		uuid = catalog_alias_uuid(c, w ? w->slug : name);
	ret->name = xstrdup(name);
	ret->slug = xstrdup(w ? w->slug : name);
	ret->uuid = xstrdup(uuid ? uuid : "");
	ret->key = xstrdup(*ret->uuid ? ret->uuid : ret->slug);
	if (*ret->uuid)
		bitbucket_name_workspace(c->config.bitbucket, ret->uuid,
					 ret->slug);
}

void catalog_resolve_for(struct catalog *c, const char *name,
			 const struct catalog_repository *repository,
			 struct workspace_ref *ret)
{
	catalog_resolve(c, name, ret);
	if (!repository->workspace || !strcmp(repository->workspace, ret->key))
		return;
	free(ret->key);
	free(ret->uuid);
	ret->key = xstrdup(repository->workspace);
	ret->uuid = xstrdup(catalog_is_uuid(ret->key) ? ret->key : "");
}

void catalog_known_workspace(struct catalog *c, const char *name,
			     struct catalog_workspace *ret)
{
	cleanup(catalog_workspace_ref_done) struct workspace_ref w = {0};

	catalog_resolve(c, name, &w);
	*ret = (struct catalog_workspace){xstrdup(w.slug), xstrdup(w.uuid)};
}

char *catalog_listing_key(const struct workspace_ref *w)
{
	return xasprintf(LISTINGS "%s", w->key);
}

char *catalog_alias_key(const struct workspace_ref *w, const char *slug)
{
	return xasprintf("slug/%s/%s", w->key, slug);
}

/* ---- repositories ---- */

/* The decoded listing, if it is of this version; a reference. */
static struct listing *listing_kept(struct catalog *c, const char *key,
				    uint64_t version)
{
	struct listing *l = lru_get(&c->listings, key, strlen(key));

	return l && l->version != version ? catalog_listing_unref(l) : l;
}

int catalog_listing_of(struct catalog *c, const char *key,
		       const struct cache_entry *e, struct listing **ret)
{
	struct listing *l = e->body ? listing_kept(c, key, e->version) : NULL;

	if (!l) {
		if (!e->body || catalog_decode_listing(blob_data(e->body),
						       blob_len(e->body), &l)) {
			log_warn("the cached %s is unreadable", key);
			(void)cache_remove(c->config.cache, key);
			return -EIO;
		}
		l->version = e->version;
		for (size_t i = 0; i < l->n_items; i++)
			l->items[i].workspace = xstrdup(key + strlen(LISTINGS));
		lru_put(&c->listings, key, strlen(key), l, 1);
	}
	*ret = l;
	return 0;
}

/* The same without the bytes of what is decoded already: a look at each of a
 * thousand repositories reads the list of them once. */
static bool kept_and_fresh(struct catalog *c, const char *key,
			   enum read_through_mode mode, struct listing **ret,
			   struct answer_age *ret_age)
{
	cleanup(cache_entry_free) struct cache_entry *e = NULL;

	if (mode == READ_REFRESH || mode == READ_ANEW)
		return false;
	e = answer_peek_version(c->config.cache, key);
	if (!e || e->negative || (mode == READ_THROUGH && e->left_ms < 0))
		return false;
	*ret = listing_kept(c, key, e->version);
	if (*ret)
		*ret_age = answer_age_of(e, e->left_ms < 0);
	return *ret != NULL;
}

static int get_listing(struct ctx *ctx, struct catalog *c,
		       const struct workspace_ref *w,
		       enum read_through_mode mode,
		       struct listing **ret_listing, struct answer_age *ret_age)
{
	cleanup(free) char *key = catalog_listing_key(w);
	struct fetch f = {.workspace = w};
	int r = 0;

	if (kept_and_fresh(c, key, mode, ret_listing, ret_age))
		return 0;
	/* Twice: unreadable bytes are removed and fetched anew. */
	for (unsigned i = 0; i < 2; i++) {
		cleanup(cache_entry_free) struct cache_entry *e = NULL;
		bool stale = false;

		r = catalog_get(ctx, c, key, mode, catalog_fetch_listing, &f,
				&e, &stale);
		if (r < 0)
			return r;
		r = catalog_listing_of(c, key, e, ret_listing);
		if (r == 0) {
			*ret_age = answer_age_of(e, stale);
			return 0;
		}
	}
	return r;
}

struct catalog_repositories *
catalog_repositories_free(struct catalog_repositories *r)
{
	if (!r)
		return NULL;
	catalog_listing_unref(r->listing_private);
	free(r);
	return NULL;
}

int catalog_repositories(struct ctx *ctx, struct catalog *c,
			 const char *workspace, enum read_through_mode mode,
			 struct catalog_repositories **ret_repositories)
{
	cleanup(catalog_workspace_ref_done) struct workspace_ref w = {0};
	cleanup(catalog_listing_unref) struct listing *l = NULL;
	struct catalog_repositories *all;
	struct answer_age age;
	int r;

	catalog_resolve(c, workspace, &w);
	r = get_listing(ctx, c, &w, mode, &l, &age);
	if (r < 0)
		return r;
	all = xcalloc(1, sizeof(*all));
	all->items = l->items;
	all->n_items = l->n_items;
	all->age = age;
	all->version = l->version;
	all->listing_private = steal(&l);
	*ret_repositories = all;
	return 0;
}

/* The repository of a cached document. False: there is none, or it has another
 * name by now. */
static bool repository_of(struct catalog *c, const char *uuid, const char *name,
			  struct catalog_repository *ret)
{
	cleanup(free) char *key = xasprintf("repo/%s", uuid);
	cleanup(cache_entry_free) struct cache_entry *e =
		answer_peek(c->config.cache, key);
	cleanup(json_free) struct json *json = NULL;
	cleanup(bitbucket_repository_done) struct bitbucket_repository got = {
		0};
	cleanup(catalog_repository_done) struct catalog_repository made = {0};

	if (!e || !e->body ||
	    json_parse(blob_data(e->body), blob_len(e->body), &json) ||
	    bitbucket_read_repository(json, &got))
		return false;
	catalog_repository_make(got.slug, uuid, got.project, got.updated_ms,
				&made);
	if (strcmp(made.name, name))
		return false;
	*ret = made;
	made = (struct catalog_repository){0};
	return true;
}

/* One of a workspace that was never listed: asked for by its name. */
static int repository_by_name(struct ctx *ctx, struct catalog *c,
			      const struct workspace_ref *w, const char *name,
			      struct catalog_repository *ret,
			      struct answer_age *ret_age)
{
	cleanup(free) char *key = catalog_alias_key(w, name);
	struct fetch f = {.workspace = w, .slug = name};
	enum read_through_mode mode = READ_THROUGH;

	/* Twice: an alias whose document went or was renamed is asked anew. */
	for (unsigned i = 0; i < 2; i++) {
		cleanup(cache_entry_free) struct cache_entry *e = NULL;
		bool stale = false;
		int r = catalog_get(ctx, c, key, mode, catalog_fetch_repository,
				    &f, &e, &stale);

		if (r < 0)
			return r;
		*ret_age = answer_age_of(e, stale);
		if (!e->body)
			return answer_failed(ctx, e);
		if (repository_of(c, blob_data(e->body), name, ret)) {
			ret->workspace = xstrdup(w->key);
			return 0;
		}
		mode = READ_REFRESH;
	}
	return catalog_unknown(ctx, name, ret_age, 0, false);
}

static int unlisted(struct ctx *ctx, const char *name,
		    const struct answer_age *age, struct answer_age *ret_age)
{
	int r = catalog_unknown(ctx, name, ret_age, age->left_ms, age->stale);

	ret_age->listed = true;
	return r;
}

int catalog_repository(struct ctx *ctx, struct catalog *c,
		       const char *workspace, const char *name,
		       struct catalog_repository *ret_repository,
		       struct answer_age *ret_age)
{
	cleanup(catalog_workspace_ref_done) struct workspace_ref w = {0};
	cleanup(catalog_listing_unref) struct listing *l = NULL;
	const struct catalog_repository *found;
	struct answer_age age = {0};
	int r;

	catalog_resolve(c, workspace, &w);
	r = get_listing(ctx, c, &w, READ_CACHED, &l, &age);
	if (r == 0 && age.stale) {
		struct listing *newer = NULL;

		/* Perhaps too old to be served without asking. */
		r = get_listing(ctx, c, &w, READ_THROUGH, &newer, &age);
		if (r < 0)
			return r;
		catalog_listing_unref(l);
		l = newer;
	}
	if (r == -EINTR)
		return r;
	if (!l) {
		if (!text_is_repo_slug(name))
			return catalog_unknown(ctx, name, ret_age,
					       c->config.ttl_unknown_ms, false);
		return repository_by_name(ctx, c, &w, name, ret_repository,
					  ret_age);
	}
	age.listed = true;
	found = catalog_listing_find(l, name);
	if (!found)
		return unlisted(ctx, name, &age, ret_age);
	catalog_repository_copy(found, ret_repository);
	*ret_age = age;
	return 0;
}

/* ---- documents ---- */

/*
 * A repository that is listed is as fresh as the listing, which brings every
 * document: a thousand outdated ones are one request together, not a thousand.
 * So an outdated document waits for the listing, as the policy says of that; a
 * failure says nothing, what is cached will do. *ret_listed: the listing is
 * what is outdated. False: the workspace was never listed.
 */
static bool freshen(struct ctx *ctx, struct catalog *c, const char *workspace,
		    const struct catalog_repository *repository,
		    enum read_through_mode mode, struct cache_entry **entry,
		    bool *ret_listed)
{
	cleanup(catalog_workspace_ref_done) struct workspace_ref w = {0};
	cleanup(catalog_listing_unref) struct listing *l = NULL, *newer = NULL;
	struct cache_entry *e;
	struct answer_age age;

	catalog_resolve(c, workspace, &w);
	if (get_listing(ctx, c, &w, READ_CACHED, &l, &age) < 0)
		return false;
	if (mode == READ_THROUGH && age.left_ms <= 0 &&
	    get_listing(ctx, c, &w, READ_THROUGH, &newer, &age) == 0) {
		e = answer_peek(c->config.cache, repository->key);
		if (e) {
			cache_entry_free(*entry);
			*entry = e;
		}
	}
	*ret_listed = age.left_ms <= 0;
	return true;
}

int catalog_document(struct ctx *ctx, struct catalog *c, const char *workspace,
		     const struct catalog_repository *repository,
		     enum read_through_mode mode,
		     struct answer_document *ret_document)
{
	cleanup(cache_entry_free) struct cache_entry *e = NULL;
	struct fetch f = {.repository = repository, .name = workspace};
	bool stale = false, fresh, listed = false;
	int r;

	if (mode == READ_THROUGH || mode == READ_CACHED)
		e = answer_peek(c->config.cache, repository->key);
	fresh = e && e->left_ms > 0;
	if (e && !fresh &&
	    freshen(ctx, c, workspace, repository, mode, &e, &listed)) {
		r = answer_document_of(ctx, e, e->left_ms <= 0, ANSWER_TIME,
				       ret_document);
		ret_document->age.listed = listed;
		return r;
	}
	if (e && (fresh || mode == READ_CACHED))
		return answer_document_of(ctx, e, e->left_ms < 0, ANSWER_TIME,
					  ret_document);
	e = cache_entry_free(e);
	r = catalog_get(ctx, c, repository->key, mode, catalog_fetch_document,
			&f, &e, &stale);
	if (r >= 0)
		r = answer_document_of(ctx, e, stale, ANSWER_TIME,
				       ret_document);
	if (r >= 0)
		ret_document->age.asked = true;
	return r;
}

int catalog_user(struct ctx *ctx, struct catalog *c,
		 enum read_through_mode mode,
		 struct answer_document *ret_document)
{
	cleanup(cache_entry_free) struct cache_entry *e = NULL;
	struct fetch f = {0};
	bool stale = false;
	int r;

	if (!catalog_has_user(c))
		return ctx_fail(ctx, -ENOENT,
				"Nobody is signed in as a user, so there is no "
				"user.json.");
	r = catalog_get(ctx, c, ANSWER_USER, mode, catalog_fetch_user, &f, &e,
			&stale);
	return r < 0 ? r
		     : answer_document_of(ctx, e, stale, ANSWER_TIME,
					  ret_document);
}

int64_t catalog_unknown_ms(struct catalog *c)
{
	return bitbucket_unknown_ms(c->config.bitbucket, NULL);
}

int catalog_check_token(struct ctx *ctx, struct catalog *c)
{
	cleanup(bitbucket_reply_done) struct bitbucket_reply reply = {0};
	cleanup(free) char *path = NULL;
	int r;

	if (credential_kind(c->config.credential) != CREDENTIAL_ACCESS_TOKEN ||
	    !c->workspaces[0])
		return 0;
	path = bitbucket_workspace_path(c->workspaces[0]);
	r = bitbucket_get(ctx, c->config.bitbucket, path, NULL, &reply);
	return answer_is_gone(reply.status) ? 0 : r;
}

int catalog_version(struct catalog *c, uint64_t version, struct blob **ret_body)
{
	return cache_get_version(c->config.cache, version, ret_body);
}

int64_t catalog_mtime_ms(struct catalog *c, uint64_t version, int64_t time_ms)
{
	return cache_mtime_ms(c->config.cache, version, time_ms);
}
