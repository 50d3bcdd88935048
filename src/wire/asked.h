/*
 * wire/asked: a line of the log for each request that went out, for who wants
 * to see them (BITBUCKETFS_DEBUG=http, -d).
 *
 * No line has a secret: of a URL's query only what is known to be none is
 * shown, and nothing of headers and bodies.
 */
#ifndef WIRE_ASKED_H
#define WIRE_ASKED_H

#include "base/ctx.h"

struct asked {
	const char *method; /* "GET", "SSH" */
	const char *url;    /* without user and fragment */
	long status;        /* 0: there was no answer */
	uint64_t n_received;
	int64_t began_ms; /* clock_mono_ms */
	int64_t left;     /* of the hour, as the answer says; -1: not said */
	int failed;       /* 0, or the -errno for which it ended */
};
/* Nothing, unless ctx_tells(). */
void asked_say(const struct ctx *, const struct asked *);

#endif
