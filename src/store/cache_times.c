/*
 * The times of files made of documents (src/model/README.md, 4). A new version
 * of a document may say that it is older than the version before it, or nothing
 * of its time: rsync -u and make would take the changed file for an unchanged
 * one. So it is remembered with what time each version was shown, and the next
 * one under its key is shown younger than that.
 */
#include "cache_private.h"

#include "base/clock.h"

#include <sqlite3.h>

#define STEP_MS 1000 /* what rsync -u and make can tell apart anywhere */

struct times {
	int64_t id;
	int64_t shown_ms, least_ms; /* 0: not, none */
};

static int get_times(struct cache_conn *conn, struct times *t)
{
	sqlite3_stmt *s;
	int rc = cache_stmt(conn, SQL_TIME_GET, &s);

	if (rc != SQLITE_OK)
		return rc;
	t->shown_ms = t->least_ms = 0;
	sqlite3_bind_int64(s, 1, t->id);
	rc = sqlite3_step(s);
	if (rc == SQLITE_ROW) {
		t->shown_ms = sqlite3_column_int64(s, 0);
		t->least_ms = sqlite3_column_int64(s, 1);
	}
	return cache_stmt_end(s, rc);
}

static int put_times(struct cache_conn *conn, const struct times *t)
{
	return cache_run_numbers(conn, SQL_TIME_PUT,
				 (int64_t[]){t->id, t->shown_ms, t->least_ms},
				 3);
}

/* No time lies in the future. */
static int64_t by_now(int64_t time_ms)
{
	int64_t now = clock_wall_ms();

	return time_ms < now ? time_ms : now;
}

static void decide(struct times *t, int64_t time_ms)
{
	t->shown_ms = time_ms > t->least_ms ? time_ms : t->least_ms;
}

/*
 * What says its time has it from now on, looked at or not: a listing's
 * documents would otherwise be a thousand transactions when they are looked at,
 * of one row each. That the next version is then younger than what nobody saw
 * does no harm.
 */
int cache_times_put(struct cache_conn *conn, int64_t before, int64_t after,
		    int64_t time_ms)
{
	struct times t = {.id = before};
	int rc = before ? get_times(conn, &t) : SQLITE_OK;

	if (rc != SQLITE_OK)
		return rc;
	if (t.shown_ms && t.shown_ms + STEP_MS > t.least_ms)
		t.least_ms = t.shown_ms + STEP_MS;
	t.id = after;
	t.shown_ms = 0;
	if (time_ms > 0)
		decide(&t, by_now(time_ms));
	return t.least_ms || t.shown_ms ? put_times(conn, &t) : SQLITE_OK;
}

static int work_get_times(struct cache *, struct cache_conn *conn, void *arg)
{
	return get_times(conn, arg);
}

/*
 * Remembers arg->shown_ms, unless another time was remembered meanwhile:
 * 1. A reads that a version was not shown yet, and decides on a time.
 * 2. B, another thread or process, decides on another one (the wall clock has
 *    moved), remembers and shows it.
 * 3. A would show the same file with a second time.
 * So A gets B's.
 */
static int work_show(struct cache *, struct cache_conn *conn, void *arg)
{
	struct times *t = arg, now = {.id = t->id};
	int rc = get_times(conn, &now);

	if (rc != SQLITE_OK)
		return rc;
	if (now.shown_ms && now.shown_ms >= t->least_ms) {
		*t = now;
		return SQLITE_OK;
	}
	return put_times(conn, t);
}

int64_t cache_mtime_ms(struct cache *c, uint64_t version, int64_t time_ms,
		       int64_t least_ms)
{
	struct times t = {.id = (int64_t)version};

	time_ms = by_now(time_ms);
	if (!version || cache_read(c, work_get_times, &t) < 0)
		return time_ms;
	if (t.shown_ms && t.shown_ms >= least_ms)
		return t.shown_ms;
	if (least_ms > t.least_ms)
		t.least_ms = least_ms;
	decide(&t, time_ms);
	time_ms = t.shown_ms;
	/* 0 stands for "no time". */
	if (time_ms > 0 && cache_write_now(c, work_show, &t) == 0)
		time_ms = t.shown_ms;
	return time_ms;
}
