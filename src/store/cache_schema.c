/*
 * The tables, as steps from one version to the next: a new database takes all
 * of them, an older one those that it lacks. A step that has shipped is never
 * changed.
 */
#include "cache_private.h"

#include <sqlite3.h>

static const char *const steps[] = {
	/*
	 * 1. A body's id is the version of its bytes. AUTOINCREMENT: without
	 * it the id of a row that is gone comes again, and who reads the old
	 * version would get other bytes. superseded: since when no document
	 * has the body, NULL while one does.
	 */
	"CREATE TABLE body ("
	" id INTEGER PRIMARY KEY AUTOINCREMENT,"
	" bytes BLOB NOT NULL,"
	" superseded INTEGER);"
	"CREATE TABLE doc ("
	" key TEXT PRIMARY KEY NOT NULL,"
	" body_id INTEGER," /* NULL: a negative answer */
	" negative INTEGER NOT NULL,"
	" etag TEXT NOT NULL,"
	" note TEXT NOT NULL,"
	" fetched INTEGER NOT NULL,"
	" ttl INTEGER NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE fact ("
	" space TEXT NOT NULL,"
	" key BLOB NOT NULL,"
	" value BLOB NOT NULL,"
	" PRIMARY KEY (space, key)) WITHOUT ROWID;",
	/*
	 * 2. What the size bound needs: the sum of all bodies, kept by the
	 * database itself (several processes write), and the order in which
	 * documents go. That is why an expired document keeps the time when it
	 * was fetched.
	 */
	"ALTER TABLE doc ADD COLUMN expired INTEGER NOT NULL DEFAULT 0;"
	"CREATE INDEX doc_fetched ON doc (fetched);"
	"CREATE INDEX body_superseded ON body (superseded)"
	" WHERE superseded IS NOT NULL;"
	"CREATE TABLE total (n_bytes INTEGER NOT NULL);"
	"INSERT INTO total SELECT coalesce(sum(length(bytes)), 0) FROM body;"
	"CREATE TRIGGER body_in AFTER INSERT ON body BEGIN"
	" UPDATE total SET n_bytes = n_bytes + length(new.bytes); END;"
	"CREATE TRIGGER body_out AFTER DELETE ON body BEGIN"
	" UPDATE total SET n_bytes = n_bytes - length(old.bytes); END;",
	/* 3. The ledger. */
	"CREATE TABLE ledger ("
	" book TEXT NOT NULL,"
	" minute INTEGER NOT NULL,"
	" class INTEGER NOT NULL,"
	" n INTEGER NOT NULL,"
	" PRIMARY KEY (book, minute, class)) WITHOUT ROWID;"
	"CREATE TABLE ledger_total ("
	" book TEXT PRIMARY KEY NOT NULL,"
	" n INTEGER NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE ledger_note ("
	" book TEXT NOT NULL,"
	" which INTEGER NOT NULL,"
	" noted INTEGER NOT NULL,"
	" a INTEGER NOT NULL,"
	" b INTEGER NOT NULL,"
	" c INTEGER NOT NULL,"
	" d INTEGER NOT NULL,"
	" e INTEGER NOT NULL,"
	" PRIMARY KEY (book, which)) WITHOUT ROWID;",
	/*
	 * 4. With what time a version was shown (0: it was not), and the least
	 * that it may have, because another version was shown before it.
	 */
	"CREATE TABLE body_time ("
	" id INTEGER PRIMARY KEY,"
	" shown INTEGER NOT NULL,"
	" least INTEGER NOT NULL);"
	"CREATE TRIGGER body_time_out AFTER DELETE ON body BEGIN"
	" DELETE FROM body_time WHERE id = old.id; END;",
	/* 5. Sums, by which damaged bytes are told; the bodies that are there
	 * at this step get none. */
	"CREATE TABLE body_sum ("
	" id INTEGER PRIMARY KEY,"
	" sum INTEGER NOT NULL);"
	"CREATE TRIGGER body_sum_out AFTER DELETE ON body BEGIN"
	" DELETE FROM body_sum WHERE id = old.id; END;",
};

static int read_version(struct sqlite3 *db, int *ret_version)
{
	sqlite3_stmt *s = NULL;
	int rc = sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &s, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_step(s);
	if (rc == SQLITE_ROW) {
		*ret_version = sqlite3_column_int(s, 0);
		rc = SQLITE_OK;
	}
	sqlite3_finalize(s);
	return rc;
}

static int take_steps(struct sqlite3 *db)
{
	const int today = (int)ARRAY_SIZE(steps);
	char set[64];
	int version = 0, rc = read_version(db, &version);

	if (rc != SQLITE_OK)
		return rc;
	if (version > today)
		return -EPROTO;
	if (version < 0)
		return SQLITE_CORRUPT;
	for (; rc == SQLITE_OK && version < today; version++)
		rc = sqlite3_exec(db, steps[version], NULL, NULL, NULL);
	if (rc != SQLITE_OK)
		return rc;
	snprintf(set, sizeof(set), "PRAGMA user_version = %d", today);
	return sqlite3_exec(db, set, NULL, NULL, NULL);
}

bool cache_schema_is_today(struct sqlite3 *db)
{
	int version = 0;

	return read_version(db, &version) == SQLITE_OK &&
	       version == (int)ARRAY_SIZE(steps);
}

bool cache_schema_is_later(struct sqlite3 *db)
{
	int version = 0;

	return read_version(db, &version) == SQLITE_OK &&
	       version > (int)ARRAY_SIZE(steps);
}

int cache_schema_upgrade(struct sqlite3 *db)
{
	int version = 0, rc = read_version(db, &version);

	if (rc != SQLITE_OK || version == (int)ARRAY_SIZE(steps))
		return rc;
	rc = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
	if (rc != SQLITE_OK)
		return rc;
	/* take_steps reads the version once more, inside the transaction:
	 * 1. A and B read an older version.
	 * 2. A takes the steps.
	 * 3. B would take them again: SQL fails, and B would set the file
	 * aside. The lock of cache_file.c closes that too, but not if somebody
	 * has removed its file. */
	rc = take_steps(db);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
	if (rc != SQLITE_OK)
		sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	/* SQL itself fails on half a schema, or another program's. */
	return rc == SQLITE_ERROR ? SQLITE_CORRUPT : rc;
}
