/*
 * content/read_through: read-through for documents: verdict, single flight,
 * fetch, store; and the policy of freshness (src/README.md, Freshness): when
 * old bytes will do is decided here, but for an item that its collection has
 * (documents_item, which brings the collection up to date instead).
 *
 * Must never know JSON or what the documents are.
 */
#ifndef CONTENT_READ_THROUGH_H
#define CONTENT_READ_THROUGH_H

#include "base/ctx.h"
#include "store/cache.h"

struct read_through;
/* cache is borrowed. */
struct read_through *read_through_new(struct cache *);
struct read_through *read_through_free(struct read_through *);
DEFINE_CLEANUP(struct read_through *, read_through_free);

/*
 * Brings the document and stores it with cache_put/cache_touch (a negative
 * answer too: then it returns 0). old is what is there, or NULL. A negative
 * errno with a sentence in ctx changes nothing that is stored.
 */
typedef int read_through_fetch(struct ctx *, void *arg,
			       const struct cache_entry *old);

enum read_through_mode {
	READ_THROUGH, /* FRESH: served. STALE by less than its own lifetime:
		       * served, *ret_stale says that a refresh is due.
		       * Older: the refresh is waited for, at most 3 s, then
		       * the old bytes are served (for 5 s after such a
		       * disappointment nobody waits). MISS: waited for. */
	READ_CACHED,  /* whatever is there, whatever its age; never waits:
		       * -ENOENT when there is nothing */
	READ_REFRESH, /* asks now, whatever is there; a failure is returned
		       * (what is there stays) */
	READ_ANEW,    /* the same, and what is there is nothing to go on
		       * from: all of it is asked for */
};
/*
 * 0 and an entry (it may be a negative one); or -errno with the sentence in
 * ctx. A document has 60 s in all. One request per key at a time; failures are
 * remembered for 2 s. When a failed refresh has old bytes to fall back on they
 * are served, with *ret_stale, and the failure is counted in the health record.
 */
int read_through_get(struct ctx *, struct read_through *, const char *key,
		     enum read_through_mode, read_through_fetch *fetch,
		     void *arg, struct cache_entry **ret_entry,
		     bool *ret_stale);
/* The same for what has another time in all. */
int read_through_get_within(struct ctx *, struct read_through *,
			    int64_t most_ms, const char *key,
			    enum read_through_mode, read_through_fetch *fetch,
			    void *arg, struct cache_entry **ret_entry,
			    bool *ret_stale);

/* How it went lately, for `status`. */
struct read_through_health {
	bool offline;            /* the last exchange found no network */
	int64_t last_ok_ms;      /* wall clock; 0: never */
	int64_t last_failure_ms; /* 0: never */
	int last_errno;          /* of it, positive */
	char last_sentence[512];
	uint64_t n_documents, n_bytes; /* in the cache; bytes: its files */
};
void read_through_health(struct read_through *,
			 struct read_through_health *ret_health);

#endif
