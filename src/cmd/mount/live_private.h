/*
 * cmd/mount/live: what a running mount is asked that changes nothing of who one
 * is.
 */
#ifndef CMD_LIVE_PRIVATE_H
#define CMD_LIVE_PRIVATE_H

#include "cmd/mount/live.h"

/* Says nothing: whoever asks knows that the daemon answers. */
int live_hello(void *live, struct ctx *, const char *const *words,
	       struct buf *answer);
/* The word is a path of the mount, as model_fetch and the others take it. */
int live_fetch(void *live, struct ctx *, const char *const *words,
	       struct buf *answer);
int live_fetch_lfs(void *live, struct ctx *, const char *const *words,
		   struct buf *answer);
int live_fetch_cost(void *live, struct ctx *, const char *const *words,
		    struct buf *answer);
int live_fetch_stop(void *live, struct ctx *, const char *const *words,
		    struct buf *answer);
/* Who looks for the agent's socket in the mount would wait for the mount, and
 * the mount for him: -EINVAL with the sentence. */
int live_use_agent(const struct live *, const char *path, char why[static 512]);
/* The words are a path of the mount ("": of nothing in particular) and the
 * socket of an agent of SSH, or ""; the answer is JSON. */
int live_status(void *live, struct ctx *, const char *const *words,
		struct buf *answer);
/* The run of a struct control_command, with the live as arg. The word is a path
 * of the mount; the answer is what changed. */
int live_refresh(void *live, struct ctx *, const char *const *words,
		 struct buf *answer);

/* The words are the repository's uuid, its workspace and its slug, "ask" or
 * "outdated", and a place of it (model_heard); the answer is what was done. */
int live_heard(void *live, struct ctx *, const char *const *words,
	       struct buf *answer);

#endif
