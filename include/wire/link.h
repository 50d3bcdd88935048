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
	/* After an exchange that was answered with `missing`: asks once where
	 * the repository is now, within the same host. 1: there, and later
	 * requests go there; 0: nowhere else. */
	int (*look_for)(struct ctx *, struct link *);
	struct link *(*free)(struct link *);
};
struct link {
	const struct link_ops *ops;
	const char *url; /* where the next request goes; the link's */
	bool missing;    /* the last one: no such repository (404) */
	/* Set by who reads an answer, with its last byte, before the sink
	 * returns: a connection may go on after it. */
	bool ended;
	/* Of a failed exchange: its connection was gone, or went without a byte
	 * of an answer. advertise makes another one. */
	bool stale;
};

/*
 * Over HTTP (gitprotocol-http(5)), v2: GET url/info/refs?service=…, POST
 * url/git-upload-pack. The authorizer (copied; NULL: nothing is authorized) is
 * asked before each request to url's origin, as http_perform_as does; url is
 * copied, http is borrowed. Status codes become errno with a sentence in ctx:
 * 401 and 403 -EACCES, 404 and 410 -ENOENT, 429 -EDQUOT, 5xx -EIO; a content
 * type that is not git's is -EPROTO.
 */
int link_http_new(struct http *http, const char *url,
		  const struct http_authorizer *, struct link **ret_link);
struct link *link_free(struct link *);
DEFINE_CLEANUP(struct link *, link_free);

#endif
