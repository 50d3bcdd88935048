/*
 * What http.c, http_errno.c, http_headers.c and http_slots.c share. No curl
 * here.
 */
#ifndef WIRE_HTTP_PRIVATE_H
#define WIRE_HTTP_PRIVATE_H

#include "wire/http.h"

/* Sets every member to "not said". */
void http_response_init(struct http_response *);
/* Forgets the headers of an earlier answer (a 1xx, a redirect). */
void http_response_forget(struct http_response *);
/* One line of the answer's head, with or without its line end. Unknown headers,
 * and values that make no sense, count as not said. */
void http_response_header(struct http_response *, const char *line, size_t n);

/* Keeps a piece of the body of an answer that is not 2xx; false: the maximum is
 * reached. */
bool http_response_error_body(struct http_response *, const void *data,
			      size_t n);

/* The slots of a client. A slot belongs to the thread that took it until that
 * thread leaves it; then to the thread that has waited longest, of the class
 * that goes first. */
struct http_slot {
	void *multi, *easy; /* curl's, made at the first use */
	/* Under the pool's lock: */
	char *origin under_lock; /* the origin of its connection, or NULL */
	bool busy under_lock;
	uint64_t used
		under_lock; /* when it was given last: the pool's n_given */
};
struct http_waiter;
struct http_slots {
	struct mutex lock;
	struct http_slot *slots;
	unsigned n_slots;
	/* Under lock: */
	uint64_t n_given under_lock;
	struct http_waiter *waiters under_lock; /* in the order they came */
};
void http_slots_init(struct http_slots *, unsigned n_slots);
void http_slots_done(
	/* frees also the curl handles; no slot may be taken */
	struct http_slots *);
/* Waits for a slot; NULL: ctx ended first. A free slot whose connection leads
 * to origin is preferred. */
struct http_slot *http_slots_take(struct ctx *, struct http_slots *,
				  const char *origin);
void http_slots_leave(struct http_slots *, struct http_slot *);
/* The slot's connection leads to this origin now. */
void http_slots_lead(struct http_slots *, struct http_slot *,
		     const char *origin);

/* An exchange that curl ended, and what is known of it. */
struct http_failure {
	int result;         /* CURLcode, not CURLE_OK */
	const char *host;   /* the host of the request */
	const char *url;    /* whole; sentences leave out its path */
	const char *proxy;  /* the client's own; NULL: the environment's */
	const char *why;    /* curl's words, or "" */
	int socket_errno;   /* the last socket could not be made; 0 */
	long os_errno;      /* CURLINFO_OS_ERRNO */
	long connect_code;  /* a proxy's answer to CONNECT; 0: none */
	bool is_unresolved; /* no name was resolved: the host's, or a proxy's */
};
/* The one table from curl's codes to errno and sentence, which says whose fault
 * it is: this machine's, the proxy's, the network's or the host's. */
int http_explain(struct ctx *, const struct http_failure *);
/* EMFILE or ENFILE when no descriptor is free at this moment, else 0. */
int http_no_descriptor(void);
/* This machine has no more of something (EMFILE, ENFILE, ENOMEM, ENOBUFS). */
int http_fail_machine(struct ctx *, int errnum);

#endif
