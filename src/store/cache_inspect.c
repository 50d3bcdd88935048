/*
 * Looking at cache.db for people who ask what is wrong. A connection that may
 * only read: it mends nothing, and at its end it neither copies the -wal into
 * the database nor removes it, which is for whoever writes.
 */
#include "cache_private.h"

#include "base/ctx.h"
#include "base/file.h"
#include "base/own.h"

#include <sqlite3.h>
#include <sys/file.h>
#include <sys/stat.h>

/* Instructions of SQLite between two looks at the ctx. */
#define STEPS 10000
/* Between two looks at a lock that somebody has. */
#define LOOK_MS 20

static int is_over(void *ctx)
{
	return ctx_check(ctx) != 0;
}

static void interrupt(void *db)
{
	sqlite3_interrupt(db);
}

static int check_all(struct ctx *ctx, struct sqlite3 *db,
		     enum cache_state *ret_state)
{
	int rc = cache_quick_check(db);

	*ret_state = cache_is_damage(rc) ? CACHE_DAMAGED : CACHE_SOUND;
	if (rc == SQLITE_OK || cache_is_damage(rc))
		return 0;
	if (rc == SQLITE_INTERRUPT && ctx_check(ctx))
		return ctx_check(ctx);
	return cache_errno(db, rc);
}

/* Before 3.42 or so SQLite looks at the progress handler between tables alone,
 * and inside of one only whether it was interrupted. */
static int inspect(struct ctx *ctx, struct sqlite3 *db,
		   enum cache_state *ret_state)
{
	struct ctx_waker waker = {.wake = interrupt, .arg = db};
	int r = ctx_check(ctx);

	if (r)
		return r;
	sqlite3_busy_timeout(db, CACHE_BUSY_MS);
	sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	sqlite3_progress_handler(db, STEPS, is_over, ctx);
	if (cache_schema_is_later(db)) {
		*ret_state = CACHE_LATER;
		return 0;
	}
	ctx_watch(ctx, &waker);
	r = check_all(ctx, db, ret_state);
	ctx_unwatch(ctx, &waker);
	return r;
}

static int inspect_file(struct ctx *ctx, const char *path,
			enum cache_state *ret_state)
{
	struct sqlite3 *db = NULL;
	int r, rc = sqlite3_open_v2(path, &db,
				    SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX,
				    NULL);

	sqlite3_extended_result_codes(db, 1);
	r = rc == SQLITE_OK ? inspect(ctx, db, ret_state) : cache_errno(db, rc);
	sqlite3_close(db);
	return r;
}

/* Not by a flock() that waits: a mount that checks a large file has it for
 * minutes, and nothing would break that off. */
static int lock_files(struct ctx *ctx, const struct cache *files, int *ret_fd)
{
	int r;

	while ((r = cache_lock_files(files, LOCK_SH | LOCK_NB, ret_fd)) ==
	       -EWOULDBLOCK) {
		r = ctx_sleep(ctx, LOOK_MS);
		if (r)
			return r;
	}
	return r;
}

int cache_inspect(struct ctx *ctx, const char *dir, enum cache_state *ret_state)
{
	cleanup(free) char *path = mem_asprintf("%s/cache.db", dir);
	cleanup(free) char *own = mem_strdup(dir);
	struct cache files = {.dir = own, .path = path};
	cleanup(fd) int lock = -1;
	struct stat st;
	int r;

	if (lstat(path, &st) < 0) {
		*ret_state = CACHE_ABSENT;
		return errno == ENOENT ? 0 : -errno;
	}
	if (!S_ISREG(st.st_mode)) {
		*ret_state = CACHE_DAMAGED;
		return 0;
	}
	if (!own_is(&st))
		return -EPERM;
	/* While somebody else makes, checks or sets aside, what is there is
	 * half of something. */
	r = lock_files(ctx, &files, &lock);
	return r < 0 ? r : inspect_file(ctx, path, ret_state);
}

const char *cache_library(void)
{
	return sqlite3_libversion();
}

const char *cache_library_built(void)
{
	return SQLITE_VERSION;
}
