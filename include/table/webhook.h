/*
 * table/webhook: what a webhook's payload says has changed, as places below its
 * repository in the mount. Pure: the same payload gives the same places.
 *
 * A payload is a stranger's, whatever it is signed with: a name in it that
 * cannot be one in the mount is left out.
 */
#ifndef TABLE_WEBHOOK_H
#define TABLE_WEBHOOK_H

#include "base/json.h"

enum webhook_how {
	/* Asked for again, if anything of it was looked at. */
	WEBHOOK_ASK,
	/* Outdated: whoever looks at it next asks. A list is many requests, and
	 * most lists nobody looks at. */
	WEBHOOK_OUTDATED,
};

struct webhook_place {
	enum webhook_how how;
	/* "pullrequests/12/comments"; "": the repository itself; "..": the
	 * list of its workspace's repositories. */
	char *path;
};

struct webhook {
	const char *event; /* the key; of a payload without one by its form */
	char *workspace, *slug;
	char *uuid; /* "": it does not say */
	struct webhook_place *places;
	size_t n_places;
};
#define WEBHOOK_PLACES_MAX 64

/* event: its key (X-Event-Key), NULL: it is not told; borrowed. 1: an event of
 * which nothing is known, whose repository is told all the same, if it names
 * one. -EBADMSG: this is no payload of that event: it names no repository, or
 * not what changed. *ret is the caller's to webhook_done in every case. */
int webhook_read(const struct json *payload, const char *event,
		 struct webhook *ret);
void webhook_done(struct webhook *);
DEFINE_CLEANUP_DONE(struct webhook, webhook_done);

#endif
