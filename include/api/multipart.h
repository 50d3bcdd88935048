/*
 * api/multipart: the parts of a multipart answer (RFC 2046), decoded. A server
 * wrote the input, so each length and name in it is checked. Must never know
 * who sent it or what the parts are.
 */
#ifndef API_MULTIPART_H
#define API_MULTIPART_H

#include "base/mem.h"

#define MULTIPART_MOST 10000 /* parts */

struct multipart_part {
	/* The filename of its Content-Disposition, else the Content-ID of one
	 * that is not the first; NULL: it has no name. */
	const char *name;
	const void *data; /* decoded; a NUL follows */
	size_t n;
};
/*
 * Each part in order; a negative errno of each ends it. content_type is the
 * whole header, which names the boundary. -EBADMSG: it is no multipart, ends
 * before its end, or a part cannot be decoded; -EMSGSIZE: more parts than
 * MULTIPART_MOST.
 */
int multipart_each(const char *content_type, const char *body, size_t n,
		   int (*each)(void *arg, const struct multipart_part *),
		   void *arg);

#endif
