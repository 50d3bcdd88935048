/*
 * remote/resource: the table. One row per plain file that the mount makes of a
 * document of the API; adding a file is adding a row.
 *
 * Must never know FUSE or nodes.
 */
#ifndef REMOTE_RESOURCE_H
#define REMOTE_RESOURCE_H

#include "base/json.h"

enum resource_place {
	RESOURCE_REPOSITORY, /* files of a repository's directory */
	RESOURCE_ACCOUNT,    /* files of .bitbucketfs made of /user */
};
struct resource {
	enum resource_place place;
	const char *name; /* "info" */
	/* Adds the file's bytes. Deterministic: the same document gives the
	 * same bytes. Odd or missing members leave lines out, never fail. */
	int (*render)(const struct json *document, struct buf *out);
};
/* The rows of a place, in the order of a listing. */
const struct resource *resource_rows(enum resource_place, size_t *ret_n);
const struct resource *resource_find(enum resource_place, const char *name);
/* Parses and renders; at most 64 MiB. -EBADMSG when body is no JSON object. */
int resource_render(const struct resource *, const char *body, size_t n,
		    struct buf *out);

#endif
