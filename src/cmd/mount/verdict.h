/*
 * cmd/mount/verdict: what the service says of a credential whose cache is
 * mounted already, and a terminal that waits a moment for it.
 *
 * A mount with a cache is there at once, and the credential is checked behind
 * it. Once the daemon has left the terminal, a refusal is in
 * .bitbucketfs/errors alone; most of them come within a moment, while somebody
 * looks.
 */
#ifndef CMD_VERDICT_H
#define CMD_VERDICT_H

#include "base/sync.h"

struct verdict {
	struct mutex lock;
	struct cond said;
	struct thread *waits;
	void (*leave)(void *arg);
	void *arg;
	bool is_said under_lock;
	char *sentence under_lock; /* NULL: nothing is wrong */
};
void verdict_init(struct verdict *);
/* Nobody waits any longer; a verdict that comes later is dropped. */
void verdict_done(struct verdict *);
/* The check is over: errnum 0, or why it failed. From any thread. */
void verdict_say(struct verdict *, int errnum, const char *sentence);
/* Calls leave once: with the verdict, which is said on standard error before,
 * or after a second without one; from another thread, so that the mount answers
 * meanwhile. Where standard error is no terminal, or awaited is false: now. */
void verdict_await(struct verdict *, bool awaited, void (*leave)(void *arg),
		   void *arg);

#endif
