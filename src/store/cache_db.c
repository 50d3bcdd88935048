/*
 * Connections, statements, and the transactions in which work runs.
 */
#include "cache_private.h"

#include "base/clock.h"

#include <sqlite3.h>

static const char *const texts[N_SQL] = {
	[SQL_BEGIN] = "BEGIN IMMEDIATE",
	[SQL_COMMIT] = "COMMIT",
	[SQL_ROLLBACK] = "ROLLBACK",
	[SQL_DOC_GET] = "SELECT d.body_id, length(b.bytes), d.negative, d.etag,"
			" d.note, d.fetched, d.ttl, d.expired, CASE WHEN ?2"
			" THEN (SELECT sum FROM body_sum WHERE id = b.id) END"
			" FROM doc d LEFT JOIN body b ON b.id = d.body_id"
			" WHERE d.key = ?1",
	[SQL_DOC_BODY_ID] = "SELECT body_id FROM doc WHERE key = ?",
	[SQL_DOC_PUT] = "INSERT OR REPLACE INTO doc (key, body_id, negative,"
			" etag, note, fetched, ttl, expired)"
			" VALUES (?, ?, ?, ?, ?, ?, ?, 0)",
	[SQL_DOC_RENEW] = "UPDATE doc SET body_id = ?, etag = ?"
			  " WHERE key = ?",
	[SQL_DOC_TOUCH] = "UPDATE doc SET fetched = ?, ttl = ?, expired = 0"
			  " WHERE key = ?",
	[SQL_DOC_EXPIRE] = "UPDATE doc SET expired = 1 WHERE key = ?",
	[SQL_DOC_EXPIRE_NEGATIVE] = "UPDATE doc SET expired = 1"
				    " WHERE body_id IS NULL",
	[SQL_DOC_DELETE] = "DELETE FROM doc WHERE key = ?",
	[SQL_DOC_COUNT] = "SELECT count(*) FROM doc",
	[SQL_DOC_OLDEST] = "SELECT key, body_id FROM doc"
			   " WHERE body_id IS NOT NULL"
			   " ORDER BY fetched, body_id LIMIT 1",
	[SQL_DOC_SWEEP_NEGATIVE] = "DELETE FROM doc WHERE body_id IS NULL"
				   " AND fetched < ?1 AND fetched + ttl < ?1",
	[SQL_DOC_DROP] = "DELETE FROM doc WHERE key >= ?1 AND key < ?2",
	[SQL_DOC_SWEEP_PASSING] = "DELETE FROM doc WHERE key >= ?1"
				  " AND key < ?2 AND fetched + ttl < ?3",
	[SQL_BODY_LENGTH] = "SELECT length(bytes) FROM body WHERE id = ?",
	[SQL_BODY_SAME] = "SELECT 1 FROM body WHERE id = ?1"
			  " AND length(bytes) = ?2 AND bytes = ?3",
	[SQL_BODY_PUT] = "INSERT INTO body (bytes) VALUES (?)",
	[SQL_BODY_SUPERSEDE] = "UPDATE body SET superseded = ? WHERE id = ?",
	[SQL_BODY_DELETE] = "DELETE FROM body WHERE id = ?",
	[SQL_BODY_SWEEP] = "DELETE FROM body WHERE superseded IS NOT NULL"
			   " AND superseded < ?",
	[SQL_BODY_DROP] = "DELETE FROM body WHERE id IN (SELECT body_id"
			  " FROM doc WHERE key >= ?1 AND key < ?2)",
	[SQL_BODY_SWEEP_PASSING] = "DELETE FROM body WHERE id IN"
				   " (SELECT body_id FROM doc WHERE key >= ?1"
				   " AND key < ?2 AND fetched + ttl < ?3)",
	[SQL_TIME_GET] = "SELECT shown, least FROM body_time WHERE id = ?",
	[SQL_TIME_PUT] = "INSERT OR REPLACE INTO body_time (id, shown, least)"
			 " SELECT ?1, ?2, ?3"
			 " WHERE EXISTS (SELECT 1 FROM body WHERE id = ?1)",
	[SQL_SUM_GET] = "SELECT sum FROM body_sum WHERE id = ?",
	[SQL_SUM_PUT] = "INSERT INTO body_sum (id, sum) VALUES (?, ?)",
	[SQL_TOTAL] = "SELECT n_bytes FROM total",
	[SQL_FACT_GET] = "SELECT value FROM fact WHERE space = ? AND key = ?",
	[SQL_FACT_PUT] = "INSERT OR REPLACE INTO fact (space, key, value)"
			 " VALUES (?, ?, ?)",
	[SQL_FACT_KEEP] = "INSERT OR IGNORE INTO fact (space, key, value)"
			  " VALUES (?, ?, ?)",
	[SQL_FACT_FROM] = "SELECT key, value FROM fact WHERE space = ?"
			  " AND key >= ? ORDER BY key",
	[SQL_FACT_CLEAR] = "DELETE FROM fact WHERE space = ?",
	[SQL_LEDGER_ADD] = "INSERT INTO ledger (book, minute, class, n)"
			   " VALUES (?, ?, ?, ?)"
			   " ON CONFLICT (book, minute, class)"
			   " DO UPDATE SET n = n + excluded.n",
	[SQL_LEDGER_ADD_TOTAL] = "INSERT INTO ledger_total (book, n)"
				 " VALUES (?, ?) ON CONFLICT (book)"
				 " DO UPDATE SET n = n + excluded.n",
	[SQL_LEDGER_NOTE] = "INSERT INTO ledger_note"
			    " (book, which, noted, a, b, c, d, e)"
			    " VALUES (?1, ?2, ?3, ?5, ?6, ?7, ?8, ?9)"
			    " ON CONFLICT (book, which) DO UPDATE SET"
			    " noted = excluded.noted, a = excluded.a,"
			    " b = excluded.b, c = excluded.c,"
			    " d = excluded.d, e = excluded.e"
			    " WHERE excluded.noted >= noted OR noted > ?4",
	[SQL_LEDGER_SWEEP] = "DELETE FROM ledger WHERE book = ?1"
			     " AND (minute <= ?2 OR minute > ?3)",
	[SQL_LEDGER_USES] = "SELECT minute, class, n FROM ledger"
			    " WHERE book = ?1 AND minute > ?2 AND minute <= ?3"
			    " ORDER BY minute",
	[SQL_LEDGER_TOTAL] = "SELECT n FROM ledger_total WHERE book = ?",
	[SQL_LEDGER_NOTES] = "SELECT which, noted, a, b, c, d, e"
			     " FROM ledger_note WHERE book = ?",
};

/* True: this thread is the writer, until give_writer. False, without `wait`
 * only: another one is. */
static bool become_writer(struct cache *c, bool wait)
{
	bool mine;

	mutex_lock(&c->lock);
	while (c->writing && wait)
		cond_wait(&c->writer_freed, &c->lock);
	mine = !c->writing;
	c->writing = true;
	mutex_unlock(&c->lock);
	return mine;
}

/*
 * The connection for writing, opened if need be; for the writer alone. One
 * whose file was set aside is closed, here and in take_reader:
 * 1. A and B, two processes, have cache.db open.
 * 2. A finds it damaged, renames it, and makes a new one.
 * 3. B would write into the renamed file, where nobody looks.
 * If 2 comes between this look and the write, one answer is lost, and is asked
 * for again.
 */
static int writer_conn(struct cache *c, struct cache_conn **ret_conn)
{
	struct cache_conn *conn;
	int r = 0;

	mutex_lock(&c->lock);
	conn = steal(&c->writer);
	mutex_unlock(&c->lock);

	if (conn && !cache_conn_is_current(c, conn))
		conn = cache_conn_free(conn);
	if (!conn)
		r = cache_open_writer(c, &conn);
	*ret_conn = conn;
	return r;
}

static int take_writer(struct cache *c, struct cache_conn **ret_conn)
{
	become_writer(c, true);
	return writer_conn(c, ret_conn);
}

/* conn NULL: it could not be opened, or was closed; the next writer opens one.
 */
static void give_writer(struct cache *c, struct cache_conn *conn)
{
	mutex_lock(&c->lock);
	c->writer = conn;
	c->writing = false;
	cond_signal(&c->writer_freed);
	mutex_unlock(&c->lock);
}

/* For a reader that finds no tables of today, or damage: opening the connection
 * for writing makes the tables (the file before was removed or set aside) and
 * sets a damaged file aside. */
static int mend(struct cache *c)
{
	struct cache_conn *conn = NULL;
	int r = take_writer(c, &conn);

	give_writer(c, conn);
	return r;
}

static int take_reader(struct cache *c, struct cache_conn **ret_conn)
{
	struct cache_conn *conn;
	int r = 0;

	mutex_lock(&c->lock);
	while (!c->readers && c->n_readers == CACHE_READERS_MOST)
		cond_wait(&c->reader_freed, &c->lock);
	conn = c->readers;
	if (conn)
		c->readers = conn->next;
	else
		c->n_readers++;
	mutex_unlock(&c->lock);

	if (conn && !cache_conn_is_current(c, conn))
		conn = cache_conn_free(conn);
	if (!conn)
		r = cache_open_reader(c, &conn);
	if (r > 0) {
		r = mend(c);
		if (r == 0)
			r = cache_open_reader(c, &conn);
	}
	*ret_conn = conn;
	return r > 0 ? -EIO : r;
}

static void give_reader(struct cache *c, struct cache_conn *conn)
{
	mutex_lock(&c->lock);
	if (conn) {
		conn->next = c->readers;
		c->readers = conn;
	} else {
		c->n_readers--;
	}
	cond_signal(&c->reader_freed);
	mutex_unlock(&c->lock);
}

int cache_stmt(struct cache_conn *conn, enum cache_sql which,
	       struct sqlite3_stmt **ret_stmt)
{
	int rc = SQLITE_OK;

	if (!conn->stmts[which])
		rc = sqlite3_prepare_v3(conn->db, texts[which], -1,
					SQLITE_PREPARE_PERSISTENT,
					&conn->stmts[which], NULL);
	*ret_stmt = conn->stmts[which];
	/* The texts are right, so the tables are not those of this program. */
	return rc == SQLITE_ERROR ? SQLITE_CORRUPT : rc;
}

int cache_stmt_end(struct sqlite3_stmt *s, int rc)
{
	sqlite3_reset(s);
	sqlite3_clear_bindings(s);
	return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int run_simple(struct cache_conn *conn, enum cache_sql which)
{
	sqlite3_stmt *s;
	int rc = cache_stmt(conn, which, &s);

	return rc == SQLITE_OK ? cache_stmt_end(s, sqlite3_step(s)) : rc;
}

static int run_transaction(struct cache *c, struct cache_conn *conn,
			   cache_work *work, void *arg)
{
	int rc = run_simple(conn, SQL_BEGIN);

	if (rc != SQLITE_OK)
		return rc;
	rc = work(c, conn, arg);
	if (rc == SQLITE_OK)
		rc = run_simple(conn, SQL_COMMIT);
	if (rc != SQLITE_OK && !sqlite3_get_autocommit(conn->db))
		run_simple(conn, SQL_ROLLBACK);
	return rc;
}

/* Binds one key, steps, ends. */
int cache_run_key(struct cache_conn *conn, enum cache_sql which,
		  const char *key)
{
	sqlite3_stmt *s;
	int rc = cache_stmt(conn, which, &s);

	if (rc != SQLITE_OK)
		return rc;
	sqlite3_bind_text(s, 1, key, -1, SQLITE_STATIC);
	return cache_stmt_end(s, sqlite3_step(s));
}

int cache_run_range(struct cache_conn *conn, enum cache_sql which,
		    const char *from, const char *to, int64_t number)
{
	sqlite3_stmt *s;
	int rc = cache_stmt(conn, which, &s);

	if (rc != SQLITE_OK)
		return rc;
	sqlite3_bind_text(s, 1, from, -1, SQLITE_STATIC);
	sqlite3_bind_text(s, 2, to, -1, SQLITE_STATIC);
	if (sqlite3_bind_parameter_count(s) > 2)
		sqlite3_bind_int64(s, 3, number);
	return cache_stmt_end(s, sqlite3_step(s));
}

/* Binds up to two numbers, steps, ends. */
int cache_run_numbers(struct cache_conn *conn, enum cache_sql which,
		      const int64_t *numbers, int n)
{
	sqlite3_stmt *s;
	int rc = cache_stmt(conn, which, &s);

	if (rc != SQLITE_OK)
		return rc;
	for (int i = 0; i < n; i++)
		sqlite3_bind_int64(s, i + 1, numbers[i]);
	return cache_stmt_end(s, sqlite3_step(s));
}

int cache_write_now(struct cache *c, cache_work *work, void *arg)
{
	struct cache_conn *conn = NULL;
	int rc, r;

	if (!become_writer(c, false))
		return -EBUSY;
	r = writer_conn(c, &conn);
	if (r < 0) {
		give_writer(c, NULL);
		return r;
	}
	sqlite3_busy_timeout(conn->db, 0);
	rc = run_transaction(c, conn, work, arg);
	r = cache_errno(conn->db, rc);
	sqlite3_busy_timeout(conn->db, CACHE_BUSY_MS);
	give_writer(c, conn);
	/* cache_write does the work once more, and sets the file aside. */
	return cache_is_damage(rc) ? cache_write(c, work, arg) : r;
}

int cache_write(struct cache *c, cache_work *work, void *arg)
{
	for (int i = 0;; i++) {
		struct cache_conn *conn = NULL;
		int rc, r = take_writer(c, &conn);

		if (r < 0) {
			give_writer(c, NULL);
			return r;
		}
		rc = run_transaction(c, conn, work, arg);
		r = cache_errno(conn->db, rc);
		if (cache_is_damage(rc)) {
			int aside = cache_set_aside(c, conn, "is damaged");

			conn = cache_conn_free(conn);
			give_writer(c, NULL);
			if (aside == 0 && i == 0)
				continue;
			return r;
		}
		give_writer(c, conn);
		return r;
	}
}

int cache_read(struct cache *c, cache_work *work, void *arg)
{
	for (int i = 0;; i++) {
		struct cache_conn *conn = NULL;
		int rc, r = take_reader(c, &conn);

		if (r < 0) {
			give_reader(c, NULL);
			return r;
		}
		rc = work(c, conn, arg);
		r = cache_errno(conn->db, rc);
		if (cache_is_damage(rc)) {
			int aside = cache_set_aside(c, conn, "is damaged");

			conn = cache_conn_free(conn);
			give_reader(c, NULL);
			if (aside == 0 && i == 0)
				continue;
			return r;
		}
		give_reader(c, conn);
		return r;
	}
}

int cache_open(const char *dir, struct cache **ret_cache)
{
	cleanup(cache_close) struct cache *c = mem_calloc(1, sizeof(*c));
	int r;

	c->dir = mem_strdup(dir);
	c->path = mem_asprintf("%s/cache.db", dir);
	atomic_init(&c->max_bytes, CACHE_MAX_BYTES);
	atomic_init(&c->swept_ms, clock_wall_ms());
	atomic_init(&c->read_failed, false);
	mutex_init(&c->lock);
	cache_memory_init(c);
	cond_init(&c->reader_freed);
	cond_init(&c->writer_freed);
	r = cache_write(c, cache_sweep_old, NULL);
	/* -EBUSY: another process writes for long. Sweeping can wait. */
	if (r < 0 && r != -EBUSY)
		return r;
	c->was_open = true;
	*ret_cache = steal(&c);
	return 0;
}

struct cache *cache_close(struct cache *c)
{
	if (!c)
		return NULL;
	check(!c->writing);
	while (c->readers) {
		struct cache_conn *conn = c->readers;

		c->readers = conn->next;
		cache_conn_free(conn);
		c->n_readers--;
	}
	check(c->n_readers == 0);
	/* Last: as the last connection closes, SQLite copies the -wal into the
	 * database. */
	cache_conn_free(c->writer);
	cond_done(&c->writer_freed);
	cache_memory_done(c);
	cond_done(&c->reader_freed);
	mutex_done(&c->lock);
	free(c->path);
	free(c->dir);
	free(c);
	return NULL;
}
