/*
 * cmd/mount/live: a running mount is told that somebody has signed in, or out,
 * and of an agent of SSH.
 *
 * Owns what becomes of the mount then. A cache is one account's, and so is what
 * the kernel was told: for the same account the mount goes on as it is, with
 * another secret; for another one it is given other parts (cmd/mount/graph),
 * and the kernel drops what it had of those before.
 *
 * - Signed in, same account: the new secret is used at once, and what was
 *   refused or failed is asked for again.
 * - Signed in, while the mount is nobody's: it becomes the account's.
 * - Signed in, another account: refused.
 * - Signed out: the mount becomes nobody's, and goes on anonymously, in the
 *   anonymous cache. With the cache kept it stays the account's, and goes on
 *   from what is cached: nothing can be asked for.
 *
 * A mount whose credential does not come from login is left alone.
 */
#ifndef CMD_LIVE_H
#define CMD_LIVE_H

#include "cmd/mount/control.h"
#include "cmd/mount/graph.h"

struct session;

/* ---- in the daemon ---- */

struct live {
	const char *mountpoint;  /* borrowed, as the next two */
	struct session *session; /* mounted */
	struct ssh *ssh;         /* NULL: nothing is fetched by it */
	struct mutex lock;
	struct cond idle;
	/* One command at a time changes it; the main thread has it before
	 * control_serve and after control_end. */
	struct graph *graph;
	uint64_t generation;
	bool busy under_lock;
};
void live_init(struct live *);
/* The graph, too. */
void live_done(struct live *);
/* For control_serve, with the live as arg. */
extern const struct control_command live_commands[];

/* ---- in a command ---- */

/* How long `refresh` may take: a list of many pages. */
#define LIVE_REFRESH_MS (10 * 60 * 1000)

/* Tell all live mounts of this user and profile; what becomes of each is a line
 * of out, or, if it could not be done, said. How many should have done it, and
 * did not. */
size_t live_tell_signed_in(const struct config *, struct buf *out);
size_t live_tell_signed_out(const struct config *, bool keep_cache,
			    struct buf *out);

#endif
