/*
 * Facts: small values under (space, key). They are read out in portions, so
 * that the callback runs while no connection is taken: it may use the cache
 * itself, and would else wait for the connection that its own thread holds.
 */
#include "cache_private.h"

#include <sqlite3.h>

#define PORTION_MOST 256
#define PORTION_BYTES (256 * KIB)

static void bind_fact(sqlite3_stmt *s, const char *space, const void *key,
		      size_t n_key)
{
	sqlite3_bind_text(s, 1, space, -1, SQLITE_STATIC);
	/* SQLite takes a NULL pointer for NULL, which no key may be. */
	sqlite3_bind_blob64(s, 2, n_key ? key : "", n_key, SQLITE_STATIC);
}

struct get {
	const char *space;
	const void *key;
	size_t n_key;
	struct blob *value;
};

static int work_get(struct cache *, struct cache_conn *conn, void *arg)
{
	struct get *get = arg;
	sqlite3_stmt *s;
	int rc = cache_stmt(conn, SQL_FACT_GET, &s);

	if (rc != SQLITE_OK)
		return rc;
	bind_fact(s, get->space, get->key, get->n_key);
	rc = sqlite3_step(s);
	if (rc == SQLITE_ROW) {
		const void *value = sqlite3_column_blob(s, 0);

		get->value = blob_new(value ? value : "",
				      (size_t)sqlite3_column_bytes(s, 0));
	}
	return cache_stmt_end(s, rc);
}

int cache_fact_get(struct cache *c, const char *space, const void *key,
		   size_t n_key, struct blob **ret_value)
{
	struct get get = {.space = space, .key = key, .n_key = n_key};
	int r = cache_read(c, work_get, &get);

	if (r < 0)
		return r;
	if (!get.value)
		return -ENOENT;
	*ret_value = get.value;
	return 0;
}

struct put {
	const char *space;
	const struct cache_fact *facts;
	size_t n;
};

static int work_put(struct cache *, struct cache_conn *conn, void *arg)
{
	const struct put *put = arg;
	int rc = SQLITE_OK;

	for (size_t i = 0; rc == SQLITE_OK && i < put->n; i++) {
		const struct cache_fact *f = &put->facts[i];
		sqlite3_stmt *s;

		rc = cache_stmt(conn, f->keep ? SQL_FACT_KEEP : SQL_FACT_PUT,
				&s);
		if (rc != SQLITE_OK)
			break;
		bind_fact(s, put->space, f->key, f->n_key);
		sqlite3_bind_blob64(s, 3, f->n_value ? f->value : "",
				    f->n_value, SQLITE_STATIC);
		rc = cache_stmt_end(s, sqlite3_step(s));
	}
	return rc;
}

int cache_fact_put_many(struct cache *c, const char *space,
			const struct cache_fact *facts, size_t n)
{
	struct put put = {.space = space, .facts = facts, .n = n};

	return n ? cache_write(c, work_put, &put) : 0;
}

int cache_fact_put(struct cache *c, const char *space, const void *key,
		   size_t n_key, const void *value, size_t n_value)
{
	struct cache_fact fact = {
		.key = key,
		.n_key = n_key,
		.value = value,
		.n_value = n_value,
	};

	return cache_fact_put_many(c, space, &fact, 1);
}

struct portion {
	const char *space;
	struct buf from; /* the first key of the next portion */
	struct buf bytes;
	size_t lengths[PORTION_MOST][2]; /* of key and value, one by one */
	size_t n;
};

static int work_portion(struct cache *, struct cache_conn *conn, void *arg)
{
	struct portion *p = arg;
	sqlite3_stmt *s;
	int rc = cache_stmt(conn, SQL_FACT_FROM, &s);

	p->n = 0;
	buf_clear(&p->bytes);
	if (rc != SQLITE_OK)
		return rc;
	bind_fact(s, p->space, p->from.data, p->from.len);
	while (p->n < PORTION_MOST && p->bytes.len < PORTION_BYTES &&
	       (rc = sqlite3_step(s)) == SQLITE_ROW) {
		for (int i = 0; i < 2; i++) {
			const void *data = sqlite3_column_blob(s, i);
			size_t n = (size_t)sqlite3_column_bytes(s, i);

			p->lengths[p->n][i] = n;
			buf_add(&p->bytes, n ? data : "", n);
		}
		p->n++;
	}
	rc = cache_stmt_end(s, rc);
	return rc == SQLITE_OK && p->bytes.failed ? p->bytes.failed : rc;
}

static void portion_done(struct portion *p)
{
	buf_done(&p->from);
	buf_done(&p->bytes);
}
DEFINE_CLEANUP_DONE(struct portion, portion_done);

int cache_fact_each(struct cache *c, const char *space,
		    int (*each)(void *arg, const struct cache_fact *),
		    void *arg)
{
	cleanup(portion_done) struct portion p = {
		.space = space,
		.from = BUF_INIT(CACHE_MAX_BODY),
		.bytes = BUF_INIT(2 * CACHE_MAX_BODY),
	};

	for (;;) {
		struct cache_fact fact = {0};
		const char *at;
		int r = cache_read(c, work_portion, &p);

		if (r < 0)
			return r;
		if (p.n == 0)
			return 0;
		at = p.bytes.data;
		for (size_t i = 0; i < p.n; i++) {
			fact = (struct cache_fact){
				.key = at,
				.n_key = p.lengths[i][0],
				.value = at + p.lengths[i][0],
				.n_value = p.lengths[i][1],
			};
			at += fact.n_key + fact.n_value;
			r = each(arg, &fact);
			if (r < 0)
				return r;
		}
		/* The last key with a NUL after it is the next one in the order
		 * of bytes: no fact comes twice or is left out. */
		buf_clear(&p.from);
		buf_add(&p.from, fact.key, fact.n_key);
		buf_putc(&p.from, '\0');
	}
}

static int work_replace(struct cache *c, struct cache_conn *conn, void *arg)
{
	const struct put *put = arg;
	sqlite3_stmt *s;
	int rc = cache_stmt(conn, SQL_FACT_CLEAR, &s);

	if (rc != SQLITE_OK)
		return rc;
	sqlite3_bind_text(s, 1, put->space, -1, SQLITE_STATIC);
	rc = cache_stmt_end(s, sqlite3_step(s));
	return rc == SQLITE_OK ? work_put(c, conn, arg) : rc;
}

int cache_fact_replace(struct cache *c, const char *space,
		       const struct cache_fact *facts, size_t n)
{
	struct put put = {.space = space, .facts = facts, .n = n};

	return cache_write(c, work_replace, &put);
}
