/*
 * cmd/mount/control: another process of the same user tells a running mount
 * something.
 *
 * Owns a socket for each mount, 0600, in a directory of the user's that nobody
 * else may enter; who is heard (this user alone); the form of a request, which
 * is a line of words, and of its answer: an errno, the mount point, a text for
 * people. Must never know what a command does.
 *
 * The directory: $XDG_RUNTIME_DIR/bitbucketfs, /run/user/UID/bitbucketfs, or
 * bitbucketfs/control below the user's state directory. A daemon takes the
 * first that can be had; who asks looks in all of them, for the variable may be
 * set for one of the two alone (cron, su).
 */
#ifndef CMD_CONTROL_H
#define CMD_CONTROL_H

#include "base/ctx.h"
#include "base/mem.h"

#include <sys/types.h>

#define CONTROL_WORDS_MAX 16
#define CONTROL_REQUEST_MAX (8 * KIB)
#define CONTROL_ANSWER_MAX MIB

/* ---- in the daemon ---- */

struct control_command {
	const char *name;
	size_t n_words; /* so many come with it */
	int timeout_ms; /* its ctx's deadline */
	/* It is cancelled when whoever asks has gone (Ctrl-C). */
	bool stops;
	/* On a thread of this call's own; it may wait for the network. The
	 * ctx is of a group that is cancelled by control_end; its caller is the
	 * process that asks. 0 or -errno; what
	 * was added to the answer is shown, or, if nothing was, the ctx's
	 * sentence. words end with NULL. */
	int (*run)(void *arg, struct ctx *, const char *const *words,
		   struct buf *answer);
};
struct control_config {
	const struct control_command *commands; /* a name NULL ends them */
	void *arg;
	dev_t device; /* of the mount */
	const char *mountpoint;
};
struct control;
/* From now on requests are answered. The commands stay the caller's. 0 or
 * -errno: no directory can be had, or no socket be made. */
int control_serve(const struct control_config *, struct control **ret_control);
/* The socket is gone, whoever is connected is cut off, and no command runs any
 * more: those under way are cancelled, and waited for. */
struct control *control_end(struct control *);

/* Where sockets may be, for who has to know before it mounts; NULL: there is no
 * such place. i < CONTROL_PLACES. Free it. */
#define CONTROL_PLACES 3
char *control_place(size_t i);

/* Waits until no other process of this user is mounting: a descriptor, and the
 * next one may when it is closed. -EAGAIN after timeout_ms; another -errno. */
int control_alone(int timeout_ms);

/* ---- in a command ---- */

struct control_answer {
	int errnum;       /* 0 or -errno, of the command or of the way to it */
	dev_t device;     /* of the mount */
	char *mountpoint; /* NULL: it did not answer, so nobody knows */
	char *text;       /* never NULL */
};
void control_answer_done(struct control_answer *);
DEFINE_CLEANUP_DONE(struct control_answer, control_answer_done);

/* Asks the mount of that device (preflight_place). words[0] is the command;
 * NULL ends them. 0 with an answer, in which -ENOSYS is a daemon of another
 * version; -ECONNREFUSED: there is no daemon; -ETIMEDOUT; another -errno. */
int control_ask(dev_t device, const char *const *words, int timeout_ms,
		struct control_answer *ret_answer);
/* Asks all live mounts of this user, at the same time, and calls each for each
 * of them, one after the other. How many there are. Sockets that dead daemons
 * left are removed. */
size_t control_ask_all(const char *const *words, int timeout_ms,
		       void (*each)(void *arg, const struct control_answer *),
		       void *arg);

#endif
