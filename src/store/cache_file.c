/*
 * The file cache.db: opening it, and what happens when it is damaged.
 *
 * Setting aside renames the file; whoever has it open (another process, other
 * connections of this one) keeps the old file until the next use of the
 * connection, when the path's inode is not the connection's any more. An old
 * connection must not touch the new files:
 * 1. A sets cache.db and cache.db-wal aside, and makes both anew.
 * 2. B closes the last connection to the old file. SQLite deletes cache.db-wal
 *    by its name: it is the new one, with all that A wrote. (SQLite looks first
 *    whether the database was moved, but A may move it after that look.)
 * SQLITE_FCNTL_PERSIST_WAL forbids the deletion. The -wal is cut to nothing
 * instead, through its descriptor, and an empty one says that the last process
 * closed in peace.
 *
 * dir/cache.lock (flock) is held shared while a connection is being opened and
 * exclusively while the file is made, checked, upgraded or set aside: a reader
 * would take a file that is half made for a damaged one.
 *
 * The file cache.db itself is opened by SQLite alone: closing any other
 * descriptor of it would drop the POSIX locks of every connection of this
 * process. (conn_open makes it with O_EXCL, when no connection has it.)
 */
#include "cache_private.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/own.h"

#include <dirent.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* secure_delete: Debian's library would overwrite what goes, the pages that a
 * slow list left for a moment, and keep each of them for a rollback; in a file
 * of its own, and then all that the transaction changes after them. */
#define PRAGMAS                                \
	"PRAGMA synchronous = NORMAL;"         \
	"PRAGMA cache_size = -1024;"           \
	"PRAGMA journal_size_limit = 4194304;" \
	"PRAGMA secure_delete = FAST;"         \
	"PRAGMA trusted_schema = OFF;"         \
	"PRAGMA cell_size_check = ON;"
/* Checked whole after a crash only up to this size: 16 MiB take some 30 ms.
 * What it misses shows itself as SQLITE_CORRUPT later. */
#define CHECK_BYTES_MOST (16 * MIB)

/* The one table from SQLite's codes to errno. system: the errno of the last
 * system call that failed, which may have nothing to do with rc. */
int cache_errno_of(int rc, int system)
{
	if (rc <= 0) /* SQLITE_OK, or -errno of the work's own */
		return rc;
	/* EDQUOT says to people that the service's quota is used up. */
	if (system == EDQUOT)
		system = ENOSPC;
	switch (rc) {
	case SQLITE_IOERR_NOMEM:
		return -ENOMEM;
	case SQLITE_IOERR_SHORT_READ:
	case SQLITE_IOERR_CORRUPTFS:
	case SQLITE_IOERR_DATA:
		/* No system call failed: `system` is an old errno. */
		return -EIO;
	}
	switch (rc & 0xff) {
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_READONLY:
		return -EROFS;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
	case SQLITE_PROTOCOL: /* gave up racing for a lock */
		return -EBUSY;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_TOOBIG:
	case SQLITE_NOLFS:
		return -EFBIG;
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return -EACCES;
	case SQLITE_CANTOPEN:
		return system ? -system : -EACCES;
	case SQLITE_IOERR:
		return system ? -system : -EIO;
	default:
		return -EIO;
	}
}

/* Of a write that failed at COMMIT, SQLite keeps the errno with the file, and
 * not with the connection. */
static int write_errno(struct sqlite3 *db)
{
	static const int which[] = {SQLITE_FCNTL_JOURNAL_POINTER,
				    SQLITE_FCNTL_FILE_POINTER};
	int last = 0;

	for (size_t i = 0; !last && i < ARRAY_SIZE(which); i++) {
		sqlite3_file *file = NULL;

		if (sqlite3_file_control(db, "main", which[i], &file) ==
			    SQLITE_OK &&
		    file && file->pMethods)
			file->pMethods->xFileControl(
				file, SQLITE_FCNTL_LAST_ERRNO, &last);
	}
	return last;
}

int cache_errno(struct sqlite3 *db, int rc)
{
	int system = 0;

	if (db && (rc == SQLITE_IOERR_WRITE || rc == SQLITE_IOERR_FSYNC ||
		   rc == SQLITE_IOERR_TRUNCATE))
		system = write_errno(db);
	if (db && !system)
		system = sqlite3_system_errno(db);
	return cache_errno_of(rc, system);
}

bool cache_is_damage(int rc)
{
	return rc > 0 &&
	       ((rc & 0xff) == SQLITE_CORRUPT || (rc & 0xff) == SQLITE_NOTADB);
}

int cache_lock_files(const struct cache *c, int how, int *ret_fd)
{
	cleanup(free) char *path = mem_asprintf("%s/cache.lock", c->dir);
	cleanup(fd) int fd = own_open(path, O_RDWR | O_CREAT, 0600);
	int r;

	/* Somebody removed the directory of an open cache: it is made anew,
	 * otherwise nothing would be kept until the next start. */
	if (fd == -ENOENT && c->was_open && file_mkdirs(c->dir, 0700) == 0)
		fd = own_open(path, O_RDWR | O_CREAT, 0600);
	if (fd < 0)
		return fd;
	r = file_lock(fd, how);
	if (r < 0)
		return r;
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
 * The exclusive lock is held. Of files that were set aside the last one is
 * kept. The path must still lead to the file that was found damaged:
 * 1. A and B find it damaged.
 * 2. A sets it aside, and begins anew.
 * 3. B, which waited for the lock, would set A's new file aside.
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
	to = mem_asprintf("%s.broken-%lld", c->path,
			  (long long)(clock_wall_ms() / 1000));
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		cleanup(free) char *a = mem_asprintf("%s%s", c->path, parts[i]);
		cleanup(free) char *b = mem_asprintf("%s%s", to, parts[i]);

		if (rename(a, b) < 0 && errno != ENOENT)
			return -errno;
	}
	log_warn("the cache %s %s; it is set aside as %s and begun anew",
		 c->path, why, to);
	return 0;
}

int cache_set_aside(const struct cache *c, const struct cache_conn *conn,
		    const char *why)
{
	cleanup(fd) int lock = -1;
	int r = cache_lock_files(c, LOCK_EX, &lock);

	if (r < 0)
		return r;
	return set_aside_locked(c, conn->device, conn->inode, why);
}

struct cache_conn *cache_conn_free(struct cache_conn *conn)
{
	if (!conn)
		return NULL;
	for (size_t i = 0; i < N_SQL; i++)
		sqlite3_finalize(conn->stmts[i]);
	sqlite3_close(conn->db);
	free(conn);
	return NULL;
}

/* A lock on the files is held. Reads the file for the first time, so what is
 * not a database shows here (SQLITE_NOTADB). *ret_conn is set on failure too,
 * once the inode is known: whoever sets the file aside needs it. */
static int conn_open(const struct cache *c, bool writer,
		     struct cache_conn **ret_conn)
{
	struct cache_conn *conn;
	struct stat st;
	int fd, rc, keep = 1;

	/* SQLite would make the file with the umask's mode, and others could
	 * read it. O_EXCL: see the top. */
	fd = open(c->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 && errno != EEXIST)
		return -errno;
	file_close(fd);
	/* SQLite would follow a symlink, to a file of somebody else's. */
	if (lstat(c->path, &st) < 0)
		return -errno;
	if (S_ISREG(st.st_mode) && !own_is(&st))
		return -EPERM;
	*ret_conn = conn = mem_calloc(1, sizeof(*conn));
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
	sqlite3_busy_timeout(conn->db, CACHE_BUSY_MS);
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

int cache_quick_check(struct sqlite3 *db)
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
	cleanup(free) char *wal = mem_asprintf("%s-wal", c->path);
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
		rc = cache_quick_check((*ret_conn)->db);
	if (rc != SQLITE_OK)
		return rc;
	return cache_schema_upgrade((*ret_conn)->db);
}

/* Makes the tables, too: the file may have been set aside a moment ago, and
 * what is at the path now is empty. */
int cache_open_writer(const struct cache *c, struct cache_conn **ret_conn)
{
	cleanup(fd) int lock = -1;
	int rc = cache_lock_files(c, LOCK_EX, &lock);

	for (int i = 0; rc == 0; i++) {
		cleanup(cache_conn_free) struct cache_conn *conn = NULL;
		const char *why;

		rc = conn_open_first(c, &conn);
		if (rc == SQLITE_OK) {
			*ret_conn = steal(&conn);
			return 0;
		}
		if (i > 0 || !(cache_is_damage(rc) || rc == -EPROTO))
			return cache_errno(conn ? conn->db : NULL, rc);
		why = rc == -EPROTO ? "is of a later version" : "is damaged";
		rc = set_aside_locked(c, conn->device, conn->inode, why);
	}
	return rc;
}

int cache_open_reader(const struct cache *c, struct cache_conn **ret_conn)
{
	cleanup(fd) int lock = -1;
	cleanup(cache_conn_free) struct cache_conn *conn = NULL;
	int rc = cache_lock_files(c, LOCK_SH, &lock);

	if (rc < 0)
		return rc;
	rc = conn_open(c, false, &conn);
	if (rc == SQLITE_OK && !cache_schema_is_today(conn->db))
		rc = SQLITE_CORRUPT;
	if (rc != SQLITE_OK)
		return cache_is_damage(rc)
			       ? rc
			       : cache_errno(conn ? conn->db : NULL, rc);
	*ret_conn = steal(&conn);
	return 0;
}

bool cache_conn_is_current(const struct cache *c, const struct cache_conn *conn)
{
	struct stat st;

	return stat(c->path, &st) == 0 && st.st_dev == conn->device &&
	       st.st_ino == conn->inode;
}
