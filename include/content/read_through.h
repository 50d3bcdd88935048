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
		       * from: all of it is asked for. A list that is under
		       * way for others is waited for before */
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

/*
 * The same for a list, which may take longer than anybody waits: it is fetched
 * on a thread of its own. most_ms is the waiter's time; when it is over, what
 * came so far decides: -EBUSY with a sentence that says how much, or -ETIMEDOUT
 * when nothing did, and the list goes on: until it is stored, or refused, or
 * fails. Whoever wants it meanwhile joins it. When all who waited were
 * cancelled before, it is broken off.
 */
struct read_through_list {
	read_through_fetch *fetch;
	/* A copy of arg for the thread, which is given back when the list has
	 * ended: from any thread. */
	void *(*keep)(void *arg);
	void (*let_go)(void *kept);
	const char *what; /* for people: "acme's repositories" */
};
int read_through_get_list(struct ctx *, struct read_through *, int64_t most_ms,
			  const char *key, enum read_through_mode,
			  const struct read_through_list *, void *arg,
			  struct cache_entry **ret_entry, bool *ret_stale);
/* Said by the fetch of a list: so many pages have come, of so many (0: not
 * known). */
void read_through_came(struct read_through *, const char *key, size_t n_pages,
		       size_t n_pages_all);
/* The lists that are being fetched, told with no lock held. */
struct read_through_progress {
	char *what;
	size_t n_pages, n_pages_all;
	int64_t since_ms; /* wall clock */
	bool is_behind;   /* somebody's time was over */
};
void read_through_running(struct read_through *,
			  void (*each)(void *arg,
				       const struct read_through_progress *),
			  void *arg);
/* Breaks off the lists that are being fetched, and waits until they have ended:
 * before what their fetches use goes. More than once is fine. */
void read_through_break_off(struct read_through *);
/* The same, and no other begins: -EINTR. */
void read_through_end(struct read_through *);

/* The credential is another one: what failed or was refused is asked for when
 * somebody looks, whatever was remembered. */
void read_through_renewed(struct read_through *);

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
