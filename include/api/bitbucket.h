/*
 * api/bitbucket: Bitbucket Cloud's REST API: endpoints, paging, HTTP status
 * → errno and sentence, retries, JSON → plain structs.
 *
 * Must never know nodes, files, paths of the mount, or the cache.
 */
#ifndef API_BITBUCKET_H
#define API_BITBUCKET_H

#include "base/json.h"
#include "api/budget.h"
#include "api/credential.h"
#include "wire/http.h"

struct bitbucket;
/* api_url like "https://api.bitbucket.org/2.0" (copied, a final slash taken
 * off); the rest is borrowed. */
int bitbucket_new(const char *api_url, struct credential *, struct http *,
		  struct budget *, struct bitbucket **ret_bitbucket);
struct bitbucket *bitbucket_free(struct bitbucket *);
DEFINE_CLEANUP(struct bitbucket *, bitbucket_free);

/*
 * One GET below api_url; path begins with '/', is percent-encoded and may have
 * a query. etag NULL or "": unconditional. Retried with jitter, within ctx's
 * deadline and 60 s in all, for what may be retried (-ECONNRESET, -ETIMEDOUT
 * of a connect, 429 after the pause, 500, 502, 503, 504, 555: three times at
 * most). 0 for 200 and 304; else, with a sentence in ctx (made from the error
 * envelope's message and detail, string or object, src/api/README.md, 4):
 *   401, 403 -EACCES · 404, 410 -ENOENT · 429 and long pauses -EDQUOT ·
 *   5xx, 555, other 4xx -EIO · wire/http's own.
 * The body is at most 64 MiB.
 */
struct bitbucket_reply {
	long status; /* also of a failure: 404 and 410 differ; 0: no answer */
	bool not_modified;
	struct buf body;
	char etag[128];
	char content_type[200];
};
void bitbucket_reply_done(struct bitbucket_reply *);
DEFINE_CLEANUP_DONE(struct bitbucket_reply, bitbucket_reply_done);
int bitbucket_get(struct ctx *, struct bitbucket *, const char *path,
		  const char *etag, struct bitbucket_reply *ret_reply);
/* The same, but one request that is never repeated, for who wants to know what
 * becomes of it: ret_answer has the head, also of a failure. */
int bitbucket_get_once(struct ctx *, struct bitbucket *, const char *path,
		       struct bitbucket_reply *ret_reply,
		       struct http_response *ret_answer);
/* The same for what is no JSON, or is computed when it is asked for. */
enum bitbucket_want {
	BITBUCKET_JSON,
	BITBUCKET_SLOW_JSON, /* with patience: it has 120 s, and 555, with which
			      * the service gives up on a large diff, is retried
			      * with longer pauses */
	BITBUCKET_TEXT,      /* with patience */
	BITBUCKET_PARTS,     /* multipart/related: api/multipart reads it */
};
int bitbucket_get_as(struct ctx *, struct bitbucket *, const char *path,
		     enum bitbucket_want, const char *etag,
		     struct bitbucket_reply *ret_reply);

/*
 * One GET of bytes as they come, of a piece of them if first or n is given. It
 * is followed within the API alone: where it leads to another host (which is
 * given no credential), ret_response->location says where, and it is the
 * caller's to go there. 0 for 200, 206, 3xx and 416; else as bitbucket_get.
 * Retried while the sink has seen nothing. No total but ctx's deadline.
 */
struct bitbucket_range {
	uint64_t first, n; /* n 0: to the end */
};
int bitbucket_get_bytes(struct ctx *, struct bitbucket *, const char *path,
			const struct bitbucket_range *,
			const struct http_sink *sink,
			struct http_response *ret_response);
/* "Range: bytes=…"; NULL when the whole is asked for. */
char *bitbucket_range_header(const struct bitbucket_range *);
/* Of a failed http_perform, which leaves words in ctx and not always a
 * sentence: makes one. Returns r. */
int bitbucket_end_sentence(struct ctx *, int r);

/* Any list of the API, item by item. */
enum bitbucket_paging {
	BITBUCKET_NEXT,     /* by `next` */
	BITBUCKET_NUMBERED, /* page=2, 3 … while `size` says that there are
			     * more, or by `next` */
	BITBUCKET_ABREAST,  /* the first page alone, then, when it says its
			     * size, the others side by side (four at a time,
			     * on the client's connections), the rest by
			     * `next` */
	BITBUCKET_NEWEST,   /* the newest first, each page with a q below the
			     * last created_on of the one before */
	BITBUCKET_WHOLE,    /* one answer: an array, or its `values` */
};
/* What is remembered of a list from one time to the next, by the caller: before
 * bitbucket_list as it was, or as it begins; after it, as it is. */
struct bitbucket_known {
	/* The pair last agreed, where fewer (n, odd ones among them) came than
	 * the service's `size` says: what is missing is looked for in a second
	 * walk only when the pair is another one. size -1: none is missing. */
	int64_t size, n;
	bool no_pagelen; /* the endpoint refuses `pagelen` */
};
#define BITBUCKET_UNKNOWN ((struct bitbucket_known){.size = -1})
/* How a list came. */
enum bitbucket_came {
	BITBUCKET_CAME_WHOLE,
	BITBUCKET_CAME_AS_BEFORE, /* `size` says more, by as many as before */
	BITBUCKET_CAME_SHORT,     /* `size` says more */
	BITBUCKET_CAME_CUT,       /* it goes on where it cannot be followed: at
				   * another host, or in circles */
};
/*
 * Pages that came once and are kept, so that a list that was broken off goes on
 * where it ended: which URLs are asked for follows from what they answered.
 * Several are called at once, from any thread.
 */
struct bitbucket_kept_page {
	const char *url;
	struct buf *body;      /* may be taken; NULL: it was kept */
	int64_t size, pagelen; /* -1: it does not say */
	bool has_next;
};
struct bitbucket_kept {
	/* What came for that URL; NULL: nothing, or it is too old. */
	struct blob *(*look)(void *arg, const char *url);
	/* Told of each page, of the kept ones as well. */
	void (*came)(void *arg, const struct bitbucket_kept_page *);
	void *arg;
};
struct bitbucket_list {
	const char *path; /* with its query; without q and sort for NEWEST */
	enum bitbucket_paging paging;
	const char *q;  /* NEWEST: the filter to begin with, or NULL */
	const char *id; /* path of what tells items apart; NULL: nothing does */
	/* Instead of id: an item's identity, to be freed; NULL: it has none. */
	char *(*identify)(const struct json *item);
	size_t most;  /* items; 0: 100,000, beyond which it is -EIO */
	size_t page;  /* not 0: that one alone, by its number */
	bool patient; /* each page has 120 s, as a text has */
	/* It is sorted by created_on, the oldest first, and takes a q: what was
	 * broken off goes on by time, because numbers shift. */
	bool by_created;
	/* Each item once, in the service's order; a negative errno ends. */
	int (*each)(void *arg, const struct json *item);
	/* Instead of each: a whole page as it came, which may be taken. An
	 * answer that is no list is one, too. */
	int (*each_page)(void *arg, struct json **page);
	/* All that `each` was given is void: it is walked anew for what was
	 * missing. NULL: only what was missing is given. */
	void (*restart)(void *arg);
	void *arg;
	const struct bitbucket_kept *kept; /* NULL: nothing is */
	long status;  /* out: of the last answer; 0: there was none */
	size_t n_odd; /* out: values that are no objects: passed over */
	int64_t size, pagelen; /* out: as the last page says; -1: it does not */
	struct bitbucket_known *known; /* in and out; NULL: nothing */
	enum bitbucket_came came;      /* out */
};
/*
 * All pages, one after the other; *ret_more when there are more than `most`
 * (which was not 0). No item comes twice. Where fewer came than the service's
 * `size` says (page numbers shift while items go) it is walked once more for
 * the missing ones; then the list is taken as it came. A `next` of another host
 * is never asked there. Failures as of bitbucket_get; -EIO for an answer that
 * is no list, and for one that is cut off before its first item.
 */
int bitbucket_list(struct ctx *, struct bitbucket *, struct bitbucket_list *,
		   bool *ret_more);

/*
 * One GET as people would want to see it: JSON pretty-printed, and where it is
 * a page, the `values` of all pages in one (`next`, `previous`, `page` and
 * `pagelen` go, `size` is theirs; a `next` is left where it could not be
 * followed). -EFBIG over 64 MiB or 200 pages; failures as
 * of bitbucket_get, whose status is in *ret_status.
 */
int bitbucket_get_merged(struct ctx *, struct bitbucket *, const char *path,
			 const struct bitbucket_kept *, struct buf *out,
			 long *ret_status);

/*
 * How long what the service does not have (404, 410 to ctx, which may be NULL)
 * is remembered as such: a moment, 5 s, until it has once answered well since
 * the mount (it may be starting up, or some other host answer for it), then a
 * minute; a day when a 410 says where it was announced.
 */
int64_t bitbucket_unknown_ms(struct bitbucket *, const struct ctx *);
/* Something asked for by a uuid came, since the mount: 404 is the last word. */
bool bitbucket_takes_uuids(struct bitbucket *);

struct bitbucket_workspace {
	char *slug, *uuid; /* uuid with braces; "" when not told */
};

struct bitbucket_repository {
	char *slug;      /* from slug, else full_name; any bytes */
	char *uuid;      /* with braces; "name:<ws>/<slug>" when not told */
	char *workspace; /* workspace.slug, else from full_name, "" */
	char *workspace_uuid; /* "" when not told */
	char *project;        /* its key; "" when not told */
	char *json;           /* the whole object, compact */
	size_t n_json;
	int64_t updated_ms; /* updated_on, else created_on, else 0 */
};
void bitbucket_repository_done(struct bitbucket_repository *);
DEFINE_CLEANUP_DONE(struct bitbucket_repository, bitbucket_repository_done);
struct bitbucket_repositories {
	struct bitbucket_repository *items; /* in the service's order */
	size_t n_items, size;
	size_t n_odd; /* objects that name no repository: passed over */
	enum bitbucket_came came;
};
void bitbucket_repositories_done(struct bitbucket_repositories *);
DEFINE_CLEANUP_DONE(struct bitbucket_repositories, bitbucket_repositories_done);
/* GET /repositories/{ws}?sort=created_on&pagelen=100, whole objects, walked
 * BITBUCKET_ABREAST. */
int bitbucket_list_repositories(struct ctx *, struct bitbucket *,
				const char *workspace, struct bitbucket_known *,
				const struct bitbucket_kept *,
				struct bitbucket_repositories *ret);
/* The same items one by one: bitbucket_list.each, its arg the repositories, and
 * bitbucket_list.identify: struct bitbucket_repository's uuid. By the member
 * alone, all those without a good one would be one and the same. */
int bitbucket_take_repository(void *repositories, const struct json *item);
char *bitbucket_repository_identity(const struct json *item);
/* GET /repositories/{ws}/{slug or {uuid}}. */
int bitbucket_get_repository(struct ctx *, struct bitbucket *,
			     const char *workspace, const char *slug_or_uuid,
			     struct bitbucket_repository *ret);
/* An object as one of the above; -EBADMSG when it names no repository. */
int bitbucket_read_repository(const struct json *,
			      struct bitbucket_repository *ret);
/* An object as a workspace; -EBADMSG when it names none. */
int bitbucket_read_workspace(const struct json *,
			     struct bitbucket_workspace *ret);
void bitbucket_workspace_done(struct bitbucket_workspace *);
DEFINE_CLEANUP_DONE(struct bitbucket_workspace, bitbucket_workspace_done);

/* The workspace of that uuid is called so now. Paths have the uuid; the slug is
 * what is tried where a server takes none. */
void bitbucket_name_workspace(struct bitbucket *, const char *uuid,
			      const char *slug);

/* Paths for bitbucket_get, percent-encoded; free them. A uuid's braces become
 * %7B and %7D. */
char *bitbucket_workspace_path(const char *slug);
char *bitbucket_repository_path(const char *workspace,
				const char *slug_or_uuid);
/*
 * A path as people write it, made one for bitbucket_get: bytes that a URL
 * cannot have are percent-encoded, what is encoded already stays ("/" in a
 * query can only be written %2F).
 */
/* "/" and a segment of n bytes. */
void bitbucket_add_segment(struct buf *out, const char *s, size_t n);
/* A segment of dots, encoded or not, would climb out of api_url: "%2e.", and
 * also "a%2f..". */
bool bitbucket_has_dots(const char *s, size_t n);
/* "?" and the query, unless it is ""; is_list: with pagelen, unless it has one.
 */
void bitbucket_add_query(struct buf *out, const char *query, bool is_list);
/* The body of a reply as JSON; -EIO with a sentence that names what. */
int bitbucket_parse(struct ctx *, const struct bitbucket_reply *,
		    const char *what, struct json **ret_json);

#endif
