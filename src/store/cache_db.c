/*
 * Connections to cache.db, the transactions round work, and what happens when
 * the file is damaged.
 *
 * Setting aside renames the file; whoever has it open (another process, other
 * connections of this one) goes on with the old file until the next use of the
 * connection, when the path's inode is no longer the connection's. So nothing
 * may touch the new files by way of an old connection: the last one to close
 * deletes its -wal by name, and that SQLite looks first whether the database
 * was moved is no promise between processes. SQLITE_FCNTL_PERSIST_WAL forbids
 * it; the -wal is cut to nothing instead, through its descriptor, and an empty
 * one says that the last process closed in peace.
 *
 * dir/cache.lock (flock) is held shared while a connection is being opened and
 * exclusively while the file is made, checked, upgraded or set aside. The file
 * cache.db itself is never opened here but by SQLite: closing any descriptor
 * of it would drop the POSIX locks of every connection of this process.
 */
#include "cache_private.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"

#include <dirent.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUSY_MS 5000
#define PRAGMAS                                \
	"PRAGMA synchronous = NORMAL;"         \
	"PRAGMA cache_size = -1024;"           \
	"PRAGMA journal_size_limit = 4194304;" \
	"PRAGMA trusted_schema = OFF;"         \
	"PRAGMA cell_size_check = ON;"
/* Checked whole after a crash only up to this size: 16 MiB take some 30 ms.
 * What it misses shows itself as SQLITE_CORRUPT later. */
#define CHECK_BYTES_MOST (16 * MIB)

static const char *const texts[N_SQL] = {
	[SQL_BEGIN] = "BEGIN IMMEDIATE",
	[SQL_COMMIT] = "COMMIT",
	[SQL_ROLLBACK] = "ROLLBACK",
	[SQL_DOC_GET] = "SELECT d.body_id, length(b.bytes), d.negative, d.etag,"
			" d.note, d.fetched, d.ttl, d.expired FROM doc d"
			" LEFT JOIN body b ON b.id = d.body_id WHERE d.key = ?",
	[SQL_DOC_BODY_ID] = "SELECT body_id FROM doc WHERE key = ?",
	[SQL_DOC_PUT] = "INSERT OR REPLACE INTO doc (key, body_id, negative,"
			" etag, note, fetched, ttl, expired)"
			" VALUES (?, ?, ?, ?, ?, ?, ?, 0)",
	[SQL_DOC_TOUCH] = "UPDATE doc SET fetched = ?, ttl = ?, expired = 0"
			  " WHERE key = ?",
	[SQL_DOC_EXPIRE] = "UPDATE doc SET expired = 1 WHERE key = ?",
	[SQL_DOC_EXPIRE_BELOW] = "UPDATE doc SET expired = 1"
				 " WHERE key = ?1 OR (key >= ?2 AND key < ?3)",
	[SQL_DOC_EXPIRE_ALL] = "UPDATE doc SET expired = 1",
	[SQL_DOC_DELETE] = "DELETE FROM doc WHERE key = ?",
	[SQL_DOC_COUNT] = "SELECT count(*) FROM doc",
	[SQL_DOC_OLDEST] = "SELECT key, body_id FROM doc"
			   " WHERE body_id IS NOT NULL"
			   " ORDER BY fetched, body_id LIMIT 1",
	[SQL_DOC_SWEEP_NEGATIVE] = "DELETE FROM doc WHERE body_id IS NULL"
				   " AND fetched < ?1 AND fetched + ttl < ?1",
	[SQL_BODY_LENGTH] = "SELECT length(bytes) FROM body WHERE id = ?",
	[SQL_BODY_SAME] = "SELECT 1 FROM body WHERE id = ?1"
			  " AND length(bytes) = ?2 AND bytes = ?3",
	[SQL_BODY_PUT] = "INSERT INTO body (bytes) VALUES (?)",
	[SQL_BODY_SUPERSEDE] = "UPDATE body SET superseded = ? WHERE id = ?",
	[SQL_BODY_DELETE] = "DELETE FROM body WHERE id = ?",
	[SQL_BODY_SWEEP] = "DELETE FROM body WHERE superseded IS NOT NULL"
			   " AND superseded < ?",
	[SQL_TOTAL] = "SELECT n_bytes FROM total",
	[SQL_FACT_GET] = "SELECT value FROM fact WHERE space = ? AND key = ?",
	[SQL_FACT_PUT] = "INSERT OR REPLACE INTO fact (space, key, value)"
			 " VALUES (?, ?, ?)",
	[SQL_FACT_KEEP] = "INSERT OR IGNORE INTO fact (space, key, value)"
			  " VALUES (?, ?, ?)",
	[SQL_FACT_FROM] = "SELECT key, value FROM fact WHERE space = ?"
			  " AND key >= ? ORDER BY key",
	[SQL_FACT_CLEAR] = "DELETE FROM fact WHERE space = ?",
};

/* The one table from SQLite's codes to errno; db (may be NULL) for the errno
 * of the system call behind it. */
static int errno_of(struct sqlite3 *db, int rc)
{
	int system = db ? sqlite3_system_errno(db) : 0;

	if (rc <= 0) /* SQLITE_OK, or -errno of the work's own */
		return rc;
	switch (rc & 0xff) {
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_READONLY:
		return -EROFS;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_TOOBIG:
		return -EFBIG;
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return -EACCES;
	case SQLITE_CANTOPEN:
		return system ? -system : -EACCES;
	default:
		return system ? -system : -EIO;
	}
}

static bool is_damage(int rc)
{
	return rc > 0 &&
	       ((rc & 0xff) == SQLITE_CORRUPT || (rc & 0xff) == SQLITE_NOTADB);
}

/* Waits for the other processes; the result is to be closed. */
static int lock_files(const struct cache *c, int how, int *ret_fd)
{
	cleanup(free) char *path = xasprintf("%s/cache.lock", c->dir);
	cleanup(fd) int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		return -errno;
	while (flock(fd, how) < 0)
		if (errno != EINTR)
			return -errno;
	*ret_fd = fd;
	fd = -1;
	return 0;
}

static void remove_older_broken(const struct cache *c)
{
	DIR *d = opendir(c->dir);
	struct dirent *e;

	while (d && (e = readdir(d)))
		if (strncmp(e->d_name, "cache.db.broken-", 16) == 0)
			unlinkat(dirfd(d), e->d_name, 0);
	if (d)
		closedir(d);
}

/*
 * The exclusive lock is held. Only if the path still is this very file; of
 * those that were set aside the last one is kept.
 */
static int set_aside_locked(const struct cache *c, dev_t device, ino_t inode,
			    const char *why)
{
	static const char *const parts[] = {"", "-wal", "-shm"};
	cleanup(free) char *to = NULL;
	struct stat st;

	if (stat(c->path, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (st.st_dev != device || st.st_ino != inode)
		return 0;
	remove_older_broken(c);
	to = xasprintf("%s.broken-%lld", c->path,
		       (long long)(clock_wall_ms() / 1000));
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		cleanup(free) char *a = xasprintf("%s%s", c->path, parts[i]);
		cleanup(free) char *b = xasprintf("%s%s", to, parts[i]);

		if (rename(a, b) < 0 && errno != ENOENT)
			return -errno;
	}
	log_warn("the cache %s %s; it is set aside as %s and begun anew",
		 c->path, why, to);
	return 0;
}

static int set_aside(const struct cache *c, const struct cache_conn *conn,
		     const char *why)
{
	cleanup(fd) int lock = -1;
	int r = lock_files(c, LOCK_EX, &lock);

	if (r < 0)
		return r;
	return set_aside_locked(c, conn->device, conn->inode, why);
}

static struct cache_conn *conn_free(struct cache_conn *conn)
{
	if (!conn)
		return NULL;
	for (size_t i = 0; i < N_SQL; i++)
		sqlite3_finalize(conn->stmts[i]);
	sqlite3_close(conn->db);
	free(conn);
	return NULL;
}
DEFINE_CLEANUP(struct cache_conn *, conn_free);

/* A lock on the files is held. Reads the file for the first time, so SQLITE_
 * NOTADB shows here. *ret_conn also on failure, once the file is known. */
static int conn_open(const struct cache *c, bool writer,
		     struct cache_conn **ret_conn)
{
	struct cache_conn *conn;
	struct stat st;
	int fd, rc, keep = 1;

	/* SQLite would make it with the umask's mode. O_EXCL: see the top. */
	fd = open(c->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 && errno != EEXIST)
		return -errno;
	fd_close(fd);
	if (stat(c->path, &st) < 0)
		return -errno;
	*ret_conn = conn = xcalloc(1, sizeof(*conn));
	conn->device = st.st_dev;
	conn->inode = st.st_ino;
	if (!S_ISREG(st.st_mode))
		return SQLITE_NOTADB;
	rc = sqlite3_open_v2(c->path, &conn->db,
			     SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
	if (rc != SQLITE_OK)
		return rc;
	sqlite3_extended_result_codes(conn->db, 1);
	if (sqlite3_db_readonly(conn->db, "main") == 1)
		return access(c->path, W_OK) < 0 ? -errno : -EROFS;
	sqlite3_busy_timeout(conn->db, BUSY_MS);
	rc = sqlite3_file_control(conn->db, "main", SQLITE_FCNTL_PERSIST_WAL,
				  &keep);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(conn->db,
				  "PRAGMA journal_mode = WAL;" PRAGMAS, NULL,
				  NULL, NULL);
	if (rc == SQLITE_OK && !writer)
		rc = sqlite3_exec(conn->db, "PRAGMA query_only = ON", NULL,
				  NULL, NULL);
	return rc;
}

static int quick_check(struct sqlite3 *db)
{
	sqlite3_stmt *s = NULL;
	int rc = sqlite3_prepare_v2(db, "PRAGMA quick_check(1)", -1, &s, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_step(s);
	if (rc == SQLITE_ROW) {
		const char *said = (const char *)sqlite3_column_text(s, 0);

		rc = said && strcmp(said, "ok") == 0 ? SQLITE_OK
						     : SQLITE_CORRUPT;
	}
	sqlite3_finalize(s);
	return rc;
}

static bool closed_in_peace(const struct cache *c)
{
	cleanup(free) char *wal = xasprintf("%s-wal", c->path);
	struct stat st;

	return stat(wal, &st) < 0 || st.st_size == 0;
}

/* The exclusive lock is held: makes, checks, upgrades. */
static int conn_open_first(const struct cache *c, struct cache_conn **ret_conn)
{
	bool peace = closed_in_peace(c);
	struct stat st;
	int rc = conn_open(c, true, ret_conn);

	if (rc != SQLITE_OK)
		return rc;
	if (!peace && stat(c->path, &st) == 0 && st.st_size <= CHECK_BYTES_MOST)
		rc = quick_check((*ret_conn)->db);
	if (rc != SQLITE_OK)
		return rc;
	return cache_schema_upgrade((*ret_conn)->db);
}

/* A writer's connection: whoever opens one makes sure of the tables, too,
 * because the file may have been set aside a moment ago. */
static int open_writer(const struct cache *c, struct cache_conn **ret_conn)
{
	cleanup(fd) int lock = -1;
	int rc = lock_files(c, LOCK_EX, &lock);

	for (int i = 0; rc == 0; i++) {
		cleanup(conn_free) struct cache_conn *conn = NULL;
		const char *why;

		rc = conn_open_first(c, &conn);
		if (rc == SQLITE_OK) {
			*ret_conn = steal(&conn);
			return 0;
		}
		if (i > 0 || !(is_damage(rc) || rc == -EPROTO))
			return errno_of(conn ? conn->db : NULL, rc);
		why = rc == -EPROTO ? "is of a later version" : "is damaged";
		rc = set_aside_locked(c, conn->device, conn->inode, why);
	}
	return rc;
}

/* 0, -errno, or a positive SQLite code when only a writer can mend it. */
static int open_reader(const struct cache *c, struct cache_conn **ret_conn)
{
	cleanup(fd) int lock = -1;
	cleanup(conn_free) struct cache_conn *conn = NULL;
	int rc = lock_files(c, LOCK_SH, &lock);

	if (rc < 0)
		return rc;
	rc = conn_open(c, false, &conn);
	if (rc == SQLITE_OK && !cache_schema_is_today(conn->db))
		rc = SQLITE_CORRUPT;
	if (rc != SQLITE_OK)
		return is_damage(rc) ? rc
				     : errno_of(conn ? conn->db : NULL, rc);
	*ret_conn = steal(&conn);
	return 0;
}

/* False when the path is another file by now, or none. */
static bool conn_is_current(const struct cache *c,
			    const struct cache_conn *conn)
{
	struct stat st;

	return stat(c->path, &st) == 0 && st.st_dev == conn->device &&
	       st.st_ino == conn->inode;
}

static int take_writer(struct cache *c, struct cache_conn **ret_conn)
{
	struct cache_conn *conn;
	int r = 0;

	mutex_lock(&c->lock);
	while (c->writing)
		cond_wait(&c->writer_freed, &c->lock);
	c->writing = true;
	conn = steal(&c->writer);
	mutex_unlock(&c->lock);

	if (conn && !conn_is_current(c, conn))
		conn = conn_free(conn);
	if (!conn)
		r = open_writer(c, &conn);
	*ret_conn = conn;
	return r;
}

/* conn may be NULL: it could not be opened, or is closed. */
static void give_writer(struct cache *c, struct cache_conn *conn)
{
	mutex_lock(&c->lock);
	c->writer = conn;
	c->writing = false;
	cond_signal(&c->writer_freed);
	mutex_unlock(&c->lock);
}

/* A file without tables, somebody having removed or set it aside, gets them; a
 * damaged one goes. */
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

	if (conn && !conn_is_current(c, conn))
		conn = conn_free(conn);
	if (!conn)
		r = open_reader(c, &conn);
	if (r > 0) {
		r = mend(c);
		if (r == 0)
			r = open_reader(c, &conn);
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
	/* The text is right, so the tables are not. */
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
		r = errno_of(conn->db, rc);
		if (is_damage(rc)) {
			int aside = set_aside(c, conn, "is damaged");

			conn = conn_free(conn);
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
		r = errno_of(conn->db, rc);
		if (is_damage(rc)) {
			int aside = set_aside(c, conn, "is damaged");

			conn = conn_free(conn);
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
	cleanup(cache_close) struct cache *c = xcalloc(1, sizeof(*c));
	int r;

	c->dir = xstrdup(dir);
	c->path = xasprintf("%s/cache.db", dir);
	atomic_init(&c->max_bytes, CACHE_MAX_BYTES);
	atomic_init(&c->swept_ms, clock_wall_ms());
	atomic_init(&c->read_failed, false);
	mutex_init(&c->lock);
	cond_init(&c->reader_freed);
	cond_init(&c->writer_freed);
	r = cache_write(c, cache_sweep_old, NULL);
	if (r < 0 && r != -EBUSY) /* another process has a lot to write */
		return r;
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
		conn_free(conn);
		c->n_readers--;
	}
	check(c->n_readers == 0);
	/* Last, because the last connection brings the -wal home. */
	conn_free(c->writer);
	cond_done(&c->writer_freed);
	cond_done(&c->reader_freed);
	mutex_done(&c->lock);
	free(c->path);
	free(c->dir);
	free(c);
	return NULL;
}
