/*
 * store/cache, inside: connections, statements and running work on them.
 *
 * cache_file.c owns the file, cache_inspect.c and cache_each.c look at it,
 * cache_db.c connections and statements, cache_schema.c the tables, cache.c
 * documents, cache_sweep.c what goes by itself, cache_sums.c damaged bytes,
 * cache_memory.c what the disk cannot take, cache_times.c the times that files
 * are shown with, cache_facts.c facts, cache_ledger.c the ledger.
 */
#ifndef STORE_CACHE_PRIVATE_H
#define STORE_CACHE_PRIVATE_H

#include "store/cache.h"

#include "base/sync.h"

#include <sys/types.h>

struct sqlite3;
struct sqlite3_stmt;

/* Every statement: its name here, its text in cache_db.c; prepared once per
 * connection, when it is first used. */
enum cache_sql {
	SQL_BEGIN,
	SQL_COMMIT,
	SQL_ROLLBACK,
	SQL_DOC_GET,
	SQL_DOC_BODY_ID,
	SQL_DOC_PUT,
	SQL_DOC_RENEW,
	SQL_DOC_TOUCH,
	SQL_DOC_EXPIRE,
	SQL_DOC_EXPIRE_NEGATIVE,
	SQL_DOC_DELETE,
	SQL_DOC_COUNT,
	SQL_DOC_OLDEST,
	SQL_DOC_SWEEP_NEGATIVE,
	SQL_DOC_DROP,
	SQL_DOC_SWEEP_PASSING,
	SQL_BODY_LENGTH,
	SQL_BODY_SAME,
	SQL_BODY_PUT,
	SQL_BODY_SUPERSEDE,
	SQL_BODY_DELETE,
	SQL_BODY_SWEEP,
	SQL_BODY_DROP,
	SQL_BODY_SWEEP_PASSING,
	SQL_TIME_GET,
	SQL_TIME_PUT,
	SQL_SUM_GET,
	SQL_SUM_PUT,
	SQL_TOTAL,
	SQL_FACT_GET,
	SQL_FACT_PUT,
	SQL_FACT_KEEP,
	SQL_FACT_FROM,
	SQL_FACT_CLEAR,
	SQL_LEDGER_ADD,
	SQL_LEDGER_ADD_TOTAL,
	SQL_LEDGER_NOTE,
	SQL_LEDGER_SWEEP,
	SQL_LEDGER_USES,
	SQL_LEDGER_TOTAL,
	SQL_LEDGER_NOTES,
	N_SQL,
};

struct cache_conn {
	struct sqlite3 *db;
	struct sqlite3_stmt *stmts[N_SQL];
	/* Of the file that the connection has open; the path may lead to
	 * another one by now: see cache_conn_is_current. */
	dev_t device;
	ino_t inode;
	struct cache_conn *next;
};

/* Connections for reading. Besides there is one for writing, for which the
 * writers of this process queue: in SQLite they would poll for each other's
 * lock, and give up after CACHE_BUSY_MS. Readers never wait for the writer. */
#define CACHE_READERS_MOST 3

#define CACHE_SUMS_KNOWN 256

struct cache {
	char *dir;
	char *path; /* dir/cache.db */
	atomic_uint_fast64_t max_bytes;
	atomic_int_fast64_t swept_ms; /* wall clock */
	atomic_bool read_failed;      /* it was told: once is enough */
	/* cache_open succeeded, so a directory that is missing was removed, and
	 * is made anew. Fixed then. */
	bool was_open;
	/* Documents that the disk could not take. */
	struct {
		struct mutex lock;
		struct cache_memory_doc *table, *list; /* under lock */
		size_t n_bytes;                        /* under lock */
		uint64_t n_versions;                   /* under lock */
		atomic_size_t n;      /* documents; 0: the lock is not needed */
		atomic_bool homeless; /* that the disk takes nothing was told */
	} memory;
	/* Under lock: rings of the bodies whose sums were compared last. */
	struct {
		int64_t sound[CACHE_SUMS_KNOWN], damaged[CACHE_SUMS_KNOWN];
		size_t n_sound, n_damaged;
	} sums;
	struct mutex lock;
	struct cond reader_freed, writer_freed;
	/* Under lock: */
	struct cache_conn *readers; /* idle */
	unsigned n_readers;         /* idle and busy */
	struct cache_conn *writer;  /* NULL: busy or not open */
	bool writing;
};

/*
 * Work on a connection returns SQLITE_OK, another SQLite code, or -errno for
 * an outcome of its own. For writing it runs inside a transaction, which its
 * failure undoes. Work may be called a second time: a database that turns out
 * to be damaged is set aside, and the work begins anew on an empty one.
 */
typedef int cache_work(struct cache *, struct cache_conn *, void *arg);
int cache_read(struct cache *, cache_work *, void *arg);  /* 0 or -errno */
int cache_write(struct cache *, cache_work *, void *arg); /* 0 or -errno */
/* -EBUSY when another thread or process is writing. */
int cache_write_now(struct cache *, cache_work *, void *arg);

/* The statement, without bindings; an SQLite code. */
int cache_stmt(struct cache_conn *, enum cache_sql,
	       struct sqlite3_stmt **ret_stmt);
/* Ends a statement: forgets its bindings. Passes rc on, SQLITE_ROW and
 * SQLITE_DONE as SQLITE_OK. */
int cache_stmt_end(struct sqlite3_stmt *, int rc);

/* Binds one key, or n numbers; steps; ends. An SQLite code. */
int cache_run_key(struct cache_conn *, enum cache_sql, const char *key);
/* Of two keys and a number, which may not be used. */
int cache_run_range(struct cache_conn *, enum cache_sql, const char *from,
		    const char *to, int64_t number);
int cache_run_numbers(struct cache_conn *, enum cache_sql,
		      const int64_t *numbers, int n);

/* What is left of a lifetime by the clock of now; < 0: STALE. */
int64_t cache_left_ms(int64_t fetched_ms, int64_t ttl_ms, bool expired);

/* ---- documents in memory ---- */

void cache_memory_init(struct cache *);
void cache_memory_done(struct cache *);
/* After the disk failed with r: 0 when the documents are kept in memory, else
 * r. */
int cache_memory_put(struct cache *, int r, const struct cache_put *puts,
		     size_t n, uint64_t *ret_versions);
/* The disk has taken these documents: older ones with their keys are dropped
 * from memory, where they would hide the new ones. */
void cache_memory_was_put(struct cache *, const struct cache_put *puts,
			  size_t n);
/* NULL: there is no such document in memory. */
struct cache_entry *cache_memory_get(struct cache *, const char *key,
				     bool without_body);
struct blob *cache_memory_read(struct cache *, uint64_t version,
			       uint64_t offset, size_t n);
/* key NULL: all negative answers. */
void cache_memory_expire(struct cache *, const char *key);
void cache_memory_remove(struct cache *, const char *key);

/* ---- the file ---- */

/* How long SQLite waits for another process. */
#define CACHE_BUSY_MS 5000

/* An SQLite code, or -errno, as an errno; db (may be NULL) knows that of the
 * system call that failed. */
int cache_errno(struct sqlite3 *db, int rc);
int cache_errno_of(int rc, int system);
bool cache_is_damage(int rc);
struct cache_conn *cache_conn_free(struct cache_conn *);
DEFINE_CLEANUP(struct cache_conn *, cache_conn_free);
/* Makes, checks and upgrades the file, or sets it aside. 0 or -errno. */
int cache_open_writer(const struct cache *, struct cache_conn **ret_conn);
/* PRAGMA quick_check: an SQLite code. */
int cache_quick_check(struct sqlite3 *);
/* Waits until the other processes have unlocked; closing *ret_fd unlocks. how
 * as for flock(2). 0 or -errno. */
int cache_lock_files(const struct cache *, int how, int *ret_fd);
/* 0, -errno, or a positive SQLite code when only a writer can mend it. */
int cache_open_reader(const struct cache *, struct cache_conn **ret_conn);
/* False: the path leads to another file by now, or to none, and the connection
 * must not be used any more. */
bool cache_conn_is_current(const struct cache *, const struct cache_conn *);
/* Sets the file of the connection aside, unless somebody has. */
int cache_set_aside(const struct cache *, const struct cache_conn *,
		    const char *why);

/* All steps up to today's tables, in one transaction; an SQLite code, or
 * -EPROTO when the database is of a later version than this program. */
int cache_schema_upgrade(struct sqlite3 *);
bool cache_schema_is_today(struct sqlite3 *);
bool cache_schema_is_later(struct sqlite3 *);

/* cache_times.c: the bytes of version `after`, which say time_ms of themselves
 * (0: nothing), follow those of `before` (0: of none) under one key. Inside a
 * put; an SQLite code. */
int cache_times_put(struct cache_conn *, int64_t before, int64_t after,
		    int64_t time_ms);

/* cache_sums.c: SQLite codes; -EBADMSG: the bytes are not those that were put.
 */
int cache_sum_put(struct cache_conn *, int64_t id, const void *data, size_t n);
int cache_sum_compare(const struct blob *whole, int64_t sum);
int cache_sum_check(struct cache_conn *, int64_t id, const struct blob *whole);
int cache_sum_check_stored(struct cache_conn *, int64_t id);
bool cache_sum_is_known(struct cache *, int64_t id); /* as sound */
/* Remembers the outcome of a check, and tells people once that a body is
 * damaged. key (for the sentence) may be NULL. */
void cache_sum_note(struct cache *, int64_t id, const char *key, int rc);

/* Inside a put: drops documents over max_bytes. */
int cache_keep_bound(struct cache *, struct cache_conn *);
/* In cache_open, and inside a put every hour: drops what is old. */
int cache_sweep_old(struct cache *, struct cache_conn *, void *unused);

#endif
