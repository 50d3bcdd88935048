/*
 * table/page: a place of the mount and its page in a browser, each made of the
 * other.
 *
 * Both are text, and what one needs to know besides is in struct page_known:
 * nobody is asked. One table (page_rows.c) holds both directions. Must never
 * know which host the pages are of, or where the mount is.
 */
#ifndef TABLE_PAGE_H
#define TABLE_PAGE_H

#include "base/mem.h"

/* Lines of a file, from 1; first 0: none are meant. */
struct page_lines {
	unsigned first, last;
};
/* What the text of a place alone does not say. */
struct page_known {
	/* Of how many parts the name of the branch or tag is; 0: not known, so
	 * one. */
	size_t n_ref;
	const char *commit; /* where it is, 40 digits; NULL: not known */
	const char *step;   /* the uuid of a step of a pipeline; NULL */
};

/*
 * The page of a place, below the host and without a slash at its beginning:
 * "acme/widgets/pull-requests/12". place is below the mount point,
 * without slashes at its ends. A place that has no page of its own has that of
 * the nearest one above. NULL: there is none (.bitbucketfs). Free it.
 */
char *page_of_place(const char *place, const struct page_known *,
		    struct page_lines);
struct page_place {
	char *path; /* below the mount point */
	struct page_lines lines;
	/* Of a page of a step: its uuid; path is then the directory of the
	 * steps, which has the name of it. NULL otherwise. */
	char *step;
};
/* The place of a page that is below the host, percent-encoded, with query and
 * fragment; of one that has no place, the nearest one above. False: there is
 * none, or it would lead elsewhere. */
bool page_to_place(const char *page, struct page_place *ret_place);
void page_place_done(struct page_place *);
DEFINE_CLEANUP_DONE(struct page_place, page_place_done);

/* Takes ":12", ":12-20" or ":12:5" (a column is passed over), with or without a
 * last colon, off the end of a path. */
struct page_lines page_take_lines(char *path);

#endif
