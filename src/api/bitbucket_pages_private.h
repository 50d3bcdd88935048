/*
 * api/bitbucket, a walk over the pages of a list: what bitbucket_pages.c and
 * bitbucket_pages_kept.c share.
 */
#ifndef API_BITBUCKET_PAGES_PRIVATE_H
#define API_BITBUCKET_PAGES_PRIVATE_H

#include "api/bitbucket_private.h"

#include "base/map.h"

struct seen {
	UT_hash_handle hh;
	char text[];
};

struct pages {
	struct ctx *ctx;
	struct bitbucket *bitbucket;
	struct bitbucket_list *list;
	char *path;         /* the list's, as it is asked */
	char *first;        /* URL whose pages are numbered */
	struct seen *seen;  /* identities of items */
	struct seen *asked; /* URLs of pages: one that comes again is none */
	struct bitbucket_page page; /* the last that came */
	struct bitbucket_walked walked;
	size_t n_items;   /* handed on */
	size_t n_odd;     /* values that are not items: passed over */
	int64_t promised; /* items, as the service counts them; -1 */
	int64_t at_least; /* a page with a smaller size is not taken */
	bool is_short;    /* the last page was smaller than that */
	char *last;       /* created_on of the last item */
	bool is_tie;      /* it may be of the next one, too */
	bool is_unsorted; /* some item is older than the one before it */
	/* Not NULL: what is walked, instead of the list's own URL: what was
	 * made since the last item of the kept pages. */
	char *segment;
	size_t n_before; /* of what came, is no part of the segment */
	bool full;       /* `most` reached, and there was another item */
	bool again;      /* the second walk: little of it is new */
	bool gap;        /* the next page was not there by its number */
	bool cut;
};

/* bitbucket_pages.c */

/* url: what was asked for the answer. */
int bitbucket_pages_take_json(struct pages *, const char *url,
			      const struct json *);
int bitbucket_pages_take(struct pages *, const char *url);
/* From the page on that came last. */
int bitbucket_pages_walk_on(struct pages *);
/* The failure. */
int bitbucket_pages_do_not_end(const struct pages *);
/* sign: of created_on, and the moment; NULL: all of it. */
char *bitbucket_pages_newest_url(const struct pages *, const char *moment,
				 const char *sign);

/* bitbucket_pages_kept.c */

/* All that is kept; p->first is where to go on. 1: there is nothing more. */
int bitbucket_pages_replay(struct pages *);
/* A segment begins with what was made in the moment with which the kept pages
 * end, which came before. */
void bitbucket_pages_count_before(struct pages *);
/* What was made since the first page that is kept: asked for, each time. */
int bitbucket_pages_take_newer(struct pages *);

#endif
