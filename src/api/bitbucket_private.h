/*
 * api/bitbucket, inside: what its files share.
 */
#ifndef API_BITBUCKET_PRIVATE_H
#define API_BITBUCKET_PRIVATE_H

#include "api/bitbucket.h"

#include "base/ctx.h"

/* No listing has more pages: what a server can make us do has an end. */
#define BITBUCKET_MOST_PAGES 1000

/* Whether the server knows workspaces by their uuids: bitbucket_names.c. */
enum bitbucket_uuids {
	BITBUCKET_UUIDS_UNTRIED,
	BITBUCKET_UUIDS_TAKEN,
	BITBUCKET_UUIDS_REFUSED,
};

struct bitbucket_name;
struct bitbucket {
	char *api_url; /* without a final slash */
	struct credential *credential;
	struct http *http;
	struct budget *budget;
	/* An answer other than /user's was good, since the mount. */
	atomic_bool is_well;

	struct mutex lock;
	struct bitbucket_name *names under_lock; /* by the uuid as in a path */
	enum bitbucket_uuids uuids under_lock;
};

void bitbucket_names_done(struct bitbucket *);
enum bitbucket_uuids bitbucket_uuids(struct bitbucket *);
/* Set once: later calls change nothing. */
void bitbucket_set_uuids(struct bitbucket *, enum bitbucket_uuids);
/* The same URL with the workspace's slug where its uuid is, and that uuid.
 * NULL: it has none, or the server takes uuids. */
char *bitbucket_url_by_name(struct bitbucket *, const char *url,
			    char **ret_uuid);
/* The URL of a path. */
char *bitbucket_url(struct bitbucket *, const char *path);

/* bitbucket_get, of an absolute URL of api_url's origin. */
int bitbucket_get_url(struct ctx *, struct bitbucket *, const char *url,
		      const char *etag, struct bitbucket_reply *ret_reply);
enum bitbucket_want {
	BITBUCKET_JSON,
	BITBUCKET_SLOW_JSON, /* with patience: see bitbucket_get_text */
	BITBUCKET_TEXT,      /* with patience */
	BITBUCKET_PARTS,
};
int bitbucket_get_as(struct ctx *, struct bitbucket *, const char *url,
		     enum bitbucket_want, const char *etag,
		     struct bitbucket_reply *ret_reply);
/* The way of each request to the API: http_perform with the credential, where
 * that may be sent and the budget has a request left, both of which hear the
 * answer. */
int bitbucket_perform(struct ctx *, struct bitbucket *,
		      const struct http_request *, const struct http_sink *,
		      struct http_response *);
/* The one table from an answer's status to errno and sentence. */
int bitbucket_explain(struct ctx *, struct bitbucket *, const char *url,
		      const struct http_response *);
/* Whether to try again after http_perform returned r; *ret_wait_ms before it.
 */
bool bitbucket_may_retry(struct ctx *, int r, const struct http_response *,
			 enum bitbucket_want, unsigned attempt, int64_t took_ms,
			 int64_t *ret_wait_ms);
/* Waits before trying again: 0, or as ctx_wait_begin and ctx_sleep say. */
int bitbucket_pause(struct ctx *, int64_t ms);
/*
 * A page's `next` as the URL to ask: mended where the service is known to get
 * it wrong (src/api/README.md, 10). NULL: there is none. -EPROTO when it leads
 * elsewhere.
 */
int bitbucket_next_url(struct ctx *, struct bitbucket *,
		       const struct json *page, char **ret_url);

/* A page of a list: bitbucket_pages.c. */
int bitbucket_get_page(struct ctx *, struct bitbucket *,
		       const struct bitbucket_list *, const char *url,
		       long *ret_status, struct json **ret_page);
char *bitbucket_numbered_url(const char *url, size_t number);
/* Pages 2 to n_pages of the list whose first is url, handed on in this order by
 * the thread that calls; NULL for one that is not there any more. */
typedef int bitbucket_take_page(void *arg, const struct json *page);
int bitbucket_get_abreast(struct ctx *, struct bitbucket *,
			  struct bitbucket_list *, const char *url,
			  size_t n_pages, bitbucket_take_page *take, void *arg);

#endif
