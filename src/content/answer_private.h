/*
 * content/answer, inside: what is done with every answer, whatever it is about:
 * looked at, put, remembered as a failure, made a document. The floor of
 * content: documents stand on it, and it knows nothing of them.
 */
#ifndef CONTENT_ANSWER_PRIVATE_H
#define CONTENT_ANSWER_PRIVATE_H

#include "content/answer.h"

#include "api/bitbucket.h"
#include "base/ctx.h"
#include "store/cache.h"

/* ---- what is at hand ---- */

/* What the cache has, of any age; NULL. */
struct cache_entry *answer_peek(struct cache *, const char *key);
/* The same without its bytes, whose version tells of them. */
struct cache_entry *answer_peek_version(struct cache *, const char *key);
/* Either, of an answer that is no remembered failure. */
struct cache_entry *answer_at_hand(struct cache *, const char *key, bool body);
/* The JSON of what the cache has (may be NULL); NULL: it is none. */
struct json *answer_json(const struct cache_entry *);
struct answer_age answer_age_of(const struct cache_entry *, bool stale);
/* A remembered failure, as if it had just happened. */
int answer_failed(struct ctx *, const struct cache_entry *);
/* time_path: where the body says when it was changed, as resource_at reads it;
 * NULL: nowhere. A remembered failure is one again. */
int answer_document_of(struct ctx *, const struct cache_entry *, bool stale,
		       const char *time_path, struct answer_document *ret);
#define ANSWER_TIME "updated_on|created_on"

/* ---- storing ---- */

/* cache_put and cache_touch with a sentence. */
int answer_put(struct ctx *, struct cache *, const struct cache_put *puts,
	       size_t n);
int answer_touch(struct ctx *, struct cache *, const char *key, int64_t ttl_ms);
/* The failure r and ctx's sentence become the answer (0) for ttl_ms. */
int answer_put_failure(struct ctx *, struct cache *, const char *key, int r,
		       int64_t ttl_ms);
/* A status by which the service says that something is not there, or not for
 * this account: 403, 404, 410. (401 may be mended by signing in anew.) */
bool answer_is_gone(long status);

/* Things that are stored in one transaction. */
struct answer_batch {
	struct cache_put *puts;
	size_t n, size;
	char **owned; /* bodies that are the batch's */
	size_t n_owned, size_owned;
};
void answer_batch_done(struct answer_batch *);
DEFINE_CLEANUP_DONE(struct answer_batch, answer_batch_done);
/* key is the batch's from now on; body and etag are borrowed. */
void answer_batch_add(struct answer_batch *, char *key, const void *body,
		      size_t n, const char *etag, int64_t ttl_ms);
/* body becomes the batch's, too. */
void answer_batch_own(struct answer_batch *, char *key, char *body, size_t n,
		      int64_t ttl_ms);
/* What was added last says time_ms of itself: cache_put's. */
void answer_batch_time(struct answer_batch *, int64_t time_ms);
/* Everything under keys that begin with this one, which becomes the batch's,
 * goes: cache_put's drop. */
void answer_batch_drop(struct answer_batch *, char *key);
/* What is under key is still true: its lifetime begins anew. */
void answer_batch_touch(struct answer_batch *, char *key, int64_t ttl_ms);

/* ---- lists that are brought up to date by what was changed since ---- */

/* What was deleted tells nobody, so that now and then such a list is walked
 * whole: when it was last, under its key. */
bool answer_walk_is_due(struct cache *, const char *key, int64_t every_ms);
/* since_ms: wall clock, of the oldest of its pages. */
void answer_was_walked(struct cache *, const char *key, int64_t since_ms);
/* When that was, wall clock; 0: not known. */
int64_t answer_walked_ms(struct cache *, const char *key);
/* From when on to ask for what was changed, with newest_ms the newest change
 * that is known: earlier, where the walk took so long that changes were made
 * behind it; until those were asked for. */
int64_t answer_changes_since_ms(struct cache *, const char *key,
				int64_t newest_ms);
void answer_has_changes(struct cache *, const char *key);
/* The next time it is walked whole, and that is now due. */
void answer_walk_next(struct cache *, const char *key);

#endif
