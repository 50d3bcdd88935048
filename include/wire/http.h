/*
 * wire/http: the door to curl. One function performs one HTTP exchange.
 *
 * Owns connections (kept, and limited per client), proxy, TLS, redirects, and
 * the promise that a credential goes to the host it was given for and no
 * other. Must never know JSON, the cache, where a secret came from.
 */
#ifndef WIRE_HTTP_H
#define WIRE_HTTP_H

#include "base/mem.h"
#include "base/ctx.h"

struct http; /* a client: a set of at most n_connections exchanges at once */

struct http_config {
	unsigned n_connections; /* exchanges at once; 0: 4 */
	const char *user_agent; /* copied, as all texts here */
	/* Certificates (PEM) to trust besides the system's; NULL: none. */
	const char *ca_file;
	/* "http://user:password@host:port", or socks5h:// and its kin; NULL: as
	 * http_proxy and its kin say. no_proxy is heeded in both cases, and
	 * loopback addresses are asked without one. */
	const char *proxy;
	int64_t connect_timeout_ms; /* 0: 5 s */
	/* -ETIMEDOUT when no byte came for so long, or for twice as long no
	 * byte that the sink can have; 0: 30 s */
	int64_t stall_timeout_ms;
};
/* To be called after the last fork. 0 or -errno. */
int http_new(const struct http_config *, struct http **ret_http);
/* "7.88.1": of the library that is loaded, and that this was built with. */
const char *http_library(void);
const char *http_library_built(void);
struct http *http_free(struct http *); /* no exchange may be under way */
DEFINE_CLEANUP(struct http *, http_free);

struct http_request {
	const char *method; /* NULL: GET, or POST with a body */
	const char *url;    /* absolute; anything but http and https: -EINVAL */
	/* The whole value of the Authorization header, or NULL. It is sent only
	 * to the scheme, host and port of url: a redirect elsewhere drops it.
	 * Over plain http only to loopback addresses, -EPERM. */
	const char *authorization;
	const char *const
		*headers; /* "Name: value", NULL-terminated, or NULL */
	const void *body;
	size_t n_body;
	bool compressed; /* accept gzip; the sink sees plain bytes */
	/* 3xx are handed out. Otherwise at most 5 are followed, but not from
	 * https to http (-EPERM). A body is sent on within its own origin only
	 * (307, 308): any other 3xx but 303 is handed out. */
	bool no_redirects;
	/* Not NULL: the place that a 3xx names, as who asked knows it (a server
	 * behind another one names itself); allocated, NULL: as it is. What is
	 * said above of origins is about that. */
	char *(*relocate)(void *arg, const char *location);
	void *relocate_arg;
};

struct http_response {
	long status;
	char etag[128];
	char content_type[200];
	char location[4096];    /* of a 3xx that was not followed */
	int64_t date_ms;        /* the server's clock, of the Date header; -1 */
	int64_t retry_after_s;  /* -1: not said; a date is made seconds */
	int64_t rate_limit;     /* x-ratelimit-limit, first number; -1 */
	int64_t rate_remaining; /* -1 */
	int64_t rate_reset_s;   /* seconds until the window begins anew; -1 */
	bool rate_near_limit;   /* X-RateLimit-NearLimit: true */
	int64_t content_length; /* -1: not said */
	int64_t range_first;    /* of a 206: where its bytes begin; -1 */
	int64_t range_total;    /* of a 206 or 416: length of the whole; -1 */
	uint64_t n_received;    /* body bytes on the wire */
	bool other_host;        /* the answer came from another host */
	bool authorized;        /* whoever answered was sent the secret */
	/* Requests that reached the host of url: 1, and one more for each
	 * redirect that stayed there; 0: none got away. Set also after a
	 * failure. */
	unsigned n_asked;
	/* The body of an answer that is not 2xx, at most 64 KiB,
	 * NUL-terminated; the caller's: http_response_done. */
	char *error_body;
	size_t n_error_body;
};
void http_response_done(struct http_response *);
DEFINE_CLEANUP_DONE(struct http_response, http_response_done);

/* Takes the bytes of a 2xx answer as they come; a negative errno ends the
 * exchange with it. Called on the caller's thread, holding nothing. */
struct http_sink {
	int (*write)(void *arg, const void *data, size_t n);
	/* If not NULL: called once before the first byte, with the headers. */
	int (*begin)(void *arg, const struct http_response *response);
	void *arg;
	/* NULL: each byte is progress. Otherwise a count that `write`
	 * increases: once it is not 0, only its growth is progress, and a
	 * server that sends anything else for too long has stalled. */
	const uint64_t *progress;
};

/* Waits for a free connection, then for the network. 0 when an answer came,
 * whatever its status; else -EINTR cancelled · -ETIMEDOUT deadline, connect
 * timeout or stall · -ENETUNREACH no route, no name, connection refused, a
 * proxy that refuses · -EMFILE, -ENFILE, -ENOMEM this machine has no more ·
 * -ECONNRESET broken off, truncated (after it began: the sink has seen part) ·
 * -EPROTO not HTTP, bad TLS · -EPERM, -EINVAL as above · the sink's errno ·
 * -EAGAIN no waiting place (ctx_wait_begin). A sentence is left in ctx. A
 * transfer that moves has no deadline but ctx's. *ret_response must be freed
 * also after a failure. */
int http_perform(struct ctx *ctx, struct http *http,
		 const struct http_request *request,
		 const struct http_sink *sink /* NULL: body dropped */,
		 struct http_response *ret_response);

/* What a request is sent with: owned, wiped when done. */
struct http_authorization {
	char *value;      /* of the Authorization header; NULL: it has none */
	uint64_t version; /* the authorizer's, which knows what it means */
};
void http_authorization_done(struct http_authorization *);
DEFINE_CLEANUP_DONE(struct http_authorization, http_authorization_done);

/* Who knows the secret. Called on the caller's thread, holding nothing. */
struct http_authorizer {
	/* Before each request: what it is sent with. A negative errno, with
	 * its sentence, means that it is not sent. */
	int (*authorize)(void *arg, struct ctx *,
			 struct http_authorization *ret);
	/* After it, whatever became of it: the answer may be none. */
	void (*heard)(void *arg, struct ctx *,
		      const struct http_authorization *,
		      const struct http_response *);
	/* After a 401, heard before: 1 when another secret is there by now, 0
	 * when there is none. */
	int (*renew)(void *arg, struct ctx *,
		     const struct http_authorization *);
	void *arg;
};
/* http_perform with what the authorizer says in the place of
 * request->authorization. What was refused (401) is asked once more if there is
 * another secret by then, and never with the same: an account that is often
 * refused is locked. */
int http_perform_as(struct ctx *ctx, struct http *http,
		    const struct http_request *request,
		    const struct http_authorizer *as,
		    const struct http_sink *sink,
		    struct http_response *ret_response);

/* Where something lies, and all that it is asked for with there, as somebody
 * else says who may: owned, wiped when done. */
struct http_place {
	char *url;
	char **headers;      /* "Name: value", NULL-terminated; or NULL */
	char *authorization; /* the value of that header; or NULL */
	/* Whoever says so is on this machine: then the place may be, too, and
	 * over plain http. */
	bool may_be_here;
	bool fresh; /* said just now */
};
void http_place_done(struct http_place *);
void http_place_copy(const struct http_place *, struct http_place *ret_copy);
DEFINE_CLEANUP_DONE(struct http_place, http_place_done);

/* Exchanges since http_new, for `status`. */
uint64_t http_n_requests(struct http *);

/* A URL and its parts, as curl sees them. */
struct http_url {
	char *text; /* without user, password and fragment */
	char *base; /* "https://example.org", ":8443" if it is said */
	const char *authority; /* what follows "://" in base */
	char *origin;          /* "https://example.org:443" */
	char *host;            /* in small letters; "[::1]" */
	bool https;
	bool loopback; /* 127/8, ::1, localhost */
	bool here;     /* this machine, in whatever spelling: who may not ask it
			* looks at this, who would trust it at loopback */
};
void http_url_done(struct http_url *);
DEFINE_CLEANUP_DONE(struct http_url, http_url_done);
/* -EINVAL: no URL, or neither http nor https; -ERANGE: no such port. */
int http_url_parse(const char *text, struct http_url *ret_url);
/* Where a link in an answer from base leads, absolute or not (RFC 3986); free
 * it. NULL: nowhere. */
char *http_url_join(const char *base, const char *link);
/* True when both have the same scheme, host and port. */
bool http_same_origin(const char *url_a, const char *url_b);
bool http_is_loopback(const char *url); /* 127/8, ::1, localhost */

#endif
