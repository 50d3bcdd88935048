/*
 * What goes by itself: bytes that no document has had for a day, negative
 * answers long past their lifetime, what passes, and over the size bound the
 * documents that were fetched longest ago.
 */
#include "cache_private.h"

#include "base/clock.h"

#include <sqlite3.h>

#define HOUR_MS ((int64_t)3600 * 1000)
#define SUPERSEDED_KEPT_MS (24 * HOUR_MS)
#define NEGATIVE_KEPT_MS (7 * 24 * HOUR_MS) /* past its lifetime */

static int read_total(struct cache_conn *conn, uint64_t *ret_total)
{
	sqlite3_stmt *s;
	int rc = cache_stmt(conn, SQL_TOTAL, &s);

	if (rc != SQLITE_OK)
		return rc;
	rc = sqlite3_step(s);
	if (rc == SQLITE_ROW)
		*ret_total = (uint64_t)sqlite3_column_int64(s, 0);
	return cache_stmt_end(s, rc);
}

/* Removes the document that was fetched longest ago, and its bytes. -ENOENT: no
 * document has any. */
static int drop_oldest(struct cache_conn *conn)
{
	cleanup(free) char *key = NULL;
	int64_t id = 0;
	sqlite3_stmt *s;
	int rc = cache_stmt(conn, SQL_DOC_OLDEST, &s);

	if (rc != SQLITE_OK)
		return rc;
	rc = sqlite3_step(s);
	if (rc == SQLITE_ROW) {
		const char *text = (const char *)sqlite3_column_text(s, 0);

		key = text ? mem_strdup(text) : NULL;
		id = sqlite3_column_int64(s, 1);
	}
	rc = cache_stmt_end(s, rc);
	if (rc != SQLITE_OK)
		return rc;
	if (!key)
		return -ENOENT;
	rc = cache_run_key(conn, SQL_DOC_DELETE, key);
	if (rc == SQLITE_OK)
		rc = cache_run_numbers(conn, SQL_BODY_DELETE, &id, 1);
	return rc;
}

int cache_keep_bound(struct cache *c, struct cache_conn *conn)
{
	const int64_t for_ever = INT64_MAX;
	uint64_t total = 0, most = atomic_load(&c->max_bytes);
	int rc = read_total(conn, &total);

	if (rc != SQLITE_OK || total <= most)
		return rc;
	/* Down to somewhat below the bound: otherwise each put from now on
	 * would have to drop documents. */
	most -= most / 16;
	rc = cache_run_numbers(conn, SQL_BODY_SWEEP, &for_ever, 1);
	while (rc == SQLITE_OK) {
		rc = read_total(conn, &total);
		if (rc == SQLITE_OK && total <= most)
			break;
		if (rc == SQLITE_OK)
			rc = drop_oldest(conn);
	}
	return rc == -ENOENT ? SQLITE_OK : rc;
}

/* The bytes go with it: nobody was shown them. */
static int sweep_passing(struct cache_conn *conn, int64_t now)
{
	static const char from[] = CACHE_PASSING;
	char to[] = CACHE_PASSING;
	int rc;

	to[sizeof(to) - 2]++;
	rc = cache_run_range(conn, SQL_BODY_SWEEP_PASSING, from, to, now);
	return rc == SQLITE_OK ? cache_run_range(conn, SQL_DOC_SWEEP_PASSING,
						 from, to, now)
			       : rc;
}

int cache_sweep_old(struct cache *c, struct cache_conn *conn, void *)
{
	int64_t now = clock_wall_ms();
	int rc;

	atomic_store(&c->swept_ms, now);
	rc = cache_run_numbers(conn, SQL_BODY_SWEEP,
			       (int64_t[]){now - SUPERSEDED_KEPT_MS}, 1);
	if (rc == SQLITE_OK)
		rc = cache_run_numbers(conn, SQL_DOC_SWEEP_NEGATIVE,
				       (int64_t[]){now - NEGATIVE_KEPT_MS}, 1);
	return rc == SQLITE_OK ? sweep_passing(conn, now) : rc;
}
