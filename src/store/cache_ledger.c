/*
 * The ledger: a row for each minute and class that something was used in, one
 * for the total, one for each note. With each addition those go that are older
 * than an hour, and those from the future: a clock that went back would count
 * them for as long as it was ahead.
 */
#include "cache_private.h"

#include "store/cache_ledger.h"

#include "base/clock.h"

#include <sqlite3.h>

struct call {
	const char *book;
	int64_t now_ms;
	const struct cache_ledger *add; /* NULL: only read */
	struct cache_ledger *ret;
};

/* A statement with the book as its first parameter. */
static int prepare(struct cache_conn *conn, enum cache_sql which,
		   const struct call *call, sqlite3_stmt **ret_stmt)
{
	int rc = cache_stmt(conn, which, ret_stmt);

	if (rc == SQLITE_OK)
		rc = sqlite3_bind_text(*ret_stmt, 1, call->book, -1,
				       SQLITE_STATIC);
	return rc;
}

/* Runs a statement with these numbers after the book. */
static int run(struct cache_conn *conn, enum cache_sql which,
	       const struct call *call, const int64_t *numbers, int n)
{
	sqlite3_stmt *s;
	int rc = prepare(conn, which, call, &s);

	if (rc != SQLITE_OK)
		return rc;
	for (int i = 0; i < n; i++)
		sqlite3_bind_int64(s, i + 2, numbers[i]);
	return cache_stmt_end(s, sqlite3_step(s));
}

static int64_t minute_of(const struct call *call)
{
	return call->now_ms / CACHE_LEDGER_MINUTE_MS;
}

static int read_uses(struct cache_conn *conn, const struct call *call)
{
	struct cache_ledger *l = call->ret;
	sqlite3_stmt *s;
	int rc = prepare(conn, SQL_LEDGER_USES, call, &s);

	if (rc != SQLITE_OK)
		return rc;
	sqlite3_bind_int64(s, 2, minute_of(call) - CACHE_LEDGER_MINUTES);
	sqlite3_bind_int64(s, 3, minute_of(call));
	while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
		int64_t minute = sqlite3_column_int64(s, 0);
		int who = sqlite3_column_int(s, 1);
		int64_t n = sqlite3_column_int64(s, 2);

		/* Only a damaged row is like that; it would count beyond the
		 * array. */
		if (who < 0 || who >= CACHE_LEDGER_CLASSES || n < 0 ||
		    n > INT32_MAX)
			continue;
		if (!l->n_uses || l->uses[l->n_uses - 1].minute != minute) {
			if (l->n_uses == CACHE_LEDGER_MINUTES)
				break;
			l->uses[l->n_uses++].minute = minute;
		}
		l->uses[l->n_uses - 1].n[who] = (unsigned)n;
	}
	return cache_stmt_end(s, rc);
}

static int read_total(struct cache_conn *conn, const struct call *call)
{
	sqlite3_stmt *s;
	int rc = prepare(conn, SQL_LEDGER_TOTAL, call, &s);

	if (rc != SQLITE_OK)
		return rc;
	rc = sqlite3_step(s);
	if (rc == SQLITE_ROW)
		call->ret->total = sqlite3_column_int64(s, 0);
	return cache_stmt_end(s, rc);
}

static int read_notes(struct cache_conn *conn, const struct call *call)
{
	sqlite3_stmt *s;
	int rc = prepare(conn, SQL_LEDGER_NOTES, call, &s);

	if (rc != SQLITE_OK)
		return rc;
	while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
		int which = sqlite3_column_int(s, 0);
		int64_t noted = sqlite3_column_int64(s, 1);
		struct cache_ledger_note *note;

		if (which < 0 || which >= CACHE_LEDGER_NOTES ||
		    noted > call->now_ms)
			continue;
		note = &call->ret->notes[which];
		note->noted_ms = noted;
		for (int i = 0; i < CACHE_LEDGER_NUMBERS; i++)
			note->numbers[i] = sqlite3_column_int64(s, 2 + i);
	}
	return cache_stmt_end(s, rc);
}

static int work_read(struct cache *, struct cache_conn *conn, void *arg)
{
	const struct call *call = arg;
	int rc;

	memset(call->ret, 0, sizeof(*call->ret));
	rc = read_uses(conn, call);
	if (rc == SQLITE_OK)
		rc = read_total(conn, call);
	if (rc == SQLITE_OK)
		rc = read_notes(conn, call);
	return rc;
}

static int add_uses(struct cache_conn *conn, const struct call *call)
{
	int64_t total = 0;
	int rc = SQLITE_OK;

	for (size_t i = 0; i < call->add->n_uses; i++) {
		const struct cache_ledger_use *use = &call->add->uses[i];

		for (int who = 0; rc == SQLITE_OK && who < CACHE_LEDGER_CLASSES;
		     who++) {
			if (!use->n[who])
				continue;
			total += use->n[who];
			rc = run(conn, SQL_LEDGER_ADD, call,
				 (int64_t[]){use->minute, who, use->n[who]}, 3);
		}
	}
	if (rc == SQLITE_OK && total)
		rc = run(conn, SQL_LEDGER_ADD_TOTAL, call, &total, 1);
	return rc;
}

static int put_note(struct cache_conn *conn, const struct call *call, int which)
{
	const struct cache_ledger_note *note = &call->add->notes[which];
	int64_t numbers[3 + CACHE_LEDGER_NUMBERS] = {which, note->noted_ms,
						     call->now_ms};

	for (int i = 0; i < CACHE_LEDGER_NUMBERS; i++)
		numbers[3 + i] = note->numbers[i];
	return run(conn, SQL_LEDGER_NOTE, call, numbers, ARRAY_SIZE(numbers));
}

static int work_add(struct cache *c, struct cache_conn *conn, void *arg)
{
	const struct call *call = arg;
	int64_t minute = minute_of(call);
	int rc = add_uses(conn, call);

	for (int i = 0; rc == SQLITE_OK && i < CACHE_LEDGER_NOTES; i++)
		if (call->add->notes[i].noted_ms)
			rc = put_note(conn, call, i);
	if (rc == SQLITE_OK)
		rc = run(conn, SQL_LEDGER_SWEEP, call,
			 (int64_t[]){minute - CACHE_LEDGER_MINUTES, minute}, 2);
	return rc == SQLITE_OK ? work_read(c, conn, arg) : rc;
}

int cache_ledger_read(struct cache *c, const char *book,
		      struct cache_ledger *ret_ledger)
{
	struct cache_ledger found;
	struct call call = {
		.book = book, .now_ms = clock_wall_ms(), .ret = &found};
	int r = cache_read(c, work_read, &call);

	if (r == 0)
		*ret_ledger = found;
	return r;
}

int cache_ledger_add(struct cache *c, const char *book,
		     const struct cache_ledger *add, bool wait,
		     struct cache_ledger *ret_ledger)
{
	struct cache_ledger found;
	struct call call = {.book = book,
			    .now_ms = clock_wall_ms(),
			    .add = add,
			    .ret = &found};
	int r = wait ? cache_write(c, work_add, &call)
		     : cache_write_now(c, work_add, &call);

	if (r == 0)
		*ret_ledger = found;
	return r;
}
