/*
 * Documents. A document is a row of `doc`; its bytes are a row of `body`, whose
 * id is their version. Bytes that no document has any more are kept for a day,
 * because a file's inode is a version: whoever reads the old file would get
 * ESTALE in its middle.
 *
 * What is left of the lifetime is counted when a document is read, by the wall
 * clock: the database outlives the boot, with which other clocks begin anew.
 */
#include "cache_private.h"

#include "base/clock.h"
#include "base/log.h"

#include <sqlite3.h>
#include <sys/stat.h>

#define SWEEP_EVERY_MS ((int64_t)3600 * 1000)
/* Stands for ever. Not INT64_MAX, which a sum with the clock would pass. */
#define TTL_MOST_MS (INT64_MAX / 4)
#define ETAG_MOST 1024
#define NOTE_MOST 1024

static int bind_text(sqlite3_stmt *s, int at, const char *text)
{
	return sqlite3_bind_text(s, at, text, -1, SQLITE_STATIC);
}

/* SQLite takes a NULL pointer for NULL, which is a negative answer. */
static int bind_bytes(sqlite3_stmt *s, int at, const void *data, size_t n)
{
	return sqlite3_bind_blob64(s, at, n ? data : "", n, SQLITE_STATIC);
}

static char *column_dup(sqlite3_stmt *s, int at)
{
	const char *text = (const char *)sqlite3_column_text(s, at);

	return mem_strdup(text ? text : "");
}

static int64_t legal_ttl(int64_t ttl_ms)
{
	if (ttl_ms < 0)
		return 0;
	return ttl_ms < TTL_MOST_MS ? ttl_ms : TTL_MOST_MS;
}

/* ---- reading ---- */

/*
 * Reads straight into memory of ours: sqlite3_column_blob would make a second
 * copy in SQLite's.
 *
 * The caller's statement, which gave id and n, is not reset yet, so what it saw
 * of the database still holds. Otherwise:
 * 1. A reads that body 7 has n bytes.
 * 2. B, another thread or process, sweeps body 7.
 * 3. A opens body 7: SQLITE_ERROR, which means a damaged database, and A would
 *    set the whole cache aside.
 */
static int read_piece(struct cache_conn *conn, int64_t id, int64_t from,
		      int64_t n, struct blob **ret_piece)
{
	sqlite3_blob *handle = NULL;
	cleanup(free) char *data = NULL;
	int rc;

	if (n < 0 || (uint64_t)n > CACHE_MAX_BODY)
		return SQLITE_CORRUPT;
	rc = sqlite3_blob_open(conn->db, "main", "body", "bytes", id, 0,
			       &handle);
	if (rc != SQLITE_OK) {
		sqlite3_blob_close(handle);
		return rc == SQLITE_ERROR ? SQLITE_CORRUPT : rc;
	}
	data = mem_alloc((size_t)n + 1);
	data[n] = '\0';
	if (n > 0)
		rc = sqlite3_blob_read(handle, data, (int)n, (int)from);
	sqlite3_blob_close(handle);
	if (rc == SQLITE_OK)
		*ret_piece = blob_take(steal(&data), (size_t)n);
	return rc;
}

struct get {
	const char *key;
	bool without_body;
	struct cache_entry *entry;
	int64_t damaged; /* id of the body whose bytes are */
};

int64_t cache_left_ms(int64_t fetched_ms, int64_t ttl_ms, bool expired)
{
	int64_t now = clock_wall_ms(), left = fetched_ms - now + ttl_ms;

	/* The clock went back: the document would stay FRESH until the clock
	 * has come to where it was. */
	if (fetched_ms > now)
		left = -1;
	/* By more than the lifetime: a reader would serve it once more. */
	if (expired && left > -ttl_ms - 1)
		left = -ttl_ms - 1;
	return left;
}

static int read_entry(struct cache_conn *conn, sqlite3_stmt *s,
		      bool without_body, struct cache_entry *e)
{
	int rc;

	e->negative = sqlite3_column_int(s, 2);
	e->etag = column_dup(s, 3);
	e->note = column_dup(s, 4);
	e->fetched_ms = sqlite3_column_int64(s, 5);
	e->ttl_ms = legal_ttl(sqlite3_column_int64(s, 6));
	if (e->fetched_ms < 0 || e->fetched_ms > TTL_MOST_MS)
		e->fetched_ms = 0;
	e->left_ms = cache_left_ms(e->fetched_ms, e->ttl_ms,
				   sqlite3_column_int(s, 7) != 0);
	if (sqlite3_column_type(s, 0) == SQLITE_NULL)
		return e->negative > 0 ? SQLITE_OK : SQLITE_CORRUPT;
	e->version = (uint64_t)sqlite3_column_int64(s, 0);
	if (sqlite3_column_type(s, 1) == SQLITE_NULL)
		return SQLITE_CORRUPT;
	e->n_body = (uint64_t)sqlite3_column_int64(s, 1);
	if (without_body)
		return SQLITE_OK;
	rc = read_piece(conn, (int64_t)e->version, 0, (int64_t)e->n_body,
			&e->body);
	return rc == SQLITE_OK && sqlite3_column_type(s, 8) != SQLITE_NULL
		       ? cache_sum_compare(e->body, sqlite3_column_int64(s, 8))
		       : rc;
}

static int work_get(struct cache *, struct cache_conn *conn, void *arg)
{
	struct get *get = arg;
	sqlite3_stmt *s;
	int rc = cache_stmt(conn, SQL_DOC_GET, &s);

	if (rc != SQLITE_OK)
		return rc;
	bind_text(s, 1, get->key);
	sqlite3_bind_int(s, 2, !get->without_body);
	rc = sqlite3_step(s);
	if (rc == SQLITE_ROW) {
		get->entry = cache_entry_free(get->entry);
		get->entry = mem_calloc(1, sizeof(*get->entry));
		rc = read_entry(conn, s, get->without_body, get->entry);
		if (rc == -EBADMSG)
			get->damaged = (int64_t)get->entry->version;
		if (rc != SQLITE_OK)
			get->entry = cache_entry_free(get->entry);
	}
	return cache_stmt_end(s, rc);
}

static void say_read_failed(struct cache *c, int r)
{
	if (!atomic_exchange(&c->read_failed, true))
		log_warn("cannot read the cache %s: %s; going on without",
			 c->path, strerror(-r));
}

static int get_entry(struct cache *c, const char *key, bool without_body,
		     struct cache_entry **ret_entry)
{
	struct get get = {.key = key, .without_body = without_body};
	int r;

	get.entry = cache_memory_get(c, key, without_body);
	r = get.entry ? 0 : cache_read(c, work_get, &get);
	if (r == -EBADMSG) {
		cache_sum_note(c, get.damaged, key, r);
		return CACHE_MISS;
	}
	if (r < 0) {
		say_read_failed(c, r);
		return CACHE_MISS;
	}
	if (!get.entry)
		return CACHE_MISS;
	*ret_entry = get.entry;
	return get.entry->left_ms < 0 ? CACHE_STALE : CACHE_FRESH;
}

int cache_get(struct cache *c, const char *key, struct cache_entry **ret_entry)
{
	return get_entry(c, key, false, ret_entry);
}

int cache_stat(struct cache *c, const char *key, struct cache_entry **ret_entry)
{
	return get_entry(c, key, true, ret_entry);
}

struct cache_entry *cache_entry_free(struct cache_entry *e)
{
	if (!e)
		return NULL;
	blob_unref(e->body);
	free(e->etag);
	free(e->note);
	free(e);
	return NULL;
}

struct get_version {
	int64_t version;
	uint64_t offset, n;
	struct blob *piece;
};

/* A sum is that of a whole body. So the first piece compares all bytes, and the
 * caller notes the body as sound; comparing them with each piece would read a
 * large body as often as it has pieces. */
static int check_piece(struct cache *c, struct cache_conn *conn, int64_t id,
		       uint64_t from, bool is_whole, const struct blob *piece)
{
	if (is_whole)
		return cache_sum_check(conn, id, piece);
	if (from > 0 && cache_sum_is_known(c, id))
		return SQLITE_OK;
	return cache_sum_check_stored(conn, id);
}

static int work_get_version(struct cache *c, struct cache_conn *conn, void *arg)
{
	struct get_version *get = arg;
	sqlite3_stmt *s;
	int rc = cache_stmt(conn, SQL_BODY_LENGTH, &s);

	if (rc != SQLITE_OK)
		return rc;
	get->piece = blob_unref(get->piece);
	sqlite3_bind_int64(s, 1, get->version);
	rc = sqlite3_step(s);
	if (rc == SQLITE_ROW) {
		uint64_t len = (uint64_t)sqlite3_column_int64(s, 0);
		uint64_t from = get->offset < len ? get->offset : len;
		uint64_t n = get->n < len - from ? get->n : len - from;

		rc = read_piece(conn, get->version, (int64_t)from, (int64_t)n,
				&get->piece);
		if (rc == SQLITE_OK)
			rc = check_piece(c, conn, get->version, from, n == len,
					 get->piece);
	}
	return cache_stmt_end(s, rc);
}

int cache_read_version(struct cache *c, uint64_t version, uint64_t offset,
		       size_t n, struct blob **ret_piece)
{
	struct get_version get = {
		.version = (int64_t)version, .offset = offset, .n = n};
	int r;

	get.piece = cache_memory_read(c, version, offset, n);
	r = get.piece ? 0 : cache_read(c, work_get_version, &get);
	if (r == -EBADMSG || (r == 0 && get.piece && offset == 0))
		cache_sum_note(c, get.version, NULL, r);
	else if (r < 0)
		say_read_failed(c, r);
	if (r == -EBADMSG)
		get.piece = blob_unref(get.piece);
	if (!get.piece)
		return -ESTALE;
	*ret_piece = get.piece;
	return 0;
}

int cache_get_version(struct cache *c, uint64_t version, struct blob **ret_body)
{
	return cache_read_version(c, version, 0, SIZE_MAX, ret_body);
}

/* ---- writing ---- */

struct put {
	const struct cache_put *puts;
	size_t n;
	uint64_t *versions;
};

/* *ret_id stays when the key has no body. */
static int find_body(struct cache_conn *conn, const char *key, int64_t *ret_id)
{
	sqlite3_stmt *s;
	int rc = cache_stmt(conn, SQL_DOC_BODY_ID, &s);

	if (rc != SQLITE_OK)
		return rc;
	bind_text(s, 1, key);
	rc = sqlite3_step(s);
	if (rc == SQLITE_ROW && sqlite3_column_type(s, 0) != SQLITE_NULL)
		*ret_id = sqlite3_column_int64(s, 0);
	return cache_stmt_end(s, rc);
}

static int is_same_body(struct cache_conn *conn, int64_t id,
			const struct cache_put *p, bool *ret_same)
{
	sqlite3_stmt *s;
	int rc = cache_stmt(conn, SQL_BODY_SAME, &s);

	if (rc != SQLITE_OK)
		return rc;
	sqlite3_bind_int64(s, 1, id);
	sqlite3_bind_int64(s, 2, (int64_t)p->n_body);
	bind_bytes(s, 3, p->body, p->n_body);
	rc = sqlite3_step(s);
	*ret_same = rc == SQLITE_ROW;
	return cache_stmt_end(s, rc);
}

static int insert_body(struct cache_conn *conn, const struct cache_put *p,
		       int64_t *ret_id)
{
	sqlite3_stmt *s;
	int rc = cache_stmt(conn, SQL_BODY_PUT, &s);

	if (rc != SQLITE_OK)
		return rc;
	bind_bytes(s, 1, p->body, p->n_body);
	rc = cache_stmt_end(s, sqlite3_step(s));
	if (rc != SQLITE_OK)
		return rc;
	*ret_id = sqlite3_last_insert_rowid(conn->db);
	return cache_sum_put(conn, *ret_id, p->body, p->n_body);
}

static int supersede(struct cache_conn *conn, int64_t id, int64_t now)
{
	return cache_run_numbers(conn, SQL_BODY_SUPERSEDE, (int64_t[]){now, id},
				 2);
}

/* id 0: a negative answer. */
static int write_doc(struct cache_conn *conn, const struct cache_put *p,
		     int64_t id, int64_t now)
{
	const char *etag = p->etag ? p->etag : "";
	const char *note = p->note ? p->note : "";
	sqlite3_stmt *s;
	int rc = cache_stmt(conn, SQL_DOC_PUT, &s);

	if (rc != SQLITE_OK)
		return rc;
	bind_text(s, 1, p->key);
	if (id)
		sqlite3_bind_int64(s, 2, id);
	sqlite3_bind_int(s, 3, id ? 0 : p->negative);
	/* A cut ETag would be a wrong one, so none is kept; a cut sentence can
	 * be read. */
	bind_text(s, 4, strlen(etag) <= ETAG_MOST ? etag : "");
	sqlite3_bind_text(s, 5, note, (int)strnlen(note, NOTE_MOST),
			  SQLITE_STATIC);
	sqlite3_bind_int64(s, 6, now);
	sqlite3_bind_int64(s, 7, legal_ttl(p->ttl_ms));
	return cache_stmt_end(s, sqlite3_step(s));
}

/* The same answer in other bytes. */
static int renew_doc(struct cache_conn *conn, const struct cache_put *p,
		     int64_t id)
{
	sqlite3_stmt *s;
	int rc = cache_stmt(conn, SQL_DOC_RENEW, &s);

	if (rc != SQLITE_OK)
		return rc;
	sqlite3_bind_int64(s, 1, id);
	bind_text(s, 2, p->etag ? p->etag : "");
	bind_text(s, 3, p->key);
	return cache_stmt_end(s, sqlite3_step(s));
}

static int touch_one(struct cache_conn *conn, const char *key, int64_t ttl_ms,
		     int64_t now)
{
	sqlite3_stmt *s;
	int rc = cache_stmt(conn, SQL_DOC_TOUCH, &s);

	if (rc != SQLITE_OK)
		return rc;
	sqlite3_bind_int64(s, 1, now);
	sqlite3_bind_int64(s, 2, legal_ttl(ttl_ms));
	bind_text(s, 3, key);
	return cache_stmt_end(s, sqlite3_step(s));
}

static int put_one(struct cache_conn *conn, const struct cache_put *p,
		   int64_t now, uint64_t *ret_version)
{
	int64_t old = 0, id = 0;
	bool same = false;
	int rc;

	if (p->drop)
		return SQLITE_OK;
	if (p->touch)
		return touch_one(conn, p->key, p->ttl_ms, now);
	rc = find_body(conn, p->key, &old);
	if (rc == SQLITE_OK && p->instead_of && (uint64_t)old != p->instead_of)
		return -ESTALE;
	if (rc == SQLITE_OK && p->body && old)
		rc = is_same_body(conn, old, p, &same);
	/* Equal bytes keep their version: with a new one their file would get a
	 * new inode, and the kernel would read it again. */
	if (same)
		id = old;
	else if (rc == SQLITE_OK && p->body)
		rc = insert_body(conn, p, &id);
	if (rc == SQLITE_OK && old && !same)
		rc = supersede(conn, old, now);
	if (rc == SQLITE_OK && id && !same)
		rc = cache_times_put(conn, old, id, p->time_ms);
	if (rc == SQLITE_OK)
		rc = p->instead_of ? renew_doc(conn, p, id)
				   : write_doc(conn, p, id, now);
	if (rc == SQLITE_OK)
		*ret_version = (uint64_t)id;
	return rc;
}

/* All keys that begin with this one, which is not empty. */
static int drop(struct cache_conn *conn, const char *key)
{
	cleanup(free) char *to = mem_strdup(key);
	int rc;

	to[strlen(to) - 1]++;
	rc = cache_run_range(conn, SQL_BODY_DROP, key, to, 0);
	return rc == SQLITE_OK ? cache_run_range(conn, SQL_DOC_DROP, key, to, 0)
			       : rc;
}

/* First what goes: what is put is written in its place. */
static int work_put(struct cache *c, struct cache_conn *conn, void *arg)
{
	struct put *put = arg;
	int64_t now = clock_wall_ms(), swept = atomic_load(&c->swept_ms);
	int rc = SQLITE_OK;

	for (size_t i = 0; rc == SQLITE_OK && i < put->n; i++)
		if (put->puts[i].drop)
			rc = drop(conn, put->puts[i].key);
	for (size_t i = 0; rc == SQLITE_OK && i < put->n; i++)
		rc = put_one(conn, &put->puts[i], now, &put->versions[i]);
	if (rc == SQLITE_OK)
		rc = cache_keep_bound(c, conn);
	if (rc == SQLITE_OK && (now < swept || now - swept >= SWEEP_EVERY_MS))
		rc = cache_sweep_old(c, conn, NULL);
	return rc;
}

int cache_put(struct cache *c, const struct cache_put *puts, size_t n,
	      uint64_t *ret_versions)
{
	cleanup(free) uint64_t *versions = mem_calloc(n + 1, sizeof(*versions));
	struct put put = {.puts = puts, .n = n, .versions = versions};
	int r;

	for (size_t i = 0; i < n; i++) {
		check(puts[i].key && (!puts[i].drop || *puts[i].key) &&
		      (puts[i].body || puts[i].negative > 0 || puts[i].touch ||
		       puts[i].drop));
		if (puts[i].body && puts[i].n_body > CACHE_MAX_BODY)
			return -EFBIG;
	}
	r = cache_write(c, work_put, &put);
	if (r < 0)
		return cache_memory_put(c, r, puts, n, ret_versions);
	cache_memory_was_put(c, puts, n);
	if (ret_versions)
		memcpy(ret_versions, versions, n * sizeof(*versions));
	return 0;
}

struct touch {
	const char *key;
	int64_t ttl_ms;
};

static int work_touch(struct cache *, struct cache_conn *conn, void *arg)
{
	const struct touch *touch = arg;
	int rc = touch_one(conn, touch->key, touch->ttl_ms, clock_wall_ms());

	if (rc == SQLITE_OK && sqlite3_changes(conn->db) == 0)
		return -ENOENT;
	return rc;
}

int cache_touch(struct cache *c, const char *key, int64_t ttl_ms)
{
	struct touch touch = {.key = key, .ttl_ms = ttl_ms};
	cleanup(cache_entry_free) struct cache_entry *e =
		cache_memory_get(c, key, false);
	/* A document in memory hides that on the disk: a lifetime that began
	 * anew there alone would be seen by nobody. */
	int r = e ? -ENOSPC : cache_write(c, work_touch, &touch);

	if (r == 0 || r == -ENOENT)
		return r;
	/* The disk cannot take the new lifetime: the document is copied into
	 * memory with it, otherwise each read would ask again. */
	if (!e && get_entry(c, key, false, &e) <= CACHE_MISS)
		return r;
	return cache_memory_put(
		c, r,
		&(struct cache_put){
			.key = key,
			.body = e->body ? blob_data(e->body) : NULL,
			.n_body = e->n_body,
			.negative = e->negative,
			.etag = e->etag,
			.note = e->note,
			.ttl_ms = ttl_ms,
		},
		1, NULL);
}

static int work_expire(struct cache *, struct cache_conn *conn, void *arg)
{
	return cache_run_key(conn, SQL_DOC_EXPIRE, arg);
}

int cache_expire(struct cache *c, const char *key)
{
	cleanup(free) char *copy = mem_strdup(key);

	cache_memory_expire(c, key);
	return cache_write(c, work_expire, copy);
}

static int work_expire_negative(struct cache *, struct cache_conn *conn, void *)
{
	return cache_run_numbers(conn, SQL_DOC_EXPIRE_NEGATIVE, NULL, 0);
}

int cache_expire_negative(struct cache *c)
{
	cache_memory_expire(c, NULL);
	return cache_write(c, work_expire_negative, NULL);
}

static int work_remove(struct cache *, struct cache_conn *conn, void *arg)
{
	int64_t old = 0;
	int rc = find_body(conn, arg, &old);

	if (rc == SQLITE_OK && old)
		rc = supersede(conn, old, clock_wall_ms());
	if (rc == SQLITE_OK)
		rc = cache_run_key(conn, SQL_DOC_DELETE, arg);
	return rc;
}

int cache_remove(struct cache *c, const char *key)
{
	cleanup(free) char *copy = mem_strdup(key);

	cache_memory_remove(c, key);
	return cache_write(c, work_remove, copy);
}

void cache_set_max_bytes(struct cache *c, uint64_t max_bytes)
{
	atomic_store(&c->max_bytes, max_bytes);
}

static int work_count(struct cache *, struct cache_conn *conn, void *arg)
{
	uint64_t *count = arg;
	sqlite3_stmt *s;
	int rc = cache_stmt(conn, SQL_DOC_COUNT, &s);

	if (rc != SQLITE_OK)
		return rc;
	rc = sqlite3_step(s);
	if (rc == SQLITE_ROW)
		*count = (uint64_t)sqlite3_column_int64(s, 0);
	return cache_stmt_end(s, rc);
}

int cache_stats(struct cache *c, struct cache_stats *ret_stats)
{
	static const char *const parts[] = {"", "-wal", "-shm"};
	struct cache_stats stats = {0};
	int r = cache_read(c, work_count, &stats.n_documents);

	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		cleanup(free) char *path =
			mem_asprintf("%s%s", c->path, parts[i]);
		struct stat st;

		if (stat(path, &st) == 0)
			stats.n_bytes += (uint64_t)st.st_size;
	}
	*ret_stats = stats;
	return 0;
}
