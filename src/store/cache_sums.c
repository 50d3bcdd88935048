/*
 * The sums of bodies. SQLite does not notice what a disk damages inside of a
 * row: without sums the mount would show it. A document whose bytes are not
 * those that were put is a miss; it is fetched again, and the put replaces the
 * row.
 *
 * The sum is in a table of its own: a column after the bytes is found only by
 * reading all of them. Bodies of older versions of the program have none.
 */
#include "cache_private.h"

#include "base/digest.h"
#include "store/say.h"

#include <inttypes.h>
#include <sqlite3.h>

#define CHUNK ((int64_t)256 * (int64_t)KIB)

int cache_sum_put(struct cache_conn *conn, int64_t id, const void *data,
		  size_t n)
{
	return cache_run_numbers(
		conn, SQL_SUM_PUT,
		(int64_t[]){id, digest_crc32(0, n ? data : "", n)}, 2);
}

/* -ENOENT: the body has no sum. */
static int get_sum(struct cache_conn *conn, int64_t id, uint32_t *ret_sum)
{
	sqlite3_stmt *s;
	int rc = cache_stmt(conn, SQL_SUM_GET, &s);
	bool found;

	if (rc != SQLITE_OK)
		return rc;
	sqlite3_bind_int64(s, 1, id);
	rc = sqlite3_step(s);
	found = rc == SQLITE_ROW;
	if (found)
		*ret_sum = (uint32_t)sqlite3_column_int64(s, 0);
	rc = cache_stmt_end(s, rc);
	return rc == SQLITE_OK && !found ? -ENOENT : rc;
}

int cache_sum_compare(const struct blob *whole, int64_t sum)
{
	return digest_crc32(0, blob_data(whole), blob_len(whole)) ==
			       (uint32_t)sum
		       ? SQLITE_OK
		       : -EBADMSG;
}

int cache_sum_check(struct cache_conn *conn, int64_t id,
		    const struct blob *whole)
{
	uint32_t sum = 0;
	int rc = get_sum(conn, id, &sum);

	if (rc == SQLITE_OK)
		return cache_sum_compare(whole, sum);
	return rc == -ENOENT ? SQLITE_OK : rc;
}

int cache_sum_check_stored(struct cache_conn *conn, int64_t id)
{
	cleanup(free) char *chunk = NULL;
	sqlite3_blob *handle = NULL;
	uint32_t sum = 0, is = 0;
	int64_t n = 0;
	int rc = get_sum(conn, id, &sum);

	if (rc != SQLITE_OK)
		return rc == -ENOENT ? SQLITE_OK : rc;
	rc = sqlite3_blob_open(conn->db, "main", "body", "bytes", id, 0,
			       &handle);
	/* SQLITE_ERROR: the body is gone, and nothing to be damaged. */
	if (rc != SQLITE_OK) {
		sqlite3_blob_close(handle);
		return rc == SQLITE_ERROR ? SQLITE_OK : rc;
	}
	chunk = mem_alloc((size_t)CHUNK);
	n = sqlite3_blob_bytes(handle);
	for (int64_t at = 0; rc == SQLITE_OK && at < n; at += CHUNK) {
		int64_t some = n - at < CHUNK ? n - at : CHUNK;

		rc = sqlite3_blob_read(handle, chunk, (int)some, (int)at);
		if (rc == SQLITE_OK)
			is = digest_crc32(is, chunk, (size_t)some);
	}
	sqlite3_blob_close(handle);
	return rc == SQLITE_OK && is != sum ? -EBADMSG : rc;
}

/* ---- what this process has looked at ---- */

static bool is_in(const int64_t *ids, int64_t id)
{
	for (size_t i = 0; i < CACHE_SUMS_KNOWN; i++)
		if (ids[i] == id)
			return true;
	return false;
}

bool cache_sum_is_known(struct cache *c, int64_t id)
{
	return mutex_with(&c->lock, is_in(c->sums.sound, id));
}

void cache_sum_note(struct cache *c, int64_t id, const char *key, int rc)
{
	bool say = false;

	mutex_lock(&c->lock);
	if (rc == SQLITE_OK && !is_in(c->sums.sound, id))
		c->sums.sound[c->sums.n_sound++ % CACHE_SUMS_KNOWN] = id;
	if (rc == -EBADMSG) {
		for (size_t i = 0; i < CACHE_SUMS_KNOWN; i++)
			if (c->sums.sound[i] == id)
				c->sums.sound[i] = 0;
		say = !is_in(c->sums.damaged, id);
	}
	if (say)
		c->sums.damaged[c->sums.n_damaged++ % CACHE_SUMS_KNOWN] = id;
	mutex_unlock(&c->lock);
	if (say)
		store_say(c->path, EIO,
			  "What is kept here of %s was damaged: it is fetched "
			  "again.",
			  key ? key : "a file");
}

static int work_check(struct cache *, struct cache_conn *conn, void *arg)
{
	const int64_t *id = arg;

	return cache_sum_check_stored(conn, *id);
}

bool cache_is_sound(struct cache *c, uint64_t version, const char *key)
{
	int64_t id = (int64_t)version;
	int r;

	if (cache_sum_is_known(c, id))
		return true;
	r = cache_read(c, work_check, &id);
	cache_sum_note(c, id, key, r);
	return r != -EBADMSG;
}
