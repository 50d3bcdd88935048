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

/* bitbucket_get_as, of an absolute URL of api_url's origin. */
int bitbucket_get_url(struct ctx *, struct bitbucket *, const char *url,
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

/* ---- what a page says: bitbucket_page.c ---- */

enum bitbucket_goes {
	BITBUCKET_GOES_NOWHERE, /* it has no `next` */
	BITBUCKET_GOES_ON,      /* `next` is of api_url */
	BITBUCKET_GOES_ELSEWHERE,
};
struct bitbucket_page {
	/* -1: not said, or not to be believed. What is no `pagelen` is what the
	 * page has. */
	int64_t size, pagelen, number;
	size_t n_values;
	enum bitbucket_goes goes;
	/* What to ask; of ELSEWHERE the `page` that it names, encoded, or NULL.
	 */
	char *next;
};
void bitbucket_page_done(struct bitbucket_page *);
DEFINE_CLEANUP_DONE(struct bitbucket_page, bitbucket_page_done);
/* Of the answer to `asked`; in the place of the page before, or of zeros. A
 * `next` is mended where the service is known to get it wrong
 * (src/api/README.md, 10). */
void bitbucket_page_read(const char *api_url, const char *asked,
			 const struct json *page, struct bitbucket_page *ret);
/* A link of the service's, below api_url. Whatever host the text names, no
 * other one than api_url's is asked. NULL: it is another host's. */
char *bitbucket_under_api(const char *api_url, const char *text);

/* What is known of the pages before, this one among them. */
struct bitbucket_walked {
	size_t n_pages, n_came;
	unsigned n_empty, n_idle; /* the last in a row: without a value; without
				   * a new one */
	bool numbers_refused, codes_refused; /* asked for and not there */
};
enum bitbucket_turn {
	BITBUCKET_TURN_END,
	BITBUCKET_TURN_NEXT,   /* page->next is asked */
	BITBUCKET_TURN_NUMBER, /* page=N */
	BITBUCKET_TURN_CODE,   /* page=page->next, of the list's own URL */
	BITBUCKET_TURN_CUT,    /* there is more, which cannot be had */
};
enum bitbucket_turn bitbucket_turn(const struct bitbucket_page *,
				   const struct bitbucket_walked *,
				   enum bitbucket_paging);
/* The same URL with another page, or without a parameter; free it. */
char *bitbucket_numbered_url(const char *url, size_t number);
char *bitbucket_coded_url(const char *url, const char *code);
char *bitbucket_url_without(const char *url, const char *parameter);

/* ---- pages ---- */

/* Each page of any list, asked for or kept: bitbucket_pages_kept.c. */
int bitbucket_get_page(struct ctx *, struct bitbucket *,
		       const struct bitbucket_list *, const char *url,
		       long *ret_status, struct json **ret_page);
/* Pages 2 to n_pages of the list whose first is url, handed on in this order by
 * the thread that calls; NULL for one that is not there any more. 1: the server
 * knows no numbers, and the rest did not come. */
typedef int bitbucket_take_page(void *arg, size_t number,
				const struct json *page);
int bitbucket_get_abreast(struct ctx *, struct bitbucket *,
			  struct bitbucket_list *, const char *url,
			  size_t n_pages, bitbucket_take_page *take, void *arg);

#endif
