/*
 * store/cache: the door to SQLite. Documents with a lifetime, and small facts,
 * in one database that several processes may share.
 *
 * Owns freshness as a verdict, negative answers, schema versions, crash safety
 * (WAL) and the size bound. Must never know URLs or who fetches. Nothing here
 * waits for the network; all of it may be called from any thread.
 */
#ifndef STORE_CACHE_H
#define STORE_CACHE_H

#include "base/mem.h"

struct cache;
struct ctx;

/*
 * Opens or makes dir/cache.db (dir exists, 0700). A database that is corrupt
 * or of a future schema is set aside as cache.db.broken-<time> with a logged
 * warning and begun anew: never a refusal, but for a disk that cannot be
 * written (-EROFS, -EACCES, -ENOSPC …). Older schemas are upgraded in place.
 */
int cache_open(const char *dir, struct cache **ret_cache);
struct cache *cache_close(struct cache *);
DEFINE_CLEANUP(struct cache *, cache_close);
enum cache_state {
	CACHE_SOUND,
	CACHE_ABSENT,  /* there is no cache.db */
	CACHE_DAMAGED, /* cache_open would set it aside */
	CACHE_LATER,   /* likewise: it is of a later version */
};
/* Reads all of dir/cache.db, and changes nothing, whoever has it open. Waits
 * for the disk, and for who makes or checks it. 0, or -errno, -ETIMEDOUT and
 * -EINTR as ctx says. */
int cache_inspect(struct ctx *, const char *dir, enum cache_state *ret_state);
/*
 * Looks at all documents, in the order of their keys, and changes nothing,
 * whoever has the database open. A negative errno of each ends it. 0; -ENOENT:
 * there is no cache.db; -EBADMSG: it is damaged; -EPROTO: it is of a later
 * version; -EBUSY: somebody else has it to himself; -errno.
 */
struct cache_seen {
	const char *key;
	uint64_t n_bytes;
	int64_t fetched_ms;
	/* The bytes; NULL: there are none. Borrowed, until `each` returns. */
	const void *(*body)(const struct cache_seen *);
	void *body_arg;
};
int cache_each(const char *dir,
	       int (*each)(void *arg, const struct cache_seen *), void *arg);
/* "3.40.1": of the library that is loaded, and that this was built with. */
const char *cache_library(void);
const char *cache_library_built(void);

enum cache_verdict {
	CACHE_MISS,
	CACHE_STALE, /* past its lifetime */
	CACHE_FRESH,
};

/*
 * One document as it was stored: immutable. `version` names the bytes: equal
 * versions of one key are equal bytes; new bytes have a new, larger version.
 */
struct cache_entry {
	struct blob *body; /* NULL: a negative answer, or from cache_stat */
	uint64_t n_body;
	int negative; /* 0, or the errno (positive number) remembered */
	char *etag;   /* never NULL */
	char *note;   /* never NULL: the sentence of a negative answer */
	uint64_t version;
	int64_t fetched_ms; /* wall clock */
	int64_t ttl_ms;
	int64_t left_ms; /* of the lifetime, when it was read; < 0: STALE */
};
struct cache_entry *cache_entry_free(struct cache_entry *);
DEFINE_CLEANUP(struct cache_entry *, cache_entry_free);

/* A verdict, or -errno. On STALE and FRESH *ret_entry is the caller's. A clock
 * that went back makes everything from the future STALE. A read error of the
 * database is a MISS (logged once), never the caller's error; so are bytes that
 * are not those that were put, which is said. */
int cache_get(struct cache *, const char *key, struct cache_entry **ret_entry);
/* The same without the bytes, and without a look whether they are damaged; of
 * the bytes n_body and version tell. */
int cache_stat(struct cache *, const char *key, struct cache_entry **ret_entry);
/* False: the bytes of that version are damaged, and the key (for the sentence)
 * has to be fetched again. Reads them once in a process, or now and then. */
bool cache_is_sound(struct cache *, uint64_t version, const char *key);
/* Bytes of exactly this version, also when the key has newer ones by now
 * (superseded bodies are kept for a day); -ESTALE when they are gone, or are
 * damaged, which is said. */
int cache_get_version(struct cache *, uint64_t version, struct blob **ret_body);
/* A piece of a version's bytes, shorter at their end; takes memory for the
 * piece alone. -ESTALE, as above. */
int cache_read_version(struct cache *, uint64_t version, uint64_t offset,
		       size_t n, struct blob **ret_piece);

/*
 * The time that a file made of this version has, ms: time_ms (what the bytes
 * say of themselves; now, should that lie in the future), but not before
 * least_ms (0: none), and at least a second more than what the version before
 * it under the same key was shown with. What is told once is remembered with
 * the bytes, unless somebody is writing just now: that is not waited for.
 */
int64_t cache_mtime_ms(struct cache *, uint64_t version, int64_t time_ms,
		       int64_t least_ms);

struct cache_put {
	const char *key;
	const void *body; /* NULL: negative */
	size_t n_body;
	int negative;     /* errno (positive) with body NULL */
	const char *etag; /* may be NULL */
	const char *note; /* may be NULL */
	int64_t ttl_ms;
	bool touch; /* nothing is put: what is there, if anything, is still
		     * true, and its lifetime begins anew */
	/* Not 0: other bytes (and etag) made of the same answer, in the place
	 * of that version; the lifetime goes on. ttl_ms is what is left of it.
	 */
	uint64_t instead_of;
	/* What the bytes say of their time: which one cache_mtime_ms tells of
	 * them is decided and remembered with them. 0: when it is first asked,
	 * which costs a transaction of its own. */
	int64_t time_ms;
	bool drop; /* nothing is put: every document whose key begins with
		    * this key goes before all else, with its bytes, which
		    * nobody was shown */
};
/* A key that begins with it is of something that passes: once its lifetime is
 * over it goes by itself. */
#define CACHE_PASSING "~"
/* All or none of them, in one transaction. Same bytes keep their version.
 * ret_versions: NULL or n places. 0 or -errno (-ENOSPC …; -ESTALE: one was to
 * be put instead of a version that is not the newest): nothing changed. */
int cache_put(struct cache *, const struct cache_put *puts, size_t n,
	      uint64_t *ret_versions);
/* The bytes are still true (304, or a failed refresh that says when to ask
 * again): lifetime begins anew. */
int cache_touch(struct cache *, const char *key, int64_t ttl_ms); /* -ENOENT */
/* Makes a document STALE by more than its lifetime: the next reader asks again.
 * A key that is not there is fine, here and below. */
int cache_expire(struct cache *, const char *key);
int cache_remove(struct cache *, const char *key);
/* The same as cache_expire, of all negative answers. */
int cache_expire_negative(struct cache *);

/* Facts: small values without a lifetime, in name spaces. */
int cache_fact_get(struct cache *, const char *space, const void *key,
		   size_t n_key, struct blob **ret_value); /* -ENOENT */
int cache_fact_put(struct cache *, const char *space, const void *key,
		   size_t n_key, const void *value, size_t n_value);
struct cache_fact {
	const void *key, *value;
	size_t n_key, n_value;
	bool keep; /* an existing value stays (INSERT OR IGNORE) */
};
int cache_fact_put_many(struct cache *, const char *space,
			const struct cache_fact *facts, size_t n);
/* Every fact of a space, in key order; a negative errno of each ends it. */
int cache_fact_each(struct cache *, const char *space,
		    int (*each)(void *arg, const struct cache_fact *),
		    void *arg);
/* Replaces all facts of a space (n 0: there are none then) in one transaction:
 * a process that is killed in the middle, or finds no room, leaves what there
 * was. */
int cache_fact_replace(struct cache *, const char *space,
		       const struct cache_fact *facts, size_t n);

/* Over this many bytes of bodies, those that were fetched longest ago go. */
#define CACHE_MAX_BYTES ((uint64_t)512 * MIB)
/* No single body is larger: cache_put answers -EFBIG. */
#define CACHE_MAX_BODY ((size_t)64 * MIB)
void cache_set_max_bytes(struct cache *, uint64_t max_bytes);

struct cache_stats {
	uint64_t n_documents, n_bytes; /* n_bytes: of the database's files */
};
int cache_stats(struct cache *, struct cache_stats *ret_stats);

#endif
