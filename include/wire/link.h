/*
 * wire/link: one exchange with a git-upload-pack as bytes, over whatever
 * reaches it, on a kept connection.
 *
 * Must never know what the bytes say.
 */
#ifndef WIRE_LINK_H
#define WIRE_LINK_H

#include "wire/http.h"

struct link;

struct link_ops {
	/* Asks for the advertisement, in protocol v2 (a server without v2
	 * answers in v0). */
	int (*advertise)(struct ctx *, struct link *, const struct http_sink *);
	/* One request, one answer. v2: says Git-Protocol: version=2. */
	int (*exchange)(struct ctx *, struct link *, bool v2,
			const void *request, size_t n,
			const struct http_sink *);
	struct link *(*free)(struct link *);
};
struct link {
	const struct link_ops *ops;
};

/*
 * Over HTTP (gitprotocol-http(5)), v2: GET url/info/refs?service=…, POST
 * url/git-upload-pack. authorization as in http_request (Basic, with the git
 * user); url and authorization are copied, http is borrowed. Status codes
 * become errno with a sentence in ctx: 401 and 403 -EACCES, 404 and 410
 * -ENOENT, 429 -EDQUOT, 5xx -EIO; a content type that is not git's is -EPROTO.
 */
int link_http_new(struct http *http, const char *url, const char *authorization,
		  struct link **ret_link);
struct link *link_free(struct link *);

/* admit is asked before each request that carries the link's authorization (a
 * negative errno fails the request), and heard is told the status of the
 * answer. */
struct link_guard {
	int (*admit)(void *arg, struct ctx *);
	void (*heard)(void *arg, long status);
	void *arg;
};
void link_http_guard(struct link *, const struct link_guard *); /* copied */
DEFINE_CLEANUP(struct link *, link_free);

#endif
