/*
 * table/page inside: the table of places and pages, and how it is written.
 *
 * A pattern is literal parts and variables between slashes:
 *   $w $r  a workspace, a repository      $n $i  a number
 *   $c     a commit, 7 to 40 hex digits   $k  any one part; $x passed over
 *   $f     the name of a file, as src/model/README.md, 11, writes it
 *   $s     a step: in a place its name, in a page its uuid
 *   $b     a branch or tag: in a place as many parts as are known (one); in a
 *          page all that is left, or, before another part, one
 *   $p     a path inside a tree: all that is left, which may be nothing
 * In a page ?name=value has to be in the query, and #… to be the fragment; both
 * may end in a variable.
 */
#ifndef TABLE_PAGE_PRIVATE_H
#define TABLE_PAGE_PRIVATE_H

#include "table/page.h"

struct page_row {
	const char *place, *page;
	enum {
		PAGE_BOTH,
		PAGE_FROM_PLACE, /* another name of the place */
		PAGE_TO_PLACE,   /* another address of the page */
	} way;
};
/* The first one that fits wins; place NULL ends them. */
extern const struct page_row page_rows[];

/* A text, taken apart: of a page decoded, without empty parts. */
struct page_text {
	char **parts;
	size_t n;
	char *query, *fragment; /* of a page; the query as it is */
};
void page_text_done(struct page_text *);
DEFINE_CLEANUP_DONE(struct page_text, page_text_done);
/* False: it leads elsewhere, a terminal would obey it, or it is deeper than any
 * path. */
bool page_text_place(const char *place, struct page_text *);
bool page_text_page(const char *page, struct page_text *);
void page_text_shorten(struct page_text *); /* by the last part */
/* "name=value" of the query, decoded; name ends with "=", n bytes. NULL: it has
 * none. Free it. */
char *page_query(const struct page_text *, const char *name, size_t n);
struct page_lines page_fragment_lines(const char *fragment);

/* A name as a file's, and back (src/model/README.md, 11); is_beside: of a
 * directory that has an index. */
void page_file_name(struct buf *out, const char *name, bool is_beside);
void page_true_name(struct buf *out, const char *written, bool is_beside);
/* The name was too long: what it was is not known. */
bool page_is_cut(const char *name);

#endif
