/*
 * content/collection, inside the floor: as it is stored.
 */
#ifndef CONTENT_COLLECTION_PRIVATE_H
#define CONTENT_COLLECTION_PRIVATE_H

#include "content/collection.h"

#include "base/mem.h"
#include "table/resource.h"

/* The collection is stored as lines: workspaces, repositories. */
static inline bool collection_is_listing(const struct resource *row)
{
	return row->special == RESOURCE_WORKSPACES ||
	       row->special == RESOURCE_REPOSITORIES;
}
/* -EBADMSG: the text is not a collection of that row. */
int collection_decode(const struct resource *, const char *text, size_t n,
		      struct collection **ret);
/* The file name of a slug in that row's directory; free it. */
char *collection_name_of(const struct resource *, const char *slug);

/* Lines to be stored, with texts of their own. */
struct collection_line {
	char *name, *slug, *uuid;
	char *project; /* NULL: of a workspace */
	int64_t updated_ms;
};
struct collection_lines {
	const struct resource *row;
	struct collection_line *lines;
	size_t n, size;
};
void collection_lines_done(struct collection_lines *);
DEFINE_CLEANUP_DONE(struct collection_lines, collection_lines_done);
void collection_lines_add(struct collection_lines *, const char *slug,
			  const char *uuid, const char *project,
			  int64_t updated_ms);
/* Sorted by name; of two with the same name the later by uuid is left out, and
 * told. */
int collection_lines_encode(struct collection_lines *,
			    void (*left_out)(void *arg,
					     const struct collection_line *),
			    void *arg, struct buf *out);

#endif
