/*
 * Going through cache.db for people who ask what takes how much. As
 * cache_inspect.c does, by a connection that may only read.
 */
#include "cache_private.h"

#include "base/text.h"

#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#define WAIT_MS 1000

static const char all[] =
	"SELECT d.key, length(b.bytes), d.fetched, b.bytes FROM doc d"
	" LEFT JOIN body b ON b.id = d.body_id ORDER BY d.key";

/* Read from the disk when it is asked for. */
static const void *body_of(const struct cache_seen *seen)
{
	return sqlite3_column_blob(seen->body_arg, 3);
}

static int go_through(struct sqlite3 *db,
		      int (*each)(void *arg, const struct cache_seen *),
		      void *arg)
{
	sqlite3_stmt *s = NULL;
	int rc = sqlite3_prepare_v2(db, all, -1, &s, NULL), r = 0;

	while (rc == SQLITE_OK && r == 0) {
		struct cache_seen seen = {.body = body_of, .body_arg = s};

		rc = sqlite3_step(s);
		if (rc != SQLITE_ROW)
			break;
		rc = SQLITE_OK;
		seen.key = (const char *)sqlite3_column_text(s, 0);
		seen.n_bytes = (uint64_t)sqlite3_column_int64(s, 1);
		seen.fetched_ms = sqlite3_column_int64(s, 2);
		r = each(arg, &seen);
	}
	sqlite3_finalize(s);
	if (r < 0 || rc == SQLITE_OK || rc == SQLITE_DONE)
		return r;
	if (rc == SQLITE_BUSY || rc == SQLITE_LOCKED)
		return -EBUSY;
	/* An empty file, which a mount is about to fill, has no table. */
	if (rc == SQLITE_ERROR)
		return 0;
	return cache_is_damage(rc) ? -EBADMSG : cache_errno(db, rc);
}

/* Where nothing can be written SQLite cannot make the memory that readers
 * share, and refuses; there nobody else writes either. */
static bool is_fixed(const char *dir)
{
	return access(dir, W_OK) < 0 && errno == EROFS;
}

static char *uri_of(const char *path, bool fixed)
{
	cleanup(buf_done) struct buf uri = BUF_INIT(0);

	buf_puts(&uri, "file:");
	text_percent_encode(&uri, path, "/");
	buf_puts(&uri, fixed ? "?immutable=1" : "");
	return buf_steal(&uri, NULL);
}

int cache_each(const char *dir,
	       int (*each)(void *arg, const struct cache_seen *), void *arg)
{
	cleanup(free) char *path = mem_asprintf("%s/cache.db", dir);
	cleanup(free) char *name = NULL;
	struct sqlite3 *db = NULL;
	struct stat st;
	int rc, r;

	if (lstat(path, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EBADMSG;
	name = uri_of(path, is_fixed(dir));
	rc = sqlite3_open_v2(name, &db,
			     SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX |
				     SQLITE_OPEN_URI,
			     NULL);
	sqlite3_extended_result_codes(db, 1);
	sqlite3_busy_timeout(db, WAIT_MS);
	sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	if (rc != SQLITE_OK)
		r = cache_errno(db, rc);
	else if (cache_schema_is_later(db))
		r = -EPROTO;
	else
		r = go_through(db, each, arg);
	sqlite3_close(db);
	return r;
}
