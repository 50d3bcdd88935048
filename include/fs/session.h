/*
 * fs/session: one FUSE mount: options, mounting, the loop, signals.
 *
 * Must never know HTTP, git, the cache. Everything below it that waits is in
 * the group, which is cancelled when the mount ends.
 */
#ifndef FS_SESSION_H
#define FS_SESSION_H

#include "model/model.h"

struct session;
struct session_config {
	struct model *model; /* borrowed, as all here */
	struct ctx_group *group;
	const char *mountpoint;
	const char *fsname; /* "bitbucket:ACCOUNT", not escaped */
	/* Passed on to libfuse, each "allow_other" or "max_read=…";
	 * NULL-terminated, or NULL. Ours are applied after them. */
	const char *const *options;
	bool debug;
	/* Once, when the mount answers: from a thread of the loop. */
	void (*ready)(void *arg);
	void *ready_arg;
};
/* The calling thread becomes the one that loops: signals SIGINT, SIGTERM and
 * SIGHUP are blocked in it and everything it starts. 0 or -errno. */
int session_new(const struct session_config *, struct session **ret_session);
/* -errno as mount(2) or fusermount3 had it (its own words are on stderr). */
int session_mount(struct session *);
/* How the model tells the kernel; valid until session_free. */
void session_kernel(struct session *, struct model_kernel *ret_kernel);
/*
 * From now on requests are for another model, which was started
 * (session_kernel) and whose numbers are others (model_config.generation).
 * stop(arg) is called then: it ends what works for the old model, and cancels
 * its group. When this returns, no request is in the old model, and the kernel
 * was told to drop all that it knew of it: who has something of it open gets
 * ESTALE. -ESHUTDOWN: the mount ends, and nothing was done. Never from a
 * request's thread.
 */
int session_replace(struct session *, struct model *, struct ctx_group *,
		    void (*stop)(void *arg), void *arg);
/*
 * Calls work for the model of now, in which it stays until work ends, with a
 * ctx that has the deadline and the caller of ctx, and is cancelled when that
 * one is, when the mount ends or the model is replaced; the sentence comes back
 * with ctx. Never from a request's thread.
 */
typedef int session_work(void *arg, struct ctx *, struct model *);
int session_run(struct session *, struct ctx *, session_work *work, void *arg);
/* Returns when the kernel has heard what it was told so far: who looks
 * afterwards sees that. A notification may wait for a lookup; ten seconds at
 * most. Never from a request's thread. */
void session_await_told(struct session *);
/* Until unmounted, or a signal. 0 or -errno. Afterwards it is unmounted and
 * the group of the model of then is cancelled. */
int session_loop(struct session *);
/* "3.14.0": of the libfuse that is loaded. */
const char *session_library(void);
struct session *session_free(struct session *);
DEFINE_CLEANUP(struct session *, session_free);

#endif
