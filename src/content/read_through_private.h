/*
 * content/read_through, inside: what its files share.
 */
#ifndef CONTENT_READ_THROUGH_PRIVATE_H
#define CONTENT_READ_THROUGH_PRIVATE_H

#include "content/read_through.h"

#include "store/flight.h"

#define READ_THROUGH_TRIES 3

struct read_through_job;
struct read_through {
	struct cache *cache;
	struct flight *flight; /* whoever comes first fetches */
	struct flight *lists;  /* a thread fetches: read_through_list.c */
	struct mutex lock;
	/* Under lock: */
	struct read_through_health health;
	int64_t back_off_until_ms;     /* clock_mono_ms */
	struct read_through_job *jobs; /* until their threads can be joined */
	struct read_through_job *ended;
	bool ending;
	struct cond job_ended;
};

/* What is asked for. */
struct read_through_ask {
	const char *key;
	enum read_through_mode mode;
	read_through_fetch *fetch;
	void *arg;
	const struct read_through_list *list; /* NULL: no list */
};

/* read_through.c */

/* *entry becomes what the cache has now, or NULL. */
void read_through_look(struct read_through *, const char *key,
		       struct cache_entry **entry);
/* There is an answer that came since *entry (which is replaced by it) was
 * looked at. */
bool read_through_came_meanwhile(struct read_through *,
				 const struct read_through_ask *,
				 struct cache_entry **entry);
/* Fetches; of a failure ctx has a sentence. */
int read_through_fetch_now(struct ctx *, struct read_through *, const char *key,
			   read_through_fetch *, void *arg,
			   struct cache_entry **entry);
/* Refused for this class alone: nothing was asked, and the next caller, of
 * another class, may ask. Otherwise a person would be served a walk's refusal.
 */
static inline bool read_through_refused(const struct ctx *ctx, int r)
{
	return r < 0 && ctx->refused;
}
/* Of a landing: what is being prepared may be ready by the next look, so that
 * one asks. */
static inline int64_t read_through_remember(int r)
{
	return r == -EBUSY ? FLIGHT_REMEMBER_NOT : 0;
}
/* For the health. impatient: the time that ran out was ours, which says little.
 */
void read_through_note(struct read_through *, int r, const char *sentence,
		       bool impatient);

/* read_through_list.c: 0, and *entry is what is there then; -errno with the
 * sentence in ctx. */
int read_through_bring_list(struct ctx *, struct read_through *,
			    const struct read_through_ask *,
			    struct cache_entry **entry);
void read_through_lists_init(struct read_through *);
void read_through_lists_done(struct read_through *);

#endif
