/*
 * What http.c, http_headers.c and http_slots.c share. No curl here.
 */
#ifndef WIRE_HTTP_PRIVATE_H
#define WIRE_HTTP_PRIVATE_H

#include "wire/http.h"

/* Everything "not said". */
void http_response_init(struct http_response *);
/* Forgets what the headers said (a 1xx, or a redirect, came before). */
void http_response_forget(struct http_response *);
/* One line of the answer's head, with or without its line end. What is not
 * known or makes no sense is as if it had not been said. */
void http_response_header(struct http_response *, const char *line, size_t n);

/* The body of an answer that is not 2xx, up to the maximum: false when there
 * is no place for more. */
bool http_response_error_body(struct http_response *, const void *data,
			      size_t n);

/*
 * The places of a client. A slot belongs to the thread it was given to until
 * that one leaves it; of the class that goes first, who has waited longest gets
 * it next.
 */
struct http_slot {
	void *multi, *easy; /* curl's, made at the first use */
	/* The rest is guarded by the pool's lock. */
	char *origin; /* where its connection leads, or NULL */
	bool busy;
	uint64_t used;
};
struct http_waiter;
struct http_slots {
	struct mutex lock;
	struct http_slot *slots;
	unsigned n_slots;
	uint64_t n_given;            /* under lock */
	struct http_waiter *waiters; /* under lock, in the order they came */
};
void http_slots_init(struct http_slots *, unsigned n_slots);
void http_slots_done(
	struct http_slots *); /* all free, their curl handles too */
/* Waits; NULL when ctx ended first. A free slot that leads to origin is
 * preferred. */
struct http_slot *http_slots_take(struct ctx *, struct http_slots *,
				  const char *origin);
void http_slots_leave(struct http_slots *, struct http_slot *);
/* From now on it leads there. */
void http_slots_lead(struct http_slots *, struct http_slot *,
		     const char *origin);

#endif
