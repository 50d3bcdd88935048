/*
 * Documents that the disk could not take: the newest of them are kept in
 * memory, so that what one reads is shown although the disk is full. No other
 * process sees them, and they end with this one. A document in memory goes
 * before that on the disk with the same key, which is older.
 */
#include "cache_private.h"

#include "base/clock.h"
#include "base/map.h"
#include "store/say.h"

#define MEMORY_MOST (16 * MIB)
/* No version of the database is as large: equal versions are equal bytes. */
#define VERSIONS_FROM ((uint64_t)1 << 62)

struct cache_memory_doc {
	char *key, *etag, *note;
	struct blob *body; /* NULL: negative */
	int negative;
	uint64_t version;
	int64_t fetched_ms, ttl_ms;
	bool expired;
	size_t size;
	struct cache_memory_doc *prev, *next; /* the oldest first */
	UT_hash_handle hh;
};

static bool has_some(struct cache *c)
{
	return atomic_load(&c->memory.n) > 0;
}

static void drop(struct cache *c, struct cache_memory_doc *doc)
	requires_lock(c->memory.lock)
{
	HASH_DEL(c->memory.table, doc);
	DL_DELETE(c->memory.list, doc);
	c->memory.n_bytes -= doc->size;
	atomic_fetch_sub(&c->memory.n, 1);
	blob_unref(doc->body);
	free(doc->key);
	free(doc->etag);
	free(doc->note);
	free(doc);
}

static struct cache_memory_doc *find(struct cache *c, const char *key)
	requires_lock(c->memory.lock)
{
	struct cache_memory_doc *doc;

	HASH_FIND_STR(c->memory.table, key, doc);
	return doc;
}

static void add(struct cache *c, struct cache_memory_doc *doc)
	requires_lock(c->memory.lock)
{
	struct cache_memory_doc *old = find(c, doc->key);

	if (old)
		drop(c, old);
	doc->size = sizeof(*doc) + strlen(doc->key) +
		    (doc->body ? blob_len(doc->body) : 0);
	HASH_ADD_KEYPTR(hh, c->memory.table, doc->key, strlen(doc->key), doc);
	DL_APPEND(c->memory.list, doc);
	c->memory.n_bytes += doc->size;
	atomic_fetch_add(&c->memory.n, 1);
	while (c->memory.n_bytes > MEMORY_MOST && c->memory.list != doc)
		drop(c, c->memory.list);
}

static bool is_same(const struct cache_memory_doc *old,
		    const struct cache_put *p)
{
	return old && old->body && p->body &&
	       blob_len(old->body) == p->n_body &&
	       (!p->n_body ||
		memcmp(blob_data(old->body), p->body, p->n_body) == 0);
}

static void drop_all(struct cache *c, const char *prefix)
	requires_lock(c->memory.lock)
{
	struct cache_memory_doc *doc, *next;

	DL_FOREACH_SAFE (c->memory.list, doc, next)
		if (!strncmp(doc->key, prefix, strlen(prefix)))
			drop(c, doc);
}

static uint64_t put_one(struct cache *c, const struct cache_put *p, int64_t now)
	requires_lock(c->memory.lock)
{
	struct cache_memory_doc *old = find(c, p->key), *doc;

	if (p->drop) {
		drop_all(c, p->key);
		return 0;
	}
	if (p->touch) {
		if (old) {
			old->fetched_ms = now;
			old->ttl_ms = p->ttl_ms;
			old->expired = false;
		}
		return 0;
	}
	doc = mem_calloc(1, sizeof(*doc));
	doc->key = mem_strdup(p->key);
	doc->etag = mem_strdup(p->etag ? p->etag : "");
	doc->note = mem_strdup(p->note ? p->note : "");
	doc->negative = p->body ? 0 : p->negative;
	doc->fetched_ms = now;
	doc->ttl_ms = p->ttl_ms;
	if (p->body) {
		doc->version = is_same(old, p)
				       ? old->version
				       : VERSIONS_FROM + ++c->memory.n_versions;
		doc->body = blob_new(p->body, p->n_body);
	}
	add(c, doc);
	return doc->version;
}

/* Whether the errno is about the disk or the process, and not about a document.
 */
static bool is_no_place(int r)
{
	switch (-r) {
	case ENOSPC:
	case EROFS:
	case EACCES:
	case EPERM:
	case EMFILE:
	case ENFILE:
	case EIO:
		return true;
	default:
		return false;
	}
}

int cache_memory_put(struct cache *c, int r, const struct cache_put *puts,
		     size_t n, uint64_t *ret_versions)
{
	int64_t now = clock_wall_ms();
	size_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += puts[i].body ? puts[i].n_body : 0;
	if (!is_no_place(r) || sum > MEMORY_MOST / 2)
		return r;
	mutex_lock(&c->memory.lock);
	for (size_t i = 0; i < n; i++) {
		uint64_t version = put_one(c, &puts[i], now);

		if (ret_versions)
			ret_versions[i] = version;
	}
	mutex_unlock(&c->memory.lock);
	if (!atomic_exchange(&c->memory.homeless, true))
		store_say(c->path, -r,
			  "The cache cannot be written (%s): what is read is "
			  "kept in memory for a while, and asked for again "
			  "later.",
			  strerror(-r));
	return 0;
}

void cache_memory_was_put(struct cache *c, const struct cache_put *puts,
			  size_t n)
{
	atomic_store(&c->memory.homeless, false);
	if (!has_some(c))
		return;
	mutex_lock(&c->memory.lock);
	for (size_t i = 0; i < n; i++) {
		struct cache_memory_doc *doc = find(c, puts[i].key);

		/* A touch gave the disk no bytes: those here are the newest. */
		if (puts[i].drop)
			drop_all(c, puts[i].key);
		else if (doc && !puts[i].touch)
			drop(c, doc);
	}
	mutex_unlock(&c->memory.lock);
}

struct cache_entry *cache_memory_get(struct cache *c, const char *key,
				     bool without_body)
{
	struct cache_entry *e = NULL;
	struct cache_memory_doc *doc;

	if (!has_some(c))
		return NULL;
	mutex_lock(&c->memory.lock);
	doc = find(c, key);
	if (doc) {
		e = mem_calloc(1, sizeof(*e));
		e->etag = mem_strdup(doc->etag);
		e->note = mem_strdup(doc->note);
		e->negative = doc->negative;
		e->version = doc->version;
		e->fetched_ms = doc->fetched_ms;
		e->ttl_ms = doc->ttl_ms;
		e->left_ms = cache_left_ms(doc->fetched_ms, doc->ttl_ms,
					   doc->expired);
		e->n_body = doc->body ? blob_len(doc->body) : 0;
		if (doc->body && !without_body)
			e->body = blob_ref(doc->body);
	}
	mutex_unlock(&c->memory.lock);
	return e;
}

struct blob *cache_memory_read(struct cache *c, uint64_t version,
			       uint64_t offset, size_t n)
{
	struct cache_memory_doc *doc;
	struct blob *body = NULL, *piece;
	size_t len, from;

	if (!has_some(c))
		return NULL;
	mutex_lock(&c->memory.lock);
	DL_FOREACH (c->memory.list, doc)
		if (doc->body && doc->version == version) {
			body = blob_ref(doc->body);
			break;
		}
	mutex_unlock(&c->memory.lock);
	if (!body)
		return NULL;
	len = blob_len(body);
	from = offset < len ? (size_t)offset : len;
	piece = blob_new(blob_data(body) + from,
			 n < len - from ? n : len - from);
	blob_unref(body);
	return piece;
}

void cache_memory_expire(struct cache *c, const char *key)
{
	struct cache_memory_doc *doc;

	if (!has_some(c))
		return;
	mutex_lock(&c->memory.lock);
	DL_FOREACH (c->memory.list, doc)
		if (key ? !strcmp(doc->key, key) : !doc->body)
			doc->expired = true;
	mutex_unlock(&c->memory.lock);
}

void cache_memory_remove(struct cache *c, const char *key)
{
	struct cache_memory_doc *doc;

	if (!has_some(c))
		return;
	mutex_lock(&c->memory.lock);
	doc = find(c, key);
	if (doc)
		drop(c, doc);
	mutex_unlock(&c->memory.lock);
}

void cache_memory_init(struct cache *c)
{
	mutex_init(&c->memory.lock);
}

void cache_memory_done(struct cache *c)
{
	mutex_lock(&c->memory.lock);
	while (c->memory.list)
		drop(c, c->memory.list);
	mutex_unlock(&c->memory.lock);
	mutex_done(&c->memory.lock);
}
